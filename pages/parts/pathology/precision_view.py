"""The view Precision: P@k of each label, what it is taken for, and the queries that went wrong.

Owns this view under any protocol; what the paper's adds to it is paper_view.py's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, query_rows, runs
from pages.parts.evaluation import tiles as evaluation_html
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, palette, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import counted, markup
from pages.parts.pathology import paper_view
from radcbir_core.collections.manifest import Level
from radcbir_core.evaluation import PAPER, Evaluation, evaluate
from radcbir_core.evaluation.reports.by_measure import precision_against
from radcbir_core.evaluation.reports.confusion import confusion
from radcbir_core.evaluation.reports.protocols import kept_evaluation
from radcbir_core.search.backend import Hits

QUICK_IMAGES = 20_000
"""The neighbor graph answers most protocols: no search is needed."""


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, k=10, clears=["page"], paper_ks=paper_view.KS_SHOWN)
    level, k, protocol = chosen.level, chosen.k, chosen.protocol
    evaluation_html.explain(
        "P@k: of the first k hits of a query, the share that has the query's label. Higher is better; what is near the "
        "bottom is what the encoder cannot find."
    )
    if not protocol_choice.can_run(opened, protocol):
        return
    store = loaders.store(opened.collection, opened.encoder_id)
    evaluation = runs.result(
        runs.Work(
            what="The paper's evaluation" if protocol.name == PAPER else "This evaluation",
            key=("precision", loaders.encoder_key(opened.collection, opened.encoder_id), protocol),
            read=lambda: kept_evaluation(store, protocol),
            compute=lambda **told: evaluate(store, protocol, **told),
            quick=len(opened.collection) <= QUICK_IMAGES,
        )
    )
    if evaluation is None:
        return
    table = evaluation.table[(evaluation.table["level"] == level) & (evaluation.table["k"] == k)]
    labels = label_chart.by_value(table[table["averaging"] == "label"], "precision", "n_queries")
    if not len(labels):
        protocol_choice.say_no_labels(opened, level)
        return
    headline(table, labels=int(labels["precision"].notna().sum()), k=k, evaluation=evaluation)
    if protocol.name == PAPER:
        paper_view.show(opened, evaluation)
    label = label_chart.chosen(opened, labels["label"].tolist(), level)
    show_labels(opened, evaluation, labels, level=level, k=k, label=label)
    if label is None:
        st.caption("Click a label in the chart or in the table to see what it is taken for, and its queries.")
    else:
        show_label(opened, evaluation, labels[labels["label"] == label].iloc[0], level=level, k=k)


def headline(table: pd.DataFrame, *, labels: int, k: int, evaluation: Evaluation) -> None:
    """Micro and macro P@k, and what one has to know to read them."""
    tiles = []
    for averaging, over in (("micro", "mean over {queries}"), ("macro", "mean over {labels}")):
        row = table[table["averaging"] == averaging].iloc[0]
        words = over.format(queries=counted(int(row["n_queries"]), "query", "queries"), labels=counted(labels, "label"))
        lines = [evaluation_html.interval(row["low"], row["high"], missing=_no_interval(k, evaluation))]
        if evaluation.protocol.name == PAPER:
            what = "over queries" if averaging == "micro" else "within labels"
            lines.append(f"± {row['std']:.3f}, standard deviation {what}")
        tiles.append(Tile(f"{averaging.capitalize()} P@{k}", f"{row['precision']:.3f}", (*lines, words)))
    protocol = evaluation.protocol
    first = f"{protocol.describe().capitalize()}."
    evaluation_html.headline(tiles, [first, *protocol_choice.leaks(protocol), *evaluation.notes])


def _no_interval(k: int, evaluation: Evaluation) -> str:
    computed = evaluation.table.loc[evaluation.table["k"] == k, "low"].notna().any()
    return "no interval: one patient only" if computed or k <= 10 else "intervals at k = 1, 3, 5 and 10 only"


def show_labels(
    opened: Opened, evaluation: Evaluation, labels: pd.DataFrame, *, level: Level, k: int, label: str | None
) -> None:
    """P@k by label as a chart and, beside it, as a table; both can be clicked."""
    paper = evaluation.protocol.name == PAPER
    shown = label_chart.bar(
        labels,
        csv=lambda: evaluation.table[evaluation.table["level"] == level],
        file_name=f"precision-{opened.collection.name}-{opened.encoder_id}-{evaluation.protocol.name}-{level}.csv",
        said=f"P@{k} of {{labels}}, best first; whiskers: 95 % interval, by resampling patients.",
        about="All labels of this level at every k, with intervals, and the micro and macro means",
    )
    if not len(shown):
        return
    names = shown["label"].tolist()
    columns = {
        "precision": figure_column(f"P@{k}"),
        "low": figure_column("Low", about="Of the 95 % interval"),
        "high": figure_column("High", about="Of the 95 % interval"),
        "n_queries": figure_column("Queries", format_text="localized", width=74),
    }
    if paper:
        columns = {
            "precision": columns.pop("precision"),
            "std": figure_column("± std", about="Standard deviation over the label's queries"),
            **columns,
        }
    label_chart.pair(
        figures.precision_bars(shown, k=k, colors=label_chart.colors(opened, level, names)),
        shown,
        columns,
        label=label,
        label_width=180 if paper else 246,
        alt=f"Bar chart: P@{k} of {len(names)} labels, from {names[0]} down to {names[-1]}",
    )


def show_label(opened: Opened, evaluation: Evaluation, figure: pd.Series, *, level: Level, k: int) -> None:
    """One label: its P@k, what it is taken for, and its queries."""
    label = str(figure["label"])
    found = loaders.label_queries(opened.collection, opened.encoder_id, evaluation.protocol, level, label)
    said = figures.precision_text(figure["precision"], figure["low"], figure["high"], k=k)
    label_chart.title(label, f"{said}, {counted(int(figure['n_queries']), 'query', 'queries')}")
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

    def hits_of(positions: np.ndarray) -> Hits:
        chosen = order[positions]
        hits = found.hits
        return Hits(hits.rows[chosen], hits.similarities[chosen], hits.counts[chosen], hits.method)

    def said_of(position: int) -> str:
        precision = found.precision[f"p@{k}"].iloc[order[position]]
        return f"P@{k} {precision:.2f}" if not np.isnan(precision) else "nothing relevant to find"

    query_rows.show(
        opened,
        found.rows[order],
        hits_of=hits_of,
        relevant_of=lambda row, hits: codes[hits] == codes[row],
        said_of=said_of,
        k=k,
    )


def worst_first(found: loaders.LabelQueries, *, k: int) -> np.ndarray:
    """Positions (Q,) of the queries, lowest P@k first, then lowest P@10; those that had nothing to find come last."""
    most = "p@10" if "p@10" in found.precision else found.precision.columns[-1]
    return np.lexsort((found.rows, found.precision[most].to_numpy(), found.precision[f"p@{k}"].to_numpy()))
