"""A first look at the answers of a study: accuracy, time and confidence, by condition.

Owns these few figures. They are no analysis: the table is for a mixed model, which tells what a reader, a case and an
order do to an answer, and this does not.

Accuracy is the share of right answers over all readings. Readings of one reader resemble each other, and so do readings
of one case, so that there are two intervals (``evaluation/statistics/intervals.py``): over the cases' patients with
these readers taken as given, and over readers with these cases taken as given. Put together, the distance of either
bound is the root of the sum of both squared, which is what two independent sources add up to; what both have in common,
a reading's own chance, is so counted twice, and the interval is rather wide. Of a single reader there is the first one
alone, and nothing is said of other readers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import dense_codes
from radcbir_core.collections.reader_studies.study_definition import CONDITIONS
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES, mean_intervals


@dataclass(frozen=True, slots=True)
class ShareWithin:
    """A share, or a difference of shares, and its interval of 95 %.

    Attributes:
        value: NaN where there is nothing.
        low: NaN where a single patient, and a single reader, stand behind it.
        high: Likewise.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """What readers did in one condition.

    Attributes:
        condition: "without" or "with".
        readings: How many.
        readers: Of how many readers.
        cases: Of how many cases.
        accuracy: The share of right answers.
        seconds: The median of the seconds.
        confidence: The mean.
    """

    condition: str
    readings: int
    readers: int
    cases: int
    accuracy: ShareWithin
    seconds: float
    confidence: float


def figures_by_condition(table: pd.DataFrame) -> list[ConditionFigures]:
    """The figures of both conditions, without retrieval first; of one that nobody has read in, none.

    Args:
        table: As ``study_table`` gives it.
    """
    figures = []
    for condition in CONDITIONS:
        part = table[table["condition"] == condition]
        if len(part):
            figures.append(
                ConditionFigures(
                    condition,
                    len(part),
                    part["reader"].nunique(),
                    part["case"].nunique(),
                    share_within(part["correct"].to_numpy(dtype=np.float64), part, limits=(0.0, 1.0)),
                    float(part["seconds"].median()),
                    float(part["confidence"].mean()),
                )
            )
    return figures


def difference_of(table: pd.DataFrame) -> tuple[int, ShareWithin]:
    """How much more often answers were right with retrieval, over the pairs of a reader and a case that have both.

    Args:
        table: As ``study_table`` gives it.

    Returns:
        How many pairs, and the mean difference.
    """
    keys = ["reader", "case", "patient_group"]
    both = table.pivot_table(index=keys, columns="condition", values="correct", aggfunc="first", observed=True)
    pairs = both.reindex(columns=list(CONDITIONS)).dropna().reset_index()
    gained = (pairs["with"] - pairs["without"]).to_numpy(dtype=np.float64)
    return len(pairs), share_within(gained, pairs, limits=DIFFERENCES)


def share_within(
    values: npt.NDArray[np.float64], readings: pd.DataFrame, *, limits: tuple[float, float]
) -> ShareWithin:
    """A mean over readings, and an interval that knows of readers and of cases.

    Args:
        values: (R,) within the limits.
        readings: (R,) rows with ``reader`` and ``patient_group``.
        limits: The least and the largest value there can be.
    """
    if not len(values):
        return ShareWithin(np.nan, np.nan, np.nan)
    mean = float(values.mean())
    below, above = [], []
    for column in ("patient_group", "reader"):
        codes = dense_codes(pd.factorize(readings[column])[0].astype(np.int64))[1]
        zeros = np.zeros(len(values), dtype=np.int64)
        bounds = mean_intervals(values[:, None], zeros, clusters=codes, n_labels=1, limits=limits).micro[0]
        if not np.isnan(bounds).any():
            below.append(mean - float(bounds[0]))
            above.append(float(bounds[1]) - mean)
    if not below:
        return ShareWithin(mean, np.nan, np.nan)
    low = max(limits[0], mean - float(np.hypot.reduce(below)))
    high = min(limits[1], mean + float(np.hypot.reduce(above)))
    return ShareWithin(mean, low, high)
