"""The way in: a file or its bytes, of whatever format, to a decoded image.

Owns the questions that are asked about a file: what it shows, what it holds, how large its picture is, what its DICOM
header says, which images a DICOMDIR names. Each is answered by the process that decodes (``decoding_process``), whoever
the file came from, so that no file can take more memory or time than `Limits` allow, or end the process that asks.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from radcbir_core.errors import ImageError
from radcbir_core.images.decoded_image import DecodedImage, Limits
from radcbir_core.images.decoding import decoding_process
from radcbir_core.images.decoding.decoding_request import image_error
from radcbir_core.images.decoding.image_messages import (
    Measured,
    Prepared,
    decoded_from,
    limits_to_message,
    measured_from,
    prepared_from,
    stored_from,
    volume_from,
)
from radcbir_core.images.fitting import Fitting
from radcbir_core.images.nifti.facts import VolumeFacts
from radcbir_core.images.stored_image import StoredImage
from radcbir_core.images.thumbnailing import thumbnail_of

_DEFAULT_LIMITS = Limits()
_FILES_AT_ONCE = 64


def decode_image(
    source: Path | bytes,
    *,
    name: str | None = None,
    frame: int | None = None,
    window: tuple[float, float] | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> DecodedImage:
    """Decode one image as it is shown.

    It is :func:`read_stored`, then :func:`~radcbir_core.images.display.showing.display_image`.

    Safe to call from several threads.

    Args:
        source: a file, or the content of one.
        name: what messages call it; the file's name by default. It is shown, so give no path that names a patient.
        frame: the frame of a multi-frame DICOM object, the page of a TIFF, or the slice of a NIfTI volume, counted from
            0; the middle one by default. Reduced copies and masks in a TIFF are no pages; slices are counted from the
            feet, the back, or the patient's left.
        window: (center, width) of a linear window over gray values, in the values after the modality LUT or rescale,
            instead of the file's own.
        limits: what the file may cost.

    Returns:
        Gray (H, W) or RGB (H, W, 3), uint8, with the window that was used.

    Raises:
        ImageError: there is no such file, or it is empty, damaged, cut off, an animation, none of these formats, or it
            takes too long.
        ImageTooLargeError: over a limit of size or memory.
        NoPixelDataError: a DICOM object without a picture in it.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("L", (4, 3), 200).save(file, "PNG")
        >>> image = decode_image(file.getvalue(), name="flat.png")
        >>> image.format, image.pixels.shape, int(image.pixels.max()), image.window
        ('PNG', (3, 4), 200, None)
    """
    message, data = _ask("display", source, name=name, frame=frame, limits=limits, window=window)
    return decoded_from(message, data)


def read_stored(
    source: Path | bytes, *, name: str | None = None, frame: int | None = None, limits: Limits = _DEFAULT_LIMITS
) -> StoredImage:
    """Read what one image file holds, before anything of it is shown; safe to call from several threads.

    The content decides the format, never the name: PNG, JPEG, TIFF, WebP, BMP, DICOM with or without its preamble, or
    NIfTI, packed by gzip or not.

    Args:
        source: a file, or the content of one.
        name: what messages call it; the file's name by default. It is shown, so give no path that names a patient.
        frame: the frame of a multi-frame DICOM object, the page of a TIFF, or the slice of a NIfTI volume, counted from
            0; the middle one by default. Reduced copies and masks in a TIFF are no pages; slices are counted from the
            feet, the back, or the patient's left.
        limits: what the file may cost.

    Raises:
        ImageError: there is no such file, or it is empty, damaged, cut off, an animation, none of these formats, or it
            takes too long.
        ImageTooLargeError: over a limit of size or memory.
        NoPixelDataError: a DICOM object without a picture in it.

    Example:
        >>> from io import BytesIO
        >>> import numpy as np
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.fromarray(np.array([[0, 40_000]], np.uint16)).save(file, "PNG")
        >>> read_stored(file.getvalue()).values().tolist()
        [[0.0, 40000.0]]
    """
    message, data = _ask("stored", source, name=name, frame=frame, limits=limits)
    return stored_from(message, data)


def measure_images(
    files: Sequence[tuple[str | Path, str, int | None]], *, limits: Limits = _DEFAULT_LIMITS
) -> Iterator[Measured | ImageError]:
    """Decode images only to know that they can be, their size and their digest; many at once, which is quicker.

    Args:
        files: each with what messages call it, and the frame that is wanted.
        limits: what each file may cost.

    Yields:
        For each file, in their order, what was found, or the error that decoding it raises.
    """
    waiting = iter(files)
    while batch := list(islice(waiting, _FILES_AT_ONCE)):
        asked = [
            {"path": _absolute(path), "name": str(name), "frame": _frame(frame, str(name))}
            for path, name, frame in batch
        ]
        for answer, _ in _ask_in_turn("measure", asked, limits):
            yield decoding_process.error_in(answer) or measured_from(answer)


def prepare_images(
    files: Sequence[tuple[str | Path, int | None]],
    *,
    fitting: Fitting,
    thumbnails: bool,
    limits: Limits = _DEFAULT_LIMITS,
) -> Iterator[Prepared | ImageError]:
    """Decode images as :func:`decode_image` shows them, only to bring them to size; many at once, which is quicker.

    What is done to a picture is done where it is decoded, so that no whole picture is handed over.

    Args:
        files: each with the frame that is wanted.
        fitting: to which size, and how.
        thumbnails: whether there is to be a small picture of each.
        limits: what each file may cost.

    Yields:
        For each file, in their order, the picture at its size, or the error that decoding it raises.
    """
    asked = [
        {"path": _absolute(path), "name": Path(path).name, "frame": _frame(frame, Path(path).name)}
        for path, frame in files
    ]
    options = {"fitting": fitting.to_message(), "thumbnails": thumbnails}
    for answer, data in _ask_in_turn("prepare", asked, limits, **options):
        error = decoding_process.error_in(answer)
        if error is not None:
            yield error
            continue
        prepared = prepared_from(answer, data)
        if not prepared.is_fitted:
            thumbnail = thumbnail_of(prepared.pixels) if thumbnails else b""
            prepared = Prepared(fitting(prepared.pixels), thumbnail)
        yield prepared


def read_header(
    source: Path | bytes, keywords: Sequence[str], *, name: str | None = None, limits: Limits = _DEFAULT_LIMITS
) -> dict[str, Any]:
    """The named elements of a DICOM file's header, and nothing else of it; pixels are not read.

    Args:
        source: the file, or the content of one.
        keywords: which elements, by their keywords (PS3.6).
        name: what messages call it; the file's name by default.
        limits: what the file may cost.

    Returns:
        Keyword → value, for those that have one: whole numbers where they are binary, else text; several parts of a
        number in text have a backslash between them, as in the file.

    Raises:
        ImageError: the file is not there, is no DICOM, is damaged, or takes too long.
    """
    message, _ = _ask("header", source, name=name, limits=limits, keywords=list(keywords))
    elements: dict[str, Any] = message["elements"]
    return elements


def read_volume(source: Path, *, limits: Limits = _DEFAULT_LIMITS) -> VolumeFacts:
    """What is known of a NIfTI volume as a whole: its slices and their plane, spacing, and what its values seem to be.

    Args:
        source: the file.
        limits: what the file may cost, once it is unpacked.

    Raises:
        ImageError: the package that reads NIfTI is not installed; the file is not there, is none, or is damaged.
        ImageTooLargeError: over a limit of size or memory.
    """
    message, _ = _ask("volume", source, name=source.name, limits=limits)
    return volume_from(message)


def strip_dicom(
    data: bytes, values: Mapping[str, str], *, name: str | None = None, limits: Limits = _DEFAULT_LIMITS
) -> bytes:
    """A DICOM file with the same pictures and nothing else of it but what places and shows them, and what is given.

    See :mod:`radcbir_core.images.dicom.stripping` for what is kept.

    Args:
        data: the content of a file.
        values: keyword → text of elements that are put in, such as pseudonyms; empty ones are left out.
        name: what messages call it.
        limits: what the file may cost.

    Raises:
        ImageError: it is no DICOM, is damaged, or takes too long.
    """
    _, content = _ask("stripped", data, name=name, limits=limits, values=dict(values))
    return bytes(content)


def read_directory(source: Path, *, limits: Limits = _DEFAULT_LIMITS) -> list[list[str]]:
    """The components of the file IDs of a DICOMDIR's image records, in the order of the records.

    Args:
        source: the DICOMDIR.
        limits: what it may cost; ten times as long as an image, because it stands for many.

    Raises:
        ImageError: it is none, is damaged, or takes too long.
    """
    longer = replace(limits, max_seconds=10 * limits.max_seconds)
    message, _ = _ask("directory", source, name=source.name, limits=longer)
    ids: list[list[str]] = message["ids"]
    return ids


def _ask(
    wanted: str, source: Path | bytes, *, name: str | None, limits: Limits, **options: Any
) -> tuple[dict[str, Any], bytes]:
    """Ask about one file.

    Raises:
        ImageError: as the answer says.
    """
    name = None if name is None else str(name)
    if isinstance(source, bytes):
        path, data, called = None, source, name or "the upload"
    else:
        path, data, called = _absolute(source), b"", name or source.name
    if "frame" in options:
        options["frame"] = _frame(options["frame"], called)
    if options.get("window") is not None:
        options["window"] = _window(options["window"], called)
    request = {"wanted": wanted, "path": path, "name": called, "limits": limits_to_message(limits), **options}
    answer = decoding_process.ask(request, data=data, name=called, limits=limits)
    error = decoding_process.error_in(answer[0])
    if error is not None:
        raise error
    return answer


def _frame(frame: Any, name: str) -> int | None:
    """A frame as a plain number, of whatever library it is."""
    if frame is None:
        return None
    try:
        return operator.index(frame)
    except TypeError as error:
        raise image_error(
            name, "a whole number of a frame", f"asked for frame {frame!r}"[:200], remedy="Give a whole number."
        ) from error


def _window(window: Any, name: str) -> tuple[float, float]:
    """Center and width as plain numbers, of whatever library they are."""
    try:
        center, width = window
        return _plain(center), _plain(width)
    except (TypeError, ValueError) as error:
        raise image_error(
            name, "a window of two numbers", f"asked for {window!r}"[:200], remedy="Give its center and width."
        ) from error


def _plain(number: Any) -> float:
    return number if isinstance(number, int | float) else float(number)


def _absolute(path: str | Path) -> str:
    """A path that means the same in a process that was started elsewhere."""
    return str(path) if os.path.isabs(path) else str(Path(path).absolute())  # noqa: PTH117 - a Path costs more


def _ask_in_turn(
    wanted: str, files: Iterable[dict[str, Any]], limits: Limits, **options: Any
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Ask about several files with few messages; the answers, in their order, each with the bytes behind it."""
    left = list(files)
    together = len(left)
    while left:
        asked = left[:together]
        request = {"wanted": wanted, "files": asked, "limits": limits_to_message(limits), **options}
        name = asked[0]["name"]
        answer, data = decoding_process.ask(request, name=name, limits=limits)
        if "answers" in answer:
            start = 0
            for one in answer["answers"]:
                end = start + one.get("bytes", 0)
                yield one, data[start:end]
                start = end
            left = left[len(answer["answers"]) :]
        elif len(asked) > 1:
            # One of them was too much: which one, is found by asking about each alone.
            together = 1
        else:
            yield answer, b""
            left = left[1:]
