"""From stored gray values to the 256 shades of a screen.

Owns the arithmetic of DICOM's grayscale pipeline (PS3.3 C.11.1 modality, C.11.2 VOI; PS3.4 N.2), which deep raster
images share. It works on arrays and numbers alone and knows no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from radcbir_core.images.decoded_image import Window

BLACK = 0
WHITE = 255

# Beyond as many pixels as two bytes have values, mapping each value once is quicker than mapping each pixel.
_MANY_PIXELS = 65536
# As many values are worked on at once, so that what is made on the way is never all there.
_STRETCH = 1 << 20


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A modality or VOI look-up table (DICOM PS3.3 C.11.1.1 and C.11.2.1.1).

    Attributes:
        first: the input of the first entry. Lower inputs get the first entry, inputs past the end the last.
        bits: bits of an entry, so that outputs run from 0 to 2**bits - 1.
        entries: (n,) the outputs.
    """

    first: int
    bits: int
    entries: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Look `values` up; any shape, returned as float64.

        Example:
            >>> LookupTable(10, 8, np.array([5, 7, 9]))(np.array([-3.0, 10.0, 11.0, 99.0])).tolist()
            [5.0, 5.0, 7.0, 9.0]
        """
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        looked_up: np.ndarray = self.entries[places.astype(np.intp)].astype(np.float64)
        return looked_up

    @property
    def window(self) -> Window:
        """The inputs that the table covers, as the record of what was applied."""
        return Window(self.first + len(self.entries) / 2, float(len(self.entries)), "voi lut", "table")

    def shades(self, values: np.ndarray) -> np.ndarray:
        """(…) uint8: the outputs for `values`, spread from black to white."""
        return _to_shades(self(values) / (2**self.bits - 1))


@dataclass(frozen=True, slots=True)
class Rescale:
    """Output = slope x stored value + intercept (DICOM PS3.3 C.11.1.1.2).

    Example:
        >>> Rescale(slope=2.0, intercept=-1024.0)(np.array([0, 512])).tolist()
        [-1024.0, 0.0]
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Rescale `values`; any shape, returned as float64."""
        return values.astype(np.float64) * self.slope + self.intercept


def window_shades(values: np.ndarray, window: Window) -> np.ndarray:
    """Spread the values inside a window from black to white.

    Args:
        values: (…) float64, after the modality LUT or rescale. NaN becomes black.
        window: its function is ``"linear"`` (PS3.3 C.11.2.1.2.1; a width of 1 is a step), ``"linear exact"``
            (C.11.2.1.3.2) or ``"sigmoid"`` (C.11.2.1.3.1).

    Returns:
        (…) uint8, rounded half up.

    Example:
        >>> window_shades(np.array([-200.0, -160.0, 40.0, 240.0, 900.0]), Window(40, 400, "header")).tolist()
        [0, 0, 128, 255, 255]
    """
    center, width = window.center, window.width
    if window.function == "sigmoid":
        with np.errstate(over="ignore"):
            return _to_shades(1.0 / (1.0 + np.exp(-4.0 * (values - center) / width)))
    if window.function == "linear exact":
        return _to_shades((values - center) / width + 0.5)
    if width == 1:
        return _to_shades((values > center - 0.5).astype(np.float64))
    return _to_shades((values - (center - 0.5)) / (width - 1) + 0.5)


def full_range(lowest: float, highest: float) -> Window:
    """The linear window that makes `lowest` black and `highest` white; one that is flat is black.

    Example:
        >>> window_shades(np.array([7.0, 100.0, 193.0]), full_range(7, 193)).tolist()
        [0, 128, 255]
    """
    return Window((lowest + highest) / 2 + 0.5, highest - lowest + 1.0, "full range")


def to_display(
    stored: np.ndarray,
    *,
    modality: Callable[[np.ndarray], np.ndarray],
    voi: Window | LookupTable | None,
    padding: tuple[float, float] | None = None,
    inverted: bool = False,
) -> tuple[np.ndarray, Window]:
    """Take stored values through modality, VOI and inversion to shades.

    Args:
        stored: (H, W), or (H, W, 3) that share one window; any integer or float type, in this machine's byte order.
        modality: the modality LUT or rescale, on values of any shape.
        voi: the window or the table to apply; None spreads the darkest to the brightest finite value that is not
            padding.
        padding: first and last stored value that stand for "nothing here" (PS3.3 C.7.5.1.1.2). They take no part in
            the full range and come out black, whatever the inversion.
        inverted: whether the lowest value is to be white (MONOCHROME1).

    Returns:
        uint8 shades of the same shape, and the window that was applied.

    Example:
        >>> shades, window = to_display(np.array([[0, 50, 100]]), modality=Rescale(), voi=None)
        >>> shades.tolist(), window.source
        ([[0, 128, 255]], 'full range')
    """
    flat = np.ascontiguousarray(stored).reshape(-1)
    if stored.size > _MANY_PIXELS and stored.dtype.name in {"uint8", "int8", "uint16", "int16"}:
        # One table of all values that the type can hold, indexed by the bit pattern of each pixel.
        pattern = np.dtype(f"u{stored.dtype.itemsize}")
        places: np.ndarray | None = flat.view(pattern)
        levels = np.arange(256**stored.dtype.itemsize, dtype=pattern).view(stored.dtype)
        present = np.zeros(levels.shape, dtype=bool)
        for part in _stretches(flat.size):
            present[flat.view(pattern)[part]] = True
    else:
        places, levels, present = None, flat, None

    if voi is None:
        voi = _range_of(levels, present, modality=modality, padding=padding)
    shades = np.empty(levels.shape, np.uint8)
    for part in _stretches(levels.size):
        values = modality(levels[part])
        shown = voi.shades(values) if isinstance(voi, LookupTable) else window_shades(values, voi)
        if inverted:
            shown = WHITE - shown
        shown[_blank(levels[part], padding)] = BLACK
        shades[part] = shown
    if places is not None:
        table, shades = shades, np.empty(flat.shape, np.uint8)
        for part in _stretches(flat.size):
            shades[part] = table[places[part]]
    window = voi.window if isinstance(voi, LookupTable) else voi
    return shades.reshape(stored.shape), window


def _stretches(length: int) -> Iterator[slice]:
    """The stretches of something flat, in their order."""
    return (slice(start, start + _STRETCH) for start in range(0, length, _STRETCH))


def _blank(levels: np.ndarray, padding: tuple[float, float] | None) -> np.ndarray:
    """Which stored values are padding."""
    if padding is None:
        return np.zeros(levels.shape, dtype=bool)
    blank: np.ndarray = (levels >= padding[0]) & (levels <= padding[1])
    return blank


def _range_of(
    levels: np.ndarray,
    present: np.ndarray | None,
    *,
    modality: Callable[[np.ndarray], np.ndarray],
    padding: tuple[float, float] | None,
) -> Window:
    """The full range of the finite values that are no padding; of all that are present where none is; else of nothing.

    Args:
        levels: stored values.
        present: which of them the image has; all where it is None.
        modality: as in `to_display`.
        padding: likewise.
    """
    ends: tuple[list[float], list[float]] = [], []
    for part in _stretches(levels.size):
        values = modality(levels[part])
        usable = np.isfinite(values) if present is None else np.isfinite(values) & present[part]
        for mask, of_part in zip((usable & ~_blank(levels[part], padding), usable), ends, strict=True):
            chosen = values[mask]
            if chosen.size:
                of_part += [float(chosen.min()), float(chosen.max())]
    chosen_ends = ends[0] or ends[1] or [0.0]
    return full_range(min(chosen_ends), max(chosen_ends))


def _to_shades(brightness: np.ndarray) -> np.ndarray:
    """(…) uint8 from brightness, 0 = black, 1 = white, clipped; NaN is black."""
    scaled = np.clip(brightness, 0.0, 1.0) * WHITE + 0.5
    shades: np.ndarray = np.nan_to_num(scaled, nan=0.0).astype(np.uint8)
    return shades
