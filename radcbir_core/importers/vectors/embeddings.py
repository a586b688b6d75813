"""Vectors that somebody already made, without images → a collection with an encoder.

Owns the import of embeddings from what a user points at to the collection. The forms of vectors are
vector_files.py's, those of tables vector_tables.py's, who belongs to whom is matching.py's, what of it is usable
storing.py's. No image is read.

Running an import again is safe. Rows that are there keep their place, new ones come after them, another encoder's
vectors are put beside the first's; labels or vectors that differ from what is there are refused.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import remove_manifests
from radcbir_core.collections.layout import Layout, check_name, list_collections
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import add_problems, manifest_facts, write_record
from radcbir_core.collections.writing import new_collection, refuse_existing, revised_collection, write_collection
from radcbir_core.encoders.base import folder_safe
from radcbir_core.errors import NAME, CollectionExistsError, EncoderError, ManifestError, Remedy
from radcbir_core.importers.request import ImportReport, ImportRequest
from radcbir_core.importers.rows.identifiers import Spellings, alike_images
from radcbir_core.importers.rows.uncertain import Policy, policy_named
from radcbir_core.importers.vectors.matching import Matched, complete, gone_on, match
from radcbir_core.importers.vectors.storing import write_encoder
from radcbir_core.importers.vectors.table_rows import TableRows
from radcbir_core.importers.vectors.unified_csv import UNIFIED_COLUMNS, header_of
from radcbir_core.importers.vectors.vector_files import SUFFIXES, VectorFile, open_vectors
from radcbir_core.importers.vectors.vector_tables import read_vector_table
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

FORMAT = "embeddings"

_TABLES = (".csv", ".tsv", ".txt")
_SAMPLE = 1000


def recognizes(path: Path) -> bool:
    """Whether a path is plainly a part of an import of embeddings: HDF5, or the paper's unified CSV."""
    if path.suffix.lower() in {".h5", ".hdf5"}:
        return path.is_file()
    try:
        return path.suffix.lower() == ".csv" and set(UNIFIED_COLUMNS) <= set(header_of(path)[0])
    except ManifestError:
        return False


def run(request: ImportRequest, *, progress: Progress = silent) -> ImportReport:
    """Import embeddings as a command asks for it; see :func:`import_embeddings`.

    Raises:
        ManifestError: There is no ``encoder_id``, or as :func:`import_embeddings`.
    """
    if not request.encoder_id:
        raise ManifestError(
            "Expected the name of the encoder that made the vectors, but none is given. Name it, for example "
            "biomedclip-paper.",
            remedy=Remedy("again", options={"encoder_id": NAME}),
        )
    return import_embeddings(
        request.paths,
        name=request.name,
        encoder_id=request.encoder_id,
        title=request.title,
        image_root=request.image_root,
        uncertain=policy_named(request.uncertain),
        progress=progress,
    )


def import_embeddings(
    paths: Sequence[Path],
    *,
    name: str,
    encoder_id: str,
    title: str | None = None,
    image_root: Path | None = None,
    uncertain: Policy = "not-positive",
    progress: Progress = silent,
) -> ImportReport:
    """Import vectors and the tables that say what they are of, as a collection without images.

    A vector and a row belong together by name (HDF5; parquet and ``.npz`` with a column or array ``filepath``,
    ``path`` or ``image_id``), else by their order, one file of vectors a table. Rows without a vector, vectors without
    a row, and a second row for one image are listed in problems.csv and left out; a row whose vector is not finite, all
    zeros or of another dimension stays, without an embedding. Vectors keep their type; those whose length is not 1 are
    divided by it.

    Args:
        paths: Files of vectors (``.h5``, ``.npy``, ``.npz``, ``.parquet``) and tables (CSV), or folders of these.
        name: The collection's name; one that this import made is gone on with.
        encoder_id: What made the vectors: lower-case letters, digits, ``.``, ``_``, ``-``.
        title: What people call the collection.
        image_root: Where the images are, if they are at hand: what the tables' paths start from.
        uncertain: What becomes of uncertain labels, -1 or U, of a unified CSV.
        progress: Told the rows of the tables read, as step "table", and the vectors, as step "import".

    Returns:
        What was done; ``images`` counts the rows of the whole collection.

    Raises:
        ManifestError: The files do not belong together, are damaged, or nothing in them can be used.
        EncoderError: ``encoder_id`` is not such a name.
        CollectionExistsError: The name is taken by a collection of images.
        CollectionError: What is there already says otherwise of the same images.
        StorageError: No space left, or no permission.
    """
    check_name(name)
    if folder_safe(encoder_id) != encoder_id:
        raise EncoderError(
            "Expected an encoder_id of lower-case letters, digits, '.', '_' and '-', but "
            f"encoder_id = {encoder_id[:80]!r}. Write, for example, {folder_safe(encoder_id)}."
        )
    before = _existing(name)
    joined = join(paths, image_root=image_root, uncertain=uncertain, progress=progress)
    tables, vectors, matched, root, changes = (
        joined.tables,
        joined.vectors,
        joined.matched,
        joined.root,
        joined.changes,
    )
    if before is None:
        manifest = Manifest(complete(matched.table), digest="")
        facts = {
            "format": FORMAT,
            "sources": [{"origin": str(t.origin), "rows": t.total, "images": t.table.num_rows} for t in tables],
            "licences": {},
        }
        with new_collection(name) as folder:
            write_collection(
                folder,
                name=name,
                title=title or name,
                image_root=root or Path(os.path.commonpath([table.origin.resolve().parent for table in tables])),
                manifest=manifest,
                problems=matched.problems,
                facts=facts,
            )
            write_encoder(
                Collection(folder), encoder_id, vectors, matched, old=None, changes=changes, progress=progress
            )
            _finish(Collection(folder), changes, notes=joined.notes, title=title, root=root)
    else:
        matched = gone_on(before, matched)
        with revised_collection(name, digest=before.digest) as folder:
            if matched.table.num_rows > len(before):
                Manifest(matched.table, digest="").write(Layout(folder).manifest)
                facts = manifest_facts(Layout(folder).manifest, matched.table)
                write_record(folder, Collection(folder).record | facts)
                remove_manifests(folder, keep={Layout(folder).manifest.name})
            revised = Collection(folder)
            add_problems(folder, matched.problems)
            old = before if encoder_id in before.encoder_ids() else None
            write_encoder(revised, encoder_id, vectors, matched, old=old, changes=changes, progress=progress)
            _finish(revised, changes, notes=joined.notes, title=title, root=root)
    made = open_collection(name)
    return ImportReport(
        collection=made,
        images=len(made),
        problems=len(made.problems()),
        duplicates=0,
        duplicate_groups=0,
        changes=made.record["changes"],
        notes=made.record.get("notes", []),
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """Tables and files of vectors that belong together.

    Attributes:
        tables: The tables.
        vectors: The files of vectors; no vector has been read.
        matched: The rows, and which vector each has.
        root: Where the images are, if they are at hand.
        changes: What normalization changed: (column, from, to) → rows.
    """

    tables: list[TableRows]
    vectors: list[VectorFile]
    matched: Matched
    root: Path | None
    changes: Counter[tuple[str, str, str]]

    @property
    def notes(self) -> list[str]:
        """What has to be known about the tables, one sentence each."""
        spellings = Spellings()
        for table in self.tables:
            spellings.add(table.spellings)
        notes = [note for table in self.tables for note in table.notes]
        for column in ("patient_id", "study_id"):
            notes += spellings.notes(column, alike_images(self.matched.table, column))
        return notes


def join(
    paths: Sequence[Path],
    *,
    image_root: Path | None = None,
    uncertain: Policy = "not-positive",
    progress: Progress = silent,
) -> Joined:
    """Find out which vectors and rows belong together; no vector is read, and nothing is written.

    Args:
        paths: As for :func:`import_embeddings`.
        image_root: Where the images are, if they are at hand.
        uncertain: As for :func:`import_embeddings`.
        progress: Told the rows of the tables read, as step "table".

    Raises:
        ManifestError: The files do not belong together, are damaged, or nothing in them can be used.
    """
    vector_paths, table_paths = _sorted_out(paths)
    vectors = [open_vectors(path) for path in vector_paths]
    _check_alike(vectors)
    tables = [read_vector_table(path, uncertain=uncertain, progress=progress) for path in table_paths]
    matched = match(tables, vectors)
    root = _checked_root(image_root, matched.table) if image_root is not None else None
    return Joined(tables, vectors, matched, root, sum((table.changes for table in tables), Counter()))


def change_rows(changes: Counter[tuple[str, str, str]]) -> list[dict[str, str | int]]:
    """Counted changes as a record lists them, most frequent first."""
    return [{"column": c, "from": old, "to": new, "rows": count} for (c, old, new), count in changes.most_common()]


def _existing(name: str) -> Collection | None:
    if name not in list_collections():
        refuse_existing(name)
        return None
    collection = open_collection(name)
    if collection.record.get("format") != FORMAT:
        raise CollectionExistsError(
            f"Expected a new name, or that of a collection of imported embeddings, but name = {name!r} is a collection "
            "of images. Choose another name."
        )
    return collection


def _sorted_out(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files of vectors and the tables among what a user points at; folders stand for what is in them."""
    files: list[Path] = []
    for path in paths:
        given = path.expanduser()
        if not given.exists():
            raise ManifestError(
                f"Expected a file of vectors, a table or a folder, but {path} does not exist. Check it."
            )
        files += sorted(given.iterdir()) if given.is_dir() else [given]
    vectors = [path for path in files if path.suffix.lower() in SUFFIXES]
    tables = [path for path in files if path.suffix.lower() in _TABLES]
    others = [path for path in paths if path.is_file() and path not in vectors and path not in tables]
    if not vectors or not tables or others:
        given_instead = (
            f"{others[0]} is neither"
            if others
            else f"those given are {counted(len(vectors), 'file')} of vectors and {counted(len(tables), 'table')}"
        )
        raise ManifestError(
            f"Expected vectors ({', '.join(SUFFIXES)}) and the table that says what they are of "
            f"({', '.join(_TABLES)}), but {given_instead}. Give both, such as: ds.h5 ds.csv"
        )
    return vectors, tables


def _check_alike(vectors: Sequence[VectorFile]) -> None:
    first = vectors[0]
    for other in vectors[1:]:
        if other.dimension != first.dimension:
            raise ManifestError(
                f"Expected vectors of one encoder, but {first.path} has dimension {first.dimension} and {other.path} "
                f"{other.dimension}. Import each encoder's by itself, with its own encoder_id."
            )


def _checked_root(root: Path, table: pa.Table) -> Path:
    """``root``, resolved, if some of the images are there."""
    real = Path(os.path.realpath(root.expanduser()))
    if not real.is_dir():
        raise ManifestError(f"Expected the folder of the images, but image_root = {root} is none. Check the path.")
    rows = np.unique(np.linspace(0, table.num_rows - 1, _SAMPLE).astype(np.int64))
    paths = table.column("path").take(pa.array(rows)).to_pylist()
    if not any((real / path).is_file() for path in paths):
        raise ManifestError(
            f"Expected images below the image root, but of {len(paths)} paths looked for none is in {real}; the first: "
            f"{paths[0]}. Give the folder that the table's paths start from."
        )
    return real


def _finish(
    collection: Collection,
    changes: Counter[tuple[str, str, str]],
    *,
    notes: Sequence[str],
    title: str | None,
    root: Path | None,
) -> None:
    """Tell in collection.json what was changed on the way in, and what the user has said this time."""
    problems = collection.problems()
    record = collection.record | {"changes": change_rows(changes), "problems": len(problems)}
    record |= {"notes": list(dict.fromkeys([*record.get("notes", []), *notes]))}
    record |= {"title": title} if title else {}
    record |= {"image_root": str(root)} if root is not None else {}
    write_record(collection.folder, record)
