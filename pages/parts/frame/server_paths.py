"""Where things lie on the server: said to owners, and to nobody else.

Owns how paths are taken out of what a page says. Errors, sources, problems and encoders name files in full, because who
mends something needs that; a viewer needs the name of the file, and where a server keeps its data is nobody else's
business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from pages.parts.frame import rights
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import data_folder, list_collections
from radcbir_core.errors import RadcbirError, RightsError
from radcbir_core.installation import ROOT

IMPORT_ROOT: Final = "RADCBIR_IMPORT_ROOT"
"""The setting that says below which folder a server that is open to others may import."""
_LEFT_OUT: Final = "…"
_PART: Final = r"[^\s/\\'\"`,;:()\[\]|<>]+"
# From a root to the last name; one blank in a name on the way there belongs to it.
_PATH: Final = re.compile(
    rf"(?<![\w.{_LEFT_OUT}/\\])(?:[A-Za-z]:[\\/]|\\\\|~?/)(?:{_PART}(?: {_PART})?[\\/])*(?P<name>{_PART})?(?<![/\\])"
)
_QUOTED: Final = re.compile(r"(?P<quote>['\"])(?:[A-Za-z]:[\\/]|\\\\|~?/)[^'\"]*?(?P<name>[^'\"/\\]*)[/\\]?(?P=quote)")


def shown(text: str) -> str:
    """A text as whoever looks may see it: of paths of the server, all but the last name is left out for a viewer."""
    return text if not _has_any(text) or _sees_all() else for_anybody(text)


def for_anybody(text: str) -> str:
    """A text as a viewer may see it, for who answers without knowing who asks, as routes do."""
    return without_paths(text, tuple(_roots())) if _has_any(text) else text


def shown_in(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts are as whoever looks may see them."""
    if _sees_all():
        return table
    roots = tuple(_roots())

    def cut(value: object) -> object:
        return without_paths(value, roots) if isinstance(value, str) and _has_any(value) else value

    return table.map(cut)


def without_paths(text: str, roots: tuple[str, ...] = ()) -> str:
    r"""A text in which of each path only the last name is left.

    Args:
        text: Of whatever kind.
        roots: Folders that are known, whatever their names are like; the longest first.

    Example:
        >>> without_paths(r"Expected /srv/data/a.png, but 'C:\x\a b' is there. See CT/chest and https://example.org/a.")
        "Expected …/a.png, but '…/a b' is there. See CT/chest and https://example.org/a."
        >>> without_paths("local-dir:/opt/kits/mine in /my own/very odd/x.png", ("/my own/very odd",))
        'local-dir:…/mine in …/x.png'
    """
    for root in roots:
        text = re.sub(rf"(?<![\w/]){re.escape(root)}(?![\w-])", _LEFT_OUT, text)
    text = _QUOTED.sub(lambda hit: f"{hit['quote']}{_LEFT_OUT}/{hit['name']}{hit['quote']}", text)
    text = _PATH.sub(lambda hit: f"{_LEFT_OUT}/{hit['name']}" if hit["name"] else hit[0], text)
    # Below a root that is left out, the way to the last name is left out as well.
    return re.sub(rf"{_LEFT_OUT}/(?:{_PART}/)+", f"{_LEFT_OUT}/", text)


def _sees_all() -> bool:
    try:
        return rights.may("owner")
    except RightsError:  # who this is cannot be told, which is what is being said
        return False


def _has_any(text: str) -> bool:
    return "/" in text or "\\" in text


def _roots() -> Iterator[str]:
    """The folders that this server is known to read from, the longest first."""
    folders = {data_folder().absolute(), ROOT, Path.home(), Path.cwd()}
    if root := os.environ.get(IMPORT_ROOT):
        folders.add(Path(root))
    for name in list_collections():
        try:
            folders.add(open_collection(name).image_root)
        except RadcbirError:
            continue  # damaged: what it says is not shown either
    every = {str(one) for folder in folders for one in (folder, Path(os.path.realpath(folder)))} - {"/"}
    return iter(sorted(every, key=len, reverse=True))
