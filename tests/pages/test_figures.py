"""The figures and what they are made of: texts that cannot break out, bars, points, colors, selections, shares."""

from __future__ import annotations

import doctest
import json
import math

import numpy as np
import pandas as pd
import plotly.io
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pages.parts.frame import chart_selection, figures, palette
from pages.parts.frame.chart_selection import Region
from pages.parts.map import coloring, overrepresented, points
from pages.parts.map.coloring import Members
from radcbir_core.collections.manifest import COLUMNS, Codes, Manifest

NASTY = '<b>x</b> &amp; $a$ <a href="http://x">link</a> %{x}'


@pytest.mark.parametrize("module", [figures, coloring, chart_selection], ids=lambda module: module.__name__)
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
    group = figures.Group(NASTY, np.array([0]), "#111111", "circle")
    place = np.zeros(1, np.float32)
    row = np.zeros(1, np.int64)
    drawn = figures.map_of_groups(place, place, row, [figures.hover_line(NASTY)], [group], title=NASTY)
    bars = figures.precision_bars(table((NASTY, 1, 1, 1, 1)), k=1, colors={})
    for figure in (drawn, bars):
        sent = json.dumps(json.loads(plotly.io.to_json(figure)))
        assert "&lt;b&gt;x&lt;/b&gt; &amp;amp; &#36;a&#36;" in sent
        for tag in ("<b>x", "<a ", "$a$"):
            assert tag not in sent


def places(count):
    grid = np.arange(count, dtype=np.float32)
    return grid, grid * 2, np.arange(count, dtype=np.int64) + 100, [f"point {n}" for n in range(count)]


def test_groups_of_one_name_are_two_groups():
    groups = [figures.Group("1 others", np.array([n, n + 2]), "#111111", "circle") for n in range(2)]
    figure = figures.map_of_groups(*places(4), groups, title="t")
    assert [trace.customdata[:, 0].tolist() for trace in figure.data] == [[100, 102], [101, 103]]


def test_every_point_is_drawn_once_and_carries_its_row():
    groups = [
        figures.Group("b", np.array([0, 3]), "#111111", "circle"),
        figures.Group("rest", np.array([1]), "#222222", "circle", known=False),
        figures.Group("a", np.array([2]), "#333333", "square"),
    ]
    x, y, rows, hover = places(4)
    figure = figures.map_of_groups(x, y, rows, hover, groups, title="Anatomy")
    assert [trace.type for trace in figure.data] == ["scattergl"] * 3
    assert figure.data[0].name == "rest", "points without a category lie below the others"
    ranks = {trace.name: trace.legendrank for trace in figure.data}
    assert ranks["b"] < ranks["rest"] < ranks["a"], "the legend has the order given"
    seen = {}
    for trace in figure.data:
        for row, text, across, up in zip(trace.customdata[:, 0], trace.hovertext, trace.x, trace.y, strict=True):
            seen[int(row)] = (text, float(across), float(up))
    assert seen == {100 + n: (f"point {n}", n, 2 * n) for n in range(4)}
    assert figure.layout.showlegend, "of a single category, too"
    assert figure.layout.legend.itemclick is False
    assert figure.layout.dragmode == "lasso"


def test_numbers_have_a_scale_and_points_without_one_are_rings_below():
    x, y, rows, hover = places(3)
    figure = figures.map_of_values(x, y, rows, hover, np.array([0.2, np.nan, 1.0]), title="P@10", note="full label")
    none, known = figure.data
    assert none.customdata.tolist() == [[101]]
    assert none.marker.symbol == figures.NO_SIGN
    assert known.customdata.tolist() == [[100], [102]]
    assert known.marker.color.tolist() == [0.2, 1.0]
    assert (known.marker.cmin, known.marker.cmax) == (0, 1)
    assert "P@10" in known.marker.colorbar.title.text
    assert "full label" in known.marker.colorbar.title.text
    assert not known.showlegend


def test_the_scale_grows_lighter_all_the_way_and_stands_out_from_the_ground():
    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    steps = [luminance(color) for _, color in figures.SCALE]
    assert steps == sorted(steps)
    assert (steps[0] + 0.05) / (luminance(palette.GROUND) + 0.05) > 3  # WCAG 2.2, 1.4.11: graphics, at least 3 to 1


def test_the_query_is_a_ring_with_a_legend_entry_that_hides_no_point():
    x, y, rows, hover = places(2)
    group = figures.Group("a", np.array([0, 1]), "#111111", "circle")
    without = figures.map_of_groups(x, y, rows, hover, [group], title="t")
    figure = figures.map_of_groups(x, y, rows, hover, [group], title="t", mark=figures.Mark(1.0, 2.0))
    rings = figure.data[len(without.data) :]
    assert [list(ring.x) + list(ring.y) for ring in rings] == [[1.0, 2.0]] * len(rings)
    assert [ring.name for ring in rings if ring.showlegend] == ["current query"]
    assert all(ring.hoverinfo == "skip" and ring.marker.symbol == "circle-open" for ring in rings)
    assert rings[-1].marker.size > 2 * figure.data[0].marker.size


def test_a_chart_can_start_with_a_selection():
    x, y, rows, hover = places(2)
    group = figures.Group("a", np.array([0, 1]), "#111111", "circle")
    outlines = [
        chart_selection.as_layout(Region("box", (0, 1), (0, 2))),
        chart_selection.as_layout(Region("lasso", (0, 1, 1), (0, 0, 1))),
    ]
    figure = figures.map_of_groups(x, y, rows, hover, [group], title="t", outlines=outlines)
    assert [shape.type for shape in figure.layout.selections] == ["rect", "path"]
    assert figure.layout.selections[1].path == "M0,0L1,0L1,1Z"


def codes(*values):
    names = tuple(sorted({value for value in values if value}))
    return Codes(names, np.array([names.index(value) if value else -1 for value in values], np.int32))


def test_the_most_frequent_values_have_a_look_of_their_own_and_the_rest_is_named():
    values = [f"v{n:02d}" for n in range(15) for _ in range(20 - n)] + [""]
    members = Members.of(codes(*values))
    groups, said = coloring.groups_of("dataset", members, np.arange(len(values)))
    own = [group for group in groups if group.known]
    assert [group.name for group in own] == [f"v{n:02d}" for n in range(12)]
    assert len({(group.color, group.symbol) for group in own}) == 12
    assert len({group.symbol for group in own}) == 12, "color never stands alone"
    assert [group.name for group in groups[12:]] == ["3 others", "no dataset"]
    assert "12 most frequent of 15 values" in said
    assert sorted(np.concatenate([group.members for group in groups])) == list(range(len(values)))


def test_a_single_value_beyond_the_most_frequent_is_called_by_its_name():
    values = [f"v{n:02d}" for n in range(13) for _ in range(20 - n)]
    groups, said = coloring.groups_of("dataset", Members.of(codes(*values)), np.arange(len(values)))
    assert [group.name for group in groups[12:]] == ["v12"]
    assert not said, "nothing shares a look"


def test_colors_and_signs_stay_what_they_are_under_a_filter():
    members = Members.of(codes("a", "a", "a", "b", "b", "c"))
    everything, _ = coloring.groups_of("split", members, np.arange(6))
    filtered, said = coloring.groups_of("split", members, np.array([3, 5]))
    looks = {group.name: (group.color, group.symbol) for group in everything}
    assert {group.name: (group.color, group.symbol) for group in filtered} == {name: looks[name] for name in "bc"}
    assert not said


def test_a_modality_has_the_color_it_has_everywhere():
    groups, _ = coloring.groups_of("modality", Members.of(codes("US", "CT", "CT")), np.arange(3))
    assert {group.name: group.color for group in groups} == {"CT": "#E69F00", "US": "#D98CB8"}


def test_an_image_with_several_pathologies_is_of_neither():
    members = Members(("a", "b"), np.array([0, 1, 1, 3]), np.array([0, 0, 1, 1], np.int32), 4)
    groups, _ = coloring.groups_of("pathologies", members, np.arange(4))
    assert {group.name: group.members.tolist() for group in groups} == {
        "a": [0],
        "b": [3],
        "several at once": [1],
        "not labeled": [2],
    }


def manifest(count, **columns):
    data = {name: [""] * count for name in COLUMNS}
    data |= {"image_id": [f"id{n}" for n in range(count)], "pathologies": [[]] * count}
    data |= {"width": [1] * count, "height": [1] * count, "duplicate_group": [-1] * count, **columns}
    arrays = {
        name: pa.array(values, pa.list_(pa.string()) if name == "pathologies" else None)
        for name, values in data.items()
    }
    return Manifest(pa.table(arrays), digest="x")


def projection(count):
    return pd.DataFrame(
        {"x": np.arange(count, dtype="f4"), "y": np.zeros(count, "f4"), "preservation": np.full(count, 0.5)}
    )


def test_points_are_the_placed_images_that_pass_the_filter():
    known = manifest(4, modality=["CT", "CT", "MR", "CT"], pathologies=[["<b>"], [], [], ["a", "b"]])
    places = projection(4)
    places.loc[1, ["x", "y", "preservation"]] = np.nan
    found = points.points_of(known, places, {"modality": ["CT"]})
    assert found.rows.tolist() == [0, 3]
    assert found.x.tolist() == [0, 3]
    assert found.drawn.tolist() == [0, 1]
    assert found.hover[0].split("<br>")[:3] == ["<b>id0</b>", "CT", "&lt;b&gt;"]
    assert "a, b" in found.hover[1]
    assert found.preservation == 0.5
    assert points.points_of(known, places, {}).rows.tolist() == [0, 2, 3]


def test_a_sample_is_drawn_of_too_many_points_always_the_same():
    first, second = (points.points_of(manifest(50), projection(50), {}, most=20) for _ in range(2))
    assert len(first.rows) == 50
    assert len(first.drawn) == len(first.hover) == 20
    assert first.drawn.tolist() == second.drawn.tolist() == sorted(set(first.drawn.tolist()))
    assert first.hover[7].startswith(f"<b>id{first.rows[first.drawn[7]]}</b>")


def test_a_map_without_a_place_for_anyone_has_no_points():
    empty = projection(2)
    empty[:] = np.nan
    found = points.points_of(manifest(2), empty, {})
    assert not len(found.rows)
    assert math.isnan(found.preservation)


def event(points=(), box=(), lasso=()):
    return {"selection": {"points": list(points), "point_indices": [], "box": list(box), "lasso": list(lasso)}}


def test_an_event_with_outlines_is_its_outlines():
    square = {"xref": "x", "yref": "y", "x": [0.00049, 1, 1, 0, 0.00049], "y": [0, 0, 1, 1, 0]}
    found = chart_selection.from_event(event([{"customdata": [3]}], box=[{"x": [2, -1], "y": [5, 4]}], lasso=[square]))
    assert found.regions == (Region("box", (-1, 2), (4, 5)), Region("lasso", (0, 1, 1, 0), (0, 0, 1, 1)))
    assert found.rows == ()


@pytest.mark.parametrize("customdata", [[7], 7, {"0": 7}, (7,)])
def test_an_event_without_outlines_is_the_points_that_were_clicked(customdata):
    found = chart_selection.from_event(event([{"customdata": customdata}, {"customdata": customdata}]))
    assert found == chart_selection.Selection(rows=(7,))


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "text",
        {},
        {"selection": None},
        {"selection": {"points": "x", "box": 3, "lasso": None}},
        event(["x", {"customdata": []}, {"customdata": [-1]}, {"customdata": [True]}, {"customdata": ["1"]}]),
        event(box=[{"x": [0, math.nan], "y": [0, 1]}, {"x": [0], "y": [1]}, {"x": [0, 1, 2], "y": [0, 1, 2]}, None]),
        event(
            lasso=[{"x": [0, 1], "y": [0, 1]}, {"x": [0, 1, 2], "y": [0, 1]}, {"x": [0, 1, 10**400], "y": [0, 1, 2]}]
        ),
    ],
)
def test_what_is_no_selection_selects_nothing(sent):
    assert chart_selection.from_event(sent) == chart_selection.Selection()


coordinates = st.floats(-1000, 1000).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=30, unique=True))
def test_a_lasso_survives_the_url(corners):
    shape = {"x": [x for x, _ in corners], "y": [y for _, y in corners]}
    (region,) = chart_selection.from_event(event(lasso=[shape])).regions
    assert list(zip(region.x, region.y, strict=True)) == corners
    assert chart_selection.from_text(chart_selection.to_text(region)) == region


@given(coordinates, coordinates, coordinates, coordinates)
def test_a_box_survives_the_url(a, b, c, d):
    (region,) = chart_selection.from_event(event(box=[{"x": [a, b], "y": [c, d]}])).regions
    assert chart_selection.from_text(chart_selection.to_text(region)) == region


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box",
        "box:",
        "box:1,2",
        "box:1,2,3",
        "box:a,b,c,d",
        "circle:0,0,1,1",
        "lasso:0,0,1,1",
        "lasso:0,0,1,1,inf,2",
        "box:1e9,0,1,1",
    ],
)
def test_a_text_that_is_no_region_is_none(text):
    assert chart_selection.from_text(text) is None


def test_a_lasso_of_a_thousand_corners_keeps_few_and_selects_nearly_the_same():
    angle = np.linspace(0, 2 * np.pi, 1000)
    (region,) = chart_selection.from_event(
        event(lasso=[{"x": np.cos(angle).tolist(), "y": np.sin(angle).tolist()}])
    ).regions
    assert len(region.x) == chart_selection.CORNERS
    x, y = np.random.default_rng(0).uniform(-1.2, 1.2, (2, 20_000))
    exact = np.hypot(x, y) < 1
    assert (chart_selection.inside([region], x, y) != exact).mean() < 0.005


def winding_says_inside(corners, px, py):
    """An independent oracle: the sum of the angles under which a point sees the edges."""
    total = 0.0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        a, b = math.atan2(y0 - py, x0 - px), math.atan2(y1 - py, x1 - px)
        total += (b - a + math.pi) % (2 * math.pi) - math.pi
    return abs(total) > math.pi


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_points_inside_a_lasso_agree_with_a_slow_oracle(seed, count):
    random = np.random.default_rng(seed)
    # Corners in the order of their angles: an outline that does not cross itself.
    angle, radius = np.sort(random.uniform(0, 2 * np.pi, count)), random.uniform(0.2, 1, count)
    corners = list(zip((radius * np.cos(angle)).tolist(), (radius * np.sin(angle)).tolist(), strict=True))
    region = Region("lasso", tuple(x for x, _ in corners), tuple(y for _, y in corners))
    x, y = random.uniform(-1, 1, (2, 50))
    assert chart_selection.inside([region], x, y).tolist() == [
        winding_says_inside(corners, *p) for p in zip(x, y, strict=True)
    ]


def test_a_point_in_any_region_is_selected_and_one_without_a_place_in_none():
    x, y = np.array([0.5, 5.5, 9, np.nan], np.float32), np.array([0.5, 5.5, 9, 0.5], np.float32)
    two = [Region("box", (0, 1), (0, 1)), Region("lasso", (5, 6, 6, 5), (5, 5, 6, 6))]
    assert chart_selection.inside(two, x, y).tolist() == [True, True, False, False]
    assert chart_selection.inside([], x, y).tolist() == [False] * 4


def test_shares_name_what_is_over_represented_first():
    # Of eight images four are a, two are b, one is both, one is nothing; selected: a, b, both.
    members = Members(("a", "b"), np.array([0, 1, 2, 3, 4, 5, 6, 6]), np.array([0, 0, 0, 0, 1, 1, 0, 1], np.int32), 8)
    found = overrepresented.shares(members, np.array([0, 4, 6]), np.arange(8))
    assert found["value"].tolist() == ["b", "a", ""]
    assert found["selected"].tolist() == [2, 2, 0]
    assert found["share"].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert found["base"].tolist() == pytest.approx([3 / 8, 5 / 8, 1 / 8])
    assert found["ratio"].tolist() == pytest.approx([16 / 9, 16 / 15, 0])


def test_shares_compare_with_the_points_that_pass_the_filter():
    members = Members.of(codes("a", "a", "b", ""))
    found = overrepresented.shares(members, np.array([0]), np.array([0, 1]))
    assert found.to_dict("list") == {"value": ["a"], "selected": [1], "share": [1.0], "base": [1.0], "ratio": [1.0]}


def test_shares_that_are_no_larger_than_those_of_all_come_by_frequency():
    members = Members.of(codes(*"aabbbccccccd"))
    found = overrepresented.shares(members, np.arange(12), np.arange(12))
    assert found["value"].tolist() == ["c", "b", "a", "d"]
    assert found["ratio"].tolist() == [1.0] * 4
