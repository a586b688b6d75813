"""Changes of how bright things are: gamma, a window, the negative.

Owns the arithmetic on pixels. Each is one table of 256 shades, the same at every pixel and in every color.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def with_gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Shades, from 0 to 1, to the power of ``exponent``: below 1 middle shades become brighter, above 1 darker.

    Example:
        >>> with_gamma(np.array([[0, 64, 255]], dtype=np.uint8), 2).tolist()
        [[0, 16, 255]]
    """
    return _through(pixels, lambda shade: shade**exponent)


def windowed(pixels: Pixels, low: float, high: float) -> Pixels:
    """A part of the shades, stretched over all of them; what is darker becomes black, what is brighter white.

    Args:
        pixels: Any shape, uint8.
        low: What becomes black, in percent of all shades.
        high: What becomes white; above ``low``.

    Example:
        >>> windowed(np.array([[0, 51, 102, 204, 255]], dtype=np.uint8), 20, 80).tolist()
        [[0, 0, 85, 255, 255]]
    """
    return _through(pixels, lambda shade: (shade - low / 100) / ((high - low) / 100))


def inverted(pixels: Pixels) -> Pixels:
    """The negative: black is white.

    Example:
        >>> inverted(np.array([[0, 100]], dtype=np.uint8)).tolist()
        [[255, 155]]
    """
    return np.asarray(255 - pixels, dtype=np.uint8)


def _through(pixels: Pixels, curve: Curve) -> Pixels:
    shades = np.clip(curve(np.arange(256) / 255) * 255, 0, 255)
    table: Pixels = np.rint(shades).astype(np.uint8)
    return table[pixels]
