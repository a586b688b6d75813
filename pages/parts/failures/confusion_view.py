"""The view Retrieval confusion: query label by retrieved label, and the pairs of images behind each cell.

Owns this view and its URL parameters ``weight``, ``figure``, ``hit`` (the retrieved label of the open cell) and
``order`` (of its pairs).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.failures import confusion_figure, looked_up, pair_rows
from pages.parts.failures.looked_up import Cell
from pages.parts.failures.pair_rows import Pairs
from pages.parts.frame import chart_selection, figures, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup, percent
from pages.parts.images import filters
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.protocol import EMPTY_SAID
from radcbir_core.evaluation.reports.retrieval_confusion import WEIGHTS, RetrievalConfusion, standout_cell
from radcbir_core.wording import counted

FIRST: Final = 20
_CHART: Final = "radcbir:confusion-chart"
_TABLE: Final = "radcbir:confusion-table"
_CLOSED: Final[dict[str, Any]] = {"page": None, "image": None, "beside": None}


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, hidden=("divisor",), clears=["hit", "page", "image", "beside"], fixed_ks=())
    weight, figure = _choose()
    tiles.explain(
        f"Of the first {chosen.k} hits of the queries of a label (line), the share that shows each label (column), "
        f"{'weighted by rank' if weight == 'rank' else 'each hit alike'}. The diagonal is right; what is bright beside "
        "it is a confusion. Click a cell or a pair to see its images."
    )
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    codes = opened.collection.manifest.labels(chosen.level)
    evaluation = RetrievalConfusion(chosen.protocol, chosen.level, chosen.k, weight)
    result = runs.result(opened.collection, opened.encoder_id, evaluation)
    if result is None:
        return
    cells = result.table
    if not len(cells):
        protocol_choice.say_no_labels(opened, chosen.level)
        return
    _said(opened, result, chosen)
    confused = cells[cells["label"] != cells["hit_label"]]
    cell = _asked(cells, set(codes.values))
    left, right = st.container(key="radcbir-half-confusion").columns(2, gap="medium")
    with left:
        _matrix(opened, cells, chosen, figure)
    with right:
        _strongest(opened, cells, confused, chosen, cell)
    if cell is None:
        st.caption("Click a cell of the square, or a line of the table, to see its queries beside their hits.")
    else:
        _show_pairs(opened, cells.iloc[cell], chosen, weight)


def _choose() -> tuple[str, str]:
    """How hits are weighted, and what cells show."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-cells")
    weight = state.choice(
        row.segmented_control,
        "Hits count",
        list(WEIGHTS),
        name="weight",
        format_func={"rank": "by rank", "equal": "all alike"}.get,
        help="By rank: 1 / log2(rank + 1), divided by the sum over k ranks, so that the first hit counts most. All "
        "alike: 1 / k, and the diagonal is P@k.",
    )
    figure = state.choice(
        row.segmented_control,
        "Cells show",
        list(confusion_figure.FIGURES),
        name="figure",
        format_func=confusion_figure.FIGURES.get,
        help="Lift: share ÷ what images drawn at random from those a query may be given would have.",
    )
    return weight, figure


def _said(opened: Opened, result: Result, chosen: Chosen) -> None:
    """The strongest confusion in one sentence, which opens it; and what the figures are of."""
    facts, cells = result.facts, result.table
    row = standout_cell(cells)
    if row is not None:
        interval = "" if np.isnan(row["low"]) else f" ({percent(row['low'])} to {percent(row['high'])})"
        st.button(
            f"What stands out: {literal(row['label'])} retrieves {literal(row['hit_label'])}: "
            f"{percent(row['share'])} of its hits{interval}, by chance {percent(row['chance'])}. "
            f"{counted(int(row['n_queries']), 'query', 'queries')} of "
            f"{counted_patients(opened.collection, int(row['n_patients']))}.",
            type="tertiary",
            icon=":material/search_insights:",
            on_click=state.update,
            kwargs={"label": row["label"], "hit": row["hit_label"], **_CLOSED},
            key="radcbir:standout",
        )
    else:
        st.caption("No confusion of two labels has five patients or more behind it.")
    notes = "".join(f" {note}" for note in result.notes)
    st.caption(
        literal(
            f"{chosen.protocol.name.capitalize()}, {chosen.protocol.excluded}; "
            f"{counted(facts['n_queries'], 'query', 'queries')}; those without a relevant image "
            f"{EMPTY_SAID[chosen.protocol.empty]}: {facts['n_empty']:,} of {facts['n_asked']:,}.{notes}"
        )
    )


def _asked(cells: pd.DataFrame, labels: set[str]) -> int | None:
    """The line of the cell that the URL names; a pair of labels that no hit has is said."""
    label, hit = state.get("label"), state.get("hit")
    if label is None or hit is None:
        return None
    mine = cells.index[(cells["label"] == label) & (cells["hit_label"] == hit)]
    if len(mine):
        return int(mine[0])
    if {label, hit} <= labels:
        st.info(f"No hit of {literal(label)} shows {literal(hit)}, under these choices.", icon=":material/info:")
    else:
        wrong = "label" if label not in labels else "hit"
        state.report(wrong, label if wrong == "label" else hit, sorted(labels), then="No pair is opened")
    return None


def _open(cells: pd.DataFrame, line: int | None) -> None:
    row = None if line is None or not 0 <= line < len(cells) else cells.iloc[line]
    state.update(label=None if row is None else row["label"], hit=None if row is None else row["hit_label"], **_CLOSED)


def _matrix(opened: Opened, cells: pd.DataFrame, chosen: Chosen, figure: str) -> None:
    manifest = opened.collection.manifest
    present = set(cells["label"]) | set(cells["hit_label"])
    labels = confusion_figure.in_order(sorted(present), manifest.codes("modality"), manifest.labels(chosen.level))

    def pick() -> None:
        rows = chart_selection.rows_clicked(st.session_state.get(_CHART))
        before = st.session_state.get(f"{_CHART}-cell")
        # A second click on a cell arrives as "nothing is selected" and closes it.
        st.session_state[f"{_CHART}-cell"] = rows[0] if rows else before
        _open(cells, rows[0] if rows else None)

    st.plotly_chart(
        confusion_figure.matrix(cells, labels, figure=figure),
        key=_CHART,
        theme=None,
        on_select=pick,
        selection_mode="points",
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Square of {len(labels)} labels by {len(labels)}: {confusion_figure.FIGURES[figure].lower()} of hits; the "
        "table beside it has the strongest pairs",
    )


def _strongest(opened: Opened, cells: pd.DataFrame, confused: pd.DataFrame, chosen: Chosen, cell: int | None) -> None:
    """The pairs of two labels, strongest first, as a table that can be clicked."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with_text = pd.concat(
        [
            confused[["label"]],
            confused[["hit_label"]].rename(columns={"hit_label": "label"}),
        ]
    )
    kept = filters.by_label(row, with_text, name="find")
    shown = confused[confused.index.isin(kept.index)]
    every = state.get("pairs") == "all"
    number = len(shown)
    if number > FIRST:
        row.button(
            f"The first {FIRST}" if every else f"All {number:,} pairs",
            on_click=state.update,
            kwargs={"pairs": None if every else "all"},
            key="radcbir:all-pairs",
        )
        shown = shown if every else shown.head(FIRST)
    label_chart.download(
        lambda: cells,
        file_name=f"confusion-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}-{chosen.level}.csv",
        about="Every pair of labels that occurs: count, share, interval, chance, lift, queries and patients",
        box=row,
    )
    if not number:
        found = "No pair of two labels has this text. Shorten it." if state.get("find") else "No hit has another label."
        st.info(found, icon=":material/info:")
        return
    st.caption("Pairs of two labels; first those that are surely frequent (by the lower end of their interval).")
    lines = shown.index.tolist()
    chosen_cell = [(lines.index(cell), "label")] if cell in lines else []
    st.session_state[_TABLE] = {"selection": {"rows": [], "columns": [], "cells": chosen_cell}}

    def pick() -> None:
        picked = st.session_state[_TABLE].selection.cells
        _open(cells, lines[picked[0][0]] if picked and 0 <= picked[0][0] < len(lines) else None)

    percents = shown.assign(**{name: 100 * shown[name] for name in ("share", "chance")})
    percents["interval"] = [
        "–" if np.isnan(one.low) else f"{100 * one.low:.0f} to {100 * one.high:.0f} %" for one in lines_of(shown)
    ]
    columns = {
        "hit_label": st.column_config.TextColumn("Retrieved", width=170),
        "share": label_chart.percent_column("Share", width=54, about="Of the weight of its hits"),
        "interval": st.column_config.TextColumn("95 % interval", width=84, help="Over patients"),
        "chance": label_chart.percent_column(
            "Chance", width=58, about="Of images drawn at random from those a query may be given"
        ),
        "lift": figure_column("Lift", format_text="%.1f ×", width=50, about="Share ÷ chance"),
        "n_queries": figure_column("Queries", format_text="localized", width=56),
        "n_patients": figure_column("Patients", format_text="localized", width=58),
    }
    st.dataframe(
        percents[["label", *columns]],
        key=_TABLE,
        hide_index=True,
        width="stretch",
        height=label_chart.ROW_HEIGHT * len(percents) + 38,
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        on_select=pick,
        selection_mode="single-cell",
        column_config={"label": st.column_config.TextColumn("Query label", width=170), **columns},
    )


def _show_pairs(opened: Opened, row: pd.Series, chosen: Chosen, weight: str) -> None:
    """The queries of a cell beside their hits."""
    label, hit = str(row["label"]), str(row["hit_label"])
    said = figures.precision_text(row["share"], row["low"], row["high"], k=chosen.k, name="share")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<h3 class="radcbir-label">{markup(label)} → {markup(hit)}</h3>', width="content")
        st.caption(
            f"{said}, by chance {row['chance']:.3f}; {counted(int(row['n_hits']), 'hit')} of "
            f"{counted(int(row['n_queries']), 'query', 'queries')}",
            width="stretch",
        )
        order = state.choice(
            st.segmented_control,
            "Order of the pairs",
            ["similarity", "rank", "query"],
            name="order",
            clears=["page"],
            format_func={"similarity": "most similar", "rank": "best rank", "query": "worst query"}.get,
            label_visibility="collapsed",
        )
        st.button(
            "Close",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs={"label": None, "hit": None, **_CLOSED},
        )
    cell = Cell(label, hit, weight, order)
    pairs = looked_up.cell_pairs(opened, chosen.protocol, chosen.level, k=chosen.k, cell=cell)
    if pairs.n_looked_up < pairs.n_queries:
        st.caption(
            f"{pairs.n_looked_up:,} of the {pairs.n_queries:,} queries of this label were looked up, drawn at random; "
            "the figures above are of all."
        )
    pair_rows.show(opened, Pairs(pairs.queries, pairs.found.at), title="Queries beside their hits")
