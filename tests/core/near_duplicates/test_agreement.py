"""Copies agree, other pictures do not; alignment undoes what was done."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.near_duplicates.agreement import Pictures, agree, aligned, best_direction, turned
from radcbir_core.near_duplicates.signatures import gray_patch, halved, normalized, of_norm_one
from tests.core.near_duplicates.copies import COPIES, blobs


def pictures_of(pixels) -> Pictures:
    patches = [gray_patch(thumbnail_of(np.ascontiguousarray(one))) for one in pixels]
    grays = np.stack([patch for patch, _ in patches])
    small = of_norm_one(halved(normalized(halved(grays)))).astype(np.float16)
    return Pictures(small, lambda rows: grays[rows], np.array([shorter for _, shorter in patches], dtype=np.int32))


@pytest.fixture(scope="module")
def originals():
    return [blobs(seed) for seed in range(8)]


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_recognized(originals, kind) -> None:
    pictures = pictures_of([*originals, *map(COPIES[kind], originals)])
    number = len(originals)
    assert agree(pictures, np.arange(number), np.arange(number, 2 * number)).all()


def test_other_pictures_are_not(originals) -> None:
    first, second = np.triu_indices(len(originals), 1)
    assert not agree(pictures_of(originals), first, second).any()


def test_it_does_not_matter_which_of_two_comes_first_nor_what_else_is_asked(originals) -> None:
    pictures = pictures_of([*originals[:4], *(COPIES["all at once"](one) for one in originals[:4])])
    first, second = (values.ravel() for values in np.mgrid[0:8, 0:8])
    together = agree(pictures, first, second)
    assert (together.reshape(8, 8) == together.reshape(8, 8).T).all()
    single = [agree(pictures, first[i : i + 1], second[i : i + 1])[0] for i in range(64)]
    assert together.tolist() == single


def test_no_pairs_and_empty_pictures_agree_with_nothing() -> None:
    pictures = pictures_of([np.full((160, 160), 90, dtype=np.uint8)] * 2)
    assert agree(pictures, np.array([0]), np.array([1])).tolist() == [False]
    assert agree(pictures, np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []


def test_small_pictures_need_to_agree_more() -> None:
    one = blobs(0, 40)
    noisy = np.clip(one + np.random.default_rng(0).normal(0, 9, one.shape), 0, 255).astype(np.uint8)
    pictures = pictures_of([one, COPIES["flipped"](one), noisy])
    assert agree(pictures, np.array([0, 0]), np.array([1, 2])).tolist() == [True, False]


@settings(max_examples=20)
@given(direction=st.integers(0, 3), inverted=st.booleans(), seed=st.integers(0, 99))
def test_the_direction_and_the_sign_are_found(direction, inverted, seed) -> None:
    one = of_norm_one(np.random.default_rng(seed).normal(size=(1, 16, 16)).astype(np.float32))
    other = turned(one, np.array([direction])) * (-1 if inverted else 1)
    best, correlation = best_direction(one, other)
    assert best.tolist() == [direction]
    assert correlation == pytest.approx([-1 if inverted else 1], abs=1e-5)
    np.testing.assert_array_equal(turned(turned(other, best), best), other)


@settings(max_examples=20)
@given(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04), st.floats(0.94, 1.06), st.floats(0.94, 1.06))
def test_a_picture_that_was_moved_and_stretched_is_laid_back(down, across, high, wide) -> None:
    side = 32
    at = np.arange(side) - (side - 1) / 2

    def drawn(y, x):
        y, x = y[:, None] / side, x[None] / side
        return (np.sin(9 * x + 3 * y) + np.cos(11 * y - 5 * x) + np.sin(14 * x * y + 2))[None].astype(np.float32)

    first = of_norm_one(drawn(at, at))
    second = of_norm_one(drawn((at - down * side) / high, (at - across * side) / wide))
    place = aligned(first, second, steps=6)
    assert place.correlation[0] > 0.98
    assert place.zoom[0] == pytest.approx([high, wide], abs=0.02)
    assert place.move[0] == pytest.approx([down, across], abs=0.01)
    assert aligned(first, -second, steps=6).correlation == pytest.approx(place.correlation, abs=1e-4)
