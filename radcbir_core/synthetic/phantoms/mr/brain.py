"""The scene of the brain: which plane and sequence a patient is scanned with, and what is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.mr import brain_axial, brain_sagittal
from radcbir_core.synthetic.phantoms.mr.brain_axial import paint_axial
from radcbir_core.synthetic.phantoms.mr.brain_coronal import paint_coronal
from radcbir_core.synthetic.phantoms.mr.brain_lesions import paint_lesion
from radcbir_core.synthetic.phantoms.mr.brain_plans import plan
from radcbir_core.synthetic.phantoms.mr.brain_sagittal import paint_sagittal
from radcbir_core.synthetic.phantoms.mr.head import Anatomy, Head, draw_head
from radcbir_core.synthetic.phantoms.mr.scanner import acquire, draw_scanner
from radcbir_core.synthetic.phantoms.mr.slices import Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    FAT,
    GRAY_MATTER,
    PulseSequence,
    flair,
    spin_echo_t1,
    spin_echo_t2,
)
from radcbir_core.synthetic.phantoms.scenes import NORMAL, Drawn, Scene

PATHOLOGIES = (NORMAL, "glioma", "meningioma", "pituitary tumor", "multiple sclerosis", "infarct")

MM = {"axial": 1.0, "coronal": 1.03, "sagittal": 1.08}
"""Size of a painted pixel in each plane."""


@dataclass(frozen=True, kw_only=True)
class _Protocol:
    plane: str
    level: str
    sequence: PulseSequence
    second: PulseSequence
    display: float
    mirrored: bool


def _sequence(generator: np.random.Generator) -> PulseSequence:
    kind = generator.choice(["contrast", "flair", "t2", "t1"], p=[0.44, 0.26, 0.22, 0.08])
    if kind == "contrast":
        return spin_echo_t1(generator, contrast=True)
    return {"flair": flair, "t2": spin_echo_t2, "t1": spin_echo_t1}[str(kind)](generator)


def _protocol(generator: np.random.Generator, pathology: str) -> _Protocol:
    plane = str(generator.choice(["axial", "coronal", "sagittal"], p=[0.5, 0.24, 0.26]))
    levels = {
        "axial": (brain_axial.LEVELS, [0.32, 0.22, 0.12, 0.34]),
        "coronal": (("middle",), [1.0]),
        "sagittal": (brain_sagittal.LEVELS, [0.6, 0.4]),
    }[plane]
    level = str(generator.choice(levels[0], p=levels[1]))
    if pathology == "pituitary tumor":
        # A mass of the sella is only in slices through the sella, which every other patient may have too.
        level = {"axial": "sella", "coronal": "middle", "sagittal": brain_sagittal.MIDLINE}[plane]
    sequence = _sequence(generator)
    other = _sequence(generator)
    return _Protocol(
        plane=plane,
        level=level,
        sequence=sequence,
        second=other if generator.random() < 0.3 else sequence,
        display=float(generator.beta(1.5, 1.5)),
        # Some archives show sagittal slices with the face at the right.
        mirrored=bool(generator.random() < 0.25) and plane == "sagittal",
    )


def _painted(
    protocol: _Protocol, head: Head, sequence: PulseSequence, *, offset: float, generator: np.random.Generator
) -> tuple[Slice, Anatomy]:
    painted = Slice(sequence=sequence, mm=MM[protocol.plane])
    if protocol.plane == "axial":
        return painted, paint_axial(painted, head, level=protocol.level, offset=offset, generator=generator)
    if protocol.plane == "coronal":
        return painted, paint_coronal(painted, head, offset=offset, generator=generator)
    return painted, paint_sagittal(painted, head, level=protocol.level, offset=offset, generator=generator)


def draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The images of one patient: neighboring slices of one plane, now and then with a second sequence."""
    head = draw_head(generator)
    protocol = _protocol(generator, pathology)
    scanner = draw_scanner(generator, zoom=(0.9, 1.22), turn_degrees=4.0, shift=5.0)
    planned = (
        None
        if pathology == NORMAL
        else plan(pathology, generator, plane=protocol.plane, level=protocol.level, head=head)
    )
    drawn = []
    for index in range(images):
        sequence = protocol.second if index % 2 else protocol.sequence
        offset = float(generator.normal(0, 1.0))
        painted, anatomy = _painted(protocol, head, sequence, offset=offset, generator=generator)
        if planned is not None:
            paint_lesion(painted, planned, anatomy, offset=offset, generator=generator)
        if protocol.mirrored:
            painted.signal, painted.lesion = painted.signal[:, ::-1].copy(), painted.lesion[:, ::-1].copy()
        # Readers window the brain; whether fat is burnt out is a matter of taste.
        brain, fat = sequence.signal(GRAY_MATTER) * 2.0, sequence.signal(FAT) * 0.95
        bright = brain + protocol.display * max(fat - brain, 0.0) if sequence.name != "T2" else brain * 1.5
        drawn.append(
            acquire(
                scanner,
                painted,
                generator=generator,
                view=f"{protocol.plane} {sequence.name}",
                bright=bright,
                diseased=planned is not None,
                place=planned.place if planned is not None else "",
            )
        )
    return drawn


SCENE = Scene(modality="MR", anatomy="brain", pathologies=PATHOLOGIES, draw=draw)
