"""The queries of one label with their hits, looked up once.

Owns this cache. As in loaders.py, what is cached goes by names and digests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation import Protocol, Result
from radcbir_core.evaluation.reports.precision import of_level
from radcbir_core.evaluation.view import gallery_view
from radcbir_core.search.backend import Hits


@dataclass(frozen=True)
class LabelQueries:
    """The queries of one label under a protocol.

    Attributes:
        rows: (Q,) int64, ascending.
        precision: One column ``p@k`` a k, Q rows.
        hits: The first hits of each, as many as the largest k.
        relevant: (Q, K) bool, which of them are relevant.
    """

    rows: np.ndarray
    precision: pd.DataFrame
    hits: Hits
    relevant: np.ndarray


def of_label(opened: Opened, result: Result, protocol: Protocol, level: Level, label: str) -> LabelQueries:
    """The queries of one label, with the hits that their P@k counts; none where the label has no queries.

    Args:
        opened: The open collection.
        result: Of the precision under the protocol.
        protocol: Which.
        level: Of the label.
        label: Whose queries.
    """
    table = of_level(result.tables["queries"], level)
    table = table[table["label"] == label].reset_index(drop=True)
    store = loaders.store(opened.collection, opened.encoder_id)
    key = loaders.encoder_key(opened.collection, opened.encoder_id)
    return _of_label(key, protocol, level, label, _store=store, _table=table)


@st.cache_resource(max_entries=8, show_spinner="Looking up the hits…")
def _of_label(
    key: EncoderKey,  # noqa: ARG001 - the key is the cache's
    protocol: Protocol,
    level: Level,
    label: str,  # noqa: ARG001
    *,
    _store: EncoderStore,
    _table: pd.DataFrame,
) -> LabelQueries:
    rows = _table["row"].to_numpy(dtype=np.int64)
    view = gallery_view(_store, protocol, level).asked_by(rows)
    hits = view.hits()
    return LabelQueries(rows, _table[[f"p@{k}" for k in protocol.ks]], hits, view.relevant(hits))
