"""A source's columns → the manifest's, many rows at once: each distinct word is looked at once.

Owns doing to Arrow columns what ``normalize_row`` does to a row, with the same cells and the same account of what was
changed, in the order in which the rows would have told it. The rules are normalizing.py's and vocabulary.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.importers.rows.identifiers import IDENTIFIERS
from radcbir_core.importers.rows.normalizing import COMPUTED, Changes, own_names, pathologies_of
from radcbir_core.vocabulary import NOT_KNOWN, normal_identifier, normal_modality, normal_split, normal_text, tidy

_WORDS: Final[Mapping[str, Callable[[str], str]]] = {
    "dataset": normal_text,
    "split": normal_split,
    "modality": normal_modality,
    "anatomy": normal_text,
    "view": normal_text,
}
_ORDER: Final = ("dataset", "split", "modality", "anatomy", "pathologies", "view", *IDENTIFIERS)
"""In which a row tells of its changes."""
_LISTS: Final = ("pathology", "pathologies", "labels_all")
# No blanks, dots, signs of spreadsheets or other scripts: nothing that a rule changes, but for words of not knowing.
_PLAIN_IDENTIFIER: Final = r"^[0-9A-Za-z_-]*$"
_FIRST_VISIBLE, _LAST_VISIBLE = ord("!"), ord("~")


class _Told(NamedTuple):
    """A change of a word: where it was met first, and how often."""

    row: int
    place: int
    number: int
    column: str
    old: str
    new: str
    rows: int


def normal_columns(columns: Mapping[str, pa.Array], *, dataset: str, changes: Changes) -> dict[str, pa.Array]:
    """Give rows the manifest's text columns, and keep their further columns as they are.

    Args:
        columns: Column of the source → ``(n,)`` text; ``path`` is one of them. See
            :func:`~radcbir_core.importers.rows.normalizing.normalize_row` for what they mean.
        dataset: What to call the data set where a row does not say.
        changes: Told what was changed.

    Returns:
        Column → ``(n,)`` text (``pathologies``: list of text).

    Example:
        >>> columns = {"path": pa.array(["1.png", " 2.png"]), "modality": pa.array(["X-ray", "CT"])}
        >>> normal = normal_columns(columns, dataset="site", changes=Changes())
        >>> normal["image_id"].to_pylist(), normal["modality"].to_pylist(), normal["pathologies"].to_pylist()
        (['site/1.png', 'site/2.png'], ['XR', 'CT'], [[], []])
    """
    rows = len(columns["path"])
    blank = pa.repeat(pa.scalar("", pa.string()), rows)
    told: list[_Told] = []

    def take(column: str, *, instead: str = "") -> pa.Array:
        name = column if column in columns or not instead else instead
        return _by_word(columns[name], name, _ORDER.index(column), _WORDS[column], told) if name in columns else blank

    path = _stripped(columns["path"])
    datasets = take("dataset")
    datasets = pc.if_else(pc.equal(datasets, ""), dataset, datasets)
    given = _stripped(columns.get("image_id", blank))
    result = {
        "image_id": pc.if_else(pc.equal(given, ""), pc.binary_join_element_wise(datasets, path, "/"), given),
        "path": path,
        "dataset": datasets,
        "split": take("split", instead="split_hint"),
        "modality": take("modality"),
        "anatomy": take("anatomy"),
        "pathologies": _pathologies(columns, rows, told),
        "caption": _stripped(columns.get("caption", blank)),
        "view": take("view"),
    }
    for column in IDENTIFIERS:
        if column != "series_id" or column in columns:
            result[column] = _identifiers(columns[column], column, changes, told) if column in columns else blank
    for one in sorted(told):
        changes.note(one.column, one.old, one.new, rows=one.rows)
    further = own_names(columns) if "width" in columns else list(columns)
    for name, cells in zip(further, columns.values(), strict=True):
        if name not in result and name not in COMPUTED:
            result[name] = cells
    return result


def _by_word(column: pa.Array, name: str, place: int, rule: Callable[[str], str], told: list[_Told]) -> pa.Array:
    """A column by a rule for its words."""
    encoded = column.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    new = [rule(word) for word in words]
    if new == words:
        return column
    first, counts = _met(np.asarray(encoded.indices), len(words))
    for code, (old, word) in enumerate(zip(words, new, strict=True)):
        if old != word:
            told.append(_Told(int(first[code]), place, 0, name, old, word, int(counts[code])))
    return pa.array(new, pa.string()).take(encoded.indices)


def _identifiers(column: pa.Array, name: str, changes: Changes, told: list[_Told]) -> pa.Array:
    """Identifiers in their normal spelling; the many that have it are not looked at one by one."""
    encoded = column.dictionary_encode()
    words = encoded.dictionary
    plain = pc.and_(
        pc.match_substring_regex(words, _PLAIN_IDENTIFIER),
        pc.invert(pc.is_in(pc.utf8_lower(words), value_set=pa.array(sorted(NOT_KNOWN - {""}), pa.string()))),
    )
    changes.spellings.note_plain(name, words.filter(pc.and_(plain, pc.ascii_is_decimal(words))).to_pylist())
    others = np.flatnonzero(~np.asarray(plain))
    if not len(others):
        return column
    first, counts = _met(np.asarray(encoded.indices), len(words))
    new = words.to_pylist()
    for code in others.tolist():
        old, new[code] = new[code], normal_identifier(new[code])
        if new[code]:
            changes.spellings.note(name, tidy(old), new[code], rows=int(counts[code]))
        else:
            told.append(_Told(int(first[code]), _ORDER.index(name), 0, name, old, "", int(counts[code])))
    return pa.array(new, pa.string()).take(encoded.indices)


def _pathologies(columns: Mapping[str, pa.Array], rows: int, told: list[_Told]) -> pa.Array:
    """The findings of each row; rows whose cells are the same are looked at once."""
    there = {name: columns[name].dictionary_encode() for name in _LISTS if name in columns}
    codes = np.zeros(rows, dtype=np.int64)
    for encoded in there.values():
        codes = codes * max(1, len(encoded.dictionary)) + np.asarray(encoded.indices)
    _, first, inverse, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    findings, place = [], _ORDER.index("pathologies")
    for row, many in zip(first.tolist(), counts.tolist(), strict=True):
        cells = {name: encoded.dictionary[encoded.indices[row].as_py()].as_py() for name, encoded in there.items()}
        changed: list[tuple[str, str, str]] = []
        findings.append(pathologies_of(cells, lambda *change, into=changed: into.append(change)))
        told += [_Told(row, place, at, *change, many) for at, change in enumerate(changed) if change[1] != change[2]]
    return pa.array(findings, pa.list_(pa.string())).take(pa.array(inverse))


def _met(codes: npt.NDArray[np.int32], words: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first row of each word, and how many have it."""
    first = np.zeros(words, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first, np.bincount(codes, minlength=words)


def _stripped(column: pa.Array) -> pa.Array:
    """Text without blanks around it. Of most it is enough to look at the first and the last byte."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    data = column.buffers()[2]
    if data is None or not len(column) or offsets[0] == offsets[-1]:
        return column
    content = np.frombuffer(data, dtype=np.uint8)
    filled = offsets[1:] > offsets[:-1]
    ends = np.stack([content[offsets[:-1][filled]], content[offsets[1:][filled] - 1]])
    odd = np.zeros(len(column), dtype=bool)
    odd[filled] = ((ends < _FIRST_VISIBLE) | (ends > _LAST_VISIBLE)).any(axis=0)
    if not odd.any():
        return column
    mask = pa.array(odd)
    stripped = [word.strip() for word in column.filter(mask).to_pylist()]
    return pc.replace_with_mask(column, mask, pa.array(stripped, pa.string()))
