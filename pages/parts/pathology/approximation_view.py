"""The view Approximate search: what the index, the neighbor graph and fewer digits miss of exact search.

Owns this view and its URL parameter ``sample``.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.approximation import (
    DEPTHS,
    ENGINE,
    EXACT,
    GRAPH,
    Approximation,
    way_said,
    way_told,
)
from radcbir_core.wording import counted

SAMPLES: Final = ("200", "1000", "5000")
_SAID: Final = (
    "How much is lost by not comparing every image? A sample of queries is asked of the index, of the neighbor graph, "
    "on which all other figures rest, and of vectors with fewer digits, and each answer is compared with exact search: "
    "recall@k is the share of the exact first k hits that are found."
)
_DEPTH: Final = 10
_TITLES: Final = {ENGINE: "Index", GRAPH: "Neighbor graph"}


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    sample = state.choice(
        st.segmented_control,
        "Queries, at most",
        SAMPLES,
        name="sample",
        default=SAMPLES[1],
        help="Drawn at random, the same each time. Exact search compares each of them with every image.",
        width="content",
    )
    evaluation = Approximation(chosen.protocol, chosen.level, sample=int(sample))
    result = runs.result(opened.collection, opened.encoder_id, evaluation, what="The recall of approximate search")
    if result is None:
        return
    ways = [way for way in _TITLES if (result.table["way"] == way).any()]
    said = f"{chosen.protocol.describe().capitalize()}."
    leaks = protocol_choice.leaks(opened, chosen.protocol)
    tiles.headline(_tiles(opened, result, chosen, ways), result, first=[said, *leaks])
    for way in ways:
        told = tiles.minus(way_told(result, way, k=chosen.k))
        st.markdown(f":material/search_insights: {literal(told)}")
    _table(opened, result, chosen)


def _tiles(opened: Opened, result: Result, chosen: Chosen, ways: list[str]) -> list[Tile]:
    """Recall of the index and of the graph, and P@k of exact search."""
    means = lines_of(result.table[result.table["averaging"] == "micro"])
    micro = {(row.way, row.k): row for row in means}
    exact = micro[EXACT, chosen.k]
    asked = f"{counted(exact.n_queries, 'query', 'queries')} of {counted_patients(opened.collection, exact.n_patients)}"
    shown = []
    for way in ways:
        row = micro[way, _DEPTH]
        lines = [tiles.interval(row.recall_low, row.recall_high)]
        built = result.facts["recall_when_built"]
        lines.append(asked if way != ENGINE or built is None else f"{tiles.number(built)} when it was built")
        shown.append(Tile(f"{_TITLES[way]}, recall@{_DEPTH}", tiles.number(row.recall), tuple(lines)))
    lines = [tiles.interval(exact.low, exact.high), f"chance {tiles.number(exact.chance)}", asked]
    return [*shown, Tile(f"Micro P@{chosen.k}, exact search", tiles.number(exact.precision), tuple(lines))]


def _table(opened: Opened, result: Result, chosen: Chosen) -> None:
    """Every way of searching as a row."""
    k, micro = chosen.k, result.table[result.table["averaging"] == "micro"]
    shown = micro[micro["k"] == k].reset_index(drop=True)
    shown = shown.assign(
        said=[way_said(way, result) for way in shown["way"]],
        interval=[tiles.bounds(row.low, row.high) for row in lines_of(shown)],
        change=[_change(row) for row in lines_of(shown)],
    )
    columns: dict[str, Any] = {"said": st.column_config.TextColumn("Searched by", width=212)}
    for depth in DEPTHS:
        rows = micro[micro["k"] == depth].set_index("way").loc[shown["way"]].reset_index()
        shown[f"recall@{depth}"] = rows["recall"]
        shown[f"of recall@{depth}"] = [tiles.bounds(row.recall_low, row.recall_high) for row in lines_of(rows)]
        about = f"Of the exact first {depth} hits, the share that is found"
        columns[f"recall@{depth}"] = figure_column(f"Recall@{depth}", format_text="%.4f", width=78, about=about)
        columns[f"of recall@{depth}"] = st.column_config.TextColumn("95 %", width=77, help="Over patients")
    columns |= {
        "precision": figure_column(f"P@{k}", width=56),
        "interval": st.column_config.TextColumn("95 %", width=77, help="Of P@k, over patients"),
        "change": st.column_config.TextColumn(
            "Less exact search",
            width=168,
            help="P@k less that of exact search for the very same queries; 95 % interval",
        ),
        "n_queries": figure_column("Queries", format_text="localized", width=58),
        "n_patients": figure_column("Patients", format_text="localized", width=58, about="Behind the intervals"),
    }
    bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    bar.caption(
        "Means over queries. An interval says what so many patients can: it has a width where nothing changes, too."
    )
    label_chart.download(
        lambda: result.table,
        file_name=f"approximation-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}-{chosen.level}.csv",
        about="Every way at every k, micro, macro and by label, with intervals",
        box=bar,
    )
    st.dataframe(
        shown[list(columns)],
        hide_index=True,
        width="stretch",
        height=label_chart.ROW_HEIGHT * len(shown) + 38,
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config=columns,
    )


def _change(row: Any) -> str:
    """A paired difference and its interval.

    >>> from types import SimpleNamespace
    >>> _change(SimpleNamespace(difference=-0.25, difference_low=-0.5, difference_high=0.0))
    '−0.250 (−0.500 to +0.000)'
    """
    said = tiles.signed(row.difference)
    if said == "–" or pd.isna(row.difference_low):
        return said
    return f"{said} ({tiles.signed(row.difference_low)} to {tiles.signed(row.difference_high)})"
