"""One window for all slices, and what is concluded from values: Hounsfield units, maps of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from radcbir_core.images.decoded_image import Limits, Window
from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.display.grayscale import window_shades
from radcbir_core.images.nifti.header import read_header
from radcbir_core.images.nifti.look import look_of, seems_hounsfield, seems_labels
from tests.core.images.nifti_files import nifti_bytes

CT = np.concatenate([np.full(4000, -1000), np.random.default_rng(0).normal(40, 20, 5000), np.full(1000, 900)])
MR = np.concatenate([np.zeros(5000), np.random.default_rng(0).normal(600, 90, 5000)])


def header_of(dtype=np.int16, **fields):
    return read_header(nifti_bytes(np.zeros((3, 3, 3), dtype), **fields)[:540], request=Request("a", None, Limits()))


@pytest.mark.parametrize(
    ("values", "is_ct"),
    [
        (CT, True),
        (np.append(CT, [-3024.0] * 5000), True),  # beyond the scanner's circle
        (CT + 1024, False),  # without its intercept
        (MR, False),
        ((MR - MR.mean()) / MR.std(), False),
        (np.append(CT, [9000.0] * 1000), False),
        (np.array([]), False),
    ],
)
def test_what_seems_to_be_a_ct(values, is_ct) -> None:
    assert seems_hounsfield(values) is is_ct


def test_a_ct_has_one_window_and_says_that_it_is_a_guess() -> None:
    look = look_of(CT.astype(np.int16), header_of())
    assert (look.window, look.unit) == (Window(40, 400, "volume"), "HU")
    assert "is a guess" in look.remark
    stored = (CT + 1024).astype(np.int16)
    assert look_of(stored, header_of()).unit == ""
    assert look_of(stored, header_of(intercept=-1024)).unit == "HU"


def test_others_go_from_the_one_to_the_other_percentile_of_the_volume() -> None:
    look = look_of(MR, header_of(np.float64))
    low, high = np.percentile(MR, [0.1, 99.9])
    assert look.window is not None
    assert window_shades(np.array([low, (low + high) / 2, high]), look.window).tolist() == [0, 128, 255]
    assert (look.window.source, look.remark, look.seems_labels) == ("volume", "", False)


def test_the_header_s_own_range_counts_and_bytes_are_shades() -> None:
    asked = look_of(MR, header_of(np.float64, cal_min=100, cal_max=900))
    assert asked.window is not None
    assert (asked.window.source, asked.window.center, asked.window.width) == ("header", 500.5, 801)
    assert look_of(np.arange(200, dtype=np.uint8), header_of(np.uint8)).window is None
    assert look_of(np.arange(200, dtype=np.uint8), header_of(np.uint8, slope=0.5)).window is not None


@given(arrays.arrays(np.float32, st.integers(1, 40)))
def test_whatever_the_values_there_is_a_window_that_shows_something(values) -> None:
    with np.errstate(all="ignore"):
        look = look_of(values, header_of(np.float32))
    assert look.window is not None
    assert look.window.width >= 1
    assert np.isfinite(look.window.center)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.repeat([0, 1, 4], 3000), True),
        (np.repeat([0.0, 1.0], 3000), True),
        (np.repeat([0, 1], 100), False),  # too few voxels to tell
        (np.repeat([0, 300], 3000), False),
        (np.repeat([1, 2], 3000), False),
        (np.repeat([0, 0.5], 3000), False),
        (np.zeros(9000), False),
        (np.arange(9000) % 33, False),
    ],
)
def test_what_seems_to_be_a_map_of_labels(values, labels) -> None:
    assert seems_labels(values) is labels
    assert look_of(values, header_of(np.float64)).seems_labels is labels
    assert look_of(MR, header_of(np.float64, intent_code=1002)).seems_labels
