"""Many files are asked as each alone would be; what cannot be read is a row, and the rest goes on."""

from __future__ import annotations

import csv
import io
from functools import partial

import numpy as np
import pytest

from radcbir_core.batch.batch_search import NO_HIT, FileQuery, files_embedded, hits_of, write_hits
from radcbir_core.batch.query_files import QueryFile, files_at, files_of
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import ImageError, QueryError, StorageError
from radcbir_core.search.queries.query import ImageQuery
from radcbir_core.search.retriever import Retriever
from tests.small_images import draw


def png(kind: int, number: int) -> bytes:
    buffer = io.BytesIO()
    draw(kind, number).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def retriever(small_data, monkeypatch) -> Retriever:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return Retriever(open_collection("small"), "pixels")


def some() -> tuple[QueryFile, ...]:
    """More than are decoded at a time, a damaged one among them."""
    contents = [(f"{kind}-{number}.png", png(kind, number)) for kind in range(3) for number in range(17, 24)]
    return files_of([*contents[:9], ("bad.png", b"no image"), *contents[9:]]).files


def written(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_file_has_the_hits_that_it_has_alone(retriever, tmp_path) -> None:
    options = {"k": 4, "where": {"split": ["train"]}, "exclude": ["patient", "duplicate"]}
    files, told = some(), []
    path = tmp_path / "hits.csv"
    asked = files_embedded(files, retriever)
    report = write_hits(path, files, asked, partial(retriever.search, **options), progress=lambda *s: told.append(s))
    rows = written(path)
    assert list(rows[0]) == [
        "query", "frame", "rank", "image_id", "path", "similarity", "modality", "anatomy", "pathologies", "patient_id",
        "dataset", "problem",
    ]  # fmt: skip
    assert list(dict.fromkeys(row["query"] for row in rows)) == [file.name for file in files]
    for file in files:
        mine = [row for row in rows if row["query"] == file.name]
        if file.name == "bad.png":
            assert [(row["image_id"], row["problem"].startswith("Expected ")) for row in mine] == [("", True)]
            continue
        alone = retriever.search(ImageQuery.of_bytes(file.read()), **options)
        assert [row["image_id"] for row in mine] == alone.table()["image_id"].tolist()
        assert [float(row["similarity"]) for row in mine] == pytest.approx(alone.similarities().tolist(), abs=1e-6)
        assert [row["rank"] for row in mine] == ["1", "2", "3", "4"]
        assert {row["problem"] for row in mine} == {""}
    assert (report.files, report.hits) == (22, 21 * 4)
    assert [name for name, _ in report.problems] == ["bad.png"]
    assert told == [("query", done, 22) for done in range(23)]


def test_a_file_of_the_collection_is_known_by_its_bytes(retriever) -> None:
    collection = retriever.collection
    data = collection.image_path(0).read_bytes()
    (asked,) = files_embedded(files_of([("same.png", data)]).files, retriever)
    ids = hits_of(asked, partial(retriever.search, k=61, exclude=["patient"]))["image_id"].tolist()
    patients = collection.manifest.column("patient_id")
    rows = [collection.manifest.row_of(image_id) for image_id in ids]
    assert patients[0] not in {patients[row] for row in rows}
    with pytest.raises(QueryError, match="Give the file again"):
        retriever.embed(FileQuery())


def test_files_without_hits_are_rows_and_orders_have_a_column(retriever, tmp_path) -> None:
    none = np.zeros(61, dtype=bool)
    files = files_of([("a.png", png(0, 30))]).files
    report = write_hits(
        tmp_path / "none.csv", files, files_embedded(files, retriever), partial(retriever.search, among=none)
    )
    assert report.problems == (("a.png", NO_HIT),)
    (row,) = written(tmp_path / "none.csv")
    assert (row["query"], row["rank"], row["problem"]) == ("a.png", "", NO_HIT)
    search = partial(retriever.search, order="csls", k=3)
    write_hits(tmp_path / "csls.csv", files, files_embedded(files, retriever), search, order="csls")
    rows = written(tmp_path / "csls.csv")
    expected = retriever.search(ImageQuery.of_bytes(files[0].read()), order="csls", k=3).table()
    assert [int(row["cosine_rank"]) for row in rows] == expected["cosine_rank"].tolist()


def test_no_cell_runs_in_a_spreadsheet(retriever, tmp_path) -> None:
    files = files_of([("=cmd().png", png(2, 30)), ("+.png", b"none")]).files
    write_hits(tmp_path / "t.csv", files, files_embedded(files, retriever), partial(retriever.search, k=61))
    rows = written(tmp_path / "t.csv")
    assert {row["query"] for row in rows} == {"'=cmd().png", "'+.png"}
    assert "'=1+1" in {row["pathologies"] for row in rows}
    assert not [cell for row in rows for name, cell in row.items() if cell[:1] in "=+@" and cell]


def test_a_name_that_is_no_text_costs_no_other_file_its_hits(retriever, tmp_path) -> None:
    (tmp_path / "of-a-disk").mkdir()
    for name in ("\udcfc.png", "a.png", "\udcff.txt.png"):
        (tmp_path / "of-a-disk" / name).write_bytes(png(0, 17) if "txt" not in name else b"none")
    files = files_at([tmp_path / "of-a-disk"]).files
    report = write_hits(tmp_path / "t.csv", files, files_embedded(files, retriever), partial(retriever.search, k=2))
    rows = written(tmp_path / "t.csv")
    assert {row["query"]: bool(row["problem"]) for row in rows} == {
        r"\xfc.png": False, "a.png": False, r"\xff.txt.png": True,
    }  # fmt: skip
    assert (report.files, report.hits, len(report.problems)) == (3, 4, 1)


def test_what_was_there_stays_until_the_table_is_whole(retriever, tmp_path) -> None:
    path = tmp_path / "hits.csv"
    path.write_text("before")
    files = some()

    def search(query):
        raise StorageError("Expected more space.")

    with pytest.raises(StorageError):
        write_hits(path, files, files_embedded(files, retriever), search)
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["hits.csv"]


def test_a_file_that_goes_away_is_its_own_problem_and_pixels_are_changed_first(retriever, tmp_path) -> None:
    def gone():
        raise ImageError("Expected a whole file, but x is damaged in its archive.")

    files = (QueryFile("gone.png", lambda: tmp_path / "gone.png"), QueryFile("x", gone), *some()[:1])
    asked = list(files_embedded(files, retriever, change=lambda pixels: 255 - pixels))
    assert [one.query is None for one in asked] == [True, True, False]
    assert all(one.problem.startswith("Expected ") for one in asked[:2])
    inverted = retriever.embed(255 - np.asarray(draw(0, 17))).vectors
    assert np.allclose(asked[2].query.vectors, inverted)
