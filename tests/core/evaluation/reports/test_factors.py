"""The factors against a count over every query and hit."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import PAPER, Protocol
from radcbir_core.evaluation.reports.factors import FACTORS, Factors
from radcbir_core.evaluation.reports.precision import Precision
from tests.core.evaluation.reports.slow_comparison import label_of, may_be_given, ranking


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def oracle(store, k: int, exclude: tuple[str, ...]):
    """factor → (hits that have it, hits it is asked of, sum of what chance gives, queries), by plain Python."""
    records = store.collection.manifest.frame.to_dict("records")
    labels = [label_of(record, "label") for record in records]
    counts = {factor: [0, 0, 0.0, 0] for factor in FACTORS}
    for query, label in enumerate(labels):
        given = may_be_given(records, labels, query, Protocol.of(exclude=exclude))
        if given is None:
            continue
        if not any(labels[row] == label for row in given):
            continue
        ranked = ranking(store, query, given)
        parts = label.split("/")

        def share(rows, depth, parts=parts):
            return [row for row in rows if labels[row].split("/")[:depth] == parts[:depth]]

        first = ranked[:k]
        inside = share(ranked, 2)[:k]
        for factor, right, among, possible, of in (
            ("modality", share(first, 1), first, share(given, 1), given),
            ("anatomy", share(first, 2), share(first, 1), share(given, 2), share(given, 1)),
            ("pathology", share(first, 3), share(first, 2), share(given, 3), share(given, 2)),
            ("all", share(first, 3), first, share(given, 3), given),
            ("within", share(inside, 3), inside, share(given, 3), share(given, 2)),
        ):
            counts[factor][0] += len(right)
            counts[factor][1] += len(among)
            counts[factor][2] += len(possible) / len(of)
            counts[factor][3] += 1
    return counts


@pytest.mark.parametrize("exclude", [(), ("patient",)])
@pytest.mark.parametrize("k", [1, 5])
def test_the_factors_are_counted(store, k, exclude) -> None:
    table = Factors(Protocol.of(ks=(k,), exclude=exclude)).run(store).table
    rows = table[table["modality"] == ""].set_index("factor")
    assert rows.index.tolist() == list(FACTORS)
    for factor, (right, among, chance, queries) in oracle(store, k, exclude).items():
        row = rows.loc[factor]
        assert (row["n_hits"], row["n_queries"]) == (among, queries), factor
        assert row["share"] == pytest.approx(right / among), factor
        assert row["chance"] == pytest.approx(chance / queries), factor
        assert row["low"] <= row["share"] <= row["high"]


def test_three_factors_multiply_to_the_precision(store) -> None:
    protocol = Protocol.of(ks=(1, 3))
    table = Factors(protocol).run(store).table
    precision = Precision(protocol).run(store).table
    for k in (1, 3):
        shares = table[(table["modality"] == "") & (table["k"] == k)].set_index("factor")["share"]
        assert math.prod(shares[list(FACTORS[:3])]) == pytest.approx(shares["all"])
        rows = precision[(precision["level"] == "label") & (precision["averaging"] == "micro") & (precision["k"] == k)]
        assert shares["all"] == pytest.approx(rows["precision"].iloc[0])


def test_modalities_add_up_to_the_whole(store) -> None:
    table = Factors(Protocol.of(ks=(3,))).run(store).table
    for factor in FACTORS:
        rows = table[table["factor"] == factor]
        whole, parts = rows[rows["modality"] == ""].iloc[0], rows[rows["modality"] != ""]
        assert len(parts) >= 2
        assert parts["n_queries"].sum() == whole["n_queries"]
        assert parts["n_hits"].sum() == whole["n_hits"]
        right = (parts["share"].fillna(0) * parts["n_hits"]).sum()
        assert right / whole["n_hits"] == pytest.approx(whole["share"])


def test_the_hardest_is_said_and_fixed_protocols_are_refused(store) -> None:
    evaluation = Factors(Protocol.of(ks=(3,)))
    result = evaluation.run(store)
    shares = result.table[result.table["modality"] == ""].set_index("factor")["share"][list(FACTORS[:3])]
    (said,) = evaluation.remarks(result)
    assert said.startswith(f"The hardest is the {shares.idxmin()}: {shares.min():.3f}")
    assert len(evaluation.summary(result)) == len(result.table)
    assert np.isfinite(result.table["chance"]).all()
    with pytest.raises(EvaluationError, match="Expected the protocol leave-one-out or split"):
        Factors(PAPER)
