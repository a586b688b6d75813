"""Which images of a collection an encoder has seen in training, and what there is to say of that.

Owns the comparison of a collection's files with the list that an encoder's kit carries
(:mod:`radcbir_core.encoders.trained_on`), and its words. A figure over images that an encoder was trained on says how
well it remembers, and not what it would find in another hospital.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.groups import groups_of
from radcbir_core.collections.store import EncoderStore
from radcbir_core.encoders.kits.training_list import State, Training
from radcbir_core.encoders.trained_on import training_of
from radcbir_core.evaluation.protocol import SeenRule

SAME_PICTURE: Final = ("duplicate",)
"""The groups whose images show the same picture: one seen is all seen."""


@dataclass(frozen=True)
class Seen:
    """What an encoder has seen in training of a collection.

    Attributes:
        store: What the encoder made of the collection.
        training: What is known of the encoder's training.
    """

    store: EncoderStore
    training: Training

    @property
    def state(self) -> State:
        """``listed``, trained on ``nothing``, or ``unknown``."""
        return self.training.state

    @cached_property
    def rows(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; images whose file, or another file of the same picture, is listed; all false without a list."""
        return seen_rows(self.store, self.training)

    @property
    def number(self) -> int:
        """How many images were seen."""
        return int(self.rows.sum())

    @property
    def identity(self) -> list[str]:
        """Identifies what there is to say of an encoder's training; empty where it was trained on nothing."""
        if self.state == "nothing":
            return []
        return [self.training.identity or f"{self.state} {self.training.fault}"]


def seen_of(store: EncoderStore) -> Seen:
    """What an encoder has seen in training of the collection that it embedded.

    Args:
        store: What the encoder made of the collection.
    """
    return Seen(store, training_of(store.spec, str(store.record.get("weights_digest", ""))))


def seen_rows(store: EncoderStore, training: Training) -> npt.NDArray[np.bool_]:
    """Which images of a collection are among those that an encoder was trained on.

    Args:
        store: What the encoder made of the collection.
        training: What it was trained on.

    Returns:
        ``(N,)``; true where the beginning of the file's SHA-256 is listed, or that of a file of the same picture.
    """
    number = len(store.collection)
    if training.state != "listed":
        return np.zeros(number, dtype=bool)
    begun = pc.utf8_slice_codeunits(store.collection.manifest.table.column("sha256"), 0, training.digits)
    listed = pc.is_in(begun, value_set=pa.array(training.digests, begun.type))
    rows = np.array(listed.combine_chunks(), dtype=bool)
    for group in groups_of(store, SAME_PICTURE):
        known = group >= 0
        also = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
        also[group[known & rows]] = True
        rows[known] |= also[group[known]]
    return rows


def seen_notes(store: EncoderStore, rule: SeenRule | None = None) -> list[str]:
    """What one has to know of an encoder's training to read its figures on a collection; one sentence each.

    Args:
        store: What the encoder made of the collection.
        rule: What becomes of queries that were seen; None where a figure has no queries.
    """
    seen, number, name = seen_of(store), len(store.collection), store.encoder_id
    if seen.training.fault:
        return [
            f"Whether {name} has seen images in training is not known: its list cannot be used. {seen.training.fault}"
        ]
    if seen.state == "nothing":
        return []
    if seen.state == "unknown":
        return [f"What {name} was trained on is not known to RadCBIR: it may have seen these very images."]
    notes = []
    unread = int(pc.sum(pc.equal(store.collection.manifest.table.column("sha256"), "")).as_py() or 0)
    if unread:
        notes.append(
            f"{unread:,} of {number:,} files were not read when they were imported: whether {name} has seen them in "
            "training is not known."
        )
    if seen.number:
        share = (
            f"{name} has seen {seen.number:,} of the {number:,} images in training ({percent(seen.number / number)})"
        )
        notes.insert(0, f"{share}: {_RULE_SAID[rule]}.")
    elif unread < number:
        notes.insert(0, f"None of the images is among those that {name} was trained on.")
    return notes


def percent(share: float) -> str:
    """A share of 0 to 1 in whole percent; what is not nothing is never 0, what is not all never 100.

    Example:
        >>> percent(0.716), percent(0.0004), percent(0.9996), percent(1.0)
        ('72 %', 'under 1 %', 'over 99 %', '100 %')
    """
    if 0 < share < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


_RULE_SAID: Final[dict[SeenRule | None, str]] = {
    "skip": "these are left out as queries, and stay in the gallery",
    "count": "these count as queries, and the figures are too favorable",
    None: "figures of these are too favorable",
}
