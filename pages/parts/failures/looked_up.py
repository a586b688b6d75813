"""The hits of all queries of a collection, looked up once for all that a page shows of them.

Owns this cache. As in loaders.py, what is cached goes by names and digests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.view import gallery_view
from radcbir_core.search.backend import Hits


@dataclass(frozen=True)
class LookedUp:
    """All queries of a protocol with their first hits.

    Attributes:
        queries: (Q,) rows, ascending.
        hits: The first k of each.
        codes: (N,) the label of each image, -1 = none.
        labels: The name of each code.
        empty: (Q,) bool; whether there is nothing to find.
    """

    queries: np.ndarray
    hits: Hits
    codes: np.ndarray
    labels: tuple[str, ...]
    empty: np.ndarray


def all_hits(opened: Opened, protocol: Protocol, level: Level, k: int) -> LookedUp:
    """The first k hits of every query of a protocol.

    Args:
        opened: The open collection.
        protocol: Which.
        level: Of the labels that take part.
        k: How many hits.
    """
    store = loaders.store(opened.collection, opened.encoder_id)
    key = loaders.encoder_key(opened.collection, opened.encoder_id)
    return _all_hits(key, protocol, level, k, _store=store)


@st.cache_resource(max_entries=4, show_spinner="Looking up the hits…")
def _all_hits(
    key: EncoderKey,  # noqa: ARG001 - the key is the cache's
    protocol: Protocol,
    level: Level,
    k: int,
    *,
    _store: EncoderStore,
) -> LookedUp:
    view = gallery_view(_store, protocol, level)
    relevance = view.relevance
    return LookedUp(view.queries, view.hits(k), relevance.kinds, relevance.labels, view.available.empty)
