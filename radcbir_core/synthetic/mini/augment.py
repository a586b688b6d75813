"""Augmentation: what one image could have looked like at another hospital, on another scanner, in another export.

Owns the changes and their ranges; works on whole batches, on any device, and takes all randomness from one generator.
Strength matters more than the size of the network: rotation, crop, gamma, window, resolution, noise, JPEG, inversion.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import torch

SIDE: Final = 144
"""Side of the network's input in pixels."""

# The quantization of luminance that JPEG's specification gives as an example (ITU-T T.81, Annex K, table K.1).
_JPEG_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)


def augment(
    pixels: torch.Tensor, extents: torch.Tensor, generator: torch.Generator, *, strength: float = 1.0
) -> torch.Tensor:
    """A batch as the network may see it.

    Args:
        pixels: (B, S, S) uint8, each image in the upper left, black elsewhere.
        extents: (B, 2) height and width of each image.
        generator: Source of all randomness, on the CPU.
        strength: How far, and how often, images are changed; 0 gives them as the encoder's own preprocessing shows
            them, but for rounding.

    Returns:
        (B, 144, 144) float32, 0 to 1.
    """
    images = _placed(pixels, extents, generator, strength=strength)
    if strength <= 0:
        return images
    for change in (_coarser, _regraded, _noisy, _compressed, _covered):
        images = change(images, generator, strength)
    return images.clamp(0, 1)


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> torch.Tensor:
    import torch

    return torch.rand(count, generator=generator) * (high - low) + low


def _happens(generator: torch.Generator, count: int, share: float) -> torch.Tensor:
    import torch

    return torch.rand(count, generator=generator) < share


def _placed(
    pixels: torch.Tensor, extents: torch.Tensor, generator: torch.Generator, *, strength: float
) -> torch.Tensor:
    """Whole image in the middle of a square, then turned, stretched, moved, mirrored."""
    import torch
    from torch.nn import functional

    count, side = len(pixels), pixels.shape[-1]
    angle = _uniform(generator, count, -1, 1) * (18 * math.pi / 180) * strength
    turned = _happens(generator, count, 0.03) & (strength > 0)
    angle = torch.where(turned, angle + math.pi / 2, angle)
    # Above 1 the image is larger than the square and its borders are cut off.
    zoom = torch.exp(_uniform(generator, count, math.log(0.8), math.log(1.22)) * strength)
    near = _happens(generator, count, 0.15) & (strength > 0)
    zoom = torch.where(near, zoom * _uniform(generator, count, 1.1, 1.35), zoom)
    stretch = torch.exp(_uniform(generator, count, -0.14, 0.14) * strength)
    mirrored = torch.where(_happens(generator, count, 0.5) & (strength > 0), -1.0, 1.0)
    shift = (_uniform(generator, count, -1, 1), _uniform(generator, count, -1, 1))
    room = (0.08 + 0.5 * (zoom - 1).clamp(min=0)) * strength

    height, width = extents[:, 0].float(), extents[:, 1].float()
    longest = torch.maximum(height, width)
    # From the output's coordinates, -1 to 1, to the image's, with the whole image in the middle of a square.
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    scale_x, scale_y = longest / side * stretch * mirrored, longest / side / stretch
    move_x, move_y = shift[0] * room, shift[1] * room
    rows = torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_x, width / side - 1 + move_x * scale_x], dim=1),
            torch.stack([sin * scale_y, cos * scale_y, height / side - 1 + move_y * scale_y], dim=1),
        ],
        dim=1,
    ).to(pixels.device)
    grid = functional.affine_grid(rows, [count, 1, SIDE, SIDE], align_corners=False)
    images = functional.grid_sample(
        pixels[:, None].float() / 255, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return images[:, 0]


def _coarser(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Up to a quarter of the batch as if from a smaller image or a softer scanner."""
    import torch
    from torch.nn import functional

    order = torch.randperm(len(images), generator=generator)
    for part in order[: round(len(images) * strength) // 4].chunk(3):
        if not len(part):
            continue
        size = int(torch.exp(_uniform(generator, 1, math.log(36), math.log(112))).item())
        part = part.to(images.device)  # noqa: PLW2901 - the same rows on the images' device
        small = functional.interpolate(images[part][:, None], size=size, mode="area")
        images = images.clone()
        images[part] = functional.interpolate(small, size=SIDE, mode="bilinear", align_corners=False)[:, 0]
    return images


def _regraded(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Another window, gamma, contrast; now and then inverted."""
    import torch

    count, device = len(images), images.device

    def of(values: torch.Tensor) -> torch.Tensor:
        return values.to(device)[:, None, None]

    windowed = _happens(generator, count, 0.5 * strength)
    low = torch.where(windowed, _uniform(generator, count, -0.12, 0.15), torch.zeros(count))
    high = torch.where(windowed, _uniform(generator, count, 0.7, 1.15), torch.ones(count))
    images = ((images - of(low)) / of(high - low)).clamp(0, 1)
    gamma = torch.exp(_uniform(generator, count, -0.55, 0.55) * strength)
    images = (images + 1e-4) ** of(gamma)
    contrast = 1 + (_uniform(generator, count, 0.75, 1.2) - 1) * strength
    brightness = _uniform(generator, count, -0.08, 0.08) * strength
    images = ((images - 0.4) * of(contrast) + 0.4 + of(brightness)).clamp(0, 1)
    inverted = _happens(generator, count, 0.06 * strength)
    return torch.where(of(inverted), 1 - images, images)


def _noisy(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Noise of electronics and, in proportion to the signal, of quanta and speckle."""
    import torch

    count, device = len(images), images.device
    added = torch.where(
        _happens(generator, count, 0.5 * strength), _uniform(generator, count, 0, 0.05), torch.zeros(count)
    )
    grain = torch.where(
        _happens(generator, count, 0.3 * strength), _uniform(generator, count, 0, 0.15), torch.zeros(count)
    )
    noise = torch.randn(images.shape, generator=generator).to(device)
    return images + noise * (added.to(device)[:, None, None] + grain.to(device)[:, None, None] * images)


def _compressed(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Up to a fifth of the batch with JPEG's losses: 8 x 8 cosine transform, quantized."""
    import torch

    rows = torch.nonzero(_happens(generator, len(images), 0.2 * strength))[:, 0]
    if not len(rows):
        return images
    coarseness = torch.exp(_uniform(generator, len(rows), math.log(0.4), math.log(4.0))).to(images.device)
    rows = rows.to(images.device)
    steps = torch.arange(8, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * steps[None, :] + 1) * steps[:, None] / 16) / 2
    basis[0] /= math.sqrt(2)
    basis = basis.to(images.device)
    blocks = images[rows].clamp(0, 1).reshape(len(rows), SIDE // 8, 8, SIDE // 8, 8).transpose(2, 3) * 255 - 128
    table = torch.from_numpy(_JPEG_LUMINANCE).to(images.device) * coarseness[:, None, None, None, None]
    kept = torch.round(basis @ blocks @ basis.T / table) * table
    restored = (basis.T @ kept @ basis + 128) / 255
    images = images.clone()
    images[rows] = restored.transpose(2, 3).reshape(len(rows), SIDE, SIDE)
    return images


def _covered(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Markers and other things that are burned in: small rectangles of one gray level, at any place."""
    import torch

    images = images.clone()
    for row in torch.nonzero(_happens(generator, len(images), 0.12 * strength))[:, 0].tolist():
        for _ in range(int(torch.randint(1, 4, (1,), generator=generator).item())):
            height, width = (int(torch.randint(3, limit, (1,), generator=generator).item()) for limit in (14, 30))
            top, left = (int(torch.randint(0, SIDE - 3, (1,), generator=generator).item()) for _ in range(2))
            level = float(torch.rand(1, generator=generator).item())
            images[row, top : top + height, left : left + width] = level
    return images
