"""What the map is made of: points, their order, colors, and outlines, each beside a slow oracle."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pages.parts.frame import palette
from pages.parts.images import map_selection, outlines
from pages.parts.images.outlines import Outline
from pages.parts.map import chart, coloring, column_values, layout, points, sent_bytes
from pages.parts.map.coloring import Members
from pages.parts.map.layout import layout_of
from pages.parts.map.point_colors import NO_NUMBER
from radcbir_core.collections.manifests.manifest import COLUMNS, Codes, Manifest


@pytest.mark.parametrize(
    "module", [coloring, column_values, layout, map_selection, outlines, sent_bytes], ids=lambda module: module.__name__
)
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


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
    known = manifest(4, modality=["CT", "CT", "MR", "CT"])
    places = projection(4)
    places.loc[1, ["x", "y", "preservation"]] = np.nan
    found = points.points_of(known, places, {"modality": ["CT"]})
    assert found.rows.tolist() == [0, 3]
    assert found.preservation == 0.5
    assert points.points_of(known, places, {}).rows.tolist() == [0, 2, 3]


def test_a_map_without_a_place_for_anyone_has_no_points():
    empty = projection(2)
    empty[:] = np.nan
    found = points.points_of(manifest(2), empty, {})
    assert not len(found.rows)
    assert math.isnan(found.preservation)
    assert not len(layout_of(empty["x"].to_numpy(), empty["y"].to_numpy()).rows)


# --- The order in which the browser has them ---


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 300), st.floats(0.001, 1000))
def test_each_placed_image_is_sent_once_sorted_by_its_cell_to_half_a_step(seed, count, size):
    random = np.random.default_rng(seed)
    x, y = random.normal(0, size, (2, count)).astype(np.float32)
    x[random.random(count) < 0.2] = np.nan
    found = layout_of(x, y)
    assert sorted(found.rows.tolist()) == np.flatnonzero(~np.isnan(x)).tolist()
    if not len(found.rows):
        return
    sent = np.frombuffer(found.sent, "<i2").reshape(2, -1)
    back = sent * found.step + np.array(found.origin)[:, None]
    assert np.abs(back - np.stack([x, y])[:, found.rows]).max() <= found.step * 0.51
    cells = ((sent[1].astype(int) + 32768) // 256) * 256 + (sent[0].astype(int) + 32768) // 256
    assert (np.diff(cells) >= 0).all()
    codes = random.integers(0, 256, count).astype(np.uint8)
    assert np.frombuffer(found.codes(codes), np.uint8).tolist() == codes[found.rows].tolist()
    chosen = random.random(count) < 0.5
    bits = np.unpackbits(np.frombuffer(found.mask(chosen), np.uint8))[: len(found.rows)]
    assert bits.astype(bool).tolist() == chosen[found.rows].tolist()


def test_points_far_from_all_others_do_not_make_the_first_view_small():
    x = np.append(np.random.default_rng(0).uniform(0, 1, 5000), [90.0])
    found = layout_of(x, np.zeros(5001))
    inner = np.array(found.home)[[0, 2]] * found.step + found.origin[0]
    assert inner[0] <= 0.01
    assert 0.99 <= inner[1] < 1.2
    assert found.all[2] * found.step + found.origin[0] == pytest.approx(90, abs=found.step)
    even = layout_of(np.linspace(0, 1, 100), np.zeros(100))
    assert even.home == even.all


def test_points_on_one_spot_have_a_place():
    found = layout_of(np.full(3, 7.0), np.full(3, -2.0))
    assert found.steps.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert found.origin == (7, -2)


def test_another_order_or_place_has_another_digest():
    first, again, other = (layout_of(np.array(x), np.zeros(3)) for x in ([0.0, 1, 2], [0.0, 1, 2], [0.0, 2, 1]))
    assert first.digest == again.digest != other.digest
    assert first.sent == other.sent


def test_the_newest_bytes_are_kept_whatever_their_number():
    old = sent_bytes.keep(b"a" * 60, most=100)
    new = sent_bytes.keep(b"b" * 60, most=100)
    assert sent_bytes.fetch(old) is None
    assert sent_bytes.fetch(new) == b"b" * 60
    larger = sent_bytes.keep(b"c" * 200, most=100)
    assert len(sent_bytes.fetch(larger)) == 200


# --- Colors ---


def codes(*values):
    names = tuple(sorted({value for value in values if value}))
    return Codes(names, np.array([names.index(value) if value else -1 for value in values], np.int32))


def named(colors):
    """The name of the entry of each image."""
    return [colors.legend[code].name for code in colors.codes.tolist()]


def test_the_most_frequent_values_have_a_color_of_their_own_and_the_others_are_folded():
    values = [f"v{n:02d}" for n in range(15) for _ in range(20 - n)] + [""]
    found = coloring.categories_of("dataset", Members.of(codes(*values)))
    assert named(found) == [value or "no data set" for value in values]
    own = [entry for entry in found.legend if entry.known and not entry.folded]
    assert [entry.name for entry in own] == [f"v{n:02d}" for n in range(len(palette.HUES))]
    assert len({entry.color for entry in own}) == len(own)
    assert [entry.name for entry in found.legend if entry.folded] == [f"v{n:02d}" for n in range(8, 15)]
    assert [entry.name for entry in found.legend if not entry.known] == ["no data set"]
    assert "8 of 15 values have a color and a sign of their own" in found.said


def test_as_many_values_as_colors_share_none():
    found = coloring.categories_of("dataset", Members.of(codes(*"abcdefgh")))
    assert not any(entry.folded for entry in found.legend)
    assert not found.said, "nothing shares a look"


def test_an_anatomy_keeps_its_color_and_a_rarer_one_of_the_same_color_is_folded():
    # Nine anatomies without a color of their own in all collections, and chest, which has one.
    values = ["chest", *(f"part {n}" for n in range(9))]
    found = coloring.categories_of(
        "anatomy", Members.of(codes(*[one for n, one in enumerate(values) for _ in range(9 - n + 1)]))
    )
    fixed = palette.colors_of("anatomy", values)
    assert {entry.name: entry.color for entry in found.legend} == fixed
    own = [entry for entry in found.legend if not entry.folded]
    assert own[0].name == "chest"
    assert len({entry.color for entry in own}) == len(own)
    assert [entry.folded for entry in found.legend] == sorted(entry.folded for entry in found.legend)
    for entry in found.legend:
        if entry.folded:
            assert any(other.color == entry.color and other.count >= entry.count for other in own)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.chunked_array([["40", " 71", ""], ["55"]]), [40, 71, math.nan, 55]),
        (pa.chunked_array([pa.array([1.5, None, 2.5, math.nan, 7.0])]), [1.5, math.nan, 2.5, math.nan, 7.0]),
        (pa.chunked_array([pa.array([3, None, 1, 2], pa.int32())]), [3, math.nan, 1, 2]),
        (pa.chunked_array([["40", "about 50", "60"]]), None),
        (pa.chunked_array([["40", "inf", "60", "70"]]), None),
        (pa.chunked_array([["0", "1", "1", ""]]), None),
        (pa.chunked_array([["", ""]]), None),
        (pa.chunked_array([[True, False, True]]), None),
    ],
)
def test_numbers_are_told_from_categories(column, expected):
    found = column_values.numbers_of("measured", column)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, expected)


def test_the_number_of_a_patient_is_no_measure():
    assert column_values.numbers_of("patient_id", pa.chunked_array([["1", "2", "3"]])) is None


@settings(max_examples=30)
@given(st.lists(st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "", "c"]), max_size=4)), max_size=12))
def test_members_of_lists_are_those_of_plain_python(lists):
    found = column_values.list_members(pa.chunked_array([pa.array(lists, pa.list_(pa.string()))]))
    expected = {(row, value) for row, values in enumerate(lists) for value in values or [] if value}
    pairs = [(row, found.values[code]) for row, code in zip(found.rows.tolist(), found.codes.tolist(), strict=True)]
    assert sorted(pairs) == sorted(expected)
    assert found.rows.tolist() == sorted(found.rows.tolist())
    assert found.size == len(lists)


def test_further_columns_are_those_that_say_something():
    given = {name: ["", ""] for name in COLUMNS}
    table = pa.table(
        given
        | {
            "image_id": ["a", "b"],
            "anatomy": ["x", "y"],
            "caption": ["one", "two"],
            "pathologies": pa.array([[], []], pa.list_(pa.string())),
            "width": pa.nulls(2, pa.int32()),
            "height": [512, 512],
            "sex": ["F", ""],
            "empty": ["", ""],
            "nothing": pa.array([None, None], pa.float64()),
            "findings": pa.array([[], ["x"]], pa.list_(pa.string())),
            "no_findings": pa.array([[], None], pa.list_(pa.string())),
            "age": [40, 50],
        }
    )
    found = column_values.further_columns(Manifest(table, digest=""))
    assert found == ["height", "sex", "findings", "age"]


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.tuples(*[st.one_of(st.just(math.nan), st.floats(-1e3, 1e3, width=32))] * 2), max_size=40),
    at_once=st.integers(1, 50),
)
def test_a_layout_is_that_of_whole_columns(places, at_once):
    """As by plain NumPy on all of them, in whatever parts they are laid out."""
    x, y = np.array(places, dtype=np.float32).reshape(-1, 2).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_AT_ONCE", at_once)
        found = layout_of(x, y)
    placed = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    assert sorted(found.rows.tolist()) == placed.tolist()
    if not placed.size:
        return
    both = np.stack([x, y]).astype(np.float64)[:, found.rows]
    back = np.array(found.origin)[:, None] + found.steps * found.step
    assert np.abs(back - both).max() <= 0.5001 * found.step
    cells = (found.steps.astype(int) + 32_768) >> 8
    order = (cells[1] * 256 + cells[0]).tolist()
    assert order == sorted(order)
    low, high = np.quantile(found.steps, [0.001, 0.999], axis=1)
    inner = 0.06 * (high - low)
    everything = [*found.steps.min(axis=1), *found.steps.max(axis=1)]
    assert list(found.all) == everything
    near = [*np.maximum(low - inner, everything[:2]), *np.minimum(high + inner, everything[2:])]
    assert list(found.home) == everything or found.home == pytest.approx(near)


def test_a_scale_leaves_out_what_is_far_from_all_others():
    values = np.concatenate([np.linspace(0, 100, 999), [1e6, np.nan]])
    found = coloring.scale_of("Dose", values)
    assert (found.low, found.high) == pytest.approx((1, 99), abs=0.5)
    assert found.codes[-1] == NO_NUMBER
    assert found.codes[-2] == 254
    beyond = int(((values < found.low) | (values > found.high)).sum())
    assert f"{beyond} images beyond the scale of Dose have the color of its end." in found.said
    assert not coloring.scale_of("Dose", np.linspace(0, 100, 999)).said


def test_of_more_values_than_a_byte_tells_apart_the_rarest_share_a_name():
    values = [f"v{n:03d}" for n in range(400) for _ in range(1 + (n < 100))]
    found = coloring.categories_of("dataset", Members.of(codes(*values)))
    assert len(found.legend) == coloring.MOST_NAMED + 1
    rest = found.legend[-1]
    assert (rest.name, rest.folded) == (f"{400 - coloring.MOST_NAMED} rarer", True)
    assert rest.count == 400 - coloring.MOST_NAMED
    assert named(found)[:2] == ["v000", "v000"]


def test_a_modality_has_the_color_it_has_everywhere():
    found = coloring.categories_of("modality", Members.of(codes("US", "CT", "CT")))
    assert {entry.name: entry.color for entry in found.legend} == {"CT": "#E69F00", "US": "#D98CB8"}


def test_an_image_with_several_pathologies_is_of_neither():
    members = Members(("a", "b"), np.array([0, 1, 1, 3]), np.array([0, 0, 1, 1], np.int32), 4)
    assert named(coloring.categories_of("pathologies", members)) == ["a", "several at once", "not labeled", "b"]


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=3, unique=True), min_size=1, max_size=40))
def test_a_legend_counts_every_image_once(lists):
    pairs = [(row, value) for row, values in enumerate(lists) for value in values]
    names = tuple(sorted({value for _, value in pairs}))
    members = Members(
        names,
        np.array([row for row, _ in pairs], dtype=np.int64),
        np.array([names.index(value) for _, value in pairs], dtype=np.int32),
        len(lists),
    )
    found = coloring.categories_of("pathologies", members)
    assert sum(entry.count for entry in found.legend) == len(lists)
    slow = [v[0] if len(v) == 1 else "several at once" if v else "not labeled" for v in lists]
    assert named(found) == slow


def test_what_was_seen_has_three_categories():
    found = coloring.categories_of_seen(np.array([True, False, False]), np.array([False, False, True]))
    assert named(found) == ["seen in training", "not seen", "near-duplicate seen"]


# --- Outlines ---

coordinates = st.floats(-1000, 1000).map(lambda value: round(value, 5) + 0.0)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=30, unique=True), st.booleans())
def test_a_lasso_survives_the_url(corners, takes_away):
    outline = Outline("lasso", tuple(x for x, _ in corners), tuple(y for _, y in corners), takes_away)
    assert outlines.from_text(outlines.to_text(outline)) == outline


@given(coordinates, coordinates, coordinates, coordinates, st.booleans())
def test_a_box_survives_the_url(a, b, c, d, takes_away):
    outline = Outline("box", tuple(sorted([a, b])), tuple(sorted([c, d])), takes_away)
    assert outlines.from_text(outlines.to_text(outline)) == outline
    assert outlines.from_text(f"box:{a},{c},{b},{d}") == Outline("box", outline.x, outline.y)


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
        "--box:0,0,1,1",
        "lasso:0,0,1,1",
        "lasso:0,0,1,1,inf,2",
        "lasso:0,0,1,1,2",
        "box:1e9,0,1,1",
        "lasso:" + "1," * 50_000,
    ],
)
def test_a_text_that_is_no_outline_is_none(text):
    assert outlines.from_text(text) is None


def test_a_lasso_of_a_thousand_corners_keeps_few_and_selects_nearly_the_same():
    angle = np.linspace(0, 2 * np.pi, 1000)
    numbers = np.stack([np.cos(angle), np.sin(angle)], axis=1).ravel().tolist()
    outline = outlines.from_text("lasso:" + ",".join(map(str, numbers)))
    assert len(outline.x) == outlines.CORNERS
    x, y = np.random.default_rng(0).uniform(-1.2, 1.2, (2, 20_000))
    exact = np.hypot(x, y) < 1
    assert (outlines.inside(outline, x, y) != exact).mean() < 0.005


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
    outline = Outline("lasso", tuple(x for x, _ in corners), tuple(y for _, y in corners))
    x, y = random.uniform(-1, 1, (2, 50))
    assert outlines.inside(outline, x, y).tolist() == [winding_says_inside(corners, *p) for p in zip(x, y, strict=True)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40), st.sampled_from([1e-4, 1.0, 500.0]))
def test_many_points_are_decided_by_cells_as_they_are_one_by_one(seed, count, size):
    random = np.random.default_rng(seed)
    # Any corners: it crosses itself, and has thin tips.
    outline = Outline("lasso", *map(tuple, random.normal(0, size, (2, count)).tolist()))
    x, y = random.normal(0, size, (2, 60_000))
    at = random.integers(0, count, 500)
    x[:500], y[:500] = np.array(outline.x)[at], np.array(outline.y)[at]  # on corners, too
    few = np.concatenate([outlines.inside(outline, x[i : i + 1000], y[i : i + 1000]) for i in range(0, 60_000, 1000)])
    assert (outlines.inside(outline, x, y) == few).all()


def test_a_point_without_a_place_is_in_no_outline():
    x, y = np.array([0.5, 5.5, np.nan], np.float32), np.array([0.5, 5.5, 0.5], np.float32)
    assert outlines.inside(Outline("box", (0, 1), (0, 1)), x, y).tolist() == [True, False, False]
    assert outlines.inside(Outline("lasso", (5, 6, 6, 5), (5, 5, 6, 6)), x, y).tolist() == [False, True, False]


def test_the_shades_run_along_the_scale():
    shades = chart.shades()
    assert len(shades) == 255
    assert shades[0] == "#4A6FA5"
    assert shades[254] == "#FDE737"
    assert shades[127] == "#98937F"
