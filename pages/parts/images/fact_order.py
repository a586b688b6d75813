"""In which order the facts of an image are shown: what a clinician asks first, and ids and digests last.

Owns the order, by the names of columns. What is known of an image is the manifest's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_FIRST: Final = (
    ("modality",),
    ("anatomy", "bodypart", "bodypartexamined"),
    ("pathologies", "pathology"),
    ("view", "viewposition"),
    ("laterality", "side"),
    ("age", "patientage", "ageatstudy", "ageyears"),
    ("sex", "gender", "patientsex", "patientgender"),
    ("caption", "findings", "report"),
    ("labelsall",),
    ("dataset",),
    ("split",),
)
_LAST: Final = (
    ("width", "height", "frame", "origsize"),
    ("source", "license", "licence"),
    ("duplicategroup",),
    ("patientid",),
    ("studyid",),
    ("seriesid",),
    ("imageid",),
    ("origname", "path"),
    ("sha256",),
)
_IN_SHORT: Final = (_FIRST[3], _FIRST[5], _FIRST[6], _FIRST[9])


def in_clinical_order(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names and values, the clinical ones first, ids and digests last, and between them whatever else there is.

    >>> in_clinical_order([("sha256", "ab"), ("dose", "2"), ("Patient Age", "61"), ("modality", "CT")])
    [('modality', 'CT'), ('Patient Age', '61'), ('dose', '2'), ('sha256', 'ab')]
    """
    return sorted(pairs, key=lambda pair: _place(pair[0]))


def in_short(pairs: Sequence[tuple[str, str]]) -> str:
    """View, age, sex and data set, as far as they are known, on one line.

    >>> in_short([("dataset", "wards"), ("patient age", "61"), ("Sex", "F"), ("view", "")])
    '61 · F · wards'
    """
    by_name = {_plain(name): value for name, value in pairs}
    said = (next((by_name[name] for name in names if by_name.get(name)), "") for names in _IN_SHORT)
    return " · ".join(filter(None, said))


def _plain(name: str) -> str:
    """The letters and digits of a column's name, by which it is known however it is written."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _place(name: str) -> tuple[int, int]:
    for part, lists in ((0, _FIRST), (2, _LAST)):
        for at, names in enumerate(lists):
            if _plain(name) in names:
                return part, at
    return 1, 0
