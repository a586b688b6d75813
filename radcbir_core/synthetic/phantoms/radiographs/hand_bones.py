"""The skeleton of a hand in one pose, with what fractures and osteoarthritis do to it.

Owns geometry in cm around the middle of the wrist; the thumb is at positive x, fingers point up (negative y).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.synthetic.phantoms.radiographs.limb import Bone, Motion, oval, part, tube
from radcbir_core.synthetic.phantoms.radiographs.shapes import Points, curve, ribbon

_BASES = ((2.2, -0.9), (1.25, -2.0), (0.2, -2.1), (-0.8, -1.9), (-1.65, -1.5))
_HEADING = (38.0, 9.0, 0.0, -9.0, -18.0)
_SPREAD = (-6.0, 7.0, 0.5, -6.0, -15.0)
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


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A patient's hand as it lies on the detector in one image.

    Attributes:
        lengths: Of the bones of each ray, metacarpal first, cm.
        slim: Width of the bones, 1 is average.
        fleshy: Soft tissue, 1 is average.
        cortex: Thickness of the cortex, 1 is average.
        gap: Width of a joint's gap, cm.
        spread: How far the fingers are spread, 1 is average.
        crooked: (5, 4) degrees by which each bone is turned.
        squeeze: Width that is left when the hand is turned, 1 is flat.
        joints: What is worn, by the bone beyond the joint (ray, segment); the worst first.
        breaks: What is broken, the main one first.
    """

    lengths: list[np.ndarray]
    slim: float
    fleshy: float
    cortex: float
    gap: float
    spread: float
    crooked: np.ndarray
    squeeze: float
    joints: dict[tuple[int, int], Joint]
    breaks: list[Break]


@dataclass(kw_only=True)
class Hand:
    """A hand in one image, in cm.

    Attributes:
        bones: All of them.
        soft: Outlines of the soft tissue.
        dense: (x, y, radius, cm of bone) of sclerosis.
        swollen: (x, y, radius, cm of soft tissue) of swelling.
        sites: (x, y, radius) of each lesion, by ray and segment.
    """

    bones: list[Bone] = field(default_factory=list)
    soft: list[Points] = field(default_factory=list)
    dense: list[tuple[float, float, float, float]] = field(default_factory=list)
    swollen: list[tuple[float, float, float, float]] = field(default_factory=list)
    sites: dict[tuple[int, int], tuple[float, float, float]] = field(default_factory=dict)


def build_hand(pose: Pose) -> Hand:
    """The hand in the pose of one image."""
    hand = Hand()
    for x, y, rx, ry, turn in _CARPALS:
        hand.bones.append(oval(x * pose.squeeze, y, rx, ry, turn=turn, cortex=0.12 * pose.cortex, depth=0.75))
    hand.bones.append(oval(-1.2 * pose.squeeze, 0.25, 0.38, 0.36, cortex=0.1, depth=0.45, layer=1))
    for ray in range(5):
        _ray(hand, ray, pose)
    _forearm(hand, pose)
    return hand


def _ray(hand: Hand, ray: int, pose: Pose) -> None:
    """One finger with its metacarpal, from base to tip; what is bent bends all that follows."""
    at = np.array([_BASES[ray][0] * pose.squeeze, _BASES[ray][1]])
    heading = _HEADING[ray] * pose.squeeze
    middle: list[np.ndarray] = [at * 0.3 + np.array([0.0, 0.3]), at.copy()]
    for segment, length in enumerate(pose.lengths[ray]):
        if segment == 1:
            heading += _SPREAD[ray] * pose.spread * pose.squeeze
        heading += pose.crooked[ray][segment] * (0.4 if segment == 0 else 1.0)
        joint, worn = pose.joints.get((ray, segment)), pose.joints.get((ray, segment + 1))
        if joint is not None:
            heading += joint.bend
        space = pose.gap if joint is None else joint.gap
        angle = np.deg2rad(heading)
        along = np.array([np.sin(angle), -np.cos(angle)])
        if (ray, segment) == (0, 0) and joint is not None:
            at = at + 0.28 * joint.spur * np.array([1.0, 0.2])
        start, end = at + along * space / 2, at + along * (length - (pose.gap if worn is None else worn.gap) / 2)
        bone, base, shaft = _segment(ray, segment, start, end, pose=pose)
        if joint is not None:
            hand.dense.append((at[0], at[1], pose.slim * base * (0.95 + 0.4 * joint.spur), joint.dense))
            hand.swollen.append((at[0], at[1], 0.75 * pose.fleshy, 0.5 * joint.spur))
            hand.sites[ray, segment] = (at[0], at[1], pose.slim * base * (1 + 0.6 * joint.spur))
        broken = next((b for b in pose.breaks if (b.ray, b.segment) == (ray, segment)), None)
        tip = at + along * length
        if broken is None:
            hand.bones.append(bone)
        else:
            turned = _snap(hand, bone, broken, line=(start, end), half=pose.slim * shaft)
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
    hand.soft.append(ribbon(spine, wide * pose.fleshy * (0.9 if ray == 4 else 1.0)))


def _segment(ray: int, segment: int, start: np.ndarray, end: np.ndarray, *, pose: Pose) -> tuple[Bone, float, float]:
    """One bone of a finger between two points, and half the width of its base and of its shaft."""
    joint, worn = pose.joints.get((ray, segment)), pose.joints.get((ray, segment + 1))
    base, shaft, head = _WIDTHS[3 if segment == len(pose.lengths[ray]) - 1 else segment]
    if ray == 4:
        base, shaft, head = 0.9 * base, 0.86 * shaft, 0.9 * head
    if ray == 0 and segment < 2:
        base, shaft, head = 1.1 * base, 1.1 * shaft, 1.05 * head
    start_spur, end_spur = 0.0 if joint is None else joint.spur, 0.0 if worn is None else worn.spur
    knots = [0, 0.05, 0.13, 0.34, 0.66, 0.87, 0.95, 1]
    half = pose.slim * np.array(
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
    shell = pose.cortex * np.array([0.09, 0.09, 0.1, 0.17, 0.17, 0.1, 0.09, 0.09])
    steps = np.linspace(0, 1, 22)
    bone = tube(
        start + steps[:, None] * (end - start),
        np.interp(steps, knots, half),
        np.interp(steps, knots, shell),
        depth=0.95 if segment == 0 else 0.8 - 0.1 * segment,
        layer=segment % 2,
    )
    return bone, base, shaft


def _snap(hand: Hand, bone: Bone, broken: Break, *, line: tuple[np.ndarray, np.ndarray], half: float) -> Motion:
    """Breaks a bone: adds both fragments, and gives the motion of the far one and of all that hangs on it."""
    start, end = line
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
    hand.sites[broken.ray, broken.segment] = (
        float(point[0] + off[0] / 2),
        float(point[1] + off[1] / 2),
        float(half * 1.6 + 0.25),
    )
    return turned


def _forearm(hand: Hand, pose: Pose) -> None:
    """Radius, ulna and the soft tissue around them."""
    steps = np.linspace(0, 1, 26)
    start, end = np.array([0.75 * pose.squeeze, 1.15]), np.array([1.15 * pose.squeeze, 11.0])
    half = pose.slim * np.interp(steps, [0, 0.03, 0.08, 0.2, 0.35, 1], [1.15, 1.45, 1.45, 1.05, 0.78, 0.75])
    shell = pose.cortex * np.interp(steps, [0, 0.1, 0.3, 1], [0.1, 0.12, 0.24, 0.28])
    radius = tube(start + steps[:, None] * (end - start), half, shell, depth=1.35)
    broken = next((b for b in pose.breaks if b.ray < 0), None)
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
        hand.sites[-1, 0] = (float(point[0]), float(point[1]), 1.5 * pose.slim)
    start, end = np.array([-1.25 * pose.squeeze, 1.5]), np.array([-0.95 * pose.squeeze, 11.0])
    half = pose.slim * np.interp(steps, [0, 0.03, 0.08, 0.2, 1], [0.6, 0.78, 0.76, 0.56, 0.62])
    hand.bones.append(tube(start + steps[:, None] * (end - start), half, 0.17 * pose.cortex, depth=1.1))
    arm = curve([(0.2, -1.2), (0.1, 1.2), (0.1, 4), (0.1, 12)])
    wide = np.interp(np.linspace(0, 1, len(arm)), [0, 0.33, 0.6, 1], [2.9, 2.75, 2.9, 3.5])
    hand.soft.append(ribbon(arm, wide * pose.squeeze * pose.fleshy))
