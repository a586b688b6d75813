"""DICOM files for tests, made from arrays: every element can be set, and every syntax written that has an encoder.

All of them carry a patient called SECRET, who must never show up in a message.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

SECRET = "SECRET"  # noqa: S105 - a name, no password

# 16 x 20 values, np.add.outer(np.arange(16) * 37, np.arange(20) * 11), as a reversible HTJ2K codestream of 16 bits.
# Made once with OpenJPH (imagecodecs 2026.3.6, htj2k_encode): none of RadCBIR's libraries can write HTJ2K.
HTJ2K_VALUES = np.add.outer(np.arange(16) * 37, np.arange(20) * 11).astype(np.uint16)
HTJ2K_FRAME = base64.b64decode(
    "/0//UQApQAAAAAAUAAAAEAAAAAAAAAAAAAAAFAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJ"
    "CQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAIoAAf+TwAAm+f0FB3QAwAASgGgBh3QAwAASQAATgP0ncwCiivoAgjQA"
    "wAASQAAVQPUicwBQoaD+AAhAd1YAwAAVEAAFaDCE8NfgC3UApCQSifTgCEYhAey4AMAAKyAAFqBERERE7+Cnp6fCeABIBEEQBEEQ5P6CPYQge/"
    "YQgey8AP/Z"
)

# 8 x 10 pixels of color, HTJ2K_COLORS, by the same encoder: reversible, their components transformed (RCT).
_RAMP = np.add.outer(np.arange(8) * 20, np.arange(10) * 9).astype(np.uint8)
HTJ2K_COLORS = np.stack([_RAMP, 255 - _RAMP, np.full_like(_RAMP, 90)], axis=-1)
HTJ2K_COLOR_FRAME = base64.b64decode(
    "/0//UQAvQAAAAAAKAAAACAAAAAAAAAAAAAAACgAAAAgAAAAAAAAAAAADBwEBBwEBBwEB/1AACAACAAAAA/9SAAwAAgABAQUEBEAB/1wAEyBQWF"
    "hYWFhYWFhYWFhYUFBQ/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAANsAAf+TwBIA/CdzAMASgKMBB3QAwBKAswEHdAAAAADACUDl"
    "AAd0AMAJQJIBB3QAwAlAJgGHdADACSAEwP4AYwBt+wACNADACOAEwABjALS0AEI0AMAI4ATgF3MAbNn+AGI0AKAEwLXqCndUAMAI4AVAAeMAWA"
    "z7AOR3VQDACOAFSBJzALIy2QAAAHdWAMATQBUArf7fq3QAmSTiRknstgDAFRAFYBAA/tF+y3UApjHG/OAARgAB7LgAwBUQBWCiEOLX4At1AE7H"
    "cZzgBEYQgey4AP/Z"
)


def make_header(
    pixels: np.ndarray,
    *,
    syntax: str = uid.ExplicitVRLittleEndian,
    frames: int | None = None,
    sop_class: str = uid.CTImageStorage,
    **elements: Any,
) -> Dataset:
    """A data set that describes `pixels`, without pixel data yet.

    Args:
        pixels: (H, W), (H, W, 3), or with `frames` one dimension more in front.
        syntax: its transfer syntax.
        frames: NumberOfFrames; left out where None.
        sop_class: what kind of object it is.
        **elements: more elements, or others, by keyword; None takes one away.
    """
    shape = pixels.shape if frames is None else pixels.shape[1:]
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = sop_class
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    header.SOPClassUID, header.SOPInstanceUID = sop_class, "1.2.3.4"
    header.PatientName, header.PatientID = f"{SECRET}^{SECRET}", SECRET
    header.Modality = "CT"
    header.Rows, header.Columns = shape[:2]
    header.SamplesPerPixel = 3 if len(shape) == 3 else 1
    header.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    if len(shape) == 3:
        header.PlanarConfiguration = 0
    if frames is not None:
        header.NumberOfFrames = frames
    bits = pixels.dtype.itemsize * 8
    if pixels.dtype.kind in "iu":
        header.BitsAllocated, header.BitsStored, header.HighBit = bits, bits, bits - 1
        header.PixelRepresentation = int(pixels.dtype.kind == "i")
    else:
        header.BitsAllocated = bits
    for keyword, value in elements.items():
        if value is None:
            del header[keyword]
        else:
            setattr(header, keyword, value)
    if "BitsStored" in elements and "HighBit" not in elements:
        header.HighBit = elements["BitsStored"] - 1
    return header


def dicom_bytes(pixels: np.ndarray, **options: Any) -> bytes:
    """The file of an array in a native transfer syntax; options as for `make_header`."""
    header = make_header(pixels, **options)
    order = "<" if uid.UID(header.file_meta.TransferSyntaxUID).is_little_endian else ">"
    keyword = (
        {4: "FloatPixelData", 8: "DoubleFloatPixelData"}[pixels.itemsize] if pixels.dtype.kind == "f" else "PixelData"
    )
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    if order == ">" and pixels.itemsize == 1:
        data = np.frombuffer(data + b"\0" * (len(data) % 2), "<u2").byteswap().tobytes()
    setattr(header, keyword, data + b"\0" * (len(data) % 2))
    if keyword == "PixelData":
        header["PixelData"].VR = "OW"
    return write(header)


def encapsulated_bytes(pixels: np.ndarray, frames: Sequence[bytes], syntax: str, **options: Any) -> bytes:
    """The file of an array whose compressed frames are given; options as for `make_header`."""
    header = make_header(pixels, syntax=syntax, **options)
    header.PixelData = encapsulate(list(frames))
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    return write(header)


def compressed_bytes(
    pixels: np.ndarray, syntax: str, *, encoder: dict[str, Any] | None = None, **options: Any
) -> bytes:
    """The file of an array that pydicom compresses; options as for `make_header`."""
    header = make_header(pixels, **options)
    header.compress(syntax, pixels, generate_instance_uid=False, **(encoder or {}))
    return write(header)


def write(header: Dataset) -> bytes:
    """The bytes of a file with preamble and meta information."""
    file = BytesIO()
    dcmwrite(file, header, enforce_file_format=True)
    return file.getvalue()


def with_text(data: bytes, keyword: str, text: str) -> bytes:
    """`data` with an element, which is there already, holding this text instead, whatever the standard says."""
    tag = tag_for_keyword(keyword) or 0
    key = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + dictionary_VR(keyword).encode()
    place = data.index(key) + len(key)
    (length,) = struct.unpack_from("<H", data, place)
    value = text.encode("latin-1")
    value += b" " * (len(value) % 2)
    return data[:place] + struct.pack("<H", len(value)) + value + data[place + 2 + length :]


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    """A JPEG baseline frame by Pillow."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def lossless_jpeg(pixels: np.ndarray, precision: int) -> bytes:
    """A lossless JPEG frame (ITU-T T.81, annex H; process 14, selection value 1), written bit by bit.

    Args:
        pixels: (H, W) or (H, W, C) unsigned values under 2**precision.
        precision: bits of a value.
    """
    samples = pixels.reshape(*pixels.shape[:2], -1).astype(int)
    rows, columns, components = samples.shape
    bits = []
    for y in range(rows):
        for x in range(columns):
            for component in range(components):
                if x:
                    predicted = samples[y, x - 1, component]
                elif y:
                    predicted = samples[y - 1, 0, component]
                else:
                    predicted = 1 << (precision - 1)
                difference = (int(samples[y, x, component]) - int(predicted) + 32767) % 65536 - 32767
                bits.append(_difference_bits(difference))
    frame_header = bytes([precision]) + rows.to_bytes(2) + columns.to_bytes(2) + bytes([components])
    frame_header += b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    scan_header = bytes([components]) + b"".join(bytes([number + 1, 0]) for number in range(components)) + b"\x01\0\0"
    # All 17 categories have codes of 5 bits, which are then the categories themselves.
    table = bytes([0x00]) + bytes([0, 0, 0, 0, 17]) + bytes(11) + bytes(range(17))
    return (
        b"\xff\xd8"
        + _segment(0xC3, frame_header)
        + _segment(0xC4, table)
        + _segment(0xDA, scan_header)
        + _stuffed(bits)
    )


def flat_blocks_jpeg12(blocks: np.ndarray) -> bytes:
    """A 12-bit extended JPEG frame (ITU-T T.81, process 4) of 8 x 8 blocks that are flat, so that it is exact.

    Args:
        blocks: (H / 8, W / 8) values under 4096; each becomes one block.
    """
    bits, before = [], 0
    for value in blocks.reshape(-1).astype(int) - 2048:  # one DC coefficient; a quantizer of 8 makes it the value
        bits.append(_difference_bits(int(value) - before) + "0")  # and the end of the block
        before = int(value)
    rows, columns = blocks.shape[0] * 8, blocks.shape[1] * 8
    frame_header = bytes([12]) + rows.to_bytes(2) + columns.to_bytes(2) + bytes([1, 1, 0x11, 0])
    dc_table = bytes([0x00]) + bytes([0, 0, 0, 0, 16]) + bytes(11) + bytes(range(16))
    ac_table = bytes([0x10]) + bytes([1]) + bytes(15) + bytes([0])
    return (
        b"\xff\xd8"
        + _segment(0xDB, bytes([0]) + bytes([8] * 64))
        + _segment(0xC1, frame_header)
        + _segment(0xC4, dc_table)
        + _segment(0xC4, ac_table)
        + _segment(0xDA, bytes([1, 1, 0, 0, 63, 0]))
        + _stuffed(bits)
    )


def _difference_bits(difference: int) -> str:
    """A difference as a category of 5 bits and its value (ITU-T T.81, table H.2)."""
    category = abs(difference).bit_length()
    if category in {0, 16}:
        return f"{category:05b}"
    return f"{category:05b}{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def _stuffed(bits: list[str]) -> bytes:
    """Entropy-coded data: padded with ones, a zero byte after each 0xFF, then the end marker."""
    line = "".join(bits)
    line += "1" * (-len(line) % 8)
    data = bytes(int(line[place : place + 8], 2) for place in range(0, len(line), 8))
    return data.replace(b"\xff", b"\xff\x00") + b"\xff\xd9"
