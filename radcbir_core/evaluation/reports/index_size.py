"""P@k against the size of the gallery: what a hospital with fewer images would have seen.

Owns the drawing of smaller galleries, and the means and deviations over draws. A gallery is made smaller by whole
patients, as an archive is: the images of a patient are all there or all gone. Within one draw the galleries are nested,
each a part of the next larger one, so that a curve shows the size and not the luck of a new drawing at each point. The
same queries ask at every size, those whose own image is not drawn included; the protocol says what those count that
have nothing to find there. A small gallery may hold fewer than k images of a label: divided by k, P@k falls for that
alone; divided by what is available it does not.

The deviation is that over draws, of the galleries alone; that over patients who ask is in intervals.py. Draws of one
collection overlap, the more the larger the share, so that the deviation shrinks to nothing at the whole gallery.
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
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import EMPTY_SAID, Protocol
from radcbir_core.evaluation.reports.precision import rule_said, seen_cell
from radcbir_core.evaluation.seen import seen_notes
from radcbir_core.evaluation.statistics.averages import means_of
from radcbir_core.evaluation.view import GalleryView, patient_notes
from radcbir_core.progress import Progress, silent

FRACTIONS = (0.05, 0.1, 0.25, 0.5, 1.0)
DRAWS = 5
SIZE_COLUMNS = (
    *("fraction", "gallery", "k", "averaging", "mean", "std", "low", "high", "draws", "n_queries", "n_empty", "n_seen"),
)  # fmt: skip


def nested_galleries(
    gallery: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int64], fractions: Sequence[float], *, seed: int, draw: int
) -> list[npt.NDArray[np.bool_]]:
    """Parts of a gallery by whole clusters, one a fraction, each within those of larger fractions.

    Args:
        gallery: ``(N,)``; which images may be returned.
        clusters: ``(N,)`` from :func:`~radcbir_core.collections.groups.clusters_of`.
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


@dataclass(frozen=True)
class IndexSize(Evaluation):
    """P@k with galleries of several sizes.

    Table ``sizes`` with the columns :data:`SIZE_COLUMNS`, one row a fraction, k and averaging: the mean, the standard
    deviation (n − 1 below the line; 0 for the whole gallery, of which there is one), the least and the largest over
    draws; ``gallery`` is the mean number of images, ``n_queries`` the mean number of queries that count, and
    ``n_empty`` that of queries that have nothing to find; ``n_seen`` queries were seen in training.
    """

    kind: ClassVar[str] = "index-size"
    recipe: ClassVar[int] = 5
    name: ClassVar[str] = "Index size"
    about: ClassVar[str] = (
        "P at k against the size of the gallery: drawn smaller by whole patients; mean and standard deviation of draws."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {"sizes": "All sizes at every k, micro and macro"}

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    fractions: tuple[float, ...] = choice(FRACTIONS, "Of the gallery's patients, 0 to 1")
    draws: int = choice(DRAWS, "Galleries of each size")
    seed: int = choice(0, "Of the drawing")

    def __post_init__(self) -> None:
        wanted = tuple(sorted({float(fraction) for fraction in self.fractions}))
        if not wanted or not all(0 < fraction <= 1 for fraction in wanted):
            raise EvaluationError(
                f"Expected fractions above 0 and up to 1, but fractions = {tuple(self.fractions)}. Choose such, as 0.1 "
                "and 0.5."
            )
        if self.draws < 2:
            raise EvaluationError(
                f"Expected at least 2 draws, which have a deviation, but draws = {self.draws}. Use 5 or more."
            )
        if self.seed < 0:
            raise EvaluationError(f"Expected a seed of at least 0, but seed = {self.seed}. Use 0.")
        if self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out or split for smaller galleries, but protocol = "
                f"{self.protocol.name}. Use split with the divisor available."
            )
        object.__setattr__(self, "fractions", wanted)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P@k of every draw.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of galleries, as step "galleries".
        """
        view: GalleryView = self.labeled(store)
        smaller = [fraction for fraction in self.fractions if fraction < 1]
        total = len(smaller) * self.draws + (1.0 in self.fractions)
        results: dict[float, list[npt.NDArray[np.float64]]] = {fraction: [] for fraction in self.fractions}
        progress("galleries", 0, total)
        done = 0
        for draw in range(self.draws if smaller else 0):
            parts = nested_galleries(view.gallery, view.clusters, smaller, seed=self.seed, draw=draw)
            for fraction, gallery in zip(smaller, parts, strict=True):
                results[fraction].append(_measured(view.within(gallery)))
                done += 1
                progress("galleries", done, total)
        if 1.0 in self.fractions:
            results[1.0].append(_measured(view))
            progress("galleries", total, total)
        sizes = _table(results, self.protocol.ks, n_seen=len(view.seen))
        both = precision_by_seen(view, name=f"P@{max(self.protocol.summary_ks)} with the whole gallery")
        return self.result(store, {"sizes": sizes}, self._notes(store), by_seen=both)

    def title(self, result: Result) -> str:
        """The level, the protocol, and how many draws."""
        sizes = result.table
        rule = rule_said(sizes[sizes["fraction"] == sizes["fraction"].max()], self.protocol)
        said = f"{self.protocol.describe()}: {rule.split(': ')[1]} with the largest gallery"
        return f", level {self.level}: {said}; {self.draws} draws"

    def summary(self, result: Result) -> pd.DataFrame:
        """Mean ± deviation at every size."""
        return pd.DataFrame(
            [
                {"averaging": averaging, "fraction": f"{part:g}", "gallery": round(lines["gallery"].iloc[0])}
                | {f"nothing to find, {EMPTY_SAID[self.protocol.empty]}": round(lines["n_empty"].iloc[0])}
                | seen_cell(lines, self.protocol)
                | {f"P@{row.k}": f"{row.mean:.3f} ± {row.std:.3f}" for row in lines_of(lines)}
                for averaging in ("micro", "macro")
                for part, lines in result.table[result.table["averaging"] == averaging].groupby("fraction", sort=False)
            ]
        )

    def _notes(self, store: EncoderStore) -> list[str]:
        notes = [*seen_notes(store, self.protocol.seen), *patient_notes(store, self.protocol)]
        if self.protocol.divisor == "k":
            notes.append(
                "A small gallery may hold fewer than k images of a label, which alone lowers P@k: divided by "
                "“available”, it does not."
            )
        if self.protocol.empty == "skip":
            notes.append(
                "Queries without any relevant image in a gallery are left out there: other queries, and for macro "
                "other labels, count at each size. A curve may fall because harder labels join it."
            )
        return [
            *notes,
            "The deviations are those of the drawing of galleries alone; they shrink to nothing at the whole gallery.",
        ]


def _measured(view: GalleryView) -> npt.NDArray[np.float64]:
    """``(n_k, 5)``: micro and macro P@k, images of the gallery, queries that count, and queries without anything."""
    means = means_of(view.precision(view.hits()), view.lines[1], n_labels=len(view.relevance.labels))
    size, empty = (np.full(len(means.micro), value) for value in (view.gallery.sum(), view.available.empty.sum()))
    return np.column_stack([means.micro, means.macro, size, means.n_queries, empty])


def _table(results: dict[float, list[npt.NDArray[np.float64]]], ks: Sequence[int], *, n_seen: int) -> pd.DataFrame:
    lines = []
    for fraction, measured in results.items():
        stacked = np.stack(measured)
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
                        "n_empty": float(stacked[:, position, 4].mean()),
                        "n_seen": n_seen,
                    }
                )
    return pd.DataFrame(lines)[list(SIZE_COLUMNS)]
