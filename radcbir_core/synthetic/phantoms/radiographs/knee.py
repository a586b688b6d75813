"""Radiographs of a knee, from the front and from the side: the scene XR/knee.

Owns how a knee is drawn and exposed, and which fractures and how much wear it has. Signs of osteoarthritis after
Kellgren and Lawrence (Ann Rheum Dis 1957): narrowed joint space, osteophytes, sclerosis, deformed bone ends; fractures
of the tibial plateau after Schatzker (Clin Orthop 1979).
"""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import measured, smooth_step
from radcbir_core.synthetic.phantoms.radiographs.exposure import displayed, noisy, pixels_of
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.knee_bones import Crack, Stance, Wear, front_view, side_view
from radcbir_core.synthetic.phantoms.radiographs.limb import draw_style, expose, flesh, thickness, trabeculae
from radcbir_core.synthetic.phantoms.radiographs.surroundings import draw_border, framed, marker, moved
from radcbir_core.synthetic.phantoms.scenes import NORMAL, SIDE, Drawn

PATHOLOGIES = (NORMAL, "fracture", "osteoarthritis")


def draw_knee(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The radiographs of one patient's knee; see `Draw`."""
    slim = generator.uniform(0.9, 1.1)
    fleshy = generator.uniform(0.85, 1.3)
    cortex = generator.uniform(0.75, 1.25)
    space = generator.uniform(-0.06, 0.1)
    axis = generator.normal(0, 0.03)
    flexed = generator.uniform(0.05, 0.75)
    patella = (generator.normal(0, 0.25), generator.normal(0, 0.5), generator.uniform(0.9, 1.1))
    size = generator.uniform(0.88, 1.08)
    field_mm = generator.uniform(172, 250)
    mirror = bool(generator.random() < 0.5)
    turn = generator.normal(0, 0.06)
    place = (generator.normal(0, 7), generator.normal(0, 9))
    lateral = bool(generator.random() < 0.42)
    mineral = generator.uniform(0.8, 1.15)
    marrow = generator.uniform(0.38, 0.54)
    grain = trabeculae(generator)
    style = draw_style(generator)
    border = draw_border(generator, narrow=0.1)
    wear = _wear(generator) if pathology == "osteoarthritis" else None
    crack = _crack(generator) if pathology == "fracture" else None
    drawn = []
    for index in range(images):
        # Now and then the other view of the same knee is among a patient's images.
        lying = lateral != (index > 0 and generator.random() < 0.25)
        bend = flexed + generator.normal(0, 0.04)
        sway = generator.normal(0, 0.12)
        pose = Stance(
            slim=slim,
            fleshy=fleshy,
            cortex=cortex,
            space=space,
            axis=bend if lying else axis,
            sway=sway,
            patella=patella,
        )
        knee = (side_view if lying else front_view)(pose, wear, crack)
        frame = Frame(
            mm_per_pixel=field_mm / SIDE / size * generator.uniform(0.98, 1.02),
            cx=SIDE / 2 + place[0] + generator.normal(0, 4),
            cy=SIDE * 0.5 + place[1] + generator.normal(0, 4),
            turn=turn + generator.normal(0, 0.025),
            mirror=mirror,
        )
        x, y = frame.centimeters()
        soft = flesh(knee.soft, frame, depth=12.5 * fleshy, reach=2.2)
        for sx, sy, radius, amount in knee.swollen:
            soft += np.float32(amount) * smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - radius, 2.5)
        bone = thickness(knee.bones, frame, marrow=marrow, grain=grain) * np.float32(mineral)
        for sx, sy, rx, ry, amount in knee.dense:
            spot = np.exp(
                -(((x - np.float32(sx)) / np.float32(rx)) ** 2) - ((y - np.float32(sy)) / np.float32(ry)) ** 2
            )
            bone += np.float32(amount) * spot * np.clip(bone, 0, 1)
        exposure, clean = expose(soft, bone, style)
        lead = marker(generator)
        shown = displayed(noisy(clean, exposure, generator), exposure)
        if lead is not None:
            shown = np.maximum(shown, lead)
        lesion = None
        if knee.sites:
            sx, sy, radius = knee.sites[0]
            mask = smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - np.float32(radius), 0.1)
            lesion = measured(
                displayed(clean, exposure),
                mask,
                mm_per_pixel=field_mm / SIDE,
                place=_place(wear, crack),
                size_mm=20 * radius * size,
            )
        view = "lateral" if lying else "AP"
        drawn.append(Drawn(pixels=pixels_of(framed(shown, moved(border, generator))), view=view, lesion=lesion))
    return drawn


def _place(wear: Wear | None, crack: Crack | None) -> str:
    if crack is not None:
        return crack.kind
    if wear is not None:
        return f"{'medial' if wear.side < 0 else 'lateral'} compartment"
    return ""


def _wear(generator: np.random.Generator) -> Wear:
    """Grades 2 to 4; the inner side is the one mostly worn."""
    subtle = generator.random() < 0.12
    grade = generator.uniform(0.5, 0.62) if subtle else generator.uniform(0.7, 1.25)
    return Wear(
        side=-1.0 if generator.random() < 0.75 else 1.0,
        gap=generator.uniform(0.16, 0.2) if subtle else generator.uniform(-0.12, 0.12),
        spur=0.95 * grade * generator.uniform(0.8, 1.2),
        dense=1.5 * grade * generator.uniform(0.7, 1.3),
        tilt=0.05 + 0.06 * grade * generator.uniform(0.5, 1.2),
    )


def _crack(generator: np.random.Generator) -> Crack:
    """A fracture of one of the bones, mostly displaced."""
    subtle = generator.random() < 0.12
    kind = str(
        generator.choice(["tibial plateau", "distal femur", "proximal tibia", "patella"], p=[0.34, 0.26, 0.26, 0.14])
    )
    sign = 1.0 if generator.random() < 0.5 else -1.0
    much = generator.uniform(0.35, 0.5) if subtle else generator.uniform(0.75, 1.5)
    return Crack(
        kind=kind,
        side=1.0 if generator.random() < 0.75 else -1.0,
        level=generator.uniform(0.0, 1.0),
        slant=generator.uniform(-0.5, 0.5),
        turn=sign * 0.17 * much * generator.uniform(0.6, 1.3),
        dx=-sign * 0.75 * much * generator.uniform(0.5, 1.2),
        dy=0.45 * much * generator.uniform(0.7, 1.3),
    )
