"""One encoder's files on this machine's disk, before anything is loaded.

Owns the :class:`Checkpoint`: what a family finds, what its loader takes, and what a self-contained folder is made of.
It must know no family, no network and no torch.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radcbir_core.checked_files import parse_json
from radcbir_core.errors import EncoderError


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One encoder's files and how they are used; nothing is loaded yet.

    Attributes:
        family: Which loader reads it, such as ``open_clip``.
        files: Name in a self-contained folder (it may hold ``/``, as ``text/config.json``) → the file on this disk, or
            the content of a small one that is generated.
        weights: Which of the names is the weights file.
        recipe: Plain JSON values: all that decides an embedding and is not in the files.

    Example:
        >>> made = Checkpoint(family="example", files={"config.json": b'{"size": 3}'}, weights="model.safetensors")
        >>> made.read_json("config.json")
        {'size': 3}
    """

    family: str
    files: Mapping[str, Path | bytes]
    weights: str
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights_path(self) -> Path:
        """The weights file.

        Raises:
            EncoderError: There is none.
        """
        path = self.files.get(self.weights)
        if not isinstance(path, Path):
            raise EncoderError(
                f"Expected a weights file, but {self.weights} is none of {', '.join(sorted(self.files))}. "
                "Fetch or copy the folder again from where it came from."
            )
        return path

    def place_of(self, name: str) -> str:
        """Where a file is, for a message: its path, or its name where it is generated."""
        content = self.files.get(name, name)
        return name if isinstance(content, bytes) else str(content)

    def read_json(self, name: str) -> dict[str, Any]:
        """The JSON object in one of the files.

        Raises:
            EncoderError: There is no such file, or it is not a JSON object.
        """
        content = self.files.get(name)
        if content is None:
            raise EncoderError(
                f"Expected {name} beside {self.place_of(self.weights)}, but there is none. "
                "Put it there, from the model's source."
            )
        return json_object(content, name=name)

    @contextmanager
    def laid_out(self, names: Mapping[str, str]) -> Iterator[Path]:
        """A folder in which files have the names that a library looks for.

        Args:
            names: What the library calls a file → its name in :attr:`files`.

        Yields:
            The folder they are in, where they are in one and have these names already; else a temporary one.
        """
        chosen = {wanted: self.files[name] for wanted, name in names.items()}
        paths = [(wanted, content) for wanted, content in chosen.items() if isinstance(content, Path)]
        parents = {content.parent for wanted, content in paths if content.name == wanted}
        if len(paths) == len(chosen) and len(parents) == 1 and all(path.name == wanted for wanted, path in paths):
            yield parents.pop()
            return
        with tempfile.TemporaryDirectory(prefix="radcbir-") as made:
            for wanted, content in chosen.items():
                target = Path(made) / wanted
                if isinstance(content, bytes):
                    target.write_bytes(content)
                else:
                    shutil.copyfile(content, target)
            yield Path(made)


def json_object(content: Path | bytes, *, name: str = "") -> dict[str, Any]:
    """The JSON object in a file, or in the content of one called ``name``.

    Raises:
        EncoderError: It cannot be read, or is no JSON object.

    Example:
        >>> json_object(b'{"a": 1}')
        {'a': 1}
    """
    place = content if isinstance(content, Path) else name
    try:
        text = content.read_text(encoding="utf-8") if isinstance(content, Path) else content.decode()
        value = parse_json(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not valid JSON"
        raise EncoderError(f"Expected a readable JSON file, but {place} {reason}. Fetch or copy it again.") from error
    if not isinstance(value, dict):
        raise EncoderError(f"Expected a JSON object, but {place} holds a {type(value).__name__}. Fetch it again.")
    return value


def folder_files(folder: Path, patterns: tuple[str, ...]) -> dict[str, Path | bytes]:
    """The files right in ``folder`` whose names match one of ``patterns``, by name."""
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(path.match(pattern) for pattern in patterns)
    }
