"""The view Precision: P@k of each label, what it is taken for, and the queries that went wrong.

Owns this view under any protocol; what the paper's adds to it is paper_view.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, label_queries, protocol_choice, query_rows, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.label_queries import LabelQueries
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, palette, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup, percent
from pages.parts.pathology import paper_view
from radcbir_core.evaluation import KS, Result, evaluation_of
from radcbir_core.evaluation.baseline import baseline_comparison, beside_baseline
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.metrics.confusion import confusion
from radcbir_core.evaluation.protocol import OTHERWISE, SEEN_RULES, SEEN_SAID, Protocol, SeenRule
from radcbir_core.evaluation.reports.leakage import Leakage, dataset_loss, difference_said
from radcbir_core.evaluation.reports.precision import rule_said, standout
from radcbir_core.evaluation.seen import percent as percent_of
from radcbir_core.evaluation.statistics.by_measure import precision_by_measure
from radcbir_core.search.backend import Hits
from radcbir_core.wording import counted

_OTHERWISE: Final[dict[SeenRule, tuple[str, str]]] = {
    "skip": ("All", "P@k of all queries, seen in training or not"),
    "count": ("Unseen", "P@k of the queries alone that were not seen in training"),
}
_FEW_COLUMNS: Final = 8  # beside the label: more leave the chart less room
MARKS: Final = "Whiskers: 95 % interval, over patients; │ by chance, ◇ by chance within modality and anatomy, ○ pixels."


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, clears=["page"], fixed_ks=paper_view.KS_SHOWN)
    tiles.explain(
        "P@k: of the first k hits of a query, the share that has the query's label. Higher is better; what stands "
        "first is what the encoder cannot find."
    )
    if not protocol_choice.can_run(opened, chosen.protocol):
        return
    fixed = chosen.protocol.fixed
    evaluation = evaluation_of("precision", protocol=chosen.protocol)
    what = f"{evaluation.name.split(', ')[-1].capitalize()} evaluation" if fixed else "This evaluation"
    result = runs.result(opened.collection, opened.encoder_id, evaluation, what=what)
    if result is None:
        return
    result = with_baseline(opened, result)
    means = result.tables["means"]
    table = means[(means["level"] == chosen.level) & (means["k"] == chosen.k)]
    labels = label_chart.worst_first(table[table["averaging"] == "label"], "precision", "n_queries")
    if not len(labels):
        protocol_choice.say_no_labels(opened, chosen.level)
        return
    headline(opened, result, table, chosen, labels=int(labels["precision"].notna().sum()))
    if fixed:
        paper_view.show(opened, result)
    label = label_chart.chosen(opened.collection, labels["label"].tolist(), chosen.level)
    show_standout(opened, result, table, chosen)
    show_dataset_loss(opened, chosen)
    show_labels(opened, result, labels, chosen, label=label, rule=rule_said(table, chosen.protocol))
    link_to_failures(chosen, label)
    if label is None:
        st.caption("Click a label in the chart or in the table to see what it is taken for, and its queries.")
    else:
        show_label(opened, result, labels[labels["label"] == label].iloc[0], chosen)


def with_baseline(opened: Opened, result: Result) -> Result:
    """The result with the baseline's figures beside its own, where these are known or quick to be had."""
    protocol = result.evaluation.protocol  # type: ignore[attr-defined]  # a Precision's
    comparison = baseline_comparison(loaders.store(opened.collection, opened.encoder_id), protocol)
    theirs = None if comparison is None else runs.at_hand(opened.collection, opened.encoder_id, comparison)
    return result if theirs is None else beside_baseline(result, theirs)


def headline(opened: Opened, result: Result, table: pd.DataFrame, chosen: Chosen, *, labels: int) -> None:
    """Micro and macro P@k, and what one has to know to read them."""
    protocol, k = chosen.protocol, chosen.k
    numbers = []
    for averaging, over in (("micro", "mean over {queries}"), ("macro", "mean over {labels}")):
        row = table[table["averaging"] == averaging].iloc[0]
        words = over.format(queries=counted(int(row["n_queries"]), "query", "queries"), labels=counted(labels, "label"))
        lines = [tiles.interval(row["low"], row["high"])]
        if protocol.fixed:
            what = "over queries" if averaging == "micro" else "within labels"
            lines.append(f"± {row['std']:.3f}, standard deviation {what}")
        if row["n_seen"]:
            words += " not seen in training" if protocol.seen == "skip" else ", seen in training or not"
        lines.append(words)
        lines += seen_line(row, protocol, averaging=averaging)
        if "pixels" in row:
            above = tiles.interval(row["above_low"], row["above_high"], missing="no interval").removeprefix("95 % ")
            lines.append(f"{tiles.number(row['pixels'])} pixels; {tiles.signed(row['above_pixels'])} above, {above}")
        numbers.append(Tile(f"{averaging.capitalize()} P@{k}", tiles.number(row["precision"]), tuple(lines)))
    said = f"{protocol.describe().capitalize()}: {rule_said(table, protocol).split(': ')[1]}."
    tiles.headline(numbers, result, first=[said, *protocol_choice.leaks(opened, protocol)])


def seen_line(row: pd.Series, protocol: Protocol, *, averaging: str) -> list[str]:
    """The figure by the other choice of what becomes of queries that were seen in training, where there are any."""
    if not row["n_seen"]:
        return []
    column, words = OTHERWISE[protocol.seen]
    number = f" ({int(row[f'{column}_queries']):,})" if averaging == "micro" else ""
    return [f"{tiles.number(row[column])} {words}{number}"]


def show_standout(opened: Opened, result: Result, table: pd.DataFrame, chosen: Chosen) -> None:
    """One sentence on the label that most clearly falls behind; a click opens it."""
    row = standout(table)
    if row is None and not (table["averaging"].eq("label") & table["precision"].notna()).any():
        return  # no label is scored, which is said beside the figures
    if row is None:
        st.caption("No label falls clearly behind: the interval of each reaches up to the mean over queries.")
        return
    label, k = str(row["label"]), chosen.k
    queries = label_queries.of_label(opened, result, chosen.protocol, chosen.level, label)
    codes = opened.collection.manifest.labels(chosen.level)
    own = np.full(len(queries.rows), codes.values.index(label), dtype=np.int32)
    taken = confusion(queries.hits.rows, own, gallery_labels=codes.codes, labels=codes.values, k=k).top(limit=1)
    most = "".join(f", {percent(one.share)} are {literal(one.taken_for)}" for one in lines_of(taken))
    hits = "first hits" if k == 1 else f"first {k} hits"
    pixels = f", by pixels {percent(row['pixels'])}" if "pixels" in row and not np.isnan(row["pixels"]) else ""
    said = (
        f"What stands out: {literal(label)}. {percent(row['precision'])} of its {hits} are relevant{most}; by chance "
        f"{percent(row['chance'])} would be{pixels}. {counted(int(row['n_queries']), 'query', 'queries')} of "
        f"{counted_patients(opened.collection, int(row['n_patients']))}."
    )
    st.button(
        said,
        type="tertiary",
        icon=":material/search_insights:",
        on_click=state.update,
        kwargs={"label": label, "page": None},
        key="radcbir:standout",
    )


def show_dataset_loss(opened: Opened, chosen: Chosen) -> None:
    """Whether it is the disease or the hospital, where much is lost without the query's own data set."""
    protocol = chosen.protocol
    if protocol.split or protocol.fixed or "dataset" in protocol.exclude:
        return
    rules = Protocol.of(divisor=protocol.divisor, empty=protocol.empty, seen=protocol.seen)
    steps = runs.at_hand(opened.collection, opened.encoder_id, Leakage(rules, chosen.level))
    row = None if steps is None else dataset_loss(steps.table[steps.table["k"] == chosen.k])
    if row is None:
        return
    before = float(row["precision"] - row["difference"])
    said = difference_said(row["difference"], row["difference_low"], row["difference_high"]).replace("-", "−")
    st.button(
        f"Disease or hospital? When a query's own data set does not count, P@{chosen.k} falls from {before:.2f} to "
        f"{row['precision']:.2f}: {literal(said)}, over {counted(int(row['n_both']), 'query', 'queries')} that have "
        f"something to find at both; {int(row['n_empty']):,} find nothing elsewhere.",
        type="tertiary",
        icon=":material/domain:",
        on_click=state.update,
        kwargs={"view": "leakage", "step": "dataset", "label": None, "page": None},
        key="radcbir-dataset-loss",
    )


def show_labels(
    opened: Opened, result: Result, labels: pd.DataFrame, chosen: Chosen, *, label: str | None, rule: str
) -> None:
    """P@k by label as a chart and, beside it, as a table; both can be clicked."""
    level, k, protocol = chosen.level, chosen.k, chosen.protocol
    means = result.tables["means"]
    shown = label_chart.bar(
        labels,
        column="precision",
        label=label,
        csv=lambda: means[means["level"] == level],
        file_name=f"precision-{opened.collection.name}-{opened.encoder_id}-{protocol.name}-{level}.csv",
        said=f"P@{k} of {{labels}}, worst first; {rule}. {MARKS}",
        about="All labels of this level at every k, with intervals, and the micro and macro means",
    )
    if not len(shown):
        return
    names = shown["label"].tolist()
    other = _OTHERWISE[protocol.seen]
    columns = {
        "precision": figure_column(f"P@{k}", width=52),
        "std": figure_column("± std", about="Standard deviation over the label's queries"),
        "interval": st.column_config.TextColumn("95 %", width=70, help="The 95 % interval, over patients"),
        "chance": figure_column(
            "Chance",
            format_text="%.2f",
            width=46,
            about="P@k of images drawn at random from those a query may be given",
        ),
        "same_anatomy": figure_column(
            "Anatomy",
            format_text="%.2f",
            width=56,
            about="P@k of images drawn at random from those of the query's modality and anatomy",
        ),
        "pixels": figure_column(
            "Pixels",
            format_text="%.2f",
            width=42,
            about=f"P@{k} of shrunken pixels, asked the same queries; the file has the difference with its interval",
        ),
        "lift": figure_column("Lift", format_text="%.1f ×", width=48, about=f"P@{k} ÷ chance"),
        "seen": st.column_config.TextColumn(
            "Seen", width=48, help=f"Share of queries that the encoder has seen in training, {SEEN_SAID[protocol.seen]}"
        ),
        "otherwise": figure_column(other[0], format_text="%.2f", about=other[1], width=44),
        "n_queries": figure_column("n", format_text="localized", width=40, about="Queries"),
        "n_patients": figure_column(
            "Patients", format_text="localized", width=58, about="Behind the interval; single images where not known"
        ),
    }
    shown = shown.assign(
        lift=shown["precision"] / shown["chance"],
        interval=[tiles.bounds(row.low, row.high) for row in lines_of(shown)],
        seen=[seen_share(row) for row in lines_of(shown)],
        otherwise=shown[OTHERWISE[protocol.seen][0]],
    )
    if not labels["n_seen"].any():
        del columns["seen"], columns["otherwise"]
    if not protocol.fixed:
        del columns["std"]
    if shown["same_anatomy"].isna().all():
        del columns["same_anatomy"]
    if "pixels" not in shown:
        del columns["pixels"]
    label_chart.pair(
        figures.precision_bars(shown, k=k, colors=label_chart.colors(opened, level, names)),
        shown,
        columns,
        label=label,
        label_width=138,
        widths=(2, 3) if len(columns) <= _FEW_COLUMNS else (4, 6.5),
        alt=f"Bar chart: P@{k} of {len(names)} labels, from {names[0]}, the worst, up to {names[-1]}; {rule}",
    )
    label_chart.without_figure(labels, "precision")


def link_to_failures(chosen: Chosen, label: str | None) -> None:
    """The way to all confusions, under the same choices; those of the open label, where there is one."""
    choices: dict[str, Any] = {"level": chosen.level, "k": chosen.k, "find": label}
    if not chosen.protocol.fixed:
        choices |= {"protocol": chosen.protocol.name, "exclude": chosen.protocol.exclude or state.NOTHING}
        choices |= {"seen": chosen.protocol.seen} if chosen.protocol.seen != SEEN_RULES[0] else {}
    st.page_link(
        "pages/failures.py",
        label="What is taken for what, with the images behind it" if label is None else "All its confusions",
        icon=":material/troubleshoot:",
        query_params=state.parameters_for(**choices if chosen.k in KS else choices | {"k": None}),
    )


def seen_share(row: Any) -> str:
    """Which share of a label's queries was seen in training.

    >>> from types import SimpleNamespace
    >>> seen_share(SimpleNamespace(n_seen=81, with_seen_queries=99)), seen_share(SimpleNamespace(n_seen=0))
    ('82 %', '–')
    """
    return percent_of(row.n_seen / max(row.with_seen_queries, row.n_seen)) if row.n_seen else "–"


def show_label(opened: Opened, result: Result, figure: pd.Series, chosen: Chosen) -> None:
    """One label: its P@k, what it is taken for, and its queries."""
    label, k = str(figure["label"]), chosen.k
    queries = label_queries.of_label(opened, result, chosen.protocol, chosen.level, label)
    said = figures.precision_text(figure["precision"], figure["low"], figure["high"], k=k)
    empty = f"; nothing to find: {int(figure['n_empty']):,}" if figure["n_empty"] else ""
    seen = (
        f"; seen in training, {SEEN_SAID[chosen.protocol.seen]}: {int(figure['n_seen']):,} ({seen_share(figure)})"
        if figure["n_seen"]
        else ""
    )
    other = "".join(f", {line}" for line in seen_line(figure, chosen.protocol, averaging="micro"))
    label_chart.title(label, f"{said}, {counted(int(figure['n_queries']), 'query', 'queries')}{empty}{seen}{other}")
    if not len(queries.rows):
        st.info(
            "All queries of this label were seen in training, and are left out. Let them count, above, to see them.",
            icon=":material/visibility_off:",
        )
        return
    left, right = st.container(key="radcbir-label-and-queries").columns([5, 20], gap="small")
    codes = opened.collection.manifest.labels(chosen.level)
    with left:
        show_confusion(queries, codes.values, codes.codes, label=label, k=k)
        show_by_measure(opened, queries, k=k)
    with right:
        show_queries(opened, queries, k=k)


def show_confusion(queries: LabelQueries, labels: Sequence[str], codes: np.ndarray, *, label: str, k: int) -> None:
    """What the first k hits of a label's queries are, as shares."""
    own = np.full(len(queries.rows), labels.index(label), dtype=np.int32)
    table = confusion(queries.hits.rows, own, gallery_labels=codes, labels=labels, k=k)
    mine = table.query_codes == table.hit_codes
    same = float(table.shares[mine].sum())
    others = table.top(limit=10)
    taken: list[tuple[palette.Agreement, str, float]] = [
        ("other", row.taken_for, row.share) for row in lines_of(others)
    ]
    lines: list[tuple[palette.Agreement, str, float]] = [("same", "itself", same), *taken]
    rest = 1 - same - float(others["share"].sum())
    if rest > 0.0005:
        lines.append(("unknown", "others, or no hit", rest))
    body = "".join(
        f'<tr title="{markup(name)}"><td class="sign" style="color:{palette.AGREEMENT_COLORS[kind]}">'
        f"{palette.SIGNS[kind]}</td><td>{markup(name)}"
        f'<div style="width:{max(100 * share, 0.6):.1f}%;background:{palette.AGREEMENT_COLORS[kind]}"></div></td>'
        f'<td class="share">{markup(percent(share))}</td></tr>'
        for kind, name, share in lines
    )
    title = "The first hits are" if k == 1 else f"The first {k} hits are"
    st.html(f'<section class="radcbir-confusion"><h4>{title}</h4><table>{body}</table></section>')


def show_by_measure(opened: Opened, queries: LabelQueries, *, k: int) -> None:
    """P@k of a label's queries against something that was measured of them, where the manifest holds such a column."""
    manifest = opened.collection.manifest
    columns = manifest.numeric_columns(queries.rows)
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
    values = manifest.numbers(column, queries.rows)
    bins = precision_by_measure(values, queries.precision[f"p@{k}"].to_numpy(dtype=np.float64))
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


def show_queries(opened: Opened, queries: LabelQueries, *, k: int) -> None:
    """The queries of a label, worst first, page by page, each beside its hits."""
    order = worst_first(queries, k=k)

    def hits_of(positions: np.ndarray) -> tuple[Hits, np.ndarray]:
        chosen = order[positions]
        return queries.hits.of_queries(chosen), queries.relevant[chosen]

    def said_of(position: int) -> str:
        precision = queries.precision[f"p@{k}"].iloc[order[position]]
        return f"P@{k} {precision:.2f}" if not np.isnan(precision) else "nothing relevant to find"

    query_rows.show(opened, queries.rows[order], hits_of=hits_of, said_of=said_of, k=k)


def worst_first(queries: LabelQueries, *, k: int) -> np.ndarray:
    """Positions (Q,) of the queries, lowest P@k first, then lowest P@10; those that had nothing to find come last."""
    most = "p@10" if "p@10" in queries.precision else queries.precision.columns[-1]
    return np.lexsort((queries.rows, queries.precision[most].to_numpy(), queries.precision[f"p@{k}"].to_numpy()))
