"""A region of the query image: drawn as a box, searched by itself or with the whole.

Owns the box (region_box.js draws it, by mouse, touch or keys), its number fields, and the URL parameters ``region``
(left, top, right, bottom in thousandths of the image) and ``whole`` (how much the whole image counts beside it). What a
region is as a query is the core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, message
from pages.parts.images.asked_last import IN_SESSION
from pages.parts.retrieval import found_regions
from pages.parts.retrieval.query_panel import Asked, Picture
from radcbir_core.errors import QueryError
from radcbir_core.search.queries.composition import LARGEST_WEIGHT
from radcbir_core.search.queries.query import ChangedQuery, EmbeddedQuery, ImageQuery, RowQuery
from radcbir_core.search.queries.region import LEAST_STEPS, STEPS, Box, region_query

_HERE: Final = Path(__file__).parent
_KEY: Final = "radcbir:region"
_KEPT: Final = f"{_KEY}:kept"
_SIDES: Final = ("Left %", "Top %", "Right %", "Bottom %")
_WHOLE: Final = Box(0, 0, STEPS, STEPS)


def show(opened: Opened, asked: Asked) -> Asked | None:
    """Draw the box; the query as its region, or as it was where there is none. None where it cannot be asked.

    Nothing is drawn for sentences, and for embeddings that were imported: there is no encoder for a part of an image.
    """
    picture = asked.picture
    if picture is None or opened.collection.store(opened.encoder_id).imported:
        return asked
    with picture.room:
        box = _box()
        is_used = box is not None or state.get("among") is not None
        with st.expander("Search a region", expanded=is_used, icon=":material/crop_free:"):
            are_there = found_regions.are_there(opened)
            if are_there:
                asked = replace(asked, regions=found_regions.choose())
            whole = _draw(box, picture.source)
            if not are_there:  # below the picture, which a box can be drawn on at once
                found_regions.offer(opened)
    if box is None or not isinstance(asked.query, RowQuery | ImageQuery | ChangedQuery):
        return asked
    with shell.errors_shown():
        return _of_region(opened, asked, asked.query, picture, box=box, whole=whole)
    return None


def _of_region(
    opened: Opened,
    asked: Asked,
    query: RowQuery | ImageQuery | ChangedQuery,
    picture: Picture,
    *,
    box: Box,
    whole: float,
) -> Asked:
    """The region as query, with its vectors; that of the last run is remembered."""
    key = (
        picture.of,
        box.word,
        whole,
        opened.collection.name,
        loaders.encoder_key(opened.collection, opened.encoder_id),
    )
    kept: tuple[Any, EmbeddedQuery] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != key:
        loaders.encoder(opened.collection, opened.encoder_id)  # here it is said that it is being loaded
        made = [asked.embedded] if asked.embedded else []
        region = region_query(box, picture.read(), query, whole=whole)
        kept = (key, loaders.retriever(opened.collection, opened.encoder_id).embed(region, made=made))
        st.session_state[_KEPT] = kept
    state.set_query(opened.collection.name, query=IN_SESSION)
    unchanged = asked.unchanged or asked.embedded
    if unchanged is None:
        unchanged = loaders.retriever(opened.collection, opened.encoder_id).embed(asked.query)
    return replace(
        asked,
        query=kept[1].query,
        name=f"{asked.name}, region",
        link={"query": IN_SESSION},
        embedded=kept[1],
        unchanged=unchanged,
        alone=asked.query if whole else None,
    )


def _box() -> Box | None:
    """The box of the URL; one that is none is reported."""
    word = state.get("region")
    if word is None:
        return None
    try:
        return Box.of(word)
    except QueryError as error:
        st.warning(f"{message(str(error))} The whole image is searched instead.")
        return None


def _draw(box: Box | None, source: str) -> float:
    """The box on the picture, its fields, and how much the whole counts."""

    def drawn() -> None:
        told = st.session_state.get(f"{_KEY}:box")
        corners = told.get("box") if isinstance(told, Mapping) else None
        if isinstance(corners, list) and len(corners) == 4:
            _write([float(corner) for corner in corners if isinstance(corner, int | float)])

    _component(
        key=f"{_KEY}:box",
        data={
            "source": source,
            "description": "The query image, on which a region can be drawn",
            "box": None if box is None else [box.left, box.top, box.right, box.bottom],
            "least": LEAST_STEPS,
        },
        on_box_change=drawn,
        on_clear_change=_clear,
    )
    st.caption(
        "Drag a box on the image. By keyboard, with the image in focus: Enter sets one, arrow keys move it, with Shift "
        "they size it, with Alt in small steps, Delete takes it away."
    )
    corners = (box or _WHOLE).left, (box or _WHOLE).top, (box or _WHOLE).right, (box or _WHOLE).bottom
    keys = [f"{_KEY}:{at}" for at in range(4)]

    def typed() -> None:
        _write([10 * float(st.session_state[key]) for key in keys])

    for pair in ((0, 1), (2, 3)):
        for column, at in zip(st.columns(2, gap="small"), pair, strict=True):
            st.session_state[keys[at]] = corners[at] / 10
            column.number_input(_SIDES[at], 0.0, 100.0, step=1.0, format="%.1f", key=keys[at], on_change=typed)
    if box is None:
        return 0.0
    whole = _whole()
    key = f"{_KEY}:whole"
    st.session_state[key] = whole
    st.slider(
        "Weight of the whole image",
        0.0,
        LARGEST_WEIGHT,
        step=0.05,
        key=key,
        on_change=lambda: state.update(whole=f"{st.session_state[key]:g}" if st.session_state[key] else None),
        help="Beside the region, which weighs 1. At 0 the region is searched by itself.",
    )
    st.button("Whole image again", icon=":material/undo:", key=f"{_KEY}:clear", on_click=_clear)
    return whole


def _whole() -> float:
    asked = state.get("whole")
    try:
        weight = float(asked or 0)
    except ValueError:
        weight = -1.0
    if 0 <= weight <= LARGEST_WEIGHT:
        return weight
    st.warning(
        f"Expected whole from 0 to {LARGEST_WEIGHT:g}, but whole = {literal(str(asked)[:80])}. The region is searched "
        "by itself."
    )
    return 0.0


def _write(corners: list[float]) -> None:
    """Have a region in the URL: the sides in their order, within the image, and as far apart as they must be."""
    if len(corners) != 4:
        return
    sides = []
    for low, high in ((corners[0], corners[2]), (corners[1], corners[3])):
        first, last = sorted((round(low), round(high)))
        first = min(max(first, 0), STEPS - LEAST_STEPS)
        sides.append((first, min(max(last, first + LEAST_STEPS), STEPS)))
    box = Box(sides[0][0], sides[1][0], sides[0][1], sides[1][1])
    state.update(region=None if box == _WHOLE else box.word)


def _clear() -> None:
    state.update(region=None, whole=None)


_component = st.components.v2.component(
    "radcbir.region",
    html='<div class="region" tabindex="0" role="group" aria-label="Region of the query image"><img>'
    '<div class="frame" hidden></div></div>',
    css=(_HERE / "region_box.css").read_text(encoding="utf-8"),
    js=(_HERE / "region_box.js").read_text(encoding="utf-8"),
)
