"""Folders of the server: which ones may be imported from the browser, and looking for one.

Owns the rule and the browser of folders. Whoever can open the page could read every folder that the server's account
can, so the rule is narrow: a server that listens to its own machine only offers all of them, because who sits there can
read them anyway; one that others reach offers what lies below ``RADCBIR_IMPORT_ROOT``, and nothing where that is not
set. Links do not lead out of it. Only names of folders are shown, never those of files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

import streamlit as st

from pages.parts.frame import rights
from pages.parts.frame.server_paths import IMPORT_ROOT
from pages.parts.frame.text import literal
from radcbir_core.errors import ManifestError

SHOWN: Final = 40
_MOST_ENTRIES: Final = 20_000


def root() -> Path | None:
    """The folder below which all may be imported; None where no folder of the server may.

    Raises:
        ManifestError: ``RADCBIR_IMPORT_ROOT`` is no folder.
    """
    chosen = os.environ.get(IMPORT_ROOT)
    if chosen:
        folder = Path(os.path.realpath(Path(chosen).expanduser()))
        if not folder.is_dir():
            raise ManifestError(f"Expected a folder, but {IMPORT_ROOT} = {chosen!r}. Set it to one, and start again.")
        return folder
    return None if rights.is_open_to_others() else Path("/")


def beginning() -> Path:
    """The folder at which to begin looking: the root where one is set, else the home folder."""
    given = root()
    return given if given is not None and given != Path("/") else Path.home()


def allowed(text: str) -> Path:
    """A path that somebody typed, if it may be imported from.

    Raises:
        ManifestError: It is none, does not exist, or lies where nothing may be imported from.
    """
    within = root()
    if within is None:
        raise ManifestError(
            f"Expected an upload, because this server is open to others and {IMPORT_ROOT} is not set. "
            f"Start it with {IMPORT_ROOT} set to the folder that may be imported from."
        )
    if not text.strip():
        raise ManifestError("Expected the path of a folder or a table, but it is empty. Write or choose one.")
    try:
        path = Path(text.strip()).expanduser()
        actual = Path(os.path.realpath(path if path.is_absolute() else beginning() / path))
        inside, there = actual.is_relative_to(within), actual.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise ManifestError(f"Expected a path, but it is {text[:200]!r}. Write it in full.") from error
    if not inside:
        # Said alike whether it exists or not.
        raise ManifestError(
            f"Expected a path below {within}, where this server imports from, but it is {text[:200]!r}. Choose another."
        )
    if not there:
        raise ManifestError(f"Expected a folder or a table, but {text[:200]} does not exist. Check the path.")
    return actual


def folders_in(folder: Path, *, containing: str = "") -> tuple[list[str], bool]:
    """The names of a folder's sub-folders, sorted, and whether there are more than could be looked through.

    Args:
        folder: Where to look.
        containing: Only those whose names contain this, upper and lower case alike.
    """
    wanted = containing.casefold()
    try:
        with os.scandir(folder) as entries:
            looked_at = list(islice(entries, _MOST_ENTRIES + 1))
        names = [entry.name for entry in looked_at if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return [], False  # may not be read: as good as empty
    names = sorted((name for name in names if wanted in name.casefold()), key=str.casefold)
    return names, len(looked_at) > _MOST_ENTRIES


def browse(now: str, go: Callable[[Path], None], *, key: str) -> None:
    """Draw the sub-folders of where somebody is, to click on.

    Args:
        now: The path as it stands in the box.
        go: Told the folder that is gone to.
        key: Distinguishes this browser from others.
    """
    within = root()
    if within is None:
        return
    try:
        path = allowed(now)
    except ManifestError:
        path = beginning()
    folder = path if path.is_dir() else path.parent
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Up",
            icon=":material/arrow_upward:",
            key=f"{key}:up",
            on_click=go,
            args=(folder.parent,),
            disabled=folder in {within, folder.parent},
        )
        st.markdown(f"Folders in **{literal(str(folder))}**")
        wanted = st.text_input(
            "Find a folder", key=f"{key}:find", placeholder="Find", label_visibility="collapsed", width=160
        )
    names, more = folders_in(folder, containing=wanted)
    if names:
        chosen = f"{key}:in:{folder}"

        def enter() -> None:
            name = st.session_state.get(chosen)
            st.session_state[chosen] = None  # to be clicked on again after coming back
            if name:
                go(folder / name)

        st.pills(
            "Folders",
            names[:SHOWN],
            key=chosen,
            on_change=enter,
            format_func=literal,
            label_visibility="collapsed",
        )
    rest = len(names) - SHOWN
    if rest > 0 or more:
        st.caption(f"And {rest:,} more: find one by its name." if rest > 0 else "There are more than were looked at.")
    elif not names:
        st.caption("No folder in it." if not wanted else "No folder of that name in it.")
