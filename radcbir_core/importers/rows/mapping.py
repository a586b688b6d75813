"""Column mappings: which column of a source is which column of the manifest.

Owns the meaning of a mapping and what becomes of a row's values under it: one-hot columns, lists, and lists in text.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from radcbir_core.collections.manifests.manifest import COLUMNS
from radcbir_core.errors import ManifestError, Remedy
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, recognized_columns
from radcbir_core.importers.rows.normalizing import COMPUTED, LIST_SEPARATOR, listed_in, own_names
from radcbir_core.importers.rows.sources import Cell
from radcbir_core.importers.rows.uncertain import UNCERTAIN, Policy, uncertain_finding
from radcbir_core.vocabulary import is_known

TARGETS = (*(name for name in COLUMNS if name not in COMPUTED), "series_id")
"""The columns of a manifest that a source can have."""

_TRUE = frozenset({"1", "1.0", "true", "yes", "y", "x", "positive"})
_FALSE = frozenset({"", "0", "0.0", "false", "no", "n", "negative", "nan"})
_MARKS = (_TRUE | _FALSE | UNCERTAIN) - {"", "nan"}


def parse_mapping(words: Sequence[str]) -> dict[str, str]:
    """``["path=filename", "pathologies=Mass,Edema"]`` → column of the manifest → columns of the source.

    A name with a comma in it stands in quotation marks, as in CSV, unless it is the only one. An identifier may be said
    to be in no column, ``patient_id=``, where one would be recognized by its name.

    Raises:
        ManifestError: A word is no pair, or names no column of a manifest, or one twice.

    Example:
        >>> parse_mapping(["path=filename", "pathologies = Mass, Edema"])
        {'path': 'filename', 'pathologies': 'Mass, Edema'}
    """
    mapping: dict[str, str] = {}
    for word in words:
        target, sign, source = (part.strip() for part in word.partition("="))
        if not sign or not (source or target in IDENTIFIERS):
            raise ManifestError(f"Expected COLUMN=SOURCE, but mapping = {word!r}. Write, for example, path=filename.")
        if target not in TARGETS:
            close = get_close_matches(target, TARGETS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Choose one of {', '.join(TARGETS)}."
            raise ManifestError(f"Expected a column of a manifest, but mapping = '{target}={source}'. {hint}")
        if target in mapping:
            raise ManifestError(
                f"Expected each column once, but the mapping names {target} twice. "
                "Join several columns of findings with commas."
            )
        mapping[target] = source
    return mapping


def names_in(text: str) -> list[str]:
    """The columns that a mapping names, separated by commas; in quotation marks where there is a comma in a name.

    Example:
        >>> names_in("Mass, Edema"), names_in('"Mass, left",Edema'), names_in('"a ""b"" c"')
        (['Mass', 'Edema'], ['Mass, left', 'Edema'], ['a "b" c'])
    """
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def naming(names: Sequence[str]) -> str:
    """The inverse of :func:`names_in`, which is not taken for one column's name.

    Example:
        >>> naming(["Mass, left", "Edema"])
        '"Mass, left","Edema"'
    """
    return ",".join('"' + name.replace('"', '""') + '"' for name in names)


class Mapper:
    """Turns a source's rows into a manifest's.

    ``pathologies`` may come from several columns, separated by commas: one-hot, each named after its finding. From a
    single column it is a list, or text with ``|`` between findings, or one finding, unless it is said to be one-hot. A
    mapping without ``path`` takes the source's column ``path``, and likewise for all columns that have the manifest's
    own names.

    Args:
        mapping: See :func:`parse_mapping`.
        columns: The source's columns.
        origin: The source, for messages.
        defaults: Column of the manifest → its value where the source has none.
        uncertain: What becomes of an uncertain finding in a one-hot column.

    Attributes:
        columns: The columns that rows have after it.
        recognized: Identifiers that the mapping does not name → the columns they are taken from, by their names.
        uncertain_cells: How many uncertain findings there were so far.

    Raises:
        ManifestError: A column is not there.

    Example:
        >>> mapper = Mapper(
        ...     {"path": "file", "pathologies": "Mass,Edema"},
        ...     columns=["file", "Mass", "Edema", "age"],
        ...     origin=Path("a.csv"),
        ... )
        >>> row = mapper.row({"file": "1.png", "Mass": "0", "Edema": "1.0", "age": "40"})
        >>> row["path"], row["pathologies"], row["age"], row["mass"]
        ('1.png', ['Edema'], '40', '0')
    """

    def __init__(
        self,
        mapping: Mapping[str, str],
        *,
        columns: Sequence[str],
        origin: Path,
        defaults: Mapping[str, str] | None = None,
        uncertain: Policy = "not-positive",
    ) -> None:
        self.uncertain_cells = 0
        self._uncertain = uncertain
        self._origin = origin
        self._defaults = {name: value for name, value in (defaults or {}).items() if value}
        self._columns = columns
        self._own = {column.lower(): column for column in columns}
        given = {
            target: [source] if source in columns else names_in(source) for target, source in mapping.items() if source
        }
        self._sources = {target: [self._column(name) for name in names] for target, names in given.items()}
        for target, names in self._sources.items():
            if target != "pathologies" and len(names) > 1:
                raise ManifestError(
                    f"Expected one column, but mapping = '{target}={mapping[target]}'. Only pathologies takes several."
                )
        by_name = recognized_columns(columns)
        self.recognized = {target: column for target, column in by_name.items() if target not in mapping}
        self._sources |= {target: [column] for target, column in self.recognized.items()}
        self._without = [target for target, source in mapping.items() if not source]
        if "path" not in self._sources and "path" not in self._own:
            raise ManifestError(
                f"Expected a column with the image files, but {origin} has the columns {', '.join(columns)[:300]}. "
                "Say which one it is.",
                remedy=Remedy("again", options={"mapping": "path=COLUMN"}),
            )
        self._one_hot = self._sources.get("pathologies", []) if len(self._sources.get("pathologies", [])) > 1 else []
        self._named = dict(zip(columns, own_names(name.lower() for name in columns), strict=True))
        further = [name for name in self._named.values() if name not in COMPUTED]
        self.columns = list(dict.fromkeys([*self._sources, *self._defaults, *further]))

    @property
    def single(self) -> str:
        """The only column of findings, where there is just one."""
        names = self._sources.get("pathologies", [])
        return names[0] if len(names) == 1 else ""

    def take_as_one_hot(self) -> None:
        """Take the only column of findings for one of 0 and 1, named after its finding."""
        self._one_hot = [self.single]

    def row(self, cells: Mapping[str, Any]) -> dict[str, Cell]:
        """One row under the mapping; every further column of the source is kept, its name in lower case.

        Raises:
            ManifestError: A cell of a one-hot column is neither yes nor no.
        """
        result: dict[str, Cell] = {}
        for name, value in cells.items():
            lowered = self._named[name]
            if lowered not in COMPUTED:
                result[lowered] = value if isinstance(value, list) and lowered == "pathologies" else as_text(value)
        for target in self._without:
            result.pop(target, None)
        for target, names in self._sources.items():
            if target != "pathologies":
                result[target] = as_text(cells[names[0]])
        if self._one_hot:
            result["pathologies"] = [word for name in self._one_hot for word in self._findings_in(name, cells[name])]
        elif "pathologies" in self._sources:
            result["pathologies"] = as_list(cells[self._sources["pathologies"][0]])
        if "pathologies" in self._sources:
            result.pop("pathology", None)
        for name, value in self._defaults.items():
            if not result.get(name):
                result[name] = value
        return result

    def _findings_in(self, name: str, value: Any) -> list[str]:
        word = as_text(value).strip().lower()
        if word in _TRUE:
            return [name]
        if word in UNCERTAIN:
            self.uncertain_cells += 1
            return uncertain_finding(name, self._uncertain)
        if word in _FALSE or not is_known(word):
            return []
        raise ManifestError(
            f"Expected 0, 1, -1 or nothing in a column of findings, but {self._origin} has {name} = "
            f"{as_text(value)[:80]!r}. "
            "Map a single column with the findings' names, or correct the cell."
        )

    def _column(self, name: str) -> str:
        column = name if name in self._columns else self._own.get(name.lower())
        if column is None:
            close = get_close_matches(name, self._columns, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(self._columns)[:300]}."
            raise ManifestError(f"Expected a column of {self._origin}, but the mapping names {name!r}. {hint}")
        return column


def holds_marks(values: Iterable[Any]) -> bool:
    """Whether all cells of a column say yes, no, uncertain or nothing, and not all of them nothing.

    Example:
        >>> holds_marks(["1", "0", ""]), holds_marks([1.0, None, -1]), holds_marks(["1", "2"]), holds_marks([""])
        (True, True, False, False)
    """
    any_mark = False
    for value in values:
        word = "" if isinstance(value, list) and not value else as_text(value).strip().lower()
        if word in _MARKS:
            any_mark = True
        elif is_known(word):
            return False
    return any_mark


def as_text(value: Any) -> str:
    """A value of a table as text: "" for none, lists joined with ``|``, whole numbers without a point.

    Example:
        >>> [as_text(value) for value in (None, 3.0, 2.5, True, ["a", "b"], "x")]
        ['', '3', '2.5', '1', 'a|b', 'x']
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(as_text(item) for item in value)
    return str(value)


def as_list(value: Any) -> list[str]:
    """The findings of one cell: a list, a list written as ``['a', 'b']``, or text with ``|`` between them.

    Example:
        >>> [as_list(value) for value in (["a"], "a|b", "['a', 'b']", "a, b", None)]
        [['a'], ['a', 'b'], ['a', 'b'], ['a, b'], []]
    """
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value]
    return listed_in(as_text(value))
