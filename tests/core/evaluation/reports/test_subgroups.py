"""Subgroups: means by hand, differences of the statistics, and a planted hospital that is worse."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.reports.subgroups import (
    FEWEST_PATIENTS,
    FEWEST_QUERIES,
    Subgroups,
    standout_said,
    standout_value,
)
from radcbir_core.evaluation.statistics.contrasts import contrasts
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.statistics.randomization import holm
from radcbir_core.evaluation.view import GalleryView
from tests.core.evaluation.reports.test_leakage import changed


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    """Images of three hospitals, one of them with few images."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    number = len(open_collection("small"))
    names = np.array(["north", "south"], dtype=object)[np.random.default_rng(0).integers(0, 2, number)]
    names[:4] = "west"
    names[4:8] = ""
    return changed("small", dataset=names.tolist())


def test_every_line_is_the_mean_of_its_queries_and_differs_as_the_statistics_say(store) -> None:
    protocol = Protocol.of(ks=(1, 3))
    result = Subgroups(protocol, column="dataset").compute(store)
    queries = of_level(Precision(protocol).run(store).tables["queries"], "label")
    frame = store.collection.manifest.frame
    hospital = [name or "not known" for name in frame["dataset"]]
    patient = [name or f"image {row}" for row, name in enumerate(frame["patient_id"])]
    table = result.table
    assert list(dict.fromkeys(table["value"])) == ["", *sorted(set(hospital) - {"not known"}), "not known"]
    for row in table.to_dict("records"):
        values = {
            int(query): value
            for query, value in zip(queries["row"], queries[f"p@{row['k']}"], strict=True)
            if row["value"] in ("", hospital[query]) and not math.isnan(value)
        }
        assert row["n_queries"] == len(values)
        assert row["n_patients"] == len({patient[query] for query in values})
        few = len(values) < FEWEST_QUERIES or row["n_patients"] < FEWEST_PATIENTS
        assert row["few"] == (few and row["value"] != "")
        if not values:
            continue
        assert row["precision"] == pytest.approx(np.mean(list(values.values())))
        clusters = np.unique([patient[query] for query in values], return_inverse=True)[1]
        bounds = mean_intervals(
            np.array(list(values.values()))[:, None], np.zeros(len(values), dtype=int), clusters=clusters, n_labels=1
        ).micro[0]
        np.testing.assert_allclose((row["low"], row["high"]), bounds, atol=1e-9)
        if row["value"] and not few:
            others = [
                value
                for query, value in zip(queries["row"], queries[f"p@{row['k']}"], strict=True)
                if hospital[query] != row["value"] and not math.isnan(value)
            ]
            assert row["difference"] == pytest.approx(row["precision"] - np.mean(others))
        else:
            assert math.isnan(row["difference"])
            assert math.isnan(row["adjusted_p_holm"])
    part = table[(table["k"] == 3) & (table["value"] != "")]
    np.testing.assert_array_equal(part["difference_p_holm"], holm(part["difference_p"].to_numpy()))
    names = part["value"].tolist()
    made = contrasts(
        queries["p@3"].to_numpy(),
        np.array([names.index(hospital[query]) for query in queries["row"]]),
        clusters=np.unique([patient[query] for query in queries["row"]], return_inverse=True)[1],
        n_groups=len(names),
        strata=np.unique(queries["label"], return_inverse=True)[1],
    )
    compared = ~part["few"].to_numpy()
    for name, own in (("adjusted", made.difference), ("adjusted_low", made.low), ("adjusted_p", made.p)):
        np.testing.assert_allclose(part[name].to_numpy()[compared], own[compared], atol=1e-9)
    assert result.facts == {"column": "dataset", "compared": int(compared.sum())}
    kept = result.tables["queries"]
    assert kept["value"].tolist() == [hospital[row] for row in kept["row"]]
    np.testing.assert_array_equal(kept["p@3"], queries["p@3"])


def test_a_planted_hospital_that_is_worse_at_equal_labels_stands_out(store, monkeypatch) -> None:
    """And one that is only worse because its labels are harder does not."""
    view = Subgroups(Protocol.of(ks=(3,)), column="dataset").labeled(store)
    codes = store.collection.manifest.codes("dataset")
    north = codes.codes[view.queries] == codes.values.index("north")
    hard = view.relevance.kinds[view.queries] % 2 == 0
    worse = np.where(north, 0.0, np.where(hard, 0.3, 1.0))
    monkeypatch.setattr(GalleryView, "precision", lambda self, hits: worse[:, None])
    table = Subgroups(Protocol.of(ks=(3,)), column="dataset").compute(store).table
    row = standout_value(table)
    assert row["value"] == "north"
    assert row["adjusted_high"] < 0
    assert "dataset north: P@3 0.000" in standout_said(table, column="dataset", k=3)
    by_label = np.where(hard, 0.0, 1.0)
    monkeypatch.setattr(GalleryView, "precision", lambda self, hits: by_label[:, None])
    table = Subgroups(Protocol.of(ks=(3,)), column="dataset").compute(store).table
    assert standout_value(table) is None
    np.testing.assert_allclose(table["adjusted"].dropna(), 0, atol=1e-12)
    assert standout_said(table, column="dataset", k=3).startswith("No value of dataset falls clearly behind")


def test_the_column_is_the_first_that_parts_the_images_and_can_be_cut(store) -> None:
    assert Subgroups().groups(store).column == "dataset"
    widths = Subgroups(column="width", cuts=(96, 50)).cuts
    assert widths == (50, 96)
    with pytest.raises(EvaluationError, match="Expected a column that parts the images"):
        Subgroups(column="caption").check(store)
    with pytest.raises(EvaluationError, match="Expected cuts that are numbers"):
        Subgroups(cuts=(math.nan,))
    with pytest.raises(EvaluationError, match="for subgroups, but protocol = paper"):
        Subgroups.of(protocol="paper")
