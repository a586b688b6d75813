"""The table of perturbations: each is what it says, one after the other, and refuses what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import QueryError
from radcbir_core.perturbations.kinds import KINDS, Perturbation, perturbations_of, perturbed
from tests.core.perturbations.pictures import pictures


@st.composite
def any_perturbation(draw) -> Perturbation:
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    strengths = st.sampled_from([0.0, 1.0]) if kind.is_switch else st.floats(kind.low, kind.high)
    return Perturbation(kind.name, draw(strengths))


@given(pixels=pictures, one=any_perturbation())
def test_every_perturbation_gives_an_image_again_the_same_each_time(pixels, one) -> None:
    before = pixels.copy()
    made = one.apply(pixels)
    assert made.dtype == np.uint8
    assert made.ndim == pixels.ndim
    assert made.size
    if one.name != "crop":
        assert made.shape == pixels.shape
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(made, one.apply(pixels.copy()))


@pytest.mark.parametrize("name", KINDS)
@given(pixels=pictures)
def test_the_neutral_strength_changes_nothing(name, pixels) -> None:
    kind = KINDS[name]
    assert Perturbation(name, kind.neutral).apply(pixels) is pixels
    np.testing.assert_array_equal(kind.change(pixels, kind.neutral) if not kind.is_switch else pixels, pixels)


@pytest.mark.parametrize("name", KINDS)
def test_the_usual_strength_is_one_of_those_there_are_and_changes_something(name) -> None:
    kind = KINDS[name]
    assert kind.low <= kind.neutral < kind.high
    usual = Perturbation.of(name)
    assert usual == Perturbation(name, kind.usual)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    made = usual.apply(pixels)
    assert made.shape != pixels.shape or (made != pixels).any()
    assert kind.about.endswith(".")


@given(one=any_perturbation())
def test_text_and_back(one) -> None:
    again = Perturbation.of(one.text)
    assert again.name == one.name
    assert again.strength == pytest.approx(one.strength, rel=1e-5)
    assert again.text == one.text


def test_words() -> None:
    said = [Perturbation.of(text).said for text in ("crop:12.5", "invert", "invert:0", "gamma:1", "noise:3")]
    assert said == ["cropped by 12.5 %", "inverted", "as it is", "as it is", "noise of 3 %"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur", r"Expected a perturbation of flip-horizontal, .*, but perturbation = 'blur'\. Use one"),
        ("", "Expected a perturbation of"),
        ("rotate:200", "Expected a strength from -180 to 180 ° of rotate, but perturbation = 'rotate:200'. Use rotate"),
        ("gamma:0", "Expected a strength from 0.2 to 5 of gamma"),
        ("noise:much", "from 0 to 50 % of noise"),
        ("noise:nan", "from 0 to 50 % of noise"),
        ("noise:", "from 0 to 50 % of noise"),
        ("invert:0.5", "Expected a strength 0 or 1 of invert"),
    ],
)
def test_what_cannot_be_is_said(text, message) -> None:
    with pytest.raises(QueryError, match=message):
        Perturbation.of(text)


def test_several_are_done_in_the_order_of_the_table_whatever_they_are_written_in() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    chosen = perturbations_of(["text:9", "noise:5", "crop:20", "invert"])
    assert [one.name for one in chosen] == ["crop", "invert", "noise", "text"]
    expected = pixels
    for one in chosen:
        expected = one.apply(expected)
    np.testing.assert_array_equal(perturbed(pixels, chosen), expected)
    assert perturbed(pixels, ()) is pixels
    with pytest.raises(QueryError, match="Expected each kind of perturbation once, but there are crop:1 and crop:2"):
        perturbations_of(["crop:1", "crop:2"])
