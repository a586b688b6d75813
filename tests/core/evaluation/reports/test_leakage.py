"""Each step against the precision of its own protocol, and differences and company one query at a time."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pyarrow as pa
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import manifest_facts, write_record
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.leakage import NOTHING, Leakage, known_exclusions, vanished_hits
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.statistics.intervals import mean_intervals


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    """Every other patient is of another data set."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    patients = open_collection("small").manifest.groups("patient")
    return changed("small", dataset=[f"hospital {patient % 2}" for patient in patients])


def changed(name: str, **columns):
    """The encoder's store of the collection once columns of its manifest are others."""
    collection = open_collection(name)
    table = collection.manifest.table
    for column, values in columns.items():
        table = table.set_column(table.column_names.index(column), column, pa.array(values))
    Manifest(table, digest="").write(collection.manifest_path)
    write_record(collection.folder, collection.record | manifest_facts(collection.manifest_path, table))
    return open_collection(name).store("pixels")


@pytest.mark.parametrize("level", ["label", "anatomy"])
def test_each_step_is_the_precision_of_its_own_protocol(store, level) -> None:
    table = Leakage(Protocol.of(ks=(1, 3)), level).run(store).table
    steps = list(dict.fromkeys(table["step"]))
    assert steps == [NOTHING, *known_exclusions(store)]
    assert len(steps) >= 3
    for number, step in enumerate(steps):
        names = steps[1 : number + 1]
        rows = table[table["step"] == step]
        assert set(rows["exclude"]) == {", ".join(names)}
        own = Precision(Protocol.of(exclude=names, ks=(1, 3))).run(store).table
        own = own[own["level"] == level]
        for column in ("label", "averaging", "k", "n_queries", "n_patients", "n_empty"):
            assert rows[column].tolist() == own[column].tolist()
        for column in ("precision", "low", "high", "chance"):
            np.testing.assert_allclose(rows[column].astype(float), own[column].astype(float), atol=1e-12)


def test_differences_are_paired_over_the_queries_that_count_at_both_steps(store) -> None:
    table = Leakage(Protocol.of(ks=(3,))).run(store).table
    steps = list(dict.fromkeys(table["step"]))
    values = [
        of_level(Precision(Protocol.of(exclude=steps[1 : n + 1], ks=(3,))).run(store).tables["queries"], "label")
        for n in range(len(steps))
    ]
    first = table[table["step"] == NOTHING]
    assert first["difference"].isna().all()
    patients = store.collection.manifest.frame["patient_id"].tolist()
    moved = 0
    for number in range(1, len(steps)):
        before, after = values[number - 1], values[number]
        change = {
            row: (now - then, label, patients[row] or f"image {row}")
            for row, label, then, now in zip(after["row"], after["label"], before["p@3"], after["p@3"], strict=True)
            if not math.isnan(now - then)
        }
        rows = table[table["step"] == steps[number]]
        for row in rows.to_dict("records"):
            if row["averaging"] == "macro":
                continue
            own = [part for part in change.values() if row["averaging"] == "micro" or part[1] == row["label"]]
            assert row["n_both"] == len(own)
            if not own:
                assert math.isnan(row["difference"])
                continue
            assert row["difference"] == pytest.approx(sum(part[0] for part in own) / len(own))
            clusters = np.unique([part[2] for part in own], return_inverse=True)[1]
            bounds = mean_intervals(
                np.array([[part[0]] for part in own]),
                np.zeros(len(own), dtype=int),
                clusters=clusters,
                n_labels=1,
                limits=(-1, 1),
            ).micro[0]
            np.testing.assert_allclose((row["difference_low"], row["difference_high"]), bounds, atol=1e-9)
            moved += row["difference"] != 0
    assert moved, "some step takes something away"


def test_a_planted_copy_of_another_data_set_is_found_by_the_steps(store) -> None:
    """Images whose every hit is of their own data set lose them all at that step."""
    evaluation = Leakage(Protocol.of(ks=(3,)))
    names = known_exclusions(store)
    assert names[-1] == "dataset"
    before, after = (evaluation.at(store, part) for part in (names[:-1], names))
    dataset = store.collection.manifest.frame["dataset"].tolist()
    rows = before.queries[:20]
    hits = before.asked_by(rows).hits(3)
    for line, ranks in enumerate(vanished_hits(before, after, rows, k=3)):
        own = hits.rows[line][: hits.counts[line]].tolist()
        expected = [rank for rank, row in enumerate(own, 1) if dataset[row] == dataset[int(rows[line])]]
        assert ranks.tolist() == expected


def test_test_images_with_company_in_train_are_counted(store) -> None:
    result = Leakage().run(store)
    frame = store.collection.manifest.frame.assign(picture=np.asarray(store.near_duplicate_groups))
    for row in result.tables["splits"].to_dict("records"):
        column = {"patient": "patient_id", "duplicate": "duplicate_group", "near-duplicate": "picture"}[row["shares"]]
        nothing = {"patient": "", "duplicate": -1, "near-duplicate": -1}[row["shares"]]
        train = {value for value, split in zip(frame[column], frame["split"], strict=True) if split == "train"}
        test = [value for value, split in zip(frame[column], frame["split"], strict=True) if split == "test"]
        shared = sum(value != nothing and value in train for value in test)
        assert (row["n_test"], row["n_with_company"]) == (len(test), shared)
        assert row["share"] == pytest.approx(shared / len(test))
    said = Leakage().remarks(result)
    assert len(said) == len(result.tables["splits"]) > 0
    assert all("test images" in sentence for sentence in said)


def test_what_is_left_out_cannot_be_chosen(store) -> None:
    with pytest.raises(EvaluationError, match="Expected choices of the evaluation leakage, but exclude"):
        Leakage.of(exclude=["patient"])
    with pytest.raises(EvaluationError, match="Expected the protocol leave-one-out, but protocol = split"):
        Leakage(Protocol.of("split"))
    assert Leakage(Protocol.of(exclude=["patient"])) == Leakage()


def test_without_patients_series_and_study_are_steps(store) -> None:
    number = len(store.collection)
    studies = [f"study {row // 3}" for row in range(number)]
    store = changed("small", patient_id=[""] * number, study_id=studies, dataset=["one"] * number)
    assert "study" in known_exclusions(store)
    assert not {"patient", "dataset"} & set(known_exclusions(store))
    result = Leakage(Protocol.of(ks=(1,))).compute(store)
    assert "study" in set(result.table["step"])
    assert any("No patient is known" in note for note in result.notes)
    assert any("All images are of one data set" in note for note in result.notes)
