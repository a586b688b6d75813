"""Where two encoders part: which queries, and one query's hits by both."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import EvaluationError, QueryError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.comparison import (
    Comparison,
)
from radcbir_core.evaluation.reports.disagreements import disagreements, ranked_pair
from radcbir_core.evaluation.reports.precision import of_level
from tests.core.evaluation.reports.slow_comparison import FAILED, ranking, slow_queries


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("label", [None, "brain"])
def test_disagreements_are_the_queries_that_one_gets_right_and_the_other_wrong(with_failures, k, label) -> None:
    a, b = with_failures
    found = disagreements(a, Comparison("second"), level="anatomy", k=k, label=label)
    cells: dict[tuple[bool, bool], set[int]] = {}
    for row, (own, _, values) in slow_queries(a, b, Protocol(), "anatomy").items():
        if label in (None, own):
            cells.setdefault((values[k][0] > 0, values[k][1] > 0), set()).add(row)
    shown = (found.both, found.only_a, found.only_b, found.neither)
    for rows, right in zip(shown, [(True, True), (True, False), (False, True), (False, False)], strict=True):
        assert set(rows.tolist()) == cells.get(right, set())
    assert found.n_queries == sum(map(len, cells.values()))
    assert found.difference == pytest.approx((len(found.only_b) - len(found.only_a)) / found.n_queries)
    assert found.low <= found.difference <= found.high
    lead = of_level(Comparison("second").run(a).tables["queries"], "anatomy").set_index("row")
    lead = lead["b@10"] - lead["a@10"]
    assert lead[found.only_a].is_monotonic_increasing
    assert lead[found.only_b].is_monotonic_decreasing


def test_chance_is_right_as_often_as_it_should_be(pair) -> None:
    a = pair[0]
    found = disagreements(a, Comparison("chance"), level="modality", k=1)
    share = (len(found.both) + len(found.only_b)) / found.n_queries
    assert 0.25 < found.expected < 0.4
    assert abs(share - found.expected) < 0.2
    with pytest.raises(EvaluationError, match="Expected a k of"):
        disagreements(a, Comparison("chance"), level="modality", k=2)


def test_both_rankings_of_a_query_come_from_the_same_gallery(with_failures) -> None:
    a, b = with_failures
    manifest = a.collection.manifest
    labels = manifest.labels("anatomy").codes
    found = ranked_pair(a, Comparison("second"), 30, k=10, level="anatomy")
    patients = manifest.groups("patient")
    others = [r for r in range(61) if a.valid[r] and b.valid[r] and r != 30 and patients[r] != patients[30]]
    assert found.a.rows[0].tolist() == ranking(a, 30, others)[:10]
    assert found.b.rows[0].tolist() == ranking(b, 30, others)[:10]
    assert found.relevant_a.tolist() == [labels[row] == labels[30] for row in found.a.rows[0]]
    assert found.relevant_b.tolist() == [labels[row] == labels[30] for row in found.b.rows[0]]
    assert found.shared == len(set(found.a.rows[0]) & set(found.b.rows[0]))
    assert 0 < found.overlap < 1
    drawn = ranked_pair(a, Comparison("chance"), 30, k=10, level="anatomy")
    assert np.isnan(drawn.b.similarities).all()
    assert set(drawn.b.rows[0]) <= {r for r in range(61) if r != 30 and patients[r] != patients[30]}
    with pytest.raises(QueryError, match="could not be embedded by second"):
        ranked_pair(a, Comparison("second"), FAILED[0], k=10, level="anatomy")


def test_a_query_without_a_label_has_rankings_and_no_relevance(pair) -> None:
    a = pair[0]
    row = int(np.flatnonzero(a.collection.manifest.labels("label").codes < 0)[0])
    found = ranked_pair(a, Comparison("second"), row, k=5, level="label")
    assert found.relevant_a is found.relevant_b is None
    assert found.a.counts[0] == found.b.counts[0] == 5
