"""Clusters against a dictionary, and groups by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import check_exclusions, cluster_codes, clusters_of, groups_of
from radcbir_core.errors import QueryError


def test_the_cluster_is_the_patient_then_the_duplicate_group_then_the_image():
    patient = np.array([3, 3, -1, -1, -1, -1])
    duplicate = np.array([-1, 0, 0, 0, 7, -1])
    assert cluster_codes([patient, duplicate], n_rows=6).tolist() == [0, 0, 1, 1, 2, 3]
    assert cluster_codes([], n_rows=3).tolist() == [0, 1, 2]
    assert cluster_codes([], n_rows=0).tolist() == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=12))
def test_clusters_are_those_of_a_dictionary(rows):
    names = [
        ("patient", patient) if patient >= 0 else ("duplicate", duplicate) if duplicate >= 0 else ("image", row)
        for row, (patient, duplicate) in enumerate(rows)
    ]
    groups = [np.array([row[column] for row in rows], dtype=np.int32) for column in (0, 1)]
    found = cluster_codes(groups, n_rows=len(rows)).tolist()
    assert set(found) == set(range(len(set(names))))
    assert len(set(zip(names, found, strict=True))) == len(set(names))


def test_groups_are_given_by_name_and_in_one_order(small_data, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    store = open_collection("small").store("pixels")
    manifest = store.collection.manifest
    patient, duplicate = manifest.groups("patient"), manifest.groups("duplicate")
    for expected, found in zip((duplicate, patient), groups_of(store, ["patient", "duplicate"]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert groups_of(store, []) == []
    np.testing.assert_array_equal(clusters_of(store), cluster_codes([patient, duplicate], n_rows=len(manifest)))


def test_errors_say_what_was_expected_and_found() -> None:
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        check_exclusions(["hospital"])
    message = "Expected one group code an image (2), but len(groups[0]) = 3. Pass groups of the whole collection."
    with pytest.raises(ValueError, match=re.escape(message)):
        cluster_codes([np.zeros(3, int)], n_rows=2)
