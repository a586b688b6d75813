"""Chances and percentiles beside hits, what is far from everything, and the view that says whether chances are true."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.calibration import Calibration
from radcbir_core.evaluation.reports.scale import Scale
from radcbir_core.evaluation.similarity_readings import FAR
from tests.pages.reading import complaints, html, words
from tests.small_images import draw


@pytest.fixture
def few(copied_data, monkeypatch):
    """The collection of a test, of whose few images chances and thresholds are said all the same."""
    monkeypatch.setattr("radcbir_core.evaluation.reports.calibration.FEWEST_PATIENTS", 8)
    monkeypatch.setattr("radcbir_core.evaluation.reports.scale.FEWEST_ASKED", 20)
    shutil.rmtree(open_collection("small").store("pixels").evaluation_folder)
    return open_collection("small")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_each_hit_says_its_chance_and_its_percentile(app, few) -> None:
    at = app("retrieval", image=few.manifest.image_id(21), exclude=["patient", "near-duplicate"])
    assert not complaints(at)
    page = html(at)
    assert "share it: of hits this similar, so many had the query's modality" in page.replace("&#x27;", "'")
    assert "of images of different patients in this collection" in page
    at = app("retrieval", image=few.manifest.image_id(21), where=["modality=CT"])
    assert "No chances are said: " in html(at)
    assert "only a part of the collection was searched" in html(at)
    page = html(app("retrieval", image=few.manifest.image_id(21), exclude=["patient", "near-duplicate"], one="patient"))
    assert "of each patient, study or series one hit alone is shown" in page
    assert "only a part of the collection was searched" not in page


def test_a_collection_of_too_few_patients_says_so_at_every_click(app, copied_data) -> None:
    image = open_collection("small").manifest.image_id(21)
    at = app("retrieval", image=image)
    assert "No chances are said. Expected hits of one modality and anatomy" in html(at)
    at.run()
    assert "No chances are said. Expected hits of one modality and anatomy" in html(at)
    assert not complaints(at)


@pytest.mark.parametrize("far", [True, False])
def test_an_upload_that_is_of_another_kind_is_said_to_be_far(app, few, far) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    at = app("retrieval", source="upload")
    at.file_uploader[0].upload("one.png", png(noise if far else np.asarray(draw(0, 99))), "image/png")
    at.run()
    assert not at.exception
    assert (FAR in words(at) or any(FAR in warning.value for warning in at.warning)) is far
    assert ("share it: of hits this similar" in html(at)) is not far


def test_the_view_is_both_evaluations(app, few) -> None:
    store = few.store("pixels")
    at = app("pathology", view="calibration", place="MR/brain")
    assert not complaints(at)
    result = Calibration().suited(store).run(store)
    means = result.table.set_index("place")
    page = html(at)
    assert f"<b>{means['ece']['MR/brain']:.3f}</b>" in page
    assert f"{means['ece_by_noise']['MR/brain']:.3f} of noise alone" in page
    frames = [frame.value for frame in at.dataframe]
    places = next(frame for frame in frames if "ece" in frame)
    np.testing.assert_array_equal(places["ece"], result.table["ece"])
    ranks = next(frame for frame in frames if "rank" in frame)
    np.testing.assert_array_equal(ranks["share"], result.tables["ranks"]["share"])
    scale = Scale().suited(store).run(store)
    assert f"<b>{scale.facts['nearest']:.3f}</b>" in page
    within = next(frame for frame in frames if "within" in frame)
    of_all = scale.table[scale.table["place"] == ""].set_index("quantile")["similarity"]
    assert within["99 %"].iloc[0] == of_all[0.99]
    at = app("pathology", view="calibration", place="XR/moon")
    assert "place = XR/moon" in complaints(at)


def test_the_view_says_what_it_lacks_and_shows_the_scale(app, copied_data) -> None:
    at = app("pathology", view="calibration")
    assert not at.exception
    assert "Expected hits of one modality and anatomy for queries of at least 30 patients" in words(at)
    assert any("within" in frame.value for frame in at.dataframe)
