"""Who belongs to whom: which columns say so, and when two of their cells mean the same patient.

Owns the names that such columns are often given, and what is to be told of identifiers: exclusion leaves out a query's
own patient, and fails in silence where one patient is two. The rule of spelling is ``vocabulary.normal_identifier``,
for every source. Nothing told here names a patient: images stand for them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.vocabulary import normal_identifier
from radcbir_core.wording import counted

IDENTIFIERS = ("patient_id", "study_id", "series_id")

_NAMES = {
    "patient_id": (
        *("patientid", "subjectid", "participantid", "patient", "subject", "participant", "patid", "ptid"),
        *("patientnumber", "patientno", "subjectnumber", "mrn", "pid"),
    ),
    "study_id": ("studyid", "studyinstanceuid", "studyuid", "accessionnumber", "examid"),
    "series_id": ("seriesid", "seriesinstanceuid", "seriesuid"),
}
_PARTS = re.compile(r"[^\W\d_]+|\d+")
_SHORTENED = re.compile(r"\d(?:\.(\d*))?[eE]\+(\d{1,3})")


def recognized_columns(columns: Sequence[str]) -> dict[str, str]:
    """Column of a manifest → the column of a table that holds it by another name, for those that the table has not.

    Example:
        >>> recognized_columns(["path", "Patient ID", "StudyInstanceUID"])
        {'patient_id': 'Patient ID', 'study_id': 'StudyInstanceUID'}
        >>> recognized_columns(["path", "PatientID", "patient_id"])
        {}
    """
    plain = {"".join(filter(str.isalnum, column.casefold())): column for column in reversed(columns)}
    own = {column.casefold() for column in columns}
    recognized = {}
    for target, names in _NAMES.items():
        column = next((plain[name] for name in names if name in plain), "")
        if column and target not in own:
            recognized[target] = column
    return recognized


def recognized_note(recognized: Mapping[str, str], table: str) -> list[str]:
    """What is to be said of recognized columns."""
    if not recognized:
        return []
    named = ", ".join(f"{target} from {column}" for target, column in recognized.items())
    return [f"Taken from columns of {table} with other names: {named}."]


class Spellings:
    """How numbers that identify were written: as whole numbers, or in another way."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = defaultdict(int)
        self._plain: dict[str, set[str]] = defaultdict(set)
        self._written: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def note(self, column: str, old: str, new: str, *, rows: int = 1) -> None:
        """Note an identifier as it was written, in so many rows, and as it is spelled now."""
        if old != new:
            self._rows[column] += rows
            self._written[column][new].add(old)
        elif new.isdecimal():
            self._plain[column].add(new)

    def add(self, other: Spellings) -> None:
        """Note what another has noted, of another source."""
        for column, rows in other._rows.items():
            self._rows[column] += rows
        for column, plain in other._plain.items():
            self._plain[column] |= plain
        for column, written in other._written.items():
            for new, olds in written.items():
                self._written[column][new] |= olds

    def notes(self, column: str, images: Mapping[str, str]) -> list[str]:
        """What is to be said of the identifiers in a column.

        Args:
            column: Its name.
            images: Each identifier → an image of it.
        """
        written, plain = self._written.get(column, {}), self._plain[column]
        notes = []
        if written:
            several = sum(len(olds) + (new in plain) > 1 for new, olds in written.items())
            notes.append(
                f"{column}: {counted(self._rows[column], 'row has', 'rows have')} a number written as 12.0 or 1.2E+01, "
                "which counts as 12; "
                f"of these identifiers, {counted(several, 'was', 'were')} written in several ways, which are one now."
            )
        shortened = sum(any(map(_is_shortened, olds)) for olds in written.values())
        if shortened:
            notes.append(
                f"{column}: {counted(shortened, 'long number')} shortened by a spreadsheet, as 1.23457E+11, so that "
                "different ones may have become one. Take them from the original table."
            )
        alike = defaultdict(list)
        for identifier in images:
            alike[_key(identifier)].append(identifier)
        groups = [group for key, group in alike.items() if key and len(group) > 1]
        if groups:
            one, other = (images[identifier] for identifier in groups[0][:2])
            notes.append(
                f"{column}: identifiers that differ in leading zeros, case or punctuation only, "
                f"{counted(len(groups), 'time')}, first those of {one} and {other}. They stay apart: give them one "
                "spelling if they are the same."
            )
        return notes


def first_images(table: pa.Table, column: str) -> dict[str, str]:
    """Each identifier in a column of a manifest → the first image that has it."""
    encoded = pc.dictionary_encode(table.column(column)).combine_chunks()
    values = encoded.dictionary.to_pylist()
    codes, rows = np.unique(np.asarray(pc.fill_null(encoded.indices, -1)), return_index=True)
    images = table.column("image_id").take(pa.array(rows)).to_pylist()
    return {
        values[code]: image for code, image in zip(codes.tolist(), images, strict=True) if code >= 0 and values[code]
    }


def spelled_as_known(new: pa.ChunkedArray, known: pa.ChunkedArray) -> pa.ChunkedArray:
    """Identifiers as a collection spells them that was imported under another rule, so that they stay one.

    Example:
        >>> spelled_as_known(pa.chunked_array([["12", "7", "8"]]), pa.chunked_array([["12.0", "7", "7.0"]])).to_pylist()
        ['12.0', '7', '8']
    """
    values = pc.unique(known).to_pylist()
    respelled: dict[str, str] = {}
    for value in values:
        plain = normal_identifier(value or "")
        if plain != value:
            respelled[plain] = "" if plain in respelled else str(value)
    respelled = {plain: value for plain, value in respelled.items() if value and plain not in set(values)}
    if not respelled:
        return new
    return pa.chunked_array([pa.array(_respelled(new.to_pylist(), respelled), new.type)])


def _respelled(values: Iterable[str], respelled: Mapping[str, str]) -> list[str]:
    return [respelled.get(value, value) for value in values]


def _is_shortened(text: str) -> bool:
    """Whether a number in scientific notation has fewer digits than it stands for."""
    match = _SHORTENED.fullmatch(text.strip())
    # The digits that a spreadsheet shows of a number: fewer are all there are.
    return match is not None and 5 <= len(match[1] or "") < int(match[2])


def _key(identifier: str) -> tuple[str, ...]:
    return tuple(part.lstrip("0") or "0" for part in _PARTS.findall(identifier.casefold()))
