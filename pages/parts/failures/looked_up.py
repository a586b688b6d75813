"""The hits of the queries that a page shows, looked up as they are shown.

Owns these caches. As in loaders.py, what is cached goes by names and digests. Never the hits of all queries at once: of
1.6 million images they take a quarter of a minute and half a gigabyte, and a page shows a dozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.failures.pair_rows import Found
from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.metrics.confusion import rank_weights
from radcbir_core.evaluation.view import GalleryView, gallery_view

MOST_QUERIES: Final = 200_000
"""Of the queries of one label, so many are looked up at most; of more they are drawn, always the same ones."""


@dataclass(frozen=True)
class Cell:
    """Which pairs of a query and a hit, in which order.

    Attributes:
        label: Of the queries.
        hit: Of the hits.
        weight: How hits count, "rank" or "equal", for the order by query.
        order: "similarity" or "rank" of the hit; or "query", whose hits have most of the label.
    """

    label: str
    hit: str
    weight: str
    order: str


@dataclass(frozen=True)
class CellPairs:
    """The queries of one label beside their hits of another.

    Attributes:
        queries: (P,) rows, in the order asked for.
        found: As long.
        n_queries: How many queries the label has.
        n_looked_up: How many of them were looked up.
    """

    queries: np.ndarray
    found: Found
    n_queries: int
    n_looked_up: int


def view_of(opened: Opened, protocol: Protocol, level: Level) -> GalleryView:
    """Who asks under a protocol, and what may be returned; its hits are asked of it, for the queries that are shown.

    Args:
        opened: The open collection.
        protocol: Which.
        level: Of the labels that take part.
    """
    store = loaders.store(opened.collection, opened.encoder_id)
    return _view_of(loaders.encoder_key(opened.collection, opened.encoder_id), protocol, level, _store=store)


def cell_pairs(opened: Opened, protocol: Protocol, level: Level, *, k: int, cell: Cell) -> CellPairs:
    """The queries of a label beside those of their first k hits that show another.

    Args:
        opened: The open collection.
        protocol: Who asks whom.
        level: Of both labels.
        k: How many hits count.
        cell: Which.
    """
    view = view_of(opened, protocol, level)
    return _cell_pairs(loaders.encoder_key(opened.collection, opened.encoder_id), protocol, level, k, cell, _view=view)


@st.cache_resource(max_entries=8, show_spinner=False)
def _view_of(
    key: EncoderKey,  # noqa: ARG001 - the key is the cache's
    protocol: Protocol,
    level: Level,
    *,
    _store: EncoderStore,
) -> GalleryView:
    return gallery_view(_store, protocol, level)


@st.cache_resource(max_entries=4, show_spinner="Looking up the hits…")
def _cell_pairs(
    key: EncoderKey,  # noqa: ARG001 - the key is the cache's
    protocol: Protocol,
    level: Level,  # noqa: ARG001
    k: int,
    cell: Cell,
    *,
    _view: GalleryView,
) -> CellPairs:
    relevance = _view.relevance
    own, theirs = relevance.labels.index(cell.label), relevance.labels.index(cell.hit)
    queries = _view.queries[relevance.kinds[_view.queries] == own]
    number = len(queries)
    if number > MOST_QUERIES:
        queries = np.sort(np.random.default_rng(0).choice(queries, MOST_QUERIES, replace=False))
    asking = _view.asked_by(queries)
    if protocol.empty == "skip":
        asking = asking.asked_by(queries[~asking.available.empty])
    hits = asking.hits(k)
    line, rank = np.nonzero((hits.rows >= 0) & (np.append(relevance.kinds, -1)[hits.rows] == theirs))
    found = Found(hits.rows[line, rank], rank + 1, hits.similarities[line, rank])
    rows = asking.queries[line]
    if cell.order == "similarity":
        keys = (rows, found.ranks, -found.similarities)
    elif cell.order == "rank":
        keys = (rows, -found.similarities, found.ranks)
    else:
        weights = rank_weights(k) if cell.weight == "rank" else np.full(k, 1 / k)
        most = np.bincount(line, weights=weights[rank], minlength=len(hits.rows))
        keys = (found.ranks, rows, -most[line])
    places = np.lexsort(keys)
    return CellPairs(rows[places], found.at(places), number, len(queries))
