"""The view Anatomy and pathology: P@k taken apart, for every encoder that is built.

Owns this view.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, palette
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.factors import FACTOR_NAMES, FACTORS, Factors
from radcbir_core.wording import counted

_SAID: Final = (
    "Where is it lost? Of the first k hits of a query some are of its modality, of these some of its anatomy, of these "
    "some show its pathology: three shares that multiply to P@k. Pathology is the hardest in most collections."
)
_TITLES: Final = {
    "modality": "Modality",
    "anatomy": "Anatomy, given the modality",
    "pathology": "Pathology, given the anatomy",
    "all": "All three",
    "within": "Searched within the anatomy",
}


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, hidden=("level", "divisor", "empty"), fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, "label")):
        return
    protocol = chosen.protocol
    evaluation = Factors.of(protocol=protocol.name, exclude=list(protocol.exclude), seen=protocol.seen)
    result = runs.result(opened.collection, opened.encoder_id, evaluation)
    if result is None:
        return
    table = result.table[result.table["k"] == chosen.k]
    whole = table[table["modality"] == ""]
    said = f"{chosen.protocol.describe().capitalize()}."
    first = [said, *evaluation.remarks(result), *protocol_choice.leaks(opened, chosen.protocol)]
    tiles.headline(_tiles(opened, whole), result, first=first)
    results = {opened.encoder_id: result, **_others(opened, evaluation)}
    left, right = st.container(key="radcbir-half-factors").columns([5, 6], gap="medium")
    with left:
        _chart(results, k=chosen.k)
    with right:
        _table(opened, result, table, k=chosen.k)


def _tiles(opened: Opened, whole: pd.DataFrame) -> list[Tile]:
    return [
        Tile(
            _TITLES[str(row.factor)],
            tiles.number(row.share),
            (
                tiles.interval(row.low, row.high),
                f"chance {tiles.number(row.chance)}",
                f"{counted(row.n_queries, 'query', 'queries')} of "
                f"{counted_patients(opened.collection, row.n_patients)}",
            ),
        )
        for row in lines_of(whole)
        if row.factor in FACTORS[:3]
    ]


def _others(opened: Opened, evaluation: Factors) -> dict[str, Result]:
    """What is known of the other encoders: computed where it is quick, else what is kept."""
    results = {}
    for encoder_id in opened.collection.encoder_ids():
        store = loaders.store(opened.collection, encoder_id)
        if encoder_id == opened.encoder_id or not store.is_current(NEIGHBORS):
            continue
        result = runs.at_hand(opened.collection, encoder_id, evaluation)
        if result is not None:
            results[encoder_id] = result
    return results


def _chart(results: dict[str, Result], *, k: int) -> None:
    """Bars of every factor, the encoders beneath each other; the first is the open one."""
    colors, rows = {}, []
    asked: dict[str, int] = {}
    for factor in FACTORS:
        for number, (encoder_id, result) in enumerate(results.items()):
            part = result.table[(result.table["k"] == k) & (result.table["modality"] == "")]
            row = part[part["factor"] == factor].iloc[0]
            name = f"{_TITLES[factor]}: {encoder_id}"
            asked[encoder_id] = int(row["n_queries"])
            colors[name] = palette.HUES[number % len(palette.HUES)]
            rows.append(
                {"label": name, "precision": row["share"], "low": row["low"], "high": row["high"]}
                | {"n_queries": row["n_queries"], "chance": row["chance"]}
            )
    bars = pd.DataFrame(rows)
    st.plotly_chart(
        figures.precision_bars(bars, k=k, colors=colors, name="Share"),
        key="radcbir:factors-chart",
        theme=None,
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Bar chart: {len(FACTORS)} shares of the first {k} hits, of {counted(len(results), 'encoder')}",
    )
    if len(set(asked.values())) > 1:
        numbers = ", ".join(f"{literal(name)} {number:,}" for name, number in asked.items())
        st.caption(
            f"Not the same queries: what an encoder has seen in training asks nothing of it ({numbers}). For a fair "
            "comparison of two, see Compare.",
        )
    st.caption("Whiskers: 95 % interval, over patients; │ by chance.")


def _table(opened: Opened, result: Result, table: pd.DataFrame, *, k: int) -> None:
    """Every factor by the modality of the queries."""
    shown = table.assign(
        factor=[_TITLES[str(name)] for name in table["factor"]], modality=table["modality"].replace("", "all")
    )
    st.dataframe(
        shown[["factor", "modality", "share", "low", "high", "chance", "n_queries", "n_patients"]],
        hide_index=True,
        width="stretch",
        height=label_chart.ROW_HEIGHT * len(shown) + 38,
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={
            "factor": st.column_config.TextColumn("Of the first hits", width=170),
            "modality": st.column_config.TextColumn("Queries", width=56),
            "share": figure_column(f"Share at {k}", width=76),
            "low": figure_column("Low", format_text="%.2f", width=50, about="Of the 95 % interval"),
            "high": figure_column("High", format_text="%.2f", width=50, about="Of the 95 % interval"),
            "chance": figure_column("Chance", width=60, about="What images drawn at random would give"),
            "n_queries": figure_column("Number", format_text="localized", width=62, about="Of queries"),
            "n_patients": figure_column("Patients", format_text="localized", width=66),
        },
    )
    label_chart.download(
        lambda: result.table,
        file_name=f"factors-{opened.collection.name}-{opened.encoder_id}.csv",
        about="; ".join(FACTOR_NAMES.values()),
    )
