"""Tables of B − A, with the interval in numbers and in words.

Owns the columns of the two tables on the Compare page, and the file of the whole comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.compare import comparator
from pages.parts.compare.paired import Pair
from pages.parts.evaluation.protocol_choice import LEVEL_NAMES, Chosen
from pages.parts.frame.csv_text import csv_bytes
from radcbir_core.collections.manifests.manifest import LEVELS
from radcbir_core.evaluation import Protocol, Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.comparison import means_of_comparison, verdict
from radcbir_core.evaluation.reports.precision import rule_said

ROW_HEIGHT: Final = 33


def rule_of(result: Result, chosen: Chosen) -> str:
    """The rule for queries that have nothing to find, and how many there are at the level."""
    table = result.table
    return rule_said(table[(table["level"] == chosen.level) & (table["k"] == chosen.k)], chosen.protocol)


def means(result: Result, pair: Pair, protocol: Protocol, *, height: int) -> None:
    """Micro and macro P@k at every level and k, and the whole comparison as a file."""
    rows = means_of_comparison(result)
    rows = rows.sort_values(["level", "k"], key=_in_order, kind="stable")
    says = [_says(row.low, row.high) for row in lines_of(rows)]
    columns = ["level", "averaging", "k", "a", "b", "difference", "low", "high", "says"]
    shown = rows.assign(level=rows["level"].map(LEVEL_NAMES), says=says)[columns]
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=height,
        row_height=ROW_HEIGHT,
        placeholder="–",
        column_config={
            "level": st.column_config.TextColumn("Level", width=74),
            "averaging": st.column_config.TextColumn("Mean", width=52),
            "k": number("k", width=30),
            "a": number("A", format="%.3f", width=50, help=pair.a),
            "b": number("B", format="%.3f", width=50, help=pair.b),
            "difference": number("B − A", format="%+.3f", width=58),
            "low": number("Low", format="%+.3f", width=58),
            "high": number("High", format="%+.3f", width=58),
            "says": st.column_config.TextColumn("95 % says", width=94),
        },
    )
    st.download_button(
        "CSV",
        lambda: csv_bytes(result.table),
        file_name=f"compare-{pair.collection.name}-{pair.a}-{pair.b}-{protocol.name}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="All levels, means and labels at every k, with intervals and corrected p values",
        on_click="ignore",
    )


def _in_order(column: pd.Series) -> pd.Series:
    """Levels from the broadest to the finest, and numbers as they are."""
    return column.map(list(LEVELS).index) if column.name == "level" else column


def _says(low: float, high: float) -> str:
    kind = verdict(low, high)
    return f"{comparator.SIGNS[kind]} {comparator.WORDS[kind]}"


def labels(
    pair: Pair, shown: pd.DataFrame, *, label: str | None, key: str, height: int, on_select: Callable[[], None]
) -> None:
    """P@k of both and B − A for each label.

    Args:
        pair: Whose.
        shown: As ``labels_of`` gives them, in the order to show.
        label: The one that is open.
        key: Of the table.
        height: At most so many pixels.
        on_select: Called when a row is clicked.
    """
    names = shown["label"].tolist()
    cells = [(names.index(label), "label")] if label in names else []
    st.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": cells}}
    says = [_says(row.low, row.high) for row in lines_of(shown)]
    columns = ["label", "a", "b", "difference", "low", "high", "says", "p_holm", "n_queries", "n_patients"]
    if shown["n_seen"].any():
        columns.append("n_seen")
    if shown["p_holm"].isna().all():
        columns.remove("p_holm")
    number = st.column_config.NumberColumn
    st.dataframe(
        shown.assign(says=says)[columns],
        key=key,
        hide_index=True,
        width="stretch",
        height=min(ROW_HEIGHT * len(shown) + 38, height),
        row_height=ROW_HEIGHT,
        placeholder="–",
        on_select=on_select,
        selection_mode="single-cell",
        column_config={
            "label": st.column_config.TextColumn("Label", width=165),
            "a": number("A", format="%.3f", width=44, help=pair.a),
            "b": number("B", format="%.3f", width=44, help=pair.b),
            "difference": number("B − A", format="%+.3f", width=52),
            "low": number("Low", format="%+.3f", width=52, help="Of the 95 % interval of the difference"),
            "high": number("High", format="%+.3f", width=52, help="Of the 95 % interval of the difference"),
            "says": st.column_config.TextColumn("95 % says", width=82),
            "p_holm": number(
                "p corr.",
                format="%.3f",
                width=50,
                help="Randomization test that swaps A and B patient by patient, corrected for the number of labels "
                "(Holm). 0.05 or less: clear, even though many labels were looked at.",
            ),
            "n_queries": number("Queries", format="localized", width=52),
            "n_patients": number("Patients", format="localized", width=56),
            "n_seen": number("Seen", format="localized", width=46, help="Queries that one of the two saw in training"),
        },
    )
