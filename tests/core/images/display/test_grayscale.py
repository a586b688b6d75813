"""The gray pipeline against the standard's formulas, computed slowly, exactly and one value at a time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.images.decoded_image import Window
from radcbir_core.images.display.grayscale import LookupTable, Rescale, full_range, to_display, window_shades


def brightness_by_the_standard(value: float, center: float, width: float, function: str) -> float | Fraction:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3, with an output range of 0 to 1, branch by branch as printed there."""
    x, c, w = Fraction(value), Fraction(center), Fraction(width)
    if function == "linear":
        half = Fraction(1, 2)
        if x <= c - half - (w - 1) / 2:
            return Fraction(0)
        if x > c - half + (w - 1) / 2:
            return Fraction(1)
        return (x - (c - half)) / (w - 1) + half
    if function == "linear exact":
        if x <= c - w / 2:
            return Fraction(0)
        if x > c + w / 2:
            return Fraction(1)
        return (x - c) / w + Fraction(1, 2)
    return 1 / (1 + math.exp(min(700.0, float(-4 * (x - c) / w))))


def agree(shade: int, brightness: float | Fraction) -> bool:
    """Whether a shade is the brightness, rounded; either neighbor will do where it is half-way for float64."""
    exact = float(brightness) * 255
    return abs(shade - exact) <= 0.5 + 1e-6


quarters = st.integers(-8000, 8000).map(lambda number: number / 4)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(quarters, min_size=1, max_size=20),
    center=quarters,
    width=st.integers(4, 16000).map(lambda number: number / 4),
    function=st.sampled_from(["linear", "linear exact", "sigmoid"]),
)
def test_window_is_the_standards(values: list[float], center: float, width: float, function: str) -> None:
    shades = window_shades(np.array(values), Window(center, width, "header", function))
    assert shades.dtype == np.uint8
    for value, shade in zip(values, shades.tolist(), strict=True):
        assert agree(shade, brightness_by_the_standard(value, center, width, function))


def test_a_window_of_width_1_is_a_step() -> None:
    shades = window_shades(np.array([99.0, 99.5, 99.50001, 100.0]), Window(100, 1, "header"))
    assert shades.tolist() == [0, 0, 255, 255]


def test_a_window_by_hand() -> None:
    # PS3.3 C.11.2.1.2.1, note 3: center 2048 and width 4096 spread 12 bits over the whole output range.
    assert window_shades(np.array([0.0, 2047.5, 4095.0]), Window(2048, 4096, "header")).tolist() == [0, 128, 255]


def test_nan_is_black_and_infinities_are_the_ends() -> None:
    values = np.array([math.nan, -math.inf, math.inf, 5.0])
    for function in ("linear", "linear exact", "sigmoid"):
        assert window_shades(values, Window(5, 2, "header", function)).tolist()[:3] == [0, 0, 255]


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(-40, 40),
    entries=st.lists(st.integers(0, 4095), min_size=1, max_size=30),
    values=st.lists(st.integers(-100, 100), min_size=1, max_size=30),
)
def test_table_clamps_at_both_ends(first: int, entries: list[int], values: list[int]) -> None:
    table = LookupTable(first, 12, np.array(entries, dtype=np.uint16))
    expected = []
    for value in values:  # PS3.3 C.11.1.1.1, as printed
        if value < first:
            expected.append(entries[0])
        elif value >= first + len(entries):
            expected.append(entries[-1])
        else:
            expected.append(entries[value - first])
    assert table(np.array(values, dtype=np.int16)).tolist() == expected
    shades = table.shades(np.array(values, dtype=np.int16))
    assert all(agree(shade, Fraction(entry, 4095)) for shade, entry in zip(shades.tolist(), expected, strict=True))
    assert table.window == Window(first + len(entries) / 2, len(entries), "voi lut", "table")


@settings(max_examples=60, deadline=None)
@given(lowest=st.integers(-70000, 70000), extent=st.integers(0, 70000))
def test_full_range_reaches_from_black_to_white(lowest: int, extent: int) -> None:
    ends = np.array([lowest, lowest + extent], dtype=np.float64)
    shades = window_shades(ends, full_range(*ends))
    assert shades.tolist() == ([0, 255] if extent else [0, 0])


KINDS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    slope=st.sampled_from([1.0, 0.5, -2.0]),
    inverted=st.booleans(),
    padded=st.booleans(),
    windowed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_display_of_each_pixel(
    kind: str, slope: float, inverted: bool, padded: bool, windowed: bool, seed: int
) -> None:
    stored = np.random.default_rng(seed).integers(-100, 100, (5, 7)).astype(kind)
    padding = (float(stored[0, 0]), float(stored[0, 0]) + 9) if padded else None
    voi = Window(20, 120, "header") if windowed else None
    shades, window = to_display(stored, modality=Rescale(slope, 3.0), voi=voi, padding=padding, inverted=inverted)

    kept = [v for v in stored.reshape(-1).tolist() if padding is None or not padding[0] <= v <= padding[1]]
    rescaled = [slope * v + 3 for v in kept or stored.reshape(-1).tolist()]
    expected = voi or full_range(min(rescaled), max(rescaled))
    assert window == expected
    for value, shade in zip(stored.reshape(-1).tolist(), shades.reshape(-1).tolist(), strict=True):
        if padding is not None and padding[0] <= value <= padding[1]:
            assert shade == 0
        else:
            light = brightness_by_the_standard(slope * value + 3, expected.center, expected.width, "linear")
            assert agree(255 - shade if inverted else shade, light)


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("windowed", [True, False])
def test_the_table_for_many_pixels_gives_what_few_pixels_give(kind: str, windowed: bool) -> None:
    bits = np.iinfo(kind)
    stored = np.random.default_rng(1).integers(bits.min, bits.max, (300, 301), dtype=kind, endpoint=True)
    stored[0, 0], stored[0, 1] = bits.min, bits.max
    options = {
        "modality": Rescale(0.25, -7.0),
        "voi": Window(10, 60, "header") if windowed else None,
        "padding": (3.0, 8.0),
        "inverted": True,
    }
    whole, window = to_display(stored, **options)
    parts = [to_display(stored[row : row + 1], **{**options, "voi": window})[0] for row in range(0, 300, 7)]
    assert np.array_equal(whole[::7], np.concatenate(parts))


def test_full_range_leaves_out_what_is_not_a_number() -> None:
    stored = np.array([[math.nan, math.inf, -5.0, 10.0]])
    shades, window = to_display(stored, modality=Rescale(), voi=None)
    assert window == Window(3.0, 16.0, "full range")
    assert shades.tolist() == [[0, 255, 0, 255]]


def test_nothing_to_see_is_black() -> None:
    nothing = np.full((2, 2), math.nan)
    assert to_display(nothing, modality=Rescale(), voi=None)[0].tolist() == [[0, 0], [0, 0]]
    only_padding = np.full((2, 2), 7, dtype=np.int16)
    shades, _ = to_display(only_padding, modality=Rescale(), voi=None, padding=(7.0, 7.0), inverted=True)
    assert shades.tolist() == [[0, 0], [0, 0]]
