"""Small changes of a shown image that a person would look past: what an encoder makes of them shows what it goes by.

Owns the list of them, each with a name, an explanation and a strength, and how they change an image as it is displayed
(8 bits a channel), before any encoder prepares it. Nothing is left to chance: the same image and strength give the same
pixels, and noise is drawn from the image's own content.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from radcbir_core.errors import QueryError

Pixels = npt.NDArray[np.uint8]

BURNED_IN: Final = "R  SUPINE  PORTABLE"
"""What is written into the picture: a side, a position and a machine, as on many radiographs."""


@dataclass(frozen=True)
class Perturbation:
    """A kind of change.

    Attributes:
        name: In addresses, commands and tables.
        title: What people call it.
        about: What it does, a sentence.
        unit: Of the strength; empty where it is done or not.
        low: The least strength.
        high: The greatest.
        usual: The strength where nobody says one.
        none: The strength at which nothing changes.
        change: Pixels and strength → other pixels.
    """

    name: str
    title: str
    about: str
    unit: str
    low: float
    high: float
    usual: float
    none: float
    change: Callable[[Pixels, float], Pixels]

    @property
    def graded(self) -> bool:
        """Whether there is more or less of it."""
        return bool(self.unit)

    def said(self, strength: float) -> str:
        """It and its strength, in words.

        Example:
            >>> PERTURBATIONS["rotate"].said(10), PERTURBATIONS["flip"].said(1)
            ('Rotated, 10°', 'Flipped left to right')
        """
        if not self.graded:
            return self.title
        return f"{self.title}, {strength:g}{'' if self.unit == '°' else ' '}{self.unit}"


def flipped(pixels: Pixels, strength: float) -> Pixels:
    """Left and right swapped; nothing at strength 0."""
    return np.ascontiguousarray(pixels[:, ::-1]) if strength else pixels


def upside_down(pixels: Pixels, strength: float) -> Pixels:
    """Top and bottom swapped; nothing at strength 0."""
    return np.ascontiguousarray(pixels[::-1]) if strength else pixels


def inverted(pixels: Pixels, strength: float) -> Pixels:
    """Black for white; nothing at strength 0."""
    return 255 - pixels if strength else pixels


def rotated(pixels: Pixels, degrees: float) -> Pixels:
    """Turned about its middle, against the clock; the size stays, and what was outside is black."""
    turned = Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR)
    return np.asarray(turned) if degrees else pixels


def cropped(pixels: Pixels, percent: float) -> Pixels:
    """So much of height and width cut off, half at each end; one pixel stays in any case."""
    cuts = [round(length * percent / 200) for length in pixels.shape[:2]]
    top, left = (min(cut, (length - 1) // 2) for cut, length in zip(cuts, pixels.shape[:2], strict=True))
    return np.ascontiguousarray(pixels[top : len(pixels) - top, left : pixels.shape[1] - left])


def scaled(pixels: Pixels, percent: float) -> Pixels:
    """Height and width so many percent of what they were, by cubic interpolation."""
    height, width = (max(1, round(length * percent / 100)) for length in pixels.shape[:2])
    if (height, width) == pixels.shape[:2]:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def with_gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Gray levels from 0 to 1 raised to a power: darker above 1, brighter below."""
    return _of_levels(pixels, lambda levels: levels**exponent)


def windowed(pixels: Pixels, percent: float) -> Pixels:
    """The narrower window: so much of the gray levels is cut off, half at each end, and the rest stretched."""
    edge = percent / 200
    return _of_levels(pixels, lambda levels: (levels - edge) / (1 - 2 * edge))


def noisy(pixels: Pixels, percent: float) -> Pixels:
    """Gaussian noise of that standard deviation, percent of the range of gray levels; of the image's content."""
    if not percent:
        return pixels
    content = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).digest()
    drawn = np.random.default_rng(int.from_bytes(content[:8], "big")).normal(0, 2.55 * percent, pixels.shape[:2])
    added = drawn if pixels.ndim == 2 else drawn[:, :, None]
    return np.clip(pixels + added, 0, 255).round().astype(np.uint8)


def compressed(pixels: Pixels, lost: float) -> Pixels:
    """Compressed as JPEG of quality 100 less the strength, and read again; nothing at 0."""
    if not lost:
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=round(100 - lost))
    with Image.open(buffer) as image:
        return np.asarray(image)


def with_text(pixels: Pixels, percent: float) -> Pixels:
    """:data:`BURNED_IN` in white in the upper left, its letters so high of the shorter side."""
    if not percent:
        return pixels
    shorter = min(pixels.shape[:2])
    size = max(4, round(shorter * percent / 100))
    image = Image.fromarray(pixels).copy()
    white = (255, 255, 255) if pixels.ndim == 3 else 255
    at = round(0.03 * shorter)
    ImageDraw.Draw(image).text((at, at), BURNED_IN, fill=white, font=ImageFont.load_default(size))
    return np.asarray(image)


def _of_levels(pixels: Pixels, curve: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> Pixels:
    levels = np.clip(curve(np.arange(256) / 255) * 255, 0, 255).round().astype(np.uint8)
    return levels[pixels]


_ALL = (
    Perturbation("flip", "Flipped left to right", "Left and right swapped.", "", 0, 1, 1, 0, flipped),
    Perturbation("upside-down", "Upside down", "Top and bottom swapped.", "", 0, 1, 1, 0, upside_down),
    Perturbation(
        "rotate", "Rotated", "Turned against the clock about its middle; corners become black.", "°",
        *(-180, 180, 10, 0), rotated,
    ),
    Perturbation(
        "crop", "Cropped", "So much of height and width cut off, half at each end.", "%", *(0, 80, 20, 0), cropped
    ),
    Perturbation("scale", "Scaled", "Made smaller or larger, all of it.", "%", *(5, 200, 50, 100), scaled),
    Perturbation(
        "gamma", "Gamma", "Gray levels to this power: darker above 1, brighter below.", "as exponent",
        *(0.2, 5, 1.7, 1), with_gamma,
    ),
    Perturbation(
        "window", "Window", "So much of the gray levels cut off, half at each end, and the rest stretched.", "%",
        *(0, 90, 30, 0), windowed,
    ),
    Perturbation("invert", "Inverted", "Black for white.", "", 0, 1, 1, 0, inverted),
    Perturbation(
        "noise", "Noise", "Gaussian noise of this standard deviation, of the range of gray levels.", "%",
        *(0, 50, 5, 0), noisy,
    ),
    Perturbation(
        "jpeg", "JPEG", "Compressed as JPEG: quality 100 less this.", "less in quality", *(0, 95, 70, 0), compressed
    ),
    Perturbation(
        "text", "Burned-in text", f"“{BURNED_IN}” in the corner, its letters so high of the shorter side.", "%",
        *(0, 20, 6, 0), with_text,
    ),
)  # fmt: skip

PERTURBATIONS: Final = {kind.name: kind for kind in _ALL}
"""All of them by name, in the order in which they are shown."""


@dataclass(frozen=True)
class Step:
    """A perturbation at a strength.

    Attributes:
        kind: Which.
        strength: Between its least and its greatest.

    Example:
        >>> Step.of("rotate:-5").word, Step.of("rotate").strength, Step.of("flip").said
        ('rotate:-5', 10, 'Flipped left to right')
    """

    kind: Perturbation
    strength: float

    @classmethod
    def of(cls, word: str) -> Step:
        """From a name, or a name and a strength: ``flip``, ``rotate:10``.

        Raises:
            QueryError: There is no such perturbation, or the strength is out of its range.
        """
        name, sign, text = word.partition(":")
        kind = PERTURBATIONS.get(name)
        if kind is None:
            raise QueryError(
                f"Expected a perturbation of {', '.join(PERTURBATIONS)}, but perturbation = {word[:80]!r}. Choose one."
            )
        try:
            strength = float(text) if sign else kind.usual
        except ValueError:
            strength = float("nan")
        if not kind.low <= strength <= kind.high or (not kind.graded and strength not in {0, 1}):
            raise QueryError(
                f"Expected a strength of {name} from {kind.low:g} to {kind.high:g}, but perturbation = {word[:80]!r}. "
                f"Choose one in the range; {kind.usual:g} is usual."
            )
        return cls(kind, strength)

    @property
    def word(self) -> str:
        """The inverse of :meth:`of`."""
        return f"{self.kind.name}:{self.strength:g}" if self.kind.graded else self.kind.name

    @property
    def said(self) -> str:
        """In words."""
        return self.kind.said(self.strength)

    def __call__(self, pixels: Pixels) -> Pixels:
        """The changed image, (H, W) or (H, W, 3) uint8; its height and width may be others."""
        return self.kind.change(pixels, self.strength)


def perturbed(pixels: Pixels, steps: Sequence[Step]) -> Pixels:
    """An image after several changes, one upon the other.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
        steps: In their order.

    Example:
        >>> perturbed(np.array([[0, 10, 255]], dtype=np.uint8), [Step.of("flip"), Step.of("invert")]).tolist()
        [[0, 245, 255]]
    """
    for step in steps:
        pixels = step(pixels)
    return pixels
