"""What is wrong with a chest: the classic signs of six findings, laid over the normal trunk.

Owns the findings and their ground truth. Signs after the Fleischner Society's glossary (Bankier et al., Radiology 2024;
Hansell et al., Radiology 2008) and Felson's Principles of Chest Roentgenology. Each finding is drawn once for a
patient, then put into each image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, blur, chord, smooth_step, texture
from radcbir_core.synthetic.phantoms.radiographs.chest_body import HEIGHT, Build, Trunk
from radcbir_core.synthetic.phantoms.radiographs.chest_lungs import Tree, blood
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.shapes import strokes
from radcbir_core.synthetic.phantoms.scenes import NORMAL


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding as one image shows it.

    Attributes:
        mask: Where it is, share of each pixel, 0 to 1.
        size_cm: Its largest extent.
        place: In words.
        local: Whether its surroundings are what lies next to it, rather than the rest of the lung.
    """

    mask: Field
    size_cm: float
    place: str
    local: bool = False


Apply = Callable[[Trunk, Frame], Finding]
"""Puts a patient's finding into the trunk of one image, in place, and says where it is."""


@dataclass(frozen=True, kw_only=True)
class Sick:
    """A patient with a finding.

    Attributes:
        apply: Puts it into an image; None if there is none.
        trees: The vessels, which some findings change.
        heart_share: The cardiothoracic ratio.
        haze: How far vessels are blurred, in pixels.
    """

    apply: Apply | None
    trees: list[Tree]
    heart_share: float
    haze: float = 0.0


def fall_ill(pathology: str, generator: np.random.Generator, build: Build, trees: list[Tree]) -> Sick:
    """The patient with the finding of that name; its extent is drawn here, once.

    Raises:
        KeyError: There is no such finding.
    """
    well = Sick(apply=None, trees=trees, heart_share=build.heart_share)
    if pathology == NORMAL:
        return well
    if pathology == "cardiomegaly":
        return _cardiomegaly(generator, build, well)
    if pathology == "edema":
        return _edema(generator, build, well)
    makers = {
        "pleural effusion": _effusion,
        "pneumothorax": _pneumothorax,
        "consolidation": _consolidation,
        "nodule": _nodule,
    }
    return replace(well, apply=makers[pathology](generator, build, trees))


def _side(generator: np.random.Generator, right: float = 0.5) -> tuple[float, str]:
    """-1 for the patient's right, which is the image's left, or 1, and the word."""
    return (-1.0, "right") if generator.random() < right else (1.0, "left")


def _cardiomegaly(generator: np.random.Generator, build: Build, well: Sick) -> Sick:
    """An enlarged heart: wider than half the inner chest (Danzer, Am J Med Sci 1919)."""
    share = generator.uniform(0.545, 0.575) if generator.random() < 0.12 else generator.uniform(0.58, 0.74)

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        del frame
        seen = trunk.heart * smooth_step(-trunk.above_dome, 0.5)
        return Finding(mask=seen, size_cm=share * 28.0 * build.width, place="heart")

    return replace(well, apply=apply, heart_share=share)


def _effusion(generator: np.random.Generator, build: Build, trees: list[Tree]) -> Apply:
    """Fluid in the pleural space: blunted angle, hidden dome, and a surface that climbs at the side wall (meniscus)."""
    del trees
    side, word = _side(generator)
    deep = generator.uniform(4.8, 6.2) if generator.random() < 0.12 else generator.uniform(6.5, 16.0)
    climb = generator.uniform(2.0, 4.5)
    soft = generator.uniform(1.0, 2.6)
    base = build.inspiration + build.dome + (build.left_dome if side > 0 else 0.0)

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        del frame
        on_side = trunk.x * np.float32(side) > 0
        off = np.maximum(trunk.wall, 0)
        surface = np.float32(base - deep) + np.float32(climb) * (1 - np.exp(-off / np.float32(2.4)))
        surface = surface - np.float32(0.35 * climb) * np.clip((off - 7) / 4, 0, 1)
        fluid = np.where(on_side, smooth_step(np.asarray(surface - trunk.y, dtype=np.float32), soft), 0)
        trunk.air = trunk.air * (1 - fluid)
        trunk.vessels = trunk.vessels * (1 - fluid)
        mask = fluid * (trunk.wall > 0) * (trunk.cavity > 0.05)
        return Finding(mask=mask.astype(np.float32), size_cm=deep, place=f"{word} pleural space")

    return apply


def _pneumothorax(generator: np.random.Generator, build: Build, trees: list[Tree]) -> Apply:
    """Air in the pleural space: a thin white pleural line, and beyond it no vessels."""
    del trees
    side, word = _side(generator)
    subtle = generator.random() < 0.12
    gap = generator.uniform(1.3, 1.9) if subtle else generator.uniform(2.0, 6.5)
    top = gap * generator.uniform(1.1, 1.9)
    base = gap * generator.uniform(0.35, 1.0)
    collapse = np.float32(1 - 0.055 * gap * generator.uniform(0.7, 1.2))
    wave, phase = generator.uniform(0.0, 0.25), generator.uniform(0, 6)
    line = generator.uniform(0.45, 0.8)

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        del frame
        on_side = trunk.x * np.float32(side) > 0
        share = np.clip(trunk.y / np.float32(build.inspiration), 0, 1)
        width = np.float32(gap) + np.float32(base - gap) * share + np.float32(wave) * np.sin(trunk.y / 2.2 + phase)
        roof = trunk.y + np.float32(0.4) - np.float32(top - gap) * smooth_step(trunk.wall - 9, 8.0)
        # The rounded tip of the lung: a smooth minimum of the distances to wall and roof.
        nearest = np.minimum(trunk.wall, roof)
        both = np.float32(5.0)
        blend = np.clip(both - np.abs(trunk.wall - roof), 0, None)
        lung = nearest - blend * blend / (4 * both) - width
        gone = np.where(on_side, smooth_step(lung, 0.25), 0)
        edge = np.where(on_side, np.exp(-((lung / np.float32(0.16)) ** 2)), 0) * trunk.inside
        trunk.air = trunk.air * np.where(on_side, collapse, 1)
        full = np.float32(0.985 / (1 - build.lung))
        trunk.air = trunk.air * (1 - gone) + full * gone
        trunk.vessels = trunk.vessels * (1 - gone) + np.float32(line) * edge
        mask = gone * (trunk.inside > 0.5)
        return Finding(mask=mask.astype(np.float32), size_cm=gap, place=f"{word} pleural space")

    return apply


_LOBES = (
    # word, side, x and stretched y of the middle, half axes, sharp border: 1 below (horizontal fissure), -1 above
    ("right upper lobe", -1.0, 7.0, 6.3, 4.2, 4.6, 1),
    ("right middle lobe", -1.0, 6.6, 15.0, 4.2, 4.2, -1),
    ("right lower lobe", -1.0, 8.5, 18.0, 4.8, 4.6, 0),
    ("left upper lobe", 1.0, 7.4, 6.6, 4.0, 4.8, 0),
    ("lingula", 1.0, 9.2, 14.5, 3.8, 4.0, 0),
    ("left lower lobe", 1.0, 8.8, 18.0, 4.6, 4.6, 0),
)


def _consolidation(generator: np.random.Generator, build: Build, trees: list[Tree]) -> Apply:
    """Airspaces filled: a homogeneous opacity that hides vessels and lets air-filled bronchi show."""
    word, side, cx, cy, rx, ry, border = _LOBES[generator.integers(len(_LOBES))]
    subtle = generator.random() < 0.12
    dense = generator.uniform(0.5, 0.6) if subtle else generator.uniform(0.62, 0.95)
    size = generator.uniform(0.65, 0.8) if subtle else generator.uniform(0.85, 1.35)
    rough, ragged = generator.uniform(0.18, 0.42), texture(generator, 34, octaves=4)
    bronchi, edge = generator.uniform(0.5, 1.2), generator.uniform(0.6, 1.3)
    cx, cy = cx + generator.normal(0, 0.6), cy + generator.normal(0, 0.7)
    rx, ry = rx * size * generator.uniform(0.85, 1.15), ry * size * generator.uniform(0.85, 1.15)
    sharp = border if generator.random() < 0.7 else 0
    fissure = 10.4 + generator.normal(0, 0.3)

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        stretched = trunk.y * np.float32(HEIGHT / build.inspiration)
        u = (trunk.x * np.float32(side / build.width) - np.float32(cx)) / np.float32(rx)
        v = (stretched - np.float32(cy)) / np.float32(ry)
        radius = np.sqrt(u * u + v * v) + np.float32(rough) * _follow(ragged, frame)
        share = smooth_step(radius - 1, edge)
        if sharp:
            share = share * smooth_step(np.float32(sharp) * (stretched - np.float32(fissure)), 0.5)
        share = np.where(trunk.x * np.float32(side) > 0, share, 0).astype(np.float32)
        fine = np.float32(dense) * (1 + np.float32(0.16) * _follow(ragged, frame))
        filled = np.clip(share * fine, 0, 1)
        airways = [tree.part(tree.radii > 0.16) for tree in trees]
        trunk.vessels = trunk.vessels * (1 - 0.9 * share)
        trunk.vessels = trunk.vessels - np.float32(bronchi) * blood(airways, frame) * np.clip(1.6 * share - 0.5, 0, 1)
        trunk.air = trunk.air * (1 - filled)
        mask = share * (trunk.cavity > 2.0)
        return Finding(mask=mask.astype(np.float32), size_cm=2 * max(rx * build.width, ry), place=word)

    return apply


def _follow(field: Field, frame: Frame) -> Field:
    """A random field that belongs to the patient, moved along with the body from one image to the next."""
    return np.roll(field, (round(frame.cy), round(frame.cx)), axis=(0, 1))


def _nodule(generator: np.random.Generator, build: Build, trees: list[Tree]) -> Apply:
    """One to three rounded opacities of at most 3 cm, smooth or spiculated."""
    del trees
    number = int(generator.choice([1, 2, 3], p=[0.55, 0.28, 0.17]))
    subtle = generator.random() < 0.12
    placed: list[tuple[float, float, float]] = []
    while len(placed) < number:
        side, _ = _side(generator)
        y = generator.uniform(4.0, 19.5)
        edge = float(np.interp(y, (2, 5, 10, 16, 22), (9.0, 11.0, 12.5, 13.3, 13.8)))
        low = 5.5 if y < 9 else (8.6 if side > 0 else 6.6)
        x = side * generator.uniform(low, edge - 2.2)
        # The first is the largest.
        wide = generator.uniform(1.6, 2.0) if subtle else generator.uniform(2.4, 3.0)
        wide *= 1.0 if not placed else generator.uniform(0.8, 0.98)
        if all(np.hypot(x - other[0], y - other[1]) > 4.5 for other in placed):
            placed.append((x, y, wide))
    dense = generator.uniform(1.2, 1.45) if subtle else generator.uniform(1.8, 3.0)
    spiky = generator.uniform(0.05, 0.1) if generator.random() < 0.4 else generator.uniform(0.0, 0.03)
    phases = generator.uniform(0, 2 * np.pi, 4)
    first = placed[0]
    zone = "upper" if first[1] < 9 else ("middle" if first[1] < 14.5 else "lower")
    place = f"{'right' if first[0] < 0 else 'left'} {zone} zone"

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        del frame
        stretched = trunk.y * np.float32(HEIGHT / build.inspiration)
        mask = np.zeros_like(trunk.x)
        for index, (x, y, wide) in enumerate(placed):
            dx, dy = (
                trunk.x - np.float32(x * build.width),
                (stretched - np.float32(y)) * np.float32(build.inspiration / HEIGHT),
            )
            angle = np.arctan2(dy, dx)
            lumpy = 1 + np.float32(spiky) * (
                np.sin(2 * angle + phases[0]) + np.sin(3 * angle + phases[1] + index) + np.sin(7 * angle + phases[2])
            ) * np.float32(0.6)
            radius = np.sqrt(dx * dx + dy * dy) / (np.float32(wide / 2) * lumpy)
            bump = chord(radius * radius)
            trunk.vessels = trunk.vessels + np.float32(dense * wide / 2) * bump
            if index == 0:
                mask = smooth_step((radius - 1) * np.float32(wide / 2), 0.1)
        return Finding(mask=mask, size_cm=first[2], place=place, local=True)

    return apply


def _edema(generator: np.random.Generator, build: Build, well: Sick) -> Sick:
    """Pulmonary edema: wide upper vessels, blurred hila, perihilar haze like a bat's wings, Kerley B lines."""
    subtle = generator.random() < 0.12
    strength = generator.uniform(0.34, 0.42) if subtle else generator.uniform(0.5, 0.8)
    reach = generator.uniform(4.6, 7.2)
    patchy = texture(generator, 22, octaves=4)
    blotch = generator.uniform(0.12, 0.38)
    cuffed = generator.uniform(1.25, 1.7)
    trees = []
    hilum = 10.4 * build.inspiration / HEIGHT
    for tree in well.trees:
        upper = tree.ends[:, 1] < hilum
        trees.append(replace(tree, radii=tree.radii * np.where(upper, cuffed, 1.12)))
    lines = _kerley(generator, build)

    def apply(trunk: Trunk, frame: Frame) -> Finding:
        stretched = trunk.y * np.float32(HEIGHT / build.inspiration)
        u = (np.abs(trunk.x) - np.float32(5.2 * build.width)) / np.float32(reach)
        v = (stretched - np.float32(12.2)) / np.float32(1.25 * reach)
        haze = np.exp(-((u * u + v * v) ** np.float32(1.4)))
        spotted = np.clip(1 + np.float32(blotch) * _follow(patchy, frame), 0.25, 1.7)
        filled = np.clip(np.float32(strength) * haze * spotted, 0, 0.95)
        trunk.air = trunk.air * (1 - filled)
        width = 0.16
        paths = [frame.pixels(path) for path in lines]
        septa = strokes(paths, [width * frame.scale] * len(paths), [0.9] * len(paths))
        trunk.vessels = trunk.vessels + np.float32(0.75 * strength + 0.2) * septa * trunk.inside
        mask = smooth_step(np.float32(0.45) - haze, 0.1) * trunk.inside
        return Finding(mask=mask, size_cm=2 * 1.9 * reach, place="perihilar regions of both lungs")

    return replace(well, apply=apply, trees=trees, haze=generator.uniform(0.6, 1.3))


def _kerley(generator: np.random.Generator, build: Build) -> list[list[tuple[float, float]]]:
    """Kerley B lines: horizontal, 1 to 2 cm long, reaching the side wall of the lower zones."""
    lines = []
    for side in (-1.0, 1.0):
        level = generator.uniform(12.5, 15.0)
        for _ in range(int(generator.integers(6, 12))):
            level += generator.uniform(0.55, 1.05)
            y = level * build.inspiration / HEIGHT
            edge = float(np.interp(level, (10, 16, 22), (12.6, 13.4, 13.9))) * build.width
            length = generator.uniform(1.0, 2.2)
            rise = generator.normal(0, 0.12)
            lines.append([(side * edge, y), (side * (edge - length), y + rise)])
    return lines


def soften(vessels: Field, haze: float) -> Field:
    """Vessels with the blurred outlines of an edematous lung."""
    return blur(vessels, haze) if haze > 0 else vessels
