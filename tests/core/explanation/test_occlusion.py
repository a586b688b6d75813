"""Occlusion maps: against a plain loop, over planted places, and squares that cover all of an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.hiding import Input, embeddings_of
from radcbir_core.explanation.occlusion import Squares, occlusion_map
from tests.core.explanation.made_encoders import PATCH, PLACES, sharing_one_place

SQUARES = Squares(0.1875, 0.0625)


def by_a_loop(encoder, image: Input, other: np.ndarray, *, side: int, stride: int) -> np.ndarray:
    """The same, of an image that is all seen, square by square."""
    height, width = image.size
    before = float(embeddings_of(encoder, [image])[0] @ other)
    total, count = np.zeros(image.size), np.zeros(image.size)
    mean = image.channels.mean()
    for y in range(0, height - side + 1, stride):
        for x in range(0, width - side + 1, stride):
            changed = image.channels.copy()
            changed[:, y : y + side, x : x + side] = mean
            after = float(encoder.encode_prepared(changed.reshape(1, -1))[0] @ other)
            total[y : y + side, x : x + side] += before - after
            count[y : y + side, x : x + side] += 1
    return total / count


def test_it_is_that_of_a_plain_loop() -> None:
    encoder = load_encoder("pixels")
    random = np.random.default_rng(1)
    one, other = (Input.of(encoder, random.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(2))
    own = embeddings_of(encoder, [one, other])
    found = occlusion_map(
        encoder, one, other=own[1], similarity=float(own[0] @ own[1]), squares=SQUARES, fill="mean"
    )  # fmt: skip
    np.testing.assert_allclose(found, by_a_loop(encoder, one, own[1], side=6, stride=2), atol=1e-6)


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_it_is_highest_where_two_images_share_something(fill) -> None:
    encoder = load_encoder("pixels")
    one, other = (Input.of(encoder, pixels) for pixels in sharing_one_place())
    own = embeddings_of(encoder, [one, other])
    found = occlusion_map(
        encoder, one, other=own[1], similarity=float(own[0] @ own[1]), squares=SQUARES, fill=fill
    )  # fmt: skip
    y, x = np.unravel_index(np.nanargmax(found), found.shape)
    top, left = PLACES[0]
    assert top <= y < top + PATCH
    assert left <= x < left + PATCH
    assert found[y, x] > 5 * np.abs(found[16:, :16]).max()


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    corner=st.tuples(st.integers(0, 10), st.integers(0, 10)),
    patch=st.floats(0.05, 1),
    stride=st.floats(0.05, 1),
)
def test_squares_cover_what_is_seen_and_nothing_else(size, corner, patch, stride) -> None:
    height, width = size[0] + 2 * corner[0], size[1] + 2 * corner[1]
    seen = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    image = Input(np.zeros((1, height, width), dtype=np.float32), (height * width,), (0, 0, 1, 1), seen, (1, 1))
    squares = Squares(patch, min(stride, patch))
    side, _ = squares.cells(image.size)
    covered = np.zeros((height, width), dtype=int)
    places = squares.places(image)
    for top, left, bottom, right in places:
        covered[top:bottom, left:right] += 1
        assert 0 < bottom - top <= side
        assert 0 < right - left <= side
    assert len(set(places)) == len(places)
    assert np.array_equal(covered > 0, image.seen_mask)
