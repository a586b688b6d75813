"""How well labels can be read off embeddings: by a vote of the nearest images, and by a linear classifier.

Owns the two probes of a frozen encoder, and their scores; both learn from split "train" and are asked about split
"test". They answer another question than P@k: one label is predicted for an image, and a few good hits among many bad
ones can suffice for that, or a direction of the space that a search by cosine does not look along.

The linear probe is a multinomial logistic regression on standardized embeddings (mean 0, deviation 1 on train), as is
usual for frozen encoders (Radford et al. 2021, section 3.2, who choose the penalty by validation; here it is given).
The fit is logistic.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import check_codes
from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision import check_hits, check_ks
from radcbir_core.evaluation.reports.protocols import Protocol, Sides, check_current, sides_of
from radcbir_core.evaluation.results import Results, read_results, results_folder, write_results
from radcbir_core.evaluation.statistics.intervals import cluster_codes, precision_intervals
from radcbir_core.evaluation.statistics.logistic import Logistic, fit_logistic
from radcbir_core.progress import Progress, silent
from radcbir_core.search.graph import ranked_hits
from radcbir_core.search.opening import vectors_of

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
    "macro_auroc",
)

_KIND = "probes-1"
"""Names the recipe of kept results: to be changed when the numbers change."""

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
    progress: Progress = silent,
) -> tuple[Predicted, bool]:
    """Labels by multinomial logistic regression on standardized embeddings.

    Args:
        train: ``(M, D)``.
        train_labels: ``(M,)`` codes of at least two labels.
        test: ``(Q, D)``.
        c: The inverse of the strength of the L2 penalty, above 0.
        progress: Told the steps taken, as step "steps", of at most :data:`MOST_STEPS`.

    Returns:
        ``(Q,)`` codes, and whether the fit came to its end within :data:`MOST_STEPS` steps.

    Raises:
        EvaluationError: A single label to learn from, or c out of range.

    Example:
        >>> train, labels = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]]), np.array([3, 3, 8, 8])
        >>> linear_probe(train, labels, np.array([[0.2, 0.8], [0.7, 0.3]]))[0].tolist()
        [3, 8]
    """
    classifier = _fitted(train, train_labels, c=c, progress=progress)
    return classifier.classes[classifier.scores(test).argmax(axis=1)], classifier.settled


def _fitted(
    train: npt.NDArray[np.floating[Any]], train_labels: npt.NDArray[Any], *, c: float, progress: Progress
) -> Logistic:
    if not c > 0 or not np.isfinite(c):
        raise EvaluationError(f"Expected a penalty above 0, but c = {c}. Use 1.")
    found = len(np.unique(train_labels))
    if found < 2:
        raise EvaluationError(
            f"Expected at least two labels to learn from, but split train has {found}. Choose another level."
        )
    return fit_logistic(train, train_labels, c=c, most_steps=MOST_STEPS, progress=progress)


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


def macro_auroc(scores: npt.NDArray[Any], classes: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """The mean over labels of the area under the ROC curve of each label against all others.

    The area is the share of pairs, one image of the label and one of another, in which the former has the higher score
    (equal ones count half; Hanley and McNeil 1982). Labels that all images have, that none has, or that have no score
    are left out.

    Args:
        scores: ``(Q, n)``; the larger, the likelier.
        classes: ``(n,)`` the label code of each column.
        labels: ``(Q,)`` true codes.

    Returns:
        From 0 to 1, 0.5 by chance; NaN where no label is left.

    Example:
        >>> macro_auroc(np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4]]), np.array([0, 1]), np.array([0, 1, 1]))
        1.0
    """
    from scipy.stats import rankdata

    areas = []
    for column, code in enumerate(classes):
        mine = labels == code
        number = int(mine.sum())
        others = len(mine) - number
        if number and others:
            ranks = rankdata(scores[:, column])[mine].sum()
            areas.append((ranks - number * (number + 1) / 2) / (number * others))
    return float(np.mean(areas)) if areas else float("nan")


def _votes(hit_rows: npt.NDArray[Any], labels: npt.NDArray[Any], classes: npt.NDArray[Any], *, k: int) -> Any:
    """``(Q, n)``: how many of the first k hits have each label."""
    of_hits = np.append(labels, -1)[hit_rows[:, :k]]
    query, rank = np.nonzero(of_hits >= 0)
    found = np.zeros((len(hit_rows), len(classes)), dtype=np.float32)
    np.add.at(found, (query, np.searchsorted(classes, of_hits[query, rank])), 1)
    return found


@dataclass(frozen=True, slots=True)
class Probing:
    """The scores of both probes, beside what always saying the commonest label would score.

    Attributes:
        table: Columns :data:`PROBE_COLUMNS`. ``method`` is "majority", "kNN" or "linear"; ``k`` is missing (NA) but for
            kNN; bounds are of 95 % intervals over patients, NaN where undefined.
        queries: One row a test image: ``row``, ``label``, and what each method said, in a column of its name
            (:func:`method_name`); "" where it said nothing.
        n_train: Images that were learned from.
        n_test: Images that were asked about.
        n_labels: Labels among the latter.
        notes: What one has to know to read the numbers, one sentence each.
    """

    table: pd.DataFrame
    queries: pd.DataFrame
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
    """Accuracy, balanced accuracy, macro F1 and AUROC of kNN and of a linear probe, from split train to split test.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        level: "modality", "anatomy" or "label".
        ks: How many hits vote, each from 1 to 100.
        c: The inverse of the strength of the linear probe's penalty.
        progress: Told the steps of the linear probe, of at most :data:`MOST_STEPS`, as step "steps".

    Returns:
        The scores, computed now or as they were kept.

    Raises:
        EvaluationError: No split, a k or c out of range, or fewer than two labels to learn from.
        QueryError: An unknown level.
        StaleError: The neighbor graph is missing or was made from other embeddings.
        StorageError: The results cannot be written.
    """
    sides, folder = _checked(store, level=level, ks=ks, c=c)
    kept = read_results(folder)
    if kept is None:
        kept = _compute(store, sides, ks=sorted(set(ks)), c=c, progress=progress)
        write_results(folder, kept)
    return _probing(sides, kept)


def kept_probes(
    store: EncoderStore, *, level: Level = "label", ks: Sequence[int] = KNN_KS, c: float = PENALTY_C
) -> Probing | None:
    """What :func:`evaluate_probes` has kept, or None; arguments and errors are the same."""
    sides, folder = _checked(store, level=level, ks=ks, c=c)
    kept = read_results(folder)
    return None if kept is None else _probing(sides, kept)


def method_name(method: str, k: Any) -> str:
    """The name of a method and, for kNN, its k; also of its column in :attr:`Probing.queries`.

    Example:
        >>> method_name("kNN", 5), method_name("linear", None)
        ('kNN, k = 5', 'linear')
    """
    return method if method != "kNN" else f"kNN, k = {k:.0f}"


def label_scores(found: Probing, method: str) -> pd.DataFrame:
    """What one method makes of each label.

    Args:
        found: From :func:`evaluate_probes`.
        method: A column of its queries.

    Returns:
        Columns ``label``, ``n_images``, ``right`` (share of the label's test images that were given it), ``precision``
        (share of the images given the label that have it; NaN where none was), ``taken_for`` (the label most often
        given wrongly, "" where none) and ``share`` (of the label's images); best first, then by number and name.
    """
    truth, said = (found.queries[name].astype(object) for name in ("label", method))
    lines = []
    for label, answers in said.groupby(truth, sort=True):
        wrong = answers[answers != label].value_counts()
        # Of equally frequent mistakes, the first by name.
        wrong = wrong[wrong == wrong.max()].sort_index() if len(wrong) else wrong
        given = said == label
        lines.append(
            {
                "label": str(label),
                "n_images": len(answers),
                "right": float((answers == label).mean()),
                "precision": float((truth[given] == label).mean()) if given.any() else float("nan"),
                "taken_for": str(wrong.index[0]) if len(wrong) else "",
                "share": float(wrong.iloc[0]) / len(answers) if len(wrong) else 0.0,
            }
        )
    table = pd.DataFrame(lines)
    order = np.lexsort((table["label"].to_numpy(dtype=object), -table["n_images"], -table["right"]))
    return table.iloc[order].reset_index(drop=True)


def _checked(store: EncoderStore, *, level: Level, ks: Sequence[int], c: float) -> tuple[Sides, Path]:
    """The two sides, and where results are kept."""
    check_ks(ks, n_hits=100)
    check_current(store, Protocol.of("split"))
    sides = sides_of(store, Protocol.of("split"), level)
    if not len(sides.queries) or not sides.gallery.any():
        raise EvaluationError(
            f"Expected images with labels at the level {level} in train and in test, but {store.collection.name} has "
            f"{int(sides.gallery.sum())} and {len(sides.queries)}. Choose another level."
        )
    return sides, results_folder(store, _KIND, level=level, ks=sorted(set(ks)), c=float(c), most_steps=MOST_STEPS)


def _probing(sides: Sides, kept: Results) -> Probing:
    labels = len(np.unique(sides.labels.codes[sides.queries]))
    return Probing(kept.table, kept.queries, int(sides.gallery.sum()), len(sides.queries), labels, kept.notes)


def _compute(store: EncoderStore, sides: Sides, *, ks: Sequence[int], c: float, progress: Progress) -> Results:
    train, codes = np.flatnonzero(sides.gallery), sides.labels.codes.astype(np.int64)
    source = vectors_of(store)
    classifier = _fitted(source.vectors(train), codes[train], c=c, progress=progress)
    scores = classifier.scores(source.vectors(sides.queries))
    truth = codes[sides.queries]
    commonest = int(np.bincount(codes[train]).argmax())
    hits = ranked_hits(store, sides.queries, k=max(ks), gallery=sides.gallery)
    methods: list[tuple[str, int | None, Predicted, float]] = [
        ("majority", None, np.full(len(truth), commonest, dtype=np.int64), 0.5)
    ]
    for k in ks:
        area = macro_auroc(_votes(hits.rows, codes, classifier.classes, k=k), classifier.classes, truth)
        methods.append(("kNN", k, vote(hits.rows, codes, k=k), area))
    area = macro_auroc(scores, classifier.classes, truth)
    methods.append(("linear", None, classifier.classes[scores.argmax(axis=1)], area))
    manifest = store.collection.manifest
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    right = np.column_stack([predicted == truth for _, _, predicted, _ in methods]).astype(np.float64)
    # Of right or wrong answers, the mean over queries is the accuracy, that over labels the balanced accuracy.
    bounds = precision_intervals(right, truth, clusters=clusters[sides.queries], n_labels=len(sides.labels.values))
    names = np.array([*sides.labels.values, ""], dtype=object)
    lines, said = [], {"row": sides.queries.astype(np.int32), "label": names[truth]}
    for position, (method, voting, predicted, area) in enumerate(methods):
        balanced = [right[truth == code, position].mean() for code in np.unique(truth)]
        shares = (right[:, position].mean(), *bounds.micro[position], np.mean(balanced), *bounds.macro[position])
        lines.append((method, voting, *(float(share) for share in shares), macro_f1(predicted, truth), area))
        said[method_name(method, voting)] = names[predicted]
    table = pd.DataFrame(lines, columns=list(PROBE_COLUMNS)).astype({"k": "Int64"})
    notes = _notes(store, sides.queries, train, unseen=~np.isin(truth, codes[train]))
    if not classifier.settled:
        notes.append(f"The linear probe had not settled after {MOST_STEPS} steps; a smaller c settles sooner.")
    return Results(table, pd.DataFrame(said), tuple(notes))


def _notes(
    store: EncoderStore, queries: npt.NDArray[np.intp], train: npt.NDArray[np.intp], *, unseen: npt.NDArray[np.bool_]
) -> list[str]:
    notes = []
    if unseen.any():
        notes.append(f"{int(unseen.sum())} of {len(queries)} test images have a label that train lacks: always wrong.")
    patients = store.collection.manifest.groups("patient")
    sides = [set(patients[rows][patients[rows] >= 0].tolist()) for rows in (train, queries)]
    unknown = int((patients[np.concatenate([queries, train])] < 0).sum())
    if shared := len(sides[0] & sides[1]):
        notes.append(f"Patients that are both in train and in test: {shared}. The split is not patient-disjoint.")
    elif not unknown:
        notes.append(
            f"The two sides are patient-disjoint: {len(sides[0])} patients in train, {len(sides[1])} others in test."
        )
    if unknown:
        notes.append(f"{unknown} images have no patient_id: whether their patients are on both sides is not known.")
    return notes
