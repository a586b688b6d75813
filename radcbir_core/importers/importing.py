"""Sources → a collection: each row is checked, and listed either in the manifest or as a problem.

Owns the import as a whole: what a collection's record says of it, writing it, and the report. Which rows are
accepted is decided in rows/.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import check_name, list_collections
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.collections.text_boxes import burned_text_of, header_problems
from radcbir_core.collections.writing import new_collection, refuse_existing, write_collection
from radcbir_core.errors import CollectionExistsError, ManifestError, Remedy
from radcbir_core.images import Limits
from radcbir_core.importers.datasets.manifest_tables import read
from radcbir_core.importers.request import CHECKS, ImportReport, ImportRequest
from radcbir_core.importers.rows.accepting import AcceptedRows, Origins
from radcbir_core.importers.rows.checking import Checker
from radcbir_core.importers.rows.identifiers import alike_images
from radcbir_core.importers.rows.main_reason import MainReason, main_reason
from radcbir_core.importers.rows.sources import Source
from radcbir_core.progress import Progress, silent

__all__ = ["ImportReport", "import_collection", "import_sources"]

NOT_DECODED = (
    "The images were not decoded at import: their sizes are unknown, and a damaged one is found when the collection is "
    "built."
)
ONLY_MARKS = (
    "All labels are 0 or 1. If they say whether a finding is there, name the column after the finding, and map it as "
    "pathologies."
)
NO_DIGESTS = (
    "The files were not read at import: exact duplicates are unknown, so that no figure leaves them out, and an "
    "uploaded copy is not recognized."
)


def import_collection(
    paths: Sequence[Path],
    *,
    name: str,
    title: str | None = None,
    image_root: Path | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import ``manifest.csv`` tables or folders of images as a new collection.

    Every file is read and decoded once. A row whose file is missing, unreadable, not an image, outside the image root,
    or whose ``image_id`` is taken, goes to problems.csv with the reason, and the rest goes on. Files are not copied.
    Other formats: :func:`radcbir_core.importers.import_as`.

    Args:
        paths: ``manifest.csv`` files, or folders (see :func:`~radcbir_core.importers.datasets.manifest_tables.read`).
        name: The collection's name.
        title: What people call it; the name by default.
        image_root: What the tables' paths start from; each table's own folder by default.
        limits: Byte and pixel limits of one image.
        progress: Told the number of images checked, as step "import".

    Raises:
        CollectionExistsError: The name is taken.
        ManifestError: A source cannot be read as a table, or not one of its images can be used.
        StorageError: No space left, or no permission.
    """
    request = ImportRequest(paths, name, title, image_root=image_root, limits=limits or Limits())
    return import_sources(lambda: read(request.paths, request), request, progress=progress)


def import_sources(
    find: Callable[[], Sequence[Source]], request: ImportRequest, *, progress: Progress = silent
) -> ImportReport:
    """Import what an importer has found as a new collection; see :func:`import_collection`.

    Args:
        find: Gives the sources; called once the name is known to be free.
        request: For the name, the title, and how far the files are checked.
        progress: Told the number of rows, as step "import".

    Raises:
        CollectionExistsError: The name is taken.
        ManifestError: A source cannot be read, or not one of its images can be used.
        StorageError: No space left, or no permission.
    """
    check_name(request.name)
    if request.name in list_collections():
        raise CollectionExistsError(
            f"Expected a new collection name, but name = {request.name!r} exists already. Choose another, add what is "
            "new to it, or remove it first.",
            remedy=Remedy("remove", request.name),
        )
    refuse_existing(request.name)
    gathered = gather(find(), request, progress=progress)
    with new_collection(request.name) as folder:
        gathered.write(folder, request)
    return gathered.report(request.name)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What an import has accepted, before it is written.

    Attributes:
        root: The folder that the manifest's paths start from.
        manifest: The images.
        origins: Where they come from, and what their tables did not say.
        problems: What could not be accepted.
        facts: What collection.json tells beside that.
        private_files: Name → content of files that only their owner may read.
        main_reason: As in :class:`~radcbir_core.importers.request.ImportReport`.
    """

    root: Path
    manifest: Manifest
    origins: Origins
    problems: pd.DataFrame
    facts: dict[str, Any]
    private_files: dict[str, bytes]
    main_reason: MainReason | None = None

    def write(self, folder: Path, request: ImportRequest, *, root: Path | None = None) -> None:
        """Write the collection into a folder (see :func:`~radcbir_core.collections.writing.new_collection`).

        Args:
            folder: Where to.
            request: For the name and the title.
            root: What to record instead of :attr:`root`: a relative one lies in the collection's folder.

        Raises:
            StorageError: No space left, or no permission.
        """
        write_collection(
            folder,
            name=request.name,
            title=request.title or request.name,
            image_root=root or self.root,
            manifest=self.manifest,
            problems=self.problems,
            facts=self.facts,
        )
        for name, content in self.private_files.items():
            write_private(folder / name, content)

    def report(self, name: str) -> ImportReport:
        """What the import did, once it is written as the collection ``name``."""
        counts = {key: self.facts[key] for key in ("problems", "duplicates", "duplicate_groups", "changes", "notes")}
        return ImportReport(open_collection(name), len(self.manifest), **counts, main_reason=self.main_reason)


def gather(sources: Sequence[Source], request: ImportRequest, *, progress: Progress = silent) -> Gathered:
    """Check the rows of sources, and accept those that are images.

    Args:
        sources: At least one.
        request: For how far the files are checked.
        progress: Told the number of rows, as step "import".

    Raises:
        ManifestError: A source cannot be read, or not one of its images can be used.
    """
    if request.check not in CHECKS:
        raise ManifestError(f"Expected a check of {', '.join(CHECKS)}, but check = {request.check!r}. Choose one.")
    accepted = AcceptedRows(sources)
    with Checker(request.check, request.limits) as checker:
        accepted.accept_all(checker, progress)
    manifest, origins = accepted.manifest()
    groups = manifest.groups("duplicate")
    notes = list(dict.fromkeys(note for source in sources for note in source.notes))
    notes += accepted.notes
    for column in ("patient_id", "study_id"):
        notes += accepted.changes.spellings.notes(column, alike_images(manifest.table, column))
    labels = set(pc.unique(pc.list_flatten(manifest.arrow("pathologies"))).to_pylist())
    notes += [ONLY_MARKS] if labels and labels <= {"0", "1", "-1", "0.0", "1.0", "-1.0"} else []
    notes += [NOT_DECODED] if request.check != "decode" else []
    notes += [NO_DIGESTS] if request.check == "exists" else []
    burned = burned_text_of(manifest)
    problems = pd.DataFrame(accepted.problems, columns=PROBLEM_COLUMNS)
    if burned.told.any():  # a list of what is in the collection all the same, and to be looked at
        problems = pd.concat([problems, header_problems(manifest, burned.told)], ignore_index=True)
    facts = {
        "problems": len(problems),
        "duplicates": int((groups >= 0).sum()),
        "duplicate_groups": int(groups.max(initial=-1)) + 1,
        "sources": [
            {"origin": str(s.origin), "dataset": s.dataset, "rows": s.seen, "images": s.images} for s in sources
        ],
        "changes": accepted.changes.rows(),
        "licences": accepted.licences(),
        "checked": request.check,
        "notes": notes,
    }
    return Gathered(
        accepted.root,
        manifest,
        origins,
        problems,
        facts,
        {name: content for source in sources for name, content in source.private_files.items()},
        main_reason(accepted.problems, sources) if len(accepted.problems) > len(manifest) else None,
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on; it is on the disk itself then."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
