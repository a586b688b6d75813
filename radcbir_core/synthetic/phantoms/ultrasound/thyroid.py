"""Ultrasound of the thyroid with a linear probe: normal, nodule.

Landmarks as in Rumack and Levine, *Diagnostic Ultrasound* (5th ed., chapter 19): a bright even lobe between windpipe
(a bright arc with air behind it), the carotid artery, the strap muscles in front and the longus colli muscle behind.
The kinds of nodules are those of ACR TI-RADS (Tessler et al., J Am Coll Radiol 2017): solid and dark, solid and of the
lobe's own level with a dark halo, spongy, cystic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.body import (
    ANECHOIC,
    Body,
    Outline,
    Pattern,
    Probe,
    View,
    ellipse,
    views,
    waves,
)
from radcbir_core.synthetic.phantoms.ultrasound.scanner import linear_scanner

LOBE, STRAP, FAT = 2.0, -11.0, -6.0


class _Neck:
    """Everything but the nodule. x grows from the windpipe outwards where ``side`` is 1."""

    def __init__(self, generator: np.random.Generator, probe: Probe) -> None:
        depth, half = probe.depth, probe.width / 2
        self.long = generator.random() < 0.3
        self.side = 1 if generator.random() < 0.5 else -1
        self.right = (self.side < 0) if not self.long else generator.random() < 0.5
        self.skin = float(generator.uniform(1.2, 2.2))
        self.fat = self.skin + log_uniform(generator, 1.2, 5.0)
        self.strap = self.fat + float(generator.uniform(2.5, 5.5))
        room = depth - self.strap
        height = float(generator.uniform(0.24, 0.36)) * room
        if self.long:
            self.half = (float(generator.uniform(0.75, 1.05)) * half, height * 0.9)
            self.at = (float(generator.normal(0, 0.12)) * half, self.strap + height + 0.5)
        else:
            self.half = (float(generator.uniform(0.36, 0.48)) * half, height * 1.15)
            self.at = (float(generator.uniform(-0.1, 0.08)) * half, self.strap + self.half[1] + 0.2)
        self.angle = float(generator.normal(0, 0.12))
        self.echo = LOBE + float(generator.normal(0, 1.5))
        self.trachea = (self.at[0] - self.half[0] - 0.36 * half, self.strap + 0.5 * self.half[1] + 0.55 * half)
        self.ring = (0.46 * half, 0.52 * half)
        radius = float(generator.uniform(2.8, 3.8))
        self.carotid = (
            self.at[0] + self.half[0] + radius * 0.9,
            self.at[1] + float(generator.uniform(0.0, 0.5)) * self.half[1],
        )
        self.artery = radius
        self.vein = (radius * float(generator.uniform(0.9, 1.6)), radius * float(generator.uniform(0.35, 0.9)))
        self.isthmus = float(generator.uniform(1.0, 2.4))
        self.bend = Pattern(generator, probe, 20, 20)
        self.fibers = Pattern(generator, probe, 10, 1.1)
        self.lobules = Pattern(generator, probe, 6, 2.2)
        self.grain = Pattern(generator, probe, 2.6, 1.8)
        self.shape = Pattern(generator, probe, 11, 11)

    def lobe(self, body: Body, off: float, x: Field) -> Field:
        """Signed distance to the lobe's capsule, mm."""
        scale = float(np.sqrt(1 - 0.3 * off * off))
        half = (self.half[0] * (scale if not self.long else 1), self.half[1] * scale)
        outline = ellipse(x, body.z, at=self.at, half=half, angle=self.angle)
        return outline + 0.5 * self.shape.at(body.x, body.z, body.turn)

    def paint(self, body: Body, off: float) -> Field:
        """Paints the neck; returns x with the windpipe to the left."""
        x, z, turn = body.x * np.float32(self.side if not self.long else 1), body.z, body.turn
        bend, fibers, grain = (part.at(body.x, z, turn) for part in (self.bend, self.fibers, self.grain))
        lobules = self.lobules.at(body.x, z, turn)
        level = z + 0.8 * bend
        body.fill(np.ones_like(x), echo=FAT + 2.0 * lobules, loss=0.5)
        body.line(lobules * 2, level=8, thickness=0.25, share=np.clip(0.4 + 0.4 * bend, 0, 1))
        # Muscle behind: longus colli, an oval (cut across) or a band (cut along) of dark fibers.
        bottom = self.at[1] + self.half[1]
        if self.long:
            behind = np.abs(level - np.float32(bottom + 5.5)) - np.float32(3.5)
        else:
            behind = ellipse(x, level, at=(self.at[0] + 1, bottom + 4), half=(0.9 * self.half[0] + 3, 4.5))
        share = body.inside(behind, 0.5)
        body.fill(share, echo=STRAP + 2 * fibers, loss=0.6)
        body.line(fibers * 1.0, level=5, thickness=0.25, share=share * 0.6)
        body.interface(behind, level=11, thickness=0.35, share=np.clip(0.8 + 0.5 * bend, 0, 1.5))
        deep = np.maximum(level - np.float32(bottom + 10 + 2 * (not self.long)), 0)
        body.interface(
            level - np.float32(bottom + 10.5), level=14, thickness=0.5, share=np.clip(0.6 + 0.6 * bend, 0, 1.5)
        )
        body.loss += np.float32(0.5) * body.inside(-deep)
        # In front: sternocleidomastoid and strap muscles over the lobe.
        above = level - np.float32(self.strap)
        body.fill(body.inside(above, 0.4), echo=STRAP + 2.2 * fibers, loss=0.6)
        body.line(fibers * 1.0, level=6, thickness=0.22, share=body.inside(above) * np.clip(0.5 + 0.4 * bend, 0, 1))
        if not self.long:
            body.interface(level - np.float32(0.5 * (self.fat + self.strap)) + 0.06 * x, level=10, thickness=0.25)
        lobe = self.lobe(body, off, x)
        share = body.inside(lobe, 0.4)
        if not self.long:  # the isthmus runs before the windpipe to the other lobe
            way = z - np.float32(self.strap + 1.0 + self.isthmus) + 0.03 * (x - np.float32(self.at[0]))
            bridge = np.maximum(np.abs(way + 0.4 * bend) - np.float32(self.isthmus), x - np.float32(self.at[0]))
            share = np.maximum(share, body.inside(bridge, 0.4))
            lobe = np.minimum(lobe, bridge)
        body.fill(share, echo=np.float32(self.echo) + 0.9 * grain + 0.8 * bend, loss=0.5)
        body.interface(lobe, level=10, thickness=0.3, power=1.5)
        if self.long:
            return x
        # Artery and vein beside the lobe.
        for at, half, wall in (
            (self.carotid, (self.artery, self.artery), 13.0),
            (
                (self.carotid[0] + self.vein[0] * 0.9, self.carotid[1] - self.artery - self.vein[1] * 0.4),
                self.vein,
                6.0,
            ),
        ):
            vessel = ellipse(x, z, at=at, half=half)
            body.fill(body.inside(vessel - 0.6, 0.4), echo=-2)
            body.fill(body.inside(vessel, 0.3), echo=-38, loss=0.35)
            body.interface(vessel, level=wall, thickness=0.35, power=1.2)
        # The windpipe: dark cartilage, then air: a bright front, copies of it behind, and nothing beyond.
        ring = ellipse(x, z, at=self.trachea, half=self.ring)
        cartilage = body.inside(ring, 0.3)
        body.fill(cartilage, echo=-16 + grain, loss=0.7)
        body.interface(ring, level=12, thickness=0.4, power=1)
        air = ring + np.float32(1.8)
        shadow = body.inside(air, 0.3)
        body.fill(shadow, echo=-14, loss=2.6)
        front = np.clip((np.float32(self.trachea[1] - 0.2 * self.ring[1]) - z) / 2, 0, 1)
        body.interface(air, level=20, thickness=0.6, share=front, power=1.5)
        for number in range(1, 4):
            body.interface(air + np.float32(2.3 * number), level=19 - 3 * number, thickness=0.5, share=front, power=2)
        return x


@dataclass(frozen=True)
class _Nodule:
    kind: str
    outline: Outline
    echo: float
    halo: float
    specks: np.ndarray


def _nodule(generator: np.random.Generator, neck: _Neck, probe: Probe) -> _Nodule:
    kind = str(generator.choice(["dark", "halo", "spongy", "cyst"], p=[0.42, 0.2, 0.14, 0.24]))
    radius = log_uniform(generator, 0.085, 0.2) * probe.width
    ratio = float(generator.uniform(0.75, 1.1))  # height over width
    low, high = 0.3, 0.62
    half = (radius / ratio**0.5, radius * ratio**0.5)
    # Within the lobe, which a large one bulges out of; a lobe cut across has little room for moving.
    room = (max(neck.half[0] - half[0], 0.0), max(neck.half[1] - half[1], 0.0))
    at = (
        neck.at[0] + float(generator.uniform(-high, high)) * room[0],
        neck.at[1] + float(generator.uniform(-low, low)) * room[1],
    )
    rough = kind == "dark" and generator.random() < 0.4
    shape = waves(generator, float(generator.uniform(0.08, 0.13) if rough else generator.uniform(0, 0.05)), range(2, 7))
    echo = {"dark": float(generator.uniform(-13, -7)), "halo": float(generator.uniform(-2, 6)), "spongy": 0.0}
    specked = kind == "dark" and generator.random() < 0.35
    return _Nodule(
        kind=kind,
        outline=Outline(at, half, float(generator.normal(0, 0.2)), shape),
        echo=echo.get(kind, ANECHOIC),
        halo=float(generator.uniform(0.5, 1.0)),
        specks=generator.uniform(-0.55, 0.55, (int(generator.integers(4, 10)) if specked else 0, 2)),
    )


def _paint_nodule(body: Body, nodule: _Nodule, neck: _Neck, *, x: Field, off: float, inner: Pattern) -> Field:
    distance = nodule.outline.distance(x, body.z, 0.8 * off)
    texture = inner.at(body.x, body.z, body.turn)
    # The lobe makes way for a large nodule.
    body.fill(body.inside(distance - 1.2, 0.6), echo=np.float32(neck.echo))
    if nodule.kind == "cyst":
        share = body.fluid(distance, wall=12, softness=0.4)
        # Colloid: bright commas within.
        body.line(np.hypot(texture, texture - 1) * 2, level=6, thickness=0.3, share=body.inside(distance + 1.5) * 0.5)
        return share
    share = body.inside(distance, 0.5)
    if nodule.kind == "halo":
        body.fill(share, echo=-15, loss=0.5)
        core = body.inside(distance + np.float32(nodule.halo * 0.16 * np.mean(nodule.outline.half) + 0.4), 0.5)
        body.fill(core, echo=np.float32(nodule.echo) + 2.6 * texture, loss=0.55)
    elif nodule.kind == "spongy":
        body.fill(share, echo=np.float32(neck.echo) - 26 * np.clip(1.2 * texture + 0.25, 0, 1), loss=0.25)
        body.line(texture * 1.0 + 0.3, level=8, thickness=0.25, share=share * 0.7)
    else:
        body.fill(share, echo=np.float32(nodule.echo) + 1.8 * texture, loss=0.6)
        body.interface(distance, level=7, thickness=0.3, power=1.5)
    for du, dv in nodule.specks:
        at = (nodule.outline.at[0] + du * nodule.outline.half[0], nodule.outline.at[1] + dv * nodule.outline.half[1])
        near = (x - np.float32(at[0])) ** 2 + (body.z - np.float32(at[1])) ** 2
        body.mirror += 12 * np.exp(-near / np.float32(0.06 + (0.8 * body.probe.step) ** 2))
    return share


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    depth = log_uniform(generator, 28, 42)
    scanner = linear_scanner(generator, depth=depth, width=depth * float(generator.uniform(0.95, 1.3)))
    neck = _Neck(generator, scanner.probe)
    nodule = _nodule(generator, neck, scanner.probe) if pathology == "nodule" else None
    inner = Pattern(generator, scanner.probe, 2.2, 1.8)
    lobe = "right lobe" if neck.right else "left lobe"

    def image(view: View) -> Drawn:
        body = Body(scanner.probe, view)
        x = neck.paint(body, view.off)
        mask = None if nodule is None else _paint_nodule(body, nodule, neck, x=x, off=view.off, inner=inner)
        skin = body.inside(body.depth - np.float32(neck.fat), 0.3)
        body.fill(skin, echo=np.float32(FAT) + 2 * neck.lobules.at(body.x, body.z, body.turn))
        body.interface(body.depth - np.float32(neck.fat), level=11, thickness=0.3)
        body.fill(body.inside(body.depth - np.float32(neck.skin), 0.3), echo=4, loss=0.6)
        body.interface(body.depth - np.float32(neck.skin), level=12, thickness=0.25)
        name = "longitudinal" if neck.long else "transverse"
        return scanner.show(body, generator, view=name, mask=mask, place=lobe)

    return [image(view) for view in views(generator, images, reach=0.05 * depth)]


THYROID = Scene(modality="US", anatomy="thyroid", pathologies=("normal", "nodule"), draw=_draw)
