"""Reading blocks that were never compared with a row, against comparing everything."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.search.neighbors import block_reading
from radcbir_core.search.neighbors.block_reading import Spread, deviations_below, reach_for, read_for


def drawn(number: int, *, seed: int, dimension: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors block by block, where blocks begin, and their middles."""
    random = np.random.default_rng(seed)
    edges = np.array([0, *sorted(random.choice(np.arange(1, number), size=min(7, number - 1), replace=False)), number])
    sizes = np.diff(edges)
    centers = random.normal(size=(len(sizes), dimension))
    vectors = np.repeat(centers, sizes, axis=0) + 0.4 * random.normal(size=(number, dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    middles = np.add.reduceat(vectors, edges[:-1]) / sizes[:, None].astype(np.float32)
    return vectors, edges, middles.astype(np.float32)


def between(products: np.ndarray) -> np.ndarray:
    """What eight of a row reach and no other, away from both: products of other shapes differ in their last bit."""
    return (products[:, 7] + products[:, min(8, products.shape[1] - 1)]) / 2


def read(vectors: np.ndarray, edges: np.ndarray, middles: np.ndarray, *, rows: slice, known: np.ndarray, **options):
    products = -np.sort(-(vectors[rows] @ vectors.T), axis=1)
    return read_for(
        rows,
        vectors,
        edges=edges,
        middles=middles,
        spread=Spread.of(vectors, edges=edges, middles=middles),
        known=known,
        floors=options.pop("floors", products[:, 3]),
        lasts=options.pop("lasts", between(products)),
        **options,
    )


@settings(max_examples=60, deadline=None)
@given(
    number=st.integers(9, 60), seed=st.integers(0, 999), most=st.integers(1, 12), at_once=st.sampled_from([0, 9, 99])
)
def test_with_all_within_reach_it_gives_what_comparing_everything_gives(number, seed, most, at_once) -> None:
    """However few pairs are held at once."""
    vectors, edges, middles = drawn(number, seed=seed)
    random = np.random.default_rng(seed)
    rows = slice(2, 2 + min(5, number - 2))
    own = np.arange(rows.start, rows.stop)
    known = np.array([[row, *random.choice(number, size=3, replace=False), -1] for row in own], dtype=np.int32)
    # No floor: few rows may spread in one direction alone, and no reach is far for a row that stands across it.
    nothing = np.full(len(own), -np.inf, dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_reading, "_KEPT_AT_ONCE", at_once)
        found = read(vectors, edges, middles, rows=rows, known=known, floors=nothing, reach=0.0, most=most)
    products = vectors[rows] @ vectors.T
    last = between(-np.sort(-products, axis=1))
    for line in range(len(own)):
        near = [place for place in range(number) if products[line, place] >= last[line] and place not in known[line]]
        expected = sorted(near, key=lambda place, line=line: (-products[line, place], place))[:most]
        given_ = found[line][found[line] >= 0]
        np.testing.assert_allclose(products[line, given_], products[line, expected], atol=1e-6)
        assert not set(given_.tolist()) & set(known[line].tolist())
        assert len(set(given_.tolist())) == len(given_)
        assert (found[line][len(given_) :] == -1).all()


@pytest.mark.parametrize("seed", range(5))
def test_what_a_smaller_reach_gives_a_larger_one_gives_too_and_nothing_needs_no_reading(seed) -> None:
    vectors, edges, middles = drawn(80, seed=seed)
    rows = slice(0, 80)
    known = np.arange(80, dtype=np.int32)[:, None]
    before: list[set[int]] = [set() for _ in range(80)]
    for reach in (-np.inf, -3.0, 0.0, 1.0, 4.0):
        found = read(vectors, edges, middles, rows=rows, known=known, reach=reach, most=80)
        sets = [set(line[line >= 0].tolist()) for line in found]
        assert all(small <= large for small, large in zip(before, sets, strict=True))
        before = sets
        if reach == -np.inf:
            assert not any(sets)


def test_of_many_copies_of_one_vector_few_are_held_at_once(monkeypatch) -> None:
    """Each of a thousand black pictures is as near to every other as to itself."""
    vectors, edges, middles = drawn(1500, seed=1)
    vectors[:1000] = vectors[0]
    middles = np.add.reduceat(vectors, edges[:-1]) / np.diff(edges)[:, None].astype(np.float32)
    held = []

    class Watched(block_reading._Nearest):
        def _settle(self):
            held.append(self._waiting)
            return super()._settle()

    monkeypatch.setattr(block_reading, "_Nearest", Watched)
    monkeypatch.setattr(block_reading, "_KEPT_AT_ONCE", 2000)
    rows, known = slice(0, 400), np.tile(np.arange(5, dtype=np.int32), (400, 1))
    own = np.full(400, np.float32(vectors[0] @ vectors[0]) - np.float32(1e-6))
    found = read(vectors, edges, middles, rows=rows, known=known, floors=own, lasts=own, reach=3.0, most=7)
    assert (found == np.arange(5, 12)).all(), "of equals the first that are new"
    largest = int(np.diff(edges).max())
    assert max(held) <= 2000 + 400 * largest < 400 * 1000


def test_all_is_within_an_infinite_reach_and_nothing_within_minus_infinity() -> None:
    """Where nothing spreads, no number of deviations reaches beyond a middle."""
    vectors = np.repeat(np.eye(4, dtype=np.float32), 3, axis=0)
    edges = np.arange(0, 13, 3)
    named = {"rows": slice(0, 3), "known": np.tile(np.arange(3, dtype=np.int32), (3, 1)), "most": 4}
    low, high = np.full(3, -1, dtype=np.float32), np.full(3, 0.5, dtype=np.float32)
    for reach, expected in ((np.inf, [3, 4, 5, 6]), (1e9, [-1] * 4), (-np.inf, [-1] * 4)):
        found = read(vectors, edges, np.eye(4, dtype=np.float32), floors=high, lasts=low, reach=reach, **named)
        assert found.tolist() == [expected] * 3


def test_a_row_without_a_floor_reads_everything() -> None:
    vectors, edges, middles = drawn(40, seed=1)
    nothing = np.full(40, -np.inf, dtype=np.float32)
    known = np.full((40, 2), -1, dtype=np.int32)
    options = {"rows": slice(0, 40), "known": known, "reach": -5.0, "most": 40}
    found = read(vectors, edges, middles, floors=nothing, lasts=nothing, **options)
    assert (np.sort(found, axis=1) == np.arange(40)).all()


def test_spreads_and_deviations_are_those_of_plain_python() -> None:
    vectors, edges, middles = drawn(50, seed=3)
    spread = Spread.of(vectors, edges=edges, middles=middles)
    left = [vectors[a:b].astype(float) - middles[n] for n, (a, b) in enumerate(pairwise(edges))]
    squares = [float((part**2).sum()) for part in left]
    mean = sum(squares) / 50
    expected = [((own + 10 * mean) / (len(part) + 10) / mean) ** 0.5 for own, part in zip(squares, left, strict=True)]
    np.testing.assert_allclose(spread.blocks, expected, rtol=1e-5)
    together = np.concatenate(left)
    np.testing.assert_allclose(spread.covariance, together.T @ together / 50, atol=1e-6)
    floors, blocks = np.array([0.9, 0.1], dtype=np.float32), np.array([[0, 3], [2, 1]])
    below = deviations_below(floors, vectors[:2], middles=middles, spread=spread, blocks=blocks)
    for row in range(2):
        own = vectors[row].astype(float)
        apart = (own @ (together.T @ together / 50) @ own) ** 0.5
        for column in range(2):
            block = blocks[row, column]
            expected_here = (floors[row] - middles[block].astype(float) @ own) / (apart * expected[block])
            assert below[row, column] == pytest.approx(expected_here, rel=1e-4)


def test_blocks_of_equal_vectors_have_no_spread() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    edges, middles = np.array([0, 3, 6]), np.eye(2, dtype=np.float32)
    spread = Spread.of(vectors, edges=edges, middles=middles)
    floors = np.array([1.0, 0.5], dtype=np.float32)
    options = {"middles": middles, "spread": spread, "blocks": np.array([[0, 1], [0, 1]])}
    below = deviations_below(floors, vectors[[0, 0]], **options)
    assert below.tolist() == [[-np.inf, np.inf], [-np.inf, np.inf]]


@settings(max_examples=100, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30),
    percent=st.integers(1, 100),
)
def test_the_reach_is_the_least_with_which_enough_is_seen(pairs, percent) -> None:
    below = np.array([[float(one) for one, _ in pairs]])
    found = np.array([[one for _, one in pairs]])
    reach = reach_for(below, found, share=percent / 100)

    def seen(limit: float) -> float:
        return sum(is_found or one <= limit for one, is_found in pairs) / len(pairs)

    assert seen(reach) >= percent / 100 - 1e-9
    smaller = [-np.inf, *(one for one, _ in pairs if one < reach)]
    assert reach == -np.inf or all(seen(limit) < percent / 100 for limit in smaller)
