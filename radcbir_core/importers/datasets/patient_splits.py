"""Patient-disjoint splits of data sets that have none of their own.

Owns the 90/10 split of training patients that Denner et al. made for NIH ChestX-ray14 and CheXpert (their published
preparation scripts: scikit-learn's ``train_test_split`` over the patients in order of first appearance, 90 % train,
seed 42), computed without scikit-learn, so that a collection has the very sides of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

TRAIN_SHARE = 0.9
SEED = 42


def patient_split(patients: Iterable[str]) -> dict[str, str]:
    """Put each patient on one side.

    Args:
        patients: Their identifiers; each counts once, in order of first appearance.

    Returns:
        Patient → "train" or "val"; nine of ten on train, rounded down.

    Example:
        >>> sides = patient_split(str(number) for number in range(10))
        >>> [patient for patient, side in sides.items() if side == "val"]
        ['8']
    """
    distinct = list(dict.fromkeys(patients))
    # The permutation of NumPy's legacy generator is what the split of the paper is made with, and it is frozen.
    order = np.random.RandomState(SEED).permutation(len(distinct))
    held_out = len(distinct) - math.floor(TRAIN_SHARE * len(distinct))
    sides = dict.fromkeys(distinct, "train")
    sides.update((distinct[place], "val") for place in order[:held_out])
    return sides
