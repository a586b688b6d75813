"""What the hits of each label show: query label by retrieved label, with intervals and what chance would return.

Owns the table of cells. The shares are metrics/confusion.py's, their intervals statistics/intervals.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.confusion import confusion, rank_weights
from radcbir_core.evaluation.protocol import EMPTY_SAID, Protocol
from radcbir_core.evaluation.relevance import expected_kinds
from radcbir_core.evaluation.reports.precision import seen_word, with_bounds
from radcbir_core.evaluation.statistics.intervals import cell_intervals
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent

WEIGHTS = ("rank", "equal")
CELL_COLUMNS = (
    *("label", "hit_label", "n_hits", "share", "low", "high", "chance", "lift"),
    *("n_queries", "n_patients", "n_seen"),
)
_TOLD = 10
_FEWEST_PATIENTS = 5


@dataclass(frozen=True)
class RetrievalConfusion(Evaluation):
    """Query label by retrieved label, over the first k hits.

    A cell's share is the mean over the queries of the label of the weight of their hits with the other label. The
    weights of k hits add up to 1. By ``"rank"`` they are 1 / log2(rank + 1), divided by their sum; by ``"equal"`` they
    are 1 / k, so that the diagonal is the label's P@k. Queries that have nothing to find are left out, as they are of
    P@k, unless the protocol counts them.

    Table ``cells`` with the columns :data:`CELL_COLUMNS`, one row a pair of labels that occurs: ``label`` of the
    queries, ``hit_label`` of the hits, ``n_hits`` how many, ``share`` with the bounds of its 95 % interval over
    patients (NaN: one patient), ``chance``, the exact expectation for images drawn at random from those that each
    query may be given, ``lift``, share ÷ chance, and the queries and patients of the label, and its queries that were
    seen in training. Pairs of two labels come first, those whose interval begins highest before others; then each
    label with itself.
    """

    kind: ClassVar[str] = "confusion"
    recipe: ClassVar[int] = 3
    name: ClassVar[str] = "Retrieval confusion"
    about: ClassVar[str] = "What the hits of each label show: query label by retrieved label, with lift over chance."
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "cells": "Every pair of labels that occurs: share, interval, chance, lift",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "empty", "seen")

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    k: int = choice(10, "How many hits of each query count")
    weight: str = choice("rank", "rank: 1 / log2(rank + 1); equal: every hit alike")

    def __post_init__(self) -> None:
        check_varied(self.protocol, what="confusions")
        if not 1 <= self.k <= 100:
            raise EvaluationError(f"Expected k from 1 to 100, but k = {self.k}. Choose such.")
        if self.weight not in WEIGHTS:
            raise EvaluationError(
                f"Expected a weight of {' or '.join(WEIGHTS)}, but weight = {self.weight!r}. Use one of these."
            )

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Count the labels of the hits.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told three parts, as step "confusion".
        """
        progress("confusion", 0, 3)
        view = asked_view(store, self.protocol, self.level)
        n_asked = len(view.queries)
        n_empty = int(view.available.empty.sum())
        if self.protocol.empty == "skip":
            view = view.asked_by(view.queries[~view.available.empty])
        kinds, labels = view.relevance.kinds, view.relevance.labels
        codes = kinds[view.queries].astype(np.int64)
        hits = view.hits(self.k)
        progress("confusion", 1, 3)
        weights = rank_weights(self.k) if self.weight == "rank" else None
        table = confusion(hits.rows, codes, gallery_labels=kinds, labels=labels, k=self.k, weights=weights)
        line, rank = np.nonzero(hits.rows[:, : self.k] >= 0)
        of_rank = np.full(self.k, 1 / self.k) if weights is None else weights
        patients = view.clusters[view.queries]
        _, bounds = cell_intervals(
            of_rank[rank],
            codes,
            kinds[hits.rows[line, rank]],
            lines=line,
            clusters=patients,
            n_labels=len(labels),
            n_columns=len(labels),
        )
        progress("confusion", 2, 3)
        expected = expected_kinds(
            view.queries,
            codes,
            relevance=view.relevance,
            gallery=view.gallery,
            groups=view.groups,
            n_labels=len(labels),
        )
        own, theirs = table.query_codes, table.hit_codes
        of_labels = np.unique(np.column_stack([codes, patients]), axis=0)[:, 0]
        names = np.array([*labels, ""], dtype=object)
        chance = expected[own, theirs]
        cells = pd.DataFrame(
            {
                "label": pd.Series(names[own], dtype="str"),
                "hit_label": pd.Series(names[theirs], dtype="str"),
                "n_hits": table.counts,
                "share": table.shares,
                "low": bounds[:, 0],
                "high": bounds[:, 1],
                "chance": chance,
                "lift": np.divide(table.shares, chance, out=np.full(len(own), np.nan), where=chance > 0),
                "n_queries": table.n_queries[own],
                "n_patients": np.bincount(of_labels, minlength=len(labels))[own],
                "n_seen": np.bincount(view.seen_lines[1], minlength=len(labels))[own],
            }
        )
        order = np.lexsort((theirs, own, -cells["share"], -cells["low"].fillna(-1), own == theirs))
        cells = cells.iloc[order].reset_index(drop=True)[list(CELL_COLUMNS)]
        facts = {"n_queries": len(view.queries), "n_asked": n_asked, "n_empty": n_empty, "n_labels": len(labels)}
        progress("confusion", 3, 3)

        def own_share(part: GalleryView) -> npt.NDArray[np.float64]:
            shares = np.minimum(part.relevant(part.hits(self.k)).astype(np.float64) @ of_rank, 1.0)
            return np.where(part.available.empty, np.nan, shares) if self.protocol.empty == "skip" else shares

        name = "Share of hits with the label of their query"
        asked = np.minimum(view.relevant(hits).astype(np.float64) @ of_rank, 1.0)
        both = by_seen(view, own_share, name=name, own=asked)
        return self.result(store, {"cells": cells}, view_notes(store, self.protocol), facts, by_seen=both)

    def title(self, result: Result) -> str:
        """The level, k and weight, the protocol, and the queries left out."""
        facts = result.facts
        return (
            f", level {self.level}: {self.weighted}; {self.protocol.name}, {self.protocol.excluded}; "
            f"{facts['n_queries']:,} queries, and those without a relevant image {EMPTY_SAID[self.protocol.empty]}: "
            f"{facts['n_empty']:,} of {facts['n_asked']:,}"
        )

    @property
    def weighted(self) -> str:
        """What the hits count, in words."""
        how = "weighted by 1 / log2(rank + 1)" if self.weight == "rank" else "each alike"
        return f"first {self.k} hits, {how}"

    def remarks(self, result: Result) -> Sequence[str]:
        """That there is nothing to confuse, where it is so."""
        if (result.table["label"] != result.table["hit_label"]).any():
            return ()
        return ["Nothing is confused: no query has a hit with another label than its own."]

    def summary(self, result: Result) -> pd.DataFrame:
        """The strongest confusions of two labels."""
        cells = result.table
        return pd.DataFrame(
            [
                {
                    "query label": row.label,
                    "retrieved": row.hit_label,
                    "share of hits": with_bounds(row.share, row.low, row.high),
                    "chance": f"{row.chance:.3f}",
                    "lift": f"{row.lift:.1f}",
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **({seen_word(self.protocol): row.n_seen} if cells["n_seen"].any() else {}),
                }
                for row in lines_of(cells[cells["label"] != cells["hit_label"]].head(_TOLD))
            ]
        )


def standout_cell(cells: pd.DataFrame) -> pd.Series | None:
    """The pair of two labels to look at first: clearly more frequent than by chance, with enough patients to say so.

    Where no interval lies above chance, it is the first with at least five patients; None where there is none.

    Args:
        cells: The table of a result.

    Example:
        >>> table = pd.DataFrame({"label": list("aab"), "hit_label": list("bcb"), "n_patients": [9, 9, 9]})
        >>> standout_cell(table.assign(low=[0.2, 0.1, 0.9], chance=[0.3, 0.05, 0.1]))["hit_label"]
        'c'
    """
    told = cells[(cells["label"] != cells["hit_label"]) & (cells["n_patients"] >= _FEWEST_PATIENTS)]
    clear = told[told["low"] > told["chance"]]
    told = clear if len(clear) else told
    if not len(told):
        return None
    row: pd.Series = told.iloc[0]
    return row


def check_varied(protocol: Protocol, *, what: str) -> None:
    """Do nothing if a protocol is one of those that can be varied.

    Raises:
        EvaluationError: It is fixed.
    """
    if protocol.fixed:
        raise EvaluationError(
            f"Expected the protocol leave-one-out or split for {what}, but protocol = {protocol.name}. Use split, "
            "which has the same queries and the same gallery."
        )
