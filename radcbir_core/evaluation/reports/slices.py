"""Slices of failure: which values of columns, and pairs of them, fail more than the rest, without being asked for.

Owns which slices are told and what is said of each. Columns are those of the manifest (column_groups.py), the label,
what pictures are like (image_facts.py) and which images the encoder puts together (embedding_clusters.py). What is
worth a look is decided before any figure is seen (slice_candidates.py), and all that was looked at counts in the
correction (max_t.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import shorten
from typing import Any, ClassVar, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Codes, Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.column_groups import NOT_KNOWN, ColumnGroups, bands, groups_of_column, offered_columns
from radcbir_core.evaluation.embedding_clusters import embedding_clusters
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.image_facts import FACTS, image_facts
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.precision import seen_word, with_bounds
from radcbir_core.evaluation.reports.retrieval_confusion import check_varied
from radcbir_core.evaluation.reports.subgroups import CLEAR, FEWEST_PATIENTS, FEWEST_QUERIES, p_said
from radcbir_core.evaluation.slice_candidates import Candidates, candidates_of, distinct_columns
from radcbir_core.evaluation.statistics.contrasts import contrasts
from radcbir_core.evaluation.statistics.max_t import Behind, falls_behind
from radcbir_core.evaluation.statistics.randomization import holm
from radcbir_core.evaluation.view import GalleryView, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.neighbors.graph import NEIGHBORS
from radcbir_core.wording import counted

Among = Literal["labels", "all"]
AMONG: tuple[Among, ...] = get_args(Among)

CLUSTER: Final = "cluster"
LABEL: Final = "label"
LISTED: Final = 20
_LOOKED_AT: Final = 60
_ALIKE: Final = 0.8
"""From this share of queries in common on, two slices are told as one."""

SLICE_COLUMNS = (
    *("slice", "conditions", "also", "clear", "p", "precision", "low", "high", "chance", "n_queries", "n_patients"),
    *("n_empty", "n_seen", "difference", "difference_low", "difference_high"),
)
TRIED_COLUMNS = ("conditions", "n_queries", "n_patients", "mean_residual", "t", "p")


@dataclass(frozen=True)
class Slices(Evaluation):
    """Slices of failure.

    Tables: ``slices`` with the columns :data:`SLICE_COLUMNS`, at most :data:`LISTED`, those that are ``clear`` first:
    ``conditions`` as "column = value" joined by " and "; ``also`` names others that are the same queries or nearly so;
    ``difference`` is its P@k less that of all other queries of the same labels (of all others, with ``among`` = all),
    with the bounds of its 95 % interval; ``p`` is corrected for all slices that were tried. A slice of two conditions
    is told if it falls clearly behind the rest of both its parents too, corrected for all that are looked at so (Holm).
    ``members``, a row a slice and query: ``slice``, ``row``, ``precision``. ``typical``: of each cluster of embeddings
    how many queries it has and what is typical of them. ``tried`` with the columns :data:`TRIED_COLUMNS`, all that
    were tested.

    Facts: ``k``, the figures of all queries, how many slices were ``tried`` of how many there were (``n_all``), and the
    ``columns`` that they are of.
    """

    kind: ClassVar[str] = "slices"
    recipe: ClassVar[int] = 2
    name: ClassVar[str] = "Slices of failure"
    about: ClassVar[str] = (
        "Which values of columns and pairs of them fail more than the rest, found among all columns, brightness and "
        "the like, and clusters of the embedding."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "slices": "Slices that fall behind, with intervals, chance and corrected p",
        "members": "The queries of each slice",
        "typical": "What is typical of each cluster of the embedding",
        "tried": "All slices that were tested",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "empty", "seen")

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    k: int = choice(10, "Of P@k")
    among: str = choice("labels", "labels: each is compared with others of the same labels; all: with all others")
    clusters: int = choice(16, "Clusters of the embedding that are tried too; 0 for none")
    seed: int = choice(0, "Of the drawing")

    def __post_init__(self) -> None:
        check_varied(self.protocol, what="slices of failure")
        if self.among not in AMONG:
            raise EvaluationError(f'Expected "labels" or "all", but among = {self.among!r}. Use one of the two.')
        if not 1 <= self.k <= NEIGHBORS:
            raise EvaluationError(f"Expected k from 1 to {NEIGHBORS}, but k = {self.k}. Choose such.")
        if not 0 <= self.clusters <= 200 or self.seed < 0:
            raise EvaluationError(
                f"Expected 0 to 200 clusters and a seed of at least 0, but clusters = {self.clusters} and seed = "
                f"{self.seed}. Use 16 and 0."
            )
        object.__setattr__(self, "protocol", replace(self.protocol, ks=(self.k,)))

    def made_of(self, store: EncoderStore) -> list[str]:
        """Images too, whose thumbnails are looked at."""
        return [*super().made_of(store), store.collection.digests.images]

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Find the slices.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the images, as steps "thumbnails" and "clusters", and the draws, as step "signs".
        """
        progress("slices", 0, 1)
        view: GalleryView = self.labeled(store)
        values = view.precision(view.hits())[:, 0]
        known = ~np.isnan(values)
        if not known.any():
            raise EvaluationError(
                f"Expected queries that have something to find, but none of {len(values)} of {store.collection.name} "
                "has. Leave out less, or choose another level."
            )
        asked, mine = view.queries[known], values[known]
        notes: list[str] = []
        columns = self._columns(view, notes, progress)
        kept = distinct_columns([one.codes.codes[asked] for one in columns])
        gone = [one.column for place, one in enumerate(columns) if place not in kept]
        if gone:
            notes.append(
                f"Columns that part the queries as another does, or not at all, are left out: {', '.join(gone)}."
            )
        clusters = next((one for one in columns if one.column == CLUSTER), None)
        columns = [columns[place] for place in kept]
        patients = view.clusters[asked]
        strata = view.relevance.kinds[asked] if self.among == "labels" else np.zeros(len(asked), dtype=np.int32)
        candidates = candidates_of(
            [one.codes.codes[asked] for one in columns],
            patients,
            fewest_queries=FEWEST_QUERIES,
            fewest_clusters=FEWEST_PATIENTS,
        )
        behind = falls_behind(
            mine, candidates.membership, clusters=patients, strata=strata, seed=self.seed, progress=progress
        )
        search = _Search(candidates, behind, mine, patients, strata)
        told = list(search.told())
        words = [" and ".join(_said(columns, one)) for one in candidates.conditions]
        chance = by_chance(view, view.allowed)
        rows = []
        for one in told:
            inside = np.ones(len(view.gallery), dtype=np.bool_)
            for column, value in candidates.conditions[one.position]:
                inside &= columns[column].codes.codes == value
            same = [" and ".join(_said(columns, other)) for other in candidates.same[one.position]]
            also = "; ".join([*same, *(words[other] for other in one.also)])
            told_of = (words[one.position], also, one.clear, behind.p[one.position])
            differs = search.against_others(one.position)[:3]
            rows.append((*told_of, *_figures(view, values[:, None], chance, inside), *differs))
        slices = pd.DataFrame(rows, columns=list(SLICE_COLUMNS[1:]))
        order = np.lexsort((slices["conditions"], slices["difference_high"].fillna(2), ~slices["clear"].astype(bool)))
        slices = slices.iloc[order].reset_index(drop=True)
        slices.insert(0, "slice", np.arange(1, len(slices) + 1))
        members = [
            pd.DataFrame({"slice": number, "row": asked[inside].astype(np.int32), "precision": mine[inside]})
            for number, inside in ((n, search.members(told[place].position)) for n, place in enumerate(order, 1))
        ]
        tables = {
            "slices": slices.astype({"conditions": "str", "also": "str", "clear": bool}),
            "members": pd.concat(members, ignore_index=True) if members else _NO_MEMBERS.copy(),
            "typical": _typical(clusters, columns, asked),
            "tried": _tried(candidates, behind, words),
        }
        everything = _figures(view, values[:, None], chance, np.ones(len(view.gallery), dtype=np.bool_))
        names = ("precision", "low", "high", "chance", "n_queries", "n_patients", "n_empty", "n_seen")
        facts: dict[str, Any] = {"k": self.k, **dict(zip(names, map(_plain, everything), strict=True))}
        facts |= {"tried": len(words), "n_all": candidates.n_all, "columns": [one.column for one in columns]}
        both = precision_by_seen(view, own=values[:, None])
        return self.result(store, tables, [*self._notes(store, candidates), *notes], facts, by_seen=both)

    def _columns(self, view: GalleryView, notes: list[str], progress: Progress) -> list[ColumnGroups]:
        """All that may part the queries: columns, the label, what pictures are like, and clusters."""
        store, manifest = view.store, view.store.collection.manifest
        labels = view.relevance
        names = (*labels.labels, NOT_KNOWN)
        own = np.where(labels.kinds >= 0, labels.kinds, len(labels.labels)).astype(np.int32)
        columns = [groups_of_column(manifest, name) for name in offered_columns(manifest)[0]]
        columns.append(ColumnGroups(LABEL, Codes(names, own)))
        facts = image_facts(store, progress=progress)
        if facts is None:
            notes.append("There are no thumbnails: brightness, contrast and sharpness are not known.")
        else:
            columns += [bands(facts[name].to_numpy(dtype=np.float64), column=name) for name in FACTS]
        if self.clusters > 1:
            codes = embedding_clusters(store, number=self.clusters, seed=self.seed, progress=progress)
            number = int(codes.max(initial=-1)) + 1
            names = (*(str(one) for one in range(1, number + 1)), NOT_KNOWN)
            columns.append(ColumnGroups(CLUSTER, Codes(names, np.where(codes >= 0, codes, number).astype(np.int32))))
        return columns

    def _notes(self, store: EncoderStore, candidates: Candidates) -> list[str]:
        tried = len(candidates.conditions)
        of_all = f" of {candidates.n_all:,}, those with most queries," if candidates.n_all > tried else ""
        return [
            *view_notes(store, self.protocol),
            f"{counted(tried, 'slice')}{of_all} of at least {FEWEST_QUERIES} queries and {FEWEST_PATIENTS} patients "
            "were tried. p is corrected for all of them: signs are flipped patient by patient, the same for all slices "
            "(Westfall and Young). Numbers are in quarters of the images, ages in decades.",
        ]

    def title(self, result: Result) -> str:
        """The level, k, and what is compared with what."""
        others = "others of the same labels" if self.among == "labels" else "all others"
        facts = result.facts
        return (
            f", level {self.level}: P@{self.k} {facts['precision']:.3f} over "
            f"{counted(facts['n_queries'], 'query', 'queries')}; slices against {others}; {self.protocol.describe()}"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """The slices, those that are clear first."""
        return pd.DataFrame(
            [
                {
                    "slice": row.slice,
                    "conditions": row.conditions,
                    "clear": "yes" if row.clear else "no",
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **({seen_word(self.protocol): row.n_seen} if result.facts["n_seen"] else {}),
                    f"P@{self.k}": with_bounds(row.precision, row.low, row.high),
                    "chance": with_bounds(row.chance, np.nan, np.nan),
                    "to others": difference_said(row.difference, row.difference_low, row.difference_high),
                    "p, corrected": p_said(row.p),
                }
                for row in lines_of(result.table)
            ],
            columns=[
                *("slice", "conditions", "clear", "queries", "patients"),
                *([seen_word(self.protocol)] if result.facts["n_seen"] else []),
                *(f"P@{self.k}", "chance", "to others", "p, corrected"),
            ],
        )

    def remarks(self, result: Result) -> Sequence[str]:
        """How many are clear, and what the clusters among them are of."""
        return [standout_said(result), *cluster_words(result)]


def _figures(
    view: GalleryView,
    values: npt.NDArray[np.float64],
    chance: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
) -> tuple[Any, ...]:
    """P@k of the queries among some images, its bounds, by chance, and what is behind it."""
    by = Codes(("in",), np.where(inside, 0, -1).astype(np.int32))
    line = figures(view, values, by=by).iloc[-1]
    expected = means_alone(view, chance, by=by)[-1]
    numbers = (line[name] for name in ("n_queries", "n_patients", "n_empty", "n_seen"))
    return (line["precision"], line["low"], line["high"], expected, *numbers)


@dataclass(frozen=True)
class _Told:
    """A slice that is told: its position, whether it is clear, and those that are nearly the same queries."""

    position: int
    clear: bool
    also: list[int]


@dataclass(frozen=True)
class _Search:
    """The slices that were tried, and the queries they are of."""

    candidates: Candidates
    behind: Behind
    values: npt.NDArray[np.float64]
    patients: npt.NDArray[np.int64]
    strata: npt.NDArray[np.int32]

    def members(self, position: int) -> npt.NDArray[np.int64]:
        """The positions of a slice's queries, ascending."""
        members = self.candidates.membership
        return np.sort(members.indices[members.indptr[position] : members.indptr[position + 1]]).astype(np.int64)

    def against_others(
        self, position: int, within: npt.NDArray[np.int64] | None = None
    ) -> tuple[float, float, float, float]:
        """The difference to all others, or to others of some queries: it, its bounds, and p by itself."""
        members = self.candidates.membership
        groups = np.zeros(len(self.values), dtype=np.int64)
        groups[members.indices[members.indptr[position] : members.indptr[position + 1]]] = 1
        queries = slice(None) if within is None else within
        strata, clusters = self.strata[queries], self.patients[queries]
        made = contrasts(self.values[queries], groups[queries], clusters=clusters, n_groups=2, strata=strata)
        return float(made.difference[1]), float(made.low[1]), float(made.high[1]), float(made.p[1])

    def told(self) -> Iterator[_Told]:
        """The slices to tell, the surest first."""
        order = np.argsort(self.behind.t, kind="stable")[:_LOOKED_AT]
        looked_at = order[self.behind.t[order] < 0].tolist()
        # All parts of what falls behind do too: which of them are worse than the whole is a question of its own.
        more = holm(np.array([self._against_parents(position) for position in looked_at]))
        kept: list[tuple[_Told, npt.NDArray[np.int64]]] = []
        for position, p in zip(looked_at, more.tolist(), strict=True):
            mine = self.members(position)
            alike = next((one for one, theirs in kept if _overlap(mine, theirs) >= _ALIKE), None)
            if alike is not None:
                alike.also.append(position)
            elif len(kept) < LISTED and (np.isnan(p) or p <= CLEAR):
                kept.append((_Told(position, bool(self.behind.p[position] <= CLEAR), []), mine))
        yield from (one for one, _ in kept)

    def _against_parents(self, position: int) -> float:
        """How likely by luck a slice of two conditions falls behind the rest of both parents; NaN of one condition."""
        conditions = self.candidates.conditions[position]
        if len(conditions) == 1:
            return float("nan")
        worst = 0.0
        for condition in conditions:
            parent = self._positions.get((condition,))
            if parent is None:
                continue  # all queries have it, or another that is the same queries has stood for it
            difference, _, _, p = self.against_others(position, self.members(parent))
            worst = max(worst, p) if difference < 0 else 1.0
            if worst > CLEAR:
                break
        return worst

    @cached_property
    def _positions(self) -> dict[Any, int]:
        return {one: place for place, one in enumerate(self.candidates.conditions) if len(one) == 1}


def _plain(number: Any) -> float | int | None:
    """A number as JSON has it."""
    if isinstance(number, np.integer | int):
        return int(number)
    return None if np.isnan(number) else float(number)


def _overlap(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    """The share of queries of either that are of both (Jaccard)."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)


def _said(columns: Sequence[ColumnGroups], conditions: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The conditions of a slice, in words; of a long value its beginning."""
    for column, value in conditions:
        yield f"{columns[column].column} = {shorten(columns[column].codes.values[value], 48, placeholder='…')}"


def _tried(candidates: Candidates, behind: Behind, words: Sequence[str]) -> pd.DataFrame:
    sizes = np.diff(candidates.membership.indptr)
    parts = (words, sizes.astype(np.int64), candidates.n_clusters, behind.mean, behind.t, behind.p)
    table = pd.DataFrame(dict(zip(TRIED_COLUMNS, parts, strict=True))).astype({"conditions": "str"})
    return table.sort_values("t", kind="stable").reset_index(drop=True)


def _typical(made: ColumnGroups | None, columns: Sequence[ColumnGroups], asked: npt.NDArray[np.intp]) -> pd.DataFrame:
    """Of each cluster its number of queries, and the two values that it has most beyond their share of all."""
    lines = []
    if made is not None:
        mine = made.codes.codes[asked]
        for code in np.unique(mine).tolist():
            inside = mine == code
            best = []
            for one in columns:
                if one is made:
                    continue
                codes = one.codes.codes[asked]
                number = len(one.codes.values)
                shares = np.bincount(codes[inside], minlength=number) / inside.sum()
                beyond = shares - np.bincount(codes, minlength=number) / len(codes)
                top = int(beyond.argmax())
                value = shorten(one.codes.values[top], 48, placeholder="…")
                best.append((float(beyond[top]), f"{one.column} = {value} ({100 * shares[top]:.0f} %)"))
            best.sort(key=lambda pair: -pair[0])
            typical = ", ".join(words for _, words in best[:2])
            lines.append((made.codes.values[code], int(inside.sum()), typical))
    return pd.DataFrame(lines, columns=["cluster", "n_queries", "typical"]).astype({"cluster": "str", "typical": "str"})


_NO_MEMBERS = pd.DataFrame({"slice": np.zeros(0, np.int64), "row": np.zeros(0, np.int32), "precision": np.zeros(0)})


def standout_said(result: Result) -> str:
    """What stands out among the slices, in a sentence.

    Args:
        result: Of :class:`Slices`.
    """
    clear = result.table[result.table["clear"]]
    tried = counted(int(result.facts["tried"]), "slice")
    if not len(clear):
        return f"None of {tried} falls clearly behind."
    row = clear.iloc[0]
    said = difference_said(row["difference"], row["difference_low"], row["difference_high"])
    return (
        f"{row['conditions']}: P@{result.facts['k']} {row['precision']:.3f}, {said} to others; by chance "
        f"{row['chance']:.3f}; {counted(int(row['n_queries']), 'query', 'queries')} of "
        f"{counted(int(row['n_patients']), 'patient')}. {len(clear)} of {tried} fall clearly behind, after what is "
        "nearly the same was put together."
    )


def cluster_words(result: Result) -> list[str]:
    """What the clusters are of that are named in slices, a sentence each.

    Args:
        result: Of :class:`Slices`.
    """
    named = set(result.table["conditions"].str.extract(rf"\b{CLUSTER} = (\d+)")[0].dropna())
    table = result.tables["typical"]
    return [f"Cluster {row.cluster}: {row.typical}." for row in lines_of(table[table["cluster"].isin(named)])]
