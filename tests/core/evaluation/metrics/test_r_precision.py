"""Precision where recall could be 1."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.evaluation.metrics.r_precision import r_precision


def test_by_hand() -> None:
    shares = r_precision(np.array([1, 3, 0, 0]), available=np.array([2, 3, 5, 0]))
    np.testing.assert_array_equal(shares, [0.5, 1, 0, np.nan])


def test_more_hits_than_there_are() -> None:
    with pytest.raises(ValueError, match="query 0 has 4 of 3"):
        r_precision(np.array([4]), available=np.array([3]))
