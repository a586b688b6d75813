"""Saying something of an image, or of a query and its hit: tags, notes, corrections, and taking them back.

Owns what a person does, made into entries, and how corrections stand. What one sees of an image is the manifest's word
until the corrections are applied as a table of corrections (:func:`corrections_table`): evaluations know nothing of
what is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.corrections import BY, SEPARATOR, WHEN
from radcbir_core.collections.reviews.review_log import CORRECTED, Entry, Kind, add_entries, new_entry, read_log
from radcbir_core.collections.reviews.review_state import Review, Reviews, Subject, state_of, subject_of
from radcbir_core.errors import CollectionError
from radcbir_core.vocabulary import MODALITIES, normal_modality, normal_pathology, normal_text

Standing = Literal["open", "applied", "superseded", "gone"]
"""Of a correction: the manifest says something else; it says the same; a later one counts; its image is not there."""

Presence = Literal["there", "other file", "gone"]

PRESENT: Final[Presence] = "there"

Known = Mapping[str, Mapping[str, Any]]
"""What the manifest says of the images that entries speak of, by image_id."""

_LOOKED_AT: Final = ["image_id", "sha256", *CORRECTED]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A correction, and how it stands.

    Attributes:
        entry: Who said what, and when.
        standing: How it stands.
        now: What the manifest says.
    """

    entry: Entry
    standing: Standing
    now: str


def read_reviews(folder: Path) -> Reviews:
    """What holds of a collection's images.

    Args:
        folder: The collection's.

    Raises:
        CollectionError: The log cannot be read.
    """
    log = read_log(folder)
    return state_of(log.entries, damaged=log.damaged)


def write_tag(collection: Collection, subject: Subject, tag: str, *, by: str, encoder: str = "") -> None:
    """Give a tag to an image or a pair. What the same person said of it already is not said twice.

    Args:
        collection: Where the images are.
        subject: Which.
        tag: One line of at most 60 characters.
        by: Who gives it.
        encoder: Whose hits they are looking at.

    Raises:
        CollectionError: It can be no tag, or the collection is being changed.
        StorageError: No space left, or no permission.
    """
    _write(collection, "tag", subject, by=by, encoder=encoder, text=tag)


def write_note(collection: Collection, subject: Subject, note: str, *, by: str, encoder: str = "") -> None:
    """Add a note to an image or a pair; several may stand side by side. As :func:`write_tag`, of 4,000 characters."""
    _write(collection, "note", subject, by=by, encoder=encoder, text=note)


def _write(collection: Collection, kind: Kind, subject: Subject, **said: str) -> None:
    entry = new_entry(kind, **said, **identity_of(collection, subject))
    log = read_log(collection.folder).entries
    there = state_of(one for one in log if one.of or subject_of(one) == subject).of(*subject).entries
    if not any((one.kind, one.by, one.text) == (kind, entry.by, entry.text) for one in there):
        add_entries(collection.name, [entry])


def write_withdrawals(collection: Collection, entries: Sequence[Entry], *, by: str) -> None:
    """Take back what was said; that it was said, and by whom it was taken back, stays in the log.

    Raises:
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    add_entries(collection.name, [new_entry("withdrawal", by=by, of=entry.id) for entry in entries])


def write_correction_of(
    collection: Collection, image_id: str, labels: Mapping[str, str | Sequence[str]], *, by: str, review: Review
) -> int:
    """Write which labels of an image would be right.

    Words become the manifest's, as an import reads them. A label that is as the manifest has it is no correction, and
    takes back those that there are.

    Args:
        collection: Where the image is.
        image_id: Of the image.
        labels: Column of :data:`~radcbir_core.collections.reviews.review_log.CORRECTED` → what would be right.
        by: Who says so.
        review: What holds of the image.

    Returns:
        How many labels are corrected.

    Raises:
        ImageNotFoundError: The collection does not hold the image.
        CollectionError: A label cannot be one, or the collection is being changed.
        StorageError: No space left, or no permission.
    """
    record = collection.manifest.record(collection.manifest.row_of(image_id))
    entries = []
    corrected = 0
    for column, label in labels.items():
        text, before = normal_label(collection, column, label), said_now(record, column)
        mine = [entry for entry in review.corrections if entry.column == column]
        if is_same_label(column, text, before):
            entries += [new_entry("withdrawal", by=by, of=entry.id) for entry in mine]
            continue
        corrected += 1
        if not mine or not is_same_label(column, mine[-1].text, text):
            identity = identity_of(collection, (image_id, ""))
            entries.append(new_entry("correction", by=by, column=column, text=text, before=before, **identity))
    if entries:
        add_entries(collection.name, entries)
    return corrected


def normal_label(collection: Collection, column: str, label: str | Sequence[str]) -> str:
    """A label as the manifest would have it; several pathologies with ``|`` between them.

    Raises:
        CollectionError: It cannot be a label of this column.
    """
    words = label.split(SEPARATOR) if isinstance(label, str) else list(label)
    if column == "modality":
        text = normal_modality("".join(words))
        if text == "other" and "".join(words).strip().casefold() not in {"other", "ot"}:
            raise CollectionError(
                f"Expected a modality of {', '.join(MODALITIES)}, but it is {''.join(words)[:80]!r}. Choose one of "
                "these."
            )
        return text
    if column == "anatomy":
        known = {word.casefold(): word for word in collection.manifest.codes("anatomy").values}
        text = normal_text(SEPARATOR.join(words))
        return known.get(text.casefold(), text)
    spellings = {word.casefold(): word for word in collection.manifest.pathology_counts}
    if not isinstance(label, str) and any(SEPARATOR in word for word in words):
        raise CollectionError(f"Expected pathologies without {SEPARATOR}, but one has it. Write them one by one.")
    normal = (normal_pathology(word) for word in words)
    return SEPARATOR.join(dict.fromkeys(spellings.get(word.casefold(), word) for word in normal if word))


def said_now(record: Mapping[str, Any], column: str) -> str:
    """What a manifest's record says in a column, as entries have it."""
    value = record[column]
    return SEPARATOR.join(value) if isinstance(value, list) else str(value or "")


def is_same_label(column: str, one: str, other: str) -> bool:
    """Whether two labels say the same; the order of pathologies does not count.

    Example:
        >>> is_same_label("pathologies", "mass|edema", "edema|mass"), is_same_label("anatomy", "chest", "hand")
        (True, False)
    """
    return set(one.split(SEPARATOR)) == set(other.split(SEPARATOR)) if column == "pathologies" else one == other


def known_images(collection: Collection, image_ids: Iterable[str]) -> Known:
    """What the manifest says of images, by their ids; those that it does not hold are left out."""
    wanted = sorted({image_id for image_id in image_ids if image_id})
    rows = collection.manifest.rows_of(wanted)
    there = rows[rows >= 0]
    records = collection.manifest.columns(_LOOKED_AT).take(pa.array(there)).to_pylist()
    return {record["image_id"]: record for record in records}


def images_in(entries: Iterable[Entry]) -> Iterator[str]:
    """The ids of all images that entries speak of."""
    for entry in entries:
        yield entry.image_id
        yield entry.hit_id


def identity_of(collection: Collection, subject: Subject) -> dict[str, str]:
    """What an entry keeps of the images that it speaks of: ids, and the digests of their files where they are known.

    Raises:
        ImageNotFoundError: The collection does not hold one of them.
    """
    known: dict[str, str] = {}
    for image_id, names in zip(subject, (("image_id", "sha256"), ("hit_id", "hit_sha256")), strict=True):
        if image_id:
            record = collection.manifest.record(collection.manifest.row_of(image_id))
            known |= dict(zip(names, (image_id, str(record["sha256"] or "")), strict=True))
    return known


def presence_of(known: Known, entry: Entry) -> Presence:
    """Whether the images that an entry speaks of are in the collection, with the files that they had.

    Args:
        known: Of these images, as :func:`known_images` gives it.
        entry: Which.
    """
    presence: Presence = PRESENT
    for image_id, sha256 in ((entry.image_id, entry.sha256), (entry.hit_id, entry.hit_sha256)):
        if image_id and image_id not in known:
            return "gone"
        if sha256 and (known[image_id]["sha256"] or sha256) != sha256:
            presence = "other file"
    return presence


def proposals(collection: Collection, reviews: Reviews) -> list[Proposed]:
    """All corrections that nobody took back, the earliest first, and how each stands."""
    proposed = []
    corrections = [entry for entry in reviews.entries if entry.kind == "correction"]
    latest = {(entry.image_id, entry.column): entry for entry in corrections}
    known = known_images(collection, images_in(corrections))
    for entry in corrections:
        standing: Standing = "open"
        now = ""
        if presence_of(known, entry) != PRESENT:
            standing = "gone"
        else:
            now = said_now(known[entry.image_id], entry.column)
            if is_same_label(entry.column, now, entry.text):
                standing = "applied"
            elif latest[entry.image_id, entry.column] is not entry:
                standing = "superseded"
        proposed.append(Proposed(entry, standing, now))
    return proposed


def corrections_table(collection: Collection, reviews: Reviews) -> pd.DataFrame:
    """The open corrections as a table of corrections, which is how they are applied.

    Returns:
        One row an image: ``image_id``, the columns that any of them corrects (those of an image that are not
        corrected as the manifest has them), and ``corrected_by`` and ``corrected_at``, which the history keeps.
    """
    open_ones: dict[str, dict[str, Entry]] = {}
    for one in proposals(collection, reviews):
        if one.standing == "open":
            open_ones.setdefault(one.entry.image_id, {})[one.entry.column] = one.entry
    columns = [name for name in CORRECTED if any(name in entries for entries in open_ones.values())]
    known = known_images(collection, open_ones)
    lines = []
    for image_id, entries in open_ones.items():
        record = known[image_id]
        line = {"image_id": image_id}
        line |= {name: entries[name].text if name in entries else said_now(record, name) for name in columns}
        line[BY] = "; ".join(dict.fromkeys(entry.by for entry in entries.values()))
        line[WHEN] = max(entry.when for entry in entries.values())
        lines.append(line)
    return pd.DataFrame(lines, columns=["image_id", *columns, BY, WHEN], dtype=object)
