"""Which images to look at: filters by any column of the manifest, kept in the URL.

Owns the filter popover and the box for labels that pages share, and the reading of ``where=column=value`` from the
URL. What a filter means is the manifest's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.frame.text import literal
from radcbir_core.collections.collection import Collection


def choose(
    box: st.delta_generator.DeltaGenerator, collection: Collection, *, what: str = "Hits"
) -> dict[str, list[str]]:
    """Draw the filters: any column with 2 to 200 values; kept in the URL as ``where=column=value``.

    Args:
        box: Where to draw the button, in a row of controls.
        collection: Whose columns.
        what: What is filtered, as the first word of the explanation.

    Returns:
        Column → accepted values, as ``Manifest.mask`` takes them. A column or a value of the URL that the collection
        does not have is reported and left out.
    """
    manifest = collection.manifest
    asked: dict[str, list[str]] = {}
    for column, values in state.conditions("where", manifest.column_names).items():
        for value in values:
            with shell.errors_shown():
                manifest.mask({column: [value]})
                asked.setdefault(column, []).append(value)
    number = sum(map(len, asked.values()))
    with box.popover(f"Filters ({number})" if number else "Filters", icon=":material/filter_alt:"):
        st.caption(f"{what} must match every column, by any of its values.")
        halves = st.columns(2)
        for position, column in enumerate(_in_order(manifest.filterable())):
            counts = manifest.counts(column)
            key = f"radcbir:where:{column}"
            st.session_state[key] = [value for value in asked.get(column, []) if value in counts]
            halves[position % 2].multiselect(
                literal(column.replace("_", " ").capitalize()),
                sorted(counts),
                key=key,
                format_func=partial(_with_count, counts),
                on_change=lambda column=column, key=key: state.set_conditions(
                    "where", {**asked, column: st.session_state[key]}
                ),
                placeholder="any",
            )
    if number:
        box.button("Clear", on_click=state.update, kwargs={"where": None}, type="tertiary", icon=":material/close:")
    return asked


def _in_order(columns: Sequence[str]) -> list[str]:
    """The columns to filter by, those of every collection first; the size in pixels is of use to nobody as a list."""
    first = ["modality", "anatomy", "pathologies", "dataset", "split"]
    rest = [name for name in columns if name not in {*first, "width", "height"}]
    return [name for name in first if name in columns] + rest


def by_label(bar: st.delta_generator.DeltaGenerator, labels: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Draw a box for a part of a label's name, kept in the URL as ``name``; the rows of the labels that have it.

    Args:
        bar: Where to draw, in a row of controls.
        labels: With a column ``label``.
        name: Of the parameter in the URL.
    """
    key = f"radcbir:{name}-labels"
    st.session_state[key] = state.get(name) or ""
    bar.text_input(
        "Filter labels",
        key=key,
        placeholder="Filter labels: any part of them",
        label_visibility="collapsed",
        width=300,
        on_change=lambda: state.update(**{name: st.session_state[key].strip()[:200]}),
    )
    text = state.get(name)
    return labels[labels["label"].str.contains(text, case=False, regex=False)] if text else labels


def _with_count(counts: Mapping[str, int], value: str) -> str:
    return f"{value} ({counts[value]:,})"
