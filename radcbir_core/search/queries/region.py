"""A region of an image as query: by itself, or weighted with the whole.

Owns what a region is and what is cut out. What is searched with is the picture within the box, as if it were an image
of its own, so that the encoder sees it at its full size; what may not be returned is what the whole image may not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import QueryError
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import ChangedQuery, EmbeddedQuery, ImageQuery, Means, RowQuery

STEPS: Final = 1000
"""A side of an image has so many steps, in which a box is said."""

LEAST_STEPS: Final = 20
"""The least side of a box."""

LEAST_PIXELS: Final = 8
"""The least side of what is cut out: of less, there is nothing to see."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image, in thousandths of its width and height, from the top left.

    Attributes:
        left: From 0.
        top: From 0.
        right: Up to 1000, more than ``left`` by :data:`LEAST_STEPS`.
        bottom: Up to 1000, more than ``top`` by :data:`LEAST_STEPS`.

    Raises:
        QueryError: It is outside the image, or too small.

    Example:
        >>> Box.of("250,0,750,500").word, Box.of("250,0,750,500").said
        ('250,0,750,500', '50 % × 50 % of the image, from 25 % on the left and 0 % at the top')
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        for low, high, name in ((self.left, self.right, "left to right"), (self.top, self.bottom, "top to bottom")):
            if not (low >= 0 and high <= STEPS and high - low >= LEAST_STEPS):
                raise QueryError(
                    f"Expected a region within 0 to {STEPS} of at least {LEAST_STEPS} from {name}, but it goes from "
                    f"{low} to {high}. Draw it again."
                )

    @classmethod
    def of(cls, word: str) -> Box:
        """The box that a word stands for: left, top, right, bottom, with commas.

        Raises:
            QueryError: It stands for none.
        """
        try:
            left, top, right, bottom = (int(number) for number in word.split(","))
        except ValueError as error:
            raise QueryError(
                f"Expected a region as left,top,right,bottom in thousandths, but it is {word[:40]!r}. Write, for "
                "example, 250,250,750,750"
            ) from error
        return cls(left, top, right, bottom)

    @property
    def word(self) -> str:
        """As :meth:`of` reads it."""
        return f"{self.left},{self.top},{self.right},{self.bottom}"

    @property
    def said(self) -> str:
        """How large it is, and where."""
        width, height = self.right - self.left, self.bottom - self.top
        return (
            f"{width / 10:g} % × {height / 10:g} % of the image, from {self.left / 10:g} % on the left and "
            f"{self.top / 10:g} % at the top"
        )

    def cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """What is within: whole pixels, those that the box touches.

        Args:
            pixels: ``(H, W)`` or ``(H, W, 3)``.

        Raises:
            QueryError: Less than :data:`LEAST_PIXELS` of a side are within.

        Example:
            >>> Box(0, 500, 250, 1000).cut(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).shape
            (32, 16)
        """
        height, width = pixels.shape[:2]
        rows = slice(self.top * height // STEPS, -(-self.bottom * height // STEPS))
        columns = slice(self.left * width // STEPS, -(-self.right * width // STEPS))
        part = pixels[rows, columns]
        if min(part.shape[:2]) < LEAST_PIXELS:
            raise QueryError(
                f"Expected a region of at least {LEAST_PIXELS} × {LEAST_PIXELS} pixels, but it has {part.shape[1]} × "
                f"{part.shape[0]} of the {width} × {height} of the image. Draw a larger one."
            )
        return np.ascontiguousarray(part)


@dataclass(frozen=True, slots=True, eq=False)
class RegionQuery(ChangedQuery):
    """What is within a box on an image, as if it were an image of its own.

    Among regions of the gallery it is compared with each of them.

    Attributes:
        box: Which part of the image it is.
    """

    box: Box = field(kw_only=True)

    def embed(self, means: Means) -> EmbeddedQuery:
        """What the encoder makes of it, all of it of a region."""
        vectors = ImageQuery(self.pixels).embed(means).vectors
        return EmbeddedQuery(self, vectors, of_region=vectors)


def region_query(
    box: Box,
    pixels: npt.NDArray[np.uint8],
    of: RowQuery | ImageQuery | ChangedQuery,
    *,
    whole: float = 0.0,
) -> RegionQuery | ComposedQuery:
    """A region of an image as query.

    Args:
        box: Which region.
        pixels: The image, as it is searched with: ``(H, W)`` or ``(H, W, 3)``.
        of: It as a query.
        whole: How much the whole image counts beside its region, which counts 1; 0 for the region by itself.

    Raises:
        QueryError: Too little is within the box.
    """
    original = of.original if isinstance(of, ChangedQuery) else of
    region = RegionQuery(box.cut(pixels), original, box=box)
    return ComposedQuery((Part(region), Part(of, whole))) if whole else region
