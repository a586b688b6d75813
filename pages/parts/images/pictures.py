"""What stands for an image on a page: its thumbnail, its picture, or a labeled placeholder.

Owns the placeholder, and when it is used: a collection that was imported as embeddings may have no images at hand, and
its pages work all the same. In any other collection an image that is missing is an error, and is shown as one.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Sequence
from typing import Final

from pages.parts.frame import loaders
from pages.parts.frame.text import markup
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.images.thumbnailing import media_type_of

_LETTERS: Final = 19
_LINES: Final = 6
_SVG: Final = "image/svg+xml"


def small(collection: Collection, row: int, lines: Sequence[str]) -> str | None:
    """The address of an image's thumbnail, or of its placeholder; None where a built collection has none.

    One that is damaged on disk is one placeholder that says so, and no reason to show nothing of the others.

    Args:
        collection: Where the image is.
        row: Its row in the manifest.
        lines: What the placeholder says: modality, anatomy, pathologies; empty ones are left out.
    """
    found = _found(collection, row, lines)
    return None if found is None else inline(*found)


def small_bytes(collection: Collection, row: int, lines: Sequence[str]) -> tuple[bytes, str]:
    """What :func:`small` is an address of, and its media type; a placeholder where there is nothing.

    Args:
        collection: Where the image is.
        row: Its row in the manifest.
        lines: As for :func:`small`.
    """
    return _found(collection, row, lines) or (placeholder(lines, why="no thumbnail"), _SVG)


def _found(collection: Collection, row: int, lines: Sequence[str]) -> tuple[bytes, str] | None:
    """The thumbnail, or its placeholder, and its media type; None where a built collection has none."""
    try:
        thumbnail = loaders.thumbnail(collection, row)
    except CollectionError:
        return placeholder(lines, why="damaged on disk: build again"), _SVG
    if thumbnail is not None:
        return thumbnail, media_type_of(thumbnail)
    return (placeholder(lines), _SVG) if collection.without_images else None


def large(collection: Collection, row: int, lines: Sequence[str]) -> str:
    """The address of an image at a size to look at beside others, or of its placeholder.

    Args:
        collection: Where the image is.
        row: Its row in the manifest.
        lines: As for :func:`small`.

    Raises:
        ImageError: The file is gone or cannot be decoded, in a collection of images.
    """
    try:
        return inline(loaders.preview(collection, row), "image/png")
    except ImageError:
        if not collection.without_images:
            raise
        return inline(placeholder(lines), _SVG)


def placeholder(lines: Sequence[str], *, why: str = "no image at hand") -> bytes:
    """A dark square that says what the image would show, as SVG.

    Args:
        lines: As for :func:`small`.
        why: Why there is no image.

    >>> b"pleural effusion" in placeholder(["XR", "chest", "pleural effusion"])
    True
    >>> placeholder(["<script>"]).count(b"<script>")
    0
    """
    wrapped = [part for line in lines if line for part in textwrap.wrap(line, _LETTERS)] or ["not labeled"]
    if len(wrapped) > _LINES:
        wrapped = [*wrapped[: _LINES - 1], "…"]
    top = 100 - 11 * (len(wrapped) - 1)
    words = "".join(
        f'<text x="96" y="{top + 22 * number}" fill="{"#E8ECF2" if number == 0 else "#B9C3D0"}">{markup(line)}</text>'
        for number, line in enumerate(wrapped)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 192 192" width="192" height="192">'
        '<rect width="192" height="192" fill="#10141A"/>'
        '<rect x="3" y="3" width="186" height="186" rx="4" fill="none" stroke="#3A4452" stroke-dasharray="5 5"/>'
        f'<g font-family="Source Sans, sans-serif" font-size="17" text-anchor="middle">{words}</g>'
        '<text x="96" y="181" font-family="Source Sans, sans-serif" font-size="11" text-anchor="middle" '
        f'fill="#98A3B3">{markup(why)}</text></svg>'
    ).encode()


def inline(data: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
