"""Counts over whole columns are those of the rows one by one."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.manifests.counting import counts_in
from radcbir_core.collections.manifests.manifest import COLUMNS, GROUPINGS, Manifest

WORD = st.sampled_from(["", "a", "b", "XR", "é"])
ROW = st.fixed_dictionaries(
    {
        **dict.fromkeys(("dataset", "split", "modality", "anatomy", "patient_id", "study_id"), WORD),
        "pathologies": st.lists(st.sampled_from(["x", "y", "normal"]), max_size=3, unique=True),
        "duplicate_group": st.sampled_from([-1, -1, 0, 1]),
    }
)


def manifest_of(rows: list[dict], *, series: list[str] | None) -> Manifest:
    texts = [name for name in COLUMNS if name not in {"pathologies", "duplicate_group"}]
    columns = {name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in texts}
    columns["pathologies"] = pa.array([row["pathologies"] for row in rows], pa.list_(pa.string()))
    columns["duplicate_group"] = pa.array([row["duplicate_group"] for row in rows], pa.int32())
    if series is not None:
        columns["series_id"] = pa.array(series[: len(rows)], pa.string())
    return Manifest(pa.table(columns), digest="")


def most_frequent_first(words: list[str]) -> list[tuple[str, int]]:
    counted = Counter(word for word in words if word)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, max_size=12), st.one_of(st.none(), st.lists(WORD, min_size=12, max_size=12)))
def test_counts_are_those_of_the_rows(rows, series) -> None:
    manifest = manifest_of(rows, series=series)
    counts = counts_in(manifest)
    assert counts.images == len(rows)
    for name, counted in (
        ("dataset", counts.datasets),
        ("split", counts.splits),
        ("modality", counts.modalities),
        ("anatomy", counts.anatomies),
    ):
        assert list(counted.items()) == most_frequent_first([row[name] for row in rows])
    assert list(counts.pathologies.items()) == most_frequent_first(
        [word for row in rows for word in row["pathologies"]]
    )
    patients = [row["patient_id"] for row in rows if row["patient_id"]]
    assert (counts.patients, counts.with_patient) == (len(set(patients)), len(patients))
    copies = [row["duplicate_group"] for row in rows if row["duplicate_group"] >= 0]
    assert (counts.duplicate_groups, counts.duplicate_images) == (len(set(copies)), len(copies))
    findings = [len(row["pathologies"]) for row in rows]
    assert (counts.unlabeled, counts.multi_label) == (findings.count(0), sum(number > 1 for number in findings))
    assert counts.labels == len(manifest.labels("label").values)
    known = [name for name in GROUPINGS if manifest.groups(name).max(initial=-1) >= (name == "dataset")]
    assert list(counts.known_groups) == known
    assert [manifest.known(name) for name in GROUPINGS] == [
        int((manifest.groups(name) >= 0).sum()) for name in GROUPINGS
    ]


def test_a_table_in_pieces_and_with_cells_that_are_not_there() -> None:
    whole = manifest_of(
        [
            {"modality": "CT", "anatomy": "head", "pathologies": ["x"], "duplicate_group": -1},
            {"modality": "", "anatomy": "head", "pathologies": ["x"], "duplicate_group": -1},
            {"modality": "CT", "anatomy": "head", "pathologies": ["y"], "duplicate_group": -1},
        ],
        series=None,
    ).table
    place = whole.column_names.index("split")
    whole = whole.set_column(place, "split", pa.array(["test", None, "test"], pa.large_string()))
    counts = counts_in(Manifest(pa.concat_tables([whole.slice(0, 1), whole.slice(1)]), digest=""))
    assert (counts.splits, counts.labels, counts.known_groups) == ({"test": 2}, 2, ())
