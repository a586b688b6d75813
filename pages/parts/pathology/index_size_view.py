"""The view Index size: P@k against the number of images in the gallery.

Owns this view.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.evaluation import charts, label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame.shell import Opened
from radcbir_core.evaluation.protocol import EMPTY_SAID, Protocol
from radcbir_core.evaluation.reports.index_size import DRAWS, IndexSize
from radcbir_core.evaluation.reports.precision import rule_said
from radcbir_core.wording import counted

_SAID: Final = (
    "What would a hospital with fewer images have seen? The gallery is made smaller by leaving out whole patients at "
    f"random, {DRAWS} times at each size; the queries stay the same. Lines: the mean P@k of the draws; bands: from the "
    "lowest draw to the highest. A curve that still rises at its right end says that more images would help."
)


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, fixed_ks=())
    level, k, protocol = chosen.level, chosen.k, chosen.protocol
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, protocol) and protocol_choice.has_labels(opened, level)):
        return
    result = runs.result(opened.collection, opened.encoder_id, IndexSize(protocol, level))
    if result is None:
        return
    table = result.table
    at_k = table[table["k"] == k]
    rule = rule_said(at_k[at_k["fraction"] == at_k["fraction"].max()], protocol)
    said = f"{protocol.describe().capitalize()}: {rule.split(': ')[1]} with the whole gallery."
    tiles.headline(_tiles(at_k, k=k), result, first=[said, *protocol_choice.leaks(opened, protocol)])
    left, right = st.container(key="radcbir-half-sizes").columns([1, 1], gap="medium")
    with left:
        st.plotly_chart(
            charts.size_curve(at_k, k=k),
            key="radcbir:size-curve",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Curves: micro and macro P@{k} against the size of the gallery, from "
            f"{at_k['gallery'].min():,.0f} to {at_k['gallery'].max():,.0f} images; {rule}",
        )
    with right:
        _table(opened, table, at_k, k=k, level=level, protocol=protocol)


def _tiles(at_k: pd.DataFrame, *, k: int) -> list[Tile]:
    """P@k with the smallest gallery and the largest, micro and macro."""
    numbers = []
    for averaging in ("micro", "macro"):
        rows = at_k[at_k["averaging"] == averaging].sort_values("gallery")
        small, large = rows.iloc[0], rows.iloc[-1]
        numbers.append(
            Tile(
                f"{averaging.capitalize()} P@{k}, whole gallery",
                tiles.number(large["mean"]),
                (
                    f"{tiles.number(small['mean'])} ± {tiles.number(small['std'])} with "
                    f"{small['gallery']:,.0f} of {large['gallery']:,.0f} images",
                    f"over {counted(round(large['n_queries']), 'query', 'queries')}",
                ),
            )
        )
    return numbers


def _table(opened: Opened, table: pd.DataFrame, at_k: pd.DataFrame, *, k: int, level: str, protocol: Protocol) -> None:
    columns = {
        "gallery": figure_column("Images", format_text="localized", width=56, about="Mean over draws"),
        "mean": figure_column(f"P@{k}", about="Mean over draws", width=52),
        "std": figure_column("± std", about="Standard deviation over draws", width=48),
        "low": figure_column("Lowest", width=52),
        "high": figure_column("Highest", width=54),
        "draws": figure_column("Draws", format_text="%d", width=46),
        "n_queries": figure_column("Queries", format_text="localized", width=56, about="Mean over draws"),
        "n_empty": figure_column(
            "Empty",
            format_text="localized",
            width=52,
            about=f"Queries with nothing to find, which are {EMPTY_SAID[protocol.empty]}",
        ),
    }
    shown = at_k.sort_values(["averaging", "gallery"], ascending=[False, True])
    shown = shown.assign(
        share=[f"{100 * fraction:g} %" for fraction in shown["fraction"]],
        gallery=shown["gallery"].round().astype(int),
        n_queries=shown["n_queries"].round().astype(int),
    )
    st.dataframe(
        shown[["averaging", "share", *columns]],
        hide_index=True,
        width="stretch",
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={
            "averaging": st.column_config.TextColumn("Mean", width=48),
            "share": st.column_config.TextColumn("Patients", width=56, help="Share of the gallery's patients"),
            **columns,
        },
    )
    label_chart.download(
        lambda: table,
        file_name=f"index-size-{opened.collection.name}-{opened.encoder_id}-{protocol.name}-{level}.csv",
        about="All sizes at every k, micro and macro",
    )
