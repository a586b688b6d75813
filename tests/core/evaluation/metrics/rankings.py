"""Rankings of graded hits, and what was available for them, for the tests of ranking metrics."""

from __future__ import annotations

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
