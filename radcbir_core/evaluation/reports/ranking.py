"""All ranking metrics of an encoder, under a relevance rule, where images may show several pathologies.

Owns the table. Each metric is one file of metrics/; who asks whom is view.py's, relevance is relevance.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.average_precision import average_precision_at_k, check_ap_divisor
from radcbir_core.evaluation.metrics.hit_rate import hit_rate_at_k
from radcbir_core.evaluation.metrics.ndcg import ndcg_at_k
from radcbir_core.evaluation.metrics.precision_at_k import precision_at_k
from radcbir_core.evaluation.metrics.r_precision import r_precision
from radcbir_core.evaluation.metrics.recall_at_k import recall_at_k
from radcbir_core.evaluation.protocol import EMPTY_SAID, Protocol
from radcbir_core.evaluation.relevance import Relevance, check_rule, hit_grades
from radcbir_core.evaluation.reports.precision import rule_said, seen_cell, with_bounds
from radcbir_core.evaluation.statistics.averages import summarize
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.engines.relevant_counts import relevant_among_first
from radcbir_core.search.opening import vectors_of

RANK_COLUMNS = (
    "label",
    "metric",
    "k",
    "value",
    "n_queries",
    "averaging",
    "low",
    "high",
    "n_patients",
    "n_empty",
    "n_seen",
)
METRICS = ("P", "recall", "hit rate", "mAP", "nDCG", "R-precision")


def column_of(metric: str, k: int | None) -> str:
    """The column of a metric in the table of queries.

    Example:
        >>> column_of("nDCG", 10), column_of("R-precision", None)
        ('nDCG@10', 'R-precision')
    """
    return metric if k is None else f"{metric}@{k}"


@dataclass(frozen=True)
class Ranking(Evaluation):
    """The ranking metrics of an encoder. A query counts under each label it shows.

    Tables: ``means`` with the columns :data:`RANK_COLUMNS`, where ``k`` is missing (NA) for R-precision; and
    ``queries``, one row a query: ``row``, and a column a metric and k (:func:`column_of`), NaN where it is left out.
    """

    kind: ClassVar[str] = "ranking"
    recipe: ClassVar[int] = 8
    name: ClassVar[str] = "Ranking metrics"
    about: ClassVar[str] = (
        "NDCG, mAP, recall, hit rate and P at k, where images may show several pathologies; micro and macro."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "means": "All metrics at every k, micro, macro and by label, with intervals",
        "queries": "All metrics of every query",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "empty", "seen", "ks")

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    rule: str = choice("any-shared", "same-label, any-shared, all-shared, or jaccard (graded)")
    ap_divisor: str = choice("available", "Of mAP@k: available = min(k, relevant images); relevant; found")
    r_precision: bool = choice(False, "Also R-precision: as many hits as there are relevant images")  # noqa: FBT003

    def __post_init__(self) -> None:
        check_rule(self.rule)
        check_ap_divisor(self.ap_divisor)
        if self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out or split for ranking metrics, but protocol = "
                f"{self.protocol.name}. Use split, which has the same queries and the same gallery."
            )

    def labeled(self, store: EncoderStore) -> GalleryView:
        """Who asks, and what may be returned."""
        relevance = Relevance.of_manifest(store.collection.manifest, self.rule)
        return asked_view(store, self.protocol, relevance, labels="a known modality, anatomy and pathology")

    def kept(self, store: EncoderStore) -> Result | None:
        """What is kept of it; that with R-precision has all the rest, too."""
        kept = super().kept(store)
        return kept if kept is not None or self.r_precision else replace(self, r_precision=True).kept(store)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P, recall, hit rate, mAP and nDCG at every k of the protocol, and R-precision if asked for.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of metrics, as step "metrics", and of queries, as step "search", for R-precision.
        """
        view = self.labeled(store)
        available, ks = view.available, self.protocol.ks
        grades = hit_grades(view.hits().rows, query_rows=view.queries, relevance=view.relevance)
        columns: list[tuple[str, int | None]] = [(metric, k) for metric in METRICS[:5] for k in ks]
        makers: list[Callable[[], npt.NDArray[np.float64]]] = [
            lambda: precision_at_k(grades > 0, ks, available=available.relevant),
            lambda: recall_at_k(grades, ks, available=available),
            lambda: hit_rate_at_k(grades, ks, available=available),
            lambda: average_precision_at_k(grades, ks, available=available, divisor=self.ap_divisor),
            lambda: ndcg_at_k(grades, ks, available=available),
        ]
        parts = []
        for done, make in enumerate(makers):
            progress("metrics", done, len(makers))
            parts.append(make())
        progress("metrics", len(makers), len(makers))
        if self.r_precision:
            columns.append(("R-precision", None))
            parts.append(_r_precision(view, progress=progress)[:, None])
        values = np.hstack(parts)
        if self.protocol.empty == "zero":
            values[available.empty] = 0
        lines, labels = view.lines
        number, clusters = len(view.relevance.labels), view.clusters[view.queries]
        means = summarize(
            values,
            labels,
            labels=view.relevance.labels,
            columns={"metric": [metric for metric, _ in columns], "k": [k for _, k in columns]},
            name="value",
            lines=lines,
            empty=available.empty,
            seen=(len(view.seen), view.seen_lines[1]),
            intervals=mean_intervals(values, labels, clusters=clusters, n_labels=number, lines=lines),
        )
        queries = pd.DataFrame({column_of(*column): values[:, i] for i, column in enumerate(columns)})
        queries.insert(0, "row", view.queries.astype(np.int32))
        tables = {"means": means[list(RANK_COLUMNS)].astype({"k": "Int64"}), "queries": queries}
        k = max(self.protocol.summary_ks)
        own = values[:, columns.index(("nDCG", k))]

        def measure(part: GalleryView) -> npt.NDArray[np.float64]:
            gains = hit_grades(part.hits(k).rows, query_rows=part.queries, relevance=part.relevance)
            found = ndcg_at_k(gains, (k,), available=part.available)[:, 0]
            return np.where(part.available.empty, 0.0, found) if self.protocol.empty == "zero" else found

        both = by_seen(view, measure, name=f"nDCG@{k}, mean over queries", own=own)
        return self.result(store, tables, self._notes(view), by_seen=both)

    def title(self, result: Result) -> str:
        """The relevance rule, the protocol, and what mAP is divided by."""
        protocol = self.protocol
        return (
            f": {self.rule}; {protocol.name}, {protocol.excluded}; mAP divided by {self.ap_divisor}; "
            f"{rule_said(result.table, protocol)}"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """Every metric at every k, micro and macro."""
        means = result.table[result.table["averaging"] != "label"].dropna(subset="k")
        return pd.DataFrame(
            [
                {"averaging": averaging, "metric": metric, "queries": int(part["n_queries"].max())}
                | {f"nothing to find, {EMPTY_SAID[self.protocol.empty]}": int(part["n_empty"].max())}
                | seen_cell(part, self.protocol)
                | {f"@{row.k}": with_bounds(row.value, row.low, row.high) for row in lines_of(part)}
                for (averaging, metric), part in means.groupby(["averaging", "metric"], sort=False)
            ]
        )

    def remarks(self, result: Result) -> Sequence[str]:
        """R-precision, which has no k."""
        alone = result.table[(result.table["averaging"] != "label") & result.table["k"].isna()]
        return [f"R-precision, {row.averaging}: {with_bounds(row.value, row.low, row.high)}" for row in lines_of(alone)]

    def _notes(self, view: GalleryView) -> list[str]:
        kinds = view.relevance.kinds
        without = int((kinds < 0).sum())
        several = " or several pathologies" if self.rule == "same-label" else ""
        notes = [f"{without:,} of {len(kinds):,} images take no part: no modality, anatomy or pathology{several}."]
        return [*(notes if without else []), *view_notes(view.store, view.protocol)]


def _r_precision(view: GalleryView, *, progress: Progress) -> npt.NDArray[np.float64]:
    """``(Q,)``; NaN where nothing relevant was available."""
    relevance, there = view.relevance, view.available.relevant

    def relevant_to(kind: int) -> npt.NDArray[np.bool_]:
        return np.asarray(relevance.grades[[kind]].toarray()[0] > 0)

    counts = relevant_among_first(
        vectors_of(view.store),
        queries=view.queries,
        gallery=view.gallery,
        depths=there,
        kinds=relevance.kinds,
        relevant_to=relevant_to,
        groups=view.groups,
        progress=progress,
    )
    return r_precision(counts, available=there)
