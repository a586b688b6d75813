"""First step of the import: where the images are.

Owns the choice between a path on the server, an upload and a DICOM server. Which folders may be named is
server_folders.py's business, which servers dicom_source.py's, what may be unpacked ``radcbir_core.importers``'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.parts.collections.wizard import dicom_source, server_folders
from pages.parts.collections.wizard.draft import ARCHIVE, Draft, again
from pages.parts.frame import rights, shell
from pages.parts.frame.server_paths import IMPORT_ROOT
from pages.parts.frame.text import literal
from radcbir_core.collections.archive import is_archive
from radcbir_core.importers.formats import detect, reason_for
from radcbir_core.importers.uploads.kept_uploads import TABLES, VECTORS, Upload, keep_upload, remove_unused
from radcbir_core.jobs import Request, list_jobs
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.wording import counted

SERVER: Final = "A folder or table on the server"
UPLOAD: Final = "Upload a table or a ZIP"
DICOM: Final = "A DICOM server"


def draw(draft: Draft) -> None:
    """Draw the step."""
    may_browse = server_folders.root() is not None
    ways = [*([SERVER] if may_browse else []), UPLOAD, *([DICOM] if dicom_source.is_offered() else [])]
    key = draft.key("source way", ways[0], options=ways)
    way = draft.keep(
        "source way", st.segmented_control("Where are the images?", ways, key=key, label_visibility="collapsed")
    )
    if not may_browse:
        st.caption(
            "This server can be reached from other machines, so its own folders are not offered. Whoever runs it can "
            f"set `{IMPORT_ROOT}` to a folder that may be imported from."
        )
    {SERVER: _server, UPLOAD: _upload, DICOM: dicom_source.draw}[way or ways[0]](draft)


def _server(draft: Draft) -> None:
    key = draft.key("source path", str(server_folders.beginning()))
    text = draft.keep(
        "source path",
        st.text_input(
            "Folder, table (CSV, Parquet, .npz, DICOMDIR), or archive of a collection",
            key=key,
            help="A folder of images, of DICOM files, or with a manifest.csv; or the path of a table. Nothing is "
            "copied: the images stay where they are.",
        ),
    )

    def go(folder: Path) -> None:
        st.session_state[key] = draft.values["source path"] = str(folder)

    server_folders.browse(text, go, key="radcbir:wizard-browser")
    if st.button("Next", type="primary", icon=":material/arrow_forward:", icon_position="right"):
        with shell.errors_shown():
            path = server_folders.allowed(text)
            with st.spinner("Looking what this is…"):
                recognized = _look_into(path)
            draft.choose([path], str(path), recognized=recognized)
            again()


def _upload(draft: Draft) -> None:
    largest = int(st.get_option("server.maxUploadSize"))
    st.caption(
        f"At most {largest} MB a file; larger sources are imported by their path on the server. A ZIP holds images, "
        "and beside them a table (`manifest.csv` with a column `path`) or folders named modality/anatomy/pathology. A "
        "table alone names images that are on the server already. An archive of a collection is opened as it is. What "
        "is uploaded is kept in the data folder of this server, because the collection reads its images from there; "
        "what no collection uses is removed after a day."
    )
    files = st.file_uploader(
        "Table or ZIP",
        type=["zip", *(ending.rsplit(".", 1)[-1] for ending in (*TABLES, *VECTORS))],
        accept_multiple_files=True,
        key="radcbir:wizard:upload",
        label_visibility="collapsed",
    )
    if not st.button(
        "Next", type="primary", icon=":material/arrow_forward:", icon_position="right", disabled=not files
    ):
        return
    with shell.errors_shown():
        kept = _keep(files)
        recognized = _recognized(kept.paths)
        called = f"the upload {', '.join(file.name for file in files)} ({counted(kept.files, 'file')})"
        draft.choose(kept.paths, called, recognized=recognized, notes=kept.notes)
        again()


def _look_into(path: Path) -> tuple[str, str]:
    return rights.do("owner", "look into", str(path), lambda: _recognized([path]))


def _keep(files: Sequence[UploadedFile]) -> Upload:
    """Put files that were uploaded into the data folder, and remove those there that nothing uses."""
    bar = st.progress(0.0, text="Reading the upload…")

    def told(step: str, done: int, total: int) -> None:  # noqa: ARG001 - there is one step
        bar.progress(done / total if total else 1.0, text=f"Unpacking · {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def keep() -> Upload:
        remove_unused(path for job in list_jobs() if job.name for path in _paths_of(job.request))
        return keep_upload([(file.name, file) for file in files], stays_packed=is_archive, progress=told)

    try:
        return rights.do("owner", "upload", ", ".join(file.name for file in files), keep)
    finally:
        bar.empty()


def _recognized(paths: Sequence[Path]) -> tuple[str, str]:
    """The format of a source, and what it was recognized by."""
    if len(paths) == 1 and is_archive(paths[0]):
        return ARCHIVE, "its collection.json"
    formats = [detect(path) for path in paths]
    if len(paths) > 1 and any(path.name.lower().endswith(VECTORS) for path in paths):
        return "embeddings", "a file of vectors and a table"
    return formats[0].name, reason_for(paths[0], formats[0])


def _paths_of(request: Request) -> list[Path]:
    """What a job reads."""
    if not isinstance(request, ImportAndBuild):
        return []
    paths = list(request.imports.paths) if request.imports is not None else []
    return [*paths, *([request.archive] if request.archive is not None else [])]


def say_notes(draft: Draft) -> None:
    """Say what is to be said of the upload."""
    for note in draft.notes:
        st.caption(literal(note))
