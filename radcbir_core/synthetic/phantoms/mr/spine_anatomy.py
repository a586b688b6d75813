"""The anatomy of the lumbar spine through its midline, in mm; the front is at the left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, texture
from radcbir_core.synthetic.phantoms.mr.slices import Slice, smooth_open
from radcbir_core.synthetic.phantoms.mr.tissues import (
    ANNULUS,
    BONE,
    CEREBROSPINAL_FLUID,
    DISC,
    FAT,
    FLOW_VOID,
    LIGAMENT,
    MARROW_EDEMA,
    MUSCLE,
    NERVE,
    SKIN,
    Tissue,
)

NAMES = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
"""The vertebrae above the sacrum, from above."""

Points = list[tuple[float, float]]
_Frame = tuple[np.ndarray, float, float]


@dataclass(frozen=True, kw_only=True)
class Spine:
    """A patient's spine: sizes in mm, shapes, and how worn the discs are (0 to 1, one beneath each vertebra)."""

    height: float
    depth: float
    gap: float
    lordosis: float
    lean: float
    wear: tuple[float, ...]
    marrow: Tissue
    canal: float
    aorta: float
    back_fat: float
    conus: float
    belly: float


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Level of the finding and how it looks."""

    level: int
    size: float
    migrated: float
    loss: float
    shape: str
    recent: bool


def draw_spine(generator: np.random.Generator) -> Spine:
    """A patient's spine, of any grown age."""
    age = float(generator.uniform(0, 1))
    wear = np.clip(generator.normal(0.15 + 0.45 * age, 0.22, len(NAMES)) + np.linspace(-0.1, 0.15, len(NAMES)), 0, 1)
    fat = float(np.clip(generator.normal(0.42 + 0.25 * age, 0.08), 0.3, 0.8))
    return Spine(
        height=float(generator.normal(27, 1.7)),
        depth=float(generator.normal(34, 2.2)),
        gap=float(generator.normal(9.5, 1.0)),
        lordosis=float(np.clip(generator.normal(1.0, 0.3), 0.3, 1.8)),
        lean=float(generator.normal(0, 0.05)),
        wear=tuple(float(each) for each in wear),
        marrow=Tissue(t1=640 - 380 * fat, t2=80, density=0.8, fat=fat),
        canal=float(np.clip(generator.normal(15.5, 1.6), 12.5, 19)),
        aorta=float(generator.uniform(5, 14)),
        back_fat=float(np.clip(generator.gamma(4, 6), 8, 50)),
        conus=float(generator.normal(2.0, 0.5)),
        belly=float(generator.normal(1.0, 0.15)),
    )


def _frames(spine: Spine, finding: Finding | None) -> list[_Frame]:
    """Center, tilt (radians, clockwise) and height of each vertebra, from the lowest up, then reversed."""
    tilt = 0.42 * spine.lordosis + spine.lean
    x, y = -14.0, 66.0
    frames = []
    for index in range(len(NAMES) - 1, -1, -1):
        lost = finding.loss * 0.55 if finding is not None and finding.level == index else 0.0
        height = spine.height * (1 - lost) * (1 - 0.025 * (len(NAMES) - 1 - index))
        gap = spine.gap * (1 - 0.45 * spine.wear[index]) * (1 - 0.05 * (len(NAMES) - 1 - index))
        step = height / 2 + gap / 2
        x, y = x + step * np.sin(tilt), y - step * np.cos(tilt)
        frames.append((np.array([x, y]), tilt, height))
        x, y = x + step * np.sin(tilt), y - step * np.cos(tilt)
        tilt -= 0.15 * spine.lordosis
        if lost and finding is not None and finding.shape == "wedge":
            # What is lost in front bends the spine forward.
            tilt -= 0.28 * finding.loss
    return frames[::-1]


def _placed(points: Points, center: np.ndarray, tilt: float) -> Points:
    c, s = float(np.cos(tilt)), float(np.sin(tilt))
    return [(float(center[0] + c * x - s * y), float(center[1] + s * x + c * y)) for x, y in points]


def _body(spine: Spine, height: float, finding: Finding | None) -> Points:
    """Outline of a vertebra around its center, with waists as of an hourglass; lower where it is fractured."""
    h, d = height / 2, spine.depth / 2
    front, middle, back = 0.0, 0.0, 0.0
    if finding is not None:
        lost = finding.loss * spine.height
        # The frame has lost half the height already: the rest goes where the shape says.
        front, middle, back = {
            "wedge": (0.62 * lost, 0.36 * lost, -0.3 * lost),
            "biconcave": (0.1 * lost, 0.68 * lost, -0.2 * lost),
            "crush": (0.45 * lost, 0.45 * lost, 0.25 * lost),
        }[finding.shape]
    top = [
        (-d, -h + front),
        (-d * 0.5, -h + 0.9 + (front + middle) / 2),
        (0, -h + 1.3 + middle),
        (d * 0.5, -h + 0.9 + (middle + back) / 2),
        (d, -h + back),
    ]
    bulge = 2.0 if finding is not None else 0.0
    low = 0.25
    bottom = [
        (d, h - low * back),
        (d * 0.5, h - 0.9 - low * middle),
        (0, h - 1.3 - low * middle),
        (-d * 0.5, h - 0.9 - low * front),
        (-d, h - low * front),
    ]
    return [*top, (d - 1.3 + bulge, 0.2 * back), *bottom, (-d + 1.8 - bulge, 0.3 * front)]


def paint_spine(
    painted: Slice,
    spine: Spine,
    *,
    herniated: Finding | None,
    broken: Finding | None,
    offset: float,
    generator: np.random.Generator,
) -> None:
    """Paints a slice ``offset`` slices beside the midline, with a herniated disc or a broken vertebra if any."""
    frames = _frames(spine, broken)
    centers = np.array([frame[0] for frame in frames])
    fibers = np.asarray(1 + 0.10 * texture(generator, 9, octaves=3), dtype=np.float32)
    grain = np.asarray(1 + 0.06 * texture(generator, 8, octaves=3), dtype=np.float32)
    ends = np.vstack(
        [centers[0] + (-4, -80), centers[0] + (-1, -40), centers, centers[-1] + (10, 36), centers[-1] + (30, 64)]
    )
    column = smooth_open(ends, 5)

    def beside(shift: float, start: int = 0) -> np.ndarray:
        return np.asarray(column[start:] + np.array([shift, 0.0]))

    d = spine.depth / 2
    # Belly: fat with bowel and the great vessels in front, muscle and fat behind.
    back = beside(d + spine.canal + 38 + spine.back_fat)
    painted.paint(painted.region(np.vstack([[(-140, -140)], back, [(120, 160), (-140, 160)]]), rounded=False), SKIN)
    painted.paint(
        painted.region(np.vstack([[(-140, -140)], back - (2.5, 0), [(118, 160), (-140, 160)]]), rounded=False),
        FAT,
        1 + 0.3 * (fibers - 1),
    )
    bowel = texture(generator, 24, octaves=4)
    belly = painted.region(np.vstack([[(-140, -140)], beside(-d - 17 * spine.belly), [(-140, 160)]]), rounded=False)
    painted.paint(belly * np.clip(0.45 * bowel + 0.3, 0, 0.9), MUSCLE, fibers)
    painted.paint(belly * np.clip(bowel - 1.2, 0, 1), CEREBROSPINAL_FLUID, 0.6)
    muscle = np.vstack([beside(d + spine.canal + 8), beside(d + spine.canal + 35)[::-1]])
    painted.paint(painted.region(muscle, rounded=False), MUSCLE, fibers)
    streaks = texture(generator, 12, octaves=4)
    painted.paint(
        painted.region(muscle, rounded=False) * np.clip(0.4 * streaks + 0.2 + 0.006 * spine.back_fat, 0, 0.9), FAT
    )
    # The aorta leaves the slice where it leaves the midline.
    artery = painted.path(
        beside(-d - 4 - spine.aorta / 2)[: 34 + round(offset)], spine.aorta * (1 - 0.1 * abs(offset)), rounded=False
    )
    painted.paint(artery * np.float32(0.9), FLOW_VOID)
    # Canal: fat behind the sac, the sac with the cord down to its cone, and roots beneath.
    painted.paint(painted.path(beside(d + spine.canal / 2 + 2), spine.canal + 8, rounded=False), FAT)
    sac = painted.path(beside(d + spine.canal / 2 + 1)[:-5], spine.canal, rounded=False)
    painted.paint(sac, CEREBROSPINAL_FLUID)
    cone = int(10 + 5 * spine.conus)
    painted.paint(painted.path(beside(d + spine.canal / 2 + 1)[: cone - 6], 7.5, rounded=False), NERVE)
    painted.paint(painted.path(beside(d + spine.canal / 2 + 1.8)[cone - 7 : cone], 4.5, rounded=False), NERVE)
    for shift, share in ((spine.canal * 0.78, 0.75), (spine.canal * 0.92, 0.6), (spine.canal * 0.60, 0.35)):
        roots = painted.path(beside(d + shift)[cone - 4 : -6], 1.5, rounded=False)
        painted.paint(roots * np.float32(share), NERVE)
    # Spinous processes with ligaments between them.
    for center, tilt, _ in frames:
        process = _placed(
            [
                (d + spine.canal + 7, 4),
                (d + spine.canal + 18, 4),
                (d + spine.canal + 33, 10),
                (d + spine.canal + 32, 19),
                (d + spine.canal + 16, 16),
                (d + spine.canal + 8, 10),
            ],
            center,
            tilt,
        )
        mask = painted.region(process)
        painted.paint(mask, BONE)
        middle = np.mean(process, axis=0)
        painted.paint(
            painted.region(
                [(middle[0] + 0.86 * (px - middle[0]), middle[1] + 0.78 * (py - middle[1])) for px, py in process]
            ),
            spine.marrow,
            grain,
        )
        flavum = _placed([(d + spine.canal + 4.5, 8), (d + spine.canal + 7, 18)], center, tilt)
        painted.paint(painted.path(flavum, 3.0), LIGAMENT)
    # Sacrum.
    sacrum = _placed(
        [(-d, 18), (d * 0.9, 13), (d + 5, 34), (d + 24, 58), (d + 30, 84), (d + 18, 84), (d - 2, 62), (-d + 8, 40)],
        centers[-1] + (1.0, spine.height * 0.5 - 6),
        frames[-1][1],
    )
    painted.paint(painted.region(sacrum), BONE)
    middle = np.mean(sacrum, axis=0)
    painted.paint(
        painted.region(
            [(middle[0] + 0.93 * (px - middle[0]), middle[1] + 0.95 * (py - middle[1])) for px, py in sacrum]
        ),
        spine.marrow,
        grain,
    )
    _discs(painted, spine, herniated, frames)
    _bodies(painted, spine, broken, frames=frames, grain=grain)


def _discs(painted: Slice, spine: Spine, finding: Finding | None, frames: list[_Frame]) -> None:
    """The discs, each beneath its vertebra, and what leaves one."""
    d = spine.depth / 2
    for index, (center, tilt, height) in enumerate(frames):
        wear = spine.wear[index]
        gap = spine.gap * (1 - 0.45 * wear)
        herniated = finding is not None and finding.level == index
        if herniated:
            wear = max(wear, 0.6)
        disc = [
            (-d - 0.5, height / 2 - 1),
            (0, height / 2 - 1.5),
            (d + 0.5, height / 2 - 1),
            (d + 1.0, height / 2 + gap * 0.5),
            (d, height / 2 + gap + 1),
            (0, height / 2 + gap + 1.5),
            (-d, height / 2 + gap + 1),
            (-d - 1.2, height / 2 + gap * 0.5),
        ]
        if index == len(frames) - 1:
            disc = [(x, y if y < height / 2 + gap * 0.4 else y + 1.5) for x, y in disc]
        painted.paint(painted.region(_placed(disc, center, tilt)), ANNULUS)
        worn = Tissue(t1=DISC.t1, t2=DISC.t2 * (1 - 0.72 * wear), density=DISC.density - 0.15 * wear)
        nucleus = _placed(
            [
                (-d * 0.72, height / 2 + gap * 0.5),
                (0, height / 2 + gap * 0.2),
                (d * 0.72, height / 2 + gap * 0.5),
                (0, height / 2 + gap * 0.8),
            ],
            center,
            tilt,
        )
        painted.paint(painted.region(nucleus), worn)
        if wear < 0.45:
            cleft = _placed([(-d * 0.5, height / 2 + gap * 0.5), (d * 0.5, height / 2 + gap * 0.5)], center, tilt)
            painted.paint(painted.path(cleft, 1.2) * np.float32(0.35), ANNULUS)
        if herniated and finding is not None:
            size, moved = finding.size, finding.migrated
            y = height / 2 + gap / 2
            neck = 0.42 * gap + 0.12 * size
            bulge = [
                (d - 4, y - neck),
                (d + size * 0.5, y - neck - 1.5 + 0.3 * moved),
                (d + size, y - 1.5 + 0.8 * moved),
                (d + size * 0.92, y + 3.0 + moved),
                (d + size * 0.45, y + neck + 1.5 + 0.8 * max(moved, 0)),
                (d - 4, y + neck),
            ]
            mask = painted.region(_placed(bulge, center, tilt))
            rim = painted.path(_placed(bulge[1:5], center, tilt), 1.6)
            tissue = Tissue(t1=780, t2=40, density=0.78)
            painted.paint(mask, tissue)
            painted.paint(rim * np.float32(0.7), ANNULUS)
            out = painted.region(
                _placed([(d + 0.3, y - 30), (d + 60, y - 30), (d + 60, y + 30), (d + 0.3, y + 30)], center, tilt),
                rounded=False,
            )
            painted.mark(np.asarray(mask * out, dtype=np.float32))


def _bodies(painted: Slice, spine: Spine, finding: Finding | None, *, frames: list[_Frame], grain: Field) -> None:
    """The vertebrae, and the ligament in front of them."""
    d = spine.depth / 2
    for index, (center, tilt, height) in enumerate(frames):
        broken = finding if finding is not None and finding.level == index else None
        outline = _placed(_body(spine, height, broken), center, tilt)
        mask = painted.region(outline)
        painted.paint(mask, BONE)
        if broken is not None:
            # What the vertebra has lost of its height, the disc fills.
            whole = _placed([(-d, -height / 2), (d, -height / 2), (d, height / 2), (-d, height / 2)], center, tilt)
            painted.paint(painted.region(whole, rounded=False), Tissue(t1=1100, t2=36, density=0.72))
            painted.paint(mask, BONE)
        inner = [(center[0] + 0.93 * (x - center[0]), center[1] + 0.91 * (y - center[1])) for x, y in outline]
        marrow = painted.region(inner)
        painted.paint(marrow, spine.marrow, grain)
        vein = painted.path(_placed([(d * 0.35, 0), (d * 0.95, 0.4)], center, tilt), 2.4)
        painted.paint(vein * np.float32(0.55), MARROW_EDEMA)
        if broken is not None:
            if broken.recent:
                painted.paint(marrow * np.float32(0.85), MARROW_EDEMA, grain)
                line = _placed(
                    [(-d * 0.8, -height * 0.12), (0, -height * 0.05), (d * 0.7, -height * 0.15)], center, tilt
                )
                painted.paint(painted.path(line, 1.8) * np.float32(0.8), BONE)
            painted.mark(mask)
    front = [frame[0] + np.array([-(d + 1.2) * np.cos(frame[1]), -(d + 1.2) * np.sin(frame[1])]) for frame in frames]
    painted.paint(painted.path(np.array(front), 1.5) * np.float32(0.7), LIGAMENT)
