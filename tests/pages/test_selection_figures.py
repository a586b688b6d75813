"""What is said of a selection on the map, against plain Python."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts.map import overrepresented, precision_inside
from pages.parts.map.coloring import Members
from radcbir_core.collections.manifests.manifest import Codes
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.statistics.intervals import mean_intervals


def members_of(lists, values):
    """Values of rows as lists of codes."""
    rows = [row for row, codes in enumerate(lists) for _ in codes]
    return Members(
        values, np.array(rows, np.int64), np.array([code for codes in lists for code in codes], np.int32), len(lists)
    )


def codes(*values):
    known = tuple(sorted(set(values) - {""}))
    return Codes(known, np.array([known.index(value) if value else -1 for value in values], np.int32))


@pytest.mark.parametrize("module", [overrepresented, precision_inside], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@st.composite
def selections(draw):
    number = draw(st.integers(1, 30))
    values = ("a", "b", "c")
    lists = [sorted(draw(st.sets(st.integers(0, 2), max_size=3))) for _ in range(number)]
    among = np.flatnonzero(draw(st.lists(st.booleans(), min_size=number, max_size=number)))
    chosen = np.array([row for row in among.tolist() if draw(st.booleans())], dtype=np.int64)
    clusters = np.array([draw(st.integers(0, 6)) for _ in range(number)])
    return lists, values, chosen, among, clusters


@given(selections())
def test_shares_are_those_of_plain_python_and_their_intervals_those_of_means(drawn) -> None:
    lists, values, chosen, among, clusters = drawn
    table = overrepresented.shares(members_of(lists, values), chosen, among, clusters=clusters)
    known = {value: [row for row in range(len(lists)) if code in lists[row]] for code, value in enumerate(values)} | {
        "": [row for row in range(len(lists)) if not lists[row]]
    }
    there = {value for value, rows in known.items() if set(rows) & set(chosen.tolist())}
    assert set(table["value"]) == there
    for row in lines_of(table):
        mine = [one for one in chosen.tolist() if one in known[row.value]]
        base = [one for one in among.tolist() if one in known[row.value]]
        assert row.selected == len(mine)
        assert row.n_patients == len({int(clusters[one]) for one in mine})
        assert row.share == pytest.approx(len(mine) / len(chosen))
        assert row.base == pytest.approx(len(base) / len(among))
        assert row.ratio == pytest.approx(row.share / row.base)
        has = np.isin(chosen, mine).astype(float)[:, None]
        bounds = mean_intervals(has, np.zeros(len(chosen), int), clusters=clusters[chosen], n_labels=1).micro[0]
        np.testing.assert_allclose([row.low, row.high], bounds, atol=1e-9)
        if row.standing == "more":
            assert row.low > row.base
        if row.standing == "less":
            assert row.high < row.base
        if math.isnan(row.low):
            assert row.standing == "unsure"
        elif row.standing == "unsure":
            assert row.low <= row.base <= row.high
    surely = (table["low"] - table["base"]).fillna(-2)
    assert (surely.diff().dropna() <= 1e-9).all()


def test_one_image_of_a_rare_label_says_nothing() -> None:
    # One of a thousand images has the label, and it is the one that is selected.
    members = Members.of(codes("rare", *["common"] * 999))
    (row,) = lines_of(overrepresented.shares(members, np.array([0]), np.arange(1000), clusters=np.arange(1000)))
    assert row.ratio == pytest.approx(1000)
    assert row.standing == "unsure"
    # Thirty patients who all have what one in ten has are another matter.
    members = Members.of(codes(*["a"] * 30, *["b"] * 270))
    first = next(lines_of(overrepresented.shares(members, np.arange(30), np.arange(300), clusters=np.arange(300))))
    assert (first.value, first.standing) == ("a", "more")
    # But not thirty images of one of them.
    first = next(lines_of(overrepresented.shares(members, np.arange(30), np.arange(300), clusters=np.zeros(300, int))))
    assert first.standing == "unsure"


def test_a_whole_collection_is_like_itself() -> None:
    members = Members.of(codes(*"aabb" * 500))
    table = overrepresented.shares(members, np.arange(2000), np.arange(2000), clusters=np.arange(2000))
    assert table["ratio"].tolist() == [1.0, 1.0]
    assert table["standing"].tolist() == ["as", "as"]


def test_no_image_has_no_shares() -> None:
    table = overrepresented.shares(
        Members.of(codes("a", "b")), np.array([], np.int64), np.arange(2), clusters=np.arange(2)
    )
    assert not len(table)


@given(st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.3, 1.0])), max_size=20), st.integers(1, 5))
def test_precision_inside_is_the_mean_over_those_that_asked(values, patients) -> None:
    precision = np.array([math.nan if one is None else one for one in values], dtype=np.float64)
    chosen = np.arange(0, len(values), 2)
    clusters = np.arange(len(values)) % patients
    share = precision_inside.inside(precision, chosen, clusters)
    asked = [row for row in chosen.tolist() if values[row] is not None]
    assert share.n_queries == len(asked)
    assert share.n_patients == len({row % patients for row in asked})
    if asked:
        assert share.precision == pytest.approx(sum(values[row] for row in asked) / len(asked))
    else:
        assert math.isnan(share.precision)
    if share.n_patients > 1:
        assert share.low <= share.precision <= share.high
    else:
        assert math.isnan(share.low)
