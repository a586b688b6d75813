r"""The parts of a multipart/related answer, as WADO-RS gives them (PS3.18, 8.6.1.2; RFC 2046, 5.1; RFC 2387).

Owns finding the boundary in a header and the parts between boundaries. It works on a body that is there whole, which
its reader has limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message

_MOST_HEADER = 16 * 1024


class MultipartError(ValueError):
    """A body that is not what its header says."""


def media_type_of(header: str) -> tuple[str, str, str]:
    r"""The media type of a Content-Type header, the type of its parts, and its boundary; "" for what is not there.

    Example:
        >>> media_type_of('multipart/related; type="application/dicom"; boundary=ab-1')
        ('multipart/related', 'application/dicom', 'ab-1')
        >>> media_type_of("application/dicom")
        ('application/dicom', '', '')
    """
    message = Message()
    message["Content-Type"] = header
    kind, boundary = message.get_param("type", ""), message.get_param("boundary", "")
    return message.get_content_type() if header else "", str(kind).lower(), str(boundary)


def parts_of(body: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    r"""The media type and content of each part, in their order.

    Raises:
        MultipartError: It has no such boundary, or ends before the last one.

    Example:
        >>> body = b"--1\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--1--\r\n"
        >>> list(parts_of(body, "1"))
        [('application/dicom', b'DICM')]
    """
    mark = b"--" + boundary.encode("latin-1", "replace")
    place = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if not boundary or (place < 2 and not body.startswith(mark)):
        raise MultipartError("no boundary")
    while True:
        place += len(mark)
        if body[place : place + 2] == b"--":
            return
        start = body.find(b"\r\n", place, place + _MOST_HEADER)
        if start < 0 or body[place:start].strip(b" \t"):
            raise MultipartError("a boundary that goes on")
        # A part without headers begins with the empty line.
        end = start if body[start : start + 4] == b"\r\n\r\n" else body.find(b"\r\n\r\n", start, start + _MOST_HEADER)
        after = body.find(b"\r\n" + mark, start)
        if end < 0 or after < end:
            raise MultipartError("cut off")
        yield _type_of(body[start + 2 : end]), body[end + 4 : after]
        place = after + 2


def _type_of(headers: bytes) -> str:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return media_type_of(value.strip().decode("latin-1"))[0]
    return ""
