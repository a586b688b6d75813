"""DICOM: which objects are images, and the way from a file to the values of a frame.

Owns the reading of the header. It reads only the elements that are needed, none of which name a patient. It imports
pydicom, so it is itself imported when the first DICOM file is met.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from radcbir_core.errors import ImageError, NoPixelDataError
from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request
from radcbir_core.images.decoding.quiet import quiet
from radcbir_core.images.dicom.frames import SYNTAXES, PixelElement, find_pixel_element, read_stored_values
from radcbir_core.images.dicom.numbers import number_texts
from radcbir_core.images.dicom.presentation import (
    PALETTE_ELEMENTS,
    PIXEL_SHAPE_ELEMENTS,
    FrameHeader,
    palette_colors,
    pixel_ratio,
    with_presentation,
)
from radcbir_core.images.display.grayscale import full_range
from radcbir_core.images.display.square_pixels import RESAMPLED, square_size
from radcbir_core.images.file_types import HEAD_BYTES, sniff
from radcbir_core.images.stored_image import StoredImage

_DEFAULT_LIMITS = Limits()
_PIECE = 1 << 20
SHOWING_ELEMENTS = [
    "SOPClassUID",
    "Modality",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "PresentationLUTShape",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *PALETTE_ELEMENTS,
    *PIXEL_SHAPE_ELEMENTS,
]

# Objects whose pixel data show no patient: maps of labels, and grids of radiation doses.
_NO_PICTURE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation (a map of labels)",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation (a map of labels)",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose",
}
_NO_PICTURE_MODALITIES = {"SEG": "a segmentation (a map of labels)", "RTDOSE": "a radiotherapy dose"}


def read_dicom(file: BinaryIO, *, size: int, request: Request) -> StoredImage:
    """Read one frame of a DICOM object, and how it is to be shown.

    Args:
        file: the file, at its start.
        size: its bytes.
        request: what is wanted.

    Returns:
        Gray values as they are stored, color as RGB. Overlays and ICC profiles are not applied.

    Raises:
        NoPixelDataError: an object without a picture: a report, a plan, a segmentation, a dose.
        ImageTooLargeError: over the pixel limit, or over the byte limit once inflated.
        ImageError: a transfer syntax or a color space that is not supported, a frame that is not there, a file that is
            cut off.
        Exception: whatever pydicom or a decoder raises on a damaged file; `read_stored` turns it into an ImageError.
    """
    file, size, deflated = inflated(file, size=size, request=request)
    header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=SHOWING_ELEMENTS)
    syntax = DeflatedExplicitVRLittleEndian if deflated else transfer_syntax_of(header)
    byte_order = ">" if syntax == ExplicitVRBigEndian else "<"
    # Past the end: pydicom skipped an element that the file does not hold to its end.
    element = None if file.tell() > size else find_pixel_element(file, size=size, byte_order=byte_order)
    element = _refuse_unless_picture(header, element, past_end=file.tell() > size, request=request)
    if syntax not in SYNTAXES:
        raise request.error(
            "a transfer syntax that can be decoded",
            "in an unknown transfer syntax" if syntax.name == syntax else f"in {syntax.name}",
            remedy="Export it uncompressed, or as JPEG 2000.",
        )

    context = FrameHeader(header, 0, byte_order)
    frames = max(1, int(context.number(header, "NumberOfFrames") or 1))
    frame = request.choose_frame(frames)
    context = replace(context, frame=frame)
    values, photometric = read_stored_values(
        file, header, syntax=syntax, element=element, frame=frame, frames=frames, request=request
    )
    square = square_size(*values.shape[:2], ratio=pixel_ratio(context), limits=request.limits)
    if square is not None:
        context.remark(RESAMPLED)
    image = StoredImage(
        name=request.name,
        stored=values,
        format="DICOM",
        frame=frame if frames > 1 else None,
        frames=frames,
        square=square,
        remarks=tuple(context.remarks),
    )
    if photometric.startswith("MONOCHROME"):
        return with_presentation(image, context, photometric=photometric, request=request)
    if photometric == "PALETTE COLOR":
        return replace(image, stored=palette_colors(values, context))
    if image.stored.dtype != np.uint8 and context.bits_stored <= 8:
        return replace(image, voi=full_range(0.0, float(2**context.bits_stored - 1)))
    return image


def read_elements(
    source: Path | bytes, keywords: Sequence[str], *, name: str = "", limits: Limits = _DEFAULT_LIMITS
) -> Dataset:
    """The named elements of a DICOM file's header, and nothing else of it; pixels are not read.

    Args:
        source: the file, or its content.
        keywords: which elements, by their keywords (PS3.6).
        name: what messages call it; the file's name by default.
        limits: what the file may cost once it is inflated.

    Returns:
        A data set with those of the elements that the file has; `file_meta` is that of the file.

    Raises:
        ImageError: the file is not there, is no DICOM, or is damaged.
    """
    request = Request(name or (source.name if isinstance(source, Path) else "the upload"), None, limits)
    try:
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream, quiet():
            is_dicom = sniff(stream.read(HEAD_BYTES)) == "DICOM"
            size = len(source) if isinstance(source, bytes) else os.fstat(stream.fileno()).st_size
            stream.seek(0)
            if is_dicom:
                file, _, _ = inflated(stream, size=size, request=request)
                header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(keywords))
                for keyword in keywords:
                    # Values are decoded when they are asked for: now, where a fault is caught. Numbers in text are
                    # left as they are written, for `numbers` to judge.
                    if dictionary_VR(keyword) not in {"DS", "IS"}:
                        header.get(keyword)
                return header
    except ImageError:
        raise
    except OSError as error:
        raise request.error("a DICOM file", f"unreadable ({error.strerror})", remedy="Check the disk.") from error
    except Exception as error:
        # As in decode_image: pydicom raises whatever comes up on damaged data, and its text may quote the header.
        raise request.damaged("DICOM") from error
    raise request.error("a DICOM file", "something else", remedy="Leave it out.")


def plain_elements(header: Dataset, keywords: Sequence[str]) -> dict[str, str | int]:
    """The elements of a header as text, or whole numbers where they are binary; those that are empty are left out.

    Numbers in text stay as they are written, for ``numbers`` to judge, with a backslash between several.
    """
    elements: dict[str, str | int] = {}
    for keyword in keywords:
        if dictionary_VR(keyword) in {"DS", "IS"}:
            value: object = "\\".join(number_texts(header, keyword))
        else:
            value = header.get(keyword)
        if value not in (None, ""):
            elements[keyword] = value if isinstance(value, int) else str(value)
    return elements


def inflated(file: BinaryIO, *, size: int, request: Request) -> tuple[BinaryIO, int, bool]:
    """A file with its data set inflated, its size, and whether it had the deflated transfer syntax (PS3.5, A.5).

    pydicom would inflate whatever there is; this stops at the byte limit.
    """
    head = file.read(4096)
    file.seek(0)
    deflated = str(DeflatedExplicitVRLittleEndian).encode()
    place = head.find(deflated)
    if place < 0:
        return file, size, False
    # (0002,0000), the first element, holds the length of the rest of its group (PS3.10, 7.1).
    meta = 132 if head[128:132] == b"DICM" else 0
    if head[meta : meta + 8] != b"\x02\x00\x00\x00UL\x04\x00":
        raise request.damaged("DICOM")
    start = meta + 12 + int.from_bytes(head[meta + 8 : meta + 12], "little")
    if place > start:
        return file, size, False

    plain = str(ExplicitVRLittleEndian).encode().ljust(len(deflated), b"\x00")
    whole = BytesIO()
    whole.write(head[:place] + plain + head[place + len(deflated) : start])
    file.seek(start)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = b""
    # In pieces that are let go: what is inflated is there once.
    while not inflater.eof and (content or (content := file.read(_PIECE))):
        whole.write(inflater.decompress(content, _PIECE))
        request.check_bytes(min(whole.tell() - start, request.limits.max_bytes + 1))
        content = inflater.unconsumed_tail
    if not inflater.eof:
        raise request.damaged("DICOM")
    size = whole.tell()
    whole.seek(0)
    return whole, size, True


def transfer_syntax_of(header: Dataset) -> UID:
    """The transfer syntax, or the one that pydicom took a file without one to be in."""
    named = header.file_meta.get("TransferSyntaxUID")
    if named:
        return UID(named)
    implicit, little = header.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _refuse_unless_picture(
    header: Dataset, element: PixelElement | None, *, past_end: bool, request: Request
) -> PixelElement:
    """The pixel data element of a picture; raises for every other object."""
    named = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or ""
    sop_class = UID(str(named))
    remedy = "Use the image that belongs to it."
    why = _NO_PICTURE_CLASSES.get(str(sop_class)) or _NO_PICTURE_MODALITIES.get(str(header.get("Modality", "")))
    if why is not None:
        raise request.error("a DICOM object that is an image", why, remedy=remedy, kind=NoPixelDataError)
    if element is not None:
        return element
    known = sop_class.name if sop_class.name != sop_class else ""
    if past_end or "Rows" in header or "Image" in known or (not known and len(header) == 0):
        raise request.error(
            "a DICOM image with its pixel data", "without them, or cut off before them", remedy=COPY_AGAIN
        )
    raise request.error(
        "a DICOM object that is an image",
        f"{known or 'an object'} without pixel data",
        remedy=remedy,
        kind=NoPixelDataError,
    )
