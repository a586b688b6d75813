"""How sharp and how noisy an image is: its power by spatial frequency.

Owns the measure that the network learns to tell: the mean power in rings of the Fourier transform (radially averaged
power spectrum), as its fourth root, each ring in units of its spread over the images that are trained on. Images of one
exposure, reconstruction or export agree in it; so it says much of where an image is from, and little of findings. The
root, because a network of this size sees the amplitude of fine detail, but not the logarithm of next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.mini.augment import SIDE

if TYPE_CHECKING:
    import torch

RINGS: Final = 20
"""Rings of the same width; the last ones lie in the corners of the transform."""


@dataclass(frozen=True)
class Scale:
    """What rings are measured in: mean and spread, (20,) each."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 20) of norm 1 for (B, 128, 128) of 0 to 1."""
        from torch.nn import functional

        return functional.normalize((ring_levels(images) - self.mean) / self.deviation, dim=1)


def scale_of(images: torch.Tensor) -> Scale:
    """The scale on which these (B, 128, 128) images vary by 1."""
    levels = ring_levels(images)
    return Scale(levels.mean(dim=0), levels.std(dim=0).clamp(min=1e-3))


def ring_levels(images: torch.Tensor) -> torch.Tensor:
    """Fourth root of the mean power in each ring: the square root of an amplitude.

    Args:
        images: (B, 128, 128), 0 to 1.

    Returns:
        (B, 20), from the mean gray level's ring to the finest detail.
    """
    import torch

    power = torch.fft.rfft2(images).abs().square().flatten(1)
    return torch.pow(power @ torch.from_numpy(_MEANS).to(images.device), 0.25)


def _means() -> npt.NDArray[np.float32]:
    """(F, 20): what makes the means of the rings from the power at each frequency of a real image's transform."""
    down, across = np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE)
    ring = (np.hypot(down[:, None], across[None, :]) * 32).astype(int).clip(max=RINGS - 1)
    # All but the first and last columns stand for their mirror images as well.
    weight = np.where((np.arange(len(across)) % (SIDE // 2)) == 0, 1.0, 2.0) * np.ones((SIDE, 1))
    members = (ring.ravel()[:, None] == np.arange(RINGS)) * weight.ravel()[:, None]
    return np.asarray(members / members.sum(axis=0), dtype=np.float32)


_MEANS: Final = _means()
