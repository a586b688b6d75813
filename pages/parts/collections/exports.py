"""Exports of a collection: small ones for the browser, large ones into a folder on the server, with progress.

Owns the jobs of this server process that write exports, the folder they write into, and how both are shown. What the
files hold is the core's business. A job is a thread: it goes on when a person turns to another page, and what it had
written is removed when it is stopped.
"""

from __future__ import annotations

import glob
import os
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from pages.parts.collections.sizes import said
from pages.parts.frame import loaders, shell
from pages.parts.frame.text import literal
from pages.parts.jobs import byte_progress, first_start
from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.archive.writing import DICOM_NOTE
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.export import Exported, csv_bytes_about, export_manifest
from radcbir_core.collections.layout import data_folder
from radcbir_core.progress import Progress
from radcbir_core.search.embeddings_export import export_embeddings

DOWNLOADED: Final = 50_000_000
"""Up to so many bytes, an export is made for the browser at once; above, it is written on the server."""
HANDED_OUT: Final = 200_000_000
"""Up to so many bytes, a file on the server is offered to the browser: it is held in memory meanwhile."""

_jobs: dict[tuple[str, str], first_start.Job] = {}
_lock = threading.Lock()


def exports_folder() -> Path:
    """Where exports are written on the server."""
    return data_folder() / "exports"


def working_on(name: str) -> bool:
    """Whether an export of this collection is being written."""
    with _lock:
        return any(
            place[0] == str(data_folder()) and place[1].startswith(f"{name}/") and job.status.state == "running"
            for place, job in _jobs.items()
        )


def draw(collection: Collection) -> None:
    """Draw what can be exported, what is being written, and what has been."""
    manifest, embeddings, archive = st.columns(3, gap="medium")
    with manifest, shell.errors_shown():
        _manifest(collection)
    with embeddings, shell.errors_shown():
        _embeddings(collection)
    with archive, shell.errors_shown():
        _archive(collection)
    _running(collection)
    _written(collection)


def _manifest(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">The table of images</h4>')
    kind = st.segmented_control(
        "Form of the table", ["CSV", "Parquet"], default="CSV", key="radcbir:export-manifest", required=True
    )
    suffix = f".{str(kind).lower()}"
    file = f"{collection.name}-manifest{suffix}"
    about = csv_bytes_about(collection) if kind == "CSV" else collection.manifest_path.stat().st_size
    st.caption(
        "All columns word for word, several pathologies with `|` between them. An import takes it again: "
        "`import FILE --name NAME --image-root FOLDER`. It is for programs: a spreadsheet may take a cell that begins "
        "with = for a formula."
        if kind == "CSV"
        else "The very table of the collection; pathologies is a list."
    )
    _offer(
        collection,
        file,
        partial(_write_manifest, collection.name),
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
    file = f"{collection.name}-{encoder_id}{kind}"
    _offer(
        collection,
        file,
        partial(_write_embeddings, collection.name, encoder_id),
        size=size,
        about=kind == ".parquet",
        mime="application/octet-stream",
        both=kind == ".npy",
    )


def _archive(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">All of it, for another machine</h4>')
    own = collection.image_root.is_relative_to(collection.folder)
    found = loaders.sizes(collection)
    with_images = st.checkbox(
        "With the image files", value=own, key=f"radcbir:export-images-{collection.name}", help=DICOM_NOTE
    )
    st.caption(
        f"One ZIP file, about {said(found.total - found.parts['images'])} without images: table, thumbnails, problems, "
        "and all that encoders have made, with a SHA-256 of each. "
        "`import FILE.zip` opens it. Private files, such as the salt of pseudonyms, stay here."
        + (f" {DICOM_NOTE}" if with_images else " Without the image files, it opens with thumbnails.")
    )
    file = f"{collection.name}-with-images.zip" if with_images else f"{collection.name}.zip"
    _button_to_write(collection, file, partial(_write_zip, collection.name, with_images), primary=True)


def _offer(
    collection: Collection,
    file: str,
    write: Callable[..., Exported],
    *,
    size: int,
    about: bool,
    mime: str,
    both: bool = False,
) -> None:
    """A download of what is small, and a button that writes on the server what is not, or what has two files."""
    small = size <= DOWNLOADED
    with st.container(horizontal=True, gap="small"):
        if small:
            st.download_button(
                f"Download, {'about ' if about else ''}{said(size)}",
                partial(_made, write, file),
                file_name=file,
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"radcbir:download-{file}",
            )
        if both or not small:
            _button_to_write(collection, file, write, primary=not small)


def _button_to_write(collection: Collection, file: str, write: Callable[..., Exported], *, primary: bool) -> None:
    job = _jobs.get(_place(collection.name, file))
    st.button(
        "Write on the server",
        key=f"radcbir:write-{file}",
        icon=":material/save:",
        type="primary" if primary else "secondary",
        disabled=job is not None and job.status.state == "running",
        on_click=_begin,
        args=(collection.name, file, write),
        help=f"Into {exports_folder()}",
    )


def _place(name: str, file: str) -> tuple[str, str]:
    return str(data_folder()), f"{name}/{file}"


def _begin(name: str, file: str, write: Callable[..., Exported]) -> None:
    with _lock:
        found = _jobs.get(_place(name, file))
        if found is None or found.status.state != "running":
            target = exports_folder() / file
            _remove_left_behind(target)
            _jobs[_place(name, file)] = first_start.Job(partial(write, target), what=f"The export {file}")


def _remove_left_behind(target: Path) -> None:
    """Remove what a killed server had written of the same file; what a living process is writing stays."""
    for path in target.parent.glob(f".partial-*-{glob.escape(target.name)}"):
        number = path.name.split("-")[1]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue  # somebody else's process, or another file


def _made(write: Callable[..., Exported], file: str) -> bytes:
    """A small export as bytes, by way of a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        write(path)
        return path.read_bytes()


def _write_manifest(name: str, path: Path, **told: Progress) -> Exported:
    return export_manifest(open_collection(name), path, **told)


def _write_embeddings(name: str, encoder_id: str, path: Path, **told: Progress) -> Exported:
    return export_embeddings(open_collection(name).store(encoder_id), path, **told)


def _write_zip(name: str, with_images: bool, path: Path, **told: Progress) -> Exported:  # noqa: FBT001 - bound by partial
    return write_archive(open_collection(name), path, images=with_images, **told)


def _running(collection: Collection) -> None:
    """The exports of this collection that are being written, or ended otherwise than well."""
    with _lock:
        mine = {
            place: job
            for place, job in _jobs.items()
            if place[0] == str(data_folder()) and place[1].startswith(f"{collection.name}/")
        }
    for place, job in mine.items():
        file = place[1].partition("/")[2]
        if job.status.state == "running":
            byte_progress.bar(job, file)
        elif job.status.state == "failed":
            shell.show_error(f"{file} could not be written. {job.status.error}")


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
                    path.read_bytes,
                    file_name=path.name,
                    mime="application/octet-stream",
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"radcbir:get-{path.name}",
                )
            st.button(
                "Delete",
                icon=":material/delete:",
                key=f"radcbir:delete-{path.name}",
                on_click=_delete,
                args=(path,),
            )


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
