"""An uploaded image as query: kept in this session's memory, decoded and embedded when needed.

Owns the upload of the session. Its bytes are never written to disk, never cached for other sessions, and never part
of a URL; they go when the session ends or another file takes their place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import streamlit as st
from PIL import Image

from pages.parts.frame import loaders
from pages.parts.frame.text import literal
from pages.parts.images import asked_last, gallery, why_panel
from pages.parts.images.viewer import image_viewer
from radcbir_core.collections.collection import Collection
from radcbir_core.images import DecodedImage, decode_image
from radcbir_core.importers.datasets.dicom_server import known_instance
from radcbir_core.search.exclusions import FileOfImage
from radcbir_core.search.queries.query import EmbeddedQuery, ImageQuery

_KEPT: Final = "radcbir:upload"
_EMBEDDED: Final = "radcbir:upload-embedding"
_DECODED: Final = "radcbir:upload-decoded"
_WIDGET: Final = "radcbir:upload-widget"


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        name: What the file was called.
        data: Its bytes.
        sha256: Their digest, to leave exact copies out of the hits.
        instance: What a DICOM server calls it; "" where it comes from no server. It is shown nowhere.
    """

    name: str
    data: bytes
    sha256: str
    instance: str = field(default="", repr=False)


def ask() -> Upload | None:
    """Draw the uploader; the file uploaded last in this session, or None."""
    number = st.session_state.setdefault(_WIDGET, 0)
    file = st.file_uploader(
        "Upload an image (PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI)",
        key=f"{_WIDGET}:{number}",
        label_visibility="collapsed",
    )
    if file is not None:
        data = file.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        kept = st.session_state.get(_KEPT)
        if kept is None or kept.sha256 != digest or kept.name != file.name:
            st.session_state[_KEPT] = Upload(file.name, data, digest)
            why_panel.forget_outside()
            image_viewer.forget_file()
    kept = st.session_state.get(_KEPT)
    if kept is not None and file is None:
        # The uploader forgets its file on a page switch, the session does not.
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Still here: {literal(kept.name)}")
            st.button("Remove", on_click=_forget, type="tertiary")
    return kept


def take(name: str, data: bytes) -> None:
    """Make a file that is in memory already the upload of the session; a callback."""
    _forget()
    st.session_state[_KEPT] = Upload(name, data, hashlib.sha256(data).hexdigest())


def decode(upload: Upload) -> DecodedImage:
    """The decoded upload; for a multi-frame file draws the choice of a frame.

    Raises:
        ImageError: It cannot be decoded.
    """
    first = _decoded(upload, None)
    if first.frames <= 1:
        return first
    middle = (first.frame or 0) + 1
    kind = "Slice" if first.format == "NIFTI" else "Frame"
    chosen = st.slider(kind, 1, first.frames, middle, key=f"radcbir:upload-frame:{upload.sha256[:16]}")
    return first if chosen == middle else _decoded(upload, chosen - 1)


def embed(upload: Upload, image: DecodedImage, collection: Collection, encoder_id: str) -> EmbeddedQuery:
    """The decoded upload as a query.

    Raises:
        EncoderError: The encoder cannot be loaded here.
        StaleError: The encoder here is another version than the one that made the collection's embeddings.
    """
    key = (upload.sha256, image.frame, collection.name, encoder_id, loaders.encoder_key(collection, encoder_id).record)
    kept: tuple[Any, EmbeddedQuery] | None = st.session_state.get(_EMBEDDED)
    if kept is not None and kept[0] == key:
        return kept[1]
    loaders.encoder(collection, encoder_id)  # here it is said that it is being loaded
    query = loaders.retriever(collection, encoder_id).embed(ImageQuery.of_decoded(image, upload.sha256))
    st.session_state[_EMBEDDED] = (key, query)
    return query


def same_file(upload: Upload, image: DecodedImage, collection: Collection) -> str | None:
    """The image_id of the first image of the collection whose file (and frame of it) is the very same, or None.

    What comes from a DICOM server is also known where the collection has that instance, whose file lacks identifiers.
    """
    if upload.instance and (known := known_instance(collection, upload.instance)):
        return known
    rows = FileOfImage(upload.sha256, image.frame, image.frames).images(collection)
    return collection.manifest.image_id(int(rows[0])) if len(rows) else None


def preview(image: DecodedImage) -> bytes:
    """The upload at a size to look at beside others (at most 720 px), as PNG."""
    small = Image.fromarray(image.pixels)
    small.thumbnail((720, 720))
    return gallery.png(np.asarray(small))


def _decoded(upload: Upload, frame: int | None) -> DecodedImage:
    kept: tuple[Any, DecodedImage] | None = st.session_state.get(f"{_DECODED}:{frame is None}")
    if kept is not None and kept[0] == (upload.sha256, frame):
        return kept[1]
    image = decode_image(upload.data, name=upload.name, frame=frame)
    st.session_state[f"{_DECODED}:{frame is None}"] = ((upload.sha256, frame), image)
    return image


def _forget() -> None:
    for name in (_KEPT, _EMBEDDED, f"{_DECODED}:True", f"{_DECODED}:False"):
        st.session_state.pop(name, None)
    why_panel.forget_outside()
    image_viewer.forget_file()
    asked_last.forget()
    st.session_state[_WIDGET] = st.session_state.get(_WIDGET, 0) + 1
