"""Series: how well whole series find whole series, by each rule that counts the votes of their slices.

Owns the table. The rules are search/series/votes.py's, as they are searched with; here every pair of series is
compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import clusters_of, groups_of
from radcbir_core.collections.manifests.manifest import Grouping, Manifest
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import BySeen, figures_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.evaluation.statistics.averages import means_of
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES, mean_intervals
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.opening import vectors_of
from radcbir_core.search.series.series_search import DEFAULT_RULE, thinned
from radcbir_core.search.series.votes import DEPTH, RULES, WORDS, best_of_series, combsum_of_series, scores
from radcbir_core.vocabulary import NORMAL
from radcbir_core.wording import counted

RANKINGS: Final[Mapping[str, str]] = {
    "middle slice": "its middle slice alone",
    "any slice": "each of its slices alone, on average",
    **{rule: WORDS[rule] for rule in RULES},
}
"""Who asks, and how votes are counted. The first is what others are compared with."""

FIRST: Final = "middle slice"
GROUPS: Final = ("series", "study", "patient")
SERIES_COLUMNS: Final = (
    *("ranking", "averaging", "k", "precision", "low", "high"),
    *("difference", "difference_low", "difference_high", "n_queries", "n_patients", "n_empty", "n_seen"),
)
_BLOCK_ROWS = 20_000
_BATCH_ELEMENTS = 50_000_000
_SEED = 0


@dataclass(frozen=True)
class SeriesRetrieval(Evaluation):
    """P@k of whole series as queries and as hits.

    A series shows what its images show, without "normal" where any of them has a finding; a hit is relevant that shares
    a full label with the query. An image without a series is one of its own. Queries are all series with a label, or a
    drawn sample; hits are series that have an image left once the query's own and what is excluded is left out. A
    series counts as seen in training where any of its images was.

    Table ``precision`` with the columns :data:`SERIES_COLUMNS`, micro and macro (the mean over labels), at every k of
    the protocol: P@k by each of :data:`RANKINGS`, and its difference from the query by the middle slice, with the
    bounds of 95 % intervals over patients, paired for differences.

    Facts: ``n_series``, ``n_slices`` (of the queries, on average), ``with_series`` (images that have one).
    """

    kind: ClassVar[str] = "series"
    recipe: ClassVar[int] = 1
    name: ClassVar[str] = "Series"
    about: ClassVar[str] = (
        "P at k of whole series: slices vote by several rules, against a query by one slice, with paired intervals."
    )
    uses: ClassVar[tuple[Need, ...]] = ("embeddings", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "precision": "P@k of series by each rule and by single slices, with paired differences"
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "seen", "ks")

    protocol: Protocol = choice(Protocol(), "leave-one-out")
    group: str = choice("series", "what asks as one: series, study or patient")
    sample: int = choice(500, "at most so many series ask, drawn at random")

    def __post_init__(self) -> None:
        if self.protocol.split or self.protocol.fixed:
            raise EvaluationError(
                f"Expected leave-one-out, but protocol = {self.protocol.name!r}. Series are asked against all others."
            )
        if self.group not in GROUPS:
            raise EvaluationError(f"Expected a group of {', '.join(GROUPS)}, but group = {self.group!r}. Choose one.")
        if self.sample < 1:
            raise EvaluationError(f"Expected at least one series, but sample = {self.sample}. Choose more.")

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Let each series ask all others.

        Args:
            store: What an encoder made of a collection.
            progress: Told the number of series, as step "series".

        Raises:
            EvaluationError: No series has a label.
        """
        progress("series", 0, 1)
        manifest = store.collection.manifest
        series = _Series.of(store, cast(Grouping, self.group))
        labels, shown = labels_of(manifest, series.codes, series.number)
        asking = np.array([n for n, names in enumerate(shown) if names], dtype=np.intp)
        if not len(asking):
            raise EvaluationError(
                f"Expected series with a modality, an anatomy and a pathology, but {store.collection.name} has none. "
                "Label its images."
            )
        if len(asking) > self.sample:
            asking = np.sort(np.random.default_rng(_SEED).choice(asking, self.sample, replace=False))
        shows = np.zeros((series.number, len(labels)), dtype=bool)
        for number, names in enumerate(shown):
            shows[number, list(names)] = True
        values = np.full((len(RANKINGS), len(asking), len(self.protocol.ks)), np.nan)
        slices = 0
        for done, asked in enumerate(self._asked(store, series, asking), start=1):
            relevant = (shows & shows[asking[done - 1]]).any(axis=1)
            slices += len(asked.similarities)
            for place, ranking in enumerate(RANKINGS):
                values[place, done - 1] = self._precision(asked, ranking, relevant)
            progress("series", done, len(asking))
        clusters = clusters_of(store)[series.first[asking]]
        seen = np.isin(asking, series.codes[seen_of(store).rows])
        both = self._by_seen(values, seen, clusters) if seen.any() else None
        if self.protocol.seen == "skip":
            values[:, seen] = np.nan
        table = self._table(values, [shown[n] for n in asking], len(labels), clusters, seen=seen)
        facts = {
            "n_series": series.number,
            "n_queries": len(asking),
            "n_slices": slices / len(asking),
            "with_series": manifest.known(cast(Grouping, self.group)),
        }
        return self.result(store, {"precision": table}, self._notes(store, facts), facts, by_seen=both)

    def _by_seen(
        self, values: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int64]
    ) -> BySeen:
        """The figure by the default rule at the largest k, without and with series of which an image was seen."""
        k = max(self.protocol.ks)
        return figures_by_seen(
            values[list(RANKINGS).index(DEFAULT_RULE), :, self.protocol.ks.index(k)],
            seen=seen,
            clusters=clusters,
            name=f"P@{k} by {WORDS[DEFAULT_RULE]}, mean over series",
            rule=self.protocol.seen,
            noun=("series", "series"),
        )

    def _notes(self, store: EncoderStore, facts: Mapping[str, Any]) -> list[str]:
        notes = []
        if facts["with_series"] < len(store.collection):
            alone = len(store.collection) - facts["with_series"]
            notes.append(f"Without a {self.group}, each is one of its own: {counted(alone, 'image')}.")
        if facts["n_queries"] == self.sample:
            notes.append(f"A random sample of {self.sample:,} series asks; all others can be hits.")
        return notes

    def _asked(self, store: EncoderStore, series: _Series, asking: npt.NDArray[np.intp]) -> Iterator[_Asked]:
        """What each query's slices find; several queries at a time, so that vectors are read seldom."""
        source = vectors_of(store)
        batch: list[tuple[int, npt.NDArray[np.intp]]] = []
        for number in asking.tolist():
            rows = series.rows_of(number)
            batch.append((number, rows[thinned(len(rows), None)]))
            if sum(len(rows) for _, rows in batch) * len(series.rows) >= _BATCH_ELEMENTS or number == asking[-1]:
                queries = unit_vectors(source, np.concatenate([rows for _, rows in batch]))
                products = np.empty((len(queries), len(series.rows)), dtype=np.float32)
                for start in range(0, len(series.rows), _BLOCK_ROWS):
                    part = series.rows[start : start + _BLOCK_ROWS]
                    order = np.argsort(part)
                    vectors = np.empty((len(part), queries.shape[1]), dtype=np.float32)
                    vectors[order] = unit_vectors(source, part[order])
                    products[:, start : start + len(part)] = queries @ vectors.T
                begin = 0
                for own, rows in batch:
                    mine = products[begin : begin + len(rows)]
                    begin += len(rows)
                    yield _Asked(mine, series, self._left(store, series, own, rows))
                batch = []

    def _left(
        self, store: EncoderStore, series: _Series, own: int, rows: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.bool_]:
        """Which of the rows may be returned to a series."""
        left: npt.NDArray[np.bool_] = series.codes[series.rows] != own
        for groups in groups_of(store, self.protocol.exclude):
            mine = np.unique(groups[rows])
            left &= ~np.isin(groups[series.rows], mine[mine >= 0])
        return left

    def _precision(
        self, asked: _Asked, ranking: str, relevant: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64] | float:
        """``(len(ks),)`` P@k of one series by one ranking; NaN where there is nothing to find."""
        there = asked.series_left
        if not (relevant & there).any():
            return np.nan
        if ranking == "any slice":
            alone = [self._at_ks(line, relevant, there) for line in asked.best]
            return np.asarray(np.mean(alone, axis=0))
        if ranking == FIRST:
            return self._at_ks(asked.best[len(asked.best) // 2], relevant, there)
        rule = next(rule for rule in RULES if rule == ranking)
        combsum = asked.combsum() if rule == "combsum" else None
        found = np.full(len(there), -np.inf)
        found[there] = scores(asked.best[:, there], rule, combsum=None if combsum is None else combsum[there])
        return self._at_ks(found, relevant, there)

    def _at_ks(
        self, found: npt.NDArray[Any], relevant: npt.NDArray[np.bool_], there: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        most = min(max(self.protocol.ks), int(there.sum()))
        order = np.argsort(-np.where(there, found, -np.inf), kind="stable")[:most]
        hits = np.cumsum(relevant[order])
        return np.array([hits[min(k, most) - 1] / k for k in self.protocol.ks])

    def _table(
        self,
        values: npt.NDArray[np.float64],
        shown: list[tuple[int, ...]],
        n_labels: int,
        clusters: npt.NDArray[np.int64],
        *,
        seen: npt.NDArray[np.bool_],
    ) -> pd.DataFrame:
        lines = np.repeat(np.arange(len(shown)), [len(names) for names in shown])
        codes = np.array([label for names in shown for label in names], dtype=np.int64)
        rows: list[dict[str, Any]] = []
        left_out = seen if self.protocol.seen == "skip" else np.zeros(len(seen), dtype=bool)
        empty = int((np.isnan(values[0, :, 0]) & ~left_out).sum())
        for place, ranking in enumerate(RANKINGS):
            apart = values[place] - values[0]
            figures = {}
            for name, table, limits in (("", values[place], (0.0, 1.0)), ("difference", apart, DIFFERENCES)):
                means = means_of(table, codes, n_labels=n_labels, lines=lines, limits=limits)
                bounds = mean_intervals(table, codes, clusters=clusters, n_labels=n_labels, lines=lines, limits=limits)
                figures[name] = (means, bounds)
            for averaging in ("micro", "macro"):
                for column, k in enumerate(self.protocol.ks):
                    (means, bounds), (apart_means, apart_bounds) = figures[""], figures["difference"]
                    low, high = getattr(bounds, averaging)[column]
                    apart_low, apart_high = getattr(apart_bounds, averaging)[column]
                    rows.append(
                        {
                            "ranking": ranking,
                            "averaging": averaging,
                            "k": k,
                            "precision": getattr(means, averaging)[column],
                            "low": low,
                            "high": high,
                            "difference": getattr(apart_means, averaging)[column],
                            "difference_low": apart_low,
                            "difference_high": apart_high,
                            "n_queries": int(means.n_queries[column]),
                            "n_patients": bounds.n_clusters,
                            "n_empty": empty,
                            "n_seen": int(seen.sum()),
                        }
                    )
        return pd.DataFrame(rows, columns=list(SERIES_COLUMNS))

    def title(self, result: Result) -> str:
        """Who asked."""
        facts = result.facts
        return (
            f": {facts['n_queries']:,} {self.group if self.group == 'series' else self.group + ' groups'} of "
            f"{facts['n_slices']:.1f} images on average ask {facts['n_series']:,}, {self.protocol.excluded}"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """P@k by each ranking, micro and macro."""
        return pd.DataFrame(
            [
                {
                    "who asks": RANKINGS[row.ranking],
                    "averaging": row.averaging,
                    "P@": row.k,
                    "series": with_bounds(row.precision, row.low, row.high),
                    "− middle slice": with_bounds(row.difference, row.difference_low, row.difference_high)
                    if row.ranking != FIRST
                    else "",
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **seen_cell(result.table, self.protocol),
                }
                for row in lines_of(result.table)
            ]
        )


def labels_of(
    manifest: Manifest, codes: npt.NDArray[np.int32], number: int
) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
    """What each series shows: the full labels of its images, without "normal" where any has a finding.

    Args:
        manifest: The collection's.
        codes: ``(N,)`` the series of each image; -1 for none.
        number: How many series there are.

    Returns:
        The labels, sorted; and for each series positions among them, ascending.
    """
    modality, anatomy = (manifest.codes(name) for name in ("modality", "anatomy"))
    pathologies = manifest.arrow("pathologies").to_pylist()
    found: list[set[str]] = [set() for _ in range(number)]
    for row in np.flatnonzero((codes >= 0) & (modality.codes >= 0) & (anatomy.codes >= 0)).tolist():
        place = f"{modality.values[modality.codes[row]]}/{anatomy.values[anatomy.codes[row]]}"
        found[codes[row]].update(f"{place}/{name}" for name in pathologies[row] or ())
    for shown in found:
        findings = {name for name in shown if name.rpartition("/")[2] != NORMAL}
        if findings:
            shown.intersection_update(findings)
    labels = tuple(sorted(set().union(*found)))
    position = {label: place for place, label in enumerate(labels)}
    return labels, [tuple(sorted(position[name] for name in names)) for names in found]


@dataclass(frozen=True, slots=True)
class _Series:
    """The series of a collection.

    Attributes:
        codes: ``(N,)`` the series of each image, from 0 to ``number`` - 1; -1 for one without an embedding.
        number: How many there are.
        rows: ``(M,)`` the images that have one, series by series, each ascending.
        starts: ``(number,)`` where each begins in ``rows``.
    """

    codes: npt.NDArray[np.int32]
    number: int
    rows: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, store: EncoderStore, group: Grouping) -> _Series:
        """Images of one group; one without is a series of its own."""
        groups = store.collection.manifest.groups(group).astype(np.int64)
        alone = groups < 0
        groups = np.where(alone, groups.max(initial=-1) + 1 + np.arange(len(groups)), groups)
        codes = np.full(len(groups), -1, dtype=np.int32)
        usable = np.flatnonzero(store.valid)
        codes[usable] = np.unique(groups[usable], return_inverse=True)[1]
        rows = usable[np.argsort(codes[usable], kind="stable")]
        return cls(codes, int(codes.max(initial=-1)) + 1, rows, np.flatnonzero(np.diff(codes[rows], prepend=-1)))

    @property
    def first(self) -> npt.NDArray[np.intp]:
        """``(number,)`` the first image of each."""
        return self.rows[self.starts]

    def rows_of(self, number: int) -> npt.NDArray[np.intp]:
        """The images of one."""
        end = self.starts[number + 1] if number + 1 < self.number else len(self.rows)
        return self.rows[self.starts[number] : end]


class _Asked:
    """What the slices of one series find.

    Args:
        similarities: ``(Q, M)`` to all images, in the order of ``series.rows``.
        series: All there are.
        left: ``(M,)`` which images may be returned.
    """

    def __init__(self, similarities: npt.NDArray[np.float32], series: _Series, left: npt.NDArray[np.bool_]) -> None:
        self.similarities = np.where(left, similarities, -np.inf)
        self.best = best_of_series(self.similarities, series.starts)
        self.series_left = np.maximum.reduceat(left, series.starts)
        self._series = series
        self._left = int(left.sum())

    def combsum(self) -> npt.NDArray[np.float64]:
        """``(number,)`` the sums of the similarities of the first hits."""
        depth = min(DEPTH, self._left)
        chosen = np.argpartition(-self.similarities, depth - 1, axis=1)[:, :depth]
        values = np.take_along_axis(self.similarities, chosen, axis=1)
        codes = self._series.codes[self._series.rows]
        return combsum_of_series(chosen, values, codes, number=self._series.number)
