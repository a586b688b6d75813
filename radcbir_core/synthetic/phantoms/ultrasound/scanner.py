"""The ultrasound scanner: from what the tissue does to sound, along each beam, to the image on the screen.

Owns the physics of the image (speckle, attenuation and its compensation, the pulse and its focus, noise, log
compression) and the screen (scan conversion, ticks, grey bar). Knows no anatomy: the modules beside it paint a
``Body``. The physics is that of Szabo, *Diagnostic Ultrasound Imaging* (2nd ed., chapters 4, 8 and 10).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, blur, grid, measured, to_pixels
from radcbir_core.synthetic.phantoms.scenes import SIDE, Drawn, Lesion
from radcbir_core.synthetic.phantoms.ultrasound.body import BEAMS, NEUTRAL, SAMPLES, Body, Lookup, Probe

ROUGH = 0.5
"""Share of an interface's amplitude that comes from its roughness."""


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
    _screen: list[tuple[Lookup, Field]] = field(default_factory=list, repr=False)

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

    def _conversion(self) -> tuple[Lookup, Field]:
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
        lookup = Lookup(np.clip(column, 0, BEAMS - 1.01), np.clip(row, 0, SAMPLES - 1.01), BEAMS)
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
