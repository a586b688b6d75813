"""Multinomial logistic regression on standardized embeddings, told step by step and stopped at any.

Owns the fit. It minimizes mean cross-entropy + ‖W‖² ÷ (2 · C · M) over weights and intercepts (these are not
penalized), by L-BFGS from zero, which is scikit-learn's objective and solver for three labels or more; scikit-learn's
cannot be watched or stopped, and takes minutes for a hundred thousand images. For two labels scikit-learn fits a
single direction, which is this with C halved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent

Floats = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]

_BLOCK = 32_768
_GRADIENT = 1e-4
"""The fit has settled where no component of the gradient is larger: scikit-learn's ``tol``."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted classifier.

    Attributes:
        classes: ``(n,)`` the label codes that it can say, ascending.
        weights: ``(D + 1, n)`` float32, for standardized embeddings; the last line is the intercepts.
        mean: ``(D,)`` of the embeddings that it learned from.
        deviation: ``(D,)`` likewise; 1 where they were all alike.
        settled: Whether the fit came to its end in the steps it was given.
    """

    classes: npt.NDArray[np.int64]
    weights: Float32
    mean: Float32
    deviation: Float32
    settled: bool

    def scores(self, embeddings: Floats) -> Float32:
        """``(Q, n)``: the larger, the likelier; the logarithm of the probability up to a constant a line."""
        scores = np.empty((len(embeddings), len(self.classes)), dtype=np.float32)
        for part in _blocks(len(embeddings)):
            vectors = (np.asarray(embeddings[part], dtype=np.float32) - self.mean) / self.deviation
            scores[part] = vectors @ self.weights[:-1] + self.weights[-1]
        return scores


def fit_logistic(
    embeddings: Floats, labels: npt.NDArray[Any], *, c: float, most_steps: int, progress: Progress = silent
) -> Logistic:
    """Fit the classifier.

    Args:
        embeddings: ``(M, D)``.
        labels: ``(M,)`` codes of at least two labels.
        c: The inverse of the strength of the L2 penalty, above 0.
        most_steps: At most so many steps are taken.
        progress: Told the steps taken, as step "steps", of at most ``most_steps``; what it raises ends the fit.

    Example:
        >>> vectors, labels = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]]), np.array([3, 3, 8, 8])
        >>> classifier = fit_logistic(vectors, labels, c=1, most_steps=100)
        >>> said = classifier.scores(np.array([[0.2, 0.8], [0.7, 0.3]])).argmax(axis=1)
        >>> classifier.classes[said].tolist(), classifier.settled
        ([3, 8], True)
    """
    from scipy.optimize import minimize

    vectors = np.array(embeddings, dtype=np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = vectors.std(axis=0, dtype=np.float64).astype(np.float32)
    deviation[deviation < 10 * np.finfo(np.float32).eps * np.maximum(np.abs(mean), 1e-3)] = 1
    vectors -= mean
    vectors /= deviation
    classes, members = np.unique(labels, return_inverse=True)
    shape = (vectors.shape[1] + 1, len(classes))
    strength = 1 / (c * len(vectors))

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(shape)
        single = weights.astype(np.float32)
        value, gradient = 0.0, np.zeros(shape)
        for part in _blocks(len(vectors)):
            logits = vectors[part] @ single[:-1]
            logits += single[-1]
            logits -= logits.max(axis=1, keepdims=True)
            place = (np.arange(len(logits)), members[part])
            own = logits[place].astype(np.float64)
            np.exp(logits, out=logits)
            total = logits.sum(axis=1, keepdims=True)
            value += float((np.log(total[:, 0].astype(np.float64)) - own).sum())
            logits /= total
            logits[place] -= 1
            gradient[:-1] += vectors[part].T @ logits
            gradient[-1] += logits.sum(axis=0, dtype=np.float64)
        gradient /= len(vectors)
        gradient[:-1] += strength * weights[:-1]
        return value / len(vectors) + strength / 2 * float((weights[:-1] ** 2).sum()), gradient.ravel()

    steps = 0

    def told(_: npt.NDArray[np.float64]) -> None:
        nonlocal steps
        steps += 1
        progress("steps", min(steps, most_steps - 1), most_steps)

    progress("steps", 0, most_steps)
    options = {"maxiter": most_steps, "gtol": _GRADIENT, "ftol": 64 * np.finfo(np.float64).eps, "maxls": 50}
    fit = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", callback=told, options=options)
    progress("steps", most_steps, most_steps)
    # Status 1: out of steps. 2: no better point is found along a line, for the digits of single precision are used up.
    settled = bool(fit.status == 0 or (fit.status == 2 and np.abs(fit.jac).max() < 10 * _GRADIENT))
    return Logistic(classes.astype(np.int64), fit.x.reshape(shape).astype(np.float32), mean, deviation, settled)


def _blocks(number: int) -> Iterator[slice]:
    for start in range(0, number, _BLOCK):
        yield slice(start, min(start + _BLOCK, number))
