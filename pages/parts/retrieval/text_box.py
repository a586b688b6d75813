"""A sentence as query: the box, examples to click, and what to do where the encoder cannot read.

Owns the sentence of the session; how it is read is said by sentence_panel.py. The URL holds it, up to
``LINK_CHARACTERS``; a longer one is kept whole in the session, so that it can be said how much of it counts.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import embedded_texts
from pages.parts.images.embedded_texts import LINK_CHARACTERS
from pages.parts.retrieval import sentence_panel, sentences
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import EncoderError
from radcbir_core.search.language.sentence_query import EmbeddedSentence
from radcbir_core.search.queries.text import check_text_tower, text_encoders

_BOX: Final = "radcbir:text"
_WHOLE: Final = "radcbir:text-whole"


def ask(collection: Collection, encoder_id: str) -> str | None:
    """Draw the box and the examples; the sentence to search with, or None where there is none.

    Where the encoder has no text tower, the box is left out and :func:`explain` says why.
    """
    if encoder_id not in text_encoders(collection):
        return None
    text = state.get("text")
    whole = st.session_state.get(_WHOLE, "")
    if text is not None and text == whole[:LINK_CHARACTERS]:
        text = whole
    st.session_state[_BOX] = text or ""
    st.text_input(
        "What the images should show",
        key=_BOX,
        placeholder="in words, then Enter",
        on_change=lambda: use_text(st.session_state[_BOX]),
    )
    if text is not None:
        with shell.errors_shown():
            sentence_panel.draw(embedded_texts.reading_of(collection, text, sentence_panel.choices()))
    st.caption("For example:")
    with st.container(gap="xxsmall", key="radcbir-examples"):
        for example in sentences.example_texts(collection):
            st.button(literal(example), key=f"{_BOX}:{example}", type="tertiary", on_click=use_text, args=(example,))
    return text


def use_text(text: str) -> None:
    """Make a sentence the query; a callback, so that the run after it shows its hits."""
    st.session_state[_WHOLE] = text
    # How the words of another sentence are read means nothing for this one.
    state.update(text=text[:LINK_CHARACTERS], source=None if text else "text", image=None, view=None, read=None)


def ask_back(opened: Opened, text: str) -> st.delta_generator.DeltaGenerator:
    """Draw what is asked back of a sentence; where it is judged once its hits are there.

    Raises:
        QueryError: It is no sentence.
    """
    sentence_panel.ask_back(embedded_texts.reading_of(opened.collection, text, sentence_panel.choices()))
    return st.empty()


def embedded(opened: Opened, text: str) -> EmbeddedSentence:
    """The sentence as it is to be searched with.

    Raises:
        QueryError: It is no sentence.
        EncoderError: The encoder has no text tower, or cannot be loaded here.
        StaleError: The encoder here is another version than the one that made the collection's embeddings.
    """
    return embedded_texts.text_query(
        opened.collection,
        opened.encoder_id,
        text,
        choices=sentence_panel.choices(),
        several=sentence_panel.asks_several(),
    )


def explain(collection: Collection, encoder_id: str) -> None:
    """Draw what stands in the place of hits while there is no sentence: what to do, or why none can be asked for."""
    try:
        check_text_tower(collection.store(encoder_id))
    except EncoderError:
        _offer_others(collection, encoder_id)
        return
    st.info(
        "Describe on the left what the images should show, in a radiologist's words: the kind of image, the part of "
        "the body, the finding. Or click an example.",
        icon=":material/edit_note:",
    )


def _offer_others(collection: Collection, encoder_id: str) -> None:
    reason = f"The encoder **{literal(encoder_id)}** has no text tower: it compares images only. "
    able = text_encoders(collection)
    if not able:
        shell.say_command(
            reason + "To search by text, build one that has, then choose it in the sidebar.",
            *("build", collection.name, "--encoder", "radcbir-mini"),
        )
        return
    st.info(reason + "To search by text, choose another in the sidebar.", icon=":material/edit_off:")
    for other in able:
        st.button(f"Use {literal(other)}", key=f"{_BOX}:use:{other}", on_click=state.update, kwargs={"encoder": other})
