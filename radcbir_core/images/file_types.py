"""Which files are images: by name for a folder, by content for everything else.

Owns the list of formats that are read. It looks at names and first bytes and decodes nothing.
"""

from __future__ import annotations

import codecs
import os
import re
import zlib
from pathlib import Path
from typing import Literal

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".dcm", ".dicom", ".ima"}
    | {".nii", ".nii.gz"}
)
VOLUME_SUFFIXES: frozenset[str] = frozenset({".nii", ".nii.gz"})
"""Of files that hold all slices of a volume."""

# How many first bytes `sniff` and `describe` want to see.
HEAD_BYTES = 512

_DICM_OFFSET = 128
_DICM = b"DICM"
_GZIP = b"\x1f\x8b"
_NIFTI_1_BYTES, _NIFTI_2_BYTES = 348, 540
_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})
_DICOM_VALUE_REPRESENTATIONS = frozenset(
    # What the first elements of groups 0002 and 0008 can have (PS3.6).
    ("AE", "CS", "DA", "DT", "LO", "OB", "SH", "SQ", "TM", "UI", "UL", "UN", "US")
)
# Beside DICOM, WebP, BMP and NIfTI, which take more than a comparison.
_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_STRANGERS = (
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 codestream"),
)


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, both parts of ``.nii.gz``; "" where it has none.

    Example:
        >>> suffix_of("a/SCAN.PNG"), suffix_of("sub-01_T1w.nii.gz"), suffix_of("a.csv.gz"), suffix_of("IM0001")
        ('.png', '.nii.gz', '.gz', '')
    """
    lowered = name.lower()
    if lowered.endswith(".nii.gz"):
        return ".nii.gz"
    file = lowered[lowered.rfind("/") + 1 :]  # a Path takes ten times as long, and there may be millions
    dot = file.rfind(".")
    return file[dot:] if 0 < dot < len(file) - 1 else ""


def is_volume_name(name: str) -> bool:
    """Whether a file's name says that it holds all slices of a volume.

    Example:
        >>> [is_volume_name(name) for name in ("a.nii", "b/c.NII.GZ", "d.dcm")]
        [True, True, False]
    """
    return suffix_of(name) in VOLUME_SUFFIXES


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether a folder's file `path` should be taken for an image.

    The suffix decides. Scanners also write DICOM without a suffix, or under a UID whose last number looks like one:
    such a file counts if its bytes 128 to 131 say ``DICM`` (DICOM PS3.10, 7.1). What macOS leaves beside a copied file
    (``._scan.png``) does not count.

    Example:
        >>> [is_image_name(name) for name in ("a/SCAN.PNG", "b.dcm", "notes.txt", "._a.png")]
        [True, True, False, False]
    """
    file = Path(path)
    if file.name.startswith("._"):
        return False
    suffix = suffix_of(file.name)
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            return _has_dicom_prefix(stream.read(_DICM_OFFSET + len(_DICM)))
    except OSError:
        # Not readable: it cannot be told from a file of another kind.
        return False


def sniff(head: bytes) -> str | None:
    r"""The format that a file's first `HEAD_BYTES` bytes announce, or None.

    DICOM goes first: its preamble may hold another format's magic on purpose (DICOM PS3.10, 7.1, dual-personality
    files).

    Example:
        >>> sniff(b"\x89PNG\r\n\x1a\n"), sniff(b"BM" + bytes(12) + b"(\0\0\0"), sniff(b"hello")
        ('PNG', 'BMP', None)
    """
    if _has_dicom_prefix(head):
        return "DICOM"
    for magic, image_format in _MAGICS:
        if head.startswith(magic):
            return image_format
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if _is_nifti(head):
        return "NIFTI"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return "DICOM" if _starts_like_dicom(head) else None


def describe(head: bytes) -> str:
    r"""What a file that is none of our formats seems to be, in a few words for a message.

    Example:
        >>> describe(b"GIF89a"), describe(b"patient,finding\n"), describe(bytes(9))
        ('a GIF', 'text', 'something else')
    """
    for magic, words in _STRANGERS:
        if head.startswith(magic):
            return words
    try:
        # A letter may be cut in half where the head ends, but not where the file does.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return "something else"
    return "something else" if re.search(r"[\x00-\x08\x0e-\x1f]", text) else "text"


def _is_nifti(head: bytes) -> bool:
    """Whether it is a NIfTI header (nifti1.h, nifti2.h), packed by gzip or not."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _NIFTI_1_BYTES)
        except zlib.error:
            return False
    sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    if _NIFTI_1_BYTES in sizes:
        return head[_NIFTI_1_BYTES - 4 : _NIFTI_1_BYTES] in {b"n+1\0", b"ni1\0"}
    return _NIFTI_2_BYTES in sizes and head[4:8] in {b"n+2\0", b"ni2\0"}


def _has_dicom_prefix(head: bytes) -> bool:
    return head[_DICM_OFFSET : _DICM_OFFSET + len(_DICM)] == _DICM


def _starts_like_dicom(head: bytes) -> bool:
    """Whether `head` opens with a plausible element of group 0002 or 0008: DICOM written without its preamble."""
    if len(head) < 8:
        return False
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    for order in orders:
        group, element = int.from_bytes(head[0:2], order), int.from_bytes(head[2:4], order)
        if group not in {0x0002, 0x0008} or element > 0x0100:
            continue
        if head[4:6].decode("latin-1") in _DICOM_VALUE_REPRESENTATIONS:
            return True
        # Implicit VR exists in little endian only (PS3.5, A.1); the first elements of these groups are short.
        length = int.from_bytes(head[4:8], "little")
        if order == "little" and length % 2 == 0 and length <= 256:
            return True
    return False
