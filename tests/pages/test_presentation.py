"""The presentation: what each slide shows is what the core says, and what cannot be told is left out and said."""

from __future__ import annotations

import base64
import doctest
import io
import re
import shutil
from urllib.parse import parse_qs

import numpy as np
import pytest
import streamlit as st
from PIL import Image

import radcbir_core
from pages.parts.frame import loaders
from pages.parts.presentation import plain_words
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.kits.training_list import UNKNOWN
from radcbir_core.errors import ImageError
from radcbir_core.evaluation.presented_cases import (
    agreements,
    mix_ups,
    ordinary_cases,
    presented_failures,
    presented_precision,
)
from radcbir_core.search.language import nonsense
from tests.pages.conftest import run_page
from tests.pages.reading import complaints, html, words
from tests.planted_training import plant_training
from tests.small_images import draw

STEPS = ("case", "similar", "findings", "comparison", "failure", "text")
MINI = {"collection": "small", "encoder": "radcbir-mini"}


@pytest.fixture
def store(copied_data):
    return open_collection("small").store("pixels")


@pytest.fixture
def text_app(small_mapped_data, mini, monkeypatch):
    """A collection with everything that a random radcbir-mini makes of it, which reads sentences."""
    monkeypatch.setenv("RADCBIR_DATA", str(small_mapped_data))
    return run_page


def button(at, label):
    return next(one for one in at.button if one.label.replace("\\", "") == label)


def shown(at):
    """What stands below each picture: the verdict and the words."""
    figures = re.findall(r"<figcaption>(?:<b>(.*?)</b>)?<span[^>]*>(.*?)</span>", html(at))
    return [(verdict, said) for verdict, said in figures]


def alternatives(at):
    """What is said of each picture to those who cannot see it."""
    return re.findall(r'alt="([^"]*)"', html(at))


def test_the_examples_of_the_words_hold() -> None:
    assert doctest.testmod(plain_words).attempted > 10
    assert doctest.testmod(plain_words).failed == 0


def test_the_story_goes_from_case_to_findings_and_back(app, store) -> None:
    at = app("presentation", collection="small", encoder="pixels")
    assert not complaints(at)
    offered = ordinary_cases(presented_precision(store).run(store), store)
    usual = plain_words.tenths(offered.usual)
    assert f"of the ten most similar images about {usual} show the same finding, as on average" in html(at)
    second = offered.cases[1]
    kind = {"XR": "Chest radiograph", "CT": "CT of the abdomen", "MR": "MRI of the brain"}[second.label[:2]]
    button(at, kind).click().run()
    manifest = store.collection.manifest
    assert at.query_params["step"] == "similar"
    assert at.query_params["image"] == manifest.image_id(second.row)
    assert not complaints(at)
    hidden = html(at)
    assert "Found among 60 others" in hidden
    assert "radcbir-slide-picture same" not in hidden
    assert all(said == "" for _, said in shown(at))
    assert alternatives(at) == [f"The case: {kind}", *(f"Similar image {number}" for number in range(1, 7))]

    button(at, "Next").click().run()
    assert at.query_params["step"] == "findings"
    (case, *hits) = shown(at)
    finding = manifest.record(second.row)["pathologies"][0]
    assert case == ("The case", plain_words.finding_of(_labels(manifest, second.row)).replace("&", "&amp;"))
    number = sum(verdict == "✓ same finding" for verdict, _ in hits)
    assert f"{number} of 6 show the same finding." in html(at)
    assert all((said == case[1]) == (verdict == "✓ same finding") for verdict, said in hits), finding
    assert all(verdict[:1] in "✓≈✗?" for verdict, _ in hits)

    button(at, "Back").click().run()
    button(at, "Back").click().run()
    assert at.query_params["step"] == "case"
    assert button(at, "Back").disabled


def _labels(manifest, row):
    from pages.parts.images.gallery import Labels

    record = manifest.record(row)
    return Labels(record["modality"], record["anatomy"], tuple(record["pathologies"]))


def test_hits_are_of_other_patients_and_one_of_each(app, store, monkeypatch) -> None:
    from pages.parts.presentation import shown_cases

    asked = []
    hits_of = shown_cases.hits_of
    monkeypatch.setattr(shown_cases, "hits_of", lambda *given: asked.append(hits_of(*given)) or asked[-1])
    manifest = store.collection.manifest
    app("presentation", collection="small", encoder="pixels", step="similar", image=manifest.image_id(4))
    patients = manifest.column("patient_id")[[4, *asked[0]]]
    known = [patient for patient in patients if patient]
    assert len(asked[0]) == 6
    assert len(set(known)) == len(known)


def test_the_comparison_says_the_figures_of_the_evaluation(app, store) -> None:
    said = html(app("presentation", collection="small", encoder="pixels", step="comparison"))
    figures = agreements(presented_precision(store).run(store))
    for level in ("anatomy", "label"):
        first, ten = figures[level, 1], figures[level, 10]
        assert f"<b>{plain_words.hundredths(first.share)}</b> of 100 times" in said
        assert plain_words.confidence(first.low, first.high) in said
        assert f"by chance {plain_words.hundredths(first.chance)}<" in said
        assert f"{plain_words.tenths(ten.share)} of the ten most similar images agree" in said
        assert f"{first.n_queries} images of {first.n_patients} patients asked" in said
    assert "The body part is found. The finding is harder." in said


def test_no_conclusion_is_drawn_that_the_intervals_do_not_bear(app, store, monkeypatch) -> None:
    from dataclasses import replace

    from pages.parts.presentation import shown_cases

    figures = shown_cases.figures
    wide = lambda opened: {name: replace(one, low=0.0, high=1.0) for name, one in figures(opened).items()}  # noqa: E731
    monkeypatch.setattr(shown_cases, "figures", wide)
    said = html(app("presentation", collection="small", encoder="pixels", step="comparison"))
    assert "The finding is harder." not in said
    assert "<h1>Body part and finding</h1>" in said


def test_a_failure_is_the_most_frequent_one_and_says_how_often_such_happen(app, store) -> None:
    at = app("presentation", collection="small", encoder="pixels", step="failure")
    assert not complaints(at)
    found = mix_ups(presented_failures(store).run(store), store)
    rate, first = found.rate, found.examples[0]
    assert f"In {plain_words.of_hundred(rate.share)} searches the most similar image shows the same body part" in html(
        at
    )
    assert f"{first.number} of {rate.n} such failures in {rate.n_images} searches" in html(at)
    assert "more often than any other" in html(at)
    (_, (verdict, _)) = shown(at)
    assert verdict == "✗ other finding"
    for number in range(2, len(found.examples) + 1):
        button(at, "Another failure").click().run()
        assert at.query_params["failure"] == str(number)
        assert f"{found.examples[number - 1].number} of {rate.n} such failures" in html(at)
        assert "more often than any other" not in html(at)
    button(at, "Another failure").click().run()
    assert "failure" not in at.query_params


def test_a_sentence_is_asked_by_a_click_and_by_writing_one(text_app, monkeypatch) -> None:
    monkeypatch.setattr(nonsense, "CHANCE_KNOWN", 1.0)
    monkeypatch.setattr(nonsense, "CHANCE", 1.0)
    at = text_app("presentation", **MINI, step="text")
    assert not complaints(at)
    assert "Click a sentence, or write one." in html(at)
    button(at, "chest radiograph with pneumonia").click().run()
    assert at.query_params["text"] == "chest radiograph with pneumonia"
    assert len(shown(at)) == 6
    for verdict, said in shown(at):
        assert (said == "pneumonia") == (verdict == "✓ same finding")
    assert "Compared with nonsense:" in html(at)
    at.text_input[0].set_value("CXR with xqzt").run()
    assert at.query_params["text"] == "CXR with xqzt"
    assert "Read as: chest radiograph with xqzt. Not known here: xqzt." in html(at)
    kinds = {"Chest radiograph", "CT of the abdomen", "MRI of the brain"}
    assert {verdict for verdict, _ in shown(at)} <= kinds, "nobody said which label is meant"


def test_it_is_said_where_a_sentence_does_no_better_than_nonsense(text_app, monkeypatch) -> None:
    monkeypatch.setattr(nonsense, "CHANCE_KNOWN", -1.0)
    monkeypatch.setattr(nonsense, "CHANCE", -1.0)
    said = html(text_app("presentation", **MINI, step="text", text="CT of the abdomen"))
    assert re.search(r"No better than nonsense: (\d+|none) of 60 meaningless sentences bring", said)


def test_what_is_not_built_is_said_in_the_page_as_everywhere(small_text_data, mini, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    at = run_page("presentation", **MINI)
    assert not complaints(at)
    assert "The step **neighbors** of the encoder" in words(at)
    assert 'radcbir-slide-heading">' not in html(at)
    assert at.sidebar.selectbox


def test_an_encoder_without_words_leaves_out_the_step_and_says_so(app) -> None:
    why = "the encoder that is open here compares images only, and reads no words"
    at = app("presentation", collection="small", encoder="pixels")
    assert f"Left out, In words: {why}" in html(at)
    assert "In words (left out)" in html(at)
    at = app("presentation", collection="small", encoder="pixels", step="failure")
    assert button(at, "Next").disabled
    at = app("presentation", collection="small", encoder="pixels", step="text")
    assert f"Left out: {why}" in html(at)
    assert not at.text_input
    button(at, "Back").click().run()
    assert at.query_params["step"] == "failure"


@pytest.fixture(scope="module")
def odd_data(tmp_path_factory):
    """A data folder with collections without labels, with body parts alone, of one label, and of one image."""
    place = tmp_path_factory.mktemp("odd")
    tables = {
        "bare": ["path", *(f"{number}.png" for number in range(8))],
        "places": ["path,modality,anatomy", *(f"{n}.png,XR,{'chest' if n < 4 else 'hand'}" for n in range(8))],
        "alike": ["path,modality,anatomy,pathology", *(f"{n}.png,XR,chest,edema" for n in range(8))],
        "alone": ["path,modality,anatomy,pathology", "0.png,XR,chest,edema"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(place / "data"))
        for name, lines in tables.items():
            (place / name).mkdir()
            for number in range(8):
                draw(number % 2, number).save(place / name / f"{number}.png")
            (place / name / "table.csv").write_text("\n".join(lines), encoding="utf-8")
            radcbir_core.import_images(place / name / "table.csv", name=name)
            radcbir_core.build(name, "pixels")
    return place / "data"


@pytest.mark.parametrize("name", ["bare", "places", "alike", "alone"])
def test_odd_collections_are_presented_as_far_as_they_go(odd_data, monkeypatch, name) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(odd_data))
    said = {}
    for step in STEPS:
        at = run_page("presentation", collection=name, step=step)
        assert not complaints(at), step
        assert "nan" not in re.sub(r'src="[^"]*"', "", html(at)), step
        said[step] = html(at)
    for step in ("findings", "comparison", "failure"):
        assert ("Left out:" in said[step]) == ((name == "bare") or step == "failure"), (name, step)
    assert "Whose image this is is not known" in said["similar"]
    if name == "places":
        assert re.search(
            r"[0-6] of 6 show the same body part\. Of images drawn at random 43 of 100 would", said["findings"]
        )
        assert "Same body part" in said["comparison"]
        assert "Same finding" not in said["comparison"]
    if name == "alone":
        assert "Found among 0 others" in said["similar"]
        assert "nothing can be counted" in said["comparison"]
    if name == "alike":
        assert "6 of 6 show the same finding. Of images drawn at random 100 of 100 would." in said["findings"]


def test_images_that_the_encoder_has_learned_from_are_marked(app, store, monkeypatch) -> None:
    plant_training(monkeypatch, store.collection, range(61))
    at = app("presentation", collection="small", encoder="pixels", step="similar")
    assert "The computer has learned from 7 of these 7 images" in html(at)
    assert html(at).count("◉</i>") == 7
    said = html(app("presentation", collection="small", encoder="pixels", step="comparison"))
    assert "learned from all of these images: these figures are too favorable" in said
    said = html(app("presentation", collection="small", encoder="pixels", step="failure"))
    assert "The computer has learned from 2 of these 2 images" in said


def test_what_is_marked_among_the_hits_of_a_sentence_is_explained(text_app, monkeypatch) -> None:
    plant_training(monkeypatch, open_collection("small"), range(61), spec="radcbir-mini")
    said = html(text_app("presentation", **MINI, step="text", text="CT of the abdomen"))
    assert said.count("◉</i>") == 6
    assert "The computer has learned from 6 of these 6 images" in said


def test_what_is_not_known_of_training_is_said_once(app, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: UNKNOWN)
    said = html(app("presentation", collection="small", encoder="pixels", step="failure"))
    assert said.count("What the computer has learned from is not known") == 1


def test_what_an_address_says_wrongly_is_said_and_the_rest_works(app) -> None:
    at = app("presentation", collection="small", encoder="pixels", step="finish", image="nobody", cases="99")
    assert "step to be one of those there are, but step = finish" in complaints(at)
    assert "nobody" in complaints(at)
    assert "Choose a case" in html(at)


def gone(*_, **__):
    raise ImageError("Expected a file, but it is gone.")


def test_a_file_that_is_gone_is_shown_small(app, store, monkeypatch) -> None:
    monkeypatch.setattr(loaders, "preview", gone)
    at = app("presentation", collection="small", encoder="pixels", step="findings")
    assert not complaints(at)
    assert html(at).count("data:image/jpeg") == 7


def test_text_that_may_name_somebody_is_painted_black(app, store, monkeypatch) -> None:
    from radcbir_core.collections.collection import Collection
    from radcbir_core.collections.text_boxes import TEXT, UNSEEN, BurnedText, TextBoxes

    number = len(store.collection)
    half = [np.array([[0, 0, 500, 1000]], dtype=np.int16)] * number
    told = np.zeros(number, dtype=bool)
    found = BurnedText(TextBoxes.of(np.full(number, TEXT), half, detector="any"), told)
    monkeypatch.setattr(Collection, "burned_text", lambda _: found)
    st.cache_resource.clear()
    for is_gone in (False, True):
        if is_gone:
            monkeypatch.setattr(loaders, "preview", gone)
        at = app("presentation", collection="small", encoder="pixels", step="similar")
        assert not complaints(at)
        for address in re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]*)"', html(at)):
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))))
            middle = pixels.shape[1] // 2
            assert pixels[:, : middle - 8].max() < 8, "but for what JPEG makes of black"
            assert pixels[:, middle + 8 :].max() > 99
        assert html(at).count("data:image/jpeg" if is_gone else "data:image/png") == 7
    found = BurnedText(TextBoxes.none(number), ~told)
    assert found.found.states[0] == UNSEEN
    st.cache_resource.clear()
    at = app("presentation", collection="small", encoder="pixels", step="similar")
    assert html(at).count("data:image/svg") == 7, "where the text is was not looked for"
    st.cache_resource.clear()


def test_it_opens_from_the_sidebar_with_the_query_and_is_left_to_where_it_was_opened(app, store) -> None:
    image_id = store.collection.manifest.image_id(3)
    at = app("retrieval", collection="small", encoder="pixels", image=image_id, k="3")
    links = [link.proto for link in at.sidebar.get("page_link")]
    (present,) = [link for link in links if link.label == "Present"]
    assert present.page == "presentation"
    assert parse_qs(present.query_string)["image"] == [image_id]
    at.switch_page("pages/presentation.py")
    at.query_params["image"] = image_id
    at.query_params["step"] = "findings"
    at.run()
    assert "What they show" in html(at)
    button(at, "Leave").click().run()
    assert at.query_params["k"] == "3"
    assert at.query_params["image"] == image_id
    assert any("hits" in one or "Hits" in one for one in [html(at), words(at)])


def test_after_a_reload_it_is_left_to_where_it_was_opened_too(app) -> None:
    at = app("pathology", collection="small", encoder="pixels", view="ranking")
    (present,) = [link.proto for link in at.sidebar.get("page_link") if link.proto.label == "Present"]
    opened = {name: values[0] for name, values in parse_qs(present.query_string).items()}
    assert opened["from"] == "pathology?view=ranking"
    for given, page in ((opened, "pathology"), ({**opened, "from": "https://a.example"}, "home")):
        at = app("presentation", **given)
        at.session_state["radcbir:page-before"] = None  # as after a reload: tests begin at Home
        button(at, "Next").click().run()
        button(at, "Leave").click().run()
        assert not complaints(at)
        assert at.session_state["radcbir:page"] == page
        assert ("view" in at.query_params) == (page == "pathology")


def test_nothing_is_named_by_id_path_or_patient(app, store) -> None:
    manifest = store.collection.manifest
    names = {*manifest.column("image_id"), *manifest.column("path"), *manifest.column("patient_id")} - {""}
    for step in STEPS[:5]:
        at = app("presentation", collection="small", encoder="pixels", step=step)
        said = re.sub(r'src="[^"]*"', "", html(at)) + words(at) + " ".join(one.label for one in at.button)
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", said)], step
        assert "pixels" not in said, step
        assert not at.main.selectbox


def test_many_images_are_chosen_from_once(app, store, monkeypatch) -> None:
    from pages.parts.presentation import shown_cases

    counted = []
    choose = shown_cases.ordinary_cases
    monkeypatch.setattr(
        shown_cases, "ordinary_cases", lambda *given, **more: counted.append(1) or choose(*given, **more)
    )
    shown_cases._ordinary.clear()
    at = app("presentation", collection="small", encoder="pixels")
    for _ in range(3):
        at.run()
    assert len(counted) == 1
    assert np.isfinite(float(len(html(at))))


def test_what_is_too_much_to_evaluate_at_once_is_offered_and_cases_are_there_all_the_same(
    app, store, monkeypatch
) -> None:
    for folder in store.evaluation_folder.iterdir():
        shutil.rmtree(folder)
    monkeypatch.setattr("pages.parts.evaluation.runs.QUICK_IMAGES", 0)
    for step, what in (
        ("comparison", "How often similar images agree"),
        ("failure", "How often findings are mixed up"),
    ):
        at = app("presentation", collection="small", encoder="pixels", step=step)
        assert not complaints(at)
        assert f"{what} has not been computed yet" in words(at)
        assert button(at, "Compute")
    at = app("presentation", collection="small", encoder="pixels")
    assert {"Chest radiograph", "CT of the abdomen", "MRI of the brain"} <= {one.label for one in at.button}
    assert "Chosen to be ordinary" not in html(at)
