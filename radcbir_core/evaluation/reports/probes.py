"""How well labels can be read off embeddings: by a vote of the nearest images, and by a linear classifier.

Owns the two probes of a frozen encoder, and their scores; both learn from split "train" and are asked about split
"test". They answer another question than P@k: one label is predicted for an image, and a few good hits among many bad
ones can suffice for that, or a direction of the space that a search by cosine does not look along.

The linear probe is a multinomial logistic regression on standardized embeddings (mean 0, deviation 1 on train), as is
usual for frozen encoders (Radford et al. 2021, section 3.2, who choose the penalty by validation; here it is given).
The fit is logistic.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import check_codes
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.auroc import macro_auroc
from radcbir_core.evaluation.metrics.f1 import macro_f1
from radcbir_core.evaluation.metrics.precision_at_k import check_ks
from radcbir_core.evaluation.protocol import SEEN_RULES, Protocol
from radcbir_core.evaluation.relevance import check_hits
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.seen import seen_notes
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.statistics.logistic import Logistic, fit_logistic
from radcbir_core.evaluation.view import GalleryView, asked_view
from radcbir_core.progress import Progress, silent
from radcbir_core.search.opening import vectors_of
from radcbir_core.wording import counted

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
    "n_queries",
    "n_patients",
    "n_seen",
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


def fitted_probe(
    train: npt.NDArray[np.floating[Any]], train_labels: npt.NDArray[Any], *, c: float, progress: Progress = silent
) -> Logistic:
    """Multinomial logistic regression on standardized embeddings.

    Args:
        train: ``(M, D)``.
        train_labels: ``(M,)`` codes of at least two labels.
        c: The inverse of the strength of the L2 penalty, above 0.
        progress: Told the steps taken, as step "steps", of at most :data:`MOST_STEPS`.

    Raises:
        EvaluationError: A single label to learn from.

    Example:
        >>> train, labels = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]]), np.array([3, 3, 8, 8])
        >>> probe = fitted_probe(train, labels, c=1)
        >>> probe.classes[probe.scores(np.array([[0.2, 0.8], [0.7, 0.3]])).argmax(axis=1)].tolist()
        [3, 8]
    """
    n_labels = len(np.unique(train_labels))
    if n_labels < 2:
        raise EvaluationError(
            f"Expected at least two labels to learn from, but split train has {n_labels}. Choose another level."
        )
    return fit_logistic(train, train_labels, c=c, most_steps=MOST_STEPS, progress=progress)


def _votes(hit_rows: npt.NDArray[Any], labels: npt.NDArray[Any], classes: npt.NDArray[Any], *, k: int) -> Any:
    """``(Q, n)``: how many of the first k hits have each label."""
    of_hits = np.append(labels, -1)[hit_rows[:, :k]]
    query, rank = np.nonzero(of_hits >= 0)
    votes = np.zeros((len(hit_rows), len(classes)), dtype=np.float32)
    np.add.at(votes, (query, np.searchsorted(classes, of_hits[query, rank])), 1)
    return votes


@dataclass(frozen=True)
class Probes(Evaluation):
    """The scores of both probes, beside what always saying the commonest label would score.

    Tables: ``methods`` with the columns :data:`PROBE_COLUMNS`, where ``method`` is "majority", "kNN" or "linear", ``k``
    is missing (NA) but for kNN, bounds are of 95 % intervals over patients, NaN where undefined, and ``n_queries`` of
    ``n_patients`` were asked about, beside ``n_seen`` that the encoder has seen in training; and
    ``predictions``, one row a test image: ``row``, ``label``, and what each method said, in a column of its name
    (:func:`method_name`), "" where it said nothing. Facts: ``n_train`` images that were learned from, ``n_test`` that
    were asked about, ``n_labels`` among the latter.
    """

    kind: ClassVar[str] = "probes"
    recipe: ClassVar[int] = 8
    name: ClassVar[str] = "kNN & linear probe"
    about: ClassVar[str] = (
        "Labels read off embeddings, from split train to split test: a vote of the nearest images, a linear classifier."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "split", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "methods": "Accuracy, balanced accuracy, F1 and AUROC of every method, with intervals",
        "predictions": "What each method said of every test image",
    }

    level: Level = choice("label", "modality, anatomy or label")
    ks: tuple[int, ...] = choice(KNN_KS, "Hits that vote")
    c: float = choice(PENALTY_C, "Inverse strength of the linear probe's penalty")
    seen: str = choice(
        SEEN_RULES[0], "Test images that the encoder has seen in training: skip leaves them out, count asks about them"
    )

    def __post_init__(self) -> None:
        check_ks(self.ks, n_hits=100)
        if not self.c > 0 or not np.isfinite(self.c):
            raise EvaluationError(f"Expected a penalty above 0, but c = {self.c}. Use 1.")
        _ = self._protocol  # which refuses another word for what is to become of what was seen
        object.__setattr__(self, "ks", tuple(sorted(set(self.ks))))

    def labeled(self, store: EncoderStore) -> GalleryView:
        """Whom to ask about, and what to learn from."""
        return asked_view(store, self._protocol, self.level)

    @property
    def _protocol(self) -> Protocol:
        return Protocol.of("split", ks=self.ks, seen=self.seen)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Accuracy, balanced accuracy, macro F1 and AUROC of kNN and of a linear probe.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the steps of the linear probe, of at most :data:`MOST_STEPS`, as step "steps".
        """
        view = self.labeled(store)
        train, codes = np.flatnonzero(view.gallery), view.relevance.kinds.astype(np.int64)
        source = vectors_of(store)
        classifier = fitted_probe(source.vectors(train), codes[train], c=self.c, progress=progress)
        scores = classifier.scores(source.vectors(view.queries))
        truth = codes[view.queries]
        commonest = int(np.bincount(codes[train]).argmax())
        hits = view.hits()
        methods: list[tuple[str, int | None, Predicted, float]] = [
            ("majority", None, np.full(len(truth), commonest, dtype=np.int64), 0.5)
        ]
        for k in self.ks:
            area = macro_auroc(_votes(hits.rows, codes, classifier.classes, k=k), classifier.classes, truth)
            methods.append(("kNN", k, vote(hits.rows, codes, k=k), area))
        area = macro_auroc(scores, classifier.classes, truth)
        methods.append(("linear", None, classifier.classes[scores.argmax(axis=1)], area))
        right = np.column_stack([predicted == truth for _, _, predicted, _ in methods]).astype(np.float64)
        # Of right or wrong answers, the mean over queries is the accuracy, that over labels the balanced accuracy.
        bounds = mean_intervals(right, truth, clusters=view.clusters[view.queries], n_labels=len(view.relevance.labels))
        names = np.array([*view.relevance.labels, ""], dtype=object)
        behind = (len(truth), bounds.n_clusters, len(view.seen))
        lines, said = [], {"row": view.queries.astype(np.int32), "label": names[truth]}
        for position, (method, voting, predicted, area) in enumerate(methods):
            balanced = [right[truth == code, position].mean() for code in np.unique(truth)]
            shares = (right[:, position].mean(), *bounds.micro[position], np.mean(balanced), *bounds.macro[position])
            lines.append(
                (method, voting, *(float(share) for share in shares), macro_f1(predicted, truth), area, *behind)
            )
            said[method_name(method, voting)] = names[predicted]
        notes = _notes(view, train, unseen=~np.isin(truth, codes[train]))
        if not classifier.settled:
            notes.append(f"The linear probe had not settled after {MOST_STEPS} steps; a smaller c settles sooner.")
        tables = {
            "methods": pd.DataFrame(lines, columns=list(PROBE_COLUMNS)).astype({"k": "Int64"}),
            "predictions": pd.DataFrame(said),
        }
        facts = {"n_train": len(train), "n_test": len(truth), "n_labels": len(np.unique(truth))}

        def right_of(part: GalleryView) -> npt.NDArray[np.float64]:
            asked = codes[part.queries]
            given = classifier.classes[classifier.scores(source.vectors(part.queries)).argmax(axis=1)]
            return np.asarray(given == asked, dtype=np.float64)

        name = "Accuracy of the linear probe"
        return self.result(store, tables, notes, facts, by_seen=by_seen(view, right_of, name=name, own=right[:, -1]))

    def title(self, result: Result) -> str:
        """The level, and how many images were learned from and asked about."""
        facts = result.facts
        return (
            f", level {self.level}: learned from {facts['n_train']} images, asked about {facts['n_test']} of "
            f"{facts['n_labels']} labels"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """The scores of every method."""
        return pd.DataFrame(
            [
                {
                    "method": method_name(row.method, row.k),
                    "queries": row.n_queries,
                    "patients": row.n_patients,
                    **seen_cell(result.table, self._protocol),
                    "accuracy": with_bounds(row.accuracy, row.accuracy_low, row.accuracy_high),
                    "balanced accuracy": with_bounds(row.balanced_accuracy, row.balanced_low, row.balanced_high),
                    "macro F1": f"{row.macro_f1:.3f}",
                    "macro AUROC": f"{row.macro_auroc:.3f}",
                }
                for row in lines_of(result.table)
            ]
        )


def method_name(method: str, k: Any) -> str:
    """The name of a method and, for kNN, its k; also of its column in the table ``predictions``.

    Example:
        >>> method_name("kNN", 5), method_name("linear", None)
        ('kNN, k = 5', 'linear')
    """
    return method if method != "kNN" else f"kNN, k = {k:.0f}"


def label_scores(predictions: pd.DataFrame, method: str) -> pd.DataFrame:
    """What one method makes of each label.

    Args:
        predictions: The table ``predictions`` of a result.
        method: A column of it.

    Returns:
        Columns ``label``, ``n_images``, ``right`` (share of the label's test images that were given it), ``precision``
        (share of the images given the label that have it; NaN where none was), ``taken_for`` (the label most often
        given wrongly, "" where none) and ``share`` (of the label's images); worst first, then by number and name.
    """
    truth, said = (predictions[name].astype(object) for name in ("label", method))
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
    order = np.lexsort((table["label"].to_numpy(dtype=object), -table["n_images"], table["right"]))
    return table.iloc[order].reset_index(drop=True)


def _notes(view: GalleryView, train: npt.NDArray[np.intp], *, unseen: npt.NDArray[np.bool_]) -> list[str]:
    notes, queries = seen_notes(view.store, view.protocol.seen), view.queries
    if unseen.any():
        notes.append(f"{int(unseen.sum())} of {len(queries)} test images have a label that train lacks: always wrong.")
    patients = view.store.collection.manifest.groups("patient")
    sides = [set(patients[rows][patients[rows] >= 0].tolist()) for rows in (train, queries)]
    unknown = int((patients[np.concatenate([queries, train])] < 0).sum())
    if shared := len(sides[0] & sides[1]):
        notes.append(f"Patients that are both in train and in test: {shared}. The split is not patient-disjoint.")
    elif not unknown:
        notes.append(
            f"The two sides are patient-disjoint: {counted(len(sides[0]), 'patient')} in train, "
            f"{counted(len(sides[1]), 'other')} in test."
        )
    if unknown:
        notes.append(
            f"{counted(unknown, 'image')} without patient_id: whether their patients are on both sides is not known."
        )
    return notes
