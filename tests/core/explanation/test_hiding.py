"""What an encoder gets of an image, and what is left when parts are hidden: against one image at a time."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.transform import Transform
from radcbir_core.errors import QueryError
from radcbir_core.explanation.hiding import Input, checked_fill, embeddings_of, left_when_hidden


class Padding:
    """An encoder as far as an input needs one: 16 x 16, the image in its middle."""

    preprocessing = Preprocessing(
        size=(16, 16), fit="pad", interpolation="bilinear", color="RGB", mean=(0.5,) * 3, std=(0.5,) * 3
    )

    def prepare(self, pixels):
        return Transform(self.preprocessing)(pixels)


def test_what_was_added_around_an_image_is_not_seen() -> None:
    image = Input.of(Padding(), np.full((20, 40), 200, dtype=np.uint8))
    assert image.size == (16, 16)
    assert image.seen == (4, 0, 12, 16)
    assert image.box == (-10.0, 0.0, 30.0, 40.0)
    assert np.array_equal(image.seen_mask, image.channels[0] > 0)
    tall = Input.of(Padding(), np.full((4000, 10), 200, dtype=np.uint8))
    assert (tall.seen[3] - tall.seen[1], tall.seen[2] - tall.seen[0]) == (1, 16), "there is something to hide in any"


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_what_stands_in_its_place_keeps_what_was_added(fill) -> None:
    ramp = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (20, 1))
    image = Input.of(Padding(), ramp)
    made = image.filled(fill, side=4)
    outside = ~image.seen_mask
    assert np.array_equal(made[:, outside], image.channels[:, outside])
    inside = image.channels[0, 4:12]
    if fill == "mean":
        np.testing.assert_allclose(made[0, 4:12], inside.mean(), atol=1e-6)
    else:
        assert made[0, 4:12].std() < inside.std()
        assert made[0, 4:12].min() > -1, "the black around it has not run into it"


def test_what_is_left_is_that_of_each_by_itself(mini) -> None:
    encoder = load_encoder("radcbir-mini", device="cpu")
    random = np.random.default_rng(0)
    one, other = (Input.of(encoder, random.integers(0, 256, (40, 30), dtype=np.uint8)) for _ in range(2))
    masks = random.random((70, *one.size)) < 0.2
    masks[0] = False
    own = embeddings_of(encoder, [one, other])
    told = []
    left = left_when_hidden(encoder, one, masks, other=own[1], fill="mean", side=8, told=told.append)
    assert sum(told) == 70
    assert len(told) > 1, "several batches"
    assert left[0] == pytest.approx(own[0] @ own[1], abs=1e-5)
    instead = one.filled("mean", side=8)
    for at in (3, 40, 69):
        changed = one.channels.copy()
        changed[:, masks[at]] = instead[:, masks[at]]
        assert left[at] == pytest.approx((encoder.encode_prepared(changed[None]) @ own[1])[0], abs=1e-5)
    assert left_when_hidden(encoder, one, [], other=own[1], fill="mean", side=8).shape == (0,)


def test_a_fill_that_there_is_not() -> None:
    assert checked_fill("blur") == "blur"
    with pytest.raises(QueryError, match="Expected a fill of blur or mean, but fill = 'black'"):
        checked_fill("black")
