"""What an import was asked for, and what it tells when it is done.

Owns the two records that a command and an importer exchange. It reads nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from radcbir_core.collections.collection import Collection
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import ManifestError
from radcbir_core.images import Limits
from radcbir_core.importers.rows.main_reason import MainReason
from radcbir_core.notebook_html import facts

Check = Literal["decode", "bytes", "exists"]
CHECKS: tuple[Check, ...] = get_args(Check)
_EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One import, as a person asks for it.

    Attributes:
        paths: What to import.
        name: The new collection's name.
        title: What people call it; the name by default.
        image_root: What the paths in tables start from; each table's own folder by default.
        check: How far each file is looked at: "decode" reads and decodes it; "bytes" reads it, so that exact
            duplicates are known, and leaves damage and sizes to the build; "exists" only looks whether it is there.
        limits: Byte and pixel limits of one image.
        modality: Of all images, where the source does not say.
        anatomy: Of all images, where the source does not say.
        mapping: Column of the manifest → column of the source, or columns separated by commas; names with a comma are
            quoted, as in CSV.
        every: Take one of so many slices of a volume.
        uncertain: What to make of uncertain labels; see :mod:`~radcbir_core.importers.rows.uncertain`.
        download: A data set to fetch instead of naming a path.
        encoder_id: What made the vectors that are imported.
        server: The address of a DICOMweb server to import from instead of naming a path.
        wanted: What of it.
        masks: Whether masks beside images are images too; they are left out by default.
        leave_out: Patterns of paths, or of names of files and folders, whose images are left out.
        suffix: What names of files in tables lack, such as ".png"; found out by default.
        no_header: Whether the first line of tables is an image already; their columns are then called 1, 2 and so on.
        add: Whether to add what is new to the collection of that name, which is there.
        take_changes: Whether to take what the source says otherwise of images that the collection has; with ``add``.
        salt: What identifiers are made pseudonyms with; random, a new one for each import.
    """

    paths: Sequence[Path]
    name: str
    title: str | None = None
    image_root: Path | None = None
    check: Check = "decode"
    limits: Limits = field(default_factory=Limits)
    modality: str = ""
    anatomy: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    every: int = 1
    uncertain: str = ""
    download: str = ""
    encoder_id: str = ""
    server: str = ""
    wanted: Wanted = _EVERYTHING
    masks: bool = False
    leave_out: tuple[str, ...] = ()
    suffix: str = ""
    no_header: bool = False
    add: bool = False
    take_changes: bool = False
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def refuse_unused(self, format_name: str, understood: frozenset[str]) -> None:
        """Do nothing if all options that were given are among those ``understood``.

        Raises:
            ManifestError: One is not: it would have had no effect.
        """
        defaults = {item.name: item for item in fields(ImportRequest)}
        for name in OPTIONS - understood:
            default: Any = {} if name == "mapping" else defaults[name].default
            if getattr(self, name) != default:
                known = ", ".join(sorted(understood))
                raise ManifestError(
                    f"Expected only options that the format {format_name} understands ({known or 'it has none'}), "
                    f"but {name} is given. Leave it out, or choose another format."
                )


OPTIONS = frozenset(
    {"image_root", "check", "modality", "anatomy", "mapping", "every", "uncertain", "download", "encoder_id"}
    | {"masks", "leave_out", "suffix", "no_header", "server", "wanted"}
)
"""The attributes of a request that not every format understands."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        collection: The new collection.
        images: Rows of its manifest.
        problems: Rows of its problems.csv.
        duplicates: Images that are byte for byte the same as another; 0 where the bytes were not read.
        duplicate_groups: How many different files these are.
        changes: What normalization changed: column, from, to, rows.
        notes: What has to be known about the numbers of this collection.
        main_reason: Why most of the rows cannot be used that cannot, and what to do; where most rows cannot.
    """

    collection: Collection
    images: int
    problems: int
    duplicates: int
    duplicate_groups: int
    changes: list[dict[str, str | int]]
    notes: list[str] = field(default_factory=list)
    main_reason: MainReason | None = None

    def _repr_html_(self) -> str:
        """The counts and the notes, as a notebook shows it."""
        rows = {
            "images": f"{self.images:,}",
            "problems": f"{self.problems:,}, listed in {self.collection.layout.problems}" if self.problems else "none",
            "exact copies": f"{self.duplicates:,}",
            "words changed": ", ".join(f"{c['from']} to {c['to']}" for c in self.changes) or "none",
        }
        return facts(rows, title=f"Imported {self.collection.title}", notes=self.notes)
