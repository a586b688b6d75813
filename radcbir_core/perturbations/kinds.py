"""The kinds of perturbation: what each is called, how strong it can be, and what it does to an image.

Owns the one table of them, and how one is written as text, such as ``rotate:15``. They are done to an image as it is
displayed, before an encoder prepares it; the arithmetic is geometry.py's, shades.py's and overlays.py's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import QueryError
from radcbir_core.perturbations.geometry import cropped, flipped_left_to_right, rotated, upside_down
from radcbir_core.perturbations.overlays import noisy, with_text
from radcbir_core.perturbations.shades import inverted, windowed, with_gamma

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of perturbation.

    Attributes:
        name: In commands and addresses.
        title: What people call it.
        about: What it does, and where it comes from, in plain words.
        said: One of it, in words; ``{}`` is its strength.
        change: What it does to pixels, at a strength.
        unit: Of the strength; empty where it has none.
        low: The least strength.
        high: The largest.
        neutral: The strength that changes nothing.
        usual: The strength to begin with.
        step: Between strengths that are offered.
    """

    name: str
    title: str
    about: str
    said: str
    change: Callable[[Pixels, float], Pixels]
    unit: str = ""
    low: float = 0
    high: float = 1
    neutral: float = 0
    usual: float = 1
    step: float = 1

    @property
    def is_switch(self) -> bool:
        """Whether it is done or not, and nothing between."""
        return (self.low, self.high, self.step) == (0, 1, 1)


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A perturbation of a strength. Made by :meth:`of`, which checks it.

    Attributes:
        name: Of its kind.
        strength: In the unit of its kind.

    Example:
        >>> turned = Perturbation.of("rotate:15")
        >>> turned.strength, turned.said, Perturbation.of("invert").text
        (15.0, 'rotated by 15°', 'invert')
    """

    name: str
    strength: float

    @classmethod
    def of(cls, text: str) -> Perturbation:
        """One from text: a kind's name, with ``:`` and a strength where it has one.

        Raises:
            QueryError: There is no such kind, or its strength is out of range.
        """
        name, sign, number = text.partition(":")
        kind = KINDS.get(name)
        if kind is None:
            raise QueryError(
                f"Expected a perturbation of {', '.join(KINDS)}, but perturbation = {text[:80]!r}. Use one, such as "
                "rotate:15."
            )
        try:
            strength = float(number) if sign else kind.usual
        except ValueError:
            strength = math.nan
        if not kind.low <= strength <= kind.high or (kind.is_switch and strength not in {0, 1}):
            unit = f" {kind.unit}" if kind.unit else ""
            span = "0 or 1" if kind.is_switch else f"from {kind.low:g} to {kind.high:g}{unit}"
            raise QueryError(
                f"Expected a strength {span} of {name}, but perturbation = {text[:80]!r}. Use {name}:{kind.usual:g}."
            )
        return cls(name, strength)

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return KINDS[self.name]

    @property
    def text(self) -> str:
        """As :meth:`of` reads it."""
        return self.name if self.kind.is_switch and self.strength else f"{self.name}:{self.strength:g}"

    @property
    def said(self) -> str:
        """It in words."""
        return "as it is" if self.strength == self.kind.neutral else self.kind.said.format(f"{self.strength:g}")

    def apply(self, pixels: Pixels) -> Pixels:
        """The perturbed image.

        Args:
            pixels: ``(H, W)`` or ``(H, W, 3)`` uint8; they stay as they are.

        Returns:
            uint8, with as many colors; of the same size, unless it is cropped.
        """
        return pixels if self.strength == self.kind.neutral else self.kind.change(pixels, self.strength)


def perturbations_of(texts: Iterable[str]) -> tuple[Perturbation, ...]:
    """Perturbations of one image, from text, in the order in which they are done: that of :data:`KINDS`.

    Raises:
        QueryError: One of them cannot be, or a kind is there twice.

    Example:
        >>> [one.text for one in perturbations_of(["noise:5", "flip-horizontal"])]
        ['flip-horizontal', 'noise:5']
    """
    given = [Perturbation.of(text) for text in texts]
    for name in KINDS:
        twice = [one.text for one in given if one.name == name]
        if len(twice) > 1:
            raise QueryError(
                f"Expected each kind of perturbation once, but there are {' and '.join(twice)}. Leave one out."
            )
    order = list(KINDS)
    return tuple(sorted(given, key=lambda one: order.index(one.name)))


def perturbed(pixels: Pixels, perturbations: Sequence[Perturbation]) -> Pixels:
    """An image with one perturbation after the other.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8; they stay as they are.
        perturbations: In the order in which they are done.

    Example:
        >>> both = perturbations_of(["invert", "flip-horizontal"])
        >>> perturbed(np.array([[0, 100]], dtype=np.uint8), both).tolist()
        [[155, 255]]
    """
    for one in perturbations:
        pixels = one.apply(pixels)
    return pixels


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "flip-horizontal",
            "Flip left to right",
            "The mirror image, as of a film that was put in the wrong way round: left is right.",
            "flipped left to right",
            lambda pixels, _: flipped_left_to_right(pixels),
        ),
        Kind(
            "flip-vertical",
            "Flip upside down",
            "Mirrored at a horizontal line: above is below.",
            "flipped upside down",
            lambda pixels, _: upside_down(pixels),
        ),
        Kind(
            "rotate",
            "Rotate",
            "Turned clockwise about the middle, as a patient or a plate that lay askew. The size stays; corners are "
            "filled with the median shade of the border.",
            "rotated by {}°",
            rotated,
            unit="°",
            low=-180,
            high=180,
            usual=15,
            step=5,
        ),
        Kind(
            "crop",
            "Crop",
            "The middle alone, as with closer collimation: so much of the height and of the width is cut off.",
            "cropped by {} %",
            cropped,
            unit="%",
            high=80,
            usual=20,
            step=5,
        ),
        Kind(
            "gamma",
            "Gamma",
            "Other middle shades, as of another display: below 1 they become brighter, above 1 darker.",
            "gamma {}",
            with_gamma,
            low=0.2,
            high=5,
            neutral=1,
            usual=2,
            step=0.1,
        ),
        Kind(
            "window",
            "Window",
            "A narrower window: so much of the shades at either end becomes black or white, and contrast rises "
            "between.",
            "window narrowed by {} % at either end",
            lambda pixels, percent: windowed(pixels, percent, 100 - percent),
            unit="%",
            high=45,
            usual=15,
            step=5,
        ),
        Kind(
            "invert",
            "Invert",
            "The negative: black is white, as of MONOCHROME1 that was not heeded.",
            "inverted",
            lambda pixels, _: inverted(pixels),
        ),
        Kind(
            "noise",
            "Noise",
            "Gaussian noise, as of a lower dose; its standard deviation in percent of the range from black to white.",
            "noise of {} %",
            noisy,
            unit="%",
            high=50,
            usual=10,
            step=1,
        ),
        Kind(
            "text",
            "Burned-in text",
            "White letters in the upper corners, as scanners and film digitizers burn them in; their size in percent "
            "of the shorter side.",
            "burned-in text of {} %",
            with_text,
            unit="%",
            high=20,
            usual=6,
            step=1,
        ),
    )
}
"""By name, in the order in which they are shown, and done where several are."""
