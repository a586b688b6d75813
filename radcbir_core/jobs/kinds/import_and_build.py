"""Jobs that make a collection or go on with one: an import or an archive that is opened, then builds.

Owns their record, the order of the import and its builds, and going on after a stop. The salt of an import's pseudonyms
is never part of the record: each run makes its own. Nor are the identifiers of studies, which the process is told.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from radcbir_core.collections.archive import open_archive
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.collections.records.record import ARCHIVED
from radcbir_core.collections.writing import refuse_existing
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, ServerError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.jobs.kinds import Telling, collection_place
from radcbir_core.pipeline import build_collection, build_imported, build_indexes

IMPORT: Final = "import"
LOAD: Final = "load"

_NAMED: Final = {"studies": "RADCBIR_JOB_STUDIES", "series": "RADCBIR_JOB_SERIES"}
"""What is wanted of a server by its identifiers → the variable that holds them, with blanks between."""

_PLAIN: Final = (
    *("title", "check", "modality", "anatomy", "every", "uncertain", "download", "encoder_id"),
    *("add", "take_changes"),
)


@dataclass(frozen=True, slots=True)
class ImportAndBuild:
    """An import, builds, or one after the other, as a person asks for it.

    Attributes:
        name: The collection.
        imports: What to import as it; None where the collection is there already, or is in an archive.
        format_name: The format of what is imported; found out by looking by default.
        encoders: The specs of the encoders to build it with, one after the other.
        archive: An archive of a collection (:mod:`radcbir_core.collections.archive`) to open as it.
        told: Variables of its process's environment, beside those of :meth:`unwritten`, without which it cannot be
            carried out.

    Example:
        >>> request = ImportAndBuild("mine", ImportRequest([Path("/images")], "mine", every=5), encoders=("pixels",))
        >>> again = ImportAndBuild.from_json(request.to_json())
        >>> again.imports.paths, again.imports.every, again.encoders
        ([PosixPath('/images')], 5, ('pixels',))
    """

    kind: ClassVar[str] = "collection"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = True

    name: str
    imports: ImportRequest | None = None
    format_name: str | None = None
    encoders: tuple[str, ...] = ()
    archive: Path | None = None
    told: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The collection, whatever is done to it."""
        return collection_place(self.name)

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

    def check(self) -> None:
        """Refuse a name that is taken, or a collection that is not there.

        Raises:
            CollectionExistsError: The name of what is imported is taken.
            CollectionNotFoundError: There is no such collection to build or to add to.
        """
        if self.needs_new_name:
            refuse_existing(self.name)
        elif not self.brings_in or (self.imports is not None and self.imports.add):
            open_collection(self.name)

    def unwritten(self) -> dict[str, str]:
        """What its process has to be told because it is no part of the record: a hospital's identifiers of studies.

        Example:
            >>> imports = ImportRequest([], "a", server="http://s/rs", wanted=Wanted(("1.2", "1.3")))
            >>> request = ImportAndBuild("a", imports)
            >>> request.unwritten(), "1.2" in str(request.to_json())
            ({'RADCBIR_JOB_STUDIES': '1.2 1.3'}, False)
        """
        if self.imports is None:
            return {}
        named = {name: " ".join(getattr(self.imports.wanted, of)) for of, name in _NAMED.items()}
        return {name: text for name, text in named.items() if text}

    def carry_out(self, telling: Telling) -> None:
        """Import or open, then build with one encoder after the other; one that cannot be used leaves the others be.

        Raises:
            EncoderError: One of the encoders cannot be used here.
            RadcbirError: What an import and a build raise.
        """
        if self.brings_in:
            if not (self.needs_new_name and self._stands(since=telling.started)):
                self._bring_in(telling)
            if self.archive is not None:
                build_indexes(open_collection(self.name), progress=telling)
            _count(open_collection(self.name), telling)
            telling.finished(IMPORT)
        collection = open_collection(self.name)
        _count(collection, telling)
        if self.imports is not None and self.imports.encoder_id:
            telling.at(self.imports.encoder_id)
            build_imported(collection, self.imports.encoder_id, progress=telling)
            telling.finished(self.imports.encoder_id)
        refused: list[EncoderError] = []
        for spec in self.encoders:
            telling.at(spec)
            telling(LOAD, 0, 1)
            try:
                encoder = load_encoder(spec)
            except EncoderError as error:
                # The others can be built all the same.
                print(f"Error: {error}", flush=True)
                refused.append(error)
                continue
            telling(LOAD, 1, 1)
            build_collection(collection, encoder, progress=telling)
            telling.finished(spec)
        _count(open_collection(self.name), telling)
        if refused:
            raise refused[0]

    def to_json(self) -> dict[str, Any]:
        """As plain values; paths are made absolute."""
        imports = self.imports
        return {
            "name": self.name,
            "format": self.format_name,
            "encoders": list(self.encoders),
            "archive": str(self.archive.expanduser().absolute()) if self.archive else None,
            "told": [*self.told, *(name for name in self.unwritten() if name not in self.told)],
            "imports": None
            if imports is None
            else {
                **{name: getattr(imports, name) for name in _PLAIN},
                "paths": [str(path.expanduser().absolute()) for path in imports.paths],
                "image_root": str(imports.image_root.expanduser().absolute()) if imports.image_root else None,
                "mapping": dict(imports.mapping),
                "masks": imports.masks,
                "leave_out": list(imports.leave_out),
                "suffix": imports.suffix,
                "no_header": imports.no_header,
                "server": imports.server,
                "matching": {keyword: list(values) for keyword, values in imports.wanted.matching.items()},
            },
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        given = record["imports"]
        imports = None
        if given is not None:
            imports = ImportRequest(
                [Path(path) for path in given["paths"]],
                str(record["name"]),
                image_root=Path(given["image_root"]) if given["image_root"] else None,
                mapping={str(target): str(source) for target, source in given["mapping"].items()},
                masks=bool(given.get("masks", False)),  # records of earlier versions have none of these six
                leave_out=tuple(given.get("leave_out", ())),
                suffix=str(given.get("suffix", "")),
                no_header=bool(given.get("no_header", False)),
                server=str(given.get("server", "")),
                wanted=Wanted(matching={str(name): list(values) for name, values in given.get("matching", {}).items()}),
                **{name: given[name] for name in _PLAIN},
            )
        return cls(
            str(record["name"]),
            imports,
            record["format"],
            tuple(str(spec) for spec in record["encoders"]),
            Path(record["archive"]) if record["archive"] else None,
            tuple(str(name) for name in record.get("told", ())),
        )

    def _bring_in(self, telling: Telling) -> None:
        if self.archive is not None:
            open_archive(self.archive, self.name, progress=telling)
        elif self.imports is not None:
            import_as(self._whole(self.imports), format_name=self.format_name, progress=telling)

    def _whole(self, imports: ImportRequest) -> ImportRequest:
        """What to import, with what is not written of it."""
        if any(name not in os.environ for name in self.told):
            raise ServerError(
                "Expected to be told what is never written down (which studies, or with what credentials), but whoever "
                "began this import has ended since. Dismiss it, and import again under the same name: what has come is "
                "there, and only the rest is asked for."
            )
        studies, series = (os.environ.get(name, "") if name in self.told else "" for name in _NAMED.values())
        return replace(imports, wanted=Wanted(tuple(studies.split()), tuple(series.split()), imports.wanted.matching))

    def _stands(self, *, since: float) -> bool:
        """Whether an earlier run of the same job has finished the import.

        The name was free when the job began. What has it now is this job's if it was made since under the same title,
        or opened since.
        """
        if self.name not in list_collections():
            return False
        made = open_collection(self.name)
        if self.imports is None:
            at, alike = made.record.get(ARCHIVED, {}).get("opened"), True
        else:
            at, alike = made.record.get("created"), made.title == (self.imports.title or self.name)
        return alike and _seconds(at) >= int(since)


def _count(collection: Collection, telling: Telling) -> None:
    telling.count(images=len(collection), problems=len(collection.problems()))


def _seconds(at: object) -> float:
    """A time as records give it, in seconds since 1970; 0 where there is none."""
    try:
        time_of = datetime.fromisoformat(str(at))
    except ValueError:
        return 0.0
    return (time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)).timestamp()
