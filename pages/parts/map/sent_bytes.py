"""What pages have made ready for browsers to fetch: bytes by their digest, the last few.

Owns the store. A page's script puts in what it is about to name; the route takes it from here (routes.py). Bytes that
have gone are put in again by the next run of the page: no address is named before its bytes are here.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import Final

MOST_BYTES: Final = 192 * 2**20
"""A map of 1.6 million images is 6.4 MB, its colors and filters 1.6 MB and less each."""

_KEPT: Final[OrderedDict[str, bytes]] = OrderedDict()
_LOCK: Final = Lock()


def keep(content: bytes, *, digest: str = "", most: int = MOST_BYTES) -> str:
    """Make bytes ready to be fetched; what was asked for longest ago goes where there are too many.

    Args:
        content: The bytes.
        digest: Of the bytes, where it is known already.
        most: How many bytes are kept at most; the newest are kept in any case.

    Returns:
        Their digest.

    >>> keep(b"x") == keep(b"x"), fetch(keep(b"x"))
    (True, b'x')
    """
    digest = digest or blake2b(content, digest_size=16).hexdigest()
    with _LOCK:
        _KEPT[digest] = content
        _KEPT.move_to_end(digest)
        while len(_KEPT) > 1 and sum(map(len, _KEPT.values())) > most:
            _KEPT.popitem(last=False)
    return digest


def fetch(digest: str) -> bytes | None:
    """The bytes of a digest; None where they are not here, or not any more."""
    with _LOCK:
        if digest in _KEPT:
            _KEPT.move_to_end(digest)
        return _KEPT.get(digest)
