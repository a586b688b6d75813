"""Regions of the gallery on Retrieval: found, drawn and said; and, where they are not there, how they come about."""

from __future__ import annotations

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError
from radcbir_core.jobs import start
from radcbir_core.jobs.kinds.embed_regions import EmbedRegions
from radcbir_core.pipeline import build_tiles
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.queries.tile_grid import TILES, WHOLE, found_said
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, html, words
from tests.quick_jobs import wait_for

EXCLUDED = ["duplicate", "patient"]
WORD = "250,0,1000,500"


def ids():
    return open_collection("small").manifest.frame["image_id"].tolist()


def expected(**options):
    collection = open_collection("small")
    retriever = Retriever(collection, "pixels", encoder=lambda: load_encoder("pixels"))
    query = region_query(Box.of(WORD), collection.read_image(0).pixels, RowQuery((0,)))
    return retriever.search(query, k=10, exclude=EXCLUDED, **options)


def shown(at):
    return [card for card in cards(at) if "rank" in card and not str(card.get("note", "")).startswith("was rank")]


@pytest.fixture
def with_regions(app, copied_data):
    """The collection ``small``, whose regions are embedded."""
    build_tiles(open_collection("small"), load_encoder("pixels"))
    return app


def choice_of(at):
    return [one for one in at.button_group if one.label == "Search in"]


def test_regions_are_found_and_drawn_on_hits(with_regions) -> None:
    at = with_regions("retrieval", image=ids()[0], region=WORD, exclude=EXCLUDED)
    assert not complaints(at)
    assert all("box" not in card for card in cards(at))
    (choice,) = choice_of(at)
    choice.set_value("regions").run()
    assert not complaints(at)
    assert at.query_params["among"] == ["regions"] or at.query_params["among"] == "regions"
    answer = expected(regions=True)
    hits = [card for card in cards(at) if "box" in card]
    assert [card["row"] for card in hits] == answer.rows().tolist()
    boxes = answer.found_boxes()
    assert [card["box"] for card in hits] == [
        [] if box == WHOLE else [box.left, box.top, box.right, box.bottom] for box in boxes
    ]
    assert [card["found"] for card in hits] == [found_said(box) for box in boxes]
    assert len({box.word for box in boxes}) > 1
    assert f"{len(TILES)} regions of each" in html(at)
    assert "closer than" not in html(at)


def test_an_address_opens_it_with_filters_and_one_a_patient(with_regions) -> None:
    where = {"modality": ["CT"]}
    at = with_regions(
        "retrieval",
        image=ids()[0],
        region=WORD,
        among="regions",
        exclude=EXCLUDED,
        where=["modality=CT"],
        one="patient",
    )
    assert not complaints(at)
    answer = expected(regions=True, where=where)
    hits = [card for card in cards(at) if "box" in card]
    assert hits[0]["row"] == answer.rows()[0]
    assert {card["modality"] for card in hits} == {"CT"}
    patients = open_collection("small").manifest.groups("patient")
    assert len({int(patients[card["row"]]) for card in hits}) == len(hits)


def test_another_order_than_cosine_is_not_there(with_regions) -> None:
    at = with_regions("retrieval", image=ids()[0], among="regions", hubness="csls", exclude=EXCLUDED)
    assert "among regions there is no other order" in words(at)
    assert len([card for card in cards(at) if "box" in card]) == 10


def test_another_image_as_query_is_searched_in_whole_images(with_regions) -> None:
    at = with_regions("retrieval", image=ids()[0], region=WORD, among="regions")
    next(one for one in at.button if one.label == "Random").click().run()
    assert "among" not in at.query_params


def test_where_there_are_none_it_is_said_what_they_cost_and_a_button_makes_them(app, copied_data, in_threads) -> None:
    at = app("retrieval", image=ids()[0], region=WORD, among="regions", exclude=EXCLUDED)
    assert "Regions of these images were never embedded. Whole images are searched instead." in words(at)
    assert f"{len(TILES)} of each have to be embedded first" in words(at)
    assert words(at).index("Drag a box") < words(at).index("to be embedded first"), "the picture comes first"
    assert [card["row"] for card in shown(at)][:10] == expected().rows().tolist()
    assert not choice_of(at)
    next(one for one in at.button if one.label == "Embed regions").click().run()
    wait_for(lambda: "tiles" in open_collection("small").store("pixels").states())
    at.run()
    assert not complaints(at)
    assert [card["row"] for card in cards(at) if "box" in card] == expected(regions=True).rows().tolist()


def test_what_is_not_current_is_said(with_regions, copied_data) -> None:
    store = open_collection("small").store("pixels")
    made = store.record["artifacts"]
    store.update(artifacts=made | {"tiles": made["tiles"] | {"recipe": 0}})
    at = with_regions("retrieval", image=ids()[0], among="regions", exclude=EXCLUDED)
    assert "Regions of these images are stale: made by version 0 of its recipe" in words(at)


def test_who_may_not_begin_jobs_is_told_and_has_no_button(app, monkeypatch) -> None:
    monkeypatch.setattr("pages.parts.retrieval.found_regions.controls.may_begin", lambda kind: False)
    at = app("retrieval", image=ids()[0], region=WORD)
    assert f"{len(TILES)} of each have to be embedded first" in words(at)
    assert not [one for one in at.button if one.label == "Embed regions"]


def test_where_regions_cannot_be_made_it_is_said_why(app, copied_data, monkeypatch) -> None:
    def refuse(store) -> None:
        raise CollectionError("Expected fewer images. Make them of a smaller collection.")

    monkeypatch.setattr("radcbir_core.tiling.check_tiles", refuse)
    at = app("retrieval", image=ids()[0], region=WORD)
    assert "Regions of the images cannot be found here. Expected fewer images." in words(at)
    assert not [one for one in at.button if one.label == "Embed regions"]


def test_one_that_failed_says_why_and_is_begun_again(app, copied_data, in_threads, monkeypatch) -> None:
    def fail(*_, **__) -> None:
        raise CollectionError("Expected space, but there is none. Free some.")

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.jobs.kinds.embed_regions.build_tiles", fail)
        job = start(EmbedRegions("small", "pixels"))
        wait_for(lambda: job.status().ended)
    at = app("retrieval", image=ids()[0], region=WORD, exclude=EXCLUDED)
    assert "Embed regions of each image with pixels: Expected space, but there is none." in complaints(at)
    next(one for one in at.button if one.label == "Try again").click().run()
    wait_for(lambda: "tiles" in open_collection("small").store("pixels").states())
