"""The list of files that a checkpoint folder was published with, and whether they are still those.

Owns ``kit.json``, which any checkpoint folder may hold beside its files: ``{"files": {"name": "SHA-256, hex", …}}``. A
folder without one is taken as it is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from radcbir_core.encoders.base import shown
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_file

KIT = "kit.json"
RESTORE = "Fetch or copy the folder again from where it came from."


def check_kit(folder: Path, *, restore: str = RESTORE) -> None:
    """Make sure that every file which ``kit.json`` of ``folder`` lists is there, byte for byte.

    Args:
        folder: Of a checkpoint; without a ``kit.json`` nothing is checked.
        restore: How the folder is made whole again, for the message.

    Raises:
        EncoderError: A listed file is missing, truncated or altered, or the list itself cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "weights").write_text("whole")
        >>> _ = (folder / "kit.json").write_text('{"files": {"weights": "%s"}}' % digest_file(folder / "weights"))
        >>> check_kit(folder)
    """
    if not (folder / KIT).is_file():
        return
    for name, digest in _listed(folder / KIT, restore=restore).items():
        path = folder / name
        try:
            found = digest_file(path)
            size = path.stat().st_size
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            raise EncoderError(f"Expected the file that {KIT} lists, but {path} {reason}. {restore}") from error
        if found != digest:
            raise EncoderError(
                f"Expected the file that {KIT} lists, but {path} ({size:,} bytes) is truncated or altered: its "
                f"SHA-256 begins with {found[:8]}, not {digest[:8]}. {restore}"
            )


def _listed(path: Path, *, restore: str) -> dict[str, str]:
    try:
        kit: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not valid JSON"
        raise EncoderError(f"Expected a readable list of files, but {path} {reason}. {restore}") from error
    files = kit.get("files") if isinstance(kit, dict) else None
    if not isinstance(files, dict) or not files:
        raise EncoderError(f"Expected files with their SHA-256, but {path} lists none. {restore}")
    for name, digest in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise EncoderError(f"Expected names of files in the folder, but {path} lists '{shown(name)}'. {restore}")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise EncoderError(
                f"Expected a SHA-256 of 64 hex digits, but {path} has another for '{shown(name)}'. {restore}"
            )
    return files
