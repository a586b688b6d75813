"""CSV and parquet tables with a column mapping."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.formats import detect
from radcbir_core.importers.rows.mapping import parse_mapping
from radcbir_core.importers.vectors.vector_files import open_vectors


@pytest.fixture
def folder(tmp_path, picture):
    for number in range(4):
        picture(tmp_path / "s" / f"{number}.png", seed=number)
    return tmp_path / "s"


def test_one_hot_columns(folder, table, column) -> None:
    path = table(
        folder / "t.csv",
        ["File", "Mass", "Edema", "No Finding", "Age", "Pat"],
        [
            ["0.png", 1, 0, 0, 40, 7],
            ["1.png", "1.0", "True", "", 50, 8],
            ["2.png", 0, 0, 1, "", ""],
            ["3.png", 0, 0, 0, 1, 1],
        ],
    )
    assert detect(path).name == "csv"
    mapping = parse_mapping(["path=File", "pathologies=Mass, Edema,No Finding", "patient_id=pat"])
    request = ImportRequest([path], "c", mapping=mapping, modality="X-ray", anatomy="chest")
    collection = import_as(request).collection
    assert column(collection, "pathologies") == [["Mass"], ["Mass", "Edema"], ["normal"], []]
    assert column(collection, "patient_id") == ["7", "8", "", "1"]
    assert column(collection, "modality") == ["XR"] * 4
    assert column(collection, "age") == ["40", "50", "", "1"], "further columns stay"
    assert column(collection, "mass") == ["1", "1.0", "0", "0"], "and those that were mapped too, as they are"


def test_lists_in_text_and_a_mapped_csv_that_has_a_path_column(folder, table, column) -> None:
    path = table(
        folder / "t.csv",
        ["path", "dx", "pathology"],
        [["0.png", "a|b", "x"], ["1.png", "['c', 'd']", "x"], ["2.png", "e, f", "x"]],
    )
    collection = import_as(ImportRequest([path], "c", mapping={"pathologies": "dx"})).collection
    assert column(collection, "pathologies") == [["a", "b"], ["c", "d"], ["e, f"]]


def test_parquet_with_lists_numbers_and_bytes(folder, column) -> None:
    path = folder / "t.parquet"
    pq.write_table(
        pa.table(
            {
                "filename": ["0.png", "1.png", "2.png"],
                "dx": [["a|x", "b"], [], None],
                "pid": pa.array([3, None, 5], pa.int64()),
                "weight": [70.5, 60.0, float("nan")],
                "image": [b"1", b"2", b"3"],
            }
        ),
        path,
    )
    request = ImportRequest([path], "c", mapping={"path": "filename", "pathologies": "dx", "patient_id": "pid"})
    report = import_as(request)
    assert column(report.collection, "pathologies") == [["a|x", "b"], [], []]
    assert column(report.collection, "patient_id") == ["3", "", "5"]
    assert column(report.collection, "weight") == ["70.5", "60", ""]
    assert report.notes == ["Left out of t.parquet, because they hold no text: image."]


def test_gzip_and_another_root(folder, tmp_path, column) -> None:
    path = tmp_path / "elsewhere" / "t.csv.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"file\n0.png\n1.png\n"))
    request = ImportRequest([path], "c", image_root=folder, mapping={"path": "file"})
    assert column(import_as(request).collection, "path") == ["0.png", "1.png"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ManifestError, match=r"whole gzip file, but .* is damaged or cut off"):
        import_as(ImportRequest([path], "d", image_root=folder, mapping={"path": "file"}))


def test_rows_that_cannot_be_mapped_are_problems(folder, table) -> None:
    path = table(folder / "t.csv", ["path", "Mass", "Edema"], [["0.png", 1, 0], ["1.png", 7, 0], ["0.png", 0, 1]])
    report = import_as(ImportRequest([path], "c", mapping={"pathologies": "Mass,Edema"}))
    assert (report.images, report.problems) == (1, 1)
    reasons = report.collection.problems()["reason"].tolist()
    assert "Expected 0, 1, -1 or nothing in a column of findings" in reasons[0]
    assert "Mass = '7'" in reasons[0]
    assert report.collection.manifest.frame["pathologies"].tolist() == [["Mass", "Edema"]], "two rows for one image"


def test_damaged_and_empty_tables(folder, table) -> None:
    (folder / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ManifestError, match="whole parquet file"):
        import_as(ImportRequest([folder / "t.parquet"], "c"))
    empty = table(folder / "e.csv", ["file"], [])
    with pytest.raises(ManifestError, match="has no rows"):
        import_as(ImportRequest([empty], "c", mapping={"path": "file"}))
    with pytest.raises(ManifestError, match="is not a file"):
        import_as(ImportRequest([folder], "c"), format_name="csv")


def test_a_parquet_file_whose_columns_lie_in_other_files_is_refused_by_name(tmp_path) -> None:
    """As ``_metadata`` of a data set: whoever made it may name any file, and Arrow would look into this one."""
    collected: list[pq.FileMetaData] = []
    table = pa.table({"path": ["a.png"], "embedding": [[1.0, 0.0]]})
    pq.write_table(table, tmp_path / "whole.parquet", metadata_collector=collected)
    collected[0].set_file_path("whole.parquet")
    pq.write_metadata(table.schema, tmp_path / "t.parquet", metadata_collector=collected)
    with pytest.raises(ManifestError, match=r"its columns in it, but .*t\.parquet says that they lie in other files"):
        import_as(ImportRequest([tmp_path / "t.parquet"], "c"))
    with pytest.raises(ManifestError, match=r"its columns in it, but .*t\.parquet says that they lie in other files"):
        open_vectors(tmp_path / "t.parquet")
