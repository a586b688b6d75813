"""Search among tiles against an oracle that looks at every tile of every image in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.search.backend import ArrayVectors, Exclusion, unit
from radcbir_core.search.engines import best_tiles as engine
from radcbir_core.search.engines.best_tiles import best_tiles
from tests.core.search.oracle import assert_same, blocked_by, vectors


def oracle(tiles, query, k, per, allowed, blocked) -> list[tuple[float, int, dict[int, float]]]:
    """For each image its best cosine and that of every tile, best image first; plain loops."""
    found = []
    for image in range(len(tiles) // per):
        if image in blocked or not allowed[image]:
            continue
        cosines = {}
        for tile in range(per):
            vector = tiles[image * per + tile].astype(np.float64)
            length = np.sqrt(sum(number * number for number in vector))
            if length > 0:
                cosines[tile] = sum(a * b for a, b in zip(vector, query.astype(np.float64), strict=True)) / length
        if cosines:
            found.append((max(cosines.values()), image, cosines))
    return sorted(found, key=lambda one: (-one[0], one[1]))[:k]


@settings(max_examples=60)
@given(
    images=st.integers(1, 40),
    per=st.integers(1, 6),
    queries=st.integers(1, 6),
    k=st.integers(1, 50),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1),
    empty=st.floats(0, 0.9),
    block=st.sampled_from([3, 16_384]),
)
def test_an_image_is_as_similar_as_its_best_tile(images, per, queries, k, seed, share, empty, block) -> None:
    random = np.random.default_rng(seed)
    tiles = vectors(images * per, 5, seed=seed)
    tiles[random.random(len(tiles)) < empty] = 0
    asked = unit(random.normal(size=(queries, 5)), dimension=5)
    allowed = random.random(images) < share
    exclusions = [Exclusion(random.integers(-1, 4, images), random.integers(-1, 4, queries)) for _ in range(seed % 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_VECTORS", block)
        found = best_tiles(ArrayVectors(tiles), asked, per=per, k=k, allowed=allowed, exclusions=exclusions)
    assert found.hits.rows.shape == found.tiles.shape == (queries, k)
    for q in range(queries):
        expected = oracle(tiles, asked[q], k, per, allowed, blocked_by(exclusions, q))
        assert_same(found.hits, q, [(similarity, row) for similarity, row, _ in expected])
        cosines = {row: of_tiles for _, row, of_tiles in expected}
        for row, tile, similarity in zip(
            found.hits.rows[q].tolist(), found.tiles[q].tolist(), found.hits.similarities[q].tolist(), strict=True
        ):
            if row >= 0 and row in cosines:
                assert abs(cosines[row][tile] - similarity) < 2e-6
        assert (found.tiles[q, len(expected) :] == -1).all()


@settings(max_examples=40)
@given(images=st.integers(1, 30), per=st.integers(1, 5), share=st.floats(0, 1), seed=st.integers(0, 10_000))
def test_what_is_about_the_whole_is_compared_with_the_first_tile(images, per, share, seed) -> None:
    random = np.random.default_rng(seed)
    tiles = vectors(images * per, 5, seed=seed)
    region, other = unit(random.normal(size=(2, 5)), dimension=5)
    part, rest = np.float32(share) * region, np.float32(1 - share) * other
    length = max(float(np.linalg.norm(part + rest)), 0.1)
    part, rest = part / length, rest / length
    found = best_tiles(ArrayVectors(tiles), part[None], per=per, k=images, wholes=rest[None])
    directions = tiles.astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = []
    for image in range(images):
        mine = directions[image * per : (image + 1) * per]
        scores = [float(np.dot(part, tile) + np.dot(rest, mine[0])) for tile in mine]
        expected.append((max(scores), image))
    assert_same(found.hits, 0, [(score, row) for score, row in sorted(expected, key=lambda one: (-one[0], one[1]))])


def test_where_all_cosines_are_negative_a_tile_of_zeros_is_not_the_best() -> None:
    tiles = np.float16([[0, 0], [-1, 0], [-0.6, -0.8], [0, 0], [0, 0], [0, 0]])
    found = best_tiles(ArrayVectors(tiles), np.float32([[1, 0]]), per=2, k=3)
    assert found.hits.rows.tolist() == [[1, 0, -1]]
    assert found.tiles.tolist() == [[0, 1, -1]]
    assert found.hits.counts.tolist() == [2]


def test_a_tile_at_a_right_angle_is_one() -> None:
    tiles = np.float16([[0, 1], [0, 1], [-1, 0], [-1, 0]])
    found = best_tiles(ArrayVectors(tiles), np.float32([[1, 0]]), per=2, k=2)
    assert found.hits.rows.tolist() == [[0, 1]]
    assert found.hits.similarities.tolist() == [[0.0, -1.0]]


def test_of_equals_the_lower_row_and_the_lower_tile_come_first() -> None:
    tiles = np.tile(np.float16([0.6, 0.8]), (40, 1))
    found = best_tiles(ArrayVectors(tiles), np.float32([[1, 0]]), per=4, k=7)
    assert found.hits.rows.tolist() == [list(range(7))]
    assert found.tiles.tolist() == [[0] * 7]


def test_nothing_is_found_among_nothing() -> None:
    tiles = np.eye(4, dtype=np.float16)
    found = best_tiles(ArrayVectors(tiles), np.eye(4, dtype=np.float32)[:1], per=2, k=3, allowed=np.zeros(2, bool))
    assert found.hits.counts.tolist() == [0]
    assert (found.tiles == -1).all()
