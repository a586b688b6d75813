"""Sentences to search with: embedded ones, of which those of late are remembered, and examples of a collection."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey, EncoderKey
from pages.parts.retrieval import prompts
from radcbir_core.collections.collection import Collection
from radcbir_core.search.query import EmbeddedQuery, TextQuery
from radcbir_core.search.text import check_text_tower, cleaned_text


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


def example_texts(opened: Collection) -> list[str]:
    """Sentences to search this collection with."""
    return _example_texts(loaders.collection_key(opened))


@st.cache_resource(max_entries=256, show_spinner=False)
def _text_query(key: EncoderKey, text: str) -> EmbeddedQuery:
    return loaders.retriever_by(key).embed(TextQuery(text))


@st.cache_data(max_entries=8, show_spinner=False)
def _example_texts(key: CollectionKey) -> list[str]:
    return prompts.examples(loaders.collection_by(key).manifest.labels("label").counts())
