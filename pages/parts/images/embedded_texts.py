"""Sentences as queries: how they are read, and embedded ones, of which those of late are remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey, EncoderKey
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import QueryError
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.nonsense import Standing, standing_of
from radcbir_core.search.language.phrasing_spread import PhrasingSpread, phrasing_spread
from radcbir_core.search.language.sentence_query import EmbeddedSentence, SentenceQuery
from radcbir_core.search.language.sentence_reading import SentenceReading, read_sentence
from radcbir_core.search.queries.text import check_text_tower, cleaned_text

LINK_CHARACTERS: Final = 2000
"""A link holds as much of a sentence."""

Choices = tuple[tuple[str, str], ...]


def reading_of(opened: Collection, text: str, choices: Mapping[str, str] | None = None) -> SentenceReading:
    """How a sentence is read.

    Args:
        opened: The collection that is searched.
        text: The sentence.
        choices: What is written → what it is to be read as.

    Raises:
        QueryError: It is no sentence.
    """
    sentence = cleaned_text(text)
    return _reading(loaders.collection_key(opened), sentence, tuple(sorted((choices or {}).items())))


def said_of(opened: Collection, text: str) -> str:
    """How a sentence is read where nobody has chosen, in a line; "" where there is nothing to tell, or no sentence."""
    try:
        return reading_of(opened, text).said
    except QueryError:
        return ""  # whoever searches with it says so


def text_query(
    opened: Collection,
    encoder_id: str,
    text: str,
    *,
    choices: Mapping[str, str] | None = None,
    several: bool = False,
) -> EmbeddedSentence:
    """A sentence, read with care and embedded; those of late are remembered.

    Args:
        opened: The collection that is searched.
        encoder_id: Of an encoder of it.
        text: The sentence.
        choices: As of :func:`reading_of`.
        several: Whether it is asked in several phrasings.

    Raises:
        QueryError: It is no sentence.
        EncoderError: The encoder has no text tower, or cannot be loaded here.
        StaleError: The encoder here is another version than the one that made the collection's embeddings.
    """
    sentence = cleaned_text(text)
    check_text_tower(opened.store(encoder_id))
    loaders.encoder(opened, encoder_id)  # here, and not only below, so that it is said that it is being loaded
    chosen = tuple(sorted((choices or {}).items()))
    return _text_query(loaders.encoder_key(opened, encoder_id), sentence, chosen, several=several)


def standing(opened: Collection, encoder_id: str, asked: EmbeddedSentence) -> Standing:
    """A sentence beside nonsense of its length."""
    return _standing(loaders.encoder_key(opened, encoder_id), asked.phrasings[0], asked.reading, asked)


def denial_note(opened: Collection, encoder_id: str, asked: EmbeddedSentence) -> tuple[str, bool]:
    """What is to be said of a denial that labels do not settle, and whether it can be relied on; "" for nothing."""
    return asked.denial_note(loaders.retriever(opened, encoder_id).means)


def spread(opened: Collection, encoder_id: str, asked: EmbeddedSentence) -> PhrasingSpread | None:
    """How much the hits hang on the wording; None of a sentence in one phrasing."""
    return phrasing_spread(asked, loaders.retriever(opened, encoder_id).means)


@st.cache_data(max_entries=256, show_spinner=False)
def _reading(key: CollectionKey, sentence: str, choices: Choices) -> SentenceReading:
    return read_sentence(sentence, _lexicon(key), choices=dict(choices))


@st.cache_resource(max_entries=4, show_spinner=False)
def _lexicon(key: CollectionKey) -> Lexicon:
    return Lexicon.of(loaders.collection_by(key))


@st.cache_resource(max_entries=256, show_spinner=False)
def _text_query(key: EncoderKey, sentence: str, choices: Choices, *, several: bool) -> EmbeddedSentence:
    query = SentenceQuery(_reading(key.collection, sentence, choices), several)
    return query.embed(loaders.retriever_by(key).means)


@st.cache_data(max_entries=256, show_spinner=False)
def _standing(key: EncoderKey, sentence: str, reading: SentenceReading, _asked: EmbeddedSentence) -> Standing:  # noqa: ARG001 - what it is kept by
    return standing_of(_asked, loaders.retriever_by(key).means)
