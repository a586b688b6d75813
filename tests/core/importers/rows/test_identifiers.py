"""Patients, studies and series: which column says who it is, and when two spellings are one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import history_of, write_correction
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.preview import preview
from radcbir_core.importers.relabeling import correct_labels
from radcbir_core.importers.rows.identifiers import Spellings, alike_images, recognized_columns, spelled_as_known
from radcbir_core.importers.rows.mapping import parse_mapping

CASES = Path(__file__).parents[5] / "shared" / "cases" / "08_patient_column_names_and_ids"


@pytest.fixture
def folder(tmp_path, picture):
    for seed in range(6):
        picture(tmp_path / "s" / f"{seed}.png", seed=seed)
    return tmp_path / "s"


@pytest.mark.parametrize(
    "name", ["PatientID", "patient id", "Patient-ID", "subject_id", "SubjectID", "Subject", "patient", "participant_id"]
)
def test_columns_that_name_the_patient(folder, table, column, name) -> None:
    path = table(folder / "manifest.csv", ["path", name], [["0.png", "p1"], ["1.png", "p1"]])
    report = import_as(ImportRequest([path], "c"))
    assert column(report.collection, "patient_id") == ["p1", "p1"]
    assert column(report.collection, name.lower()) == ["p1", "p1"], "the column stays too"
    told = f"Taken from columns of manifest.csv with other names: patient_id from {name.lower()}."
    assert told in report.notes
    looked = preview(ImportRequest([path], "d"))
    assert (looked.patients, looked.with_patient) == (1, 2)
    assert told in looked.notes


def test_the_cases(column) -> None:
    if not CASES.is_dir():
        pytest.skip("the small inputs that went wrong are not beside the repository")
    for name, expected in (("a", ["p1", "p1"]), ("b", ["12", "12"])):
        assert column(import_as(ImportRequest([CASES / f"{name}.csv"], name)).collection, "patient_id") == expected


def test_a_column_of_the_manifests_own_name_goes_first_and_a_mapping_before_all(folder, table, column) -> None:
    assert recognized_columns(["patient_id", "PatientID", "Subject"]) == {}
    assert recognized_columns(["Subject", "PatientID", "Study UID", "Accession Number"]) == {
        "patient_id": "PatientID",
        "study_id": "Study UID",
    }
    path = table(folder / "t.csv", ["file", "PatientID", "who"], [["0.png", "p1", "w"]])
    for words, expected in (([], "p1"), (["patient_id=who"], "w"), (["patient_id="], "")):
        mapping = parse_mapping(["path=file", *words])
        collection = import_as(ImportRequest([path], f"c{len(expected)}", mapping=mapping)).collection
        assert column(collection, "patient_id") == [expected]


WRITTEN = ["12", "12.0", "1.2E+01", "007", "7", "12.00"]


@pytest.mark.parametrize("form", ["manifest", "csv", "parquet", "floats", "decimals"])
def test_one_rule_for_every_source(folder, table, column, form) -> None:
    files = [f"{number}.png" for number in range(6)]
    mapping = {} if form == "manifest" else {"path": "file", "patient_id": "who"}
    expected = ["12", "12", "12", "007", "7", "12"]
    if form in {"manifest", "csv"}:
        header = ["path", "patient_id"] if form == "manifest" else ["file", "who"]
        path = table(folder / "t.csv", header, list(zip(files, WRITTEN, strict=True)))
    else:
        who = pa.array(WRITTEN)
        if form != "parquet":
            who, expected = pa.array([float(word) for word in WRITTEN]), ["12", "12", "12", "7", "7", "12"]
        who = who.cast(pa.decimal128(12, 2)) if form == "decimals" else who
        path = folder / "t.parquet"
        pq.write_table(pa.table({"file": files, "who": who}), path)
    report = import_as(ImportRequest([path], "c", mapping=mapping))
    assert column(report.collection, "patient_id") == expected
    said = " ".join(report.notes)
    if form not in {"floats", "decimals"}:
        assert "patient_id: 3 rows have a number written as 12.0 or 1.2E+01, which counts as 12" in said
        assert "of these identifiers, 1 was written in several ways, which are one now" in said
        assert "leading zeros, case or punctuation only, 1 time, first those of s/3.png and s/4.png" in said
    assert not any(change["column"] == "patient_id" for change in report.changes), "no patient stands in the record"


def test_numbers_that_a_spreadsheet_has_shortened_are_said() -> None:
    spellings = Spellings()
    spellings.note("patient_id", "1.23457E+11", "123457000000")
    spellings.note("patient_id", "1.2E+01", "12")
    assert "patient_id: 1 long number shortened by a spreadsheet" in spellings.notes("patient_id", {})[1]


def test_adding_to_a_collection_of_the_rule_before_keeps_its_spelling(folder, table, column) -> None:
    header = ["path", "image_id", "patient_id"]
    rows = [["0.png", "a", "12.0"], ["1.png", "b", "7"], ["2.png", "c", "12.0"]]
    path = table(folder / "manifest.csv", header, rows[:2])
    import_as(ImportRequest([path], "c"))
    before = open_collection("c")
    old = before.manifest.table.set_column(
        before.manifest.column_names.index("patient_id"), "patient_id", pa.chunked_array([["12.0", "7"]])
    )
    _write(before, old)
    table(folder / "manifest.csv", header, rows)
    report = import_as(ImportRequest([path], "c", add=True))
    assert column(report.collection, "image_id") == ["a", "b", "c"]
    assert column(report.collection, "patient_id") == ["12.0", "7", "12.0"], "one patient, as it was spelled"
    assert "Otherwise" not in " ".join(report.notes)
    exported = table(folder / "fix.csv", ["image_id", "patient_id", "anatomy"], [["a", "12.0", "chest"]])
    assert correct_labels("c", exported, dry_run=True).columns == {"anatomy": 1}


def _write(collection: Collection, table: pa.Table) -> None:
    cells = {"image_id": ["a"], "column": ["patient_id"], "from": ["12"], "to": ["12.0"]}
    write_correction(collection, table, history_of(cells, source="before"))


def test_two_spellings_in_a_collection_are_not_chosen_between() -> None:
    known = pa.chunked_array([["12.0", "1.2E+01", "8.0", "8", ""]])
    assert spelled_as_known(pa.chunked_array([["12", "8", ""]]), known).to_pylist() == ["12", "8", ""]


def test_what_several_sources_wrote_is_one_note() -> None:
    both, other = Spellings(), Spellings()
    both.note("patient_id", "12", "12")
    other.note("patient_id", "12.0", "12", rows=3)
    both.add(other)
    (note,) = both.notes("patient_id", {"12": "0.png"})
    assert note.startswith("patient_id: 3 rows have a number written as 12.0")
    assert note.endswith("1 was written in several ways, which are one now.")


IDENTIFIER = st.text(alphabet="aAé0127_-. |²", max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(IDENTIFIER, max_size=12))
def test_the_identifiers_that_are_alike_are_those_that_all_of_them_tell_of(identifiers) -> None:
    """Of the few that are alike the same is said as of all."""
    every: dict[str, str] = {}
    for number, identifier in enumerate(identifiers):
        if identifier:
            every.setdefault(identifier, str(number))
    table = pa.table({"image_id": [str(n) for n in range(len(identifiers))], "p": pa.array(identifiers, pa.string())})
    alike = alike_images(table, "p")
    assert alike.items() <= every.items()
    assert Spellings().notes("p", alike) == Spellings().notes("p", every)
