"""Text in the pixels of an upload: looked for as it comes, said beside it, and what a report hides of it.

Owns what is said. What is found stays in the session, and what the text says is known to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import streamlit as st

from pages.parts.frame import rights
from pages.parts.frame.text import message
from pages.parts.retrieval.upload import Upload
from radcbir_core.burned_text.picture_look import Look, header_tells, look_if_installed
from radcbir_core.burned_text.text_detector import what_is_missing
from radcbir_core.collections.text_boxes import MARK, TEXT
from radcbir_core.errors import TextDetectionError
from radcbir_core.images import DecodedImage
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, Query
from radcbir_core.wording import counted

_FOUND: Final = "radcbir:upload-text"
_ONE_AT_A_TIME: Final = Lock()
"""Many uploads are decoded at once, and looked at by one detector."""


@dataclass(frozen=True)
class UploadText:
    """What is known of text in an upload.

    Attributes:
        told: Whether its header says that text is burned in.
        state: As in ``text_boxes``; None where nothing here can look.
        places: At how many places text was found.
        error: Why looking failed; "" where it did not.
    """

    told: bool
    state: int | None
    places: int = 0
    error: str = ""

    @property
    def flagged(self) -> bool:
        """Whether text seems burned in."""
        return self.told or self.state == TEXT


def known(upload: Upload, image: DecodedImage) -> UploadText:
    """What is known of an upload, looked for once."""
    kept: tuple[Any, UploadText] | None = st.session_state.get(_FOUND)
    key = (upload.sha256, image.frame)
    if kept is None or kept[0] != key:
        kept = (key, _looked(upload.data, image.pixels, look_if_installed()))
        st.session_state[_FOUND] = kept
    return kept[1]


def facts_of(upload: Upload, image: DecodedImage) -> list[tuple[str, str]]:
    """The same as a name and a value for a table of facts."""
    found = known(upload, image)
    if found.error:
        return [("text in pixels", found.error)]
    said = ["its header says so"] if found.told else []
    if found.state == TEXT:
        said.append(f"found at {counted(found.places, 'place')}")
    elif found.state is None:
        said.append(what_is_missing() if rights.may("owner") else "not looked for here")
    elif not found.told:
        said.append("a letter or mark" if found.state == MARK else "none found")
    return [("text in pixels", ", ".join(said))]


def warn(upload: Upload, image: DecodedImage) -> None:
    """Say it where text seems burned in, and what becomes of it."""
    found = known(upload, image)
    if not found.flagged:
        return
    hidden = (
        "is painted black in a report" if found.state == TEXT else "cannot be painted black: a report has no picture"
    )
    st.warning(
        message(f"Text seems to be burned into this image. It may name somebody; it {hidden}."), icon=":material/abc:"
    )


def is_flagged(query: Query) -> bool:
    """Whether text seems burned into the upload that a query is, or was made of by a change."""
    kept: tuple[Any, UploadText] | None = st.session_state.get(_FOUND)
    image = query.original if isinstance(query, ChangedQuery) else query
    return kept is not None and isinstance(image, ImageQuery) and image.sha256 == kept[0][0] and kept[1].flagged


def files_told() -> list[str]:
    """SHA-256 of the upload that was looked at last, where its header says that text is burned in."""
    kept: tuple[Any, UploadText] | None = st.session_state.get(_FOUND)
    return [kept[0][0]] if kept is not None and kept[1].told else []


def said_of(content: Path | bytes, pixels: npt.NDArray[np.uint8]) -> str:
    """What is to be said of one upload of many, in a few words; "" where no text seems burned in."""
    with _ONE_AT_A_TIME:
        found = _looked(content, pixels, look_if_installed())
    said = ["its header says so"] if found.told else []
    said += [f"found at {counted(found.places, 'place')}"] if found.state == TEXT else []
    said += [found.error] if found.error else []
    return ", ".join(said)


def not_looked() -> str:
    """Why text was not looked for in the pixels of uploads, in a sentence; "" where it was."""
    if look_if_installed() is not None:
        return ""
    return "Text in their pixels is not looked for here." + (f" {what_is_missing()}" if rights.may("owner") else "")


def _looked(content: Path | bytes, pixels: npt.NDArray[np.uint8], look: Look | None) -> UploadText:
    told = header_tells(content)
    if look is None:
        return UploadText(told, None)
    try:
        state, boxes = look(pixels)
    except TextDetectionError as error:
        return UploadText(told, None, error=str(error))
    return UploadText(told, state, len(boxes))
