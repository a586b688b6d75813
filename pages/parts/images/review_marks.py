"""What people said of an image, in a few short marks: on cards, and as a line.

Owns the marks and their words. What was said, and what holds of it, is the core's (collections/reviews).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pages.parts.frame import loaders
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.corrections import SEPARATOR
from radcbir_core.collections.reviews.review_log import Entry
from radcbir_core.collections.reviews.review_state import Review, Reviews
from radcbir_core.collections.reviews.reviewing import is_same_label, said_now
from radcbir_core.errors import RadcbirError

MOST_TAGS: Final = 4
_NOTE_LETTERS: Final = 200


def reviews_here(collection: Collection) -> Reviews:
    """What was said of a collection's images; nothing where that cannot be read, which the page Review says."""
    try:
        return loaders.reviews(collection)
    except RadcbirError:
        return Reviews()


def on_card(reviews: Reviews, record: Mapping[str, Any], *, query: str = "") -> list[dict[str, str]]:
    """The marks of an image's card: tags, notes and open corrections; of a hit, those of the pair too.

    Args:
        reviews: Of the collection.
        record: The image's, with its labels.
        query: The image_id of the query that it is a hit of; "" where it is none, or the query is no image here.

    Returns:
        ``kind`` (tag, note, label or pair), ``text`` and ``title`` of each.
    """
    image_id = str(record["image_id"])
    review = reviews.of(image_id)
    marks = [*_tags(review), *_notes(review)]
    for column, entry in open_corrections(review, record).items():
        title = f"{column.capitalize()} would be {label_said(entry.text)}, says {entry.by}; not applied"
        marks.append({"kind": "label", "text": f"→ {label_said(entry.text)}", "title": title})
    if query and query != image_id:
        pair = reviews.of(query, image_id)
        marks += [
            mark | {"kind": "pair", "text": f"↔ {mark['text']}", "title": f"Of query and hit. {mark['title']}"}
            for mark in (*_tags(pair), *_notes(pair))
        ]
    return marks


def on_pair(reviews: Reviews, query: str, hit: str) -> list[dict[str, str]]:
    """The marks of a query beside its hit."""
    return [*_tags(reviews.of(query, hit)), *_notes(reviews.of(query, hit))]


def open_corrections(review: Review, record: Mapping[str, Any]) -> dict[str, Entry]:
    """Column → the correction that counts, where the manifest says something else."""
    latest = {entry.column: entry for entry in review.corrections}
    return {
        column: entry
        for column, entry in latest.items()
        if not is_same_label(column, said_now(record, column), entry.text)
    }


def label_said(text: str) -> str:
    """A label as people read it.

    >>> label_said("mass|edema"), label_said("")
    ('mass, edema', 'not known')
    """
    return ", ".join(text.split(SEPARATOR)) if text else "not known"


def line_of(review: Review) -> str:
    """What was said in one line: the last note, or who said something last."""
    if review.notes:
        note = review.notes[-1]
        text = " ".join(note.text.split())
        more = f" (+{len(review.notes) - 1})" if len(review.notes) > 1 else ""
        return f"{text[:_NOTE_LETTERS]}{'…' if len(text) > _NOTE_LETTERS else ''}{more} – {note.by}"
    return f"{', '.join(review.people())}, {review.last.when[:10]}"


def _tags(review: Review) -> list[dict[str, str]]:
    names = review.tag_names
    marks = [
        {"kind": "tag", "text": name, "title": f"Tag, by {', '.join(entry.by for entry in review.tagged(name))}"}
        for name in names[:MOST_TAGS]
    ]
    if len(names) > MOST_TAGS:
        further = names[MOST_TAGS:]
        marks.append({"kind": "tag", "text": f"+{len(further)}", "title": f"Tags: {', '.join(further)}"})
    return marks


def _notes(review: Review) -> list[dict[str, str]]:
    if not review.notes:
        return []
    number = f" {len(review.notes)}" if len(review.notes) > 1 else ""
    return [{"kind": "note", "text": f"✎{number}", "title": f"Note: {line_of(review)}"}]
