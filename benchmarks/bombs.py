"""Files that are small and take much: peak memory and time of decoding each, just under the limits of size.

Usage: python -m benchmarks.bombs [--side 9999] [--only NAME …] [--markdown FILE]

Writes each kind of file below, of --side x (--side + 1) pixels where it has a size, and decodes it with `decode_image`,
asked by a process of its own, after a small file. Says the size of the file, how it ended, the seconds, and the
largest memory of the process that asks and of the one that decodes. Ends with exit code 1 where one of them had more
than 1 GiB, it took more than two minutes and five seconds, or the process that asked did not survive it.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

from radcbir_core.images import Limits
from radcbir_core.images.decoded_image import CLOCK_SECONDS

MEBIBYTE = 1024 * 1024
_MOST = 1024 * MEBIBYTE
_GRACE_SECONDS = 5.0
_BLOCK = bytes(MEBIBYTE)


def deflated(size: int, *, raw: bool = False, step: bytes = _BLOCK) -> bytes:
    """Compress ``size`` zero bytes without having them."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15 if raw else 15)
    whole, rest = divmod(size, len(step))
    parts = [compressor.compress(step) for _ in range(whole)]
    return b"".join([*parts, compressor.compress(step[:rest]), compressor.flush()])


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def png(
    width: int, height: int, *, bits: int, color_type: int, further: bytes = b"", interlaced: bool = False
) -> bytes:
    """A black PNG."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    size = height * (1 + width * samples * bits // 8)
    if interlaced:
        size = 0
        for x, y, across, down in (
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ):
            columns, rows = -(-(width - x) // across), -(-(height - y) // down)
            size += rows * (1 + columns * samples * bits // 8) if columns > 0 and rows > 0 else 0
    header = struct.pack(">LLBBBBB", width, height, bits, color_type, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), further, chunk(b"IDAT", deflated(size)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    width: int,
    height: int,
    *,
    bits: int,
    sample_format: int = 1,
    samples: int = 1,
    pages: int = 1,
    compressed: bool = True,
) -> bytes:
    """A black TIFF of one deflated strip, which all pages share."""
    size = width * height * samples * bits // 8
    strip = deflated(size) if compressed else bytes(size)
    strip += bytes(len(strip) % 2)
    extra = struct.pack(f"<{samples}H", *[bits] * samples)
    file = bytearray(b"II*\x00" + struct.pack("<L", 8 + len(strip) + len(extra)) + strip + extra)
    start = 8 + len(strip)
    for page in range(pages):
        entries = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, samples, bits if samples == 1 else start),
            (259, 3, 1, 8 if compressed else 1),
            (262, 3, 1, 2 if samples > 2 else 1),
            (273, 4, 1, 8),
            (277, 3, 1, samples),
            (278, 4, 1, height),
            (279, 4, 1, len(strip)),
            (339, 3, 1, sample_format),
        ]
        if samples == 4:
            entries.insert(-1, (338, 3, 1, 2))
        file += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
        file += struct.pack("<L", len(file) + 4 if page + 1 < pages else 0)
    return bytes(file)


def dicom(
    pixels: bytes, width: int, height: int, *, syntax: str, bits: int = 16, keyword: str = "PixelData", **elements: Any
) -> bytes:
    """A DICOM file with these bytes as its pixel data."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = uid.CTImageStorage, "1.2.3", "CT"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = height, width, 1, "MONOCHROME2"
    data.BitsAllocated = bits
    if keyword == "PixelData":
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, 0
    for name, value in elements.items():
        setattr(data, name, value)
    setattr(data, keyword, pixels)
    if keyword == "PixelData":
        data["PixelData"].VR = "OB" if uid.UID(syntax).is_encapsulated else "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def deflated_dicom(width: int, height: int, *, bits: int, keyword: str = "PixelData") -> bytes:
    """A deflated DICOM file of zeros; the pixel data are compressed without having them."""
    plain = dicom(b"", width, height, syntax=uid.ExplicitVRLittleEndian, bits=bits, keyword=keyword)
    size = width * height * bits // 8
    start = 144 + struct.unpack_from("<L", plain, 140)[0]
    head = bytearray(plain[start:])
    head[-4:] = struct.pack("<L", size)
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    parts = [compressor.compress(bytes(head))]
    parts += [compressor.compress(_BLOCK) for _ in range(size // MEBIBYTE)]
    parts += [compressor.compress(bytes(size % MEBIBYTE)), compressor.flush()]
    named = dicom(b"", 1, 1, syntax=uid.DeflatedExplicitVRLittleEndian, bits=bits, keyword=keyword)
    meta = named[: 144 + struct.unpack_from("<L", named, 140)[0]]
    return meta + b"".join(parts)


def rle(width: int, height: int, *, bits: int) -> bytes:
    """An RLE DICOM file of zeros: a run of 128 in two bytes (PS3.5, annex G)."""
    pixels, segments = width * height, bits // 8
    segment = b"\x81\x00" * (pixels // 128) + (
        bytes([257 - pixels % 128, 0]) if pixels % 128 > 1 else b"\x00\x00" * (pixels % 128)
    )
    segment += bytes(len(segment) % 2)
    offsets = [64 + n * len(segment) for n in range(segments)]
    frame = struct.pack("<16L", segments, *offsets, *[0] * (15 - segments)) + segment * segments
    return dicom(encapsulate([frame], has_bot=False), width, height, syntax=uid.RLELossless, bits=bits)


def compressed_dicom(width: int, height: int, *, syntax: str) -> bytes:
    """A DICOM file of zeros that GDCM decodes."""
    from pydicom.pixels import compress

    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = uid.CTImageStorage, "1.2.3", "CT"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = height, width, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    compress(data, syntax, np.zeros((height, width), np.uint16))
    file = io.BytesIO()
    dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def jpeg(width: int, height: int, *, mode: str = "L", scans: int = 0) -> bytes:
    """A progressive JPEG, one of whose scans is repeated."""
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def webp(width: int, height: int, *, mode: str = "RGBA") -> bytes:
    """A lossless WebP."""
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "WEBP", lossless=True, method=0, quality=0)
    return file.getvalue()


def bmp(width: int, height: int) -> bytes:
    """A palette BMP, run-length encoded: 255 pixels in two bytes."""
    line = b"\xff\x00" * (width // 255) + (bytes([width % 255, 0]) if width % 255 else b"") + b"\x00\x00"
    pixels = line * height + b"\x00\x01"
    offset = 14 + 40 + 1024
    header = struct.pack("<2sLHHL", b"BM", offset + len(pixels), 0, 0, offset)
    header += struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(pixels), 2835, 2835, 256, 0)
    return header + bytes(1024) + pixels


def nested(depth: int) -> bytes:
    """A DICOM file whose functional groups are nested."""
    data = dicom(bytes(2), 1, 1, syntax=uid.ExplicitVRLittleEndian)
    raw = b""
    for _ in range(depth):  # by hand: pydicom cannot write that deep
        inner = b"\xfe\xff\x00\xe0" + struct.pack("<L", 0xFFFFFFFF) + raw + b"\xfe\xff\x0d\xe0" + bytes(4)
        raw = b"\x28\x00\x10\x91SQ\x00\x00" + struct.pack("<L", 0xFFFFFFFF) + inner + b"\xfe\xff\xdd\xe0" + bytes(4)
    shared = (
        b"\x00\x52\x29\x92SQ\x00\x00"
        + struct.pack("<L", 0xFFFFFFFF)
        + b"\xfe\xff\x00\xe0"
        + struct.pack("<L", 0xFFFFFFFF)
        + raw
    )
    shared += b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
    place = data.index(b"\xe0\x7f\x10\x00")
    return data[:place] + shared + data[place:]


def many_items(count: int) -> bytes:
    """A DICOM file with many functional groups, all of which are empty."""
    data = dicom(bytes(2), 1, 1, syntax=uid.ExplicitVRLittleEndian)
    items = (b"\xfe\xff\x00\xe0" + bytes(4)) * count
    groups = b"\x00\x52\x30\x92SQ\x00\x00" + struct.pack("<L", len(items)) + items
    place = data.index(b"\xe0\x7f\x10\x00")
    return data[:place] + groups + data[place:]


def texts(count: int) -> bytes:
    """A PNG with compressed texts of 16 MiB each."""
    text = chunk(b"zTXt", b"Comment\x00\x00" + deflated(16 * MEBIBYTE))
    return png(8, 8, bits=8, color_type=0, further=text * count)


def kinds(side: int) -> dict[str, Callable[[], bytes]]:
    """Name → how to write it."""
    w, h = side, side + 1
    palette = chunk(b"PLTE", bytes(range(256)) * 3) + chunk(b"tRNS", bytes(range(256)))
    return {
        "PNG gray": lambda: png(w, h, bits=8, color_type=0),
        "PNG RGB": lambda: png(w, h, bits=8, color_type=2),
        "PNG RGBA": lambda: png(w, h, bits=8, color_type=6),
        "PNG RGBA, interlaced": lambda: png(w, h, bits=8, color_type=6, interlaced=True),
        "PNG LA": lambda: png(w, h, bits=8, color_type=4),
        "PNG palette, transparent": lambda: png(w, h, bits=8, color_type=3, further=palette),
        "PNG gray, 16 bits": lambda: png(w, h, bits=16, color_type=0),
        "PNG LA, 16 bits": lambda: png(w, h, bits=16, color_type=4),
        "PNG RGB, 16 bits": lambda: png(w, h, bits=16, color_type=2),
        "PNG RGBA, 16 bits": lambda: png(w, h, bits=16, color_type=6),
        "PNG, pixels 2:1": lambda: png(
            w, h // 2, bits=8, color_type=2, further=chunk(b"pHYs", struct.pack(">LLB", 2000, 1000, 1))
        ),
        "PNG, 100 texts of 16 MiB": lambda: texts(100),
        "TIFF float32": lambda: tiff(w, h, bits=32, sample_format=3),
        "TIFF float32, not compressed": lambda: tiff(w, h, bits=32, sample_format=3, compressed=False),
        "TIFF float64": lambda: tiff(w, h, bits=64, sample_format=3),
        "TIFF int32": lambda: tiff(w, h, bits=32, sample_format=2),
        "TIFF RGBA": lambda: tiff(w, h, bits=8, samples=4),
        "TIFF RGB, 16 bits": lambda: tiff(w, h, bits=16, samples=3),
        "TIFF of many pages": lambda: tiff(8, 8, bits=8, pages=20 * side),
        "JPEG progressive RGB": lambda: jpeg(w, h, mode="RGB"),
        "JPEG of 5,000 scans": lambda: jpeg(w // 2, h // 2, scans=5000),
        "WebP RGBA": lambda: webp(w, h),
        "BMP, run lengths": lambda: bmp(w, h),
        "DICOM deflated, 16 bits": lambda: deflated_dicom(w, h, bits=16),
        "DICOM deflated, 32 bits": lambda: deflated_dicom(w, h, bits=32),
        "DICOM deflated, float": lambda: deflated_dicom(w, h, bits=32, keyword="FloatPixelData"),
        "DICOM deflated, double": lambda: deflated_dicom(w, h * 2 // 3, bits=64, keyword="DoubleFloatPixelData"),
        "DICOM RLE, 16 bits": lambda: rle(w, h, bits=16),
        "DICOM RLE, 32 bits": lambda: rle(w, h, bits=32),
        "DICOM JPEG-LS": lambda: compressed_dicom(w, h, syntax=uid.JPEGLSLossless),
        "DICOM JPEG 2000": lambda: compressed_dicom(w, h, syntax=uid.JPEG2000Lossless),
        "DICOM nested 3,000 deep": lambda: nested(3000),
        "DICOM of many groups": lambda: many_items(400 * side),
    }


_DECODE = """
import json, resource, sys, time
from pathlib import Path
from radcbir_core.errors import RadcbirError
from radcbir_core.images import decode_image
from radcbir_core.images.decoding import decoding_process
decode_image(Path(sys.argv[2]))
start = time.perf_counter()
try:
    image = decode_image(Path(sys.argv[1]))
    ended = "decoded"
except RadcbirError as error:
    ended = str(error)
seconds = time.perf_counter() - start
decoding_process.end_all()
(own,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
decodes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"ended": ended, "seconds": seconds, "asks": int(own) / 1024, "decodes": decodes / 1024}))
"""


def measured(file: Path, warm: Path) -> dict[str, Any]:
    """Decode a file in a process of its own, after a small one."""
    done = subprocess.run(
        [sys.executable, "-c", _DECODE, str(file), str(warm)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        return {
            "ended": f"the process that asked ended with {done.returncode}: {done.stderr[-300:]}",
            "seconds": 0,
            "asks": 0,
            "decodes": 0,
        }
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def lines(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each kind, the bytes of its file, and what became of it."""
    warm = folder / "warm"
    warm.write_bytes(png(8, 8, bits=8, color_type=0))
    for name, write in kinds(options.side).items():
        if options.only and not any(part in name for part in options.only):
            continue
        file = folder / "bomb"
        file.write_bytes(write())
        yield name, file.stat().st_size, measured(file, warm)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=9999)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--markdown", type=Path, help="where to write the table for docs/figures.md")
    options = parser.parse_args()
    rows, faults = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name, size, result in lines(options, Path(folder)):
            ended = result["ended"].replace("bomb", "the file")
            fault = max(result["asks"], result["decodes"]) > _MOST / MEBIBYTE or ended.startswith("the process")
            fault |= result["seconds"] > CLOCK_SECONDS * Limits().max_seconds + _GRACE_SECONDS
            faults += fault
            cells = [
                name,
                f"{size / 1e6:.2f} MB",
                f"{result['asks']:.0f} MiB",
                f"{result['decodes']:.0f} MiB",
                f"{result['seconds']:.1f} s",
                ended,
            ]
            rows.append("| " + " | ".join(cells) + " |")
            print(("FAULT " if fault else "      ") + "   ".join(cells), flush=True)
    if options.markdown:
        head = (
            "| file | size | memory of who asks | of the process that decodes | time | ended |\n" + "|---" * 6 + "|\n"
        )
        options.markdown.write_text(head + "\n".join(rows) + "\n")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
