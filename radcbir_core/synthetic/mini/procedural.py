"""Pictures of nothing in particular: dead leaves, fractals, cells, waves, nested shapes, strokes.

Owns how they are drawn. What is learned from a teacher on these holds for images of any source, because they are of
none; they have no labels and no sentences. Dead leaves and fractals have the statistics of natural images and are known
to be worth training on: Baradad et al., *Learning to See by Looking at Noise*, NeurIPS 2021, arXiv 2106.05963.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from radcbir_core.synthetic.mini.augment import SIDE

Picture = npt.NDArray[np.float32]


def procedural_picture(seed: int, number: int) -> npt.NDArray[np.uint8]:
    """One picture, (144, 144) uint8; the same for the same numbers.

    Example:
        >>> picture = procedural_picture(1, 5)
        >>> picture.shape, bool((picture == procedural_picture(1, 5)).all())
        ((144, 144), True)
    """
    generator = np.random.default_rng([seed, number])
    draw = KINDS[int(generator.integers(len(KINDS)))]
    picture = draw(generator)
    if generator.random() < 0.4:
        # One picture within the outline of a body, another around it or nothing: most radiological images are so.
        outline = _blob(generator, reach=(0.5, 0.95))
        around = KINDS[int(generator.integers(len(KINDS)))](generator) if generator.random() < 0.3 else 0.0
        picture = outline * picture + (1 - outline) * np.float32(generator.random() * 0.1) + (1 - outline) * around
    return _finished(picture, generator)


def _finished(picture: Picture, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Stretched to its range, then graded, softened and made noisy, each now and then."""
    low, high = np.quantile(picture, [0.005, 0.995])
    picture = np.clip((picture - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    picture = picture ** np.float32(np.exp(generator.uniform(-0.7, 0.7)))
    if generator.random() < 0.3:
        picture = 1 - picture
    if generator.random() < 0.35:
        picture = _softened(picture, generator.uniform(0.5, 2.5))
    if generator.random() < 0.4:
        picture = picture * np.float32(generator.uniform(0.5, 1)) + np.float32(generator.uniform(0, 0.2))
    noise = generator.uniform(0, 0.1) if generator.random() < 0.5 else 0.0
    picture = picture + generator.standard_normal(picture.shape, dtype=np.float32) * np.float32(noise)
    return np.asarray((np.clip(picture, 0, 1) * 255).round(), dtype=np.uint8)


def _softened(picture: Picture, radius: float) -> Picture:
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return _of_gray(image)


def _of_gray(image: Image.Image) -> Picture:
    return np.asarray(np.asarray(image, dtype=np.float32) / np.float32(255), dtype=np.float32)


def _dead_leaves(generator: np.random.Generator) -> Picture:
    """Discs, boxes and polygons that lie on each other, of sizes as they are in nature (a power law)."""
    image = Image.new("L", (SIDE, SIDE), int(generator.integers(256)))
    draw = ImageDraw.Draw(image)
    smallest = generator.uniform(2, 8)
    count = int(generator.integers(80, 500))
    # Inverse cubes between the smallest and half the side.
    share = generator.random(count)
    radii = 1 / np.sqrt(share / (SIDE / 2) ** 2 + (1 - share) / smallest**2)
    round_ones = generator.random()
    for radius in radii:
        x, y = generator.uniform(0, SIDE, 2)
        gray = int(generator.integers(256))
        if generator.random() < round_ones:
            flat = generator.uniform(0.5, 1)
            draw.ellipse([x - radius, y - radius * flat, x + radius, y + radius * flat], fill=gray)
        else:
            corners = int(generator.integers(3, 7))
            angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
            points = [(float(x + radius * np.cos(a)), float(y + radius * np.sin(a))) for a in angles]
            draw.polygon(points, fill=gray)
    return _of_gray(image)


def _spectral(generator: np.random.Generator, slope: float, *, oriented: float = 0.0) -> Picture:
    """Noise whose amplitude falls with the frequency to the power of ``slope``; ``oriented`` prefers one direction."""
    down, across = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    amplitude = frequency**-slope
    amplitude[0, 0] = 0
    if oriented:
        direction = np.arctan2(down, across) - generator.uniform(-np.pi / 2, np.pi / 2)
        amplitude *= np.exp(oriented * (np.cos(2 * direction) - 1))
    phases = np.exp(2j * np.pi * generator.random(amplitude.shape))
    noise = np.fft.irfft2(amplitude * phases, s=(SIDE, SIDE))
    return np.asarray(noise / max(float(noise.std()), 1e-9), dtype=np.float32)


def _fractal(generator: np.random.Generator) -> Picture:
    """Clouds: whole, in steps, as ridges, or as level lines."""
    noise = _spectral(generator, generator.uniform(0.6, 2.4), oriented=generator.choice([0.0, 0.0, 1.0, 3.0]))
    form = int(generator.integers(4))
    if form == 1:
        return np.asarray(np.floor(noise * generator.uniform(0.8, 3)), dtype=np.float32)
    if form == 2:
        return np.asarray(-np.abs(noise), dtype=np.float32)
    if form == 3:
        return np.asarray(np.sin(noise * generator.uniform(1, 6)), dtype=np.float32)
    return noise


def _cells(generator: np.random.Generator) -> Picture:
    """Cells around points: flat, as distances to the nearest point, or as walls between them."""
    count = int(generator.integers(8, 90))
    points = generator.uniform(-10, SIDE + 10, (count, 2)).astype(np.float32)
    stretch = np.float32(np.exp(generator.uniform(-0.6, 0.6)))
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    distances = np.hypot(
        (rows[None] - points[:, 0, None, None]) * stretch, (columns[None] - points[:, 1, None, None]) / stretch
    )
    nearest = np.partition(distances, 1, axis=0)[:2]
    form = int(generator.integers(3))
    if form == 0:
        grays = generator.random(count).astype(np.float32)
        return np.asarray(grays[distances.argmin(axis=0)], dtype=np.float32)
    if form == 1:
        return np.asarray(nearest[0], dtype=np.float32)
    return np.asarray(np.minimum(nearest[1] - nearest[0], generator.uniform(2, 14)), dtype=np.float32)


def _waves(generator: np.random.Generator) -> Picture:
    """A few gratings, straight or as rings, bent by a cloud."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    bend = _spectral(generator, 2.0) * np.float32(generator.uniform(0, 0.08))
    total = np.zeros((SIDE, SIDE), dtype=np.float32)
    for _ in range(int(generator.integers(1, 4))):
        angle, cycles = generator.uniform(0, np.pi), np.exp(generator.uniform(np.log(2), np.log(40)))
        if generator.random() < 0.3:
            x, y = generator.uniform(0, 1, 2)
            along = np.hypot(rows - y, columns - x)
        else:
            along = np.cos(angle) * columns + np.sin(angle) * rows
        wave = np.sin(2 * np.pi * (cycles * (along + bend) + generator.random()))
        total += np.sign(wave) if generator.random() < 0.3 else wave
    return total


def _blob(generator: np.random.Generator, *, reach: tuple[float, float]) -> Picture:
    """A closed outline as a mask of 0 to 1 with a soft rim."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) / (SIDE / 2) - 1
    x, y = generator.uniform(-0.25, 0.25, 2)
    flat = np.exp(generator.uniform(-0.4, 0.4))
    angle = np.arctan2((rows - y) * flat, (columns - x) / flat)
    radius = np.full(angle.shape, generator.uniform(*reach), dtype=np.float32)
    for order in range(2, 7):
        radius *= 1 + np.float32(generator.uniform(-0.25, 0.25) / order) * np.cos(
            order * angle + np.float32(generator.uniform(0, 2 * np.pi))
        )
    away = np.hypot((rows - y) * flat, (columns - x) / flat)
    return np.asarray(np.clip((radius - away) / np.float32(generator.uniform(0.01, 0.12)), 0, 1), dtype=np.float32)


def _nested(generator: np.random.Generator) -> Picture:
    """Outlines in and beside each other, each of one gray level, of a gradient, or of a cloud."""
    picture = np.full((SIDE, SIDE), generator.random() * 0.2, dtype=np.float32)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    largest = 0.95
    for _ in range(int(generator.integers(2, 9))):
        mask = _blob(generator, reach=(largest * 0.25, largest))
        inside: Picture | float = float(generator.random())
        if generator.random() < 0.3:
            inside = np.asarray(inside + 0.15 * _spectral(generator, generator.uniform(0.5, 2)), dtype=np.float32)
        elif generator.random() < 0.3:
            slope = generator.uniform(-0.6, 0.6, 2)
            inside = np.asarray(inside + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5), dtype=np.float32)
        picture = np.asarray(picture * (1 - mask) + mask * inside, dtype=np.float32)
        largest *= 0.8
    return picture


def _strokes(generator: np.random.Generator) -> Picture:
    """Curved lines of several widths over a smooth ground, as vessels, ribs, fibers and letters are."""
    ground = _spectral(generator, 2.2) * 40 + 90
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(generator.integers(5, 60))):
        x, y = generator.uniform(0, SIDE, 2)
        heading, turn = generator.uniform(0, 2 * np.pi), generator.uniform(-0.15, 0.15)
        width, gray = int(generator.integers(1, 7)), int(generator.integers(256))
        points = [(float(x), float(y))]
        for _ in range(int(generator.integers(3, 40))):
            heading += turn + generator.normal() * 0.05
            x, y = x + 5 * np.cos(heading), y + 5 * np.sin(heading)
            points.append((float(x), float(y)))
        draw.line(points, fill=gray, width=width, joint="curve")
    return _of_gray(image)


KINDS: Final[tuple[Callable[[np.random.Generator], Picture], ...]] = (
    _dead_leaves,
    _fractal,
    _cells,
    _waves,
    _nested,
    _strokes,
)
"""What can be drawn."""
