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

    def note_plain(self, column: str, words: Iterable[str]) -> None:
        """Note whole numbers that were written as they are spelled."""
        self._plain[column].update(words)

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
            images: Each identifier, or each that is like another → an image of it.
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


def alike_images(table: pa.Table, column: str) -> dict[str, str]:
    """The identifiers of a manifest that differ from another in zeros, case or punctuation only → their first images.

    Example:
        >>> table = pa.table({"image_id": ["a", "b", "c", "d"], "patient_id": ["P7", "p-007", "P7", "P70"]})
        >>> alike_images(table, "patient_id")
        {'P7': 'a', 'p-007': 'b'}
    """
    identifiers = pc.fill_null(table.column(column), "")
    values = pc.unique(identifiers)
    values = values.filter(pc.not_equal(values, ""))
    keys = _keys(values)
    encoded = keys.dictionary_encode()
    codes = np.asarray(encoded.indices)
    times = np.bincount(codes, minlength=len(encoded.dictionary))
    several = (times > 1) & np.asarray(pc.not_equal(encoded.dictionary, ""))
    if not several.any():
        return {}
    alike = values.filter(pa.array(several[codes]))
    place = np.asarray(pc.fill_null(pc.index_in(identifiers, value_set=alike), -1))
    rows = np.flatnonzero(place >= 0)
    of_which, first = np.unique(place[rows], return_index=True)
    images = table.column("image_id").take(pa.array(rows[first])).to_pylist()
    return dict(zip(alike.take(pa.array(of_which)).to_pylist(), images, strict=True))


def _keys(identifiers: pa.Array) -> pa.Array:
    """:func:`_key` of each identifier as one text; equal where the keys are, and "" where they are empty."""
    ascii_only = np.asarray(pc.string_is_ascii(identifiers))
    if not ascii_only.all():
        words = identifiers.to_pylist()
        keys = _keys(identifiers.filter(pa.array(ascii_only))).to_pylist()[::-1]
        return pa.array(
            [keys.pop() if plain else _joined(_key(word)) for word, plain in zip(words, ascii_only, strict=True)],
            pa.string(),
        )
    keys = pc.ascii_lower(identifiers)
    if pc.any(pc.match_substring_regex(keys, "[^0-9a-z]")).as_py():
        keys = pc.replace_substring_regex(keys, "[^0-9a-z]+", "|")
        # A run of letters ends where digits begin, with or without something between them.
        for before, after in (("[0-9]", "[a-z]"), ("[a-z]", "[0-9]")):
            keys = pc.replace_substring_regex(keys, rf"({before})\|({after})", r"\1\2")
        keys = pc.ascii_trim(keys, "|")
    return pc.replace_substring_regex(keys, "(^|[^0-9])0+([0-9])", r"\1\2")


def _joined(key: tuple[str, ...]) -> str:
    """A key as one text: what stands between its parts is left out where letters end and digits begin."""
    text = ""
    for part in key:
        text += f"|{part}" if text and text[-1].isdecimal() == part[0].isdecimal() else part
    return text


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
