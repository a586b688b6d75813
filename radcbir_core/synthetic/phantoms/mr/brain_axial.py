"""Axial slices of the head, from the pituitary fossa up to the convexity."""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.mr.head import Anatomy, Head, cortex, cranium, soft_parts, vessels
from radcbir_core.synthetic.phantoms.mr.slices import Blob, Slice
from radcbir_core.synthetic.phantoms.mr.tissues import (
    AIR,
    BONE,
    CEREBROSPINAL_FLUID,
    DEEP_GRAY_MATTER,
    DURA,
    FAT,
    FATTY_MARROW,
    FLOW_VOID,
    GRAY_MATTER,
    MUCOSA,
    MUSCLE,
    PITUITARY,
    SKIN,
    VENOUS_BLOOD,
    WHITE_MATTER,
)

LEVELS = ("ganglia", "bodies", "convexity", "sella")


def _outline(head: Head, scale: float) -> Blob:
    radius = float(np.sqrt(head.width * head.length)) * scale
    return Blob(x=0, y=0, radius=radius, aspect=head.length / head.width, angle=np.pi / 2, waves=head.waves)


def paint_axial(painted: Slice, head: Head, *, level: str, offset: float, generator: np.random.Generator) -> Anatomy:
    """An axial slice at a level; ``offset`` is how far above its middle, in slices."""
    if level == "sella":
        return _sella(painted, head, offset=offset, generator=generator)
    scale = {"ganglia": 1.0, "bodies": 0.98, "convexity": 0.88}[level] * (1 - 0.008 * offset)
    tangential = {"ganglia": 1.0, "bodies": 1.08, "convexity": 1.45}[level]
    outline = _outline(head, scale)
    depth = cranium(painted, head, outline, tangential=tangential)
    layers = (1.8 + head.scalp + head.skull) * tangential
    cavity = Blob(
        x=0, y=0, radius=outline.radius - layers, aspect=outline.aspect, angle=outline.angle, waves=outline.waves
    )
    inside = painted.soft(-depth)
    phase = {"ganglia": 0.0, "bodies": 0.9, "convexity": 1.8}[level] + 0.12 * offset
    white = cortex(painted, head, cavity, inside=inside, depth=depth, phase=phase, generator=generator)
    half = outline.radius * np.sqrt(outline.aspect) - layers
    size = half / 82
    _fissure(painted, head, half, whole=level == "convexity", size=size)
    if level == "ganglia":
        _ganglia(painted, head, size, offset)
    elif level == "bodies":
        _bodies(painted, head, size, offset)
    _sinuses(painted, half)
    vessels(painted, head, cavity, generator=generator, inside=inside, phase=phase)
    return Anatomy(brain=inside, depth=depth, white=white, cavity=cavity)


def _fissure(painted: Slice, head: Head, half: float, *, whole: bool, size: float) -> None:
    """Cleft and falx between the hemispheres."""
    gap = 1.2 + 1.6 * head.atrophy
    parts = [(-half, half)] if whole else [(-half, -38 * size), (42 * size, half)]
    for top, bottom in parts:
        line = [(0.0, top), (0.6 * head.lean, (top + bottom) / 2), (0.0, bottom)]
        painted.paint(painted.path(line, 7.5), GRAY_MATTER)
        painted.paint(painted.path(line, gap), CEREBROSPINAL_FLUID)
        painted.paint(painted.path(line, 1.0) * np.float32(0.8), DURA)


def _sinuses(painted: Slice, half: float) -> None:
    """The superior sagittal sinus, cut in front and behind."""
    blood = VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
    painted.paint(painted.ellipse(0, -half + 1.5, 2.2, 2.0), blood)
    painted.paint(painted.region([(-4, half + 1), (4, half + 1), (0, half - 6)]), blood)


def _ganglia(painted: Slice, head: Head, size: float, offset: float) -> None:
    """Frontal horns, third ventricle, atria; caudate, lentiform nucleus and thalamus; insula and Sylvian fissure."""
    s, wide = size, head.ventricles * (1 + 0.03 * offset)
    for sign in (-1.0, 1.0):
        lean = head.lean * 0.4

        def at(*points: tuple[float, float], side: float = sign, shift: float = lean) -> list[tuple[float, float]]:
            return [(side * x * s + shift, y * s) for x, y in points]

        # Deep white matter first: it leaves no sulcus near the middle.
        painted.paint(painted.ellipse(sign * 20 * s, 0, 20 * s, 40 * s, width=8), WHITE_MATTER)
        insula = at((38, -24), (34, -8), (36, 12))
        painted.paint(painted.path(insula, 7.5), GRAY_MATTER)
        painted.paint(painted.path(at((36, -16), (46, -22), (57, -20)), 6), GRAY_MATTER)
        painted.paint(painted.path(insula, 1.0 + 2.4 * head.atrophy), CEREBROSPINAL_FLUID)
        painted.paint(painted.path(at((36, -16), (46, -22), (60, -20)), 1.0 + 2.2 * head.atrophy), CEREBROSPINAL_FLUID)
        painted.paint(painted.ellipse(*at((24, -6))[0], 7 * s, 17 * s, angle=sign * 0.22), DEEP_GRAY_MATTER)
        painted.paint(painted.ellipse(*at((10.5, 7))[0], 8.5 * s, 14 * s, angle=-sign * 0.25), DEEP_GRAY_MATTER)
        horn = 5 + 5.5 * wide
        front = at((2, -29), (6 + horn * 0.5, -33 - 2 * wide), (5 + horn, -34), (4 + horn * 0.55, -22), (2.5, -12))
        painted.paint(
            painted.ellipse(*at((8 + horn * 0.75, -22))[0], 4.5 * s, 9 * s, angle=-sign * 0.3), DEEP_GRAY_MATTER
        )
        painted.paint(painted.region(front), CEREBROSPINAL_FLUID)
        back = at((15, 24), (19 + 3 * wide, 27), (22 + 4 * wide, 38), (21 + 2 * wide, 40 + 9 * wide), (18, 36))
        painted.paint(painted.region(back), CEREBROSPINAL_FLUID)
        plexus = painted.ellipse(*at((19.5 + wide, 31))[0], 2.0 * s, 4.0 * s, angle=-sign * 0.4)
        painted.paint(plexus * np.float32(0.9), MUCOSA)
    painted.paint(
        painted.path([(0, -4 * s), (0, 15 * s)], 1.4 + 2.6 * head.ventricles * (0.5 + head.atrophy)),
        CEREBROSPINAL_FLUID,
    )
    painted.paint(painted.path([(0, -30 * s), (0, -12 * s)], 1.4), WHITE_MATTER)
    if painted.sequence.contrast:
        painted.paint(painted.path([(-1.5, 16 * s), (-1, 22 * s), (0, 30 * s)], 1.8), VENOUS_BLOOD)
    painted.paint(painted.path([(-14 * s, 29 * s), (0, 25 * s), (14 * s, 29 * s)], 5), WHITE_MATTER)


def _bodies(painted: Slice, head: Head, size: float, offset: float) -> None:
    """Bodies of the lateral ventricles, caudate bodies and callosal white matter."""
    s, wide = size, head.ventricles * (1 - 0.06 * offset)
    for sign in (-1.0, 1.0):
        painted.paint(painted.ellipse(sign * 20 * s, 0, 21 * s, 44 * s, width=10), WHITE_MATTER)
        w = 3.0 + 5.5 * wide
        inner = [(2.2, -28), (2.2, -8), (4, 12), (9, 28)]
        outer = [(15 + 2 * wide, 36 + 4 * wide), (9 + w, 22), (3.5 + w, 4), (3 + w, -14), (5 + w * 1.05, -30), (6, -33)]
        body = [(sign * x * s + head.lean * 0.4, y * s) for x, y in inner + outer]
        caudate = painted.path([(sign * (5.5 + w) * s, -24 * s), (sign * (4.5 + w) * s, -4 * s)], 5.5)
        painted.paint(caudate, DEEP_GRAY_MATTER)
        painted.paint(painted.region(body), CEREBROSPINAL_FLUID)
        if painted.sequence.contrast:
            painted.paint(painted.path([(sign * 6 * s, 2 * s), (sign * 9 * s, 20 * s)], 1.8) * np.float32(0.8), MUCOSA)


def _sella(painted: Slice, head: Head, *, offset: float, generator: np.random.Generator) -> Anatomy:
    """Through eyes, temporal lobes, pituitary fossa, brain stem and cerebellum."""
    w, s = head.width / 74, head.length / 92
    outline = _outline(head, 0.97)
    painted.paint(painted.region([(-13 * w, -84 * s), (-5, -105 * s), (5, -105 * s), (13 * w, -84 * s)]), SKIN)
    cranium(painted, head, outline)
    parts = soft_parts(generator)
    filling = painted.soft(painted.blob(outline) + 2.5 + head.scalp)
    painted.paint(filling, MUSCLE)
    painted.paint(filling * parts * np.float32(0.7), FAT)
    layers = 2.0 + head.scalp + head.skull
    # The floor of the middle fossa and the posterior fossa, each with its bone.
    cavity = Blob(x=0, y=22 * s, radius=64 * np.sqrt(w * s) - layers * 0.45, aspect=w / s, angle=0.0, waves=())
    brain = np.zeros_like(painted.signal)
    fossae = [
        (painted.blob(Blob(x=0, y=40 * s, radius=49 * w - 0.35 * layers, aspect=1.12, waves=())), "back"),
        (painted.blob(Blob(x=-37 * w, y=-9 * s, radius=29 * w - 0.25 * layers, aspect=1.25, angle=1.35)), "side"),
        (painted.blob(Blob(x=37 * w, y=-9 * s, radius=29 * w - 0.25 * layers, aspect=1.25, angle=-1.35)), "side"),
    ]
    middle = painted.blob(Blob(x=0, y=4 * s, radius=21 * w, aspect=1.05))
    nearest = np.minimum(np.minimum(fossae[0][0], middle), np.minimum(fossae[1][0], fossae[2][0]))
    painted.paint(painted.soft(nearest - 4.5), BONE)
    brain = painted.soft(nearest)
    depth = np.asarray(-nearest, dtype=np.float32)
    white = cortex(
        painted, head, cavity, inside=brain, depth=depth, phase=2.6 + 0.1 * offset, generator=generator, fold_depth=13
    )
    _cerebellum(painted, w, s, offset)
    _petrous(painted, w, s, generator)
    _stem_and_cistern(painted, head, w, s, offset)
    _face(painted, w, s, generator)
    vessels(painted, head, cavity, generator=generator, inside=brain, phase=2.6)
    blood = VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
    bottom = 40 * s + (49 * w - 0.35 * layers) / np.sqrt(1.12)
    painted.paint(painted.region([(-5, bottom + 1), (5, bottom + 1), (0, bottom - 6)]), blood)
    return Anatomy(brain=brain, depth=depth, white=white, cavity=cavity)


def _cerebellum(painted: Slice, w: float, s: float, offset: float) -> None:
    """Hemispheres with folia that run across, vermis and fourth ventricle."""
    body = painted.ellipse(0, 53 * s, 45 * w, 30 * s, width=2)
    folia = 0.5 + 0.5 * np.cos(
        painted.y * np.float32(1.55) + np.float32(0.9) * np.sin(painted.x * np.float32(0.10) + offset)
    )
    painted.paint(body, GRAY_MATTER)
    for sign in (-1.0, 1.0):
        painted.paint(painted.ellipse(sign * 18 * w, 48 * s, 17 * w, 15 * s, width=9) * np.float32(0.9), WHITE_MATTER)
    painted.paint(body * folia * np.float32(0.14), CEREBROSPINAL_FLUID)
    painted.paint(painted.path([(0, 62 * s), (0, 84 * s)], 2.2) * np.float32(0.7), CEREBROSPINAL_FLUID)


def _petrous(painted: Slice, w: float, s: float, generator: np.random.Generator) -> None:
    """The petrous pyramids with their air cells: dark wedges between temporal lobe and cerebellum."""
    for sign in (-1.0, 1.0):
        wedge = painted.region(
            [
                (sign * 15 * w, 12 * s),
                (sign * 40 * w, 13 * s),
                (sign * 66 * w, 17 * s),
                (sign * 62 * w, 38 * s),
                (sign * 40 * w, 29 * s),
            ]
        )
        painted.paint(wedge, BONE)
        painted.paint(wedge * soft_parts(generator, 6) * np.float32(0.25), MUCOSA)
        painted.paint(painted.ellipse(sign * 27 * w, 18 * s, 6, 1.6, angle=sign * 0.4), CEREBROSPINAL_FLUID)
        painted.paint(
            painted.ellipse(sign * 55 * w, 34 * s, 4, 6), VENOUS_BLOOD if painted.sequence.contrast else FLOW_VOID
        )


def _stem_and_cistern(painted: Slice, head: Head, w: float, s: float, offset: float) -> None:
    """Suprasellar cistern, sella with gland and carotids, pons and fourth ventricle."""
    painted.paint(painted.ellipse(0, 18 * s, 19 * w, 17 * s, width=2), CEREBROSPINAL_FLUID)
    star = [(0, -14), (-13, -12), (-19, -2), (-12, 6), (0, 8), (12, 6), (19, -2), (13, -12)]
    painted.paint(painted.region([(x * w, y * s) for x, y in star]), CEREBROSPINAL_FLUID)
    painted.paint(painted.ellipse(0, 19 * s, 15 * w, 13 * s, width=2), WHITE_MATTER)
    painted.paint(painted.ellipse(0, 14 * s, 10 * w, 6 * s, width=4) * np.float32(0.4), GRAY_MATTER)
    painted.paint(painted.ellipse(0, 36 * s, 7 * w * (0.6 + 0.4 * head.ventricles), 4 * s), CEREBROSPINAL_FLUID)
    bone = [(-12, -14), (12, -14), (15, -30), (-15, -30)]
    painted.paint(painted.region([(x * w, y * s) for x, y in bone]), BONE)
    painted.paint(painted.region([(x * w, (y * 0.9 - 1) * s) for x, y in bone]) * np.float32(0.5), FATTY_MARROW)
    for sign in (-1.0, 1.0):
        painted.paint(
            painted.ellipse(sign * 10.5 * w, -14 * s, 4.5, 8 * s), VENOUS_BLOOD if painted.sequence.contrast else MUSCLE
        )
        painted.paint(painted.ellipse(sign * 10 * w, -12 * s, 2.7), FLOW_VOID)
        painted.paint(
            painted.path([(sign * 30 * w, 2 * s), (sign * 34 * w, 12 * s)], 1.2 + 1.5 * head.atrophy),
            CEREBROSPINAL_FLUID,
        )
    painted.paint(painted.ellipse(0, -15 * s, 5.8 * w, 3.6 * s + 0.2 * offset), PITUITARY)
    painted.paint(painted.ellipse(0, 4 * s, 1.8), FLOW_VOID)


def _face(painted: Slice, w: float, s: float, generator: np.random.Generator) -> None:
    """Orbits with eyes, muscles and optic nerves; ethmoid cells and sphenoid sinus between them."""
    mucosa = soft_parts(generator, 5)
    cells = painted.region(
        [
            (-12 * w, -84 * s),
            (12 * w, -84 * s),
            (13 * w, -40 * s),
            (9 * w, -26 * s),
            (-9 * w, -26 * s),
            (-13 * w, -40 * s),
        ]
    )
    painted.paint(cells, AIR)
    # Thin walls between the ethmoid cells, and swollen mucosa here and there.
    walls = np.maximum(
        np.cos(painted.x * np.float32(0.95) + 3 * mucosa),
        np.cos(2 * mucosa + painted.y * np.float32(0.62) + np.abs(painted.x) * np.float32(0.12)),
    )
    painted.paint(cells * np.clip(walls * 2.5 - 1.7 + 1.2 * mucosa, 0, 0.9), MUCOSA, 0.7)
    painted.paint(painted.path([(0, -86 * s), (0.5, -40 * s)], 1.6), MUCOSA)
    for sign in (-1.0, 1.0):
        cone = [(18, -82), (44, -76), (47, -62), (30, -40), (16, -28), (13, -36), (14, -60)]
        painted.paint(painted.region([(sign * x * w, y * s) for x, y in cone]), FAT)
        eye = (sign * 30 * w, -70 * s)
        painted.paint(
            painted.path([(sign * 28 * w, -58 * s), (sign * 23 * w, -45 * s), (sign * 16 * w, -30 * s)], 3.6),
            WHITE_MATTER,
        )
        for near, far in (((41, -62), (22, -34)), ((18, -62), (15, -34))):
            painted.paint(
                painted.path([(sign * near[0] * w, near[1] * s), (sign * far[0] * w, far[1] * s)], 3.2), MUSCLE
            )
        painted.paint(painted.ellipse(*eye, 13.0), MUSCLE)
        painted.paint(painted.ellipse(*eye, 11.6), CEREBROSPINAL_FLUID)
        painted.paint(painted.ellipse(eye[0], eye[1] - 8.0, 4.6, 2.4), MUSCLE)
        painted.paint(painted.path([(sign * 48 * w, -60 * s), (sign * 52 * w, -38 * s)], 5), FATTY_MARROW, 0.6)
        painted.paint(painted.ellipse(sign * 60 * w, -28 * s, 5.5, 15 * s), MUSCLE)
