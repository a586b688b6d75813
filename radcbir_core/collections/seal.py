"""Whether this machine has made a file itself.

Owns the key of a data folder and the seals made with it. A digest says that a file is as it was recorded, and whoever
hands over a folder has written both; a seal can be made only with the key, which no archive and no folder of a
collection holds. What is read by code that trusts its file, such as an index, is opened only under a seal.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import secrets
import uuid
from pathlib import Path

from radcbir_core.collections.layout import data_folder
from radcbir_core.storage import disk_errors, make_private_folder

_KEY = "machine.key"
_KEY_BYTES = 32
_PUBLISHED = "cb9ab3ed4715666685eafba02f22728e8949ac0f7ea9dc976192c35ce73fb967"
"""SHA-256 of a key that was once in the repository: everybody has it, so it seals nothing."""


def sealed(digest: str) -> str:
    """The seal for content of a digest; the key is made when it is first needed.

    Raises:
        StorageError: No space left, or no permission.
    """
    return _seal(_key() or _new_key(), digest)


def is_sealed(digest: str, seal: object) -> bool:
    """Whether content of a digest was sealed with the key of this data folder, on a machine of this kind."""
    key = _key()
    return key is not None and isinstance(seal, str) and hmac.compare_digest(_seal(key, digest), seal)


def _seal(key: bytes, digest: str) -> str:
    made_on = f"{platform.system()} {platform.machine()}"
    return hmac.digest(key, f"{made_on}\0{digest}".encode(), "sha256").hex()


def _key_path() -> Path:
    return data_folder() / _KEY


def _key() -> bytes | None:
    try:
        key = _key_path().read_bytes()
    except OSError:
        return None
    if len(key) != _KEY_BYTES or hashlib.sha256(key).hexdigest() == _PUBLISHED:
        return None
    return key


def _new_key() -> bytes:
    """Make the key, for its owner's eyes; the one of another process, if that was quicker."""
    path = _key_path()
    with disk_errors(path):
        make_private_folder(path.parent)
        partial = path.with_name(f".partial-{uuid.uuid4().hex}-{_KEY}")
        try:
            with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            if _key() is None:
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path.read_bytes()
