"""Several files uploaded at once, or a ZIP archive of images: kept in this session's memory, each a query.

Owns the batch of the session: the uploader, which files are in it, and how far they are. Like a single upload its bytes
are never written to disk, never cached for other sessions, and never part of a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st
from streamlit import config

from pages.parts.frame.text import message
from radcbir_core.batch.batch_search import AskedFile
from radcbir_core.batch.query_files import QueryFiles, files_of
from radcbir_core.errors import QueryError
from radcbir_core.unpacking import ZipLimits
from radcbir_core.wording import counted

MOST_FILES: Final = 2_000
"""The table of more is the command's to write, which reads from a disk."""

_KEPT: Final = "radcbir:batch"
_WIDGET: Final = "radcbir:batch-widget"


@dataclass(eq=False)
class Batch:
    """What was uploaded together, and how far it is.

    Attributes:
        ids: Of the uploads, to tell whether they are still the same.
        files: Each a query.
        made_with: The collection and the encoder, as they were.
        asked: The files that have had their turn.
        stopped: Whether somebody has stopped it.
    """

    ids: tuple[str, ...]
    files: QueryFiles
    made_with: tuple[Any, ...] = ()
    asked: list[AskedFile] = field(default_factory=list)
    stopped: bool = False

    @property
    def is_done(self) -> bool:
        """Whether every file has had its turn."""
        return len(self.asked) == len(self.files.files)


def ask() -> Batch | None:
    """Draw the uploader; the batch uploaded last in this session, or None.

    Raises:
        ArchiveError: An archive is damaged, or must not be read.
        QueryError: There are no images, or too many.
    """
    number = st.session_state.setdefault(_WIDGET, 0)
    uploaded = st.file_uploader(
        "Upload several images, or a ZIP archive of images",
        accept_multiple_files=True,
        key=f"{_WIDGET}:{number}",
        label_visibility="collapsed",
    )
    kept: Batch | None = st.session_state.get(_KEPT)
    ids = tuple(file.file_id for file in uploaded)
    if ids and (kept is None or kept.ids != ids):
        st.session_state.pop(_KEPT, None)
        st.session_state[_KEPT] = kept = Batch(ids, _files_of([(file.name, file.getvalue()) for file in uploaded]))
    if kept is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{counted(len(kept.files.files), 'image')} in this session's memory; never on a disk.")
            st.button("Remove", on_click=_forget, type="tertiary")
        for note in kept.files.notes:
            st.caption(message(note))
    return kept


def kept_batch() -> Batch | None:
    """The batch of this session."""
    batch: Batch | None = st.session_state.get(_KEPT)
    return batch


def _files_of(contents: Sequence[tuple[str, bytes]]) -> QueryFiles:
    # An archive's member may be as large as an upload that comes alone.
    largest = int(config.get_option("server.maxUploadSize")) * 1024 * 1024
    found = files_of(contents, limits=ZipLimits(files=10 * MOST_FILES, file_bytes=largest))
    if len(found.files) > MOST_FILES:
        raise QueryError(
            f"Expected at most {MOST_FILES:,} images at once, but there are {len(found.files):,}. Upload fewer, or "
            "search with all of them from a terminal."
        )
    return found


def _forget() -> None:
    st.session_state.pop(_KEPT, None)
    st.session_state[_WIDGET] += 1
