"""What decoding an image gives, and the limits it keeps to.

Owns the three small records that the rest of the core knows an image by. It decodes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np

MEBIBYTE = 1024 * 1024

DECODING = 3
"""The version of how files become pixels, to be raised when pixels change; embeddings record that of theirs.

1: until version 0.1, which knew no pixels that are not square, compressed color with PlanarConfiguration 1, color of 16
bits, or pages of a TIFF that are none; embeddings that record no version are of it. 2: all these. 3: TIFFs of
signed gray of eight bits, and compressed ones in big endian of signed, 32-bit or floating-point gray; their values were
others before."""


CLOCK_SECONDS = 4
"""By the clock, so many seconds are given for each one of a processor."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. Sizes are checked before it is decoded; memory and time are the decoding process's.

    Attributes:
        max_bytes: size of the file, in bytes; once unpacked, that of a deflated DICOM data set and of a NIfTI volume.
        max_pixels: rows times columns of the one frame that is decoded.
        max_scans: of a JPEG. Each is a pass over the whole picture; encoders write some ten.
        max_memory: what the process that decodes may take in all, its libraries included, in bytes. Some kinds of
            files reach it before they reach `max_pixels`.
        max_seconds: how long decoding may take, in seconds of a processor, so that how busy a machine is decides
            nothing. By the clock it may take `CLOCK_SECONDS` times as long.

    Example:
        >>> Limits().max_bytes // MEBIBYTE, Limits(max_pixels=10).max_pixels
        (512, 10)
    """

    max_bytes: int = 512 * MEBIBYTE
    max_pixels: int = 100_000_000
    max_scans: int = 100
    max_memory: int = 1024 * MEBIBYTE
    max_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """The range of values that was spread over the 256 shades.

    Attributes:
        center: middle of the window, in the values after the modality LUT or rescale (HU for CT), or in the file's own
            values for a raster image.
        width: width of the window in the same values.
        source: who chose it. ``"header"``: WindowCenter and WindowWidth of the file, the first of several.
            ``"voi lut"``: a table in the file; center and width then say which inputs it covers. ``"given"``: the
            caller. ``"volume"``: the values of a whole NIfTI volume, for all of its slices alike. ``"full range"``:
            nobody, so darkest to brightest value of the image, and for eight bits or fewer all that the type holds.
        function: ``"linear"``, ``"linear exact"`` or ``"sigmoid"`` (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3), or
            ``"table"``.

    Example:
        >>> Window(center=40, width=400, source="header").function
        'linear'
    """

    center: float
    width: float
    source: str
    function: str = "linear"


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One decoded image, as it would be shown.

    Attributes:
        pixels: (H, W) gray or (H, W, 3) RGB, uint8, 0 = black, contiguous and read-only. Color whose three channels
            are equal everywhere is gray here. Pixels are square, where the file says of which shape they were.
        window: how deeper values were brought to eight bits; None where the file's own eight bits were kept.
        frame: which frame this is, counted from 0; None for a file with one frame.
        frames: how many frames the file has.
        format: ``"PNG"``, ``"JPEG"``, ``"TIFF"``, ``"WEBP"``, ``"BMP"``, ``"DICOM"`` or ``"NIFTI"``.
        remarks: what has to be known of how the picture follows from the file, a sentence each; never a value of the
            file.
    """

    pixels: np.ndarray
    window: Window | None
    frame: int | None
    frames: int
    format: str
    remarks: tuple[str, ...] = ()

    def _repr_png_(self) -> bytes:
        """The picture, as a notebook shows it."""
        from PIL import Image

        buffer = BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG")
        return buffer.getvalue()
