from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from pages.parts.images import outlines
from pages.parts.map import map_data, point_facts, sent_bytes
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.artifacts import EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.storage import digest_file, digest_of
from tests.pages.reading import cards, chart, complaints, html, words
from tests.small_images import HTML_LABEL
from tests.stale import forget


@pytest.fixture
def places(app):
    """The manifest of the collection and where its images are on the map."""
    store = open_collection("small").store("pixels")
    return store.collection.manifest, store.projection()


def fetched(address, kind):
    """The bytes of an address, as numbers."""
    return np.frombuffer(sent_bytes.fetch(address.rpartition("/")[2]), kind)


def order(at):
    """The row of each position, by the places that the browser gets: of this collection no two images share one."""
    shown = chart(at)
    steps = fetched(shown["points"], "<i2").reshape(2, -1)
    collection = open_collection("small")
    layout = map_data.layout(OpenedMap(collection, "pixels"))
    assert (layout.steps == steps).all()
    return layout.rows


def drawn_rows(at):
    """The rows of the points that the browser draws."""
    rows, mask = order(at), chart(at)["mask"]
    if mask is not None:
        rows = rows[np.unpackbits(fetched(mask, np.uint8))[: len(rows)].astype(bool)]
    return sorted(rows.tolist())


def names(at):
    """What the legend says, and for how many images."""
    return {entry["name"]: entry["count"] for entry in chart(at)["colors"]["legend"] if entry["count"]}


def colors(at):
    """The code of each row."""
    by_row = np.full(61, -1)
    by_row[order(at)] = fetched(chart(at)["codes"], np.uint8)
    return by_row


def select(at, texts, only=(), serial=1):
    """Let the map say what somebody has selected in it."""
    at.session_state["radcbir:map"] = {"selection": {"texts": list(texts), "only": list(only), "serial": serial}}
    return at.run()


def around(places, rows):
    """A box around some rows, as in the URL."""
    x, y = (places[1][name].to_numpy()[rows] for name in ("x", "y"))
    return f"box:{x.min() - 0.001:.3f},{y.min() - 0.001:.3f},{x.max() + 0.001:.3f},{y.max() + 0.001:.3f}"


def inside(places, text):
    x, y = (places[1][name].to_numpy() for name in ("x", "y"))
    return set(np.flatnonzero(outlines.inside(outlines.from_text(text), x, y)).tolist())


def choose(at, label, value):
    return next(box for box in [*at.segmented_control, *at.selectbox] if box.label == label).set_value(value).run()


def said_selected(at):
    return re.search(r"<b>([\d,]+)</b> of ([\d,]+) selected", html(at)).groups()


def test_without_a_collection_it_says_which_command_is_next(empty_app):
    at = empty_app("map")
    assert not complaints(at)
    assert "There is no collection yet" in words(at)
    assert any("import" in code.value for code in at.code)


def test_without_a_map_it_says_which_command_makes_it(app, copied_data):
    (copied_data / "encoders" / "pixels" / "projection.parquet").unlink()
    at = app("map")
    assert not complaints(at)
    assert "The step projection of the encoder pixels has not been made yet" in words(at).replace("*", "")
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]


def test_every_image_is_a_point(app):
    at = app("map")
    assert not complaints(at)
    assert drawn_rows(at) == list(range(61))
    assert set(names(at)) == {"chest", "abdomen", "brain"}
    assert sum(names(at).values()) == 61
    assert "61 images, all of them drawn." in words(at)
    assert not at.get("plotly_chart")


def test_it_says_how_far_the_map_can_be_trusted(app, places):
    mean = places[1]["preservation"].mean()
    said = words(app("map"))
    assert f"Neighborhood preservation {mean:.2f}: the share of each image's 15 nearest neighbors" in said


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("modality", {"XR", "CT", "MR"}),
        ("split", {"train", "test"}),
        ("dataset", {"small-data-source"}),
    ],
)
def test_it_is_colored_by_any_of_these(app, color, expected):
    at = app("map", color=color)
    assert not complaints(at)
    assert set(names(at)) == expected
    assert drawn_rows(at) == list(range(61))
    manifest = open_collection("small").manifest
    legend = chart(at)["colors"]["legend"]
    assert [legend[code]["name"] for code in colors(at)] == manifest.codes(color).text(range(61))


def test_pathologies_are_told_apart_word_for_word(app):
    at = app("map", color="pathologies")
    assert not complaints(at)
    assert HTML_LABEL in names(at), "the browser sets it as text"
    assert {"several at once", "not labeled"} <= set(names(at))


def test_pointing_at_an_image_says_what_it_is(app, places):
    manifest, _ = places
    at = app("map")
    rows = order(at)
    *_, collection, encoder_id, name, layout = chart(at)["facts"].split("/")
    for position in (0, 17, 60):
        facts = point_facts.facts_at(collection, encoder_id, name, layout, position)
        record = manifest.record(int(rows[position]))
        assert facts["row"] == rows[position]
        assert facts["image_id"] == record["image_id"]
        assert facts["lines"] == [
            f"{record['modality']} · {record['anatomy']}",
            ", ".join(record["pathologies"]) or "not labeled",
            f"{record['dataset']} · {record['split']}",
        ]
        *_, version, row = facts["thumbnail"].split("/")
        content, kind = point_facts.thumbnail(collection, version, int(row))
        assert (kind, content) == ("image/jpeg", open_collection("small").thumbnail(facts["row"]))
    for wrong in ((collection, encoder_id, name, "other", 0), (collection, encoder_id, name, layout, 61)):
        with pytest.raises(QueryError, match="the map is another by now"):
            point_facts.facts_at(*wrong)
    with pytest.raises(QueryError, match="it is another by now"):
        point_facts.thumbnail(collection, "other", 0)


def test_colored_by_precision_it_has_a_scale(app):
    store = open_collection("small").store("pixels")
    precision = of_level(Precision().suited(store).run(store).tables["queries"], "anatomy").set_index("row")["p@3"]
    at = app("map", color="p@k", level="anatomy", k="3")
    assert not complaints(at)
    shown = chart(at)["colors"]
    assert (shown["kind"], shown["title"], shown["note"]) == ("values", "P@3", "anatomy")
    np.testing.assert_allclose(colors(at)[precision.index] / 254, precision, atol=0.002)
    at = app("map", color="p@k")
    asked = of_level(Precision().suited(store).run(store).tables["queries"], "label")["row"]
    assert set(np.flatnonzero(colors(at) == 255)) == set(range(61)) - set(asked)


def test_a_filter_leaves_out_points(app, places):
    at = app("map", where=["modality=CT", "split=test"])
    assert not complaints(at)
    assert drawn_rows(at) == np.flatnonzero(places[0].mask({"modality": ["CT"], "split": ["test"]})).tolist()
    assert "6 images, all of them drawn." in words(at)
    at = app("map", where=["modality=CT", "anatomy=brain"])
    assert not complaints(at)
    assert "No image passes the filter" in words(at)


def test_a_box_in_the_url_is_a_selection(app, places):
    manifest, _ = places
    brain = np.flatnonzero(manifest.mask({"anatomy": ["brain"]}))
    box = around(places, brain)
    expected = inside(places, box)
    assert expected >= set(brain.tolist())
    at = app("map", select=box, count="anatomy")
    assert not complaints(at)
    assert said_selected(at) == (str(len(expected)), "61")
    assert {card["row"] for card in cards(at)} <= expected
    assert len(cards(at)) == min(24, len(expected))
    line = re.search(r'<tr class="more" title="brain: more than among all points;[^"]*">(.*?)</tr>', html(at)).group(1)
    assert f"<td>20</td><td>{100 * 20 / len(expected):.1f} %</td><td>32.8 %</td>" in line
    assert f"▲ {20 / len(expected) / (20 / 61):.1f}×" in line
    (shown,) = chart(at)["select"]
    assert outlines.from_text(shown) == outlines.from_text(box)


def test_lassos_and_boxes_add_up_and_the_gallery_reaches_all_of_them(app, places):
    _, projection = places
    x, y = (projection[name].to_numpy() for name in ("x", "y"))
    left, right = f"{x.min() - 1:.3f}", f"{x.max() + 1:.3f}"
    low, middle, high = f"{y.min() - 1:.3f}", f"{np.median(y) + 0.0005:.3f}", f"{y.max() + 1:.3f}"
    box = f"box:{left},{middle},{right},{high}"
    lasso = f"lasso:{left},{low},{right},{low},{right},{middle},{left},{middle}"
    at = app("map", select=[box, lasso])
    assert not complaints(at)
    assert said_selected(at) == ("61", "61")
    seen = {card["row"] for card in cards(at)}
    next(button for button in at.button if button.label == "Last page").click().run()
    seen |= {card["row"] for card in cards(at)}
    next(button for button in at.button if button.label == "Previous page").click().run()
    seen |= {card["row"] for card in cards(at)}
    assert seen == set(range(61))


def test_a_single_image_can_be_selected(app, places):
    image_id = places[0].record(7)["image_id"]
    at = app("map", select=f"image:{image_id}")
    assert not complaints(at)
    assert said_selected(at) == ("1", "61")
    assert [card["image_id"] for card in cards(at)] == [image_id]


def test_a_selection_holds_only_what_passes_the_filter(app, places):
    everything = around(places, np.arange(61))
    at = app("map", select=everything, where=["modality=MR"])
    assert said_selected(at) == ("20", "20")
    assert {card["modality"] for card in cards(at)} == {"MR"}


def test_an_empty_selection_says_so(app):
    at = app("map", select="box:900,900,901,901")
    assert not complaints(at)
    assert said_selected(at) == ("0", "61")
    assert "There is no image in this selection" in words(at)
    assert not cards(at)


def test_clearing_the_selection_leaves_the_url_and_the_map(app, places):
    at = app("map", select=around(places, np.arange(20)))
    next(button for button in at.button if button.label == "Clear selection").click().run()
    assert not complaints(at)
    assert "select" not in at.query_params
    assert "Draw around points" in words(at)
    assert chart(at)["select"] == []


def test_what_is_selected_in_the_map_goes_to_the_url_and_back(app, places):
    manifest, _ = places
    at = app("map", count="anatomy")
    everything, some = (around(places, np.arange(count)) for count in (61, 20))
    select(at, [everything, "circle:1,2", f"-{some}"], serial=3)
    assert not complaints(at)
    assert [outlines.from_text(text).takes_away for text in at.query_params["select"]] == [False, True]
    expected = inside(places, everything) - inside(places, some)
    assert said_selected(at) == (str(len(expected)), "61")
    assert chart(at)["serial"] == 3
    one = manifest.record(7)["image_id"]
    select(at, [f"-{some}", f"image:{one}"], serial=4)
    assert said_selected(at) == ("1", "61")
    assert [card["image_id"] for card in cards(at)] == [one]
    select(at, [f"image:{one}", f"-image:{one}"], serial=5)
    assert said_selected(at) == ("0", "61")


@pytest.mark.parametrize(
    "sent", [None, "x", {"selection": 3}, {"selection": {"texts": [3, None, "x" * 10_000], "serial": "y"}}]
)
def test_what_is_no_selection_selects_nothing(app, sent):
    at = app("map")
    at.session_state["radcbir:map"] = sent
    at.run()
    assert not complaints(at)
    assert "select" not in at.query_params
    assert chart(at)["serial"] == 0


def test_a_category_shown_alone_limits_the_selection(app, places):
    manifest, _ = places
    everything = around(places, np.arange(61))
    at = select(app("map", color="modality"), [everything], only=["MR"])
    assert not complaints(at)
    assert at.query_params["only"] in ("MR", ["MR"])
    assert said_selected(at)[0] == str(int(manifest.mask({"modality": ["MR"]}).sum()))
    assert {card["modality"] for card in cards(at)} == {"MR"}
    choose(at, "Color by", "split")
    assert not complaints(at)
    assert "only" not in at.query_params
    assert said_selected(at)[0] == "61"


def test_a_selection_outlives_a_change_of_colors(app, places):
    box = around(places, np.arange(20))
    at = app("map", select=box)
    count = said_selected(at)
    choose(at, "Color by", "split")
    assert not complaints(at)
    assert said_selected(at) == count
    assert len(chart(at)["select"]) == 1


def test_the_query_is_marked(app, places):
    manifest, projection = places
    at = app("map", image=manifest.record(30)["image_id"])
    assert not complaints(at)
    marked = chart(at)["query"]
    assert marked["place"] == pytest.approx(projection.loc[30, ["x", "y"]].tolist())
    kept = f"preservation {projection.loc[30, 'preservation']:.2f}"
    assert (marked["said"], marked["placed"]) == (kept, False)
    said = f"The ring is the query {manifest.record(30)['image_id']} ({kept}); the lines go to its first 10 hits"
    assert said in words(at)
    assert drawn_rows(at) == list(range(61))


def test_the_lines_go_to_the_hits_that_retrieval_shows(app, places):
    manifest, projection = places
    image_id = manifest.record(30)["image_id"]
    hits = [card["image_id"] for card in cards(app("retrieval", image=image_id)) if "rank" in card]
    lines = chart(app("map", image=image_id))["query"]["hits"]
    assert [line["rank"] for line in lines] == list(range(1, 11))
    rows = manifest.rows_of(hits)
    np.testing.assert_allclose([line["place"] for line in lines], projection.loc[rows, ["x", "y"]])


def test_the_query_made_on_retrieval_is_marked_and_follows(app, places):
    first, second = (places[0].record(row)["image_id"] for row in (3, 40))
    at = app("retrieval", image=first)
    at.switch_page("pages/map.py").run()
    assert f"The ring is the query {first} (" in words(at)
    assert at.query_params["image"] in (first, [first])
    at.switch_page("pages/retrieval.py")
    at.query_params["image"] = second
    at.run()
    at.switch_page("pages/map.py").run()
    assert f"The ring is the query {second} (" in words(at)


def test_before_an_upload_there_is_no_query(app, places):
    at = app("retrieval", image=places[0].record(3)["image_id"])
    at.switch_page("pages/map.py").run()
    assert chart(at)["query"]
    at.switch_page("pages/retrieval.py").run()
    at.segmented_control[0].set_value("upload").run()
    at.switch_page("pages/map.py").run()
    assert not complaints(at)
    assert "image" not in at.query_params
    assert chart(at)["query"] is None
    assert "The ring is" not in words(at)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"image": "<script>nope"}, "image_id = '<script>nope' is not in it"),
        ({"color": "planet"}, "color = planet. anatomy is used instead"),
        ({"select": "circle:1,2"}, "but select = circle:1,2. It is left out."),
        ({"select": "image:nope"}, "image_id = 'nope' is not in it"),
        ({"only": "nope"}, "only = nope. It is left out"),
        ({"where": "bogus=1"}, "column = 'bogus'"),
        ({"color": "p@k", "k": "2"}, "k = 2. 10 is used instead"),
        ({"color": "p@k", "level": "x"}, "level = x. label is used instead"),
        ({"select": "box:-999,-999,999,999", "count": "x"}, "count = x. anatomy is used instead"),
    ],
)
def test_a_broken_link_says_what_there_is_and_the_rest_works(app, query, said):
    at = app("map", **query)
    assert said in complaints(at)
    assert drawn_rows(at) == list(range(61))


def put_as_built(table, path):
    """Put a map where it lies, with its digest in the record, as a build does."""
    table.to_parquet(path)
    record = json.loads(path.with_name("encoder.json").read_text())
    record["artifacts"]["projection"]["digest"] = digest_of(digest_file(path))
    path.with_name("encoder.json").write_text(json.dumps(record))


def test_images_without_a_place_are_no_points(app, copied_data):
    path = copied_data / "encoders" / "pixels" / "projection.parquet"
    table = pd.read_parquet(path)
    table.loc[[4, 8]] = np.nan
    put_as_built(table, path)
    image_id = open_collection("small").manifest.record(4)["image_id"]
    at = app("map", image=image_id)
    assert not complaints(at)
    assert drawn_rows(at) == [row for row in range(61) if row not in (4, 8)]
    assert f"The query {image_id} has no place on the map." in words(at)
    table[:] = np.nan
    put_as_built(table, path)
    at = app("map")
    assert not complaints(at)
    assert "No image has a place on this map" in words(at)


def test_without_an_evaluation_coloring_computes_it(app, copied_data):
    store = open_collection("small").store("pixels")
    forget(store, EVALUATION)
    shutil.rmtree(store.evaluation_folder)
    at = app("map")
    assert not complaints(at)
    choose(at, "Color by", "p@k")
    assert not complaints(at)
    assert chart(at)["colors"]["kind"] == "values"
