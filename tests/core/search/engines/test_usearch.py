"""The approximate engine by itself: its file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.search.backend import ArrayVectors, Exclusion, Recall, unit
from radcbir_core.search.engines import usearch
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.engines.usearch import USearch, build_usearch, open_usearch
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
        patch.setattr(usearch, "_ADDED_AT_ONCE", 200)
        shards = Shards(path.with_name("parts"), "of these")
        facts = build_usearch(source, path, valid=valid, shards=shards, told=lambda *numbers: told.append(numbers))
    assert list(facts) == ["expansion"]
    assert told == [(0, 498), (200, 498), (400, 498), (498, 498)]
    return source, path


def test_its_hits_are_compared_again_in_full(built) -> None:
    source, path = built
    engine = open_usearch(source, path, {"sha256": digest_file(path), "recall_at_10": 0.5})
    queries = unit(source.array[[3, 4]], dimension=16)
    hits = engine.search(queries, k=20)
    assert hits.found_by() == "approximate search (usearch, which finds 50.0 % of the exact first 10)"
    assert hits.rows[:, 0].tolist() == [3, 4]
    for query, rows, similarities in zip(queries, hits.rows, hits.similarities, strict=True):
        lengths = np.linalg.norm(source.array[rows].astype(float), axis=1)
        np.testing.assert_allclose(similarities, source.array[rows].astype(float) @ query / lengths, atol=2e-6)
        assert (np.diff(similarities) <= 0).all()
    everything = engine.search(queries, k=1000)
    assert (everything.counts <= 498).all()
    assert not np.isin([0, 17], everything.rows).any()


@pytest.mark.parametrize(("needed", "expected"), [(0, 128), (256, 256), (1024, 1024), (2000, 1024)])
def test_it_looks_as_widely_as_it_has_to(built, tmp_path, monkeypatch, needed, expected) -> None:
    source, _ = built
    exact = Exact(source)  # what the graph itself finds depends on which thread was first

    def narrow(self, queries, *, k, allowed=None, exclusions=()):
        hits = exact.search(queries, k=k, allowed=allowed, exclusions=exclusions)
        if self._index.expansion_search < needed:
            hits.similarities[:] = -1
            hits.rows[:] = np.arange(hits.rows.shape[1]) + 20
        return hits

    monkeypatch.setattr(USearch, "search", narrow)
    path, shards = tmp_path / "index", Shards(tmp_path / "parts", "these")
    facts = build_usearch(source, path, valid=np.ones(500, dtype=bool), shards=shards, told=lambda *_: None)
    assert facts == {"expansion": expected}
    engine = open_usearch(source, path, {"sha256": digest_file(path), "recall_at_100": 0.5, **facts})
    assert engine._index.expansion_search == expected
    assert engine.recall == Recall(at_100=0.5)


def test_an_index_of_before_is_asked_as_it_was(built) -> None:
    source, path = built
    facts = {"engine": "usearch", "sha256": digest_file(path), "recall_at_10": 0.96}
    assert open_usearch(source, path, facts)._index.expansion_search == 128
    assert open_usearch(source, path, facts).recall == Recall(at_10=0.96)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_however_few_there_are(tmp_path, number) -> None:
    array, shards = vectors(3, 8, seed=1), Shards(tmp_path / "parts", "these")
    source, path = ArrayVectors(array), tmp_path / "index"
    facts = build_usearch(source, path, valid=np.arange(3) < number, shards=shards, told=lambda *_: None)
    engine = open_usearch(source, path, {"sha256": digest_file(path), **facts})
    assert engine.search(array[:1].astype(np.float32), k=5).counts.tolist() == [number]
    assert engine.search(np.empty((0, 8), dtype=np.float32), k=5).rows.shape == (0, 5)


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

    build_usearch(
        ArrayVectors(vectors(50, 8)),
        Full(target),
        valid=np.ones(50, dtype=bool),
        shards=Shards(target.with_name("parts"), "these"),
        told=lambda *_: None,
    )
