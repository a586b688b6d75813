"""Map: all images in the plane, near each other where the encoder finds them alike; select some and look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.shell import Opened
from pages.parts.images import filters
from pages.parts.map import chart, color_choice, map_data, selection, selection_panel
from pages.parts.map.color_choice import Colors


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Map", "projection")
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    colors = color_choice.choose_colors(controls, opened)
    where = filters.choose(controls, opened.collection, what="Points")
    with shell.errors_shown():
        colors = color_choice.shown_now(opened, colors)
        if len(map_data.points(opened.collection, opened.encoder_id, where).rows):
            map_and_panel(opened, colors, where)
        else:
            st.info(
                "No image passes the filter. Clear it, or choose other values."
                if where
                else "No image has a place on this map: with fewer than two images, none has a neighbor.",
                icon=":material/info:",
            )


@st.fragment
def map_and_panel(opened: Opened, colors: Colors, where: Mapping[str, Sequence[str]]) -> None:
    """The map, and beside it what is selected; a selection runs this part of the page alone."""
    collection = opened.collection
    chart.take_answer()
    with shell.errors_shown():
        points = map_data.points(collection, opened.encoder_id, where)
        query = chart.current_query(opened, where)
        painted = color_choice.painted(opened, colors)
        only = chart.only_shown(painted.colors)
        picked = selection.selected(opened, points, among=chart.among(painted.colors, only))
        left, right = st.columns([9, 5], gap="medium")
        with left:
            chart.draw(opened, painted, where, texts=picked.texts, only=only, query=query)
            st.caption(chart.about(points, painted, query))
        with right:
            if picked.texts:
                selection_panel.show_selection(opened, points, picked, colors)
            else:
                selection_panel.invite(opened, colors)


page()
