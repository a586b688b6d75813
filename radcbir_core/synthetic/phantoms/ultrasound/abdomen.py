"""What liver, kidney and gallbladder have around them: abdominal wall, liver tissue with vessels, diaphragm, bowel.

Levels are dB of amplitude relative to liver, attenuation dB/cm/MHz, lengths mm. The order of the levels (sinus above
spleen above liver above renal cortex above pyramids) and the looks of vessels (bright walls around portal veins, none
around hepatic ones) are those of Rumack and Levine, *Diagnostic Ultrasound* (5th ed., chapters 4, 6 and 9).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.ultrasound.body import Body, Pattern, Probe, ellipse

LIVER = 0.0
CORTEX, CORTEX_DEVIATION = -5.0, 1.5
PYRAMID = -11.0
SINUS = 8.0
FAT = -3.0
MUSCLE = -8.0
BOWEL_LOSS = 2.4


class Wall:
    """Skin, fat and muscle between the probe and the organs, all pressed to the shape of the probe's face.

    Attributes:
        thickness: Of all layers in mm.
    """

    def __init__(self, generator: np.random.Generator, probe: Probe) -> None:
        self.skin = float(generator.uniform(1.5, 3))
        self.fat = self.skin + log_uniform(generator, 4, 18) * min(probe.depth / 140, 1.15)
        self.thickness = self.fat + float(generator.uniform(5, 11))
        self._bend = Pattern(generator, probe, 50, 50)
        self._lobules = Pattern(generator, probe, 14, 4)
        self._fibers = Pattern(generator, probe, 26, 1.8)
        self._bright = float(generator.normal(0, 2.5))
        self._echoes = float(generator.uniform(5, 14))

    def below(self, body: Body) -> Field:
        """Depth in mm below the wall, negative within it."""
        return body.depth - np.float32(self.thickness) + 2.0 * self._bend.at(body.x, body.depth, body.turn)

    def paint(self, body: Body) -> None:
        """Paints the wall over what is there."""
        below = self.below(body)
        lobules = self._lobules.at(body.x, below, body.turn)
        fibers = self._fibers.at(body.x, below, body.turn)
        wall = body.inside(below)
        body.fill(wall, echo=np.float32(MUSCLE + self._bright) + 2 * fibers, loss=0.6)
        body.line(fibers * 1.6, level=9, thickness=0.4, share=wall * np.clip(0.5 + lobules, 0, 1))
        above = below + np.float32(self.thickness - self.fat)
        fat = body.inside(above)
        body.fill(fat, echo=np.float32(FAT - 4 + self._bright) + 1.5 * lobules, loss=0.5)
        body.line(lobules * 3, level=10, thickness=0.4, share=fat * np.clip(0.6 + 0.6 * fibers, 0, 1.5))
        body.interface(above, level=13, thickness=0.5, share=np.clip(0.7 + 0.4 * fibers, 0, 1.5))
        body.interface(below, level=15, thickness=0.6, share=np.clip(0.7 + 0.4 * lobules, 0, 1.5))
        body.fill(body.inside(body.depth - np.float32(self.skin)), echo=3, loss=0.6)
        # Ringing of the probe: lines along its face that fade.
        ringing = np.cos(body.depth * np.float32(2 * np.pi / 1.9)) ** 2 * np.exp(-body.depth / np.float32(4))
        body.mirror += np.float32(10 ** (self._echoes / 20)) * ringing


@dataclass(frozen=True, kw_only=True)
class Tube:
    """A vessel in the plane: a bent, tapering tube.

    Attributes:
        at: Its middle (x, z) in mm.
        angle: Of its direction, radians from the x axis, clockwise as seen.
        half: Half its length, mm.
        radius: In its middle, mm.
        bend: How far its ends leave the straight line, mm.
        walls: Level of its walls in dB; portal veins have bright ones.
    """

    at: tuple[float, float]
    angle: float
    half: float
    radius: float
    bend: float
    walls: float

    def distance(self, x: Field, z: Field, off: float) -> Field:
        """Roughly the signed distance in mm; narrower and further along in slices off the middle."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dz = x - np.float32(self.at[0] + 8 * off * s), z - np.float32(self.at[1])
        u, v = (c * dx + s * dz) / np.float32(self.half), c * dz - s * dx
        beside = v - np.float32(self.bend) * u * u
        radius = np.float32(self.radius * (1 - 0.35 * off * off)) * np.sqrt(np.clip(1 - u * u, 0, 1))
        slope = np.sqrt(1 + (2 * np.float32(self.bend / self.half) * u) ** 2)
        ends = np.maximum(np.abs(u) - 1, 0) * np.float32(self.half)
        return np.asarray(np.hypot(beside / slope, ends) - radius, dtype=np.float32)


def vessels(
    generator: np.random.Generator, *, top: float, depth: float, reach: float, hub: tuple[float, float]
) -> list[Tube]:
    """Hepatic veins that run towards a hub, portal branches, and a few of either cut across.

    Args:
        generator: Source of all randomness.
        top: Where the liver begins, mm.
        depth: Where it ends, mm.
        reach: Half its width, mm.
        hub: Where hepatic veins run to, (x, z) in mm.
    """
    outlines = []
    for number in range(int(generator.integers(5, 10))):
        portal = number % 2 == 0
        at = (
            float(generator.uniform(-0.75, 0.75) * reach),
            float(generator.uniform(top + 8, top + 0.8 * (depth - top))),
        )
        if number < 4:
            towards = float(np.arctan2(hub[1] - at[1], hub[0] - at[0]))
            angle = towards + float(generator.normal(0, 0.5 if portal else 0.25))
            half = float(generator.uniform(13, 32))
        else:
            angle, half = float(generator.uniform(0, np.pi)), float(generator.uniform(3, 6))
        outlines.append(
            Tube(
                at=at,
                angle=angle,
                half=half,
                radius=float(generator.uniform(1.5, 4.2)),
                bend=float(generator.normal(0, 3) if half > 6 else 0),
                walls=float(generator.uniform(9, 15) if portal else generator.uniform(-4, 3)),
            )
        )
    return outlines


class Liver:
    """Liver tissue with vessels; what lies outside it is painted over it."""

    def __init__(
        self, generator: np.random.Generator, probe: Probe, tubes: list[Tube], *, echo: float = LIVER, loss: float = 0.5
    ) -> None:
        self.tubes = tubes
        self._echo = echo
        self._loss = loss
        self._patches = Pattern(generator, probe, 30, 20)
        self._grain = Pattern(generator, probe, 5, 3)
        self._walls = Pattern(generator, probe, 12, 12)

    def paint(self, body: Body, share: Field, off: float, *, blurred: float = 0.0) -> None:
        """Paints liver where ``share`` is 1; ``blurred`` is how much of its vessels is hidden, 0 to 1."""
        patches = self._patches.at(body.x, body.z, body.turn)
        grain = self._grain.at(body.x, body.z, body.turn)
        body.fill(share, echo=np.float32(self._echo) + 0.7 * patches + 0.9 * grain, loss=self._loss)
        walls = np.clip(0.9 + 0.5 * self._walls.at(body.x, body.z, body.turn), 0.1, 2) * share
        for tube in self.tubes:
            distance = tube.distance(body.x, body.z, off)
            body.interface(
                distance, level=tube.walls - 12 * blurred, thickness=0.9, share=walls * (1 - 0.5 * blurred), power=0.7
            )
            lumen = body.inside(distance + np.float32(1.4 * blurred), 0.8 + 2.4 * blurred) * share
            body.fill(lumen * np.float32(1 - 0.6 * blurred), echo=-32, loss=0.35)


class Diaphragm:
    """The bright curve between liver and lung, far from the probe, with the liver's mirror image beyond it."""

    def __init__(self, generator: np.random.Generator, probe: Probe, *, at: float) -> None:
        self.at = at
        self.middle = float(generator.uniform(-0.35, 0.35)) * probe.half_width(probe.depth)
        self.radius = (float(generator.uniform(80, 125)), float(generator.uniform(60, 90)))
        self._bend = Pattern(generator, probe, 60, 60)
        self._level = float(generator.uniform(15, 22))

    def beyond(self, body: Body) -> Field:
        """Signed distance in mm, positive beyond it."""
        dome = ellipse(body.x, body.z, at=(self.middle, self.at - self.radius[1]), half=self.radius)
        return dome + 1.5 * self._bend.at(body.x, body.z, body.turn)

    def paint(self, body: Body) -> None:
        """Paints it and what is seen beyond."""
        beyond = self.beyond(body)
        body.fill(body.inside(-beyond), echo=-10 - 0.25 * np.maximum(beyond, 0), loss=0.7)
        body.interface(beyond, level=self._level, thickness=1.0, power=1.2)


class Bowel:
    """Gas in a loop of bowel: a bright irregular front with a dirty shadow behind it."""

    def __init__(self, generator: np.random.Generator, probe: Probe, *, at: tuple[float, float], half: float) -> None:
        self._at = at
        self._half = (half, half * float(generator.uniform(0.5, 0.8)))
        self._angle = float(generator.normal(0, 0.3))
        self._wave = Pattern(generator, probe, 9, 9)
        self._echo = float(generator.uniform(-4, 4))
        self._loss = float(generator.uniform(0.7, 1.1)) * BOWEL_LOSS

    def paint(self, body: Body) -> None:
        """Paints the loop and takes away the sound behind its gas."""
        loop = ellipse(body.x, body.z, at=self._at, half=self._half, angle=self._angle)
        wave = self._wave.at(body.x, body.z, body.turn)
        loop = loop + 1.6 * wave
        share = body.inside(loop, 2)
        body.fill(share, echo=np.float32(self._echo) + 3 * wave, loss=self._loss)
        front = body.inside(body.z - np.float32(self._at[1]), 6)
        body.interface(loop + 2, level=17, thickness=1.6, share=front * np.clip(0.7 + 0.6 * wave, 0, 2), power=1)


class Kidney:
    """A kidney cut along or across: cortex, pyramids, bright sinus, capsule, perirenal fat.

    Attributes:
        at: Its middle (x, z) in mm.
        half: Half axes in mm.
        angle: Clockwise as seen, radians.
        long: Whether it is cut along.
        sinus: Half axes of the sinus in mm.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        probe: Probe,
        *,
        at: tuple[float, float],
        long: bool,
        size: float = 1.0,
        angle: float = 0.0,
    ) -> None:
        self.at, self.long, self.angle = at, long, angle
        length = float(generator.uniform(46, 60)) * size
        across = float(generator.uniform(22, 29)) * size
        self.half = (length, across) if long else (across * float(generator.uniform(1.0, 1.25)), across)
        share = float(generator.uniform(0.40, 0.52))
        self.sinus = (self.half[0] * (share + (0.14 if long else 0)), self.half[1] * share)
        self.notch = 1 if generator.random() < 0.5 else -1  # the side of the hilum in a cut across
        self._echo = float(generator.normal(CORTEX, CORTEX_DEVIATION))
        self._sinus_echo = SINUS + float(generator.normal(0, 2))
        self._pyramids = float(np.clip(generator.normal(0.75, 0.3), 0.1, 1))
        self._count = int(generator.integers(9, 14)) if long else int(generator.integers(6, 9))
        self._phase = float(generator.uniform(0, 2 * np.pi))
        self._shape = Pattern(generator, probe, 24, 24)
        self._grain = Pattern(generator, probe, 6, 3.5)
        self._fat = log_uniform(generator, 1.5, 7)

    def local(self, body: Body) -> tuple[Field, Field]:
        """(u, v): along and across the kidney from its middle, mm."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dz = body.x - np.float32(self.at[0]), body.z - np.float32(self.at[1])
        return c * dx + s * dz, c * dz - s * dx

    def outside(self, body: Body, off: float) -> Field:
        """Signed distance to the capsule in mm, negative inside."""
        scale = float(np.sqrt(1 - 0.35 * off * off))
        u, v = self.local(body)
        v = v + np.float32(0.07 / self.half[0]) * u * u  # a bean bends
        body_of_it = ellipse(u, v, at=(0, 0), half=(self.half[0] * scale, self.half[1] * scale))
        return body_of_it + 0.9 * self._shape.at(body.x, body.z, body.turn)

    def paint(self, body: Body, off: float) -> None:
        """Paints it with the fat around it."""
        outside = self.outside(body, off)
        grain = self._grain.at(body.x, body.z, body.turn)
        shape = self._shape.at(body.x, body.z, 0.7 * body.turn)
        around = np.float32(self._fat) * np.clip(1 + 0.6 * shape, 0.3, 2)
        body.fill(body.inside(outside - around, 1.5), echo=3 + 2 * grain)
        inside = body.inside(outside, 0.8)
        body.fill(inside, echo=np.float32(self._echo) + 0.8 * grain, loss=0.55)
        body.interface(outside, level=12, thickness=0.7, power=1.2)
        u, v = self.local(body)
        half_u, half_v = np.float32(self.sinus[0]), np.float32(self.sinus[1])
        if not self.long:  # the sinus opens towards the hilum
            u = u - np.float32(self.notch * 0.55) * half_u
        angle = np.arctan2(v / half_v, u / half_u)
        radius = np.sqrt((u / half_u) ** 2 + (v / half_v) ** 2)
        # Pyramids: darker wedges around the sinus, with cortex between and outside them.
        wedge = np.cos(np.float32(self._count) * angle + np.float32(self._phase + 0.5 * off) + 0.8 * shape)
        room = np.clip((-outside - np.float32(0.14 * self.half[1])) / np.float32(2.5), 0, 1)
        wedge = np.clip((wedge + 0.15) * 2.2, 0, 1) * room * np.clip((radius - 0.9) * 5, 0, 1)
        body.fill(wedge * np.float32(self._pyramids), echo=PYRAMID + grain, loss=0.45)
        lobed = radius - 1 - 0.13 * np.cos(np.float32(self._count) * angle + np.float32(self._phase)) - 0.16 * grain
        share = body.inside(lobed * np.float32(min(self.sinus)), 2.5) * (body.inside(outside - around))
        body.fill(share, echo=np.float32(self._sinus_echo) + 2.6 * grain + 1.5 * shape, loss=0.6)
        body.line(grain * 1.3, level=13, thickness=0.45, share=share * np.clip(0.4 + 0.5 * shape, 0, 1))
