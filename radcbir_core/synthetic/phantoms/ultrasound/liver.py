"""Ultrasound of the liver with a convex probe: normal, steatosis, liver cyst, liver metastases.

Signs as in Rumack and Levine, *Diagnostic Ultrasound* (5th ed., chapter 4): a fatty liver is bright, takes the sound
away from what is deep, and hides the walls of its vessels and the diaphragm; a cyst is black, round, thin-walled and
brightens what is behind it; metastases are several, dark, bright, or like a target with a dark halo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.abdomen import LIVER, Bowel, Diaphragm, Kidney, Liver, Wall, vessels
from radcbir_core.synthetic.phantoms.ultrasound.body import (
    NEUTRAL,
    Body,
    Outline,
    Pattern,
    Probe,
    View,
    views,
    waves,
)
from radcbir_core.synthetic.phantoms.ultrasound.scanner import convex_scanner

FATTY_LOSS = (0.70, 0.95)
"""Attenuation of a fatty liver, dB/cm/MHz; 0.5 in a healthy one."""


@dataclass(frozen=True)
class _Metastasis:
    outline: Outline
    core: float
    rim: float
    share: float  # radius of the core


def _spots(
    generator: np.random.Generator,
    probe: Probe,
    *,
    top: float,
    bottom: float,
    sizes: list[float],
    occupied: list[tuple[float, float, float]],
) -> list[tuple[float, float, float]]:
    """Places (x, z, half size) in the field for lesions of these half sizes, apart from each other and the occupied.

    The largest lesion comes first and always finds a place; a further one is left out where there is no room.
    """
    spots: list[tuple[float, float, float]] = []
    for number, half in enumerate(sizes):
        best, room = (0.0, (top + bottom) / 2, half), -np.inf
        for _ in range(16):
            depth = float(generator.uniform(top + half, max(bottom - half, top + half + 1)))
            # The largest one stays near the middle, so that no view loses it.
            angle = float(generator.uniform(-0.55, 0.55) if number == 0 else generator.uniform(-0.8, 0.8))
            angle *= probe.half_angle
            spot = ((probe.radius + depth) * np.sin(angle), (probe.radius + depth) * np.cos(angle) - probe.radius)
            gap = min(
                (np.hypot(spot[0] - x, spot[1] - z) - half - other for x, z, other in occupied + spots), default=1.0
            )
            if gap > room:
                best, room = (float(spot[0]), float(spot[1]), half), float(gap)
            if room > 3:
                break
        if number == 0 or room > 0:
            spots.append(best)
    return spots


def _metastases(
    generator: np.random.Generator,
    probe: Probe,
    *,
    top: float,
    bottom: float,
    occupied: list[tuple[float, float, float]],
) -> list[_Metastasis]:
    count = int(generator.integers(3, 8))
    largest = log_uniform(generator, 0.085, 0.15) * (bottom - top + 40)
    sizes = [largest] + [largest * float(generator.uniform(0.4, 0.95)) for _ in range(count - 1)]
    kind = generator.choice(["dark", "target", "bright"], p=[0.4, 0.38, 0.22])
    metastases = []
    for x, z, half in _spots(generator, probe, top=top, bottom=bottom, sizes=sizes, occupied=occupied):
        ratio = float(generator.uniform(0.8, 1.25))
        shape = waves(generator, float(generator.uniform(0.02, 0.08)), range(2, 7))
        outline = Outline((x, z), (half * ratio**0.5, half / ratio**0.5), float(generator.uniform(0, np.pi)), shape)
        if kind == "dark":
            core, rim, share = float(generator.uniform(-19, -9)), -14.0, 0.8
        elif kind == "target":
            core, rim, share = float(generator.uniform(1, 8)), float(generator.uniform(-20, -13)), 0.64
        else:
            core, rim, share = float(generator.uniform(7, 12)), float(generator.uniform(-12, 4)), 0.88
        metastases.append(_Metastasis(outline, core, rim, share))
    return metastases


def _paint_metastases(body: Body, metastases: list[_Metastasis], inner: Pattern, off: float) -> Field:
    """Paints them; returns the share of the largest."""
    largest = np.zeros_like(body.x)
    grain = inner.at(body.x, body.z, body.turn)
    for number, metastasis in enumerate(metastases):
        # The largest is cut near its middle, the others wherever the slice meets them.
        distance = metastasis.outline.distance(body.x, body.z, off if number == 0 else 0.9 * off)
        mean = np.float32(np.sqrt(metastasis.outline.half[0] * metastasis.outline.half[1]))
        share = body.inside(distance, 2.0)
        body.fill(share, echo=np.float32(metastasis.rim) + 1.2 * grain, loss=0.55)
        core = body.inside(distance + (1 - np.float32(metastasis.share)) * mean + 0.6 * grain, 2.0)
        body.fill(core, echo=np.float32(metastasis.core) + 1.8 * grain, loss=0.55)
        if number == 0:
            largest = share
    return largest


class _Patient:
    """What belongs to the patient, the lesions aside.

    Attributes:
        occupied: Where no liver is seen: (x, z, half size) in mm.
    """

    def __init__(self, generator: np.random.Generator, probe: Probe, *, fatty: bool) -> None:
        depth = probe.depth
        self.wall = Wall(generator, probe)
        self.diaphragm = Diaphragm(generator, probe, at=float(generator.uniform(0.76, 0.97)) * depth)
        self.fatty = fatty
        self.grade = float(generator.uniform(0.25, 1)) if fatty else 0.0
        hub = (float(generator.uniform(-0.3, 0.3)) * probe.half_width(depth), 0.8 * self.diaphragm.at)
        reach = probe.half_width(0.6 * depth)
        tubes = vessels(generator, top=self.wall.thickness, depth=self.diaphragm.at, reach=reach, hub=hub)
        self.liver = Liver(
            generator,
            probe,
            tubes,
            echo=LIVER + float(generator.normal(0, 0.8)) + (3 + 5 * self.grade if fatty else 0),
            loss=FATTY_LOSS[0] + (FATTY_LOSS[1] - FATTY_LOSS[0]) * self.grade if fatty else NEUTRAL,
        )
        self.occupied: list[tuple[float, float, float]] = []
        self.kidney = None
        if generator.random() < 0.45:
            side = 1 if generator.random() < 0.8 else -1
            at = (side * float(generator.uniform(0.5, 0.68)) * probe.half_width(0.7 * depth), 0.7 * depth)
            angle = side * float(generator.uniform(0.2, 0.7))
            self.kidney = Kidney(generator, probe, at=at, long=True, size=0.8, angle=angle)
            self.occupied.append((*at, 0.16 * depth))
        self.bowel = None
        if generator.random() < 0.3:
            side = 1 if generator.random() < 0.5 else -1
            at = (side * 0.85 * probe.half_width(0.45 * depth), float(generator.uniform(0.35, 0.6)) * depth)
            self.bowel = Bowel(generator, probe, at=at, half=float(generator.uniform(12, 20)))
            self.occupied += [(*at, 24.0), (at[0] * 1.2, at[1] + 35, 24.0)]

    def paint_liver(self, body: Body, off: float) -> None:
        """Paints liver everywhere."""
        blurred = 0.5 + 0.5 * self.grade if self.fatty else 0.0
        self.liver.paint(body, np.ones_like(body.x), off, blurred=blurred)

    def paint_around(self, body: Body, off: float) -> Field:
        """Paints what is around the liver over it; returns the share of liver that is not too deep to be judged."""
        self.diaphragm.paint(body)
        share = body.inside(-self.wall.below(body)) * body.inside(self.diaphragm.beyond(body) + 4)
        share *= body.inside(body.depth - np.float32(0.75 * body.probe.depth))
        if self.kidney is not None:
            self.kidney.paint(body, off)
            share *= body.inside(6 - self.kidney.outside(body, off))
        if self.bowel is not None:
            self.bowel.paint(body)
        self.wall.paint(body)
        return share


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    depth = log_uniform(generator, 125, 185)
    scanner = convex_scanner(generator, depth=depth)
    probe = scanner.probe
    patient = _Patient(generator, probe, fatty=pathology == "steatosis")
    top, bottom = patient.wall.thickness + 6, patient.diaphragm.at - 8
    cyst = None
    metastases: list[_Metastasis] = []
    inner = Pattern(generator, probe, 7, 6)
    name = ["subcostal", "intercostal", "sagittal"][int(generator.integers(3))]
    place = "right lobe" if name != "sagittal" or generator.random() < 0.5 else "left lobe"
    if pathology == "steatosis":
        place = "whole liver"
    elif pathology == "liver cyst":
        half = log_uniform(generator, 0.06, 0.14) * depth
        spot = _spots(generator, probe, top=top + 4, bottom=0.92 * bottom, sizes=[half], occupied=patient.occupied)[0]
        ratio = float(generator.uniform(0.85, 1.2))
        shape = waves(generator, float(generator.uniform(0, 0.04)), range(2, 5))
        cyst = Outline(spot[:2], (half * ratio**0.5, half / ratio**0.5), float(generator.uniform(0, np.pi)), shape)
    elif pathology == "liver metastases":
        metastases = _metastases(generator, probe, top=top, bottom=bottom, occupied=patient.occupied)

    def image(view: View) -> Drawn:
        body = Body(probe, view)
        patient.paint_liver(body, view.off)
        mask = None
        if cyst is not None:
            mask = body.fluid(cyst.distance(body.x, body.z, 0.8 * view.off), wall=11)
        elif metastases:
            mask = _paint_metastases(body, metastases, inner, 0.8 * view.off)
        share = patient.paint_around(body, view.off)
        return scanner.show(body, generator, view=name, mask=share if patient.fatty else mask, place=place)

    return [image(view) for view in views(generator, images, reach=0.05 * depth)]


LIVER_SCENE = Scene(
    modality="US",
    anatomy="liver",
    pathologies=("normal", "steatosis", "liver cyst", "liver metastases"),
    draw=_draw,
)
