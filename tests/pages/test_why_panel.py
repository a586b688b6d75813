"""Why these two, on Failures, Review and Retrieval: the figures of the core beside the pictures, and links."""

from __future__ import annotations

import io

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.images import why_panel
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.explaining import explain_pair, explain_rows
from radcbir_core.explanation.explanation_words import check_said
from tests.pages.reading import cards, complaints, html, pairs, pictures, viewers, words
from tests.small_images import draw

ROWS = (20, 23)


@pytest.fixture
def ids(app) -> list[str]:
    return open_collection("small").manifest.rows(ROWS, ["image_id"])["image_id"].tolist()


def button(at, label):
    return next(one for one in at.button if one.label == label)


def test_a_pair_in_large_is_explained_and_stays_so(app, ids, monkeypatch) -> None:
    at = app("review", image=ids[0], beside=ids[1])
    assert not complaints(at)
    (plain,) = viewers(at)
    button(at, "Why these two?").click().run()
    assert at.query_params["why"] == "auto"
    made = explain_rows(open_collection("small").store("pixels"), *ROWS)
    shown = html(at)
    for side in made.sides:
        for check in side.checks:
            assert check_said(check) in shown
    assert "Occlusion: squares of" in shown
    both = pictures(at)
    assert not viewers(at)
    assert all("with its map: highlighted" in one["description"] for one in both)
    failing = [side.verdict for side in made.sides] != ["explains", "explains"]
    assert ("explain this similarity" in words(at)) == failing

    # Another run computes nothing again; other colors are other pictures of the same maps.
    monkeypatch.setattr(why_panel, "explain_pair", lambda *_, **__: pytest.fail("computed again"))
    next(one for one in at.slider if one.label == "Color, %").set_value(0).run()
    assert not complaints(at) or failing
    assert [one["source"] for one in pictures(at)] != [one["source"] for one in both]
    button(at, "Close the explanation").click().run()
    assert viewers(at) == [plain]
    assert "why" not in at.query_params


def test_a_link_opens_it_and_wrong_words_are_reported(app, ids) -> None:
    at = app("review", image=ids[0], beside=ids[1], why="patches")
    assert "why = patches" in complaints(at)
    assert "Occlusion: squares of" in html(at)


def test_on_retrieval_a_hit_is_explained_above_the_hits(app, ids) -> None:
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    shown = html(at)
    for side in explain_rows(open_collection("small").store("pixels"), *ROWS).sides:
        assert check_said(side.checks[0]) in shown
    assert 'alt="Query with its map: ' in shown
    assert cards(at), "the hits are below"
    button(at, "Back to the hits alone").click().run()
    assert "with its map" not in html(at)
    at.query_params["beside"] = "nobody"
    assert "nobody" in complaints(at.run())


def test_a_changed_query_is_explained_as_it_was_searched_with(app, ids) -> None:
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    before = html(at)
    at.query_params["perturb"] = ["invert"]
    after = html(at.run())
    assert 'alt="Query with its map: ' in after
    assert before[before.index("<ul") :][:400] != after[after.index("<ul") :][:400]


def test_a_file_that_is_gone_is_said(app, ids, monkeypatch) -> None:
    monkeypatch.setattr(
        "radcbir_core.collections.collection.Collection.image_path", lambda self, row: self.image_root / "gone.png"
    )
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    assert "gone.png" in complaints(at)
    assert [one.label for one in at.button].count("Close the explanation") == 1


def test_embeddings_without_an_encoder_cannot_be_explained(app, ids, monkeypatch) -> None:
    monkeypatch.setattr(
        "radcbir_core.collections.encoder_data.store.EncoderStore.imported", property(lambda self: True)
    )
    at = app("review", image=ids[0], beside=ids[1])
    assert button(at, "Why these two?").disabled
    at = app("review", image=ids[0], beside=ids[1], why="auto")
    assert "were imported" in complaints(at)
    button(at, "Close the explanation").click().run()
    assert not complaints(at)


def test_the_dialog_of_a_hit_asks_why(app, ids) -> None:
    def script() -> None:
        import streamlit as st

        from pages.parts.images import gallery
        from radcbir_core.collections.collection import open_collection

        def why(image_id: str) -> None:
            st.session_state["asked"] = image_id

        if "asked" not in st.session_state:
            gallery.open_large(open_collection("small"), [20, 23], 1, query_row=20, on_why=why)

    at = AppTest.from_function(script, default_timeout=30).run()
    button(at, "Why these two?").click().run()
    assert not at.exception
    assert at.session_state["asked"] == ids[1]


def test_an_upload_is_explained_too_and_kept_no_longer_than_it_is_there(app, ids) -> None:
    buffer = io.BytesIO()
    draw(1, 99).save(buffer, "PNG")
    at = app("retrieval")
    at.segmented_control[0].set_value("upload").run()
    at.file_uploader[0].set_value(("upload.png", buffer.getvalue(), "image/png")).run()
    at.query_params["beside"], at.query_params["why"] = ids[1], "auto"
    at.run()
    assert 'alt="Query with its map: ' in html(at)
    made = explain_pair(load_encoder("pixels"), np.asarray(draw(1, 99)), open_collection("small").read_image(23).pixels)
    assert all(check_said(check) in html(at) for side in made.sides for check in side.checks)
    assert "radcbir:why-outside" in at.session_state
    del at.query_params["why"], at.query_params["beside"]
    other = io.BytesIO()
    draw(2, 99).save(other, "PNG")
    at.file_uploader[0].set_value(("other.png", other.getvalue(), "image/png")).run()
    assert "radcbir:why-outside" not in at.session_state, "it goes with the upload"


def test_on_failures_the_next_pair_is_explained_as_well(app) -> None:
    at = app("failures", view="mined", k="3")
    first, second = ([card["image_id"] for card in pair] for pair in pairs(at)[:2])
    at.query_params["image"], at.query_params["beside"], at.query_params["why"] = *first, "auto"
    at.run()
    assert "Occlusion: squares of" in html(at)
    before = [one["source"] for one in pictures(at)]
    button(at, "Next pair").click().run()
    assert (at.query_params["image"], at.query_params["beside"]) == tuple(second)
    assert "Occlusion: squares of" in html(at)
    assert [one["source"] for one in pictures(at)] != before
    button(at, "Close the pair").click().run()
    assert "why" not in at.query_params
