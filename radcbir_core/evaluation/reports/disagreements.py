"""Where two encoders part: queries that one gets right and the other wrong, and one query's hits by both.

Owns what is looked at, image by image, beside the figures of comparison.py. A query is right at k where at least one of
its first k hits is relevant. Chance has no hits of its own; one random ranking a query, always the same, stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import clusters_of
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError, QueryError
from radcbir_core.evaluation.evaluation import Result
from radcbir_core.evaluation.metrics.overlap import PERSISTENCE, rank_biased_overlap
from radcbir_core.evaluation.metrics.precision_at_k import check_ks
from radcbir_core.evaluation.reports.comparison import Comparison, shared_view
from radcbir_core.evaluation.reports.precision import of_level
from radcbir_core.evaluation.statistics.chance import expected_success, random_hits
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES, mean_intervals
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.search.backend import Hits
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.neighbors.graph import ranked_hits


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The queries of one level, by who is right among the first k.

    No McNemar test goes with it: that takes queries for independent, and several of one patient are not. The interval
    of the difference is one over patients.

    Attributes:
        k: Of "right at k".
        both: (R,) int64, rows of the queries that both get right, ascending.
        only_a: Likewise only A; A's largest lead in P@k at the protocol's largest k first.
        only_b: Likewise only B; B's largest lead first.
        neither: Likewise neither.
        difference: (only B − only A) ÷ all: by how much B gets more queries right. NaN without a query.
        low: Lower bound of its 95 % interval; NaN where undefined.
        high: Upper bound.
        expected: Of chance, the share of queries that it is expected to get right; NaN for an encoder.
    """

    k: int
    both: npt.NDArray[np.int64]
    only_a: npt.NDArray[np.int64]
    only_b: npt.NDArray[np.int64]
    neither: npt.NDArray[np.int64]
    difference: float
    low: float
    high: float
    expected: float

    @property
    def n_queries(self) -> int:
        """All queries."""
        return len(self.both) + len(self.only_a) + len(self.only_b) + len(self.neither)


def disagreements(
    store: EncoderStore,
    evaluation: Comparison,
    *,
    level: Level,
    k: int,
    label: str | None = None,
    result: Result | None = None,
) -> Disagreements:
    """Sort the queries of a level by who gets them right.

    Args:
        store: What encoder A made of a collection.
        evaluation: The comparison of A with B; computed now where it is not kept.
        level: What has to agree for a hit to be relevant.
        k: Of the protocol's ks.
        label: Only the queries of this label; all by default.
        result: Of the evaluation, for who has it at hand; what is kept is read by default.

    Returns:
        The queries; those that are left out because there is nothing relevant to find are in none of the four.

    Raises:
        EvaluationError: k is none of the protocol's.
    """
    protocol = evaluation.protocol
    check_ks((k,), n_hits=max(protocol.ks))
    if k not in protocol.ks:
        raise EvaluationError(f"Expected a k of {protocol.ks}, but k = {k}. Choose one of these.")
    result = evaluation.run(store) if result is None else result
    table = of_level(result.tables["queries"], level)
    if label is not None:
        table = table[table["label"] == label]
    table = table[table[f"a@{k}"].notna()]
    rows = table["row"].to_numpy(dtype=np.int64)
    first = table[f"a@{k}"].to_numpy() > 0
    second, expected = table[f"b@{k}"].to_numpy() > 0, float("nan")
    if evaluation.other(store) is None:
        second, likely = _by_chance(store, evaluation, level, rows, k)
        expected = float(likely.mean()) if len(rows) else expected
    largest = max(protocol.summary_ks)
    lead = (table[f"b@{largest}"] - table[f"a@{largest}"]).to_numpy()
    change = second.astype(np.float64) - first
    one_label = np.zeros(len(rows), dtype=np.int32)
    clusters = clusters_of(store)[rows]
    bounds = mean_intervals(change[:, None], one_label, clusters=clusters, n_labels=1, limits=DIFFERENCES).micro[0]

    def sorted_by(mask: npt.NDArray[np.bool_], key: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        chosen = np.flatnonzero(mask)
        return rows[chosen[np.lexsort((rows[chosen], key[chosen].round(12)))]]

    return Disagreements(
        k=k,
        both=rows[first & second],
        only_a=sorted_by(first & ~second, lead),
        only_b=sorted_by(second & ~first, -lead),
        neither=rows[~first & ~second],
        difference=float(change.mean()) if len(rows) else float("nan"),
        low=float(bounds[0]),
        high=float(bounds[1]),
        expected=expected,
    )


def _by_chance(
    store: EncoderStore, evaluation: Comparison, level: Level, rows: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Whether each query's random ranking is right, and how likely that was."""
    view = shared_view(store, None, evaluation.protocol, level).asked_by(rows)
    exclusions = exclusions_of(store, rows, evaluation.protocol.exclude)
    hits = random_hits(rows, k=k, gallery=view.gallery, exclusions=exclusions)
    right: npt.NDArray[np.bool_] = np.any(view.relevant(hits), axis=1)
    return right, expected_success(view.available.relevant, view.allowed, k)


@dataclass(frozen=True, slots=True)
class RankedPair:
    """One query's hits by A and by B, from the same gallery.

    Attributes:
        row: The query.
        a: A's hits.
        b: B's hits; their similarities are NaN where B is chance. The similarities of A and of B are on two scales.
        relevant_a: (k,) bool, whether each hit has the query's label; None where the query has none at that level.
        relevant_b: Likewise.
        overlap: Rank-biased overlap of the two rankings with p = 0.9, 0 to 1; NaN where there are no hits.
        shared: How many of the first k both have.
    """

    row: int
    a: Hits
    b: Hits
    relevant_a: npt.NDArray[np.bool_] | None
    relevant_b: npt.NDArray[np.bool_] | None
    overlap: float
    shared: int


def pair_view(store: EncoderStore, evaluation: Comparison, level: Level) -> GalleryView:
    """What both encoders are asked in, to be handed to :func:`ranked_pair` for query after query.

    Args:
        store: What encoder A made of a collection.
        evaluation: The comparison of A with B.
        level: Of the labels.

    Raises:
        EvaluationError: They cannot be compared.
    """
    evaluation.check(store)
    return shared_view(store, evaluation.other(store), evaluation.protocol, level)


def ranked_pair(
    store: EncoderStore, evaluation: Comparison, row: int, *, k: int, level: Level, view: GalleryView | None = None
) -> RankedPair:
    """The hits of one query by both encoders.

    Args:
        store: What encoder A made of a collection.
        evaluation: The comparison of A with B, whose gallery and exclusions hold.
        row: The query.
        k: How many hits, from 1 to 100.
        level: Of the labels; for a query without one, all images that both could embed are the gallery.
        view: Of :func:`pair_view`, for who asks more than once: it looks at all images. Made here by default.

    Raises:
        EvaluationError: They cannot be compared.
        QueryError: One of the two could not embed the query.
    """
    view = pair_view(store, evaluation, level) if view is None else view
    check_ks((k,), n_hits=100)
    sides = (store, evaluation.other(store))
    for side in sides:
        if side is not None and not side.valid[row]:
            raise QueryError(
                f"Expected an image with an embedding, but image_id = "
                f"{store.collection.manifest.image_id(row)!r} could not be embedded by {side.encoder_id}. "
                "See problems.csv for the reason, and choose another image."
            )
    query, exclude = np.array([row], dtype=np.intp), evaluation.protocol.exclude
    view = view.asked_by(query)
    labeled = view.relevance.kinds[row] >= 0
    gallery = view.gallery
    if not labeled:
        gallery = np.logical_and.reduce([side.valid for side in sides if side is not None])
    first, second = (
        random_hits(query, k=k, gallery=gallery, exclusions=exclusions_of(store, query, exclude))
        if side is None
        else ranked_hits(side, query, k=k, gallery=gallery, exclude=exclude, groups_by=store)
        for side in sides
    )
    relevant = [view.relevant(hits)[0] if labeled else None for hits in (first, second)]
    both = set(first.rows[0][: first.counts[0]].tolist()) & set(second.rows[0][: second.counts[0]].tolist())
    return RankedPair(
        row=row,
        a=first,
        b=second,
        relevant_a=relevant[0],
        relevant_b=relevant[1],
        overlap=float(rank_biased_overlap(first.rows, second.rows, persistence=PERSISTENCE)[0]),
        shared=len(both),
    )
