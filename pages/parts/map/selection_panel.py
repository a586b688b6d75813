"""The panel beside the map: what is selected, or what can be done while nothing is."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.frame import counts, loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import csv_bytes
from pages.parts.images import gallery
from pages.parts.map import map_data, overrepresented
from pages.parts.map.color_choice import Colors
from pages.parts.map.coloring import COLUMNS
from pages.parts.map.points import Points
from pages.parts.map.selection import Picked

CSV_COLUMNS: Final = ("image_id", "path", "modality", "anatomy", "pathologies", "patient_id", "dataset", "split")


def invite(opened: Opened, colors: Colors) -> None:
    """What to do while nothing is selected, and how many images have each value of the column that gives the colors."""
    st.markdown(":material/lasso_select: **Draw around points to see their images.**")
    st.caption(
        "Lasso and box are at the top left of the map; Shift adds to a selection, Alt takes away, Esc clears it. Click "
        "a point for its image alone, a line of the legend for its images alone. Once the map was clicked, the wheel "
        "zooms, and so do + and −."
    )
    facts = loaders.facts(opened.collection)
    by_column = {
        "anatomy": facts.anatomies,
        "pathologies": facts.pathologies,
        "modality": facts.modalities,
        "dataset": facts.datasets,
        "split": facts.splits,
    }
    if colors.column in by_column:
        fixed = colors.column if colors.column in ("anatomy", "modality") else ""
        title = f"{COLUMNS[colors.column]}, in the whole collection"
        counts.bars(title, by_column[colors.column], column=fixed, rows=16)


def show_selection(opened: Opened, points: Points, picked: Picked, colors: Colors) -> None:
    """The panel of a selection: its size, its labels beside those of all points, and its images."""
    collection = opened.collection
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<p class="radcbir-summary"><b>{len(picked.rows):,}</b> of {len(points.rows):,} selected</p>',
            width="stretch",
        )
        st.download_button(
            "CSV",
            lambda: csv_bytes(selection_table(opened, picked.rows)),
            file_name=f"selection-{collection.name}-{opened.encoder_id}.csv",
            mime="text/csv",
            icon=":material/download:",
            help="The selected images as a table, with their places on the map",
            on_click="ignore",
            disabled=not len(picked.rows),
        )
        st.button(
            "Clear selection", icon=":material/close:", type="tertiary", on_click=state.update, kwargs={"select": None}
        )
    if not len(picked.rows):
        st.info("There is no image in this selection. Draw around points.", icon=":material/info:")
        return
    with st.container(height=580, border=False, key="radcbir-panel"):
        options = [column for column in COLUMNS if len(map_data.members(collection, column).values)]
        column = state.choice(
            st.segmented_control,
            "Labels of the selection",
            options,
            name="count",
            default=colors.column if colors.column in options else "pathologies",
            format_func=COLUMNS.get,
            label_visibility="collapsed",
        )
        overrepresented.show(
            overrepresented.shares(map_data.members(collection, column), picked.rows, points.rows), column
        )
        name = f"selection-{zlib.crc32(repr(picked.texts).encode()):08x}"
        gallery.show(collection, picked.rows, key=name, per_page=24, columns=4)


def selection_table(opened: Opened, rows: np.ndarray) -> pd.DataFrame:
    """The selected images with what is known of them, and their places on the map."""
    table = opened.collection.manifest.rows(rows, CSV_COLUMNS)
    projection = map_data.projection(opened.collection, opened.encoder_id)
    for name in ("x", "y", "preservation"):
        table[name] = projection[name].to_numpy()[rows]
    return table
