"""The logistic probe, against scikit-learn's; and that it can be watched and stopped."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from radcbir_core.evaluation.statistics.logistic import fit_logistic

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 300) * 10
VECTORS = (RANDOM.normal(size=(300, 6)) + (LABELS / 10)[:, None] * [1, 0, 0.5, 0, 0, 0]).astype(np.float32)


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_probabilities_are_scikit_learns(c) -> None:
    ours = fit_logistic(VECTORS, LABELS, c=c, most_steps=500)
    assert ours.settled
    assert ours.classes.tolist() == [0, 10, 20]
    scaler = StandardScaler().fit(VECTORS)
    # Theirs sums the loss where ours takes its mean, both with the penalty that c times M images stand for.
    theirs = LogisticRegression(C=c, max_iter=2000, tol=1e-8).fit(scaler.transform(VECTORS), LABELS)
    scores = np.exp(ours.scores(VECTORS).astype(np.float64))
    np.testing.assert_allclose(
        scores / scores.sum(axis=1, keepdims=True), theirs.predict_proba(scaler.transform(VECTORS)), atol=5e-3
    )


def test_a_column_that_never_varies_harms_nothing() -> None:
    constant = np.column_stack([VECTORS, np.full(300, 0.37, np.float32)])
    with_it, without = (fit_logistic(v, LABELS, c=1, most_steps=200) for v in (constant, VECTORS))
    assert with_it.deviation[-1] == 1
    np.testing.assert_allclose(with_it.scores(constant), without.scores(VECTORS), atol=1e-3)


def test_it_can_be_watched_and_ends_where_it_is_told() -> None:
    told: list[tuple[int, int]] = []
    short = fit_logistic(
        VECTORS, LABELS, c=100, most_steps=3, progress=lambda _, done, total: told.append((done, total))
    )
    assert not short.settled
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)

    class Stopped(Exception):
        pass

    def stop(step, done, total) -> None:
        if done == 1:
            raise Stopped

    with pytest.raises(Stopped):
        fit_logistic(VECTORS, LABELS, c=100, most_steps=50, progress=stop)
