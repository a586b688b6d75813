"""Several rows an image: readers, boxes, lines of a long table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.preview import preview
from radcbir_core.importers.rows.sources import Row
from radcbir_core.importers.rows.uniting import UNITED_COLUMNS, ImageRows, Meetings, reader_column, unite

CASE = Path(__file__).parents[5] / "shared" / "cases" / "06_long_format_rows" / "t.csv"
MAPPING = {"path": "file", "pathologies": "class_name"}


@pytest.fixture
def folder(tmp_path, picture):
    for seed in range(4):
        picture(tmp_path / "s" / f"{seed}.png", seed=seed)
    return tmp_path / "s"


def cells_of(collection, names=("path", "pathologies", *UNITED_COLUMNS)) -> list[tuple]:
    return list(collection.manifest.frame[list(names)].itertuples(index=False, name=None))


def test_the_case_of_two_readers() -> None:
    if not CASE.is_file():
        pytest.skip("the small inputs that went wrong are not beside the repository")
    report = import_as(ImportRequest([CASE], "c", mapping=MAPPING, modality="XR", anatomy="chest"))
    both = ["Cardiomegaly", "Pleural effusion"]
    assert cells_of(report.collection) == [
        ("0.png", both, "2", "2", "1", "Cardiomegaly 1/2|Pleural effusion 1/2"),
        ("1.png", ["normal"], "1", "1", "1", "normal 1/1"),
        ("2.png", ["Mass"], "1", "1", "1", "Mass 1/1"),
    ]
    assert report.problems == 0


LONG = ["image_id", "class_name", "rad_id", "x_min", "note"]
BOXES = [
    ["0.png", "Mass", "R1", "12", "x"],
    ["1.png", "No finding", "R1", "", "x"],
    ["0.png", "mass", "R2", "40", "x"],
    ["0.png", "Edema", "R1", "", "x"],
    ["1.png", "No finding", "R2", "", "x"],
    ["0.png", "No finding", "R3", "", "x"],
    ["1.png", "Mass", "R3", "7", "x"],
]


@pytest.mark.parametrize("form", ["csv", "parquet", "manifest"])
def test_boxes_and_readers_in_every_kind_of_table(folder, table, form) -> None:
    if form == "parquet":
        path = folder / "t.parquet"
        pq.write_table(pa.table(dict(zip(LONG, zip(*BOXES, strict=True), strict=True))), path)
    else:
        header = ["path", "pathology", *LONG[2:]] if form == "manifest" else LONG
        path = table(folder / "t.csv", header, BOXES)
    mapping = {} if form == "manifest" else {"path": "image_id", "pathologies": "class_name"}
    report = import_as(ImportRequest([path], "c", mapping=mapping))
    names = ("path", "pathologies", *UNITED_COLUMNS, "x_min", "note", "rad_id")
    assert cells_of(report.collection, names) == [
        ("0.png", ["Mass", "Edema"], "4", "3", "1", "Mass 2/3|Edema 1/3|normal 1/3", "12|40||", "x", "R1|R2|R1|R3"),
        ("1.png", ["Mass"], "3", "3", "1", "normal 2/3|Mass 1/3", "7", "x", "R1|R2|R3"),
    ]
    assert report.problems == 0
    assert report.notes[-2:] == [
        "Images with several rows: 2, in 7 rows. The findings of all rows are united; how far readers agree stands in "
        "readers, readers_agreeing and reader_agreement.",
        "Normal by one row and with a finding by another, which counts: 2 of these images.",
    ]


def test_rows_without_readers_are_united_and_nobody_is_said_to_agree(folder, table) -> None:
    path = table(folder / "t.csv", ["file", "dx"], [["0.png", "a"], ["1.png", "b"], ["0.png", ""], ["0.png", "c|a"]])
    report = import_as(ImportRequest([path], "c", mapping={"path": "file", "pathologies": "dx"}))
    assert cells_of(report.collection) == [("0.png", ["a", "c"], "3", "", "", ""), ("1.png", ["b"], "", "", "", "")]


@pytest.mark.parametrize("column", ["patient_id", "study_id", "split", "modality", "anatomy", "dataset"])
def test_what_can_only_be_one_must_not_differ(folder, table, column) -> None:
    one, other = {"split": ("train", "test"), "modality": ("CT", "MR")}.get(column, ("one", "other"))
    rows = [["0.png", one], ["1.png", one], ["0.png", ""], ["1.png", other], ["2.png", ""], ["2.png", other]]
    rows = [[f"id-{path}", path, cell] for path, cell in rows] + [["id-3.png", "3.png", one]]
    report = import_as(ImportRequest([table(folder / "manifest.csv", ["image_id", "path", column], rows)], "c"))
    frame = report.collection.manifest.frame
    expected = {"0.png": one, "2.png": other, "3.png": one}
    if column == "dataset":  # a row without one is of the folder's own data set
        expected = {"3.png": one}
    assert dict(zip(frame["path"], frame[column], strict=True)) == expected
    problems = report.collection.problems()
    assert problems["reason"].str.contains(f"{column} of its rows on lines 3 and 5 differs. Left out").any()
    assert report.images + len(set(problems["path"])) == 4
    assert not problems["reason"].str.contains("id-1|one'|other'").any(), "no patient is named"


def test_rows_of_a_file_that_cannot_be_used_share_its_reason(folder, table) -> None:
    path = table(folder / "t.csv", ["file", "dx"], [["gone.png", "a"], ["0.png", "b"], ["gone.png", "c"]])
    request = ImportRequest([path], "c", mapping={"path": "file", "pathologies": "dx"})
    problems = import_as(request).collection.problems()
    assert problems["line"].tolist() == ["2", "4"]
    assert set(problems["reason"]) == {"Expected an image file, but there is none at this path."}
    looked = preview(request)
    assert (looked.read, looked.problem_count, looked.counts["pathology"]) == (3, 2, {"b": 1})


def test_another_file_of_the_same_id_takes_the_place_of_one_that_is_gone(folder, table) -> None:
    rows = [["a", "gone.png", "x"], ["a", "gone.png", "y"], ["a", "0.png", "z"], ["a", "1.png", "w"]]
    report = import_as(ImportRequest([table(folder / "manifest.csv", ["image_id", "path", "pathology"], rows)], "c"))
    assert cells_of(report.collection, ("path", "pathologies")) == [("0.png", ["z"])]
    assert report.problems == 3
    assert "stands on an earlier line too, for another file" in report.collection.problems()["reason"].iloc[-1]


def test_a_dry_run_counts_images_as_the_import_does(folder, table) -> None:
    path = table(folder / "t.csv", LONG, BOXES)
    looked = preview(ImportRequest([path], "c", mapping={"path": "image_id", "pathologies": "class_name"}))
    assert looked.counts["pathology"] == {"Mass": 2, "Edema": 1}
    assert (len(looked.table), looked.problem_count) == (2, 0)
    assert looked.table["pathologies"].tolist() == [["Mass", "Edema"], ["Mass"]]
    assert any("Images with several rows: 2, in 7 rows" in note for note in looked.notes)


def test_adding_the_same_table_again_doubles_nothing(folder, table) -> None:
    path = table(folder / "t.csv", LONG, BOXES)
    mapping = {"path": "image_id", "pathologies": "class_name"}
    before = import_as(ImportRequest([path], "c", mapping=mapping)).collection.digest
    again = import_as(ImportRequest([path], "c", mapping=mapping, add=True))
    assert again.collection.digest == before
    assert "Nothing is new: the collection has been left as it was." in again.notes


def test_frames_of_one_file_are_images_of_their_own() -> None:
    met = Meetings()
    cells = {"image_id": "a", "path": "a.dcm"}
    assert [met.is_further(Row(line, {}, frame=frame), cells) for line, frame in ((2, 0), (3, 1), (4, 0))] == [
        False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["rad_id", "Reader", "Annotator ID", "radiologist", "labeler-id"])
def test_columns_that_say_who_has_read(name) -> None:
    assert reader_column(["file", name]) == name


@given(st.lists(st.tuples(st.sampled_from(["R1", "R2", "R3", ""]), st.sampled_from(["a", "b", "normal"])), min_size=2))
def test_agreement_counts_readers_and_not_rows(read) -> None:
    rows = [{"pathologies": [word], "rad": reader} for reader, word in read]
    image = ImageRows(2, [(Row(line, {}), cells) for line, cells in enumerate(rows[1:], start=3)])
    cells = unite(rows[0], image, reader="rad").cells
    words = set(dict.fromkeys(word for _, word in read))
    assert set(cells["pathologies"]) == (words - {"normal"} or words)
    readers = {reader for reader, _ in read} - {""}
    if readers:
        votes = Counter(word for reader, word in set(read) if reader)
        expected = {f"{word} {votes[word]}/{len(readers)}" for word in words}
        assert set(str(cells["reader_agreement"]).split("|")) == expected
