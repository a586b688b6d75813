"""The making of cells: each vector is in the nearest, a killed build goes on, and the recall is what was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.errors import StorageError
from radcbir_core.search.backend import ArrayVectors, unit_vectors
from radcbir_core.search.engines import cell_building
from radcbir_core.search.engines.cell_building import build_cells
from radcbir_core.search.engines.cells import open_cells, read_content
from radcbir_core.search.engines.recall import recall_of
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.engines.shards import Shards
from radcbir_core.storage import digest_file
from tests.core.search.oracle import vectors


def built(folder: Path, array: np.ndarray, *, valid: np.ndarray | None = None, told=lambda *_: None) -> Path:
    valid = np.ones(len(array), dtype=bool) if valid is None else valid
    build_cells(ArrayVectors(array), folder / "index", valid=valid, shards=Shards(folder / "parts", "these"), told=told)
    return folder / "index"


@pytest.fixture
def few_queries(monkeypatch) -> None:
    """To look how widely a query has to look is most of the work of a small build."""
    monkeypatch.setattr(cell_building, "_QUERIES", 20)


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory) -> tuple[np.ndarray, bytes]:
    """Vectors, and the index over them that is built in several parts without a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_building, "_QUERIES", 20)
        patch.setattr(cell_building, "_PART", 200)
        patch.setattr(cell_building, "_BLOCK", 100)
        array = vectors(1000, 12, seed=5)
        return array, built(tmp_path_factory.mktemp("whole"), array).read_bytes()


def test_every_valid_vector_is_in_the_cell_that_is_nearest(tmp_path, few_queries) -> None:
    array = vectors(1500, 16, seed=3)
    valid = np.ones(1500, dtype=bool)
    valid[[0, 8, 1499]] = False
    array[~valid] = 0
    told: list[tuple[int, int]] = []
    content = read_content(built(tmp_path, array, valid=valid, told=lambda *now: told.append(now)))
    assert sorted(content.rows.tolist()) == np.flatnonzero(valid).tolist()
    assert told == sorted(told)
    assert told[0] == (0, 1497)
    assert told[-1] == (1497, 1497)
    single = unit_vectors(ArrayVectors(array), content.rows.astype(int)).astype(float)
    cell = np.repeat(np.arange(len(content.centers)), np.diff(content.starts))
    distances = ((single[:, None] - content.centers[None].astype(float)) ** 2).sum(axis=2)
    assert (distances[np.arange(len(cell)), cell] <= distances.min(axis=1) + 1e-6).all()
    for number in range(len(content.centers)):
        assert (np.diff(content.rows[cell == number]) > 0).all()
    whole = content.centers[cell] + content.codes * content.scales[:, None]
    assert np.abs(whole - single).max() <= content.scales.max() / 2 + 1e-6


def test_neighboring_cells_are_alike(tmp_path, few_queries) -> None:
    content = read_content(built(tmp_path, vectors(3000, 16, seed=4)))
    centers = content.centers / np.linalg.norm(content.centers, axis=1, keepdims=True)
    alike = centers @ centers.T
    beside = np.diagonal(alike, offset=1).mean()
    assert beside > alike[~np.eye(len(alike), dtype=bool)].mean() + 0.1


@pytest.mark.parametrize(("number", "dimension"), [(0, 8), (1, 8), (2, 8), (30, 1), (400, 64)])
def test_however_few_there_are(tmp_path, number, dimension) -> None:
    array = vectors(max(number, 1), dimension, seed=1)
    valid = np.arange(len(array)) < number
    path = built(tmp_path, array, valid=valid)
    engine = open_cells(ArrayVectors(array), path, {"sha256": digest_file(path)})
    hits = engine.search(array[:1].astype(np.float32), k=5)
    assert hits.counts.tolist() == [min(number, 5)]


def test_copies_of_one_vector_are_all_found(tmp_path) -> None:
    array = np.repeat(vectors(3, 8, seed=2), 100, axis=0)
    path = built(tmp_path, array)
    engine = open_cells(ArrayVectors(array), path, {"sha256": digest_file(path)})
    assert sorted(engine.search(array[150:151].astype(np.float32), k=100).rows[0].tolist()) == list(range(100, 200))


@pytest.mark.parametrize("number", [1, 2, 600])
def test_vectors_of_single_precision_stay_as_they_are(tmp_path, number) -> None:
    array = np.sort(vectors(number, 8, seed=2).astype(np.float32), axis=0)
    array /= np.linalg.norm(array, axis=1, keepdims=True)
    array.flags.writeable = False  # as those that are mapped from a file
    path = built(tmp_path, array)
    engine = open_cells(ArrayVectors(array), path, {"sha256": digest_file(path)})
    hits = engine.search(array[-1:], k=1)
    assert hits.similarities[0, 0] == pytest.approx(1)


def test_the_recall_is_what_was_aimed_at(tmp_path) -> None:
    array = vectors(8000, 32, seed=6)
    path = built(tmp_path, array)
    engine = open_cells(ArrayVectors(array), path, {"sha256": digest_file(path)})
    assert read_content(path).tuning[0] < 1000, "not by reading all"
    recall = recall_of(Searcher(engine, valid=np.ones(8000, dtype=bool)), seed=9)
    assert recall.at_1 >= 0.995
    assert recall.at_10 >= 0.995


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [0.1, 0.3, 0.45, 0.7])
def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    tmp_path, monkeypatch, few_queries, in_parts, after
) -> None:
    monkeypatch.setattr(cell_building, "_PART", 200)
    monkeypatch.setattr(cell_building, "_BLOCK", 100)
    array, whole = in_parts

    def kill(done: int, total: int) -> None:
        if done >= after * total:
            raise Killed

    with pytest.raises(Killed):
        built(tmp_path / "killed", array, told=kill)
    assert not (tmp_path / "killed/index").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed/parts/these").glob("*.npy")}
    assert len(kept) == {0.1: 0, 0.3: 3, 0.45: 5, 0.7: 6}[after]
    assert built(tmp_path / "killed", array).read_bytes() == whole
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed/parts/these").glob("*.npy")}
    assert kept.items() <= again.items(), "what was finished is not made again"


def test_a_damaged_part_is_made_again(tmp_path, monkeypatch, few_queries) -> None:
    monkeypatch.setattr(cell_building, "_PART", 300)
    array = vectors(1000, 12, seed=5)
    whole = built(tmp_path, array).read_bytes()
    (tmp_path / "parts/these/cells-00001.npy").write_bytes(b"cut")
    assert built(tmp_path, array).read_bytes() == whole


def test_a_full_disk_is_a_storage_error(tmp_path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")

    class Full(type(tmp_path)):  # the temporary path leads to a device that is always full
        def with_name(self, name):
            link = super().with_name(name)
            Path(link).symlink_to("/dev/full")
            return link

    target = Full(tmp_path / "index.cells")
    array, valid = vectors(50, 8), np.ones(50, dtype=bool)
    with pytest.raises(StorageError, match="space left on the disk"):
        build_cells(
            ArrayVectors(array), target, valid=valid, shards=Shards(tmp_path / "parts", "these"), told=lambda *_: None
        )
    assert not target.exists()
