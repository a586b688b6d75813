"""Mean cosine similarities within labels and between them.

They are exact: the mean of all pairs' cosines needs only the sum of each label's unit vectors, |Σv|² being the sum over
all pairs (each with itself included), so that no pairs are looked at. Pairs of one patient can be left out in the same
way, by the sums of each label and patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import check_codes
from radcbir_core.search.backend import Vectors

_BLOCK = 8192

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Similarities:
    """Sums of cosines over ordered pairs of different images, and how many pairs; one number a label.

    Attributes:
        within: ``(L,)`` sum over pairs of the label's images.
        within_pairs: ``(L,)`` int64.
        between: ``(L,)`` sum over pairs of an image of the label and one of another.
        between_pairs: ``(L,)`` int64.
        images: ``(L,)`` int64.
    """

    within: Values
    within_pairs: npt.NDArray[np.int64]
    between: Values
    between_pairs: npt.NDArray[np.int64]
    images: npt.NDArray[np.int64]


def label_similarities(
    source: Vectors,
    labels: npt.NDArray[Any],
    *,
    n_labels: int,
    apart: npt.NDArray[Any] | None = None,
) -> Similarities:
    """Sum the cosines of all pairs, within and between labels, exactly.

    Args:
        source: Where the ``(N, D)`` vectors are; each is scaled to length 1.
        labels: ``(N,)`` codes; -1 = takes no part.
        n_labels: L, above the highest code.
        apart: ``(N,)`` group codes; pairs of one group are left out; -1 = shares with nobody.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> source = ArrayVectors(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        >>> sums = label_similarities(source, np.array([0, 0, 1]), n_labels=2)
        >>> sums.within.tolist(), sums.within_pairs.tolist(), sums.between_pairs.tolist()
        ([2.0, 0.0], [2, 0], [2, 2])
    """
    codes = check_codes(labels, name="labels").astype(np.int64)
    groups = np.full(len(codes), -1) if apart is None else check_codes(apart, name="apart").astype(np.int64)
    if source.shape[0] != len(codes) or len(groups) != len(codes):
        raise ValueError(
            f"Expected one label and one group an image ({source.shape[0]}), but len(labels) = {len(codes)} and "
            f"len(apart) = {len(groups)}. Pass those of the same images."
        )
    if int(codes.max(initial=-1)) >= n_labels:
        raise ValueError(
            f"Expected label codes below {n_labels}, but labels = {int(codes.max())} somewhere. "
            "Pass the number of labels that the codes belong to."
        )
    rows = np.flatnonzero(codes >= 0)
    sums, own = np.zeros((n_labels, source.shape[1])), np.zeros(n_labels)
    for part in _blocks(len(rows)):
        vectors = unit_rows(source, rows[part])
        member = codes[rows[part]]
        sums += sum_by(vectors, member, n_labels)
        own += np.bincount(member, weights=np.einsum("ij,ij->i", vectors, vectors), minlength=n_labels)
    images = np.bincount(codes[rows], minlength=n_labels)
    total = sums.sum(axis=0)
    within = np.einsum("ij,ij->i", sums, sums) - own
    between = sums @ total - np.einsum("ij,ij->i", sums, sums)
    within_pairs, between_pairs = images * (images - 1), images * (len(rows) - images)
    for label, group_sums, numbers, vector_squares, everyone, everyone_number in _of_groups(
        source, codes, groups, rows
    ):
        squares = np.einsum("ij,ij->i", group_sums, group_sums)
        np.subtract.at(within, label, squares - vector_squares)
        np.subtract.at(within_pairs, label, numbers * (numbers - 1))
        np.subtract.at(between, label, np.einsum("ij,ij->i", group_sums, everyone) - squares)
        np.subtract.at(between_pairs, label, numbers * (everyone_number - numbers))
    return Similarities(within, within_pairs, between, between_pairs, images)


def _of_groups(
    source: Vectors,
    codes: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    rows: npt.NDArray[np.intp],
) -> Iterator[tuple[npt.NDArray[np.int64], Values, npt.NDArray[np.int64], Values, Values, npt.NDArray[np.int64]]]:
    """Of each group and label in it, some at a time: label, sum, number, Σ|v|², the whole group's sum and number."""
    known = rows[groups[rows] >= 0]
    if not len(known):
        return
    known = known[np.argsort(groups[known], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[known], prepend=-1))
    ends = np.append(starts[1:], len(known))
    # Whole groups, together of about one block; a larger group by itself.
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _BLOCK, "right")))
        chosen = known[starts[first] : ends[last - 1]]
        width = int(codes.max()) + 1
        pairs, pair = np.unique(groups[chosen] * width + codes[chosen], return_inverse=True)
        sums, squares = np.zeros((len(pairs), source.shape[1])), np.zeros(len(pairs))
        for part in _blocks(len(chosen)):
            vectors = unit_rows(source, chosen[part])
            sums += sum_by(vectors, pair[part], len(pairs))
            squares += np.bincount(pair[part], weights=np.einsum("ij,ij->i", vectors, vectors), minlength=len(pairs))
        numbers = np.bincount(pair, minlength=len(pairs))
        groups_met, group = np.unique(pairs // width, return_inverse=True)
        whole = sum_by(sums, group, len(groups_met))
        whole_numbers = np.bincount(group, weights=numbers).astype(np.int64)
        yield pairs % width, sums, numbers, squares, whole[group], whole_numbers[group]
        first = last


def _blocks(number: int) -> Iterator[slice]:
    for start in range(0, number, _BLOCK):
        yield slice(start, min(start + _BLOCK, number))


def unit_rows(source: Vectors, rows: npt.NDArray[np.intp]) -> Values:
    """``(n, D)`` float64; some rows, each scaled to length 1; one of zeros stays so."""
    vectors = np.asarray(source.vectors(rows), dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Values = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled


def sum_by(vectors: Values, member: npt.NDArray[Any], number: int) -> Values:
    """``(number, D)``; the vectors of each member, added."""
    from scipy import sparse

    shape = (number, len(vectors))
    adding = sparse.csr_array((np.ones(len(vectors)), (member, np.arange(len(vectors)))), shape=shape)
    return np.asarray(adding @ vectors)
