"""Macro AUROC: the mean over labels of the area under the ROC curve of each label against all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


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
