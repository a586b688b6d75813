"""What is pathological in a head, planned once for a patient: where, how large, of what tissue.

Signs after Osborn's Brain (2nd ed., 2017): a glioblastoma is a thick irregular rim around necrosis within fingers of
edema, a low-grade glioma a mass without enhancement; a meningioma is based on the dura, enhances evenly, has a tail;
an adenoma grows from the sella into the cistern; plaques of multiple sclerosis are ovoid and stand on the ventricles
(Dawson's fingers); an infarct is a wedge of one artery's territory that takes cortex and white matter alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, smooth_noise
from radcbir_core.synthetic.phantoms.mr.head import Head
from radcbir_core.synthetic.phantoms.mr.slices import Blob, draw_blob
from radcbir_core.synthetic.phantoms.mr.tissues import Tissue

SELLA = {"axial": (0.0, -14.0), "coronal": (0.0, 12.0), "sagittal": (-12.0, 4.0)}
"""Where the pituitary fossa lies in each plane, in mm."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The lesion of one patient.

    Attributes:
        pathology: Which.
        shapes: Its parts, the one to be measured first.
        place: In words.
        tissue: Of its solid part.
        core: Of a necrotic middle, or None.
        rim: Thickness of the solid part around it in mm.
        edema: Reach of edema in mm; 0 for none.
        field: What makes edema and infarcts irregular.
        wedge: Of an infarct: angle and half angle in radians, reach beneath the surface in mm.
        active: Which shapes take up contrast.
    """

    pathology: str
    shapes: tuple[Blob, ...]
    place: str
    tissue: Tissue
    core: Tissue | None = None
    rim: float = 0.0
    edema: float = 0.0
    field: Field = field(default_factory=lambda: np.zeros((1, 1), dtype=np.float32))
    wedge: tuple[float, float, float] = (0.0, 0.0, 0.0)
    active: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Where:
    """Plane and level of the slices, and half the width and half the length of the brain in mm."""

    plane: str
    level: str
    cavity: tuple[float, float]


def _side(x: float) -> str:
    return "right" if x < 0 else "left"


def _site(generator: np.random.Generator, where: _Where) -> tuple[float, float, str]:
    """Somewhere inside the brain, and its name."""
    sign = float(generator.choice([-1.0, 1.0]))
    jitter = generator.normal(0, 3.5, 2)
    if where.plane == "axial" and where.level == "sella":
        temporal = generator.random() < 0.55
        x, y = (41.0, -8.0) if temporal else (22.0, 52.0)
        name = "temporal lobe" if temporal else "cerebellar hemisphere"
    elif where.plane == "axial":
        turn = float(generator.uniform(-1.2, 1.2))
        share = float(generator.uniform(0.5, 0.68))
        x, y = share * where.cavity[0] * np.cos(turn), share * where.cavity[1] * np.sin(turn)
        name = (
            "frontal lobe" if y < -14 else "parietal lobe" if where.level != "ganglia" or y < 20 else "occipital lobe"
        )
        if where.level == "ganglia" and -14 <= y < 20:
            name = "temporal lobe"
    elif where.plane == "coronal":
        turn = float(generator.uniform(-1.15, 0.75))
        share = float(generator.uniform(0.52, 0.68))
        x, y = share * where.cavity[0] * np.cos(turn), -34 + share * 58 * np.sin(turn)
        name = "frontal lobe" if y < -28 else "temporal lobe"
    else:
        options = [
            (-42.0, -44.0, "frontal lobe"),
            (-14.0, -66.0, "frontal lobe"),
            (30.0, -66.0, "parietal lobe"),
            (66.0, -34.0, "occipital lobe"),
        ]
        options += (
            [(50.0, 15.0, "cerebellum")]
            if where.level == "midline"
            else [(-16.0, 4.0, "temporal lobe"), (4.0, -44.0, "frontal lobe")]
        )
        x, y, name = options[int(generator.integers(len(options)))]
        return x + jitter[0], y + jitter[1], name
    return sign * x + jitter[0], y + jitter[1], f"{_side(sign)} {name}"


def plan(pathology: str, generator: np.random.Generator, *, plane: str, level: str, head: Head) -> Plan:
    """The lesion of a patient in a plane at a level."""
    layers = 1.8 + head.scalp + head.skull
    cavity = (head.width - layers, head.length - layers)
    if level == "convexity":
        cavity = (head.width * 0.88 - layers * 1.45, head.length * 0.88 - layers * 1.45)
    planner = {
        "glioma": _glioma,
        "meningioma": _meningioma,
        "pituitary tumor": _adenoma,
        "multiple sclerosis": _sclerosis,
        "infarct": _infarct,
    }[pathology]
    return planner(generator, _Where(plane=plane, level=level, cavity=cavity))


def _glioma(generator: np.random.Generator, where: _Where) -> Plan:
    x, y, place = _site(generator, where)
    high = generator.random() < 0.68
    radius = float(generator.uniform(10, 22)) * (0.85 if where.level == "sella" or where.plane == "sagittal" else 1.0)
    shape = draw_blob(generator, x, y=y, radius=radius, aspect=float(generator.uniform(1, 1.5)), irregularity=0.16)
    if high:
        return Plan(
            pathology="glioma",
            shapes=(shape,),
            place=place,
            tissue=Tissue(t1=1150, t2=125, density=0.88, uptake=float(generator.uniform(0.45, 1.3))),
            core=Tissue(t1=2300, t2=320, density=0.95),
            rim=float(generator.uniform(3.0, 6.5)) if generator.random() < 0.8 else radius,
            edema=float(generator.uniform(6, 20)),
            field=smooth_noise(generator, 14),
        )
    return Plan(
        pathology="glioma",
        shapes=(shape,),
        place=place,
        tissue=Tissue(t1=1650, t2=190, density=0.93, uptake=float(generator.choice([0.0, 0.05]))),
        edema=float(generator.uniform(0, 4)),
        field=smooth_noise(generator, 14),
    )


def _meningioma(generator: np.random.Generator, where: _Where) -> Plan:
    radius = float(generator.uniform(9, 21)) * (0.8 if where.level == "sella" else 1.0)
    sign = float(generator.choice([-1.0, 1.0]))
    sunk = radius * float(generator.uniform(0.45, 0.75))
    if where.plane == "axial" and where.level == "sella":
        x, y, place = (
            (sign * (60 - sunk), -10.0, "sphenoid wing")
            if generator.random() < 0.5
            else (sign * (36 - sunk * 0.3), 44.0 - sunk * 0.2, "cerebellopontine angle")
        )
        turn = 0.0 if sign > 0 else np.pi
        place = f"{_side(sign)} {place}"
    elif where.plane == "sagittal":
        turn = float(generator.uniform(-2.75, -0.25))
        x = 8 + (head_x := where.cavity[1] * 1.02 - sunk) * np.cos(turn)
        y = -36 + (where.cavity[1] * 0.72 - sunk) * np.sin(turn)
        place = "frontal convexity" if x < -10 else "parietal convexity"
        del head_x
    elif generator.random() < 0.3:
        # Beside the falx.
        x, turn = sign * radius * 0.85, 0.0 if sign < 0 else np.pi
        y = float(generator.choice([-1, 1])) * where.cavity[1] * 0.62 if where.plane == "axial" else -34 - 40.0
        place = f"{_side(sign)} side of the falx"
    else:
        turn = float(generator.uniform(-1.3, 1.3) if where.plane == "axial" else generator.uniform(-1.35, 0.3))
        reach = (where.cavity[0], where.cavity[1]) if where.plane == "axial" else (where.cavity[0], 58.0)
        x = sign * (reach[0] - sunk) * np.cos(turn)
        y = (0 if where.plane == "axial" else -34) + (reach[1] - sunk) * np.sin(turn)
        place = f"{_side(sign)} convexity"
        turn = turn if sign > 0 else np.pi - turn
    shape = draw_blob(
        generator,
        x,
        y=y,
        radius=radius,
        aspect=float(generator.uniform(1.0, 1.3)),
        angle=turn + np.pi / 2,
        irregularity=0.05,
    )
    return Plan(
        pathology="meningioma",
        shapes=(shape,),
        place=place,
        tissue=Tissue(
            t1=float(generator.uniform(900, 1150)),
            t2=float(generator.uniform(95, 135)),
            density=0.9,
            uptake=float(generator.uniform(0.6, 1.3)),
        ),
        edema=float(generator.uniform(5, 13)) if generator.random() < 0.4 else 0.0,
        field=smooth_noise(generator, 14),
        wedge=(turn, 0.0, 0.0),
    )


def _adenoma(generator: np.random.Generator, where: _Where) -> Plan:
    x, y = SELLA[where.plane]
    radius = float(generator.uniform(8.5, 17))
    rises = 0.0 if where.plane == "axial" else radius * float(generator.uniform(0.35, 0.75))
    shape = draw_blob(
        generator,
        x + float(generator.normal(0, 1.5)),
        y=y - rises,
        radius=radius,
        aspect=float(generator.uniform(1.05, 1.35)) if where.plane != "axial" else float(generator.uniform(1.0, 1.15)),
        angle=np.pi / 2 + float(generator.normal(0, 0.15)),
        irregularity=0.07,
        harmonics=4,
    )
    lower = draw_blob(
        generator,
        x,
        y=y + (4 if where.plane != "axial" else 0),
        radius=radius * 0.75,
        aspect=1.1,
        angle=0.0,
        irregularity=0.05,
    )
    cystic = generator.random() < 0.25
    return Plan(
        pathology="pituitary tumor",
        shapes=(shape, lower),
        place="sella",
        tissue=Tissue(
            t1=1050, t2=float(generator.uniform(95, 130)), density=0.9, uptake=float(generator.uniform(0.3, 0.9))
        ),
        core=Tissue(t1=1900, t2=260, density=0.95) if cystic else None,
        rim=radius * 0.45 if cystic else 0.0,
    )


def _sclerosis(generator: np.random.Generator, where: _Where) -> Plan:
    count = int(generator.integers(6, 13))
    shapes = []
    for index in range(count):
        big = index == 0
        sign = float(generator.choice([-1.0, 1.0]))
        radius = float(generator.uniform(6.0, 9.5)) if big else float(generator.uniform(2.6, 6.0))
        if where.plane == "axial" and where.level == "sella":
            spots = [(22.0, 48.0), (30.0, 56.0), (12.0, 24.0), (12.0, 52.0), (40.0, -14.0), (44.0, 2.0), (6.0, 20.0)]
            x, y = spots[int(generator.integers(4 if big else len(spots)))]
            angle = float(generator.uniform(0, np.pi))
        elif where.plane == "axial":
            y = float(generator.uniform(-36, 40))
            x = 17 + abs(y) * 0.15 + (0 if big or generator.random() < 0.5 else float(generator.uniform(5, 20)))
            angle = float(generator.normal(0.25 * np.sign(y), 0.3))
        elif where.plane == "coronal":
            x, y = 18 + float(generator.uniform(0, 8 if big else 22)), float(generator.uniform(-62, -26))
            angle = float(generator.normal(-0.7, 0.3))
        else:
            # Fingers stand on the callosum like the teeth of a comb.
            x = float(generator.uniform(-30, 38))
            y = (
                -50 - float(generator.uniform(0, 7))
                if generator.random() < 0.75 or big
                else float(generator.uniform(-70, -40))
            )
            sign, angle = 1.0, np.pi / 2 + float(generator.normal(x * 0.012, 0.2))
        aspect = float(generator.uniform(1.3, 2.2)) if where.plane != "axial" or where.level != "sella" else 1.3
        shapes.append(
            draw_blob(
                generator,
                sign * (x + float(generator.normal(0, 2))),
                y=y + float(generator.normal(0, 2)),
                radius=radius,
                aspect=aspect,
                angle=sign * angle,
                irregularity=0.08,
            )
        )
    chronic = float(generator.uniform(0.3, 1.0))
    return Plan(
        pathology="multiple sclerosis",
        shapes=tuple(shapes),
        place="cerebellar and pontine white matter" if where.level == "sella" else "periventricular white matter",
        tissue=Tissue(t1=1150 + 650 * chronic, t2=190, density=0.93),
        active=tuple(bool(generator.random() < 0.55) or index == 0 for index in range(count)),
    )


def _infarct(generator: np.random.Generator, where: _Where) -> Plan:
    sign = float(generator.choice([-1.0, 1.0]))
    half = float(generator.uniform(0.28, 0.62))
    reach = float(generator.uniform(24, 46))
    if where.plane == "axial" and where.level == "sella":
        turn, place = float(generator.normal(0.95, 0.12)), f"{_side(sign)} cerebellar hemisphere"
        reach *= 0.8
    elif where.plane == "axial":
        turn = float(generator.choice([-0.35, 0.15, 1.15, -1.15]) + generator.normal(0, 0.12))
        artery = "anterior" if turn < -0.8 else "posterior" if turn > 0.8 else "middle"
        place = f"territory of the {_side(sign)} {artery} cerebral artery"
    elif where.plane == "coronal":
        turn = float(generator.choice([-0.7, -0.2, 0.25]) + generator.normal(0, 0.12))
        place = f"territory of the {_side(sign)} middle cerebral artery"
    else:
        sign, turn = 1.0, float(generator.choice([-2.3, -1.5, -0.7, 0.0]) + generator.normal(0, 0.15))
        place = (
            "territory of the posterior cerebral artery" if turn > -0.4 else "territory of the anterior cerebral artery"
        )
        if where.level == "hemisphere":
            place = "territory of the middle cerebral artery"
    turn = turn if sign > 0 else np.pi - turn
    recent = generator.random() < 0.75
    return Plan(
        pathology="infarct",
        shapes=(),
        place=place,
        tissue=Tissue(t1=1500 if recent else 2000, t2=180 if recent else 260, density=0.93),
        field=smooth_noise(generator, 9),
        wedge=(turn, half, reach),
        active=(bool(generator.random() < 0.8),),
    )
