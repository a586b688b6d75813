"""What this machine has found out of an encoder's large files, for the processes that come after.

Owns one small file an encoder. To read gigabytes for their digest, and to look at each of their numbers, takes seconds,
which the first query of every process would wait for. What was found out of a file holds as long as that very file
stays as it is: path, size, inode, and the times at which it and its entry were changed, of which nobody can set the
last. The list is believed only under this machine's seal, since whoever hands over a folder could have written it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from radcbir_core.collections.encoder_data.checked_arrays import forget_values, lasting_values, recall_values
from radcbir_core.collections.layout import EncoderLayout
from radcbir_core.collections.seal import is_sealed, sealed
from radcbir_core.errors import RadcbirError
from radcbir_core.storage import (
    FileIdentity,
    digest_of,
    forget_digest,
    identity_of,
    is_settled,
    lasting_digest,
    read_json,
    recall_digest,
    write_json,
)

SMALLEST: Final = 16 << 20
"""Bytes. Smaller files are read again as soon as one has looked up what is known of them."""

_FORM: Final = 1
_read: dict[Path, FileIdentity | None] = {}
"""The lists that this process has read, as they were then."""
_kept: dict[Path, list[Any]] = {}
"""What this process knows to be in them."""
_recalled: set[FileIdentity] = set()
"""Files of which this process knows from the list alone."""


def recall(layout: EncoderLayout) -> None:
    """Know what earlier processes have found out of an encoder's files, if it was this machine and is still true."""
    path = layout.known_files
    now = _identity(path)
    if now is None or _read.get(path) == now:
        return
    _read[path] = now
    _kept[path] = _believed(path)
    for name, size, inode, changed, entry_changed, digest, images in _kept[path]:
        identity = (str(layout.folder / name), size, inode, changed, entry_changed)
        if _identity(layout.folder / name) == identity and recall_digest(identity, digest):
            _recalled.add(identity)
            for number in images:
                recall_values(identity, number)


def keep(layout: EncoderLayout, paths: Iterable[Path]) -> None:
    """Write down what is known of an encoder's files, where there is something new; a disk that refuses it is let be.

    Args:
        layout: Whose.
        paths: Its files.
    """
    found = {line[0]: line for line in _kept.get(layout.known_files, []) if (layout.folder / line[0]).exists()}
    for path in paths:
        identity = _identity(path)
        digest = None if identity is None else lasting_digest(identity)
        if identity is not None and digest is not None and identity[1] >= SMALLEST:
            name = str(path.relative_to(layout.folder))
            found[name] = [name, *identity[1:], digest, lasting_values(identity)]
    lines = sorted(found.values())
    if lines == _kept.get(layout.known_files, []):
        return
    _kept[layout.known_files] = lines
    with contextlib.suppress(OSError, RadcbirError):
        write_json(layout.known_files, {"form": _FORM, "files": lines, "seal": sealed(_digest(lines))})
        _read[layout.known_files] = _identity(layout.known_files)


def distrust(layout: EncoderLayout, paths: Iterable[Path]) -> None:
    """Have files be read and looked at again of which only earlier processes know: for who builds on them."""
    recall(layout)  # or it would be recalled later
    for identity in _recalled.intersection(map(_identity, paths)):
        _recalled.discard(identity)
        forget_digest(identity)
        forget_values(identity)


def unsettled(path: Path, *, holds_values: bool) -> bool:
    """Whether later processes would have to read a large file again; if so, it is read again when next asked for.

    What was looked at as soon as it was written could have been changed within the same step of the disk's clock.

    Args:
        path: One of an encoder's files.
        holds_values: Whether its values are looked at, too.
    """
    identity = _identity(path)
    if identity is None or identity[1] < SMALLEST or not is_settled(identity, at=time.time_ns()):
        return False
    if lasting_digest(identity) is not None and (lasting_values(identity) or not holds_values):
        return False
    forget_digest(identity)
    forget_values(identity)
    return True


def _believed(path: Path) -> list[Any]:
    """The lines of a list under this machine's seal; none where it is no such list."""
    try:
        told = read_json(path)
    except RadcbirError:
        return []
    lines = told.get("files")
    if told.get("form") != _FORM or not isinstance(lines, list) or not is_sealed(_digest(lines), told.get("seal")):
        return []
    return lines


def _digest(lines: list[Any]) -> str:
    return digest_of("known files", json.dumps(lines))


def _identity(path: Path) -> FileIdentity | None:
    try:
        return identity_of(path)
    except OSError:
        return None
