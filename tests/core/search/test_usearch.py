"""The approximate engine by itself: its file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.search.backend import ArrayVectors, Exclusion
from radcbir_core.search.usearch import USearch, build_index, open_index
from radcbir_core.storage import digest_file
from tests.core.search.oracle import vectors


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[ArrayVectors, Path]:
    source = ArrayVectors(vectors(500, 16, seed=5))
    path = tmp_path_factory.mktemp("index") / "index.usearch"
    valid = np.ones(500, dtype=bool)
    valid[[0, 17]] = False
    told: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radcbir_core.search.usearch._ADDED_AT_ONCE", 200)
        build_index(source, path, valid=valid, told=lambda *numbers: told.append(numbers))
    assert told == [(0, 498), (200, 498), (400, 498), (498, 498)]
    return source, path


def test_its_distances_are_turned_into_cosines(built) -> None:
    source, path = built
    engine = open_index(source, path, {"sha256": digest_file(path), "recall_at_10": 0.5})
    queries = source.array[[3, 4]].astype(np.float32)
    hits = engine.search(queries, k=20)
    assert hits.found_by() == "approximate search (usearch, which finds 50.0 % of the exact first 10)"
    assert hits.rows[:, 0].tolist() == [3, 4]
    for query, rows, similarities in zip(queries, hits.rows, hits.similarities, strict=True):
        np.testing.assert_allclose(similarities, source.array[rows].astype(np.float32) @ query, atol=3e-3)
    everything = engine.search(queries, k=1000)
    assert (everything.counts <= 498).all()
    assert not np.isin([0, 17], everything.rows).any()


def test_it_does_not_filter(built) -> None:
    source, path = built
    engine = USearch(source, path, digest=digest_file(path))
    query = source.array[:1].astype(np.float32)
    with pytest.raises(ValueError, match="Expected no filter, which USearch does not have"):
        engine.search(query, k=1, allowed=np.ones(500, dtype=bool))
    with pytest.raises(ValueError, match="Expected no filter"):
        engine.search(query, k=1, exclusions=[Exclusion(np.arange(500), np.array([1]))])


def test_a_changed_index_is_refused_before_it_is_read(built, tmp_path) -> None:
    source, path = built
    digest = digest_file(path)
    query = source.array[:1].astype(np.float32)
    whole = path.read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"", whole[:-1] + b"\xff", whole + b"\x00")):
        changed = tmp_path / f"{number}.usearch"
        changed.write_bytes(content)
        with pytest.raises(CollectionError, match=rf"Expected the index as it was built, but .*{number}\.usearch has"):
            USearch(source, changed, digest=digest).search(query, k=1)
    with pytest.raises(CollectionError, match="none: No such file"):
        USearch(source, tmp_path / "none", digest=digest).search(query, k=1)
    noise = tmp_path / "noise.usearch"
    noise.write_bytes(b"\x07" * len(whole))
    with pytest.raises(CollectionError, match="cannot be read"):
        USearch(source, noise, digest=digest_file(noise)).search(query, k=1)


def test_a_full_disk_is_a_storage_error(tmp_path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")
    target = tmp_path / "index.usearch"
    with pytest.raises(StorageError, match="space left on the disk"):
        build_full(target)
    assert not target.exists()


def build_full(target: Path) -> None:
    class Full(type(target)):  # the temporary path leads to a device that is always full
        def with_name(self, name):
            link = super().with_name(name)
            Path(link).symlink_to("/dev/full")
            return link

    build_index(ArrayVectors(vectors(50, 8)), Full(target), valid=np.ones(50, dtype=bool), told=lambda *_: None)
