"""How well labels can be read off embeddings: by a vote of the nearest images, and by a linear classifier.

Owns the two probes of a frozen encoder, and their scores; both learn from split "train" and are asked about split
"test". They answer another question than P@k: one label is predicted for an image, and a few good hits among many bad
ones can suffice for that, or a direction of the space that a search by cosine does not look along.

The linear probe is a multinomial logistic regression on standardized embeddings (mean 0, deviation 1 on train), as is
usual for frozen encoders (Radford et al. 2021, section 3.2, who choose the penalty by validation; here it is given).
It is scikit-learn's, which umap-learn brings with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collection import EncoderStore
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation.intervals import cluster_codes, precision_intervals
from radcbir_core.evaluation.precision import check_codes, check_hits, check_ks
from radcbir_core.evaluation.protocols import Protocol, sides_of
from radcbir_core.manifest import Level
from radcbir_core.neighbors import ranked_hits
from radcbir_core.progress import Progress, silent

KNN_KS = (1, 5, 20)
PENALTY_C = 1.0
MOST_STEPS = 1000
PROBE_COLUMNS = (
    "method",
    "k",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "balanced_accuracy",
    "balanced_low",
    "balanced_high",
    "macro_f1",
)

Predicted = npt.NDArray[np.int64]


def vote(hit_rows: npt.NDArray[Any], labels: npt.NDArray[Any], *, k: int) -> Predicted:
    """The label that most of the first k hits have; of labels with equal votes, the one whose first hit is the best.

    Args:
        hit_rows: ``(Q, K)`` rows of the collection, best first, -1 as padding.
        labels: ``(N,)`` label codes of all rows; hits of -1 do not vote.
        k: From 1 to K.

    Returns:
        ``(Q,)`` codes; -1 where no hit has a label.

    Raises:
        EvaluationError: k is out of range.
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        >>> vote(np.array([[0, 1, 2], [2, 1, -1]]), np.array([5, 7, 7]), k=3).tolist()
        [7, 7]
        >>> vote(np.array([[0, 1, 2]]), np.array([5, 7, 7]), k=2).tolist()
        [5]
    """
    codes = check_codes(labels, name="labels")
    hits = check_hits(hit_rows, n_queries=len(hit_rows), n_rows=len(codes))
    check_ks((k,), n_hits=hits.shape[1])
    of_hits = np.append(codes, -1)[hits[:, :k]].astype(np.int64)
    query, rank = np.nonzero(of_hits >= 0)
    width = int(codes.max(initial=-1)) + 1
    # The first place of a pair of query and label is its best rank.
    pairs, first, votes = np.unique(query * width + of_hits[query, rank], return_index=True, return_counts=True)
    predicted = np.full(len(hits), -1, dtype=np.int64)
    # Sorted so that the winner of each query comes last.
    order = np.lexsort((-rank[first], votes, pairs // max(width, 1)))
    predicted[pairs[order] // max(width, 1)] = pairs[order] % max(width, 1)
    return predicted


def linear_probe(
    train: npt.NDArray[np.floating[Any]],
    train_labels: npt.NDArray[Any],
    test: npt.NDArray[np.floating[Any]],
    *,
    c: float = PENALTY_C,
) -> tuple[Predicted, bool]:
    """Labels by multinomial logistic regression on standardized embeddings.

    Args:
        train: ``(M, D)``.
        train_labels: ``(M,)`` codes of at least two labels.
        test: ``(Q, D)``.
        c: The inverse of the strength of the L2 penalty, above 0.

    Returns:
        ``(Q,)`` codes, and whether the fit came to its end within :data:`MOST_STEPS` steps.

    Raises:
        EvaluationError: A single label to learn from, or c out of range.

    Example:
        >>> train, labels = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]]), np.array([3, 3, 8, 8])
        >>> linear_probe(train, labels, np.array([[0.2, 0.8], [0.7, 0.3]]))[0].tolist()
        [3, 8]
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    if not c > 0 or not np.isfinite(c):
        raise EvaluationError(f"Expected a penalty above 0, but c = {c}. Use 1.")
    found = len(np.unique(train_labels))
    if found < 2:
        raise EvaluationError(
            f"Expected at least two labels to learn from, but split train has {found}. Choose another level."
        )
    scaler = StandardScaler().fit(np.asarray(train, dtype=np.float32))
    classifier = LogisticRegression(C=c, max_iter=MOST_STEPS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.fit(scaler.transform(np.asarray(train, dtype=np.float32)), train_labels)
    predicted = classifier.predict(scaler.transform(np.asarray(test, dtype=np.float32)))
    ended = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return np.asarray(predicted, dtype=np.int64), ended


def macro_f1(predicted: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """The mean F1 over all labels that occur among the true or the predicted ones; 0 for one that is never right.

    Args:
        predicted: ``(Q,)`` codes; -1 = none was predicted, which is wrong and counts for no label's precision.
        labels: ``(Q,)`` true codes, at least 0.

    Example:
        >>> macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1])).__round__(4)
        0.6667
    """
    number = 1 + max(int(np.max(predicted, initial=-1)), int(np.max(labels, initial=-1)))
    right = np.bincount(labels[predicted == labels], minlength=number)
    there = np.bincount(labels, minlength=number)
    said = np.bincount(predicted[predicted >= 0], minlength=number)
    occurs = (there + said) > 0
    return float((2 * right[occurs] / (there + said)[occurs]).mean())


@dataclass(frozen=True, slots=True)
class Probing:
    """The scores of both probes, beside what always saying the commonest label would score.

    Attributes:
        table: Columns :data:`PROBE_COLUMNS`. ``method`` is "majority", "kNN" or "linear"; ``k`` is missing (NA) but for
            kNN; bounds are of 95 % intervals over patients, NaN where undefined.
        n_train: Images that were learned from.
        n_test: Images that were asked about.
        n_labels: Labels among the latter.
        notes: What one has to know to read the numbers, one sentence each.
    """

    table: pd.DataFrame
    n_train: int
    n_test: int
    n_labels: int
    notes: tuple[str, ...]


def evaluate_probes(
    store: EncoderStore,
    *,
    level: Level = "label",
    ks: Sequence[int] = KNN_KS,
    c: float = PENALTY_C,
    progress: Progress = silent,
) -> Probing:
    """Accuracy, balanced accuracy and macro F1 of kNN and of a linear probe, from split train to split test.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        level: "modality", "anatomy" or "label".
        ks: How many hits vote, each from 1 to 100.
        c: The inverse of the strength of the linear probe's penalty.
        progress: Told the number of probes, as step "probes".

    Raises:
        EvaluationError: No split, a k or c out of range, or fewer than two labels to learn from.
        QueryError: An unknown level.
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    check_ks(ks, n_hits=100)
    wanted = sorted(set(ks))
    if store.steps()["neighbors"] != "current":
        raise StaleError(
            f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
            f"missing or older. Run: python -m radcbir_core build {store.collection.name} --encoder {store.spec}"
        )
    sides = sides_of(store, Protocol.of("split"), level)
    train, codes = np.flatnonzero(sides.gallery), sides.labels.codes.astype(np.int64)
    if not len(sides.queries) or not len(train):
        raise EvaluationError(
            f"Expected images with labels at the level {level} in train and in test, but {store.collection.name} has "
            f"{len(train)} and {len(sides.queries)}. Choose another level."
        )
    total = 2 + len(wanted)
    progress("probes", 0, total)
    predictions, ended = linear_probe(store.embeddings[train], codes[train], store.embeddings[sides.queries], c=c)
    commonest = int(np.bincount(codes[train]).argmax())
    methods: list[tuple[str, int | None, Predicted]] = [
        ("majority", None, np.full(len(sides.queries), commonest, dtype=np.int64))
    ]
    progress("probes", 2, total)
    hits = ranked_hits(store, sides.queries, k=max(wanted), gallery=sides.gallery)
    methods += [("kNN", k, vote(hits.rows, codes, k=k)) for k in wanted]
    methods.append(("linear", None, predictions))
    progress("probes", total, total)
    manifest = store.collection.manifest
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    truth = codes[sides.queries]
    right = np.column_stack([predicted == truth for _, _, predicted in methods]).astype(np.float64)
    # Of right or wrong answers, the mean over queries is the accuracy, that over labels the balanced accuracy.
    bounds = precision_intervals(right, truth, clusters=clusters[sides.queries], n_labels=len(sides.labels.values))
    lines = []
    for position, (method, k, predicted) in enumerate(methods):
        balanced = [right[truth == code, position].mean() for code in np.unique(truth)]
        scores = (right[:, position].mean(), *bounds.micro[position], np.mean(balanced), *bounds.macro[position])
        lines.append((method, k, *(float(score) for score in scores), macro_f1(predicted, truth)))
    table = pd.DataFrame(lines, columns=list(PROBE_COLUMNS)).astype({"k": "Int64"})
    notes = _notes(store, sides.queries, train, unseen=~np.isin(truth, codes[train]))
    if not ended:
        notes.append(f"The linear probe had not settled after {MOST_STEPS} steps; a smaller c settles sooner.")
    return Probing(table, len(train), len(truth), len(np.unique(truth)), tuple(notes))


def _notes(
    store: EncoderStore, queries: npt.NDArray[np.intp], train: npt.NDArray[np.intp], *, unseen: npt.NDArray[np.bool_]
) -> list[str]:
    notes = []
    if unseen.any():
        notes.append(f"{int(unseen.sum())} of {len(queries)} test images have a label that train lacks: always wrong.")
    patients = store.collection.manifest.groups("patient")
    sides = [set(patients[rows][patients[rows] >= 0].tolist()) for rows in (queries, train)]
    if shared := len(sides[0] & sides[1]):
        notes.append(f"Patients that are both in train and in test: {shared}. The split is not patient-disjoint.")
    unknown = int((patients[np.concatenate([queries, train])] < 0).sum())
    if unknown:
        notes.append(f"{unknown} images have no patient_id: whether their patients are on both sides is not known.")
    return notes
