"""P@k against something that was measured of the query: lesion size, age, resolution.

Owns the binning. A difference between bins says where an encoder fails; it does not say why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Bin:
    """The queries between two values.

    Attributes:
        low: Least value among them.
        high: Largest value among them.
        queries: How many.
        precision: Mean P@k, 0 to 1.
    """

    low: float
    high: float
    queries: int
    precision: float


def precision_by_measure(
    values: npt.NDArray[np.float64], precision: npt.NDArray[np.float64], *, bins: int = 4
) -> list[Bin]:
    """Mean P@k of about equally many queries a bin, from the smallest values to the largest.

    Queries of equal value are never parted, so that there may be fewer bins; a query without a value or without a P@k
    is left out.

    Args:
        values: ``(Q,)`` what was measured; NaN where it was not.
        precision: ``(Q,)`` P@k of the same queries; NaN where it has none.
        bins: At most so many, at least 1.

    Returns:
        The bins; none where nothing is left.

    Raises:
        ValueError: The lengths differ, or ``bins`` is less than 1.

    Example:
        >>> parts = precision_by_measure(np.array([5.0, 9, 20, 30]), np.array([0.0, 0.5, 1, 1]), bins=2)
        >>> [(bin.low, bin.high, bin.queries, bin.precision) for bin in parts]
        [(5.0, 9.0, 2, 0.25), (20.0, 30.0, 2, 1.0)]
    """
    if values.shape != precision.shape or values.ndim != 1 or bins < 1:
        raise ValueError(
            f"Expected one value a query and bins >= 1, but values.shape = {values.shape}, "
            f"precision.shape = {precision.shape}, bins = {bins}."
        )
    usable = np.isfinite(values) & np.isfinite(precision)
    kept, scores = values[usable], precision[usable]
    if not len(kept):
        return []
    # A query belongs to the bin of the middle of all queries of its value.
    ordered = np.sort(kept)
    middle = (np.searchsorted(ordered, kept, "left") + np.searchsorted(ordered, kept, "right")) / 2
    places = np.minimum((middle / len(kept) * bins).astype(int), bins - 1)
    return [
        Bin(
            low=float(kept[places == place].min()),
            high=float(kept[places == place].max()),
            queries=int((places == place).sum()),
            precision=float(scores[places == place].mean()),
        )
        for place in np.unique(places)
    ]
