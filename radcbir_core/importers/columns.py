"""A source's columns and words → the manifest's.

Owns the meaning of a source table's columns and the account of what was changed on the way in. Knows nothing of
files: paths are passed on as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from radcbir_core.importers.sources import Row, Source
from radcbir_core.manifest import COLUMNS
from radcbir_core.vocabulary import (
    is_known,
    normal_modality,
    normal_pathology,
    normal_split,
    normal_text,
    one_spelling,
    tidy,
)

LIST_SEPARATOR = "|"
_SEVERAL = "multiple"
_IDENTIFIERS = ("patient_id", "study_id", "series_id")
_COMPUTED = frozenset({"sha256", "width", "height", "duplicate_group"})

Cells = dict[str, str | list[str]]


class Changes:
    """What normalization changed, counted by column, old and new word."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def note(self, column: str, old: str, new: str) -> str:
        """Count the change of ``old`` to ``new``, if it is one; returns ``new``."""
        if old != new:
            self._counts[(column, old, new)] += 1
        return new

    def rows(self) -> list[dict[str, str | int]]:
        """Each change with its number of rows, most frequent first."""
        return [
            {"column": column, "from": old, "to": new, "rows": count}
            for (column, old, new), count in self._counts.most_common()
        ]


def normalize(sources: Sequence[Source]) -> tuple[list[list[Cells]], Changes]:
    """Give every row of every source the manifest's text columns, and keep its further columns as they are.

    Columns of the source that mean something here: ``image_id`` (default: data set and path), ``path``, ``dataset``,
    ``split`` (or else ``split_hint``), ``modality``, ``anatomy``, ``pathology`` (one), ``pathologies`` or
    ``labels_all`` (several, separated by ``|``; they count when ``pathology`` is empty, missing or "multiple"),
    ``patient_id``, ``study_id``, ``series_id``, ``caption``, ``view``. ``sha256``, ``width``, ``height`` and
    ``duplicate_group`` are computed from the files and not taken from the source.

    Returns:
        For each source its rows as column → text (``pathologies``: list of text), and what was changed.
    """
    changes = Changes()
    tables = [[_row(row, source, changes) for row in source.rows] for source in sources]
    _unify_spelling(tables, changes)
    return tables, changes


def _row(row: Row, source: Source, changes: Changes) -> Cells:
    cells = row.cells

    def take(column: str, rule: Callable[[str], str], *, instead: str = "") -> str:
        name = column if column in cells or not instead else instead
        old = cells.get(name, "")
        return changes.note(name, old, rule(old))

    path = cells["path"].strip()
    dataset = take("dataset", normal_text) or source.dataset
    result: Cells = {
        "image_id": cells.get("image_id", "").strip() or f"{dataset}/{path}",
        "path": path,
        "dataset": dataset,
        "split": take("split", normal_split, instead="split_hint"),
        "modality": take("modality", normal_modality),
        "anatomy": take("anatomy", normal_text),
        "pathologies": _pathologies(cells, changes),
        "caption": cells.get("caption", "").strip(),
        "view": take("view", normal_text),
    }
    result |= {column: take(column, normal_text) for column in _IDENTIFIERS if column != "series_id" or column in cells}
    further = {name: text for name, text in cells.items() if name not in result and name not in _COMPUTED}
    return result | further


def _pathologies(cells: dict[str, str], changes: Changes) -> list[str]:
    single = cells.get("pathology", "")
    several = tidy(single).casefold() == _SEVERAL
    if single.strip() and not several:
        name = changes.note("pathology", single, normal_pathology(single))
        return [name] if name else []
    column = next((name for name in ("pathologies", "labels_all") if is_known(cells.get(name, ""))), None)
    if column is None:
        if several:
            changes.note("pathology", single, "")
        return []
    words = [changes.note(column, word, normal_pathology(word)) for word in cells[column].split(LIST_SEPARATOR)]
    return list(dict.fromkeys(word for word in words if word))


def _unify_spelling(tables: Sequence[Sequence[Cells]], changes: Changes) -> None:
    """Words that differ in case only become one label, over all sources together."""
    rows = [row for table in tables for row in table]
    anatomy = one_spelling(str(row["anatomy"]) for row in rows if row["anatomy"])
    found = one_spelling(word for row in rows for word in row["pathologies"])
    for row in rows if anatomy or found else []:
        row["anatomy"] = changes.note(
            "anatomy", str(row["anatomy"]), anatomy.get(str(row["anatomy"]), str(row["anatomy"]))
        )
        row["pathologies"] = list(
            dict.fromkeys(changes.note("pathologies", word, found.get(word, word)) for word in row["pathologies"])
        )


def further_columns(sources: Sequence[Source]) -> list[str]:
    """The columns of the sources that are not the manifest's own, in the order they were met."""
    names = dict.fromkeys(name for source in sources for name in source.columns)
    return [name for name in names if name not in COLUMNS]
