"""Why most of the rows that cannot be used cannot, and what to do about it.

Owns the telling of problems by their kind: a hundred damaged files are one reason, whatever they are called. It looks
into folders for where missing files may be, and opens nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from radcbir_core.errors import FOLDER, Remedy
from radcbir_core.importers.rows.sources import Source

_MOST_FOLDERS = 5_000
_MOST_TRIED = 20
_PARENTS = 3
_MISSING = "Expected an image file, but there is none at this path."
_OUTSIDE = "Expected a path inside the image root"
_ADVICE = {
    "Expected image_ids that differ": "Give each image an image_id of its own, or leave that column out.",
    "Expected a path, but the cell is empty": "Fill that column, or say which other one names the files.",
    "Expected a readable file, but: Permission denied": "Let the account that imports read the files.",
}
"""Of reasons that do not say by themselves what to do, by their beginnings."""

Problem = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MainReason:
    """The most frequent kind of problem.

    Attributes:
        reason: Of the first row of that kind.
        count: How many rows there are of it.
        where: That first row.
        advice: What to do, where the reason does not say; "" otherwise.
        remedy: What does it, where RadCBIR does.
    """

    reason: str
    count: int
    where: str
    advice: str = ""
    remedy: Remedy | None = None

    def told(self) -> str:
        """It as the end of a sentence, and what to do."""
        return f"the most frequent reason ({self.count:,}): {self.reason} First at {self.where}. {self.advice}".rstrip()


def main_reason(problems: Sequence[Problem], sources: Sequence[Source] = ()) -> MainReason:
    """The most frequent kind of problem, and what to do about it.

    Args:
        problems: At least one, with the columns of problems.csv.
        sources: Where the rows come from: whether what their paths start from can be said otherwise.

    Example:
        >>> row = {"source": "a.csv", "line": 2, "path": "1.png", "image_id": "1", "reason": "Expected 1.png whole."}
        >>> main = main_reason([row, row | {"line": 3, "path": "2.png", "reason": "Expected 2.png whole."}])
        >>> main.count, main.told()
        (2, 'the most frequent reason (2): Expected 1.png whole. First at a.csv line 2 (1.png).')
    """
    kinds = by_kind(problems)
    rows = max(kinds.values(), key=len)
    first = rows[0]
    reason, path = str(first["reason"]), str(first["path"])
    where = f"{first['source']} line {first['line']}" + (f" ({path})" if path else "")
    advice, remedy = next((told for start, told in _ADVICE.items() if reason.startswith(start)), ""), None
    if reason == _MISSING or reason.startswith(_OUTSIDE):
        source = next((one for one in sources if str(one.origin) == first["source"]), None)
        source = source or (sources[0] if len(sources) == 1 else None)
        if source is not None:
            paths = [str(row["path"]) for row in rows]
            advice, remedy = _of_missing(source, paths, outside=reason.startswith(_OUTSIDE))
    return MainReason(reason, len(rows), where, advice, remedy)


def by_kind(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """Kind of reason → its problems, in the order in which they are met.

    Args:
        problems: With the columns of problems.csv.
    """
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(_kind_of(problem), []).append(problem)
    return kinds


def _kind_of(problem: Problem) -> str:
    """The reason without what only its row is called, and without numbers."""
    kind = str(problem["reason"])
    path, image_id = str(problem["path"]), str(problem["image_id"])
    for name in sorted({path, path.rpartition("/")[2], image_id} - {""}, key=len, reverse=True):
        kind = kind.replace(name, "…")
    return re.sub(r"[\d.,]*\d", "…", kind)


def _of_missing(source: Source, paths: Sequence[str], *, outside: bool) -> tuple[str, Remedy | None]:
    """Where the files may be that are not where a table says."""
    if not source.rooted:
        return ("" if outside else f"Check that the data set is there whole, below {source.root}."), None
    folder = None if outside else _folder_with(source.root, paths)
    if folder is not None:
        return (
            f"Such a file is below {folder}: name that folder as what the paths start from.",
            Remedy("again", options={"image_root": str(folder)}),
        )
    way = "name the folder that they do start from, or the column with the files."
    advice = "" if outside else f"The paths start from {source.root}: {way}"
    return advice, Remedy("again", options={"image_root": FOLDER})


def _folder_with(root: Path, paths: Sequence[str]) -> Path | None:
    """The folder near ``root`` below which one of the files is."""
    tried = [path for path in dict.fromkeys(paths) if path and not os.path.isabs(path)][:_MOST_TRIED]  # noqa: PTH117
    above = list(islice(root.parents, _PARENTS))
    below = (Path(folder) for folder, _, _ in islice(os.walk(root), _MOST_FOLDERS))
    for folder in (*below, *above):
        if any((folder / path).is_file() for path in tried):
            return folder
    return None
