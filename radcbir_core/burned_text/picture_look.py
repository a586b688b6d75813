"""One picture that is in no collection, such as an upload: does its header tell of text, and is some found?

Owns these two questions for single pictures. Nothing of a picture is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radcbir_core.burned_text.text_detector import is_installed, load_detector
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.errors import ImageError
from radcbir_core.images import read_header
from radcbir_core.images.blackout import Boxes
from radcbir_core.images.dicom.pixel_annotation import BURNED_IN, term
from radcbir_core.images.file_types import HEAD_BYTES, sniff

Look = Callable[[npt.NDArray[np.uint8]], tuple[int, Boxes]]


def look_if_installed() -> Look | None:
    """What looks at a picture, as :func:`~radcbir_core.burned_text.text_rule.judged` says it; None where nothing can.

    The networks are loaded with the first picture, and kept.
    """
    return _look if is_installed() else None


def header_tells(source: Path | bytes) -> bool:
    """Whether the header of a file says that text is burned into its pixels; files without a header say nothing.

    Args:
        source: The file, or its bytes.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as handle:
                head = handle.read(HEAD_BYTES)
        else:
            head = source[:HEAD_BYTES]
        return sniff(head) == "DICOM" and term(read_header(source, [BURNED_IN], name="the image"), BURNED_IN) == "YES"
    except (ImageError, OSError):
        return False


def _look(pixels: npt.NDArray[np.uint8]) -> tuple[int, Boxes]:
    """Look with the detector of this process.

    Raises:
        TextDetectionError: It cannot be loaded here.
    """
    return judged(_detector()(pixels))


_detector = cache(load_detector)
