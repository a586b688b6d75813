"""The view Subgroups: P@k by the values of a column, what sets each apart, and the failing queries behind it.

Owns this view and its URL parameters ``column``, ``cuts`` and ``value``.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, query_rows, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.column_groups import offered_columns
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.precision import rule_said
from radcbir_core.evaluation.reports.subgroups import (
    FEWEST_PATIENTS,
    FEWEST_QUERIES,
    Subgroups,
    p_said,
    standout_said,
    standout_value,
)
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.wording import counted

_SAID: Final = (
    "For whom does it work? P@k of the queries with each value of a column, and how far they are from all others: as "
    "they are, and against queries of the same labels alone, so that no hospital is called worse for harder patients."
)
_CLOSED: Final = ["value", "page"]


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, clears=_CLOSED, fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    evaluation = _choose_groups(opened, chosen)
    if evaluation is None:
        return
    result = runs.result(opened.collection, opened.encoder_id, evaluation)
    if result is None:
        return
    table = result.table[result.table["k"] == chosen.k]
    whole = table[table["value"] == ""].iloc[0]
    rule = rule_said(table[table["value"] == ""].assign(averaging="micro"), chosen.protocol)
    said = f"{chosen.protocol.describe().capitalize()}: {rule.split(': ')[1]}."
    lines = [tiles.interval(whole["low"], whole["high"]), f"chance {tiles.number(whole['chance'])}"]
    patients = counted_patients(opened.collection, int(whole["n_patients"]))
    lines.append(f"{counted(int(whole['n_queries']), 'query', 'queries')} of {patients}")
    tiles.headline(
        [Tile(f"Micro P@{chosen.k}", tiles.number(whole["precision"]), tuple(lines))],
        result,
        first=[said, *protocol_choice.leaks(opened, chosen.protocol)],
    )
    _show_values(opened, result, evaluation, table, chosen)


def _choose_groups(opened: Opened, chosen: Chosen) -> Subgroups | None:
    """Draw the choice of a column, and of cuts where it holds numbers; what is asked for then."""
    offered, reasons = offered_columns(opened.collection.manifest)
    if not offered:
        st.info(
            "No column parts the images of this collection into groups: each has one value, or names single images.",
            icon=":material/info:",
        )
        return None
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-subgroups")
    column = state.choice(
        bar.selectbox, "By", offered, name="column", clears=["cuts", *_CLOSED], format_func=_worded, width=220
    )
    key = "radcbir:cuts"
    st.session_state[key] = state.get("cuts") or ""
    bar.text_input(
        "Cut numbers at",
        key=key,
        placeholder="such as 18, 65",
        help="For a column of numbers: where to part them. By default ages are parted by decades, and other numbers of "
        "more than a dozen values into four bands of about as many images each.",
        on_change=lambda: state.update(cuts=st.session_state[key].strip()[:80], value=None, page=None),
        width=160,
    )
    with bar.popover("Other columns", icon=":material/info:"):
        for name, reason in reasons.items():
            st.caption(f"**{literal(_worded(name))}**: {literal(reason)}.")
    text = state.get("cuts") or ""
    cuts = [part for part in re.split(r"[\s,;]+", text) if part]
    try:
        numbers = tuple(float(part) for part in cuts)
    except ValueError:
        st.warning(f"Expected cuts as numbers, such as 18, 65, but cuts = {literal(text)}. None is used.")
        numbers = ()
    return Subgroups(chosen.protocol, chosen.level, column, numbers)


def _worded(column: str) -> str:
    """A column as the page says it.

    >>> _worded("patient_sex")
    'Patient sex'
    """
    return column.replace("_", " ").capitalize()


def _show_values(opened: Opened, result: Result, evaluation: Subgroups, table: pd.DataFrame, chosen: Chosen) -> None:
    """What stands out, and every value as a dot and as a row; the failing queries of the open one."""
    k, column = chosen.k, str(result.facts["column"])
    _show_standout(table, column=column, k=k)
    values = table[table["value"] != ""].rename(columns={"value": "label"}).reset_index(drop=True)
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.caption(
        f"P@{k} by {literal(column)}. Dots: with their 95 % interval over patients; │ by chance; the dotted line: all "
        f"queries. A value of fewer than {FEWEST_QUERIES} queries or {FEWEST_PATIENTS} patients is not compared."
    )
    label_chart.download(
        lambda: result.table,
        file_name=f"subgroups-{opened.collection.name}-{opened.encoder_id}-{column}.csv",
        about="Every value at every k, with intervals, chance and differences",
        box=row,
    )
    scored = values[values["precision"].notna()].reset_index(drop=True)
    if not len(scored):
        st.info("No query has anything to find under these choices.", icon=":material/info:")
        return
    value = state.get("value")
    if value is not None and value not in set(values["label"]):
        state.report("value", value, values["label"].tolist(), then="None is opened")
        value = None
    interval = "Its 95 % interval, over patients"
    corrected = "Corrected for the number of values (Holm)"
    columns = {
        "precision": figure_column(f"P@{k}", width=52),
        "interval": st.column_config.TextColumn("95 %", width=84, help=interval),
        "chance": figure_column("Chance", width=54, about="P@k of images drawn at random from those it may be given"),
        "n_queries": figure_column("Queries", format_text="localized", width=56),
        "n_patients": figure_column("Patients", format_text="localized", width=58, about="Behind the interval"),
        "n_seen": figure_column("Seen", format_text="localized", width=46, about="Seen in training by the encoder"),
        "to_others": st.column_config.TextColumn(
            "To others", width=150, help=f"P@k less that of all others. {interval}"
        ),
        "p_others": st.column_config.TextColumn("p", width=52, help=corrected),
        "same_labels": st.column_config.TextColumn(
            "To others of the same labels", width=170, help=f"P@k less that of others of the same labels. {interval}"
        ),
        "p_labels": st.column_config.TextColumn("p", width=52, help=corrected),
    }
    scored = scored.assign(
        interval=["–" if np.isnan(row.low) else f"{row.low:.2f} to {row.high:.2f}" for row in lines_of(scored)],
        to_others=[_said(row.difference, row.difference_low, row.difference_high) for row in lines_of(scored)],
        same_labels=[_said(row.adjusted, row.adjusted_low, row.adjusted_high) for row in lines_of(scored)],
        p_others=scored["difference_p_holm"].map(p_said),
        p_labels=scored["adjusted_p_holm"].map(p_said),
    )
    if not values["n_seen"].any():
        del columns["n_seen"]
    overall = float(table.loc[table["value"] == "", "precision"].iloc[0])
    label_chart.pair(
        figures.interval_dots(scored, k=k, overall=overall),
        scored,
        columns,
        label=value,
        alt=f"Dots: P@{k} of {len(scored)} values of {column}, with intervals",
        label_width=120,
        widths=(1, 2),
        name="value",
        heading=_worded(column),
    )
    without = values[values["precision"].isna()]["label"].tolist()
    if without:
        named = ", ".join(map(literal, without[:8])) + (f" and {len(without) - 8} more" if len(without) > 8 else "")
        st.caption(f"Not scored, as no query with the value has anything to find or all were seen: {named}.")
    if value is None:
        st.caption("Click a value in the chart or in the table to see its failing queries.")
    else:
        _show_queries(opened, result, evaluation, values[values["label"] == value].iloc[0], chosen)


def _said(difference: float, low: float, high: float) -> str:
    """A difference with its interval, in the signs of a page."""
    return tiles.minus(difference_said(difference, low, high))


def _show_standout(table: pd.DataFrame, *, column: str, k: int) -> None:
    """The value that most clearly falls behind; a click opens it."""
    said = tiles.minus(standout_said(table, column=column, k=k))
    row = standout_value(table)
    if row is None:
        st.caption(literal(said))
        return
    st.button(
        f"What stands out: {literal(said)}",
        type="tertiary",
        icon=":material/search_insights:",
        on_click=state.update,
        kwargs={"value": str(row["value"]), "page": None},
        key="radcbir:standout",
    )


def _show_queries(opened: Opened, result: Result, evaluation: Subgroups, figure: pd.Series, chosen: Chosen) -> None:
    """The queries of a value, worst first, each beside its hits."""
    k, value = chosen.k, str(figure["label"])
    said = figures.precision_text(figure["precision"], figure["low"], figure["high"], k=k)
    label_chart.title(
        f"{_worded(str(result.facts['column']))}: {value}",
        f"{said}, {counted(int(figure['n_queries']), 'query', 'queries')} of "
        f"{counted_patients(opened.collection, int(figure['n_patients']))}",
        name="value",
    )
    queries = result.tables["queries"]
    mine = queries[(queries["value"] == value) & queries[f"p@{k}"].notna()]
    order = np.lexsort((mine["row"], mine[f"p@{max(evaluation.protocol.ks)}"], mine[f"p@{k}"]))
    rows, precision = (mine[name].to_numpy()[order] for name in ("row", f"p@{k}"))
    if not len(rows):
        st.caption("None of its queries has anything to find, or the encoder has seen them all in training.")
        return
    view: GalleryView = evaluation.labeled(loaders.store(opened.collection, opened.encoder_id))
    query_rows.show_of(opened, view, rows, precision, k=k)
