"""The ultrasound scanner: from what the tissue does to sound, along each beam, to the image on the screen.

Owns the physics (speckle, attenuation and its compensation, shadow, specular reflection, noise, log compression) and
the screen (scan conversion, ticks, grey bar). Knows no anatomy: the modules beside it paint a ``Body``.

Tissue is painted in beam coordinates, (SAMPLES, BEAMS), one row a depth: shadow and enhancement are then sums along
the columns. Lengths are mm, levels dB of amplitude relative to liver, attenuation dB/cm/MHz one way. The physics is
that of Szabo, *Diagnostic Ultrasound Imaging* (2nd ed., chapters 4, 8 and 10), the orders of magnitude of attenuation
those of Duck, *Physical Properties of Tissue* (1990, chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.phantoms.canvas import Field, blur, grid, measured, to_pixels
from radcbir_core.phantoms.scenes import SIDE, Drawn, Lesion

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

ROUGH = 0.5
"""Share of an interface's amplitude that comes from its roughness."""


def log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    """A number between two, as often between 1 and 2 as between 2 and 4."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


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
        return _Lookup(u, v, columns).of(plane)


class _Lookup:
    """Bilinear interpolation at the same points in several fields."""

    def __init__(self, u: Values, v: Values, columns: int) -> None:
        left, top = u.astype(np.int32), v.astype(np.int32)
        self._at = top * columns + left
        self._columns = columns
        self._fx, self._fy = u - left, v - top

    def of(self, plane: Field) -> Field:
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


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """Settings that stay as they are during one examination.

    Attributes:
        probe: The field of view.
        frequency: MHz, that of the echoes, which is below the nominal one.
        dynamic_range: dB from black to white.
        white: Level shown white, dB over liver speckle.
        looks: Images compounded into one.
        axial: Deviation of the pulse in samples.
        lateral: Deviation of the beam in beams, in focus and away from it.
        focus: Depth of the focus as a share.
        noise: Level of electronic noise before compensation, dB.
        compensation: Error of the time gain compensation over the whole depth, dB.
        smoothing: Of the displayed image, in samples.
        curve: Exponent of the grey map.
        mm_per_pixel: Of the screen.
        left: Of the middle beam on the screen, pixels.
        top: Of the middle of the probe's face on the screen, pixels.
        furniture: Ticks, grey bar and marker: what is drawn.
    """

    probe: Probe
    frequency: float
    dynamic_range: float
    white: float
    looks: int
    axial: float
    lateral: tuple[float, float]
    focus: float
    noise: float
    compensation: float
    smoothing: float
    curve: float
    mm_per_pixel: float
    left: float
    top: float
    furniture: frozenset[str]
    _screen: list[tuple[_Lookup, Field]] = field(default_factory=list, repr=False)

    def show(
        self,
        body: Body,
        generator: np.random.Generator,
        *,
        view: str,
        mask: Field | None = None,
        place: str = "",
        size_mm: float | None = None,
    ) -> Drawn:
        """The image of a body on the screen.

        Args:
            body: What is scanned.
            generator: Source of speckle, noise, and small changes of gain.
            view: In words.
            mask: (SAMPLES, BEAMS) the lesion, 0 to 1; None if there is none.
            place: Of the lesion in words.
            size_mm: Of the lesion, if known better than from the mask.
        """
        gain = self._gain(body, generator)
        amplitude = 10 ** ((body.echo + gain) / np.float32(20))
        mirror = body.mirror * 10 ** (gain / np.float32(20))
        # Side lobes and reverberation: a veil in what should be black.
        veil = blur(amplitude + np.minimum(mirror, 8), 9, 11) * np.float32(10 ** (-30 / 20))
        noise = 10 ** ((self.noise + 2 * self.frequency * NEUTRAL / 10 * body.depth[:, :1]) / np.float32(20))
        intensity = np.zeros((SAMPLES, BEAMS), dtype=np.float32)
        # An interface is partly rough: that part of its echo is speckle, too.
        strength = (amplitude + veil + np.float32(ROUGH) * mirror) * np.float32(np.sqrt(0.5))
        for _ in range(self.looks):
            parts = generator.standard_normal((2, SAMPLES, BEAMS), dtype=np.float32)
            # The electronic noise is the same random numbers elsewhere: far enough away to be independent.
            waves_in = self._focused(parts * strength, (1 - np.float32(ROUGH)) * mirror) + noise * np.roll(
                parts[::-1], 53, axis=2
            )
            intensity += (waves_in * waves_in).sum(axis=0)
        grey = self._grey(10 * np.log10(intensity / self.looks + np.float32(1e-9)))
        if self.smoothing > 0:
            grey = _smeared(_smeared(grey, self.smoothing, axis=0), 0.8 * self.smoothing, axis=1)
        lookup, inside = self._conversion()
        screen = lookup.of(grey) * inside
        pixels = to_pixels(self._furnished(screen))
        lesion: Lesion | None = None
        if mask is not None:
            expected = _smeared(_smeared(amplitude + mirror, self.axial, axis=0), self.lateral[0], axis=1)
            clean = self._grey(20 * np.log10(expected + veil + noise))
            lesion = measured(
                lookup.of(clean) * inside,
                lookup.of(mask.astype(np.float32)) * inside,
                mm_per_pixel=self.mm_per_pixel,
                place=place,
                size_mm=size_mm,
            )
        return Drawn(pixels=pixels, view=view, lesion=lesion)

    def _gain(self, body: Body, generator: np.random.Generator) -> Field:
        """What the way there and back takes, less what the compensation gives, dB; with coupling and drifts."""
        way = np.cumsum(body.loss - np.float32(NEUTRAL), axis=0) * np.float32(self.probe.step / 10)
        gain = way * np.float32(-2 * self.frequency)
        share = body.depth[:, :1] / np.float32(self.probe.depth)
        across = np.linspace(-1, 1, BEAMS, dtype=np.float32)[None, :]
        gain = gain + np.float32(self.compensation) * share
        gain -= np.float32(generator.uniform(2, 8)) * np.abs(across) ** 6
        coarse = generator.normal(0, 1.1, 9)
        gain += np.interp(across[0], np.linspace(-1, 1, 9), coarse).astype(np.float32)[None, :]
        if generator.random() < 0.15:  # lost contact at one side of the probe
            edge = generator.uniform(0.78, 0.95) * (1 if generator.random() < 0.5 else -1)
            lost = np.clip((across - edge) * np.sign(edge) * 12 + 0.5, 0, 1)
            gain -= np.float32(generator.uniform(10, 30)) * lost.astype(np.float32)
        return np.asarray(np.maximum(gain, -90), dtype=np.float32)

    def _focused(self, scatterers: Field, mirror: Field) -> Field:
        """Both parts of the wave as the pulse sees them: short along the beam, wider away from the focus.

        Args:
            scatterers: (2, SAMPLES, BEAMS) white noise times the echo level.
            mirror: (SAMPLES, BEAMS) specular echoes, which have one phase: that of the first part.
        """
        narrow, wide = self.lateral
        share = np.linspace(0, 1, SAMPLES, dtype=np.float32)[:, None]
        spread = np.clip(np.abs(share - np.float32(self.focus)) * 1.6, 0, 1)
        # White noise of deviation 1 keeps deviation 1: divide by the root of the sum of the squared weights.
        root_pi = np.sqrt(np.pi)
        own_narrow, own_wide = 1 / (2 * root_pi * narrow), 1 / (2 * root_pi * wide)
        both = 1 / np.sqrt(2 * np.pi * (narrow**2 + wide**2))
        power = (1 - spread) ** 2 * own_narrow + spread**2 * own_wide + 2 * spread * (1 - spread) * both
        scatterers = scatterers / np.sqrt(power / (2 * root_pi * self.axial)).astype(np.float32)
        scatterers[0] += mirror
        pulse = _smeared(scatterers, self.axial, axis=1)
        near = _smeared(pulse, narrow, axis=2)
        far = _smeared(near, float(np.sqrt(wide**2 - narrow**2)), axis=2)
        return np.asarray(near + (far - near) * spread.astype(np.float32), dtype=np.float32)

    def _grey(self, level: Field) -> Field:
        grey = np.clip(1 + (level - np.float32(self.white)) / np.float32(self.dynamic_range), 0, 1)
        return np.asarray(grey ** np.float32(self.curve), dtype=np.float32)

    def _conversion(self) -> tuple[_Lookup, Field]:
        """Where in beam coordinates each pixel of the screen lies, and whether it lies in the field at all."""
        if self._screen:
            return self._screen[0]
        y, x = grid()
        across = (x - np.float32(self.left)) * np.float32(self.mm_per_pixel)
        down = (y - np.float32(self.top)) * np.float32(self.mm_per_pixel)
        if self.probe.convex:
            radius = np.float32(self.probe.radius)
            depth = np.hypot(across, down + radius) - radius
            side = np.arctan2(across, down + radius) / np.float32(self.probe.half_angle)
        else:
            depth, side = down, across / np.float32(self.probe.width / 2)
        row = depth * np.float32((SAMPLES - 1) / self.probe.depth)
        column = (side + 1) * np.float32((BEAMS - 1) / 2)
        inside = (row >= 0) & (row <= SAMPLES - 1) & (column >= 0) & (column <= BEAMS - 1)
        lookup = _Lookup(np.clip(column, 0, BEAMS - 1.01), np.clip(row, 0, SAMPLES - 1.01), BEAMS)
        self._screen.append((lookup, inside.astype(np.float32)))
        return self._screen[0]

    def _furnished(self, screen: Field) -> Field:
        """With the depth scale, the grey bar and the probe's marker, where the scanner shows them."""
        if "ticks" in self.furniture:
            column = SIDE - 4
            for number in range(int(self.probe.depth / 10) + 1):
                row = round(self.top + number * 10 / self.mm_per_pixel)
                if 0 <= row < SIDE:
                    long = 4 if number % 5 == 0 else 2
                    screen[row, column - long + 1 : column + 1] = 0.8
        if "bar" in self.furniture:
            rows = np.linspace(1, 0, 72, dtype=np.float32)[:, None]
            screen[20:92, 3:8] = rows
        if "marker" in self.furniture:
            row, column = max(round(self.top), 4), round(min(max(self.left - SIDE * 0.3, 6), SIDE - 8))
            screen[row - 2 : row + 3, column - 2 : column + 3] = np.maximum(
                screen[row - 2 : row + 3, column - 2 : column + 3], 0.85
            )
        return screen


def _smeared(image: Field, sigma: float, *, axis: int) -> Field:
    """Gaussian blur of a few samples along one axis: for so few, sums of shifted copies beat ``canvas.blur``."""
    reach = max(1, int(np.ceil(2.8 * sigma)))
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    border = [(0, 0)] * image.ndim
    border[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(image, border, mode="edge"), axis, 0)
    size = image.shape[axis]
    total = padded[reach : reach + size] * np.float32(weights[0])
    for step in range(1, reach + 1):
        pair = padded[reach - step : reach - step + size] + padded[reach + step : reach + step + size]
        total += pair * np.float32(weights[step])
    return np.asarray(np.moveaxis(total, 0, axis), dtype=np.float32)


def _furniture(generator: np.random.Generator) -> frozenset[str]:
    shares = (("ticks", 0.3), ("bar", 0.15), ("marker", 0.2))
    return frozenset(name for name, share in shares if generator.random() < share)


def _common(generator: np.random.Generator) -> dict[str, Any]:
    return {
        "dynamic_range": float(generator.uniform(50, 70)),
        "white": float(generator.uniform(21, 32)),
        "axial": float(generator.uniform(0.7, 1.2)),
        "focus": float(generator.uniform(0.3, 0.7)),
        "compensation": float(generator.normal(0, 4)),
        "smoothing": float(generator.choice([0.0, 0.5, 0.8, 1.1])),
        "curve": float(generator.uniform(0.9, 1.5)),
    }


def convex_scanner(generator: np.random.Generator, *, depth: float) -> Scanner:
    """An abdominal probe and the settings of its scanner, drawn for one patient.

    Args:
        generator: Source of all randomness.
        depth: Imaged depth in mm.
    """
    probe = Probe(
        depth=depth, radius=float(generator.uniform(40, 62)), half_angle=float(np.radians(generator.uniform(27, 37)))
    )
    rise = probe.radius * (1 - float(np.cos(probe.half_angle)))
    height = depth + rise
    width = 2 * probe.half_width(depth)
    # Most screens show the whole sector, some cut off its sides.
    scale = max(height / generator.uniform(0.88, 1.0), width * generator.uniform(0.7, 0.98)) / SIDE
    top = (SIDE - height / scale) * float(generator.uniform(0.1, 0.6)) + rise / scale
    return Scanner(
        probe=probe,
        frequency=float(generator.uniform(2.5, 4.0)),
        looks=int(generator.integers(1, 4)),
        lateral=(float(generator.uniform(0.8, 1.3)), float(generator.uniform(1.5, 2.4))),
        noise=float(generator.uniform(-88, -76)),
        mm_per_pixel=scale,
        left=(SIDE - 1) / 2 + float(generator.normal(0, 3)),
        top=top,
        furniture=_furniture(generator),
        **_common(generator),
    )


def linear_scanner(generator: np.random.Generator, *, depth: float, width: float) -> Scanner:
    """A linear probe for what lies near the skin and the settings of its scanner, drawn for one patient.

    Args:
        generator: Source of all randomness.
        depth: Imaged depth in mm.
        width: Of the field in mm.
    """
    # Half of the screens show the whole field, the others fill themselves and cut off what is longer.
    whole = generator.random() < 0.5
    scale = (max(depth, width) * float(generator.uniform(0.94, 1.05)) if whole else min(depth, width)) / SIDE
    return Scanner(
        probe=Probe(depth=depth, width=width),
        frequency=float(generator.uniform(5.0, 7.5)),
        looks=int(generator.integers(2, 5)),
        lateral=(float(generator.uniform(0.7, 1.0)), float(generator.uniform(1.1, 1.7))),
        noise=float(generator.uniform(-86, -72)),
        mm_per_pixel=scale,
        left=(SIDE - 1) / 2,
        top=max((SIDE - depth / scale) / 2, 0) * float(generator.uniform(0, 1)),
        furniture=_furniture(generator),
        **(_common(generator) | {"compensation": float(generator.normal(-6, 6))}),
    )


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
