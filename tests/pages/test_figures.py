"""The figures and what they are made of: texts that cannot break out, bars, clicks."""

from __future__ import annotations

import doctest
import json
import math

import numpy as np
import pandas as pd
import plotly.io
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts.frame import chart_selection, figures, palette

NASTY = '<b>x</b> &amp; $a$ <a href="http://x">link</a> %{x}'


@pytest.mark.parametrize("module", [figures, chart_selection], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(st.text())
def test_plain_text_has_no_tag_and_no_formula_and_reads_as_it_was_written(raw):
    escaped = figures.plain(raw)
    assert not set(escaped) & set("<>$")
    # Plotly reads entities as a browser does, but only once, and only those with a semicolon.
    undone = escaped.replace("&#36;", "$").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert undone == " ".join(raw.split())


@given(st.text(alphabet=st.sampled_from("ab/ -腫é"), max_size=60), st.integers(2, 20))
def test_wrapping_keeps_every_sign_and_the_width(text, width):
    lines = figures.wrapped(text, width=width)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert all(sum(2 if sign == "腫" else 1 for sign in line) <= width for line in lines)


def table(*rows):
    return pd.DataFrame(rows, columns=["label", "precision", "low", "high", "n_queries"])


def test_bars_stand_in_the_order_given_each_with_its_interval():
    figure = figures.precision_bars(
        table(("a", 0.75, 0.5, 0.875, 8), ("b", 0.25, math.nan, math.nan, 1), ("c", 0.0, 0.0, 0.0, 3)),
        k=5,
        colors={"a": "#111111"},
    )
    track, bars = figure.data
    assert bars.x.tolist() == [0.75, 0.25, 0.0]
    assert np.all(np.diff(bars.y) > 0)
    assert figure.layout.yaxis.range[0] > bars.y[-1] > bars.y[0] > figure.layout.yaxis.range[1] == 0
    assert bars.error_x.array[0] == 0.125
    assert bars.error_x.arrayminus[0] == 0.25
    assert math.isnan(bars.error_x.array[1])
    assert bars.marker.color == ("#111111", "#56B4E9", "#56B4E9")
    assert [list(data) for data in track.customdata] == [list(data) for data in bars.customdata] == [[0], [1], [2]]
    assert track.x.tolist() == [1, 1, 1], "a bar of length 0 must be clickable too"
    assert bars.hovertext == (
        "<b>a</b><br>P@5 0.750 (0.500 to 0.875)<br>8 queries",
        "<b>b</b><br>P@5 0.250<br>1 query",
        "<b>c</b><br>P@5 0.000 (0.000 to 0.000)<br>3 queries",
    )


@pytest.mark.parametrize("count", [1, 26, 161])
def test_each_label_has_room_whatever_their_number(count):
    figure = figures.precision_bars(table(*((f"label {n}", 0.5, 0.4, 0.6, 9) for n in range(count))), k=1, colors={})
    assert figure.layout.height >= 20 * count
    assert len(figure.layout.yaxis.ticktext) == count


def test_a_long_label_takes_several_lines_and_nothing_is_lost():
    label = "XR/chest/" + "very " * 20 + "long"
    short, long = (figures.precision_bars(table((text, 1, 1, 1, 1)), k=1, colors={}) for text in ("a", label))
    shown = long.layout.yaxis.ticktext[0]
    assert shown.count("<br>") >= 2
    assert shown.replace("<br>", "").replace(" ", "") == label.replace(" ", "")
    assert long.layout.height > short.layout.height
    assert max(map(len, shown.split("<br>"))) * 6 < long.layout.margin.l


def test_labels_enter_no_figure_as_markup():
    figure = figures.precision_bars(table((NASTY, 1, 1, 1, 1)), k=1, colors={})
    sent = json.dumps(json.loads(plotly.io.to_json(figure)))
    assert "&lt;b&gt;x&lt;/b&gt; &amp;amp; &#36;a&#36;" in sent
    for tag in ("<b>x", "<a ", "$a$"):
        assert tag not in sent


def test_the_scale_grows_lighter_all_the_way_and_stands_out_from_the_ground():
    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    steps = [luminance(color) for _, color in figures.SCALE]
    assert steps == sorted(steps)
    assert (steps[0] + 0.05) / (luminance(palette.GROUND) + 0.05) > 3  # WCAG 2.2, 1.4.11: graphics, at least 3 to 1


@pytest.mark.parametrize("customdata", [[7], 7, {"0": 7}, (7,)])
def test_a_click_in_a_chart_is_the_row_of_its_point(customdata):
    clicked = {"selection": {"points": [{"customdata": customdata}, {"customdata": customdata}]}}
    assert chart_selection.rows_clicked(clicked) == (7,)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "text",
        {},
        {"selection": None},
        {"selection": {"points": "x"}},
        {"selection": {"points": ["x", {"customdata": []}, {"customdata": [-1]}, {"customdata": [True]}]}},
        {"selection": {"points": [{"customdata": ["1"]}, {}]}},
    ],
)
def test_what_is_no_click_is_no_row(sent):
    assert chart_selection.rows_clicked(sent) == ()
