"""What a similarity means in a collection: how similar images of different patients are, and how near the nearest is.

Owns the two scales that a similarity is read on. The first is that of pairs of images that have nothing to do with each
other; the second says whether anything is close to a query at all, by what is usual for the collection's own images
(metrics/closeness.py). Both come from samples, the same each time, so that they are as quick in a collection of
millions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import clusters_of, groups_of
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice
from radcbir_core.evaluation.metrics.closeness import FIRST, OWN, Thresholds, company, nearest, thresholds_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.precision import seen_cell
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.evaluation.view import patient_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.neighbors.graph import ranked_hits
from radcbir_core.search.opening import vectors_of
from radcbir_core.wording import counted

IN_PAIRS: Final = 2000
"""Images whose pairs are looked at: up to two million."""
IN_PLACE: Final = 500
"""The same of each modality and anatomy."""
FEWEST_PAIRS: Final = 1000
ASKED: Final = 4000
"""Images that are asked for what is nearest to them."""
FEWEST_ASKED: Final = 100
FOLDS: Final = 5
QUANTILES: Final = (
    *(number / 100 for number in range(100)),
    *(0.995, 0.999, 0.9995, 0.9999, 1.0),
)

PERCENTILE_COLUMNS = ("place", "quantile", "similarity", "n_pairs", "n_images", "n_seen")
CLOSENESS_COLUMNS = ("quantile", "nearest", "company")

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Scale(Evaluation):
    """How similar images of different patients are, and below what nothing is close to a query.

    Tables: ``percentiles`` with the columns :data:`PERCENTILE_COLUMNS`: of pairs of images that may be each other's
    hits, so many are at most as similar; of all (``place`` is "") and of pairs within each modality and anatomy;
    ``n_seen`` images were seen in training, which are drawn like all, but not asked.
    ``closeness`` with :data:`CLOSENESS_COLUMNS`: so many of the images that were asked have at most such a similarity
    to their first hit, and so much closer company with their first hits than these have with others; empty where too
    few could be asked.

    Facts: ``n_asked``, images asked; ``of_unseen``, whether they are those alone that the encoder has not seen in
    training; ``nearest`` and ``company``, the thresholds, None where too few could be asked; and ``false_alarms``, the
    share of images that would be called far by thresholds of other patients' images.
    """

    kind: ClassVar[str] = "scale"
    recipe: ClassVar[int] = 1
    name: ClassVar[str] = "Scale"
    about: ClassVar[str] = (
        "What a similarity means here: how similar images of different patients are, and below what nothing in the "
        "collection is close to a query."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors",)
    table_words: ClassVar[Mapping[str, str]] = {
        "percentiles": "How similar pairs of images of different patients are, of all and within modality and anatomy",
        "closeness": "How close the nearest images of other patients are",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "seen")

    protocol: Protocol = choice(Protocol(), "leave-one-out alone")

    def __post_init__(self) -> None:
        if self.protocol.split or self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out, under which hits are found on the pages, but protocol = "
                f"{self.protocol.name}. Leave it out."
            )

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Draw pairs, and ask images.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told that it begins and ends, as step "scale".
        """
        progress("scale", 0, 2)
        usable = np.flatnonzero(store.valid)
        percentiles = self._percentiles(store, usable)
        progress("scale", 1, 2)
        rows, of_unseen = self._asked(store, usable)
        closeness = pd.DataFrame([], columns=list(CLOSENESS_COLUMNS), dtype=np.float64)
        facts: dict[str, Any] = {"n_asked": len(rows), "of_unseen": of_unseen, "nearest": None, "company": None}
        if len(rows) >= FEWEST_ASKED:
            measures = self.measures(store, _hits_of(store, rows, self.protocol))
            known = ~np.isnan(measures).any(axis=0)
            if int(known.sum()) >= FEWEST_ASKED:
                measures, rows = measures[:, known], rows[known]
                found = thresholds_of(*measures)
                facts |= {"n_asked": len(rows), "nearest": found.nearest, "company": found.company}
                facts["false_alarms"] = _held_out(measures, clusters_of(store)[rows])
                closeness = pd.DataFrame(
                    {
                        "quantile": QUANTILES,
                        **{
                            name: np.quantile(values, QUANTILES)
                            for name, values in zip(CLOSENESS_COLUMNS[1:], measures, strict=True)
                        },
                    }
                )
        progress("scale", 2, 2)
        tables = {"percentiles": percentiles, "closeness": closeness}
        return self.result(store, tables, self._notes(store, facts, percentiles), facts)

    def measures(self, store: EncoderStore, hits: Hits) -> npt.NDArray[np.float64]:
        """``(2, Q)``: how near the first hit of each query is, and its company; NaN of one with too few hits.

        Args:
            store: What an encoder made of the collection.
            hits: At least :data:`~radcbir_core.evaluation.metrics.closeness.FIRST` a query, of the whole collection.
        """
        measures = np.full((2, len(hits.counts)), np.nan)
        enough = np.flatnonzero(hits.counts >= FIRST)
        if len(enough):
            rows = hits.rows[enough, :FIRST].astype(np.intp)
            distinct, places = np.unique(rows, return_inverse=True)
            own = _hits_of(store, distinct, self.protocol)
            tenth = np.where(own.counts >= OWN, own.similarities[:, OWN - 1], np.nan).astype(np.float64)
            similarities = hits.similarities[enough]
            measures[:, enough] = nearest(similarities), company(similarities, tenth[places.reshape(rows.shape)])
        return measures

    def _percentiles(self, store: EncoderStore, usable: Rows) -> pd.DataFrame:
        """How similar pairs are that may be each other's hits."""
        manifest = store.collection.manifest
        modality, anatomy = (manifest.codes(name) for name in ("modality", "anatomy"))
        place = np.where(
            (modality.codes >= 0) & (anatomy.codes >= 0), modality.codes * len(anatomy.values) + anatomy.codes, -1
        )
        names = {
            code: f"{modality.values[code // len(anatomy.values)]}/{anatomy.values[code % len(anatomy.values)]}"
            for code in np.unique(place[place >= 0]).tolist()
        }
        shuffled = np.random.default_rng(0).permutation(usable)
        groups = groups_of(store, self.protocol.exclude)
        drawn = {"": shuffled[:IN_PAIRS]}
        drawn |= {name: shuffled[place[shuffled] == code][:IN_PLACE] for code, name in names.items()}
        tables = [_pair_quantiles(store, np.sort(rows), groups, name) for name, rows in drawn.items()]
        there = [table for table in tables if table is not None]
        if not there:
            return pd.DataFrame([], columns=list(PERCENTILE_COLUMNS))
        return pd.concat(there, ignore_index=True).assign(n_seen=int(seen_of(store).rows[usable].sum()))

    def _asked(self, store: EncoderStore, usable: Rows) -> tuple[Rows, bool]:
        """The images that are asked, and whether they are those alone that were not seen in training."""
        seen = seen_of(store).rows
        unseen = usable[~seen[usable]]
        of_unseen = self.protocol.seen == "skip" and len(unseen) < len(usable) and len(unseen) >= FEWEST_ASKED
        rows = unseen if of_unseen else usable
        return np.sort(np.random.default_rng(0).permutation(rows)[:ASKED]), of_unseen

    def _notes(self, store: EncoderStore, facts: Mapping[str, Any], percentiles: pd.DataFrame) -> list[str]:
        notes = []
        if not len(percentiles):
            notes.append(f"No percentile is said: there are fewer than {FEWEST_PAIRS:,} pairs of different patients.")
        if facts["nearest"] is None:
            notes.append(
                f"Whether nothing is close to a query is not said: that takes {FEWEST_ASKED} images of other patients."
            )
        else:
            which = "that the encoder has not seen in training" if facts["of_unseen"] else "of the collection"
            notes.append(
                f"Nothing is close to a query whose nearest image is less similar than {facts['nearest']:.3f}, or "
                f"whose first {FIRST} hits are closer to their own tenth than to it by more than "
                f"{-facts['company']:.3f}. So it would be of {100 * facts['false_alarms']:.1f} in 100 images {which}, "
                f"by thresholds of other patients ({facts['n_asked']:,} asked)."
            )
        return [*notes, *patient_notes(store, self.protocol)]

    def title(self, result: Result) -> str:
        """Of what pairs."""
        table = result.table
        pairs = int(table["n_pairs"].iloc[0]) if len(table) else 0
        return f": {counted(pairs, 'pair')} of images, {self.protocol.excluded}"

    def summary(self, result: Result) -> pd.DataFrame:
        """The middle and the upper percentiles of similarities, of all and by place."""
        told = (0.5, 0.95, 0.99, 0.999)
        return pd.DataFrame(
            [
                {
                    "pairs within": place or "the collection",
                    **{f"{100 * q:g} %": f"{_at(lines, q):.3f}" for q in told},
                    "pairs": int(lines["n_pairs"].iloc[0]),
                    "images": int(lines["n_images"].iloc[0]),
                    **seen_cell(lines, self.protocol),
                }
                for place, lines in result.table.groupby("place", sort=False)
            ]
        )


def thresholds_in(result: Result) -> Thresholds | None:
    """The thresholds of a result; None where too few images could be asked."""
    facts = result.facts
    if facts.get("nearest") is None or facts.get("company") is None:
        return None
    return Thresholds(float(facts["nearest"]), float(facts["company"]))


def _at(lines: pd.DataFrame, quantile: float) -> float:
    return float(np.interp(quantile, lines["quantile"], lines["similarity"]))


def _hits_of(store: EncoderStore, rows: Rows, protocol: Protocol) -> Hits:
    return ranked_hits(store, rows, k=OWN, gallery=store.valid, exclude=protocol.exclude)


def _pair_quantiles(
    store: EncoderStore, rows: Rows, groups: list[npt.NDArray[np.int32]], name: str
) -> pd.DataFrame | None:
    """The quantiles of the similarities of all pairs of some rows; None where there are too few."""
    vectors = np.asarray(vectors_of(store).vectors(rows), dtype=np.float32)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)  # never in place: they may be the mapped file
    counts = np.triu(np.ones((len(rows), len(rows)), dtype=np.bool_), k=1)
    for group in groups:
        mine = group[rows]
        counts &= ~((mine[:, None] == mine[None, :]) & (mine >= 0))
    similarities = (vectors @ vectors.T)[counts]
    if len(similarities) < FEWEST_PAIRS:
        return None
    return pd.DataFrame(
        {
            "place": name,
            "quantile": QUANTILES,
            "similarity": np.quantile(similarities, QUANTILES).astype(np.float64),
            "n_pairs": len(similarities),
            "n_images": len(rows),
        }
    )


def _held_out(measures: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64]) -> float:
    """The share of images that are called far by thresholds of the images of other patients."""
    fold = np.random.default_rng(0).permutation(int(clusters.max()) + 1)[clusters] % FOLDS
    far = np.zeros(len(fold), dtype=np.bool_)
    for number in np.unique(fold):
        out = fold == number
        if not out.all():
            far[out] = thresholds_of(*measures[:, ~out]).far(*measures[:, out])
    return float(far.mean())
