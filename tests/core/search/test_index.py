"""Vector search against an oracle that looks at every pair in double precision."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import CollectionError, QueryError, StorageError
from radcbir_core.search.index import ApproximateIndex, Exclusion, Searcher, build_index, recall_at, search_exact, unit


def vectors(number: int, dimension: int = 24, *, seed: int = 0, dtype=np.float16) -> np.ndarray:
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(number // 20, 1), dimension))
    points = centers[random.integers(0, len(centers), number)] + 0.5 * random.normal(size=(number, dimension))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(dtype)


def oracle(embeddings, query, k, allowed=None, blocked=()) -> list[tuple[float, int]]:
    """Every similarity in double precision, best first, equal ones by row."""
    pairs = []
    for row, vector in enumerate(np.asarray(embeddings, dtype=np.float64)):
        if (allowed is None or allowed[row]) and row not in blocked:
            pairs.append((-float(np.dot(vector, query.astype(np.float64))), row))
    return [(-s, row) for s, row in sorted(pairs)[:k]]


def assert_same(hits, q, expected) -> None:
    """Similarities agree; rows agree except where neighbors in the order are closer than single precision."""
    assert hits.counts[q] == len(expected)
    found = list(zip(hits.similarities[q, : len(expected)].tolist(), hits.rows[q].tolist(), strict=False))
    np.testing.assert_allclose([s for s, _ in found], np.clip([s for s, _ in expected], -1, 1), atol=2e-6)
    for (s, row), (t, other) in zip(found, expected, strict=True):
        assert row == other or abs(s - t) < 2e-6
    assert (hits.rows[q, len(expected) :] == -1).all()
    assert np.isnan(hits.similarities[q, len(expected) :]).all()


@settings(max_examples=60, deadline=None)
@given(
    number=st.integers(1, 120),
    queries=st.integers(1, 9),
    k=st.integers(1, 140),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1),
    dtype=st.sampled_from([np.float16, np.float32]),
)
def test_exact_search_agrees_with_the_oracle(number, queries, k, seed, share, dtype) -> None:
    random = np.random.default_rng(seed)
    embeddings = vectors(number, 8, seed=seed, dtype=dtype)
    asked = unit(random.normal(size=(queries, 8)), dimension=8)
    allowed = random.random(number) < share
    groups = random.integers(-1, 4, number).astype(np.int32)
    query_groups = random.integers(-1, 4, queries).astype(np.int32)
    hits = search_exact(embeddings, asked, k=k, allowed=allowed, exclusions=[Exclusion(groups, query_groups)])
    assert hits.rows.shape == (queries, k)
    for q in range(queries):
        blocked = set(np.flatnonzero((groups == query_groups[q]) & (query_groups[q] >= 0)).tolist())
        assert_same(hits, q, oracle(embeddings, asked[q], k, allowed, blocked))


def test_a_single_half_precision_query_is_answered_as_in_single_precision() -> None:
    """Rounding the query to half precision must not move a hit, although it moves the similarities."""
    moved = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        embeddings = random.normal(size=(3000, 4))
        embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float16)
        query = unit(random.normal(size=4), dimension=4)
        expected = oracle(embeddings, query[0], 20)
        assert_same(search_exact(embeddings, query, k=20), 0, expected)
        rounded = oracle(embeddings, query[0].astype(np.float16), 20)
        moved += [row for _, row in rounded] != [row for _, row in expected]
    assert moved, "the cases are too easy to show anything"


def test_equal_similarities_are_ordered_by_row() -> None:
    embeddings = np.tile(np.eye(4, dtype=np.float16)[0], (30, 1))
    hits = search_exact(embeddings, np.eye(4, dtype=np.float32)[:1], k=7)
    assert hits.rows[0].tolist() == list(range(7))
    many = search_exact(embeddings, np.repeat(np.eye(4, dtype=np.float32)[:1], 6, axis=0), k=7)
    assert (many.rows == np.arange(7)).all()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[np.ndarray, np.ndarray, Path]:
    embeddings = vectors(3000, 32, seed=5)
    valid = np.ones(3000, dtype=bool)
    valid[[0, 17, 2999]] = False
    embeddings[~valid] = 0
    path = tmp_path_factory.mktemp("index") / "index.usearch"
    told: list[tuple[int, int]] = []
    build_index(embeddings, path, valid=valid, told=lambda *numbers: told.append(numbers), chunk=1000)
    assert told[0] == (0, 2997)
    assert told[-1] == (2997, 2997)
    return embeddings, valid, path


def searcher(built, *, exact_elements: int = 0) -> Searcher:
    embeddings, valid, path = built
    return Searcher(
        embeddings,
        valid=valid,
        index=lambda: ApproximateIndex(path, dimension=32, size_bytes=path.stat().st_size),
        exact_elements=exact_elements,
    )


def test_exact_where_cheap_and_approximate_where_not(built) -> None:
    query = unit(built[0][5], dimension=32)
    assert searcher(built, exact_elements=2997 * 32).search(query, k=3).method == "exact"
    assert searcher(built, exact_elements=2997 * 32 - 1).search(query, k=3).method == "approximate"
    few = np.zeros(3000, dtype=bool)
    few[10:20] = True
    assert searcher(built, exact_elements=1000).search(query, k=3, allowed=few).method == "exact"


def test_approximate_search_gives_k_valid_hits_under_filters_and_exclusions(built) -> None:
    embeddings, valid, _ = built
    random = np.random.default_rng(3)
    rows = random.choice(np.flatnonzero(valid), 40, replace=False)
    patients = (np.arange(3000) // 4).astype(np.int32)
    allowed = random.random(3000) < 0.3
    exclusions = [Exclusion(np.arange(3000), rows), Exclusion(patients, patients[rows])]
    queries = unit(embeddings[rows], dimension=32)
    hits = searcher(built).search(queries, k=25, allowed=allowed, exclusions=exclusions)
    assert hits.method == "approximate"
    assert (hits.counts == 25).all()
    exact = searcher(built).search(queries, k=25, allowed=allowed, exclusions=exclusions, method="exact")
    shares = []
    for q, row in enumerate(rows):
        assert allowed[hits.rows[q]].all()
        assert valid[hits.rows[q]].all()
        assert not (patients[hits.rows[q]] == patients[row]).any()
        assert (np.diff(hits.similarities[q]) <= 0).all()
        shares.append(len(set(hits.rows[q]) & set(exact.rows[q])) / 25)
    assert np.mean(shares) > 0.9


def test_all_there_are_when_fewer_than_k(built) -> None:
    few = np.zeros(3000, dtype=bool)
    few[[0, 3, 9, 40]] = True
    hits = searcher(built).search(unit(built[0][5], dimension=32), k=10, allowed=few)
    assert hits.counts.tolist() == [3], "row 0 has no embedding"
    assert sorted(hits.rows[0][:3].tolist()) == [3, 9, 40]
    none = searcher(built).search(unit(built[0][5], dimension=32), k=10, allowed=np.zeros(3000, dtype=bool))
    assert none.counts.tolist() == [0]


def test_the_graph_is_asked_again_when_a_query_s_group_fills_what_it_found(built) -> None:
    """Half of the collection is one patient, that of the query: fetching a few more is not enough."""
    embeddings, valid, _ = built
    order = np.argsort(-(embeddings.astype(np.float32) @ embeddings[5].astype(np.float32)))
    patients = np.full(3000, -1, dtype=np.int32)
    patients[order[:1500]] = 1
    query = unit(embeddings[5], dimension=32)
    hits = searcher(built).search(query, k=5, exclusions=[Exclusion(patients, np.array([1]))])
    expected = [row for row in order[1500:] if valid[row]][:5]
    assert hits.rows[0].tolist() == [int(row) for row in expected]


def test_recall_is_measured_against_exact_search(built) -> None:
    assert recall_at(searcher(built)) > 0.95
    assert recall_at(searcher(built)) == recall_at(searcher(built))
    one = Searcher(np.eye(3, dtype=np.float16), valid=np.array([True, False, False]))
    assert math.isnan(recall_at(one))


def test_a_damaged_index_is_refused_before_it_is_read(built, tmp_path) -> None:
    size = built[2].stat().st_size
    cut = tmp_path / "cut.usearch"
    cut.write_bytes(built[2].read_bytes()[: size // 2])
    with pytest.raises(CollectionError, match=rf"Expected an index of {size} bytes, but .*cut.usearch has {size // 2}"):
        ApproximateIndex(cut, dimension=32, size_bytes=size)
    with pytest.raises(CollectionError, match="is missing"):
        ApproximateIndex(tmp_path / "none", dimension=32, size_bytes=size)
    noise = tmp_path / "noise.usearch"
    noise.write_bytes(b"\x07" * size)
    with pytest.raises(CollectionError, match="cannot be read"):
        ApproximateIndex(noise, dimension=32, size_bytes=size)


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

    build_index(vectors(50, 8), Full(target), valid=np.ones(50, dtype=bool), told=lambda *_: None)


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (np.ones(5), r"Expected query vectors of dimension 4, but their shape is \(1, 5\)"),
        (np.array([1, np.nan, 0, 0]), "finite, non-zero length"),
        (np.zeros(4), "finite, non-zero length"),
    ],
)
def test_query_vectors_are_checked(embedding, message) -> None:
    with pytest.raises(QueryError, match=message):
        unit(embedding, dimension=4)


def test_k_below_one_is_refused(built) -> None:
    with pytest.raises(QueryError, match="Expected at least one hit, but k = 0"):
        searcher(built).search(unit(built[0][5], dimension=32), k=0)
