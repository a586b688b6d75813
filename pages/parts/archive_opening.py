"""Opening a collection that was exported as one ZIP file: uploaded, or by its path on the server.

Owns the one job of this server process that opens an archive of a data folder, and how it is asked for. What an archive
may hold is the core's business. An upload is written into a temporary folder until it is opened, and removed then.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from pages.parts import megabytes, shell, starting, wizard_folders
from pages.parts.text import literal
from radcbir_core.archive import is_archive, open_archive
from radcbir_core.collection import check_name, data_folder, refuse_existing
from radcbir_core.errors import ArchiveError
from radcbir_core.progress import Progress
from radcbir_core.storage import disk_errors

_SHOWN: Final = "radcbir:archive-shown"
_WAYS: Final = ("Upload", "On this server")

_jobs: dict[str, starting.Job] = {}
_opened: dict[str, str] = {}
_lock = threading.Lock()


def draw() -> None:
    """Draw the button that asks for an archive, the questions, or how far the opening is."""
    place = str(data_folder())
    with _lock:
        job = _jobs.get(place)
    if job is not None and job.status.state == "running":
        megabytes.bar(job, "Opening the archive")
        return
    if job is not None:
        _say_end(place, job)
    if not st.session_state.get(_SHOWN):
        st.button("Open an exported collection", icon=":material/unarchive:", on_click=_show, key="radcbir:archive")
        return
    with st.container(border=True):
        _ask(place)


def _show() -> None:
    st.session_state[_SHOWN] = True


def _hide() -> None:
    st.session_state[_SHOWN] = False


def _say_end(place: str, job: starting.Job) -> None:
    """How the last opening ended, once."""
    with _lock:
        _jobs.pop(place, None)
        name = _opened.pop(place, "")
    if job.status.state == "failed":
        shell.show_error(job.status.error)
    elif job.status.state == "stopped":
        st.info("The opening was stopped, and nothing of it is left.", icon=":material/stop:")
    else:
        st.success(f"**{literal(name)}** was opened, and is in the list below.", icon=":material/check:")


def _ask(place: str) -> None:
    largest = int(st.get_option("server.maxUploadSize"))
    way = st.segmented_control(
        "The archive", _WAYS, default=_WAYS[0], key="radcbir:archive-way", required=True, label_visibility="collapsed"
    )
    st.caption(
        f"A ZIP file that Export or `export NAME --zip FILE` has written. At most {largest} MB are uploaded; a larger "
        "one is opened by its path on the server. Open archives only of people you trust."
    )
    upload, text = None, ""
    if way == _WAYS[0]:
        upload = st.file_uploader("Archive", type=["zip"], key="radcbir:archive-upload", label_visibility="collapsed")
    else:
        text = st.text_input("Path of the archive", key="radcbir:archive-path", placeholder="/data/mine.zip")
    name = st.text_input(
        "Name", key="radcbir:archive-name", placeholder="as in the archive", max_chars=64, width=320
    ).strip()
    with st.container(horizontal=True, gap="small"):
        wanted = st.button(
            "Open it",
            icon=":material/unarchive:",
            type="primary",
            key="radcbir:archive-open",
            disabled=upload is None and not text.strip(),
        )
        st.button("Close", icon=":material/close:", type="tertiary", on_click=_hide, key="radcbir:archive-close")
    if not wanted:
        return
    with shell.errors_shown():
        if name:
            refuse_existing(check_name(name))
        if upload is not None:
            path, temporary = _kept(upload), True
        else:
            path, temporary = wizard_folders.allowed(text), False
        if not is_archive(path):
            if temporary:
                shutil.rmtree(path.parent, ignore_errors=True)
            called = upload.name if upload is not None else text.strip()
            raise ArchiveError(
                f"Expected an exported collection, but {called} is none. Import a ZIP of images above instead."
            )
        _begin(place, path, name or None, temporary=temporary)
        _hide()
        st.rerun()


def _kept(upload: Any) -> Path:
    """An upload as a file of its own; its folder is removed once it is opened."""
    with disk_errors(data_folder()):
        data_folder().mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".opening-", dir=data_folder()))
        path = folder / "upload.zip"
        upload.seek(0)
        with path.open("wb") as handle:
            shutil.copyfileobj(upload, handle)
        return path


def _begin(place: str, path: Path, name: str | None, *, temporary: bool) -> None:
    with _lock:
        found = _jobs.get(place)
        if found is None or found.status.state != "running":
            make = partial(_open, place, path, name, temporary)
            _jobs[place] = starting.Job(make, what=f"The collection in {path.name}")


def _open(place: str, path: Path, name: str | None, temporary: bool, *, progress: Progress) -> None:  # noqa: FBT001 - by partial
    try:
        collection = open_archive(path, name, progress=progress)
    finally:
        if temporary:
            shutil.rmtree(path.parent, ignore_errors=True)
    with _lock:
        _opened[place] = collection.name
