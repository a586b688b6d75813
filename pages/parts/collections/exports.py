"""Exports of a collection: small ones for the browser, large ones into a folder on the server, with progress.

Owns how exports and the folder of exports are shown. What the files hold is the core's business; writing one on the
server is a job, which goes on when a person turns to another page, and whose file is whole or not there.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Final, Literal

import streamlit as st

from pages.parts.collections.sizes import said
from pages.parts.frame import loaders, rights, shell
from pages.parts.frame.text import literal
from pages.parts.jobs import controls
from radcbir_core.collections.archive.archive_writer import DICOM_NOTE
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.export import csv_bytes_about
from radcbir_core.jobs import at_work_at
from radcbir_core.jobs.kinds.export_file import ExportFile, exports_folder

DOWNLOADED: Final = 50_000_000
"""Up to so many bytes, an export is made for the browser at once; above, it is written on the server."""
HANDED_OUT: Final = 200_000_000
"""Up to so many bytes, a file on the server is offered to the browser: it is held in memory meanwhile."""


def draw(collection: Collection) -> None:
    """Draw what can be exported, and what has been; what is being written is in the list of jobs above."""
    manifest, embeddings, archive = st.columns(3, gap="medium")
    with manifest, shell.errors_shown():
        _manifest(collection)
    with embeddings, shell.errors_shown():
        _embeddings(collection)
    with archive, shell.errors_shown():
        _archive(collection)
    _written(collection)


def _manifest(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">The table of images</h4>')
    kind = st.segmented_control(
        "Form of the table", ["CSV", "Parquet"], default="CSV", key="radcbir:export-manifest", required=True
    )
    about = csv_bytes_about(collection) if kind == "CSV" else collection.manifest_path.stat().st_size
    st.caption(
        "All columns word for word, several pathologies with `|` between them. An import takes it again: "
        "`import FILE --name NAME --image-root FOLDER`. It is for programs: a spreadsheet may take a cell that begins "
        "with = for a formula."
        if kind == "CSV"
        else "The very table of the collection; pathologies is a list."
    )
    _offer(
        ExportFile(collection.name, "manifest", f".{str(kind).lower()}"),
        size=about,
        about=kind == "CSV",
        mime="text/csv" if kind == "CSV" else "application/vnd.apache.parquet",
    )


def _embeddings(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">Embeddings</h4>')
    ids = collection.encoder_ids()
    if not ids:
        st.caption("No encoder is built yet.")
        return
    kind = st.segmented_control(
        "Form of the embeddings", [".npy", ".parquet"], default=".npy", key="radcbir:export-form", required=True
    )
    encoder_id = st.selectbox("Encoder", ids, key="radcbir:export-encoder")
    if encoder_id not in ids:
        return
    store = collection.store(encoder_id)
    size = store.embeddings_path.stat().st_size if store.embeddings_path.is_file() else 0
    st.caption(
        "The array as it is, N by D, unit norm; row by row the table of images. Written on the server, that table "
        "stands beside it."
        if kind == ".npy"
        else "image_id and embedding, a list of D numbers; null where an image has none."
    )
    _offer(
        ExportFile(collection.name, "embeddings", str(kind), encoder_id=encoder_id),
        size=size,
        about=kind == ".parquet",
        mime="application/octet-stream",
        both=kind == ".npy",
    )


def _archive(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">All of it, for another machine</h4>')
    own = collection.image_root.is_relative_to(collection.folder)
    room = loaders.sizes(collection)
    with_images = st.checkbox(
        "With the image files", value=own, key=f"radcbir:export-images-{collection.name}", help=DICOM_NOTE
    )
    st.caption(
        f"One ZIP file, about {said(room.total - room.parts['images'])} without images: table, thumbnails, problems, "
        "and all that encoders have made, with a SHA-256 of each. "
        "`import FILE.zip` opens it. Private files, such as the salt of pseudonyms, stay here."
        + (f" {DICOM_NOTE}" if with_images else " Without the image files, it opens with thumbnails.")
    )
    _button_to_write(ExportFile(collection.name, "archive", ".zip", with_images=with_images), kind="primary")


def _offer(request: ExportFile, *, size: int, about: bool, mime: str, both: bool = False) -> None:
    """A download of what is small, and a button that writes on the server what is not, or what has two files."""
    small = size <= DOWNLOADED
    with st.container(horizontal=True, gap="small"):
        if small:
            st.download_button(
                f"Download, {'about ' if about else ''}{said(size)}",
                rights.handing_out("owner", f"download {request.file}", request.name, partial(_made, request)),
                file_name=request.file,
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"radcbir:download-{request.file}",
            )
        if both or not small:
            _button_to_write(request, kind="secondary" if small else "primary")


def _button_to_write(request: ExportFile, *, kind: Literal["primary", "secondary"]) -> None:
    at_work = at_work_at(request.place) is not None
    controls.button(
        "Being written, see above" if at_work else "Write on the server",
        partial(controls.begin, request, action=f"export {request.file}"),
        key=f"radcbir:write-{request.file}",
        icon=":material/save:",
        type=kind,
        disabled=at_work,
        help=f"Into {literal(str(exports_folder()))}",
    )


def _made(request: ExportFile) -> bytes:
    """A small export as bytes, by way of a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / request.file
        request.write(path)
        return path.read_bytes()


def _written(collection: Collection) -> None:
    """The files in the folder of exports, with those of this collection first."""
    folder = exports_folder()
    files = (
        [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        if folder.is_dir()
        else []
    )
    if not files:
        return
    st.html('<h4 class="radcbir-part">Written on the server</h4>')
    st.caption(f"In {literal(str(folder))}. Up to {said(HANDED_OUT)}, a file can be downloaded here.")
    mine = sorted(files, key=lambda path: (not path.name.startswith(collection.name), path.name))
    for path in mine:
        size = path.stat().st_size
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"{literal(path.name)} :gray[{said(size)}]", width="stretch")
            if size <= HANDED_OUT:
                st.download_button(
                    "Download",
                    rights.handing_out("owner", "download export", path.name, path.read_bytes),
                    file_name=path.name,
                    mime="application/octet-stream",
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"radcbir:get-{path.name}",
                )
            controls.button(
                "Delete", partial(_delete, path), icon=":material/delete:", key=f"radcbir:delete-{path.name}"
            )


def _delete(path: Path) -> None:
    rights.do("owner", "delete export", path.name, lambda: path.unlink(missing_ok=True))
