"""Pictures of nothing: the same for the same numbers, of many kinds, none of them empty."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.synthetic.mini import procedural
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.procedural import KINDS, procedural_picture


def test_a_picture_follows_from_its_numbers() -> None:
    first = procedural_picture(3, 0)
    assert first.shape == (SIDE, SIDE)
    assert first.dtype == np.uint8
    assert np.array_equal(first, procedural_picture(3, 0))
    assert not np.array_equal(first, procedural_picture(3, 1))
    assert not np.array_equal(first, procedural_picture(4, 0))


def test_no_picture_is_empty() -> None:
    pictures = np.stack([procedural_picture(1, number) for number in range(40)])
    assert (pictures.reshape(40, -1).std(axis=1) > 2).all()
    tiny = pictures.reshape(40, -1)[:, ::37].astype(float)
    assert np.abs(np.corrcoef(tiny) - np.eye(40)).max() < 0.95, "two of them are nearly the same"


@pytest.mark.parametrize("draw", KINDS, ids=lambda draw: draw.__name__.strip("_"))
def test_each_kind_draws_finite_numbers_in_every_form(draw) -> None:
    for seed in range(8):
        picture = draw(np.random.default_rng(seed))
        assert picture.shape == (SIDE, SIDE)
        assert np.isfinite(picture).all()
        assert picture.std() > 0


def test_noise_falls_with_its_slope() -> None:
    power = [np.abs(np.fft.rfft2(procedural._spectral(np.random.default_rng(0), slope))) ** 2 for slope in (0.6, 2.0)]
    low, high = (slice(1, 6), slice(1, 6)), (slice(40, 60), slice(40, 60))
    steep = [part[low].mean() / part[high].mean() for part in power]
    assert steep[1] > 100 * steep[0]
