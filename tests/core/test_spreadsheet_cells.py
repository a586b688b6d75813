"""Cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.spreadsheet_cells import tamed, untamed


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "\n=1"])
def test_no_cell_begins_like_a_formula(text) -> None:
    assert tamed(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "mass", "1-2", "it's", "'quoted'"])
def test_other_text_stays(text) -> None:
    assert tamed(text) == untamed(text) == text


@given(st.text("'=+-@ \t\ra", max_size=6))
def test_every_text_comes_back(text) -> None:
    assert untamed(tamed(text)) == text
