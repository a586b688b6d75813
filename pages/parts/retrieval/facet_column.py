"""Facets beside the hits: what the first hits have, counted, and each count a filter by one click.

Owns how they are drawn. They write the URL's ``where``, as the filters above do; over what they count is the core's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.text import literal, markup
from radcbir_core.collections.collection import Collection
from radcbir_core.search.hit_facets import Facet, Find, count_facets, facets_said

MOST_VALUES: Final = 8
"""Values of a column that are drawn, beside those that are chosen; the filters have all."""
TITLES: Final = {"pathologies": "Pathology", "dataset": "Data set"}


def show(collection: Collection, find: Find, where: Mapping[str, Sequence[str]]) -> None:
    """Draw them, one under the other.

    Args:
        collection: That is searched.
        find: Gives the first hits under some filters.
        where: The filters.
    """
    facets = count_facets(find, collection.manifest, where)
    if not facets:
        return
    st.html(f'<p class="radcbir-facets-said">{markup(facets_said(facets))}</p>')
    for facet in facets:
        _draw(facet, where)


def _draw(facet: Facet, where: Mapping[str, Sequence[str]]) -> None:
    chosen = list(where.get(facet.column, ()))
    shown = list(facet.counts)[:MOST_VALUES]
    options = [*shown, *(value for value in chosen if value not in shown)]
    if not options:
        return
    key = f"radcbir:facet:{facet.column}"
    st.session_state[key] = chosen

    def keep() -> None:
        state.set_conditions("where", {**where, facet.column: st.session_state[key]})

    hidden = len(facet.counts) - len(shown)
    further = [f"{hidden} further values" if hidden else "", f"{facet.without} without" if facet.without else ""]
    st.pills(
        TITLES.get(facet.column, literal(facet.column.capitalize())),
        options,
        selection_mode="multi",
        key=key,
        format_func=partial(_with_count, facet),
        on_change=keep,
        help=", ".join(filter(None, further)) or None,
    )


def _with_count(facet: Facet, value: str) -> str:
    # The number first: a long value is cut where there is no room.
    return f"{facet.counts.get(value, 0)} · {literal(value)}"
