"""Hubness: how unevenly images are retrieved, and what P@k becomes where hubs are held back.

Owns the tables. Counts are metrics/k_occurrence.py's, the corrected ranking metrics/csls.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import row_chunks
from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.csls import NEAREST, by_csls, usual_similarity
from radcbir_core.evaluation.metrics.k_occurrence import hub_threshold, k_occurrences, skewness
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures
from radcbir_core.evaluation.reports.precision import with_bounds
from radcbir_core.evaluation.reports.retrieval_confusion import check_varied
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.graph import NEIGHBORS

RANKINGS = ("cosine", "CSLS")
HUBNESS_COLUMNS = (
    *("label", "averaging", "k", "cosine", "cosine_low", "cosine_high", "csls", "csls_low", "csls_high"),
    *("difference", "low", "high", "chance", "n_queries", "n_patients", "n_empty"),
)


@dataclass(frozen=True)
class Hubness(Evaluation):
    """How unevenly images are retrieved, by cosine and by CSLS.

    CSLS puts the hits that a query has in the neighbor graph (at most 100, without what is left out) in another order:
    2 cos(q, x) - r(x), r(x) the mean similarity of x to its first 10 neighbors in the graph, with the same exclusions.
    A query that has fewer than the largest k in the graph keeps its hits by cosine.

    Tables: ``precision`` with the columns :data:`HUBNESS_COLUMNS`, micro, macro and by label, at every k of the
    protocol: P@k by both rankings, ``difference``, CSLS less cosine, with the bounds of its paired 95 % interval over
    patients, and ``chance``. ``histogram``: ``occurrences``, in how many lists of k hits, and how many images of the
    gallery are in so many, by each ranking, and by ``chance`` (Poisson with the same mean). And ``images``, one row an
    image of the gallery: ``row``, ``label``, ``cosine`` and ``csls``, in how many lists it is by each, ``bad``, in how
    many by cosine as not relevant.

    Facts: ``k``; of each ranking the ``skewness`` of the counts, ``hub``, from how many lists on an image is a hub,
    ``hubs``, how many are, ``hub_share``, the share of all hits that these are, and ``anti_hubs``, images in no list.
    """

    kind: ClassVar[str] = "hubness"
    recipe: ClassVar[int] = 2
    name: ClassVar[str] = "Hubness"
    about: ClassVar[str] = (
        "How unevenly images are retrieved: k-occurrences, their skewness, and P at k with hubs held back (CSLS)."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "precision": "P@k by cosine and by CSLS, micro, macro and by label, with the paired difference",
        "histogram": "How many images are in how many lists",
        "images": "In how many lists each image is",
    }

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")

    def __post_init__(self) -> None:
        check_varied(self.protocol, what="hubness")

    @property
    def k(self) -> int:
        """How many hits make a list: the largest k of the protocol."""
        return max(self.protocol.ks)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Count, put in another order, and count again.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of queries, as step "hubness".
        """
        progress("hubness", 0, 1)
        view = asked_view(store, self.protocol, self.level)
        cosine = view.hits(self.k)
        corrected = self._corrected(view, cosine, progress)
        gallery, number = np.flatnonzero(view.gallery), len(view.gallery)
        counts = [k_occurrences(hits.rows, n_rows=number, k=self.k)[gallery] for hits in (cosine, corrected)]
        bad = k_occurrences(cosine.rows, n_rows=number, k=self.k, chosen=~view.relevant(cosine))[gallery]
        names = np.array([*view.relevance.labels, ""], dtype=object)
        images = pd.DataFrame(
            {
                "row": gallery.astype(np.int32),
                "label": pd.Series(names[view.relevance.kinds[gallery]], dtype="str"),
                **dict(zip(("cosine", "csls"), counts, strict=True)),
                "bad": bad,
            }
        )
        tables = {
            "precision": _precision(view, cosine, corrected),
            "histogram": _histogram(counts, lists=float(cosine.counts.sum()) / max(len(gallery), 1)),
            "images": images,
        }
        facts: dict[str, Any] = {"k": self.k, "n_queries": len(view.queries), "n_gallery": len(gallery)}
        facts |= {ranking: _facts(mine) for ranking, mine in zip(RANKINGS, counts, strict=True)}
        return self.result(store, tables, view_notes(store, self.protocol), facts)

    def _corrected(self, view: GalleryView, cosine: Hits, progress: Progress) -> Hits:
        """The first k hits of each query by CSLS."""
        usable = view.gallery.copy()
        usable[view.queries] = True
        usual = np.zeros(len(usable))
        rows = np.flatnonzero(view.gallery)
        around = view.within(usable).asked_by(rows).known_hits(NEAREST)
        usual[rows] = usual_similarity(around.similarities)
        corrected = Hits(cosine.rows.copy(), cosine.similarities.copy(), cosine.counts)
        for part in row_chunks(len(view.queries), NEIGHBORS):
            known = view.asked_by(view.queries[part]).known_hits(NEIGHBORS)
            ordered = by_csls(known, usual)
            enough = known.counts >= cosine.counts[part]
            for mine, theirs in ((corrected.rows, ordered.rows), (corrected.similarities, ordered.similarities)):
                mine[part][enough] = theirs[enough, : self.k]
            progress("hubness", part.stop, len(view.queries))
        return corrected

    def title(self, result: Result) -> str:
        """The level, k and the protocol, and both skewnesses."""
        facts = result.facts
        told = ", ".join(f"{ranking} {facts[ranking]['skewness']:.2f}" for ranking in RANKINGS)
        return (
            f", level {self.level}: lists of {facts['k']} hits; {self.protocol.name}, {self.protocol.excluded}; "
            f"{facts['n_queries']:,} queries, gallery of {facts['n_gallery']:,}; skewness by {told}"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """P@k by both rankings, micro and macro."""
        table = result.table
        return pd.DataFrame(
            [
                {
                    "averaging": row.averaging,
                    "P@": row.k,
                    "cosine": with_bounds(row.cosine, row.cosine_low, row.cosine_high),
                    "CSLS": with_bounds(row.csls, row.csls_low, row.csls_high),
                    "difference": with_bounds(row.difference, row.low, row.high),
                    "chance": with_bounds(row.chance, np.nan, np.nan),
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                }
                for row in lines_of(table[table["averaging"] != "label"])
            ]
        )

    def remarks(self, result: Result) -> list[str]:
        """Hubs and anti-hubs by both rankings."""
        return [
            f"By {ranking}: {facts['hubs']:,} images are hubs, in {facts['hub']:,} lists or more, and "
            f"{facts['hub_share']:.1%} of all hits; {facts['anti_hubs']:,} are in no list."
            for ranking, facts in ((ranking, result.facts[ranking]) for ranking in RANKINGS)
        ]


def _facts(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    hub = hub_threshold(counts)
    total = int(counts.sum())
    return {
        "skewness": skewness(counts),
        "hub": hub,
        "hubs": int((counts >= hub).sum()),
        "hub_share": float(counts[counts >= hub].sum()) / total if total else 0.0,
        "anti_hubs": int((counts == 0).sum()),
        "most": int(counts.max(initial=0)),
    }


def _histogram(counts: list[npt.NDArray[np.int64]], *, lists: float) -> pd.DataFrame:
    """How many images are in how many lists; by chance as many as Poisson says for the same mean."""
    from scipy.special import gammaln, xlogy  # not scipy.stats, which takes two seconds to import

    most = max(int(mine.max(initial=0)) for mine in counts)
    occurrences = np.arange(most + 1)
    cosine, corrected = (np.bincount(mine, minlength=most + 1) for mine in counts)
    chance = len(counts[0]) * np.exp(xlogy(occurrences, lists) - lists - gammaln(occurrences + 1))
    return pd.DataFrame({"occurrences": occurrences, "cosine": cosine, "csls": corrected, "chance": chance})


def _precision(view: GalleryView, cosine: Hits, corrected: Hits) -> pd.DataFrame:
    """P@k by both rankings and their paired difference."""
    values = [view.precision(hits) for hits in (cosine, corrected)]
    table = figures(view, values[1] - values[0], name="difference", limits=DIFFERENCES)
    for name, mine in zip(("cosine", "csls"), values, strict=True):
        own = figures(view, mine)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = (own[part] for part in ("precision", "low", "high"))
    table["chance"] = figures(view, by_chance(view, view.allowed))["precision"]
    return table[list(HUBNESS_COLUMNS)]
