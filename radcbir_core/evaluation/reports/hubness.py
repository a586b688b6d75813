"""Hubness: how unevenly images are retrieved, and what P@k becomes where hubs are held back.

Owns the tables. Counts are metrics/k_occurrence.py's, the corrected rankings search/hubness/csls.py's and
search/hubness/mutual_proximity.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import row_chunks
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.k_occurrence import hub_threshold, k_occurrences, skewness
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.reports.retrieval_confusion import check_varied
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.hubness.csls import NEAREST, by_csls, usual_similarity
from radcbir_core.search.hubness.mutual_proximity import Nearest, by_mutual_proximity
from radcbir_core.search.neighbors.graph import NEIGHBORS
from radcbir_core.wording import counted

RANKINGS: Mapping[str, str] = {"cosine": "cosine", "csls": "CSLS", "mutual_proximity": "mutual proximity"}
"""The orders of hits: their names in tables → in words. The first is the one that others are compared with."""

CORRECTED = tuple(RANKINGS)[1:]
_PARTS = ("", "_low", "_high")
HUBNESS_COLUMNS = (
    *("label", "averaging", "k", "cosine", "cosine_low", "cosine_high"),
    *(f"{name}{part}" for name in CORRECTED for part in _PARTS),
    *(f"{name}_difference{part}" for name in CORRECTED for part in _PARTS),
    *("chance", "n_queries", "n_patients", "n_empty", "n_seen"),
)


@dataclass(frozen=True)
class Hubness(Evaluation):
    """How unevenly images are retrieved, by cosine, by CSLS and by mutual proximity.

    The latter two put the hits that a query has in the neighbor graph (at most 100, without what is left out) in
    another order. CSLS: 2 cos(q, x) - r(x), r(x) the mean similarity of x to its first 10 neighbors in the graph, with
    the same exclusions. Mutual proximity: F_q(cos) F_x(cos), F the share of images that are not more similar; those
    that are more similar are counted in the list of the graph, with the same exclusions. A query that has fewer than
    the largest k in the graph keeps its hits by cosine.

    Tables: ``precision`` with the columns :data:`HUBNESS_COLUMNS`, micro, macro and by label, at every k of the
    protocol: P@k by each ranking of :data:`RANKINGS`, the differences of the corrected ones, less cosine, with the
    bounds of their paired 95 % intervals over patients, and ``chance``. ``histogram``: ``occurrences``, in how many
    lists of k hits, and how many images of the gallery are in so many, by each ranking, and by ``chance`` (Poisson with
    the same mean). And ``images``, one row an image of the gallery: ``row``, ``label``, in how many lists it is by each
    ranking, and ``bad``, in how many by cosine as not relevant.

    Facts: ``k``; of each ranking the ``skewness`` of the counts, ``hub``, from how many lists on an image is a hub,
    ``hubs``, how many are, ``hub_share``, the share of all hits that these are, and ``anti_hubs``, images in no list.
    """

    kind: ClassVar[str] = "hubness"
    recipe: ClassVar[int] = 4
    name: ClassVar[str] = "Hubness"
    about: ClassVar[str] = (
        "How unevenly images are retrieved: k-occurrences, their skewness, and P at k with hubs held back (CSLS and "
        "mutual proximity)."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "precision": "P@k by cosine, CSLS and mutual proximity, micro, macro and by label, with paired differences",
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
        hits = {"cosine": cosine, **self._corrected(view, cosine, progress)}
        gallery, number = np.flatnonzero(view.gallery), len(view.gallery)
        counts = {name: k_occurrences(mine.rows, n_rows=number, k=self.k)[gallery] for name, mine in hits.items()}
        bad = k_occurrences(cosine.rows, n_rows=number, k=self.k, chosen=~view.relevant(cosine))[gallery]
        names = np.array([*view.relevance.labels, ""], dtype=object)
        images = pd.DataFrame(
            {
                "row": gallery.astype(np.int32),
                "label": pd.Series(names[view.relevance.kinds[gallery]], dtype="str"),
                **counts,
                "bad": bad,
            }
        )
        tables = {
            "precision": _precision(view, hits),
            "histogram": _histogram(counts, lists=float(cosine.counts.sum()) / max(len(gallery), 1)),
            "images": images,
        }
        facts: dict[str, Any] = {"k": self.k, "n_queries": len(view.queries), "n_gallery": len(gallery)}
        facts |= {name: _facts(mine) for name, mine in counts.items()}
        both = precision_by_seen(view, own=view.precision(cosine))
        return self.result(store, tables, view_notes(store, self.protocol), facts, by_seen=both)

    def _corrected(self, view: GalleryView, cosine: Hits, progress: Progress) -> dict[str, Hits]:
        """The first k hits of each query by each other ranking."""
        usable = view.gallery.copy()
        usable[view.queries] = True
        rows = np.flatnonzero(view.gallery)
        lists = np.full((len(usable), NEIGHBORS), np.nan, dtype=np.float16)
        everybody = view.within(usable)
        for part in row_chunks(len(rows), NEIGHBORS):
            lists[rows[part]] = everybody.asked_by(rows[part]).known_hits(NEIGHBORS).similarities
        usual = usual_similarity(lists[:, :NEAREST])
        of_images = Nearest(lists, among=int(usable.sum()))
        corrected = {
            name: replace(cosine, rows=cosine.rows.copy(), similarities=cosine.similarities.copy())
            for name in CORRECTED
        }
        for part in row_chunks(len(view.queries), NEIGHBORS):
            known = view.asked_by(view.queries[part]).known_hits(NEIGHBORS)
            enough = known.counts >= cosine.counts[part]
            ordered = {
                "csls": by_csls(known, usual),
                "mutual_proximity": by_mutual_proximity(known, Nearest(known.similarities, among=len(rows)), of_images),
            }
            for name, order in ordered.items():
                mine, hits = corrected[name], known.in_order(order)
                mine.rows[part][enough] = hits.rows[enough, : self.k]
                mine.similarities[part][enough] = hits.similarities[enough, : self.k]
            progress("hubness", part.stop, len(view.queries))
        return corrected

    def title(self, result: Result) -> str:
        """The level, k and the protocol, and the skewnesses."""
        facts = result.facts
        told = ", ".join(f"{words} {facts[name]['skewness']:.2f}" for name, words in RANKINGS.items())
        return (
            f", level {self.level}: lists of {facts['k']} hits; {self.protocol.name}, {self.protocol.excluded}; "
            f"{facts['n_queries']:,} queries, gallery of {facts['n_gallery']:,}; skewness by {told}"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """P@k by each ranking, micro and macro."""
        table = result.table
        return pd.DataFrame(
            [
                {
                    "averaging": row.averaging,
                    "P@": row.k,
                    "cosine": with_bounds(row.cosine, row.cosine_low, row.cosine_high),
                    **{
                        f"{RANKINGS[name]}{words}": with_bounds(*bounds)
                        for name in CORRECTED
                        for words, bounds in (
                            ("", (getattr(row, name), np.nan, np.nan)),
                            (" − cosine", [getattr(row, f"{name}_difference{part}") for part in _PARTS]),
                        )
                    },
                    "chance": with_bounds(row.chance, np.nan, np.nan),
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **seen_cell(table, self.protocol),
                }
                for row in lines_of(table[table["averaging"] != "label"])
            ]
        )

    def remarks(self, result: Result) -> list[str]:
        """Hubs and anti-hubs by each ranking."""
        return [
            f"By {words}: {counted(facts['hubs'], 'image is a hub', 'images are hubs')}, in "
            f"{counted(facts['hub'], 'list')} or more, and {facts['hub_share']:.1%} of all hits; "
            f"{counted(facts['anti_hubs'], 'is', 'are')} in no list."
            for words, facts in ((words, result.facts[name]) for name, words in RANKINGS.items())
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


def _histogram(counts: Mapping[str, npt.NDArray[np.int64]], *, lists: float) -> pd.DataFrame:
    """How many images are in how many lists; by chance as many as Poisson says for the same mean."""
    from scipy.special import gammaln, xlogy  # not scipy.stats, which takes two seconds to import

    most = max(int(mine.max(initial=0)) for mine in counts.values())
    occurrences = np.arange(most + 1)
    images = {name: np.bincount(mine, minlength=most + 1) for name, mine in counts.items()}
    chance = len(counts["cosine"]) * np.exp(xlogy(occurrences, lists) - lists - gammaln(occurrences + 1))
    return pd.DataFrame({"occurrences": occurrences, **images, "chance": chance})


def _precision(view: GalleryView, hits: Mapping[str, Hits]) -> pd.DataFrame:
    """P@k by each ranking, and the paired differences from cosine."""
    values = {name: view.precision(mine) for name, mine in hits.items()}
    parts = ("precision", "low", "high")
    of_rankings = {name: figures(view, mine) for name, mine in values.items()}
    table = of_rankings["cosine"].drop(columns=list(parts))
    table["chance"] = means_alone(view, by_chance(view, view.allowed))
    for name, own in of_rankings.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = (own[part] for part in parts)
    for name in CORRECTED:
        apart = figures(view, values[name] - values["cosine"], limits=DIFFERENCES)
        for part in _PARTS:
            table[f"{name}_difference{part}"] = apart[part.removeprefix("_") or "precision"]
    return table[list(HUBNESS_COLUMNS)]
