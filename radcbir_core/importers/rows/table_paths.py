"""What a table calls its files → the paths of files: other systems' separators, names without a suffix, addresses.

Owns the reading of paths in tables. It looks at names in folders and opens nothing; whether a file is there and may be
read is checking.py's.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from radcbir_core.images import IMAGE_SUFFIXES, suffix_of
from radcbir_core.importers.rows.sources import Row
from radcbir_core.wording import counted

_ADDRESS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.\-]+)://|(data):)")
_WINDOWS_ROOT = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_MOST_FOLDERS = 20_000


class TablePaths:
    r"""The paths of one table.

    Args:
        root: The folder that they start from.
        suffix: What their names lack; "" to look for it in the folder where a name has no image's suffix.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "img").mkdir()
        >>> (folder / "img" / "a.png").touch()
        >>> rows = [Row(2, {"path": r"img\a"}), Row(3, {"path": "https://host/a.png"})]
        >>> [(row.cells["path"], row.reason[:29]) for row in TablePaths(folder).rows(rows)]
        [('img/a.png', ''), ('https://host/a.png', 'Expected a file, but path is ')]
    """

    def __init__(self, root: Path, *, suffix: str = "") -> None:
        self._root = str(root)
        self._suffix = f".{suffix.lstrip('.')}" if suffix else ""
        self._backslashes = 0
        self._completed: Counter[str] = Counter()
        self._folders: dict[str, tuple[frozenset[str], dict[str, list[str]]]] = {}

    def rows(self, rows: Iterable[Row], notes: list[str] | None = None) -> Iterator[Row]:
        """The rows with the paths of their files; what is to be said of them is added to ``notes`` at the end."""
        for row in rows:
            path = str(row.cells.get("path", "")).strip()
            if row.reason or not path:
                yield row
                continue
            reason, row.cells["path"] = self._read(path)
            yield replace(row, reason=reason) if reason else row
        if notes is not None:
            notes += self.notes()

    def notes(self) -> list[str]:
        """What was changed so far."""
        notes = []
        if self._backslashes:
            notes.append(f"Paths with backslashes, read as slashes: {counted(self._backslashes, 'row')}.")
        if self._completed:
            kinds = ", ".join(f"{suffix} {count:,}" for suffix, count in self._completed.most_common())
            notes.append(f"Names without a suffix, completed: {kinds}.")
        return notes

    def _read(self, path: str) -> tuple[str, str]:
        """Why it is no path, or "", and the path."""
        address = _ADDRESS.match(path)
        if address:
            kind = (address[1] or address[2]).lower()
            return f"Expected a file, but path is an address ({kind}). Download it, and name the file.", path
        if "\\" in path and not os.path.lexists(os.path.join(self._root, path)):  # noqa: PTH118
            if _WINDOWS_ROOT.match(path):
                return (
                    "Expected a path below the folder of the images, but it begins with a drive or a server of "
                    "Windows. Write it relative to that folder."
                ), path
            path = path.replace("\\", "/")
            self._backslashes += 1
        if suffix_of(path) in IMAGE_SUFFIXES:
            return "", path
        return self._completed_path(path)

    def _completed_path(self, path: str) -> tuple[str, str]:
        folder, slash, name = path.rpartition("/")
        files, by_stem = self._listed(folder)
        if name in files:
            return "", path
        if self._suffix:
            self._completed[self._suffix] += 1
            return "", path + self._suffix
        suited = by_stem.get(name, [])
        if len(suited) > 1:
            return f"Expected one file of this name, but there are {', '.join(suited[:3])}. Say which suffix.", path
        if not suited:
            return "", path
        self._completed[suited[0][len(name) :].lower()] += 1
        return "", f"{folder}{slash}{suited[0]}"

    def _listed(self, folder: str) -> tuple[frozenset[str], dict[str, list[str]]]:
        """The files of a folder below the root, and those that are images by their names without suffix."""
        known = self._folders.get(folder)
        if known is not None:
            return known
        place = os.path.realpath(os.path.join(self._root, folder))  # noqa: PTH118
        names: list[str] = []
        if f"{place}/".startswith(f"{self._root.rstrip('/')}/"):
            try:
                with os.scandir(place) as entries:
                    names = sorted(entry.name for entry in entries if not entry.is_dir())
            except OSError:  # whoever opens the file says why
                names = []
        by_stem: dict[str, list[str]] = {}
        for name in names:
            suffix = suffix_of(name)
            if suffix in IMAGE_SUFFIXES:
                by_stem.setdefault(name[: -len(suffix)], []).append(name)
        if len(self._folders) >= _MOST_FOLDERS:
            self._folders.clear()
        self._folders[folder] = frozenset(names), by_stem
        return self._folders[folder]
