"""Macro F1: the mean over labels of the harmonic mean of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


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
