"""Compare: two encoders on one collection, figure by figure, label by label, and query by query."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.compare import comparator, difference_figures, difference_tables, headline, paired, rankings
from pages.parts.compare.difference_figures import difference_text
from pages.parts.compare.paired import Pair
from pages.parts.evaluation import label_chart, protocol_choice
from pages.parts.evaluation.protocol_choice import LEVEL_NAMES, Chosen
from pages.parts.frame import shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup, percent
from pages.parts.images import filters, gallery, picker, pictures
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.comparison import label_note, labels_of, means_of_comparison, verdict
from radcbir_core.evaluation.reports.disagreements import Disagreements
from radcbir_core.evaluation.reports.neighborhoods import agreement_by_label
from radcbir_core.wording import counted

SECTIONS: Final = {
    "figures": "Figures",
    "pathologies": "Pathologies",
    "rankings": "Rankings",
    "disagreements": "Disagreements",
    "neighborhoods": "Neighborhoods",
}
HEIGHT: Final = 470  # pixels of a chart and of the table beside it; both scroll beyond
HITS: Final = ("10", "20", "50")

# The controls that would change nothing in a section.
_WITHOUT: Final = {
    "rankings": ("divisor", "empty", "seen"),
    "neighborhoods": ("k", "protocol", "exclude", "divisor", "empty", "seen"),
}

_CHART: Final = "radcbir:difference-chart"
_TABLE: Final = "radcbir:difference-table"


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Compare", "embeddings", "neighbors")
    pair = comparator.choose(opened)
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
    chosen = protocol_choice.choose(opened, hidden=_WITHOUT.get(section, ()))
    if not protocol_choice.can_run(opened, chosen.protocol):
        return
    with shell.errors_shown():
        if section == "neighborhoods":
            show_neighborhoods(pair, chosen)
            return
        comparison = paired.comparison(pair, chosen.protocol)
        if comparison is None:
            return
        labels = labels_of(comparison, chosen.level, chosen.k)
        if not len(labels) and section != "rankings":
            protocol_choice.say_no_labels(opened, chosen.level)
            return
        if section == "figures":
            show_figures(pair, comparison, chosen)
        elif section == "pathologies":
            show_pathologies(pair, comparison, labels, chosen)
        elif section == "rankings":
            show_rankings(opened, pair, chosen)
        else:
            show_disagreements(pair, chosen)


def use_image(image_id: str) -> None:
    """Make an image the query of both encoders; a callback, so that the run after it shows their rankings."""
    state.update(image=image_id, section="rankings", view=None)


def show_figures(pair: Pair, comparison: Result, chosen: Chosen) -> None:
    """P@k of both at every level, and B − A with its interval."""
    means = means_of_comparison(comparison)
    st.html(headline.headline(comparison, chosen))
    left, right = st.container(key="radcbir-figures").columns([9, 10], gap="medium")
    with left:
        figure = difference_figures.difference_overview(means, names=LEVEL_NAMES, chosen=(chosen.level, chosen.k))
        st.plotly_chart(
            figure,
            key="radcbir:difference-overview",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Dots and whiskers: B − A of P@k for {counted(len(means), 'mean')}",
        )
    with right:
        difference_tables.means(comparison, pair, chosen.protocol, height=max(int(figure.layout.height) - 110, 310))
        st.caption(
            "Whiskers, low and high: 95 % interval of the difference, over patients. It is that of the differences of "
            "single queries, and so narrower than the intervals of the two encoders would suggest."
        )


def show_pathologies(pair: Pair, comparison: Result, labels: pd.DataFrame, chosen: Chosen) -> None:
    """B − A of every label, B's largest gain first, as a chart and a table; both can be clicked."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    shown = filters.by_label(bar, labels, name="filter")
    text = state.get("filter")
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
    rule = difference_tables.rule_of(comparison, chosen)
    bar.caption(f"B − A of P@{chosen.k}, {counted(len(shown), 'label')}{of_all}; {rule}", width="stretch")
    if not len(shown):
        st.info(f"No label contains {literal(text or '')}. Shorten the text.", icon=":material/info:")
        return
    label = label_chart.chosen(pair.collection, labels["label"].tolist(), chosen.level)
    names = shown["label"].tolist()
    left, right = st.container(key="radcbir-labels").columns([8, 12.5], gap="medium")
    figure = difference_figures.difference_rows(shown, k=chosen.k)
    with left.container(height=min(int(figure.layout.height) + 4, HEIGHT), border=False, key="radcbir-bars"):
        st.plotly_chart(
            figure,
            key=_CHART,
            theme=None,
            on_select=lambda: label_chart.pick_bar(names, chart=_CHART),
            selection_mode="points",
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Dots and whiskers: B − A of P@{chosen.k} of {len(names)} labels, from {names[0]} down to {names[-1]}",
        )
    with right:
        difference_tables.labels(
            pair,
            shown,
            label=label,
            key=_TABLE,
            height=HEIGHT,
            on_select=lambda: label_chart.pick_cell(names, table=_TABLE),
        )
    st.caption(
        f"{label_note(labels)} The correction asks much: a label of fewer than a dozen patients can hardly pass it."
        if labels["p_holm"].notna().any()
        else label_note(labels)
    )
    if label is None:
        st.caption("Click a label in the chart or in the table to see its queries.")
        return
    row = labels[labels["label"] == label].iloc[0]
    said = difference_text(row["difference"], row["low"], row["high"])
    label_chart.title(label, f"P@{chosen.k} of A {row['a']:.3f}, of B {row['b']:.3f}, B − A {said}")
    _parted(pair, chosen, paired.parted(pair, chosen.protocol, chosen.level, chosen.k, label))


def show_rankings(opened: Opened, pair: Pair, chosen: Chosen) -> None:
    """One query and the hits of both encoders, aligned."""
    left, right = st.container(key="radcbir-pair-of-rankings").columns([2, 9], gap="medium")
    collection = pair.collection
    image_id = state.get("image")
    with left:
        picker.buttons(collection, on_query=use_image)
    if image_id is None or state.get("view") == "browse":
        with left:
            st.caption("Choose a query on the right, take a random one, or one from the section Disagreements.")
        with right:
            picker.browse(collection, on_query=use_image)
        return
    with left:
        row = collection.manifest.row_of(image_id)
        state.set_query(collection.name, image=image_id)
        with shell.errors_shown():
            address = pictures.large(collection, row, gallery.said_of(gallery.labels_of(collection, row)))
            if gallery.picture(address, f"Query: {image_id}", key="compare-query"):
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
        ranked = paired.rankings(pair, chosen.protocol, chosen.level, row, hits)
        bar.html(f'<p class="radcbir-summary">{headline.pair_summary(ranked, chosen)}</p>')
        rankings.show(pair, ranked, key="compare-rankings", on_query=use_image)
        st.caption(
            "Numbers on the right of each hit are similarities, each on the scale of its encoder: they cannot be "
            "compared with each other."
            if not pair.by_chance
            else "B is one random ranking, always the same for this query."
        )


def _next_buttons(pair: Pair, chosen: Chosen, row: int) -> None:
    """One click to the next query that only one of the two gets right."""
    with shell.errors_shown():
        disagreements = paired.parted(pair, chosen.protocol, chosen.level, chosen.k)
        st.caption(f"Next query that only one gets right at k = {chosen.k}:")
        with st.container(horizontal=True, gap="small"):
            for letter, rows in (("A", disagreements.only_a), ("B", disagreements.only_b)):
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
    use_image(pair.collection.manifest.image_id(row))


def show_disagreements(pair: Pair, chosen: Chosen) -> None:
    """Queries that only one of the two gets right."""
    _parted(pair, chosen, paired.parted(pair, chosen.protocol, chosen.level, chosen.k))


def _parted(pair: Pair, chosen: Chosen, disagreements: Disagreements) -> None:
    """The two-by-two table, what it adds up to, and both galleries."""
    if not disagreements.n_queries:
        st.info("No query is left: there was nothing relevant to find for any.", icon=":material/info:")
        return
    left, right = st.columns([4, 7], gap="medium", vertical_alignment="center")
    with left:
        st.html(headline.two_by_two(disagreements))
    with right:
        what = "the first hit is" if chosen.k == 1 else f"at least one of the first {chosen.k} hits is"
        share = difference_text(disagreements.difference, disagreements.low, disagreements.high)
        lines = [
            f"Right: {what} relevant, at the level {markup(chosen.level_name)}.",
            f"B − A in the share of queries that are right: <b>{share}</b> of "
            f"{counted(disagreements.n_queries, 'query', 'queries')} &ensp;"
            f"{comparator.said(verdict(disagreements.low, disagreements.high))}",
            "95 % interval, over patients. Largest lead in P@10 first.",
        ]
        if pair.by_chance:
            lines.append(
                f"B is one random draw a query, always the same; on average it would be right for "
                f"{percent(disagreements.expected)}."
            )
        lines.append("Click an image to open it large, <b>Query</b> to see what both encoders return for it.")
        st.html(f'<p class="radcbir-said">{"<br>".join(lines)}</p>')
    columns = st.columns(2, gap="medium")
    for column, right_one, wrong_one, rows in zip(
        columns, "AB", "BA", (disagreements.only_a, disagreements.only_b), strict=True
    ):
        with column:
            st.html(
                f'<h3 class="radcbir-label">{comparator.badge(right_one)} right, {comparator.badge(wrong_one)} wrong '
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


def show_neighborhoods(pair: Pair, chosen: Chosen) -> None:
    """How far both put the same images side by side, relevant or not."""
    if pair.by_chance:
        st.info(
            f"B is chance: of k random neighbors, a share of k ÷ {max(len(pair.collection) - 1, 1):,} is also A's, on "
            "average. Choose a second encoder above to compare neighborhoods.",
            icon=":material/info:",
        )
        return
    result = paired.agreement(pair)
    if result is None:
        return
    ks, images = result.table["k"].tolist(), result.tables["images"]
    if not ks or not len(images):
        st.info("There are too few images for neighborhoods to compare.", icon=":material/info:")
        return
    near = int(
        state.choice(
            st.segmented_control,
            "Nearest images",
            [str(k) for k in ks],
            name="near",
            default=str(ks[min(2, len(ks) - 1)]),
            help="How many neighbors of each image are compared",
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.html(headline.agreement_table(result.table, near))
        st.caption(
            f"Mean over {counted(len(images), 'image')} of the share of nearest images that both encoders name. "
            "Only the image itself is left out. Random: what two neighborhoods drawn at random would share."
        )
        order = images.sort_values([f"shared@{near}", f"shared@{ks[-1]}", "row"])["row"].to_numpy()
        st.html('<h3 class="radcbir-label">Images whose neighborhoods differ most</h3>')
        gallery.show(pair.collection, order, key="differ", per_page=16, columns=4, on_query=use_image)
    with right:
        by_label = agreement_by_label(result, pair.collection.manifest.labels(chosen.level), near)
        st.html(headline.agreement_bars(by_label, f"Among {near} nearest, by {chosen.level_name}"))


page()
