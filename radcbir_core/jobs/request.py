"""What a piece of work was asked for, as it is kept on disk.

Owns the record and its form as JSON. The salt of an import's pseudonyms is never part of it: each run makes its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radcbir_core.errors import CollectionError
from radcbir_core.importers import ImportRequest

_PLAIN = (
    *("title", "check", "modality", "anatomy", "every", "uncertain", "download", "encoder_id"),
    *("add", "take_changes"),
)


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """A piece of work, as a person asks for it.

    Attributes:
        name: The collection.
        imports: What to import as it; None where the collection is there already, or is in an archive.
        format_name: The format of what is imported; found out by looking by default.
        encoders: The specs of the encoders to build it with, one after the other.
        archive: An archive of a collection (:mod:`radcbir_core.collections.archive`) to open as it.

    Example:
        >>> request = WorkRequest("mine", ImportRequest([Path("/images")], "mine", every=5), encoders=("pixels",))
        >>> again = WorkRequest.from_json(request.to_json())
        >>> again.imports.paths, again.imports.every, again.encoders
        ([PosixPath('/images')], 5, ('pixels',))
    """

    name: str
    imports: ImportRequest | None = None
    format_name: str | None = None
    encoders: tuple[str, ...] = ()
    archive: Path | None = None

    @property
    def brings_in(self) -> bool:
        """Whether something is imported or opened before anything is built."""
        return self.imports is not None or self.archive is not None

    @property
    def needs_new_name(self) -> bool:
        """Whether the collection must not be there before; embeddings, and what is to be added, may go into one."""
        if self.imports is not None:
            return not (self.imports.encoder_id or self.imports.add)
        return self.archive is not None

    def to_json(self) -> dict[str, Any]:
        """As plain values; paths are made absolute, because the work runs in a process of its own."""
        imports = self.imports
        return {
            "name": self.name,
            "format": self.format_name,
            "encoders": list(self.encoders),
            "archive": str(self.archive.expanduser().absolute()) if self.archive else None,
            "imports": None
            if imports is None
            else {
                **{name: getattr(imports, name) for name in _PLAIN},
                "paths": [str(path.expanduser().absolute()) for path in imports.paths],
                "image_root": str(imports.image_root.expanduser().absolute()) if imports.image_root else None,
                "mapping": dict(imports.mapping),
            },
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> WorkRequest:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: It is no such record.
        """
        try:
            given = record["imports"]
            imports = None
            if given is not None:
                imports = ImportRequest(
                    [Path(path) for path in given["paths"]],
                    str(record["name"]),
                    image_root=Path(given["image_root"]) if given["image_root"] else None,
                    mapping={str(target): str(source) for target, source in given["mapping"].items()},
                    **{name: given[name] for name in _PLAIN},
                )
            return cls(
                str(record["name"]),
                imports,
                record["format"],
                tuple(str(spec) for spec in record["encoders"]),
                Path(record["archive"]) if record["archive"] else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise CollectionError(
                f"Expected a complete record of a piece of work, but {type(error).__name__}: {error}. Start it anew."
            ) from error
