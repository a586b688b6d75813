"""Map: all images in the plane, near each other where the encoder finds them alike; select some and look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.text import markup
from pages.parts.images import filters
from pages.parts.map import chart, color_choice, kept_maps, map_data, map_query, second_map, selection, selection_panel
from pages.parts.map.color_choice import Colors
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.second_map import Second


def page() -> None:
    """Draw the page."""
    shown = shell.begin("Map", "projection")
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    colors = color_choice.choose_colors(controls, shown)
    opened = kept_maps.choose(controls, shown)
    where = filters.choose(controls, opened.collection, what="Points")
    second = second_map.choose(controls, opened, colors)
    kept_maps.draw_panel(controls, opened)
    kept_maps.draw_job(opened)
    with shell.errors_shown():
        colors = color_choice.shown_now(opened, colors)
        if len(map_data.points(opened, where).rows):
            maps_and_panel(opened, colors, where, second)
        else:
            st.info(
                "No image passes the filter. Clear it, or choose other values."
                if where
                else "No image has a place on this map: with fewer than two images, none has a neighbor.",
                icon=":material/info:",
            )


@st.fragment
def maps_and_panel(
    opened: OpenedMap, colors: Colors, where: Mapping[str, Sequence[str]], second: Second | None = None
) -> None:
    """The map, or two, and what is selected; a selection runs this part of the page alone."""
    chart.take_answer()
    map_query.follow_retrieval(opened.collection.name)
    with shell.errors_shown():
        points = map_data.points(opened, where)
        painted = color_choice.painted(opened, colors)
        only = chart.only_shown(painted.colors)
        others = None if second is None else map_data.points(second.opened, where)
        among = chart.among(painted.colors, only)
        picked = selection.selected(opened, points, among=among, second=others)
        waiting = [one for one in (opened, *([] if second is None else [second.opened])) if map_query.waits(one)]
        query = None if opened in waiting else map_query.current(opened, where)
        if second is None or others is None:
            left, right = st.columns([9, 5], gap="medium")
            with left:
                chart.draw(opened, painted, where, picked=picked, only=only, query=query)
                st.caption(chart.about(opened, points, painted, query))
        else:
            with st.container(key="radcbir-half-maps"):
                left, beside = st.columns(2, gap="small")
            with left:
                st.html(f'<p class="radcbir-part">{markup(second_map.title_of(opened.encoder_id, opened.name))}</p>')
                chart.draw(opened, painted, where, picked=picked, only=only, query=query, paired=True)
                st.caption(chart.about(opened, points, painted, query))
            with beside:
                st.html(f'<p class="radcbir-part">{markup(second.title)}</p>')
                its = color_choice.painted(second.opened, second.colors)
                asked = None if second.opened in waiting else map_query.current(second.opened, where)
                chart.draw(
                    second.opened,
                    its,
                    where,
                    picked=picked,
                    only=(),
                    query=asked,
                    paired=True,
                    beside=opened.encoder_id,
                )
                st.caption(chart.about(second.opened, others, its, asked))
            right = st.container()
        with right:
            map_query.draw_box(opened, query)
            if picked.texts:
                selection_panel.show_selection(opened, points, picked, colors)
            else:
                selection_panel.invite(opened, colors, painted.colors)
            if waiting:
                _follow(waiting, where)


def _follow(maps: Sequence[OpenedMap], where: Mapping[str, Sequence[str]]) -> None:
    """Load the encoders of maps, once all points are there to be looked at, and draw anew, with the query."""
    placed = [map_query.current(opened, where) is not None for opened in maps]
    if all(placed) and not any(map_query.waits(opened) for opened in maps):
        st.rerun()


page()
