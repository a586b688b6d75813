"""Queries beside their hits, worst first, page by page.

Owns the rows, and the signs that say which hit is relevant. Which queries, in which
order, and what is relevant to them, is each view's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import paging, palette
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.images import gallery
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.search.backend import Hits
from radcbir_core.wording import counted

QUERIES_A_PAGE: Final = 5
MOST_HITS: Final = 20


def show(
    opened: Opened,
    rows: np.ndarray,
    *,
    hits_of: Callable[[np.ndarray], tuple[Hits, np.ndarray]],
    said_of: Callable[[int], str],
    k: int,
) -> None:
    """Draw the queries of one page, each beside its hits.

    Args:
        opened: The open collection.
        rows: (Q,) rows of the queries, in the order to show.
        hits_of: The hits of some of them, by their positions in ``rows``, and which of these are relevant.
        said_of: The figure of a query, by its position.
        k: So many hits are shown, from 5 to :data:`MOST_HITS`.
    """
    shown = paging.shown(len(rows), QUERIES_A_PAGE, what="queries", title="Queries, worst first")
    hits, relevant = hits_of(shown)
    first = min(max(k, 5), MOST_HITS)
    for line, position in enumerate(shown.tolist()):
        row = int(rows[position])
        first_hits = hits.rows[line][: hits.counts[line]][:first]
        similarities = hits.similarities[line][: len(first_hits)]
        signs = "".join(sign("same" if mine else "other") for mine in relevant[line][: len(first_hits)].tolist())
        one, many = st.container(key=f"radcbir-one-and-many-{line}").columns([1, 5], gap="small")
        with one:
            st.html(f'<p class="radcbir-query">Query &ensp;<b>{markup(said_of(position))}</b></p>')
            gallery.show(opened.collection, [row], key=f"query-{row}", columns=1)
        with many:
            many_hits = (
                f"first {len(first_hits)} of {k} hits"
                if k > len(first_hits) == MOST_HITS
                else counted(len(first_hits), "hit")
            )
            st.html(f'<p class="radcbir-query">{many_hits} &ensp;{signs}</p>')
            gallery.show(
                opened.collection,
                first_hits,
                key=f"hits-{row}",
                similarities=similarities,
                query=gallery.labels_of(opened.collection, row),
                query_row=row,
                columns=5,
            )


def show_of(opened: Opened, view: GalleryView, rows: np.ndarray, precision: np.ndarray, *, k: int) -> None:
    """Draw queries by their P@k, whose hits are looked up page by page.

    Args:
        opened: The open collection.
        view: What they are asked in.
        rows: (Q,) rows of the queries, in the order to show.
        precision: (Q,) P@k of each.
        k: Of P@k.
    """

    def hits_of(positions: np.ndarray) -> tuple[Hits, np.ndarray]:
        asked = view.asked_by(rows[positions])
        hits = asked.hits(k)
        return hits, asked.relevant(hits)

    show(opened, rows, hits_of=hits_of, said_of=lambda position: f"P@{k} {precision[position]:.2f}", k=k)


def sign(kind: palette.Agreement) -> str:
    """Whether a hit is relevant, as HTML."""
    word = {"same": "relevant", "other": "not relevant"}[kind]
    return f'<span style="color:{palette.AGREEMENT_COLORS[kind]}" title="{word}">{palette.SIGNS[kind]}</span> '
