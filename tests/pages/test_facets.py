"""Facets beside hits, one hit a patient, a least similarity, and the lane of the query's patient."""

from __future__ import annotations

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.hit_facets import DEPTH, count_facets
from radcbir_core.search.narrowing import at_least, one_each
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, html
from tests.pages.test_retrieval import value_of


@pytest.fixture
def retriever(copied_data):
    return Retriever(open_collection("small"), "pixels")


def pills(at, label):
    return next(group for group in at.get("button_group") if group.proto.label == label)


def test_facets_are_counted_and_one_click_filters(app, retriever) -> None:
    manifest = retriever.collection.manifest
    at = app("retrieval", image=manifest.image_id(21), exclude="patient", where="split=train")
    assert not complaints(at)
    facets = count_facets(
        lambda where: retriever.search(21, k=DEPTH, where=where, exclude=["patient"]), manifest, {"split": ["train"]}
    )
    assert "Counted over the first" in html(at)
    by_title = {facet.column: facet for facet in facets}
    shown = [option.content for option in pills(at, "Modality").proto.options]
    assert shown == [f"{count} · {value}" for value, count in by_title["modality"].counts.items()]
    assert pills(at, "Split").value == ["train"]
    pills(at, "Modality").set_value(["MR"]).run()
    assert not complaints(at)
    assert at.query_params["where"] == ["split=train", "modality=MR"]
    expected = retriever.search(21, where={"split": ["train"], "modality": ["MR"]}, exclude=["patient"])
    assert [card["row"] for card in cards(at)] == expected.rows().tolist()
    pills(at, "Split").set_value([]).run()
    assert value_of(at, "where") == "modality=MR"


def test_one_hit_a_patient_and_the_rest_on_request(app, retriever) -> None:
    manifest = retriever.collection.manifest
    at = app("retrieval", image=manifest.image_id(2), exclude="none", one="patient", k="6")
    assert not complaints(at)
    found = one_each(lambda k: retriever.search(2, k=k), manifest.groups("patient"), k=6)
    assert [card["row"] for card in cards(at)] == found.answer.rows().tolist()
    assert len(found.answer) == 6
    notes = [card["note"] for card in cards(at)]
    assert [("more" in note) for note in notes] == [bool(others) for others in found.others]
    assert f"One hit a patient, of the first {found.depth}" in html(at)
    next(one for one in at.toggle if one.label.startswith("Show the rest")).set_value(True).run()
    assert value_of(at, "rest") == "all"
    rest = [card["row"] for card in cards(at)][6:]
    assert rest == [row for others in found.others for row in others][:20]


def test_a_least_similarity_leaves_fewer_or_none(app, retriever) -> None:
    manifest = retriever.collection.manifest
    answer = retriever.search(21, k=40, exclude=["patient"])
    least = round(float(answer.similarities()[[0, -1]].mean()), 3)
    at = app("retrieval", image=manifest.image_id(21), k="40", exclude="patient", least=f"{least:g}")
    kept = at_least(answer, least)
    assert 0 < len(kept) < 40
    assert [card["row"] for card in cards(at)] == kept.rows().tolist()
    assert f"{40 - len(kept)} of 40 are less similar than {least:g}, and left out." in html(at)
    assert "no more images are left" not in html(at)
    at = app("retrieval", image=manifest.image_id(21), exclude="patient", least="1")
    assert not at.exception
    assert "No image is left to be a hit." in html(at)
    at = app("retrieval", image=manifest.image_id(21), least="much")
    assert "Expected least from -1 to 1, but least = much" in complaints(at)


def test_the_other_images_of_the_patient_are_in_a_lane(app, retriever) -> None:
    manifest = retriever.collection.manifest
    groups = manifest.groups("patient")
    at = app("retrieval", image=manifest.image_id(21))
    others = [row for row in range(len(manifest)) if groups[row] == groups[21] and row != 21]
    assert len(cards(at)) == 10
    next(one for one in at.toggle if "no column says when they were taken" in one.label).set_value(True).run()
    assert [card["row"] for card in cards(at)][10:] == others
    assert value_of(at, "lane") == "all"
    alone = next(row for row in range(len(manifest)) if groups[row] < 0)
    at = app("retrieval", image=manifest.image_id(alone))
    assert not any("of this patient" in one.label for one in at.toggle)


def test_what_does_not_fit_in_the_address_is_said_where_it_is_seen(app, retriever) -> None:
    image = retriever.collection.manifest.image_id(2)
    at = app("retrieval", image=image, one="hospital", exclude="none")
    assert "Expected one to be one of those there are, but one = hospital" in complaints(at)
    assert at.get("popover")
    assert not [warning for popover in at.get("popover") for warning in popover.warning]
    assert "rest = some" in complaints(app("retrieval", image=image, one="patient", rest="some", exclude="none"))
    assert "lane = some" in complaints(app("retrieval", image=image, lane="some"))
