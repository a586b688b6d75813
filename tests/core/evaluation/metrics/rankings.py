"""Rankings of graded hits, and what was available for them, for the tests of ranking metrics."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from radcbir_core.evaluation.relevance import Available

GRADES = [0.0, 0.25, 0.5, 1.0]
rankings = st.lists(st.sampled_from(GRADES), min_size=1, max_size=12)
"""The grades of a whole gallery, best hit first."""

ONE_OF_FOUR = Available(grades=np.array([1.0]), counts=np.array([[4], [0]]))
"""Two queries: for one there are four relevant images, for the other none."""

BY_HAND = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
"""Relevant at ranks 1 and 3; and a query that has nothing to find."""


def available_of(*rankings: list[float]) -> Available:
    counts = [[ranking.count(grade) for grade in GRADES[1:]] for ranking in rankings]
    return Available(grades=np.array(GRADES[1:]), counts=np.array(counts))


def swapped_up(ranking: list[float]) -> list[list[float]]:
    """The ranking with one better hit moved a place up, in each way there is."""
    return [
        [*ranking[:i], ranking[i + 1], ranking[i], *ranking[i + 2 :]]
        for i in range(len(ranking) - 1)
        if ranking[i] < ranking[i + 1]
    ]


def by_definition(ranking: list[float], k: int, divisor: str) -> dict[str, float]:
    """All metrics of one query whose whole gallery is ``ranking``, by their definitions."""
    total = sum(grade > 0 for grade in ranking)
    if not total:
        return dict.fromkeys(("P", "recall", "hit", "ap", "ndcg", "r"), math.nan)
    first = ranking[:k]
    relevant = sum(grade > 0 for grade in first)
    precisions = [sum(g > 0 for g in first[: i + 1]) / (i + 1) for i, grade in enumerate(first) if grade > 0]
    by = {"available": min(k, total), "relevant": total, "found": max(relevant, 1)}[divisor]

    def gain(grades: list[float]) -> float:
        return sum(grade / math.log2(2 + i) for i, grade in enumerate(grades))

    return {
        "P": relevant / k,
        "recall": relevant / total,
        "hit": float(relevant > 0),
        "ap": sum(precisions) / by,
        "ndcg": gain(first) / gain(sorted(ranking, reverse=True)[:k]),
        "r": sum(grade > 0 for grade in ranking[:total]) / total,
    }
