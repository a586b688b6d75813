"""The anatomy of the knee, sagittal and coronal, in mm from the middle of the joint; the patella is at the left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, texture
from radcbir_core.synthetic.phantoms.mr.slices import Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    BONE,
    CARTILAGE,
    FAT,
    FATTY_MARROW,
    FLOW_VOID,
    LIGAMENT,
    MENISCUS,
    MUSCLE,
    SKIN,
    SYNOVIAL_FLUID,
)


@dataclass(frozen=True, kw_only=True)
class Knee:
    """A patient's knee.

    Attributes:
        size: Relative to the average.
        flexion: In radians.
        cartilage: Its thickness in mm.
        fat: Thickness of the fat beneath the skin in mm.
        fluid: Normal film of fluid, relative to the average.
        medial: At which side of a coronal picture the medial condyle lies, -1 or 1; in a sagittal one which
            compartment is cut, 1 for the medial.
        bump: How bones differ from the average, in mm.
        thick: Relative thickness of the menisci.
        muscle: Relative signal of muscle.
    """

    size: float
    flexion: float
    cartilage: float
    fat: float
    fluid: float
    medial: float
    bump: tuple[float, float, float]
    thick: float
    muscle: float


def draw_knee(generator: np.random.Generator) -> Knee:
    """A patient's knee, of either sex."""
    return Knee(
        size=float(generator.normal(1.0, 0.055)),
        flexion=float(generator.normal(0, 0.06)),
        cartilage=float(np.clip(generator.normal(2.3, 0.5), 1.2, 3.3)),
        fat=float(np.clip(generator.gamma(4, 2.2), 3, 20)),
        fluid=float(generator.uniform(0.3, 1.4)),
        medial=float(generator.choice([-1.0, 1.0])),
        bump=(float(generator.normal(0, 1)), float(generator.normal(0, 1)), float(generator.normal(0, 1))),
        thick=float(np.clip(generator.normal(1.0, 0.1), 0.8, 1.2)),
        muscle=float(generator.normal(1.0, 0.1)),
    )


def turned(points: list[tuple[float, float]], angle: float, pivot: tuple[float, float]) -> list[tuple[float, float]]:
    """The points turned about a pivot by an angle in radians, clockwise as seen."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return [
        (pivot[0] + c * (x - pivot[0]) - s * (y - pivot[1]), pivot[1] + s * (x - pivot[0]) + c * (y - pivot[1]))
        for x, y in points
    ]


def _bone(painted: Slice, outline: list[tuple[float, float]], grain: Field) -> None:
    """Marrow within a thin dark cortex."""
    mask = painted.region(outline)
    middle = np.mean(outline, axis=0)
    inner = [(middle[0] + (x - middle[0]) * 0.955, middle[1] + (y - middle[1]) * 0.955) for x, y in outline]
    painted.paint(mask, BONE)
    painted.paint(painted.region(inner), FATTY_MARROW, grain)


def _grain(generator: np.random.Generator) -> Field:
    """Trabeculae and islands of red marrow."""
    return np.asarray(1 + 0.10 * texture(generator, 20, octaves=4), dtype=np.float32)


def paint_sagittal(
    painted: Slice, knee: Knee, *, offset: float, generator: np.random.Generator, effusion: float
) -> Field:
    """A sagittal slice through a condyle; the mask of the fluid in the suprapatellar recess."""
    k = knee.size
    fibers = np.asarray(knee.muscle * (1 + 0.12 * texture(generator, 10, octaves=3)), dtype=np.float32)
    back, front = 62 * k + 0.7 * knee.fat, -56 * k - 0.4 * knee.fat

    def scaled(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * k, y * k) for x, y in points]

    body = [
        (front + 6, -130),
        (front, -50),
        (front - 2, -20),
        (front + 7, 20),
        (front + 10, 130),
        (back - 4, 130),
        (back - 6, 30),
        (back - 8, -10),
        (back, -60),
        (back + 4, -130),
    ]
    painted.paint(painted.region(body), SKIN)
    painted.paint(painted.region([(x * 0.975, y) for x, y in body]), FAT, 1 + 0.08 * (fibers - 1))
    # Muscles behind the bones and, above the patella, in front of them.
    painted.paint(
        painted.region(scaled((22, -130), (34, -60), (40, -28), (50, -40), (55, -90), (52, -130))), MUSCLE, fibers
    )
    painted.paint(
        painted.region(scaled((32, -22), (44, -26), (52, 10), (50, 130), (12, 130), (20, 45), (30, 20))), MUSCLE, fibers
    )
    painted.paint(
        painted.region(scaled((-40, -130), (-44, -70), (-46, -56), (-38, -58), (-24, -90), (-22, -130))), MUSCLE, fibers
    )
    painted.paint(painted.path(scaled((-42, -130), (-48, -70), (-50, -52)), 4.5), LIGAMENT)
    painted.paint(painted.path(scaled((50, -130), (45, -70), (48, -20), (44, 30), (47, 130)), 3.4), FLOW_VOID)
    grain = _grain(generator)
    pivot = (4 * k, -12 * k)
    femur = turned(
        scaled(
            (-18, -130),
            (-22, -62),
            (-31, -44),
            (-34, -28),
            (-27, -12),
            (-10, -3),
            (8, -2),
            (26, -8),
            (35, -22),
            (33, -36),
            (22, -46),
            (16, -64),
            (14, -130),
        ),
        knee.flexion + 0.01 * offset,
        pivot,
    )
    tibia = scaled(
        (-29, 9),
        (-12, 7),
        (10, 7.5),
        (29, 10),
        (30, 18),
        (20, 34),
        (14, 60),
        (12, 130),
        (-14, 130),
        (-17, 60),
        (-26, 36),
        (-32, 18),
    )
    # Joint: fluid, then cartilage under and over it.
    painted.paint(
        painted.region(scaled((-32, -6), (-10, 1), (20, 1), (38, -10), (36, 8), (10, 6), (-10, 6), (-32, 9))),
        CARTILAGE,
        0.8,
    )
    c = knee.cartilage
    middle = np.mean(femur[3:9], axis=0)
    painted.paint(painted.path([(x + (x - middle[0]) * 0.03, y + c * 0.6) for x, y in femur[3:10]], c + 2.2), CARTILAGE)
    painted.paint(painted.path([(x, y - c * 0.5) for x, y in tibia[0:4]], c + 1.2), CARTILAGE)
    femur = [(x + 0.8 * knee.bump[0] * (y < -40), y + 0.5 * knee.bump[1] * (x < -10)) for x, y in femur]
    tibia = [(x + 0.8 * knee.bump[2] * (y > 30), y) for x, y in tibia]
    _bone(painted, femur, grain)
    _bone(painted, tibia, grain)
    physis = painted.path(scaled((-30, -40), (-5, -37), (26, -41)), 1.2)
    painted.paint(physis * np.float32(0.35), BONE)
    painted.paint(painted.path(scaled((-25, 24), (0, 22), (25, 24)), 1.2) * np.float32(0.35), BONE)
    # Recess above and behind the patella: a film of fluid, wide with an effusion.
    film = 1.2 + knee.fluid + effusion
    recess = [(-37, -30), (-37.5, -48), (-32, -60 - 0.5 * effusion), (-27, -74 - effusion)]
    fluid = painted.path(scaled(*recess), film)
    if effusion > 0:
        pouch = [
            (-34, -34),
            (-31 - 0.3 * effusion, -46),
            (-33 - 0.85 * effusion, -60),
            (-29 - 0.7 * effusion, -80),
            (-24, -92),
            (-22, -76),
            (-24, -56),
            (-31, -44),
        ]
        fluid = np.maximum(fluid, painted.region(scaled(*pouch)))
        fluid = np.maximum(fluid, painted.path(scaled((36, -30), (40, -16), (37, -4)), 1.5 + 0.5 * effusion))
        fluid = np.maximum(fluid, painted.path(scaled((-36, -30), (-33, -12), (-30, -4)), 1.0 + 0.3 * effusion))
    forward = effusion * 0.42
    patella = scaled(
        (-44 - forward, -52),
        (-39 - forward, -44),
        (-40 - forward, -28),
        (-46 - forward, -20),
        (-53 - forward, -32),
        (-52 - forward, -46),
    )
    painted.paint(painted.path([patella[1], patella[2]], 2 * c), CARTILAGE)
    fluid = np.asarray(fluid * (1 - painted.region(patella)) * (1 - painted.region(femur)), dtype=np.float32)
    painted.paint(fluid, SYNOVIAL_FLUID)
    _bone(painted, patella, grain)
    painted.paint(painted.path(scaled((-50 - forward, -24), (-44, 0), (-33, 26)), 4.2), LIGAMENT)
    hoffa = painted.region(scaled((-41, -16), (-33, -8), (-31, 4), (-33, 16), (-40, 2)))
    painted.paint(hoffa, FAT, fibers)
    for sign in (-1.0, 1.0):
        horn = scaled(
            (sign * 33, -9), (sign * 34.5, 1), (sign * 33, 8.2), (sign * 25, 6.6), (sign * 15.5, 3.4), (sign * 25, -1.5)
        )
        painted.paint(painted.region(_thick(horn, knee.thick), rounded=False), MENISCUS)
    return fluid


def _thick(points: list[tuple[float, float]], factor: float) -> list[tuple[float, float]]:
    middle = np.mean(points, axis=0)
    return [(x, float(middle[1] + (y - middle[1]) * factor)) for x, y in points]


def paint_coronal(
    painted: Slice, knee: Knee, *, offset: float, generator: np.random.Generator, effusion: float
) -> Field:
    """A coronal slice through the middle of the joint; the mask of the fluid in the gutters."""
    k = knee.size
    fibers = np.asarray(knee.muscle * (1 + 0.12 * texture(generator, 10, octaves=3)), dtype=np.float32)
    edge = 52 * k + 0.6 * knee.fat

    def scaled(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * k, y * k) for x, y in points]

    body = [(-edge - 3, -130), (-edge, -40), (-edge, 5), (-edge + 6, 50), (-edge + 4, 130)]
    body += [(-x, y) for x, y in reversed(body)]
    painted.paint(painted.region(body), SKIN)
    painted.paint(painted.region([(x * 0.97, y) for x, y in body]), FAT, 1 + 0.08 * (fibers - 1))
    for sign in (-1.0, 1.0):
        painted.paint(
            painted.region(
                scaled((sign * 20, -130), (sign * 26, -60), (sign * 38, -36), (sign * 47, -50), (sign * 51, -130))
            ),
            MUSCLE,
            fibers,
        )
        painted.paint(
            painted.region(
                scaled((sign * 20, 130), (sign * 22, 50), (sign * 34, 28), (sign * 43, 50), (sign * 45, 130))
            ),
            MUSCLE,
            fibers,
        )
    grain = _grain(generator)
    femur = scaled(
        (-17, -130),
        (-20, -60),
        (-37, -36),
        (-41, -22),
        (-37, -7),
        (-23, -2),
        (-10, -5),
        (-6, -16),
        (0, -21),
        (6, -16),
        (10, -5),
        (23, -2),
        (37, -7),
        (41, -22),
        (37, -36),
        (20, -60),
        (17, -130),
    )
    tibia = scaled(
        (-40, 9),
        (-24, 7.5),
        (-8, 8),
        (-3, 3.5),
        (3, 3.5),
        (8, 8),
        (24, 7.5),
        (40, 9),
        (39, 18),
        (28, 34),
        (17, 58),
        (14, 130),
        (-14, 130),
        (-17, 58),
        (-28, 34),
        (-39, 18),
    )
    painted.paint(painted.region(scaled((-42, -4), (0, -22), (42, -4), (42, 9), (-42, 9))), CARTILAGE, 0.8)
    notch = painted.region(scaled((-10, -4), (-5, -17), (5, -17), (10, -4), (4, 4), (-4, 4)))
    painted.paint(notch, FAT, fibers)
    painted.paint(painted.path(scaled((4 * knee.medial, -16), (1, -6), (-3, 3)), 4.0), LIGAMENT)
    painted.paint(painted.ellipse(-5 * k * knee.medial, -8 * k, 3.0 * k, 4.2 * k), LIGAMENT)
    c = knee.cartilage
    for sign in (-1.0, 1.0):
        painted.paint(
            painted.path(
                scaled((sign * 38, -7 + c * 0.4), (sign * 23, -2 + c * 0.4), (sign * 10, -5 + c * 0.4)), c + 1.6
            ),
            CARTILAGE,
        )
        painted.paint(
            painted.path(
                scaled((sign * 39, 9 - c * 0.5), (sign * 24, 7.5 - c * 0.5), (sign * 8, 8 - c * 0.5)), c + 1.4
            ),
            CARTILAGE,
        )
    # The notch is higher further back.
    femur = [(x + 0.4 * knee.bump[0], y - 0.6 * offset if abs(x) < 8 * k and y < 0 else y) for x, y in femur]
    _bone(painted, femur, grain)
    _bone(painted, tibia, grain)
    painted.paint(painted.path(scaled((-36, -34), (0, -38), (36, -34)), 1.2) * np.float32(0.35), BONE)
    painted.paint(painted.path(scaled((-34, 24), (0, 22), (34, 24)), 1.2) * np.float32(0.35), BONE)
    head = (-knee.medial * 37 * k, 32 * k)
    painted.paint(painted.ellipse(*head, 9 * k, 10 * k), BONE)
    painted.paint(painted.ellipse(*head, 7.8 * k, 8.8 * k), FATTY_MARROW, grain)
    painted.paint(painted.path([head, (head[0], 130)], 9), FATTY_MARROW)
    fluid = np.zeros_like(painted.signal)
    for sign in (-1.0, 1.0):
        film = 0.8 + 0.6 * knee.fluid + 0.65 * effusion
        gutter = painted.path(
            scaled(
                (sign * (39 + 0.2 * effusion), -46),
                (sign * (43 + 0.3 * effusion), -28),
                (sign * (42 + 0.2 * effusion), -10),
            ),
            film,
        )
        fluid = np.maximum(fluid, gutter)
        if effusion > 0:
            fluid = np.maximum(
                fluid, painted.path(scaled((sign * 25, -62), (sign * 33, -50), (sign * 41, -34)), 0.6 * effusion)
            )
    if effusion > 0:
        fluid = np.maximum(fluid, notch * np.float32(0.65))
    fluid = np.asarray(fluid * (1 - painted.region(femur)) * (1 - painted.region(tibia)), dtype=np.float32)
    painted.paint(fluid, SYNOVIAL_FLUID)
    for sign in (-1.0, 1.0):
        out = 0.25 * effusion
        painted.paint(
            painted.path(
                scaled(
                    (sign * (44 + out), -34),
                    (sign * (46 + out), 0),
                    (sign * (42 if sign * knee.medial > 0 else 40), 36),
                ),
                2.6,
            ),
            LIGAMENT,
        )
        meniscus = scaled(
            (sign * 41, -6), (sign * 42.5, 2), (sign * 41, 8.4), (sign * 32, 6.4), (sign * 22, 3.0), (sign * 32, -0.8)
        )
        painted.paint(painted.region(_thick(meniscus, knee.thick), rounded=False), MENISCUS)
    return fluid
