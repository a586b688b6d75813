"""What an archive of a collection holds, and how it says so.

Owns the list of a collection's files that go into an archive, and the two members that describe the others:
``members.csv``, each member's SHA-256, bytes and name, and ``archive.json``, which names the form, its version, and the
SHA-256 of that list. All else is as in the collection's folder, but for the image root in ``collection.json``, which
becomes ``images``. It reads and writes no files.

A collection's private files, as the salt of pseudonyms, are no member: what is not on the list does not go in.
"""

from __future__ import annotations

import csv
import re
from typing import IO, Final, NamedTuple

from radcbir_core.collections.artifacts import ARTIFACTS
from radcbir_core.collections.layout import (
    CORRECTIONS,
    ENCODER_RECORD,
    ENCODERS,
    IMAGES,
    MANIFEST,
    PROBLEMS,
    REVIEWS,
    TEXT_BOXES,
    THUMBNAILS,
)
from radcbir_core.errors import ArchiveError

FORMAT: Final = "radcbir-archive"
VERSION: Final = 1
STEP: Final = "archive"

LABEL: Final = "archive.json"
LIST: Final = "members.csv"

_LIST_COLUMNS = ["sha256", "bytes", "path"]
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_OF_ENCODER = [
    re.escape(ENCODER_RECORD),
    *(re.escape(name) for artifact in ARTIFACTS for name in (*artifact.files, *artifact.one_of)),
    *(
        rf"{re.escape(artifact.folder)}/(?:{_PLAIN}/){{0,3}}{_PLAIN}\.(?:parquet|json)"
        for artifact in ARTIFACTS
        if artifact.folder
    ),
    *(rf"{re.escape(artifact.further)}/{_PLAIN}\.parquet" for artifact in ARTIFACTS if artifact.further),
]
_BELONGS = re.compile(
    rf"{re.escape(MANIFEST)}|{re.escape(PROBLEMS)}|{re.escape(CORRECTIONS)}|{re.escape(REVIEWS)}"
    rf"|{re.escape(TEXT_BOXES)}"
    rf"|{THUMBNAILS}/[0-9]{{6,}}\.(?:bin|crc|npy)"
    rf"|{ENCODERS}/[a-z0-9][a-z0-9._-]*/(?:{'|'.join(_OF_ENCODER)})"
)


class Member(NamedTuple):
    """One file as ``members.csv`` describes it.

    Attributes:
        sha256: Of its bytes, hex.
        bytes: How many.
        path: Its name in the archive.
    """

    sha256: str
    bytes: int
    path: str


def belongs(path: str) -> bool:
    """Whether a file of a collection's folder goes into its archive as it is; images and the record do in other ways.

    Args:
        path: Relative to the folder, forward slashes.

    Example:
        >>> [belongs(path) for path in ("manifest.parquet", "thumbnails/000000.bin", "pseudonyms.salt")]
        [True, True, False]
        >>> belongs("encoders/pixels/embeddings.npy"), belongs("encoders/pixels/.lock")
        (True, False)
        >>> belongs("encoders/pixels/evaluation/chance/table.parquet"), belongs("encoders/pixels/maps/wide.parquet")
        (True, True)
    """
    return _BELONGS.fullmatch(path) is not None


def is_image(path: str) -> bool:
    """Whether a member is an image of the collection."""
    return path.startswith(f"{IMAGES}/")


def write_list(members: list[Member], handle: IO[str]) -> None:
    """Write ``members.csv``."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(_LIST_COLUMNS)
    writer.writerows(members)


def read_list(handle: IO[str], *, name: str) -> list[Member]:
    """Read ``members.csv``.

    Args:
        handle: It.
        name: What to call the archive in messages.

    Raises:
        ArchiveError: It is none.
    """
    no_list = ArchiveError(
        f"Expected the list of members of an exported collection, but {LIST} in {name} is none. Export it again."
    )
    rows = csv.reader(handle, strict=True)
    try:
        header = next(rows, None)
        members = [Member(sha256, int(length), path) for sha256, length, path in rows]
    except (ValueError, csv.Error) as error:
        raise no_list from error
    if header != _LIST_COLUMNS:
        raise no_list
    return members
