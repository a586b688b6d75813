"""From a decoded image to a network's input: brought to size, scaled, normalized.

Owns the arithmetic that a :class:`~radcbir_core.encoders.base.Preprocessing` with ``color="RGB"`` stands for. The
geometry is ``images.fitting``'s; scaling and normalizing are here, with the numbers of torchvision's ``ToTensor`` and
``Normalize``. It needs no torch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.base import Float32Array, Preprocessing
from radcbir_core.images.fitting import Box


class Transform:
    """Turns decoded images into (3, H, W) float32 inputs; holds no state that changes, so threads may share one.

    Attributes:
        fitting: What comes before scaling and normalizing.
        table: (3, 256) float32: what becomes of each of a channel's 256 levels.

    Example:
        >>> gray = Preprocessing(size=(2, 2), fit="crop", interpolation="bilinear", color="RGB",
        ...                      mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> Transform(gray)(np.full((4, 6), 255, dtype=np.uint8)).tolist()[0]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.fitting = preprocessing.fitting
        # A pixel has 256 values: what scaling and normalizing make of each is looked up, in the same float32 steps
        # (divide by 255, subtract, divide) as torchvision's ToTensor and Normalize take.
        levels = np.arange(256, dtype=np.float32) / np.float32(255)
        mean = np.asarray(preprocessing.mean, dtype=np.float32)[:, None]
        std = np.asarray(preprocessing.std, dtype=np.float32)[:, None]
        self.table: Float32Array = (levels[None, :] - mean) / std

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One image, (H, W) or (H, W, 3) uint8, as (3, height, width) float32.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        return self.normalized(self.fitting(pixels))

    def normalized(self, fitted: npt.NDArray[np.uint8]) -> Float32Array:
        """What :attr:`fitting` gives, as (3, height, width) float32."""
        channels = [fitted] * 3 if fitted.ndim == 2 else [fitted[:, :, channel] for channel in range(3)]
        inner = np.stack([values[channel] for values, channel in zip(self.table, channels, strict=True)])
        height, width = inner.shape[1:]
        if (height, width) == self.fitting.size:
            return inner
        # Zeros in the normalized input are no gray level, so the image is put among them once it is normalized.
        canvas = np.zeros((3, *self.fitting.size), dtype=np.float32)
        top, left = self.fitting.place(height, width)
        canvas[:, top : top + height, left : left + width] = inner
        return canvas


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
    return preprocessing.fitting.seen_box(height, width)
