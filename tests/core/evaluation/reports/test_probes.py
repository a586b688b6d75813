"""Votes and scores against plain loops and scikit-learn, and the probes on a collection."""

from __future__ import annotations

import math
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.auroc import macro_auroc
from radcbir_core.evaluation.metrics.f1 import macro_f1
from radcbir_core.evaluation.reports import probes
from radcbir_core.evaluation.reports.probes import (
    PROBE_COLUMNS,
    Probes,
    fitted_probe,
    label_scores,
    method_name,
    vote,
)
from radcbir_core.evaluation.statistics import logistic
from radcbir_core.evaluation.statistics.logistic import fit_logistic
from tests.kept_embeddings import directions


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


def test_a_vote_is_scikit_learn_s_but_for_ties() -> None:
    """Of labels with equal votes scikit-learn takes the first by name; here it is the label of the better hit."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=(400, 8))
    labels = (vectors[:, :3] + random.normal(size=(400, 3))).argmax(axis=1)
    train, test = np.arange(300), np.arange(300, 400)
    theirs = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(vectors[train], labels[train])
    order = theirs.kneighbors(vectors[test], return_distance=False)
    ours, said = vote(order, labels, k=5), theirs.predict(vectors[test])
    tied = 0
    for mine, other, hits in zip(ours, said, labels[order].tolist(), strict=True):
        votes = Counter(hits)
        most = [label for label in votes if votes[label] == max(votes.values())]
        assert other == min(most)
        assert mine == next(label for label in hits if label in most)
        tied += len(most) > 1
    assert (ours != said).sum() > 3
    assert (ours == said).sum() >= 100 - tied


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # results are kept in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


def test_the_scores_of_a_collection(store) -> None:
    found = Probes(ks=(1, 5)).run(store)
    assert tuple(found.table.columns) == PROBE_COLUMNS
    frame = store.collection.manifest.frame
    labels = [
        f"{m}/{a}/{p[0]}" if len(p) == 1 else ""
        for m, a, p in zip(frame["modality"], frame["anatomy"], frame["pathologies"], strict=True)
    ]
    train = [row for row, label in enumerate(labels) if label and frame["split"][row] == "train"]
    test = [row for row, label in enumerate(labels) if label and frame["split"][row] == "test"]
    assert (found.facts["n_train"], found.facts["n_test"]) == (len(train), len(test))
    truth = [labels[row] for row in test]
    vectors = directions(store)
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


def slow_auroc(scores, classes, truth) -> float:
    areas = []
    for column, code in enumerate(classes):
        pairs = [
            (scores[i, column], scores[j, column])
            for i in range(len(truth))
            for j in range(len(truth))
            if truth[i] == code and truth[j] != code
        ]
        if pairs:
            areas.append(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))
    return sum(areas) / len(areas) if areas else math.nan


@given(queries=st.integers(1, 15), labels=st.integers(1, 4), seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_the_area_is_the_share_of_pairs_in_order(queries, labels, seed) -> None:
    random = np.random.default_rng(seed)
    scores, truth = random.integers(0, 4, (queries, labels)), random.integers(0, labels + 1, queries)
    classes = np.arange(labels)
    found = macro_auroc(scores, classes, truth)
    assert found == pytest.approx(slow_auroc(scores, classes, truth), nan_ok=True)
    if labels > 1 and set(truth.tolist()) == set(range(labels)):
        per_label = [roc_auc_score(truth == code, scores[:, code]) for code in classes]
        assert found == pytest.approx(np.mean(per_label))


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("c", [0.1, 1.0])
def test_the_fit_is_that_of_scikit_learn(labels, c) -> None:
    random = np.random.default_rng(labels)
    codes = random.integers(0, labels, 240)
    vectors = random.normal(size=(240, 12)) + 0.7 * np.eye(12)[codes]
    vectors[:, 5] = 3  # a component that is always the same
    found = fit_logistic(vectors, codes + 4, c=c, most_steps=1000)
    assert found.settled
    assert found.classes.tolist() == list(range(4, 4 + labels))
    scaled = StandardScaler().fit(vectors)
    theirs = LogisticRegression(C=c * (2 if labels == 2 else 1), max_iter=5000, tol=1e-8)
    theirs.fit(scaled.transform(vectors), codes)
    probability = np.exp(found.scores(vectors))
    probability /= probability.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, theirs.predict_proba(scaled.transform(vectors)), atol=2e-3)


def test_blocks_change_nothing_and_a_fit_can_be_stopped(monkeypatch) -> None:
    random = np.random.default_rng(0)
    vectors, codes = random.normal(size=(90, 6)), random.integers(0, 3, 90)
    whole = fit_logistic(vectors, codes, c=1, most_steps=200)
    monkeypatch.setattr(logistic, "_BLOCK", 7)
    parts = fit_logistic(vectors, codes, c=1, most_steps=200)
    np.testing.assert_allclose(parts.scores(vectors), whole.scores(vectors), atol=1e-2)
    told = []

    def stop(step, done, total) -> None:
        told.append((step, done, total))
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit_logistic(vectors, codes, c=1, most_steps=200, progress=stop)
    assert told == [("steps", done, 200) for done in range(4)]


def test_what_was_said_of_each_image_adds_up(store) -> None:
    found = Probes().run(store)
    said = found.tables["predictions"]
    for row in found.table.to_dict("records"):
        name = method_name(row["method"], row["k"])
        right = said["label"] == said[name]
        assert right.mean() == pytest.approx(row["accuracy"])
        labels = label_scores(said, name)
        assert labels["right"].mean() == pytest.approx(row["balanced_accuracy"])
        assert labels["n_images"].sum() == found.facts["n_test"]
        assert labels["right"].is_monotonic_increasing
        for line in labels.to_dict("records"):
            answers = said.loc[said["label"] == line["label"], name]
            wrong = Counter(answers[answers != line["label"]])
            most = max(wrong.values(), default=0)
            assert line["share"] == pytest.approx(most / len(answers))
            assert line["taken_for"] == min((k for k, v in wrong.items() if v == most), default="")
            given = said[said[name] == line["label"]]["label"]
            precision = (given == line["label"]).mean() if len(given) else math.nan
            assert line["precision"] == pytest.approx(precision, nan_ok=True)
    assert found.table["macro_auroc"].iloc[0] == 0.5
    assert (found.table["macro_auroc"].iloc[1:] > 0.5).all()


def test_the_notes_say_whether_patients_are_apart(store, monkeypatch) -> None:
    assert any("whether their patients are on both sides is not known" in n for n in Probes().run(store).notes)
    manifest = store.collection.manifest
    split = np.asarray(manifest.column("split"))
    apart = np.where(split == "train", np.arange(len(split)) // 2, 1000 + np.arange(len(split)))
    original = type(manifest).groups
    for groups, said in (
        (apart, "The two sides are patient-disjoint: "),
        (apart * 0, "Patients that are both in train and in test: 1. The split is not patient-disjoint."),
    ):
        monkeypatch.setattr(
            type(manifest),
            "groups",
            lambda self, name, groups=groups: groups.astype(np.int32) if name == "patient" else original(self, name),
        )
        shutil.rmtree(store.evaluation_folder)
        assert any(said in note for note in Probes().run(store).notes)


def test_a_linear_probe_reads_what_a_vote_cannot() -> None:
    """The label is the sign of one weak direction among strong ones."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(600, 20)) * np.array([0.05, *[3.0] * 19])
    labels = (vectors[:, 0] > 0).astype(int)
    probe = fitted_probe(vectors[:400], labels[:400], c=1)
    assert probe.settled
    predicted = probe.classes[probe.scores(vectors[400:]).argmax(axis=1)]
    assert (predicted == labels[400:]).mean() > 0.9
    similarities = vectors[400:] @ vectors[:400].T
    votes = vote(np.argsort(-similarities, axis=1)[:, :5], labels[:400], k=5)
    assert (votes == labels[400:]).mean() < 0.65


def test_a_probe_learns_anatomy_and_shuffled_labels_it_does_not(store, monkeypatch) -> None:
    found = Probes("anatomy", (1,)).run(store).table.set_index("method")
    assert found.loc["linear", "accuracy"] > 0.9
    assert found.loc["kNN", "accuracy"] > 0.9
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(900, 4)), random.integers(0, 3, 900)
    probe = fitted_probe(vectors[:600], labels[:600], c=1)
    predicted = probe.classes[probe.scores(vectors[600:]).argmax(axis=1)]
    assert (predicted == labels[600:]).mean() < 0.45


def test_what_is_wrong_is_said(store, small_data, monkeypatch) -> None:
    with pytest.raises(EvaluationError, match="k = 101"):
        Probes(ks=(101,))
    with pytest.raises(EvaluationError, match="Expected a penalty above 0, but c = 0"):
        Probes(c=0)
    with pytest.raises(EvaluationError, match="Expected at least two labels to learn from, but split train has 1"):
        fitted_probe(np.eye(2), np.array([1, 1]), c=1)
    monkeypatch.setattr(probes, "MOST_STEPS", 1)
    assert any("had not settled after 1 steps" in note for note in Probes().run(store).notes)
    split = store.collection.manifest.codes("split")
    monkeypatch.setitem(store.collection.manifest._codes, "split", type(split)(values=(), codes=split.codes * 0 - 1))
    with pytest.raises(EvaluationError, match="Expected images of split train and of split test"):
        Probes().check(store)


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
