"""A few made-up examples for the tests of the recipe."""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.examples import CACHE_SIDE, Examples

KINDS = (
    ("XR", "chest", ("normal",)),
    ("XR", "chest", ("effusion", "mass")),
    ("CT", "head", ("hemorrhage",)),
    ("MR", "brain", ("glioma",)),
    ("CT", "head", ()),
    ("", "", ()),
)


def made_up(each: int = 4, *, seed: int = 0) -> Examples:
    """``each`` noisy images of each kind, every fourth of them on the validation side."""
    generator = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS for _ in range(each)]
    count = len(kinds)
    pixels = np.zeros((count, CACHE_SIDE, CACHE_SIDE), dtype=np.uint8)
    extents = np.zeros((count, 2), dtype=np.int16)
    for row in range(count):
        height, width = (CACHE_SIDE, int(generator.integers(60, CACHE_SIDE))) if row % 2 else (100, CACHE_SIDE)
        extents[row] = height, width
        pixels[row, :height, :width] = generator.integers(0, 256, (height, width))
    return Examples(
        pixels=pixels,
        extents=extents,
        prepared=generator.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8),
        modality=[kind[0] for kind in kinds],
        anatomy=[kind[1] for kind in kinds],
        pathologies=[kind[2] for kind in kinds],
        captions=["A caption." if row % 3 == 0 else "" for row in range(count)],
        views=[""] * count,
        sources=["made/up"] * count,
        image_ids=[f"image-{row}" for row in range(count)],
        sha256=[f"{row:016x}" * 4 for row in range(count)],
        groups=np.arange(count),
        validation=np.arange(count) % 4 == 3,
    )
