"""The paper's unified CSV → the manifest's columns.

Owns the table form of Denner et al. (arXiv 2403.06567, ``scripts/prepare_datasets`` of their code): ``filepath,
dataset, split, modality, anatomic_region``, then one column a label with 1 where an image has it. Reads it as a stream
of Arrow batches, so that 1.6 million rows with 161 labels take little memory. Knows nothing of vectors or images.

A label column is called ``modality/anatomy/pathology``, or the pathology alone. The manifest keeps the pathology, and
the full label that it makes of it is again the column's own name, but for the manifest's words for a modality and for
"no finding"; two columns never become one label.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from radcbir_core.collections.manifests.manifest import COLUMNS, TEXT_COLUMNS
from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, Spellings, recognized_columns, recognized_note
from radcbir_core.importers.rows.uncertain import UNCERTAIN, Policy, policy_note, uncertain_finding
from radcbir_core.importers.vectors.table_rows import TableRows, problems_table
from radcbir_core.progress import Progress, silent
from radcbir_core.vocabulary import (
    is_known,
    normal_identifier,
    normal_modality,
    normal_pathology,
    normal_split,
    normal_text,
    tidy,
)

UNIFIED_COLUMNS = ("filepath", "dataset", "split", "modality", "anatomic_region")

_DELIMITERS = ",;\t"
_LOOKED_AT = 1000
_BLOCK_BYTES = 2 << 20  # Arrow reads some of them ahead
_RULES: dict[str, Callable[[str], str]] = {
    "dataset": normal_text,
    "split": normal_split,
    "modality": normal_modality,
    "anatomic_region": normal_text,
    "patient_id": normal_identifier,
    "study_id": normal_identifier,
    "series_id": normal_identifier,
    "view": normal_text,
}
_MARKS = frozenset({"", "0", "1", "0.0", "1.0"})
_WORDS = frozenset({"u", "uncertain"})  # of what is uncertain, in words


@dataclass(slots=True)
class _Reading:
    """What has been read so far: text columns batch by batch, and the marks as (row, label) pairs."""

    texts: dict[str, list[pa.Array]]
    marked_rows: list[npt.NDArray[np.int64]] = field(default_factory=list)
    marked_labels: list[npt.NDArray[np.int64]] = field(default_factory=list)
    uncertain_rows: list[npt.NDArray[np.int64]] = field(default_factory=list)
    uncertain_labels: list[npt.NDArray[np.int64]] = field(default_factory=list)
    rows: int = 0
    empty: Counter[str] = field(default_factory=Counter)


def is_unified(header: Sequence[str]) -> bool:
    """Whether a table with these columns is meant to be a unified CSV, complete or not.

    Example:
        >>> is_unified(["filepath", "split", "CT/abd/cyst"]), is_unified(["path", "modality"])
        (True, False)
    """
    return "filepath" in header or "anatomic_region" in header


def header_of(path: Path) -> tuple[list[str], str]:
    """The column names of a CSV as they are written, and what separates its cells.

    Raises:
        ManifestError: The file is empty, not UTF-8, or cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"Expected text in UTF-8, but {path} has other bytes at position {error.start}. Save it as UTF-8 CSV."
        ) from error
    except OSError as error:
        raise ManifestError(f"Expected a readable table, but {path}: {error.strerror}. Check the file.") from error
    if not first.strip():
        raise ManifestError(f"Expected a table with a header line, but {path} is empty. Check the file.")
    delimiter = max(_DELIMITERS, key=first.count)
    return [name.strip() for name in next(csv.reader([first], delimiter=delimiter))], delimiter


def read_unified(path: Path, *, uncertain: Policy = "not-positive", progress: Progress = silent) -> TableRows:
    """Read a unified CSV.

    Columns after the five that hold 0 and 1 are labels, also where some cells are -1 or U; those named like the
    manifest's (``patient_id``, ``caption``, …) mean what they mean there, identifiers also by the other names that they
    are often given; and any others are kept as they are. An empty cell of a label counts 0.

    Args:
        path: The CSV; comma, semicolon or tab between cells; UTF-8.
        uncertain: What becomes of an uncertain label.
        progress: Told the number of rows, of an estimated total, as step "table".

    Returns:
        The rows in their order. A row that cannot be used is left out and listed with the reason.

    Raises:
        ManifestError: It has not the five columns or no label, a cell of a label is none of 0, 1, -1 and U, or it is
            not CSV.
    """
    header, delimiter = header_of(path)
    missing = [name for name in UNIFIED_COLUMNS if name not in header]
    repeated = sorted(name for name, count in Counter(header).items() if count > 1)
    if missing or repeated:
        fault = f"lacks {', '.join(missing)}" if missing else f"has the column {repeated[0]!r} twice"
        raise ManifestError(
            f"Expected the columns {', '.join(UNIFIED_COLUMNS)} and no column twice, but {path} {fault}. "
            "Give the unified CSV of the data set."
        )
    labels, with_words = _label_columns(path, header, delimiter)
    reading = _read(path, header, labels, with_words=with_words, delimiter=delimiter, progress=progress)
    if not reading.rows:
        raise ManifestError(f"Expected at least one image, but {path} has a header and no rows. Check the file.")
    return _table_rows(path, labels, reading, policy=uncertain)


def _label_columns(path: Path, header: Sequence[str], delimiter: str) -> tuple[list[str], set[str]]:
    """The columns whose first cells are all 0, 1, uncertain or empty, some of them 0 or 1; those with words in them."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as handle:
        lines = list(islice(csv.reader(handle, delimiter=delimiter), 1, _LOOKED_AT + 1))
    reserved = {*UNIFIED_COLUMNS, *COLUMNS, "series_id"}
    label_columns, with_words = [], set()
    marks = _MARKS | UNCERTAIN
    for position, name in enumerate(header):
        cells = {line[position].strip().lower() for line in lines if position < len(line)}
        if name in reserved or not name:
            continue
        if cells <= marks and cells & (_MARKS - {""}):
            label_columns.append(name)
            if cells & _WORDS:
                with_words.add(name)
        elif name.count("/") >= 2:
            other = sorted(cells - marks)
            what = f"has {other[0]!r} in it" if other else "is empty"
            raise ManifestError(
                f"Expected 0 or 1 in every cell of a label, but the column {name!r} of {path} {what}. Correct it."
            )
    if not label_columns:
        raise ManifestError(
            f"Expected one-hot label columns after anatomic_region, but {path} has none that holds 0 and 1. "
            "Give the unified CSV of the data set."
        )
    return label_columns, with_words


def _read(
    path: Path,
    header: Sequence[str],
    labels: Sequence[str],
    *,
    with_words: Collection[str],
    delimiter: str,
    progress: Progress,
) -> _Reading:
    texts = [name for name in header if name and name not in set(labels)]
    types: dict[str, pa.DataType] = dict.fromkeys(texts, pa.string()) | dict.fromkeys(labels, pa.float32())
    types |= dict.fromkeys(with_words, pa.string())
    reading = _Reading(texts={name: [] for name in texts})
    size, total = path.stat().st_size, 0
    try:
        stream = arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(column_names=list(header), skip_rows=1, block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                include_columns=[*texts, *labels],
                strings_can_be_null=False,
                null_values=["", "nan", "NaN"],
            ),
        )
        with stream:
            for batch in stream:
                total = total or round(batch.num_rows * max(1.0, size / _BLOCK_BYTES))
                _take(path, reading, batch, labels)
                progress("table", reading.rows, max(total, reading.rows))
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:300]
        raise ManifestError(
            f"Expected a CSV table with {len(header)} cells a line and 0 or 1 for each label, but {path}: {reason}. "
            "Correct the line."
        ) from error
    progress("table", reading.rows, reading.rows)
    return reading


def _take(path: Path, reading: _Reading, batch: pa.RecordBatch, labels: Sequence[str]) -> None:
    for name, parts in reading.texts.items():
        parts.append(batch.column(name))
    values = np.column_stack([_marks_of(batch.column(name)) for name in labels])
    marked, empty, uncertain = values == 1, np.isnan(values), values == -1
    wrong = ~(marked | empty | uncertain | (values == 0))
    if wrong.any():
        row, column = (int(place[0]) for place in np.nonzero(wrong))
        cell = batch.column(labels[column])[row].as_py()
        told = f"{cell:g}" if isinstance(cell, float) else cell[:80]
        raise ManifestError(
            f"Expected 0, 1, or -1 where it is uncertain, in every cell of a label, but {labels[column]} = {told} in "
            f"line {reading.rows + row + 2} of {path}. Correct it."
        )
    for column in np.flatnonzero(empty.any(axis=0)).tolist():
        reading.empty[labels[column]] += int(empty[:, column].sum())
    rows, columns = np.nonzero(marked)
    reading.marked_rows.append(rows + reading.rows)
    reading.marked_labels.append(columns)
    rows, columns = np.nonzero(uncertain)
    reading.uncertain_rows.append(rows + reading.rows)
    reading.uncertain_labels.append(columns)
    reading.rows += batch.num_rows


def _marks_of(column: pa.Array) -> npt.NDArray[np.float32]:
    """The cells of a label as numbers; NaN where one is empty, 9 where one is no mark."""
    if not pa.types.is_string(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)
    words = column.dictionary_encode()
    numbers: npt.NDArray[np.float32] = np.array(
        [_number(word) for word in words.dictionary.to_pylist()] or [np.nan], dtype=np.float32
    )
    return np.asarray(numbers[np.asarray(words.indices)])  # an empty cell of text is one of no letters, and never null


def _number(word: str | None) -> float:
    plain = (word or "").strip().lower()
    if plain in UNCERTAIN:
        return -1.0
    return float(plain) if plain in _MARKS - {""} else 9.0 if is_known(plain) else np.nan


def _with_uncertain(
    labels: Sequence[str], reading: _Reading, policy: Policy
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The labels, and the marks as (row, label) pairs, once it is decided what uncertain ones are."""
    rows, marks = np.concatenate(reading.marked_rows), np.concatenate(reading.marked_labels)
    doubted, doubtful = np.concatenate(reading.uncertain_rows), np.concatenate(reading.uncertain_labels)
    if policy == "not-positive" or not len(doubted):
        return list(labels), rows, marks
    if policy == "positive":
        return list(labels), np.concatenate([rows, doubted]), np.concatenate([marks, doubtful])
    own = [_uncertain_label(label) for label in labels]
    return [*labels, *own], np.concatenate([rows, doubted]), np.concatenate([marks, doubtful + len(labels)])


def _uncertain_label(label: str) -> str:
    """What the label of an uncertain pathology is called: ``CT/abdomen/uncertain cyst``."""
    parts = _split_label(label) or ("", "", label)
    (name,) = uncertain_finding(parts[2].strip(), "own-label")
    return "/".join([*parts[:2], name]) if parts[0] or parts[1] else name


def _table_rows(path: Path, label_columns: Sequence[str], reading: _Reading, *, policy: Policy) -> TableRows:
    changes: Counter[tuple[str, str, str]] = Counter()
    labels, rows, marks = _with_uncertain(label_columns, reading, policy)
    raw = {name: pa.chunked_array(parts, pa.string()) for name, parts in reading.texts.items()}
    recognized = recognized_columns(list(raw))
    notes = recognized_note(recognized, path.name)
    notes += [policy_note(policy, kept=False)] if sum(map(len, reading.uncertain_rows)) else []
    spellings = Spellings()
    named = {name: name for name in raw} | recognized
    columns = {name: _normalized(name, raw[source], changes, spellings) for name, source in named.items()}
    agreeing = _agreeing(labels, raw, rows, marks)
    changes.update({(name, "(empty)", "0"): count for name, count in reading.empty.items()})
    pathologies = _pathology_names(labels, marks[agreeing], changes)

    left_out = np.zeros(reading.rows, dtype=bool)
    left_out[rows[~agreeing]] = True
    reasons = {
        int(row): f"Expected labels of the image's own modality and anatomic_region, but {labels[mark]} = 1 for "
        f"{raw['modality'][int(row)]}/{raw['anatomic_region'][int(row)]}."
        for row, mark in zip(rows[~agreeing], marks[~agreeing], strict=True)
    }
    paths = pc.utf8_trim_whitespace(columns["filepath"])
    empty = np.asarray(pc.equal(paths, ""))
    reasons |= dict.fromkeys(np.flatnonzero(empty).tolist(), "Expected a path, but the cell filepath is empty.")
    left_out |= empty

    # Codes of pathologies, not of columns: a column without a name in the manifest ("unknown") marks nothing.
    names = sorted({name for name in pathologies if name})
    code_of = np.array([names.index(name) if name else -1 for name in pathologies] or [-1], dtype=np.int64)
    codes = code_of[marks]
    shown = agreeing & (codes >= 0)
    of_rows, of_names = np.divmod(np.unique(rows[shown] * max(1, len(names)) + codes[shown]), max(1, len(names)))
    offsets = np.zeros(reading.rows + 1, dtype=np.int32)
    np.cumsum(np.bincount(of_rows, minlength=reading.rows), out=offsets[1:])
    words = pa.DictionaryArray.from_arrays(pa.array(of_names, pa.int32()), pa.array(names, pa.string()))
    listed = pa.ListArray.from_arrays(
        pa.array(offsets), words.cast(pa.string()) if len(words) else pa.array([], pa.string())
    )

    blank = pa.repeat("", reading.rows)
    table: dict[str, Any] = {name: columns.get(name, blank) for name in TEXT_COLUMNS}
    given = columns.get("image_id", blank)
    table |= {
        "path": paths,
        "image_id": pc.if_else(pc.equal(given, ""), paths, given),
        "anatomy": columns["anatomic_region"],
        "sha256": blank,
        "pathologies": listed,
    }
    further = [name for name in (*raw, *recognized) if name not in {*UNIFIED_COLUMNS, *COLUMNS}]
    kept = pa.array(np.flatnonzero(~left_out))
    lines = np.arange(reading.rows, dtype=np.int64) + 2
    usable = pa.table({name: table[name] for name in table} | {name: columns[name] for name in further})
    return TableRows(
        origin=path,
        table=usable.take(kept) if left_out.any() else usable,
        lines=lines[~left_out],
        positions=np.flatnonzero(~left_out),
        total=reading.rows,
        problems=problems_table(
            path,
            lines=lines[sorted(reasons)],
            paths=paths.take(pa.array(sorted(reasons), pa.int64())).to_pylist(),
            reasons=[reasons[row] for row in sorted(reasons)],
        ),
        changes=changes,
        notes=notes,
        spellings=spellings,
    )


def _normalized(
    name: str, column: pa.ChunkedArray, changes: Counter[tuple[str, str, str]], spellings: Spellings
) -> pa.ChunkedArray:
    """A text column in the manifest's words; each distinct word is looked at once."""
    rule = _RULES.get(name)
    if rule is None:
        return column
    encoded = column.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = (
            encoded.chunk(0) if encoded.num_chunks else pa.DictionaryArray.from_arrays([], pa.array([], pa.string()))
        )
    words = encoded.dictionary.to_pylist()
    counts = np.bincount(np.asarray(encoded.indices), minlength=len(words))
    new = [rule(word) for word in words]
    for old, word, count in zip(words, new, counts.tolist(), strict=True):
        if name in IDENTIFIERS and word and count:
            spellings.note(name, old if old == word else tidy(old), word, rows=count)
        elif old != word and count:
            changes[(name, old, word)] += count
    return pa.chunked_array([pa.array(new, pa.string()).take(encoded.indices)])


def _split_label(name: str) -> tuple[str, str, str] | None:
    """``modality/anatomy/pathology`` in its parts; None for a label that is a pathology alone."""
    modality, first, rest = name.partition("/")
    anatomy, second, pathology = rest.partition("/")
    return (modality, anatomy, pathology) if first and second and pathology.strip() else None


def _agreeing(
    labels: Sequence[str],
    raw: dict[str, pa.ChunkedArray],
    rows: npt.NDArray[np.int64],
    marks: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """For each mark whether the modality and anatomy in the label's name are the image's; true without them."""
    agreeing = np.ones(len(rows), dtype=bool)
    for position, name in enumerate(("modality", "anatomic_region")):
        encoded = raw[name].dictionary_encode().combine_chunks()
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        words = [tidy(word).casefold() for word in encoded.dictionary.to_pylist()]
        same = np.ones((len(labels), max(len(words), 1)), dtype=bool)
        for number, label in enumerate(labels):
            parts = _split_label(label)
            if parts is not None:
                same[number] = [word == tidy(parts[position]).casefold() for word in words] or [True]
        agreeing &= same[marks, np.asarray(encoded.indices)[rows]]
    return agreeing


def _pathology_names(
    labels: Sequence[str],
    marks: npt.NDArray[np.int64],
    changes: Counter[tuple[str, str, str]],
) -> list[str]:
    """What the manifest calls the pathology of each label column; "" for words such as "unknown".

    Where the manifest's words would make two columns one label, both keep their whole names.
    """
    full: dict[tuple[str, str, str], list[int]] = {}
    names = []
    for number, label in enumerate(labels):
        modality, anatomy, pathology = _split_label(label) or ("", "", label)
        name = normal_pathology(pathology)
        names.append(name)
        full.setdefault((normal_modality(modality), normal_text(anatomy), name), []).append(number)
    for numbers in full.values():
        if len(numbers) > 1:
            for number in numbers:
                names[number] = tidy(labels[number])
    counts = np.bincount(marks, minlength=len(labels)).tolist()
    for label, name, count in zip(labels, names, counts, strict=True):
        written = (_split_label(label) or ("", "", label))[2]
        if name not in {written, label} and count:
            changes[("pathologies", label, name)] += count
    return names
