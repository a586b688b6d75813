"""Clusters against a dictionary, and groups by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import check_exclusions, clusters_of, default_exclusions, groups_of
from radcbir_core.errors import QueryError


class FakeStore:
    """As much of a store as clusters need: the groups of some images."""

    def __init__(self, patient: list[int], duplicate: list[int], series: list[int] | None = None) -> None:
        named = {"patient": patient, "series": series or [-1] * len(patient), "duplicate": duplicate}
        self._groups = {name: np.array(codes, dtype=np.int32) for name, codes in named.items()}
        self.collection = self.manifest = self
        self.current = {NEAR_DUPLICATES}

    def is_current(self, artifact: str) -> bool:
        return artifact in self.current

    def known(self, name: str) -> int:
        return int((self._groups[name] >= 0).sum())

    def __len__(self) -> int:
        return len(self._groups["patient"])

    def groups(self, name: str) -> np.ndarray:
        return self._groups[name]


def test_slices_of_a_volume_stay_together_where_no_patient_is_known() -> None:
    patient, series = [0, 0, -1, -1, -1], [0, 1, 2, 2, -1]
    nothing = [-1] * 5
    assert clusters_of(FakeStore(patient, nothing, series)).tolist() == [0, 0, 1, 1, 2]
    for store, expected in [
        (FakeStore(patient, nothing, series), ("near-duplicate", "series", "patient")),
        (FakeStore([0, 0, -1, -1, -1], nothing, [0, 1, -1, -1, -1]), ("near-duplicate", "patient")),
        (FakeStore(nothing, nothing, series), ("near-duplicate", "series")),
        (FakeStore(nothing, nothing), ("near-duplicate",)),
        (FakeStore([0] * 5, nothing, series), ("patient",)),
    ]:
        assert default_exclusions(store) == expected
        store.current.clear()
        without = tuple(name for name in expected if name != "near-duplicate") or ("patient",)
        assert default_exclusions(store) == without


def test_the_cluster_is_the_patient_then_the_duplicate_group_then_the_image():
    store = FakeStore(patient=[3, 3, -1, -1, -1, -1], duplicate=[-1, 0, 0, 0, 7, -1])
    assert clusters_of(store).tolist() == [0, 0, 1, 1, 2, 3]
    assert clusters_of(FakeStore([-1] * 3, [-1] * 3)).tolist() == [0, 1, 2]
    assert clusters_of(FakeStore([], [])).tolist() == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3), st.integers(-1, 3)), max_size=12))
def test_clusters_are_those_of_a_dictionary(rows):
    names = [
        next(
            ((kind, code) for kind, code in zip(("patient", "series", "duplicate"), row, strict=True) if code >= 0),
            number,
        )
        for number, row in enumerate(rows)
    ]
    patient, series, duplicate = ([row[place] for row in rows] for place in range(3))
    codes = clusters_of(FakeStore(patient, duplicate, series)).tolist()
    assert set(codes) == set(range(len(set(names))))
    assert len(set(zip(names, codes, strict=True))) == len(set(names))


def test_groups_are_given_by_name_and_in_one_order(small_data, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    store = open_collection("small").store("pixels")
    manifest = store.collection.manifest
    patient, duplicate = manifest.groups("patient"), manifest.groups("duplicate")
    for expected, found in zip((duplicate, patient), groups_of(store, ["patient", "duplicate"]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert groups_of(store, []) == []


def test_errors_say_what_was_expected_and_found() -> None:
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        check_exclusions(["hospital"])
