"""From a painted slice to the picture: pose, coil sensitivity, k-space, noise, artifacts and window.

A scanner belongs to a patient, whatever the pathology: noise, resolution, coil and window tell nothing of the finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, grid, measured, sample, smooth_noise, to_pixels
from radcbir_core.synthetic.phantoms.mr.slices import MIDDLE, Slice
from radcbir_core.synthetic.phantoms.scenes import SIDE, Drawn


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """What stays the same in all images of a patient.

    Attributes:
        zoom: Enlargement of the painted slice.
        turn: Rotation in radians.
        shift: (x, y) in pixels.
        noise: Deviation of each channel's noise, as a share of the bright end of the image.
        resolution: Share of k-space that is acquired, along y and x.
        apodized: 0 cuts k-space sharply (Gibbs ringing), 1 smoothly.
        coil: Strength of the loss of signal from one side to another.
        coil_at: (x, y) of the brightest spot, in widths from the middle.
        surface: Gain of signal near that spot, as of a surface coil.
        ghost: Strength of ghosts of a moving body, mostly 0.
        ghost_pixels: How far they are shifted.
        ghost_down: Whether along y.
        white: Signal shown as white, relative to the bright end.
        black: Signal shown as black, relative to it.
        gamma: Of the display.
        frame: Pixels at each side that hold no data, (left and right, top and bottom).
    """

    zoom: float
    turn: float
    shift: tuple[float, float]
    noise: float
    resolution: tuple[float, float]
    apodized: float
    coil: float
    coil_at: tuple[float, float]
    surface: float
    ghost: float
    ghost_pixels: int
    ghost_down: bool
    white: float
    black: float
    gamma: float
    frame: tuple[int, int]


def draw_scanner(
    generator: np.random.Generator,
    *,
    zoom: tuple[float, float] = (0.85, 1.1),
    turn_degrees: float = 4.0,
    shift: float = 6.0,
    coil_at: tuple[float, float] = (0.0, 0.0),
    surface: tuple[float, float] = (0.0, 0.35),
) -> Scanner:
    """A scanner and how a patient lies in it.

    Args:
        generator: Of all randomness.
        zoom: Range of the enlargement.
        turn_degrees: Deviation of the rotation.
        shift: Deviation of the position, in pixels.
        coil_at: Where the coil's brightest spot is on average, in widths from the middle.
        surface: Range of the gain near that spot.
    """
    fine = generator.random() < 0.6
    steps = generator.uniform(0.75, 1.0, 2) if fine else generator.uniform(0.48, 0.8, 2)
    framed = generator.random() < 0.12
    return Scanner(
        zoom=float(generator.uniform(*zoom)),
        turn=float(np.clip(generator.normal(0, turn_degrees), -2.5 * turn_degrees, 2.5 * turn_degrees) * np.pi / 180),
        shift=(float(generator.normal(0, shift)), float(generator.normal(0, shift))),
        noise=float(np.exp(generator.uniform(np.log(0.006), np.log(0.036)))),
        resolution=(float(steps.min()), float(steps.max())) if generator.random() < 0.5 else (float(steps[0]),) * 2,
        apodized=float(generator.uniform(0.3, 1.0) if generator.random() < 0.8 else generator.uniform(0, 0.2)),
        coil=float(generator.uniform(0, 0.35)),
        coil_at=(float(coil_at[0] + generator.normal(0, 0.15)), float(coil_at[1] + generator.normal(0, 0.15))),
        surface=float(generator.uniform(*surface)),
        ghost=float(generator.uniform(0.03, 0.10) if generator.random() < 0.12 else 0.0),
        ghost_pixels=int(generator.integers(20, 90)),
        ghost_down=bool(generator.random() < 0.5),
        white=float(np.exp(generator.normal(0.0, 0.13))),
        black=float(max(0.0, generator.normal(0.0, 0.02))),
        gamma=float(np.exp(generator.normal(0, 0.14))),
        frame=(int(generator.integers(4, 20)), 0) if framed else (0, 0),
    )


def _posed(scanner: Scanner, lesion: Field, generator: np.random.Generator) -> tuple[Field, Field]:
    """Where each pixel of the picture lies in the painted slice: (y, x)."""
    rows, columns = grid()
    zoom = scanner.zoom * generator.normal(1.0, 0.006)
    turn = scanner.turn + generator.normal(0, 0.008)
    right = MIDDLE + scanner.shift[0] + generator.normal(0, 0.8)
    down = MIDDLE + scanner.shift[1] + generator.normal(0, 0.8)
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    weight = float(lesion.sum())
    if weight > 0:
        # A technician plans the field of view so that what the patient came for is in it.
        dx = float((lesion.sum(axis=0) @ columns[0]) / weight) - MIDDLE
        dy = float((lesion.sum(axis=1) @ rows[:, 0]) / weight) - MIDDLE
        at_x, at_y = right + zoom * (cosine * dx - sine * dy), down + zoom * (sine * dx + cosine * dy)
        right += float(np.clip(at_x, 0.1 * SIDE, 0.9 * SIDE) - at_x)
        down += float(np.clip(at_y, 0.1 * SIDE, 0.9 * SIDE) - at_y)
    across, along = columns - np.float32(right), rows - np.float32(down)
    c, s = np.float32(cosine / zoom), np.float32(sine / zoom)
    # Gradients are never quite linear: everything is a little warped.
    y = c * along - s * across + np.float32(MIDDLE) + np.float32(0.9) * smooth_noise(generator, 70)
    x = c * across + s * along + np.float32(MIDDLE) + np.float32(0.9) * smooth_noise(generator, 70)
    return y, x


def _sensitivity(scanner: Scanner, generator: np.random.Generator) -> Field:
    rows, columns = grid()
    dx = columns / np.float32(SIDE) - np.float32(0.5 + scanner.coil_at[0])
    dy = rows / np.float32(SIDE) - np.float32(0.5 + scanner.coil_at[1])
    near = np.exp(-(dx * dx + dy * dy) / np.float32(0.12))
    slow = smooth_noise(generator, 150) * np.float32(0.05)
    gain = 1 - np.float32(scanner.coil) * np.hypot(dx, dy) + np.float32(scanner.surface) * near + slow
    return np.asarray(gain, dtype=np.float32)


def _window(size: int, kept: float, apodized: float) -> Field:
    """What is acquired of one axis of k-space, and how it is weighted."""
    frequency = np.abs(np.fft.fftfreq(size)) * 2 / kept
    smooth = np.where(frequency < 1, np.cos(np.pi / 2 * np.clip(frequency, 0, 1)) ** 2, 0)
    sharp = (frequency <= 1).astype(np.float64)
    return np.asarray(apodized * smooth + (1 - apodized) * sharp, dtype=np.float32)


def acquire(
    scanner: Scanner,
    painted: Slice,
    *,
    generator: np.random.Generator,
    view: str,
    bright: float,
    diseased: bool,
    place: str = "",
    size_mm: float | None = None,
) -> Drawn:
    """The picture of a painted slice.

    Args:
        scanner: Of the patient.
        painted: The slice.
        generator: Of what differs from image to image.
        view: Plane and sequence, in words.
        bright: Signal that is shown as white with an average window.
        diseased: Whether the slice's lesion is measured.
        place: Of the lesion.
        size_mm: Of the lesion; from its mask by default.
    """
    y, x = _posed(scanner, painted.lesion, generator)
    signal = sample(painted.signal, y, x) * np.maximum(_sensitivity(scanner, generator), np.float32(0.15))
    weights = np.outer(
        _window(SIDE, scanner.resolution[0], scanner.apodized), _window(SIDE, scanner.resolution[1], scanner.apodized)
    )
    if scanner.ghost:
        signal += np.float32(scanner.ghost) * np.roll(signal, scanner.ghost_pixels, 0 if scanner.ghost_down else 1)
    spectrum = np.fft.fft2(signal.astype(np.complex64)) * weights
    end = bright * (1 + 0.7 * scanner.surface)
    # Noise is white in what is acquired of k-space: its grain is as coarse as the image. The magnitude is Rician.
    deviation = np.float32(scanner.noise * end * SIDE / np.sqrt(np.mean(weights**2)))
    grain = generator.standard_normal((2, SIDE, SIDE), dtype=np.float32) * deviation
    magnitude = np.abs(np.fft.ifft2(spectrum + (grain[0] + 1j * grain[1]) * weights)).astype(np.float32)
    low, high = scanner.black * end, scanner.white * end

    def shown(image: Field) -> Field:
        return np.asarray(np.clip((image - low) / (high - low), 0, 1) ** np.float32(scanner.gamma), dtype=np.float32)

    picture = shown(magnitude)
    across, down = scanner.frame
    if across:
        picture[:, :across] = picture[:, SIDE - across :] = 0
    if down:
        picture[:down] = picture[SIDE - down :] = 0
    lesion = None
    if diseased:
        mask = sample(painted.lesion, y, x)
        lesion = measured(
            shown(np.abs(np.fft.ifft2(spectrum)).astype(np.float32)),
            mask,
            mm_per_pixel=painted.mm / scanner.zoom,
            place=place,
            size_mm=size_mm,
        )
    return Drawn(pixels=to_pixels(picture), view=view, lesion=lesion)
