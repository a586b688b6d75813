"""What an encoder has seen of a collection, against going through its files one by one."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.kits.training_list import UNKNOWN, Training
from radcbir_core.evaluation.seen import percent, seen_notes, seen_of, seen_rows
from tests.planted_training import plant_training


@pytest.fixture
def store(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").store("pixels")


@pytest.mark.parametrize("digits", [16, 40, 64])
def test_files_are_recognized_byte_for_byte_and_copies_with_them(store, digits) -> None:
    collection = store.collection
    files = [collection.image_root / path for path in collection.manifest.column("path")]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    trained = {digest[:digits] for path, digest in zip(files, digests, strict=True) if path.name[:8] == "chest_00"}
    trained |= {digests[17][:digits], "f" * digits}
    training = Training("listed", tuple(sorted(trained)))
    expected = [digest[:digits] in trained for digest in digests]
    assert sum(expected) == 3  # one of them twice
    assert seen_rows(store, training).tolist() == expected


def test_without_a_list_nothing_is_seen(store, monkeypatch) -> None:
    assert not seen_rows(store, UNKNOWN).any()
    assert seen_of(store).state == "nothing"
    assert seen_of(store).identity == []
    assert seen_notes(store, "skip") == []
    plant_training(monkeypatch, store.collection, [1, 2])
    assert seen_of(store).number == 2
    assert len(seen_of(store).identity) == 1


def test_files_that_nobody_has_read_are_not_known(store, monkeypatch) -> None:
    column = store.collection.manifest.table.column_names.index("sha256")
    table = store.collection.manifest.table
    monkeypatch.setattr(
        store.collection.manifest, "table", table.set_column(column, "sha256", [np.array([""] * len(table)).tolist()])
    )
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: Training("listed", ("0" * 16,)))
    assert seen_of(store).number == 0
    assert seen_notes(store, "skip") == [
        "61 of 61 files were not read when they were imported: whether pixels has seen them in training is not known."
    ]


def test_what_is_known_is_said(store, monkeypatch) -> None:
    plant_training(monkeypatch, store.collection, range(10, 30))
    first = "pixels has seen 20 of the 61 images in training (33 %): these "
    assert seen_notes(store, "skip") == [f"{first}are left out as queries, and stay in the gallery."]
    assert seen_notes(store, "count") == [f"{first}count as queries, and the figures are too favorable."]
    assert seen_notes(store) == [
        "pixels has seen 20 of the 61 images in training (33 %): figures of these are too favorable."
    ]
    training = Training("listed", ("0" * 16,))
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: training)
    assert seen_notes(store, "skip") == ["None of the images is among those that pixels was trained on."]
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: UNKNOWN)
    assert seen_notes(store, "skip") == [
        "What pixels was trained on is not known to RadCBIR: it may have seen these very images."
    ]
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: Training("unknown", fault="It is gone."))
    assert seen_notes(store, "skip") == [
        "Whether pixels has seen images in training is not known: its list cannot be used. It is gone."
    ]


def test_shares_are_never_rounded_to_nothing_or_to_all() -> None:
    assert [percent(share) for share in (0.0, 1e-9, 0.3, 0.999, 1.0)] == [
        "0 %",
        "under 1 %",
        "30 %",
        "over 99 %",
        "100 %",
    ]
