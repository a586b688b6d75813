"""Queries and hits side by side: pages of pairs, and one pair in large.

Owns the URL parameters ``image`` and ``beside``, the pair that is open. Which pairs, in which order, is each view's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import paging, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import case, gallery
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError

PAIRS_A_PAGE: Final = 12


@dataclass(frozen=True)
class Found:
    """One hit each of some queries.

    Attributes:
        hits: (P,) rows.
        ranks: (P,) of each hit among those of its query, from 1.
        similarities: (P,).
    """

    hits: np.ndarray
    ranks: np.ndarray
    similarities: np.ndarray

    def at(self, positions: np.ndarray) -> Found:
        """Those at some positions, in this order."""
        return Found(self.hits[positions], self.ranks[positions], self.similarities[positions])


@dataclass(frozen=True)
class Pairs:
    """Queries and hits, in the order to show.

    Attributes:
        queries: (P,) rows.
        found: Gives the hits of the queries at some positions; asked of those alone that are shown.
        notes: Gives the line below a pair, by its position.
    """

    queries: np.ndarray
    found: Callable[[np.ndarray], Found]
    notes: Callable[[int], str] | None = None


def show(opened: Opened, pairs: Pairs, *, title: str) -> None:
    """Draw one page of pairs; above it, the pair that the URL names.

    Args:
        opened: The open collection.
        pairs: In the order to show.
        title: What they are.
    """
    opened_at = _asked(opened.collection, pairs)
    if opened_at is not None:
        _show_large(opened, pairs, opened_at)
    shown = paging.shown(len(pairs.queries), PAIRS_A_PAGE, what="pairs", title=title)
    found = pairs.found(shown)
    gallery.show_pairs(
        opened.collection,
        pairs.queries[shown],
        found.hits,
        key="pairs",
        ranks=found.ranks,
        similarities=found.similarities,
        notes=None if pairs.notes is None else list(map(pairs.notes, shown.tolist())),
        on_open=lambda query, hit: state.update(image=query, beside=hit),
    )


def _asked(collection: Collection, pairs: Pairs) -> int | None:
    """Which pair the URL names; one that is none of these is reported."""
    query, hit = state.get("image"), state.get("beside")
    if query is None or hit is None:
        return None
    try:
        rows = collection.manifest.row_of(query), collection.manifest.row_of(hit)
    except RadcbirError as error:
        shell.show_error(error)
        return None
    places = np.flatnonzero(pairs.queries == rows[0])
    places = places[pairs.found(places).hits == rows[1]]
    if not len(places):
        st.warning(
            f"Expected a pair of those below, but image = {literal(query[:80])} and beside = {literal(hit[:80])}. "
            "Open one of them."
        )
        return None
    return int(places[0])


def _show_large(opened: Opened, pairs: Pairs, at: int) -> None:
    """A query and its hit in large, side by side, with all that is known of both."""
    collection = opened.collection
    found = pairs.found(np.array([at]))
    rows, rank = (int(pairs.queries[at]), int(found.hits[0])), int(found.ranks[0])

    def go(to: int) -> None:
        hit = int(pairs.found(np.array([to])).hits[0])
        ids = collection.manifest.rows([pairs.queries[to], hit], ["image_id"])["image_id"].tolist()
        state.update(image=ids[0], beside=ids[1], page=to // PAIRS_A_PAGE + 1 if to >= PAIRS_A_PAGE else None)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<h4 class="radcbir-label">Query and hit</h4>', width="content")
        st.caption(
            f"Pair {at + 1:,} of {len(pairs.queries):,}: rank {rank}, similarity {found.similarities[0]:.3f}",
            width="stretch",
        )
        # With Shift: the dialog of an image stands over the page, has the plain keys, and both hear every key.
        for name, icon, to, key in (
            ("Previous pair", "chevron_left", at - 1, "Shift+Left"),
            ("Next pair", "chevron_right", at + 1, "Shift+Right"),
        ):
            st.button(
                name,
                icon=f":material/{icon}:",
                disabled=not 0 <= to < len(pairs.queries),
                on_click=go,
                args=(to,),
                shortcut=key,
            )
        st.button(
            "Close the pair",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs={"image": None, "beside": None, "why": None},
        )
    after = np.array([at + 1] if at + 1 < len(pairs.queries) else [], dtype=np.int64)
    ahead = [*pairs.queries[after].tolist(), *pairs.found(after).hits.tolist()]
    case.draw(collection, rows, names=("Query", f"Hit, rank {rank}"), encoder_id=opened.encoder_id, ahead=ahead)
