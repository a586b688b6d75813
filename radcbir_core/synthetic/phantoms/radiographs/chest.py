"""Frontal chest radiographs: the scene XR/chest.

Owns how a patient, a view and an exposure are drawn and put together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, measured, texture
from radcbir_core.synthetic.phantoms.radiographs.chest_body import draw_build, draw_trunk
from radcbir_core.synthetic.phantoms.radiographs.chest_bones import bones
from radcbir_core.synthetic.phantoms.radiographs.chest_lungs import blood, grow
from radcbir_core.synthetic.phantoms.radiographs.chest_signs import fall_ill, soften
from radcbir_core.synthetic.phantoms.radiographs.exposure import (
    CHEST_BEAM,
    displayed,
    exposed,
    noisy,
    pixels_of,
    wide_blur,
)
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.surroundings import (
    draw_border,
    draw_cables,
    framed,
    marker,
    metal,
    moved,
)
from radcbir_core.synthetic.phantoms.scenes import NORMAL, SIDE, Drawn

PATHOLOGIES = (
    NORMAL,
    "cardiomegaly",
    "pleural effusion",
    "pneumothorax",
    "consolidation",
    "nodule",
    "edema",
)


def draw_chest(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The frontal chest radiographs of one patient; see `Draw`."""
    build = draw_build(generator)
    trees = [grow(generator, build, side=side) for side in (-1.0, 1.0)]
    sick = fall_ill(pathology, generator, build, trees)
    mesh = texture(generator, 7, octaves=3)
    view = "PA" if generator.random() < 0.65 else "AP"
    shoulder = generator.uniform(1.5, 3.2) if view == "PA" else generator.uniform(-0.5, 1.2)
    sag = generator.normal(0, 0.5)
    size = generator.uniform(0.9, 1.06)
    field_mm = generator.uniform(330, 420)
    place = (generator.normal(0, 6.0), generator.uniform(0.1, 0.22) * SIDE)
    habit = (generator.normal(0, 0.04), generator.normal(0, 0.07), generator.normal(0, 0.05))
    cables = draw_cables(generator)
    style = _draw_style(generator)
    border = draw_border(generator)
    drawn = []
    for _ in range(images):
        mm = field_mm / SIDE / size
        frame = Frame(
            mm_per_pixel=mm * generator.uniform(0.98, 1.02),
            cx=SIDE / 2 + place[0] + generator.normal(0, 3),
            cy=place[1] + generator.normal(0, 3),
            turn=habit[0] + generator.normal(0, 0.012),
            yaw=habit[1] + generator.normal(0, 0.025),
            tilt=habit[2] + generator.normal(0, 0.02),
        )
        breath = generator.uniform(0.975, 1.025)
        trunk = draw_trunk(build, frame, breath=breath, heart_share=sick.heart_share)
        trunk.bone = bones(build, frame, breath=breath, shoulder=shoulder, sag=sag)
        seen = np.clip(trunk.cavity * np.float32(0.4), 0, 1)
        trunk.vessels = soften(blood(sick.trees, frame, breath=breath), sick.haze) * seen
        shift = (round(frame.cy), round(frame.cx))
        trunk.vessels += np.float32(0.009) * trunk.cavity * np.roll(mesh, shift, axis=(0, 1))
        finding = sick.apply(trunk, frame) if sick.apply is not None else None
        soft, bone = trunk.soft(build.lung), trunk.bone + metal(cables, frame)
        exposure, clean = exposed(
            soft, bone, style, beam=CHEST_BEAM, scatter_reach=18.0, least=5.0, quantiles=(0.03, 0.97)
        )
        lead = marker(generator)
        shown = displayed(noisy(clean, exposure, generator), exposure)
        if lead is not None:
            shown = np.maximum(shown, lead)
        lesion = None
        if finding is not None:
            image = displayed(clean, exposure)
            lesion = measured(
                image,
                finding.mask,
                mm_per_pixel=field_mm / SIDE,
                place=finding.place,
                size_mm=finding.size_cm * 10 * size,
            )
            if not finding.local:
                lesion = replace(lesion, contrast=_contrast(image, finding.mask, trunk.inside))
        drawn.append(Drawn(pixels=pixels_of(framed(shown, moved(border, generator))), view=view, lesion=lesion))
    return drawn


def _contrast(image: Field, mask: Field, lung: Field) -> float:
    """Mean gray level of a finding less that of the lung beside it (of all around it if it spares too little)."""
    spared = (lung > 0.5) & (mask < 0.05) & (wide_blur(mask, 12.0) > 0.02)
    if spared.sum() < 50:
        spared = mask < 0.05
    return round(float(np.clip(image[mask > 0.5].mean() - image[spared].mean(), -1, 1)), 4)


def _draw_style(generator: np.random.Generator) -> dict[str, float]:
    """The technique of a patient's images: how dark, how steep, how sharp, how noisy."""
    return {
        "scatter": generator.uniform(0.22, 0.52),
        "photons": float(np.exp(generator.uniform(np.log(3e4), np.log(6e5)))),
        "softness": generator.uniform(0.35, 0.85),
        "dark": generator.uniform(0.1, 0.78),
        "light": generator.uniform(0.93, 1.16),
        "contrast": generator.uniform(0.3, 2.6),
        "enhancement": generator.uniform(0.0, 0.9),
        "reach": generator.uniform(2.0, 12.0),
        "floor": generator.uniform(0.0, 0.06),
        "ceiling": generator.uniform(0.9, 1.0),
    }
