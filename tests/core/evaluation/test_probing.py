"""Votes and scores against plain loops and scikit-learn, and the probes on a collection."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from radcbir_core.cli import main
from radcbir_core.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import probing
from radcbir_core.evaluation.probing import PROBE_COLUMNS, evaluate_probes, linear_probe, macro_f1, vote


def slow_vote(hits: list[int], labels: list[int], k: int) -> int:
    found = [labels[row] for row in hits[:k] if row >= 0 and labels[row] >= 0]
    best = max((found.count(label) for label in found), default=0)
    return next((label for label in found if found.count(label) == best), -1)


@given(
    hits=st.lists(st.lists(st.integers(-1, 9), min_size=6, max_size=6), min_size=1, max_size=8),
    labels=st.lists(st.integers(-1, 3), min_size=10, max_size=10),
    k=st.integers(1, 6),
)
@settings(max_examples=150, deadline=None)
def test_a_vote_is_a_count(hits, labels, k) -> None:
    found = vote(np.array(hits), np.array(labels), k=k)
    assert found.tolist() == [slow_vote(line, labels, k) for line in hits]


@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_macro_f1_is_scikit_learn_s(pairs) -> None:
    predicted, truth = np.array(pairs).T
    assert macro_f1(predicted, truth) == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))


@pytest.fixture
def store(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small").store("pixels")


def test_the_scores_of_a_collection(store) -> None:
    found = evaluate_probes(store, level="label", ks=(1, 5))
    assert tuple(found.table.columns) == PROBE_COLUMNS
    frame = store.collection.manifest.frame
    labels = [
        f"{m}/{a}/{p[0]}" if len(p) == 1 else ""
        for m, a, p in zip(frame["modality"], frame["anatomy"], frame["pathologies"], strict=True)
    ]
    train = [row for row, label in enumerate(labels) if label and frame["split"][row] == "train"]
    test = [row for row, label in enumerate(labels) if label and frame["split"][row] == "test"]
    assert (found.n_train, found.n_test) == (len(train), len(test))
    truth = [labels[row] for row in test]
    vectors = store.embeddings.astype(np.float64)
    names = sorted(set(labels))
    codes = [names.index(label) for label in labels]
    for k in (1, 5):
        said = []
        for row in test:
            order = sorted(train, key=lambda other, row=row: (-float(vectors[row] @ vectors[other]), other))
            said.append(names[slow_vote(order, codes, k)])
        line = found.table[(found.table["method"] == "kNN") & (found.table["k"] == k)].iloc[0]
        assert line["accuracy"] == pytest.approx(accuracy_score(truth, said))
        assert line["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said))
        assert line["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
        assert line["accuracy_low"] <= line["accuracy"] <= line["accuracy_high"]
        assert line["balanced_low"] <= line["balanced_accuracy"] <= line["balanced_high"]
    majority = found.table.iloc[0]
    common = max(set(map(labels.__getitem__, train)), key=[labels[row] for row in train].count)
    assert majority["accuracy"] == pytest.approx(truth.count(common) / len(truth))


def test_a_linear_probe_reads_what_a_vote_cannot() -> None:
    """The label is the sign of one weak direction among strong ones."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(600, 20)) * np.array([0.05, *[3.0] * 19])
    labels = (vectors[:, 0] > 0).astype(int)
    predicted, ended = linear_probe(vectors[:400], labels[:400], vectors[400:])
    assert ended
    assert (predicted == labels[400:]).mean() > 0.9
    similarities = vectors[400:] @ vectors[:400].T
    votes = vote(np.argsort(-similarities, axis=1)[:, :5], labels[:400], k=5)
    assert (votes == labels[400:]).mean() < 0.65


def test_a_probe_learns_anatomy_and_shuffled_labels_it_does_not(store, monkeypatch) -> None:
    found = evaluate_probes(store, level="anatomy", ks=(1,)).table.set_index("method")
    assert found.loc["linear", "accuracy"] > 0.9
    assert found.loc["kNN", "accuracy"] > 0.9
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(900, 4)), random.integers(0, 3, 900)
    predicted, _ = linear_probe(vectors[:600], labels[:600], vectors[600:])
    assert (predicted == labels[600:]).mean() < 0.45


def test_what_is_wrong_is_said(store, small_data, monkeypatch) -> None:
    with pytest.raises(EvaluationError, match="k = 101"):
        evaluate_probes(store, ks=(101,))
    with pytest.raises(EvaluationError, match="Expected a penalty above 0, but c = 0"):
        evaluate_probes(store, c=0)
    with pytest.raises(EvaluationError, match="Expected at least two labels to learn from, but split train has 1"):
        linear_probe(np.eye(2), np.array([1, 1]), np.eye(2))
    monkeypatch.setattr(probing, "MOST_STEPS", 1)
    assert any("had not settled after 1 steps" in note for note in evaluate_probes(store).notes)
    split = store.collection.manifest.codes("split")
    monkeypatch.setitem(store.collection.manifest._codes, "split", type(split)(values=(), codes=split.codes * 0 - 1))
    with pytest.raises(EvaluationError, match="Expected images of split train and of split test"):
        evaluate_probes(store)


def test_the_command(store, tmp_path, capsys) -> None:
    output = tmp_path / "probes.csv"
    assert main(["evaluate-probes", "small", "--level", "anatomy", "-k", "3", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "linear" in printed
    assert "majority" in printed
    assert "kNN, k = 3" in printed
    assert tuple(pd.read_csv(output).columns) == PROBE_COLUMNS
    assert main(["evaluate-probes", "small", "--c", "-1"]) == 2
    assert "Error: Expected a penalty above 0" in capsys.readouterr().err
