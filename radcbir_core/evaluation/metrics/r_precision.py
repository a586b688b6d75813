"""R-precision: P@R, where R is the number of relevant images that a query could have been given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.metrics.precision_at_k import check_enough


def r_precision(hits: npt.NDArray[Any], *, available: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Relevant hits among the first R ÷ R; recall and precision in one.

    Args:
        hits: ``(Q,)``, how many of the first R hits of each query are relevant.
        available: ``(Q,)``, R of each query.

    Returns:
        ``(Q,)`` in [0, 1], NaN where nothing relevant was available.

    Raises:
        ValueError: A query has more relevant hits than are available.

    Example:
        >>> r_precision(np.array([1, 0]), available=np.array([2, 0])).tolist()
        [0.5, nan]
    """
    check_enough(hits, available)
    shares: npt.NDArray[np.float64] = np.divide(hits, available, out=np.full(len(hits), np.nan), where=available > 0)
    return shares
