"""Two encoders on one collection: the same queries, the same gallery, and the difference query by query.

Owns the paired comparison, what it is cut to (images that both encoders could embed), the side called chance, and the
cache of the results. P@k is precision.py's, the resampling is intervals.py's, the random side is chance.py's.

Why paired: both encoders get the same queries, and what is hard for one is mostly hard for the other. The interval of
the difference therefore comes from the differences of single queries, patients resampled for both at once; it is much
narrower than the intervals of the two encoders would suggest, and two that overlap can still differ clearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifest import EXCLUSIONS, Level, Manifest
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import (
    available_relevant,
    label_totals,
    macro_precision,
    micro_precision,
    precision_at_k,
    relevant_hits,
)
from radcbir_core.evaluation.reports.protocols import (
    Protocol,
    Sides,
    check_current,
    evaluate,
    patient_notes,
    positions_with_intervals,
    protocol_hits,
    sides_of,
)
from radcbir_core.evaluation.results import Results, read_results, write_results
from radcbir_core.evaluation.statistics.chance import CHANCE, allowed_images, expected_precision
from radcbir_core.evaluation.statistics.intervals import cluster_codes, precision_intervals
from radcbir_core.evaluation.statistics.randomization import holm, swap_p_values
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_of

COMPARISON_COLUMNS = (
    *("level", "label", "averaging", "k", "a", "b", "difference", "low", "high", "n_queries", "n_patients"),
    *("p", "p_holm"),
)

_RECIPE = 3
"""Part of every result's name: to be raised when the numbers change, so that cached ones are not used again."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What B gains or loses against A under one protocol.

    Attributes:
        protocol: Which.
        a: encoder_id of A.
        b: encoder_id of B, or :data:`~radcbir_core.evaluation.statistics.chance.CHANCE`.
        table: Columns :data:`COMPARISON_COLUMNS`: P@k of both, ``difference`` = B − A, the bounds of its 95 % interval
            (NaN where undefined), the queries and patients behind it; ``averaging`` is "micro" or "macro" (``label``
            empty), or "label" for one label's row. Labels also have the ``p`` of the randomization test, and
            ``p_holm``, corrected for the number of labels at that level and k; NaN against chance.
        queries: One row a level and query: ``level``, ``row``, ``label``, and ``a@k`` and ``b@k`` for each k (NaN: no
            relevant image was available). Of chance it is the expectation.
        notes: What one has to know to read the numbers, one sentence each.
    """

    protocol: Protocol
    a: str
    b: str
    table: pd.DataFrame
    queries: pd.DataFrame
    notes: tuple[str, ...]

    def of_level(self, level: Level) -> pd.DataFrame:
        """The queries of one level."""
        return self.queries[self.queries["level"] == level].drop(columns="level").reset_index(drop=True)

    def means(self) -> pd.DataFrame:
        """Micro and macro at every level, and at every k that has intervals."""
        table = self.table
        ks = [self.protocol.ks[position] for position in positions_with_intervals(self.protocol.ks)]
        return table[(table["averaging"] != "label") & table["k"].isin(ks)]

    def labels_of(self, level: Level, k: int) -> pd.DataFrame:
        """The labels of one level at one k, B's largest gain first; ties by name, those without queries left out."""
        table = self.table
        chosen = table[(table["level"] == level) & (table["k"] == k) & (table["averaging"] == "label")]
        chosen = chosen[chosen["difference"].notna()]
        order = np.lexsort((chosen["label"].to_numpy(dtype=object), -chosen["difference"].to_numpy().round(12)))
        return chosen.iloc[order].reset_index(drop=True)


def verdict(low: float, high: float) -> str:
    """What an interval of B − A says: ``"B"`` or ``"A"`` is better, ``"open"``, or ``"none"`` where there is none.

    Example:
        >>> verdict(0.01, 0.2), verdict(-0.2, -0.01), verdict(-0.1, 0.1), verdict(np.nan, np.nan)
        ('B', 'A', 'open', 'none')
    """
    if np.isnan(low) or np.isnan(high):
        return "none"
    return "B" if low > 0 else "A" if high < 0 else "open"


def compare(a: EncoderStore, b: EncoderStore | None, protocol: Protocol, *, progress: Progress = silent) -> Comparison:
    """Compare two encoders query by query, or read the results where they have been computed from these embeddings.

    Args:
        a: What encoder A made of a collection, with its neighbor graph.
        b: Likewise encoder B of the same collection; None is chance, the expectation of images drawn at random.
        protocol: Which queries and gallery; of them, those images count that both encoders could embed.
        progress: Told the number of levels, as step "comparison", and, under the paper's protocol, queries that are
            searched, as step "search".

    Returns:
        The comparison.

    Raises:
        EvaluationError: A and B are the same, or the protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or was made from other embeddings.
        StorageError: The results cannot be written.
    """
    kept = kept_comparison(a, b, protocol)
    if kept is not None:
        return kept
    own = b is None or np.array_equal(a.valid, b.valid)
    tables, queries = [], []
    progress("comparison", 0, len(protocol.levels))
    for done, level in enumerate(protocol.levels, 1):
        sides = shared_sides(a, b, protocol, level)
        found = [_precision(store, protocol, level, sides, a=a, own=own, progress=progress) for store in (a, b)]
        tables.append(_table(a.collection.manifest, protocol, sides, found, tested=b is not None).assign(level=level))
        per_query = pd.DataFrame(
            {f"{side}@{k}": values[:, i] for side, values in zip("ab", found, strict=True) for i, k in _ks(protocol)}
        )
        codes = sides.labels.codes[sides.queries]
        per_query.insert(0, "label", np.asarray(sides.labels.values, dtype=object)[codes])
        per_query.insert(0, "row", sides.queries.astype(np.int32))
        per_query.insert(0, "level", level)
        queries.append(per_query)
        progress("comparison", done, len(protocol.levels))
    result = Comparison(
        protocol=protocol,
        a=a.encoder_id,
        b=_id_of(b),
        table=pd.concat(tables, ignore_index=True)[list(COMPARISON_COLUMNS)],
        queries=pd.concat(queries, ignore_index=True),
        notes=(*_notes(a, b, protocol), *_lone_labels(tables)),
    )
    write_results(a.evaluation_folder / _name(a, b, protocol), Results(result.table, result.queries, result.notes))
    return result


def kept_comparison(a: EncoderStore, b: EncoderStore | None, protocol: Protocol) -> Comparison | None:
    """What :func:`compare` has kept, or None.

    Raises:
        EvaluationError: A and B are the same, or the protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or was made from other embeddings.
    """
    check_sides(a, b, protocol)
    kept = read_results(a.evaluation_folder / _name(a, b, protocol))
    return None if kept is None else Comparison(protocol=protocol, a=a.encoder_id, b=_id_of(b), **kept._asdict())


def check_sides(a: EncoderStore, b: EncoderStore | None, protocol: Protocol | None = None) -> None:
    """Do nothing if A and B can be compared.

    Args:
        a: What encoder A made of a collection.
        b: Likewise encoder B; None is chance.
        protocol: The one to compare by; the paper's needs embeddings only, any other a neighbor graph.

    Raises:
        EvaluationError: They are the same encoder, or belong to different collections.
        StaleError: A neighbor graph, or the embeddings, are missing or were made from something else.
    """
    if b is not None and b.encoder_id == a.encoder_id:
        raise EvaluationError(
            f"Expected two different encoders, but both are {a.encoder_id}. "
            f"Compare it with another one, or with {CHANCE}."
        )
    if b is not None and b.collection.digest != a.collection.digest:
        raise EvaluationError(
            f"Expected two encoders of one collection, but these belong to {a.collection.name} and "
            f"{b.collection.name}. Build both for the same."
        )
    for store in (a, b):
        if store is not None:
            check_current(store, protocol or Protocol.of())


def shared_sides(a: EncoderStore, b: EncoderStore | None, protocol: Protocol, level: Level) -> Sides:
    """The queries and the gallery of a protocol at one level, without images that one of the two could not embed.

    Raises:
        EvaluationError: The protocol cannot be run on this collection.
    """
    sides = sides_of(a, protocol, level)
    if b is None:
        return sides
    return Sides(labels=sides.labels, queries=sides.queries[b.valid[sides.queries]], gallery=sides.gallery & b.valid)


def paired_intervals(
    differences: npt.NDArray[np.float64], query_labels: npt.NDArray[Any], *, clusters: npt.NDArray[Any], n_labels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Intervals of mean differences by resampling clusters, the same ones for both encoders.

    Every mean here is linear in the values of the queries, so the mean difference of a draw is the mean of the
    differences in it; these, moved from [-1, 1] to [0, 1], are resampled as P@k is.

    Args:
        differences: (Q, n) B − A of each query, from -1 to 1; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        clusters: (Q,) cluster of each query, from :func:`~radcbir_core.evaluation.statistics.intervals.cluster_codes`.
        n_labels: L, above the highest label code.

    Returns:
        micro (n, 2), macro (n, 2) and label (L, n, 2) bounds, NaN where undefined; and (L,) the clusters of each label.

    Example:
        >>> change = np.repeat([[1.0], [-1.0]], 10, axis=0)
        >>> bounds = paired_intervals(change, np.zeros(20, int), clusters=np.arange(20) // 2, n_labels=1)
        >>> bounds[0].round(3).tolist()
        [[-0.6, 0.6]]
    """
    moved = precision_intervals((differences + 1) / 2, query_labels, clusters=clusters, n_labels=n_labels)
    return (2 * moved.micro - 1, 2 * moved.macro - 1, 2 * moved.label - 1, moved.label_clusters)


def _ks(protocol: Protocol) -> list[tuple[int, int]]:
    return list(enumerate(protocol.ks))


def _id_of(store: EncoderStore | None) -> str:
    return CHANCE if store is None else store.encoder_id


def _precision(
    store: EncoderStore | None,
    protocol: Protocol,
    level: Level,
    sides: Sides,
    *,
    a: EncoderStore,
    own: bool,
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """``(Q, len(ks))`` of one of the two."""
    if store is not None and own:
        # Queries and gallery are those of the encoder's own evaluation, which mostly is on disk.
        of_level = evaluate(store, protocol, progress=progress).of_level(level)
        return of_level[[f"p@{k}" for k in protocol.ks]].to_numpy(dtype=np.float64)
    manifest = a.collection.manifest
    codes = sides.labels.codes[sides.queries]
    groups = [manifest.groups(name) for name in EXCLUSIONS if name in protocol.exclude]
    available = available_relevant(
        codes, sides.labels.codes, query_rows=sides.queries, gallery=sides.gallery, groups=groups
    )
    if store is None:
        allowed = allowed_images(sides.queries, gallery=sides.gallery, groups=groups)
        return expected_precision(available, allowed, protocol.ks, divisor=protocol.divisor)
    hits = protocol_hits(store, protocol, sides, progress=progress)
    return precision_at_k(
        relevant_hits(hits.rows, codes, gallery_labels=sides.labels.codes),
        protocol.ks,
        divisor=protocol.divisor,
        available=available if protocol.divisor == "available" else None,
    )


def _table(
    manifest: Manifest,
    protocol: Protocol,
    sides: Sides,
    found: Sequence[npt.NDArray[np.float64]],
    *,
    tested: bool,
) -> pd.DataFrame:
    """All rows of one level: micro, macro, then the labels in the order of their codes, each at every k."""
    first, second = found
    codes = sides.labels.codes[sides.queries]
    n_labels = len(sides.labels.values)
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    mine = clusters[sides.queries]
    size = len(protocol.ks)
    chosen = positions_with_intervals(protocol.ks)
    difference = (second - first)[:, chosen]
    micro, macro = np.full((2, size, 2), np.nan)
    label = np.full((n_labels, size, 2), np.nan)
    micro[chosen], macro[chosen], label[:, chosen], label_clusters = paired_intervals(
        difference, codes, clusters=mine, n_labels=n_labels
    )
    p, corrected = np.full((2, n_labels, size), np.nan)
    if tested and n_labels:  # chance has no patients that it could be swapped for: its P@k is a mean, not a result
        p[:, chosen] = swap_p_values(difference, codes, clusters=mine, n_labels=n_labels)
        corrected[:, chosen] = np.stack([holm(column) for column in p[:, chosen].T], axis=1)
    sums = [label_totals(values, codes, n_labels=n_labels) for values in (first, second)]
    counts = sums[0][1]
    present = np.flatnonzero(np.bincount(codes, minlength=n_labels))
    names = ["", "", *(sides.labels.values[code] for code in present.tolist())]
    undefined = np.full((2, size), np.nan)

    def rows(values: npt.NDArray[np.float64], totals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        means = np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0)
        return np.vstack([micro_precision(values, codes), macro_precision(values, codes), means[present]]).ravel()

    bounds = np.concatenate([micro[None], macro[None], label[present]])
    before, after = rows(first, sums[0][0]), rows(second, sums[1][0])
    patients = np.concatenate([np.full(2, len(np.unique(mine))), label_clusters[present]])
    return pd.DataFrame(
        {
            "label": [name for name in names for _ in range(size)],
            "averaging": [kind for kind in ["micro", "macro"] + ["label"] * len(present) for _ in range(size)],
            "k": np.tile(np.asarray(protocol.ks, dtype=np.int64), len(names)),
            "a": before,
            "b": after,
            "difference": after - before,
            "low": bounds[..., 0].ravel(),
            "high": bounds[..., 1].ravel(),
            "n_queries": np.vstack([counts.sum(axis=0), counts.sum(axis=0), counts[present]]).ravel(),
            "n_patients": np.repeat(patients, size),
            "p": np.vstack([undefined, p[present]]).ravel(),
            "p_holm": np.vstack([undefined, corrected[present]]).ravel(),
        }
    ).astype({"label": "str", "averaging": "str"})


def _notes(a: EncoderStore, b: EncoderStore | None, protocol: Protocol) -> tuple[str, ...]:
    notes = []
    if b is None:
        notes.append(
            f"B is {CHANCE}: what images drawn at random from those a query may be given reach on average; it is "
            "computed, not drawn."
        )
    elif not np.array_equal(a.valid, b.valid):
        alone = [int((one.valid & ~other.valid).sum()) for one, other in ((a, b), (b, a))]
        notes.append(
            f"Only images that both encoders could embed count, on either side: {alone[0]} that only {a.encoder_id} "
            f"could, and {alone[1]} that only {b.encoder_id} could, are left out. P@k may differ from that of each "
            "encoder by itself."
        )
    neither = int((~a.valid if b is None else ~a.valid & ~b.valid).sum())
    if neither:
        notes.append(f"{neither} images could not be embedded and are left out; problems.csv says why.")
    unknown = int((a.collection.manifest.groups("patient") < 0).sum())
    if unknown:
        excluded = " could not be excluded from the hits of their patient, and" if "patient" in protocol.exclude else ""
        notes.append(
            f"{unknown} of {len(a.collection)} images have no patient_id: they{excluded} count as a patient each in "
            "the intervals, which may be too narrow."
        )
    notes += [] if protocol.name == "leave-one-out" else patient_notes(a, protocol)
    return tuple(notes)


def _lone_labels(tables: Sequence[pd.DataFrame]) -> list[str]:
    """What labels with the queries of a single patient do to the macro interval, a sentence a level."""
    notes = []
    for table in tables:
        labels = table[(table["averaging"] == "label") & (table["k"] == table["k"].min())]
        alone = int((labels["n_patients"] == 1).sum())
        if alone:
            notes.append(
                f"At the level {labels['level'].iloc[0]}, labels with queries of a single patient: {alone} of "
                f"{len(labels)}. They have no interval, and are missing from many of the resampled sets: the macro "
                "interval may lie askew."
            )
    return notes


def label_note(labels: pd.DataFrame) -> str:
    """What to make of many intervals at once, in a sentence or two.

    Args:
        labels: As :meth:`Comparison.labels_of` gives them.

    Example:
        >>> label_note(pd.DataFrame({"low": [0.1, -0.1], "high": [0.2, 0.1], "p_holm": [0.01, 0.9]}))
        'Of 2 intervals 1 excludes 0; 0.1 would by chance alone, if A and B were equally good. After correction for \
the number of labels (Holm), 1 difference remains clear.'
    """
    known = labels["low"].notna()
    clear = int(((labels["low"] > 0) | (labels["high"] < 0)).sum())
    number = int(known.sum())
    if not number:
        return "No label has queries of two patients or more, so there are no intervals."
    said = (
        f"Of {number} {'interval' if number == 1 else 'intervals'} {clear} {'excludes' if clear == 1 else 'exclude'} "
        f"0; {0.05 * number:.{1 if number < 200 else 0}f} would by chance alone, if A and B were equally good."
    )
    if labels["p_holm"].notna().any():
        left = int((labels["p_holm"] <= 0.05).sum())
        said += (
            f" After correction for the number of labels (Holm), {left} "
            f"{'difference remains' if left == 1 else 'differences remain'} clear."
        )
    return said


def _name(a: EncoderStore, b: EncoderStore | None, protocol: Protocol) -> str:
    other = CHANCE if b is None else f"{b.encoder_id} {b.evaluated}"
    return f"versus-{digest_of(str(_RECIPE), protocol.digest, a.evaluated, other)[:32]}"
