"""What a reader study is: its question, its cases with the hits that readers are shown, its conditions.

Owns the form on disk, ``reader-studies/<name>.json``. A study is written once, whole, and never changed: readers are to
see the same cases beside the same hits, whatever becomes of the collection. So the hits of each case stand in it, with
the labels and similarities that they had, and the truth, too. A case goes by image_id and the digest of its file, never
by its row. Which cases and which hits is decided by ``reader_study/study_making.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

from radcbir_core.collections.layout import Layout, folder_of
from radcbir_core.collections.locks import gate
from radcbir_core.collections.reader_studies.reading_log import log_path, read_readings
from radcbir_core.errors import CollectionError, StudyError
from radcbir_core.storage import digest_of, disk_errors, read_json, sync_folder, write_json

Design = Literal["crossover", "split"]
Reveal = Literal["never", "end", "each"]
Condition = Literal["without", "with"]

DESIGNS: Final[tuple[Design, ...]] = get_args(Design)
REVEALS: Final[tuple[Reveal, ...]] = get_args(Reveal)
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
"""Without retrieval, and with it."""

COLUMNS: Final = ("pathologies", "anatomy", "modality")
"""Columns of the manifest that can be asked for."""
CONFIDENCES: Final = (5, 100)
"""The most of a confidence: from 1 to 5, or from 0 to 100."""
MOST_CASES: Final = 1_000
MOST_ANSWERS: Final = 40
MOST_HITS: Final = 50
LONGEST: Final = 400
"""Characters of a title, a question, an answer."""

_FORM: Final = 1
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class FrozenHit:
    """A hit as readers see it.

    Attributes:
        image_id: Of the image.
        sha256: Of its file, where it is known.
        similarity: Cosine, to the case.
        labels: What the column that is asked for said of it.
    """

    image_id: str
    sha256: str
    similarity: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Attributes:
        image_id: Of the image.
        sha256: Of its file, where it is known.
        truth: Which of the answers is right.
        labels: What the column that is asked for said of it.
        group: Cases of one patient have the same number; of a patient that is not known, its own.
        half: 0 or 1; in which half of the cases it is, see ``reader_study/study_design.py``. Practice cases are in 0.
        hits: Best first.
    """

    image_id: str
    sha256: str
    truth: str
    labels: tuple[str, ...]
    group: int
    half: int
    hits: tuple[FrozenHit, ...]

    @property
    def agreement(self) -> float:
        """The share of its hits that show the truth, alone or beside others; 0 where there is no hit."""
        return sum(self.truth in hit.labels for hit in self.hits) / len(self.hits) if self.hits else 0.0


@dataclass(frozen=True)
class Study:
    """A reader study.

    Attributes:
        name: In addresses and file names.
        title: What people call it; readers see it.
        question: What readers are asked.
        column: Of the manifest: what the answers are values of.
        answers: What can be answered, in the order in which it is shown.
        encoder_id: Whose hits they are.
        k: How many hits a case.
        exclude: What hits may not be, beside the case itself and all other cases.
        design: "crossover": each reader reads each case in both conditions; "split": in one of them.
        washout_hours: Between the two readings of a crossover, at least.
        reveal: When a reader is told what was right.
        most_confidence: 5 or 100.
        shows_similarity: Whether readers see how similar the hits are.
        seed: Of the choice of cases and of all orders.
        made: When, UTC, ISO 8601.
        made_by: Who.
        where: Which images cases were chosen from: column → accepted values.
        images_digest: Of the collection's images when it was made.
        labels_digest: Of its labels.
        encoder_fingerprint: Of the encoder.
        embeddings_digest: Of the embeddings that hits were found by.
        cases: The cases, in no order that says anything.
        practice: Cases for practice, which do not count.
    """

    name: str
    title: str
    question: str
    column: str
    answers: tuple[str, ...]
    encoder_id: str
    k: int
    exclude: tuple[str, ...]
    design: Design
    washout_hours: float
    reveal: Reveal
    most_confidence: int
    shows_similarity: bool
    seed: int
    made: str
    made_by: str
    where: Mapping[str, tuple[str, ...]]
    images_digest: str
    labels_digest: str
    encoder_fingerprint: str
    embeddings_digest: str
    cases: tuple[Case, ...]
    practice: tuple[Case, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Identifies all of it."""
        return digest_of(repr(asdict(self)))

    @property
    def least_confidence(self) -> int:
        """1 of 5, 0 of 100."""
        return 1 if self.most_confidence == 5 else 0


def check_study_name(name: str) -> str:
    """``name`` if it can be a study's.

    Raises:
        StudyError: It is not 1 to 40 lower-case letters, digits, "_", "-", beginning with a letter or digit.

    Example:
        >>> check_study_name("chest-2026")
        'chest-2026'
    """
    if not _NAME.fullmatch(name):
        raise StudyError(
            "Expected the name of a reader study of 1 to 40 lower-case letters, digits, '_' or '-', beginning with a "
            f"letter or a digit, but name = {name[:80]!r}. Choose another name; a title may be any text."
        )
    return name


def checked_study(study: Study) -> Study:
    """A study if it can be one.

    Raises:
        StudyError: It cannot.
    """
    check_study_name(study.name)
    texts = [("a title", study.title), ("a question", study.question), *(("an answer", one) for one in study.answers)]
    for what, text in texts:
        if not 1 <= len(text) <= LONGEST or not text.isprintable():
            raise StudyError(f"Expected {what} of 1 to {LONGEST} characters in one line, but it is another. Write it.")
    numbers = (
        ("answers", len(study.answers), 2, MOST_ANSWERS),
        ("cases", len(study.cases), 2, MOST_CASES),
        ("practice cases", len(study.practice), 0, MOST_CASES),
        ("hits a case", study.k, 1, MOST_HITS),
        ("hours between both readings", study.washout_hours, 0, 10_000),
    )
    for what, number, least, most in numbers:
        if not least <= number <= most:
            raise StudyError(f"Expected {least:,} to {most:,} {what}, but there are {number:,}. Choose another number.")
    choices = (
        ("design", study.design, DESIGNS),
        ("time to reveal", study.reveal, REVEALS),
        ("column", study.column, COLUMNS),
        ("confidence", study.most_confidence, CONFIDENCES),
    )
    for what, chosen, among in choices:
        if chosen not in among:
            listed = ", ".join(map(str, among))
            raise StudyError(f"Expected a {what} of {listed}, but it is {str(chosen)[:40]!r}. Choose one of these.")
    if len(set(study.answers)) < len(study.answers):
        raise StudyError("Expected answers that differ, but one stands there twice. Leave one out.")
    if study.design == "crossover" and study.reveal == "each":
        raise StudyError(
            "Expected nothing to be revealed before a case is read the second time, but reveal = 'each' in a "
            "crossover. Reveal at the end, or never."
        )
    everything = (*study.cases, *study.practice)
    if len({case.image_id for case in everything}) < len(everything):
        raise StudyError("Expected cases that differ, but an image is in it twice. Leave one out.")
    if any(case.truth not in study.answers or case.half not in (0, 1) for case in everything):
        raise StudyError("Expected cases with one of the answers as truth, in a half of 0 or 1, but one has another.")
    return study


def study_path(folder: Path, name: str) -> Path:
    """Where a study lies, present or not.

    Raises:
        StudyError: It cannot be the name of one.
    """
    return Layout(folder).reader_studies / f"{check_study_name(name)}.json"


def list_studies(folder: Path) -> list[str]:
    """The names of a collection's studies, sorted.

    Args:
        folder: The collection's.
    """
    there = Layout(folder).reader_studies
    with disk_errors(there):
        if not there.is_dir():
            return []
        return sorted(path.stem for path in there.glob("*.json") if _NAME.fullmatch(path.stem))


def read_study(folder: Path, name: str) -> Study:
    """A study of a collection.

    Args:
        folder: The collection's.
        name: Of the study.

    Raises:
        StudyError: There is none of that name, or it is damaged.
    """
    path = study_path(folder, name)
    with disk_errors(path):
        is_there = path.is_file()
    if not is_there:
        known = list_studies(folder)
        has = f"There is {', '.join(known)}." if known else "There is none yet."
        raise StudyError(f"Expected the name of a reader study of {folder.name}, but name = {name!r}. {has}")
    try:
        return _study_of(read_json(path), name)
    except (CollectionError, StudyError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StudyError(
            f"Expected a reader study, but {path} is damaged, or of a newer version. Copy it back from where the "
            "folder came from."
        ) from error


def write_study(collection_name: str, study: Study) -> None:
    """Write a study; on disk, whole, when this returns.

    Raises:
        StudyError: It cannot be one, or there is one of its name.
        CollectionNotFoundError: There is no such collection.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    checked_study(study)
    folder = folder_of(collection_name)
    with disk_errors(folder), gate(folder, doing="changing", patience=_PATIENCE):
        folder = folder_of(collection_name)
        path = study_path(folder, study.name)
        if path.exists() or _has_answers(folder, study.name):
            raise StudyError(
                f"Expected the name of a new reader study, but name = {study.name!r} exists already. Choose another."
            )
        log_path(folder, study.name).unlink(missing_ok=True)  # of one that somebody was killed while removing
        write_json(path, _told(study))


def study_json(study: Study) -> bytes:
    """A study as it lies on disk: its cases with their truth, their hits, and all that was chosen."""
    return (json.dumps(_told(study), indent=2, ensure_ascii=False) + "\n").encode()


def _told(study: Study) -> dict[str, Any]:
    return {"form": _FORM, **asdict(study)}


def remove_study(collection_name: str, name: str) -> None:
    """Remove a study that nobody has answered anything of.

    Raises:
        StudyError: There is none of that name, or somebody has answered.
        CollectionError: The collection is being changed.
        StorageError: No permission.
    """
    folder = folder_of(collection_name)
    with disk_errors(folder), gate(folder, doing="changing", patience=_PATIENCE):
        folder = folder_of(collection_name)
        path, log = study_path(folder, name), log_path(folder, name)
        if not path.is_file():
            read_study(folder, name)  # says which there are
        if _has_answers(folder, name):
            raise StudyError(
                f"Expected a reader study without answers, but readers have answered in {name}. It stays; export its "
                "answers, and make another one by another name."
            )
        path.unlink(missing_ok=True)  # first: without it there is no study, whatever is left
        log.unlink(missing_ok=True)
        sync_folder(path.parent)


def _has_answers(folder: Path, name: str) -> bool:
    """Whether readers have answered, or may have: a log that cannot be read whole counts."""
    readings = read_readings(folder, name)
    return any(entry.kind == "answer" for entry in readings.entries) or bool(readings.damaged)


def _study_of(told: Mapping[str, Any], name: str) -> Study:
    if told.get("form") != _FORM or told.get("name") != name:
        raise ValueError("another form, or another name")
    values = {field.name: told[field.name] for field in fields(Study)}
    for key in ("answers", "exclude"):
        values[key] = _texts(values[key])
    values["where"] = {str(column): _texts(accepted) for column, accepted in dict(values["where"]).items()}
    for key in ("cases", "practice"):
        values[key] = tuple(_case_of(case) for case in values[key])
    for key in ("k", "seed", "most_confidence"):
        values[key] = _whole(values[key])
    values["washout_hours"] = float(values["washout_hours"])
    values["shows_similarity"] = values["shows_similarity"] is True
    texts = (field.name for field in fields(Study) if field.type in {"str", "Design", "Reveal"})
    if not all(isinstance(values[key], str) for key in texts):
        raise TypeError("a text is none")
    return checked_study(Study(**values))


def _case_of(told: Mapping[str, Any]) -> Case:
    hits = tuple(
        FrozenHit(_text(hit["image_id"]), _text(hit["sha256"]), float(hit["similarity"]), _texts(hit["labels"]))
        for hit in told["hits"]
    )
    return Case(
        image_id=_text(told["image_id"]),
        sha256=_text(told["sha256"]),
        truth=_text(told["truth"]),
        labels=_texts(told["labels"]),
        group=_whole(told["group"]),
        half=_whole(told["half"]),
        hits=hits,
    )


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("no list")
    return tuple(map(_text, values))
