"""Confident learning over neighbors: which labels are probably wrong, and how surely.

Owns the estimate, on plain arrays.

Source: Northcutt, Jiang and Chuang, *Confident Learning: Estimating Uncertainty in Dataset Labels* (JAIR 70, 2021, pp.
1373-1411), section 3. There a classifier, trained on other parts of the data, gives the probability of each label for
each image. Here the hits do: p(j; x) is the share of x's first k hits that have the label j, and x is never among them,
nor are images of its patient where these are left out. So no image has a say on itself.

- t_j, the threshold of label j, is the mean of p(j; x) over the images that have the label j: what is usual for it.
- Image x with the label i is *suspect* if there is a label j ≠ i with p(j; x) ≥ t_j and p(j; x) > 0, of which that with
  the largest p(j; x) is what is suggested, and if p(i; x) is not one of these or smaller than it. These are the images
  off the diagonal of the confident joint.
- The score, by which they are sorted, is s = p(j; x) + t_i - p(i; x): how much of the neighborhood says j, and how far
  the image's own label falls short of what is usual for it, from 0 to 2. An image of a label whose images mostly find
  each other, with j alone among its hits, has nearly 2; of a label that is never found, at most 1, since that its hits
  do not show it says little against it.

How many of planted wrong labels it finds is measured by ``benchmarks.label_noise``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.evaluation.relevance import check_hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 1e-12
"""So much below a threshold a share still reaches it: sums of fractions differ in their last digits."""
VOTES = 20
"""So many hits have a say by default: with 10, fewer planted labels are found; with 30, not more."""


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """What the hits of each query say of its label.

    Attributes:
        own: (Q,) float64, p(i; x) of its own label.
        suggested: (Q,) int64, the label j that the hits suggest; -1 where the image is not suspect.
        p_suggested: (Q,) float64, p(j; x); NaN where it is not suspect.
        score: (Q,) float64, from 0 to 2; NaN where it is not suspect.
        thresholds: (L,) float64, t_j; NaN for a label without a query.
    """

    own: NDArray[np.float64]
    suggested: NDArray[np.int64]
    p_suggested: NDArray[np.float64]
    score: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def label_noise(
    hit_rows: NDArray[Any], query_labels: NDArray[Any], *, gallery_labels: NDArray[Any], n_labels: int, k: int
) -> LabelNoise:
    """Tell of each query how probable its label is, by the labels of its first k hits.

    Args:
        hit_rows: (Q, K) rows of the collection, best first, -1 as padding.
        query_labels: (Q,) label codes, none negative.
        gallery_labels: (N,) label codes of all rows, -1 = unlabeled; such hits have no say.
        n_labels: L, above the highest code.
        k: How many hits have a say.

    Returns:
        The estimate. A query without a hit that has a label is not suspect. Of labels with equal shares that of the
        better hit is suggested.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        Rows 0 and 1 are a, rows 2 to 4 are b; row 1 looks like a b.

        >>> hits, labels = np.array([[1, 2], [2, 3], [3, 4], [4, 2], [2, 3]]), np.array([0, 0, 1, 1, 1])
        >>> noise = label_noise(hits, labels, gallery_labels=labels, n_labels=2, k=2)
        >>> noise.thresholds.tolist(), noise.suggested.tolist(), noise.score.tolist()
        ([0.25, 1.0], [-1, 1, -1, -1, -1], [nan, 1.25, nan, nan, nan])
    """
    own = check_codes(query_labels, name="query_labels").astype(np.int64)
    gallery = np.append(check_codes(gallery_labels, name="gallery_labels"), -1)
    hits = check_hits(hit_rows, n_queries=len(own), n_rows=len(gallery) - 1)[:, :k]
    p_own = np.zeros(len(own))
    for rows in row_chunks(*hits.shape):
        codes = gallery[hits[rows]]
        known = (codes >= 0).sum(axis=1)
        mine = (codes == own[rows, None]).sum(axis=1)
        p_own[rows] = np.divide(mine, known, out=np.zeros(len(known)), where=known > 0)
    number = np.bincount(own, minlength=n_labels)
    sums = np.bincount(own, weights=p_own, minlength=n_labels)
    thresholds = np.divide(sums, number, out=np.full(n_labels, np.nan), where=number > 0)
    suggested = np.full(len(own), -1, dtype=np.int64)
    p_suggested, score = np.full((2, len(own)), np.nan)
    # A label that no query has is never usual: nothing could be said against it.
    usual = np.append(np.where(number > 0, thresholds, np.inf), np.inf)
    enough = usual - _ROUNDING
    for rows in row_chunks(len(hits), hits.shape[1] * 4):
        codes = gallery[hits[rows]].astype(np.int64)
        known = (codes >= 0).sum(axis=1)
        shares = _shares(codes, known)
        other = (codes >= 0) & (codes != own[rows, None]) & (shares >= enough[codes])
        best = np.where(other, shares, -1.0)
        place = best.argmax(axis=1)  # the first of equal ones, which is that of the better hit
        line = np.arange(len(codes))
        p_best, label = best[line, place], codes[line, place]
        mine, mine_usual = p_own[rows], usual[own[rows]]
        suspect = (p_best > 0) & ~((mine >= enough[own[rows]]) & (mine >= p_best))
        suggested[rows] = np.where(suspect, label, -1)
        p_suggested[rows] = np.where(suspect, p_best, np.nan)
        score[rows] = np.where(suspect, p_best + mine_usual - mine, np.nan)
    return LabelNoise(p_own, suggested, p_suggested, score, thresholds)


def _shares(codes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q, k): for each hit, the share of its label among the hits of its query that have one."""
    counts = np.zeros(codes.shape, dtype=np.int64)
    for rank in range(codes.shape[1]):
        counts += codes == codes[:, rank, None]
    return np.divide(counts, known[:, None], out=np.zeros(codes.shape), where=known[:, None] > 0)
