"""Labels as a chart of bars and, beside it, a table; a click on either opens a label, a second click closes it.

Owns the pair, what a click on it means, and the label that the URL names. What is shown of an open label is the views'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.parts.frame import chart_selection, palette, state
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup
from pages.parts.images import filters
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.wording import counted

FIRST: Final = 16  # labels that are shown before all are asked for: what a window holds beside the rest
ROW_HEIGHT: Final = 27
ROOM: Final = 1070
"""Pixels that a chart and its table share in a window of 1,400."""

_LETTER: Final = 5.55  # pixels, on average
_PADDING: Final = 18
_NAMED_APART: Final = 8

_CHART: Final = "radcbir:precision-chart"
_TABLE: Final = "radcbir:precision-table"


def worst_first(table: pd.DataFrame, column: str, number: str) -> pd.DataFrame:
    """Labels, worst first; where they are equal, that with more queries, then by name; those without a figure last."""
    order = np.lexsort((table["label"].to_numpy(dtype=object), -table[number].to_numpy(), table[column].to_numpy()))
    return table.iloc[order].reset_index(drop=True)


def chosen(
    collection: Collection, labels: Sequence[str], level: Level, *, what: str = "query of this protocol"
) -> str | None:
    """The label that the URL names, if the view has it; where it has not, or there is none, that is said.

    Args:
        collection: The open one.
        labels: Those that the view has.
        level: Of the labels.
        what: What none of has the label, where the collection knows it.
    """
    asked = state.get("label")
    if asked is None or asked in set(labels):
        return asked
    if asked in collection.manifest.labels(level).values:
        st.info(f"No {what} has the label {literal(asked)}.", icon=":material/info:")
    else:
        state.report("label", asked, list(labels), then="No label is opened")
    return None


def bar(
    labels: pd.DataFrame,
    *,
    column: str,
    label: str | None,
    csv: Callable[[], pd.DataFrame],
    file_name: str,
    said: str,
    about: str,
) -> pd.DataFrame:
    """The line above the pair: the box that filters labels, the file, what is shown; the rows of the labels to show.

    Labels without a figure are none of these; :func:`without_figure` draws them.

    Args:
        labels: With a column ``label``, worst first.
        column: Of the figure.
        label: The one that is open; it is among the first that are shown.
        csv: Gives the table of the file.
        file_name: Of the file.
        said: What is shown of how many labels; ``{labels}`` is replaced by these.
        about: What is in the file.
    """
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with_text = filters.by_label(row, labels, name="find")
    text, every = state.get("find"), state.get("labels") == "all"
    scored = with_text[with_text[column].notna()].reset_index(drop=True)
    shown = scored if every else scored[(scored.index < FIRST) | (scored["label"] == label)].reset_index(drop=True)
    if len(scored) > FIRST:
        row.button(
            f"The worst {FIRST} only" if every else f"All {len(scored):,} labels",
            on_click=state.update,
            kwargs={"labels": None if every else "all"},
            key="radcbir:all-labels",
        )
    download(csv, file_name=file_name, about=about, box=row)
    number = int(labels[column].notna().sum())
    of_all = f" of {number:,}" if len(shown) < number else ""
    st.caption(said.replace("{labels}", f"{counted(len(shown), 'label')}{of_all}"))
    if not len(with_text):
        st.info(f"No label contains {literal(text or '')}. Shorten the text.", icon=":material/info:")
    elif not len(scored):
        without_figure(with_text, column)
    return shown


def without_figure(table: pd.DataFrame, column: str) -> None:
    """The labels that cannot be scored, each to be opened: all of their queries were seen in training, or none has
    anything to find.

    Args:
        table: With a column ``label``; perhaps ``n_seen``, the queries that were seen, and ``n_empty``, those that ask
            and have nothing to find.
        column: Of the figure.
    """  # noqa: D205 - the sentence is one
    without = table[table[column].isna()]
    seen = np.zeros(len(without), dtype=np.bool_)
    if "n_seen" in without:
        seen = ((without["n_seen"] > 0) & (without["n_empty"] == 0)).to_numpy()
    for reason, part, name in (
        ("the encoder has seen all of their queries in training", without[seen], "seen"),
        ("none of their queries has anything to find", without[~seen], "empty"),
    ):
        _without_figure(part["label"].tolist(), reason, name=name)


def _without_figure(labels: Sequence[str], reason: str, *, name: str) -> None:
    """The labels that cannot be scored for one reason."""
    if not labels:
        return
    row = st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"radcbir-unscored-{name}")
    row.caption(f"Not scored, as {reason}: {counted(len(labels), 'label')}", width="content")
    for label in labels[:_NAMED_APART]:
        row.button(
            literal(label),
            type="tertiary",
            on_click=state.update,
            kwargs={"label": label, "page": None},
            key=f"radcbir:unscored:{label}",
        )
    if len(labels) > _NAMED_APART:
        row.caption(f"and {len(labels) - _NAMED_APART:,} more, in the file", width="content")


def download(csv: Callable[[], pd.DataFrame], *, file_name: str, about: str, box: Any = st, label: str = "CSV") -> None:
    """A button that gives a table as a file.

    Args:
        csv: Gives the table, once it is asked for.
        file_name: Of the file.
        about: What is in it.
        box: Where to draw.
        label: Of the button.
    """
    box.download_button(
        label,
        lambda: csv_bytes(csv()),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        help=about,
        on_click="ignore",
    )


def pair(
    figure: go.Figure,
    table: pd.DataFrame,
    columns: Mapping[str, Any],
    *,
    label: str | None,
    alt: str,
    label_width: int = 138,
    widths: Sequence[float] = (1, 1),
    name: str = "label",
    heading: str = "Label",
    keys: Sequence[str] | None = None,
) -> None:
    """The chart and the table; a click on either writes the label to the URL.

    Args:
        figure: Whose lines carry their position among the labels as ``customdata``.
        table: With a column ``label``, in the same order.
        columns: Of the table, name → ``st.column_config``, without ``label``.
        label: The one that is open.
        alt: The chart in words.
        label_width: Of the table's column of labels, in pixels, at least; it is wider where its labels ask for it and
            the other columns leave room.
        widths: Of the chart and the table, in relation to each other.
        name: Of the URL parameter.
        heading: Of the table's column of labels.
        keys: What stands for each line in the URL; the labels themselves by default.
    """
    names = list(keys or table["label"])
    left, right = st.container(key="radcbir-half-labels").columns(widths, gap="medium")
    left.plotly_chart(
        figure,
        key=_CHART,
        theme=None,
        on_select=lambda: pick_bar(names, name=name),
        selection_mode="points",
        config={"displayModeBar": False, "scrollZoom": False},
        alt=alt,
    )
    cells = [(names.index(label), "label")] if label in names else []
    st.session_state[_TABLE] = {"selection": {"rows": [], "columns": [], "cells": cells}}
    right.dataframe(
        table[["label", *columns]],
        key=_TABLE,
        hide_index=True,
        width="stretch",
        height=ROW_HEIGHT * len(table) + 38,
        row_height=ROW_HEIGHT,
        placeholder="–",
        on_select=lambda: pick_cell(names, name=name),
        selection_mode="single-cell",
        column_config={
            "label": st.column_config.TextColumn(
                heading,
                width=width_of(table["label"], columns, least=label_width, room=round(ROOM * widths[1] / sum(widths))),
            ),
            **columns,
        },
    )


def width_of(labels: Iterable[str], columns: Mapping[str, Any], *, least: int, room: int) -> int:
    """How wide a column of labels is: as its longest label asks for, as far as the other columns leave room.

    Args:
        labels: Those of the table.
        columns: Its other columns, name → ``st.column_config`` with a width in pixels.
        least: It is never narrower.
        room: For the whole table, in pixels.

    >>> width_of(["a" * 36], {"n": {"width": 40}}, least=100, room=400)
    218
    >>> width_of(["a" * 36], {"n": {"width": 40}}, least=100, room=200)
    160
    >>> width_of(["a"], {"n": {"width": 40}}, least=100, room=400)
    100
    """
    wanted = round(_LETTER * max(map(len, labels), default=0)) + _PADDING
    others = sum(int(column["width"]) for column in columns.values())
    return max(least, min(wanted, room - others))


def pick_bar(labels: Sequence[str], *, chart: str = _CHART, name: str = "label") -> None:
    """Open the label whose bar was clicked; a second click on it closes it.

    A second click arrives as "nothing is selected". Where another label was opened elsewhere meanwhile, it is meant as
    a first one.
    """
    rows = chart_selection.rows_clicked(st.session_state.get(chart))
    before = st.session_state.get(f"{chart}-bar")
    label = labels[rows[0]] if rows and rows[0] < len(labels) else None
    if label is None and state.get(name) != before:
        label = before
    st.session_state[f"{chart}-bar"] = label or before
    state.update(**{name: label, "page": None})


def pick_cell(labels: Sequence[str], *, table: str = _TABLE, name: str = "label") -> None:
    """Open the label whose row was clicked; clearing the table's selection closes it."""
    cells = st.session_state[table].selection.cells
    label = labels[cells[0][0]] if cells and 0 <= cells[0][0] < len(labels) else None
    state.update(**{name: label, "page": None})


def title(label: str, said: str, *, name: str = "label") -> None:
    """The heading of an open label: its name, its figures, and the button that closes it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<h3 class="radcbir-label">{markup(label)}</h3>', width="content")
        st.caption(said, width="stretch")
        st.button(
            "Close",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs={name: None, "page": None},
        )


def colors(opened: Opened, level: Level, labels: Sequence[str]) -> dict[str, str]:
    """The color of each label: its modality's, or its anatomy's."""
    column = "anatomy" if level == "anatomy" else "modality"
    known = palette.colors_of(column, opened.collection.manifest.codes(column).values)
    return {
        label: known.get(label if level != "label" else label.split("/", 1)[0], palette.HUES[0]) for label in labels
    }


def percent_column(name: str, *, width: int = 66, about: str | None = None) -> Any:
    """A column of shares in percent, of figures from 0 to 100."""
    return st.column_config.NumberColumn(name, format="%.1f %%", width=width, help=about)


def figure_column(name: str, *, format_text: str = "%.3f", width: int = 66, about: str | None = None) -> Any:
    """A column of figures."""
    return st.column_config.NumberColumn(name, format=format_text, width=width, help=about)
