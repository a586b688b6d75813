"""P@k against the size of the gallery: what a hospital with fewer images would have seen.

Owns the drawing of smaller galleries, the means and spreads over draws, and which results are kept. A gallery is made
smaller by whole patients, as an archive is: the images of a patient are all there or all gone. Within one draw the
galleries are nested, each a part of the next larger one, so that a curve shows the size and not the luck of a new
drawing at each point. The queries are the same at every size, those whose own image is not drawn included. A small
gallery may hold fewer than k images of a label: divided by k, P@k falls for that alone; divided by what is available it
does not.

The spread is that over draws, of the galleries alone; that over patients who ask is in intervals.py. Draws of one
collection overlap, the more the larger the share, so that the spread shrinks to nothing at the whole gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import (
    available_relevant,
    macro_precision,
    micro_precision,
    precision_at_k,
    relevant_hits,
)
from radcbir_core.evaluation.reports.protocols import PAPER, Protocol, Sides, check_current, sides_of
from radcbir_core.evaluation.results import Results, read_results, results_folder, write_results
from radcbir_core.evaluation.statistics.intervals import cluster_codes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.graph import ranked_hits

FRACTIONS = (0.05, 0.1, 0.25, 0.5, 1.0)
DRAWS = 5
_KIND = "sizes-1"
"""Names the recipe of kept results: to be changed when the numbers change."""

SIZE_COLUMNS = ("fraction", "gallery", "k", "averaging", "mean", "std", "low", "high", "draws", "n_queries")


def nested_galleries(
    gallery: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int64], fractions: Sequence[float], *, seed: int, draw: int
) -> list[npt.NDArray[np.bool_]]:
    """Parts of a gallery by whole clusters, one a fraction, each within those of larger fractions.

    Args:
        gallery: ``(N,)``; which images may be returned.
        clusters: ``(N,)`` from :func:`~radcbir_core.evaluation.statistics.intervals.cluster_codes`.
        fractions: Of the gallery's clusters, above 0 to 1; at least one cluster is taken.
        seed: Same seed and draw, same galleries.
        draw: Which drawing.

    Returns:
        ``(N,)`` bool for each fraction.

    Example:
        >>> clusters = np.array([0, 0, 1, 1, 2, 2, 3, 3])
        >>> half, whole = nested_galleries(np.ones(8, dtype=bool), clusters, (0.5, 1), seed=0, draw=0)
        >>> half.sum(), whole.sum(), bool((half <= whole).all())
        (np.int64(4), np.int64(8), True)
    """
    present = np.unique(clusters[gallery])
    order = np.random.default_rng([seed, draw]).permutation(present)
    rank = np.full(int(clusters.max(initial=-1)) + 1, len(present), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [gallery & (rank[clusters] < max(1, round(fraction * len(present)))) for fraction in fractions]


def evaluate_index_size(
    store: EncoderStore,
    protocol: Protocol,
    *,
    level: Level = "label",
    fractions: Sequence[float] = FRACTIONS,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """P@k with galleries of several sizes.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        protocol: Leave-one-out or split: who asks, what is excluded, the divisor and the k's.
        level: "modality", "anatomy" or "label".
        fractions: Of the gallery's patients, above 0 to 1.
        draws: Galleries of each size, at least 2. Of the whole gallery there is one.
        seed: Same seed, same galleries.
        progress: Told the number of galleries, as step "galleries".

    Returns:
        Computed now or as it was kept: columns :data:`SIZE_COLUMNS`, one row a fraction, k and averaging: the mean,
        the standard deviation (n − 1 below the line; 0 for the whole gallery), the least and the largest over draws;
        ``gallery`` is the mean number of images, ``n_queries`` the mean number of queries that count (with divisor
        "available" those without any relevant image do not).

    Raises:
        EvaluationError: A fraction or the number of draws is out of range, or the protocol cannot be run.
        QueryError: An unknown level.
        StaleError: The neighbor graph is missing or was made from other embeddings.
        StorageError: The results cannot be written.
    """
    sides, folder = _checked(store, protocol, level=level, fractions=fractions, draws=draws, seed=seed)
    kept = read_results(folder)
    if kept is None:
        wanted = sorted({float(fraction) for fraction in fractions})
        table = _compute(store, protocol, sides, fractions=wanted, draws=draws, seed=seed, progress=progress)
        kept = Results(table, pd.DataFrame(), ())
        write_results(folder, kept)
    return kept.table


def kept_index_size(
    store: EncoderStore,
    protocol: Protocol,
    *,
    level: Level = "label",
    fractions: Sequence[float] = FRACTIONS,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame | None:
    """What :func:`evaluate_index_size` has kept, or None; arguments and errors are the same."""
    _, folder = _checked(store, protocol, level=level, fractions=fractions, draws=draws, seed=seed)
    kept = read_results(folder)
    return None if kept is None else kept.table


def _checked(
    store: EncoderStore, protocol: Protocol, *, level: Level, fractions: Sequence[float], draws: int, seed: int
) -> tuple[Sides, Path]:
    """Who asks whom, and where results are kept."""
    wanted = sorted({float(fraction) for fraction in fractions})
    if not wanted or not all(0 < fraction <= 1 for fraction in wanted):
        raise EvaluationError(
            f"Expected fractions above 0 and up to 1, but fractions = {tuple(fractions)}. Choose such, as 0.1 and 0.5."
        )
    if draws < 2:
        raise EvaluationError(f"Expected at least 2 draws, which have a spread, but draws = {draws}. Use 5 or more.")
    if protocol.name == PAPER:
        raise EvaluationError(
            "Expected the protocol leave-one-out or split for smaller galleries, but protocol = paper. Use split with "
            "the divisor available."
        )
    check_current(store, protocol)
    sides = sides_of(store, protocol, level)
    if not len(sides.queries) or not sides.gallery.any():
        raise EvaluationError(
            f"Expected queries and a gallery with labels at the level {level}, but {store.collection.name} has "
            f"{len(sides.queries)} and {int(sides.gallery.sum())}. Choose another level."
        )
    choices = {**asdict(protocol), "level": level, "fractions": wanted, "draws": draws, "seed": seed}
    return sides, results_folder(store, _KIND, **choices)


def _compute(
    store: EncoderStore,
    protocol: Protocol,
    sides: Sides,
    *,
    fractions: Sequence[float],
    draws: int,
    seed: int,
    progress: Progress,
) -> pd.DataFrame:
    manifest = store.collection.manifest
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    labels = sides.labels.codes[sides.queries]
    groups = [manifest.groups(name) for name in protocol.exclude]  # type: ignore[arg-type]  # checked by Protocol.of

    def measured(gallery: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """``(n_k, 4)``: micro and macro P@k, images of the gallery, queries that count."""
        hits = ranked_hits(store, sides.queries, k=max(protocol.ks), gallery=gallery, exclude=protocol.exclude)
        relevant = relevant_hits(hits.rows, labels, gallery_labels=sides.labels.codes)
        there = None
        if protocol.divisor == "available":
            there = available_relevant(
                labels, sides.labels.codes, query_rows=sides.queries, gallery=gallery, groups=groups
            )
        precision = precision_at_k(relevant, protocol.ks, divisor=protocol.divisor, available=there)
        micro, macro = micro_precision(precision, labels), macro_precision(precision, labels)
        counted = (~np.isnan(precision)).sum(axis=0)
        return np.column_stack([micro, macro, np.full(len(micro), gallery.sum()), counted])

    smaller = [fraction for fraction in fractions if fraction < 1]
    total = len(smaller) * draws + (1.0 in fractions)
    results: dict[float, list[npt.NDArray[np.float64]]] = {fraction: [] for fraction in fractions}
    progress("galleries", 0, total)
    done = 0
    for draw in range(draws if smaller else 0):
        parts = nested_galleries(sides.gallery, clusters, smaller, seed=seed, draw=draw)
        for fraction, gallery in zip(smaller, parts, strict=True):
            results[fraction].append(measured(gallery))
            done += 1
            progress("galleries", done, total)
    if 1.0 in fractions:
        results[1.0].append(measured(sides.gallery))
        progress("galleries", total, total)
    return _table(results, protocol.ks)


def _table(results: dict[float, list[npt.NDArray[np.float64]]], ks: Sequence[int]) -> pd.DataFrame:
    lines = []
    for fraction, found in results.items():
        stacked = np.stack(found)
        for column, averaging in enumerate(("micro", "macro")):
            for position, k in enumerate(ks):
                values = stacked[:, position, column]
                known = values[~np.isnan(values)]
                lines.append(
                    {
                        "fraction": fraction,
                        "gallery": float(stacked[:, position, 2].mean()),
                        "k": k,
                        "averaging": averaging,
                        "mean": float(known.mean()) if len(known) else np.nan,
                        "std": float(known.std(ddof=1)) if len(known) > 1 else (0.0 if fraction == 1 else np.nan),
                        "low": float(known.min()) if len(known) else np.nan,
                        "high": float(known.max()) if len(known) else np.nan,
                        "draws": len(known),
                        "n_queries": float(stacked[:, position, 3].mean()),
                    }
                )
    return pd.DataFrame(lines)[list(SIZE_COLUMNS)]
