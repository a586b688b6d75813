"""Files of sessions, such as uploads, for the viewer to fetch values of.

Owns the table of keys. The files themselves belong to their session, which shows them, and go with it: nothing here
keeps them. A key is made with a secret of this process, so that nobody can ask for a file that they were not shown.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from weakref import WeakValueDictionary

_SECRET: Final = secrets.token_bytes(32)


@dataclass(frozen=True)
class SessionFile:
    """A file.

    Attributes:
        name: What messages call it.
        data: Its bytes.
        frame: Which of its frames is shown first; None for the middle one.
    """

    name: str
    data: bytes
    frame: int | None = None


_KNOWN: Final[WeakValueDictionary[str, SessionFile]] = WeakValueDictionary()


def key_of(file: SessionFile, *, owner: str) -> str:
    """The key by which a file is fetched, as long as its session holds it.

    Args:
        file: The file.
        owner: Names the session, so that two of them with the same file do not share a key.
    """
    name = b"\0".join((owner.encode(), file.name.encode(), b""))
    key = blake2b(name + file.data, key=_SECRET, digest_size=20).hexdigest()
    _KNOWN[key] = file
    return key


def fetch(key: str) -> SessionFile | None:
    """The file of a key; None where it is not here, or not any more."""
    return _KNOWN.get(key)
