"""From a decoded picture to one of the size that a network takes: resized, cropped or padded.

Owns this geometry, in eight bits, and knows no encoder: scaling and normalizing come after. It uses Pillow and numpy
alone, so that the processes that decode can do it, and a few thousand pixels leave them instead of a whole picture. The
steps and their rounding are those of torchvision's ``Resize`` and ``CenterCrop`` and of open_clip's ``ResizeKeepRatio``
and ``CenterCropOrPad``, and give the same numbers; with ``rounding="transformers"`` those of transformers' image
processors on Pillow.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

Box = tuple[float, float, float, float]
"""Top, left, bottom and right, in pixels of a decoded image; may lie beyond its edges."""

Fit = Literal["crop", "pad", "squash"]

FITS: tuple[Fit, ...] = ("crop", "pad", "squash")
"""How an image that is not square becomes the encoder's input. ``crop``: the shorter side is resized to fit and the
rest of the longer side is cut off, as CLIP was published; ``pad``: the longer side is resized to fit and the rest is
filled; ``squash``: both sides are resized, which distorts."""

_METHODS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# A strip this many times larger than the input once resized is cropped while it is resized, not after.
_LARGEST_OVERHANG = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How a decoded picture is brought to size.

    Its fields are those of an encoder's :class:`~radcbir_core.encoders.base.Preprocessing`, which says what they mean.

    Example:
        >>> to_two = Fitting(size=(2, 2), fit="crop", interpolation="bilinear")
        >>> to_two(np.full((4, 6), 200, dtype=np.uint8)).tolist()
        [[200, 200], [200, 200]]
        >>> Fitting.from_message(to_two.to_message()) == to_two
        True
    """

    size: tuple[int, int]
    fit: Fit
    interpolation: Literal["bilinear", "bicubic"]
    color: Literal["L", "RGB"] = "RGB"
    fill: int | None = 0
    resize: int | None = None
    anchor: Literal["center", "corner"] = "center"
    rounding: Literal["torchvision", "transformers"] = "torchvision"

    def to_message(self) -> dict[str, Any]:
        """For :meth:`from_message`: plain values."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Fitting:
        """What :meth:`to_message` was given."""
        return cls(**{**message, "size": tuple(message["size"])})

    def __call__(self, pixels: Pixels) -> Pixels:
        """One image, (H, W) or (H, W, 3) uint8, at its size: (h, w) where it is gray or is to be, else (h, w, 3).

        With ``fill=None`` nothing is added to an image that is padded: it is smaller than :attr:`size`, and
        :meth:`place` says where it belongs.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        image = Image.fromarray(np.ascontiguousarray(checked_pixels(pixels)))
        if self.color == "L":
            image = image.convert("L")
        return np.asarray(self._fitted(image))

    def place(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of a padded image of that size."""
        if self.anchor == "corner":
            return 0, 0
        return (self.size[0] - height) // 2, (self.size[1] - width) // 2

    def seen_box(self, height: int, width: int) -> Box:
        """The place of the input in a decoded image of that size, in the image's pixels."""
        resized_height, resized_width = self._resized_size(height, width)
        if self.fit == "pad":
            top, left = (-place for place in self.place(resized_height, resized_width))
        elif self.fit == "squash" and self.resize is None:
            top, left = 0, 0
        else:
            top, left = self._cut(resized_height - self.size[0]), self._cut(resized_width - self.size[1])
        down, across = height / resized_height, width / resized_width
        return top * down, left * across, (top + self.size[0]) * down, (left + self.size[1]) * across

    def _fitted(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        method = _METHODS[self.interpolation]
        if self.fit == "squash" and self.resize is None:
            return image.resize((width, height), method)
        resized_height, resized_width = self._resized_size(image.height, image.width)
        if self.fit == "pad":
            resized = image.resize((resized_width, resized_height), method)
            if self.fill is None:  # zeros in the normalized input are no gray level
                return resized
            canvas = Image.new(image.mode, (width, height), (self.fill,) * 3 if image.mode == "RGB" else self.fill)
            top, left = self.place(resized_height, resized_width)
            canvas.paste(resized, (left, top))
            return canvas
        top, left = self._cut(resized_height - height), self._cut(resized_width - width)
        if resized_height * resized_width > _LARGEST_OVERHANG * max(height * width, (self.resize or 0) ** 2):
            # Resizing all of a 10 x 1,000,000 strip would take gigabytes for what is then cut off. Resizing only the
            # part that stays differs from that by rounding.
            down, across = image.height / resized_height, image.width / resized_width
            box = (left * across, top * down, (left + width) * across, (top + height) * down)
            return image.resize((width, height), method, box=box)
        resized = image.resize((resized_width, resized_height), method)
        return resized.crop((left, top, left + width, top + height))

    def _cut(self, surplus: int) -> int:
        """How much of a surplus is cut off before the middle."""
        # Half to even, as torchvision's center_crop rounds.
        return surplus // 2 if self.rounding == "transformers" else round(surplus / 2.0)

    def _resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing and before cropping or padding; never 0, however thin the image."""
        if self.fit == "squash":
            return (self.resize or self.size[0], self.resize or self.size[1])
        target_height, target_width = self.size
        if self.fit == "crop" and (self.resize or target_height == target_width):
            # torchvision cuts the fraction off here, where open_clip's own resizing rounds.
            shorter = self.resize or target_height
            longer = int(shorter * max(height, width) / min(height, width))
            return (longer, shorter) if height > width else (shorter, longer)
        if self.rounding == "transformers" and self.fit == "pad" and target_height == target_width:
            scale = target_height / max(height, width)
            return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        ratios = (height / target_height, width / target_width)
        ratio = max(ratios) if self.fit == "pad" else min(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))


def checked_pixels(pixels: Pixels) -> Pixels:
    """``pixels`` itself, if it is what :func:`radcbir_core.images.decode_image` gives.

    Raises:
        ValueError: It is not (H, W) or (H, W, 3) uint8 with at least one pixel: a mistake of the caller, not a user's.
    """
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not shaped or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(
            f"Expected (H, W) or (H, W, 3) uint8 pixels, but pixels = {pixels.dtype} {pixels.shape}. "
            "Decode with radcbir_core.images.decode_image."
        )
    return pixels
