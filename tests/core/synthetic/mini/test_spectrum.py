"""Power by spatial frequency against a slow sum over all frequencies, and what it says of pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.spectrum import RINGS, ring_levels, scale_of


def slow(image: np.ndarray) -> list[float]:
    """Ring by ring, frequency by frequency, from the full transform."""
    transform = np.fft.fft2(image)
    powers: list[list[float]] = [[] for _ in range(RINGS)]
    for row in range(SIDE):
        for column in range(SIDE):
            down, across = (place - SIDE if place >= SIDE // 2 else place for place in (row, column))
            ring = min(RINGS - 1, math.floor(math.hypot(down, across) / SIDE * 32))
            powers[ring].append(abs(transform[row, column]) ** 2)
    return [(sum(found) / len(found)) ** 0.25 for found in powers]


def test_rings_are_those_of_the_full_transform() -> None:
    images = np.random.default_rng(0).random((2, SIDE, SIDE)).astype(np.float32)
    found = ring_levels(torch.from_numpy(images)).numpy()
    assert found.shape == (2, RINGS)
    assert np.allclose(found, [slow(image) for image in images], atol=1e-3)


def test_a_wave_is_found_in_its_ring_alone() -> None:
    across = np.arange(SIDE)[None, :] / SIDE
    for cycles, ring in ((2, 0), (20, 5), (42, 10)):
        wave = np.repeat(np.cos(2 * math.pi * cycles * across), SIDE, axis=0).astype(np.float32)
        powers = ring_levels(torch.from_numpy(wave)[None])[0]
        assert int(powers.argmax()) == ring
        assert float(powers.sort().values[-1]) > 20 * float(powers.sort().values[-2])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 1.0))
def test_contrast_scales_all_rings_alike_and_mirrors_change_none(seed: int, contrast: float) -> None:
    images = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    powers = ring_levels(images)
    assert torch.allclose(ring_levels(images.flip(2)), powers, atol=1e-3)
    assert torch.allclose(ring_levels(images.transpose(1, 2)), powers, atol=1e-3)
    assert torch.allclose(ring_levels(contrast * images), contrast**0.5 * powers, rtol=1e-3)


def test_on_the_scale_of_some_images_these_have_mean_0_and_spread_1() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(12, SIDE, SIDE, generator=generator) * torch.rand(12, 1, 1, generator=generator)
    scale = scale_of(images)
    rings = (ring_levels(images) - scale.mean) / scale.deviation
    assert torch.allclose(rings.mean(dim=0), torch.zeros(RINGS), atol=1e-3)
    assert torch.allclose(rings.std(dim=0), torch.ones(RINGS), atol=1e-3)
    assert torch.allclose(scale(images), rings / rings.norm(dim=1, keepdim=True), atol=1e-5)
    # Images without any variety, black ones among them, give finite numbers.
    black = torch.zeros(3, SIDE, SIDE)
    assert torch.isfinite(scale_of(black)(black)).all()
    assert float(ring_levels(black).max()) == 0
