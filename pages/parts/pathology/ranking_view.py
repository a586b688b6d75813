"""The view Ranking metrics: nDCG, mAP, recall, hit rate, P and R-precision, where images may show several pathologies.

Owns this view and its URL parameters ``rule``, ``metric`` and ``ap`` (what average precision is divided by).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, query_rows, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, state
from pages.parts.frame.shell import Opened
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.metrics.average_precision import AP_DIVISORS
from radcbir_core.evaluation.relevance import RULES, Relevance
from radcbir_core.evaluation.reports.precision import rule_said
from radcbir_core.evaluation.reports.ranking import METRICS, Ranking, column_of
from radcbir_core.evaluation.view import gallery_view
from radcbir_core.search.backend import Hits
from radcbir_core.wording import counted

RULE_WORDS: Final = {
    "same-label": "one pathology, the same",
    "any-shared": "any shared",
    "all-shared": "all of the query's",
    "jaccard": "graded (Jaccard)",
}
RULE_SAID: Final = {
    "same-label": "A hit is relevant if it shows the query's one pathology; images with several take no part.",
    "any-shared": "A hit is relevant if it shows at least one of the query's pathologies.",
    "all-shared": "A hit is relevant if it shows all of the query's pathologies, and perhaps more.",
    "jaccard": "A hit has a grade from 0 to 1: shared pathologies ÷ all pathologies of the two. nDCG uses the grade; "
    "all other metrics count a grade above 0 as relevant.",
}
METRIC_SAID: Final = {
    "P": "P@k: of the first k hits, the share that is relevant.",
    "recall": "Recall@k: of all relevant images that the query may be given, the share among the first k hits. It is "
    "low where a label has many more than k images.",
    "hit rate": "Hit rate@k: the share of queries with anything relevant among the first k hits.",
    "mAP": "mAP@k: precision at each relevant hit, averaged: relevant hits count more the earlier they come.",
    "nDCG": "nDCG@k: the grades of the hits, discounted by rank, as a share of the best ranking there could be.",
    "R-precision": "R-precision: the share of relevant hits among the first R, where R is the number of relevant "
    "images that the query may be given.",
}
METRIC_NAMES: Final = {"recall": "Recall", "hit rate": "Hit rate"}
_SEEN: Final = "Queries that the encoder has seen in training"
AP_WORDS: Final = {"available": "min(k, available)", "relevant": "all relevant", "found": "those found"}


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, clears=["page"], hidden=("level", "divisor"), fixed_ks=())
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-rules")
    rule = state.choice(
        bar.segmented_control,
        "Relevant is a hit that shows",
        list(RULES),
        name="rule",
        default="any-shared",
        clears=["label", "page"],
        format_func=RULE_WORDS.get,
        help="Always of the same modality and anatomy.",
    )
    metric = state.choice(
        bar.segmented_control,
        "Metric by label",
        list(METRICS),
        name="metric",
        default="nDCG",
        clears=["page"],
        format_func=lambda name: METRIC_NAMES.get(name, name),
    )
    divisor = state.get("ap") if state.get("ap") in AP_DIVISORS else AP_DIVISORS[0]
    if metric == "mAP" or state.get("ap"):
        divisor = state.choice(
            bar.segmented_control,
            "mAP is divided by",
            list(AP_DIVISORS),
            name="ap",
            format_func=AP_WORDS.get,
            help="min(k, available): 1 can be reached at every k. All relevant: as trec_eval. Those found: usual in "
            "work on hashing. They make different numbers.",
        )
    tiles.explain(f"{RULE_SAID[rule]} {METRIC_SAID[metric]} Higher is better; 1 is the best there is.")
    if not protocol_choice.can_run(opened, chosen.protocol):
        return
    deep = metric == "R-precision"
    evaluation = Ranking(chosen.protocol, rule, str(divisor), deep)
    what = "R-precision, which searches exactly and deep," if deep else "This evaluation"
    result = runs.result(opened.collection, opened.encoder_id, evaluation, what=what)
    if result is not None:
        _show(opened, result, evaluation, chosen, metric=metric)


def _show(opened: Opened, result: Result, evaluation: Ranking, chosen: Chosen, *, metric: str) -> None:
    k = None if metric == "R-precision" else chosen.k
    name = column_of(METRIC_NAMES.get(metric, metric), k)
    table = result.table
    rows = table[(table["metric"] == metric) & (table["k"].isna() if k is None else table["k"] == k)]
    labels = label_chart.worst_first(rows[rows["averaging"] == "label"], "value", "n_queries")
    rule = rule_said(rows, chosen.protocol)
    _headline(opened, result, evaluation, rows, labels, name=name, rule=rule)
    label = label_chart.chosen(opened.collection, labels["label"].tolist(), "label")
    _means(result)
    shown = label_chart.bar(
        labels,
        column="value",
        label=label,
        csv=lambda: table,
        file_name=f"ranking-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}-{evaluation.rule}.csv",
        said=f"{name} of {{labels}}, worst first; {rule}. A query counts under each pathology it shows. Whiskers: 95 % "
        "interval, over patients.",
        about="All metrics at every k, of all labels, with intervals, and the micro and macro means",
    )
    if not len(shown):
        return
    names = shown["label"].tolist()
    bars = shown.rename(columns={"value": "precision"})
    label_chart.pair(
        figures.precision_bars(bars, k=chosen.k, colors=label_chart.colors(opened, "label", names), name=name),
        shown,
        {
            "value": figure_column(name, width=92),
            "low": figure_column("Low", about="Of the 95 % interval"),
            "high": figure_column("High", about="Of the 95 % interval"),
            "n_queries": figure_column("Queries", format_text="localized", width=74),
            **(
                {"n_seen": figure_column("Seen", format_text="localized", width=58, about=_SEEN)}
                if labels["n_seen"].any()
                else {}
            ),
        },
        label=label,
        alt=f"Bar chart: {name} of {len(names)} labels, from {names[0]} up to {names[-1]}; {rule}",
    )
    label_chart.without_figure(labels, "value")
    if label is None:
        st.caption("Click a label in the chart or in the table to see its queries, worst first.")
        return
    row = labels[labels["label"] == label].iloc[0]
    said = figures.precision_text(row["value"], row["low"], row["high"], k=chosen.k, name=name)
    label_chart.title(label, f"{said}, {counted(int(row['n_queries']), 'query', 'queries')}")
    _show_queries(opened, result, evaluation, label, column=column_of(metric, k), name=name, k=chosen.k)


def _headline(
    opened: Opened,
    result: Result,
    evaluation: Ranking,
    rows: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    name: str,
    rule: str,
) -> None:
    numbers = []
    for averaging in ("micro", "macro"):
        row = rows[rows["averaging"] == averaging].iloc[0]
        number = (
            counted(int(row["n_queries"]), "query", "queries")
            if averaging == "micro"
            else counted(int(labels["value"].notna().sum()), "label")
        )
        lines = (tiles.interval(row["low"], row["high"]), f"mean over {number}")
        numbers.append(Tile(f"{averaging.capitalize()} {name}", tiles.number(row["value"]), lines))
    protocol = evaluation.protocol
    divided = AP_WORDS[evaluation.ap_divisor]
    first = f"{protocol.name.capitalize()}, {protocol.excluded}; {rule}; mAP is divided by {divided}."
    tiles.headline(numbers, result, first=[first, *protocol_choice.leaks(opened, protocol)])


def _means(result: Result) -> None:
    """All metrics at every k, micro and macro, in one small table."""
    means = result.table[result.table["averaging"] != "label"]
    lines = []
    for (name, averaging), part in means.groupby(["metric", "averaging"], sort=False):
        metric = str(name)
        values = {f"@{k}": value for k, value in zip(part["k"], part["value"], strict=True) if not pd.isna(k)}
        alone = part.loc[part["k"].isna(), "value"]
        lines.append(
            {
                "metric": METRIC_NAMES.get(metric, metric),
                "averaging": averaging,
                **values,
                "all": float(alone.iloc[0]) if len(alone) else np.nan,
                "n": int(part["n_queries"].max()),
            }
        )
    names = [METRIC_NAMES.get(metric, metric) for metric in METRICS]
    table = pd.DataFrame(lines)
    order = np.array([names.index(name) for name in table["metric"]])
    table = table.iloc[np.lexsort(((table["averaging"] == "macro").to_numpy(), order))]
    with st.expander("All metrics at every k", icon=":material/table_rows:"):
        ks = [str(column) for column in table if str(column).startswith("@")]
        columns = {k: figure_column(k) for k in ks}
        if table["all"].notna().any():
            columns["all"] = figure_column("At R", about="Of R-precision: at as many hits as there are relevant images")
        st.dataframe(
            table[["metric", "averaging", *columns, "n"]],
            hide_index=True,
            width="content",
            height="content",
            row_height=label_chart.ROW_HEIGHT,
            placeholder="–",
            column_config={
                "metric": st.column_config.TextColumn("Metric", width=110),
                "averaging": st.column_config.TextColumn("Mean", width=70),
                "n": figure_column("Queries", format_text="localized", width=74),
                **columns,
            },
        )


def _show_queries(
    opened: Opened, result: Result, evaluation: Ranking, label: str, *, column: str, name: str, k: int
) -> None:
    """The queries that show a label, worst first by the metric."""
    store = loaders.store(opened.collection, opened.encoder_id)
    relevance = _relevance(loaders.encoder_key(opened.collection, opened.encoder_id), evaluation.rule, opened)
    code = relevance.labels.index(label)
    has = np.array([code in shown for shown in relevance.sets])
    queries = result.tables["queries"]
    queries = queries[has[relevance.kinds[queries["row"].to_numpy()]]].sort_values([column, "row"], na_position="last")
    rows, values = queries["row"].to_numpy(dtype=np.int64), queries[column].to_numpy()

    def hits_of(positions: np.ndarray) -> tuple[Hits, np.ndarray]:
        view = gallery_view(store, evaluation.protocol, relevance).asked_by(rows[positions])
        hits = view.hits(max(k, 5))
        return hits, view.relevant(hits)

    def said_of(position: int) -> str:
        value = values[position]
        return f"{name} {value:.2f}" if not np.isnan(value) else "nothing relevant to find"

    query_rows.show(opened, rows, hits_of=hits_of, said_of=said_of, k=k)


@st.cache_resource(max_entries=8, show_spinner=False)
def _relevance(key: loaders.EncoderKey, rule: str, _opened: Opened) -> Relevance:  # noqa: ARG001 - key is the cache's
    return Relevance.of_manifest(_opened.collection.manifest, rule)
