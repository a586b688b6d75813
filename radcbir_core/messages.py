"""Messages between this process and a helper process: JSON with bytes behind it.

Owns the form of a message, and how a helper that is spoken to in them is ended. Each side reads and writes whole
messages on a binary stream.
"""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
from typing import Any, BinaryIO


def send(stream: BinaryIO, message: dict[str, Any], *, data: bytes | memoryview = b"") -> None:
    """Write one message with data: two lengths, the message as JSON, the data.

    Example:
        >>> import io
        >>> stream = io.BytesIO()
        >>> send(stream, {"rows": 2}, data=b"ab")
        >>> _ = stream.seek(0)
        >>> receive(stream)
        ({'rows': 2}, b'ab')
    """
    text = json.dumps(message).encode()
    stream.write(struct.pack("<QQ", len(text), len(data)))
    stream.write(text)
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read one message with its data.

    Raises:
        EOFError: The other side is gone.
    """
    text_length, data_length = struct.unpack("<QQ", _read_all(stream, 16))
    message = json.loads(_read_all(stream, text_length))
    return message, _read_all(stream, data_length)


def end_helper(helper: subprocess.Popen[bytes]) -> None:
    """Kill a helper process that has pipes for its input and output, and leave nothing of it."""
    helper.kill()
    helper.wait()
    for stream in (helper.stdin, helper.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was still to be written went to a process that is gone
                stream.close()


def _read_all(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the other side is gone")
    return data
