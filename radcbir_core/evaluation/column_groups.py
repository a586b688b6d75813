"""A column of the manifest as groups of images: its values, or bands of what it measures.

Owns which columns can be taken so and why others cannot, and how numbers become bands: always the same for the same
column, whatever is asked. What is found out about the groups is the evaluations'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.manifests.manifest import Codes, Manifest
from radcbir_core.errors import EvaluationError

MOST_VALUES: Final = 200
"""A column of more values than this, which are no numbers, is nearly as fine as the images."""
BANDS: Final = 4
_LEFT_AS_THEY_ARE: Final = 12
"""Up to so many different numbers are groups of their own, such as stages or follow-ups."""

NOT_KNOWN: Final = "not known"
"""The group of the images without a value."""

_REASONS: Final = {
    **dict.fromkeys(("image_id", "path", "sha256"), "it names every single image"),
    "caption": "it is a sentence, and no group",
    "duplicate_group": "it names copies of single images",
    **dict.fromkeys(("patient_id", "study_id", "series_id"), "it names pieces of evidence, and no group of them"),
    "pathologies": "an image may show several; P@k by label is an evaluation of its own",
}
_AGE: Final = re.compile(r"(?:^|[^a-z])age(?:$|[^a-z])")
_AGE_STRING: Final = re.compile(r"([0-9]{3})([DWMY])")
"""DICOM PS3.5 6.2, value representation AS."""
_YEARS: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True)
class ColumnGroups:
    """A column as groups.

    Attributes:
        column: Its name.
        codes: The groups in the order to be shown, and that of each image; none is without one.
        rule: How numbers became bands, a sentence; empty where the groups are the values.
    """

    column: str
    codes: Codes
    rule: str = ""


def offered_columns(manifest: Manifest) -> tuple[list[str], dict[str, str]]:
    """The columns that part images into groups, and why the others do not.

    Args:
        manifest: Of a collection.

    Returns:
        The names, data set, split and view first, and name → reason, the end of a sentence.
    """
    offered, reasons = [], {}
    for name in manifest.column_names:
        reason = _REASONS.get(name) or _reason_against(manifest.codes(name))
        if reason:
            reasons[name] = reason
        else:
            offered.append(name)
    first = ["dataset", "view", "split"]
    return [*(name for name in first if name in offered), *(name for name in offered if name not in first)], reasons


def groups_of_column(manifest: Manifest, column: str, *, cuts: Sequence[float] = ()) -> ColumnGroups:
    """The groups of a column.

    Numbers of more than a dozen different values become bands: decades where the column is an age, else at most
    :data:`BANDS` of about as many images each, where equal numbers are never parted; or those between ``cuts``.

    Args:
        manifest: Of a collection.
        column: Of :func:`offered_columns`.
        cuts: Where to part numbers instead; a number that is a cut is above it.

    Raises:
        EvaluationError: There is no such column, it makes no groups, or cuts are given and it holds no numbers.
    """
    offered, reasons = offered_columns(manifest)
    if column not in offered:
        why = reasons.get(column, "there is none")
        have = ", ".join(offered) or "no column, since none parts the images into groups"
        raise EvaluationError(
            f"Expected a column that parts the images into groups, but column = {column!r}: {why}. There are: {have}."
        )
    codes = manifest.codes(column)
    numbers = _numbers(codes.values)
    if cuts and numbers is None:
        raise EvaluationError(
            f"Expected a column of numbers to be cut, but {column} holds text such as {codes.values[0]!r}. Leave the "
            "cuts out."
        )
    if numbers is None or (not cuts and len(numbers) <= _LEFT_AS_THEY_ARE):
        return ColumnGroups(column, _with_not_known(_in_order(codes, numbers)))
    values = np.full(len(codes.codes), np.nan)
    values[codes.codes >= 0] = numbers[codes.codes[codes.codes >= 0]]
    return bands(values, column=column, cuts=cuts)


def bands(values: npt.NDArray[np.float64], *, column: str, cuts: Sequence[float] = ()) -> ColumnGroups:
    """What was measured of each image, as bands.

    Args:
        values: (N,), NaN where it is not known.
        column: What was measured.
        cuts: As :func:`groups_of_column` takes them.

    Example:
        >>> made = bands(np.array([1.0, 2, 3, 3, 8, np.nan]), column="size", cuts=[3])
        >>> made.codes.values, made.codes.codes.tolist()
        (('under 3', '3 and more', 'not known'), [0, 0, 1, 1, 1, 2])
        >>> bands(np.array([7.0, 31, 39, 40]), column="patient_age").codes.values
        ('0 to 9', '30 to 39', '40 to 49')
    """
    known = ~np.isnan(values)
    mine = values[known]
    place, name_of, rule = _placed(mine, column, sorted({float(cut) for cut in cuts}))
    present, inverse = np.unique(place, return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int32)
    codes[known] = inverse
    return ColumnGroups(column, _with_not_known(Codes(tuple(name_of(int(one)) for one in present), codes)), rule)


def _placed(
    mine: npt.NDArray[np.float64], column: str, cuts: list[float]
) -> tuple[npt.NDArray[np.int64], Callable[[int], str], str]:
    """In which band each number is, what a band is called, and how they were made."""
    if cuts:
        where = ", ".join(_said(cut) for cut in cuts)
        return np.searchsorted(cuts, mine, side="right"), lambda one: _between(cuts, one), f"{column}: cut at {where}."
    if _AGE.search(column.lower()):
        decades = np.floor(mine / 10).astype(np.int64)
        return decades, lambda one: f"{10 * one} to {10 * one + 9}", f"{column}: decades, in completed years."
    # A number belongs to the band of the middle of all that are equal to it, so that equals are never parted.
    ordered = np.sort(mine)
    middle = (np.searchsorted(ordered, mine, "left") + np.searchsorted(ordered, mine, "right")) / 2
    place = np.minimum((middle / max(len(mine), 1) * BANDS).astype(np.int64), BANDS - 1)
    rule = f"{column}: bands of about as many images each; equal numbers are never parted."
    return place, lambda one: _range(mine[place == one]), rule


def _between(cuts: Sequence[float], place: int) -> str:
    if place == 0:
        return f"under {_said(cuts[0])}"
    if place == len(cuts):
        return f"{_said(cuts[-1])} and more"
    return f"{_said(cuts[place - 1])} to under {_said(cuts[place])}"


def _range(numbers: npt.NDArray[np.float64]) -> str:
    low, high = _said(float(numbers.min())), _said(float(numbers.max()))
    return low if low == high else f"{low} to {high}"


def _said(number: float) -> str:
    """A number in as many digits as tell bands apart."""
    return f"{number:,.0f}" if number == round(number) or abs(number) >= 1000 else f"{number:,.3g}"


def _numbers(values: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """The values as numbers, ages in years; None where one is none."""
    numbers = []
    for value in values:
        age = _AGE_STRING.fullmatch(value)
        try:
            number = float(age[1]) * _YEARS[age[2]] if age else float(value)
        except ValueError:
            return None
        if not np.isfinite(number):
            return None
        numbers.append(number)
    return np.array(numbers) if numbers else None


def _in_order(codes: Codes, numbers: npt.NDArray[np.float64] | None) -> Codes:
    """The values in the order of the numbers that they are."""
    if numbers is None:
        return codes
    order = np.argsort(numbers, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    moved = np.where(codes.codes >= 0, rank[codes.codes], -1).astype(np.int32)
    return Codes(tuple(codes.values[place] for place in order), moved)


def _with_not_known(codes: Codes) -> Codes:
    """The images without a value as a group of their own, the last."""
    if not (codes.codes < 0).any():
        return codes
    values = codes.values if NOT_KNOWN in codes.values else (*codes.values, NOT_KNOWN)
    return Codes(values, np.where(codes.codes < 0, values.index(NOT_KNOWN), codes.codes).astype(np.int32))


def _reason_against(codes: Codes) -> str:
    """Why a column makes no groups, as the end of a sentence; empty where it does."""
    number, unknown = len(codes.values), bool((codes.codes < 0).any())
    if number + unknown < 2:
        return "all images have the same value" if number else "no image has a value"
    if number > MOST_VALUES and _numbers(codes.values) is None:
        return f"it has {number:,} values, more than {MOST_VALUES}"
    if 2 * number > int((codes.codes >= 0).sum()) > _LEFT_AS_THEY_ARE and _numbers(codes.values) is None:
        return "nearly every image has a value of its own"
    return ""
