"""``kit.json``: the list of files that an encoder's folder was published with, and what they are.

Owns the reading and checking of ``kit.json``. Any checkpoint folder may have a short one, which lists its files:
``{"files": {"name": "SHA-256, hex", …}}``. A whole kit, as :mod:`radcbir_core.encoders.kits.fetching` writes it, also
says how the files are used and which embeddings they give (:mod:`radcbir_core.encoders.kits.kit_probe`). A folder
without ``kit.json`` is taken as it is. It must load no encoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from radcbir_core.checked_files import parse_json
from radcbir_core.encoders.base import shown
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.kits.training_list import NOTHING, ON_NOTHING, UNKNOWN, Training, list_name, read_list
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_file

KIT = "kit.json"
FORMAT = 1
"""Counts up when an older version of RadCBIR could not use a new kit."""
RESTORE = "Fetch or copy the folder again from where it came from."
PROBE_FOLDER = "probe/"
DOCUMENTS = ("LICENCE.txt", "LICENSE", "MODEL_CARD.md")
"""Files of a kit that people read and no loader does."""

_WHOLE: Mapping[str, type] = {"encoder_id": str, "title": str, "family": str, "recipe": dict, "weights": str}


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A folder's ``kit.json``, checked for its form but not against the files.

    Attributes:
        folder: Where it lies.
        files: Each listed file's name, with ``/`` between folders, and the SHA-256 of its content, hex.
        record: All of ``kit.json``.
        restore: How the folder is made whole again, for messages.
    """

    folder: Path
    files: Mapping[str, str]
    record: Mapping[str, Any]
    restore: str = RESTORE

    @property
    def whole(self) -> bool:
        """Whether it says how its files are used; else it only lists them."""
        return "family" in self.record and "recipe" in self.record

    @property
    def encoder_id(self) -> str:
        """Of the encoder, in a whole kit."""
        return str(self.record["encoder_id"])

    @property
    def title(self) -> str:
        """Of the encoder, for people, in a whole kit."""
        return str(self.record["title"])

    @property
    def probe(self) -> Mapping[str, Any] | None:
        """What is recorded of the probe, or None where the kit has none."""
        return self.record.get("probe")

    @property
    def training_list(self) -> str | None:
        """The file that lists what the encoder was trained on, ``nothing``, or None where that is not said."""
        return list_name(self.record, path=self.folder / KIT, restore=self.restore)

    def training(self) -> Training:
        """What the encoder was trained on.

        Raises:
            EncoderError: The list is missing, altered, or none.
        """
        name = self.training_list
        if name is None:
            return UNKNOWN
        if name == NOTHING:
            return ON_NOTHING
        check_kit_file(self, name)
        return read_list(self.folder / name, restore=self.restore)

    @property
    def checkpoint(self) -> Checkpoint:
        """The encoder's files and how they are used, in a whole kit."""
        aside = (*DOCUMENTS, self.training_list)
        names = [name for name in self.files if not name.startswith(PROBE_FOLDER) and name not in aside]
        return Checkpoint(
            family=str(self.record["family"]),
            files={name: self.folder / name for name in names},
            weights=str(self.record["weights"]),
            recipe=dict(self.record["recipe"]),
        )


def read_kit(folder: Path, *, restore: str = RESTORE) -> Kit | None:
    """What ``kit.json`` of ``folder`` says, or None where there is none; no listed file is opened.

    Args:
        folder: Of a checkpoint.
        restore: How the folder is made whole again, for the messages.

    Raises:
        EncoderError: It cannot be read, lists what is outside the folder, or was made by a newer RadCBIR.

    Example:
        >>> import tempfile
        >>> read_kit(Path(tempfile.mkdtemp())) is None
        True
    """
    path = folder / KIT
    if not path.is_file():
        return None
    try:
        record: Any = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not valid JSON"
        raise EncoderError(f"Expected a readable list of files, but {path} {reason}. {restore}") from error
    files = record.get("files") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(files, dict) or not files:
        raise EncoderError(f"Expected files with their SHA-256, but {path} lists none. {restore}")
    version = record.get("format", FORMAT)
    if type(version) is not int or version > FORMAT:
        raise EncoderError(
            f"Expected a kit of format {FORMAT} or older, but {path} has format = {version!r}. "
            "Update RadCBIR, or make the kit again with this version."
        )
    for name, digest in files.items():
        _check_name(name, path=path, restore=restore)
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise EncoderError(
                f"Expected a SHA-256 of 64 hex digits, but {path} has another for '{shown(name)}'. {restore}"
            )
    kit = Kit(folder=folder, files=files, record=record, restore=restore)
    if kit.whole:
        _check_whole(kit)
    _ = kit.training_list  # which refuses a name that is none of the files
    return kit


def check_kit(folder: Path, *, restore: str = RESTORE) -> Kit | None:
    """Make sure that every file which ``kit.json`` of ``folder`` lists is there, byte for byte.

    Args:
        folder: Of a checkpoint; without a ``kit.json`` nothing is checked.
        restore: How the folder is made whole again, for the messages.

    Returns:
        What ``kit.json`` says, or None where there is none.

    Raises:
        EncoderError: A listed file is missing, truncated, altered or outside the folder, or the list itself cannot be
            read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "weights").write_text("whole")
        >>> _ = (folder / "kit.json").write_text('{"files": {"weights": "%s"}}' % digest_file(folder / "weights"))
        >>> list(check_kit(folder).files)
        ['weights']
    """
    kit = read_kit(folder, restore=restore)
    if kit is None:
        return None
    for name in kit.files:
        check_kit_file(kit, name)
    kit.training()  # whose file is small, and nothing else would notice that it is no list
    return kit


def check_kit_file(kit: Kit, name: str) -> None:
    """Make sure that one of a kit's files is there, byte for byte.

    Raises:
        EncoderError: It is missing, truncated, altered or outside the folder.
    """
    path, digest, restore = kit.folder / name, kit.files[name], kit.restore
    try:
        # A link may lie in the folder and lead anywhere; what is behind it did not come with the kit.
        if not path.resolve(strict=True).is_relative_to(kit.folder.resolve()):
            raise EncoderError(
                f"Expected the file that {KIT} lists in its folder, but {path} is a link out of it. {restore}"
            )
        actual = digest_file(path)
        size = path.stat().st_size
    except (OSError, RuntimeError) as error:
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = "is missing" if gone else f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise EncoderError(f"Expected the file that {KIT} lists, but {path} {reason}. {restore}") from error
    if actual != digest:
        raise EncoderError(
            f"Expected the file that {KIT} lists, but {path} ({size:,} bytes) is truncated or altered: its "
            f"SHA-256 begins with {actual[:8]}, not {digest[:8]}. {restore}"
        )


def _check_name(name: str, *, path: Path, restore: str) -> None:
    """Refuse the name of a file that would lie elsewhere than in the folder, on any operating system."""
    parts = PurePosixPath(name).parts
    escapes = PurePosixPath(name).is_absolute() or ".." in parts or not parts or any(sign in name for sign in "\\:\0")
    if escapes or Path(name).is_absolute():
        raise EncoderError(f"Expected names of files in the folder, but {path} lists '{shown(name)}'. {restore}")


def _check_whole(kit: Kit) -> None:
    path = kit.folder / KIT
    for key, kind in _WHOLE.items():
        value = kit.record.get(key)
        if not isinstance(value, kind) or (kind is str and not value):
            raise EncoderError(f"Expected {key} in {path}, but {key} = {shown(repr(value))}. {kit.restore}")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", kit.encoder_id) or len(kit.encoder_id) > 100:
        raise EncoderError(
            f"Expected an encoder_id of lower-case letters, digits, '.', '_' and '-', but {path} has "
            f"'{shown(kit.encoder_id)}'. {kit.restore}"
        )
    if not kit.title.isprintable():
        raise EncoderError(f"Expected a title of one line, but {path} has '{shown(kit.title)}'. {kit.restore}")
    if kit.record["weights"] not in kit.files:
        raise EncoderError(
            f"Expected the weights among the files, but {path} does not list '{shown(kit.record['weights'])}'. "
            f"{kit.restore}"
        )
    if kit.probe is not None and not isinstance(kit.probe, dict):
        raise EncoderError(f"Expected the record of a probe, but {path} has {shown(repr(kit.probe))}. {kit.restore}")
