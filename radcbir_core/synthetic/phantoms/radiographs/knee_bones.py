"""The bones of a knee from the front and from the side, with what fractures and osteoarthritis do to them.

Owns geometry in cm around the middle of the joint, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.synthetic.phantoms.radiographs.limb import Bone, Motion, oval, part, solid, tube
from radcbir_core.synthetic.phantoms.radiographs.shapes import Points, curve, inset, ribbon

# From the front: x is positive on the outer (fibular) side.
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


@dataclass(frozen=True, kw_only=True)
class Stance:
    """A patient's knee in one image.

    Attributes:
        slim: Width of the bones, 1 is average.
        fleshy: Soft tissue, 1 is average.
        cortex: Thickness of the cortex, 1 is average.
        space: Wider joint space than usual, cm.
        axis: Turn of the femur in radians; from the side, how far the knee is bent.
        sway: Small turn about the long axis, cm that it moves the kneecap.
        patella: Kneecap: sideways and upward shift in cm, and size, 1 is average.
    """

    slim: float
    fleshy: float
    cortex: float
    space: float
    axis: float
    sway: float
    patella: tuple[float, float, float]


@dataclass(kw_only=True)
class Knee:
    """A knee in one image, in cm: bones, outlines of soft tissue, dense spots, swelling, lesions (x, y, radius)."""

    bones: list[Bone] = field(default_factory=list)
    soft: list[Points] = field(default_factory=list)
    dense: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    swollen: list[tuple[float, float, float, float]] = field(default_factory=list)
    sites: list[tuple[float, float, float]] = field(default_factory=list)


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
    # What is pulled apart stays visible as a dark line; what slides steps the cortex. A shaft slides either way, an
    # upright line, as that of a plateau, lets its fragment sink.
    apart, slide = 0.2 + 0.25 * abs(crack.dy), crack.dx * abs(float(unit[1])) + 1.6 * crack.dy * float(unit[0])
    moved = Motion(
        x=point[0],
        y=point[1],
        turn=crack.turn,
        dx=apart * float(unit[0]) - slide * float(unit[1]),
        dy=apart * float(unit[1]) + slide * float(unit[0]),
    )
    knee.bones.append(part(bone, point, -unit))
    knee.bones.append(moved.bone(part(bone, point, unit)))
    knee.swollen.append((point[0], point[1], 4.0, 1.5))
    knee.sites.append((point[0], point[1], radius))
    return moved


def front_view(pose: Stance, wear: Wear | None, crack: Crack | None) -> Knee:
    """From the front. The femur is turned by the pose.axis, and by what wear has taken from one side."""
    knee = Knee()
    wide = np.array([pose.slim, 1.0])
    femur, tibia = np.array(_FEMUR) * wide, np.array(_TIBIA) * wide
    turn, drop = pose.axis, -pose.space
    if wear is not None:
        # The worn side closes: the femur turns about the other side's contact.
        turn += wear.side * wear.tilt * -1.0
        drop += 0.62 - wear.gap - 2.2 * wear.tilt
        femur, tibia = _spurs(femur, wear, up=False), _spurs(tibia, wear, up=True)
        for share, level, depth in ((1.0, 0.75, 1.0), (0.9, -0.75, 0.8), (-0.8, 0.7, 0.25)):
            knee.dense.append((wear.side * 2.4 * share * pose.slim, level, 1.35, 0.5, wear.dense * depth))
        knee.sites.append((wear.side * 2.6 * pose.slim, 0.0, 2.0))
        knee.swollen.append((0.0, -1.0, 4.5, 0.8))
    upper = Motion(turn=turn, dy=drop)
    thigh = _bone(femur, shaft=0.55 * pose.cortex, end=0.12 * pose.cortex, depth=2.7, layer=0)
    shin = _bone(tibia, shaft=0.5 * pose.cortex, end=0.13 * pose.cortex, depth=2.5, layer=1)
    steps = np.linspace(0, 1, 26)
    path = np.column_stack([3.45 * pose.slim - 0.5 * steps, 1.9 + 17 * steps])
    half = np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.55, 0.95, 0.98, 0.58, 0.6])
    fibula = tube(path, half, 0.2 * pose.cortex, depth=1.1, layer=2)
    cap = oval(
        pose.patella[0] + 0.8 * pose.sway,
        -3.7 + pose.patella[1],
        2.15 * pose.patella[2],
        2.25 * pose.patella[2],
        cortex=0.14,
        depth=1.2,
        layer=3,
    )
    if crack is None or crack.kind == "patella":
        if crack is not None:
            _broken(
                knee,
                cap,
                point=(0.0, -3.7 + pose.patella[1]),
                normal=(0.35 * crack.slant, -1.0),
                crack=crack,
                radius=1.8,
            )
            knee.bones[-1] = Motion(dy=-1.1 - crack.dy).bone(knee.bones[-1])
            cap = Bone(hull=np.empty((0, 2)), core=np.empty((0, 2)), depth=0.0)
        knee.bones += [upper.bone(thigh), shin, fibula, cap]
    elif crack.kind == "tibial plateau":
        edge = crack.side * (1.0 + 1.2 * crack.level) * pose.slim
        _broken(knee, shin, point=(edge, 0.4), normal=(crack.side, -0.42 - 0.3 * crack.slant), crack=crack, radius=2.0)
        knee.bones += [upper.bone(thigh), fibula, cap]
    elif crack.kind == "distal femur":
        level = -4.4 - 1.8 * crack.level
        _broken(knee, upper.bone(thigh), point=(0.0, level), normal=(crack.slant, -1.0), crack=crack, radius=2.4)
        knee.bones += [shin, fibula, cap]
    else:
        level = 3.4 + 2.2 * crack.level
        moved = _broken(knee, shin, point=(0.0, level), normal=(crack.slant, 1.0), crack=crack, radius=2.2)
        knee.bones += [upper.bone(thigh), cap, part(fibula, (3.3, level + 0.6), (0, -1))]
        knee.bones.append(moved.bone(part(fibula, (3.3, level + 0.6), (0, 1))))
    leg = curve([(0.0, -20), (0.0, -8), (0.0, 0), (0.2, 8), (0.1, 21)])
    wideness = np.interp(np.linspace(0, 1, len(leg)), [0, 0.3, 0.5, 0.72, 1], [8.3, 6.6, 5.6, 5.9, 5.0])
    knee.soft.append(ribbon(leg, wideness * (0.5 + 0.5 * pose.fleshy) * pose.slim))
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


def _wear_from_side(knee: Knee, femur: np.ndarray, tibia: np.ndarray, wear: Wear) -> None:
    """Draws out the edges of both bones, in place, and makes the joint's faces dense."""
    femur[(femur[:, 1] > -2.6) & (femur[:, 0] > 2)] += (0.9 * wear.spur, -0.1 * wear.spur)
    femur[(femur[:, 1] > -3.5) & (femur[:, 0] < -2.5)] += (-0.8 * wear.spur, -0.3 * wear.spur)
    edge = (np.abs(tibia[:, 0]) > 2.2) & (tibia[:, 1] < 1.3)
    tibia[edge] += np.column_stack([np.sign(tibia[edge, 0]) * 1.0 * wear.spur, np.full(int(edge.sum()), -0.2)])
    knee.dense += [(0.0, 0.75, 2.0, 0.5, wear.dense), (0.2, -0.8, 1.6, 0.5, wear.dense)]
    knee.sites.append((0.0, 0.0, 2.4))
    knee.swollen.append((-2.5, -5.0, 3.0, 1.0))


def _break_from_side(
    knee: Knee, crack: Crack, femurs: list[Bone], *, shin: Bone, fibula: Bone, cap: Bone, upper: Motion
) -> None:
    """Adds the bones of a broken knee; ``upper`` is how the femur lies."""
    if crack.kind == "patella":
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
        level = -4.6 - 1.7 * crack.level
        point = upper.points(np.array([[0.0, level]]))[0]
        far = (crack.slant + np.sin(upper.turn), -np.cos(upper.turn))
        _broken(knee, femurs[0], point=(float(point[0]), float(point[1])), normal=far, crack=crack, radius=2.3)
        knee.bones += [femurs[1], shin, fibula, cap]
    else:
        level = 3.8 + 2.0 * crack.level
        moved = _broken(knee, shin, point=(0.0, level), normal=(crack.slant, 1.0), crack=crack, radius=2.2)
        knee.bones += [*femurs, cap, part(fibula, (2.0, level + 0.6), (0, -1))]
        knee.bones.append(moved.bone(part(fibula, (2.0, level + 0.6), (0, 1))))


def side_view(pose: Stance, wear: Wear | None, crack: Crack | None) -> Knee:
    """From the side; the femur is bent against the tibia by ``axis`` radians."""
    knee = Knee()
    wide = np.array([pose.slim, 1.0])
    femur, tibia = np.array(_FEMUR_SIDE) * wide, np.array(_TIBIA_SIDE) * wide
    drop = -pose.space
    if wear is not None:
        drop += 0.55 - max(wear.gap, 0.0)
        _wear_from_side(knee, femur, tibia, wear)
    upper = Motion(y=-2.2, turn=-pose.axis, dy=drop)
    second = Motion(dx=0.35 * pose.sway + 0.15, dy=-0.15 + 0.5 * pose.sway)
    thigh = _bone(femur, shaft=0.5 * pose.cortex, end=0.12 * pose.cortex, depth=2.6, layer=0)
    condyle = part(thigh, (0.0, -4.4), (0.0, 1.0))
    shin = _bone(tibia, shaft=0.5 * pose.cortex, end=0.13 * pose.cortex, depth=2.7, layer=1)
    steps = np.linspace(0, 1, 26)
    path = np.column_stack([2.0 * pose.slim + 0.2 * steps, 1.9 + 17 * steps])
    half = np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.5, 0.85, 0.9, 0.55, 0.55])
    fibula = tube(path, half, 0.2 * pose.cortex, depth=1.0, layer=2)
    high = -3.4 + 0.5 * pose.patella[1]
    cap_points = [(-4.9, high - 1.9), (-3.9, high - 2.2), (-3.5, high - 0.4), (-3.9, high + 1.2), (-4.8, high + 2.1)]
    cap_points += [(-5.4, high + 0.6), (-5.5, high - 0.8)]
    caps = np.array(cap_points) * (pose.slim, 1.0)
    if wear is not None:
        caps[[1, 3]] += np.array([(0.35, -0.6), (0.3, 0.5)]) * wear.spur
    cap = Motion(y=-2.0, turn=-0.5 * pose.axis).bone(solid(caps, cortex=0.16, depth=2.0, layer=3))
    femurs = [upper.bone(thigh), second.bone(upper.bone(condyle))]
    femurs[1] = Bone(hull=femurs[1].hull, core=femurs[1].core, depth=0.7, layer=4)
    if crack is None:
        knee.bones += [*femurs, shin, fibula, cap]
    else:
        _break_from_side(knee, crack, femurs, shin=shin, fibula=fibula, cap=cap, upper=upper)
    hip = upper.points(np.array([[0.3, -20.0], [0.2, -8.0]]))
    leg = curve([tuple(hip[0]), tuple(hip[1]), (-0.6, -1.5), (1.0, 8), (1.4, 21)])
    wideness = np.interp(np.linspace(0, 1, len(leg)), [0, 0.25, 0.5, 0.75, 1], [7.4, 6.0, 5.2, 5.4, 4.6])
    knee.soft.append(ribbon(leg, wideness * (0.5 + 0.5 * pose.fleshy) * pose.slim))
    return knee
