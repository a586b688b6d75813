"""What holds of all that was said of a collection's images: the entries that nobody took back.

Owns that rule. An entry holds unless a withdrawal names it. So the same entries, in whatever order and however often
they came, make the same state, and who adds a tag while somebody else takes the same one back has added it. Of several
corrections of one label the latest counts; the others stay, and are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from radcbir_core.collections.reviews.review_log import Entry

SUGGESTED: Final = ("wrong label", "poor image", "artifact", "look again")
"""Tags that are offered before anybody has given one."""

Subject = tuple[str, str]
"""What is spoken of: the image_id of an image and ``""``, or those of a query and its hit."""


def subject_of(entry: Entry) -> Subject:
    """What an entry speaks of."""
    return entry.image_id, entry.hit_id


@dataclass(frozen=True, slots=True)
class Review:
    """What holds of one image or one pair.

    Attributes:
        subject: Which.
        tags: Those that were given, by entry; several people may have given the same.
        notes: The notes, the earliest first.
        corrections: Those of its labels, the earliest first.
    """

    subject: Subject
    tags: tuple[Entry, ...] = ()
    notes: tuple[Entry, ...] = ()
    corrections: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that holds."""
        return (*self.tags, *self.notes, *self.corrections)

    @property
    def last(self) -> Entry:
        """The latest of them.

        Raises:
            ValueError: There is none.
        """
        return max(self.entries, key=lambda entry: entry.order)

    @property
    def tag_names(self) -> tuple[str, ...]:
        """Each tag once, as it was first spelled, in the order in which they were given."""
        names: dict[str, str] = {}
        for entry in self.tags:
            names.setdefault(entry.text.casefold(), entry.text)
        return tuple(names.values())

    def tagged(self, tag: str) -> tuple[Entry, ...]:
        """The entries that give a tag; case does not count."""
        return tuple(entry for entry in self.tags if entry.text.casefold() == tag.casefold())

    def people(self) -> tuple[str, ...]:
        """Who said something, each once."""
        return tuple(dict.fromkeys(entry.by for entry in sorted(self.entries, key=lambda entry: entry.order)))


@dataclass(frozen=True)
class Reviews:
    """What holds in a collection.

    Attributes:
        reviews: Subject → what holds of it; those last spoken of first.
        tags: Tag → how many images and pairs have it, in the order in which they were first given.
        people: Who → how many entries of theirs hold; most first.
        damaged: The lines of the log that cannot be read, each with the reason.
    """

    reviews: dict[Subject, Review] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    damaged: tuple[tuple[int, str], ...] = ()

    def of(self, image_id: str, hit_id: str = "") -> Review:
        """What holds of an image, or of a query and its hit; a review without entries where nothing does."""
        return self.reviews.get((image_id, hit_id)) or Review((image_id, hit_id))

    @property
    def entries(self) -> list[Entry]:
        """All that holds, the earliest first."""
        return sorted(
            (entry for review in self.reviews.values() for entry in review.entries), key=lambda entry: entry.order
        )

    def offered_tags(self) -> list[str]:
        """Tags to offer: :data:`SUGGESTED`, then one's own, in an order in which none moves when it is given.

        Example:
            >>> Reviews(tags={"mine": 3, "Artifact": 1}).offered_tags()
            ['wrong label', 'poor image', 'artifact', 'look again', 'mine']
        """
        return [*SUGGESTED, *(tag for tag in self.tags if tag.casefold() not in SUGGESTED)]


def state_of(entries: Iterable[Entry], *, damaged: tuple[tuple[int, str], ...] = ()) -> Reviews:
    """What holds of entries, in whatever order they are given.

    Args:
        entries: All of a log, or of several.
        damaged: The lines of the log that cannot be read.
    """
    by_id = {entry.id: entry for entry in entries}
    withdrawn = {entry.of for entry in by_id.values() if entry.kind == "withdrawal"}
    holding = sorted(
        (entry for entry in by_id.values() if entry.kind != "withdrawal" and entry.id not in withdrawn),
        key=lambda entry: entry.order,
    )
    parted: dict[Subject, dict[str, list[Entry]]] = {}
    for entry in holding:
        parted.setdefault(subject_of(entry), {}).setdefault(entry.kind, []).append(entry)
    made = [
        Review(subject, *(tuple(kinds.get(kind, ())) for kind in ("tag", "note", "correction")))
        for subject, kinds in parted.items()
    ]
    made.sort(key=lambda review: review.last.order, reverse=True)
    spelled: dict[str, str] = {}
    for entry in holding:
        if entry.kind == "tag":
            spelled.setdefault(entry.text.casefold(), entry.text)
    counts = Counter(tag.casefold() for review in made for tag in review.tag_names)
    tags = {tag: counts[folded] for folded, tag in spelled.items()}
    people = Counter(entry.by for entry in holding)
    return Reviews({review.subject: review for review in made}, tags, dict(people.most_common()), damaged)
