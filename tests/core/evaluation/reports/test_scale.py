"""The scale of similarities against plain Python, and thresholds that hold for other patients."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import evaluation_of
from radcbir_core.evaluation.metrics.closeness import FIRST, OWN, thresholds_of
from radcbir_core.evaluation.reports import scale
from radcbir_core.evaluation.reports.scale import QUANTILES, Scale, thresholds_in
from tests.core.evaluation.reports.slow_comparison import ranking
from tests.kept_embeddings import directions


def may_be_hits(store):
    """row → the rows that it may be given, by plain Python."""
    patients = store.collection.manifest.frame["patient_id"].tolist()
    rows = range(len(patients))
    return {row: [o for o in rows if o != row and not patients[o] == patients[row] != ""] for row in rows}


def test_percentiles_are_those_of_all_pairs_of_different_patients(pair, monkeypatch) -> None:
    store = pair[0]
    monkeypatch.setattr(scale, "FEWEST_PAIRS", 100)
    result = Scale().run(store)
    vectors, allowed = directions(store), may_be_hits(store)
    similarities = [float(vectors[row] @ vectors[o]) for row in allowed for o in allowed[row] if o > row]
    table = result.table[result.table["place"] == ""]
    assert table["n_pairs"].iloc[0] == len(similarities)
    assert table["similarity"].tolist() == pytest.approx(np.quantile(similarities, QUANTILES).tolist(), abs=1e-5)
    frame = store.collection.manifest.frame
    brain = set(np.flatnonzero((frame["anatomy"] == "brain") & (frame["modality"] == "MR")).tolist())
    within = [float(vectors[row] @ vectors[o]) for row in brain for o in allowed[row] if o > row and o in brain]
    table = result.table[result.table["place"] == "MR/brain"]
    assert (table["n_pairs"].iloc[0], table["n_images"].iloc[0]) == (len(within), len(brain))
    assert table["similarity"].tolist() == pytest.approx(np.quantile(within, QUANTILES).tolist(), abs=1e-5)


def test_thresholds_are_those_of_every_image_asked_without_its_patient(pair, monkeypatch) -> None:
    store = pair[0]
    monkeypatch.setattr(scale, "FEWEST_ASKED", 20)
    result = Scale().run(store)
    vectors, allowed = directions(store), may_be_hits(store)
    ranked = {row: ranking(store, row, others) for row, others in allowed.items()}

    def alike(row, other):
        return float(np.float16(vectors[row] @ vectors[other]))

    own = {row: alike(row, hits[OWN - 1]) for row, hits in ranked.items()}
    first = [alike(row, hits[0]) for row, hits in ranked.items()]
    second = [
        sum(alike(row, hit) for hit in hits[:FIRST]) / FIRST - sum(own[hit] for hit in hits[:FIRST]) / FIRST
        for row, hits in ranked.items()
    ]
    expected = thresholds_of(np.array(first), np.array(second))
    found = thresholds_in(result)
    assert (found.nearest, found.company) == pytest.approx((expected.nearest, expected.company), abs=1e-3)
    assert result.facts["n_asked"] == len(first)
    assert not result.facts["of_unseen"]
    assert 0 <= result.facts["false_alarms"] <= 0.2
    assert any(note.startswith("Nothing is close to a query whose nearest image") for note in result.notes)


def test_of_few_images_nothing_is_said(pair) -> None:
    result = Scale().run(pair[0])
    assert thresholds_in(result) is None
    assert not len(result.tables["closeness"])
    assert "Whether nothing is close to a query is not said: that takes 100 images of other patients." in result.notes
    assert set(result.table["place"]) == {""}


def test_of_few_pairs_neither(pair, monkeypatch) -> None:
    monkeypatch.setattr(scale, "FEWEST_PAIRS", 10_000)
    result = Scale().compute(pair[0])
    assert not len(result.table)
    assert result.notes[0] == "No percentile is said: there are fewer than 10,000 pairs of different patients."
    assert "0 pairs of images" in result.title
    assert result._repr_html_()


def test_far_images_are_found_and_as_few_of_the_collections_own_as_promised(pair, monkeypatch) -> None:
    store = pair[0]
    monkeypatch.setattr(scale, "FEWEST_ASKED", 20)
    result = Scale().run(store)
    rows = np.arange(len(store.collection))
    evaluation = Scale()
    measures = evaluation.measures(store, scale._hits_of(store, rows, evaluation.protocol))
    assert thresholds_in(result).far(*measures).mean() <= 0.05
    low = thresholds_in(result).nearest - 0.01
    assert thresholds_in(result).far(np.array([low]), np.array([1.0]))[0]


def test_another_protocol_is_refused() -> None:
    with pytest.raises(EvaluationError, match="Expected the protocol leave-one-out"):
        evaluation_of("scale", protocol="split")
