"""The check: what is highlighted, the places elsewhere, and verdicts that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.hiding import Input, embeddings_of
from radcbir_core.explanation.hiding_check import (
    Check,
    check_map,
    elsewhere,
    highlighted,
    moved,
    verdict_of,
)
from tests.core.explanation.made_encoders import PATCH, PLACES, Constant, sharing_one_place


@given(values=arrays(np.float64, (6, 7), elements=st.floats(-1, 1)), share=st.floats(0.02, 0.5))
def test_highlighted_is_what_is_highest(values, share) -> None:
    area = highlighted(values, share=share)
    if not area.any():
        assert np.ptp(values) <= 1e-5
        return
    assert values[area].min() > values[~area].max()
    least = np.sort(values.ravel())[-max(1, round(share * 42))]
    assert area.sum() >= max(1, round(share * 42)) or least == values.min()


def test_outside_nothing_is_highlighted() -> None:
    values = np.full((4, 4), np.nan)
    assert not highlighted(values).any()
    values[1:3, 1:3] = [[0, 1], [2, 3]]
    assert np.argwhere(highlighted(values, share=0.5)).tolist() == [[2, 1], [2, 2]]


@given(
    seed=st.integers(0, 99),
    seen=st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(4, 6), st.integers(4, 7)),
    count=st.integers(1, 60),
)
def test_areas_elsewhere_are_as_large_within_the_image_and_differ(seed, seen, count) -> None:
    top, left, bottom, right = seen
    area = np.zeros((6, 7), dtype=bool)
    area[top, left] = True  # at each place it is another
    made = elsewhere(area, seen, count=count, seed=bytes([seed]))
    cells = (bottom - top) * (right - left)
    assert len(made) == min(count, cells - 1)
    inside = np.zeros_like(area)
    inside[top:bottom, left:right] = True
    assert all(one.sum() == 1 and (inside | ~one).all() for one in made)
    assert len({one.tobytes() for one in [area, *made]}) == len(made) + 1
    again = elsewhere(area, seen, count=count, seed=bytes([seed]))
    assert all(np.array_equal(one, two) for one, two in zip(made, again, strict=True))


def test_a_shape_stays_as_it_is() -> None:
    area = np.zeros((5, 6), dtype=bool)
    area[[0, 1, 1], [0, 0, 1]] = True
    there = moved(area, (0, 0, 5, 6), down=3, right=2)
    assert np.argwhere(there).tolist() == [[3, 2], [4, 2], [4, 3]]
    assert np.argwhere(moved(area, (0, 0, 5, 6), down=4, right=0)).tolist() == [[0, 0], [0, 1], [4, 0]]


@pytest.mark.parametrize(
    ("drop", "others", "verdict", "beaten", "p"),
    [
        (0.5, np.arange(99) / 1000, "explains", 99, 0.01),
        (0.5, [0.6] * 4 + [0.1] * 95, "explains", 95, 0.05),
        (0.5, [0.6] * 5 + [0.1] * 94, "does not explain", 94, 0.06),
        (-0.1, [-0.2] * 99, "does not explain", 99, 0.01),
        (0.0, [0.0] * 99, "cannot tell", 0, 1.0),
        (0.0, [-0.2] * 99, "does not explain", 99, 0.01),
        (0.5, [0.1] * 3, "does not explain", 3, 0.25),
        (float("nan"), [], "cannot tell", 0, float("nan")),
    ],
)
def test_verdicts(drop, others, verdict, beaten, p) -> None:
    check = Check(drop, np.asarray(others, dtype=float), 0.1, "mean")
    assert (check.verdict, check.beaten) == (verdict, beaten)
    assert check.p == pytest.approx(p, nan_ok=True)


def test_verdicts_of_several_ways_of_hiding() -> None:
    good, bad = (Check(drop, np.arange(99) / 1000, 0.1, "mean") for drop in (0.5, 0.05))
    none = Check(float("nan"), np.zeros(0), 0, "blur")
    assert verdict_of([good, good]) == "explains"
    assert verdict_of([bad, good]) == verdict_of([good, none]) == "explains in part"
    assert verdict_of([bad, none]) == "does not explain"
    assert verdict_of([none, none]) == "cannot tell"


def test_the_planted_place_passes_and_another_fails() -> None:
    encoder = load_encoder("pixels")
    one, other = (Input.of(encoder, pixels) for pixels in sharing_one_place())
    own = embeddings_of(encoder, [one, other])
    similarity = float(own[0] @ own[1])
    top, left = PLACES[0]
    area = np.zeros((32, 32), dtype=bool)
    area[top : top + PATCH, left : left + PATCH] = True
    told = []
    found = check_map(
        encoder, one, area, other=own[1], similarity=similarity, fill="mean", told=told.append
    )  # fmt: skip
    assert (found.verdict, found.beaten, len(found.elsewhere), sum(told)) == ("explains", 99, 99, 100)
    assert found.share == pytest.approx(PATCH**2 / 32**2)
    changed = one.channels.copy()
    changed[:, area] = one.channels.mean()
    expected = similarity - float(encoder.encode_prepared(changed.reshape(1, -1))[0] @ own[1])
    assert found.drop == pytest.approx(expected, abs=1e-6)
    wrong = check_map(encoder, one, np.roll(area, 16, axis=0), other=own[1], similarity=similarity, fill="mean")
    assert wrong.verdict == "does not explain"
    empty = check_map(encoder, one, area & False, other=own[1], similarity=similarity, fill="mean")
    assert empty.verdict == "cannot tell"


def test_an_encoder_that_sees_nothing_cannot_tell() -> None:
    encoder = Constant()
    one, other = (Input.of(encoder, pixels) for pixels in sharing_one_place())
    own = embeddings_of(encoder, [one, other])
    area = np.zeros((32, 32), dtype=bool)
    area[3, 3] = True
    assert check_map(encoder, one, area, other=own[1], similarity=1.0, fill="blur").verdict == "cannot tell"


def test_an_area_at_a_random_place_passes_once_in_twenty() -> None:
    """So the check calls few things an explanation that are none: the expected share of passes is .05."""
    encoder = load_encoder("pixels")
    random = np.random.default_rng(4)
    passed = []
    for _ in range(100):
        one, other = (Input.of(encoder, random.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(2))
        own = embeddings_of(encoder, [one, other])
        area = np.zeros((32, 32), dtype=bool)
        y, x = random.integers(0, 27, 2)
        area[y : y + 5, x : x + 6] = True
        check = check_map(encoder, one, area, other=own[1], similarity=float(own[0] @ own[1]), fill="mean")
        passed.append(check.verdict == "explains")
    assert 0 < np.mean(passed) < 0.12
