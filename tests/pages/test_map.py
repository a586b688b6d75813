from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from pages.parts.frame import chart_selection
from pages.parts.map import points
from radcbir_core.collections.artifacts import EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.storage import digest_file, digest_of
from tests.pages.reading import cards, complaints, html, words
from tests.small_images import HTML_LABEL
from tests.stale import forget


@pytest.fixture
def places(app):
    """The manifest of the collection and where its images are on the map."""
    store = open_collection("small").store("pixels")
    return store.collection.manifest, store.projection()


def figure(at):
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def chart_id(at):
    return at.get("plotly_chart")[0].proto.id


def numbers(sent):
    """An array of a figure: a list, or the bytes that Plotly packs numbers into."""
    import base64

    if isinstance(sent, dict):
        return np.frombuffer(base64.b64decode(sent["bdata"]), dtype=sent["dtype"])
    return np.asarray(sent)


def drawn_rows(at):
    traces = [trace for trace in figure(at)["data"] if "customdata" in trace]
    return sorted(int(row) for trace in traces for row in numbers(trace["customdata"]).ravel())


def names(at):
    return {trace["name"] for trace in figure(at)["data"] if trace.get("showlegend", True)}


def around(places, rows):
    """A box around some rows, as in the URL."""
    x, y = (places[1][name].to_numpy()[rows] for name in ("x", "y"))
    return f"box:{x.min() - 0.001:.3f},{y.min() - 0.001:.3f},{x.max() + 0.001:.3f},{y.max() + 0.001:.3f}"


def inside(places, text):
    x, y = (places[1][name].to_numpy() for name in ("x", "y"))
    return set(np.flatnonzero(chart_selection.inside([chart_selection.from_text(text)], x, y)).tolist())


def choose(at, label, value):
    return next(box for box in at.segmented_control if box.label == label).set_value(value).run()


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
    assert names(at) == {"chest", "abdomen", "brain"}
    assert all(trace["type"] == "scattergl" for trace in figure(at)["data"])
    assert "61 images." in words(at)


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
    assert names(at) == expected
    assert drawn_rows(at) == list(range(61))
    signs = [trace["marker"]["symbol"] for trace in figure(at)["data"]]
    assert len(set(signs)) == len(signs)


def test_pathologies_are_told_apart_word_for_word(app):
    at = app("map", color="pathologies")
    assert not complaints(at)
    shown = {name.replace("<br>", "").replace(" ", "") for name in names(at)}
    escaped = HTML_LABEL.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped.replace(" ", "") in shown
    assert {"severalatonce", "notlabeled"} <= shown
    assert not any("<b onclick" in name for name in names(at))


def test_hovering_says_what_a_point_is(app, places):
    manifest, _ = places
    store = open_collection("small").store("pixels")
    precision = of_level(Precision().suited(store).run(store).tables["queries"], "label").set_index("row")["p@10"]
    at = app("map")
    seen = {}
    for trace in figure(at)["data"]:
        seen |= dict(zip(numbers(trace["customdata"]).ravel().tolist(), trace["hovertext"], strict=True))
    row = int(precision.index[0])
    record = manifest.record(row)
    assert seen[row].split("<br>") == [
        f"<b>{record['image_id']}</b>",
        f"{record['modality']} · {record['anatomy']}",
        ", ".join(record["pathologies"]),
        f"{record['dataset']} · {record['split']}",
        f"P@10 {precision.loc[row]:.2f} (full label)",
    ]
    unlabeled = next(row for row in range(61) if not manifest.record(row)["pathologies"])
    assert seen[unlabeled].split("<br>")[2] == "not labeled"
    assert not any("P@10" in seen[row] for row in range(61) if row not in precision.index)
    assert not any("<b onclick" in text for text in seen.values())


def test_colored_by_precision_it_has_a_scale(app):
    store = open_collection("small").store("pixels")
    precision = of_level(Precision().suited(store).run(store).tables["queries"], "anatomy").set_index("row")["p@3"]
    at = app("map", color="p@k", level="anatomy", k="3")
    assert not complaints(at)
    (trace,) = figure(at)["data"]
    rows = numbers(trace["customdata"]).ravel()
    np.testing.assert_allclose(numbers(trace["marker"]["color"]), precision.loc[rows])
    assert "P@3" in trace["marker"]["colorbar"]["title"]["text"]
    at = app("map", color="p@k")
    assert names(at) == {"no P@10"}


def test_a_filter_leaves_out_points(app, places):
    at = app("map", where=["modality=CT", "split=test"])
    assert not complaints(at)
    assert drawn_rows(at) == np.flatnonzero(places[0].mask({"modality": ["CT"], "split": ["test"]})).tolist()
    assert "6 images." in words(at)
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
    line = re.search(r'<tr title="brain: more than among all points">(.*?)</tr>', html(at)).group(1)
    assert f"<td>20</td><td>{100 * 20 / len(expected):.1f} %</td><td>32.8 %</td>" in line
    assert f"▲ {20 / len(expected) / (20 / 61):.1f}×" in line
    (outline,) = figure(at)["layout"]["selections"]
    assert outline["type"] == "rect"


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


def test_clearing_the_selection_leaves_the_url_and_starts_a_new_chart(app, places):
    at = app("map", select=around(places, np.arange(20)))
    before = chart_id(at)
    next(button for button in at.button if button.label == "Clear selection").click().run()
    assert not complaints(at)
    assert "select" not in at.query_params
    assert "Draw around points" in words(at)
    assert chart_id(at) != before
    assert not figure(at)["layout"].get("selections")


def test_looking_through_a_selection_leaves_the_chart_as_it_is(app, places):
    at = app("map", select=around(places, np.arange(61)))
    before = chart_id(at)
    choose(at, "Labels of the selection", "dataset")
    next(button for button in at.button if button.label == "Next page").click().run()
    assert chart_id(at) == before


def test_a_selection_outlives_a_change_of_colors(app, places):
    box = around(places, np.arange(20))
    at = app("map", select=box)
    count = said_selected(at)
    choose(at, "Color by", "split")
    assert not complaints(at)
    assert said_selected(at) == count
    assert len(figure(at)["layout"]["selections"]) == 1


def test_the_query_is_marked(app, places):
    manifest, projection = places
    at = app("map", image=manifest.record(30)["image_id"])
    assert not complaints(at)
    assert "current query" in names(at)
    ring = next(trace for trace in figure(at)["data"] if trace["name"] == "current query")
    assert [*numbers(ring["x"]), *numbers(ring["y"])] == pytest.approx(projection.loc[30, ["x", "y"]].tolist())
    assert f"The ring is the query {manifest.record(30)['image_id']}." in words(at)
    assert drawn_rows(at) == list(range(61))


def test_the_query_made_on_retrieval_is_marked_and_follows(app, places):
    first, second = (places[0].record(row)["image_id"] for row in (3, 40))
    at = app("retrieval", image=first)
    at.switch_page("pages/map.py").run()
    assert f"The ring is the query {first}." in words(at)
    assert at.query_params["image"] in (first, [first])
    at.switch_page("pages/retrieval.py")
    at.query_params["image"] = second
    at.run()
    at.switch_page("pages/map.py").run()
    assert f"The ring is the query {second}." in words(at)


def test_an_upload_is_not_marked(app, places):
    at = app("retrieval", image=places[0].record(3)["image_id"])
    at.switch_page("pages/map.py").run()
    assert "current query" in names(at)
    at.switch_page("pages/retrieval.py").run()
    at.segmented_control[0].set_value("upload").run()
    at.switch_page("pages/map.py").run()
    assert not complaints(at)
    assert "image" not in at.query_params
    assert "current query" not in names(at)
    assert "The ring is" not in words(at)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"image": "<script>nope"}, "image_id = '<script>nope' is not in it"),
        ({"color": "planet"}, "color = planet. anatomy is used instead"),
        ({"select": "circle:1,2"}, "but select = circle:1,2. It is left out."),
        ({"select": "image:nope"}, "image_id = 'nope' is not in it"),
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


def test_more_points_than_can_be_drawn_are_sampled_and_all_can_be_selected(app, places, copied_data, monkeypatch):
    monkeypatch.setattr(points.points_of, "__kwdefaults__", {"most": 25})
    at = app("map", select=around(places, np.arange(61)), where="split=train", color="modality")
    assert not complaints(at)
    assert len(drawn_rows(at)) == 25
    assert "25 of 43 images shown, at random. A selection holds those that are not drawn as well." in words(at)
    assert said_selected(at) == ("43", "43")


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


def test_without_an_evaluation_hovering_leaves_out_precision_and_coloring_computes_it(app, copied_data):
    store = open_collection("small").store("pixels")
    forget(store, EVALUATION)
    shutil.rmtree(store.evaluation_folder)
    at = app("map")
    assert not complaints(at)
    assert "P@10" not in json.dumps(figure(at)["data"])
    choose(at, "Color by", "p@k")
    assert not complaints(at)
    assert "colorbar" in json.dumps(figure(at)["data"])
