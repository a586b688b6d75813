"""What a case report says, and what it must not say."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from radcbir_core.case_reports.report_content import SHOWN_OF_IMAGES, TOLD, report_of
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.manifests.manifest import GROUP_COLUMNS, TEXT_COLUMNS
from radcbir_core.evaluation.similarity_readings import Conditions, read_answer
from radcbir_core.images.perturbations import Step, perturbed
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.retriever import Retriever

LINK = "http://localhost/retrieval?image=x"


@pytest.fixture
def retriever(small_data, monkeypatch) -> Retriever:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return Retriever(open_collection("small"), "pixels")


def reported(retriever: Retriever, asked, **options):
    answer = retriever.search(asked, k=5, where=options.get("where"), exclude=options.get("exclude", ()))
    return report_of(answer, retriever.store, link=lambda _: LINK, address={"k": ["5"]}, **options)


def everything(report) -> str:
    """All text of it, but the link."""
    record = dataclasses.asdict(dataclasses.replace(report, link=""))
    return json.dumps(record, default=lambda value: "" if isinstance(value, bytes) else str(value))


def test_it_says_what_was_found_and_names_nobody(retriever) -> None:
    collection = retriever.collection
    report = reported(retriever, 30, exclude=["patient"], k=7)
    answer = retriever.search(30, k=5, exclude=["patient"])
    assert [hit.number for hit in report.hits] == [f"{value:.3f}" for value in answer.similarities()]
    assert [hit.picture for hit in report.hits] == [collection.thumbnail(int(row)) for row in answer.rows()]
    table = answer.table()
    assert [hit.facts["anatomy"] for hit in report.hits] == table["anatomy"].tolist()
    assert [hit.facts["pathologies"] for hit in report.hits] == [", ".join(one) for one in table["pathologies"]]
    assert report.how["Hits"] == "5 of 7 asked for"
    assert report.how["Left out of the query's"] == "patient"
    assert report.link == LINK
    said = everything(report)
    names = {"image_id", "path", "sha256", "caption", *GROUP_COLUMNS.values()} - {"dataset"}
    for name in names & set(collection.manifest.column_names):
        values = {str(value) for value in collection.manifest.column(name)[[30, *answer.rows()]] if len(str(value)) > 2}
        assert values or name in {"study_id", "series_id", "caption", "duplicate_group"}
        assert not [value for value in values if value in said], name


def test_of_the_manifest_s_columns_only_those_that_name_nobody_are_told() -> None:
    """Whoever adds a column to the manifest decides what a report does with it."""
    withheld = {"image_id", "path", "sha256", "caption", "patient_id", "study_id", "series_id"}
    assert set(TEXT_COLUMNS) | {"pathologies"} == TOLD | (withheld & set(TEXT_COLUMNS))
    assert set(SHOWN_OF_IMAGES) <= TOLD


def test_what_is_the_same_is_that_of_the_labels(retriever) -> None:
    manifest = retriever.collection.manifest
    report = reported(retriever, 30)
    rows = retriever.search(30, k=5).rows()
    mine = manifest.record(30)
    for hit, row in zip(report.hits, rows.tolist(), strict=True):
        line = manifest.record(row)
        place = (line["modality"], line["anatomy"]) == (mine["modality"], mine["anatomy"])
        assert hit.same["anatomy"] == ("same" if place else "other")
        shared = set(line["pathologies"]) & set(mine["pathologies"])
        assert (hit.same["pathology"] in {"same", "in part"}) == bool(shared)


def test_conditions_that_name_a_patient_are_withheld_and_so_is_the_link(retriever) -> None:
    patient = str(retriever.collection.manifest.column("patient_id")[30])
    report = reported(retriever, 30, where={"patient_id": [patient], "modality": ["XR", "CT", "MR"]})
    assert patient not in everything(report)
    assert "patient_id = (value withheld" in report.how["Only images with"]
    assert "modality = XR or CT or MR" in report.how["Only images with"]
    assert report.link == ""
    assert "patient_id" in report.no_link


def test_a_source_s_own_columns_may_name_somebody_too(retriever) -> None:
    """Import keeps further columns as they are: a number of the ward, a name, a date of birth."""
    manifest = retriever.collection.manifest
    own = next(name for name in manifest.filterable() if name not in TEXT_COLUMNS and name != "pathologies")
    value = str(manifest.column(own)[30])
    report = reported(retriever, 30, where={own: [value]})
    assert report.how["Only images with"] == f"{own} = (value withheld: it may name a patient)"
    assert report.link == ""
    assert own in report.no_link


def test_all_parts_of_a_composed_query_are_said_those_of_its_parts_too(retriever) -> None:
    """A region beside the whole image is composed already, and can have something added to it."""
    pixels = retriever.collection.read_image(3).pixels
    region = region_query(Box.of("0,0,500,500"), pixels, RowQuery((3,)), whole=0.5)
    report = reported(retriever, ComposedQuery((Part(region), Part(RowQuery((9,)), -0.5))))
    assert [image.about for image in report.queries] == [
        "a part of it, or changed, as it was asked, weight +1.00 of weight +1.00",
        "weight +0.50 of weight +1.00",
        "weight −0.50",
    ]
    assert all(image.picture for image in report.queries)


def test_which_region_and_which_changes_is_said_of_uploads_too(retriever) -> None:
    """An upload has no link that would say it."""
    outside = ImageQuery(np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8))
    answer = retriever.search(ChangedQuery(outside.pixels, outside), k=2)
    address = {"perturb": ["rotate:5", "nonsense", "rotate:10", "flip"], "region": ["0,0,500,1000"]}
    how = report_of(answer, retriever.store, address=address).how
    assert how["Changes of the query image"] == "Rotated, 10°, then Flipped left to right"
    assert how["Region of the query image"].startswith("50 % × 100 % of the image")
    unchanged = report_of(retriever.search(outside, k=2), retriever.store, address=address).how
    assert not {"Changes of the query image", "Region of the query image"} & set(unchanged)


def test_that_a_sentence_was_asked_in_several_phrasings_is_said(retriever) -> None:
    reading, answer = read_sentence("CXR, no PTX", Lexicon()), retriever.search(3)
    for several in (True, False):
        query = dataclasses.replace(answer.query, query=SentenceQuery(reading, several=several))
        (said,) = report_of(dataclasses.replace(answer, query=query), retriever.store).sentences
        assert said.startswith("“CXR, no PTX”, read as: chest radiograph, without pneumothorax")
        assert ("in several phrasings" in said) == several


def test_images_from_outside_have_no_link(retriever) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    changed = ChangedQuery(perturbed(retriever.collection.read_image(3).pixels, [Step.of("invert")]), RowQuery((3,)))
    outside = ImageQuery(pixels)
    for query, number, linked in (
        (outside, 1, False),
        (ChangedQuery(pixels, outside), 1, False),
        (changed, 1, True),
        (ComposedQuery((Part(RowQuery((3,))), Part(RowQuery((9,)), -0.5))), 2, True),
        (ComposedQuery((Part(RowQuery((3,))), Part(outside, 0.5))), 2, False),
    ):
        report = reported(retriever, query)
        assert len(report.queries) == number
        assert all(image.picture for image in report.queries)
        assert bool(report.link) == linked
        assert bool(report.no_link) != linked
    assert (
        "weight −0.50"
        in reported(retriever, ComposedQuery((Part(RowQuery((3,))), Part(RowQuery((9,)), -0.5)))).queries[1].about
    )


def test_what_it_depends_on_tells_one_ranking_from_another(retriever) -> None:
    made = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    one, other = (reported(retriever, 30, made=made) for _ in range(2))
    assert one == other
    assert one.depends_on["Images of the collection (SHA-256)"] == retriever.collection.digests.images
    digests = [value for name, value in one.depends_on.items() if "SHA-256" in name]
    assert len(digests) == 3
    assert all(len(digest) == 64 for digest in digests)
    assert retriever.store.record["fingerprint"] == one.depends_on["Encoder's fingerprint"]


def test_readings_stand_beside_the_hits(retriever) -> None:
    answer = retriever.search(30, k=5, exclude=["patient"])
    readings = read_answer(answer, retriever, Conditions(exclude=["patient"]))
    report = report_of(answer, retriever.store, readings=readings)
    assert [hit.readings for hit in report.hits] == readings.said()
    assert set(readings.notes) <= set(report.notes)
