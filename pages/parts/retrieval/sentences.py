"""Sentences to search a collection with, as examples."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey
from radcbir_core.collections.collection import Collection
from radcbir_core.search.language.example_sentences import example_sentences


def example_texts(opened: Collection) -> list[str]:
    """Sentences to search this collection with."""
    return _example_texts(loaders.collection_key(opened))


@st.cache_data(max_entries=8, show_spinner=False)
def _example_texts(key: CollectionKey) -> list[str]:
    labels = loaders.collection_by(key).manifest.labels("label").counts()
    return [example.sentence for example in example_sentences(labels)]
