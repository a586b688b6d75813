"""The order of readings: every case in each condition, balanced over readers, decided by the seed alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.reader_study.study_design import course_of, halves_of, shuffled, steps_of
from tests.core.reader_study.made_studies import made

TRUTHS = st.lists(st.sampled_from(["mass", "normal", "edema"]), min_size=2, max_size=40)
SEEDS = st.integers(0, 2**31)
READERS = st.integers(0, 9)


@given(TRUTHS, SEEDS)
def test_halves_are_alike_in_every_label_and_in_all(truths, seed) -> None:
    halves = halves_of(truths, seed=seed)
    assert set(halves) <= {0, 1}
    assert abs(halves.count(0) - halves.count(1)) <= 1
    for truth in set(truths):
        count = Counter(half for half, one in zip(halves, truths, strict=True) if one == truth)
        assert abs(count[0] - count[1]) <= 1


@given(TRUTHS, SEEDS, READERS)
def test_in_a_crossover_each_case_is_read_once_in_each_condition(truths, seed, reader) -> None:
    halves = halves_of(truths, seed=seed)
    steps = steps_of(halves, design="crossover", reader=reader, seed=seed)
    assert Counter((step.case, step.condition) for step in steps) == Counter(
        (case, condition) for case in range(len(truths)) for condition in ("without", "with")
    )
    assert Counter((step.case, step.period) for step in steps) == Counter(
        (case, period) for case in range(len(truths)) for period in (1, 2)
    )
    assert [step.number for step in steps] == list(range(1, 2 * len(truths) + 1))
    assert [step.period for step in steps] == [1] * len(truths) + [2] * len(truths)


@given(TRUTHS, SEEDS, READERS)
def test_many_others_lie_between_both_readings_of_a_case(truths, seed, reader) -> None:
    steps = steps_of(halves_of(truths, seed=seed), design="crossover", reader=reader, seed=seed)
    places: dict[int, list[int]] = {}
    for step in steps:
        places.setdefault(step.case, []).append(step.number)
    assert min(second - first for first, second in places.values()) > len(truths) // 2


@given(TRUTHS, SEEDS, READERS, st.sampled_from(["crossover", "split"]))
def test_two_readers_in_a_row_have_each_case_the_other_way_around(truths, seed, reader, design) -> None:
    halves = halves_of(truths, seed=seed)
    conditions = []
    for one in (reader, reader + 1):
        steps = steps_of(halves, design=design, reader=one, seed=seed)
        conditions.append({step.case: step.condition for step in steps if step.period == 1})
    assert set(conditions[0]) == set(range(len(truths)))
    assert all({conditions[0][case], conditions[1][case]} == {"without", "with"} for case in range(len(truths)))


@given(TRUTHS, SEEDS, READERS)
def test_in_a_split_each_case_is_read_once_and_half_of_them_with_retrieval(truths, seed, reader) -> None:
    steps = steps_of(halves_of(truths, seed=seed), design="split", reader=reader, seed=seed)
    assert sorted(step.case for step in steps) == list(range(len(truths)))
    count = Counter(step.condition for step in steps)
    assert abs(count["with"] - count["without"]) <= 1


def test_orders_are_the_same_for_ever() -> None:
    """Written down, because a study that is being read must go on as it began, with whatever version."""
    assert shuffled(range(8), 7, "period 1", 0) == [2, 3, 6, 5, 0, 1, 7, 4]
    assert halves_of(["a", "a", "b", "b", "b", "c"], seed=7) == [0, 1, 1, 0, 0, 1]


def test_readers_and_seeds_have_orders_of_their_own() -> None:
    orders = {
        tuple(step.case for step in steps_of([0, 1] * 10, design="split", reader=reader, seed=seed))
        for reader in range(4)
        for seed in range(4)
    }
    assert len(orders) == 16


def test_practice_comes_first_by_turns_without_and_with() -> None:
    steps = steps_of([0, 1], design="split", reader=3, seed=1, practice=3)
    assert [(step.condition, step.period) for step in steps[:3]] == [("without", 0), ("with", 0), ("without", 0)]
    assert [step.is_practice for step in steps] == [True] * 3 + [False] * 2
    assert sorted(step.case for step in steps[:3]) == [0, 1, 2]


def test_the_course_of_a_study_is_that_of_its_halves() -> None:
    study = made()
    halves = [case.half for case in study.cases]
    assert course_of(study, 1) == steps_of(halves, design="crossover", reader=1, seed=7, practice=1)
