"""What finds text in a picture: two networks of the package rapidocr-onnxruntime, run by onnxruntime.

Owns loading them, how a picture is handed to them, and which places come back. The networks are PP-OCRv4's
(Apache-2.0), and lie inside the package: nothing is fetched. Of the package only these two files are used, no code.

The first gives each pixel the probability that it is text (Liao et al., *Real-time Scene Text Detection with
Differentiable Binarization*, arXiv 1911.08947, section 3.5); pixels that hang together are a place, made larger by the
rule given there. The second reads a place: a symbol, or nothing, for each column (Shi et al., arXiv 1507.05717). How
many symbols it reads and how sure it is of them tells text from streaks. Which symbols they are is never looked up: no
text leaves this module.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.burned_text.text_rule import RULE, Place
from radcbir_core.errors import TextDetectionError
from radcbir_core.installation import install_command

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

PACKAGE: Final = "rapidocr-onnxruntime"
_MODULE: Final = "rapidocr_onnxruntime"
_FINDS: Final = "models/ch_PP-OCRv4_det_infer.onnx"
_READS: Final = "models/ch_PP-OCRv4_rec_infer.onnx"

# Letters of a scanner's screen are some 2 % of its shorter side high: 15 pixels then, of which the network needs ten.
_SHORTER: Final = 736
_LONGEST: Final = 1600
_LARGEST_SCALE: Final = 4.0
_STRIDE: Final = 32  # of the network: sides are multiples of it
_PROBABLE: Final = 0.3  # a pixel is text
_LIKELY: Final = 0.5  # a place is, in the mean of its pixels
_UNCLIP: Final = 1.6
_LEAST_SIDE: Final = 5
_LEAST_AREA: Final = 40
_HIGHEST: Final = 0.2  # of the shorter side; higher places are not read
_UPRIGHT: Final = 1.5  # so many times higher than wide, a place holds a line that runs upwards
_EDGE: Final = 0.25  # of the height of a line
_ENDS: Final = 1.25
_READ_HEIGHT: Final = 48
_READ_WIDTHS: Final = (320, 1600)
_MOST_PLACES: Final = 60


class Detector(Protocol):
    """Finds the places of a picture at which something can be read.

    Attributes:
        name: What it is, for the record.
    """

    name: str

    def __call__(self, pixels: Pixels) -> list[Place]:
        """The places.

        Args:
            pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, as an image is displayed.
        """


def is_installed() -> bool:
    """Whether text can be looked for here; nothing is loaded for it."""
    return _model(_FINDS) is not None and find_spec("onnxruntime") is not None


def what_is_missing() -> str:
    """What to say where :func:`is_installed` is not so, a sentence or two."""
    said = "Text in pixels is not looked for: the optional part for it is not installed. " + install_command("ocr")
    if sys.version_info >= (3, 13):
        said += f" Its package {PACKAGE} is made for Python up to 3.12, and this is {sys.version.split()[0]}."
    return said


def load_detector(*, threads: int | None = None) -> TextDetector:
    """The detector of the optional part.

    Args:
        threads: How many it works with; one a processor core by default.

    Raises:
        TextDetectionError: The part is not installed, or cannot be loaded.
    """
    if not is_installed():
        raise TextDetectionError(
            f"Expected the optional part that finds text, but it is not installed. {install_command('ocr')}"
        )
    try:
        return TextDetector(threads=threads or os.cpu_count() or 1)
    except Exception as error:  # whatever onnxruntime raises of files and processors that it does not like
        raise TextDetectionError(
            f"Expected {PACKAGE} to work here, but it cannot be loaded: {str(error)[:200]}. Install it again."
        ) from error


class TextDetector:
    """Made by :func:`load_detector`."""

    def __init__(self, *, threads: int) -> None:
        self.name = f"{PACKAGE} {_version(PACKAGE)}, onnxruntime {_version('onnxruntime')}, rule {RULE}"
        self._find = _session(_FINDS, threads)
        self._read = _session(_READS, threads)

    def __call__(self, pixels: Pixels) -> list[Place]:
        """As :meth:`Detector.__call__`."""
        picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
        width, height = picture.size
        scale = min(_SHORTER / min(width, height), _LARGEST_SCALE, _LONGEST / max(width, height))
        size = [max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in (width, height)]
        probable = _run(self._find, _input(picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)))[0, 0]
        return [
            Place(_with_edge(box, tall, picture.size), tall, long, *self._symbols(picture, box))
            for box, tall, long in _places(probable)[:_MOST_PLACES]
            if tall <= _HIGHEST
        ]

    def _symbols(self, picture: Image.Image, box: Box) -> tuple[int, float]:
        """How many symbols are read at a place, and how surely in the mean."""
        sides = [round(value * side) for value, side in zip(box, picture.size * 2, strict=True)]
        line = picture.crop((sides[0], sides[1], max(sides[2], sides[0] + 1), max(sides[3], sides[1] + 1)))
        if line.height < _UPRIGHT * line.width:
            return self._symbols_of(line)
        # A line that runs upwards or downwards: as which it is read more surely.
        turned = (line.transpose(turn) for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270))
        return max(map(self._symbols_of, turned), key=lambda read: read[1])

    def _symbols_of(self, line: Image.Image) -> tuple[int, float]:
        least, most = _READ_WIDTHS
        width = min(max(round(_READ_HEIGHT * line.width / line.height), 8), most)
        values = _input(line.resize((width, _READ_HEIGHT), Image.Resampling.BILINEAR))
        values = np.pad(values, ((0, 0), (0, 0), (0, 0), (0, max(0, least - width))))
        columns = _run(self._read, values)[0]
        best, sure = columns.argmax(axis=1), columns.max(axis=1)
        # The first class stands for "nothing", and one that follows itself is the same symbol.
        begins = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
        return int(begins.sum()), float(sure[begins].mean()) if begins.any() else 0.0


def _places(probable: npt.NDArray[np.float32]) -> list[tuple[Box, float, float]]:
    """The boxes of what hangs together, from 0 to 1, the largest first.

    With each the height of its line, of the picture's shorter side, and how many times that it is long.
    """
    from scipy import ndimage

    height, width = probable.shape
    parts, _ = ndimage.label(ndimage.binary_dilation(probable > _PROBABLE, np.ones((2, 2))))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        mine = parts[rows, columns] == number
        area = int(mine.sum())
        if min(tall, wide) < _LEAST_SIDE or area < _LEAST_AREA or probable[rows, columns][mine].mean() < _LIKELY:
            continue
        around = area * _UNCLIP / (2 * (tall + wide))
        box = (
            max(0.0, (columns.start - around) / width),
            max(0.0, (rows.start - around) / height),
            min(1.0, (columns.stop + around) / width),
            min(1.0, (rows.stop + around) / height),
        )
        line, along = (tall, wide) if tall < _UPRIGHT * wide else (wide, tall)
        line, along = line + 2 * around, along + 2 * around
        found.append((area, box, line / min(height, width), along / line))
    return [(box, tall, long) for _, box, tall, long in sorted(found, reverse=True)]


def _with_edge(box: Box, tall: float, size: tuple[int, int]) -> Box:
    """A box with as much around it as letters may reach beyond the place at which they were found.

    Above and below that is little; at the ends of a line a word may stand that was not found with the others.
    """
    width, height = size
    left, top, right, bottom = box
    line = tall * min(size)
    is_upright = (bottom - top) * height >= _UPRIGHT * (right - left) * width
    beside, above = (_EDGE, _ENDS) if is_upright else (_ENDS, _EDGE)
    return (
        max(0.0, left - beside * line / width),
        max(0.0, top - above * line / height),
        min(1.0, right + beside * line / width),
        min(1.0, bottom + above * line / height),
    )


def _input(picture: Image.Image) -> npt.NDArray[np.float32]:
    """``(1, 3, H, W)``: blue, green, red, from -1 to 1, as both networks were trained."""
    values = np.asarray(picture, np.float32)[..., ::-1] / 127.5 - 1
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _session(name: str, threads: int) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # which its builds for Windows would send; those for others have none
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # pictures are of all sizes, and an arena keeps the room of the largest
    return onnxruntime.InferenceSession(str(_model(name)), options, providers=["CPUExecutionProvider"])


def _run(session: Any, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: values})[0]
    return result


def _model(name: str) -> Path | None:
    """A file of the package, which is not imported: its code would bring OpenCV along."""
    spec = find_spec(_MODULE)
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    return next((path for folder in folders if (path := Path(folder) / name).is_file()), None)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
