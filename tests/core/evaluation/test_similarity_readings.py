"""What similarities are read as: percentiles and chances by plain interpolation, and nothing where they do not hold."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.evaluation.reports import calibration, scale
from radcbir_core.evaluation.reports.calibration import Calibration, curves_of
from radcbir_core.evaluation.reports.scale import Scale
from radcbir_core.evaluation.similarity_readings import (
    Conditions,
    chance_said,
    kept_or_made,
    percent_said,
    read_answer,
    read_hits,
)
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery, VectorQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import kept_embeddings
from tests.small_images import draw

OWN = ["near-duplicate", "patient"]
PATIENT = Conditions(exclude=OWN)


@pytest.fixture
def retriever(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(calibration, "FEWEST_PATIENTS", 8)
    monkeypatch.setattr(scale, "FEWEST_ASKED", 20)
    monkeypatch.setattr(scale, "FEWEST_PAIRS", 100)
    collection = open_collection("small")
    shutil.rmtree(collection.store("pixels").evaluation_folder)  # what the build has kept goes by other limits
    return Retriever(collection, "pixels", encoder=lambda: load_encoder("pixels"))


def test_each_hit_has_its_percentile_and_its_chance(retriever) -> None:
    answer = retriever.search(21, k=8, exclude=OWN)
    read = read_answer(answer, retriever, PATIENT)
    evaluated = Scale().run(retriever.store)
    table = evaluated.table[evaluated.table["place"] == ""]
    curves = curves_of(Calibration().run(retriever.store))
    lines = read.table()
    assert lines["image_id"].tolist() == answer.table()["image_id"].tolist()
    for line in lines.to_dict("records"):
        below = np.interp(line["similarity"], table["similarity"], table["quantile"])
        assert line["percentile"] == pytest.approx(below)
        curve = curves.get(f"{line['modality']}/{line['anatomy']}")
        if not len(line["pathologies"]):
            assert math.isnan(line["chance"])
        else:
            assert line["chance"] == pytest.approx(np.interp(line["similarity"], curve.points, curve.shares))
    assert read.far is None  # it is an image of the collection
    assert "share it: of hits this similar" in " ".join(read.notes)
    assert len(read.said()) == len(answer)
    assert "closer than" in read.said()[0]
    assert "<table" in read._repr_html_()


def test_where_they_were_not_measured_no_chances_are_said(retriever) -> None:
    def note(answer, conditions):
        read = read_answer(answer, retriever, conditions)
        assert np.isnan(read.chances).all()
        return next(note for note in read.notes if note.startswith("No chances are said"))

    assert "the query's near-duplicate and patient are not left out" in note(retriever.search(21), Conditions())
    part = retriever.search(21, where={"modality": ["CT"]}, exclude=OWN)
    assert "only a part of the collection" in note(part, Conditions(filtered=True, exclude=OWN))
    assert "only a part" in note(retriever.search(21, within_anatomy=True, exclude=OWN), PATIENT)
    assert "another order" in note(retriever.search(21, order="csls", exclude=OWN), PATIENT)
    one_each = note(retriever.search(21, exclude=OWN), Conditions(exclude=OWN, one_each=True))
    assert "one hit alone is shown" in one_each
    assert "only a part" not in one_each
    vectors = VectorQuery(kept_embeddings(retriever.store)[21].astype(np.float32))
    assert "the query is no image as it is" in note(retriever.search(vectors), PATIENT)


def test_too_few_patients_are_the_reason_that_is_said(retriever, monkeypatch) -> None:
    monkeypatch.setattr(calibration, "FEWEST_PATIENTS", 1000)
    read = read_answer(retriever.search(21, exclude=OWN), retriever, PATIENT)
    assert any(note.startswith("No chances are said. Expected hits of one modality") for note in read.notes)
    assert not np.isnan(read.percentiles).any()


def test_noise_is_far_and_a_further_image_of_the_kind_is_not(retriever) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    for query, far in (
        (ImageQuery(np.asarray(draw(0, 99))), False),
        (ImageQuery(noise), True),
        (ChangedQuery(noise, RowQuery((0,))), True),
    ):
        answer = retriever.search(query, k=3)
        read = read_answer(answer, retriever, PATIENT)
        assert read.far is far
        # Chances were measured of images that have hits near them.
        assert bool(np.isnan(read.chances).all()) is far
        said = any("and nothing in it is close to this one." in note for note in read.notes)
        assert said is (far and isinstance(query, ImageQuery))
        # It is asked of the whole collection, whatever the answer was found among.
        part = retriever.search(query, k=1, where={"modality": ["MR"]})
        assert read_answer(part, retriever, Conditions(filtered=True)).far is far


def test_of_a_region_it_is_not_said_that_nothing_is_close(retriever) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    region = region_query(Box(0, 0, 900, 900), noise, RowQuery((0,)))
    assert isinstance(region, ChangedQuery)
    assert read_answer(retriever.search(region, k=3), retriever, PATIENT).far is None


def test_an_image_from_outside_has_chances_without_a_patient_to_leave_out(retriever) -> None:
    query = ImageQuery(np.asarray(draw(0, 99)))
    read = read_answer(retriever.search(query), retriever, Conditions())
    assert not np.isnan(read.chances).all()
    sha256 = retriever.collection.manifest.frame["sha256"][0]
    known = ImageQuery(np.asarray(draw(0, 0)), sha256)
    read = read_answer(retriever.search(known), retriever, Conditions())
    assert np.isnan(read.chances).all()


def test_what_is_not_there_yet_is_not_said(retriever) -> None:
    answer = retriever.search(21, exclude=OWN)
    read = read_answer(answer, retriever, PATIENT, given=lambda *_: "")
    assert read.notes == ()
    assert read.said() == [""] * len(answer)


def test_what_is_not_kept_is_made_or_refused_in_words(retriever, monkeypatch) -> None:
    made = kept_or_made(retriever.store, Scale())
    assert made.table.equals(Scale().kept(retriever.store).table)
    monkeypatch.setattr(calibration, "FEWEST_PATIENTS", 1000)
    assert kept_or_made(retriever.store, Calibration(sample=7)).startswith("Expected hits of one modality")


def test_in_one_call_what_a_collection_asks_for_is_left_out(retriever) -> None:
    read = read_hits(retriever, 21, k=4)
    assert read.table()["image_id"].tolist() == retriever.search(21, k=4, exclude=OWN).table()["image_id"].tolist()
    assert not np.isnan(read.chances).all()
    part = read_hits(retriever, 21, k=4, where={"modality": ["CT"]})
    assert np.isnan(part.chances).all()
    vectors = VectorQuery(kept_embeddings(retriever.store)[21].astype(np.float32))
    assert len(read_hits(retriever, vectors, k=4).percentiles) == 4


def test_words_never_say_more_than_is_known() -> None:
    assert percent_said(0.9949) == "closer than 99.4 %"
    assert percent_said(0.0) == "closer than 0 %"
    assert percent_said(1.0) == "closer than 99.99 %"
    assert chance_said(0.005) == "0 % share it"
    assert chance_said(math.nan) == percent_said(math.nan) == ""
