"""The panel beside the map: what is selected, or what can be done while nothing is."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import counts, downloads, loaders, shell, state
from pages.parts.frame.downloads import Table
from pages.parts.frame.shell import Opened
from pages.parts.images import gallery
from pages.parts.map import map_data, map_query, overrepresented, precision_inside
from pages.parts.map.color_choice import PRECISION, Colors
from pages.parts.map.coloring import COLUMNS, OTHERS, Members, no_value, title_of
from pages.parts.map.column_values import is_list
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.point_colors import CategoryColors, PointColors
from pages.parts.map.points import Points
from pages.parts.map.precision_inside import Share
from pages.parts.map.selection import Picked
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.wording import parted_condition

CSV_COLUMNS: Final = ("image_id", "path", "modality", "anatomy", "pathologies", "patient_id", "dataset", "split")


def invite(opened: Opened, colors: Colors, drawn: PointColors) -> None:
    """What to do while nothing is selected, and how many images have each value of the column that gives the colors.

    Args:
        opened: The open collection and encoder.
        colors: What the map is colored by.
        drawn: Its colors; the bars have the same, so that a color means the same on both.
    """
    st.markdown(":material/lasso_select: **Draw around points to see their images.**")
    st.caption(
        "Lasso and box are at the top left of the map; Shift adds to a selection, Alt takes away, Esc clears it. Click "
        "a point for its image alone, a line of the legend for its images alone. Once the map was clicked, the wheel "
        "zooms, and so do + and −."
    )
    if colors.column in COLUMNS:
        title = f"{COLUMNS[colors.column]}, in the whole collection"
        number = opened.collection.manifest.counts(colors.column)
        same = as_drawn(drawn, number) if isinstance(drawn, CategoryColors) else None
        counts.bars(title, number, colors=same, rows=16)


def as_drawn(drawn: CategoryColors, values: Iterable[str]) -> dict[str, str]:
    """The color that each value has on the map; what is folded there has that of all others.

    Args:
        drawn: The colors of the map.
        values: Of its column.
    """
    own = {entry.name: entry.color for entry in drawn.legend if entry.known and not entry.folded}
    return {value: own.get(value, OTHERS) for value in values}


def show_selection(opened: OpenedMap, points: Points, picked: Picked, colors: Colors) -> None:
    """The panel of a selection: its size and what to do with it, its P@k, its labels, and its images."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<p class="radcbir-summary"><b>{len(picked.rows):,}</b> of {len(points.rows):,} selected</p>',
            width="stretch",
        )
        st.button(
            "Clear selection", icon=":material/close:", type="tertiary", on_click=state.update, kwargs={"select": None}
        )
    if not len(picked.rows):
        st.info("There is no image in this selection. Draw around points.", icon=":material/info:")
        return
    _ways_on(opened, picked, colors)
    with st.container(height=580, border=False, key="radcbir-panel"):
        _precision(opened, picked, colors)
        _labels(opened, points, picked, colors)
        name = f"selection-{zlib.crc32(repr(picked.texts).encode()):08x}"
        gallery.show(opened.collection, picked.rows, key=name, per_page=24, columns=4)


def _ways_on(opened: OpenedMap, picked: Picked, colors: Colors) -> None:
    """The table of the selected images, and the pages that look at these alone."""
    collection = opened.collection
    before = state.get_all("where")
    where = as_filter(collection.manifest, colors.of_manifest, state.get_all("only"), before=before)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="radcbir-ways-on"):
        if where is not None:
            _links(opened, picked, {"select": list(picked.texts), "where": where})
        downloads.offer(
            Table(
                len(picked.rows),
                lambda: pd.DataFrame({"row": picked.rows}),
                lambda part: selection_table(opened, part["row"].to_numpy()),
            ),
            file_name=f"selection-{collection.name}-{opened.encoder_id}.csv",
            about="The selected images as a table, with their places on the map and their P@k",
        )


def _links(opened: Opened, picked: Picked, kept: dict[str, list[str]]) -> None:
    """The pages that look at the selected images alone; ``kept`` says in their address which these are."""
    collection = opened.collection
    query = map_query.named() or {"image": collection.manifest.image_id(int(picked.rows[0]))}
    st.page_link(
        "pages/retrieval.py",
        label="Search within",
        icon=":material/image_search:",
        query_params=map_query.to_retrieval(query, **kept),
        help="Hits among these images alone: of the query on the map, or of the image in the middle; of any other, an "
        "upload or a sentence from there",
    )
    if loaders.artifact_states(collection, opened.encoder_id)["neighbors"] == "current":
        st.page_link(
            "pages/failures.py",
            label="Open on Failures",
            icon=":material/troubleshoot:",
            query_params=state.parameters_for(view="mined", **kept),
            help="The failures of every kind among these images alone",
        )


def as_filter(manifest: Manifest, column: str, only: Sequence[str], *, before: Sequence[str] = ()) -> list[str] | None:
    """What limits other pages to the categories that are shown alone under the filter, as ``where`` has it in the URL.

    Args:
        manifest: What the images are.
        column: Whose values the categories are; empty where they are of no column.
        only: The categories shown alone.
        before: The conditions of the filter. Of those on the same column what holds with the categories takes the
            place: of several values of one column a filter takes in all.

    Returns:
        The conditions, those of the filter where all categories are shown; None where no filter says the same: of
        images of several values a filter takes in all that have one of them, and a category those that have it alone.
    """
    if not only:
        return list(before)
    if not column or is_list(manifest.schema.field(column).type):
        return None
    values = {**{value: value for value in manifest.codes(column).values}, no_value(column): ""}
    if not set(only) <= set(values):
        return None
    chosen = [f"{column}={values[name]}" for name in only]
    same = [text for text in before if parted_condition(text, manifest.column_names)[0] == column]
    others = [text for text in before if text not in same]
    return [*others, *(text for text in chosen if not same or text in same)]


def _precision(opened: Opened, picked: Picked, colors: Colors) -> None:
    """P@k of the selected images beside that of all, where it is kept; else the way to it."""
    collection, encoder_id = opened.collection, opened.encoder_id
    if loaders.artifact_states(collection, encoder_id)["neighbors"] != "current":
        return
    with shell.errors_shown():
        precision = map_data.precision_by_row(collection, encoder_id, colors.level, colors.k)
        everyone = map_data.precision_of_all(collection, encoder_id, colors.level, colors.k)
        if precision is None or everyone is None:
            if st.button(
                f"P@{colors.k} inside: not computed yet",
                icon=":material/calculate:",
                type="tertiary",
                key="radcbir:precision-inside",
                help="Colors the map by P@k, which is computed on a click",
            ):
                state.update(color=PRECISION)
                st.rerun()  # all of the page, whose colors are chosen above the map
            return
        made = runs.key_of(collection, encoder_id, map_data.precision_evaluation(collection, encoder_id))
        key = (made, colors.level, colors.k, picked.digest)
        clusters = loaders.clusters(collection, encoder_id)
        own = _inside(key, _precision=precision, _rows=picked.rows, _clusters=clusters)
        precision_inside.show(collection, own, everyone, level_name=colors.level_name, k=colors.k)


def _labels(opened: Opened, points: Points, picked: Picked, colors: Colors) -> None:
    """How frequent each value of a column is among the selected images, beside all points."""
    collection = opened.collection
    options = [column for column in COLUMNS if len(map_data.members(collection, column).values)]
    own = colors.of_manifest
    if own and own not in options and map_data.holds_categories(collection, own):
        options.append(own)
    column = state.choice(
        st.segmented_control,
        "Labels of the selection",
        options,
        name="count",
        default=own if own in options else "pathologies",
        clears=["values"],
        format_func=title_of,
        label_visibility="collapsed",
    )
    table = _shares(
        (loaders.encoder_key(collection, opened.encoder_id), column, picked.digest, points.digest),
        _members=map_data.members(collection, column),
        _rows=picked.rows,
        _among=points.rows,
        _clusters=loaders.clusters(collection, opened.encoder_id),
    )
    every = state.get("values") == "all"
    overrepresented.show(table, column, every=every)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            "▲ more, ▼ less, = as among all; ? may be chance. Bars: share, with its 95 % interval over patients; "
            "│ of all.",
            width="stretch",
        )
        if len(table) > overrepresented.FIRST:
            st.button(
                f"The first {overrepresented.FIRST}" if every else f"All {len(table):,}",
                key="radcbir:all-values",
                type="tertiary",
                on_click=state.update,
                kwargs={"values": None if every else "all"},
            )


@st.cache_resource(max_entries=16, show_spinner=False)
def _inside(key: Hashable, *, _precision: np.ndarray, _rows: np.ndarray, _clusters: np.ndarray) -> Share:  # noqa: ARG001 - the key is the cache's
    return precision_inside.inside(_precision, _rows, _clusters)


@st.cache_resource(max_entries=16, show_spinner=False)
def _shares(
    key: Hashable,  # noqa: ARG001 - as above
    *,
    _members: Members,
    _rows: np.ndarray,
    _among: np.ndarray,
    _clusters: np.ndarray,
) -> pd.DataFrame:
    return overrepresented.shares(_members, _rows, _among, clusters=_clusters)


def selection_table(opened: OpenedMap, rows: np.ndarray) -> pd.DataFrame:
    """The selected images with what is known of them, their places on the map, and P@k where it is kept."""
    collection, encoder_id = opened.collection, opened.encoder_id
    table = collection.manifest.rows(rows, CSV_COLUMNS)
    places = opened.places
    for name in places.columns:
        table[name] = places[name].to_numpy()[rows]
    if loaders.artifact_states(collection, encoder_id)["neighbors"] == "current":
        precision = map_data.precision_by_row(collection, encoder_id, "label", state.DEFAULT_K)
        if precision is not None:
            table[f"p@{state.DEFAULT_K}"] = precision[rows]
    return table
