"""A hit of the query, and why it is one: both images side by side, above the hits.

Owns the URL parameter ``beside`` of Retrieval, the hit that is explained. The maps are why_panel.py's.
"""

from __future__ import annotations

import hashlib
from functools import partial

import numpy as np
import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.frame.shell import Opened
from pages.parts.images import why_panel
from pages.parts.images.why_panel import Subject
from pages.parts.retrieval.query_panel import Asked
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError
from radcbir_core.search.queries.query import ChangedQuery, ImageQuery


def ask(image_id: str) -> None:
    """Have a hit explained; a callback."""
    state.update(beside=image_id, why="auto")


def can_be_asked(asked: Asked) -> bool:
    """Whether the query is an image, so that it can be said why a hit is like it; or there is one in it."""
    return asked.row is not None or isinstance(asked.alone or asked.query, ImageQuery | ChangedQuery)


def show(opened: Opened, asked: Asked, rows: np.ndarray) -> None:
    """Draw the pair that the URL names, if it names one.

    Args:
        opened: The open collection.
        asked: The query.
        rows: Of its hits, best first.
    """
    image_id = state.get("beside")
    query = _query(opened.collection, asked)
    if image_id is None or query is None:
        return
    try:
        row = opened.collection.manifest.row_of(image_id)
    except RadcbirError as error:
        shell.show_error(error)
        return
    ranks = np.flatnonzero(rows == row)
    name = f"Hit, rank {ranks[0] + 1}" if len(ranks) else "An image that is none of these hits"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html('<h4 class="radcbir-label">Query and hit</h4>', width="stretch")
            st.button(
                "Back to the hits alone",
                icon=":material/close:",
                type="tertiary",
                on_click=state.update,
                kwargs={"beside": None, "why": None},
            )
        if asked.alone is not None:
            st.caption(
                "The query is composed, and no image. The maps are of the query image by itself and this hit; what was "
                "added to it has no place in them."
            )
        why_panel.draw_pair(
            opened.collection, opened.encoder_id, [query, why_panel.of_row(opened.collection, row, name=name)]
        )


def _query(collection: Collection, asked: Asked) -> Subject | None:
    """The query as an image; None where it is a sentence."""
    query = asked.alone or asked.query
    if isinstance(query, ImageQuery | ChangedQuery):
        pixels = query.pixels
        digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
        return Subject("Query", f"pixels {digest}", partial(np.asarray, pixels), inside=False)
    return None if asked.row is None else why_panel.of_row(collection, asked.row, name="Query")
