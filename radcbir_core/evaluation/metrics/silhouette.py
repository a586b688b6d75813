"""The silhouette of each image (Rousseeuw 1987) with the cosine distance, and the mean similarity of pairs of labels.

Both are exact, and no pairs of images are looked at: the mean similarity of an image to a label is its dot product with
the sum of the label's unit vectors. Pairs of one patient are left out in the same way, by the sums of each label and
patient.

With a = 1 − the mean similarity to the image's own label, itself left out, and b = 1 − the highest mean similarity to
another label, the silhouette is (b − a) ÷ max(a, b): 1 where the own label is a point and all others are far, 0 on the
border, below 0 where another label is nearer. An image that is alone in its label has none (NaN, where Rousseeuw says
0): nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import check_codes
from radcbir_core.evaluation.metrics.similarity import Values, sum_by, unit_rows
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Vectors

_BLOCK = 4096
_ELEMENTS = 8_000_000


@dataclass(frozen=True, slots=True)
class Places:
    """Where images lie among labels.

    Attributes:
        own: ``(N,)`` mean similarity to the other images of the own label; NaN where there are none.
        other: ``(N,)`` the highest mean similarity to another label; NaN where there is none.
        nearest: ``(N,)`` int64, the code of that label; -1 where there is none.
        silhouette: ``(N,)`` -1 to 1; NaN where one of the two is.
        matrix: ``(L, L)`` mean similarity of each pair of labels; NaN where there is no pair of images.
    """

    own: Values
    other: Values
    nearest: npt.NDArray[np.int64]
    silhouette: Values
    matrix: Values


def places_of(
    source: Vectors,
    labels: npt.NDArray[Any],
    *,
    n_labels: int,
    apart: npt.NDArray[Any] | None = None,
    progress: Progress = silent,
) -> Places:
    """Compute all of it.

    Args:
        source: Where the ``(N, D)`` vectors are; each is scaled to length 1.
        labels: ``(N,)`` codes; -1 = takes no part.
        n_labels: L, above the highest code.
        apart: ``(N,)`` group codes; pairs of one group are left out; -1 = shares with nobody.
        progress: Told the number of images, as step "images"; each is read twice.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> source = ArrayVectors(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
        >>> places = places_of(source, np.array([0, 0, 1, 1]), n_labels=2)
        >>> places.silhouette.tolist(), places.nearest.tolist(), places.matrix.tolist()
        ([1.0, 1.0, 1.0, 1.0], [1, 1, 0, 0], [[1.0, 0.0], [0.0, 1.0]])
    """
    codes = check_codes(labels, name="labels").astype(np.int64)
    groups = np.full(len(codes), -1) if apart is None else check_codes(apart, name="apart").astype(np.int64)
    if source.shape[0] != len(codes) or len(groups) != len(codes) or int(codes.max(initial=-1)) >= n_labels:
        raise ValueError(
            f"Expected one label below {n_labels} and one group an image ({source.shape[0]}), but len(labels) = "
            f"{len(codes)}, len(apart) = {len(groups)}, and the highest label is {int(codes.max(initial=-1))}."
        )
    rows = np.flatnonzero(codes >= 0)
    # Groups are gone through one after the other; an image that shares with nobody is a group by itself.
    alone = groups[rows] < 0
    own_group = np.where(alone, int(groups.max(initial=-1)) + 1 + np.arange(len(rows)), groups[rows])
    rows = rows[np.argsort(own_group, kind="stable")]
    own_group = np.sort(own_group, kind="stable")
    progress("images", 0, 2 * len(rows))
    sums = np.zeros((n_labels, source.shape[1]))
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        sums += sum_by(unit_rows(source, part), codes[part], n_labels)
        progress("images", start + len(part), 2 * len(rows))
    images = np.bincount(codes[rows], minlength=n_labels)
    places = Places(
        own=np.full(len(codes), np.nan),
        other=np.full(len(codes), np.nan),
        nearest=np.full(len(codes), -1, dtype=np.int64),
        silhouette=np.full(len(codes), np.nan),
        matrix=np.full((n_labels, n_labels), np.nan),
    )
    total, pairs = np.zeros((n_labels, n_labels)), np.zeros((n_labels, n_labels))
    for start, stop in _of_whole_groups(own_group, width=n_labels):
        part, group = rows[start:stop], own_group[start:stop]
        similar, numbers = _to_labels(source, part, codes[part], group, sums=sums, images=images)
        by_label = sum_by(np.hstack([similar, numbers]), codes[part], n_labels)
        total += by_label[:, :n_labels]
        pairs += by_label[:, n_labels:]
        _place(places, part, codes[part], similar, numbers)
        progress("images", len(rows) + stop, 2 * len(rows))
    np.divide(total, pairs, out=places.matrix, where=pairs > 0)
    return places


def _to_labels(
    source: Vectors,
    rows: npt.NDArray[np.intp],
    codes: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    *,
    sums: Values,
    images: npt.NDArray[np.int64],
) -> tuple[Values, Values]:
    """``(n, L)`` twice: the sum of similarities to each label, and of how many images, those of the own group left out.

    The rows are whole groups.
    """
    vectors = unit_rows(source, rows)
    similar = vectors @ sums.T
    numbers = np.broadcast_to(images, similar.shape).astype(np.float64)
    width = len(images)
    # Of each group: the sum and number of each label in it; every image of the group meets every label of the group.
    pairs, pair = np.unique(np.unique(group, return_inverse=True)[1] * width + codes, return_inverse=True)
    pair_sums = sum_by(vectors, pair, len(pairs))
    pair_numbers = np.bincount(pair, minlength=len(pairs))
    of_group = pairs // width
    first, last = (
        np.searchsorted(of_group, pairs[pair] // width, "left"),
        np.searchsorted(of_group, pairs[pair] // width, "right"),
    )
    reach = last - first
    image = np.repeat(np.arange(len(rows)), reach)
    met = np.arange(len(image)) - np.repeat(np.cumsum(reach) - reach, reach) + np.repeat(first, reach)
    step = max(1, _ELEMENTS // max(1, vectors.shape[1]))
    for start in range(0, len(image), step):
        part = slice(start, start + step)
        label = pairs[met[part]] % width
        inside = np.einsum("ij,ij->i", vectors[image[part]], pair_sums[met[part]])
        np.subtract.at(similar, (image[part], label), inside)
        np.subtract.at(numbers, (image[part], label), pair_numbers[met[part]])
    return similar, numbers


def _place(
    places: Places, rows: npt.NDArray[np.intp], codes: npt.NDArray[np.int64], similar: Values, numbers: Values
) -> None:
    """Write the places of some images."""
    means = np.divide(similar, numbers, out=np.full(similar.shape, np.nan), where=numbers > 0.5)
    line = np.arange(len(rows))
    places.own[rows] = means[line, codes]
    means[line, codes] = np.nan
    lowest = np.where(np.isnan(means), -np.inf, means)
    nearest = lowest.argmax(axis=1)
    there = np.isfinite(lowest[line, nearest])
    places.nearest[rows] = np.where(there, nearest, -1)
    places.other[rows] = np.where(there, lowest[line, nearest], np.nan)
    a, b = 1 - places.own[rows], 1 - places.other[rows]
    largest = np.maximum(a, b)
    # Where both are 0, up to roundings, the image lies in its own label and in the other one: on the border.
    places.silhouette[rows] = np.where(largest > 1e-9, (b - a) / np.where(largest > 1e-9, largest, 1), (b - a) * 0)


def _of_whole_groups(group: npt.NDArray[np.int64], *, width: int) -> Iterator[tuple[int, int]]:
    """Parts of sorted groups, each of about a block; a larger group by itself."""
    block = max(1, min(_BLOCK, _ELEMENTS // max(1, width)))
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group))
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + block, "right")))
        yield int(starts[first]), int(ends[last - 1])
        first = last
