"""A report shows no text that is known of, says what it hides, and leaves out what it cannot hide."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from radcbir_core.burned_text.text_finding import find_text
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.burned_text.thumbnail_blackout import black_out_thumbnails
from radcbir_core.case_reports.report_content import report_of
from radcbir_core.case_reports.report_markup import html_of
from radcbir_core.case_reports.report_pictures import ReportPictures
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
from radcbir_core.search.retriever import Retriever
from tests.core.burned_text.collections import with_texts
from tests.core.burned_text.stand_in import StandIn, written
from tests.core.images.dicom_files import dicom_bytes


def look(pixels):
    return judged(StandIn()(pixels))


def brightest(picture: bytes) -> int:
    """Of the lower edge, where a line of text would be."""
    with Image.open(io.BytesIO(picture)) as image:
        gray = np.asarray(image.convert("L"))
    return int(gray[round(len(gray) * 0.88) :].max())


@pytest.fixture
def retriever(tmp_path, monkeypatch) -> Retriever:
    """Six images, of which those of the rows 1 and 4 have text; all were looked at."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    build_collection(with_texts(tmp_path / "pictures"), load_encoder("pixels"))
    find_text(open_collection("c"), StandIn())
    return Retriever(open_collection("c"), "pixels", encoder=lambda: load_encoder("pixels"))


def reported(retriever, asked, **options):
    return report_of(retriever.search(asked, k=5), retriever.store, **options)


def test_text_is_black_in_the_query_and_in_each_hit(retriever) -> None:
    report = reported(retriever, 1)
    pictures = [*report.queries, *report.hits]
    assert len(pictures) == 6
    assert all(brightest(one.picture) < 160 for one in pictures)
    assert "Text that was found in 2 pictures is painted black." in report.notes
    assert "painted black" in html_of(report)
    shown = reported(retriever, 1, hides_text=False)
    assert sum(brightest(one.picture) > 220 for one in [*shown.queries, *shown.hits]) == 2
    assert any("burned into 2 pictures, and is shown" in note for note in shown.notes)


def test_what_is_black_in_the_thumbnails_is_not_said_to_be_shown(retriever) -> None:
    black_out_thumbnails(retriever.collection.name)
    pictures = ReportPictures(open_collection(retriever.collection.name), hides=False)
    assert brightest(pictures.of_row(1)) < 160
    assert pictures.notes() == ["Text that was found in 1 picture is painted black."]


def test_of_an_image_from_outside_as_well(retriever) -> None:
    pixels = np.asarray(written(seed=9))
    report = reported(retriever, ImageQuery(pixels), look=look)
    assert brightest(report.queries[0].picture) < 160
    # Where nothing can look, that is said; the picture is shown.
    report = reported(retriever, ImageQuery(pixels))
    assert brightest(report.queries[0].picture) > 220
    assert "Not looked at for text in the pixels: 1 picture." in report.notes
    # Where its header says so and nobody knows where, it is left out.
    report = reported(retriever, ImageQuery(pixels, "ab" * 32), told=["ab" * 32])
    assert report.queries[0].picture is None
    assert "Left out: 1 picture with text in the pixels at places that are not known." in report.notes
    report = reported(retriever, ImageQuery(pixels, "ab" * 32), told=["ab" * 32], hides_text=False)
    assert brightest(report.queries[0].picture) > 220


def test_a_changed_image_is_looked_at_as_it_is_now(retriever) -> None:
    original = np.asarray(written(seed=1))
    turned = np.ascontiguousarray(np.rot90(original, 2))  # the line is at the top now
    for of in (RowQuery((1,)), ImageQuery(original)):
        report = reported(retriever, ChangedQuery(turned, of), look=look)
        with Image.open(io.BytesIO(report.queries[0].picture)) as image:
            assert np.asarray(image.convert("L")).max() < 160
    # What was found in the image before is somewhere else now.
    assert reported(retriever, ChangedQuery(turned, RowQuery((1,)))).queries[0].picture is None
    assert reported(retriever, ChangedQuery(turned, RowQuery((0,)))).queries[0].picture is not None


def test_images_that_nobody_has_looked_at_are_counted_and_those_whose_header_tells_are_left_out(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    (tmp_path / "scans").mkdir()
    for number in range(4):
        said = {"BurnedInAnnotation": "YES"} if number == 2 else {}
        pixels = np.asarray(written(seed=number)).astype(np.uint16)
        (tmp_path / "scans" / f"{number}.dcm").write_bytes(dicom_bytes(pixels, SOPInstanceUID=f"1.2.{number}", **said))
    collection = import_as(ImportRequest([tmp_path / "scans"], "d")).collection
    build_collection(collection, load_encoder("pixels"))
    collection = open_collection("d")
    told = np.flatnonzero(collection.burned_text().told).tolist()
    pictures = ReportPictures(collection)
    made = [pictures.of_row(row) for row in range(4)]
    assert [row for row, picture in enumerate(made) if picture is None] == told
    assert len(told) == 1
    assert pictures.notes() == [
        "Left out: 1 picture with text in the pixels at places that are not known.",
        "Not looked at for text in the pixels: 3 pictures.",
    ]
