"""Text in the pixels of a collection's images: what is known, looking for it, and painting it black in thumbnails.

Owns these words and buttons. The work itself runs in a job; what it has found is listed among the problems.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import loaders, rights
from pages.parts.jobs import controls
from radcbir_core import jobs
from radcbir_core.burned_text.text_detector import is_installed, what_is_missing
from radcbir_core.collections.changes import images_found
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.text_boxes import FAILED, FILTER, MARK, TEXT, WORDS, BurnedText
from radcbir_core.errors import RadcbirError
from radcbir_core.jobs.kinds import collection_place
from radcbir_core.jobs.kinds.find_burned_text import FindBurnedText, Wish
from radcbir_core.wording import counted

_ACTIONS: Final[dict[Wish, str]] = {
    "find": "find burned-in text",
    "black-out": "black out burned-in text",
    "show": "show burned-in text",
}
_ERROR: Final = "radcbir:burned-error"


def draw(collection: Collection) -> None:
    """Draw what is known, and what can be done about it for whoever may."""
    burned = loaders.burned_text(collection)
    st.html('<h4 class="radcbir-part">Text in pixels</h4>')
    st.caption(" ".join(said(collection, burned)))
    if (error := st.session_state.pop(_ERROR, None)) is not None:
        st.error(error, icon=":material/error:")
    if collection.encoder_ids() and burned.flagged.any():
        where = {"collection": collection.name, "view": "browse", f"of_{FILTER}": WORDS[TEXT]}
        st.page_link("pages/retrieval.py", label="See these images", icon=":material/grid_view:", query_params=where)
    if not controls.may_begin(FindBurnedText.kind) or jobs.at_work_at(collection_place(collection.name)) is not None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if is_installed() and burned.unseen and _has_images(collection):
            _button(collection, "find", f"Look for text in {counted(burned.unseen, 'image')}", ":material/search:")
        if not collection.blacks_out and _hidden(burned):
            _button(collection, "black-out", "Paint it black in the thumbnails", ":material/format_ink_highlighter:")
        elif collection.blacks_out:
            _button(collection, "show", "Show it in the thumbnails again", ":material/visibility:")
    if not is_installed() and burned.unseen and rights.may("owner"):
        st.caption(what_is_missing())


def said(collection: Collection, burned: BurnedText) -> list[str]:
    """What is known, a sentence each."""
    flagged, told = int(burned.flagged.sum()), int(burned.told.sum())
    marks, failed = (int((burned.found.states == state).sum()) for state in (MARK, FAILED))
    sentences = []
    if burned.unseen < len(collection) or told:
        sentences.append(f"Text seems burned into {counted(flagged, 'image')}; of {told:,} the header says so.")
    if burned.unseen < len(collection):
        sentences.append(f"A letter or mark alone is in {counted(marks, 'image')}, which is no text.")
    if burned.unseen:
        sentences.append(f"Not looked at: {counted(burned.unseen, 'image')}.")
    if failed:
        sentences.append(f"Could not be read: {counted(failed, 'image')}.")
    if collection.blacks_out:
        sentences.append("In the thumbnails it is painted black; the large view shows the image as it is.")
    return sentences


def _hidden(burned: BurnedText) -> bool:
    """Whether there is anything to paint black."""
    return any(len(burned.hidden(int(row))) for row in burned.flagged.nonzero()[0])


def _has_images(collection: Collection) -> bool:
    return not collection.without_images or images_found(collection)[0] > 0


def _button(collection: Collection, wish: Wish, label: str, icon: str) -> None:
    st.button(label, key=f"radcbir:burned-{wish}", icon=icon, on_click=_begin, args=(collection.name, wish))


def _begin(name: str, wish: Wish) -> None:
    try:
        controls.begin(FindBurnedText(name, wish), action=_ACTIONS[wish])
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
