"""An archive → a collection.

Owns the way in, for files that may come from anybody. Nothing in an archive is believed: names, links, sizes and
passwords are looked at before a byte is written (``unpacking.py`` has these rules), every member must have
the digest that the archive's list gives, nothing may be there that is no part of a collection, and the parts must
belong together and be what they are called. The collection appears whole or not at all, but for indexes: these are not
unpacked, because a crafted one would end the process that opens it, and are built anew
(:func:`~radcbir_core.pipeline.build_indexes`).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radcbir_core.checked_files import has_odd_numbers, parse_json
from radcbir_core.collections.archive.contents import (
    FORMAT,
    LABEL,
    LIST,
    STEP,
    VERSION,
    Member,
    belongs,
    is_image,
    read_list,
)
from radcbir_core.collections.artifacts import ARTIFACTS, EMBEDDINGS, INDEX, standings
from radcbir_core.collections.changes import check_title, checked_root
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import corrected_cells, read_corrections
from radcbir_core.collections.encoder_data.checked_arrays import open_checked
from radcbir_core.collections.encoder_data.store import encoder_fault
from radcbir_core.collections.layout import (
    CORRECTIONS,
    ENCODERS,
    IMAGES,
    MANIFEST,
    PROBLEMS,
    RECORD,
    REVIEWS,
    TEXT_BOXES,
    EncoderLayout,
    Layout,
    check_name,
)
from radcbir_core.collections.manifests.digests import Digests, digests_of
from radcbir_core.collections.manifests.manifest import COLUMNS, odd_column
from radcbir_core.collections.records.migration import (
    SCHEMA_VERSION,
    is_of_form_one,
    migrated_collection,
    migrated_encoder,
    version_of,
)
from radcbir_core.collections.records.record import ARCHIVED, digests_in, read_problems
from radcbir_core.collections.records.record_rules import COLLECTION, odd_field
from radcbir_core.collections.reviews.review_log import read_log
from radcbir_core.collections.text_boxes import read_text_boxes
from radcbir_core.collections.writing import new_collection, refuse_existing
from radcbir_core.errors import FILE, ArchiveError, CollectionError, Remedy
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_file, refuse_full_disk, sync_disk, write_json
from radcbir_core.unpacking import ZipLimits, checked_members, extract, opened

LIMITS = ZipLimits(files=4_000_000, file_bytes=1024**4, total_bytes=4 * 1024**4)
"""What an archive may hold: 1.6 million images with their files fit in well; the disk's free space counts besides."""

_LONGEST_JSON = 64 * 1024 * 1024
_LONGEST_LINE = 16 * 1024
_ROWS = 16_384
_MEGABYTE = 1_000_000


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP with a collection in it, by its member ``collection.json``; not whether it is a good one.

    Offer :func:`open_archive` for such a file instead of an import.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.zip"
        >>> with zipfile.ZipFile(path, "w") as archive:
        ...     archive.writestr("manifest.csv", "path")
        >>> is_archive(path)
        False
        >>> with zipfile.ZipFile(path, "a") as archive:
        ...     archive.writestr("collection.json", "{}")
        >>> is_archive(path)
        True
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return RECORD in archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):
        return False


def open_archive(
    path: Path, name: str | None = None, *, image_root: Path | None = None, progress: Progress = silent
) -> Collection:
    """Make the collection that an archive holds, whole or not at all; what was computed for it can be used at once.

    For the wizard and the command: ask :func:`is_archive` first, ask for a name where the archive's own is taken, call
    this with a progress callback, and show what it raises. It stops where the callback raises, and leaves nothing.

    Args:
        path: A file that :func:`~radcbir_core.collections.archive.archive_writer.write_archive` has written.
        name: What to call the collection; by default as in the archive.
        image_root: Where the images are, if they are at hand and not in the archive.
        progress: Told the megabytes unpacked, as step "archive".

    Returns:
        The new collection.

    Raises:
        ArchiveError: It is no such file, damaged, made by a newer version, or holds what no archive may.
        CollectionExistsError: The name is taken.
        CollectionError: The name cannot be one, or ``image_root`` holds none of the images.
        StorageError: No space left, or no permission.
    """
    called = str(path)
    with opened(path, name=called) as archive:
        members, _ = checked_members(archive, name=called, limits=LIMITS)
        _refuse_overlaps(members, path)
        by_name = {member.filename: member for member in members}
        label = _label(archive, by_name, called)
        listed = [
            member
            for member in _listed(archive, by_name, label, called)
            if not (member.path.startswith(f"{ENCODERS}/") and Path(member.path).name in INDEX.one_of)
        ]
        record = _record(_json_of(archive, by_name, RECORD, called), called)
        chosen = name if name is not None else str(record.get("name", ""))
        check_name(chosen)
        refuse_existing(chosen)
        with new_collection(chosen) as folder:
            refuse_full_disk(folder.parent, sum(member.bytes for member in listed), purpose=f"open {called}")
            _unpack(archive, by_name, listed, folder=folder, called=called, progress=progress)
            _check_parts(folder, record, called)
            pictures = sum(is_image(member.path) for member in listed)
            root = Path(IMAGES)
            if image_root is not None:
                if pictures:
                    raise ArchiveError(
                        f"Expected an archive without images where image_root is given, but {called} has "
                        f"{pictures:,} of them. Leave image_root out."
                    )
                root = checked_root(image_root, folder / MANIFEST)
            origin: dict[str, Any] = {key: label[key] for key in ("name", "made", "radcbir", "images") if key in label}
            told = {**origin, "opened": datetime.now(UTC).isoformat(timespec="seconds")}
            write_json(folder / RECORD, record | {"name": chosen, "image_root": str(root), ARCHIVED: told})
            _check_history(Collection(folder), called)
            sync_disk(folder)
    return open_collection(chosen)


def _refuse_overlaps(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse members that share bytes: a small file could announce any size without a suspicious ratio."""
    packed = sum(member.compress_size for member in members)
    if packed > path.stat().st_size:
        raise ArchiveError(
            f"Expected members one after the other, but those of {path} overlap, as in a ZIP bomb. Do not use it."
        )


def _label(archive: zipfile.ZipFile, by_name: dict[str, zipfile.ZipInfo], called: str) -> dict[str, Any]:
    """``archive.json``, of a version that can be read."""
    if LABEL not in by_name:
        raise ArchiveError(
            f"Expected a collection as export writes it, but {called} has no {LABEL}. "
            "Export the collection as one ZIP file.",
            remedy=Remedy("export", options={"zip": FILE}),
        )
    label = _json_of(archive, by_name, LABEL, called)
    version = label.get("version")
    if label.get("format") != FORMAT or not isinstance(version, int):
        raise ArchiveError(
            f"Expected format {FORMAT}, but {LABEL} in {called} says {str(label.get('format'))[:80]!r}. "
            "Export the collection again."
        )
    if version != VERSION:
        raise ArchiveError(
            f"Expected version {VERSION} of {FORMAT}, but {called} has {version}. "
            + ("Open it with a newer RadCBIR." if version > VERSION else "Export the collection again.")
        )
    return label


def _listed(
    archive: zipfile.ZipFile, by_name: dict[str, zipfile.ZipInfo], label: dict[str, Any], called: str
) -> list[Member]:
    """``members.csv``, if it is whole and names the members that are there, and only parts of a collection."""
    text = _text_of(archive, by_name, LIST, called, limit=_LONGEST_LINE * (len(by_name) + 1))
    if hashlib.sha256(text).hexdigest() != label.get("members_sha256"):
        raise _other_bytes(LIST, called)
    listed = read_list(io.StringIO(text.decode("utf-8", "replace"), newline=""), name=called)
    names = {member.path for member in listed}
    if len(names) != len(listed):
        raise ArchiveError(f"Expected each member once, but {LIST} in {called} names one twice. Export it again.")
    there = set(by_name) - {LABEL, LIST}
    if missing := sorted(names - there):
        raise ArchiveError(
            f"Expected all members that {LIST} names, but {called} lacks {missing[0]!r} "
            f"({len(missing):,} in all). Copy or export it again."
        )
    if further := sorted(there - names):
        raise ArchiveError(
            f"Expected only members that {LIST} names, but {called} has {further[0][:120]!r} as well. Export it again."
        )
    for member in listed:
        if not (belongs(member.path) or is_image(member.path) or member.path == RECORD):
            raise ArchiveError(
                f"Expected only parts of a collection, but {called} has {member.path[:120]!r}. Export it again."
            )
        if member.bytes != by_name[member.path].file_size:
            raise _other_bytes(member.path, called)
    if not {RECORD, MANIFEST} <= names:
        raise ArchiveError(f"Expected {RECORD} and {MANIFEST}, but {called} lacks one of them. Export it again.")
    return listed


def _record(record: dict[str, Any], called: str) -> dict[str, Any]:
    """``collection.json``, if this version can read it."""
    version = version_of(record)
    if version is None or not 1 <= version <= SCHEMA_VERSION:
        newer = version is not None and version > SCHEMA_VERSION
        raise ArchiveError(
            f"Expected a schema version from 1 to {SCHEMA_VERSION}, but the collection in {called} has "
            f"{str(record.get('schema_version'))[:20]}. "
            + ("Open it with a newer RadCBIR." if newer else "Export it again.")
        )
    record = migrated_collection(record)
    images = record.get("images")
    if not (
        isinstance(record.get("title"), str)
        and isinstance(record.get("manifest_digest"), str)
        and isinstance(images, int)
        and images > 0
        and _has_digests(record)
    ):
        raise ArchiveError(
            f"Expected title, images, manifest_digest and digests in {RECORD}, but {called} lacks one of them. "
            "Export it again."
        )
    if odd := odd_field(record, COLLECTION):
        raise ArchiveError(
            f"Expected words where words belong and numbers where numbers do, but {odd} in {RECORD} of {called} is of "
            "another kind. Export it again."
        )
    check_title(record["title"])
    return record | {"manifest": MANIFEST}


def _has_digests(record: dict[str, Any]) -> bool:
    try:
        digests_in(record)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _unpack(
    archive: zipfile.ZipFile,
    by_name: dict[str, zipfile.ZipInfo],
    listed: list[Member],
    *,
    folder: Path,
    called: str,
    progress: Progress,
) -> None:
    total_bytes = sum(member.bytes for member in listed)
    total_megabytes = max(1, total_bytes // _MEGABYTE)
    done_bytes = 0
    progress(STEP, 0, total_megabytes)
    for member in listed:
        file = extract(archive, by_name[member.path], folder, name=called)
        if file.stat().st_size != member.bytes or digest_file(file) != member.sha256:
            raise _other_bytes(member.path, called)
        done_bytes += member.bytes
        progress(STEP, min(done_bytes // _MEGABYTE, total_megabytes), total_megabytes)
    progress(STEP, total_megabytes, total_megabytes)


def _check_parts(folder: Path, record: dict[str, Any], called: str) -> None:
    """Refuse parts that do not belong together."""
    rows = int(record["images"])
    try:
        read_problems(folder)
    except CollectionError as error:
        raise ArchiveError(
            f"Expected the list of what could not be imported, but {PROBLEMS} in {called} is damaged. Export it again."
        ) from error
    _check_reviews(folder, called)
    _check_text_boxes(folder, called)
    _check_manifest(folder / MANIFEST, rows, record, called)
    encoders = Layout(folder).encoders
    for encoder in sorted(encoders.iterdir()) if encoders.is_dir() else []:
        _check_encoder(EncoderLayout(encoder), rows, digests=digests_in(record), called=called)


def _check_reviews(folder: Path, called: str) -> None:
    try:
        damaged = read_log(folder).damaged
    except CollectionError as error:
        raise ArchiveError(
            f"Expected the log of reviews, but {REVIEWS} in {called} is damaged or too large. Export it again."
        ) from error
    if damaged:
        line, reason = damaged[0]
        raise ArchiveError(
            f"Expected entries of reviews only, but of line {line} of {REVIEWS} in {called}: {reason}. Export it again."
        )


def _check_text_boxes(folder: Path, called: str) -> None:
    path = Layout(folder).text_boxes
    try:
        if path.is_file():
            read_text_boxes(path)
    except CollectionError as error:
        raise ArchiveError(
            f"Expected the table of where text was found, but {TEXT_BOXES} in {called} is damaged. Export it again."
        ) from error


def _check_history(collection: Collection, called: str) -> None:
    try:
        read_corrections(collection)
    except CollectionError as error:
        raise ArchiveError(
            f"Expected the history of {corrected_cells(collection):,} corrections, but {CORRECTIONS} in {called} is "
            "missing or damaged. Export it again."
        ) from error


def _check_manifest(path: Path, rows: int, record: dict[str, Any], called: str) -> None:
    if digest_file(path) != record["manifest_digest"]:
        raise ArchiveError(
            f"Expected the manifest that {RECORD} describes, but {MANIFEST} in {called} is another. Export it again."
        )
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            fits = file.metadata.num_rows == rows and set(COLUMNS) <= set(schema.names) and not odd_column(schema)
            if not fits:
                raise ArchiveError(
                    f"Expected a manifest of {rows:,} rows with the columns {', '.join(COLUMNS)}, but {MANIFEST} in "
                    f"{called} is another. Export it again."
                )
            for batch in file.iter_batches(batch_size=_ROWS, columns=["path"]):
                for text in batch.column(0).to_pylist():
                    if not text or text.startswith(("/", "\\", "~")) or ".." in text.replace("\\", "/").split("/"):
                        raise ArchiveError(
                            f"Expected paths that stay below the image root, but the manifest in {called} has "
                            f"{str(text)[:120]!r}. Do not use it."
                        )
            table = file.read()
            if any(table.column(name).null_count for name in ("image_id", "path", "pathologies")):
                raise ArchiveError(
                    f"Expected an image_id, a path and a list of findings an image, but {MANIFEST} in {called} has "
                    "rows without. Export it again."
                )
            digests = digests_of(table)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArchiveError(
            f"Expected a readable manifest, but {MANIFEST} in {called} is damaged. Export it again."
        ) from error
    told = digests_in(record)
    alike = is_of_form_one(told.labels.get("*", "")) or dict(told.labels) == digests.labels
    if not alike or not (told.images == digests.images or is_of_form_one(told.images)):
        raise ArchiveError(
            f"Expected the images and labels that {RECORD} describes, but {MANIFEST} in {called} has others. "
            "Export it again."
        )


def _check_encoder(layout: EncoderLayout, rows: int, *, digests: Digests, called: str) -> None:
    """Refuse arrays of other shapes than the manifest's, and neighbors that are no rows of it.

    What is stale anyway, because the collection has grown since it was made, may have fewer rows.
    """
    name = f"{ENCODERS}/{layout.folder.name}"
    record = _encoder_record(layout.record, rows)
    if record is None:
        raise ArchiveError(
            f"Expected what made the embeddings, but {name}/{layout.record.name} in {called} does not say it. "
            "Export it again."
        )
    sources = {
        "images": digests.images,
        "labels": digests.all_labels,
        "encoder": str(record.get("fingerprint", "")),
    }
    states = standings(record["artifacts"], sources=sources, missing=lambda _: "")
    for artifact in ARTIFACTS:
        for path in layout.files(artifact):
            if path.name not in artifact.arrays or not path.is_file():
                continue
            whole = states[artifact.name].state == "current"
            try:
                array = open_checked(path, artifact, images=rows, whole=whole)
            except ValueError as error:
                raise ArchiveError(
                    f"Expected {artifact.title} of {rows:,} images, but {name}/{path.name} in {called} is not that: "
                    f"{error}. Export it again."
                ) from error
            if artifact == EMBEDDINGS and array.shape[1] != record.get("dimension"):
                raise ArchiveError(
                    f"Expected vectors of {str(record.get('dimension'))[:20]} numbers, but {name}/{path.name} in "
                    f"{called} has {array.shape[1]:,}. Export it again."
                )


def _encoder_record(path: Path, rows: int) -> dict[str, Any] | None:
    """What an encoder.json says; None where it lacks what pages and searches take for granted."""
    try:
        record = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("made_of", {}), dict):
        return None
    record = migrated_encoder(record)
    # An index's recall was NaN for single images in versions before.
    odd = has_odd_numbers({name: value for name, value in record.items() if name != INDEX.name})
    return None if odd or "artifacts" not in record or encoder_fault(record, images=rows) else record


def _json_of(archive: zipfile.ZipFile, by_name: dict[str, zipfile.ZipInfo], member: str, called: str) -> dict[str, Any]:
    try:
        value = parse_json(_text_of(archive, by_name, member, called, limit=_LONGEST_JSON))
    except ValueError as error:
        raise ArchiveError(
            f"Expected JSON, but {member} in {called} is none: {str(error)[:200]}. Export the collection again."
        ) from error
    if not isinstance(value, dict) or has_odd_numbers(value):
        raise ArchiveError(
            f"Expected a JSON object of words and finite numbers, but {member} in {called} is none. "
            "Export the collection again."
        )
    return value


def _text_of(
    archive: zipfile.ZipFile, by_name: dict[str, zipfile.ZipInfo], member: str, called: str, *, limit: int
) -> bytes:
    """The bytes of a small member."""
    info = by_name.get(member)
    if info is None:
        raise ArchiveError(f"Expected {member} in the archive, but {called} has none. Export the collection again.")
    if info.file_size > limit:
        raise ArchiveError(
            f"Expected at most {limit:,} bytes of {member}, but {called} has {info.file_size:,}. Do not use it."
        )
    with archive.open(info) as handle:
        return handle.read(info.file_size)


def _other_bytes(member: str, called: str) -> ArchiveError:
    return ArchiveError(
        f"Expected the bytes that the archive's list of members describes, but {member} in {called} has others. "
        "Copy or export it again."
    )
