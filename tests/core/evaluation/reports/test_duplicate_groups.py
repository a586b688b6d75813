"""Conflicts within groups of near-duplicates, against plain Python."""

from __future__ import annotations

import shutil
from collections import defaultdict

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.errors import StaleError
from radcbir_core.evaluation import evaluate
from radcbir_core.evaluation.reports.duplicate_groups import GROUP_COLUMNS, DuplicateGroups
from radcbir_core.storage import write_array
from tests.stale import forget


class FakeStore:
    """As much of a store as the groups need."""

    encoder_id = "e"
    near_duplicates_digest = ""

    def __init__(self, rows, groups, **facts) -> None:
        blank = dict.fromkeys(COLUMNS, "") | {"width": 1, "height": 1, "duplicate_group": -1, "pathologies": []}
        table = pd.DataFrame(
            [blank | {"image_id": str(number)} | row for number, row in enumerate(rows)], columns=list(COLUMNS)
        )
        schema = pa.schema([("pathologies", pa.list_(pa.string()))])
        made = pa.Table.from_pandas(table, preserve_index=False)
        place = made.column_names.index("pathologies")
        made = made.set_column(place, "pathologies", pa.array(table["pathologies"], schema.field(0).type))
        self.manifest = Manifest(made, digest="d")
        self.collection, self.name = self, "c"
        self.near_duplicate_groups = np.array(groups, dtype=np.int32)
        self._facts = {"confirmed_on": "pixels", "compared": len(rows), "agreeing_across": 0} | facts

    def __len__(self) -> int:
        return len(self.near_duplicate_groups)

    def facts(self, artifact):
        assert artifact == NEAR_DUPLICATES
        return self._facts


def groups_of(store) -> pd.DataFrame:
    return DuplicateGroups().compute(store).table


def test_conflicts_come_first_and_say_what_differs() -> None:
    rows = [
        {"pathologies": ["edema"], "patient_id": "a", "split": "train"},  # group 0: nothing is wrong
        {"pathologies": ["edema"], "patient_id": "a", "split": "train", "duplicate_group": 3},
        {"pathologies": ["edema", "cyst"], "patient_id": "b", "split": "train"},  # group 1: everything is
        {"pathologies": ["normal"], "patient_id": "c", "split": "test"},
        {"pathologies": ["cyst", "edema"]},  # the same labels as row 2 in another order
        {"anatomy": "chest"},  # group 2: another anatomy
        {"anatomy": "hand"},
        {"patient_id": "z"},  # alone
        {"split": "val"},  # group 3: unknown, and no conflict of train and test
        {"split": "test"},
    ]
    table = groups_of(FakeStore(rows, [0, 0, 1, 1, 1, 2, 2, -1, 3, 3]))
    assert list(table.columns) == list(GROUP_COLUMNS)
    assert table["group"].tolist() == [1, 2, 0, 3]
    assert table["row"].tolist() == [2, 5, 0, 8]
    assert table["n_images"].tolist() == [3, 2, 2, 2]
    assert table["n_exact"].tolist() == [0, 0, 1, 0]
    assert table["conflicts"].tolist() == [3, 1, 0, 0]
    assert table["values"].tolist() == ["cyst, edema / normal; 2 patients; train and test", "chest / hand", "", ""]


IDENTITIES = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.integers(-1, 2),
            "modality": st.sampled_from(["", "CT", "MR"]),
            "anatomy": st.sampled_from(["", "chest", "hand"]),
            "pathologies": st.lists(st.sampled_from(["cyst", "edema"]), max_size=2, unique=True),
            "patient_id": st.sampled_from(["", "a", "b"]),
            "split": st.sampled_from(["", "train", "val", "test"]),
        }
    ),
    max_size=9,
)


@settings(max_examples=60, deadline=None)
@given(IDENTITIES)
def test_conflicts_are_those_of_plain_python(rows) -> None:
    members = defaultdict(list)
    for number, row in enumerate(rows):
        if row["group"] >= 0:
            members[row["group"]].append(number)
    codes = {code: place for place, code in enumerate(sorted(members))}  # without gaps
    result = DuplicateGroups().compute(FakeStore(rows, [codes.get(row["group"], -1) for row in rows]))
    expected = {}
    for code, mine in members.items():
        known = {
            name: {rows[one][name] for one in mine} - {""} for name in ("modality", "anatomy", "patient_id", "split")
        }
        labels = {tuple(sorted(rows[one]["pathologies"])) for one in mine} - {()}
        expected[codes[code]] = (
            len(known["modality"]) > 1 or len(known["anatomy"]) > 1 or len(labels) > 1,
            len(known["patient_id"]) > 1,
            {"train", "test"} <= known["split"],
        )
    told = {row.group: (row.labels, row.patients, row.splits) for row in result.table.itertuples(index=False)}
    assert told == expected
    images = result.tables["images"]
    assert images.groupby("group")["row"].apply(list).to_dict() == {codes[code]: mine for code, mine in members.items()}
    assert list(dict.fromkeys(images["group"])) == result.table["group"].tolist()
    assert result.summary()["groups"].tolist() == [
        len(expected),
        *(sum(conflict[place] for conflict in expected.values()) for place in range(3)),
        0,
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"confirmed_on": "files", "compared": 0}, ["The collection has no thumbnails"]),
        ({"compared": 1}, ["1 of 2 images have no picture of their own"]),
        ({"agreeing_across": 3}, ["3 pairs agree and are yet of two groups"]),
        ({}, []),
    ],
)
def test_what_one_has_to_know_is_said(facts, said) -> None:
    notes = DuplicateGroups().compute(FakeStore([{}, {}], [0, 0], **facts)).notes
    assert [note.startswith(words) for note, words in zip(notes, said, strict=True)] == [True] * len(said)


def test_planted_conflicts_are_kept_and_asked_for_by_name(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    store = open_collection("small").store("pixels")
    labels = store.collection.manifest.labels("label").codes
    other = int(np.flatnonzero((labels >= 0) & (labels != labels[0]))[0])
    groups = np.full(len(store.collection), -1, dtype=np.int32)
    groups[[0, other]] = 0
    write_array(store.layout.files(NEAR_DUPLICATES)[0], [groups], shape=groups.shape, dtype=groups.dtype)
    store.mark(NEAR_DUPLICATES)
    result = evaluate(open_collection("small"), "pixels", "near-duplicates")
    assert result.table[["row", "n_images", "labels"]].to_numpy().tolist() == [[0, 2, True]]
    assert result.title.endswith("2 images in 1 group")
    assert "Group 0, 2 images" in result._repr_html_()
    forget(store, NEAR_DUPLICATES)
    with pytest.raises(StaleError, match="those by pixels are missing: not made yet"):
        evaluate(open_collection("small"), "pixels", "near-duplicates")
