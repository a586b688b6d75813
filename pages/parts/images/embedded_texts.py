"""Sentences as queries: embedded ones, of which those of late are remembered."""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from radcbir_core.collections.collection import Collection
from radcbir_core.search.queries.query import EmbeddedQuery, TextQuery
from radcbir_core.search.queries.text import check_text_tower, cleaned_text

LINK_CHARACTERS: Final = 2000
"""A link holds as much of a sentence."""


def text_query(opened: Collection, encoder_id: str, text: str) -> EmbeddedQuery:
    """A sentence, embedded; those of late are remembered.

    Raises:
        QueryError: It is no sentence.
        EncoderError: The encoder has no text tower, or cannot be loaded here.
        StaleError: The encoder here is another version than the one that made the collection's embeddings.
    """
    sentence = cleaned_text(text)
    check_text_tower(opened.store(encoder_id))
    loaders.encoder(opened, encoder_id)  # here, and not only below, so that it is said that it is being loaded
    return _text_query(loaders.encoder_key(opened, encoder_id), sentence)


@st.cache_resource(max_entries=256, show_spinner=False)
def _text_query(key: EncoderKey, text: str) -> EmbeddedQuery:
    return loaders.retriever_by(key).embed(TextQuery(text))
