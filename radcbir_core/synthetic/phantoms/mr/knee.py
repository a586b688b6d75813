"""The scene of the knee: sagittal and coronal, proton density or T2 with fat suppression.

A tear is a bright cleft that reaches the surface of a dark meniscus, or a piece of it displaced (de Smet, Radiol Clin
North Am 45, 2007); an effusion fills the suprapatellar recess and the gutters beside the condyles with bright fluid.
Distances are mm from the middle of the joint; in sagittal slices the patella is at the left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import blur
from radcbir_core.synthetic.phantoms.mr.knee_anatomy import Knee, draw_knee, paint_coronal, paint_sagittal, turned
from radcbir_core.synthetic.phantoms.mr.scanner import acquire, draw_scanner
from radcbir_core.synthetic.phantoms.mr.slices import Slice, draw_blob
from radcbir_core.synthetic.phantoms.mr.tissues import (
    CARTILAGE,
    FAT,
    MENISCUS,
    SYNOVIAL_FLUID,
    PulseSequence,
    proton_density,
    spin_echo_t2,
)
from radcbir_core.synthetic.phantoms.scenes import NORMAL, Drawn, Scene

PATHOLOGIES = (NORMAL, "meniscal tear", "joint effusion")
MM = 0.62
"""Size of a painted pixel."""


@dataclass(frozen=True, kw_only=True)
class _Tear:
    """Which meniscus or horn (-1 at the left of the picture), and how it is torn."""

    side: float
    kind: str
    lean: float
    width: float
    at: float


def _sequence(generator: np.random.Generator) -> PulseSequence:
    kind = generator.choice(["pd fs", "t2 fs", "pd"], p=[0.6, 0.25, 0.15])
    suppression = float(generator.uniform(0.82, 0.95))
    if kind == "t2 fs":
        return spin_echo_t2(generator, fat_suppression=suppression)
    return proton_density(generator, fat_suppression=suppression if kind == "pd fs" else 0.0)


def _tear(
    painted: Slice, knee: Knee, tear: _Tear, *, plane: str, offset: float, generator: np.random.Generator
) -> None:
    """A bright cleft through the horn, or a piece of it displaced, and a little fluid beside it."""
    k, sign = knee.size, tear.side
    out = 8.0 if plane == "coronal" else 0.0

    def at(x: float, y: float) -> tuple[float, float]:
        return sign * (x + out) * k, y * k

    if tear.kind == "displaced":
        # What is left is a blunted stump; the piece lies in the notch or the front of the joint.
        missing = painted.region(
            [at(27, -4.5), at(30 + 0.3 * tear.at, 0), at(28, 4), at(27, 8.2), at(14, 5.5), at(14, 0)]
        )
        painted.paint(missing, SYNOVIAL_FLUID, 0.92)
        x = 5.0 if plane == "coronal" else -8.0
        y = -3.5 if plane == "coronal" else 1.0
        center = (sign * (x + 0.6 * tear.at) * k, y * k)
        piece = turned([(-8.5, 1.5), (-1, -3.6), (5.5, -3.0), (8.5, 2.2), (0, 3.0)], 0.4 * tear.lean, (0, 0))
        place = [(center[0] + px * k, center[1] + py * k) for px, py in piece]
        painted.paint(
            painted.ellipse(center[0] + 1.5 * k, center[1] - 1.0 * k, 9 * k, 4.4 * k, width=4) * np.float32(0.75),
            SYNOVIAL_FLUID,
        )
        painted.paint(painted.region(place, rounded=False), MENISCUS)
        painted.mark(missing)
        return
    if tear.kind == "horizontal":
        line = [at(37, 1.5 + tear.lean), at(30, 2.4), at(24, 1.8 - 0.4 * tear.lean), at(16, 3.2 - tear.lean)]
        beside = draw_blob(generator, at(38, 1)[0], y=at(38, 0.5 + tear.lean)[1], radius=3.4 * k, aspect=1.5)
    elif tear.kind == "vertical":
        x = 27.5 + tear.at
        line = [at(x - 1.4 * tear.lean, -4.5), at(x + 0.5, 0), at(x - 0.3, 4), at(x + 1.4 * tear.lean, 9)]
        beside = draw_blob(generator, at(36.5, -6)[0], y=-6.0 * k, radius=2.2 * k, aspect=1.8)
    else:
        line = [at(35, -2), at(31 + 0.4 * tear.at, 1.0), at(25, 3.6), at(19, 8.0)]
        beside = draw_blob(generator, at(37.5, -2)[0], y=-3.0 * k, radius=2.4 * k, aspect=1.6)
    # A cleft is nowhere of one width, and the meniscus beside it frays.
    wide = (tear.width - 0.1 * abs(offset)) * k
    cleft = painted.path(line[:3], wide)
    cleft = np.maximum(cleft, painted.path(line[1:], wide * 1.4))
    frayed = np.clip(blur(cleft, 2.2) * 1.6, 0, 0.55).astype(np.float32)
    painted.paint(frayed, CARTILAGE)
    painted.paint(cleft, SYNOVIAL_FLUID)
    painted.paint(painted.soft(painted.blob(beside, near=4), 2.0) * np.float32(0.7), SYNOVIAL_FLUID)
    painted.mark(cleft)


def draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The images of one patient: neighboring slices of one plane."""
    knee = draw_knee(generator)
    plane = "sagittal" if generator.random() < 0.6 else "coronal"
    sequence = _sequence(generator)
    scanner = draw_scanner(
        generator, zoom=(1.08, 1.4), turn_degrees=3.5, shift=6.0, coil_at=(0.0, -0.02), surface=(0.1, 0.7)
    )
    mirrored = bool(generator.random() < 0.2) and plane == "sagittal"
    drop = 14.0 * float(generator.uniform(0.3, 1.0))
    tear = _Tear(
        side=float(generator.choice([-1.0, 1.0], p=[0.3, 0.7])),
        kind=str(generator.choice(["horizontal", "vertical", "oblique", "displaced"], p=[0.22, 0.28, 0.22, 0.28])),
        lean=float(generator.uniform(-1, 1)),
        width=float(generator.uniform(2.0, 3.4)),
        at=float(generator.uniform(-2.5, 2.5)),
    )
    depth = float(generator.uniform(6, 17))
    effusion = depth if pathology == "joint effusion" else 0.0
    painter = paint_sagittal if plane == "sagittal" else paint_coronal
    medial = tear.side * knee.medial > 0
    if plane == "sagittal":
        horn, side = "posterior" if tear.side > 0 else "anterior", "medial" if knee.medial > 0 else "lateral"
        place = f"{horn} horn of the {side} meniscus"
    else:
        place = f"{'medial' if medial else 'lateral'} meniscus"
    drawn = []
    for _ in range(images):
        offset = float(generator.normal(0, 1.0))
        # The joint line lies beneath the middle of the picture, so that the recess above the patella is in it.
        painted = Slice(sequence=sequence, mm=MM, down=drop)
        fluid = painter(painted, knee, offset=offset, generator=generator, effusion=effusion * (1 - 0.04 * abs(offset)))
        if pathology == "meniscal tear":
            _tear(painted, knee, tear, plane=plane, offset=offset, generator=generator)
        elif effusion:
            painted.mark(fluid)
        if mirrored:
            painted.signal, painted.lesion = painted.signal[:, ::-1].copy(), painted.lesion[:, ::-1].copy()
        diseased = pathology != NORMAL
        drawn.append(
            acquire(
                scanner,
                painted,
                generator=generator,
                view=f"{plane} {sequence.name}",
                bright=max(sequence.signal(SYNOVIAL_FLUID) * 0.95, sequence.signal(FAT) * 1.0),
                diseased=diseased,
                place="" if not diseased else place if pathology == "meniscal tear" else "knee joint",
                size_mm=round(effusion, 1) if effusion else None,
            )
        )
    return drawn


SCENE = Scene(modality="MR", anatomy="knee", pathologies=PATHOLOGIES, draw=draw)
