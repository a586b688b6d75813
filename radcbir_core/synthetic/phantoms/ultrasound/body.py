"""What sound meets on its way: the probe's field, patterns in tissue, outlines, and the body that they are painted on.

Owns echo level, attenuation and specular interfaces; ``scanner`` turns them into an image. Tissue is painted in beam
coordinates, (SAMPLES, BEAMS), one row a depth: shadow and enhancement are then sums along the columns. Lengths are mm,
levels dB of amplitude relative to liver, attenuation dB/cm/MHz one way, its orders of magnitude those of Duck,
*Physical Properties of Tissue* (1990, chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.phantoms.canvas import Field

Values = npt.NDArray[np.floating]
"""Numbers computed from coordinates, whatever their width."""

SAMPLES = 240
"""Depths at which a beam is sampled."""

BEAMS = 160
"""Beams of an image."""

NEUTRAL = 0.5
"""Attenuation that the time gain compensation takes for granted, dB/cm/MHz: that of soft tissue."""

ANECHOIC = -60.0
"""Echo level of fluid, dB: what is seen in it is clutter and noise."""

STONE_LOSS = 9.0
"""Attenuation of a stone, dB/cm/MHz, what it throws back included."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The geometry of a probe's field of view.

    Attributes:
        depth: Imaged depth in mm.
        width: Width of a linear probe's field in mm; unused for a convex one.
        radius: Of the convex probe's face in mm; 0 = linear.
        half_angle: Of the sector, in radians; unused for a linear one.
    """

    depth: float
    width: float = 0.0
    radius: float = 0.0
    half_angle: float = 0.0

    @property
    def convex(self) -> bool:
        """Whether the field is a sector."""
        return self.radius > 0

    @property
    def step(self) -> float:
        """Distance between two samples in mm."""
        return self.depth / (SAMPLES - 1)

    def half_width(self, depth: float) -> float:
        """Half the width of the field in mm at a depth in mm."""
        return (self.radius + depth) * float(np.sin(self.half_angle)) if self.convex else self.width / 2

    def positions(self) -> tuple[Field, Field, Field]:
        """(depth along the beam, x, z) in mm of all samples; z is depth straight down from the middle of the face."""
        depth = np.linspace(0, self.depth, SAMPLES, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, BEAMS, dtype=np.float32)[None, :]
        if self.convex:
            angle = across * np.float32(self.half_angle)
            x = (np.float32(self.radius) + depth) * np.sin(angle)
            z = (np.float32(self.radius) + depth) * np.cos(angle) - np.float32(self.radius)
        else:
            x = np.broadcast_to(across * np.float32(self.width / 2), (SAMPLES, BEAMS)).copy()
            z = np.broadcast_to(depth, (SAMPLES, BEAMS)).copy()
        return np.broadcast_to(depth, (SAMPLES, BEAMS)), x, z


class Pattern:
    """A smooth random field in the patient's coordinates, of which neighboring slices are alike.

    Args:
        generator: Source of all randomness.
        probe: Whose field is covered.
        across: Width of its blobs in mm.
        down: Height of its blobs in mm; the same as ``across`` by default.
    """

    def __init__(self, generator: np.random.Generator, probe: Probe, across: float, down: float | None = None) -> None:
        reach = probe.half_width(probe.depth) + 15
        self._cell_x, self._cell_z = across / 2.2, (across if down is None else down) / 2.2
        self._left, self._top = -reach, -25.0
        columns = int(2 * reach / self._cell_x) + 3
        rows = int((probe.depth + 45) / self._cell_z) + 3
        noise = generator.standard_normal((2, rows + 4, columns + 4), dtype=np.float32)
        for _ in range(2):  # the kernel 1 4 6 4 1 along both axes
            noise = noise[:, :-4] + 4 * noise[:, 1:-3] + 6 * noise[:, 2:-2] + 4 * noise[:, 3:-1] + noise[:, 4:]
            noise = noise.swapaxes(1, 2)
        self._fields = noise / np.float32(70)  # the root of the sum of the squared weights is 70 in two dimensions

    def at(self, x: Values, z: Values, turn: float = 0.0) -> Field:
        """The field at points in mm, mean 0 and deviation about 1.

        Args:
            x: In mm.
            z: In mm.
            turn: Where the slice lies, in radians: 0 and pi / 2 have nothing in common.
        """
        plane = self._fields[0] * np.float32(np.cos(turn)) + self._fields[1] * np.float32(np.sin(turn))
        rows, columns = plane.shape
        u = np.clip((x - np.float32(self._left)) / np.float32(self._cell_x), 0, columns - 1.01)
        v = np.clip((z - np.float32(self._top)) / np.float32(self._cell_z), 0, rows - 1.01)
        return Lookup(u, v, columns).of(plane)


class Lookup:
    """Bilinear interpolation at the same points in several fields."""

    def __init__(self, u: Values, v: Values, columns: int) -> None:
        left, top = u.astype(np.int32), v.astype(np.int32)
        self._at = top * columns + left
        self._columns = columns
        self._fx, self._fy = u - left, v - top

    def of(self, plane: Field) -> Field:
        """The field's values at the points."""
        flat = plane.ravel()
        upper, lower = flat[self._at], flat[self._at + self._columns]
        upper = upper + (flat[self._at + 1] - upper) * self._fx
        lower = lower + (flat[self._at + self._columns + 1] - lower) * self._fx
        return np.asarray(upper + (lower - upper) * self._fy, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class View:
    """How the probe is held for one image: what differs between the images of a patient.

    Attributes:
        shift_x: Of the probe along the skin, mm.
        shift_z: Of the tissue towards the probe (pressure, breath), mm.
        tilt: Of the probe in the plane, radians.
        turn: Where the slice lies, radians; see ``Pattern.at``.
        off: Distance from the middle of what is examined across the slice, as a share of its half size, -1 to 1.
    """

    shift_x: float
    shift_z: float
    tilt: float
    turn: float
    off: float


def views(generator: np.random.Generator, images: int, *, reach: float) -> list[View]:
    """The views of one patient: neighboring slices, at most ``reach`` mm apart."""
    start = generator.uniform(-0.45, 0.1)
    stride = generator.uniform(0.12, 0.3)
    return [
        View(
            shift_x=float(generator.normal(0, reach / 2.5)),
            shift_z=float(generator.normal(0, reach / 5)),
            tilt=float(np.clip(generator.normal(0, 0.035), -0.09, 0.09)),
            turn=float(start + stride * number),
            off=float(np.clip(start + stride * number, -0.6, 0.6)),
        )
        for number in range(images)
    ]


class Body:
    """What a beam meets: echo level, attenuation, and mirror-like interfaces, all (SAMPLES, BEAMS).

    Attributes:
        depth: Along the beam from the probe's face, mm.
        x: Across, in the patient's coordinates, mm.
        z: Down, in the patient's coordinates, mm.
        turn: Where the slice lies.
        echo: Speckle level, dB.
        loss: Attenuation, dB/cm/MHz.
        mirror: Amplitude of specular echoes, 1 = as strong as liver speckle.
    """

    def __init__(self, probe: Probe, view: View) -> None:
        self.probe = probe
        self.turn = view.turn
        self.depth, x, z = probe.positions()
        middle = np.float32(probe.depth / 2)
        c, s = np.float32(np.cos(view.tilt)), np.float32(np.sin(view.tilt))
        self.x: Field = c * x - s * (z - middle) + np.float32(view.shift_x)
        self.z: Field = s * x + c * (z - middle) + middle + np.float32(view.shift_z)
        self.echo: Field = np.zeros((SAMPLES, BEAMS), dtype=np.float32)
        self.loss: Field = np.full((SAMPLES, BEAMS), NEUTRAL, dtype=np.float32)
        self.mirror: Field = np.zeros((SAMPLES, BEAMS), dtype=np.float32)

    def fill(
        self, share: Values, *, echo: float | np.floating | Values, loss: float | Values = NEUTRAL, clear: float = 1.0
    ) -> None:
        """Puts tissue where ``share`` is 1; ``clear`` is how much of the interfaces there goes."""
        self.echo += share * (echo - self.echo)
        self.loss += share * (loss - self.loss)
        self.mirror *= 1 - np.float32(clear) * share

    def inside(self, distance: Values, softness: float = 0.0) -> Field:
        """The share inside a signed distance in mm (negative inside), its edge at least one sample wide."""
        share = np.clip(0.5 - distance / np.float32(max(softness, 1.2 * self.probe.step)), 0, 1)
        return np.asarray(share, dtype=np.float32)

    def facing(self, distance: Values) -> Field:
        """How squarely a beam meets the surface of a signed distance: 1 at right angles, 0 along it."""
        slope = np.empty_like(distance)
        slope[1:-1] = (distance[2:] - distance[:-2]) / np.float32(2 * self.probe.step)
        slope[0], slope[-1] = slope[1], slope[-2]
        return np.minimum(np.abs(slope), 1)

    def interface(
        self,
        distance: Values,
        *,
        level: float,
        thickness: float = 0.5,
        share: Values | float = 1.0,
        power: float = 2.0,
    ) -> None:
        """A smooth surface at distance 0: bright where the beam meets it squarely.

        Args:
            distance: Signed distance in mm.
            level: dB over liver speckle.
            thickness: In mm.
            share: Where it is.
            power: How fast it fades as it turns away from the beam; 0 for a rough one.
        """
        width = np.float32(max(thickness, 0.9 * self.probe.step))
        shape = np.exp(-((distance / width) ** 2)) * np.float32(10 ** (level / 20))
        if power:
            shape *= self.facing(distance) ** np.float32(power)
        self.mirror += shape * share

    def line(self, along: Values, *, level: float, thickness: float, share: Values | float = 1.0) -> None:
        """A thin bright line where a field in mm is 0, whatever its direction."""
        self.interface(along, level=level, thickness=thickness, share=share, power=0.0)

    def fluid(self, distance: Values, *, wall: float, softness: float = 0.0, loss: float = 0.02) -> Field:
        """Fluid inside a signed distance, with a wall and shadows behind its edges, where sound is refracted.

        Returns:
            The share of fluid.
        """
        share = self.inside(distance, softness)
        self.fill(share, echo=ANECHOIC, loss=loss)
        thickness = np.float32(min(0.6, 0.008 * self.probe.depth))
        self.interface(distance - 0.7 * thickness, level=wall, thickness=float(thickness), power=1.0)
        graze = (1 - self.facing(distance)) ** 8 * np.exp(-(((distance - thickness) / (2 * thickness)) ** 2))
        self.loss += np.float32(0.6) * graze
        return share

    def stone(self, distance: Values, *, level: float = 24.0) -> Field:
        """A stone inside a signed distance: a bright front, and next to no sound behind it.

        Returns:
            The share of its front, which is all that is seen of it.
        """
        share = self.inside(distance, 0.6)
        self.fill(share, echo=16, loss=STONE_LOSS)
        slope = np.zeros_like(distance)
        slope[1:] = distance[1:] - distance[:-1]
        front = self.inside(np.abs(distance + 1.0) - 1.6, 0.6) * (slope < 0)
        self.mirror += front * np.float32(10 ** (level / 20))
        return np.asarray(front, dtype=np.float32)


def ellipse(x: Field, z: Field, *, at: tuple[float, float], half: tuple[float, float], angle: float = 0.0) -> Field:
    """Roughly the signed distance in mm to an ellipse (negative inside).

    Args:
        x: Across, mm.
        z: Down, mm.
        at: Center (x, z).
        half: Half axes across and down before turning.
        angle: Clockwise as seen, in radians.
    """
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dx, dz = x - np.float32(at[0]), z - np.float32(at[1])
    u, v = (c * dx + s * dz) / np.float32(half[0]), (c * dz - s * dx) / np.float32(half[1])
    radius = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / np.float32(half[0])) ** 2 + (v / np.float32(half[1])) ** 2)
    return np.asarray((radius - 1) * radius / np.maximum(slope, 1e-4), dtype=np.float32)


@dataclass(frozen=True)
class Outline:
    """A lump whose outline is a circle with waves, stretched to an ellipse.

    Attributes:
        at: Center (x, z) in mm.
        half: Half axes in mm before turning.
        angle: Clockwise as seen, radians.
        waves: (number, height as a share of the radius, phase) of each wave around it.
    """

    at: tuple[float, float]
    half: tuple[float, float]
    angle: float = 0.0
    waves: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))

    def polar(self, x: Field, z: Field) -> tuple[Field, Field]:
        """(radius, angle) of points with the ellipse as the unit circle."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dz = x - np.float32(self.at[0]), z - np.float32(self.at[1])
        u, v = (c * dx + s * dz) / np.float32(self.half[0]), (c * dz - s * dx) / np.float32(self.half[1])
        return np.sqrt(u * u + v * v), np.arctan2(v, u)

    def distance(self, x: Field, z: Field, off: float = 0.0) -> Field:
        """Roughly the signed distance in mm, smaller ``off`` its middle as a ball's slices are."""
        radius, angle = self.polar(x, z)
        edge = np.full_like(radius, np.sqrt(1 - 0.6 * off * off))
        for number, height, phase in self.waves:
            edge += np.float32(height) * np.cos(np.float32(number) * angle + np.float32(phase + 0.6 * off))
        mean = np.float32(np.sqrt(self.half[0] * self.half[1]))
        return (radius - edge) * mean


def waves(generator: np.random.Generator, height: float, numbers: range) -> npt.NDArray[np.float64]:
    """Waves for an ``Outline``: the higher their number the lower; ``height`` is that of the whole."""
    count = np.array(list(numbers), dtype=float)
    heights = generator.normal(0, 1, len(count)) / np.sqrt(count)
    heights *= height / max(float(np.sqrt((heights**2).sum())), 1e-6)
    return np.stack([count, heights, generator.uniform(0, 2 * np.pi, len(count))], axis=1)
