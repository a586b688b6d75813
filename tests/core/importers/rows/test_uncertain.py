"""Findings that a table is not sure of, in tables of every kind, and columns of 0 and 1."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.preview import preview
from radcbir_core.importers.rows.uncertain import POLICIES, policy_named, policy_note

CASES = Path(__file__).parents[5] / "shared" / "cases"


@pytest.fixture
def folder(tmp_path, picture):
    for seed in range(5):
        picture(tmp_path / "s" / f"{seed}.png", seed=seed)
    return tmp_path / "s"


def test_policies_by_name() -> None:
    assert [policy_named(word) for word in ("", *POLICIES)] == ["not-positive", *POLICIES]
    with pytest.raises(
        ManifestError, match=r"of not-positive, positive, own-label, but uncertain = 'maybe'\. Choose one"
    ):
        policy_named("maybe")


def test_a_note_names_its_policy() -> None:
    assert [policy_note(policy).split(". ")[0].split(" (uncertain")[0] for policy in POLICIES] == [
        "Uncertain observations (-1) became no label",
        "Uncertain observations (-1) became a positive one",
        "Uncertain observations (-1) became labels of their own",
    ]
    assert all(f"(uncertain = {policy})" in policy_note(policy) for policy in POLICIES)


BY_POLICY = {
    "": [["Edema"], [], ["Mass"], ["Edema", "Mass"]],
    "positive": [["Edema", "Mass"], [], ["Edema", "Mass"], ["Edema", "Mass"]],
    "own-label": [["Edema", "uncertain Mass"], [], ["uncertain Edema", "Mass"], ["Edema", "Mass"]],
}
CELLS = [["1.0", "-1.0"], ["", "0.0"], ["-1", "1"], ["1", "1"]]


@pytest.mark.parametrize("policy", BY_POLICY)
@pytest.mark.parametrize("form", ["csv", "U", "parquet"])
def test_uncertain_findings_of_ones_own_table(folder, table, column, form, policy) -> None:
    files = [f"{number}.png" for number in range(4)]
    if form == "parquet":
        path = folder / "t.parquet"
        columns = [pa.array([float(row[n]) if row[n] else None for row in CELLS]) for n in range(2)]
        pq.write_table(pa.table({"file": files, "Edema": columns[0], "Mass": columns[1]}), path)
    else:
        rows = [[name, *(("U" if cell[:2] == "-1" and form == "U" else cell) for cell in cells)] for name, cells in
                zip(files, CELLS, strict=True)]  # fmt: skip
        path = table(folder / "t.csv", ["file", "Edema", "Mass"], rows)
    request = ImportRequest([path], "c", mapping={"path": "file", "pathologies": "Edema,Mass"}, uncertain=policy)
    report = import_as(request)
    assert column(report.collection, "pathologies") == BY_POLICY[policy]
    assert report.problems == 0
    assert report.notes == [policy_note(policy_named(policy))]
    assert preview(request).notes == tuple(report.notes)
    raw = column(report.collection, "mass")
    assert raw[0] in {"-1", "-1.0", "U"}, "the column keeps what the table says"


def test_the_cases(column) -> None:
    if not CASES.is_dir():
        pytest.skip("the small inputs that went wrong are not beside the repository")
    mapping = {"path": "file", "pathologies": "Edema,Mass"}
    for policy, expected in BY_POLICY.items():
        path = CASES / "11_uncertain_in_own_tables" / "t.csv"
        request = ImportRequest([path], f"c{policy}", mapping=mapping, uncertain=policy)
        assert column(import_as(request).collection, "pathologies") == expected
    path = CASES / "07_single_01_column" / "t.csv"
    report = import_as(ImportRequest([path], "d", mapping={"path": "file", "pathologies": "Pneumonia"}))
    assert column(report.collection, "pathologies") == [["Pneumonia"], []]
    assert report.notes == [
        "The column Pneumonia of t.csv holds marks: 1, true, yes: the finding Pneumonia; 0, false, no: none."
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "0", "", "1.0"], [["Dx"], [], [], ["Dx"]]),
        (["yes", "No", "n/a", "TRUE"], [["Dx"], [], [], ["Dx"]]),
        (["positive", "negative", "-1", "U"], [["Dx"], [], [], []]),
        (["0", "1", "2", "1"], [["0"], ["1"], ["2"], ["1"]]),
        (["mass", "1", "0", ""], [["mass"], ["1"], ["0"], []]),
        (["", "", "", ""], [[], [], [], []]),
    ],
)
def test_a_single_column_is_one_hot_where_all_of_it_says_yes_or_no(folder, table, column, cells, expected) -> None:
    path = table(folder / "t.csv", ["file", "Dx"], [[f"{n}.png", cell] for n, cell in enumerate(cells)])
    report = import_as(ImportRequest([path], "c", mapping={"path": "file", "pathologies": "Dx"}))
    assert column(report.collection, "pathologies") == expected


def test_a_single_column_of_numbers_or_truth_values_in_parquet(folder, column) -> None:
    for name, values in (("ints", [1, 0, None]), ("bools", [True, False, None])):
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table({"path": ["0.png", "1.png", "2.png"], "Dx": values}), path)
        collection = import_as(ImportRequest([path], name, mapping={"pathologies": "Dx"})).collection
        assert column(collection, "pathologies") == [["Dx"], [], []]


def test_a_manifest_whose_labels_are_only_0_and_1_says_so(folder, table) -> None:
    path = table(folder / "manifest.csv", ["path", "pathology"], [["0.png", "1"], ["1.png", "0"]])
    assert any("All labels are 0 or 1" in note for note in import_as(ImportRequest([path], "c")).notes)
