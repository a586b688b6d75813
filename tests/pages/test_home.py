from __future__ import annotations

import base64
import shutil
from pathlib import Path

import numpy as np
import pytest
import streamlit as st

from radcbir_core.collections.artifacts import ARTIFACT_NAMES, PROJECTION
from radcbir_core.collections.collection import open_collection
from tests.pages.conftest import APP
from tests.pages.reading import cards, complaints, html, words
from tests.small_images import CYRILLIC_LABEL, HTML_LABEL
from tests.stale import outdate


def test_without_a_collection_it_says_which_command_is_next(empty_app):
    at = empty_app()
    assert not complaints(at)
    assert "There is no collection yet" in words(at)
    assert "python -m radcbir_core import FOLDER_OR_MANIFEST_CSV --name NAME" in [code.value for code in at.code]


def test_it_counts_what_is_in_the_collection(app):
    at = app()
    assert not complaints(at)
    shown = html(at)
    assert "Images</span><b>61</b>" in shown
    assert "Patients</span><b>25</b>" in shown
    assert "known of 51 images" in shown
    assert "Exact copies</span><b>2</b><small>images in 1 group" in shown
    assert "Several labels</span><b>5</b>" in shown
    assert "Problems</span><b>2</b>" in shown
    for value, count in (("XR", 21), ("CT", 20), ("MR", 20), ("chest", 21), ("train", 43), ("test", 18)):
        assert f'<td title="{value}">{value}</td><td class="number">{count}</td>' in shown


def test_labels_are_shown_word_for_word(app):
    shown = html(app())
    assert "<b onclick" not in shown
    assert "&lt;b onclick=&quot;x()&quot;&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;" in shown
    assert CYRILLIC_LABEL in shown
    assert any(line["value"] == HTML_LABEL for card in cards(app("retrieval")) for line in card["lines"])


def test_it_names_the_steps_of_each_encoder_in_signs_and_words(app):
    shown = html(app())
    assert shown.count("✓ current") == len(ARTIFACT_NAMES)
    assert "missing" not in shown


def test_problems_are_listed_with_the_reason(app):
    table = app().dataframe[0].value
    assert sorted(Path(path).name for path in table["path"]) == ["missing.png", "not_an_image.png"]
    assert table["reason"].str.len().min() > 10


def test_it_shows_images_of_every_kind(app):
    assert {card["modality"] for card in cards(app())} == {"XR", "CT", "MR"}


def test_the_url_and_the_sidebar_say_what_is_open(app):
    at = app()
    assert at.query_params == {"collection": ["small"], "encoder": ["pixels"]} or dict(at.query_params) == {
        "collection": "small",
        "encoder": "pixels",
    }
    assert [(box.label, box.value) for box in at.sidebar.selectbox] == [("Collection", "small"), ("Encoder", "pixels")]


def test_research_use_only_is_said_once(app):
    assert html(app()).count("Research use only. Not for diagnosis.") == 1


def test_a_link_to_no_collection_says_which_there_are_and_the_sidebar_goes_on_working(app):
    at = app(collection="nope<b>")
    assert "Expected a collection that exists, but collection = 'nope<b>'. There are: small." in complaints(at)
    at.sidebar.selectbox[0].select("small").run()
    assert not complaints(at)
    assert "Images</span><b>61</b>" in html(at)


def test_a_link_to_no_encoder_says_which_there_are(app):
    at = app(encoder="biomedclip")
    assert "Expected an encoder that exists, but encoder = 'biomedclip'. There are: pixels." in complaints(at)
    assert "Images</span><b>61</b>" in html(at)


def test_a_collection_without_an_encoder_says_how_to_build_one(app, copied_data):
    shutil.rmtree(copied_data / "encoders")
    at = app()
    assert not complaints(at)
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]
    at = app("retrieval")
    assert not complaints(at)
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]


def test_a_stale_step_is_named_with_its_command(app, copied_data):
    outdate(open_collection("small").store("pixels"), PROJECTION)
    at = app()
    assert "! stale" in html(at)
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]


def test_a_damaged_collection_is_an_error_and_the_other_goes_on(app, copied_data):
    other = copied_data.parent / "other"
    shutil.copytree(copied_data, other)
    (other / "manifest.parquet").write_bytes(b"PAR1 and then nothing")
    at = app(collection="other")
    assert "missing or damaged" in complaints(at)
    at.sidebar.selectbox[0].select("small").run()
    assert not complaints(at)


def test_a_damaged_thumbnail_is_one_placeholder_that_says_so(app, copied_data):
    shard = copied_data / "thumbnails" / "000000.bin"
    offsets = np.load(shard.with_suffix(".npy"))
    shown = [card["row"] for card in cards(app())]
    content = bytearray(shard.read_bytes())
    content[int(offsets[shown[3]]) + 40] ^= 0xFF
    shard.write_bytes(content)
    st.cache_resource.clear()
    at = app()
    assert not complaints(at)
    damaged = [b"damaged on disk" in base64.b64decode(card["source"].partition(",")[2]) for card in cards(at)]
    assert [card["row"] for card in cards(at)] == shown
    assert [n for n, is_damaged in enumerate(damaged) if is_damaged] == [3]
    np.save(shard.with_suffix(".npy"), offsets[:5])  # and where all of them lie, all of them say so
    st.cache_resource.clear()
    at = app()
    assert not complaints(at)
    assert all(b"damaged on disk" in base64.b64decode(card["source"].partition(",")[2]) for card in cards(at))


def test_a_rebuilt_encoder_is_noticed_without_a_restart(app, copied_data):
    at = app()
    assert html(at).count("✓ current") == len(ARTIFACT_NAMES)
    shutil.rmtree(copied_data / "encoders" / "pixels" / "evaluation")
    assert html(at.run()).count("✓ current") == len(ARTIFACT_NAMES) - 1


@pytest.mark.parametrize("page", [path.stem for path in sorted(APP.parent.glob("pages/[!_]*.py"))])
def test_a_page_is_the_same_from_home_as_by_a_link(app, page):
    by_link = app(page)
    from_home = app().switch_page(f"pages/{page}.py")
    from_home.query_params.clear()  # as a browser does, and AppTest does not
    from_home.run()
    assert words(from_home) == words(by_link)
    assert html(from_home) == html(by_link)
    sent = [[element.proto for element in at.get("bidi_component")] for at in (from_home, by_link)]
    assert [(one.json, one.mixed.json) for one in sent[0]] == [(one.json, one.mixed.json) for one in sent[1]]
    assert from_home.query_params == by_link.query_params
    assert not from_home.exception
