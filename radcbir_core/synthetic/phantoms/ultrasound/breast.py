"""Ultrasound of the breast with a linear probe: normal, benign and malignant tumor.

The signs are those of the ACR BI-RADS Atlas (5th ed., 2013): a benign tumor is oval, wider than tall, parallel to the
skin, smooth, often with enhancement behind it; a malignant one irregular, taller than wide, spiculated, with a bright
halo, and casts a shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.body import Body, Outline, Pattern, Probe, views, waves
from radcbir_core.synthetic.phantoms.ultrasound.scanner import linear_scanner

# Levels in dB relative to liver, attenuation in dB/cm/MHz.
FAT, GLAND, MUSCLE, SKIN = -9.0, 3.0, -9.0, 4.0
GLAND_LOSS, MUSCLE_LOSS, BONE_LOSS = 0.56, 0.6, 12.0
BENIGN, BENIGN_DEVIATION = -15.0, 3.5
MALIGNANT, MALIGNANT_DEVIATION = -17.0, 4.0


class _Breast:
    """What belongs to the patient: layers and their textures."""

    def __init__(self, generator: np.random.Generator, probe: Probe) -> None:
        depth = probe.depth
        self.skin = float(generator.uniform(1.0, 2.6))
        self.fat = float(log_uniform(generator, 0.06, 0.3) * depth)
        self.muscle = float(generator.uniform(0.55, 0.86) * depth)
        self.wall = self.muscle + float(generator.uniform(5, 12))
        self.fatty = float(generator.uniform(-1.2, 1.0))  # share of fat lobules within the gland
        self.gland = GLAND + float(generator.normal(0, 2))
        self.layers = Pattern(generator, probe, 22, 22)
        self.lobules = Pattern(generator, probe, 9 + depth * 0.12, 4 + depth * 0.05)
        self.strands = Pattern(generator, probe, 9, 1.7)
        self.fine = Pattern(generator, probe, 4.5, 0.9)
        self.weave = Pattern(generator, probe, 6.5, 1.2)
        self.streaky = float(generator.uniform(0.2, 1.3))
        self.ducts = Pattern(generator, probe, 3.5, 1.7)
        self.strength = Pattern(generator, probe, 7, 4)
        self.tilt = float(generator.normal(0, 0.12))
        self.rib = float(generator.uniform(-1.2, 1.2)) * probe.width / 2 if generator.random() < 0.5 else None
        # Columns of shadow from ligaments or bad contact, in normal breasts too.
        self.shadows = [
            (float(generator.uniform(-0.5, 0.5) * probe.width), float(generator.uniform(1, 3.5)))
            for _ in range(int(generator.choice([0, 0, 0, 1, 2])))
        ]
        self.side = 1 if generator.random() < 0.5 else -1

    def paint(self, body: Body) -> None:
        """Paints the breast."""
        x, z, turn = body.x, body.z, body.turn
        bend = self.layers.at(x, z, turn)
        level = z + 2.2 * bend + np.float32(self.tilt) * x
        lobules = self.lobules.at(x, level, turn)
        strength = np.clip(0.55 + 0.6 * self.strength.at(x, z, turn), 0, 2)
        strands = self.strands.at(x, level, turn)
        # Subcutaneous fat, parted by Cooper's ligaments.
        body.fill(np.ones_like(x), echo=FAT + 1.2 * lobules, loss=0.5)
        gland = body.inside(np.float32(self.fat) - level + 1.5 * lobules, 1.5)
        ducts = self.ducts.at(x, level, turn)
        texture = np.float32(self.gland) + 2.5 * strands - 5.5 * np.clip(ducts - 0.5, 0, 1.5)
        islands = body.inside((lobules - np.float32(self.fatty)) * 4, 1.5)  # gland between fat lobules
        body.fill(gland * islands, echo=texture, loss=GLAND_LOSS)
        body.line(lobules * 3.2, level=9, thickness=0.35, share=strength)
        body.line(strands * 1.4, level=7, thickness=0.22, share=strength * (0.35 + 0.65 * gland) * 0.8)
        fine = self.fine.at(x, level, turn)
        body.line(fine * 0.8, level=5, thickness=0.18, share=np.clip(strength - 0.2, 0, 2) * (0.5 + 0.5 * gland))
        weave = self.weave.at(x, level, turn)
        body.line(weave, level=9, thickness=0.25, share=np.float32(self.streaky) * np.clip(strands + 0.3, 0, 1.5))
        # Pectoral muscle: dark with bright stripes along it, in a bright fascia.
        deep = z + 1.2 * bend + np.float32(1.6 * self.tilt) * x - np.float32(self.muscle)
        muscle = body.inside(-deep, 1.0)
        body.fill(muscle, echo=MUSCLE + 2.0 * strands, loss=MUSCLE_LOSS)
        stripes = self.strands.at(0.35 * x, deep * 1.1, turn)
        body.line(stripes * 1.2, level=7, thickness=0.25, share=muscle * strength * 0.8)
        body.interface(deep, level=13, thickness=0.4, share=0.3 + strength, power=2)
        chest = deep - np.float32(self.wall - self.muscle)
        body.fill(body.inside(-chest, 0.6), echo=-16 - 0.6 * np.maximum(chest, 0), loss=0.9)
        body.interface(chest, level=14, thickness=0.5, share=strength, power=3)
        if self.rib is not None:
            cap = chest + 2.5 - ((x - np.float32(self.rib)) / 7) ** 2 * 3
            edge = body.inside(np.abs(x - np.float32(self.rib)) - 8, 2)
            body.interface(cap, level=17, thickness=0.5, share=edge * 0.8, power=2)
            body.loss += BONE_LOSS * body.inside(-cap) * edge * 0.3
        # The skin: two bright lines with the grey dermis between.
        skin = body.inside(body.depth - np.float32(self.skin), 0.3)
        body.fill(skin, echo=SKIN + 2 * fine, loss=0.6, clear=0.7)
        body.interface(body.depth - np.float32(self.skin), level=14, thickness=0.25)
        body.mirror += 14 * np.exp(-((body.depth / np.float32(0.35)) ** 2))
        for at, width in self.shadows:
            near = np.exp(-(((x - np.float32(at)) / np.float32(width)) ** 2)) * (np.abs(level - 4) < 3)
            body.loss += np.float32(1.6) * near


@dataclass(frozen=True)
class _Tumor:
    malignant: bool
    outline: Outline
    echo: float
    loss: float
    halo: float
    capsule: float  # level of its edge where the beam meets it squarely, dB
    soft: float  # width of its margin, as a share of its radius
    spicules: tuple[tuple[float, float, float], ...]
    specks: np.ndarray
    inner: Pattern
    uneven: float  # deviation of its level within, dB


def _tumor(generator: np.random.Generator, probe: Probe, breast: _Breast, *, malignant: bool) -> _Tumor:
    field_of_view = min(probe.depth, probe.width)
    size = log_uniform(generator, 0.18, 0.56) * field_of_view
    if malignant:
        ratio = float(generator.uniform(0.9, 1.5))  # height over width
        half = (size / 2 / np.sqrt(ratio), size / 2 * np.sqrt(ratio))
        shape = waves(generator, generator.uniform(0.16, 0.26), range(2, 6))
        shape = np.concatenate([shape, waves(generator, generator.uniform(0.03, 0.11), range(7, 16))])
    else:
        ratio = float(generator.uniform(0.45, 0.78))
        half = (size / 2, size / 2 * ratio)
        shape = waves(generator, generator.uniform(0.0, 0.06), range(2, 5))
    top = breast.skin + half[1] + 2
    bottom = max(min(probe.depth * 0.78, breast.wall) - half[1], top + 0.5)
    at_z = float(np.clip(generator.normal(0.4 * probe.depth, 0.1 * probe.depth), top, bottom))
    at_x = float(generator.uniform(-0.27, 0.27) * probe.width)
    cystic = not malignant and generator.random() < 0.35
    if malignant:
        echo = float(np.clip(generator.normal(MALIGNANT, MALIGNANT_DEVIATION), -28, -11))
        loss = float(generator.uniform(1.0, 2.2)) if generator.random() < 0.85 else 0.6
    else:
        echo = -45.0 if cystic else float(np.clip(generator.normal(BENIGN, BENIGN_DEVIATION), -26, -11))
        loss = 0.05 if cystic else float(generator.uniform(0.1, 0.32))
    count = int(generator.integers(4, 12)) if malignant else 0
    spicules = tuple(
        (float(generator.uniform(-np.pi, np.pi)), float(generator.uniform(0.25, 1.1)), float(generator.uniform(9, 20)))
        for _ in range(count)
    )
    calcified = generator.random() < (0.35 if malignant else 0.08)
    return _Tumor(
        malignant=malignant,
        outline=Outline((at_x, at_z), half, float(generator.normal(0, 0.16 if not malignant else 0.3)), shape),
        echo=echo,
        loss=loss,
        halo=float(generator.uniform(3, 8)) if malignant else 0.0,
        capsule=float(generator.uniform(3, 12)),
        soft=float(generator.uniform(0.15, 0.5)) if malignant else 0.0,
        spicules=spicules,
        specks=generator.uniform(-0.6, 0.6, (int(generator.integers(4, 12)) if calcified else 0, 2)),
        inner=Pattern(generator, probe, 4.5, 3.5),
        uneven=float(generator.uniform(0.4, 2.4)),
    )


def _paint_tumor(body: Body, tumor: _Tumor, off: float) -> Field:
    outline = tumor.outline
    distance = outline.distance(body.x, body.z, 0.8 * off)
    radius, angle = outline.polar(body.x, body.z)
    inner = tumor.inner.at(body.x, body.z, body.turn)
    mean = np.float32(np.sqrt(outline.half[0] * outline.half[1]))
    if tumor.malignant:
        rim = np.clip(1 - np.abs(distance - 0.18 * mean) / (0.3 * mean), 0, 1)
        body.fill(rim * 0.75, echo=4 + np.float32(tumor.halo) + inner, clear=0.3)
        reach = np.zeros_like(distance)
        for at, length, sharp in tumor.spicules:
            turned = np.abs((angle - np.float32(at) + np.pi) % (2 * np.pi) - np.pi)
            beside = np.exp(-((turned * radius * np.float32(sharp) / 2) ** 2))
            fade = np.clip(1 - (radius - 1) / np.float32(length), 0, 1) * (radius > 0.7)
            reach = np.maximum(reach, beside * fade)
            flank = np.exp(-(((turned - 0.16) * radius * np.float32(sharp) / 1.6) ** 2)) * fade
            body.mirror += np.float32(2.6) * flank
        distance = distance - reach * np.float32(0.42) * mean + np.float32(0.09) * mean * inner
    mask = body.inside(distance, max(tumor.soft * float(mean), 0.25))
    spread = 3.6 if tumor.malignant else tumor.uneven
    body.fill(mask, echo=np.float32(tumor.echo) + np.float32(spread) * inner, loss=tumor.loss)
    if not tumor.malignant:
        capsule = np.clip(0.9 + 0.6 * inner, 0.1, 1.8)
        body.interface(distance - 0.25, level=tumor.capsule, thickness=0.3, share=capsule, power=1.2)
        graze = (1 - body.facing(distance)) ** 8 * np.exp(-(((distance - 0.4) / np.float32(0.7)) ** 2))
        body.loss += np.float32(1.2) * graze
    for dx, dz in tumor.specks:
        speck = (outline.at[0] + dx * outline.half[0], outline.at[1] + dz * outline.half[1])
        near = (body.x - np.float32(speck[0])) ** 2 + (body.z - np.float32(speck[1])) ** 2
        body.mirror += 9 * np.exp(-near / np.float32(0.03 + (0.8 * body.probe.step) ** 2))
    return mask


def _place(side: int, x: float) -> str:
    breast = "right" if side > 0 else "left"
    half = "outer" if (x < 0) == (side > 0) else "inner"
    return f"{half} {breast} breast"


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    depth = log_uniform(generator, 28, 55)
    scanner = linear_scanner(generator, depth=depth, width=depth * float(generator.uniform(0.85, 1.3)))
    breast = _Breast(generator, scanner.probe)
    tumor = None
    if pathology != "normal":
        tumor = _tumor(generator, scanner.probe, breast, malignant=pathology == "malignant tumor")
    names = ["transverse", "longitudinal", "radial", "antiradial"]
    name = names[int(generator.integers(len(names)))]
    drawn = []
    for view in views(generator, images, reach=0.07 * depth):
        body = Body(scanner.probe, view)
        breast.paint(body)
        if tumor is None:
            drawn.append(scanner.show(body, generator, view=name))
            continue
        mask = _paint_tumor(body, tumor, view.off)
        place = _place(breast.side, tumor.outline.at[0])
        drawn.append(scanner.show(body, generator, view=name, mask=mask, place=place))
    return drawn


BREAST = Scene(modality="US", anatomy="breast", pathologies=("normal", "benign tumor", "malignant tumor"), draw=_draw)
