"""Pathology: how well each label is retrieved, what it is taken for, and the queries that went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts import figures, filters, gallery, loaders, palette, protocol_choice, regions, shell, state
from pages.parts.shell import Opened
from pages.parts.text import counted, csv_bytes, literal, markup
from radcbir_core.evaluation import Evaluation
from radcbir_core.evaluation.against import precision_against
from radcbir_core.evaluation.confusion import confusion
from radcbir_core.manifest import Level

QUERIES_A_PAGE: Final = 5
HEIGHT: Final = 400  # pixels of the chart and of the table; both scroll beyond
ROW_HEIGHT: Final = 33


_CHART: Final = "radcbir:precision-chart"
_BAR: Final = "radcbir:precision-bar"
_TABLE: Final = "radcbir:precision-table"


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Pathology", "embed", "neighbors")
    chosen = protocol_choice.choose(opened, k=10, clears=["page"])
    level, k, protocol = chosen.level, chosen.k, chosen.protocol
    if not protocol_choice.can_run(opened, protocol):
        return
    with shell.errors_shown():
        evaluation = loaders.evaluation(opened.collection, opened.encoder_id, protocol)
        table = evaluation.table[(evaluation.table["level"] == level) & (evaluation.table["k"] == k)]
        labels = by_precision(table[table["averaging"] == "label"])
        if not len(labels):
            protocol_choice.say_no_labels(opened, level)
            return
        headline(table, labels=int(labels["precision"].notna().sum()), k=k, evaluation=evaluation)
        label = chosen_label(opened, labels, level)
        show_labels(opened, evaluation, labels, level=level, k=k, label=label)
        if label is None:
            st.caption("Click a label in the chart or in the table to see what it is taken for, and its queries.")
        else:
            show_label(opened, evaluation, labels[labels["label"] == label].iloc[0], level=level, k=k)


def by_precision(table: pd.DataFrame) -> pd.DataFrame:
    """Labels, best first; where they are equal, that with more queries, then by name."""
    order = np.lexsort(
        (table["label"].to_numpy(dtype=object), -table["n_queries"].to_numpy(), -table["precision"].to_numpy())
    )
    return table.iloc[order].reset_index(drop=True)


def headline(table: pd.DataFrame, *, labels: int, k: int, evaluation: Evaluation) -> None:
    """Micro and macro P@k, and what one has to know to read them."""
    tiles = []
    for averaging, over in (("micro", "mean over {queries}"), ("macro", "mean over {labels}")):
        row = table[table["averaging"] == averaging].iloc[0]
        words = over.format(queries=counted(int(row["n_queries"]), "query", "queries"), labels=counted(labels, "label"))
        known = not np.isnan(row["low"])
        interval = f"95 % interval {row['low']:.3f} to {row['high']:.3f}" if known else "no interval: one patient only"
        tiles.append(
            f"<div><span>{averaging.capitalize()} P@{k}</span><b>{row['precision']:.3f}</b>"
            f"<small>{interval}<br>{markup(words)}</small></div>"
        )
    notes = [f"{evaluation.protocol.describe().capitalize()}.", *evaluation.notes]
    said = "".join(f"<li>{markup(note)}</li>" for note in notes)
    st.html(f'<div class="radcbir-headline">{"".join(tiles)}<ul tabindex="0">{said}</ul></div>{_STYLE}')


def chosen_label(opened: Opened, labels: pd.DataFrame, level: Level) -> str | None:
    """The label that the URL names, if it has queries; where it has none, or does not exist, that is said."""
    asked = state.get("label")
    if asked is None or (labels["label"] == asked).any():
        return asked
    if asked in opened.collection.manifest.labels(level).values:
        st.info(f"No query of this protocol has the label {literal(asked)}.", icon=":material/info:")
    else:
        state.report("label", asked, labels["label"].tolist(), then="No label is opened")
    return None


def show_labels(
    opened: Opened, evaluation: Evaluation, labels: pd.DataFrame, *, level: Level, k: int, label: str | None
) -> None:
    """P@k by label as a chart and, beside it, as a table; both can be clicked."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    shown = filters.by_label(bar, labels, name="find")
    text = state.get("find")
    shown = shown.reset_index(drop=True)
    bar.download_button(
        "CSV",
        lambda: csv_bytes(evaluation.table[evaluation.table["level"] == level]),
        file_name=f"precision-{opened.collection.name}-{opened.encoder_id}-{evaluation.protocol.name}-{level}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="All labels of this level at every k, with intervals, and the micro and macro means",
        on_click="ignore",
    )
    bar.caption(
        f"P@{k} of {counted(len(shown), 'label')}{f' of {len(labels):,}' if text else ''}, best first; "
        "whiskers: 95 % interval, by resampling patients.",
        width="stretch",
    )
    if not len(shown):
        st.info(f"No label contains {literal(text or '')}. Shorten the text.", icon=":material/info:")
        return
    chart, table = st.columns(2, gap="medium")
    names = shown["label"].tolist()
    figure = figures.precision_bars(shown, k=k, colors=_colors(opened, level, names))
    height = min(int(figure.layout.height) + 4, HEIGHT)
    with chart.container(height=height, border=False, key="radcbir-bars"):
        st.plotly_chart(
            figure,
            key=_CHART,
            theme=None,
            on_select=lambda: pick_bar(names),
            selection_mode="points",
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Bar chart: P@{k} of {len(names)} labels, from {names[0]} down to {names[-1]}",
        )
    number = st.column_config.NumberColumn
    cells = [(names.index(label), "label")] if label in names else []
    st.session_state[_TABLE] = {"selection": {"rows": [], "columns": [], "cells": cells}}
    with table:
        st.dataframe(
            shown[["label", "precision", "low", "high", "n_queries"]],
            key=_TABLE,
            hide_index=True,
            width="stretch",
            height=min(ROW_HEIGHT * len(shown) + 38, HEIGHT),
            row_height=ROW_HEIGHT,
            placeholder="–",
            on_select=lambda: pick_cell(names),
            selection_mode="single-cell",
            column_config={
                "label": st.column_config.TextColumn("Label", width=246),
                "precision": number(f"P@{k}", format="%.3f", width=66),
                "low": number("Low", format="%.3f", width=66, help="Of the 95 % interval"),
                "high": number("High", format="%.3f", width=66, help="Of the 95 % interval"),
                "n_queries": number("Queries", format="localized", width=74),
            },
        )


def pick_bar(labels: Sequence[str]) -> None:
    """Open the label whose bar was clicked; a second click on it closes it.

    A second click arrives as "nothing is selected". Where another label was opened elsewhere meanwhile, it is meant as
    a first one.
    """
    rows = regions.from_event(st.session_state.get(_CHART)).rows
    before = st.session_state.get(_BAR)
    label = labels[rows[0]] if rows and rows[0] < len(labels) else None
    if label is None and state.get("label") != before:
        label = before
    st.session_state[_BAR] = label or before
    state.update(label=label, page=None)


def pick_cell(labels: Sequence[str]) -> None:
    """Open the label whose row was clicked; clearing the table's selection closes it."""
    cells = st.session_state[_TABLE].selection.cells
    label = labels[cells[0][0]] if cells and 0 <= cells[0][0] < len(labels) else None
    state.update(label=label, page=None)


def show_label(opened: Opened, evaluation: Evaluation, figure: pd.Series, *, level: Level, k: int) -> None:
    """One label: its P@k, what it is taken for, and its queries."""
    label = str(figure["label"])
    found = loaders.label_queries(opened.collection, opened.encoder_id, evaluation.protocol, level, label)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<h3 class="radcbir-label">{markup(label)}</h3>', width="content")
        said = figures.precision_text(figure["precision"], figure["low"], figure["high"], k=k)
        st.caption(f"{said}, {counted(int(figure['n_queries']), 'query', 'queries')}", width="stretch")
        st.button(
            "Close",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs={"label": None, "page": None},
        )
    left, right = st.columns([5, 20], gap="small")
    codes = opened.collection.manifest.labels(level)
    with left:
        show_confusion(found, codes.values, codes.codes, label=label, k=k)
        show_against(opened, found, k=k)
    with right:
        show_queries(opened, found, codes.codes, k=k)


def show_confusion(
    found: loaders.LabelQueries, labels: Sequence[str], codes: np.ndarray, *, label: str, k: int
) -> None:
    """What the first k hits of a label's queries are, as shares."""
    own = np.full(len(found.rows), labels.index(label), dtype=np.int32)
    table = confusion(found.hits.rows, own, gallery_labels=codes, labels=labels, k=k)
    mine = table.query_codes == table.hit_codes
    same = float(table.shares[mine].sum())
    others = table.top(limit=10)
    lines = [("same", "itself", same), *(("other", row.taken_for, row.share) for row in others.itertuples())]
    rest = 1 - same - float(others["share"].sum())
    if rest > 0.0005:
        lines.append(("unknown", "others, or no hit", rest))
    body = "".join(
        f'<tr title="{markup(name)}"><td class="sign" style="color:{palette.AGREEMENT_COLORS[kind]}">'
        f"{palette.SIGNS[kind]}</td><td>{markup(name)}"
        f'<div style="width:{max(100 * share, 0.6):.1f}%;background:{palette.AGREEMENT_COLORS[kind]}"></div></td>'
        f'<td class="share">{100 * share:.1f} %</td></tr>'
        for kind, name, share in lines
    )
    title = "The first hits are" if k == 1 else f"The first {k} hits are"
    st.html(f'<section class="radcbir-confusion"><h4>{title}</h4><table>{body}</table></section>')


def show_against(opened: Opened, found: loaders.LabelQueries, *, k: int) -> None:
    """P@k of a label's queries against something that was measured of them, where the manifest holds such a column."""
    manifest = opened.collection.manifest
    columns = manifest.numeric_columns(found.rows)
    if not columns:
        return
    st.html(f'<section class="radcbir-confusion"><h4>P@{k} against</h4></section>')
    column = state.choice(
        st.selectbox,
        f"P@{k} against",
        columns,
        name="against",
        default=next((name for name in columns if name.startswith("lesion_size")), None),
        label_visibility="collapsed",
    )
    values = manifest.numbers(column, found.rows)
    bins = precision_against(values, found.precision[f"p@{k}"].to_numpy(dtype=np.float64))
    body = "".join(
        f"<tr><td>{_range_text(part.low, part.high)}"
        f'<div style="width:{max(100 * part.precision, 0.6):.1f}%;background:{palette.HUES[0]}"></div></td>'
        f'<td class="share" title="{counted(part.queries, "query", "queries")}">{part.precision:.2f}</td></tr>'
        for part in bins
    )
    st.html(f'<section class="radcbir-confusion"><table>{body}</table></section>')
    st.caption(f"Mean over {counted(sum(part.queries for part in bins), 'query', 'queries')}, evenly parted.")


def _range_text(low: float, high: float) -> str:
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


def show_queries(opened: Opened, found: loaders.LabelQueries, codes: np.ndarray, *, k: int) -> None:
    """The queries of a label, worst first, page by page, each beside its hits."""
    order = worst_first(found, k=k)
    last = max((len(order) - 1) // QUERIES_A_PAGE, 0)
    at = _page_asked(last)
    start = at * QUERIES_A_PAGE
    shown = order[start : start + QUERIES_A_PAGE]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<h4 class="radcbir-label">Queries, worst first</h4>', width="content")
        st.caption(f"{start + 1:,} to {start + len(shown):,} of {len(order):,}", width="stretch")
        for name, icon, to in (("Previous queries", "chevron_left", at - 1), ("Next queries", "chevron_right", at + 1)):
            st.button(
                name,
                icon=f":material/{icon}:",
                disabled=not 0 <= to <= last,
                on_click=state.update,
                kwargs={"page": to + 1 if to else None},
            )
    first = max(k, 5)
    for position in shown:
        row = int(found.rows[position])
        hits = found.hits.rows[position][: found.hits.counts[position]][:first]
        similarities = found.hits.similarities[position][: len(hits)]
        precision = found.precision[f"p@{k}"].iloc[position]
        said = f"P@{k} {precision:.2f}" if not np.isnan(precision) else "nothing relevant to find"
        signs = "".join(_sign("same" if codes[hit] == codes[row] else "other") for hit in hits)
        one, many = st.columns([1, 5], gap="small")
        with one:
            st.html(f'<p class="radcbir-query">Query &ensp;<b>{said}</b></p>')
            gallery.show(opened.collection, [row], key=f"query-{row}", columns=1)
        with many:
            st.html(f'<p class="radcbir-query">{counted(len(hits), "hit")} &ensp;{signs}</p>')
            gallery.show(
                opened.collection,
                hits,
                key=f"hits-{row}",
                similarities=similarities,
                query=gallery.labels_of(opened.collection, row),
                columns=5,
            )


def worst_first(found: loaders.LabelQueries, *, k: int) -> np.ndarray:
    """Positions (Q,) of the queries, lowest P@k first, then lowest P@10; those that had nothing to find come last."""
    most = found.precision.columns[-1]
    return np.lexsort((found.rows, found.precision[most].to_numpy(), found.precision[f"p@{k}"].to_numpy()))


def _page_asked(last: int) -> int:
    """The page of queries that the URL names, counted from 0; one that there is not is reported."""
    asked = state.get("page")
    if asked is None:
        return 0
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= last + 1:
        return int(asked) - 1
    st.warning(f"Expected page from 1 to {last + 1}, but page = {literal(asked[:80])}. The first one is shown instead.")
    return 0


def _sign(kind: palette.Agreement) -> str:
    word = {"same": "relevant", "other": "not relevant"}[kind]
    return f'<span style="color:{palette.AGREEMENT_COLORS[kind]}" title="{word}">{palette.SIGNS[kind]}</span> '


def _colors(opened: Opened, level: Level, labels: Sequence[str]) -> dict[str, str]:
    """The color of each label: its modality's, or its anatomy's."""
    column = "anatomy" if level == "anatomy" else "modality"
    colors = palette.colors_of(column, opened.collection.manifest.codes(column).values)
    return {
        label: colors.get(label if level != "label" else label.split("/", 1)[0], palette.HUES[0]) for label in labels
    }


_STYLE: Final = """<style>
.radcbir-headline { display: grid; grid-template-columns: 13.5rem 13.5rem 1fr; gap: 10px; }
.radcbir-headline > div { background: #171C24; border: 1px solid #2A313C; border-radius: 6px; padding: .45rem .75rem; }
.radcbir-headline span { color: #98A3B3; font-size: .82rem; display: block; }
.radcbir-headline b { font-size: 1.4rem; font-weight: 600; line-height: 1.25; display: block; }
.radcbir-headline small { color: #98A3B3; font-size: .78rem; line-height: 1.3; display: block; }
.radcbir-headline ul { color: #98A3B3; font-size: .78rem; line-height: 1.35; margin: 0; padding: 0 0 0 1.1rem;
  max-height: 6.1rem; overflow-y: auto; scrollbar-width: thin; }
.radcbir-headline li { margin: 0 0 .15rem; padding: 0; font-size: .78rem; }
.radcbir-label { font-size: 1.05rem; margin: 0; padding: 0; font-weight: 600; overflow-wrap: anywhere; }
h4.radcbir-label, .radcbir-confusion h4 { font-size: .95rem; margin: 0; padding: 0; font-weight: 600; }
.radcbir-confusion table { width: 100%; border-collapse: collapse; font-size: .87rem; margin-top: .4rem; }
.radcbir-confusion td { border: 0; padding: 3px 0; vertical-align: top; overflow-wrap: anywhere; line-height: 1.3; }
.radcbir-confusion td div { height: .4em; border-radius: 2px; margin-top: 2px; }
.radcbir-confusion .sign { width: 1.4em; font-weight: 700; }
.radcbir-confusion .share { width: 4.3em; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.radcbir-query { font-size: .87rem; margin: .3rem 0 0; color: #98A3B3; }
.radcbir-query b { color: #E4E8EE; font-weight: 600; }
.radcbir-query span { font-weight: 700; }

</style>"""

page()
