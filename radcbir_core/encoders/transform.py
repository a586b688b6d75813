"""From a decoded image to a network's input: resize, crop or pad, scale, normalize.

Owns the arithmetic that a :class:`~radcbir_core.encoders.base.Preprocessing` with ``color="RGB"`` stands for. It uses
Pillow and numpy alone, so that it runs in decode threads (both release the interpreter lock in their loops) and needs
no torch. The steps and their rounding are those of torchvision's ``Resize`` and ``CenterCrop`` and of open_clip's
``ResizeKeepRatio`` and ``CenterCropOrPad``, and give the same numbers; with ``rounding="transformers"`` those of
transformers' image processors on Pillow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.encoders.base import Float32Array, Preprocessing, checked_pixels

Box = tuple[float, float, float, float]
"""Top, left, bottom and right, in pixels of a decoded image; may lie beyond its edges."""

_METHODS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# A strip this many times larger than the input once resized is cropped while it is resized, not after.
_LARGEST_OVERHANG = 16


class Transform:
    """Turns decoded images into (3, H, W) float32 inputs; holds no state that changes, so threads may share one.

    Example:
        >>> gray = Preprocessing(size=(2, 2), fit="crop", interpolation="bilinear", color="RGB",
        ...                      mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> Transform(gray)(np.full((4, 6), 255, dtype=np.uint8)).tolist()[0]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._size = preprocessing.size
        self._fit = preprocessing.fit
        self._method = _METHODS[preprocessing.interpolation]
        self._fill = preprocessing.fill
        self._resize = preprocessing.resize
        self._corner = preprocessing.anchor == "corner"
        self._as_transformers = preprocessing.rounding == "transformers"
        # A pixel has 256 values: what scaling and normalizing make of each is looked up, in the same float32 steps
        # (divide by 255, subtract, divide) as torchvision's ToTensor and Normalize take.
        levels = np.arange(256, dtype=np.float32) / np.float32(255)
        mean = np.asarray(preprocessing.mean, dtype=np.float32)[:, None]
        std = np.asarray(preprocessing.std, dtype=np.float32)[:, None]
        self._table: Float32Array = (levels[None, :] - mean) / std

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One image, (H, W) or (H, W, 3) uint8, as (3, height, width) float32.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        image = Image.fromarray(np.ascontiguousarray(checked_pixels(pixels)))
        if self._fit != "pad" or self._fill is not None:
            return self._normalized(self._fitted(image))
        # Zeros in the normalized input are no gray level, so the image is put among them once it is normalized.
        resized_height, resized_width = self._resized_size(image.height, image.width)
        top, left = self._place(resized_height, resized_width)
        canvas = np.zeros((3, *self._size), dtype=np.float32)
        inner = self._normalized(image.resize((resized_width, resized_height), self._method))
        canvas[:, top : top + resized_height, left : left + resized_width] = inner
        return canvas

    def seen_box(self, height: int, width: int) -> Box:
        """As the function of that name."""
        resized_height, resized_width = self._resized_size(height, width)
        if self._fit == "pad":
            top, left = (-place for place in self._place(resized_height, resized_width))
        elif self._fit == "squash" and self._resize is None:
            top, left = 0, 0
        else:
            top, left = self._cut(resized_height - self._size[0]), self._cut(resized_width - self._size[1])
        down, across = height / resized_height, width / resized_width
        return top * down, left * across, (top + self._size[0]) * down, (left + self._size[1]) * across

    def _normalized(self, image: Image.Image) -> Float32Array:
        levels = np.asarray(image)
        channels = [levels] * 3 if levels.ndim == 2 else [levels[:, :, channel] for channel in range(3)]
        return np.stack([values[channel] for values, channel in zip(self._table, channels, strict=True)])

    def _fitted(self, image: Image.Image) -> Image.Image:
        height, width = self._size
        if self._fit == "squash" and self._resize is None:
            return image.resize((width, height), self._method)
        resized_height, resized_width = self._resized_size(image.height, image.width)
        if self._fit == "pad":
            fill = self._fill or 0
            canvas = Image.new(image.mode, (width, height), (fill,) * 3 if image.mode == "RGB" else fill)
            top, left = self._place(resized_height, resized_width)
            canvas.paste(image.resize((resized_width, resized_height), self._method), (left, top))
            return canvas
        top, left = self._cut(resized_height - height), self._cut(resized_width - width)
        if resized_height * resized_width > _LARGEST_OVERHANG * max(height * width, (self._resize or 0) ** 2):
            # Resizing all of a 10 x 1,000,000 strip would take gigabytes for what is then cut off. Resizing only the
            # part that stays differs from that by rounding.
            down, across = image.height / resized_height, image.width / resized_width
            box = (left * across, top * down, (left + width) * across, (top + height) * down)
            return image.resize((width, height), self._method, box=box)
        resized = image.resize((resized_width, resized_height), self._method)
        return resized.crop((left, top, left + width, top + height))

    def _place(self, resized_height: int, resized_width: int) -> tuple[int, int]:
        """Top and left of a padded image."""
        if self._corner:
            return 0, 0
        return (self._size[0] - resized_height) // 2, (self._size[1] - resized_width) // 2

    def _cut(self, surplus: int) -> int:
        """How much of a surplus is cut off before the middle."""
        # Half to even, as torchvision's center_crop rounds.
        return surplus // 2 if self._as_transformers else round(surplus / 2.0)

    def _resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing and before cropping or padding; never 0, however thin the image."""
        if self._fit == "squash":
            return (self._resize or self._size[0], self._resize or self._size[1])
        target_height, target_width = self._size
        if self._fit == "crop" and (self._resize or target_height == target_width):
            # torchvision cuts the fraction off here, where open_clip's own resizing rounds.
            shorter = self._resize or target_height
            longer = int(shorter * max(height, width) / min(height, width))
            return (longer, shorter) if height > width else (shorter, longer)
        if self._as_transformers and self._fit == "pad" and target_height == target_width:
            scale = target_height / max(height, width)
            return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        ratios = (height / target_height, width / target_width)
        ratio = max(ratios) if self._fit == "pad" else min(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))


def seen_box(preprocessing: Preprocessing, *, height: int, width: int) -> Box:
    """The place of an encoder's input in a decoded image.

    Args:
        preprocessing: Of the encoder.
        height: Of the image, pixels.
        width: Of the image, pixels.

    Returns:
        Top, left, bottom and right of the input, in pixels of the image: inside the image where its edges are cut off,
        beyond them where something is added.

    Example:
        >>> wide = Preprocessing(size=(8, 8), fit="pad", interpolation="bilinear", color="RGB")
        >>> seen_box(wide, height=20, width=40), seen_box(wide.with_fit("crop"), height=20, width=40)
        ((-10.0, 0.0, 30.0, 40.0), (0.0, 10.0, 20.0, 30.0))
    """
    return Transform(preprocessing).seen_box(height, width)
