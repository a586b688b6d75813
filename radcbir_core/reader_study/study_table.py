"""What readers have answered, as a table: one row a reader, case and condition, for a mixed model.

Owns the columns (docs/reader-study.md says what each is). Practice is not in it, and neither are cases that were
passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.reading_log import Reading, Readings, read_readings
from radcbir_core.collections.reader_studies.study_definition import Case, Study
from radcbir_core.reader_study.reading_course import check_unchanged
from radcbir_core.reader_study.study_design import course_of

TABLE_COLUMNS: Final = (
    "study",
    "collection",
    "encoder",
    "reader",
    "reader_number",
    "case",
    "image_id",
    "patient_group",
    "condition",
    "period",
    "position",
    "answer",
    "truth",
    "correct",
    "confidence",
    "seconds",
    "seconds_looked",
    "seconds_since_first",
    "visits",
    "longest_gap",
    "hits",
    "hits_agreement",
    "top_similarity",
    "labels",
    "answered_at",
    "embeddings_digest",
    "study_digest",
)


def study_table(collection: Collection, study: Study) -> pd.DataFrame:
    """All answers that count.

    Args:
        collection: Where the study is.
        study: Which.

    Returns:
        :data:`TABLE_COLUMNS`, ordered by reader and position. Numbers are numbers, NaN where nothing was told.

    Raises:
        StudyError: The study is another one than the one that a reader has begun.
        CollectionError: The log cannot be read.
    """
    return table_of(study, read_readings(collection.folder, study.name), collection=collection.name)


def table_of(study: Study, log: Readings, *, collection: str) -> pd.DataFrame:
    """As :func:`study_table`, of what is in a log."""
    numbers: dict[str, int] = {}
    shown: dict[tuple[str, str], list[Reading]] = {}
    answers: dict[tuple[str, str], Reading] = {}
    for entry in log.entries:
        if entry.kind == "joined":
            check_unchanged(study, entry)
            numbers.setdefault(entry.reader, int(entry.number))
        elif entry.kind == "shown":
            shown.setdefault((entry.reader, entry.step), []).append(entry)
        elif entry.kind == "answer":
            answers.setdefault((entry.reader, entry.step), entry)
    rows = []
    practice = len(study.practice)
    for reader, number in sorted(numbers.items(), key=lambda one: one[1]):
        for step in course_of(study, number):
            given = answers.get((reader, str(step.number)))
            if given is None or step.is_practice:
                continue
            case = study.cases[step.case]
            rows.append(
                {
                    "study": study.name,
                    "collection": collection,
                    "encoder": study.encoder_id,
                    "reader": reader,
                    "reader_number": number + 1,
                    "case": step.case + 1,
                    "image_id": case.image_id,
                    "patient_group": case.group + 1,
                    "condition": step.condition,
                    "period": step.period,
                    "position": step.number - practice,
                    **_answered(case, given, shown.get((reader, given.step), [])),
                    **_hits_of(case),
                    "labels": "|".join(case.labels),
                    "answered_at": given.when,
                    "embeddings_digest": study.embeddings_digest,
                    "study_digest": study.digest,
                }
            )
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _answered(case: Case, entry: Reading, shown: Sequence[Reading]) -> dict[str, object]:
    times = [datetime.fromisoformat(one.when) for one in shown]
    end = datetime.fromisoformat(entry.when)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return {
        "answer": entry.answer,
        "truth": case.truth,
        "correct": int(entry.answer == case.truth),
        "confidence": int(entry.confidence),
        "seconds": float(entry.seconds),
        "seconds_looked": _number(entry.looked),
        "seconds_since_first": round((end - times[0]).total_seconds(), 3) if times else np.nan,
        "visits": len(times),
        "longest_gap": round(max([*gaps, _number(entry.longest_hidden) if entry.longest_hidden else 0.0]), 3),
    }


def _hits_of(case: Case) -> dict[str, object]:
    return {
        "hits": len(case.hits),
        "hits_agreement": round(case.agreement, 4),
        "top_similarity": case.hits[0].similarity if case.hits else np.nan,
    }


def _number(text: str) -> float:
    return float(text) if text else float("nan")
