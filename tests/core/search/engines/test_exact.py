"""Exact search against an oracle that looks at every pair in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.search.backend import ArrayVectors, Exclusion, unit
from radcbir_core.search.engines import exact
from radcbir_core.search.engines.exact import Exact, first_hits, over_products
from tests.core.search.oracle import assert_same, blocked_by, ranked, vectors


def searched(embeddings, queries, **options):
    return Exact(ArrayVectors(embeddings)).search(queries, **options)


@settings(max_examples=80, deadline=None)
@given(
    number=st.integers(1, 120),
    queries=st.integers(1, 9),
    k=st.integers(1, 140),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1),
    dtype=st.sampled_from([np.float16, np.float32]),
    block=st.sampled_from([7, 4000]),
    held=st.booleans(),
)
def test_it_agrees_with_the_oracle(number, queries, k, seed, share, dtype, block, held) -> None:
    random = np.random.default_rng(seed)
    embeddings = vectors(number, 8, seed=seed, dtype=dtype)
    asked = unit(random.normal(size=(queries, 8)), dimension=8)
    allowed = random.random(number) < share
    exclusions = [
        Exclusion(random.integers(-1, 4, number), random.integers(-1, 4, queries)) for _ in range(int(seed % 3))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_ROWS", block)
        patch.setattr(exact, "_SCANNED_ROWS", block)
        if not held:
            patch.setattr(exact, "_HELD_ELEMENTS", 0)
        hits = searched(embeddings, asked, k=k, allowed=allowed, exclusions=exclusions)
    assert hits.rows.shape == (queries, k)
    assert hits.found_by() == "exact search"
    for q in range(queries):
        assert_same(hits, q, ranked(embeddings, asked[q], k, allowed, blocked_by(exclusions, q)))


def test_a_single_half_precision_query_is_answered_as_in_single_precision() -> None:
    """Rounding the query to half precision must not move a hit, although it moves the similarities."""
    moved = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        embeddings = random.normal(size=(3000, 4))
        embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float16)
        query = unit(random.normal(size=4), dimension=4)
        expected = ranked(embeddings, query[0], 200)
        assert_same(searched(embeddings, query, k=200), 0, expected)
        rounded = ranked(embeddings, query[0].astype(np.float16), 200)
        moved += [row for _, row in rounded] != [row for _, row in expected]
    assert moved, "the cases are too easy to show anything"


@pytest.mark.parametrize("queries", [1, 6])
def test_lengths_that_rounding_has_left_decide_nothing(queries) -> None:
    """The better direction wins over the longer vector, in a scan and in products."""
    better, longer = np.array([[0.9992, 0.04], [1.0008, 0.05]], dtype=np.float16)
    embeddings = np.stack([longer, better])
    asked = np.repeat(unit([1.0, 0.0], dimension=2), queries, axis=0)
    assert longer[0] > better[0]
    hits = searched(embeddings, asked, k=2)
    assert (hits.rows == [1, 0]).all()
    cosines = [row[0] / np.linalg.norm(row) for row in embeddings[[1, 0]].astype(float)]
    np.testing.assert_allclose(hits.similarities[0], cosines, atol=1e-7)


@pytest.mark.parametrize("queries", [1, 6])
@pytest.mark.parametrize("block", [4, 4000])
def test_equal_similarities_are_ordered_by_row(monkeypatch, queries, block) -> None:
    monkeypatch.setattr(exact, "_ROWS", block)
    monkeypatch.setattr(exact, "_SCANNED_ROWS", block)
    embeddings = np.tile(np.eye(4, dtype=np.float16)[0], (30, 1))
    asked = np.repeat(np.eye(4, dtype=np.float32)[:1], queries, axis=0)
    assert (searched(embeddings, asked, k=7).rows == np.arange(7)).all()
    later = first_hits(
        ArrayVectors(embeddings), lambda part: asked[part], queries=queries, k=7, rows=np.arange(30), later_first=True
    )
    assert (later.rows == np.arange(29, 22, -1)).all()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_blocks_and_parts_change_nothing(monkeypatch, kind) -> None:
    embeddings = vectors(900, 24, seed=3, dtype=kind)
    asked, rows = unit(embeddings[::9], dimension=24), np.setdiff1d(np.arange(900), [4, 500])

    def hits_of(**options):
        source = ArrayVectors(embeddings)
        return first_hits(source, lambda part: asked[part], queries=100, k=30, rows=rows, **options)

    whole = hits_of()
    for name, value in (("_QUERIES", 7), ("_ROWS", 50), ("_FIRST", 60), ("_HELD_ELEMENTS", 0), ("_WIDTH", 64)):
        monkeypatch.setattr(exact, name, value)
    told: list[tuple[str, int, int]] = []
    cut = hits_of(progress=lambda *now: told.append(now))
    np.testing.assert_array_equal(cut.rows, whole.rows)
    np.testing.assert_allclose(cut.similarities, whole.similarities, atol=1e-6)
    assert told[0] == ("search", 0, 100)
    assert told[-1] == ("search", 100, 100)


@pytest.mark.parametrize("exclude", [False, True])
def test_more_copies_than_there_is_room_for(monkeypatch, exclude) -> None:
    monkeypatch.setattr(exact, "_ROWS", 700)
    # Sixteen times one quarter: sums of such products are exact, whatever order a processor's BLAS adds them in.
    signs = np.random.default_rng(0).choice([-0.25, 0.25], size=(2, 16)).astype(np.float32)
    embeddings = np.tile(signs[:1], (2000, 1))
    embeddings[1500] = signs[1]
    asked = np.repeat(embeddings[[0, 1500]], 3, axis=0)
    every_other = Exclusion(np.arange(2000) % 2, np.zeros(6, dtype=np.int32))
    hits = searched(embeddings, asked, k=100, exclusions=[every_other] if exclude else [])
    assert hits.rows[3, 0] == (1 if exclude else 1500)
    assert hits.rows[0].tolist() == (list(range(1, 200, 2)) if exclude else list(range(100)))
    assert np.allclose(hits.similarities[0], 1)


def test_adverse_order(monkeypatch) -> None:
    monkeypatch.setattr(exact, "_ROWS", 1000)
    angles = np.linspace(np.pi / 2, 0, 5000)  # each better than all before it
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    hits = searched(embeddings, embeddings[[4999]], k=100)
    np.testing.assert_array_equal(hits.rows[0], np.arange(4999, 4899, -1))


def test_the_best_of_the_first_block_may_all_be_excluded(monkeypatch) -> None:
    """What the first block promises must not count what a query may not be given."""
    monkeypatch.setattr(exact, "_ROWS", 100)
    angles = np.linspace(0, np.pi / 2, 300)
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    group = np.where(np.arange(300) < 250, 1, 2)
    asked = np.repeat(embeddings[:1], 5, axis=0)
    hits = searched(embeddings, asked, k=10, exclusions=[Exclusion(group, np.ones(5, dtype=np.int32))])
    assert (hits.rows == np.arange(250, 260)).all()


def test_nothing_to_ask_or_to_find() -> None:
    embeddings = vectors(4, 3, dtype=np.float32)
    assert searched(embeddings, embeddings[:0], k=2).rows.shape == (0, 2)
    none = searched(embeddings, embeddings, k=2, allowed=np.zeros(4, dtype=bool))
    assert none.counts.tolist() == [0, 0, 0, 0]
    scanned = searched(embeddings.astype(np.float16), embeddings[:1], k=2, allowed=np.zeros(4, dtype=bool))
    assert scanned.counts.tolist() == [0]


def test_who_is_told_can_stop_it(monkeypatch) -> None:
    monkeypatch.setattr(exact, "_ROWS", 100)
    monkeypatch.setattr(exact, "_TELL_EVERY", 0.0)
    embeddings = vectors(3000, 64, dtype=np.float32)
    told = []

    def stop(step: str, done: int, total: int) -> None:
        told.append((step, done, total))
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first_hits(
            ArrayVectors(embeddings),
            lambda part: embeddings[part],
            queries=3000,
            k=10,
            rows=np.arange(3000),
            progress=stop,
        )
    assert told[0] == ("search", 0, 3000)
    assert len(told) == 2
    assert told[1][1] < 3000


def test_rows_sorted_by_label_are_ranked_as_any_other(monkeypatch) -> None:
    monkeypatch.setattr(exact, "_ROWS", 64)
    centers = vectors(20, 16, dtype=np.float64)
    embeddings = np.repeat(centers, 50, axis=0) + 0.1 * vectors(1000, 16, seed=1, dtype=np.float64)
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    hits = searched(embeddings, embeddings[::37], k=60)
    for q, query in enumerate(embeddings[::37]):
        assert_same(hits, q, ranked(embeddings, query, 60))


@pytest.mark.parametrize("scattered", [False, True])
def test_a_reduction_sees_every_product_once(monkeypatch, scattered) -> None:
    monkeypatch.setattr(exact, "_ROWS", 30)
    monkeypatch.setattr(exact, "_FEWEST_QUERIES", 10)
    embeddings = vectors(101, 8, dtype=np.float32)
    rows = np.arange(0, 101, 2)
    sums = np.zeros((50, len(rows)))

    def add(part: slice, products) -> None:
        for places, product in products:
            sums[part, places.start : places.stop : places.step] += product

    over_products(
        ArrayVectors(embeddings),
        lambda part: embeddings[part],
        queries=50,
        rows=rows,
        reduce=add,
        most=20,
        scattered=scattered,
    )
    np.testing.assert_allclose(sums, embeddings[:50] @ embeddings[rows].T, atol=1e-6)
