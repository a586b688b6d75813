"""What a command changes or lets out, put on record as the pages do it: before it is done, with whose account it was.

Owns the two lists of commands: of those that go on record, and of those that only look. Who can run commands can write
the data folder too, so that this is a diary for people of good will, not a lock.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from radcbir_core import audit
from radcbir_core.cli.application import complaints
from radcbir_core.errors import StorageError

ROLE: Final = "terminal"
"""As what a person at a terminal does something."""

ON_RECORD: Final = (
    "import",
    "build",
    "demo",
    "synthesize",
    "map",
    "find-text",
    "black-out",
    "train-mini",
    "fetch-encoder",
    "remove",
    "rename",
    "relocate",
    "export",
    "why",
    "relabel",
    "review-import",
    "study-make",
    "jobs stop",
    "jobs resume",
    "jobs dismiss",
)
"""The commands that change something, or write what others can be given."""


def put_on_record(action: str, subject: str, *, lets_out_only: bool = False) -> None:
    """Put on record what a command is about to do.

    Args:
        action: What is done, in a word or two.
        subject: To what: the name of a collection, or the id of a job.
        lets_out_only: Whether it leaves the data folder as it is. Then it is done even where that cannot be written, as
            on a read-only disk, and this is said.

    Raises:
        StorageError: It cannot be put on record; the command must then not go on.
    """
    try:
        audit.record(action, subject, who=audit.account(), role=ROLE)
    except StorageError as error:
        if not lets_out_only:
            raise
        complaints.print(Text(f"Note: this is not on record. {error}"))
