"""A source's columns and words → the manifest's.

Owns the meaning of a source table's columns and the account of what was changed on the way in. Knows nothing of
files: paths are passed on as they are.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from radcbir_core.collections.manifests.manifest import COLUMNS
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, Spellings
from radcbir_core.importers.rows.sources import Cell, Source
from radcbir_core.vocabulary import (
    is_known,
    normal_identifier,
    normal_modality,
    normal_pathology,
    normal_split,
    normal_text,
    tidy,
)

LIST_SEPARATOR = "|"
COMPUTED = frozenset({"sha256", "width", "height", "duplicate_group"})
_SEVERAL = "multiple"
_TEXT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_BOX = {"width": "box_width", "height": "box_height"}
_CORNERS = ({"x", "y"}, {"xmin", "ymin"}, {"x_min", "y_min"}, {"left", "top"})

Cells = dict[str, Cell]

# The same words come a million times.
_modality, _split, _text, _pathology, _identifier = (
    lru_cache(65_536)(rule)
    for rule in (normal_modality, normal_split, normal_text, normal_pathology, normal_identifier)
)


class Changes:
    """What normalization changed, counted by column, old and new word."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self.spellings = Spellings()

    def note(self, column: str, old: str, new: str, *, rows: int = 1) -> str:
        """Count the change of ``old`` to ``new``, if it is one; returns ``new``."""
        if old != new:
            self._counts[(column, old, new)] += rows
        return new

    def note_identifier(self, column: str, old: str) -> str:
        """Count the change of an identifier to its normal spelling, which is returned."""
        new = _identifier(old)
        if not new:
            return self.note(column, old, new)
        self.spellings.note(column, old if old == new else tidy(old), new)
        return new

    def rows(self) -> list[dict[str, str | int]]:
        """Each change with its number of rows, most frequent first."""
        return [
            {"column": column, "from": old, "to": new, "rows": count}
            for (column, old, new), count in self._counts.most_common()
        ]


def normalize_row(cells: Mapping[str, Cell], *, dataset: str, changes: Changes) -> Cells:
    """Give a row the manifest's text columns, and keep its further columns as they are.

    Columns of the source that mean something here: ``image_id`` (default: data set and path), ``path``, ``dataset``,
    ``split`` (or else ``split_hint``), ``modality``, ``anatomy``, ``pathology`` (one), ``pathologies`` or
    ``labels_all`` (several, a list or separated by ``|``; they count when ``pathology`` is empty, missing or
    "multiple"), ``patient_id``, ``study_id``, ``series_id``, ``caption``, ``view``. ``sha256``, ``width``, ``height``
    and ``duplicate_group`` are computed from the files and not taken from the source.

    Args:
        cells: The row as the source has it.
        dataset: What to call the data set where the row does not say.
        changes: Told what was changed.

    Returns:
        Column → text (``pathologies``: list of text).

    Example:
        >>> row = normalize_row({"path": "1.png", "modality": "X-ray"}, dataset="site", changes=Changes())
        >>> row["image_id"], row["modality"], row["pathologies"]
        ('site/1.png', 'XR', [])
    """

    def take(column: str, rule: Callable[[str], str], *, instead: str = "") -> str:
        name = column if column in cells or not instead else instead
        old = str(cells.get(name, ""))
        return changes.note(name, old, rule(old))

    path = str(cells["path"]).strip()
    dataset = take("dataset", _text) or dataset
    result: Cells = {
        "image_id": str(cells.get("image_id", "")).strip() or f"{dataset}/{path}",
        "path": path,
        "dataset": dataset,
        "split": take("split", _split, instead="split_hint"),
        "modality": take("modality", _modality),
        "anatomy": take("anatomy", _text),
        "pathologies": pathologies_of(cells, changes.note),
        "caption": str(cells.get("caption", "")).strip(),
        "view": take("view", _text),
    }
    for column in IDENTIFIERS:
        if column != "series_id" or column in cells:
            result[column] = changes.note_identifier(column, str(cells.get(column, "")))
    further = own_names(cells) if "width" in cells else cells
    for name, text in zip(further, cells.values(), strict=True):
        if name not in result and name not in COMPUTED:
            result[name] = text
    return result


def own_names(columns: Iterable[str]) -> list[str]:
    """What the columns of a source are called in a manifest, in their order.

    ``width`` and ``height`` are the image's there. Beside a corner they are a box's, as in the tables of the RSNA
    challenges, and are kept as such.

    Args:
        columns: In lower case.

    Example:
        >>> own_names(["path", "x", "y", "width", "height"])
        ['path', 'x', 'y', 'box_width', 'box_height']
        >>> own_names(["path", "width", "height"])
        ['path', 'width', 'height']
    """
    names = list(columns)
    there = set(names)
    boxes = _BOX.keys() <= there and any(corner <= there for corner in _CORNERS) and not there & set(_BOX.values())
    return [_BOX.get(name, name) for name in names] if boxes else names


def pathologies_of(cells: Mapping[str, Cell], note: Callable[[str, str, str], object]) -> list[str]:
    """The findings of a row, from the columns that :func:`normalize_row` names.

    Args:
        cells: The row as the source has it.
        note: Told of each word in which column it was, and what it became.

    Example:
        >>> told = []
        >>> pathologies_of({"pathologies": "No Finding|mass"}, lambda *word: told.append(word)), told
        (['normal', 'mass'], [('pathologies', 'No Finding', 'normal'), ('pathologies', 'mass', 'mass')])
    """
    single = str(cells.get("pathology", ""))
    several = tidy(single).casefold() == _SEVERAL if single else False
    if not several and single.strip():
        stripped = single.strip()
        # One pathology, unless a list of a programming language was written into its cell.
        words = listed_in(single) if is_bracketed(stripped) or _is_in_parentheses(stripped) else [single]
        return _noted("pathology", words, note)
    for column in ("pathologies", "labels_all"):
        cell = cells.get(column, "")
        words = cell if isinstance(cell, list) else listed_in(cell) if is_known(cell) else []
        if words:
            return _noted(column, words, note)
    if several:
        note("pathology", single, "")
    return []


def _noted(column: str, words: Sequence[str], note: Callable[[str, str, str], object]) -> list[str]:
    names = [_pathology(word) for word in words]
    for word, name in zip(words, names, strict=True):
        note(column, word, name)
    return list(dict.fromkeys(name for name in names if name))


def listed_in(text: str) -> list[str]:
    """The findings that a text lists: with ``|`` between them, or as Python, NumPy and JSON write a list or a tuple.

    Example:
        >>> [listed_in(text) for text in ("a|b", "['a', 'b']", "['a' 'b']", '["a, b"]', "a, b", " ", "[a]")]
        [['a', 'b'], ['a', 'b'], ['a', 'b'], ['a, b'], ['a, b'], [], ['[a]']]
        >>> [listed_in(text) for text in ("('a', 'b')", "('a',)", "()", "(a)")]
        [['a', 'b'], ['a'], [], ['(a)']]
    """
    text = text.strip()
    if is_bracketed(text) or _is_in_parentheses(text):
        try:
            items = ast.literal_eval(text)
            # NumPy writes no commas, and Python makes one of texts that stand side by side.
            texts = [ast.literal_eval(one) for one in _TEXT.findall(text)]
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            items, texts = None, []
        if isinstance(items, list | tuple):
            return [str(item) for item in (texts if len(texts) > len(items) else items)]
    return text.split(LIST_SEPARATOR) if text else []


def is_bracketed(text: str) -> bool:
    """Whether a text is written as a list of a programming language is, right or wrong."""
    return text.startswith("[") and text.endswith("]")


def _is_in_parentheses(text: str) -> bool:
    return text.startswith("(") and text.endswith(")")


def further_columns(sources: Sequence[Source]) -> list[str]:
    """The columns of the sources that are not the manifest's own, in the order they were met."""
    names = dict.fromkeys(name for source in sources for name in own_names(source.columns))
    return [name for name in names if name not in COLUMNS]


def filled_columns(sources: Sequence[Source]) -> list[str]:
    """Those of :func:`further_columns` that rows have filled, once all are read: without volumes, none of theirs."""
    filled = {
        name
        for source in sources
        for name in own_names(source.columns)
        if source.volumes or name not in source.only_with_volumes
    }
    return [name for name in further_columns(sources) if name in filled]
