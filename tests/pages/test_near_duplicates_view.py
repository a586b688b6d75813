"""Near-duplicates on Failures: conflicts first, the groups of the evaluation, and what to do where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import open_collection
from radcbir_core.storage import write_array
from tests.pages.reading import complaints, words
from tests.stale import forget


@pytest.fixture
def planted(copied_data):
    """One group, of a chest and a brain."""
    store = open_collection("small").store("pixels")
    anatomy = store.collection.manifest.codes("anatomy")
    chest, brain = (np.flatnonzero(anatomy.codes == anatomy.values.index(name)) for name in ("chest", "brain"))
    groups = np.full(len(store.collection), -1, dtype=np.int32)
    groups[np.concatenate([brain[:1], chest[:1]])] = 0
    write_array(store.layout.files(NEAR_DUPLICATES)[0], [groups], shape=groups.shape, dtype=groups.dtype)
    store.mark(NEAR_DUPLICATES)
    return store


def test_conflicts_are_opened_first_and_groups_can_be_filtered(app, planted) -> None:
    at = app("failures", view="near-duplicates")
    assert not complaints(at)
    assert "2 images of 61 are in 1 group." in words(at)
    assert "brain / chest" in words(at)
    at = app("failures", view="near-duplicates", conflict="splits")
    assert not complaints(at)
    assert "brain / chest" not in words(at)


def test_where_they_were_not_looked_for_it_says_what_to_do(app, planted) -> None:
    forget(planted, NEAR_DUPLICATES)
    at = app("failures", view="near-duplicates")
    assert "are missing: not made yet" in " ".join([*complaints(at), words(at)])
