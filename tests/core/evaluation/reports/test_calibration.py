"""Chances against plain Python: which pairs there are, who is held out, and what is said where there is too little."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol, evaluation_of
from radcbir_core.evaluation.reports import calibration
from radcbir_core.evaluation.reports.calibration import FOLDS, Calibration, curves_of
from radcbir_core.evaluation.statistics.rising import rising_curve
from tests.core.evaluation.metrics.test_reliability import slow_error
from tests.kept_embeddings import directions


@pytest.fixture
def store(pair, monkeypatch):
    monkeypatch.setattr(calibration, "FEWEST_PATIENTS", 8)
    return pair[0]


def full(record):
    place = f"{record['modality']}/{record['anatomy']}"
    return place, {f"{place}/{name}" for name in record["pathologies"]}


def slow_pairs(store, depth):
    """(row, hit, similarity, shared, place of the hit, cluster of either) of the first hits, by plain Python."""
    records = store.collection.manifest.frame.to_dict("records")
    vectors = directions(store)
    clusters = [
        record["patient_id"] or (f"copies {record['duplicate_group']}" if record["duplicate_group"] >= 0 else row)
        for row, record in enumerate(records)
    ]
    labeled = [row for row, record in enumerate(records) if record["pathologies"]]
    pairs = []
    for row in labeled:
        others = [o for o in labeled if o != row and not records[o]["patient_id"] == records[row]["patient_id"] != ""]
        others.sort(key=lambda other, row=row: (-float(vectors[row] @ vectors[other]), other))
        for hit in others[:depth]:
            shared = bool(full(records[row])[1] & full(records[hit])[1])
            similarity = float(np.float16(vectors[row] @ vectors[hit]))
            pairs.append((row, hit, similarity, shared, full(records[hit])[0], clusters[row], clusters[hit]))
    return pairs


def test_curves_and_shares_are_what_plain_python_says(store) -> None:
    result = Calibration(depth=5).run(store)
    pairs = slow_pairs(store, 5)
    places = {pair[4] for pair in pairs}
    curves = curves_of(result)
    assert set(curves) == places == set(result.facts["places"])
    for place, curve in curves.items():
        mine = [pair for pair in pairs if pair[4] == place]
        expected = rising_curve(np.array([pair[2] for pair in mine]), np.array([pair[3] for pair in mine]))
        assert curve.points.tolist() == pytest.approx(expected.points.tolist(), abs=1e-3)
        assert curve.shares.tolist() == pytest.approx(expected.shares.tolist())
    means = result.table.set_index("place")
    assert means["share"][""] == pytest.approx(sum(pair[3] for pair in pairs) / len(pairs))
    for place in places:
        mine = [pair for pair in pairs if pair[4] == place]
        assert means["n_pairs"][place] == len(mine)
        assert means["n_queries"][place] == len({pair[0] for pair in mine})
        assert means["n_patients"][place] == len({pair[5] for pair in mine})
        assert means["share"][place] == pytest.approx(sum(pair[3] for pair in mine) / len(mine))
    ranks = result.tables["ranks"].set_index("rank")
    for rank in (1, 5):
        of_rank = [pairs[start + rank - 1] for start in range(0, len(pairs), 5)]
        assert ranks["share"][rank] == pytest.approx(sum(pair[3] for pair in of_rank) / len(of_rank))


def test_chances_come_of_other_patients_alone(store, monkeypatch) -> None:
    told = []

    def fit(numbers, outcomes):
        told.append((numbers, outcomes))
        return rising_curve(numbers, outcomes)

    monkeypatch.setattr(calibration, "rising_curve", fit)
    result = Calibration(depth=5).compute(store)
    pairs = slow_pairs(store, 5)
    codes = {}
    view = Calibration().labeled(store)
    for row, _, _, _, _, mine, _ in pairs:
        codes[mine] = view.clusters[row]
    fold = np.random.default_rng(0).permutation(int(view.clusters.max()) + 1) % FOLDS
    chances, number = [], 0
    said = {}
    for part in range(FOLDS):
        for place in result.facts["places"]:
            out = [p for p in pairs if p[4] == place and fold[codes[p[5]]] == part]
            fit_on = [p for p in pairs if p[4] == place and fold[codes[p[5]]] != part and fold[codes[p[6]]] != part]
            if not out or not fit_on:
                continue
            numbers, _ = told[number]
            number += 1
            assert sorted(numbers) == pytest.approx(sorted(p[2] for p in fit_on), abs=1e-3)
            curve = rising_curve(np.array([p[2] for p in fit_on]), np.array([p[3] for p in fit_on]))
            said |= {p[:2]: curve.at(np.array([p[2]]))[0] for p in out}
    chances = [(float(said[p[:2]]), p[3]) for p in pairs if p[:2] in said]
    assert result.table["ece"][0] == pytest.approx(slow_error(chances), abs=2e-3)
    brier = sum((chance - shared) ** 2 for chance, shared in chances) / len(chances)
    assert result.table["brier"][0] == pytest.approx(brier, abs=2e-3)
    bins = result.tables["reliability"]
    assert bins[bins["place"] == ""]["n_pairs"].sum() == len(chances)


def test_a_sample_is_said_and_is_the_same_each_time(store) -> None:
    result = Calibration(sample=30).compute(store)
    assert result.table["n_queries"][0] <= 30
    assert any(note.startswith("30 of 56 queries, drawn at random") for note in result.notes)
    assert Calibration(sample=30).compute(store).table.equals(result.table)


def test_too_few_patients_are_said_and_no_number(pair, monkeypatch) -> None:
    store = pair[0]
    with pytest.raises(EvaluationError, match="for queries of at least 30 patients, but small has them for"):
        Calibration().run(store)
    monkeypatch.setattr(calibration, "FEWEST_PATIENTS", 12)
    result = Calibration().compute(store)
    assert result.facts["places"] == ["MR/brain"]
    assert any(note.startswith("No chance is said of hits for which fewer than 12 patients") for note in result.notes)
    assert "CT/abdomen (10)" in " ".join(result.notes)


def test_what_cannot_be_chosen_is_refused() -> None:
    for choices, said in (
        ({"protocol": Protocol.of("split")}, "Expected the protocol leave-one-out"),
        ({"rule": "jaccard"}, "a rule by which a hit is relevant or not"),
        ({"rule": "none"}, "Expected a relevance rule"),
        ({"depth": 0}, "Expected a depth from 1 to 100"),
        ({"sample": 0}, "Expected at least one query"),
    ):
        with pytest.raises(EvaluationError, match=said):
            evaluation_of("calibration", **choices)


def test_it_shows_itself(store) -> None:
    result = Calibration().run(store)
    assert Calibration().kept(store) is not None
    page = result._repr_html_()
    assert "the chance that a hit shares it (any-shared)" in page
    assert "ECE of noise" in page
    assert next(iter(result.summary()["hits of"])) == "all of these"
