"""Tables that say what vectors are of: which form is taken for which, and what a table as for images gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from radcbir_core.errors import ManifestError
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
    assert told == [("table", 2, 2)]


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
