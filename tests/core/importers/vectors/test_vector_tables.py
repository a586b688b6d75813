"""Tables that say what vectors are of: which form is taken for which, and what a table as for images gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.identifiers import recognized_columns
from radcbir_core.importers.rows.normalizing import Changes, normalize_row
from radcbir_core.importers.rows.sources import CsvTable
from radcbir_core.importers.vectors.vector_tables import read_vector_table


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def test_a_table_as_for_images(tmp_path) -> None:
    path = written(
        tmp_path / "site", "Path;Modality;Pathologies;Age\n1.png;X-ray;mass|edema;40\ntoo;few\n2.png;CT;unknown;\n"
    )
    told: list[tuple[str, int, int]] = []
    rows = read_vector_table(path, progress=lambda *now: told.append(now))
    assert rows.table.select(["image_id", "path", "modality", "pathologies", "age"]).to_pylist() == [
        {"image_id": "site/1.png", "path": "1.png", "modality": "XR", "pathologies": ["mass", "edema"], "age": "40"},
        {"image_id": "site/2.png", "path": "2.png", "modality": "CT", "pathologies": [], "age": ""},
    ]
    assert (rows.lines.tolist(), rows.positions.tolist(), rows.total) == ([2, 4], [0, 2], 3)
    assert rows.problems[["line", "reason"]].values.tolist() == [["3", "Expected 4 cells, but the line has 2."]]
    assert rows.changes == Counter({("modality", "X-ray", "XR"): 1})
    assert (told[0][:2], told[-1]) == (("table", 0), ("table", 2, 2)), "progress from the first moment"


def row_by_row(path: Path) -> tuple[list[dict[str, Any]], list[int], list[tuple[int, str]], list[dict[str, Any]]]:
    """The rows of a table, their places, what cannot be used, and what was changed, one row at a time."""
    table, changes = CsvTable(path, lower=True), Changes()
    usable, places, bad = [], [], []
    for place, row in enumerate(table.rows()):
        if row.reason:
            bad.append((row.line, row.reason))
            continue
        cells = row.cells | {name: row.cells[old] for name, old in recognized_columns(table.columns).items()}
        usable.append(normalize_row(cells, dataset=path.parent.name, changes=changes))
        places.append((row.line, place))
    return usable, places, bad, changes.rows()


CELL = st.sampled_from(
    ["", "a", "X-ray", " CT", '"b, c"', '"d\ne"', "12.0", "12", "unknown", "é", "mass|edema", "a,b", '"']
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=5), min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_it_is_what_its_rows_are_one_by_one(tmp_path_factory, lines, end) -> None:
    path = tmp_path_factory.mktemp("site") / "t.csv"
    header = ["path", "Modality", "PatientID", "pathologies"]
    text = end.join(",".join(cells) for cells in [header, *lines])
    path.write_text(text, newline="")
    usable, places, bad, changes = row_by_row(path)
    if not usable:
        with pytest.raises(ManifestError, match="has none"):
            read_vector_table(path)
        return
    read = read_vector_table(path)
    names = [name for name in read.table.column_names if name not in {"sha256"}]
    assert read.table.select(names).to_pylist() == [{name: row[name] for name in names} for row in usable]
    assert list(zip(read.lines.tolist(), read.positions.tolist(), strict=True)) == places
    assert read.total == len(usable) + len(bad)
    assert list(zip(read.problems["line"].astype(int), read.problems["reason"], strict=True)) == bad
    assert list(read.changes.items()) == [((c["column"], c["from"], c["to"]), c["rows"]) for c in changes]


def test_a_unified_table_is_read_as_one_also_where_it_has_a_path(tmp_path) -> None:
    path = written(
        tmp_path, "filepath,dataset,split,modality,anatomic_region,mass,path\n1.png,d,test,CT,lung,1,kept as it is\n"
    )
    rows = read_vector_table(path)
    assert rows.table["path"].to_pylist() == ["1.png"]
    assert rows.table["pathologies"].to_pylist() == [["mass"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na,b\n", "and labels, or a column path, but {path} has file, label. Name the column"),
        ("path,label\n", "Expected at least one usable row, but {path} has none. Check the file."),
        ("path,label\na\n", "Expected at least one usable row, but {path} has none. Check the file."),
        ("", "Expected a table with a header line, but {path} is empty"),
    ],
)
def test_what_is_neither(tmp_path, text, message) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        read_vector_table(path)
    assert message.format(path=path) in str(caught.value)
