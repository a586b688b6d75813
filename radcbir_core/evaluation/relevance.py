"""Which images are relevant to each other, and how much; and how many such images a query could have been given.

Owns relevance, in one form for all evaluations: images are of *kinds*, and a table says with which grade, 0 to 1, an
image of one kind is a hit for a query of another. A single label is the special case in which each label is a kind of
its own and the grade is 1 for the same one. There are thousands of kinds at most, so nothing here looks at all pairs
of images.

The rules for images that may show several pathologies, for a query that shows A and an image that shows B, of the same
modality and anatomy ("normal" counts as a pathology like any other):

- ``same-label``: A = B, and it is one pathology; images with several are on neither side (the paper's rule);
- ``any-shared``: A and B have one in common;
- ``all-shared``: B has all of A, and perhaps more (so that the rule has a direction);
- ``jaccard``: graded, the size of their intersection ÷ that of their union (Jaccard 1912), from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.collections.manifests.manifest import Codes, Manifest
from radcbir_core.errors import EvaluationError

if TYPE_CHECKING:
    from scipy import sparse

Rule = Literal["same-label", "any-shared", "all-shared", "jaccard"]
RULES: tuple[str, ...] = get_args(Rule)

_SEPARATOR = "\x1f"
_PAIRS = 2_000_000

Rows = npt.NDArray[np.intp]


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
class Relevance:
    """What each image shows, as a kind, and which kinds are relevant to which.

    Attributes:
        labels: What queries are averaged by, sorted.
        sets: The labels of each kind, as sorted positions in ``labels``.
        kinds: ``(N,)`` int32, image → position in ``sets``; -1 where an image takes no part.
        rule: Of :data:`RULES`. Where every kind is one label, all of them say the same.

    Example:
        >>> relevance = Relevance.of_lists([["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"], []], "any-shared")
        >>> relevance.labels, relevance.sets, relevance.kinds.tolist()
        (('CT/lung/mass', 'CT/lung/nodule'), ((1,), (0, 1)), [0, 1, -1])
    """

    labels: tuple[str, ...]
    sets: tuple[tuple[int, ...], ...]
    kinds: npt.NDArray[np.int32]
    rule: str = "same-label"

    @classmethod
    def of_codes(cls, codes: Codes) -> Relevance:
        """A single label an image: relevant is what has the same.

        Args:
            codes: The label of each image, -1 = none.

        Example:
            >>> Relevance.of_codes(Codes(("a", "b"), np.array([1, -1, 0], dtype=np.int32))).grades.toarray().tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        return cls(codes.values, tuple((code,) for code in range(len(codes.values))), codes.codes)

    @classmethod
    def of_lists(cls, lists: Sequence[Sequence[str]], rule: str) -> Relevance:
        """From the full labels of each image; one that is named twice counts once.

        Args:
            lists: One list an image, empty where it takes no part.
            rule: Of :data:`RULES`.

        Raises:
            EvaluationError: An unknown rule.
        """
        most = 1 if check_rule(rule) == "same-label" else None
        shown = [names if most is None or len(names) <= most else set() for names in map(set, lists)]
        labels = tuple(sorted(set().union(*shown)))
        place = {label: number for number, label in enumerate(labels)}
        sets: dict[tuple[int, ...], int] = {}
        kinds = np.full(len(lists), -1, dtype=np.int32)
        for row, names in enumerate(shown):
            if names:
                kinds[row] = sets.setdefault(tuple(sorted(place[label] for label in names)), len(sets))
        return cls(labels=labels, sets=tuple(sets), kinds=kinds, rule=rule)

    @classmethod
    def of_manifest(cls, manifest: Manifest, rule: str) -> Relevance:
        """What the images of a collection show, as full labels; those without a modality, an anatomy or a pathology,
        and for "same-label" those with several pathologies, take no part.

        Args:
            manifest: The collection's.
            rule: Of :data:`RULES`.

        Raises:
            EvaluationError: An unknown rule.
        """  # noqa: D205 - the sentence is one
        column = manifest.arrow("pathologies").combine_chunks()
        modality, anatomy = (manifest.codes(name) for name in ("modality", "anatomy"))
        joined = pc.binary_join(column, _SEPARATOR)
        words = pc.fill_null(joined, "").dictionary_encode()
        words = words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words
        pathologies = [
            sorted({name for name in text.split(_SEPARATOR) if name}) for text in words.dictionary.to_pylist()
        ]
        # Distinct triples first: millions of images have few of them.
        triples = np.column_stack([modality.codes, anatomy.codes, np.asarray(words.indices)])
        distinct, inverse = np.unique(triples, axis=0, return_inverse=True)
        lists = [
            [f"{modality.values[m]}/{anatomy.values[a]}/{name}" for name in pathologies[text]]
            if m >= 0 and a >= 0
            else []
            for m, a, text in distinct.tolist()
        ]
        of_triples = cls.of_lists(lists, rule)
        return cls(of_triples.labels, of_triples.sets, of_triples.kinds[inverse.reshape(-1)], rule)

    @cached_property
    def single(self) -> bool:
        """Whether each kind is one label, so that relevant is what is of the same kind."""
        return all(len(labels) == 1 for labels in self.sets)

    @cached_property
    def memberships(self) -> sparse.csr_array:
        """``(S, L)``; 1 where a kind has a label."""
        from scipy import sparse  # a quarter of a second, which a command that evaluates nothing need not wait for

        rows = np.repeat(np.arange(len(self.sets)), [len(labels) for labels in self.sets])
        columns = np.array([label for labels in self.sets for label in labels], dtype=np.int64)
        shape = (len(self.sets), len(self.labels))
        return sparse.csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)

    @cached_property
    def grades(self) -> sparse.csr_array:
        """``(S, S)`` float64: the grade of an image of the second kind as a hit for a query of the first, 0 to 1.

        Example:
            >>> lists = [["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"]]
            >>> [Relevance.of_lists(lists, rule).grades.toarray().tolist() for rule in ("all-shared", "jaccard")]
            [[[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]]]
        """
        from scipy import sparse

        if self.single:
            return sparse.eye_array(len(self.sets), format="csr")
        members = self.memberships
        shared = (members @ members.T).tocoo()
        sizes = np.asarray(members.sum(axis=1)).reshape(-1)
        query, hit = sizes[shared.row], sizes[shared.col]
        if self.rule == "jaccard":
            values = shared.data / (query + hit - shared.data)
        elif self.rule == "any-shared":
            values = np.ones(len(shared.data))
        else:
            values = (shared.data == query).astype(np.float64)
        table = sparse.csr_array((values, (shared.row, shared.col)), shape=shared.shape)
        table.eliminate_zeros()
        return table

    def label_lines(self, query_rows: npt.NDArray[Any]) -> tuple[Rows, npt.NDArray[np.int64]]:
        """One line a query and label that it shows: the position of the query, and the code of the label.

        Args:
            query_rows: ``(Q,)`` rows of images that take part.

        Example:
            >>> relevance = Relevance.of_lists([["a"], ["a", "b"]], "any-shared")
            >>> [part.tolist() for part in relevance.label_lines(np.array([1, 0]))]
            [[0, 0, 1], [0, 1, 0]]
        """
        kinds = self.kinds[query_rows]
        if self.single:
            return np.arange(len(kinds)), np.array(self.sets, dtype=np.int64).reshape(-1)[kinds]
        members = self.memberships
        sizes = np.diff(members.indptr)[kinds].astype(np.int64)
        line = np.repeat(np.arange(len(kinds)), sizes)
        # Within each query, the first, second, … label of its kind.
        turn = np.arange(len(line)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return line, members.indices[np.repeat(members.indptr[kinds], sizes) + turn].astype(np.int64)


def check_hits(hit_rows: npt.NDArray[Any], *, n_queries: int, n_rows: int) -> npt.NDArray[Any]:
    """Return ``hit_rows`` if it is a (Q, K) table of rows of a collection, padded with -1.

    Args:
        hit_rows: (Q, K) integers.
        n_queries: Q.
        n_rows: Images in the collection.

    Raises:
        ValueError: The shape, the type or a row number is wrong.

    Example:
        >>> check_hits(np.array([[1, -1]]), n_queries=1, n_rows=2)
        array([[ 1, -1]])
    """
    array = np.asarray(hit_rows)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer) or len(array) != n_queries:
        raise ValueError(
            f"Expected an integer table with one row a query ({n_queries}), but hit_rows = {array.dtype} of shape "
            f"{array.shape}. Pass the hits of exactly these queries."
        )
    if array.size and (int(array.min()) < -1 or int(array.max()) >= n_rows):
        wrong = int(array.min()) if int(array.min()) < -1 else int(array.max())
        raise ValueError(
            f"Expected rows from 0 to {n_rows - 1}, or -1 as padding, but hit_rows = {wrong} somewhere. "
            "Pass hits of this collection."
        )
    return array


def relevant_hits(
    hit_rows: npt.NDArray[Any], *, query_rows: npt.NDArray[Any], relevance: Relevance
) -> npt.NDArray[np.bool_]:
    """Tell of each hit whether it is relevant to its query: whether its grade is above 0.

    Args:
        hit_rows: ``(Q, K)`` rows of the collection, best first, -1 as padding.
        query_rows: ``(Q,)`` rows of the queries.
        relevance: Of all images of the collection.

    Returns:
        ``(Q, K)``. Padding is never relevant, nor anything to or of an image that takes no part.

    Raises:
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        >>> same = Relevance.of_codes(Codes(("a", "b"), np.array([0, 0, 1, -1], dtype=np.int32)))
        >>> relevant_hits(np.array([[1, 2, -1], [0, 3, 2]]), query_rows=np.array([0, 3]), relevance=same).tolist()
        [[True, False, False], [False, False, False]]
    """
    relevant = np.zeros(np.shape(hit_rows), dtype=np.bool_)
    for rows, mine, theirs in _kinds(hit_rows, query_rows, relevance):
        if relevance.single:
            np.equal(theirs, np.where(mine < 0, -2, mine)[:, None], out=relevant[rows])
        else:
            relevant[rows] = _grades_of(relevance, mine, theirs) > 0
    return relevant


def hit_grades(
    hit_rows: npt.NDArray[Any], *, query_rows: npt.NDArray[Any], relevance: Relevance
) -> npt.NDArray[np.float64]:
    """The grade of each hit: 0 = not relevant, 1 = fully; between these for "jaccard" alone.

    Args:
        hit_rows: ``(Q, K)`` rows of the collection, best first, -1 as padding.
        query_rows: ``(Q,)`` rows of the queries.
        relevance: Of all images of the collection.

    Returns:
        ``(Q, K)``; padding has 0, and so has anything to or of an image that takes no part.

    Raises:
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        >>> lists = [["CT/lung/nodule"], ["CT/lung/mass", "CT/lung/nodule"], ["MR/brain/mass"]]
        >>> graded = Relevance.of_lists(lists, "jaccard")
        >>> hit_grades(np.array([[1, 2, -1]]), query_rows=np.array([0]), relevance=graded).tolist()
        [[0.5, 0.0, 0.0]]
    """
    grades = np.zeros(np.shape(hit_rows), dtype=np.float64)
    for rows, mine, theirs in _kinds(hit_rows, query_rows, relevance):
        grades[rows] = _grades_of(relevance, mine, theirs)
    return grades


def _kinds(
    hit_rows: npt.NDArray[Any], query_rows: npt.NDArray[Any], relevance: Relevance
) -> Iterator[tuple[slice, npt.NDArray[np.int32], npt.NDArray[np.int32]]]:
    """Some queries at a time: their kinds, and those of their hits (padding has -1)."""
    queries = check_codes(query_rows, name="query_rows")
    hits = check_hits(hit_rows, n_queries=len(queries), n_rows=len(relevance.kinds))
    # Padding (-1) reads the last element, which therefore is one that takes no part.
    padded = np.append(relevance.kinds, np.int32(-1))
    for rows in row_chunks(*hits.shape):
        yield rows, padded[queries[rows]], padded[hits[rows]]


def _grades_of(
    relevance: Relevance, mine: npt.NDArray[np.int32], theirs: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    grades = np.zeros(theirs.shape)
    own = np.broadcast_to(mine[:, None], theirs.shape)
    both = (own >= 0) & (theirs >= 0)
    if both.any():
        grades[both] = np.asarray(relevance.grades[own[both], theirs[both]]).reshape(-1)
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

    @property
    def empty(self) -> npt.NDArray[np.bool_]:
        """``(Q,)``; the queries that have nothing to find, whatever the encoder."""
        nothing: npt.NDArray[np.bool_] = self.relevant == 0
        return nothing


def available_to(
    query_rows: npt.NDArray[Any],
    *,
    relevance: Relevance,
    gallery: npt.NDArray[np.bool_],
    groups: Sequence[npt.NDArray[Any]] = (),
) -> Available:
    """Count the images of each grade in what a query may be given: without itself and what shares a group with it.

    Groups may overlap in any way: what shares at least one of them is counted by inclusion and exclusion over all
    combinations of groups, so an image left out for two reasons counts once.

    Args:
        query_rows: ``(Q,)`` rows of the queries.
        relevance: Of all images of the collection.
        gallery: ``(N,)``; which images may be returned at all.
        groups: Arrays ``(N,)`` of group codes, -1 = not known (shares with nobody). Time doubles with each one.

    Raises:
        ValueError: Shapes or types do not fit together.

    Example:
        Row 0 shares its patient with row 1, and is a duplicate of row 2.

        >>> same = Relevance.of_codes(Codes(("a", "b"), np.array([0, 0, 0, 0, 1], dtype=np.int32)))
        >>> patient, duplicate = np.array([7, 7, 8, -1, -1]), np.array([3, -1, 3, -1, -1])
        >>> everything = np.ones(5, dtype=bool)
        >>> available_to(np.arange(5), relevance=same, gallery=everything, groups=[patient, duplicate]).relevant
        array([1, 2, 2, 3, 0])
    """
    rows = check_codes(query_rows, name="query_rows")
    known = [check_codes(group, name=f"groups[{number}]") for number, group in enumerate(groups)]
    kinds = relevance.kinds
    for name, values in (("gallery", gallery), *((f"groups[{number}]", g) for number, g in enumerate(known))):
        if len(values) != len(kinds):
            raise ValueError(
                f"Expected one value an image ({len(kinds)}), but len({name}) = {len(values)}. "
                "Pass it for the whole collection."
            )
    if np.asarray(gallery).dtype != np.bool_:
        raise ValueError(f"Expected a bool an image, but gallery = {np.asarray(gallery).dtype}. Pass a mask.")
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(kinds):
        raise ValueError(
            f"Expected rows from 0 to {len(kinds) - 1}, but query_rows = {int(rows.min())} to {int(rows.max())}. "
            "Pass queries of this collection."
        )
    grades = np.unique(relevance.grades.data)
    counts = np.zeros((len(rows), len(grades)), dtype=np.int64)
    # Who is in no group is kept from itself alone. All of the gallery, less what shares a group with the query:
    alone = np.where(np.all([group < 0 for group in known], axis=0), np.arange(len(kinds)), -1)
    for sign, keys in ((1, np.zeros(len(kinds), dtype=np.int64)), *_combinations([alone, *known])):
        counts += sign * _sharing(keys, rows, relevance=relevance, gallery=gallery, grades=grades)
    return Available(grades=grades, counts=counts)


def expected_kinds(
    query_rows: npt.NDArray[Any],
    query_labels: npt.NDArray[Any],
    *,
    relevance: Relevance,
    gallery: npt.NDArray[np.bool_],
    groups: Sequence[npt.NDArray[Any]] = (),
    n_labels: int,
) -> npt.NDArray[np.float64]:
    """The share of each kind among the images that the queries of a label may be given: what chance would return.

    An exact expectation: the mean over queries of the share in what each may be given, as :func:`available_to` counts.

    Args:
        query_rows: ``(Q,)`` rows of the queries.
        query_labels: ``(Q,)`` label codes, none negative.
        relevance: Of all images of the collection; its kinds are what is counted.
        gallery: ``(N,)``; which images may be returned at all.
        groups: As :func:`available_to` takes them.
        n_labels: Above the highest label code.

    Returns:
        ``(n_labels, S)`` float64; a row adds up to 1, and to less where a query may be given nothing.

    Example:
        Row 0 may not be given row 1, of the same patient.

        >>> same = Relevance.of_codes(Codes(("a", "b"), np.array([0, 0, 0, 1], dtype=np.int32)))
        >>> patients, everything = np.array([7, 7, 8, 9]), np.ones(4, dtype=bool)
        >>> rows, labels = np.array([0, 3]), np.array([0, 1])
        >>> expected_kinds(rows, labels, relevance=same, gallery=everything, groups=[patients], n_labels=2).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    from scipy import sparse

    kinds, size = relevance.kinds, max(len(relevance.sets), 1)
    known = [check_codes(group, name="groups") for group in groups]
    alone = np.where(np.all([group < 0 for group in known], axis=0), np.arange(len(kinds)), -1)
    everybody = np.zeros(len(kinds), dtype=np.int64)
    parts = []
    allowed = np.zeros(len(query_rows), dtype=np.int64)
    for sign, keys in ((1, everybody), *_combinations([alone, *known])):
        there = np.flatnonzero(gallery & (kinds >= 0) & (keys >= 0))
        shape = (int(keys.max(initial=0)) + 1, size)
        images = sparse.csr_array((np.ones(len(there)), (keys[there], kinds[there])), shape=shape)
        mine = keys[query_rows]
        number = np.append(np.asarray(images.sum(axis=1)).reshape(-1), 0).astype(np.int64)
        allowed += sign * number[mine]  # whose key is not known reads the last element, 0
        parts.append((sign, images, mine))
    queries = np.bincount(query_labels, minlength=n_labels)
    weight = np.divide(1.0, allowed * queries[query_labels], out=np.zeros(len(allowed)), where=allowed > 0)
    expected = np.zeros((n_labels, size))
    for sign, images, mine in parts:
        has = mine >= 0
        asking = sparse.csr_array((weight[has], (query_labels[has], mine[has])), shape=(n_labels, images.shape[0]))
        expected += sign * np.asarray((asking @ images).toarray())
    return np.clip(expected, 0.0, 1.0)


def _combinations(groups: Sequence[npt.NDArray[Any]]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Every combination of groups: its sign in all less their union, and what images share if they share them all.

    The keys are ``(N,)``, -1 where one of the groups is not known.
    """
    for size in range(1, len(groups) + 1):
        for chosen in combinations(groups, size):
            keys = chosen[0].astype(np.int64)
            for group in chosen[1:]:
                both = (keys >= 0) & (group >= 0)
                # Keys are below 2^31 or dense, and codes below 2^31, so the product fits in 63 bits.
                pairs = keys[both] * (int(group.max(initial=0)) + 1) + group[both]
                keys = np.full(len(keys), -1, dtype=np.int64)
                keys[both] = np.unique(pairs, return_inverse=True)[1]
            if (keys >= 0).any():
                yield (-1) ** size, keys


def _sharing(
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[Any],
    *,
    relevance: Relevance,
    gallery: npt.NDArray[np.bool_],
    grades: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """``(Q, G)``: how many images of the gallery that have a query's key are of each grade to it."""
    from scipy import sparse

    kinds, size = relevance.kinds, len(relevance.sets)
    there = np.flatnonzero(gallery & (kinds >= 0) & (keys >= 0))
    asking = np.flatnonzero((kinds[rows] >= 0) & (keys[rows] >= 0))
    # How many images of each key are of each kind. Queries of one key and kind are asked about once.
    ones, shape = np.ones(len(there), dtype=np.int64), (int(keys.max(initial=0)) + 1, size)
    images = sparse.csr_array((ones, (keys[there], kinds[there])), shape=shape)
    counts = np.zeros((len(rows), len(grades)), dtype=np.int64)
    if relevance.single:  # relevant is what is of the same kind
        if images.nnz and len(asking):
            asked = rows[asking]
            counts[asking, 0] = np.asarray(images[keys[asked], kinds[asked]]).reshape(-1)
        return counts
    pairs, of_query = np.unique(keys[rows[asking]] * size + kinds[rows[asking]], return_inverse=True)
    by_pair = np.zeros((len(pairs), len(grades)), dtype=np.int64)
    step = max(1, _PAIRS // max(1, int(np.diff(images.indptr).max(initial=0))))
    for start in range(0, len(pairs) if images.nnz else 0, step):
        part = pairs[start : start + step]
        met = images[part // size]
        line = np.repeat(np.arange(len(part)), np.diff(met.indptr))
        if not len(line):  # a sparse table gives another sparse one for no elements
            continue
        grade = np.asarray(relevance.grades[part[line] % size, met.indices]).reshape(-1)
        relevant = grade > 0
        places = (start + line[relevant], np.searchsorted(grades, grade[relevant]))
        np.add.at(by_pair, places, met.data[relevant])
    counts[asking] = by_pair[of_query.reshape(-1)]
    return counts
