"""Map: all images in the plane, near each other where the encoder finds them alike; select some and look at them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.parts.frame import chart_selection, counts, figures, loaders, shell, state
from pages.parts.frame.chart_selection import Region
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import counted, csv_bytes, literal
from pages.parts.images import filters, gallery
from pages.parts.map import coloring, overrepresented
from pages.parts.map.coloring import COLUMNS
from pages.parts.map.points import Points
from radcbir_core.collections.manifest import LEVELS, Level, Manifest
from radcbir_core.evaluation import KS

PRECISION: Final = "p@k"
LEVEL_NAMES: Final[dict[Level, str]] = {"modality": "Modality", "anatomy": "Anatomy", "label": "Full label"}
HEIGHT: Final = 640  # pixels of the chart and of the panel beside it
CSV_COLUMNS: Final = ("image_id", "path", "modality", "anatomy", "pathologies", "patient_id", "dataset", "split")

_SHOWN: Final = "radcbir:map-shown"
_QUERY: Final = "radcbir:map-query"
_IMAGE: Final = "image:"


@dataclass(frozen=True)
class Colors:
    """What the points are colored by: a column, or P@k at a level and a k."""

    column: str
    level: Level
    k: int

    @property
    def level_name(self) -> str:
        """The level in words."""
        return LEVEL_NAMES[self.level].lower()


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


@dataclass(frozen=True)
class Picked:
    """What the URL selects.

    Attributes:
        texts: As in the URL.
        regions: The outlines among it.
        rows: (S,) int64, the rows selected; those nearest to the middle of the selection first.
    """

    texts: tuple[str, ...]
    regions: tuple[Region, ...]
    rows: np.ndarray


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Map", "projection")
    collection, encoder_id = opened.collection, opened.encoder_id
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    colors = choose_colors(controls, opened)
    where = filters.choose(controls, collection, what="Points")
    with shell.errors_shown():
        points = loaders.points(collection, encoder_id, where)
        image_id, mark = query_mark(opened)
        if not len(points.rows):
            st.info(
                "No image passes the filter. Clear it, or choose other values."
                if where
                else "No image has a place on this map: with fewer than two images, none has a neighbor.",
                icon=":material/info:",
            )
            return
        picked = selected(collection.manifest, points)
        basis = (
            collection.name,
            loaders.encoder_digest(collection, encoder_id),
            *astuple(colors),
            repr(where),
            image_id,
        )
        left, right = st.columns([9, 6], gap="medium")
        with left:
            precision = precision_of(opened, colors)
            shown = chart_shown(picked.texts, basis)
            outlines = [
                chart_selection.as_layout(region) for region in map(chart_selection.from_text, shown.drawn) if region
            ]
            figure, said = figure_of(opened, points, colors, precision, mark=mark, outlines=outlines)
            draw(collection.manifest, figure, shown)
            st.caption(about(points, said, query=image_id, marked=mark is not None))
        with right:
            if picked.texts:
                show_selection(opened, points, picked, colors)
            else:
                invite(opened, colors)


def choose_colors(box: st.delta_generator.DeltaGenerator, opened: Opened) -> Colors:
    """The controls of the colors; level and k only where they matter."""
    manifest = opened.collection.manifest
    options = [
        column
        for column in COLUMNS
        if (manifest.pathology_counts if column == "pathologies" else manifest.codes(column).values)
    ]
    if loaders.artifact_states(opened.collection, opened.encoder_id)["neighbors"] == "current":
        options.append(PRECISION)
    column = state.choice(
        box.segmented_control,
        "Color by",
        options,
        name="color",
        format_func=lambda column: COLUMNS.get(column, "P@k"),
    )
    known = [level for level in LEVELS if (manifest.labels(level).codes >= 0).any()] or [LEVELS[0]]
    level, k = str(known[-1]), str(KS[-1])
    if column == PRECISION:
        level = state.choice(
            box.selectbox, "Level", known, name="level", default=level, format_func=LEVEL_NAMES.get, width=130
        )
        k = state.choice(box.selectbox, "k", [str(k) for k in KS], name="k", default=k, width=80)
    return Colors(column, next(x for x in LEVELS if x == level), int(k))


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
        projection = loaders.projection(collection, opened.encoder_id)
        x, y = (float(projection[name].iloc[row]) for name in ("x", "y"))
        return image_id, None if np.isnan(x) or np.isnan(y) else figures.Mark(x, y)
    return None, None


def selected(manifest: Manifest, points: Points) -> Picked:
    """What the URL selects: ``select=box:…``, ``select=lasso:…`` or ``select=image:ID``, any number of them.

    A text that is none of these, or names an image that is not there, is reported and left out.
    """
    texts, outlines = [], []
    chosen = np.zeros(len(points.rows), dtype=bool)
    for text in state.get_all("select"):
        region = chart_selection.from_text(text)
        if region is not None:
            outlines.append(region)
        elif text.startswith(_IMAGE):
            with shell.errors_shown():
                chosen |= points.rows == manifest.row_of(text.removeprefix(_IMAGE))
                texts.append(text)
            continue
        else:
            st.warning(
                "Expected select as box:x,y,x,y or lasso:x,y,… or image:image_id, "
                f"but select = {literal(text[:80])}. It is left out."
            )
            continue
        texts.append(text)
    chosen |= chart_selection.inside(outlines, points.x, points.y)
    x, y = points.x[chosen], points.y[chosen]
    order = np.argsort(np.hypot(x - x.mean(), y - y.mean()), kind="stable") if len(x) else np.arange(0)
    return Picked(tuple(texts), tuple(outlines), points.rows[chosen][order])


def precision_of(opened: Opened, colors: Colors) -> np.ndarray | None:
    """P@k of every image, (N,); None where it has not been computed yet and the colors do not need it."""
    steps = loaders.artifact_states(opened.collection, opened.encoder_id)
    if colors.column != PRECISION and steps["evaluation"] != "current":
        return None
    return loaders.precision_by_row(opened.collection, opened.encoder_id, colors.level, colors.k)


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
    hover = points.hover
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
            return figure, ""
    members = loaders.members(opened.collection, colors.column)
    groups, said = coloring.groups_of(colors.column, members, rows)
    title = COLUMNS[colors.column]
    return figures.map_of_groups(x, y, rows, hover, groups, title=title, mark=mark, outlines=outlines), said


def draw(manifest: Manifest, figure: go.Figure, shown: Shown) -> None:
    """The chart; a selection made in it goes to the URL."""

    def keep() -> None:
        found = chart_selection.from_event(st.session_state.get(shown.key))
        texts = [chart_selection.to_text(region) for region in found.regions]
        texts += [_IMAGE + str(manifest.record(row)["image_id"]) for row in found.rows[:1] if row < len(manifest)]
        shown.reported = tuple(texts)
        state.update(select=texts)

    st.html(_STYLE)
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


def invite(opened: Opened, colors: Colors) -> None:
    """What to do while nothing is selected, and how many images have each value of the column that gives the colors."""
    st.markdown(":material/lasso_select: **Draw around points to see their images.**")
    st.caption(
        "Lasso and box are at the top right of the map; Shift adds to a selection. With the arrows (pan), click a "
        "point for its image alone. The mouse wheel zooms."
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
    with st.container(height=HEIGHT - 60, border=False, key="radcbir-panel"):
        options = [column for column in COLUMNS if len(loaders.members(collection, column).values)]
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
            overrepresented.shares(loaders.members(collection, column), picked.rows, points.rows), column
        )
        name = f"selection-{zlib.crc32(repr(picked.texts).encode()):08x}"
        gallery.show(collection, picked.rows, key=name, per_page=24, columns=4)


def selection_table(opened: Opened, rows: np.ndarray) -> pd.DataFrame:
    """The selected images with what is known of them, and their places on the map."""
    table = opened.collection.manifest.rows(rows, CSV_COLUMNS)
    projection = loaders.projection(opened.collection, opened.encoder_id)
    for name in ("x", "y", "preservation"):
        table[name] = projection[name].to_numpy()[rows]
    return table


# A drawn outline would catch the mouse (Plotly lets it be moved), and no lasso could start inside another.
_STYLE: Final = """<style>
.js-plotly-plot .selectionlayer * { pointer-events: none !important; }
.js-plotly-plot .outline-controllers { display: none; }
</style>"""

page()
