"""How true chances are: of hits that were given a chance, how many were what the chance is of.

Owns the bins of a reliability diagram and the expected calibration error. Source: Guo, Pleiss, Sun and Weinberger, *On
Calibration of Modern Neural Networks* (ICML 2017), section 2: ECE = Σ_b n_b / n |share_b − mean chance_b| over bins of
equal width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from radcbir_core.arrays import dense_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS: Final = 10
"""Bins of a tenth each, from 0 to 1."""
_DRAWS: Final = 1000
_TOGETHER: Final = 4_000_000


def bin_of(chances: NDArray[Any]) -> NDArray[np.intp]:
    """The bin of each chance, from 0; 1 is of the last.

    Example:
        >>> bin_of(np.array([0.0, 0.1, 0.999, 1.0])).tolist()
        [0, 1, 9, 9]
    """
    # A tenth more or less by the last bit is of no matter, but 0.3 is to be of the fourth bin, whose beginning it is.
    return np.minimum(np.floor(np.round(np.asarray(chances, dtype=np.float64) * BINS, 9)), BINS - 1).astype(np.intp)


def calibration_error(chances: NDArray[Any], outcomes: NDArray[Any]) -> float:
    """ECE: how far chances are from the shares that they stand for, on average over all; NaN of none.

    Args:
        chances: ``(n,)`` from 0 to 1.
        outcomes: ``(n,)`` whether it was so.

    Example:
        Of four to which .9 was said three were, of two to which .2 was said one was.

        >>> round(calibration_error(np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.2]), np.array([1, 1, 1, 0, 1, 0])), 3)
        0.2
    """
    if not len(chances):
        return float("nan")
    apart = np.bincount(bin_of(chances), weights=np.asarray(outcomes, dtype=np.float64) - chances, minlength=BINS)
    return float(np.abs(apart).sum() / len(chances))


@dataclass(frozen=True, slots=True)
class ErrorBounds:
    """How sure an ECE is.

    Attributes:
        low: Lower bound of its 95 % interval; NaN with fewer than two clusters.
        high: Upper bound.
        by_noise: What chances would have on average that are perfectly true, with so few clusters.
    """

    low: float
    high: float
    by_noise: float


def error_bounds(
    chances: NDArray[Any], outcomes: NDArray[Any], *, clusters: NDArray[Any], seed: int = 0
) -> ErrorBounds:
    """The 95 % interval of an ECE over patients, and the ECE that noise alone would have.

    An ECE is too high by itself: shares of few are never quite what they should be. What noise alone makes is measured
    by turning all deviations of a patient around or not, by chance. An ECE is at most the true one and that of noise
    together, so that the lower bound is what is left of it without the 97.5th percentile of noise. The upper one is
    that percentile of the bootstrap over patients.

    Args:
        chances: ``(n,)`` from 0 to 1.
        outcomes: ``(n,)`` whether it was so.
        clusters: ``(n,)`` the patient of each, at least 0.
        seed: Of the draws.

    Example:
        >>> draws = np.random.default_rng(0)
        >>> chances = draws.uniform(size=2000)
        >>> bounds = error_bounds(chances, draws.uniform(size=2000) < chances, clusters=np.arange(2000))
        >>> bounds.low, round(bounds.high, 2), round(bounds.by_noise, 2)
        (0.0, 0.05, 0.02)
    """
    distinct, members = dense_codes(np.asarray(clusters))
    number = len(distinct)
    if number < 2:
        return ErrorBounds(float("nan"), float("nan"), float("nan"))
    apart = np.bincount(
        members * BINS + bin_of(chances),
        weights=np.asarray(outcomes, dtype=np.float64) - chances,
        minlength=number * BINS,
    ).reshape(number, BINS)
    sizes = np.bincount(members, minlength=number).astype(np.float64)
    random = np.random.default_rng(seed)
    drawn, turned = np.empty(_DRAWS), np.empty(_DRAWS)
    step = max(1, _TOGETHER // number)
    for start in range(0, _DRAWS, step):
        part = slice(start, min(start + step, _DRAWS))
        width = part.stop - part.start
        times = random.multinomial(number, np.full(number, 1 / number), size=width).astype(np.float64)
        drawn[part] = np.abs(times @ apart).sum(axis=1) / (times @ sizes)
        signs = random.integers(0, 2, (width, number)) * 2.0 - 1.0
        turned[part] = np.abs(signs @ apart).sum(axis=1) / sizes.sum()
    error = float(np.abs(apart.sum(axis=0)).sum() / sizes.sum())
    low = max(0.0, error - float(np.quantile(turned, 0.975)))
    return ErrorBounds(low, max(float(np.quantile(drawn, 0.975)), error), float(turned.mean()))
