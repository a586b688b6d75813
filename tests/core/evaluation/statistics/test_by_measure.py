"""P@k against a measure: bins against a slow sorting by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.by_measure import precision_by_measure

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.integers(0, 3).map(float), st.just(math.nan))
SCORES = st.one_of(st.floats(0, 1), st.just(math.nan))


@given(st.lists(st.tuples(NUMBERS, SCORES), max_size=40), st.integers(1, 6))
def test_bins_part_the_queries_in_order_and_never_equals(pairs, bins) -> None:
    values, scores = (np.array([pair[i] for pair in pairs], dtype=np.float64) for i in (0, 1))
    found = precision_by_measure(values, scores, bins=bins)
    usable = sorted((v, s) for v, s in pairs if math.isfinite(v) and math.isfinite(s))
    assert len(found) <= bins
    assert sum(part.queries for part in found) == len(usable)
    assert all(first.high < second.low for first, second in pairwise(found))
    for part in found:
        inside = [s for v, s in usable if part.low <= v <= part.high]
        assert len(inside) == part.queries > 0
        assert part.precision == pytest.approx(sum(inside) / len(inside))
    if len({v for v, _ in usable}) == len(usable) >= bins:
        assert len(found) == bins
        assert max(part.queries for part in found) - min(part.queries for part in found) <= 1


def test_what_does_not_fit_together() -> None:
    with pytest.raises(ValueError, match=r"values.shape = \(2,\), precision.shape = \(3,\), bins = 4"):
        precision_by_measure(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="bins = 0"):
        precision_by_measure(np.zeros(2), np.zeros(2), bins=0)
