"""Ultrasound of the gallbladder with a convex probe: normal, gallstones.

Signs as in Rumack and Levine, *Diagnostic Ultrasound* (5th ed., chapter 6): the gallbladder is a black pear with a thin
bright wall at the lower face of the liver and brightens what is behind it; stones are bright curves that lie on its
lower wall and cast a clean shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.abdomen import FAT, Bowel, Kidney, Liver, Wall, vessels
from radcbir_core.synthetic.phantoms.ultrasound.body import Body, Pattern, Probe, View, ellipse, views
from radcbir_core.synthetic.phantoms.ultrasound.scanner import convex_scanner


@dataclass(frozen=True)
class _Stone:
    along: float  # from the middle towards the fundus, share of half the length
    half: tuple[float, float]
    step: float  # how far it slides between two views, mm


class _Gallbladder:
    """A pear: a half ellipse for the fundus, a longer, narrowing one for body and neck."""

    def __init__(self, generator: np.random.Generator, probe: Probe, wall: Wall) -> None:
        depth = probe.depth
        self.long = generator.random() < 0.75
        self.across = log_uniform(generator, 0.085, 0.15) * depth
        self.length = self.across * float(generator.uniform(1.7, 2.7)) if self.long else self.across
        self.side = 1 if generator.random() < 0.75 else -1  # where the fundus lies in the image
        self.angle = float(generator.normal(0.35, 0.2)) * self.side if self.long else float(generator.normal(0, 0.2))
        high = wall.thickness + self.across + 10
        self.at = (
            float(generator.normal(0, 0.07)) * depth,
            float(np.clip(generator.uniform(0.36, 0.56) * depth, high, 0.66 * depth)),
        )
        self.bend = float(generator.normal(0, 0.09)) / self.length
        self.taper = float(generator.uniform(0.3, 0.6)) if self.long else float(generator.uniform(-0.15, 0.15))
        self.wall = float(generator.uniform(0.6, 1.1))
        self.bright = float(generator.uniform(9, 14))
        self._shape = Pattern(generator, probe, 22, 22)

    def local(self, body: Body) -> tuple[Field, Field]:
        """(u, v): along, towards the fundus, and across, downwards; mm."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dz = body.x - np.float32(self.at[0]), body.z - np.float32(self.at[1])
        u, v = c * dx + s * dz, c * dz - s * dx
        return u * np.float32(self.side), v - np.float32(self.bend) * u * u

    def half_at(self, along: float, off: float) -> float:
        """Half its height at a share of half its length, mm."""
        narrow = 1 - self.taper * float(np.clip(0.5 - along, 0, 1.5)) / 1.5
        return self.across * narrow * float(np.sqrt(max(1 - along**2, 0.02) * (1 - 0.4 * off * off)))

    def distance(self, body: Body, off: float) -> Field:
        """Signed distance to its inner wall, mm."""
        u, v = self.local(body)
        along = u / np.float32(self.length)
        narrow = 1 - np.float32(self.taper) * np.clip(0.5 - along, 0, 1.5) / np.float32(1.5)
        scale = float(np.sqrt(1 - 0.4 * off * off))
        pear = ellipse(u, v / narrow, at=(0, 0), half=(self.length * (0.5 + 0.5 * scale), self.across * scale))
        return np.asarray(pear * narrow + 0.5 * self._shape.at(body.x, body.z, body.turn), dtype=np.float32)

    def paint(self, body: Body, off: float) -> Field:
        """Paints wall and bile; returns the signed distance."""
        distance = self.distance(body, off)
        body.fill(body.inside(distance - np.float32(2.2 * self.wall), 1.0), echo=3, loss=0.5)
        body.fluid(distance, wall=self.bright)
        body.interface(distance - np.float32(self.wall), level=self.bright - 3, thickness=self.wall, power=0.4)
        return distance


def _stones(generator: np.random.Generator, gallbladder: _Gallbladder) -> list[_Stone]:
    count = int(generator.choice([1, 1, 2, 3, 4, 6]))
    largest = gallbladder.across * log_uniform(generator, 0.34, 0.68) / (1 + 0.06 * (count - 1))
    room = 0.68 if gallbladder.long else 0.3
    stones = []
    for number in range(count):
        width = largest * (1.0 if number == 0 else float(generator.uniform(0.4, 0.95)))
        along = float(generator.uniform(-room, room))
        half = (width, width * float(generator.uniform(0.65, 0.95)))
        stones.append(_Stone(along, half, float(generator.normal(0, 1.5))))
    return stones


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    depth = log_uniform(generator, 85, 130)
    scanner = convex_scanner(generator, depth=depth)
    probe = scanner.probe
    wall = Wall(generator, probe)
    gallbladder = _Gallbladder(generator, probe, wall)
    reach = probe.half_width(0.5 * depth)
    tubes = vessels(generator, top=wall.thickness, depth=0.6 * depth, reach=reach, hub=(-reach, 0.7 * depth))
    liver = Liver(generator, probe, tubes[: int(generator.integers(2, 6))])
    bend = Pattern(generator, probe, 45, 40)
    strands = Pattern(generator, probe, 9, 4)
    grain = Pattern(generator, probe, 3.5, 3.5)
    low = float(generator.uniform(-0.2, 0.9)) * gallbladder.across
    side = gallbladder.side
    bowels = [
        Bowel(
            generator,
            probe,
            at=(
                gallbladder.at[0] + side * float(generator.uniform(0.5, 1.2)) * gallbladder.length,
                gallbladder.at[1] + gallbladder.across + float(generator.uniform(10, 22)),
            ),
            half=float(generator.uniform(9, 17)),
        )
        for _ in range(int(generator.choice([0, 1, 1, 2])))
    ]
    kidney = None
    if generator.random() < 0.25:
        at = (
            -side * 0.6 * probe.half_width(0.8 * depth),
            min(gallbladder.at[1] + gallbladder.across + 32, 0.92 * depth),
        )
        kidney = Kidney(generator, probe, at=at, long=True, size=0.75, angle=-0.3 * side)
    stones = _stones(generator, gallbladder) if pathology == "gallstones" else []

    def image(view: View) -> Drawn:
        body = Body(probe, view)
        curve = bend.at(body.x, body.z, body.turn)
        strand = strands.at(body.x, body.z, body.turn)
        liver.paint(body, np.ones_like(body.x), view.off)
        # Below the liver, to the side of the fundus, lie fat and bowel.
        u, v = gallbladder.local(body)
        below = v - np.float32(low) - 3 * curve + np.float32(0.25) * np.minimum(u, 0)
        outside = body.inside(-below, 1.0)
        body.fill(outside, echo=np.float32(FAT + 1) + 2.5 * strand + 2 * curve, loss=0.55)
        body.line(strand * 2.6, level=8, thickness=0.5, share=outside * np.clip(0.3 + 0.5 * curve, 0, 1))
        body.interface(below, level=12, thickness=0.7, share=np.clip(0.8 + 0.5 * curve, 0, 1.5))
        if kidney is not None:
            kidney.paint(body, view.off)
        for bowel in bowels:
            bowel.paint(body)
        distance = gallbladder.paint(body, view.off)
        mask = None
        size = 0.0
        for stone in stones:
            along = stone.along + stone.step * view.off / gallbladder.length
            # It lies on the lower wall; slices off its middle cut it smaller.
            scale = float(np.sqrt(1 - 0.35 * view.off**2))
            half = (stone.half[0] * scale, stone.half[1] * scale)
            floor = gallbladder.half_at(along, view.off) - 0.92 * half[1]
            shape = ellipse(u, v, at=(along * gallbladder.length, floor), half=half)
            shape += 0.3 * grain.at(body.x, body.z, body.turn)
            front = body.stone(np.maximum(shape, distance))
            if mask is None:
                mask, size = front, 2 * max(half)
        wall.paint(body)
        return scanner.show(
            body,
            generator,
            view="longitudinal" if gallbladder.long else "transverse",
            mask=mask,
            place=""
            if not stones
            else "neck"
            if stones[0].along < -0.45
            else "fundus"
            if stones[0].along > 0.45
            else "body",
            size_mm=size or None,
        )

    return [image(view) for view in views(generator, images, reach=0.05 * depth)]


GALLBLADDER = Scene(modality="US", anatomy="gallbladder", pathologies=("normal", "gallstones"), draw=_draw)
