"""Beyond one label an image: which images are relevant to each other where an image shows several pathologies.

Owns the relevance rules, the grade that a rule gives to each hit, and how many images of each grade a query could have
been given. An image takes part if its modality, its anatomy and at least one pathology are known; images of different
modality or anatomy are never relevant to each other. "normal" counts as a pathology like any other: two normal chest
radiographs are relevant to each other.

The rules, for a query that shows the pathologies A and an image that shows B:

- ``same-label``: A = B, and it is one pathology; images with several are on neither side (the paper's rule);
- ``any-shared``: A and B have one in common;
- ``all-shared``: B has all of A, and perhaps more (so that the rule has a direction);
- ``jaccard``: graded, the size of their intersection ÷ that of their union (Jaccard 1912), from 0 to 1.

Images are reduced to the distinct sets of pathologies they show, of which there are thousands at most, so that nothing
here looks at all pairs of images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.collections.manifest import Manifest
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import check_hits

Rule = Literal["same-label", "any-shared", "all-shared", "jaccard"]
RULES: tuple[str, ...] = get_args(Rule)

_SEPARATOR = "\x1f"
_PAIRS = 2_000_000


def check_rule(rule: str) -> str:
    """Return ``rule`` if it is one of :data:`RULES`.

    Raises:
        EvaluationError: It is something else.

    Example:
        >>> check_rule("jaccard")
        'jaccard'
    """
    if rule not in RULES:
        raise EvaluationError(
            f"Expected a relevance rule of {', '.join(RULES)}, but relevance = {rule!r}. Use one of these."
        )
    return rule


@dataclass(frozen=True)
class Findings:
    """What each image shows, as a code of one of the distinct sets of full labels.

    Attributes:
        labels: The full labels, ``modality/anatomy/pathology``, sorted.
        sets: The labels of each distinct set, as sorted positions in ``labels``; all of one modality and anatomy.
        codes: ``(N,)`` int32, image → position in ``sets``; -1 where an image takes no part.

    Example:
        >>> findings = Findings.of_lists([["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"], []])
        >>> findings.labels, findings.sets, findings.codes.tolist()
        (('CT/lung/mass', 'CT/lung/nodule'), ((1,), (0, 1)), [0, 1, -1])
    """

    labels: tuple[str, ...]
    sets: tuple[tuple[int, ...], ...]
    codes: npt.NDArray[np.int32]

    @classmethod
    def of_lists(cls, lists: Sequence[Sequence[str]]) -> Findings:
        """From the full labels of each image; one that is named twice counts once.

        Args:
            lists: One list an image, empty where it takes no part.
        """
        labels = tuple(sorted({label for found in lists for label in found}))
        place = {label: number for number, label in enumerate(labels)}
        sets: dict[tuple[int, ...], int] = {}
        codes = np.full(len(lists), -1, dtype=np.int32)
        for row, found in enumerate(lists):
            if found:
                codes[row] = sets.setdefault(tuple(sorted({place[label] for label in found})), len(sets))
        return cls(labels=labels, sets=tuple(sets), codes=codes)

    @classmethod
    def of_manifest(cls, manifest: Manifest, *, single: bool = False) -> Findings:
        """What the images of a collection show.

        Args:
            manifest: The collection's.
            single: Whether images with several pathologies take no part.
        """
        column = manifest.table.column("pathologies").combine_chunks()
        modality, anatomy = (manifest.codes(name) for name in ("modality", "anatomy"))
        joined = pc.binary_join(column, _SEPARATOR)
        words = pc.fill_null(joined, "").dictionary_encode()
        words = words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words
        texts = words.dictionary.to_pylist()
        pathologies = [sorted({name for name in text.split(_SEPARATOR) if name}) for text in texts]
        # Distinct triples first: millions of images have few of them.
        known = (modality.codes >= 0) & (anatomy.codes >= 0)
        triples = np.column_stack([modality.codes, anatomy.codes, np.asarray(words.indices)])
        distinct, inverse = np.unique(triples, axis=0, return_inverse=True)
        lists = [
            [f"{modality.values[m]}/{anatomy.values[a]}/{name}" for name in pathologies[text]]
            if m >= 0 and a >= 0 and not (single and len(pathologies[text]) > 1)
            else []
            for m, a, text in distinct.tolist()
        ]
        found = cls.of_lists(lists)
        codes = np.where(known, found.codes[inverse.reshape(-1)], -1).astype(np.int32)
        return cls(labels=found.labels, sets=found.sets, codes=codes)

    @cached_property
    def memberships(self) -> sparse.csr_array:
        """``(S, L)``; 1 where a set has a label."""
        rows = np.repeat(np.arange(len(self.sets)), [len(found) for found in self.sets])
        columns = np.array([label for found in self.sets for label in found], dtype=np.int64)
        shape = (len(self.sets), len(self.labels))
        return sparse.csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)

    def grades(self, rule: str) -> sparse.csr_array:
        """``(S, S)`` float64: the grade of an image of the second set as a hit for a query of the first, 0 to 1.

        Args:
            rule: Of :data:`RULES`.

        Raises:
            EvaluationError: An unknown rule.

        Example:
            >>> findings = Findings.of_lists([["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"]])
            >>> findings.grades("all-shared").toarray().tolist(), findings.grades("jaccard").toarray().tolist()
            ([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]])
        """
        check_rule(rule)
        members = self.memberships
        shared = (members @ members.T).tocoo()
        sizes = np.asarray(members.sum(axis=1)).reshape(-1)
        query, hit = sizes[shared.row], sizes[shared.col]
        if rule == "jaccard":
            values = shared.data / (query + hit - shared.data)
        elif rule == "any-shared":
            values = np.ones(len(shared.data))
        elif rule == "all-shared":
            values = (shared.data == query).astype(np.float64)
        else:
            values = ((shared.data == query) & (query == 1) & (hit == 1)).astype(np.float64)
        found = sparse.csr_array((values, (shared.row, shared.col)), shape=shared.shape)
        found.eliminate_zeros()
        return found


def hit_grades(
    hit_rows: npt.NDArray[Any], *, query_rows: npt.NDArray[Any], findings: Findings, rule: str
) -> npt.NDArray[np.float64]:
    """The grade of each hit: 0 = not relevant, 1 = fully; between these for "jaccard" alone.

    Args:
        hit_rows: ``(Q, K)`` rows of the collection, best first, -1 as padding.
        query_rows: ``(Q,)`` rows of the queries.
        findings: Of all images of the collection.
        rule: Of :data:`RULES`.

    Returns:
        ``(Q, K)`` float64; padding has 0, and so has anything to or of an image that takes no part.

    Raises:
        EvaluationError: An unknown rule.
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        >>> findings = Findings.of_lists([["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"], ["MR/brain/mass"]])
        >>> hits = np.array([[1, 2, -1]])
        >>> hit_grades(hits, query_rows=np.array([0]), findings=findings, rule="jaccard").tolist()
        [[0.5, 0.0, 0.0]]
    """
    queries = check_codes(query_rows, name="query_rows")
    hits = check_hits(hit_rows, n_queries=len(queries), n_rows=len(findings.codes))
    table = findings.grades(rule)
    grades = np.zeros(hits.shape, dtype=np.float64)
    padded = np.append(findings.codes, -1)
    for rows in row_chunks(*hits.shape):
        mine = np.broadcast_to(findings.codes[queries[rows], None], grades[rows].shape)
        theirs = padded[hits[rows]]
        both = (mine >= 0) & (theirs >= 0)
        grades[rows][both] = _look_up(table, mine[both], theirs[both])
    return grades


@dataclass(frozen=True, slots=True)
class Available:
    """What each query could have been given: how many images of each grade.

    Attributes:
        grades: ``(G,)`` float64, the grades above 0 that occur, ascending.
        counts: ``(Q, G)`` int64.
    """

    grades: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def relevant(self) -> npt.NDArray[np.int64]:
        """``(Q,)``; all images with a grade above 0."""
        total: npt.NDArray[np.int64] = self.counts.sum(axis=1)
        return total


def available_grades(
    query_rows: npt.NDArray[Any],
    *,
    findings: Findings,
    rule: str,
    gallery: npt.NDArray[np.bool_],
    groups: Sequence[npt.NDArray[Any]] = (),
) -> Available:
    """Count the images of each grade in what a query may be given: without itself and what shares a group with it.

    Args:
        query_rows: ``(Q,)`` rows of the queries.
        findings: Of all images of the collection.
        rule: Of :data:`RULES`.
        gallery: ``(N,)``; which images may be returned at all.
        groups: Arrays ``(N,)`` of group codes, -1 = not known. An image that shares several counts once.

    Raises:
        EvaluationError: An unknown rule.
        ValueError: Shapes or types do not fit together.

    Example:
        >>> findings = Findings.of_lists([["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"], ["CT/lung/nodule"]])
        >>> found = available_grades(np.arange(3), findings=findings, rule="jaccard", gallery=np.ones(3, dtype=bool))
        >>> found.grades.tolist(), found.counts.tolist(), found.relevant.tolist()
        ([0.5, 1.0], [[1, 1], [2, 0], [1, 1]], [2, 2, 2])
    """
    rows = check_codes(query_rows, name="query_rows")
    known = [check_codes(group, name=f"groups[{number}]") for number, group in enumerate(groups)]
    for name, values in (("gallery", gallery), *((f"groups[{number}]", g) for number, g in enumerate(known))):
        if len(values) != len(findings.codes):
            raise ValueError(
                f"Expected one value an image ({len(findings.codes)}), but len({name}) = {len(values)}. "
                "Pass it for the whole collection."
            )
    table = findings.grades(rule)
    values, places = np.unique(table.data, return_inverse=True)
    # Positions instead of grades, from 1, because a sparse 0 means that there is none.
    position = sparse.csr_array((places + 1, table.indices, table.indptr), shape=table.shape)
    members = gallery & (findings.codes >= 0)
    in_gallery = np.bincount(findings.codes[members], minlength=len(findings.sets))
    every = np.zeros((len(findings.sets) + 1, len(values)), dtype=np.int64)  # the last line is that of no set
    coordinates = position.tocoo()
    np.add.at(every, (coordinates.row, coordinates.data - 1), in_gallery[coordinates.col])
    sets = findings.codes[rows]
    counts = every[sets]

    mine = np.column_stack([np.asarray(group, dtype=np.int64)[rows] for group in known] or [np.full(len(rows), -1)])
    alone = (mine < 0).all(axis=1)
    own = np.flatnonzero(alone & members[rows])
    graded = own[_look_up(position, sets[own], sets[own]) > 0]
    counts[graded, _look_up(position, sets[graded], sets[graded]) - 1] -= 1
    taking_part = np.flatnonzero(~alone & (sets >= 0))
    if len(taking_part):
        # Queries of the same groups and the same set lose the same images.
        kinds, of_query = np.unique(np.column_stack([mine, sets])[taking_part], axis=0, return_inverse=True)
        lost = _lost(
            kinds, known, members=np.flatnonzero(members), codes=findings.codes, position=position, width=len(values)
        )
        counts[taking_part] -= lost[of_query.reshape(-1)]
    return Available(grades=values, counts=counts)


def _lost(
    kinds: npt.NDArray[np.int64],
    groups: Sequence[npt.NDArray[Any]],
    *,
    members: npt.NDArray[np.intp],
    codes: npt.NDArray[np.int32],
    position: sparse.csr_array,
    width: int,
) -> npt.NDArray[np.int64]:
    """``(len(kinds), width)``: for queries of these groups (first columns) and set (last), excluded images by grade."""
    lost = np.zeros((len(kinds), width), dtype=np.int64)
    ordered = [members[np.argsort(group[members], kind="stable")] for group in groups]
    keys = [group[rows] for group, rows in zip(groups, ordered, strict=True)]
    starts = [np.searchsorted(key, kinds[:, i], "left") for i, key in enumerate(keys)]
    stops = [np.searchsorted(key, kinds[:, i], "right") for i, key in enumerate(keys)]
    # Sorted, kinds of the same groups follow each other: their excluded images are gathered once.
    changes = (np.diff(kinds[:, :-1], axis=0) != 0).any(axis=1)
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), len(kinds)]
    left: list[npt.NDArray[np.int64]] = []
    held = 0
    for first, last in pairwise(borders):
        parts = [rows[starts[i][first] : stops[i][first]] for i, rows in enumerate(ordered) if kinds[first, i] >= 0]
        excluded = np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]
        theirs, numbers = np.unique(codes[excluded], return_counts=True)
        kind = np.repeat(np.arange(first, last), len(theirs))
        left.append(np.column_stack([kind, np.tile(theirs, last - first), np.tile(numbers, last - first)]))
        held += len(kind)
        if held >= _PAIRS or last == len(kinds):
            kind, theirs, numbers = np.concatenate(left).T
            found = _look_up(position, kinds[kind, -1], theirs)
            graded = found > 0
            np.add.at(lost, (kind[graded], found[graded] - 1), numbers[graded])
            left, held = [], 0
    return lost


def _look_up(table: sparse.csr_array, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Single elements of a sparse table, 0 where it has none."""
    if not len(rows):
        return np.zeros(0, dtype=table.dtype)
    return np.asarray(table[rows, columns]).reshape(-1)
