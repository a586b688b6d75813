"""Compare: two encoders on one collection, figure by figure, label by label, and query by query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts import (
    difference_figures,
    gallery,
    loaders,
    paired,
    picker,
    protocol_choice,
    rankings,
    regions,
    shell,
    state,
    versus,
)
from pages.parts.difference_figures import difference_text
from pages.parts.paired import Pair
from pages.parts.protocol_choice import LEVEL_NAMES, Chosen
from pages.parts.shell import Opened
from pages.parts.text import counted, csv_bytes, literal, markup
from radcbir_core.evaluation.comparing import Comparison, label_note, verdict
from radcbir_core.evaluation.disagreements import Disagreements, RankedPair
from radcbir_core.evaluation.neighborhoods import Neighborhoods, agreement_by_label
from radcbir_core.manifest import LEVELS, Level

SECTIONS: Final = {
    "figures": "Figures",
    "pathologies": "Pathologies",
    "rankings": "Rankings",
    "disagreements": "Disagreements",
    "neighborhoods": "Neighborhoods",
}
HEIGHT: Final = 470  # pixels of a chart and of the table beside it; both scroll beyond
ROW_HEIGHT: Final = 33
HITS: Final = ("10", "20", "50")

# The controls that would change nothing in a section.
_WITHOUT: Final = {"rankings": ("divisor",), "neighborhoods": ("k", "protocol", "exclude", "divisor")}

_CHART: Final = "radcbir:difference-chart"
_LINE: Final = "radcbir:difference-line"
_TABLE: Final = "radcbir:difference-table"


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Compare", "embed", "neighbors")
    pair = versus.choose(opened)
    if pair is None:
        return
    section = state.choice(
        st.segmented_control,
        "Section",
        list(SECTIONS),
        name="section",
        format_func=SECTIONS.get,
        label_visibility="collapsed",
        width="stretch",
    )
    chosen = protocol_choice.choose(opened, k=1, hidden=_WITHOUT.get(section, ()))
    st.html(_STYLE)
    if not protocol_choice.can_run(opened, chosen.protocol):
        return
    with shell.errors_shown():
        if section == "neighborhoods":
            show_neighborhoods(pair, chosen)
            return
        found = paired.comparison(pair, chosen.protocol)
        labels = found.labels_of(chosen.level, chosen.k)
        if not len(labels) and section != "rankings":
            protocol_choice.say_no_labels(opened, chosen.level)
            return
        if section == "figures":
            show_figures(pair, found, chosen)
        elif section == "pathologies":
            show_pathologies(pair, labels, chosen)
        elif section == "rankings":
            show_rankings(opened, pair, chosen)
        else:
            show_disagreements(pair, chosen)


def use_image(image_id: str) -> None:
    """Make an image the query of both encoders; a callback, so that the run after it shows their rankings."""
    state.update(image=image_id, section="rankings", view=None)


def show_figures(pair: Pair, found: Comparison, chosen: Chosen) -> None:
    """P@k of both at every level, and B − A with its interval."""
    means = found.table[found.table["averaging"] != "label"]
    here = means[(means["level"] == chosen.level) & (means["k"] == chosen.k)]
    tiles = []
    for row in here.to_dict("records"):
        over = (
            counted(int(row["n_queries"]), "query", "queries")
            if row["averaging"] == "micro"
            else counted(len(found.labels_of(chosen.level, chosen.k)), "label")
        )
        tiles.append(
            f"<div><span>{row['averaging'].capitalize()} P@{chosen.k}, {markup(chosen.level_name)}, mean over "
            f"{markup(over)}</span><p>{versus.badge('A')} <b>{row['a']:.3f}</b> &emsp;{versus.badge('B')} "
            f"<b>{row['b']:.3f}</b></p><small>B − A {difference_text(row['difference'], row['low'], row['high'])} "
            f"&ensp;{versus.said(verdict(row['low'], row['high']))}</small></div>"
        )
    notes = [f"{found.protocol.describe().capitalize()}.", *found.notes]
    said = "".join(f"<li>{markup(note)}</li>" for note in notes)
    st.html(f'<div class="radcbir-pair">{"".join(tiles)}<ul tabindex="0">{said}</ul></div>')
    left, right = st.container(key="radcbir-figures").columns([9, 10], gap="medium")
    with left:
        figure = difference_figures.difference_overview(means, names=dict(LEVEL_NAMES), chosen=(chosen.level, chosen.k))
        st.plotly_chart(
            figure,
            key="radcbir:difference-overview",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Dots and whiskers: B − A of P@k for {counted(len(means), 'mean')}",
        )
    with right:
        _means_table(means, found, pair, height=int(figure.layout.height) - 110)
        st.caption(
            "Whiskers, low and high: 95 % interval of the difference. Patients are resampled, the same ones for both "
            "encoders, so it is narrower than the intervals of the two would suggest."
        )


def _means_table(means: pd.DataFrame, found: Comparison, pair: Pair, *, height: int) -> None:
    shown = means.sort_values(["level", "k"], key=_in_order, kind="stable").assign(
        level=means["level"].map(LEVEL_NAMES),
        says=[_says(row.low, row.high) for row in means.itertuples()],
    )[["level", "averaging", "k", "a", "b", "difference", "low", "high", "says"]]
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
        lambda: csv_bytes(found.table),
        file_name=f"compare-{pair.collection.name}-{pair.a}-{pair.b}-{found.protocol.name}.csv",
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
    return f"{versus.SIGNS[kind]} {versus.WORDS[kind]}"


def show_pathologies(pair: Pair, labels: pd.DataFrame, chosen: Chosen) -> None:
    """B − A of every label, B's largest gain first, as a chart and a table; both can be clicked."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    key = "radcbir:filter-labels"
    st.session_state[key] = state.get("filter") or ""
    bar.text_input(
        "Filter labels",
        key=key,
        placeholder="Filter labels: any part of them",
        label_visibility="collapsed",
        width=300,
        on_change=lambda: state.update(filter=st.session_state[key].strip()[:200]),
    )
    text = state.get("filter")
    shown = labels[labels["label"].str.contains(text, case=False, regex=False)] if text else labels
    first = state.choice(
        bar.segmented_control,
        "Order",
        ["B", "A"],
        name="first",
        format_func=lambda letter: f"{letter}'s gains first",
        label_visibility="collapsed",
        width="content",
    )
    shown = (shown if first == "B" else shown[::-1]).reset_index(drop=True)
    of_all = f" of {len(labels):,}" if text else ""
    bar.caption(f"B − A of P@{chosen.k}, {counted(len(shown), 'label')}{of_all}", width="stretch")
    if not len(shown):
        st.info(f"No label contains {literal(text or '')}. Shorten the text.", icon=":material/info:")
        return
    label = _chosen_label(pair, labels, chosen.level)
    names = shown["label"].tolist()
    left, right = st.container(key="radcbir-labels").columns([9, 11], gap="medium")
    figure = difference_figures.difference_rows(shown, k=chosen.k)
    with left.container(height=min(int(figure.layout.height) + 4, HEIGHT), border=False, key="radcbir-bars"):
        st.plotly_chart(
            figure,
            key=_CHART,
            theme=None,
            on_select=lambda: pick_line(names),
            selection_mode="points",
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Dots and whiskers: B − A of P@{chosen.k} of {len(names)} labels, from {names[0]} down to {names[-1]}",
        )
    with right:
        _labels_table(pair, shown, label=label)
    st.caption(
        f"{label_note(labels)} The correction asks much: a label of fewer than a dozen patients can hardly pass it."
        if labels["p_holm"].notna().any()
        else label_note(labels)
    )
    if label is None:
        st.caption("Click a label in the chart or in the table to see its queries.")
        return
    row = labels[labels["label"] == label].iloc[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<h3 class="radcbir-label">{markup(label)}</h3>', width="content")
        said = difference_text(row["difference"], row["low"], row["high"])
        st.caption(f"P@{chosen.k} of A {row['a']:.3f}, of B {row['b']:.3f}, B − A {said}", width="stretch")
        st.button("Close", icon=":material/close:", type="tertiary", on_click=state.update, kwargs={"label": None})
    _parted(pair, chosen, paired.parted(pair, chosen.protocol, chosen.level, chosen.k, label))


def _labels_table(pair: Pair, shown: pd.DataFrame, *, label: str | None) -> None:
    names = shown["label"].tolist()
    cells = [(names.index(label), "label")] if label in names else []
    st.session_state[_TABLE] = {"selection": {"rows": [], "columns": [], "cells": cells}}
    says = [_says(row.low, row.high) for row in shown.itertuples()]
    columns = ["label", "a", "b", "difference", "low", "high", "says", "p_holm", "n_queries", "n_patients"]
    if shown["p_holm"].isna().all():
        columns.remove("p_holm")
    number = st.column_config.NumberColumn
    st.dataframe(
        shown.assign(says=says)[columns],
        key=_TABLE,
        hide_index=True,
        width="stretch",
        height=min(ROW_HEIGHT * len(shown) + 38, HEIGHT),
        row_height=ROW_HEIGHT,
        placeholder="–",
        on_select=lambda: pick_cell(names),
        selection_mode="single-cell",
        column_config={
            "label": st.column_config.TextColumn("Label", width=158),
            "a": number("A", format="%.3f", width=46, help=pair.a),
            "b": number("B", format="%.3f", width=46, help=pair.b),
            "difference": number("B − A", format="%+.3f", width=54),
            "low": number("Low", format="%+.3f", width=54, help="Of the 95 % interval of the difference"),
            "high": number("High", format="%+.3f", width=54, help="Of the 95 % interval of the difference"),
            "says": st.column_config.TextColumn("95 % says", width=86),
            "p_holm": number(
                "p corr.",
                format="%.3f",
                width=52,
                help="Randomization test that swaps A and B patient by patient, corrected for the number of labels "
                "(Holm). 0.05 or less: clear, even though many labels were looked at.",
            ),
            "n_queries": number("Queries", format="localized", width=54),
            "n_patients": number("Patients", format="localized", width=62),
        },
    )


def _chosen_label(pair: Pair, labels: pd.DataFrame, level: Level) -> str | None:
    """The label that the URL names, if it has queries; where it has none, or does not exist, that is said."""
    asked = state.get("label")
    if asked is None or (labels["label"] == asked).any():
        return asked
    if asked in pair.collection.manifest.labels(level).values:
        st.info(f"No query of this protocol has the label {literal(asked)}.", icon=":material/info:")
    else:
        state.report("label", asked, labels["label"].tolist(), then="No label is opened")
    return None


def pick_line(labels: Sequence[str]) -> None:
    """Open the label whose line was clicked; a second click on it closes it.

    A second click arrives as "nothing is selected". Where another label was opened elsewhere meanwhile, it is meant as
    a first one.
    """
    rows = regions.from_event(st.session_state.get(_CHART)).rows
    before = st.session_state.get(_LINE)
    label = labels[rows[0]] if rows and rows[0] < len(labels) else None
    if label is None and state.get("label") != before:
        label = before
    st.session_state[_LINE] = label or before
    state.update(label=label)


def pick_cell(labels: Sequence[str]) -> None:
    """Open the label whose row was clicked; clearing the table's selection closes it."""
    cells = st.session_state[_TABLE].selection.cells
    state.update(label=labels[cells[0][0]] if cells and 0 <= cells[0][0] < len(labels) else None)


def show_rankings(opened: Opened, pair: Pair, chosen: Chosen) -> None:
    """One query and the hits of both encoders, aligned."""
    left, right = st.container(key="radcbir-pair-of-rankings").columns([2, 9], gap="medium")
    collection = pair.collection
    image_id = state.get("image")
    with left, st.container(horizontal=True, gap="small"):
        st.button(
            "Browse", icon=":material/grid_view:", on_click=state.update, kwargs={"view": "browse"}, width="stretch"
        )
        st.button(
            "Random",
            icon=":material/casino:",
            on_click=lambda: use_image(picker.random_image(collection)),
            width="stretch",
        )
    if image_id is None or state.get("view") == "browse":
        with left:
            st.caption("Choose a query on the right, take a random one, or one from the section Disagreements.")
        with right:
            picker.browse(collection, on_query=use_image)
        return
    with left:
        row = collection.manifest.row_of(image_id)
        state.set_query(collection.name, image_id)
        with shell.errors_shown():
            if gallery.picture(loaders.preview(collection, row), f"Query: {image_id}", key="compare-query"):
                gallery.open_large(collection, [row], 0, on_query=use_image)
        shown = {"image id", "modality", "anatomy", "pathologies", "view", "dataset", "split", "patient id"}
        gallery.facts_table([(n, v) for n, v in gallery.image_facts(collection, row) if n in shown])
        _next_buttons(pair, chosen, row)
        st.button(
            "Open in Retrieval",
            icon=":material/image_search:",
            type="tertiary",
            on_click=lambda: st.session_state.update({"radcbir:to-retrieval": row}),
        )
    if st.session_state.pop("radcbir:to-retrieval", None) == row:
        gallery.open_as_query(opened.collection, row)
    with right, shell.errors_shown():
        bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
        hits = int(
            state.choice(
                bar.segmented_control, "Hits", list(HITS), name="hits", label_visibility="collapsed", width="content"
            )
        )
        found = paired.rankings(pair, chosen.protocol, chosen.level, row, hits)
        bar.html(f'<p class="radcbir-summary">{pair_summary(found, chosen)}</p>')
        rankings.show(pair, found, key="compare-rankings", on_query=use_image)
        st.caption(
            "Numbers on the right of each hit are similarities, each on the scale of its encoder: they cannot be "
            "compared with each other."
            if not pair.by_chance
            else "B is one random ranking, always the same for this query."
        )


def _next_buttons(pair: Pair, chosen: Chosen, row: int) -> None:
    """One click to the next query that only one of the two gets right."""
    with shell.errors_shown():
        found = paired.parted(pair, chosen.protocol, chosen.level, chosen.k)
        st.caption(f"Next query that only one gets right at k = {chosen.k}:")
        with st.container(horizontal=True, gap="small"):
            for letter, rows in (("A", found.only_a), ("B", found.only_b)):
                following = next_of(rows, row)
                st.button(
                    f"Only {letter}",
                    icon=":material/skip_next:",
                    width="stretch",
                    disabled=following is None,
                    on_click=use_row,
                    args=(pair, following),
                )


def next_of(rows: np.ndarray, row: int) -> int | None:
    """The row that comes after ``row``, and after the last the first; the first where ``row`` is not there.

    >>> next_of(np.array([5, 2, 9]), 2), next_of(np.array([5, 2, 9]), 9), next_of(np.array([5]), 7)
    (9, 5, 5)
    """
    if not len(rows) or (len(rows) == 1 and rows[0] == row):
        return None
    at = np.flatnonzero(rows == row)
    return int(rows[(at[0] + 1) % len(rows)]) if len(at) else int(rows[0])


def use_row(pair: Pair, row: int) -> None:
    """As :func:`use_image`, by row."""
    use_image(str(pair.collection.manifest.record(row)["image_id"]))


def pair_summary(found: RankedPair, chosen: Chosen) -> str:
    """What two rankings have in common and how often each is right, as HTML."""
    depth = max(int(found.a.counts[0]), int(found.b.counts[0]))
    if not depth:
        return "No image is left to be a hit."
    parts = [f"<b>{found.shared} of {depth}</b> hits shared", f"rank-biased overlap <b>{found.overlap:.2f}</b>"]
    if found.relevant_a is None or found.relevant_b is None:
        parts.append(f"the query has no {markup(chosen.level_name)}, so nothing is relevant or not")
    else:
        parts.append(
            f'<span style="white-space:nowrap">relevant ({markup(chosen.level_name)}): '
            f"{versus.badge('A')} <b>{int(found.relevant_a.sum())}</b> "
            f"&ensp;{versus.badge('B')} <b>{int(found.relevant_b.sum())}</b></span>"
        )
    help_text = "0: nothing shared; 1: identical. The first ten ranks carry 86 % of the weight (p = 0.9)."
    return f'<span title="{markup(help_text)}">{" &emsp; ".join(parts)}</span>'


def show_disagreements(pair: Pair, chosen: Chosen) -> None:
    """Queries that only one of the two gets right."""
    _parted(pair, chosen, paired.parted(pair, chosen.protocol, chosen.level, chosen.k))


def _parted(pair: Pair, chosen: Chosen, found: Disagreements) -> None:
    """The two-by-two table, what it adds up to, and both galleries."""
    if not found.n_queries:
        st.info("No query is left: there was nothing relevant to find for any.", icon=":material/info:")
        return
    left, right = st.columns([4, 7], gap="medium", vertical_alignment="center")
    with left:
        st.html(_two_by_two(found))
    with right:
        what = "the first hit is" if chosen.k == 1 else f"at least one of the first {chosen.k} hits is"
        share = difference_text(found.difference, found.low, found.high)
        lines = [
            f"Right: {what} relevant, at the level {markup(chosen.level_name)}.",
            f"B − A in the share of queries that are right: <b>{share}</b> of "
            f"{counted(found.n_queries, 'query', 'queries')} &ensp;{versus.said(verdict(found.low, found.high))}",
            "95 % interval, by resampling patients. Largest lead in P@10 first.",
        ]
        if pair.by_chance:
            lines.append(
                f"B is one random draw a query, always the same; on average it would be right for "
                f"{100 * found.expected:.1f} %."
            )
        lines.append("Click an image to open it large, <b>Query</b> to see what both encoders return for it.")
        st.html(f'<p class="radcbir-said">{"<br>".join(lines)}</p>')
    columns = st.columns(2, gap="medium")
    for column, right_one, wrong_one, rows in zip(columns, "AB", "BA", (found.only_a, found.only_b), strict=True):
        with column:
            st.html(
                f'<h3 class="radcbir-label">{versus.badge(right_one)} right, {versus.badge(wrong_one)} wrong '
                f"<small>{counted(len(rows), 'query', 'queries')}</small></h3>"
            )
            if len(rows):
                gallery.show(
                    pair.collection,
                    rows,
                    key=f"only-{right_one}",
                    per_page=16,
                    columns=4,
                    on_query=use_image,
                )
            else:
                st.caption("There is none.")


def _two_by_two(found: Disagreements) -> str:
    def cell(rows: np.ndarray, kind: str) -> str:
        share = 100 * len(rows) / found.n_queries
        return f'<td class="{kind}"><b>{len(rows):,}</b> <small>{share:.1f} %</small></td>'

    head = f"<tr><th></th><th>{versus.badge('B')} ✓ right</th><th>{versus.badge('B')} ✗ wrong</th></tr>"
    first = f"<tr><th>{versus.badge('A')} ✓ right</th>{cell(found.both, 'same')}{cell(found.only_a, 'a')}</tr>"
    second = f"<tr><th>{versus.badge('A')} ✗ wrong</th>{cell(found.only_b, 'b')}{cell(found.neither, 'same')}</tr>"
    return f'<table class="radcbir-cells">{head}{first}{second}</table>'


def show_neighborhoods(pair: Pair, chosen: Chosen) -> None:
    """How far both put the same images side by side, relevant or not."""
    if pair.by_chance:
        st.info(
            f"B is chance: of k random neighbors, a share of k ÷ {max(len(pair.collection) - 1, 1):,} is also A's, on "
            "average. Choose a second encoder above to compare neighborhoods.",
            icon=":material/info:",
        )
        return
    found = paired.agreement(pair)
    if not found.ks or not found.n_images:
        st.info("There are too few images for neighborhoods to compare.", icon=":material/info:")
        return
    near = int(
        state.choice(
            st.segmented_control,
            "Nearest images",
            [str(k) for k in found.ks],
            name="near",
            default=str(found.ks[min(2, len(found.ks) - 1)]),
            help="How many neighbors of each image are compared",
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.html(_agreement_table(found, near))
        st.caption(
            f"Mean over {counted(found.n_images, 'image')} of the share of nearest images that both encoders name. "
            "Only the image itself is left out. Random: what two neighborhoods drawn at random would share."
        )
        mine = found.at(near)
        order = np.lexsort((found.rows, found.shared[:, -1], mine))
        st.html('<h3 class="radcbir-label">Images whose neighborhoods differ most</h3>')
        gallery.show(pair.collection, found.rows[order], key="differ", per_page=16, columns=4, on_query=use_image)
    with right:
        by_label = agreement_by_label(found, pair.stores[0], chosen.level, near)
        st.html(_agreement_bars(by_label, f"Among {near} nearest, by {chosen.level_name}"))


def _agreement_table(found: Neighborhoods, near: int) -> str:
    lines = []
    for row in found.table().itertuples():
        times = f"{row.agreement / row.random:,.0f}× random" if row.agreement > 0 else ""
        chosen = ' class="chosen"' if row.k == near else ""
        lines.append(
            f'<tr{chosen}><td>{row.k} nearest</td><td class="bar">{_bar(row.agreement)}'
            f"</td><td>{_percent(row.agreement)}</td><td>{_percent(row.random)}</td><td>{times}</td></tr>"
        )
    head = "<tr><th></th><th></th><th>shared</th><th>random</th><th></th></tr>"
    return f'<table class="radcbir-agreement">{head}{"".join(lines)}</table>'


def _agreement_bars(table: pd.DataFrame, title: str) -> str:
    if not len(table):
        return '<p class="radcbir-said">No image has a label at this level.</p>'
    lines = "".join(
        f'<tr><td class="name" title="{markup(row.label)}">{markup(row.label)}</td><td class="bar">'
        f"{_bar(row.agreement)}</td><td>{_percent(row.agreement)}</td><td>{row.n_images:,}</td></tr>"
        for row in table.itertuples()
    )
    head = "<tr><th></th><th></th><th>shared</th><th>images</th></tr>"
    return (
        f'<h3 class="radcbir-label">{markup(title)}</h3><div class="radcbir-scroll" tabindex="0">'
        f'<table class="radcbir-agreement">{head}{lines}</table></div>'
    )


def _bar(share: float) -> str:
    return f'<div style="width:{max(100 * share, 0.6):.1f}%"></div>'


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.3f} %"


_STYLE: Final = """<style>
.st-key-radcbir-versus { margin-bottom: -.35rem; }
.radcbir-pair { display: grid; grid-template-columns: minmax(0, 19rem) minmax(0, 19rem) 1fr; gap: 10px; }
.radcbir-pair > div { background: #171C24; border: 1px solid #2A313C; border-radius: 6px; padding: .45rem .75rem; }
.radcbir-pair span { font-size: .82rem; }
.radcbir-pair > div > span { color: #98A3B3; display: block; }
.radcbir-pair p { margin: .1rem 0 .15rem; line-height: 1.4; }
.radcbir-pair b { font-size: 1.3rem; font-weight: 600; }
.radcbir-pair small { color: #B9C3D0; font-size: .82rem; line-height: 1.3; display: block; }
.radcbir-pair ul { color: #98A3B3; font-size: .78rem; line-height: 1.35; margin: 0; padding: 0 0 0 1.1rem;
  max-height: 6.1rem; overflow-y: auto; scrollbar-width: thin; }
.radcbir-pair li { margin: 0 0 .15rem; padding: 0; font-size: .78rem; }
@media (min-width: 900px) {
  .st-key-radcbir-pair-of-rankings > div > [data-testid="stHorizontalBlock"] { flex-wrap: nowrap; }
  .st-key-radcbir-pair-of-rankings > div > div > [data-testid="stColumn"]:first-child {
    flex: 0 0 max(11.5rem, 17%); min-width: 0; }
  .st-key-radcbir-pair-of-rankings > div > div > [data-testid="stColumn"]:last-child { flex: 1 1 0; min-width: 0; }
}
@media (max-width: 1180px) {
  .radcbir-pair { grid-template-columns: 1fr 1fr; }
  .radcbir-pair ul { grid-column: 1 / -1; }
}
.st-key-radcbir-figures [data-testid="stHorizontalBlock"], .st-key-radcbir-labels [data-testid="stHorizontalBlock"] {
  flex-wrap: wrap; }
.st-key-radcbir-figures [data-testid="stColumn"], .st-key-radcbir-labels [data-testid="stColumn"] { min-width: 26rem; }
.radcbir-label { font-size: 1.05rem; margin: 0; padding: 0; font-weight: 600; overflow-wrap: anywhere; }
.radcbir-label small { color: #98A3B3; font-weight: 400; font-size: .87rem; }
.radcbir-said { font-size: .92rem; line-height: 1.55; margin: 0; }
.radcbir-cells { border-collapse: separate; border-spacing: 4px; font-size: .92rem; }
.radcbir-cells th { font-weight: 400; border: 0; padding: 4px 8px; text-align: center; white-space: nowrap; }
.radcbir-cells td { border: 1px solid #2A313C; border-radius: 6px; background: #171C24; padding: 7px 16px;
  text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
.radcbir-cells td b { font-size: 1.15rem; font-weight: 600; }
.radcbir-cells small { color: #98A3B3; }
.radcbir-cells td.a { border-color: #56B4E9; }
.radcbir-cells td.b { border-color: #E69F00; }
.radcbir-agreement { width: 100%; border-collapse: collapse; font-size: .9rem; }
.radcbir-agreement th { color: #98A3B3; font-weight: 400; font-size: .8rem; text-align: right; border: 0;
  padding: 0 0 2px; position: sticky; top: 0; background: #0E1116; }
.radcbir-agreement td { border: 0; padding: 4px 0 4px 10px; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.radcbir-agreement td:first-child { text-align: left; padding-left: 0; }
.radcbir-agreement td.name { white-space: normal; overflow-wrap: anywhere; line-height: 1.3; }
.radcbir-agreement td.bar { width: 38%; }
.radcbir-agreement td.bar div { height: .62em; border-radius: 2px; background: #2FBF9B; }
.radcbir-agreement tr.chosen td { background: #1F2733; }
.radcbir-scroll { max-height: 46rem; overflow-y: auto; scrollbar-width: thin; padding-right: 6px; }
</style>"""

page()
