"""All ranking metrics of an encoder on a collection, under a relevance rule, as one table.

Owns who asks and who may be returned under a rule, and the means: micro over queries; macro over full labels, where a
query counts under each label it shows. The arithmetic is rank_metrics.py's, relevance is relevance.py's, the intervals
are intervals.py's, the cache is results.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation.metrics.precision import label_totals
from radcbir_core.evaluation.metrics.rank_metrics import (
    average_precision_at_k,
    check_ap_divisor,
    hit_rate_at_k,
    ndcg_at_k,
    precision_with_grades,
    recall_at_k,
)
from radcbir_core.evaluation.relevance import Available, Findings, available_grades, check_rule, hit_grades
from radcbir_core.evaluation.reports.protocols import PAPER, Protocol, patient_notes, sides_of
from radcbir_core.evaluation.results import Results, read_results, results_folder, write_results
from radcbir_core.evaluation.statistics.intervals import cluster_codes, precision_intervals
from radcbir_core.progress import Progress, silent
from radcbir_core.search.graph import ranked_hits
from radcbir_core.search.opening import vectors_of
from radcbir_core.search.relevant_counts import relevant_among_first

RANK_COLUMNS = ("label", "metric", "k", "value", "n_queries", "averaging", "low", "high")
METRICS = ("P", "recall", "hit rate", "mAP", "nDCG", "R-precision")

_KIND = "ranking-1"
"""Names the recipe of kept results: to be changed when the numbers change."""
_AT_ONCE = 7
"""Metrics whose intervals are computed together: fewer, and draws are made too often; more, and nothing is told."""


@dataclass(frozen=True, slots=True)
class RankEvaluation:
    """The ranking metrics of one encoder.

    Attributes:
        protocol: Who asked whom, without what, and for which k's.
        rule: The relevance rule.
        table: Columns :data:`RANK_COLUMNS`. ``averaging`` is "micro", "macro" (``label`` empty) or "label"; ``k`` is
            missing (NA) for R-precision; ``low`` and ``high`` bound the 95 % interval over patients, NaN where it is
            undefined; ``n_queries`` are the queries behind the number.
        queries: One row a query: ``row``, and a column a metric and k, such as "nDCG@10" (:func:`column_of`); NaN
            where nothing relevant was available.
        notes: What one has to know to read the numbers, one sentence each.
    """

    protocol: Protocol
    rule: str
    table: pd.DataFrame
    queries: pd.DataFrame
    notes: tuple[str, ...]


def column_of(metric: str, k: int | None) -> str:
    """The column of a metric in :attr:`RankEvaluation.queries`.

    Example:
        >>> column_of("nDCG", 10), column_of("R-precision", None)
        ('nDCG@10', 'R-precision')
    """
    return metric if k is None else f"{metric}@{k}"


def evaluate_ranking(
    store: EncoderStore,
    protocol: Protocol,
    *,
    rule: str = "any-shared",
    ap_divisor: str = "available",
    with_r_precision: bool = False,
    progress: Progress = silent,
) -> RankEvaluation:
    """P, recall, hit rate, mAP and nDCG at every k of the protocol, and R-precision if asked for; or what is kept.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        protocol: Leave-one-out or split; its ``divisor`` plays no part here.
        rule: Of :data:`~radcbir_core.evaluation.relevance.RULES`.
        ap_divisor: Of :data:`~radcbir_core.evaluation.metrics.rank_metrics.AP_DIVISORS`.
        with_r_precision: Also R-precision, which needs as many hits a query as it has relevant images: an exact search
            of its own, and a long one for a large collection.
        progress: Told the number of queries, as step "search", for R-precision, and of metrics that are averaged, as
            step "intervals".

    Raises:
        EvaluationError: An unknown rule or divisor, or a protocol that cannot be run on this collection.
        StaleError: The neighbor graph is missing or was made from other embeddings.
        StorageError: The results cannot be written.
    """
    _check(store, protocol, rule, ap_divisor)
    folder = _folder(store, protocol, rule, ap_divisor, with_r_precision=with_r_precision)
    kept = read_results(folder)
    if kept is None:
        kept = _compute(store, protocol, rule, ap_divisor, with_r_precision=with_r_precision, progress=progress)
        write_results(folder, kept)
    return RankEvaluation(protocol, rule, kept.table, kept.queries, kept.notes)


def kept_ranking(
    store: EncoderStore, protocol: Protocol, *, rule: str, ap_divisor: str = "available"
) -> RankEvaluation | None:
    """What :func:`evaluate_ranking` has kept, that with R-precision first; None where nothing is kept.

    The arguments and errors are those of :func:`evaluate_ranking`.
    """
    _check(store, protocol, rule, ap_divisor)
    for with_r_precision in (True, False):
        kept = read_results(_folder(store, protocol, rule, ap_divisor, with_r_precision=with_r_precision))
        if kept is not None:
            return RankEvaluation(protocol, rule, kept.table, kept.queries, kept.notes)
    return None


def _folder(store: EncoderStore, protocol: Protocol, rule: str, ap_divisor: str, *, with_r_precision: bool) -> Path:
    choices = {name: value for name, value in asdict(protocol).items() if name != "divisor"}
    return results_folder(store, _KIND, **choices, rule=rule, ap_divisor=ap_divisor, r_precision=with_r_precision)


def _check(store: EncoderStore, protocol: Protocol, rule: str, ap_divisor: str) -> None:
    check_rule(rule)
    check_ap_divisor(ap_divisor)
    if protocol.name == PAPER:
        raise EvaluationError(
            "Expected the protocol leave-one-out or split for ranking metrics, but protocol = paper. Use split, "
            "which has the same queries and the same gallery."
        )
    if not store.is_current(NEIGHBORS):
        raise StaleError(
            f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
            f"missing or older. Build {store.collection.name} with {store.encoder_id} again.",
            remedy=store.rebuild,
        )


def _compute(
    store: EncoderStore,
    protocol: Protocol,
    rule: str,
    ap_divisor: str,
    *,
    with_r_precision: bool,
    progress: Progress,
) -> Results:
    """The table, the queries and the notes."""
    manifest = store.collection.manifest
    findings = Findings.of_manifest(manifest, single=rule == "same-label")
    sides = sides_of(store, protocol, "modality")
    takes_part = findings.codes >= 0
    queries, gallery = sides.queries[takes_part[sides.queries]], sides.gallery & takes_part
    if not len(queries) or not gallery.any():
        raise EvaluationError(
            f"Expected images with a known modality, anatomy and pathology, but {store.collection.name} has "
            f"{len(queries)} such queries and {int(gallery.sum())} in the gallery. Import it with these columns."
        )
    groups = [manifest.groups(name) for name in protocol.exclude]  # type: ignore[arg-type]  # Protocol.of checked them
    available = available_grades(queries, findings=findings, rule=rule, gallery=gallery, groups=groups)
    hits = ranked_hits(store, queries, k=max(protocol.ks), gallery=gallery, exclude=protocol.exclude)
    grades = hit_grades(hits.rows, query_rows=queries, findings=findings, rule=rule)
    ks = protocol.ks
    columns: list[tuple[str, int | None]] = [(metric, k) for metric in METRICS[:5] for k in ks]
    parts = [
        precision_with_grades(grades, ks, available=available),
        recall_at_k(grades, ks, available=available),
        hit_rate_at_k(grades, ks, available=available),
        average_precision_at_k(grades, ks, available=available, divisor=ap_divisor),
        ndcg_at_k(grades, ks, available=available),
    ]
    if with_r_precision:
        columns.append(("R-precision", None))
        parts.append(
            _r_precision(
                store,
                queries,
                findings=findings,
                rule=rule,
                gallery=gallery,
                groups=groups,
                available=available,
                progress=progress,
            )[:, None]
        )
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    values = np.hstack(parts)
    table = _summary(values, columns, findings=findings, queries=queries, clusters=clusters, progress=progress)
    per_query = pd.DataFrame({column_of(*column): values[:, i] for i, column in enumerate(columns)})
    per_query.insert(0, "row", queries.astype(np.int32))
    return Results(table, per_query, _notes(store, protocol, rule, findings=findings, available=available))


def _r_precision(
    store: EncoderStore,
    queries: npt.NDArray[np.intp],
    *,
    findings: Findings,
    rule: str,
    gallery: npt.NDArray[np.bool_],
    groups: Sequence[npt.NDArray[np.int32]],
    available: Available,
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """``(Q,)``; NaN where nothing relevant was available."""
    table = findings.grades(rule)

    def relevant_to(kind: int) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = table[[kind]].toarray()[0] > 0
        return found

    there = available.relevant
    counts = relevant_among_first(
        vectors_of(store),
        queries=queries,
        gallery=gallery,
        depths=there,
        kinds=findings.codes,
        relevant_to=relevant_to,
        groups=groups,
        progress=progress,
    )
    found: npt.NDArray[np.float64] = np.divide(counts, there, out=np.full(len(queries), np.nan), where=there > 0)
    return found


def _summary(
    values: npt.NDArray[np.float64],
    columns: Sequence[tuple[str, int | None]],
    *,
    findings: Findings,
    queries: npt.NDArray[np.intp],
    clusters: npt.NDArray[np.int64],
    progress: Progress,
) -> pd.DataFrame:
    """Micro, macro and each label's mean, with intervals."""
    progress("intervals", 0, len(columns))
    sets = findings.codes[queries]
    # One line a query and label that it shows.
    sizes = np.array([len(found) for found in findings.sets])[sets]
    line = np.repeat(np.arange(len(queries)), sizes)
    labels = np.concatenate([np.array(findings.sets[code], dtype=np.int64) for code in sets])
    one, n_labels = np.zeros(len(queries), dtype=np.int64), len(findings.labels)
    bounds_of: dict[str, list[npt.NDArray[np.float64]]] = {"micro": [], "macro": [], "label": []}
    for start in range(0, len(columns), _AT_ONCE):
        part = values[:, start : start + _AT_ONCE]
        micro = precision_intervals(part, one, clusters=clusters[queries], n_labels=1)
        macro = precision_intervals(part[line], labels, clusters=clusters[queries[line]], n_labels=n_labels)
        for name, found in (("micro", micro.micro), ("macro", macro.macro), ("label", np.moveaxis(macro.label, 0, 1))):
            bounds_of[name].append(found)
        progress("intervals", min(start + _AT_ONCE, len(columns)), len(columns))
    every = {name: np.concatenate(found) for name, found in bounds_of.items()}
    sums, counts = label_totals(values[line], labels, n_labels=n_labels)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    has = counts > 0
    whole = np.divide(
        np.sum(means, axis=0, where=has), has.sum(axis=0), out=np.full(len(columns), np.nan), where=has.any(axis=0)
    )
    answered = (~np.isnan(values)).sum(axis=0)
    total = np.divide(np.nansum(values, axis=0), answered, out=np.full(len(columns), np.nan), where=answered > 0)
    present = np.unique(labels)
    lines = [
        ("micro", "", total, answered, every["micro"]),
        ("macro", "", whole, answered, every["macro"]),
        *(("label", findings.labels[code], means[code], counts[code], every["label"][:, code]) for code in present),
    ]
    rows = [
        (label, metric, k, mean[i], int(number[i]), averaging, bounds[i, 0], bounds[i, 1])
        for averaging, label, mean, number, bounds in lines
        for i, (metric, k) in enumerate(columns)
    ]
    return pd.DataFrame(rows, columns=list(RANK_COLUMNS)).astype({"k": "Int64", "label": "str"})


def _notes(
    store: EncoderStore, protocol: Protocol, rule: str, *, findings: Findings, available: Available
) -> tuple[str, ...]:
    notes = []
    without = int((findings.codes < 0).sum())
    if without:
        several = " or several pathologies" if rule == "same-label" else ""
        notes.append(
            f"{without} of {len(findings.codes)} images take no part: no modality, anatomy or pathology{several}."
        )
    hopeless = int((available.relevant == 0).sum())
    if hopeless:
        notes.append(
            f"{hopeless} of {len(available.relevant)} queries are left out: nothing relevant that they may be "
            "given is there, whatever the encoder."
        )
    notes += patient_notes(store, protocol)
    if store.facts(NEIGHBORS).get("method") == "approximate":
        notes.append("The hits are those of the approximate index; its recall is recorded in encoder.json.")
    return tuple(notes)
