"""Augmentation: what it keeps, how far it goes, and that it follows from its generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.transform import Transform
from radcbir_core.synthetic.mini import augment as module
from radcbir_core.synthetic.mini.augment import SIDE, augment
from tests.core.synthetic.mini.examples import made_up


def test_without_augmentation_the_network_sees_what_the_encoder_shows_it() -> None:
    y, x = np.mgrid[0:160, 0:120]
    picture = (125 + 55 * np.sin(x / 19) + 55 * np.cos(y / 23)).astype(np.uint8)
    pixels = np.zeros((1, 160, 160), dtype=np.uint8)
    pixels[0, :160, :120] = picture
    seen = augment(
        torch.from_numpy(pixels), torch.tensor([[160, 120]]), torch.Generator().manual_seed(0), strength=0.0
    )[0].numpy()
    preprocessing = Preprocessing(
        size=(SIDE, SIDE), fit="pad", interpolation="bilinear", color="RGB", mean=(0, 0, 0), std=(1, 1, 1)
    )
    shown = Transform(preprocessing)(picture)[0]
    inside = np.s_[4:-4, 20:-20]
    assert np.abs(seen[inside] - shown[inside]).max() < 0.02
    assert seen[:, :14].max() == 0 == shown[:, :14].max()


def test_augmentation_stays_in_range_varies_and_follows_from_its_generator() -> None:
    examples = made_up(8)
    pixels, extents = torch.from_numpy(examples.pixels), torch.from_numpy(examples.extents.astype(np.int64))
    one, same, other = (augment(pixels, extents, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == (len(examples), SIDE, SIDE)
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    assert torch.isfinite(one).all()
    assert torch.equal(one, same)
    assert (one - other).abs().mean() > 0.05


def test_weaker_augmentation_changes_images_less() -> None:
    examples = made_up(8)
    pixels, extents = torch.from_numpy(examples.pixels), torch.from_numpy(examples.extents.astype(np.int64))

    def changed(strength: float) -> float:
        shown = augment(pixels, extents, torch.Generator(), strength=0.0)
        made = [augment(pixels, extents, torch.Generator().manual_seed(seed), strength=strength) for seed in range(4)]
        return float(torch.stack([(one - shown).abs().mean() for one in made]).mean())

    assert 0 < changed(0.2) < changed(1.0)


@pytest.mark.parametrize("change", ["_coarser", "_regraded", "_noisy", "_compressed", "_covered"])
def test_each_change_does_nothing_at_strength_0_and_something_at_1(change) -> None:
    images = torch.rand(64, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    before = images.clone()
    made = getattr(module, change)(images, torch.Generator().manual_seed(1), 0.0)
    assert torch.allclose(made, before, atol=1e-3)
    made = getattr(module, change)(images, torch.Generator().manual_seed(1), 1.0)
    assert made.shape == before.shape
    assert (made - before).abs().amax(dim=(1, 2)).max() > 0.01
    assert torch.equal(images, before), "the batch that was given stays as it is"


def test_jpegs_losses_keep_a_block_of_one_level() -> None:
    flat = torch.full((50, SIDE, SIDE), 0.5)
    made = module._compressed(flat, torch.Generator().manual_seed(0), 1.0)
    # The coarsest step of a block's mean is 4 x 16 / 8 levels, of which half is lost at most.
    assert (made - flat).abs().max() <= 4.5 / 255
