"""Groups around a middle, against a slow oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.near_duplicates import grouping as module
from radcbir_core.near_duplicates.grouping import across, middles, numbered

IMAGES = 9
pairs_of = st.sets(
    st.tuples(st.integers(0, IMAGES - 1), st.integers(0, IMAGES - 1)).filter(lambda pair: pair[0] < pair[1])
)


def keys_of(pairs) -> np.ndarray:
    return np.array(sorted(low * IMAGES + high for low, high in pairs), dtype=np.int64)


def slow_middles(pairs) -> list[int]:
    agreeing = {row: {b for a, b in pairs if a == row} | {a for a, b in pairs if b == row} for row in range(IMAGES)}
    middle = [-1] * IMAGES
    for row in sorted(range(IMAGES), key=lambda row: -len(agreeing[row])):
        left = [other for other in sorted(agreeing[row]) if middle[other] < 0]
        if middle[row] < 0 and left:
            for member in (row, *left):
                middle[member] = row
    return middle


@given(pairs_of)
def test_groups_are_those_of_the_oracle_and_every_member_agrees_with_the_middle(pairs) -> None:
    middle = middles(keys_of(pairs), images=IMAGES)
    assert middle.tolist() == slow_middles(pairs)
    for row, center in enumerate(middle.tolist()):
        assert center in {-1, row} or (min(row, center), max(row, center)) in pairs


def test_a_chain_is_cut() -> None:
    chain = {(row, row + 1) for row in range(IMAGES - 1)}
    sizes = np.unique(middles(keys_of(chain), images=IMAGES), return_counts=True)[1]
    assert sizes.max() == 3


def test_a_group_has_a_largest_size(monkeypatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 4)
    everybody = {(low, high) for high in range(IMAGES) for low in range(high)}
    # The ninth agrees with all others, which have their group.
    assert middles(keys_of(everybody), images=IMAGES).tolist() == [0, 0, 0, 0, 4, 4, 4, 4, -1]


@given(pairs_of)
def test_what_is_asked_again_joins_a_picture_and_a_middle_of_another_group(pairs) -> None:
    keys = keys_of(pairs)
    middle = middles(keys, images=IMAGES)
    asked = set()
    for low, high in pairs:
        if middle[low] != middle[high]:
            for one, center in ((low, middle[high]), (high, middle[low])):
                if center >= 0 and one != center:
                    asked.add((min(one, center), max(one, center)))
    assert across(keys, middle).tolist() == keys_of(asked).tolist()


@given(st.lists(st.integers(-1, 6), max_size=12))
def test_numbers_have_no_gaps_and_nobody_is_a_group_alone(codes) -> None:
    result = numbered(np.array(codes, dtype=np.int64)).tolist()
    several = [code for code in codes if code >= 0 and codes.count(code) > 1]
    order = {code: place for place, code in enumerate(dict.fromkeys(several))}
    assert result == [order.get(code, -1) for code in codes]
