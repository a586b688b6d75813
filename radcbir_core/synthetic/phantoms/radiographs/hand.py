"""Radiographs of a hand: the scene XR/hand.

Owns how a hand is drawn and exposed, and which fractures and worn joints it has. Signs of osteoarthritis (narrowed
joints, osteophytes, sclerosis) after Kellgren and Lawrence (Ann Rheum Dis 1957); sites after Altman (Arthritis Rheum
1990): end and middle joints of the fingers, base of the thumb.
"""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import measured, smooth_step
from radcbir_core.synthetic.phantoms.radiographs.exposure import displayed, noisy, pixels_of
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.hand_bones import Break, Hand, Joint, Pose, build_hand
from radcbir_core.synthetic.phantoms.radiographs.limb import draw_style, expose, flesh, thickness, trabeculae
from radcbir_core.synthetic.phantoms.radiographs.surroundings import draw_border, framed, marker, moved
from radcbir_core.synthetic.phantoms.scenes import NORMAL, SIDE, Drawn

PATHOLOGIES = (NORMAL, "fracture", "osteoarthritis")

_NAMES = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
_LENGTHS = (
    (4.6, 3.3, 2.5),
    (6.7, 4.1, 2.5, 1.9),
    (6.5, 4.6, 3.0, 2.0),
    (5.8, 4.3, 2.8, 2.0),
    (5.3, 3.4, 2.1, 1.8),
)
_SEGMENTS = ("metacarpal", "proximal phalanx", "middle phalanx", "distal phalanx")


def draw_hand(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    """The radiographs of one patient's hand; see `Draw`."""
    slim = generator.uniform(0.86, 1.16)
    fleshy = generator.uniform(0.88, 1.2)
    cortex = generator.uniform(0.75, 1.25)
    gap = generator.uniform(0.13, 0.2)
    lengths = [np.array(row) * generator.normal(1.0, 0.03, len(row)) for row in _LENGTHS]
    spread = generator.uniform(0.2, 1.6)
    crooked = generator.normal(0, 2.0, (5, 4))
    size = generator.uniform(0.88, 1.1)
    field_mm = generator.uniform(215, 270)
    mirror = bool(generator.random() < 0.5)
    turn = generator.normal(0, 0.2)
    place = (generator.normal(0, 7), generator.normal(0, 6))
    oblique = bool(generator.random() < 0.25)
    mineral = generator.uniform(0.8, 1.15)
    marrow = generator.uniform(0.42, 0.58)
    grain = trabeculae(generator)
    style = draw_style(generator)
    border = draw_border(generator)
    joints = _arthritis(generator) if pathology == "osteoarthritis" else {}
    breaks = _fractures(generator) if pathology == "fracture" else []
    drawn = []
    for _ in range(images):
        pose = Pose(
            lengths=lengths,
            slim=slim,
            fleshy=fleshy,
            cortex=cortex,
            gap=gap,
            spread=spread * generator.uniform(0.85, 1.15) + generator.normal(0, 0.08),
            crooked=crooked + generator.normal(0, 0.8, (5, 4)),
            squeeze=(0.82 if oblique else 1.0) * generator.uniform(0.97, 1.02),
            joints=joints,
            breaks=breaks,
        )
        hand = build_hand(pose)
        frame = Frame(
            mm_per_pixel=field_mm / SIDE / size * generator.uniform(0.98, 1.02),
            cx=SIDE / 2 + place[0] + generator.normal(0, 2.5),
            cy=SIDE * 0.74 + place[1] + generator.normal(0, 2.5),
            turn=turn + generator.normal(0, 0.025),
            mirror=mirror,
        )
        soft = flesh(hand.soft, frame, depth=4.6, reach=0.85)
        x, y = frame.centimeters()
        for sx, sy, radius, amount in hand.swollen:
            soft += np.float32(amount) * smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - radius, 0.9)
        bone = thickness(hand.bones, frame, marrow=marrow, grain=grain) * np.float32(mineral)
        for sx, sy, radius, amount in hand.dense:
            bone += (
                np.float32(amount)
                * smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - np.float32(radius), 0.25)
                * (bone > 0.1)
            )
        exposure, clean = expose(soft, bone, style)
        lead = marker(generator)
        shown = displayed(noisy(clean, exposure, generator), exposure)
        if lead is not None:
            shown = np.maximum(shown, lead)
        lesion = None
        if hand.sites:
            site = _seen(hand, frame, [*joints, *((broken.ray, broken.segment) for broken in breaks)])
            sx, sy, radius = hand.sites[site]
            lesion = measured(
                displayed(clean, exposure),
                smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - np.float32(radius), 0.1),
                mm_per_pixel=field_mm / SIDE,
                place=_place(site, worn=bool(joints)),
                size_mm=20 * radius * size,
            )
        drawn.append(
            Drawn(
                pixels=pixels_of(framed(shown, moved(border, generator))),
                view="oblique" if oblique else "PA",
                lesion=lesion,
            )
        )
    return drawn


def _seen(hand: Hand, frame: Frame, order: list[tuple[int, int]]) -> tuple[int, int]:
    """The first lesion of that order that is well inside the image, or the one nearest to its middle."""
    sites = [site for site in order if site in hand.sites]
    at = frame.pixels([hand.sites[site][:2] for site in sites])
    far = np.abs(at - SIDE / 2).max(axis=1)
    inside = np.flatnonzero(far < 0.44 * SIDE)
    return sites[int(inside[0]) if len(inside) else int(np.argmin(far))]


def _place(site: tuple[int, int], *, worn: bool) -> str:
    """The place of a lesion in words: a joint where one is worn, a bone where one is broken."""
    ray, segment = site
    if ray < 0:
        return "distal radius"
    last = 2 if ray == 0 else 3
    if not worn:
        bone = "distal phalanx" if segment == last else _SEGMENTS[segment]
        return f"{bone} of the {_NAMES[ray]}"
    if site == (0, 0):
        return "base of the thumb"
    return f"{'end' if segment == last else 'middle'} joint of the {_NAMES[ray]}"


def _arthritis(generator: np.random.Generator) -> dict[tuple[int, int], Joint]:
    """Joints before bone (ray, segment) that are worn, the worst first."""
    subtle = generator.random() < 0.12
    candidates = [(0, 0), (1, 3), (2, 3), (3, 3), (4, 3), (1, 2), (2, 2), (3, 2), (4, 2), (0, 2)]
    weights = np.array([2.5, 1.3, 1.3, 1.0, 1.0, 1.0, 1.0, 0.8, 0.8, 0.8])
    number = int(generator.integers(2, 4) if subtle else generator.integers(4, 9))
    chosen = generator.choice(len(candidates), number, replace=False, p=weights / weights.sum())
    worst = generator.uniform(0.55, 0.7) if subtle else generator.uniform(0.75, 1.15)
    joints = {}
    for rank, index in enumerate(chosen):
        grade = worst * (1 if rank == 0 else generator.uniform(0.6, 1.0))
        joints[candidates[int(index)]] = Joint(
            spur=grade * generator.uniform(0.6, 1.05),
            gap=generator.uniform(0.0, 0.05),
            dense=grade * generator.uniform(0.15, 0.4),
            bend=grade * generator.normal(0, 11),
        )
    return joints


def _fractures(generator: np.random.Generator) -> list[Break]:
    """One fracture, or two of neighboring rays; the sites by how often they are seen."""
    subtle = generator.random() < 0.12
    site = str(generator.choice(["radius", "neck", "shaft", "phalanx", "thumb"], p=[0.24, 0.22, 0.24, 0.2, 0.1]))
    sign = 1.0 if generator.random() < 0.5 else -1.0
    bend = sign * np.deg2rad(generator.uniform(12, 18) if subtle else generator.uniform(22, 48))
    shift = -sign * (generator.uniform(0.2, 0.4) if subtle else generator.uniform(0.5, 1.25))
    gap = generator.uniform(0.1, 0.28)
    slant = generator.uniform(-0.6, 0.6)
    ray, segment, share = {
        "radius": (-1, 0, generator.uniform(0.12, 0.26)),
        "neck": (int(generator.choice([4, 4, 3])), 0, generator.uniform(0.68, 0.8)),
        "shaft": (int(generator.integers(1, 5)), 0, generator.uniform(0.35, 0.6)),
        "phalanx": (int(generator.integers(1, 5)), 1, generator.uniform(0.25, 0.65)),
        "thumb": (0, 0, generator.uniform(0.15, 0.4)),
    }[site]
    if site == "radius":
        bend, shift = bend * 0.7, shift * 0.6
    breaks = [Break(ray=ray, segment=segment, share=share, slant=slant, bend=bend, shift=shift, gap=gap)]
    if site in {"shaft", "phalanx", "neck"} and generator.random() < 0.3:
        beside = ray - 1 if ray > 1 else ray + 1
        breaks.append(
            Break(
                ray=beside,
                segment=segment,
                share=float(np.clip(share + generator.normal(0, 0.08), 0.2, 0.8)),
                slant=slant + generator.normal(0, 0.2),
                bend=bend * generator.uniform(0.6, 1.0),
                shift=shift * generator.uniform(0.5, 1.0),
                gap=gap,
            )
        )
    return breaks
