"""Choosing a query among the images of a collection: by image_id, by label, or at random.

Owns the browse view. Only the rows of the page shown are ever sent to the browser, so that it is as quick on 1.6
million images as on sixteen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.shell import errors_shown
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.text_boxes import FILTER
from radcbir_core.wording import counted

ANY: Final = "any"
_COLUMNS: Final = {"modality": "Modality", "anatomy": "Anatomy", "pathologies": "Pathology"}


def browse(collection: Collection, *, on_query: Callable[[str], None], among: np.ndarray | None = None) -> None:
    """Draw the browse view: search, labels, and the images that fit, page by page.

    Args:
        collection: Where to look.
        among: (N,) bool, the images that alone are shown; all by default.
        on_query: Called with the image_id that was chosen, before the page runs again.
    """
    columns = _columns(collection)
    widgets = st.columns([3, 2, 2, 3, 2][: len(columns) + 1], vertical_alignment="bottom")
    key = "radcbir:find"
    st.session_state[key] = state.get("find") or ""
    widgets[0].text_input(
        "Find by image_id",
        key=key,
        placeholder="any part of it",
        on_change=lambda: state.update(find=st.session_state[key].strip()[:200]),
    )
    manifest = collection.manifest
    counts = {
        "modality": manifest.counts("modality"),
        "anatomy": manifest.counts("anatomy"),
        "pathologies": manifest.pathology_counts,
    }
    if FILTER in columns:
        counts[FILTER] = {value: number for value, number in manifest.counts(FILTER).items() if number}
    where = {}
    for widget, (column, title) in zip(widgets[1:], columns.items(), strict=True):
        value = state.choice(widget.selectbox, title, [ANY, *sorted(counts[column])], name=f"of_{column}", default=ANY)
        if value != ANY:
            where[column] = [value]
    with errors_shown():
        rows = matching(collection, where)
        rows = rows if among is None else rows[among[rows]]
        st.caption(f"{counted(len(rows), 'image')}. Click an image to open it large, **Query** to search with it.")
        if len(rows):
            gallery.show(collection, rows, key="browse", per_page=40, columns=8, on_query=on_query)
        else:
            st.info(
                f"No image fits{': ' + literal(text) if (text := state.get('find')) else ''}. "
                "Shorten the text or choose other labels."
            )


def buttons(collection: Collection, *, on_query: Callable[[str], None]) -> None:
    """The buttons above a query: to the browse view, and to a random image.

    Args:
        collection: Where the images are.
        on_query: As in :func:`browse`.
    """
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Browse", icon=":material/grid_view:", on_click=state.update, kwargs={"view": "browse"}, width="stretch"
        )
        st.button(
            "Random",
            icon=":material/casino:",
            on_click=lambda: on_query(random_image(collection)),
            width="stretch",
        )


def random_image(collection: Collection) -> str:
    """The image_id of a random image among those the browse view shows; of all where it shows none."""
    where = {
        column: [value] for column in _columns(collection) if (value := state.get(f"of_{column}")) and value != ANY
    }
    known = {column: values for column, values in where.items() if values[0] in _values(collection, column)}
    rows = matching(collection, known)
    row = (
        int(np.random.default_rng().choice(rows))
        if len(rows)
        else int(np.random.default_rng().integers(len(collection)))
    )
    return collection.manifest.image_id(row)


def matching(collection: Collection, where: dict[str, list[str]]) -> np.ndarray:
    """Rows (R,) int64, in order, that satisfy the labels and hold the text of the URL's ``find`` in their image_id."""
    manifest = collection.manifest
    text = state.get("find")
    rows = np.flatnonzero(manifest.mask(where)) if where else np.arange(len(manifest))
    if text:
        rows = np.intersect1d(rows, manifest.find(text, limit=len(manifest)), assume_unique=True)
    return rows


def _columns(collection: Collection) -> dict[str, str]:
    """What images are chosen by: the labels, and text in pixels where something is known of that."""
    return _COLUMNS | ({FILTER: "Text in pixels"} if FILTER in collection.manifest.filterable() else {})


def _values(collection: Collection, column: str) -> set[str]:
    manifest = collection.manifest
    return set(manifest.pathology_counts) if column == "pathologies" else set(manifest.codes(column).values)
