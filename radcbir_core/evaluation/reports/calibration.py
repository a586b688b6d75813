"""The chance that a hit shares the query's pathology, by its similarity, and whether such chances are true.

Owns the curves and their check. A chance is that of the first hits of images that the encoder has not seen in training,
asked of the whole collection without their patient: under other conditions (a filter, another order, patients left in)
the hits of the same similarity are others, and no chance is said.

There is a curve for each modality and anatomy of the hit, because at the same similarity a chest radiograph shares what
the query shows more or less often than a brain does. The check is by patient: each fifth of the patients gets chances
of curves that have neither its queries nor any hit of these patients.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.reliability import BINS, bin_of, calibration_error, error_bounds
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.relevance import RULES, Relevance, check_rule
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.sampling import check_sample
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.statistics.rising import RisingCurve, rising_curve
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

FEWEST_PATIENTS: Final = 30
"""Patients whose queries have hits of a modality and anatomy; of fewer there is no curve."""
FOLDS: Final = 5
SAMPLE: Final = 20_000
DEPTH: Final = 10
"""So many first hits of each query are looked at: as many as the pages show."""

MEANS_COLUMNS = (
    *("place", "ece", "low", "high", "ece_by_noise", "brier", "brier_of_share", "share"),
    *("n_pairs", "n_queries", "n_patients", "n_seen"),
)
RELIABILITY_COLUMNS = ("place", "bin", "chance", "share", "low", "high", "n_pairs", "n_patients")
CURVE_COLUMNS = ("place", "similarity", "chance", "n_pairs")
RANK_COLUMNS = ("rank", "chance", "share", "low", "high", "n_pairs")

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Pairs:
    """Queries and their hits, one line a pair.

    Attributes:
        similarities: ``(P,)``.
        shared: ``(P,)`` whether the hit is relevant.
        queries: ``(P,)`` the position of the query.
        ranks: ``(P,)`` of the hit, from 1.
        places: ``(P,)`` the code of the hit's modality and anatomy.
        patients: ``(P,)`` of the query.
        hit_patients: ``(P,)`` of the hit.
    """

    similarities: Numbers
    shared: npt.NDArray[np.bool_]
    queries: Codes
    ranks: Codes
    places: Codes
    patients: Codes
    hit_patients: Codes

    @classmethod
    def of(cls, view: GalleryView, *, k: int) -> _Pairs:
        hits = view.hits(k)
        there = np.arange(k) < hits.counts[:, None]
        queries, ranks = np.nonzero(there)
        rows = hits.rows[there]
        return cls(
            similarities=hits.similarities[there].astype(np.float64),
            shared=view.relevant(hits)[there],
            queries=queries.astype(np.int64),
            ranks=ranks.astype(np.int64) + 1,
            places=view.places.codes[rows].astype(np.int64),
            patients=view.clusters[view.queries][queries],
            hit_patients=view.clusters[rows],
        )

    def __len__(self) -> int:
        return len(self.similarities)

    def part(self, chosen: npt.NDArray[Any]) -> _Pairs:
        """Some of them."""
        return _Pairs(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Calibration(Evaluation):
    """Chances that a hit shares what the query shows, and how true they are of patients that they do not come from.

    Relevant is, by default, a hit of the query's modality and anatomy that has a pathology in common with it; "normal"
    is one like any other.

    Tables: ``means`` with the columns :data:`MEANS_COLUMNS`, of all pairs that have a chance (``place`` is "") and of
    each modality and anatomy of hits: the expected calibration error over ten bins, its 95 % interval over patients,
    what noise alone would make it, the mean squared error of the chances and that of their mean share said of each.
    ``reliability`` with :data:`RELIABILITY_COLUMNS`, a line a bin that has a pair: the mean chance and the share with
    its interval. ``curve`` with :data:`CURVE_COLUMNS`: the chance at the middle of each block of pairs, made of all
    patients; straight between them. ``ranks`` with :data:`RANK_COLUMNS`: the mean chance and share at each rank.

    Facts: ``places``, those with a curve, and ``few``, those without one, with how many patients they have.
    """

    kind: ClassVar[str] = "calibration"
    recipe: ClassVar[int] = 1
    name: ClassVar[str] = "Calibration"
    about: ClassVar[str] = (
        "The chance that a hit shares the pathology, by its similarity, and whether such chances are true: expected "
        "calibration error on patients held out."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "means": "Calibration error, of all pairs and by modality and anatomy",
        "reliability": "Chances and shares, bin by bin",
        "curve": "The chance at each similarity",
        "ranks": "Chances and shares at each rank",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "seen")

    protocol: Protocol = choice(Protocol(), "leave-one-out alone")
    rule: str = choice("any-shared", "What a hit has to share: same-label, any-shared or all-shared")
    depth: int = choice(DEPTH, "Hits of each query, from 1 to 100")
    sample: int = choice(SAMPLE, "Queries at most, drawn at random")

    def __post_init__(self) -> None:
        if self.protocol.split or self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out, under which hits are found on the pages, but protocol = "
                f"{self.protocol.name}. Leave it out."
            )
        if check_rule(self.rule) not in RULES[:3]:
            raise EvaluationError(
                f"Expected a rule by which a hit is relevant or not, of {', '.join(RULES[:3])}, but rule = "
                f"{self.rule}. Choose one of these."
            )
        if not 1 <= self.depth <= 100:
            raise EvaluationError(f"Expected a depth from 1 to 100, but depth = {self.depth}. Use {DEPTH}.")
        check_sample(self.sample)

    def labeled(self, store: EncoderStore) -> GalleryView:
        """Who asks.

        Raises:
            EvaluationError: Nobody does.
        """
        relevance = Relevance.of_manifest(store.collection.manifest, self.rule)
        return asked_view(store, self.protocol, relevance, labels="a modality, an anatomy and a pathology")

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Find hits, fit curves and check them.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of folds, as step "folds".

        Raises:
            EvaluationError: No modality and anatomy has enough patients.
        """
        progress("folds", 0, FOLDS)
        everyone = self.labeled(store)
        view = everyone
        if len(everyone.queries) > self.sample:
            drawn = np.random.default_rng(0).permutation(len(everyone.queries))[: self.sample]
            view = everyone.asked_by(np.sort(everyone.queries[drawn]))
        pairs = _Pairs.of(view, k=self.depth)
        patients = {
            int(place): len(np.unique(pairs.patients[pairs.places == place])) for place in np.unique(pairs.places)
        }
        able = [place for place, number in patients.items() if number >= FEWEST_PATIENTS]
        names = view.places.values
        if not able:
            most = max(patients.values(), default=0)
            raise EvaluationError(
                f"Expected hits of one modality and anatomy for queries of at least {FEWEST_PATIENTS} patients, but "
                f"{store.collection.name} has them for {most} at most. Add images with labels, of more patients."
            )
        kept = pairs.part(np.isin(pairs.places, able))
        chances = _held_out(kept, able, members=int(view.clusters.max(initial=-1)) + 1, progress=progress)
        known = ~np.isnan(chances)
        kept, chances = kept.part(known), chances[known]
        curves = {place: _curve_of(pairs, place) for place in able}
        tables = {
            "means": pd.DataFrame(
                list(_means(kept, chances, able, names, n_seen=len(view.seen))), columns=list(MEANS_COLUMNS)
            ),
            "reliability": pd.DataFrame(
                list(_reliability(kept, chances, able, names)), columns=list(RELIABILITY_COLUMNS)
            ),
            "curve": pd.DataFrame(
                [
                    (names[place], *values)
                    for place, curve in curves.items()
                    for values in zip(curve.points, curve.shares, curve.counts, strict=True)
                ],
                columns=list(CURVE_COLUMNS),
            ),
            "ranks": pd.DataFrame(list(_ranks(kept, chances)), columns=list(RANK_COLUMNS)),
        }
        facts = {
            "places": [names[place] for place in able],
            "few": {names[place]: number for place, number in patients.items() if place not in able},
        }
        return self.result(store, tables, self._notes(view, everyone, facts), facts)

    def _notes(self, view: GalleryView, everyone: GalleryView, facts: Mapping[str, Any]) -> list[str]:
        notes = [
            f"A chance is that of the first {self.depth} hits of the whole collection, {self.protocol.excluded}; of "
            "hits of a filter, in another order or further down it is not."
        ]
        if len(view.queries) < len(everyone.queries):
            notes.append(f"{len(view.queries):,} of {len(everyone.queries):,} queries, drawn at random (seed 0).")
        if facts["few"]:
            said = ", ".join(f"{place} ({number})" for place, number in sorted(facts["few"].items()))
            notes.append(
                f"No chance is said of hits for which fewer than {FEWEST_PATIENTS} patients have asked: {said}."
            )
        return [*notes, *view_notes(view.store, self.protocol)]

    def title(self, result: Result) -> str:
        """What is shared, and by which rules."""
        means = result.table.iloc[0]
        return (
            f": the chance that a hit shares it ({self.rule}); first {self.depth} hits, {self.protocol.excluded}; "
            f"{counted(int(means['n_queries']), 'query', 'queries')} of "
            f"{counted(int(means['n_patients']), 'patient')}, each fifth of the patients held out"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """The calibration error of all and by place."""
        return pd.DataFrame(
            [
                {
                    "hits of": row.place or "all of these",
                    "ECE": with_bounds(row.ece, row.low, row.high),
                    "ECE of noise": with_bounds(row.ece_by_noise, np.nan, np.nan),
                    "Brier": with_bounds(row.brier, np.nan, np.nan),
                    "Brier of the share": with_bounds(row.brier_of_share, np.nan, np.nan),
                    "share": with_bounds(row.share, np.nan, np.nan),
                    "pairs": row.n_pairs,
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **seen_cell(result.table, self.protocol),
                }
                for row in lines_of(result.table)
            ]
        )


def curves_of(result: Result, places: Collection[str] | None = None) -> dict[str, RisingCurve]:
    """The curves of a result: modality and anatomy of the hit, such as "XR/chest" → curve.

    Args:
        result: Whose.
        places: Of which, as far as there are some; of all by default.
    """
    table = result.tables["curve"]
    names = table["place"].to_numpy(dtype=object)
    there = dict.fromkeys(names.tolist())
    return {
        place: RisingCurve(*(table[name].to_numpy()[names == place] for name in ("similarity", "chance", "n_pairs")))
        for place in there
        if places is None or place in places
    }


def _curve_of(pairs: _Pairs, place: int) -> RisingCurve:
    mine = pairs.places == place
    return rising_curve(pairs.similarities[mine], pairs.shared[mine])


def _held_out(pairs: _Pairs, places: list[int], *, members: int, progress: Progress) -> Numbers:
    """``(P,)`` the chance of each pair by curves that its query's patients have no part in; NaN where there is none."""
    fold = np.random.default_rng(0).permutation(members) % FOLDS
    asks, given = fold[pairs.patients], fold[pairs.hit_patients]
    chances = np.full(len(pairs), np.nan)
    for number in range(FOLDS):
        rest = (asks != number) & (given != number)
        for place in places:
            of_place = pairs.places == place
            out, fit = of_place & (asks == number), of_place & rest
            if out.any() and fit.any():
                curve = rising_curve(pairs.similarities[fit], pairs.shared[fit])
                chances[out] = curve.at(pairs.similarities[out])
        progress("folds", number + 1, FOLDS)
    return chances


def _by_place(pairs: _Pairs, places: list[int], names: tuple[str, ...]) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """All pairs, then those of each place."""
    yield "", np.ones(len(pairs), dtype=np.bool_)
    for place in places:
        yield names[place], pairs.places == place


def _means(
    pairs: _Pairs, chances: Numbers, places: list[int], names: tuple[str, ...], *, n_seen: int
) -> Iterator[tuple[Any, ...]]:
    for name, chosen in _by_place(pairs, places, names):
        mine, said = pairs.part(chosen), chances[chosen]
        bounds = error_bounds(said, mine.shared, clusters=mine.patients)
        share = float(mine.shared.mean()) if len(mine) else np.nan
        yield (
            name,
            calibration_error(said, mine.shared),
            bounds.low,
            bounds.high,
            bounds.by_noise,
            float(((said - mine.shared) ** 2).mean()) if len(mine) else np.nan,
            share * (1 - share),
            share,
            len(mine),
            len(np.unique(mine.queries)),
            len(np.unique(mine.patients)),
            n_seen,
        )


def _reliability(
    pairs: _Pairs, chances: Numbers, places: list[int], names: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    for name, chosen in _by_place(pairs, places, names):
        mine, said = pairs.part(chosen), chances[chosen]
        bins = bin_of(said)
        bounds = _shares(mine, bins, BINS)
        for number in np.unique(bins):
            here = bins == number
            yield (
                name,
                int(number),
                float(said[here].mean()),
                float(mine.shared[here].mean()),
                *bounds[number].tolist(),
                int(here.sum()),
                len(np.unique(mine.patients[here])),
            )


def _ranks(pairs: _Pairs, chances: Numbers) -> Iterator[tuple[Any, ...]]:
    bounds = _shares(pairs, pairs.ranks, int(pairs.ranks.max(initial=0)) + 1)
    for rank in np.unique(pairs.ranks):
        here = pairs.ranks == rank
        yield (
            int(rank),
            float(chances[here].mean()),
            float(pairs.shared[here].mean()),
            *bounds[rank].tolist(),
            int(here.sum()),
        )


def _shares(pairs: _Pairs, codes: npt.NDArray[Any], number: int) -> Numbers:
    """``(number, 2)`` the 95 % interval of the share in each group, over patients."""
    values = pairs.shared.astype(np.float64)[:, None]
    return mean_intervals(values, codes, clusters=pairs.patients, n_labels=number).label[:, 0]
