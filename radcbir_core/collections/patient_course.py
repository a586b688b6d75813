"""The other images of an image's patient, in the order in which they were taken.

Owns how a manifest tells that order: by a column of the source that is known to hold dates or the numbers of visits.
Where there is none, or the values of a patient cannot be compared, no order is made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.collections.manifests.manifest import Manifest

WHEN: Final = (
    *("studydate", "acquisitiondate", "examdate", "examinationdate", "seriesdate", "scandate", "date"),
    *("studydatetime", "acquisitiondatetime", "followup", "followupnumber", "visit", "visitnumber", "timepoint"),
    *("studyorder", "studynumber"),
)
"""Names of columns that say when an image was taken, letters and digits alone, the first that is there counts."""

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})([T ].*)?")


@dataclass(frozen=True)
class PatientCourse:
    """The other images of a patient.

    Attributes:
        column: What says when they were taken; "" where nothing does.
        earlier: Rows of images of other studies taken before, the latest first.
        later: Rows of those taken at the same time or afterwards, the earliest first.
        unordered: Rows of which it is not known.
        when: What the column says of each row; "" where it says nothing.
    """

    column: str
    earlier: tuple[int, ...]
    later: tuple[int, ...]
    unordered: tuple[int, ...]
    when: dict[int, str]


def patient_course(manifest: Manifest, row: int) -> PatientCourse | None:
    """The images of an image's patient, of other studies where studies are known; None where the patient is not.

    Args:
        manifest: Of the collection.
        row: The image.
    """
    patients, studies = manifest.groups("patient"), manifest.groups("study")
    if patients[row] < 0:
        return None
    others = np.flatnonzero(patients == patients[row])
    others = others[(others != row) & ~((studies[others] == studies[row]) & (studies[row] >= 0))]
    column = when_column(manifest.column_names)
    rows = [int(row), *others.tolist()]
    texts = manifest.rows(rows, [column])[column].tolist() if column else [""] * len(rows)
    when = {one: "" if text is None else str(text).strip() for one, text in zip(rows, texts, strict=True)}
    keys = _comparable([when[one] for one in rows])
    own = keys[0]
    earlier: list[tuple[float, int]] = []
    later: list[tuple[float, int]] = []
    unordered: list[int] = []
    for one, key in zip(rows[1:], keys[1:], strict=True):
        if own is None or key is None:
            unordered.append(one)
        else:
            (earlier if key < own else later).append((key, one))
    return PatientCourse(
        column,
        tuple(one for _, one in sorted(earlier, key=lambda pair: (-pair[0], pair[1]))),
        tuple(one for _, one in sorted(later)),
        tuple(unordered),
        when,
    )


def when_column(names: Sequence[str]) -> str:
    """The column that says when images were taken; "" where none does.

    Example:
        >>> when_column(["image_id", "Follow-up #", "StudyDate"]), when_column(["update"])
        ('StudyDate', '')
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    return next((plain[name] for name in WHEN if name in plain), "")


def _comparable(texts: Sequence[str]) -> list[float | None]:
    """A number for each text that orders it among the others: numbers as they are, days as YYYYMMDD.

    >>> _comparable(["2020-01-31", "20200201", "", "spring"])
    [20200131.0, 20200201.0, None, None]
    """
    keys: list[float | None] = []
    for text in texts:
        day = _DAY.fullmatch(text)
        try:
            number = float("".join(day.groups()[:3])) if day else float(text)
        except ValueError:
            number = float("nan")
        keys.append(number if np.isfinite(number) else None)
    return keys
