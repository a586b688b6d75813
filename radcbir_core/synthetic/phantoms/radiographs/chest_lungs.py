"""The vessels of the lung: a branching tree from each hilum, and the fine mesh that is too small to be told apart.

Owns the normal lung markings. A tree belongs to the patient; an image projects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.phantoms.canvas import Field
from radcbir_core.synthetic.phantoms.radiographs.chest_body import HEIGHT, Build
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.shapes import strokes

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Branches of one lung's vessels or airways.

    Attributes:
        starts: (N, 3) cm.
        ends: (N, 3) cm.
        radii: (N,) cm, thickest last so that they are drawn on top.
    """

    starts: Rows
    ends: Rows
    radii: Rows

    def part(self, keep: npt.NDArray[np.bool_]) -> Tree:
        """Only the branches that are kept."""
        return Tree(starts=self.starts[keep], ends=self.ends[keep], radii=self.radii[keep])


def grow(generator: np.random.Generator, build: Build, *, side: float, generations: int = 5) -> Tree:
    """The vessels of one lung, side -1 for the patient's right (the image's left) and 1 for the left."""
    # Segmental branches fan out from the hilum; those to the lower lobe are the widest and longest.
    angles = np.deg2rad(np.array([-85, -62, -38, -12, 12, 35, 55, 72, 88, 40]) + generator.normal(0, 9, 10))
    number = len(angles)
    origin = np.array([side * 3.7 * build.width, (10.6 if side < 0 else 9.9) * build.inspiration / HEIGHT, 0.0])
    at = origin + np.column_stack(
        [
            side * generator.uniform(-0.5, 1.0, number),
            generator.uniform(-1.2, 1.9, number),
            generator.normal(0, 1, number),
        ]
    )
    radius = np.array([0.34, 0.40, 0.36, 0.32, 0.34, 0.46, 0.56, 0.60, 0.48, 0.52]) * generator.uniform(
        0.85, 1.15, number
    )
    heading = angles
    starts, ends, radii = [], [], []
    length = np.full(number, 2.8)
    for generation in range(generations):
        stride = length * generator.uniform(0.7, 1.25, len(at))
        step = np.column_stack(
            [
                side * np.cos(heading) * stride,
                np.sin(heading) * stride * build.inspiration / HEIGHT,
                generator.normal(0, 1.0, len(at)),
            ]
        )
        tip = at + step
        starts.append(at)
        ends.append(tip)
        radii.append(radius)
        spread = generator.uniform(0.2, 0.62, len(at))
        at = np.concatenate([tip, tip])
        heading = np.concatenate([heading + spread, heading - spread])
        keep = generator.uniform(0.62, 0.84, len(at))
        radius = np.concatenate([radius, radius]) * keep
        length = np.concatenate([length, length]) * (0.86 if generation else 0.95)
    order = np.argsort(np.concatenate(radii))
    caliber = np.concatenate(radii)[order] * build.vessels
    return Tree(starts=np.concatenate(starts)[order], ends=np.concatenate(ends)[order], radii=caliber)


def blood(trees: list[Tree], frame: Frame, *, breath: float = 1.0) -> Field:
    """The vessels along the ray in cm, (SIDE, SIDE): as thick as they are wide."""
    starts = np.concatenate([tree.starts for tree in trees])
    ends = np.concatenate([tree.ends for tree in trees])
    radii = np.concatenate([tree.radii for tree in trees])
    stretch = np.array([1.0, breath, 1.0])
    first, last = frame.pixels(starts * stretch), frame.pixels(ends * stretch)
    paths = np.stack([first, last], axis=1)
    widest = 1.8
    values = np.clip(3.7 * radii / widest, 0, 1)
    return strokes(list(paths), list(2 * radii * frame.scale), list(values)) * np.float32(widest)
