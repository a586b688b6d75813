"""What kinds of values records hold."""

from __future__ import annotations

import json

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.records.record_rules import COLLECTION, ENCODER, odd_field
from radcbir_core.errors import CollectionError


def test_what_is_written_fits(copied) -> None:
    assert odd_field(copied.record, COLLECTION) == ""
    assert odd_field(copied.store("pixels").record, ENCODER) == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", 7),
        ("title", "a\0b"),
        ("images", "61"),
        ("images", True),
        ("images", 0),
        ("images", 10**40),
        ("notes", None),
        ("notes", ["a", None]),
        ("changes", [{"column": "view"}]),
        ("changes", {}),
        ("sources", [None]),
        ("sources", [{"origin": 7}]),
        ("licences", {"CC0": "many"}),
        ("problems", 0.5),
        ("archive", "yes"),
    ],
)
def test_a_collection_of_other_kinds_is_refused_when_it_is_opened(copied, field, value) -> None:
    copied.layout.record.write_text(json.dumps(copied.record | {field: value}))
    with pytest.raises(CollectionError, match=rf"collection\.json has another kind of value in {field}\. Copy it back"):
        open_collection("small")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spec", None),
        ("dimension", "1024"),
        ("dimension", float("nan")),
        ("failed_rows", None),
        ("failed_rows", [61]),
        ("failed_rows", [-1]),
        ("failed_rows", ["3"]),
        ("artifacts", []),
        ("artifacts", {"index": {"of": None}}),
        ("artifacts", {"index": {"recipe": "1"}}),
        ("index", {"recall_at_10": "high"}),
        ("index", {"recall_at_10": 7}),
        ("neighbors", {"method": "guessed"}),
        ("supports_text", "no"),
        ("sources", "a.h5"),
    ],
)
def test_an_encoder_of_other_kinds_is_refused_when_it_is_opened(copied, field, value) -> None:
    store = copied.store("pixels")
    store.layout.record.write_text(json.dumps(store.record | {field: value}))
    with pytest.raises(CollectionError, match=rf"encoder\.json has another kind of value in {field}\. Copy it back"):
        copied.store("pixels")


def test_the_recall_of_a_single_image_was_no_number_in_versions_before() -> None:
    assert odd_field({"index": {"recall_at_10": float("nan")}}, ENCODER) == ""
    assert odd_field({"index": {"recall_at_10": None}}, ENCODER) == ""
