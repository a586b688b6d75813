"""From a DICOM file's pixel data to the stored values of one frame.

Owns which decoder reads which transfer syntax, and the checks before one is let loose on a frame. It reads no more of
the pixel data than that frame, and knows nothing of windows.

Decoders, all under licenses compatible with Apache-2.0: native by pydicom; RLE and 8-bit JPEG by Pillow; JPEG of more
bits, JPEG-LS, JPEG 2000 and HTJ2K by GDCM.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder

from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request
from radcbir_core.images.dicom.codestream import ends_with_marker, read_jpeg2000_header, read_jpeg_header
from radcbir_core.images.dicom.packed_pixels import is_packed, span_of, unpacked
from radcbir_core.images.dicom.pydicom_plugins import OUT_OF_MEMORY
from radcbir_core.images.raster.jpeg_scans import count_scans

_NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
_JPEG = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1})
_JPEG_LS = frozenset({uid.JPEGLSLossless, uid.JPEGLSNearLossless})
_JPEG_2000 = frozenset({uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K})
SYNTAXES = _NATIVE | _JPEG | _JPEG_LS | _JPEG_2000 | {uid.RLELossless}

_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_SEQUENCE_END = 0xFFFEE0DD
# Photometric interpretations (PS3.3 C.7.6.3.1.2) that come out as gray or places in a palette, as RGB, or not at all.
_ONE_SAMPLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_THREE_SAMPLES = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_RETIRED = frozenset({"HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_REQUIRED = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation")


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data of a file is.

    Attributes:
        keyword: ``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``.
        vr: its value representation; empty where the file leaves it out.
        start: the place of its first byte in the file.
        length: its length in bytes; None for encapsulated pixel data, which ends with a marker.
        available: how many bytes the file has from there on.
    """

    keyword: str
    vr: str
    start: int
    length: int | None
    available: int


def find_pixel_element(file: BinaryIO, *, size: int, byte_order: str) -> PixelElement | None:
    """Read the pixel data element that `file` stands before, up to its value; None at the end of the file.

    Args:
        file: as pydicom leaves it when it stops before the pixel data.
        size: bytes of the file.
        byte_order: ``"<"`` or ``">"``.
    """
    start = file.tell()
    head = file.read(12)
    if len(head) < 12:
        return None
    group, element = struct.unpack_from(f"{byte_order}HH", head)
    keyword = {0x0010: "PixelData", 0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData"}.get(element)
    if group != 0x7FE0 or keyword is None:
        return None
    # Explicit VR: two letters, two reserved bytes, length. Implicit VR: the length at once (PS3.5, 7.1).
    vr = head[4:6].decode("latin-1")
    if vr in {"OB", "OW", "OF", "OD", "UN"}:
        value, place = start + 12, 8
    else:
        vr, value, place = "", start + 8, 4
    (length,) = struct.unpack_from(f"{byte_order}L", head, place)
    return PixelElement(keyword, vr, value, None if length == _UNDEFINED_LENGTH else length, size - value)


def read_stored_values(
    file: BinaryIO,
    header: Dataset,
    *,
    syntax: uid.UID,
    element: PixelElement,
    frame: int,
    frames: int,
    request: Request,
) -> tuple[np.ndarray, str]:
    """Decode the stored values of one frame.

    Args:
        file: the DICOM file.
        header: its image pixel module.
        syntax: its transfer syntax, one of `SYNTAXES`.
        element: where its pixel data is.
        frame: the frame, counted from 0.
        frames: how many there are.
        request: for its limits and its messages.

    Returns:
        (H, W) or (H, W, 3) values, of an integer type, signed if the header says so, or float for float pixel data;
        and the photometric interpretation that they have now: color is RGB.

    Raises:
        ImageError: a header that says too little, a color space that is not supported, pixel data that break off.
        ImageTooLargeError: over the pixel limit.
        Exception: whatever a decoder raises on a damaged frame; `decode_image` turns it into an ImageError.
    """
    missing = [keyword for keyword in _REQUIRED if header.get(keyword) is None]
    if missing:
        raise request.error("a DICOM header with " + " and ".join(missing), f"without {missing[0]}", remedy=COPY_AGAIN)
    rows, columns = int(header.Rows), int(header.Columns)
    request.check_pixels(columns, rows)
    options = _options(header, element, frames=frames, compressed=syntax not in _NATIVE)
    photometric = str(options["photometric_interpretation"])
    samples = options["samples_per_pixel"]
    if photometric not in _ONE_SAMPLE | _THREE_SAMPLES or samples != (1 if photometric in _ONE_SAMPLE else 3):
        known = photometric if photometric in _ONE_SAMPLE | _THREE_SAMPLES | _RETIRED else "another color space"
        raise request.error(
            "gray, palette, RGB or YBR_FULL pixels",
            f"{known} with {samples} samples a pixel",
            remedy="Export it as RGB or as grayscale.",
        )

    if syntax in _NATIVE and is_packed(options["bits_allocated"]):
        _check_native_length(options, element, request=request)
        big_endian = syntax == uid.ExplicitVRBigEndian
        values = _read_packed(file, element, options, frame=frame, big_endian=big_endian, request=request)
        high_bit = int(header.get("HighBit", options["bits_stored"] - 1))
        return _keep_stored_bits(values, bits_stored=options["bits_stored"], high_bit=high_bit), photometric

    file.seek(element.start)
    extended_offsets = None
    if "ExtendedOffsetTable" in header and "ExtendedOffsetTableLengths" in header:
        extended_offsets = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    source: Any = file
    if syntax in _NATIVE:
        _check_native_length(options, element, request=request)
        decoder, plugin, index = get_decoder(syntax), "", frame
        options["correct_unused_bits"] = False
        options["view_only"] = True  # of bytes that nobody else has: no second copy
    else:
        _check_fragments(file, element, request=request)
        compressed = get_frame(file, frame, number_of_frames=frames, extended_offsets=extended_offsets)
        decoder, plugin = _choose_decoder(compressed, syntax, options=options, request=request)
        options["number_of_frames"] = 1
        source, index = encapsulate([compressed], has_bot=False), 0

    try:
        values, decoded_as = decoder.as_array(source, index=index, decoding_plugin=plugin, **options)
    except RuntimeError as error:
        if OUT_OF_MEMORY in str(error):
            raise MemoryError from error
        raise
    if options.get("correct_unused_bits") is False:
        bits_stored = options.get("bits_stored", 0)
        values = _keep_stored_bits(
            values, bits_stored=bits_stored, high_bit=int(header.get("HighBit", bits_stored - 1))
        )
    return values.astype(values.dtype.newbyteorder("="), copy=False), str(decoded_as["photometric_interpretation"])


def _options(header: Dataset, element: PixelElement, *, frames: int, compressed: bool) -> dict[str, Any]:
    """The options of pydicom's decoders, which are given a place in a file instead of a data set."""
    options: dict[str, Any] = {
        "pixel_keyword": element.keyword,
        "pixel_vr": element.vr,
        "rows": int(header.Rows),
        "columns": int(header.Columns),
        "number_of_frames": frames,
        "samples_per_pixel": int(header.SamplesPerPixel),
        "bits_allocated": int(header.BitsAllocated),
        "photometric_interpretation": str(header.PhotometricInterpretation),
    }
    if compressed and is_packed(options["bits_allocated"]):
        # Decoders give whole bytes, whatever the file had before it was compressed.
        options["bits_allocated"] = 8 if options["bits_allocated"] < 8 else 16
    if element.keyword == "PixelData":
        options["bits_stored"] = int(header.get("BitsStored", header.BitsAllocated))
        options["pixel_representation"] = int(header.get("PixelRepresentation", 0))
    if options["samples_per_pixel"] > 1:
        # How compressed samples lie is the matter of their stream, and of the plug-in that unpacks it; the attribute
        # means nothing there, and writers leave in it what the image had before (PS3.3 C.7.6.3.1.3; PS3.5, 8.2).
        options["planar_configuration"] = 0 if compressed else int(header.get("PlanarConfiguration") or 0)
    return options


def _read_packed(
    file: BinaryIO, element: PixelElement, options: dict[str, Any], *, frame: int, big_endian: bool, request: Request
) -> np.ndarray:
    """One frame of pixels that straddle bytes."""
    bits, size = options["bits_allocated"], (options["rows"], options["columns"])
    if options["samples_per_pixel"] > 1:
        raise request.error(
            "color pixels of whole bytes", f"color with {bits} bits allocated", remedy="Export it as 8-bit RGB."
        )
    pixels = size[0] * size[1]
    first, last = span_of(frame, pixels=pixels, bits=bits)
    file.seek(element.start + first)
    packed = file.read(min(last, element.length or 0) - first)
    signed = bool(options["pixel_representation"])
    return unpacked(packed, frame, pixels=pixels, bits=bits, signed=signed, big_endian=big_endian).reshape(size)


def _check_native_length(options: dict[str, Any], element: PixelElement, *, request: Request) -> None:
    """Raise ImageError unless all frames that the header announces are there."""
    if element.length is None:
        raise request.damaged("DICOM")
    bits = options["rows"] * options["columns"] * options["samples_per_pixel"] * options["bits_allocated"]
    if options["photometric_interpretation"] == "YBR_FULL_422":
        bits = bits // 3 * 2  # one Cb and one Cr for two pixels (PS3.3 C.7.6.3.1.2)
    expected = (bits * options["number_of_frames"] + 7) // 8
    if element.length < expected or element.available < element.length:
        present = min(element.length, element.available)
        raise request.error(
            f"{max(expected, element.length):,} bytes of pixel data", f"cut off after {present:,}", remedy=COPY_AGAIN
        )


def _check_fragments(file: BinaryIO, element: PixelElement, *, request: Request) -> None:
    """Raise ImageError unless the encapsulated pixel data go on to their end marker (PS3.5, A.4).

    A decoder may not notice that its frame was cut off, and a frame in the middle may be whole in a file that is not.
    """
    start = place = file.tell()
    end = start + element.available
    while place + 8 <= end:
        file.seek(place)
        group, number, length = struct.unpack("<HHL", file.read(8))
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            file.seek(start)
            return
        if tag != _ITEM or length == _UNDEFINED_LENGTH:
            raise request.damaged("DICOM")
        place += 8 + length
    raise request.error("pixel data up to their end marker", "cut off in the pixel data", remedy=COPY_AGAIN)


def _choose_decoder(frame: bytes, syntax: uid.UID, *, options: dict[str, Any], request: Request) -> tuple[Decoder, str]:
    """Choose the decoder of a compressed frame, and check that the frame fits the header and is whole.

    Returns:
        The decoder and the name of its plug-in; `options` is adapted to it.
    """
    if syntax == uid.RLELossless:
        options["correct_unused_bits"] = False
        return _decoder(syntax, "rle", path=("radcbir_core.images.dicom.pydicom_plugins", "decode_rle")), "rle"

    announced = read_jpeg2000_header(frame) if syntax in _JPEG_2000 else read_jpeg_header(frame)
    size = (announced.width, announced.height, announced.components)
    if size != (options["columns"], options["rows"], options["samples_per_pixel"]):
        raise request.error(
            f"a frame of {options['columns']} x {options['rows']} x {options['samples_per_pixel']}, as its header says",
            f"a compressed frame of {size[0]} x {size[1]} x {size[2]}",
            remedy=COPY_AGAIN,
        )
    if syntax in _JPEG:
        request.check_scans(count_scans(frame))
    if not ends_with_marker(frame):
        raise request.error("a compressed frame up to its end marker", "cut off in the pixel data", remedy=COPY_AGAIN)
    if announced.precision > 16:
        raise request.damaged("DICOM")
    by_gdcm = _decoder(syntax, "gdcm", path=("radcbir_core.images.dicom.gdcm_frames", "decode"))
    if syntax not in _JPEG:
        if syntax in _JPEG_2000 and announced.marked_color:
            # Undone, the transform leaves RGB, whatever space the header names (PS3.5, 8.2.4).
            options["photometric_interpretation"] = "RGB"
        return by_gdcm, "gdcm"

    options["correct_unused_bits"] = False
    options["bits_allocated"] = 8 if announced.precision <= 8 else 16
    options["bits_stored"] = min(options["bits_stored"], options["bits_allocated"])
    if announced.precision <= 8 and not (announced.lossless and announced.components > 1):
        return _decoder(syntax, "pillow", path=("radcbir_core.images.dicom.pydicom_plugins", "decode_jpeg")), "pillow"
    return by_gdcm, "gdcm"


@cache
def _decoder(syntax: uid.UID, name: str, *, path: tuple[str, str]) -> Decoder:
    """A decoder with one plug-in of ours (module and function); pydicom's own decoders stay as they are."""
    decoder = Decoder(syntax)
    decoder.add_plugin(name, path)
    return decoder


def _keep_stored_bits(values: np.ndarray, *, bits_stored: int, high_bit: int) -> np.ndarray:
    """Drop the bits above and below those that hold the pixel, and extend its sign (PS3.5, 8.1.1).

    Bits above may hold overlays; files from before 1998 may have the pixel in the upper bits.

    Example:
        >>> stored = np.array([0xF0FF, 0x0801], np.uint16).view(np.int16)
        >>> _keep_stored_bits(stored, bits_stored=12, high_bit=11).tolist()
        [255, -2047]
    """
    bits = values.dtype.itemsize * 8
    if values.dtype.kind not in "iu" or not bits_stored - 1 <= high_bit < bits:
        return values
    above, outside = bits - 1 - high_bit, bits - bits_stored
    if outside == 0:
        return values
    kept: np.ndarray = np.left_shift(values, above)
    np.right_shift(kept, outside, out=kept)
    return kept
