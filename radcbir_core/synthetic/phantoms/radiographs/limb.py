"""Bones of a limb: a cortical shell around spongy bone, that can be moved and broken; and how a limb is exposed.

Owns what hand and knee share. Outlines are in cm, x to the right, y down, of the limb; a `Frame` puts them into pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.phantoms.canvas import Field, blur, texture
from radcbir_core.synthetic.phantoms.radiographs.exposure import LIMB_BEAM, Exposure, exposed, wide_blur
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.shapes import Points, curve, fill, inset, ribbon


@dataclass(frozen=True, kw_only=True)
class Bone:
    """A bone or a fragment of one.

    Attributes:
        hull: (N, 2) its outline, cm.
        core: (M, 2) the outline of marrow or spongy bone within the cortex, cm.
        depth: Bone along the ray where it is densest, cm.
        layer: Bones of one layer do not add up where they overlap; those of different layers do.
    """

    hull: Points
    core: Points
    depth: float
    layer: int = 0


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A turn about a point, then a shift, in cm and radians (clockwise as seen)."""

    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0
    dx: float = 0.0
    dy: float = 0.0

    def points(self, at: npt.ArrayLike) -> Points:
        """(N, 2) points after the motion."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        off = np.asarray(at, dtype=np.float64) - (self.x, self.y)
        return np.stack(
            [c * off[:, 0] - s * off[:, 1] + self.x + self.dx, s * off[:, 0] + c * off[:, 1] + self.y + self.dy], axis=1
        )

    def bone(self, bone: Bone) -> Bone:
        """The bone after the motion."""
        return replace(bone, hull=self.points(bone.hull), core=self.points(bone.core))


def tube(
    path: npt.ArrayLike, half_width: npt.ArrayLike, cortex: npt.ArrayLike, *, depth: float, layer: int = 0
) -> Bone:
    """A long bone along a path: half its width and the cortex's thickness at each of the path's points, in cm."""
    along = np.asarray(path, dtype=np.float64)
    half = np.broadcast_to(np.asarray(half_width, dtype=np.float64), (len(along),))
    shell = np.broadcast_to(np.asarray(cortex, dtype=np.float64), (len(along),))
    inner = slice(1, -1) if len(along) > 4 else slice(None)
    return Bone(
        hull=ribbon(along, half),
        core=ribbon(along[inner], np.maximum(half - shell, 0.02)[inner]),
        depth=depth,
        layer=layer,
    )


def solid(points: npt.ArrayLike, *, cortex: float, depth: float, layer: int = 0) -> Bone:
    """A bone from the points of its outline, through which a smooth curve is laid."""
    outline = curve(points, closed=True, steps=5)
    return Bone(hull=outline, core=inset(outline, cortex), depth=depth, layer=layer)


def oval(
    x: float, y: float, rx: float, ry: float, *, turn: float = 0.0, cortex: float, depth: float, layer: int = 0
) -> Bone:
    """A small rounded bone."""
    angles = np.linspace(0, 2 * np.pi, 22, endpoint=False)
    # A little square, as bones of the wrist are.
    bulge = 1 + 0.07 * np.cos(4 * angles)
    shape = np.stack([rx * bulge * np.cos(angles), ry * bulge * np.sin(angles)], axis=1)
    outline = Motion(turn=turn, dx=x, dy=y).points(shape)
    return Bone(hull=outline, core=inset(outline, cortex), depth=depth, layer=layer)


def clipped(outline: Points, point: npt.ArrayLike, normal: npt.ArrayLike) -> Points:
    """The part of an outline on the side of a line to which the normal points; (0, 2) if there is none."""
    away = (outline - np.asarray(point)) @ np.asarray(normal, dtype=np.float64)
    following, next_away = np.roll(outline, -1, axis=0), np.roll(away, -1)
    kept: list[Points] = []
    for at, after, distance, next_distance in zip(outline, following, away, next_away, strict=True):
        if distance >= 0:
            kept.append(at)
        if (distance >= 0) != (next_distance >= 0):
            kept.append(at + (after - at) * (distance / (distance - next_distance)))
    return np.array(kept).reshape(-1, 2)


def part(bone: Bone, point: npt.ArrayLike, normal: npt.ArrayLike) -> Bone:
    """The fragment on the side of a line to which the normal points; the broken face has no cortex."""
    return replace(bone, hull=clipped(bone.hull, point, normal), core=clipped(bone.core, point, normal))


def thickness(bones: list[Bone], frame: Frame, *, marrow: float, grain: Field) -> Field:
    """Bone along the ray in cm, (SIDE, SIDE).

    Args:
        bones: Of all layers.
        frame: The view.
        marrow: Share of the bone that is missing within the cortex, 0 to 1.
        grain: A random field of deviation 1, the trabeculae.
    """
    total = np.zeros_like(grain)
    deepest = max((bone.depth for bone in bones), default=1.0) or 1.0
    for layer in sorted({bone.layer for bone in bones}):
        group = [bone for bone in bones if bone.layer == layer and len(bone.hull) > 2 and len(bone.core) > 2]
        shares = [bone.depth / deepest for bone in group]
        hull = fill([frame.pixels(bone.hull) for bone in group], shares)
        core = fill([frame.pixels(bone.core) for bone in group], shares)
        # A bone is thinner toward its edge.
        rounded = np.float32(0.55) * hull + np.float32(0.45) * np.minimum(hull, blur(hull, 0.3 * frame.scale))
        spongy = np.float32(marrow) * core * (1 + np.float32(0.1) * grain)
        total += np.float32(deepest) * np.maximum(rounded - spongy, 0)
    return total


def trabeculae(generator: np.random.Generator) -> Field:
    """A random field of fine grain that runs along the limb."""
    return blur(texture(generator, 2.6, octaves=2), 1.4, 0.0) * np.float32(1.3)


def flesh(outlines: list[Points], frame: Frame, *, depth: float, reach: float) -> Field:
    """Soft tissue along the ray in cm: rounded at its edges, thinner where it is narrower than ``reach`` cm."""
    hull = fill([frame.pixels(outline) for outline in outlines])
    near, far = wide_blur(hull, 0.35 * reach * frame.scale), wide_blur(hull, reach * frame.scale)
    return np.asarray(np.float32(depth) * hull * np.sqrt(np.maximum(near, 0)) * (0.25 + 0.75 * far), dtype=np.float32)


def draw_style(generator: np.random.Generator) -> dict[str, float]:
    """The technique of a patient's images of a limb: how dark, how steep, how sharp, how noisy."""
    return {
        "scatter": generator.uniform(0.02, 0.15),
        "photons": float(np.exp(generator.uniform(np.log(1.5e3), np.log(4e4)))),
        "softness": generator.uniform(0.3, 0.8),
        "dark": generator.uniform(-0.06, 0.25),
        "light": generator.uniform(0.9, 1.2),
        "contrast": generator.uniform(0.0, 2.4),
        "enhancement": generator.uniform(0.0, 0.8),
        "reach": generator.uniform(2.0, 10.0),
        "floor": generator.uniform(0.0, 0.07),
        "ceiling": generator.uniform(0.88, 1.0),
    }


def expose(soft: Field, bone: Field, style: dict[str, float]) -> tuple[Exposure, Field]:
    """The exposure and display of a limb, and the logarithmic image before noise."""
    return exposed(soft, bone, style, beam=LIMB_BEAM, scatter_reach=14.0, least=0.3, quantiles=(0.25, 0.975))
