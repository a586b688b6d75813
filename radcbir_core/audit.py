"""Who did what: one line an action, appended to a file of the data folder that is never rewritten.

Owns that file. It is written before the thing is done, so that what was begun is known even where the machine stops in
the middle, and it holds no more than names: of people, of collections, of jobs.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from radcbir_core.collections.layout import data_folder
from radcbir_core.storage import disk_errors, make_private_folder

FILE: Final = "audit.jsonl"
_LONGEST: Final = 200


def audit_path() -> Path:
    """The file, in the data folder."""
    return data_folder() / FILE


def account() -> str:
    """The account that this runs as, by its name, or by its number where it has none, as in many containers."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return f"account {os.getuid()}" if hasattr(os, "getuid") else "unknown account"


def record(action: str, subject: str, *, who: str, role: str) -> None:
    """Append one line; on disk when this returns.

    Args:
        action: What is done, in a word or two.
        subject: To what: the name of a collection, or the id of a job.
        who: The person.
        role: As what they do it.

    Raises:
        StorageError: The disk refuses it; the action must then not be done.
    """
    said = {"who": who, "role": role, "action": action, "subject": subject}
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    line |= {key: value[:_LONGEST] for key, value in said.items()}
    path = audit_path()
    with disk_errors(path):
        make_private_folder(path.parent)
        # One write of a short line is one line, also where several processes append.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
