"""Filters and exclusions, whatever the engine can do of them itself, against an oracle that looks at every pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import QueryError
from radcbir_core.search.backend import ArrayVectors, Backend, Exclusion, unit
from radcbir_core.search.engines import exact
from radcbir_core.search.engines.cell_building import build_cells
from radcbir_core.search.engines.cells import Cells
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.engines.usearch import USearch, build_usearch
from radcbir_core.storage import digest_file
from tests.core.search.oracle import assert_same, blocked_by, ranked, vectors
from tests.core.search.remote_engine import RemoteEngine

NUMBER, DIMENSION = 400, 12

ENGINES = (
    *("exact", "usearch", "cells"),
    *("remote", "remote without exclusions", "remote without rows", "remote without filters"),
)
FILTERS = {
    "remote": frozenset({"allowed", "exclusions"}),
    "remote without exclusions": frozenset({"allowed"}),
    "remote without rows": frozenset({"exclusions"}),
    "remote without filters": frozenset(),
}


@pytest.fixture(scope="module")
def array() -> np.ndarray:
    embeddings = vectors(NUMBER, DIMENSION, seed=5)
    embeddings[[0, 17, NUMBER - 1]] = 0
    return embeddings


@pytest.fixture(scope="module")
def engines(array, tmp_path_factory) -> Iterator[dict[str, Backend]]:
    folder = tmp_path_factory.mktemp("engines")
    np.save(folder / "vectors.npy", array)
    source, valid = ArrayVectors(array), array.any(axis=1)
    cells, graph = folder / "index.cells", folder / "index.usearch"
    shards = Shards(folder / "parts", "of these")
    build_cells(source, cells, valid=valid, shards=shards, told=lambda *_: None)
    build_usearch(source, graph, valid=valid, shards=shards, told=lambda *_: None)
    remote = RemoteEngine(folder / "vectors.npy")
    made: dict[str, Backend] = {
        "exact": Exact(source),
        "cells": Cells(source, cells, digest=digest_file(cells), exact_elements=0),
        "usearch": USearch(source, graph, digest=digest_file(graph), exact_elements=0),
    }
    for name, filters in FILTERS.items():
        made[name] = remote.like(filters)
    yield made
    remote.close()


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=25, deadline=None)
@given(
    queries=st.integers(1, 6),
    k=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1),
    groups=st.lists(st.integers(1, 60), max_size=2),
)
def test_every_engine_gives_what_may_be_given(array, engines, name, queries, k, seed, share, groups) -> None:
    random = np.random.default_rng(seed)
    valid = array.any(axis=1)
    rows = random.choice(np.flatnonzero(valid), queries)
    asked = unit(array[rows].astype(np.float32) + 0.05 * random.normal(size=(queries, DIMENSION)), dimension=DIMENSION)
    allowed = random.random(NUMBER) < share
    exclusions = [Exclusion(np.arange(NUMBER), rows)]
    for number in groups:
        group = random.integers(-1, number, NUMBER)
        exclusions.append(Exclusion(group, group[rows]))
    searcher = Searcher(engines[name], valid=valid)
    hits = searcher.search(asked, k=k, allowed=allowed, exclusions=exclusions)
    assert hits.rows.shape == (queries, k)
    for q in range(queries):
        expected = ranked(array, asked[q], k, allowed & valid, blocked_by(exclusions, q))
        if engines[name].method == "exact":
            assert_same(hits, q, expected)
            continue
        # An approximate engine may miss a hit, but gives as many as there are, none that it may not, best first.
        found = hits.rows[q, : hits.counts[q]].tolist()
        assert len(found) == len(set(found)) == len(expected)
        assert set(found) <= set(np.flatnonzero(allowed & valid).tolist()) - blocked_by(exclusions, q)
        similarities = hits.similarities[q, : hits.counts[q]]
        assert (np.diff(similarities) <= 0).all()
        cosines = array[found].astype(float) @ asked[q] / np.linalg.norm(array[found].astype(float), axis=1)
        np.testing.assert_allclose(similarities, np.clip(cosines, -1, 1), atol=2e-6)
        missed = sum(row not in found for _, row in expected)
        assert missed <= max(1, len(expected) / 5), "of few, one alone is a large share"


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_its_vectors(array, engines, name) -> None:
    rows = np.array([5, 3, 4, 399, 0])
    given = engines[name].vectors(rows)
    assert given.dtype == engines[name].dtype == np.float16
    np.testing.assert_array_equal(given, array[rows])
    assert engines[name].shape == (NUMBER, DIMENSION)


@pytest.fixture(scope="module", params=["usearch", "cells"])
def built(request, tmp_path_factory) -> tuple[np.ndarray, np.ndarray, Callable[..., Backend]]:
    build, engine = {"usearch": (build_usearch, USearch), "cells": (build_cells, Cells)}[request.param]
    embeddings = vectors(3000, 32, seed=5)
    valid = np.ones(3000, dtype=bool)
    valid[[0, 17, 2999]] = False
    embeddings[~valid] = 0
    source, path = ArrayVectors(embeddings), tmp_path_factory.mktemp("index") / "index"
    build(source, path, valid=valid, shards=Shards(path.with_name("parts"), "of these"), told=lambda *_: None)
    return embeddings, valid, partial(engine, source, path, digest=digest_file(path))


def approximate(built, *, exact_elements: int = 0) -> Searcher:
    _, valid, engine = built
    return Searcher(engine(exact_elements=exact_elements), valid=valid)


def test_exact_where_cheap_and_approximate_where_not(built) -> None:
    query = unit(built[0][5], dimension=32)
    assert approximate(built, exact_elements=2997 * 32).search(query, k=3).method == "exact"
    assert approximate(built, exact_elements=2997 * 32 - 1).search(query, k=3).method == "approximate"
    few = np.zeros(3000, dtype=bool)
    few[10:20] = True
    assert approximate(built, exact_elements=9 * 32 * 5).search(query, k=3, allowed=few).method == "exact"
    scattered = approximate(built, exact_elements=9 * 32 * 5 - 1).search(query, k=3, allowed=few)
    assert scattered.method == "approximate", "few among many are read from all over the place"


def test_an_exact_search_beside_the_engine_reads_half_precision_as_it_lies(built, monkeypatch) -> None:
    """A copy of all vectors in single precision would take longer than the search."""
    embeddings, valid, _ = built
    monkeypatch.setattr(exact, "first_hits", lambda *_, **__: pytest.fail("all vectors were copied"))
    query = unit(embeddings[5], dimension=32)
    hits = approximate(built, exact_elements=3000 * 32).search(query, k=10)
    assert_same(hits, 0, ranked(embeddings, query[0], 10, valid))


def test_approximate_search_gives_k_valid_hits_under_filters_and_exclusions(built) -> None:
    embeddings, valid, _ = built
    random = np.random.default_rng(3)
    rows = random.choice(np.flatnonzero(valid), 40, replace=False)
    patients = (np.arange(3000) // 4).astype(np.int32)
    allowed = random.random(3000) < 0.3
    exclusions = [Exclusion(np.arange(3000), rows), Exclusion(patients, patients[rows])]
    queries = unit(embeddings[rows], dimension=32)
    hits = approximate(built).search(queries, k=25, allowed=allowed, exclusions=exclusions)
    assert hits.method == "approximate"
    assert (hits.counts == 25).all()
    exact = approximate(built).search(queries, k=25, allowed=allowed, exclusions=exclusions, method="exact")
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
    hits = approximate(built).search(unit(built[0][5], dimension=32), k=10, allowed=few)
    assert hits.counts.tolist() == [3], "row 0 has no embedding"
    assert sorted(hits.rows[0][:3].tolist()) == [3, 9, 40]
    none = approximate(built).search(unit(built[0][5], dimension=32), k=10, allowed=np.zeros(3000, dtype=bool))
    assert none.counts.tolist() == [0]


def test_a_query_whose_group_fills_what_was_found_gets_what_is_behind_it(built) -> None:
    """Half of the collection is one patient, that of the query: fetching a few more is not enough."""
    embeddings, valid, _ = built
    order = np.argsort(-(embeddings.astype(np.float32) @ embeddings[5].astype(np.float32)))
    patients = np.full(3000, -1, dtype=np.int32)
    patients[order[:1500]] = 1
    query = unit(embeddings[5], dimension=32)
    hits = approximate(built).search(query, k=5, exclusions=[Exclusion(patients, np.array([1]))])
    expected = [row for row in order[1500:] if valid[row]][:5]
    assert hits.rows[0].tolist() == [int(row) for row in expected]


def test_k_below_one_is_refused(built) -> None:
    with pytest.raises(QueryError, match="Expected at least one hit, but k = 0"):
        approximate(built).search(unit(built[0][5], dimension=32), k=0)
