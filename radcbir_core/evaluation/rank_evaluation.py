"""All ranking metrics of an encoder on a collection, under a relevance rule, as one table.

Owns who asks and who may be returned under a rule, and the means: micro over queries; macro over full labels, where a
query counts under each label it shows. The arithmetic is rank_metrics.py's, relevance is relevance.py's, the intervals
are intervals.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collection import EncoderStore
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation.intervals import cluster_codes, precision_intervals
from radcbir_core.evaluation.precision import label_totals
from radcbir_core.evaluation.protocols import PAPER, Protocol, sides_of
from radcbir_core.evaluation.rank_metrics import (
    average_precision_at_k,
    check_ap_divisor,
    hit_rate_at_k,
    ndcg_at_k,
    precision_with_grades,
    r_precision,
    recall_at_k,
)
from radcbir_core.evaluation.relevance import Available, Findings, available_grades, check_rule, hit_grades
from radcbir_core.neighbors import ranked_hits
from radcbir_core.progress import Progress, silent

RANK_COLUMNS = ("label", "metric", "k", "value", "n_queries", "averaging", "low", "high")
METRICS = ("P", "recall", "hit rate", "mAP", "nDCG", "R-precision")

_ELEMENTS = 4_000_000


@dataclass(frozen=True, slots=True)
class RankEvaluation:
    """The ranking metrics of one encoder.

    Attributes:
        protocol: Who asked whom, without what, and for which k's.
        rule: The relevance rule.
        table: Columns :data:`RANK_COLUMNS`. ``averaging`` is "micro", "macro" (``label`` empty) or "label"; ``k`` is
            missing (NA) for R-precision; ``low`` and ``high`` bound the 95 % interval over patients, NaN where it is
            undefined; ``n_queries`` are the queries behind the number.
        notes: What one has to know to read the numbers, one sentence each.
    """

    protocol: Protocol
    rule: str
    table: pd.DataFrame
    notes: tuple[str, ...]


def evaluate_ranking(
    store: EncoderStore,
    protocol: Protocol,
    *,
    rule: str = "any-shared",
    ap_divisor: str = "available",
    with_r_precision: bool = False,
    progress: Progress = silent,
) -> RankEvaluation:
    """P, recall, hit rate, mAP and nDCG at every k of the protocol, and R-precision if asked for.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        protocol: Leave-one-out or split; its ``divisor`` plays no part here.
        rule: Of :data:`~radcbir_core.evaluation.relevance.RULES`.
        ap_divisor: Of :data:`~radcbir_core.evaluation.rank_metrics.AP_DIVISORS`.
        with_r_precision: Also R-precision, which needs as many hits a query as it has relevant images: a search of its
            own, and a long one for a large collection.
        progress: Told the number of queries, as step "search", for R-precision.

    Raises:
        EvaluationError: An unknown rule or divisor, or a protocol that cannot be run on this collection.
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    check_rule(rule)
    check_ap_divisor(ap_divisor)
    if protocol.name == PAPER:
        raise EvaluationError(
            "Expected --protocol leave-one-out or split for ranking metrics, but protocol = paper. Use split, "
            "which has the same queries and the same gallery."
        )
    if store.steps()["neighbors"] != "current":
        raise StaleError(
            f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
            f"missing or older. Run: python -m radcbir_core build {store.collection.name} --encoder {store.spec}"
        )
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

    def graded(chosen: npt.NDArray[np.intp], k: int) -> npt.NDArray[np.float64]:
        hits = ranked_hits(store, queries[chosen], k=k, gallery=gallery, exclude=protocol.exclude)
        return hit_grades(hits.rows, query_rows=queries[chosen], findings=findings, rule=rule)

    grades = graded(np.arange(len(queries)), max(protocol.ks))
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
        parts.append(_r_precision(available, graded, progress)[:, None])
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    table = _summary(np.hstack(parts), columns, findings=findings, queries=queries, clusters=clusters)
    return RankEvaluation(
        protocol=protocol,
        rule=rule,
        table=table,
        notes=_notes(store, protocol, rule, findings=findings, available=available),
    )


def _r_precision(
    available: Available,
    graded: Callable[[npt.NDArray[np.intp], int], npt.NDArray[np.float64]],
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """``(Q,)``; ``graded`` gives the grades of the first hits of some queries, by their positions."""
    values = np.full(len(available.counts), np.nan)
    progress("search", 0, len(values))
    done = 0
    for chosen in _of_like_size(available.relevant):
        deepest = int(available.relevant[chosen].max())
        if deepest:
            part = Available(grades=available.grades, counts=available.counts[chosen])
            values[chosen] = r_precision(graded(chosen, deepest), available=part)
        done += len(chosen)
        progress("search", done, len(values))
    return values


def _of_like_size(sizes: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.intp]]:
    """Queries in portions, by how many hits they need, so that a portion's table of hits stays small."""
    order = np.argsort(sizes, kind="stable")[::-1]
    start = 0
    while start < len(order):
        step = max(1, _ELEMENTS // max(1, int(sizes[order[start]])))
        yield order[start : start + step]
        start += step


def _summary(
    values: npt.NDArray[np.float64],
    columns: Sequence[tuple[str, int | None]],
    *,
    findings: Findings,
    queries: npt.NDArray[np.intp],
    clusters: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """Micro, macro and each label's mean, with intervals."""
    sets = findings.codes[queries]
    # One line a query and label that it shows.
    sizes = np.array([len(found) for found in findings.sets])[sets]
    line = np.repeat(np.arange(len(queries)), sizes)
    labels = np.concatenate([np.array(findings.sets[code], dtype=np.int64) for code in sets])
    one, n_labels = np.zeros(len(queries), dtype=np.int64), len(findings.labels)
    micro = precision_intervals(values, one, clusters=clusters[queries], n_labels=1)
    macro = precision_intervals(values[line], labels, clusters=clusters[queries[line]], n_labels=n_labels)
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
        ("micro", "", total, answered, micro.micro),
        ("macro", "", whole, answered, macro.macro),
        *(("label", findings.labels[code], means[code], counts[code], macro.label[code]) for code in present),
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
    unknown = int((store.collection.manifest.groups("patient") < 0).sum())
    if "patient" in protocol.exclude and unknown:
        notes.append(
            f"{unknown} of {len(findings.codes)} images have no patient_id: from these, images of the same patient "
            "could not be excluded, and their figures may be too high."
        )
    if store.record.get("neighbors", {}).get("method") == "approximate":
        notes.append("The hits are those of the approximate index; its recall is recorded in encoder.json.")
    return tuple(notes)
