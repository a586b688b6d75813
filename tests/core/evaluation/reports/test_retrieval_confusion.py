"""Retrieval confusion against plain Python that looks at every pair of images."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import PAPER, Protocol, evaluation_of
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.retrieval_confusion import CELL_COLUMNS, RetrievalConfusion
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from tests.core.evaluation.reports.slow_comparison import label_of, may_be_given, mean, ranking


def given(store, protocol, level):
    """row → (label, the images it may be given, best first, with their labels), by plain Python."""
    records = store.collection.manifest.frame.to_dict("records")
    labels = [label_of(record, level) for record in records]
    rows = {}
    for row in range(len(records)):
        others = may_be_given(records, labels, row, protocol)
        if others is not None:
            rows[row] = labels[row], [labels[other] for other in ranking(store, row, others)]
    return rows


def slow_cells(store, evaluation):
    """(label, hit label) → (hits, share, chance), by plain Python."""
    k = evaluation.k
    discounts = [1 / math.log2(rank + 2) if evaluation.weight == "rank" else 1.0 for rank in range(k)]
    weights = [value / sum(discounts) for value in discounts]
    number, shares, chances, queries = defaultdict(int), defaultdict(float), defaultdict(float), defaultdict(int)
    for label, hits in given(store, evaluation.protocol, evaluation.level).values():
        if evaluation.protocol.empty == "skip" and label not in hits:
            continue
        queries[label] += 1
        for rank, hit in enumerate(hits[:k]):
            number[label, hit] += 1
            shares[label, hit] += weights[rank]
        for hit in hits:
            chances[label, hit] += 1 / len(hits)
    return {pair: (number[pair], shares[pair] / queries[pair[0]], chances[pair] / queries[pair[0]]) for pair in number}


@pytest.mark.parametrize("weight", ["rank", "equal"])
@pytest.mark.parametrize(
    ("protocol", "level"),
    [
        (Protocol(), "label"),
        (Protocol.of(exclude=(), empty="zero"), "anatomy"),
        (Protocol.of("split", exclude=["patient", "duplicate"]), "label"),
    ],
)
def test_cells_are_those_of_plain_python(pair, protocol, level, weight) -> None:
    store = pair[0]
    evaluation = RetrievalConfusion(protocol, level, 4, weight)
    cells = evaluation.run(store).table
    assert list(cells.columns) == list(CELL_COLUMNS)
    expected = slow_cells(store, evaluation)
    # Of exact copies there is one pair, of one patient: to leave them out, too, changes nothing.
    assert {(row.label, row.hit_label) for row in cells.itertuples()} == set(expected)
    for row in cells.itertuples():
        number, share, chance = expected[row.label, row.hit_label]
        assert row.n_hits == number
        assert row.share == pytest.approx(share)
        assert row.chance == pytest.approx(chance)
        assert math.isnan(row.lift) if chance == 0 else row.lift == pytest.approx(share / chance)


def test_intervals_and_patients_are_those_of_a_mean_over_queries(pair) -> None:
    store = pair[0]
    cells = RetrievalConfusion(k=3, weight="equal").run(store).table
    patients = store.collection.manifest.frame["patient_id"].tolist()
    rows = {row: given_ for row, given_ in given(store, Protocol(), "label").items() if given_[0] in given_[1]}
    for cell in cells.itertuples():
        mine = [row for row, (label, _) in rows.items() if label == cell.label]
        clusters = [patients[row] or f"image {row}" for row in mine]
        codes = np.unique(clusters, return_inverse=True)[1]
        values = np.array([[rows[row][1][:3].count(cell.hit_label) / 3] for row in mine])
        bounds = mean_intervals(values, np.zeros(len(mine), int), clusters=codes, n_labels=1).label[0, 0]
        assert (cell.n_queries, cell.n_patients) == (len(mine), len(set(clusters)))
        assert cell.share == pytest.approx(mean(values.ravel().tolist()))
        assert [cell.low, cell.high] == pytest.approx(bounds.tolist(), nan_ok=True)
    assert cells["low"].notna().any()


def test_with_equal_weights_the_diagonal_is_the_precision(pair) -> None:
    store = pair[0]
    cells = RetrievalConfusion(k=5, weight="equal").run(store).table
    own = cells[cells["label"] == cells["hit_label"]].set_index("label")
    means = Precision().run(store).table
    means = means[(means["level"] == "label") & (means["k"] == 5) & (means["averaging"] == "label")].set_index("label")
    scored = means["precision"].dropna()
    assert own["share"].to_dict() == pytest.approx(scored[scored > 0].to_dict())
    assert own["chance"].to_dict() == pytest.approx(means.loc[own.index, "chance"].to_dict())


def test_pairs_of_two_labels_come_first_and_the_surest_of_them_before_others(pair) -> None:
    cells = RetrievalConfusion().run(pair[0]).table
    other = (cells["label"] != cells["hit_label"]).to_numpy()
    assert not other[np.flatnonzero(~other)[0] :].any()
    assert cells.loc[other, "low"].fillna(-1).is_monotonic_decreasing
    summary = RetrievalConfusion().run(pair[0]).summary()
    assert len(summary) == min(10, other.sum())
    assert summary["query label"].iloc[0] == cells["label"].iloc[0]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"protocol": PAPER}, "Expected the protocol leave-one-out or split for confusions"),
        ({"k": 0}, "Expected k from 1 to 100, but k = 0"),
        ({"weight": "log"}, "Expected a weight of rank or equal, but weight = 'log'"),
    ],
)
def test_choices_that_cannot_be_are_refused(choices, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluation_of("confusion", **choices)
