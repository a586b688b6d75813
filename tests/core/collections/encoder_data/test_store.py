"""What an encoder has made: how it stands, what it was made of, and what is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.artifacts import ARTIFACTS, EVALUATION, INDEX, NEIGHBORS
from radcbir_core.errors import CollectionError
from radcbir_core.storage import digest_file, digest_of
from tests.stale import outdate


def test_damaged_parts_are_named(copied) -> None:
    store = copied.store("pixels")
    np.save(store.layout.files(NEIGHBORS)[0], np.zeros((3, 2), dtype=np.int32))
    with pytest.raises(CollectionError, match=r"but .*neighbor_ids\.npy is not that: it has 3 rows\. Build small"):
        _ = store.neighbor_ids
    store.projection_path.write_bytes(b"PAR1")
    with pytest.raises(CollectionError, match=r"projection\.parquet is not that: its bytes are not those"):
        store.projection()


def test_what_is_made_is_recorded_with_what_it_is_made_of(copied) -> None:
    store = copied.store("pixels")
    made = store.record["artifacts"]
    assert made["embeddings"]["of"] == {"images": copied.digests.images, "encoder": store.record["fingerprint"]}
    assert made["neighbors"]["of"] == {"embeddings": made["embeddings"]["digest"]}
    assert made["near-duplicates"]["of"] == {
        "images": copied.digests.images,
        "neighbors": made["neighbors"]["digest"],
    }
    assert made["projection"]["of"] == {"neighbors": made["neighbors"]["digest"]}
    assert made["evaluation"]["of"] == {
        "neighbors": made["neighbors"]["digest"],
        "near-duplicates": made["near-duplicates"]["digest"],
        "labels": copied.digests.all_labels,
    }
    assert {record["recipe"] for record in made.values()} == {artifact.recipe for artifact in ARTIFACTS}
    assert made["embeddings"]["digest"] == digest_of(digest_file(store.embeddings_path))


def test_facts_are_told_beside_what_was_made(copied) -> None:
    store = copied.store("pixels")
    assert store.facts(NEIGHBORS)["method"] == "exact"
    assert set(store.facts(INDEX)) >= {"bytes", "recall_at_10"}
    assert store.facts(EVALUATION) == {}
    before = store.record["artifacts"]
    store.update(index={"recall_at_10": 0.5})
    assert copied.store("pixels").facts(INDEX) == {"recall_at_10": 0.5}
    assert copied.store("pixels").record["artifacts"] == before


def test_what_evaluations_are_kept_by_changes_with_labels_and_embeddings(copied) -> None:
    store = copied.store("pixels")
    before = store.evaluated
    copied.digests = copied.digests._replace(labels={"view": "other"})
    other_labels = store.evaluated
    store.record["artifacts"]["embeddings"]["digest"] = "other"
    assert len({before, other_labels, store.evaluated}) == 3


def test_marking_records_what_is_there_now(copied) -> None:
    store = copied.store("pixels")
    outdate(store, NEIGHBORS)
    assert store.states()["projection"] == "stale"
    store.mark(NEIGHBORS, method="exact")
    again = copied.store("pixels")
    assert again.is_current()
    assert again.is_current(NEIGHBORS, EVALUATION)
    assert again.facts(NEIGHBORS) == {"method": "exact"}


def test_a_map_of_before_stays_current_and_is_said_to_be_of_an_earlier_recipe(copied) -> None:
    store = copied.store("pixels")
    made = store.record["artifacts"]
    facts = {"seed": 0, "n_neighbors": 15, "min_dist": 0.1, "umap": "0.5.12", "start": "random", "preservation": 0.5}
    store.update(artifacts=made | {"projection": made["projection"] | {"recipe": 1}}, projection=facts)
    again = copied.store("pixels")
    assert again.is_current()
    assert again.maps()["standard"].state == "current"
    assert again.earlier_recipes() == ["map"]
    assert again.projection() is not None
