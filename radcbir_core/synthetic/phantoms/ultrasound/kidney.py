"""Ultrasound of the kidney with a convex probe: normal, kidney stone, hydronephrosis, renal cyst.

Signs as in Rumack and Levine, *Diagnostic Ultrasound* (5th ed., chapter 9): a stone is a bright spot in the sinus with
a clean shadow; in hydronephrosis urine parts the bright sinus, calyces joined to the pelvis; a cyst is black, round, at
the cortex, and brightens what is behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.abdomen import FAT, MUSCLE, Bowel, Kidney, Liver, Wall, vessels
from radcbir_core.synthetic.phantoms.ultrasound.body import Body, Pattern, Probe, View, ellipse, views
from radcbir_core.synthetic.phantoms.ultrasound.scanner import convex_scanner


@dataclass(frozen=True)
class _Stone:
    at: tuple[float, float]  # along and across the kidney, mm
    half: tuple[float, float]


@dataclass(frozen=True)
class _Collecting:
    """A widened pelvis and its calyces: ellipses (u, v, half u, half v, angle) in the kidney's coordinates."""

    parts: tuple[tuple[float, float, float, float, float], ...]
    join: float  # how smoothly they run into each other, mm


class _Around:
    """What lies around the kidney: liver or spleen in front of it, muscle behind it, fat, bowel."""

    def __init__(self, generator: np.random.Generator, probe: Probe, kidney: Kidney, wall: Wall) -> None:
        self.right = generator.random() < 0.55
        self._kidney = kidney
        # The organ in front covers a part of the kidney from one side, thicker there.
        self._side = -1 if generator.random() < 0.7 else 1
        self._slope = float(generator.uniform(0.25, 0.6))
        self._edge = float(generator.uniform(-0.3, 0.9)) * kidney.half[0]
        reach = probe.half_width(0.5 * probe.depth)
        tubes = vessels(generator, top=wall.thickness, depth=0.7 * probe.depth, reach=reach, hub=(0, probe.depth))
        few = tubes[: 4 if self.right else 1]
        self._organ = Liver(generator, probe, few, echo=0.0 if self.right else float(generator.uniform(0.5, 2)))
        self._bend = Pattern(generator, probe, 45, 35)
        self._grain = Pattern(generator, probe, 8, 3)
        self._stripes = Pattern(generator, probe, 34, 2.6)
        self._muscle = MUSCLE + float(generator.normal(0, 1.5))
        self._spine = 1 if generator.random() < 0.5 else -1
        self._bony = generator.random() < 0.4
        bowel_at = (-self._side * 0.8 * probe.half_width(0.45 * probe.depth), wall.thickness + 14)
        self._bowel = Bowel(generator, probe, at=bowel_at, half=float(generator.uniform(9, 16)))
        self._gas = generator.random() < 0.35

    def paint(self, body: Body, off: float) -> None:
        x, z = body.x, body.z
        bend, grain = self._bend.at(x, z, body.turn), self._grain.at(x, z, body.turn)
        body.fill(np.ones_like(x), echo=FAT + 2.5 * grain + 1.5 * bend, loss=0.55)
        body.line(grain * 2.4, level=8, thickness=0.5, share=np.clip(0.3 + 0.5 * bend, 0, 1))
        # Muscle behind the kidney (psoas, quadratus lumborum), striped along.
        u, v = self._kidney.local(body)
        behind = np.float32(self._kidney.half[1] + 5) - v + 3 * bend
        stripes = self._stripes.at(x, v + 30, body.turn)
        muscle = body.inside(behind)
        body.fill(muscle, echo=np.float32(self._muscle) + 2 * stripes, loss=0.65)
        body.line(stripes * 2, level=7, thickness=0.5, share=muscle * np.clip(0.4 + 0.4 * bend, 0, 1))
        body.interface(behind, level=12, thickness=0.7, share=np.clip(0.6 + 0.5 * bend, 0, 1.3))
        if self._bony:
            spine = ellipse(
                u, v, at=(self._spine * 1.0 * self._kidney.half[0], self._kidney.half[1] + 30), half=(20, 14)
            )
            share = body.inside(spine, 2)
            body.interface(spine + 2 * bend, level=16, thickness=1.2, share=0.9, power=1.5)
            body.loss += 4 * share
        # Liver or spleen in front, to where the bowel begins.
        edge = u * np.float32(self._side) - np.float32(self._edge) + np.float32(self._slope) * v + 4 * bend
        organ = body.inside(edge, 1.0) * body.inside(v - np.float32(0.25 * self._kidney.half[1]))
        if self._side * self._spine < 0:
            organ = np.maximum(organ, body.inside(edge + np.float32(0.9 * self._kidney.half[0])))
        self._organ.paint(body, organ, off)
        body.interface(edge, level=10, thickness=0.6, share=body.inside(v), power=1)
        if self._gas:
            self._bowel.paint(body)


def _stones(generator: np.random.Generator, kidney: Kidney, depth: float) -> list[_Stone]:
    stones = []
    for number in range(1 if generator.random() < 0.7 else 2):
        width = log_uniform(generator, 0.033, 0.085) * depth * (1 if number == 0 else 0.7)
        half = (width, width * float(generator.uniform(0.55, 0.85)))
        at = (
            float(generator.uniform(-0.75, 0.75)) * kidney.sinus[0],
            float(generator.uniform(-0.35, 0.6)) * kidney.sinus[1],
        )
        stones.append(_Stone(at, half))
    return stones


def _collecting(generator: np.random.Generator, kidney: Kidney) -> _Collecting:
    grade = float(generator.uniform(0.62, 1.15))
    along, across = kidney.sinus
    middle = (0.0 if kidney.long else kidney.notch * 0.45 * along, 0.1 * across)
    half = ((0.55 if kidney.long else 0.75) * along * grade, 0.62 * across * grade)
    parts = [(*middle, *half, 0.0)]
    if not kidney.long:  # the pelvis leaves through the hilum
        parts.append((kidney.notch * 1.25 * along, 0.3 * across, 0.6 * along * grade, 0.42 * across * grade, 0.3))
    count = int(generator.integers(4, 8)) if kidney.long else int(generator.integers(2, 5))
    start = 0.0 if kidney.long else (np.pi if kidney.notch > 0 else 0.0)
    spread = 2 * np.pi if kidney.long else 1.5 * np.pi
    for number in range(count):
        angle = start + spread * (number / count - (0.0 if kidney.long else 0.5 - 0.5 / count))
        angle += float(generator.normal(0, 0.15))
        c, s = float(np.cos(angle)), float(np.sin(angle))
        size = float(generator.uniform(0.26, 0.44)) * across * (0.5 + 0.75 * grade)
        reach = float(generator.uniform(0.75, 1.0))
        cup = (middle[0] + reach * along * c, middle[1] + reach * across * 0.95 * s)
        parts.append((*cup, 1.1 * size, size, angle))
        neck = (middle[0] + 0.55 * reach * along * c, middle[1] + 0.55 * reach * across * s)
        turn = float(np.arctan2(across * s, along * c))
        parts.append((*neck, 0.42 * float(np.hypot(along * c, across * s)), 0.4 * size, turn))
    return _Collecting(tuple(parts), 0.12 * across)


def _urine(kidney: Kidney, body: Body, collecting: _Collecting, off: float) -> Field:
    u, v = kidney.local(body)
    smooth = np.float32(max(collecting.join, 0.8))
    total = np.zeros_like(u)
    for at_u, at_v, half_u, half_v, angle in collecting.parts:
        scale = 1 - 0.25 * off * off
        distance = ellipse(u, v, at=(at_u, at_v), half=(half_u * scale, half_v * scale), angle=angle)
        total += np.exp(-np.clip(distance / smooth, -20, 20))
    return np.asarray(-smooth * np.log(total + np.float32(1e-9)), dtype=np.float32)


def _cyst(generator: np.random.Generator, kidney: Kidney, depth: float) -> tuple[float, float, float]:
    """(u, v, radius) of a cyst at the cortex, in the kidney's coordinates."""
    radius = log_uniform(generator, 0.065, 0.15) * depth
    angle = float(generator.uniform(-np.pi, np.pi))
    out = float(generator.uniform(0.75, 1.15))
    along = 0.68 if kidney.long else 0.9  # not so far along that a view loses it
    return along * out * kidney.half[0] * float(np.cos(angle)), out * kidney.half[1] * float(np.sin(angle)), radius


def _pole(kidney: Kidney, u: float, side: str, *, left_is_upper: bool) -> str:
    if not kidney.long or abs(u) < 0.3 * kidney.half[0]:
        return f"middle third of the {side} kidney"
    return f"{'upper' if (u < 0) == left_is_upper else 'lower'} pole of the {side} kidney"


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    depth = log_uniform(generator, 88, 128)
    scanner = convex_scanner(generator, depth=depth)
    probe = scanner.probe
    wall = Wall(generator, probe)
    long = generator.random() < 0.72
    size = float(np.clip(generator.normal(1.0, 0.09), 0.8, 1.2))
    angle = float(generator.normal(0, 0.22))
    room = depth - wall.thickness
    at = (
        float(generator.normal(0, 0.06)) * depth,
        wall.thickness + float(generator.uniform(0.36, 0.52)) * room + 4,
    )
    kidney = Kidney(generator, probe, at=at, long=long, size=size, angle=angle)
    around = _Around(generator, probe, kidney, wall)
    side = "right" if around.right else "left"
    grain = Pattern(generator, probe, 3.5, 3.5)
    stones: list[_Stone] = []
    collecting = None
    cyst = None
    center = 0.0
    if pathology == "kidney stone":
        stones = _stones(generator, kidney, depth)
        center = stones[0].at[0]
    elif pathology == "hydronephrosis":
        collecting = _collecting(generator, kidney)
    elif pathology == "renal cyst":
        cyst = _cyst(generator, kidney, depth)
        center = cyst[0]
    place = _pole(kidney, center, side, left_is_upper=generator.random() < 0.9)
    if collecting is not None:
        place = f"collecting system of the {side} kidney"

    def image(view: View) -> Drawn:
        body = Body(probe, view)
        around.paint(body, view.off)
        kidney.paint(body, view.off)
        u, v = kidney.local(body)
        mask = None
        if collecting is not None:
            mask = body.fluid(_urine(kidney, body, collecting, view.off), wall=9)
        elif cyst is not None:
            radius = cyst[2] * float(np.sqrt(1 - 0.5 * view.off**2))
            distance = ellipse(u, v, at=cyst[:2], half=(radius, 0.94 * radius))
            distance += 0.5 * grain.at(body.x / 4, body.z / 4, body.turn)
            mask = body.fluid(distance, wall=11)
        elif stones:
            for number, stone in enumerate(stones):
                scale = float(np.sqrt(1 - 0.35 * view.off**2))
                distance = ellipse(u, v, at=stone.at, half=(stone.half[0] * scale, stone.half[1] * scale))
                front = body.stone(distance + 0.35 * grain.at(body.x, body.z, body.turn))
                mask = front if number == 0 else mask
        wall.paint(body)
        return scanner.show(
            body,
            generator,
            view="longitudinal" if long else "transverse",
            mask=mask,
            place="" if mask is None else place,
        )

    return [image(view) for view in views(generator, images, reach=0.05 * depth)]


KIDNEY = Scene(
    modality="US",
    anatomy="kidney",
    pathologies=("normal", "kidney stone", "hydronephrosis", "renal cyst"),
    draw=_draw,
)
