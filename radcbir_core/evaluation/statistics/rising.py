"""The share of something that rises with a number, as a curve that never falls.

Owns the fit and its reading. Pairs are put into blocks by the number, and the shares of the blocks are made to rise by
isotonic regression (Barlow, Bartholomew, Bremner and Brunk, *Statistical Inference under Order Restrictions*, 1972);
between the middles of blocks the curve is straight. In each block count one pair more of either kind, so that no share
is 0 or 1 because a few agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK: Final = 50
"""Pairs of a block, at least."""
MOST_BLOCKS: Final = 100


@dataclass(frozen=True)
class RisingCurve:
    """A curve through the middles of blocks.

    Attributes:
        points: ``(B,)`` float64, ascending: the mean number of each block.
        shares: ``(B,)`` float64, never falling.
        counts: ``(B,)`` int64, the pairs of each block.
    """

    points: NDArray[np.float64]
    shares: NDArray[np.float64]
    counts: NDArray[np.int64]

    def at(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """The share at each number; before the first block and after the last it is theirs; NaN at NaN.

        Example:
            >>> curve = RisingCurve(np.array([0.0, 1.0]), np.array([0.2, 0.4]), np.array([50, 50]))
            >>> curve.at(np.array([-1, 0.5, 2])).round(2).tolist()
            [0.2, 0.3, 0.4]
        """
        return np.interp(np.asarray(numbers, dtype=np.float64), self.points, self.shares)


def rising_curve(numbers: NDArray[Any], outcomes: NDArray[Any]) -> RisingCurve:
    """The curve of some pairs.

    Args:
        numbers: ``(n,)``, at least one; such as similarities.
        outcomes: ``(n,)`` whether it is so.

    Raises:
        ValueError: There is no pair, or the arrays do not fit together.

    Example:
        >>> numbers = np.repeat([0.1, 0.2, 0.3], 60)
        >>> curve = rising_curve(numbers, np.repeat([0, 1, 0, 1], [60, 30, 30, 60]))
        >>> curve.points.round(1).tolist(), curve.shares.round(2).tolist(), curve.counts.tolist()
        ([0.1, 0.2, 0.3], [0.02, 0.5, 0.98], [60, 60, 60])
    """
    from scipy.optimize import isotonic_regression  # not before it is needed

    values, truths = np.asarray(numbers, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if values.ndim != 1 or values.shape != truths.shape or not len(values):
        raise ValueError(
            f"Expected as many outcomes as numbers and at least one, but numbers has shape {values.shape} and outcomes "
            f"{truths.shape}. Pass both of the same pairs."
        )
    order = np.argsort(values, kind="stable")
    blocks = min(max(len(values) // BLOCK, 1), MOST_BLOCKS)
    # Equal numbers are of one block, so that a curve does not depend on the order in which pairs come.
    ends = np.searchsorted(values[order], values[order][np.arange(1, blocks) * len(values) // blocks - 1], side="right")
    starts = np.unique(np.concatenate([[0], ends[ends < len(values)]])).astype(np.intp)
    counts = np.diff(np.append(starts, len(values)))
    points = np.add.reduceat(values[order], starts) / counts
    shares = (np.add.reduceat(truths[order], starts) + 1) / (counts + 2)
    rising = isotonic_regression(shares, weights=counts + 2.0).x
    return RisingCurve(points, np.asarray(rising, dtype=np.float64), counts.astype(np.int64))
