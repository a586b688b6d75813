"""The chart of the map: which one is in the browser, its figure, and what is said below it.

Owns the going of a selection from the browser to the URL. What is selected is selection.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.parts.frame import chart_selection, figures, loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.map import coloring, map_data
from pages.parts.map.color_choice import PRECISION, Colors
from pages.parts.map.coloring import COLUMNS, SEEN, SEEN_TITLE
from pages.parts.map.points import Points
from pages.parts.map.selection import IMAGE
from radcbir_core.collections.manifest import Manifest
from radcbir_core.evaluation.seen import Seen, seen_said
from radcbir_core.wording import counted

HEIGHT: Final = 640  # pixels of the chart and of the panel beside it

_SHOWN: Final = "radcbir:map-shown"
_QUERY: Final = "radcbir:map-query"


@dataclass
class Shown:
    """The chart in the browser: what it was made of, and what is selected in it as far as it has told.

    Streamlit takes another figure for another chart, in which nothing is selected. So the outline of a selection is
    part of the figure only where a chart starts with it: from a link, or when its colors have changed. From then on
    the browser draws, and the figure stays as it is.

    Kept in the session, so it holds nothing of a class that a page defines: those are new in every run.
    """

    basis: tuple[Any, ...]
    drawn: tuple[str, ...]
    reported: tuple[str, ...]
    number: int

    @property
    def key(self) -> str:
        """The chart's key; another one for every new start."""
        return f"radcbir:map:{self.number}"


def query_mark(opened: Opened) -> tuple[str | None, figures.Mark | None]:
    """The current query, as its image_id and its place on the map.

    A query made on Retrieval since the last visit comes first; else what the URL says. None where there is none, and
    no place where it has none.
    """
    collection = opened.collection
    latest = state.query(collection.name)
    if latest != st.session_state.get(_QUERY):
        st.session_state[_QUERY] = latest
        state.update(image=latest)
    image_id = state.get("image")
    if image_id is None:
        return None, None
    with shell.errors_shown():
        row = collection.manifest.row_of(image_id)
        projection = map_data.projection(collection, opened.encoder_id)
        x, y = (float(projection[name].iloc[row]) for name in ("x", "y"))
        return image_id, None if np.isnan(x) or np.isnan(y) else figures.Mark(x, y)
    return None, None


def chart_shown(select: tuple[str, ...], basis: tuple[Any, ...]) -> Shown:
    """The chart to draw: the one that is in the browser, or a new one where that would not show this selection."""
    shown: Shown | None = st.session_state.get(_SHOWN)
    if shown is None or shown.basis != basis or shown.reported != select:
        shown = Shown(basis, drawn=select, reported=select, number=shown.number + 1 if shown else 0)
        st.session_state[_SHOWN] = shown
    return shown


def figure_of(
    opened: Opened,
    points: Points,
    colors: Colors,
    precision: np.ndarray | None,
    *,
    mark: figures.Mark | None,
    outlines: Sequence[Mapping[str, Any]],
) -> tuple[go.Figure, str]:
    """The figure, and a sentence on what it leaves out, empty where it leaves out nothing."""
    rows, x, y = points.rows[points.drawn], points.x[points.drawn], points.y[points.drawn]
    seen = loaders.seen(opened.collection, opened.encoder_id)
    files, near = seen.files[rows], seen.near[rows]
    hover = [
        f"{text}<br>{coloring.SEEN_FILE if file else coloring.SEEN_NEAR}" if file or other else text
        for text, file, other in zip(points.hover, files, near, strict=True)
    ]
    if precision is not None:
        hover = [
            text if np.isnan(value) else f"{text}<br>P@{colors.k} {value:.2f} ({colors.level_name})"
            for text, value in zip(hover, precision[rows], strict=True)
        ]
        if colors.column == PRECISION:
            figure = figures.map_of_values(
                *(x, y, rows, hover, precision[rows]),
                title=f"P@{colors.k}",
                note=colors.level_name,
                mark=mark,
                outlines=outlines,
            )
            return figure, f"{_not_asked(seen)} They have no P@{colors.k}." if seen.number else ""
    if colors.column == SEEN:
        groups = coloring.groups_of_seen(files, near)
        figure = figures.map_of_groups(x, y, rows, hover, groups, title=SEEN_TITLE, mark=mark, outlines=outlines)
        return figure, _not_asked(seen)
    members = map_data.members(opened.collection, colors.column)
    groups, said = coloring.groups_of(colors.column, members, rows)
    title = COLUMNS[colors.column]
    return figures.map_of_groups(x, y, rows, hover, groups, title=title, mark=mark, outlines=outlines), said


def _not_asked(seen: Seen) -> str:
    """How many images the encoder has seen in training, a sentence."""
    return f"{seen_said(seen)}."


def draw(manifest: Manifest, figure: go.Figure, shown: Shown) -> None:
    """The chart; a selection made in it goes to the URL."""

    def keep() -> None:
        selected = chart_selection.from_event(st.session_state.get(shown.key))
        texts = [chart_selection.to_text(region) for region in selected.regions]
        texts += [IMAGE + str(manifest.record(row)["image_id"]) for row in selected.rows[:1] if row < len(manifest)]
        shown.reported = tuple(texts)
        state.update(select=texts)

    st.plotly_chart(
        figure,
        key=shown.key,
        theme=None,
        height=HEIGHT,
        on_select=keep,
        selection_mode=("points", "box", "lasso"),
        config={"scrollZoom": True, "displayModeBar": True, "modeBarButtonsToRemove": ["toImage", "autoScale2d"]},
        alt="Scatter chart: a point an image, near each other where the encoder finds them alike",
    )


def about(points: Points, said: str, *, query: str | None, marked: bool) -> str:
    """What is drawn, how far the map can be trusted, and what it leaves out; Markdown."""
    total, drawn = len(points.rows), len(points.drawn)
    lines = [f"{counted(total, 'image')}." if drawn == total else f"{drawn:,} of {total:,} images shown, at random."]
    if drawn < total:
        lines.append("A selection holds those that are not drawn as well.")
    if not np.isnan(points.preservation):
        lines.append(
            f"Neighborhood preservation {points.preservation:.2f}: the share of each image's 15 nearest neighbors that "
            "are also near it on the map, on average. Distances between far groups mean little."
        )
    if said:
        lines.append(said)
    if query is not None:
        lines.append(f"The ring is the query {query}." if marked else f"The query {query} has no place on the map.")
    return literal(" ".join(lines))
