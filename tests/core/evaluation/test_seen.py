"""What an encoder has seen of a collection, against going through its files one by one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders.kits.training_list import UNKNOWN, Training
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.seen import percent, seen_files, seen_notes, seen_of
from radcbir_core.evaluation.view import gallery_view
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
    training = Training.listing(trained)
    expected = [digest[:digits] in trained for digest in digests]
    assert sum(expected) == 3  # one of them twice
    assert seen_files(store, training).tolist() == expected


def plant_groups(monkeypatch, groups) -> None:
    """Let these be near-duplicates of each other, and no others."""
    codes = np.full(61, -1, dtype=np.int32)
    for code, rows in enumerate(groups):
        codes[list(rows)] = code
    monkeypatch.setattr(EncoderStore, "near_duplicate_groups", codes)


def test_near_duplicates_of_what_was_seen_are_seen_and_told_apart(store, monkeypatch) -> None:
    groups, listed = [{1, 5, 60}, {2, 3}, {10, 11}], {5, 10, 11, 30}
    plant_groups(monkeypatch, groups)
    plant_training(monkeypatch, store.collection, listed)
    seen = seen_of(store)
    near = {row for group in groups if group & listed for row in group} - listed
    assert near == {1, 60}
    assert set(np.flatnonzero(seen.files)) == listed
    assert set(np.flatnonzero(seen.near)) == near
    assert set(np.flatnonzero(seen.rows)) == listed | near
    assert (seen.number, seen.number_near) == (6, 2)
    assert seen_notes(store, "skip") == [
        "pixels has seen 6 of the 61 images in training (10 %), 2 of them as near-duplicates: these are left out as "
        "queries, and stay in the gallery."
    ]
    labeled = np.flatnonzero(store.collection.manifest.labels("label").codes >= 0)
    view = gallery_view(store, Protocol(), "label")
    assert set(view.seen) == (listed | near) & set(labeled)
    assert set(view.queries) == set(labeled) - listed - near


def test_where_near_duplicates_are_not_known_files_are_all_that_is_and_that_is_said(store, monkeypatch) -> None:
    before = seen_of(store)
    plant_training(monkeypatch, store.collection, [1, 2])
    known = seen_of(store).identity
    for name, missing in (
        ("is_current", lambda _self, *artifacts: NEAR_DUPLICATES not in artifacts),
        ("near_duplicate_groups", property(damaged)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(EncoderStore, name, missing)
            seen = seen_of(store)
            assert (seen.number, seen.number_near, seen.looked_for) == (2, 0, False)
            assert "Near-duplicates are not known: a picture that was seen in another" in seen_notes(store, "skip")[1]
    with monkeypatch.context() as patch:
        patch.setattr(EncoderStore, "near_duplicates_digest", "others")
        assert seen_of(store).identity != known  # so that what was kept is computed again
    assert before.identity == []


def damaged(_store):
    raise CollectionError("Expected them whole.")


def test_without_a_list_nothing_is_seen(store, monkeypatch) -> None:
    assert not seen_files(store, UNKNOWN).any()
    assert seen_of(store).state == "nothing"
    assert seen_of(store).identity == []
    assert seen_notes(store, "skip") == []
    plant_groups(monkeypatch, [])
    plant_training(monkeypatch, store.collection, [1, 2])
    assert seen_of(store).number == 2
    assert len(seen_of(store).identity) == 1


def test_files_that_nobody_has_read_are_not_known(store, monkeypatch) -> None:
    column = store.collection.manifest.table.column_names.index("sha256")
    table = store.collection.manifest.table
    unread = table.set_column(column, "sha256", [np.array([""] * len(table)).tolist()])
    monkeypatch.setattr(store.collection, "manifest", type(store.collection.manifest)(unread, digest=""))
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: Training.listing(["0" * 16]))
    assert seen_of(store).number == 0
    assert seen_notes(store, "skip") == [
        "61 of 61 files were not read when they were imported: whether pixels has seen them in training is not known."
    ]


def test_what_is_known_is_said(store, monkeypatch) -> None:
    plant_groups(monkeypatch, [])
    plant_training(monkeypatch, store.collection, range(10, 30))
    first = "pixels has seen 20 of the 61 images in training (33 %): these "
    assert seen_notes(store, "skip") == [f"{first}are left out as queries, and stay in the gallery."]
    assert seen_notes(store, "count") == [f"{first}count as queries, and the figures are too favorable."]
    assert seen_notes(store) == [
        "pixels has seen 20 of the 61 images in training (33 %): figures of these are too favorable."
    ]
    training = Training.listing(["0" * 16])
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
    other = replace(training, fault="Its own is gone.")
    monkeypatch.setattr("radcbir_core.evaluation.seen.training_of", lambda *_: other)
    assert seen_notes(store, "skip") == [
        "None of the images is among those that pixels was trained on.",
        "The list is that of another folder with the same weights. Its own is gone.",
    ]


def test_shares_are_never_rounded_to_nothing_or_to_all() -> None:
    assert [percent(share) for share in (0.0, 1e-9, 0.3, 0.999, 1.0)] == [
        "0 %",
        "under 1 %",
        "30 %",
        "over 99 %",
        "100 %",
    ]
