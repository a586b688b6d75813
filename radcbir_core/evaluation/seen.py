"""Which images of a collection an encoder has seen in training, and what there is to say of that.

Owns the comparison of a collection's files with the list that an encoder's kit carries
(:mod:`radcbir_core.encoders.trained_on`), and its words. What is another file of a picture that was seen, be it scaled,
compressed again or in another window, counts as seen too, where near-duplicates were looked for. A figure over images
that an encoder was trained on says how well it remembers, and not what it would find in another hospital.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import Groups, groups_of
from radcbir_core.encoders.kits.training_list import State, Training
from radcbir_core.encoders.trained_on import training_of
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation.protocol import SeenRule
from radcbir_core.wording import counted

_FOUND: Final[WeakKeyDictionary[EncoderStore, tuple[str, npt.NDArray[np.bool_]]]] = WeakKeyDictionary()
"""The files that are listed, by the list's identity: every level of every evaluation asks for them."""


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
    def files(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; images whose file, or an exact copy of it, is listed; all false without a list."""
        identity, rows = _FOUND.get(self.store, ("", np.empty(0, dtype=bool)))
        if identity != self.training.identity or not identity:
            rows = seen_files(self.store, self.training)
            _FOUND[self.store] = self.training.identity, rows
        return rows

    @cached_property
    def near(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; images of which no file is listed, but that of a near-duplicate is; false where none are known."""
        return self.rows & ~self.files

    @cached_property
    def rows(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; images whose file, or another file of the same picture, is listed; all false without a list."""
        return _with_fellows(self.files, [self._groups] if self._groups is not None else [])

    @property
    def number(self) -> int:
        """How many images were seen."""
        return int(self.rows.sum())

    @property
    def number_near(self) -> int:
        """How many of these were seen in another file alone."""
        return int(self.near.sum())

    @property
    def looked_for(self) -> bool:
        """Whether near-duplicates are known, so that other files of a picture that was seen are."""
        return self._groups is not None

    @property
    def identity(self) -> list[str]:
        """Identifies what there is to say of an encoder's training; empty where it was trained on nothing."""
        if self.state == "nothing":
            return []
        known = [self.training.identity or self.state, self.training.fault]
        if self.state == "listed" and self.store.is_current(NEAR_DUPLICATES):
            known.append(self.store.near_duplicates_digest)
        return [" ".join(known)]

    @cached_property
    def _groups(self) -> Groups | None:
        """``(N,)`` the groups of near-duplicates; None where they were not looked for, or are damaged, as is said."""
        if self.state != "listed" or not self.store.is_current(NEAR_DUPLICATES):
            return None
        try:
            return self.store.near_duplicate_groups
        except CollectionError:
            return None


def seen_of(store: EncoderStore) -> Seen:
    """What an encoder has seen in training of the collection that it embedded.

    Args:
        store: What the encoder made of the collection.
    """
    return Seen(store, training_of(store.spec, str(store.record.get("weights_digest", ""))))


def seen_files(store: EncoderStore, training: Training) -> npt.NDArray[np.bool_]:
    """Which images of a collection are, file by file, among those that an encoder was trained on.

    Args:
        store: What the encoder made of the collection.
        training: What it was trained on.

    Returns:
        ``(N,)``; true where the beginning of the file's SHA-256 is listed, or that of an exact copy.
    """
    if training.state != "listed":
        return np.zeros(len(store.collection), dtype=bool)
    column = store.collection.manifest.arrow("sha256").cast(pa.binary())
    listed = training.lists(column.to_numpy().astype("S64"))
    return _with_fellows(listed, groups_of(store, ("duplicate",)))


def _with_fellows(rows: npt.NDArray[np.bool_], groups: Sequence[Groups]) -> npt.NDArray[np.bool_]:
    """``(N,)``; those rows, and all that share a group with one of them, -1 being none."""
    rows = rows.copy()
    for group in groups:
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
    if seen.training.fault and seen.state == "unknown":
        return [
            f"Whether {name} has seen images in training is not known: its list cannot be used. {seen.training.fault}"
        ]
    if seen.state == "nothing":
        return []
    if seen.state == "unknown":
        return [f"What {name} was trained on is not known to RadCBIR: it may have seen these very images."]
    notes = []
    unread = int(pc.sum(pc.equal(store.collection.manifest.arrow("sha256"), "")).as_py() or 0)
    if unread:
        notes.append(
            f"{unread:,} of {number:,} files were not read when they were imported: whether {name} has seen them in "
            "training is not known."
        )
    if not seen.looked_for:
        notes.append(
            "Near-duplicates are not known: a picture that was seen in another file (scaled, compressed again) counts "
            "as not seen."
        )
    if seen.training.fault:
        notes.append(f"The list is that of another folder with the same weights. {seen.training.fault}")
    if seen.number:
        notes.insert(0, f"{seen_said(seen)}: {_RULE_SAID[rule]}.")
    elif unread < number:
        notes.insert(0, f"None of the images is among those that {name} was trained on.")
    return notes


def seen_said(seen: Seen) -> str:
    """How many images an encoder has seen in training, and how many of them in another file; no full stop.

    Args:
        seen: What it has seen, which is not nothing.
    """
    number = len(seen.rows)
    share = f"{seen.number:,} of the {number:,} images in training ({percent(seen.number / max(number, 1))})"
    near = f", {counted(seen.number_near, 'of them as a near-duplicate', 'of them as near-duplicates')}"
    return f"{seen.store.encoder_id} has seen {share}{near if seen.number_near else ''}"


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
