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
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Protocol, Result
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
    store = loaders.store(opened.collection, opened.encoder_id)
    key = loaders.encoder_key(opened.collection, opened.encoder_id)
    return _of_label(key, protocol, level, label, _store=store, _queries=result.tables["queries"])


@st.cache_resource(max_entries=8, show_spinner="Looking up the hits…")
def _of_label(
    key: EncoderKey,  # noqa: ARG001 - the key is the cache's
    protocol: Protocol,
    level: Level,
    label: str,
    *,
    _store: EncoderStore,
    _queries: pd.DataFrame,
) -> LabelQueries:
    # Both at once: of millions of queries those of one label are few.
    asked = (_queries["level"] == level).to_numpy(dtype=bool) & (_queries["label"] == label).to_numpy(dtype=bool)
    table = _queries.iloc[np.flatnonzero(asked)]
    rows = table["row"].to_numpy(dtype=np.int64)
    view = gallery_view(_store, protocol, level).asked_by(rows)
    hits = view.hits()
    precision = table[[f"p@{k}" for k in protocol.ks]].reset_index(drop=True)
    return LabelQueries(rows, precision, hits, view.relevant(hits))
