"""The trunk of one patient in the frontal view: body, chest cavity, heart and great vessels, as thicknesses in cm.

Owns what a chest is made of when nothing is wrong with it. Lengths are those of an adult of average build; y is 0 at
the apices of the lungs. Shapes follow frontal radiographs in Felson's Principles of Chest Roentgenology.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, chord, smooth_step
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.shapes import table

HEIGHT = 24.0
"""Apex to right dome of an average deep inspiration in cm; ten posterior ribs are seen."""

_WALL = ((-0.4, 0.4, 1.2, 2.5, 5, 10, 16, 22, 29), (5.0, 6.9, 7.9, 9.1, 10.6, 12.2, 13.2, 13.8, 14.0))
_MEDIAL = ((-0.4, 0.4, 1.2, 3, 6, 10, 29), (5.0, 3.4, 2.8, 2.4, 2.2, 2.0, 1.7))
_HALF_DEPTH = ((-0.4, 1, 3, 8, 15, 25, 29), (1.3, 3.0, 5.2, 7.6, 9.0, 9.6, 9.6))
_HALF_BODY = (
    (-14, -11, -8, -5.5, -4, -2, 0, 2, 4.5, 7, 10, 14, 20, 34),
    (7.2, 6.9, 6.9, 9.6, 13.2, 17.6, 20.6, 21.6, 21.2, 20.0, 18.8, 18.3, 18.4, 18.7),
)
_BODY_DEPTH = ((-14, -6, -3, 1, 5, 10, 20, 34), (7.6, 7.2, 8.4, 9.8, 10.8, 10.9, 11.3, 11.2))
# Radius of the heart's outline at angles from the patient's left, clockwise as seen (90° is down).
_HEART_ANGLES = (-180, -150, -115, -90, -60, -30, 0, 25, 50, 90, 135, 180)
_HEART_RADII = (5.6, 5.2, 5.4, 6.6, 6.5, 5.9, 6.3, 7.3, 7.6, 5.6, 6.2, 5.6)


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a patient is like whatever is wrong with them.

    Attributes:
        width: Of the skeleton, 1 is average.
        bulk: Soft tissue around the skeleton, 1 is average.
        inspiration: Apex to right dome in cm.
        dome: Height of the domes in cm; flat ones are low.
        left_dome: How much lower the left dome is in cm.
        heart_share: Width of the heart as a share of the inner chest (cardiothoracic ratio).
        heart_turn: Of its long axis, radians; a lying heart is positive.
        aorta: Width of the aortic knob, 1 is average.
        lung: Density of the lung, g/cm³.
        breasts: Thickness in cm; 0 for men.
        breast_drop: How low they hang, in cm.
        shoulders: How high the shoulders are, cm.
        girth: Width of the trunk's soft tissue toward the belly, 1 is average.
        arms: Distance of the arms from the trunk in cm; beyond 8 they are outside the image.
        vessels: Caliber of the lung's vessels, 1 is average.
        bone: Mineral, 1 is average.
        stomach: Width of the gastric bubble in cm; 0 if there is none.
    """

    width: float
    bulk: float
    inspiration: float
    dome: float
    left_dome: float
    heart_share: float
    heart_turn: float
    aorta: float
    lung: float
    breasts: float
    breast_drop: float
    shoulders: float
    girth: float
    arms: float
    vessels: float
    bone: float
    stomach: float


@dataclass(kw_only=True)
class Trunk:
    """The maps of one image, each (SIDE, SIDE); findings change some of them.

    Attributes:
        x: To the patient's left in cm, in the middle plane.
        y: Down in cm.
        body: Soft tissue without lungs, cm.
        cavity: Lung along the ray, cm.
        inside: Share of a pixel that lung fills in front of neither heart nor diaphragm, 0 to 1.
        wall: Distance to the side wall of the chest in cm, positive inside.
        above_dome: Height over the diaphragm in cm, positive in the lung.
        heart: Share that the heart covers, 0 to 1.
        air: How much air the lung holds; 1 normal, 0 solid.
        vessels: Blood along the ray, cm.
        bone: Bone along the ray, cm.
    """

    x: Field
    y: Field
    body: Field
    cavity: Field
    inside: Field
    wall: Field
    above_dome: Field
    heart: Field
    air: Field
    vessels: Field
    bone: Field

    def soft(self, lung: float) -> Field:
        """Water-equivalent soft tissue along the ray in cm, for a lung of that density when it is normal."""
        lost = self.cavity * self.air * np.float32(1 - lung)
        return np.asarray(np.maximum(self.body - lost, 0) + self.vessels, dtype=np.float32)


def draw_build(generator: np.random.Generator) -> Build:
    """A patient: sex, size, fat, age-dependent shape, from the same distributions whatever the finding."""
    female = generator.random() < 0.5
    return Build(
        width=generator.uniform(0.92, 1.07) * (0.96 if female else 1.0),
        bulk=float(np.clip(generator.normal(1.0, 0.13), 0.8, 1.35)),
        inspiration=float(np.clip(generator.normal(23.5, 1.9), 19.0, 27.0)),
        dome=generator.uniform(2.6, 4.6),
        left_dome=generator.uniform(0.2, 1.7),
        heart_share=generator.uniform(0.40, 0.475),
        heart_turn=generator.uniform(-0.25, 0.25),
        aorta=generator.uniform(0.8, 1.25),
        lung=generator.uniform(0.20, 0.32),
        breasts=generator.uniform(1.0, 4.0) if female else 0.0,
        breast_drop=generator.uniform(-1.5, 3.5),
        shoulders=generator.normal(0.0, 0.9),
        girth=float(np.clip(generator.normal(1.0, 0.07), 0.88, 1.2)),
        arms=generator.uniform(0.0, 10.0),
        vessels=generator.uniform(0.85, 1.12),
        bone=generator.uniform(0.75, 1.2),
        stomach=generator.uniform(2.5, 6.5) if generator.random() < 0.5 else 0.0,
    )


def heart_chord(x: Field, y: Field, build: Build, *, share: float | None = None) -> tuple[Field, Field, float, float]:
    """The heart: (thickness along the ray in cm, share covered, half width in cm, y of its middle in cm)."""
    wanted = (build.heart_share if share is None else share) * 28.0
    size = wanted / 12.3
    middle = build.inspiration - 3.1 * size**0.5
    center = 1.35 + 0.35 * (size - 1)
    dx, dy = x / np.float32(build.width) - np.float32(center), y - np.float32(middle)
    radius = np.sqrt(dx * dx + dy * dy)
    angle = np.arctan2(dy, dx) - np.float32(build.heart_turn * 0.7)
    angle = np.where(angle < -np.pi, angle + 2 * np.pi, np.where(angle > np.pi, angle - 2 * np.pi, angle))
    knots = np.deg2rad(np.asarray(_HEART_ANGLES))
    outer = table(knots.tolist(), _HEART_RADII, angle.astype(np.float32)) * np.float32(size)
    share_out = (radius / outer) ** 2
    thickness = chord(share_out) * np.float32(4.9 * size**0.5)
    return thickness, smooth_step(radius - outer, 0.4), wanted / 2 * build.width, middle


def draw_trunk(build: Build, frame: Frame, *, breath: float = 1.0, heart_share: float | None = None) -> Trunk:
    """The maps of a patient's trunk in one view.

    Args:
        build: The patient.
        frame: The view.
        breath: Depth of this breath, 1 is the patient's usual one.
        heart_share: Cardiothoracic ratio if it is not the patient's own.
    """
    x, y = frame.centimeters()
    across = np.abs(x) / np.float32(build.width)
    left = x > 0
    # Bones and organs of the chest move with the breath: they are laid out for an average one and stretched.
    stretched = y * np.float32(HEIGHT / (build.inspiration * breath))
    edge = table(*_WALL, stretched)
    medial = table(*_MEDIAL, stretched)
    depth = table(*_HALF_DEPTH, stretched)
    wall = np.asarray(edge - across, dtype=np.float32)
    rounded = np.sqrt(np.maximum(1 - (across / (edge + np.float32(0.15))) ** 2, 0))
    cavity = 2 * depth * rounded

    dome_x = np.where(left, np.float32(6.8), np.float32(6.2))
    off = (across - dome_x) / np.float32(7.6)
    fall = off * off * np.where(off > 0, np.float32(0.72) + np.float32(0.28) * off, np.float32(0.6))
    dome = (
        np.float32(build.inspiration * breath)
        + np.where(left, np.float32(build.left_dome), 0)
        + fall * np.float32(build.dome)
    )
    above = np.asarray(dome - y, dtype=np.float32)
    over = smooth_step(-above, 0.5)
    behind = (1 - over) * np.float32(0.2) * np.exp(np.minimum(above, 0) * np.float32(0.5))
    sides = (
        smooth_step(-wall, 0.35)
        * smooth_step(np.asarray(medial - across, dtype=np.float32), 0.9)
        * smooth_step(-stretched - np.float32(0.2), 0.5)
    )

    front_x, front_y = frame.centimeters(depth=2.0)
    thickness, heart, _, _ = heart_chord(front_x, front_y, build, share=heart_share)
    vessel = _middle(front_x / np.float32(build.width), stretched, build)
    # What is left of the lung in front of and behind the heart is thin near the spine and the breastbone.
    free = np.maximum(cavity - (np.float32(1.7) * thickness + np.float32(1.3) * vessel), 0)
    lung = free * sides * (over + behind)

    return Trunk(
        x=x,
        y=y,
        body=_body(x, y, build, stretched),
        cavity=lung,
        inside=sides * over * (1 - heart),
        wall=wall * np.float32(build.width),
        above_dome=above,
        heart=heart,
        air=np.ones_like(x),
        vessels=np.zeros_like(x),
        bone=np.zeros_like(x),
    )


def _middle(x: Field, y: Field, build: Build) -> Field:
    """What lies between the lungs beside the heart, thickness in cm; y is stretched.

    On the left of the patient the border bulges at the aortic knob and the pulmonary trunk, on the right it is the
    superior vena cava, which is straight.
    """
    knob = 2.5 + 1.15 * build.aorta
    left = table((0, 3, 5.2, 6.7, 8.4, 10.6, 13, 16), (2.7, 2.6, 2.8, knob, 2.9, 3.9, 4.3, 3.2), y)
    right = table((0, 3, 6, 9, 12, 15, 20), (2.8, 2.7, 2.9, 2.8, 3.3, 2.9, 2.3), y)
    border = np.where(x > 0, left, right) * np.float32(0.9 + 0.1 * build.bulk)
    middle = np.float32(3.1) * chord(np.asarray((x / border) ** 2, dtype=np.float32))
    aorta = chord(((x - np.float32(1.3)) / np.float32(1.5 * build.aorta)) ** 2) * smooth_step(np.float32(6.6) - y, 1.0)
    return np.asarray(middle + np.float32(1.2) * aorta, dtype=np.float32)


def _body(x: Field, y: Field, build: Build, stretched: Field) -> Field:
    """Soft tissue of trunk, neck, arms and breasts along the ray, without lungs or airways, in cm."""
    fat = np.float32(0.35 + 0.65 * build.bulk)
    lifted = y + np.float32(build.shoulders) * smooth_step(np.abs(y - 1) - np.float32(6), 8.0)
    belly = 1 + np.float32(build.girth - 1) * np.clip((y - 8) / 16, 0, 1)
    half = table(*_HALF_BODY, lifted) * belly * np.float32(build.width) * fat
    depth = table(*_BODY_DEPTH, y) * np.float32(0.3 + 0.7 * build.bulk)
    share = np.minimum(np.abs(x) / half, 1)
    flat = share * share * share
    trunk = 2 * depth * np.sqrt(1 - flat * (np.float32(0.6) + np.float32(0.4) * share))
    arm_x = np.float32((20.6 + 0.35 * build.arms) * build.width) + (y - 3) * np.float32(0.04 * build.arms)
    thick = np.float32(4.4 * build.bulk**0.7)
    arm = thick * chord(((np.abs(x) - arm_x) / thick) ** 2) * smooth_step(np.float32(3) - y, 2.0)
    total = np.maximum(trunk, arm)

    if build.breasts > 0:
        drop = np.float32(17.5 + build.breast_drop)
        wide = np.float32(5.6 + 0.5 * build.breasts)
        u = (np.abs(x) / np.float32(build.width) - np.float32(8.2)) / wide
        v = (y - drop) / np.where(y > drop, np.float32(3.2 + 0.6 * build.breasts), np.float32(7.5))
        round_share = np.asarray(u * u + v * v, dtype=np.float32)
        total = total + np.float32(0.5 * build.breasts) * chord(round_share) * (trunk > 0)

    trachea = smooth_step(np.float32(-12) - stretched, 1.0) * smooth_step(stretched - np.float32(8.2), 0.6)
    total = total - np.float32(1.0) * chord((x / np.float32(0.9)) ** 2) * trachea
    for side, slope in ((-1.0, 0.9), (1.0, 0.62)):
        along = stretched - np.float32(8.0)
        bronchus = smooth_step(-along, 0.5) * smooth_step(along - np.float32(3.0), 0.8)
        off = (np.float32(side) * x - along / np.float32(slope)) * np.float32(0.7)
        total = total - np.float32(0.55) * chord((off / np.float32(0.6)) ** 2) * bronchus

    if build.stomach > 0:
        lower = np.float32(build.inspiration + build.left_dome + 1.0)
        across = (x - np.float32(7.2)) / np.float32(build.stomach)
        down = (y - lower - np.float32(0.42 * build.stomach)) / np.float32(0.42 * build.stomach)
        bubble = chord(across * across + down * down) * smooth_step(down - np.float32(0.45), 0.2)
        total = total - np.float32(0.55 * build.stomach) * bubble
    return np.asarray(np.maximum(total, 0), dtype=np.float32)
