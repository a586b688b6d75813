"""Map: all images in the plane, near each other where the encoder finds them alike; select some and look at them."""

from __future__ import annotations

from dataclasses import astuple

import streamlit as st

from pages.parts.frame import chart_selection, loaders, shell
from pages.parts.images import filters
from pages.parts.map import chart, color_choice, map_data, selection, selection_panel


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Map", "projection")
    collection, encoder_id = opened.collection, opened.encoder_id
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    colors = color_choice.choose_colors(controls, opened)
    where = filters.choose(controls, collection, what="Points")
    with shell.errors_shown():
        colors = color_choice.shown_now(opened, colors)
        points = map_data.points(collection, encoder_id, where)
        image_id, mark = chart.query_mark(opened)
        if not len(points.rows):
            st.info(
                "No image passes the filter. Clear it, or choose other values."
                if where
                else "No image has a place on this map: with fewer than two images, none has a neighbor.",
                icon=":material/info:",
            )
            return
        picked = selection.selected(collection.manifest, points)
        basis = (
            collection.name,
            loaders.encoder_key(collection, encoder_id).record,
            *astuple(colors),
            repr(where),
            image_id,
        )
        left, right = st.columns([9, 6], gap="medium")
        with left:
            precision = color_choice.precision_of(opened, colors)
            shown = chart.chart_shown(picked.texts, basis)
            outlines = [
                chart_selection.as_layout(region) for region in map(chart_selection.from_text, shown.drawn) if region
            ]
            figure, said = chart.figure_of(opened, points, colors, precision, mark=mark, outlines=outlines)
            chart.draw(collection.manifest, figure, shown)
            st.caption(chart.about(points, said, query=image_id, marked=mark is not None))
        with right:
            if picked.texts:
                selection_panel.show_selection(opened, points, picked, colors)
            else:
                selection_panel.invite(opened, colors)


page()
