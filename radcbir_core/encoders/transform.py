"""From a decoded image to a network's input: resize, crop or pad, scale, normalise.

Owns the arithmetic that a :class:`~radcbir_core.encoders.base.Preprocessing` with ``color="RGB"`` stands for. It uses
Pillow and numpy alone, so that it runs in decode threads (both release the interpreter lock in their loops) and needs
no torch. The steps and their rounding are those of torchvision's ``Resize`` and ``CenterCrop`` and of open_clip's
``ResizeKeepRatio`` and ``CenterCropOrPad``, and give the same numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.encoders.base import Float32Array, Preprocessing, checked_pixels

_METHODS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# A strip this many times larger than the input once resized is cropped while it is resized, not after.
_LARGEST_OVERHANG = 16


class Transform:
    """Turns decoded images into (3, H, W) float32 inputs; holds no state that changes, so threads may share one.

    Example:
        >>> grey = Preprocessing(size=(2, 2), fit="crop", interpolation="bilinear", color="RGB",
        ...                      mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> Transform(grey)(np.full((4, 6), 255, dtype=np.uint8)).tolist()[0]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._size = preprocessing.size
        self._fit = preprocessing.fit
        self._method = _METHODS[preprocessing.interpolation]
        self._fill = preprocessing.fill
        # A pixel has 256 values: what scaling and normalising make of each is looked up, in the same float32 steps
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
        fitted = np.asarray(self._fitted(Image.fromarray(np.ascontiguousarray(checked_pixels(pixels)))))
        channels = [fitted] * 3 if fitted.ndim == 2 else [fitted[:, :, channel] for channel in range(3)]
        return np.stack([values[channel] for values, channel in zip(self._table, channels, strict=True)])

    def _fitted(self, image: Image.Image) -> Image.Image:
        height, width = self._size
        if self._fit == "squash":
            return image.resize((width, height), self._method)
        resized_height, resized_width = self._resized_size(image.height, image.width)
        top = _centered(resized_height - height)
        left = _centered(resized_width - width)
        if self._fit == "pad":
            canvas = Image.new(image.mode, (width, height), (self._fill,) * 3 if image.mode == "RGB" else self._fill)
            resized = image.resize((resized_width, resized_height), self._method)
            canvas.paste(resized, ((width - resized_width) // 2, (height - resized_height) // 2))
            return canvas
        if resized_height * resized_width > _LARGEST_OVERHANG * height * width:
            # Resizing all of a 10 x 1,000,000 strip would take gigabytes for what is then cut off. Resizing only the
            # part that stays differs from that by rounding.
            down, across = image.height / resized_height, image.width / resized_width
            box = (left * across, top * down, (left + width) * across, (top + height) * down)
            return image.resize((width, height), self._method, box=box)
        resized = image.resize((resized_width, resized_height), self._method)
        return resized.crop((left, top, left + width, top + height))

    def _resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing and before cropping or padding; never 0, however thin the image."""
        target_height, target_width = self._size
        if self._fit == "crop" and target_height == target_width:
            # torchvision cuts the fraction off here, where open_clip's own resizing rounds.
            longer = int(target_height * max(height, width) / min(height, width))
            return (longer, target_width) if height > width else (target_height, longer)
        ratios = (height / target_height, width / target_width)
        ratio = max(ratios) if self._fit == "pad" else min(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))


def _centered(surplus: int) -> int:
    # Half to even, as torchvision's center_crop rounds.
    return round(surplus / 2.0)
