"""An import into a collection that is there: what is new comes after what it has, and everything else stays.

Owns the join of what a source says now with what a collection has. Rows that it has already, which recognizing.py finds
out, never move; what a source says otherwise of them is told, and taken only where that is asked for; images that a
source no longer has stay, and are listed. Embeddings and thumbnails of whole shards are kept, and the next build goes
on after them; neighbors, projection and evaluation are of another collection then, and are made again. Where labels
are all that changes, nothing but the evaluation is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import SEPARATOR, add_to_history, history_of, remove_manifests
from radcbir_core.collections.layout import Layout, list_collections
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS, add_problems, manifest_facts, write_record
from radcbir_core.collections.writing import revised_collection
from radcbir_core.embed import carry_over
from radcbir_core.errors import CollectionError, CollectionNotFoundError, Remedy
from radcbir_core.importers.datasets.dicom_tree import SALT_NAME
from radcbir_core.importers.importing import Gathered, gather, write_private
from radcbir_core.importers.recognizing import recognize
from radcbir_core.importers.request import CHECKS, ImportReport, ImportRequest
from radcbir_core.importers.rows.accepting import duplicate_groups
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, spelled_as_known
from radcbir_core.importers.rows.sources import Source
from radcbir_core.progress import Progress, silent
from radcbir_core.tiling import carry_tiles_over
from radcbir_core.wording import counted

NOTHING_NEW = "Nothing is new: the collection has been left as it was."
GONE = "Expected the image in its source as before, but it is not there any more. It stays in the collection."
LEFT_OUT = (
    "Expected the image in its source as before, but it is left out of the import now. It stays in the collection."
)

_MADE_HERE = ("duplicate_group", "image_id")
_OF_THE_FILE = ("sha256", "width", "height")
_NAMED = 3


def add_sources(
    find: Callable[[ImportRequest], Sequence[Source]], request: ImportRequest, *, progress: Progress = silent
) -> ImportReport:
    """Import what an importer has found into a collection that is there.

    Args:
        find: Gives the sources; called with the request and the collection's own salt for pseudonyms.
        request: With ``add``; for the name, and how far the files are checked.
        progress: Told the number of rows, as step "import".

    Returns:
        What was done; ``images`` counts the rows of the whole collection.

    Raises:
        CollectionNotFoundError: There is no collection of that name.
        StaleError: Its labels were corrected, or it was added to, meanwhile.
        CollectionError: Its images are its own, it has none, a file has changed since it was imported, or somebody is
            building it.
        ManifestError: A source cannot be read, or not one of its images can be used.
        StorageError: No space left, or no permission.
    """
    before = _collection(request)
    salt = before.folder / SALT_NAME
    if salt.is_file():
        request = replace(request, salt=bytes.fromhex(salt.read_text()))
    gathered = gather(find(request), request, progress=progress)
    joined = _joined(before, gathered, take_changes=request.take_changes)
    if joined.table is None and not len(joined.problems):
        return _report(before, [*joined.notes, NOTHING_NEW])
    with revised_collection(request.name, digest=before.digest) as folder:
        revised = Collection(folder)
        add_problems(folder, joined.problems)
        manifest = before.manifest if joined.table is None else Manifest(joined.table, digest="")
        record = _record(before.record, gathered.facts, manifest, problems=len(revised.problems()), fresh=joined.fresh)
        record |= {"image_root": str(joined.root), "title": request.title or before.title}
        if joined.table is not None:
            manifest.write(Layout(folder).manifest)
            record |= manifest_facts(Layout(folder).manifest, joined.table, digests=before.digests_with(joined.table))
            remove_manifests(folder, keep={Layout(folder).manifest.name})
        if len(joined.history):
            record |= add_to_history(folder, before, joined.history)
        write_record(folder, record)
        for name, content in gathered.private_files.items():
            if not (folder / name).exists():
                write_private(folder / name, content)
        if joined.table is not None:
            carry_over(before, Collection(folder))
            carry_tiles_over(before, Collection(folder))
    return _report(open_collection(request.name), joined.notes)


def _collection(request: ImportRequest) -> Collection:
    if request.name not in list_collections():
        raise CollectionNotFoundError(
            f"Expected the name of a collection to add to, but name = {request.name!r}. Import it as a new one, "
            "without adding."
        )
    collection = open_collection(request.name)
    if collection.without_images:
        raise CollectionError(
            f"Expected a collection of images, but {request.name} was imported as embeddings. Add to it in the format "
            "embeddings, with the vectors of what is new.",
            remedy=Remedy("again", options={"format": "embeddings"}),
        )
    if not Path(collection.record["image_root"]).is_absolute():
        raise CollectionError(
            f"Expected a collection whose images stay where they are, but {request.name} holds its own. Import the "
            "new ones as another collection."
        )
    return collection


@dataclass(frozen=True, slots=True)
class _Joined:
    """What an import makes of a collection.

    Attributes:
        table: All rows; None where the manifest stays as it is.
        root: What their paths start from.
        problems: Those that the collection has not listed yet.
        notes: What was found, for the user.
        fresh: How many images are new.
        history: What the source says otherwise of labels and is taken, for the history of corrections.
    """

    table: pa.Table | None
    root: Path
    problems: pd.DataFrame
    notes: list[str]
    fresh: int
    history: pd.DataFrame


def _joined(before: Collection, gathered: Gathered, *, take_changes: bool) -> _Joined:
    existing_root = Path(os.path.realpath(before.image_root))
    root = Path(os.path.commonpath([existing_root, gathered.root]))
    existing = _below(before.manifest.table, existing_root, root)
    new = _spelled_as(_below(gathered.manifest.table, gathered.root, root), existing)
    existing, new = _same_columns(existing, new)

    recognized = recognize(existing, new, gathered.origins)
    new, position = recognized.table, recognized.position
    known, fresh = np.flatnonzero(position >= 0), np.flatnonzero(position < 0)
    _refuse_other_images(before.name, existing, new, position=position, known=known)
    notes = []
    history = history_of({key: [] for key in ("image_id", "column", "from", "to")}, source="")
    changed = _changes(existing, new, position=position, known=known)
    table = existing
    if changed and take_changes:
        table = _with_changes(existing, new, changed, position=position)
        history = _history(before, existing, new, changed, position=position, sources=gathered.facts["sources"])
        notes.append(f"Otherwise in the source than before, and taken: {_told(changed, new)}.")
    elif changed:
        notes.append(
            f"Otherwise in the source, and kept as the collection has it: {_told(changed, new)}. Take the "
            "changes to have what the source says."
        )
    if len(fresh):
        table = pa.concat_tables([table, new.take(pa.array(fresh))])
        notes.append(f"New, after the {counted(len(existing), 'image')} there before: {len(fresh)}.")
    problems, gone = _problems(before, gathered, existing, matched=position[known])
    if gone:
        notes.append(f"Not in the source any more, kept and listed in problems.csv: {gone}.")
    if table is existing:
        return _Joined(None, existing_root, problems, notes, 0, history)
    if not len(fresh) and "path" not in changed:
        # Only labels: the images are, and are named, as before, wherever the table that says so lies.
        table, root = _with_column(table, "path", before.manifest.arrow("path")), existing_root
    groups = pa.array(duplicate_groups(table.column("sha256")), pa.int32())
    table = table.set_column(table.column_names.index("duplicate_group"), "duplicate_group", groups)
    return _Joined(table.combine_chunks(), root, problems, notes, len(fresh), history)


def _below(table: pa.Table, start: Path, root: Path) -> pa.Table:
    """The table, its paths starting from a folder above."""
    if start == root:
        return table
    longer = pc.binary_join_element_wise(f"{start.relative_to(root).as_posix()}/", table.column("path"), "")
    return _with_column(table, "path", longer)


def _with_column(table: pa.Table, name: str, column: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _same_columns(existing: pa.Table, new: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Both with the columns of both, of the types of the collection; a further column that one lacks is empty there."""
    names = [*existing.column_names, *(name for name in new.column_names if name not in existing.column_names)]
    types = {name: existing.schema.field(name).type if name in existing.column_names else pa.string() for name in names}

    def complete(table: pa.Table) -> pa.Table:
        return pa.table(
            {
                name: table.column(name).cast(types[name])
                if name in table.column_names
                else pa.chunked_array([pa.repeat(pa.scalar("", types[name]), table.num_rows)])
                for name in names
            }
        )

    return complete(existing), complete(new)


def _spelled_as(new: pa.Table, existing: pa.Table) -> pa.Table:
    """The new rows with the collection's spelling of identifiers, and of words that differ in case only."""
    for name in set(IDENTIFIERS) & set(new.column_names) & set(existing.column_names):
        new = _with_column(new, name, spelled_as_known(new.column(name), existing.column(name)))
    anatomies = pc.unique(existing.column("anatomy")).to_pylist()
    respelled = _respelling(pc.unique(new.column("anatomy")).to_pylist(), anatomies)
    if respelled:
        words = [respelled.get(word, word) for word in new.column("anatomy").to_pylist()]
        new = _with_column(new, "anatomy", pa.array(words, pa.string()))
    pathologies = pc.unique(pc.list_flatten(existing.column("pathologies"))).to_pylist()
    respelled = _respelling(pc.unique(pc.list_flatten(new.column("pathologies"))).to_pylist(), pathologies)
    if respelled:
        lists = [[respelled.get(word, word) for word in words] for words in new.column("pathologies").to_pylist()]
        new = _with_column(new, "pathologies", pa.array(lists, pa.list_(pa.string())))
    return new


def _respelling(words: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    spelled = {word.casefold(): word for word in known}
    return {word: spelled[word.casefold()] for word in set(words) - set(known) if word.casefold() in spelled}


def _refuse_other_images(
    name: str, existing: pa.Table, new: pa.Table, *, position: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> None:
    """Do nothing if what has a known image_id is that image."""
    ours, theirs = (
        table.select(["image_id", "dataset", "sha256"]).take(pa.array(rows))
        for table, rows in ((existing, position[known]), (new, known))
    )
    both = pc.and_(pc.not_equal(ours.column("sha256"), ""), pc.not_equal(theirs.column("sha256"), ""))
    other = np.asarray(pc.and_(both, pc.not_equal(ours.column("sha256"), theirs.column("sha256"))))
    if other.any():
        raise CollectionError(
            f"Expected the files that {name} has already to be the same, but {int(other.sum())} have other bytes now, "
            f"the first that of {ours.column('image_id')[int(np.argmax(other))].as_py()}. "
            "Import under another name, or remove the collection first."
        )
    other = np.asarray(pc.not_equal(ours.column("dataset"), theirs.column("dataset")))
    if other.any():
        row = int(np.argmax(other))
        raise CollectionError(
            f"Expected image_ids that differ from those in {name}, but {ours.column('image_id')[row].as_py()} is an "
            f"image of {ours.column('dataset')[row].as_py()!r} there and of {theirs.column('dataset')[row].as_py()!r} "
            "here. Import under another name."
        )


def _changes(
    existing: pa.Table, new: pa.Table, *, position: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.int64]]:
    """Column → the rows of ``new`` that say otherwise than the collection."""
    changes = {}
    for name in existing.column_names:
        if name in _MADE_HERE:
            continue
        ours = _comparable(existing.column(name).take(pa.array(position[known])))
        theirs = _comparable(new.column(name).take(pa.array(known)))
        differs = np.asarray(pc.not_equal(ours, theirs))
        if name in _OF_THE_FILE:  # not known this time: no change
            differs &= np.asarray(pc.not_equal(theirs, ""))
        if differs.any():
            changes[name] = known[differs]
    return changes


def _comparable(column: pa.ChunkedArray, *, separator: str = "\x1f") -> pa.ChunkedArray:
    """A column as text; a list is one text."""
    if pa.types.is_list(column.type):
        return pc.binary_join(column, separator)
    return pc.fill_null(column.cast(pa.string()), "")


def _with_changes(
    existing: pa.Table, new: pa.Table, changed: dict[str, npt.NDArray[np.int64]], *, position: npt.NDArray[np.int64]
) -> pa.Table:
    """The collection's rows with the cells that changed."""
    for name, rows in changed.items():
        source = np.arange(existing.num_rows)
        source[position[rows]] = existing.num_rows + rows
        both = pa.chunked_array([*existing.column(name).chunks, *new.column(name).chunks])
        existing = _with_column(existing, name, both.take(pa.array(source)))
    return existing


def _history(
    before: Collection,
    existing: pa.Table,
    new: pa.Table,
    changed: dict[str, npt.NDArray[np.int64]],
    *,
    position: npt.NDArray[np.int64],
    sources: Sequence[dict[str, Any]],
) -> pd.DataFrame:
    """The labels that are taken, cell by cell; columns that the collection had not are no corrections."""
    cells: dict[str, list[str]] = {"image_id": [], "column": [], "from": [], "to": []}
    for name, rows in changed.items():
        if name not in before.manifest.column_names or name in {*_OF_THE_FILE, "path"}:
            continue
        cells["image_id"] += new.column("image_id").take(pa.array(rows)).to_pylist()
        cells["column"] += [name] * len(rows)
        for key, table, places in (("from", existing, position[rows]), ("to", new, rows)):
            cells[key] += _comparable(table.column(name).take(pa.array(places)), separator=SEPARATOR).to_pylist()
    return history_of(cells, source=", ".join(Path(str(source["origin"])).name for source in sources))


def _told(changed: dict[str, npt.NDArray[np.int64]], new: pa.Table) -> str:
    parts = []
    for name, rows in changed.items():
        ids = [new.column("image_id")[int(row)].as_py() for row in rows[:_NAMED]]
        more = ", …" if len(rows) > _NAMED else ""
        parts.append(f"{name} of {len(rows)} ({', '.join(ids)}{more})")
    return "; ".join(parts)


def _problems(
    before: Collection, gathered: Gathered, existing: pa.Table, *, matched: npt.NDArray[np.int64]
) -> tuple[pd.DataFrame, int]:
    """The problems that are not listed yet, and how many images their sources do not have any more."""
    datasets = pa.array([source["dataset"] for source in gathered.facts["sources"]], pa.string())
    own = np.asarray(pc.is_in(existing.column("dataset"), value_set=datasets))
    own[matched] = False
    ids = pa.array(gathered.problems["image_id"].astype(str), pa.string())
    own &= ~np.asarray(pc.is_in(existing.column("image_id"), value_set=ids))
    rows = np.flatnonzero(own)
    gone = existing.select(["path", "image_id"]).take(pa.array(rows)).to_pandas()
    files = before.manifest.arrow("path").take(pa.array(rows)).to_pylist()
    gone["source"], gone["line"] = "adding", ""
    gone["reason"] = [LEFT_OUT if (before.image_root / file).is_file() else GONE for file in files]
    problems = pd.concat([gathered.problems[PROBLEM_COLUMNS].astype(str), gone[PROBLEM_COLUMNS]], ignore_index=True)
    listed = set(before.problems()[PROBLEM_COLUMNS].itertuples(index=False, name=None))
    unlisted = np.array([row not in listed for row in problems.itertuples(index=False, name=None)], dtype=bool)
    return problems[unlisted].reset_index(drop=True), len(rows)


def _record(
    before: dict[str, Any], facts: dict[str, Any], manifest: Manifest, *, problems: int, fresh: int
) -> dict[str, Any]:
    """collection.json of the collection as it is then."""
    again = {(source["origin"], source["dataset"]) for source in facts["sources"]}
    sources = before.get("sources", [])
    kept = [source for source in sources if (source["origin"], source["dataset"]) not in again]
    changes = {(c["column"], c["from"], c["to"]): c["rows"] for c in before.get("changes", [])}
    for change in facts["changes"]:
        key = (change["column"], change["from"], change["to"])
        changes[key] = max(change["rows"], changes.get(key, 0))
    licences = dict(before.get("licences", {}))
    for licence, images in facts["licences"].items():
        # A source that was there is counted anew; of another one, what is new.
        earlier = licences.get(licence, 0)
        anew = len(kept) < len(sources) or not fresh
        licences[licence] = max(images, earlier) if anew else min(images, fresh) + earlier
    groups = manifest.groups("duplicate")
    checks = [check for check in (before.get("checked", "decode"), facts["checked"]) if check in CHECKS]
    return before | {
        "problems": problems,
        "duplicates": int((groups >= 0).sum()),
        "duplicate_groups": int(groups.max(initial=-1)) + 1,
        "sources": kept + facts["sources"],
        "changes": [{"column": c, "from": old, "to": new, "rows": rows} for (c, old, new), rows in changes.items()],
        "licences": licences,
        "checked": max(checks, key=CHECKS.index),
        "notes": list(dict.fromkeys([*before.get("notes", []), *facts["notes"]])),
    }


def _report(collection: Collection, notes: list[str]) -> ImportReport:
    record = collection.record
    return ImportReport(
        collection,
        len(collection),
        problems=len(collection.problems()),
        duplicates=record.get("duplicates", 0),
        duplicate_groups=record.get("duplicate_groups", 0),
        changes=record.get("changes", []),
        notes=[*record.get("notes", []), *notes],
    )
