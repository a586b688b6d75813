"""Radiographs of a hand: the scene XR/hand.

Owns the skeleton of a hand and what fractures and osteoarthritis do to it. Signs of osteoarthritis (narrowed joints,
osteophytes, sclerosis) after Kellgren and Lawrence (Ann Rheum Dis 1957); sites after Altman (Arthritis Rheum 1990):
end and middle joints of the fingers, base of the thumb.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.phantoms.canvas import Field, measured, smooth_step
from radcbir_core.phantoms.radiographs.exposure import displayed, noisy, pixels_of
from radcbir_core.phantoms.radiographs.frame import Frame
from radcbir_core.phantoms.radiographs.limb import (
    Bone,
    Motion,
    draw_style,
    expose,
    flesh,
    oval,
    part,
    thickness,
    trabeculae,
    tube,
)
from radcbir_core.phantoms.radiographs.shapes import Points, curve, ribbon
from radcbir_core.phantoms.radiographs.surroundings import draw_border, framed, marker, moved
from radcbir_core.phantoms.scenes import NORMAL, SIDE, Drawn

PATHOLOGIES = (NORMAL, "fracture", "osteoarthritis")

_NAMES = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
_BASES = ((2.2, -0.9), (1.25, -2.0), (0.2, -2.1), (-0.8, -1.9), (-1.65, -1.5))
_HEADING = (38.0, 9.0, 0.0, -9.0, -18.0)
_SPREAD = (-6.0, 7.0, 0.5, -6.0, -15.0)
_LENGTHS = (
    (4.6, 3.3, 2.5),
    (6.7, 4.1, 2.5, 1.9),
    (6.5, 4.6, 3.0, 2.0),
    (5.8, 4.3, 2.8, 2.0),
    (5.3, 3.4, 2.1, 1.8),
)
_SEGMENTS = ("metacarpal", "proximal phalanx", "middle phalanx", "distal phalanx")
# Half widths at base, shaft and head in cm.
_WIDTHS = ((0.72, 0.42, 0.74), (0.66, 0.43, 0.52), (0.55, 0.36, 0.46), (0.46, 0.24, 0.33))
_CARPALS = (
    (1.45, 0.2, 1.0, 0.66, -0.6),
    (0.25, 0.62, 0.76, 0.66, 0.2),
    (-0.95, 0.25, 0.72, 0.62, 0.5),
    (2.05, -0.7, 0.72, 0.62, 0.5),
    (1.25, -1.2, 0.58, 0.66, 0.0),
    (0.3, -0.85, 0.62, 1.05, 0.0),
    (-0.75, -0.85, 0.78, 0.85, -0.3),
)


@dataclass(frozen=True, kw_only=True)
class Joint:
    """What osteoarthritis has done to a joint: bone ends widened, narrowed gap, sclerosis, crooked axis."""

    spur: float
    gap: float
    dense: float
    bend: float


@dataclass(frozen=True, kw_only=True)
class Break:
    """A fracture of one bone of a ray, or of the radius (ray -1).

    Attributes:
        ray: Index of the ray, thumb first.
        segment: Index of the bone in the ray, metacarpal first.
        share: How far along the bone.
        slant: Of the fracture line, radians.
        bend: Turn of the far fragment, radians.
        shift: Sideways, share of the bone's half width.
        gap: Between the fragments, cm; negative ones overlap.
    """

    ray: int
    segment: int
    share: float
    slant: float
    bend: float
    shift: float
    gap: float


@dataclass(kw_only=True)
class Hand:
    """A hand in one image, in cm.

    Attributes:
        bones: All of them.
        soft: Outlines of the soft tissue.
        spots: (x, y, radius, density) of sclerosis, swelling (negative radius is soft tissue).
        site: (x, y) of the largest lesion.
        reach: Radius of the largest lesion, cm.
    """

    bones: list[Bone] = field(default_factory=list)
    soft: list[Points] = field(default_factory=list)
    dense: list[tuple[float, float, float, float]] = field(default_factory=list)
    swollen: list[tuple[float, float, float, float]] = field(default_factory=list)
    sites: list[tuple[float, float, float]] = field(default_factory=list)


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
        squeeze = (0.82 if oblique else 1.0) * generator.uniform(0.97, 1.02)
        hand = _build(
            lengths,
            slim=slim,
            fleshy=fleshy,
            cortex=cortex,
            gap=gap,
            spread=spread * generator.uniform(0.85, 1.15) + generator.normal(0, 0.08),
            crooked=crooked + generator.normal(0, 0.8, (5, 4)),
            squeeze=squeeze,
            joints=joints,
            breaks=breaks,
        )
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
            sx, sy, radius = hand.sites[0]
            mask = smooth_step(np.hypot(x - np.float32(sx), y - np.float32(sy)) - np.float32(radius), 0.1)
            lesion = measured(
                displayed(clean, exposure),
                _kept(mask, x, y),
                mm_per_pixel=field_mm / SIDE,
                place=_place(breaks, joints),
                size_mm=20 * radius * size,
            )
        drawn.append(Drawn(pixels=pixels_of(framed(shown, moved(border, generator))), view="oblique" if oblique else "PA", lesion=lesion))
    return drawn


def _kept(mask: Field, x: Field, y: Field) -> Field:
    """The mask, or the pixel nearest to the middle of the image if the lesion fell out of it."""
    if (mask > 0.5).any():
        return mask
    nearest = np.zeros_like(mask)
    nearest.flat[int(np.argmin(np.hypot(x, y)))] = 1
    return nearest


def _place(breaks: list[Break], joints: dict[tuple[int, int], Joint]) -> str:
    if breaks:
        first = breaks[0]
        if first.ray < 0:
            return "distal radius"
        return f"{_segment(first.ray, first.segment)} of the {_NAMES[first.ray]}"
    ray, segment = next(iter(joints))
    if (ray, segment) == (0, 0):
        return "base of the thumb"
    kind = {1: "base joint", 2: "middle joint", 3: "end joint"}[segment + (1 if ray == 0 and segment == 2 else 0)]
    return f"{kind} of the {_NAMES[ray]}"


def _segment(ray: int, segment: int) -> str:
    return "distal phalanx" if ray == 0 and segment == 2 else _SEGMENTS[segment]


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


def _build(
    lengths: list[np.ndarray],
    *,
    slim: float,
    fleshy: float,
    cortex: float,
    gap: float,
    spread: float,
    crooked: np.ndarray,
    squeeze: float,
    joints: dict[tuple[int, int], Joint],
    breaks: list[Break],
) -> Hand:
    """The hand in the pose of one image."""
    hand = Hand()
    for x, y, rx, ry, turn in _CARPALS:
        hand.bones.append(oval(x * squeeze, y, rx, ry, turn=turn, cortex=0.12 * cortex, depth=0.75))
    hand.bones.append(oval(-1.2 * squeeze, 0.25, 0.38, 0.36, cortex=0.1, depth=0.45, layer=1))
    for ray in range(5):
        _ray(
            hand,
            ray,
            lengths[ray],
            slim=slim,
            fleshy=fleshy,
            cortex=cortex,
            gap=gap,
            spread=spread,
            crooked=crooked[ray],
            squeeze=squeeze,
            joints=joints,
            breaks=breaks,
        )
    _forearm(hand, slim=slim, fleshy=fleshy, cortex=cortex, squeeze=squeeze, breaks=breaks)
    return hand


def _ray(
    hand: Hand,
    ray: int,
    lengths: np.ndarray,
    *,
    slim: float,
    fleshy: float,
    cortex: float,
    gap: float,
    spread: float,
    crooked: np.ndarray,
    squeeze: float,
    joints: dict[tuple[int, int], Joint],
    breaks: list[Break],
) -> None:
    """One finger with its metacarpal, from base to tip; what is bent bends all that follows."""
    at = np.array([_BASES[ray][0] * squeeze, _BASES[ray][1]])
    heading = _HEADING[ray] * squeeze
    middle: list[np.ndarray] = [at * 0.3 + np.array([0.0, 0.3]), at.copy()]
    for segment, length in enumerate(lengths):
        if segment == 1:
            heading += _SPREAD[ray] * spread * squeeze
        heading += crooked[segment] * (0.4 if segment == 0 else 1.0)
        joint, worn = joints.get((ray, segment)), joints.get((ray, segment + 1))
        if joint is not None:
            heading += joint.bend
        space = gap if joint is None else joint.gap
        angle = np.deg2rad(heading)
        along = np.array([np.sin(angle), -np.cos(angle)])
        if (ray, segment) == (0, 0) and joint is not None:
            at = at + 0.28 * joint.spur * np.array([1.0, 0.2])
        start, end = at + along * space / 2, at + along * (length - (gap if worn is None else worn.gap) / 2)
        last = segment == len(lengths) - 1
        base, shaft, head = _WIDTHS[3 if last else segment]
        if ray == 4:
            base, shaft, head = 0.9 * base, 0.86 * shaft, 0.9 * head
        if ray == 0 and segment < 2:
            base, shaft, head = 1.1 * base, 1.1 * shaft, 1.05 * head
        start_spur, end_spur = 0.0 if joint is None else joint.spur, 0.0 if worn is None else worn.spur
        knots = [0, 0.05, 0.13, 0.34, 0.66, 0.87, 0.95, 1]
        half = slim * np.array(
            [
                base * (0.82 + 0.55 * start_spur),
                base * (1 + 0.5 * start_spur),
                0.86 * base,
                shaft,
                shaft,
                0.9 * head,
                head * (1 + 0.5 * end_spur),
                head * (0.72 + 0.55 * end_spur),
            ]
        )
        shell = cortex * np.array([0.09, 0.09, 0.1, 0.17, 0.17, 0.1, 0.09, 0.09])
        steps = np.linspace(0, 1, 22)
        path = start + steps[:, None] * (end - start)
        bone = tube(
            path,
            np.interp(steps, knots, half),
            np.interp(steps, knots, shell),
            depth=0.95 if segment == 0 else 0.8 - 0.1 * segment,
            layer=0 if segment % 2 == 0 else 1,
        )
        if joint is not None:
            hand.dense.append((at[0], at[1], slim * base * (0.95 + 0.4 * joint.spur), joint.dense))
            hand.swollen.append((at[0], at[1], 0.75 * fleshy, 0.5 * joint.spur))
            hand.sites.append((at[0], at[1], slim * base * (1 + 0.6 * joint.spur)))
        broken = next((b for b in breaks if (b.ray, b.segment) == (ray, segment)), None)
        tip = at + along * length
        if broken is None:
            hand.bones.append(bone)
        else:
            turned = _snap(hand, bone, broken, start, end, slim * shaft)
            heading += np.rad2deg(broken.bend)
            middle.append(start + broken.share * (end - start))
            tip = turned.points(tip[None])[0]
        at = tip
        middle.append(at.copy())
    angle = np.deg2rad(heading)
    middle.append(at + 0.45 * np.array([np.sin(angle), -np.cos(angle)]))
    spine = curve(np.array(middle), steps=6)
    reach = np.linspace(0, 1, len(spine))
    if ray == 0:
        wide = np.interp(reach, [0, 0.3, 0.55, 0.75, 0.93, 1], [1.6, 1.75, 1.2, 1.05, 0.9, 0.35])
    else:
        wide = np.interp(reach, [0, 0.3, 0.45, 0.6, 0.8, 0.94, 1], [1.4, 1.45, 1.25, 0.98, 0.88, 0.74, 0.3])
    hand.soft.append(ribbon(spine, wide * fleshy * (0.9 if ray == 4 else 1.0)))


def _snap(hand: Hand, bone: Bone, broken: Break, start: np.ndarray, end: np.ndarray, half: float) -> Motion:
    """Breaks a bone: adds both fragments, and gives the motion of the far one and of all that hangs on it."""
    point = start + broken.share * (end - start)
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    c, s = np.cos(broken.slant), np.sin(broken.slant)
    normal = c * along + s * across
    off = broken.gap * along + broken.shift * half * across
    turned = Motion(x=float(point[0]), y=float(point[1]), turn=broken.bend, dx=float(off[0]), dy=float(off[1]))
    hand.bones.append(part(bone, point, -normal))
    hand.bones.append(turned.bone(part(bone, point, normal)))
    # A chip and the bleeding around it.
    side = point + across * half * (1.2 if broken.shift < 0 else -1.2)
    hand.bones.append(oval(float(side[0]), float(side[1]), 0.22, 0.12, turn=broken.slant, cortex=0.03, depth=0.4))
    hand.swollen.append((float(point[0]), float(point[1]), 1.5, 0.8))
    hand.sites.append((float(point[0] + off[0] / 2), float(point[1] + off[1] / 2), float(half * 1.6 + 0.25)))
    return turned


def _forearm(hand: Hand, *, slim: float, fleshy: float, cortex: float, squeeze: float, breaks: list[Break]) -> None:
    """Radius, ulna and the soft tissue around them."""
    steps = np.linspace(0, 1, 26)
    start, end = np.array([0.75 * squeeze, 1.15]), np.array([1.15 * squeeze, 11.0])
    half = slim * np.interp(steps, [0, 0.03, 0.08, 0.2, 0.35, 1], [1.15, 1.45, 1.45, 1.05, 0.78, 0.75])
    shell = cortex * np.interp(steps, [0, 0.1, 0.3, 1], [0.1, 0.12, 0.24, 0.28])
    radius = tube(start + steps[:, None] * (end - start), half, shell, depth=1.35)
    broken = next((b for b in breaks if b.ray < 0), None)
    if broken is None:
        hand.bones.append(radius)
    else:
        # The far fragment is the lower end with the joint: it is the part that moves, with a little of the wrist.
        point = start + broken.share * (end - start)
        normal = np.array([np.sin(broken.slant * 0.6), np.cos(broken.slant * 0.6)])
        moved = Motion(
            x=float(point[0]), y=float(point[1]), turn=broken.bend, dx=0.5 * broken.shift, dy=-0.6 * broken.gap
        )
        hand.bones.append(part(radius, point, normal))
        hand.bones.append(moved.bone(part(radius, point, -normal)))
        hand.swollen.append((float(point[0]), float(point[1]), 2.4, 0.9))
        hand.sites.append((float(point[0]), float(point[1]), 1.5 * slim))
    start, end = np.array([-1.25 * squeeze, 1.5]), np.array([-0.95 * squeeze, 11.0])
    half = slim * np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.6, 0.78, 0.76, 0.56, 0.62])
    hand.bones.append(tube(start + steps[:, None] * (end - start), half, 0.17 * cortex, depth=1.1))
    arm = curve([(0.2, -1.2), (0.1, 1.2), (0.1, 4), (0.1, 12)])
    wide = np.interp(np.linspace(0, 1, len(arm)), [0, 0.33, 0.6, 1], [2.9, 2.75, 2.9, 3.5])
    hand.soft.append(ribbon(arm, wide * squeeze * fleshy))
