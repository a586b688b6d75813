"""The slices of a volume one by one, without unpacking the file anew for each.

Owns where a volume's values lie while its slices are asked for: in the file itself where a slice is one piece of it;
else in a file without a name, unpacked once and turned so that each slice is one piece. Of a gzip file no more is
unpacked than the first volume that its header announces, and the limits are checked before that. What was uploaded
stays in memory. The volumes that were asked for last are kept, and go with the process that decodes.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import math
import os
import tempfile
import threading
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request
from radcbir_core.images.decoding.file_content import KEPT_WHOLE
from radcbir_core.images.display.grayscale import Rescale
from radcbir_core.images.nifti.header import HEADER_BYTES, VolumeHeader, read_header
from radcbir_core.images.nifti.look import Look, look_of

GZIP = b"\x1f\x8b"
_PIECE = 8 * 1024 * 1024
_KEPT = 2
_LOOKED_AT_SLICES, _LOOKED_AT_PIXELS = 16, 1 << 15


class Volume:
    """A volume whose slices can be read.

    Args:
        header: What it is.
        file: Where its values lie, each slice in one piece; it is the volume's own.
        start: Of the first slice as it is stored, in bytes.
    """

    def __init__(self, header: VolumeHeader, file: BinaryIO, *, start: int) -> None:
        self.header = header
        self._file = file
        self._start = start
        self._look: Look | None = None

    def close(self) -> None:
        """Let its file go."""
        self._file.close()

    def look(self) -> Look:
        """How its slices ask to be shown, all of them alike; found out once, from some voxels of some slices."""
        if self._look is None:
            header = self.header
            chosen = np.unique(np.linspace(0, header.slices - 1, min(_LOOKED_AT_SLICES, header.slices)).round())
            parts = []
            for number in chosen.astype(int).tolist():
                flat = self.slice(number).reshape(-1, header.samples)
                parts.append(flat[:: max(1, len(flat) // _LOOKED_AT_PIXELS)])
            self._look = look_of(np.concatenate(parts), header)
        return self._look

    def slice(self, number: int) -> np.ndarray:
        """(H, W) values of one slice as it is looked at, or (H, W, C) of color; in this machine's byte order.

        Complex numbers are their magnitudes. Slices are counted from 0 in the order of ``plane``.

        Raises:
            EOFError: The file has become shorter.
        """
        header, plane = self.header, self.header.plane
        stored = header.slices - 1 - number if plane.turned[0] else number
        self._file.seek(self._start + stored * header.slice_bytes)
        data = self._file.read(header.slice_bytes)
        if len(data) < header.slice_bytes:
            raise EOFError
        first, second = sorted((plane.down, plane.across))  # of which the first runs faster
        sizes = (header.shape[second], header.shape[first], *((header.samples,) if header.samples > 1 else ()))
        values = np.frombuffer(data, header.dtype).reshape(sizes)
        if plane.down == first:
            values = values.swapaxes(0, 1)
        values = values[:: -1 if plane.turned[1] else 1, :: -1 if plane.turned[2] else 1]
        if header.kind == "complex":
            scale = header.rescale or Rescale()  # of the real and of the imaginary part
            values = np.abs(values * scale.slope + scale.intercept * (1 + 1j))
        return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False))


class Volumes:
    """The volumes that were asked for last; safe to share between threads, one of which is served at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Volume] = OrderedDict()

    def of(self, file: BinaryIO, *, size: int, request: Request) -> Volume:
        """The volume in an open file; call it, and use what it gives, under the lock.

        Args:
            file: At its start; with a name, or in memory.
            size: Its bytes.
            request: For its limits and its messages.

        Raises:
            ImageError: As :func:`read_header`; the file is cut off, or there is no room to unpack it.
            Exception: Whatever gzip and nibabel raise of damaged files.
        """
        key = (*_identity(file), request.limits)
        volume = self._kept.pop(key, None)
        if volume is None:
            volume = open_volume(file, size=size, request=request)
            while len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)[1].close()
        self._kept[key] = volume
        return volume

    def forget(self) -> None:
        """Let all of them go."""
        with self.lock:
            for volume in self._kept.values():
                volume.close()
            self._kept.clear()


VOLUMES = Volumes()
"""Those of this process."""


def _identity(file: BinaryIO) -> tuple[object, ...]:
    """What a file is known by: nobody can write into it and leave all of that as it was."""
    if isinstance(file, BytesIO):
        return (hashlib.sha256(file.getbuffer()).digest(),)
    status = os.fstat(file.fileno())
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def open_volume(file: BinaryIO, *, size: int, request: Request) -> Volume:
    """Open a volume anew; arguments and errors are those of :meth:`Volumes.of`."""
    packed = file.read(2) == GZIP
    file.seek(0)
    unpacked: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    head = unpacked.read(HEADER_BYTES)
    header = read_header(head, request=request)
    needed = math.prod(header.shape) * header.voxel_bytes
    if not packed and size < header.offset + needed:
        present = max(0, size - header.offset)
        raise request.error(f"{needed:,} bytes of voxels", f"cut off after {present:,}", remedy=COPY_AGAIN)
    if not packed and header.plane.axis == 2:  # a slice is one piece of the file
        own = BytesIO(file.getvalue()) if isinstance(file, BytesIO) else Path(file.name).open("rb")  # noqa: SIM115 - the volume's own
        return Volume(header, own, start=header.offset)
    try:
        target: BinaryIO = BytesIO()
        if not isinstance(file, BytesIO):
            target = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=KEPT_WHOLE))  # noqa: SIM115 - likewise
        try:
            _turn(unpacked, header, target, skipped=len(head))
        except BaseException:
            target.close()
            raise
        return Volume(header, target, start=0)
    except EOFError as error:
        raise request.error(f"{needed:,} bytes of voxels", "cut off before", remedy=COPY_AGAIN) from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
            raise
        raise request.error(
            f"room for {needed:,} bytes among the temporary files of this machine",
            f"not unpacked ({error.strerror})",
            remedy="Free some space, or unpack the file.",
        ) from error


def _turn(unpacked: BinaryIO, header: VolumeHeader, target: BinaryIO, *, skipped: int) -> None:
    """Write the first volume of an unpacked stream, of which so many bytes were read, slice by slice.

    Raises:
        EOFError: The stream ends before.
    """
    plane_bytes = header.shape[0] * header.shape[1] * header.voxel_bytes
    at_once = max(1, _PIECE // plane_bytes)
    axis = header.plane.axis
    _skip(unpacked, header.offset - skipped)
    for first in range(0, header.shape[2], at_once):
        count = min(at_once, header.shape[2] - first)
        data = _exactly(unpacked, count * plane_bytes)
        if axis == 2:
            target.write(data)
            continue
        voxels = np.frombuffer(data, np.dtype((np.void, header.voxel_bytes)))
        block = voxels.reshape(count, header.shape[1], header.shape[0])
        # Of a slice, what this block has of it follows what the blocks before have.
        pieces = np.ascontiguousarray(np.moveaxis(block, 2 - axis, 0))
        across = header.shape[1 - axis] * header.voxel_bytes
        for number, piece in enumerate(pieces):
            target.seek(number * header.slice_bytes + first * across)
            target.write(piece.tobytes())


def _skip(stream: BinaryIO, count: int) -> None:
    """Read so many bytes for nothing; where more were read already, the header's own extension is missing."""
    if count < 0:
        stream.seek(count, os.SEEK_CUR)  # back by less than a header: GzipFile unpacks that again
    while count > 0:
        count -= len(_exactly(stream, min(count, _PIECE)))


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
