"""Radiographs of a knee, from the front and from the side: the scene XR/knee.

Owns the bones of a knee and what fractures and osteoarthritis do to them. Signs of osteoarthritis after Kellgren and
Lawrence (Ann Rheum Dis 1957): narrowed joint space, osteophytes, sclerosis, deformed bone ends; fractures of the tibial
plateau after Schatzker (Clin Orthop 1979).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.phantoms.canvas import measured, smooth_step
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
    solid,
    thickness,
    trabeculae,
    tube,
)
from radcbir_core.phantoms.radiographs.shapes import Points, curve, inset, ribbon
from radcbir_core.phantoms.radiographs.surroundings import draw_border, framed, marker, moved
from radcbir_core.phantoms.scenes import NORMAL, SIDE, Drawn

PATHOLOGIES = (NORMAL, "fracture", "osteoarthritis")

# Outlines in cm around the middle of the joint, y down. From the front: x is positive on the outer (fibular) side.
_FEMUR = (
    (-1.55, -18), (-1.6, -11), (-2.1, -7.6), (-3.6, -4.6), (-4.25, -3.1), (-4.05, -1.4), (-3.2, -0.5), (-2.1, -0.3),
    (-1.1, -0.8), (-0.6, -1.9), (0.0, -2.3), (0.6, -1.9), (1.1, -0.85), (2.1, -0.35), (3.2, -0.55), (4.0, -1.4),
    (4.15, -3.0), (3.5, -4.6), (2.1, -7.6), (1.6, -11), (1.55, -18),
)  # fmt: skip
_TIBIA = (
    (-4.0, 0.75), (-3.6, 0.3), (-2.3, 0.4), (-1.0, 0.3), (-0.45, -0.4), (0.0, 0.0), (0.4, -0.3), (1.0, 0.3),
    (2.3, 0.35), (3.6, 0.35), (4.0, 0.85), (3.8, 2.0), (2.8, 4.2), (1.9, 7.2), (1.5, 11), (1.4, 19),
    (-1.4, 19), (-1.5, 11), (-1.8, 7.2), (-2.7, 4.2), (-3.8, 2.0),
)  # fmt: skip
# From the side: x is positive toward the back.
_FEMUR_SIDE = (
    (-1.5, -18), (-1.55, -11), (-1.75, -7.5), (-2.3, -5.0), (-2.9, -3.4), (-2.8, -1.9), (-1.8, -0.7), (-0.3, -0.3),
    (1.3, -0.6), (2.6, -1.6), (3.05, -3.0), (2.6, -4.3), (1.7, -5.2), (1.5, -7.5), (1.55, -11), (1.55, -18),
)  # fmt: skip
_TIBIA_SIDE = (
    (-2.7, 0.9), (-2.3, 0.35), (-0.6, 0.3), (0.1, -0.05), (0.8, 0.4), (2.3, 0.65), (2.7, 1.2), (2.4, 2.4), (1.6, 4.5),
    (1.25, 8), (1.2, 19), (-1.4, 19), (-1.45, 8), (-1.8, 5.2), (-2.5, 3.8), (-2.6, 2.4),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Wear:
    """Osteoarthritis: side that is worn (-1 inner, 1 outer), gap left in cm, spurs in cm, sclerosis in cm of bone."""

    side: float
    gap: float
    spur: float
    dense: float
    tilt: float


@dataclass(frozen=True, kw_only=True)
class Crack:
    """A fracture: its kind, where it is in cm, the slope of its line, and how the far fragment has moved."""

    kind: str
    side: float
    level: float
    slant: float
    turn: float
    dx: float
    dy: float


@dataclass(kw_only=True)
class Knee:
    """A knee in one image, in cm: bones, outlines of soft tissue, dense spots, swelling, lesions (x, y, radius)."""

    bones: list[Bone] = field(default_factory=list)
    soft: list[Points] = field(default_factory=list)
    dense: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    swollen: list[tuple[float, float, float, float]] = field(default_factory=list)
    sites: list[tuple[float, float, float]] = field(default_factory=list)


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
    field_mm = generator.uniform(165, 250)
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
        side_view = lateral != (index > 0 and generator.random() < 0.25)
        bend = flexed + generator.normal(0, 0.04)
        sway = generator.normal(0, 0.12)
        build = _side_view if side_view else _front_view
        knee = build(
            slim=slim,
            fleshy=fleshy,
            cortex=cortex,
            space=space,
            axis=bend if side_view else axis,
            sway=sway,
            patella=patella,
            wear=wear,
            crack=crack,
        )
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
        view = "lateral" if side_view else "AP"
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


def _bone(points: np.ndarray, *, shaft: float, end: float, depth: float, layer: int) -> Bone:
    """A long bone from its outline: thick cortex in the shaft, thin at the joint (which lies at y = 0)."""
    outline = curve(points, closed=True, steps=6)
    shell = np.interp(np.abs(outline[:, 1]), [2.0, 7.0, 11.0], [end, 0.6 * shaft, shaft])
    return Bone(hull=outline, core=inset(outline, shell), depth=depth, layer=layer)


def _broken(
    knee: Knee, bone: Bone, *, point: tuple[float, float], normal: tuple[float, float], crack: Crack, radius: float
) -> Motion:
    """Adds both fragments of a bone; the one that the normal points to has moved. Gives the motion."""
    unit = np.asarray(normal) / np.hypot(*normal)
    # What is pulled apart stays visible as a dark line; what slides overlaps elsewhere.
    moved = Motion(
        x=point[0],
        y=point[1],
        turn=crack.turn,
        dx=crack.dx * abs(float(unit[1])) + 0.16 * float(unit[0]),
        dy=0.22 * float(unit[1]) + crack.dy * abs(float(unit[0])),
    )
    knee.bones.append(part(bone, point, -unit))
    knee.bones.append(moved.bone(part(bone, point, unit)))
    knee.swollen.append((point[0], point[1], 4.0, 1.5))
    knee.sites.append((point[0], point[1], radius))
    return moved


def _front_view(
    *,
    slim: float,
    fleshy: float,
    cortex: float,
    space: float,
    axis: float,
    sway: float,
    patella: tuple[float, float, float],
    wear: Wear | None,
    crack: Crack | None,
) -> Knee:
    """From the front. The femur is turned by the axis, and by what wear has taken from one side."""
    knee = Knee()
    wide = np.array([slim, 1.0])
    femur, tibia = np.array(_FEMUR) * wide, np.array(_TIBIA) * wide
    turn, drop = axis, -space
    if wear is not None:
        # The worn side closes: the femur turns about the other side's contact.
        turn += wear.side * wear.tilt * -1.0
        drop += 0.62 - wear.gap - 2.2 * wear.tilt
        femur, tibia = _spurs(femur, wear, up=False), _spurs(tibia, wear, up=True)
        for share, level, depth in ((1.0, 0.75, 1.0), (0.9, -0.75, 0.8), (-0.8, 0.7, 0.25)):
            knee.dense.append((wear.side * 2.4 * share * slim, level, 1.35, 0.5, wear.dense * depth))
        knee.sites.append((wear.side * 2.6 * slim, 0.0, 2.0))
        knee.swollen.append((0.0, -1.0, 4.5, 0.8))
    upper = Motion(turn=turn, dy=drop)
    thigh = _bone(femur, shaft=0.55 * cortex, end=0.12 * cortex, depth=2.7, layer=0)
    shin = _bone(tibia, shaft=0.5 * cortex, end=0.13 * cortex, depth=2.5, layer=1)
    steps = np.linspace(0, 1, 26)
    path = np.column_stack([3.45 * slim - 0.5 * steps, 1.9 + 17 * steps])
    half = np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.55, 0.95, 0.98, 0.58, 0.6])
    fibula = tube(path, half, 0.2 * cortex, depth=1.1, layer=2)
    cap = oval(
        patella[0] + 0.8 * sway,
        -3.7 + patella[1],
        2.15 * patella[2],
        2.25 * patella[2],
        cortex=0.14,
        depth=1.2,
        layer=3,
    )
    if crack is None or crack.kind == "patella":
        if crack is not None:
            _broken(
                knee, cap, point=(0.0, -3.7 + patella[1]), normal=(0.35 * crack.slant, -1.0), crack=crack, radius=1.8
            )
            knee.bones[-1] = Motion(dy=-1.1 - crack.dy).bone(knee.bones[-1])
            cap = Bone(hull=np.empty((0, 2)), core=np.empty((0, 2)), depth=0.0)
        knee.bones += [upper.bone(thigh), shin, fibula, cap]
    elif crack.kind == "tibial plateau":
        edge = crack.side * (1.0 + 1.2 * crack.level) * slim
        _broken(knee, shin, point=(edge, 0.4), normal=(crack.side, -0.42 - 0.3 * crack.slant), crack=crack, radius=2.0)
        knee.bones += [upper.bone(thigh), fibula, cap]
    elif crack.kind == "distal femur":
        level = -5.0 - 4.0 * crack.level
        _broken(knee, upper.bone(thigh), point=(0.0, level), normal=(crack.slant, -1.0), crack=crack, radius=2.4)
        knee.bones += [shin, fibula, cap]
    else:
        level = 4.0 + 3.5 * crack.level
        moved = _broken(knee, shin, point=(0.0, level), normal=(crack.slant, 1.0), crack=crack, radius=2.2)
        knee.bones += [upper.bone(thigh), cap, part(fibula, (3.3, level + 0.6), (0, -1))]
        knee.bones.append(moved.bone(part(fibula, (3.3, level + 0.6), (0, 1))))
    leg = curve([(0.0, -20), (0.0, -8), (0.0, 0), (0.2, 8), (0.1, 21)])
    wideness = np.interp(np.linspace(0, 1, len(leg)), [0, 0.3, 0.5, 0.72, 1], [8.3, 6.6, 5.6, 5.9, 5.0])
    knee.soft.append(ribbon(leg, wideness * (0.5 + 0.5 * fleshy) * slim))
    return knee


def _spurs(outline: np.ndarray, wear: Wear, *, up: bool) -> np.ndarray:
    """The outline with its edges at the joint drawn out to osteophytes, more on the worn side."""
    grown = outline.copy()
    for index, (x, y) in enumerate(outline):
        at_edge = abs(x) > 3.4 and -1.6 < y < 1.0
        if at_edge:
            much = wear.spur * (1.0 if np.sign(x) == wear.side else 0.55)
            grown[index] = (x + np.sign(x) * much, y + (-0.12 if up else 0.75) * much)
        elif up and abs(x) < 0.5 and -0.5 < y < 0:
            grown[index, 1] = y - 0.25 * wear.spur
    return grown


def _side_view(
    *,
    slim: float,
    fleshy: float,
    cortex: float,
    space: float,
    axis: float,
    sway: float,
    patella: tuple[float, float, float],
    wear: Wear | None,
    crack: Crack | None,
) -> Knee:
    """From the side; the femur is bent against the tibia by ``axis`` radians."""
    knee = Knee()
    wide = np.array([slim, 1.0])
    femur, tibia = np.array(_FEMUR_SIDE) * wide, np.array(_TIBIA_SIDE) * wide
    drop = -space
    if wear is not None:
        drop += 0.55 - max(wear.gap, 0.0)
        femur[(femur[:, 1] > -2.6) & (femur[:, 0] > 2)] += (0.9 * wear.spur, -0.1 * wear.spur)
        femur[(femur[:, 1] > -3.5) & (femur[:, 0] < -2.5)] += (-0.8 * wear.spur, -0.3 * wear.spur)
        edge = (np.abs(tibia[:, 0]) > 2.2) & (tibia[:, 1] < 1.3)
        tibia[edge] += np.column_stack([np.sign(tibia[edge, 0]) * 1.0 * wear.spur, np.full(int(edge.sum()), -0.2)])
        knee.dense += [(0.0, 0.75, 2.0, 0.5, wear.dense), (0.2, -0.8, 1.6, 0.5, wear.dense)]
        knee.sites.append((0.0, 0.0, 2.4))
        knee.swollen.append((-2.5, -5.0, 3.0, 1.0))
    upper = Motion(y=-2.2, turn=-axis, dy=drop)
    second = Motion(dx=0.35 * sway + 0.15, dy=-0.15 + 0.5 * sway)
    thigh = _bone(femur, shaft=0.5 * cortex, end=0.12 * cortex, depth=2.6, layer=0)
    condyle = part(thigh, (0.0, -4.4), (0.0, 1.0))
    shin = _bone(tibia, shaft=0.5 * cortex, end=0.13 * cortex, depth=2.7, layer=1)
    steps = np.linspace(0, 1, 26)
    path = np.column_stack([2.0 * slim + 0.2 * steps, 1.9 + 17 * steps])
    half = np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.5, 0.85, 0.9, 0.55, 0.55])
    fibula = tube(path, half, 0.2 * cortex, depth=1.0, layer=2)
    high = -3.4 + 0.5 * patella[1]
    cap_points = [(-4.9, high - 1.9), (-3.9, high - 2.2), (-3.5, high - 0.4), (-3.9, high + 1.2), (-4.8, high + 2.1)]
    cap_points += [(-5.4, high + 0.6), (-5.5, high - 0.8)]
    caps = np.array(cap_points) * (slim, 1.0)
    if wear is not None:
        caps[[1, 3]] += np.array([(0.35, -0.6), (0.3, 0.5)]) * wear.spur
    cap = Motion(y=-2.0, turn=-0.5 * axis).bone(solid(caps, cortex=0.16, depth=2.0, layer=3))
    femurs = [upper.bone(thigh), second.bone(upper.bone(condyle))]
    femurs[1] = Bone(hull=femurs[1].hull, core=femurs[1].core, depth=0.7, layer=4)
    if crack is None:
        knee.bones += [*femurs, shin, fibula, cap]
    elif crack.kind == "patella":
        middle = cap.hull.mean(axis=0)
        _broken(
            knee,
            cap,
            point=(float(middle[0]), float(middle[1])),
            normal=(0.3 * crack.slant, -1.0),
            crack=crack,
            radius=1.8,
        )
        knee.bones[-1] = Motion(dy=-0.7 - crack.dy).bone(knee.bones[-1])
        knee.bones += [*femurs, shin, fibula]
    elif crack.kind == "tibial plateau":
        toward = 1.0 if crack.side > 0 else -1.0
        edge = toward * (0.2 + crack.level)
        _broken(knee, shin, point=(edge, 0.4), normal=(toward, -0.42 - 0.3 * crack.slant), crack=crack, radius=2.0)
        knee.bones += [*femurs, fibula, cap]
    elif crack.kind == "distal femur":
        level = -5.5 - 3.5 * crack.level
        point = upper.points(np.array([[0.0, level]]))[0]
        far = (crack.slant + np.sin(-axis), -np.cos(axis))
        _broken(knee, femurs[0], point=(float(point[0]), float(point[1])), normal=far, crack=crack, radius=2.3)
        knee.bones += [femurs[1], shin, fibula, cap]
    else:
        level = 4.5 + 3.0 * crack.level
        moved = _broken(knee, shin, point=(0.0, level), normal=(crack.slant, 1.0), crack=crack, radius=2.2)
        knee.bones += [*femurs, cap, part(fibula, (2.0, level + 0.6), (0, -1))]
        knee.bones.append(moved.bone(part(fibula, (2.0, level + 0.6), (0, 1))))
    hip = upper.points(np.array([[0.3, -20.0], [0.2, -8.0]]))
    leg = curve([tuple(hip[0]), tuple(hip[1]), (-0.6, -1.5), (1.0, 8), (1.4, 21)])
    wideness = np.interp(np.linspace(0, 1, len(leg)), [0, 0.25, 0.5, 0.75, 1], [7.4, 6.0, 5.2, 5.4, 4.6])
    knee.soft.append(ribbon(leg, wideness * (0.5 + 0.5 * fleshy) * slim))
    return knee
