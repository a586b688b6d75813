"""The rules, against loops over slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from radcbir_core.errors import QueryError
from radcbir_core.search.series.votes import (
    RRF_CONSTANT,
    RULES,
    WORDS,
    best_of_series,
    check_rule,
    combsum_of_series,
    scores,
)

SIMILARITIES = arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-1, 1))


def slow_scores(similarities: np.ndarray, series: list[int], rule: str) -> list[float]:
    """The score of each series, one pair of slices after the other."""
    found = []
    best = {s: [max(row[c] for c in range(len(series)) if series[c] == s) for row in similarities] for s in set(series)}
    for s in sorted(best):
        if rule == "best":
            found.append(max(best[s]))
        elif rule == "mean-best":
            found.append(sum(best[s]) / len(best[s]))
        else:
            ranks = [
                1 + sum(best[o][q] > best[s][q] or (best[o][q] == best[s][q] and o < s) for o in best)
                for q in range(len(similarities))
            ]
            found.append(sum(1 / (RRF_CONSTANT + rank) for rank in ranks))
    return found


@settings(max_examples=150, deadline=None)
@given(SIMILARITIES, st.data())
def test_each_rule_is_that_of_a_loop(similarities, data) -> None:
    cuts = data.draw(st.lists(st.booleans(), min_size=similarities.shape[1] - 1, max_size=similarities.shape[1] - 1))
    series = np.concatenate([[0], np.cumsum(cuts)]).astype(int)
    starts = np.flatnonzero(np.diff(series, prepend=-1))
    best = best_of_series(similarities, starts)
    for rule in ("best", "mean-best", "rrf"):
        np.testing.assert_allclose(scores(best, rule), slow_scores(similarities, series.tolist(), rule), atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(-1, 5), min_size=3, max_size=3), min_size=1, max_size=4),
    st.lists(st.integers(-1, 2), min_size=6, max_size=6),
)
def test_combsum_adds_what_hits_have(rows, codes) -> None:
    table = np.array(rows)
    similarities = np.where(table < 0, np.nan, 0.25 + table / 8)
    expected = [0.0] * 3
    for line in rows:
        for row in line:
            if row >= 0 and codes[row] >= 0:
                expected[codes[row]] += 0.25 + row / 8
    sums = combsum_of_series(table, similarities, np.array(codes), number=3)
    np.testing.assert_allclose(sums, expected)
    assert scores(np.zeros((1, 3)), "combsum", combsum=sums) is sums


def test_rules_by_name() -> None:
    assert [check_rule(rule) for rule in RULES] == list(RULES) == list(WORDS)
    with pytest.raises(QueryError, match="Expected a rule of mean-best, best, combsum, rrf, but rule = 'sum'"):
        check_rule("sum")
    with pytest.raises(ValueError, match="sums of combsum"):
        scores(np.zeros((1, 1)), "combsum")
