"""Anatomy against pathology: P@k of the full label, taken apart into modality, anatomy and pathology.

Owns the three factors. Of the first k hits of a query some are of its modality; of these, some are of its anatomy; of
these, some show its pathology. The three shares multiply to P@k. That the last is by far the smallest is the main
finding of Denner et al. (arXiv 2403.06567, section 3.2): pathology is harder to retrieve than anatomy.

And the same question put otherwise: what P@k would be if the search were told the query's modality and anatomy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import BySeen, figures_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.statistics.averages import means_of, ratio
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

FACTORS = ("modality", "anatomy", "pathology", "all", "within")
FACTOR_NAMES: Mapping[str, str] = {
    "modality": "modality",
    "anatomy": "anatomy, of hits of the modality",
    "pathology": "pathology, of hits of the anatomy",
    "all": "all three, of the hits there are",
    "within": "P@k when only the query's modality and anatomy are searched",
}
FACTOR_COLUMNS = (
    *("factor", "modality", "k", "share", "low", "high", "chance", "n_queries", "n_patients", "n_hits", "n_seen"),
)  # fmt: skip


@dataclass(frozen=True)
class Factors(Evaluation):
    """What the first k hits have of a query: its modality, of these its anatomy, of these its pathology.

    Table ``factors`` with the columns :data:`FACTOR_COLUMNS`, a row a factor, k, and modality of the queries, "" for
    all of them: ``share`` with the bounds of its 95 % interval over patients, ``chance`` what random images would give,
    the ``n_hits`` that the share is of (those that have the factor before), and ``n_seen`` queries that the encoder has
    seen in training. ``factor`` is of :data:`FACTORS`: the
    three multiply to "all", which is micro P@k where every query has k hits; "within" is P@k with the gallery cut to
    the images of the query's modality and anatomy.
    """

    kind: ClassVar[str] = "factors"
    recipe: ClassVar[int] = 3
    name: ClassVar[str] = "Anatomy and pathology"
    about: ClassVar[str] = (
        "P at k of the full label taken apart: modality, anatomy given the modality, pathology given the anatomy."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "seen", "ks")
    table_words: ClassVar[Mapping[str, str]] = {"factors": "The factors at every k, of all queries and by modality"}

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")

    def __post_init__(self) -> None:
        if self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out or split, but protocol = {self.protocol.name}. Use split."
            )

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """The shares of all queries and of those of each modality.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of factors, as step "factors".
        """
        view: GalleryView = self.labeled(store)
        manifest = store.collection.manifest
        modality, place, label = manifest.codes("modality").codes, view.places.codes, view.relevance.kinds
        # Of queries that have nothing to find, the pathology is a question without an answer.
        view = view.asked_by(view.queries[~view.available.empty])
        progress("factors", 0, len(FACTORS))
        hits = view.hits()
        there = hits.rows >= 0
        same = [
            there & (codes[hits.rows] == codes[view.queries][:, None]) for codes in (modality, place, label)
        ]  # each holds the next: the full label has its modality and anatomy
        given = [there, same[0], same[1]]
        rows = []
        for done, (factor, right, among) in enumerate(
            zip(FACTORS[:4], [*same, same[2]], [*given, there], strict=True), 1
        ):
            rows += self._rows(view, factor, right, among)
            progress("factors", done, len(FACTORS))
        within = _within(view)
        right = (within >= 0) & (label[within] == label[view.queries][:, None])
        rows += self._rows(view, "within", right, within >= 0)
        progress("factors", len(FACTORS), len(FACTORS))
        table = pd.DataFrame(rows, columns=list(FACTOR_COLUMNS))
        short = int((hits.counts < max(self.protocol.ks)).sum())
        notes = (
            [
                f"{counted(short, 'query has', 'queries have')} fewer than {max(self.protocol.ks)} hits: shares are of "
                "the hits there are, and all three are above P@k, which counts the rest as misses."
            ]
            if short
            else []
        )
        return self.result(
            store,
            {"factors": table},
            [*notes, *view_notes(store, self.protocol)],
            by_seen=self._by_seen(view, place, label),
        )

    def _by_seen(self, view: GalleryView, place: npt.NDArray[np.int32], label: npt.NDArray[np.int32]) -> BySeen | None:
        """The last factor, which is the hardest mostly: of the hits of the anatomy, those of the pathology."""
        if not len(view.seen):
            return None
        everyone, k = view.with_seen, max(self.protocol.summary_ks)
        queries, hits = everyone.queries, everyone.hits().rows[:, :k]
        among = (hits >= 0) & (place[hits] == place[queries][:, None]) & ~everyone.available.empty[:, None]
        line, rank = np.nonzero(among)
        return figures_by_seen(
            (label[hits[line, rank]] == label[queries[line]]).astype(np.float64),
            lines=line,
            seen=np.isin(queries, view.seen),
            clusters=view.clusters[queries],
            name=f"Pathology, of the first {k} hits that are of the anatomy",
            rule=self.protocol.seen,
        )

    def _rows(
        self, view: GalleryView, factor: str, right: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]
    ) -> list[tuple[object, ...]]:
        """The lines of one factor: of all queries, and of each modality, at every k."""
        manifest = view.store.collection.manifest
        modality = manifest.codes("modality")
        clusters = view.clusters[view.queries]
        chance = _by_chance(view, factor)
        seen = np.bincount(modality.codes[view.seen], minlength=len(modality.values))
        rows: list[tuple[object, ...]] = []
        for k in self.protocol.ks:
            line, rank = np.nonzero(among[:, :k])
            values = right[line, rank].astype(np.float64)[:, None]
            codes = modality.codes[view.queries][line]
            bounds = mean_intervals(values, codes, clusters=clusters[line], n_labels=len(modality.values))
            means = means_of(values, codes, n_labels=len(modality.values))
            asked = np.bincount(modality.codes[view.queries], minlength=len(modality.values))
            own = means_of(chance[:, None], modality.codes[view.queries], n_labels=len(modality.values))
            figures = [means.micro[0], *bounds.micro[0], own.micro[0]]
            rows.append((factor, "", k, *figures, len(view.queries), bounds.n_clusters, len(line), len(view.seen)))
            for code in np.flatnonzero(asked).tolist():
                figures = [means.label[code, 0], *bounds.label[code, 0], own.label[code, 0]]
                counts = [asked[code], bounds.label_clusters[code], means.label_queries[code, 0], seen[code]]
                rows.append((factor, modality.values[code], k, *figures, *map(int, counts)))
        return rows

    def summary(self, result: Result) -> pd.DataFrame:
        """Every factor at the largest k, of all queries and by modality."""
        table = result.table
        k = max(self.protocol.summary_ks)
        lines = []
        for (factor, modality), part in table[table["k"] == k].groupby(["factor", "modality"], sort=False):
            row = next(lines_of(part))
            lines.append(
                {"of the first hits": FACTOR_NAMES[str(factor)], "queries of": modality or "all"}
                | {
                    f"share at {k}": with_bounds(row.share, row.low, row.high),
                    "chance": with_bounds(row.chance, np.nan, np.nan),
                }
                | {"queries": row.n_queries, "patients": row.n_patients}
                | seen_cell(part, self.protocol)
            )
        return pd.DataFrame(lines)

    def remarks(self, result: Result) -> Sequence[str]:
        """Which factor is the smallest."""
        table = result.table
        rows = table[(table["k"] == max(self.protocol.summary_ks)) & (table["modality"] == "")].set_index("factor")
        shares = rows.loc[list(FACTORS[:3]), "share"].dropna()
        if not len(shares):
            return []
        least = rows.loc[[shares.idxmin()]].reset_index()
        row = next(lines_of(least))
        if row.share == 1:
            return []  # none of them is hard
        return [f"The hardest is the {row.factor}: {row.share:.3f}, where chance is {row.chance:.3f}."]


def _within(view: GalleryView) -> npt.NDArray[np.int32]:
    """``(Q, k)`` the first hits where only the query's modality and anatomy are searched, -1 as padding."""
    place = view.places.codes
    rows = np.full((len(view.queries), max(view.protocol.ks)), -1, dtype=np.int32)
    for code in np.unique(place[view.queries]).tolist():
        mine = np.flatnonzero(place[view.queries] == code)
        part = view.asked_by(view.queries[mine]).within(view.gallery & (place == code))
        rows[mine] = part.hits().rows
    return rows


def _by_chance(view: GalleryView, factor: str) -> npt.NDArray[np.float64]:
    """``(Q,)`` the share that images drawn at random from those a query may be given would have."""
    label, everything = view.available.relevant, view.allowed
    place = view.allowed_alike
    if factor == "modality":
        return ratio(view.allowed_with(view.store.collection.manifest.codes("modality")), everything)
    if factor == "anatomy":
        return ratio(place, view.allowed_with(view.store.collection.manifest.codes("modality")))
    return ratio(label, everything if factor == "all" else place)
