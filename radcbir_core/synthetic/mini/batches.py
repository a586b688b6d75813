"""Which images and sentences one training step sees, and which of them belong together.

Owns the sampling (a few kinds of images, several labels of each, several images of each label) and the truth about a
batch: which sentence is true of which image, and which images share what. A step's batch follows from the seed and the
step's number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.mini.examples import Examples, is_drawn
from radcbir_core.synthetic.mini.sentences import Claim, anatomy_of, findings_of, sentence
from radcbir_core.vocabulary import NORMAL

_SHARE_CAPTIONS = 0.2
_MOST_ABSENT = 4
_MOST_OF_LABEL = 6
_LEAST_OF_LABEL = 3


@dataclass(frozen=True)
class Batch:
    """One step.

    Attributes:
        rows: (B,) rows of the examples.
        texts: T sentences, of which the i-th was made for the i-th image.
        true_of: (T, B) bool: the sentence is true of the image.
        open_for: (T, B) bool: the image is too little known to say; such pairs count neither way.
        same_kind: (B, B) bool: same modality and anatomy, both known.
        same_kind_drawn: (B, B) bool: the same, and both phantoms or both not.
        same_findings: (B, B) float32: shared findings over all findings of two images of the same kind, 0 to 1.
        unlabeled: (B,) bool: no pathology is known.
        shows: (B, L) float32: each image's labels, of all that are trained on; a row sums to 1, or to 0 without label.
        possible: (B, L) bool: labels of the image's modality and anatomy.
    """

    rows: npt.NDArray[np.int64]
    texts: list[str]
    true_of: npt.NDArray[np.bool_]
    open_for: npt.NDArray[np.bool_]
    same_kind: npt.NDArray[np.bool_]
    same_kind_drawn: npt.NDArray[np.bool_]
    same_findings: npt.NDArray[np.float32]
    unlabeled: npt.NDArray[np.bool_]
    shows: npt.NDArray[np.float32]
    possible: npt.NDArray[np.bool_]


class Batches:
    """Draws batches from the images that are trained on.

    A batch holds a few kinds of images (modality and anatomy, real or drawn), each with several of its labels, because
    what tells two findings apart is learned from images that agree in all else.

    Args:
        examples: All images; those of the validation side are never drawn.
        images: A batch's.
        of_kind: Images of one kind in a batch; fewer where it has few labels.
    """

    def __init__(self, examples: Examples, *, images: int, of_kind: int) -> None:
        self._examples = examples
        self._findings = [findings_of(names) for names in examples.pathologies]
        self._anatomies = [anatomy_of(name) for name in examples.anatomy]
        kinds: dict[tuple[str, ...], dict[tuple[str, ...], list[int]]] = {}
        for row in np.flatnonzero(~examples.validation).tolist():
            kind, label = self._keys(row)
            kinds.setdefault(kind, {}).setdefault(label, []).append(row)
        self._kinds = [[np.asarray(rows) for rows in labels.values()] for labels in kinds.values()]
        # Between one image one vote and one kind, or label, one vote.
        self._shares = _shares([sum(map(len, labels)) for labels in self._kinds])
        self._differing = np.array(
            [kind[0] == "real" and len({label for _, label in labels}) > 1 for kind, labels in kinds.items()]
        )
        self._images, self._of_kind = images, of_kind
        shown = {label for row in np.flatnonzero(~examples.validation).tolist() for label in self._labels(row)}
        self.labels = sorted(shown)
        """All ``(modality, anatomy, finding)`` that are trained on."""
        self._place = {label: place for place, label in enumerate(self.labels)}
        self._absent: dict[tuple[str, str], list[str]] = {}
        for row in np.flatnonzero(~examples.validation).tolist():
            names = self._absent.setdefault((examples.modality[row], examples.anatomy[row]), [])
            names += [name for name in examples.pathologies[row] if name not in names and name != NORMAL]

    def _keys(self, row: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        e = self._examples
        pathologies = e.pathologies[row]
        finding = pathologies[0] if len(pathologies) == 1 else "several" if pathologies else "unknown"
        drawn = "phantom" if is_drawn(e, row) else "real"
        return (drawn, e.modality[row], e.anatomy[row]), (e.sources[row], finding)

    def _labels(self, row: int) -> list[tuple[str, str, str]]:
        e = self._examples
        if not (e.modality[row] and self._anatomies[row]):
            return []
        return [(e.modality[row], self._anatomies[row], finding) for finding in sorted(self._findings[row])]

    def _rows(self, generator: np.random.Generator, findings_weight: float) -> npt.NDArray[np.int64]:
        """The images of a batch: kinds in turn until it is full."""
        images: list[npt.NDArray[np.int64]] = []
        left = self._images
        shares = np.where(self._differing, findings_weight, 1.0) * self._shares
        for kind in generator.choice(len(self._kinds), len(self._kinds), replace=False, p=shares / shares.sum()):
            labels = self._kinds[kind]
            count = min(self._of_kind, _MOST_OF_LABEL * len(labels), left)
            several = min(len(labels), max(1, count // _LEAST_OF_LABEL))
            sizes = _shares([len(rows) for rows in labels])
            chosen = generator.choice(len(labels), several, replace=False, p=sizes)
            for place, label in enumerate(chosen):
                each = count // several + (place < count % several)
                rows = labels[label]
                images.append(generator.choice(rows, each, replace=len(rows) < each))
            left -= count
            if left <= 0:
                break
        return np.concatenate(images)

    def draw(self, generator: np.random.Generator, *, findings_weight: float = 1.0) -> Batch:
        """One batch.

        Args:
            generator: All choices come from it.
            findings_weight: How much more often than others those kinds of real images come whose findings differ.
        """
        rows = self._rows(generator, findings_weight)
        texts, claims = [], []
        for row in rows:
            text, claim = self._said(int(row), generator)
            texts.append(text)
            claims.append(claim)
        true_of, open_for = self._truth(claims, rows)
        kinds = np.array([f"{self._examples.modality[row]}/{self._anatomies[row]}" for row in rows])
        known = np.array([bool(self._examples.modality[row] and self._anatomies[row]) for row in rows])
        same_kind = (kinds[:, None] == kinds[None, :]) & known[:, None] & known[None, :]
        drawn = np.array([is_drawn(self._examples, int(row)) for row in rows])
        findings = [self._findings[row] for row in rows]
        shows = np.zeros((len(rows), len(self.labels)), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            own = self._labels(row)
            for label in own:
                shows[place, self._place[label]] = 1 / len(own)
        of_labels = np.array([f"{modality}/{anatomy}" for modality, anatomy, _ in self.labels])
        shared = np.array([[_jaccard(a, b) for b in findings] for a in findings], dtype=np.float32)
        return Batch(
            rows=rows,
            texts=texts,
            true_of=true_of,
            open_for=open_for,
            same_kind=same_kind,
            same_kind_drawn=same_kind & (drawn[:, None] == drawn[None, :]),
            same_findings=shared * same_kind,
            unlabeled=np.array([not names for names in findings]),
            shows=shows,
            possible=kinds[:, None] == of_labels[None, :],
        )

    def _said(self, row: int, generator: np.random.Generator) -> tuple[str, Claim]:
        e = self._examples
        modality, anatomy, pathologies = e.modality[row], e.anatomy[row], e.pathologies[row]
        if e.captions[row] and len(pathologies) == 1 and modality and anatomy and generator.random() < _SHARE_CAPTIONS:
            claim = Claim(
                modality=modality, anatomy=self._anatomies[row], finding=next(iter(findings_of(pathologies[:1])), None)
            )
            if len(findings_of(pathologies[:1])) == 1:
                return e.captions[row], claim
        others = [
            name for name in self._absent.get((modality, anatomy), []) if not findings_of([name]) & self._findings[row]
        ]
        few = list(generator.permutation(others)[:_MOST_ABSENT]) if others else []
        return sentence(generator, modality=modality, anatomy=anatomy, pathologies=pathologies, absent=few)

    def _truth(
        self, claims: Sequence[Claim], rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        shape = (len(claims), len(rows))
        true_of, open_for = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        modalities = np.array([self._examples.modality[row] for row in rows])
        anatomies = np.array([self._anatomies[row] for row in rows])
        labeled = np.array([bool(self._findings[row]) for row in rows])
        names = {claim.finding for claim in claims if claim.finding}
        shows = {name: np.array([name in self._findings[row] for row in rows]) for name in names}
        for place, claim in enumerate(claims):
            fits, unsure = np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
            for said, known in ((claim.modality, modalities), (claim.anatomy, anatomies)):
                if said is not None:
                    unsure |= known == ""
                    fits &= (known == said) | (known == "")
            if claim.finding is not None:
                unsure |= ~labeled
                shown = shows[claim.finding] != claim.negated
                fits &= shown | ~labeled
            true_of[place], open_for[place] = fits & ~unsure, fits & unsure
        return true_of, open_for


def _shares(sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    weights = np.sqrt(np.asarray(sizes, dtype=np.float64))
    return np.asarray(weights / weights.sum())


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    both = len(first & second)
    return both / len(first | second) if both else 0.0
