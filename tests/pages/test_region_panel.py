"""A region of the query on Retrieval: in the address, by number fields, alone and with the whole, composed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pages.parts.retrieval import region_panel
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.images.perturbations import Step, perturbed
from radcbir_core.search.queries.composition import Composition
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, components, words
from tests.small_images import draw

EXCLUDED = ["duplicate", "patient"]
WORD = "250,0,1000,500"


def ids():
    return open_collection("small").manifest.frame["image_id"].tolist()


def expected(query):
    retriever = Retriever(open_collection("small"), "pixels", encoder=lambda: load_encoder("pixels"))
    return retriever.search(query, k=10, exclude=EXCLUDED).rows().tolist()


def shown(at):
    return [card["row"] for card in cards(at) if "rank" in card]


def drawn(at):
    """What the browser is told of the box."""
    return next(one for one in components(at) if "least" in one)


def pixels_of(row):
    return open_collection("small").read_image(row).pixels


def test_an_address_says_the_region_and_the_weight_of_the_whole(app) -> None:
    at = app("retrieval", image=ids()[0], region=WORD, exclude=EXCLUDED)
    assert not complaints(at)
    assert shown(at) == expected(region_query(Box.of(WORD), pixels_of(0), RowQuery((0,))))
    assert drawn(at)["box"] == [250, 0, 1000, 500]
    assert [one.value for one in at.number_input if one.label.endswith("%")] == [25, 0, 100, 50]
    whole = next(one for one in at.slider if one.label == "Weight of the whole image")
    whole.set_value(0.5).run()
    assert at.query_params["whole"] == "0.5"
    assert shown(at) == expected(region_query(Box.of(WORD), pixels_of(0), RowQuery((0,)), whole=0.5))
    next(one for one in at.button if one.label == "Whole image again").click().run()
    assert not {"region", "whole"} & set(at.query_params)
    assert shown(at) == expected(RowQuery((0,)))
    assert drawn(at)["box"] is None


def test_number_fields_draw_it(app) -> None:
    at = app("retrieval", image=ids()[0], exclude=EXCLUDED)
    next(one for one in at.number_input if one.label == "Left %").set_value(25.0).run()
    assert at.query_params["region"] == "250,0,1000,1000"
    next(one for one in at.number_input if one.label == "Bottom %").set_value(50.0).run()
    assert at.query_params["region"] == WORD
    assert not complaints(at)
    assert shown(at) == expected(region_query(Box.of(WORD), pixels_of(0), RowQuery((0,))))


@pytest.mark.parametrize(
    ("corners", "word"),
    [
        ([1000.0, 500.0, 250.0, 0.0], WORD),
        ([-50.0, 10.0, 5.0, 4000.0], "0,10,20,1000"),
        ([999.0, 999.0, 1000.0, 1000.0], "980,980,1000,1000"),
        ([0.0, 0.0, 1000.0, 1000.0], None),
    ],
)
def test_what_the_browser_tells_becomes_a_region(monkeypatch, corners, word) -> None:
    written = {}
    monkeypatch.setattr(region_panel.state, "update", written.update)
    region_panel._write(corners)
    assert written == {"region": word}


def test_what_an_address_says_wrongly_is_reported(app) -> None:
    at = app("retrieval", image=ids()[0], region="1,2", exclude=EXCLUDED)
    assert "Expected a region as left,top,right,bottom" in complaints(at)
    assert shown(at) == expected(RowQuery((0,)))
    at = app("retrieval", image=ids()[0], region=WORD, whole="much", exclude=EXCLUDED)
    assert "Expected whole from 0 to 3" in complaints(at)
    assert shown(at) == expected(region_query(Box.of(WORD), pixels_of(0), RowQuery((0,))))


def test_it_is_of_the_changed_picture_and_things_are_added_to_it(app) -> None:
    steps = [Step.of("invert")]
    changed = ChangedQuery(perturbed(pixels_of(0), steps), RowQuery((0,)))
    at = app("retrieval", image=ids()[0], region=WORD, perturb="invert", exclude=EXCLUDED)
    assert not complaints(at)
    region = region_query(Box.of(WORD), changed.pixels, changed)
    assert shown(at) == expected(region)
    add = [f"like:{ids()[3]}"]
    at = app("retrieval", image=ids()[0], region=WORD, add=add, exclude=EXCLUDED)
    assert not complaints(at)
    region = region_query(Box.of(WORD), pixels_of(0), RowQuery((0,)))
    assert shown(at) == expected(Composition.of(add).query(region, open_collection("small")))


def test_an_upload_has_regions_too_and_another_image_has_none(app) -> None:
    at = app("retrieval", source="upload", region=WORD, exclude=EXCLUDED)
    assert "Upload an image on the left" in words(at)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(draw(0, 99))).save(buffer, format="PNG")
    at.file_uploader[0].set_value(("mine.png", buffer.getvalue(), "image/png"))
    at.run()
    assert not complaints(at)
    pixels = np.asarray(draw(0, 99))
    assert shown(at) == expected(region_query(Box.of(WORD), pixels, ImageQuery(pixels)))
    at = app("retrieval", image=ids()[0], region=WORD, whole="1")
    next(one for one in at.button if one.label == "Random").click().run()
    assert not {"region", "whole"} & set(at.query_params)
