"""What an image file holds before anything is shown: its values, what they mean, and how they ask to be shown.

Owns the record between the two steps of decoding: reading a file gives one (``decode.read_stored``), showing it makes
shades of it (``display.display_image``). It decodes nothing and shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from radcbir_core.images.decoded_image import Window
from radcbir_core.images.display.grayscale import LookupTable, Rescale


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StoredImage:
    """One frame of a file as it is stored, upright.

    Attributes:
        name: what messages call the file.
        stored: (H, W) gray of the file's own integer or float type, or (H, W, 3) RGB, uint8 or deeper; contiguous and
            read-only. Palettes and other color spaces are RGB already, and what is transparent lies on black.
        format: as in :class:`~radcbir_core.images.decoded_image.DecodedImage`.
        frame: which frame this is, counted from 0; None for a file with one frame.
        frames: how many frames the file has.
        modality: from stored gray values to those that mean something (DICOM PS3.3 C.11.1).
        unit: of these, a defined term of DICOM (C.11.1.1.2) such as ``"HU"``; empty where the file names none.
        voi: the window or the table that the file itself asks for; None where it asks for none.
        as_is: whether stored gray values are shades already, unless a window is asked for: eight bits of a raster
            image.
        padding: first and last stored value that stand for "nothing here" (C.7.5.1.1.2), or None.
        inverted: whether the lowest value is white (MONOCHROME1).
        square: height and width at which its pixels are square, as the file says; None where they are as they are.
        remarks: what has to be known of how the picture follows from the file, a sentence each; never a value of the
            file.

    Example:
        >>> scan = StoredImage(
        ...     name="a.dcm", stored=np.array([[0, 1064]]), format="DICOM", modality=Rescale(1, -1024), unit="HU"
        ... )
        >>> scan.values().tolist(), scan.unit, scan.is_color
        ([[-1024.0, 40.0]], 'HU', False)
    """

    name: str
    stored: np.ndarray
    format: str
    frame: int | None = None
    frames: int = 1
    modality: Rescale | LookupTable = field(default_factory=Rescale)
    unit: str = ""
    voi: Window | LookupTable | None = None
    as_is: bool = False
    padding: tuple[float, float] | None = None
    inverted: bool = False
    square: tuple[int, int] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_color(self) -> bool:
        """Whether there are three values a pixel."""
        return self.stored.ndim == 3

    def values(self) -> np.ndarray:
        """(H, W) float64: what the gray values mean, in :attr:`unit`; color as it is stored. Padding stays in it."""
        return self.stored if self.is_color else self.modality(self.stored)
