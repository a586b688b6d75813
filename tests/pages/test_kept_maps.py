"""More than one map of an encoder: which is shown, laying out another, deleting one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pages.parts.map import map_data, sent_bytes
from pages.parts.map.opened_map import OpenedMap
from radcbir_core import audit
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.errors import StorageError
from radcbir_core.jobs import list_jobs, start
from radcbir_core.jobs.kinds.lay_out_map import LayOutMap
from radcbir_core.projection.map_making import make_map
from radcbir_core.projection.map_options import MapOptions
from tests.pages.conftest import wait
from tests.pages.reading import chart, charts, complaints, html, words


@pytest.fixture
def wide(app, copied_data):
    """The collection has a second map, ``wide``."""
    store = open_collection("small").store("pixels")
    make_map(store, "wide", options=MapOptions(n_neighbors=30, seed=4))
    return open_collection("small").store("pixels").projection("wide")


def box(at, label):
    found = [one for one in [*at.selectbox, *at.text_input, *at.number_input] if one.label.startswith(label)]
    return found[0] if found else None


def button(at, label):
    return next((one for one in at.button if one.label == label), None)


def shown_places(at):
    """Where the browser draws each image."""
    told = chart(at)
    steps = np.frombuffer(sent_bytes.fetch(told["points"].rpartition("/")[2]), "<i2").reshape(2, -1)
    name = at.query_params.get("map", [STANDARD_MAP])
    layout = map_data.layout(OpenedMap(open_collection("small"), "pixels", name if isinstance(name, str) else name[0]))
    places = np.full((61, 2), np.nan)
    places[layout.rows] = steps.T * told["grid"]["step"] + [told["grid"]["x"], told["grid"]["y"]]
    return places


def test_with_one_map_there_is_no_choice_of_it(app):
    at = app("map")
    assert not complaints(at)
    assert box(at, "Map") is None
    assert "Map: 15 images in a neighborhood, least distance 0.1, seed 0" in words(at)
    at = app("map", map="gone")
    assert "but map = gone. standard is used instead. There are: standard." in complaints(at)
    assert len(charts(at)) == 1


def test_another_map_is_shown_with_what_it_was_made_with(app, wide):
    at = app("map")
    assert box(at, "Map").options == ["standard", "wide"]
    first = shown_places(at)
    box(at, "Map").set_value("wide").run()
    assert not complaints(at)
    assert at.query_params["map"] in ("wide", ["wide"])
    np.testing.assert_allclose(shown_places(at), wide[["x", "y"]], atol=0.01)
    assert not np.allclose(shown_places(at), first, atol=0.01)
    said = words(at)
    assert "Map wide: 30 images in a neighborhood, least distance 0.1, seed 4" in said
    assert f"Neighborhood preservation {wide['preservation'].mean():.2f}: the share of each image's 30 nearest" in said
    at = app("map", map="gone")
    assert "but map = gone. standard is used instead. There are: standard, wide." in complaints(at)


def test_an_outline_on_one_map_selects_the_same_images_on_another(app, wide):
    middle = round(float(wide["x"].median()), 3) + 0.0005
    text = f"/wide@box:{middle},-999,999,999"
    expected = set(np.flatnonzero(wide["x"] >= middle).tolist())
    for name in ("wide", "standard"):
        at = app("map", map=name, select=text)
        assert not complaints(at)
        assert f"<b>{len(expected)}</b> of 61 selected" in html(at)
        told = chart(at)
        assert told["map"] == ("/wide" if name == "wide" else "")
        if name == "wide":
            assert told["chosen"] is None
            continue
        bits = np.unpackbits(np.frombuffer(sent_bytes.fetch(told["chosen"].rpartition("/")[2]), np.uint8))
        rows = map_data.layout(OpenedMap(open_collection("small"), "pixels")).rows
        assert set(rows[bits[: len(rows)].astype(bool)].tolist()) == expected
    at = app("retrieval", view="browse", select=text)
    assert not complaints(at)
    assert f"On the map ({len(expected)})" in [one.label for one in at.button]
    at = app("map", select="/gone@box:0,0,1,1")
    assert "but select = /gone@box:0,0,1,1. It is left out. There is no map gone by pixels." in complaints(at)
    at = app("map", select="gone@box:0,0,1,1")
    assert "It is left out. There is no encoder gone here." in complaints(at)


@pytest.mark.parametrize("known", [False, True])
def test_an_outline_on_a_damaged_map_leaves_the_rest_of_the_page(app, wide, known):
    """Whether it is damaged is known to whoever has read it."""
    store = open_collection("small").store("pixels")
    store.layout.map("wide").write_bytes(store.layout.map("standard").read_bytes())
    if known:
        assert store.map_fault("wide")
    for page in ("map", "retrieval"):
        at = app(page, select=["/wide@box:-99,-99,99,99", "box:-99,-99,99,99"], view="browse")
        assert "select = /wide@box:-99,-99,99,99. It is left out." in complaints(at)
        assert "its bytes are not those that were built" in complaints(at)
        if page == "map":
            assert "<b>61</b> of 61 selected" in html(at)
        else:
            assert "On the map (61)" in [one.label for one in at.button]


def test_two_maps_of_one_encoder_stand_side_by_side(app, wide):
    at = app("map", beside="map:wide")
    assert not complaints(at)
    assert [told["map"] for told in charts(at)] == ["", "/wide"]
    assert charts(at)[0]["points"] != charts(at)[1]["points"]
    assert "pixels, map wide" in html(at)
    box(at, "Map").set_value("wide").run()
    assert not complaints(at)
    assert [told["map"] for told in charts(at)] == ["/wide"]
    assert "beside" not in at.query_params


def test_a_map_is_laid_out_by_a_job_and_shown_on_a_click(app, copied_data, in_threads):
    at = app("map")
    box(at, "Name").set_value("fine")
    box(at, "Images in a neighborhood").set_value(5)
    box(at, "Seed").set_value(9)
    button(at, "Lay it out").click().run()
    assert not complaints(at)
    wait()
    at.run()
    assert not complaints(at)
    facts = open_collection("small").store("pixels").map_facts("fine")
    assert (facts["n_neighbors"], facts["seed"], facts["min_dist"], facts["dimensions"]) == (5, 9, 0.1, 2)
    assert "The map fine is laid out." in words(at).replace("*", "")
    assert audit.audit_path().read_text().count('"lay out map fine"') == 1
    button(at, "Show it").click().run()
    assert not complaints(at)
    assert at.query_params["map"] in ("fine", ["fine"])
    assert "5 images in a neighborhood" in words(at)
    assert button(at, "Show it") is None


def test_a_name_that_cannot_be_or_is_taken_is_refused(app, wide, in_threads):
    at = app("map")
    for name, said in (("Too wide", "Expected the name of a map"), ("wide", "there is a map called 'wide'")):
        box(at, "Name").set_value(name)
        button(at, "Lay it out").click().run()
        assert said in complaints(at)
    assert list_jobs() == []


def test_while_it_is_laid_out_it_is_told_and_can_be_stopped(app, copied_data, in_threads, monkeypatch):
    def rest(self, telling):
        while True:
            telling("projection", 20, 200)

    monkeypatch.setattr(LayOutMap, "carry_out", rest)
    job = start(LayOutMap("small", "pixels", "wide"))
    at = app("map")
    assert not complaints(at)
    bar = at.get("progress")[0].proto
    assert bar.text.startswith("Lay out the map wide by pixels")
    assert button(at, "Lay it out").disabled
    assert "One at a time" in words(at)
    assert len(charts(at)) == 1
    button(at, "Stop").click().run()
    wait()
    at.run()
    assert "Lay out the map wide by pixels: this was stopped. Nothing of it was kept." in words(at)
    assert job.status().state == "stopped"
    button(at, "Dismiss").click().run()
    assert not complaints(at)
    assert list_jobs() == []


def test_what_went_wrong_is_said(app, copied_data, in_threads, monkeypatch):
    def fail(self, telling):
        raise StorageError("Expected room on the disk, but there is none. Free some.")

    monkeypatch.setattr(LayOutMap, "carry_out", fail)
    start(LayOutMap("small", "pixels", "wide"))
    wait()
    at = app("map")
    assert "Lay out the map wide by pixels: Expected room on the disk" in complaints(at)
    assert button(at, "Try again") is not None


def test_a_map_is_deleted_once_its_name_is_typed(app, wide):
    at = app("map", map="wide")
    box(at, "Delete").set_value("wide").run()
    assert button(at, "Delete for good").disabled
    box(at, "To delete it, type its name").set_value("wide").run()
    button(at, "Delete for good").click().run()
    assert not complaints(at)
    assert list(open_collection("small").store("pixels").maps()) == ["standard"]
    assert "map" not in at.query_params
    assert box(at, "Map") is None
    assert '"delete map wide"' in audit.audit_path().read_text()


def test_who_may_not_begin_jobs_has_the_choice_alone(app, wide, monkeypatch):
    monkeypatch.setattr("pages.parts.frame.rights.is_open_to_others", lambda: True)
    at = app("map")
    assert box(at, "Map").options == ["standard", "wide"]
    assert button(at, "Lay it out") is None
    assert box(at, "Delete") is None


def test_a_map_of_other_neighbors_is_not_offered_but_can_be_laid_out_again(app, wide, in_threads):
    store = open_collection("small").store("pixels")
    store.update(maps={"wide": {**store.record["maps"]["wide"], "neighbors": "others"}})
    at = app("map")
    assert box(at, "Map") is None
    assert "wide cannot be shown: neighbors were made again since" in words(at).replace("*", "").lower()
    button(at, "Lay wide out again").click().run()
    wait()
    at.run()
    assert not complaints(at)
    assert box(at, "Map").options == ["standard", "wide"]
    assert open_collection("small").store("pixels").map_facts("wide")["n_neighbors"] == 30


@pytest.fixture
def deep(app, copied_data):
    """The collection has a second map, ``deep``, of three dimensions."""
    make_map(open_collection("small").store("pixels"), "deep", options=MapOptions(dimensions=3))
    return open_collection("small").store("pixels").projection("deep")


def test_a_map_of_three_dimensions_is_shown(app, deep):
    at = app("map", map="deep", image=open_collection("small").manifest.record(30)["image_id"])
    assert not complaints(at)
    told = chart(at)
    steps = np.frombuffer(sent_bytes.fetch(told["points"].rpartition("/")[2]), "<i2").reshape(3, -1)
    rows = map_data.layout(OpenedMap(open_collection("small"), "pixels", "deep")).rows
    places = steps.T * told["grid"]["step"] + [told["grid"][name] for name in "xyz"]
    np.testing.assert_allclose(places, deep[["x", "y", "z"]].to_numpy()[rows], atol=told["grid"]["step"])
    assert told["turns"] == {"encoder": "", "name": "deep"}
    assert told["query"]["place"] == pytest.approx(deep.loc[30, ["x", "y", "z"]].tolist())
    assert "It has three dimensions: the tool Turn turns it" in words(at)
    assert "three dimensions, umap-learn" in words(at)
    assert chart(app("map"))["turns"] is None


def test_an_outline_in_three_dimensions_selects_what_it_holds_from_its_side(app, deep):
    seen = Rotation.from_euler("yx", (30, -20), degrees=True).apply(deep[["x", "y", "z"]].to_numpy())
    middle = round(float(np.median(seen[:, 0])) + 0.0005, 4)
    expected = set(np.flatnonzero(seen[:, 0] >= middle).tolist())
    text = f"/deep/30/-20@box:{middle},-999,999,999"
    at = app("map", map="deep", select=text)
    assert not complaints(at)
    assert f"<b>{len(expected)}</b> of 61 selected" in html(at)
    told = chart(at)
    assert told["select"] == [text]
    bits = np.unpackbits(np.frombuffer(sent_bytes.fetch(told["chosen"].rpartition("/")[2]), np.uint8))
    rows = map_data.layout(OpenedMap(open_collection("small"), "pixels", "deep")).rows
    assert set(rows[bits[: len(rows)].astype(bool)].tolist()) == expected
    # Once more in the other view, which takes the same away: nothing is left.
    at = app("map", map="deep", select=[text, "-/deep@box:-999,-999,999,999"])
    assert "<b>0</b> of 61 selected" in html(at)
    for wrong in ("/standard/30/-20@box:0,0,1,1", "/deep/30/up@box:0,0,1,1"):
        assert f"but select = {wrong}. It is left out." in complaints(app("map", select=wrong))
