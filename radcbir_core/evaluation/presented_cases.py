"""What a presentation shows of an encoder: ordinary cases, how often hits agree, and the mix-ups that it makes.

Owns which images are chosen for that, by rules that do not flatter. A case is offered because its hits agree about as
often as they do on average, and not because they agree; a mix-up because it is the most frequent one. All is read from
evaluations that a build keeps, and from the neighbor graph; nothing is searched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.evaluation import Result
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.mined_failures import MinedFailures, Rate, failures_of
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.view import gallery_view
from radcbir_core.vocabulary import NORMAL

LEGIBLE: Final = 128
"""Pixels of the longer side; an image of fewer shows little on a projector, and is taken where there is no other."""
DEPTHS: Final = (1, 10)
"""Of the first hit and of the first ten it is said how often they agree."""


@dataclass(frozen=True, slots=True)
class OrdinaryCase:
    """An image whose hits agree about as often as those of all.

    Attributes:
        row: Which.
        label: Its full label.
        precision: P@10 of it, from 0 to 1.
    """

    row: int
    label: str
    precision: float


@dataclass(frozen=True, slots=True)
class OrdinaryCases:
    """Cases to begin with.

    Attributes:
        cases: The kinds of images by turns.
        usual: The mean P@10 of all queries, from 0 to 1; NaN where there are none.
    """

    cases: tuple[OrdinaryCase, ...]
    usual: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often hits agree with their query.

    Attributes:
        share: Of the hits, the mean over queries, from 0 to 1.
        low: Lower bound of its 95 % interval over patients; NaN of a single one.
        high: Upper bound.
        chance: The same share for images drawn at random.
        n_queries: Who asked.
        n_patients: Whose they are.
    """

    share: float
    low: float
    high: float
    chance: float
    n_queries: int
    n_patients: int


@dataclass(frozen=True, slots=True)
class MixUp:
    """A query and its first hit, which has another label.

    Attributes:
        query: Row of the query.
        hit: Row of its first hit.
        similarity: Of the two.
        number: How many first hits mix up the same two labels, either one for the other.
    """

    query: int
    hit: int
    similarity: float
    number: int


@dataclass(frozen=True, slots=True)
class MixUps:
    """Mix-ups of the first hit.

    Attributes:
        kind: "pathology" where the first hit has the query's modality and anatomy, and another pathology; "confident"
            where such are not there, and it has another label.
        rate: How frequent they are.
        examples: One of each pair of labels, the most frequent pair first; of each the most similar, if it can be one
            of images that are large enough to look at.
    """

    kind: str
    rate: Rate
    examples: tuple[MixUp, ...]


def presented_precision(store: EncoderStore) -> Precision:
    """The evaluation that says how often hits agree: as a build keeps it, if anybody asks then.

    Args:
        store: What an encoder made of a collection.
    """
    evaluation = Precision().suited(store)
    return replace(evaluation, protocol=_asked(evaluation.protocol, store))


def presented_failures(store: EncoderStore) -> MinedFailures:
    """The evaluation that says how often the first hit is another, likewise.

    Args:
        store: What an encoder made of a collection.
    """
    evaluation = MinedFailures().suited(store)
    return replace(evaluation, protocol=_asked(evaluation.protocol, store))


def _asked(protocol: Protocol, store: EncoderStore) -> Protocol:
    """The protocol by which anybody asks: where all have been seen in training, the figures are of these or of none."""
    view = gallery_view(store, protocol, "label")
    return replace(protocol, seen="count") if not len(view.queries) and len(view.seen) else protocol


def ordinary_cases(result: Result, store: EncoderStore, *, most: int = 12) -> OrdinaryCases:
    """Cases to begin with: of each label the one whose P@10 is next to the mean of all.

    It is one of the images that are large enough to look at (:data:`LEGIBLE`), if the label has any.

    The modalities take turns, the most frequent first; within one, labels come first whose case is ordinary to a tenth,
    then findings before normal images, then frequent ones. Of cases that are equally ordinary it is the first one.

    Args:
        result: Of :class:`~radcbir_core.evaluation.reports.precision.Precision`, with P@10.
        store: What the encoder made of the collection.
        most: How many at most; none where no query has a full label and something to find.
    """
    table = of_level(result.tables["queries"], "label")
    table = table[table["p@10"].notna()]
    rows, values = table["row"].to_numpy(dtype=np.int64), table["p@10"].to_numpy(dtype=np.float64)
    if not len(rows):
        return OrdinaryCases((), float("nan"))
    usual = float(values.mean())
    labels = store.collection.manifest.labels("label")
    # In tenths of a hit: means of tenths differ in their last digit only by how they were summed.
    codes, distance = labels.codes[rows], np.round(np.abs(values - usual), 9)
    order = np.lexsort((rows, distance, _is_small(store, rows), codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    first = {int(codes[order[start]]): (int(start), int(end)) for start, end in zip(starts, ends, strict=True)}

    def place(code: int) -> tuple[float, bool, int, int]:
        start, end = first[code]
        return (
            round(float(distance[order[start]]), 1),
            labels.values[code].split("/", 2)[-1].casefold() == NORMAL,
            start - end,
            code,
        )

    by_modality: dict[str, list[int]] = {}
    numbers: Counter[str] = Counter()
    for code in sorted(first, key=place):
        modality = labels.values[code].split("/", 1)[0]
        by_modality.setdefault(modality, []).append(code)
        numbers[modality] += first[code][1] - first[code][0]
    turns = _by_turns(
        [by_modality[modality] for modality, _ in sorted(numbers.items(), key=lambda it: (-it[1], it[0]))]
    )
    cases = []
    for code, _ in zip(turns, range(most), strict=False):
        best = order[first[code][0]]
        cases.append(OrdinaryCase(int(rows[best]), labels.values[code], float(values[best])))
    return OrdinaryCases(tuple(cases), usual)


def _by_turns(lists: list[list[int]]) -> Iterator[int]:
    """The first of each, then the second of each, and so on."""
    for number in range(max(map(len, lists), default=0)):
        yield from (one[number] for one in lists if number < len(one))


def _is_small(store: EncoderStore, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """``(R,)``; which images have fewer pixels than can be looked at from afar; not those whose size is not known."""
    manifest = store.collection.manifest
    longer = np.maximum(*(np.nan_to_num(manifest.numbers(name, rows)) for name in ("width", "height")))
    small: npt.NDArray[np.bool_] = (longer > 0) & (longer < LEGIBLE)
    return small


def agreements(result: Result) -> Mapping[tuple[Level, int], Agreement]:
    """How often the first hit, and the first ten, have the query's anatomy and its full label.

    Args:
        result: Of :class:`~radcbir_core.evaluation.reports.precision.Precision`, with P@1 and P@10.

    Returns:
        By level and number of hits; without those for which nobody asked.
    """
    means = result.tables["means"]
    found: dict[tuple[Level, int], Agreement] = {}
    levels: tuple[Level, ...] = ("anatomy", "label")
    for level in levels:
        for k in DEPTHS:
            row = means[(means["level"] == level) & (means["k"] == k) & (means["averaging"] == "micro")]
            if len(row) and int(row["n_queries"].iloc[0]):
                numbers: Any = row.iloc[0]
                found[level, k] = Agreement(
                    share=float(numbers["precision"]),
                    low=float(numbers["low"]),
                    high=float(numbers["high"]),
                    chance=float(numbers["chance"]),
                    n_queries=int(numbers["n_queries"]),
                    n_patients=int(numbers["n_patients"]),
                )
    return found


def mix_ups(result: Result, store: EncoderStore, *, most: int = 5) -> MixUps:
    """The mix-ups of the first hit, the most frequent first.

    Args:
        result: Of :class:`~radcbir_core.evaluation.reports.mined_failures.MinedFailures`.
        store: What the encoder made of the collection.
        most: So many examples at most.
    """
    failures = failures_of(result, kind := "pathology")
    if not len(failures):
        failures = failures_of(result, kind := "confident")
    numbers: Any = result.table[result.table["kind"] == kind].iloc[0]
    rate = Rate(
        n=int(numbers["n"]),
        share=float(numbers["share"]),
        low=float(numbers["low"]),
        high=float(numbers["high"]),
        n_images=int(numbers["n_images"]),
        n_patients=int(numbers["n_patients"]),
    )
    queries = np.sort(failures["row"].to_numpy(dtype=np.int64))
    view = gallery_view(store, result.evaluation.protocol, "label").asked_by(queries)  # type: ignore[attr-defined]
    hits = view.known_hits(1)
    there = np.flatnonzero(hits.counts > 0)
    queries, first, similarity = queries[there], hits.rows[there, 0], hits.similarities[there, 0]
    kinds, n_labels = view.relevance.kinds, len(view.relevance.labels)
    labels = np.sort(np.column_stack([kinds[queries], kinds[first]]).astype(np.int64), axis=1)
    pairs = labels[:, 0] * n_labels + labels[:, 1]
    found, which, count = np.unique(pairs, return_inverse=True, return_counts=True)
    small = _is_small(store, queries) | _is_small(store, first)
    order = np.lexsort((queries, -similarity.astype(np.float64), small, which))
    best = order[np.flatnonzero(np.diff(which[order], prepend=-1))]  # of each pair the most similar, in their order
    examples = [
        MixUp(int(queries[one]), int(first[one]), float(similarity[one]), int(count[pair]))
        for pair, one in sorted(enumerate(best.tolist()), key=lambda item: (-int(count[item[0]]), int(found[item[0]])))
    ]
    return MixUps(kind, rate, tuple(examples[:most]))
