"""The scene of the lumbar spine: sagittal T1, T2, and T2 with fat suppression, through the midline.

A herniated disc reaches beyond the edges of its vertebrae into the canal (Fardon et al., Spine J 14, 2014); a
compression fracture takes a fifth or more of a vertebra's height, mostly in front (Genant et al., J Bone Miner Res 8,
1993), with edema of its marrow while it is recent. Distances are mm; the front is at the left.
"""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.mr.scanner import acquire, draw_scanner
from radcbir_core.synthetic.phantoms.mr.slices import Slice
from radcbir_core.synthetic.phantoms.mr.spine_anatomy import NAMES, Finding, draw_spine, paint_spine
from radcbir_core.synthetic.phantoms.mr.tissues import (
    CEREBROSPINAL_FLUID,
    FAT,
    PulseSequence,
    spin_echo_t1,
    spin_echo_t2,
)
from radcbir_core.synthetic.phantoms.scenes import NORMAL, Drawn, Scene

PATHOLOGIES = (NORMAL, "disc herniation", "compression fracture")
MM = 1.1
"""Size of a painted pixel."""


def _sequence(generator: np.random.Generator) -> PulseSequence:
    kind = generator.choice(["t2", "t1", "t2 fs"], p=[0.6, 0.2, 0.2])
    if kind == "t1":
        return spin_echo_t1(generator)
    return spin_echo_t2(generator, fat_suppression=0.0 if kind == "t2" else float(generator.uniform(0.85, 0.97)))


def draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The images of one patient: neighboring slices, now and then with a second weighting."""
    spine = draw_spine(generator)
    sequence, other = _sequence(generator), _sequence(generator)
    second = other if generator.random() < 0.3 else sequence
    scanner = draw_scanner(
        generator, zoom=(1.2, 1.55), turn_degrees=3.0, shift=6.0, coil_at=(0.22, 0.0), surface=(0.3, 1.6)
    )
    herniation = pathology == "disc herniation"
    finding = Finding(
        level=int(
            generator.choice(np.arange(3, 7), p=[0.14, 0.26, 0.36, 0.24]) if herniation else generator.integers(2, 6)
        ),
        size=float(generator.uniform(9.5, 15.0)) * spine.canal / 15.5,
        migrated=float(generator.choice([-1.0, 1.0, 1.0]) * generator.uniform(0, 8)),
        loss=float(generator.uniform(0.4, 0.7)),
        shape=str(generator.choice(["wedge", "biconcave", "crush"], p=[0.5, 0.3, 0.2])),
        recent=bool(generator.random() < 0.75),
    )
    below = NAMES[finding.level + 1] if finding.level + 1 < len(NAMES) else "S1"
    place = f"disc between {NAMES[finding.level]} and {below}" if herniation else f"vertebra {NAMES[finding.level]}"
    drawn = []
    for index in range(images):
        offset = float(generator.normal(0, 1.0))
        painted = Slice(sequence=second if index % 2 else sequence, mm=MM)
        paint_spine(
            painted,
            spine,
            herniated=finding if herniation else None,
            broken=finding if pathology == "compression fracture" else None,
            offset=offset,
            generator=generator,
        )
        now = painted.sequence
        fluid, fat = now.signal(CEREBROSPINAL_FLUID), now.signal(FAT)
        drawn.append(
            acquire(
                scanner,
                painted,
                generator=generator,
                view=f"sagittal {now.name}",
                bright=1.15 * (fat if now.name == "T1" else 0.9 * max(fluid, fat)),
                diseased=pathology != NORMAL,
                place="" if pathology == NORMAL else place,
            )
        )
    return drawn


SCENE = Scene(modality="MR", anatomy="lumbar spine", pathologies=PATHOLOGIES, draw=draw)
