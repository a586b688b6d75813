"""The viewer on pages: where it opens, what it is told, and that what stands beside it follows the reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.images import gallery
from pages.parts.images.viewer import image_viewer, session_files
from radcbir_core.collections.collection import open_collection
from radcbir_core.images import read_stored
from tests.pages.reading import complaints, pictures, viewers
from tests.small_images import draw

ROWS = [22, 23, 24, 25]


def dialog() -> None:
    """A page whose one image was clicked; the dialog stays open over later runs."""
    import streamlit as st

    from pages.parts.images import gallery
    from radcbir_core.collections.collection import open_collection

    if "asked" not in st.session_state:
        gallery.open_large(
            open_collection("small"),
            st.session_state["rows"],
            1,
            similarities=[0.9, 0.8, 0.7, 0.6],
            query_row=st.session_state.get("query"),
            on_query=lambda image_id: st.session_state.update(asked=image_id),
        )


@pytest.fixture
def opened(app):
    def open_it(**state):
        at = AppTest.from_function(dialog, default_timeout=30)
        at.session_state["rows"] = ROWS
        for name, value in state.items():
            at.session_state[name] = value
        return at.run()

    return open_it


def button(at, label):
    return next(one for one in at.button if one.label == label)


def test_a_hit_opens_beside_its_query(opened) -> None:
    at = opened(query=20)
    assert not complaints(at)
    (shown,) = viewers(at)
    assert shown["query"] == {"row": 20}
    assert [one["row"] for one in shown["items"]] == ROWS
    assert shown["items"][1]["said"] == "Rank 2 of 4, similarity 0.800"
    assert (shown["first"], shown["position"], shown["total"], shown["inline"]) == (0, 1, 4, False)
    collection = open_collection("small")
    assert shown["values"] == f"radcbir-data/values/small/{collection.digest[:16]}"
    assert shown["facts"].endswith("/20")


def test_an_image_alone_has_no_query_beside_it(opened) -> None:
    (shown,) = viewers(opened())
    assert shown["query"] is None
    assert shown["facts"].endswith("/none/none")


def test_what_stands_beside_the_viewer_follows_the_reader(opened) -> None:
    at = opened(query=20)
    ids = open_collection("small").manifest.rows(ROWS, ["image_id"])["image_id"].tolist()
    turn = at.session_state["radcbir:large-at"][1]
    for later in (1, 2):  # this script opens it in each run, and each time it is another viewer
        at.session_state[f"radcbir:viewer:{turn + later}"] = {"at": {"position": 3, "serial": 2}}
    at.run()
    (shown,) = viewers(at)
    assert (shown["position"], shown["serial"]) == (3, 2)
    button(at, "Use as query").click().run()
    assert at.session_state["asked"] == ids[3]


@pytest.mark.parametrize("at", [None, 3, {"position": 9}, {"position": -1}, {"position": True}, {"position": "1"}])
def test_what_a_browser_says_that_cannot_be_is_not_believed(monkeypatch, at) -> None:
    monkeypatch.setattr(image_viewer.st, "session_state", {"viewer": {"at": at}})
    assert image_viewer.place_of("viewer", 2, 4) == 2


def test_of_many_images_those_around_the_one_shown_are_named(app) -> None:
    def script() -> None:
        from pages.parts.images.viewer import image_viewer
        from radcbir_core.collections.collection import open_collection

        image_viewer.show(open_collection("small"), list(range(61)) * 5, 200, key="viewer")

    (shown,) = viewers(AppTest.from_function(script, default_timeout=30).run())
    assert (shown["first"], len(shown["items"]), shown["total"]) == (140, 121, 305)
    assert [one["row"] for one in shown["items"]] == [(140 + at) % 61 for at in range(121)]


def test_an_upload_opens_with_its_own_values(app) -> None:
    buffer = io.BytesIO()
    draw(1, 99).save(buffer, "PNG")
    at = app("retrieval")
    at.segmented_control[0].set_value("upload").run()
    at.file_uploader[0].set_value(("scan.png", buffer.getvalue(), "image/png")).run()
    assert pictures(at)
    assert not viewers(at)
    at.session_state["query-upload"] = {"open": True}
    at.run()
    assert not complaints(at)
    (shown,) = viewers(at)
    (item,) = shown["items"]
    kept = session_files.fetch(item["address"].rpartition("/")[2])
    assert (read_stored(kept.data).stored == np.asarray(draw(1, 99))).all()
    assert ["file", "scan.png"] in item["facts"]
    assert (shown["values"], shown["seen"]) == (None, None)

    # Beside a hit it is the query; removed, nothing holds it any more.
    at.session_state["query-upload"] = {"open": None}
    at.session_state["hits:grid"] = {"open": 20}
    at.run()
    (shown,) = viewers(at)
    assert shown["query"]["address"] == item["address"]
    at.session_state["hits:grid"] = {"open": None}
    assert "radcbir:viewer-file" in at.session_state
    other = io.BytesIO()
    draw(2, 99).save(other, "PNG")
    at.file_uploader[0].set_value(("other.png", other.getvalue(), "image/png")).run()
    assert "radcbir:viewer-file" not in at.session_state


def test_a_page_below_a_dialog_hears_no_keys(monkeypatch) -> None:
    class State(dict):
        def to_dict(self):
            return self

    for value, opens in (({"open": 0}, True), ({"open": None}, False), ({"query": 3}, False), ("open", False)):
        monkeypatch.setattr(gallery.st, "session_state", State({"hits:grid": value}))
        assert gallery.dialog_opens() == opens


def test_a_case_on_a_page_is_a_viewer_of_the_pair(app) -> None:
    ids = open_collection("small").manifest.rows([20, 23], ["image_id"])["image_id"].tolist()
    at = app("review", image=ids[0], beside=ids[1])
    assert not complaints(at)
    (shown,) = viewers(at)
    assert (shown["query"], shown["items"], shown["inline"]) == ({"row": 20}, [{"row": 23, "said": ""}], True)
    (alone,) = viewers(app("review", image=ids[0]))
    assert (alone["query"], alone["items"][0]["row"]) == (None, 20)


def test_the_windows_of_ct_are_named_with_center_and_width(opened) -> None:
    (shown,) = viewers(opened())
    assert {one["name"]: (one["center"], one["width"]) for one in shown["windows"]} == {
        "Brain": (40, 80),
        "Subdural": (75, 215),
        "Lung": (-600, 1500),
        "Bone": (400, 1800),
        "Abdomen": (50, 400),
        "Soft tissue": (40, 375),
    }
