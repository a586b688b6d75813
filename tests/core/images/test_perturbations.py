"""Perturbations: what each does by hand, and what all keep: channels, type, determinism, and nothing at none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radcbir_core.errors import QueryError
from radcbir_core.images.perturbations import PERTURBATIONS, Step, perturbed

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(lambda size: st.sampled_from([size, (*size, 3)]))
IMAGES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape))
RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)


@pytest.mark.parametrize("name", PERTURBATIONS)
@given(pixels=IMAGES, share=st.floats(0, 1))
def test_it_stays_an_image_and_is_the_same_each_time(name, pixels, share) -> None:
    kind = PERTURBATIONS[name]
    strength = kind.low + share * (kind.high - kind.low) if kind.graded else round(share)
    before = pixels.copy()
    changed = Step(kind, strength)(pixels)
    assert changed.dtype == np.uint8
    assert changed.ndim == pixels.ndim
    assert changed.size
    assert changed.shape[2:] == pixels.shape[2:]
    np.testing.assert_array_equal(changed, Step(kind, strength)(pixels))
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(Step(kind, kind.none)(pixels), pixels)


@pytest.mark.parametrize("name", ["flip", "upside-down", "invert"])
@given(pixels=IMAGES)
def test_twice_is_nothing(name, pixels) -> None:
    np.testing.assert_array_equal(perturbed(pixels, [Step.of(name)] * 2), pixels)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_at_its_usual_strength_it_does_something(name) -> None:
    kind = PERTURBATIONS[name]
    assert kind.low <= kind.usual <= kind.high
    assert kind.low <= kind.none <= kind.high
    assert not np.array_equal(
        Step.of(name)(np.repeat(np.repeat(RAMP, 8, 0), 8, 1)), np.repeat(np.repeat(RAMP, 8, 0), 8, 1)
    )
    assert Step.of(Step.of(name).word) == Step.of(name)


def test_by_hand() -> None:
    assert Step.of("crop:40")(RAMP).tolist() == RAMP[2:-2, 2:-2].tolist()
    assert Step.of("scale:50")(RAMP).shape == (5, 6)
    assert Step.of("rotate:180")(RAMP).tolist() == RAMP[::-1, ::-1].tolist()
    gray = np.array([[0, 51, 128, 204, 255]], dtype=np.uint8)
    assert Step.of("window:40")(gray).tolist() == [[0, 0, 128, 255, 255]]
    assert Step.of("gamma:2")(gray).tolist() == [[0, 10, 64, 163, 255]]
    flat = np.full((200, 200), 128, dtype=np.uint8)
    assert Step.of("noise:5")(flat).std() == pytest.approx(12.75, rel=0.05)
    assert not np.array_equal(Step.of("noise:5")(flat) - 128.0, Step.of("noise:5")(flat + 1) - 129.0), "by content"
    written = Step.of("text:10")(np.zeros((200, 300, 3), dtype=np.uint8))
    assert written[:40].max() == 255
    assert not written[40:].any()
    assert 10 <= np.ptp(np.flatnonzero(written.any(axis=(1, 2)))) <= 20


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("blur", "Expected a perturbation of flip, "),
        ("rotate:200", "from -180 to 180, but perturbation = 'rotate:200'"),
        ("rotate:x", "from -180 to 180"),
        ("rotate:nan", "from -180 to 180"),
        ("rotate:", "from -180 to 180"),
        ("flip:0.5", "from 0 to 1"),
    ],
)
def test_nonsense_is_refused(word, said) -> None:
    with pytest.raises(QueryError, match=said):
        Step.of(word)
