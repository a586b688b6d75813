"""A figure by both rules for what was seen, against means taken one query at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.by_seen import BySeen, Figure, by_seen, figures_by_seen

QUERIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 1.0, None]), st.booleans(), st.integers(0, 5)), min_size=1, max_size=30
)


def both_of(queries, **more) -> BySeen:
    values, seen, patients = zip(*queries, strict=True)
    return figures_by_seen(
        np.array([np.nan if value is None else value for value in values]),
        seen=np.array(seen),
        clusters=np.array(patients),
        name="P@1",
        rule="skip",
        **more,
    )


@given(QUERIES)
def test_each_figure_is_the_mean_of_its_queries(queries) -> None:
    both = both_of(queries)
    for figure, counts in ((both.skip, lambda seen: not seen), (both.count, lambda _: True)):
        values = [value for value, seen, _ in queries if counts(seen) and value is not None]
        assert figure.n_queries == len(values)
        assert figure.value == (pytest.approx(sum(values) / len(values)) if values else None)
        patients = {patient for value, seen, patient in queries if counts(seen) and value is not None}
        assert (figure.low is None) == (len(patients) < 2)
        if figure.low is not None:
            assert figure.low <= figure.value + 1e-12
            assert figure.value <= figure.high + 1e-12
    assert BySeen.of_facts(both.facts()) == both
    assert BySeen.of_facts({}) is None


def test_a_query_of_several_values_counts_once() -> None:
    both = figures_by_seen(
        np.array([1.0, 0.0, 1.0, 1.0]),
        lines=np.array([0, 0, 1, 2]),
        seen=np.array([False, True, False]),
        clusters=np.array([7, 8, 9]),
        name="Hits",
        rule="count",
    )
    assert (both.skip.value, both.skip.n_queries) == (pytest.approx(2 / 3), 2)
    assert (both.count.value, both.count.n_queries) == (pytest.approx(3 / 4), 3)
    assert both.otherwise == both.skip


class View(SimpleNamespace):
    """Of a gallery view what is asked of it."""

    def asked_by(self, rows):
        return View(**{**vars(self), "queries": np.asarray(rows)})


@pytest.mark.parametrize("rule", ["skip", "count"])
def test_only_what_is_not_known_is_measured(rule) -> None:
    values, seen = np.linspace(0, 1, 9), np.array([2, 5])
    everyone = View(seen=seen, clusters=np.arange(9), protocol=SimpleNamespace(seen=rule), queries=np.arange(9))
    view = everyone if rule == "count" else everyone.asked_by(np.setdiff1d(np.arange(9), seen))
    view.with_seen = everyone
    measured = []

    def measure(part):
        measured.extend(part.queries.tolist())
        return values[part.queries]

    known = by_seen(view, measure, name="P@1", own=values[view.queries])
    assert measured == ([] if rule == "count" else [2, 5])
    assert known == by_seen(view, measure, name="P@1")
    assert known.count.value == pytest.approx(0.5)
    assert known.skip.value == pytest.approx(np.delete(values, seen).mean())
    view.seen = seen[:0]
    assert by_seen(view, measure, name="P@1") is None


def test_both_are_said() -> None:
    both = BySeen("P@10", Figure(0.5, 0.25, 0.75, 1), Figure(0.75, None, None, 2817), "skip")
    assert both.said == ("P@10: 0.500 (0.250 to 0.750) over 1 query not seen in training, 0.750 over all 2,817.")
    none = BySeen("B − A", Figure(None, None, None, 0), Figure(-0.25, -0.5, 0.125, 9), "skip", signed=True)
    assert none.said == ("B − A: – over 0 queries not seen in training, -0.250 (-0.500 to +0.125) over all 9.")
