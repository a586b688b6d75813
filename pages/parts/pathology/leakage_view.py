"""The view Leakage: what P@k owes to copies, to the same patient, and to the same data set.

Owns this view.
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
from pages.parts.frame.text import literal
from radcbir_core.evaluation import Protocol, Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.leakage import (
    NOTHING,
    Leakage,
    difference_said,
    step_name,
    vanished_hits,
)
from radcbir_core.search.backend import Hits
from radcbir_core.wording import counted

_SAID: Final = (
    "Is it the disease, or the hospital? P@k with nothing left out, and then step by step without images that are "
    "hardly others: exact copies, near-duplicates, the query's patient, its data set. What a step takes away was "
    "of these."
)
_HIDDEN: Final = ("protocol", "exclude")


def show(opened: Opened) -> None:
    """Draw the view."""
    asked = protocol_choice.choose(opened, hidden=_HIDDEN, fixed_ks=())
    rules = asked.protocol
    protocol = Protocol.of(divisor=rules.divisor, empty=rules.empty, seen=rules.seen)
    chosen = Chosen(asked.level, asked.k, protocol)
    tiles.explain(_SAID)
    if not protocol_choice.has_labels(opened, chosen.level):
        return
    evaluation = Leakage(protocol, chosen.level)
    result = runs.result(opened.collection, opened.encoder_id, evaluation)
    if result is None:
        return
    table = result.table[result.table["k"] == chosen.k]
    tiles.headline(_tiles(table, k=chosen.k), result, first=evaluation.remarks(result))
    steps = [step for step in table["step"].unique().tolist() if step != NOTHING]
    if not steps:
        st.info(
            "Nothing can be left out of this collection: it has no copies, patients or data sets that are known.",
            icon=":material/info:",
        )
        return
    micro = table[table["averaging"] == "micro"].set_index("step")["difference"]
    step = state.choice(
        st.segmented_control,
        "What is taken away by leaving out",
        steps,
        name="step",
        default=str(micro[steps].fillna(0).idxmin()),
        clears=["page"],
        format_func=lambda name: step_name(name).removeprefix("+ "),
    )
    _labels(opened, result, evaluation, table, chosen, step=step)


def _tiles(table: pd.DataFrame, *, k: int) -> list[Tile]:
    """Micro P@k of every step."""
    numbers = []
    for row in lines_of(table[table["averaging"] == "micro"]):
        lines = [tiles.interval(row.low, row.high)] if row.n_queries else ["nobody has anything left to find"]
        if row.step != NOTHING and row.n_both:
            said = difference_said(row.difference, row.difference_low, row.difference_high).replace("-", "−")
            lines.append(f"step: {said}")
            if row.n_both == row.n_queries:
                lines.append(f"of these {int(row.n_both):,}: {tiles.number(row.precision - row.difference)} before")
        if row.n_empty:
            lines.append(f"{int(row.n_empty):,} have nothing to find")
        lines.append(f"{counted(row.n_queries, 'query', 'queries')}; chance {tiles.number(row.chance)}")
        name = f"Micro P@{k}" if row.step == NOTHING else step_name(row.step)
        numbers.append(Tile(name, tiles.number(row.precision), tuple(lines)))
    return numbers


def _labels(
    opened: Opened, result: Result, evaluation: Leakage, table: pd.DataFrame, chosen: Chosen, *, step: str
) -> None:
    """What the step takes from each label, the largest loss first."""
    k, steps = chosen.k, table["step"].unique().tolist()
    before = table[(table["step"] == steps[steps.index(step) - 1]) & (table["averaging"] == "label")]
    after = table[(table["step"] == step) & (table["averaging"] == "label")]
    labels = after.merge(before[["label", "precision"]].rename(columns={"precision": "before"}), on="label")
    labels = label_chart.worst_first(labels, "difference", "n_both")
    label = label_chart.chosen(opened.collection, labels["label"].tolist(), chosen.level)
    shown = label_chart.bar(
        labels,
        column="difference",
        label=label,
        csv=lambda: result.table,
        file_name=f"leakage-{opened.collection.name}-{opened.encoder_id}-{chosen.level}.csv",
        said=f"{{labels}}, the largest loss first. Bars: P@{k} that is left, with its 95 % interval over patients; "
        "│ by chance.",
        about="Every step, micro, macro and by label, at every k",
    )
    if not len(shown):
        return
    names = shown["label"].tolist()
    label_chart.pair(
        figures.precision_bars(shown, k=k, colors=label_chart.colors(opened, chosen.level, names)),
        shown,
        {
            "before": figure_column("Before", about=f"P@{k} at the step before", width=60),
            "precision": figure_column("After", about=f"P@{k} with this left out too", width=60),
            "difference": figure_column(
                "Step", format_text="%+.3f", about="After − before, over queries that have something to find at both"
            ),
            "difference_low": figure_column("Low", format_text="%+.2f", width=54, about="Of its 95 % interval"),
            "difference_high": figure_column("High", format_text="%+.2f", width=54, about="Of its 95 % interval"),
            "n_both": figure_column("Queries", format_text="%d", width=62, about="Behind the difference"),
            "n_empty": figure_column("Empty", format_text="localized", width=56, about="Queries that find nothing"),
        },
        label=label,
        label_width=160,
        widths=(2, 3),
        alt=f"Bar chart: P@{k} that is left of {len(names)} labels, from {names[0]}, which loses most",
    )
    label_chart.without_figure(labels, "difference")
    if label is None:
        st.caption("Click a label to see the hits that vanished.")
        return
    _vanished(opened, evaluation, label, chosen, before=steps[1 : steps.index(step)], step=step)


def _vanished(opened: Opened, evaluation: Leakage, label: str, chosen: Chosen, *, before: list[str], step: str) -> None:
    """The queries of a label with the hits that the step takes away, those that lose most first."""
    store = loaders.store(opened.collection, opened.encoder_id)
    view, after = (evaluation.at(store, names) for names in (before, [*before, step]))
    code = view.relevance.labels.index(label)
    rows = view.queries[view.relevance.kinds[view.queries] == code]
    ranks = vanished_hits(view, after, rows, k=chosen.k)
    lost = np.array([len(own) for own in ranks])
    order = np.lexsort((rows, -lost))
    order = order[lost[order] > 0]
    label_chart.title(
        label,
        f"{counted(int(lost.sum()), 'hit')} of {counted(len(rows), 'query', 'queries')} vanished when "
        f"{literal(step_name(step).removeprefix('+ '))} was left out",
    )
    if not len(order):
        st.caption("None of its first hits was taken away by this step.")
        return
    hits = view.asked_by(rows).hits(chosen.k)
    relevant = view.asked_by(rows).relevant(hits)

    def hits_of(positions: np.ndarray) -> tuple[Hits, np.ndarray]:
        part = Hits.empty(len(positions), chosen.k)
        marks = np.zeros((len(positions), chosen.k), dtype=np.bool_)
        for line, position in enumerate(order[positions].tolist()):
            own = ranks[position] - 1
            part.rows[line, : len(own)] = hits.rows[position, own]
            part.similarities[line, : len(own)] = hits.similarities[position, own]
            part.counts[line] = len(own)
            marks[line, : len(own)] = relevant[position, own]
        return part, marks

    query_rows.show(
        opened,
        rows[order],
        hits_of=hits_of,
        said_of=lambda position: f"lost {counted(int(lost[order[position]]), 'hit')}",
        k=chosen.k,
    )
