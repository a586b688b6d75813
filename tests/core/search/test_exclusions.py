"""What the words leave out, against the definition, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.groups import EXCLUSIONS
from radcbir_core.search.exclusions import FileOfImage, exclusions_of, exclusions_of_file

COLUMN = {"patient": "patient_id", "study": "study_id", "series": "series_id", "dataset": "dataset"}


@pytest.fixture
def small(small_data, monkeypatch) -> Collection:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def excluded(exclusions, query: int, total: int) -> set[int]:
    return {row for row in range(total) if any(each.excluded(query, np.array([row]))[0] for each in exclusions)}


def share(collection: Collection, name: str, row: int) -> set[int]:
    """The rows that share a patient (study, series) with one, its bytes, or its picture."""
    if name == "near-duplicate":
        groups = collection.store("pixels").near_duplicate_groups
        return {row, *np.flatnonzero((groups == groups[row]) & (groups >= 0)).tolist()}
    records = [collection.manifest.record(other) for other in range(len(collection))]
    value = records[row].get("sha256" if name == "duplicate" else COLUMN[name])
    return {
        other
        for other, record in enumerate(records)
        if value and record.get("sha256" if name == "duplicate" else COLUMN[name]) == value
    }


@pytest.mark.parametrize("name", [None, *EXCLUSIONS])
def test_an_image_leaves_out_itself_and_what_shares_with_it(small, name) -> None:
    rows = np.array([0, 25, 60])
    exclusions = exclusions_of(small.store("pixels"), rows, [] if name is None else [name])
    for query, row in enumerate(rows.tolist()):
        expected = {row} | (share(small, name, row) if name else set())
        assert excluded(exclusions, query, len(small)) == expected


@pytest.mark.parametrize("name", EXCLUSIONS)
def test_a_file_leaves_out_what_its_copy_in_the_collection_does(small, name) -> None:
    sha256 = small.manifest.record(0)["sha256"]
    known = exclusions_of_file(small.store("pixels"), FileOfImage(sha256), [name], queries=2)
    for query in range(2):
        assert excluded(known, query, len(small)) == share(small, name, 0)
    assert excluded(exclusions_of_file(small.store("pixels"), FileOfImage(), [name], queries=1), 0, len(small)) == set()
    assert (
        excluded(exclusions_of_file(small.store("pixels"), FileOfImage("0" * 64), [name], queries=1), 0, len(small))
        == set()
    )
