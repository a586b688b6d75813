"""The view Slices: which values of columns, and pairs of them, fail more than the rest, and their failing queries.

Owns this view and its URL parameters ``among`` and ``slice``. What a slice is, is the core's.
"""

from __future__ import annotations

from functools import partial
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
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.slices import AMONG, Slices, cluster_words, standout_said
from radcbir_core.evaluation.reports.subgroups import p_said
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.wording import counted

_SAID: Final = (
    "Which images fail more than the rest? All values of all columns, and pairs of them, are tried: those of the "
    "manifest, how bright, rich in contrast and sharp pictures are, and clusters of the embedding. What is called "
    "clear is so after correction for all that were tried."
)
_CLOSED: Final = ["slice", "page"]
_AMONG_NAMES: Final = {"labels": "others of the same labels", "all": "all others"}


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, hidden=("divisor",), clears=_CLOSED, fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-slices")
    among = state.choice(
        bar.segmented_control,
        "Compared with",
        list(AMONG),
        name="among",
        clears=_CLOSED,
        format_func=_AMONG_NAMES.get,
        help="With others of the same labels, a slice is not told for harder labels; with all others, it is.",
    )
    evaluation = Slices(chosen.protocol, chosen.level, chosen.k, among)
    result = runs.result(opened.collection, opened.encoder_id, evaluation)
    if result is None:
        return
    facts = result.facts
    _say(opened, result, chosen)
    for name, label in (("slices", "CSV"), ("tried", "CSV of all tried")):
        label_chart.download(
            partial(result.tables.__getitem__, name),
            file_name=f"{name}-{opened.collection.name}-{opened.encoder_id}.csv",
            about="The slices that are shown" if name == "slices" else "Every slice that was tested, with its p",
            box=bar,
            label=label,
        )
    table = result.table.rename(columns={"conditions": "label"})
    if not len(table):
        st.info(
            f"None of {counted(int(facts['tried']), 'slice')} falls behind the rest at all.", icon=":material/info:"
        )
        return
    number = _asked(table)
    _show_slices(result, table, chosen, number=number)
    if number is None:
        st.caption("Click a slice in the chart or in the table to see its failing queries.")
    else:
        _show_queries(opened, result, evaluation, table[table["slice"] == number].iloc[0], chosen)


def _say(opened: Opened, result: Result, chosen: Chosen) -> None:
    """What stands out, and by which rules it was found."""
    clear, facts = result.table[result.table["clear"]], result.facts
    low, high = (np.nan if facts[name] is None else facts[name] for name in ("low", "high"))
    lines = [tiles.interval(low, high), f"chance {tiles.number(facts['chance'])}"]
    patients = counted_patients(opened.collection, int(facts["n_patients"]))
    lines.append(f"{counted(int(facts['n_queries']), 'query', 'queries')} of {patients}")
    tile = Tile(f"Micro P@{chosen.k}", tiles.number(facts["precision"]), tuple(lines))
    rule = f"{chosen.protocol.name.capitalize()}, {chosen.protocol.excluded}."
    tiles.headline([tile], result, first=[rule, *cluster_words(result)])
    said = literal(tiles.minus(standout_said(result)))
    if len(clear):
        st.button(
            f"What stands out: {said}",
            type="tertiary",
            icon=":material/search_insights:",
            on_click=state.update,
            kwargs={"slice": int(clear.iloc[0]["slice"]), "page": None},
            key="radcbir:standout",
        )
    else:
        st.caption(said)


def _asked(table: pd.DataFrame) -> int | None:
    """The slice that the URL names; one that there is not is reported."""
    asked = state.get("slice")
    known = [str(number) for number in table["slice"].tolist()]
    if asked is None or asked in known:
        return None if asked is None else int(asked)
    state.report("slice", asked, known, then="None is opened")
    return None


def _show_slices(result: Result, table: pd.DataFrame, chosen: Chosen, *, number: int | None) -> None:
    """Every slice as a dot and as a row; those that are clear come first."""
    k = chosen.k
    clear = int(table["clear"].sum())
    luck = "" if clear == len(table) else f" The other {len(table) - clear}, hollow, may be luck."
    st.caption(
        f"P@{k} of {counted(len(table), 'slice')}; {clear} are clear and come first.{luck} Dots: with their 95 % "
        "interval over patients; │ by chance; the dotted line: all queries."
    )
    interval = "Its 95 % interval, over patients"
    columns = {
        "clear": st.column_config.TextColumn("Clear", width=46, help="p at most 0.05, corrected for all slices"),
        "precision": figure_column(f"P@{k}", width=52),
        "interval": st.column_config.TextColumn("95 %", width=84, help=interval),
        "chance": figure_column("Chance", width=54, about="P@k of images drawn at random from those it may be given"),
        "to_others": st.column_config.TextColumn("To others", width=150, help=interval),
        "p": st.column_config.TextColumn("p", width=52, help="Corrected for all slices that were tried"),
        "n_queries": figure_column("Queries", format_text="localized", width=56),
        "n_patients": figure_column("Patients", format_text="localized", width=58, about="Behind the interval"),
        "n_seen": figure_column("Seen", format_text="localized", width=46, about="Seen in training by the encoder"),
        "also": st.column_config.TextColumn("Nearly the same queries", width=240),
    }
    if not table["n_seen"].any():
        del columns["n_seen"]
    shown = table.assign(
        clear=["● yes" if one else "○ no" for one in table["clear"]],
        interval=["–" if np.isnan(one.low) else f"{one.low:.2f} to {one.high:.2f}" for one in lines_of(table)],
        to_others=[
            difference_said(one.difference, one.difference_low, one.difference_high).replace("-", "−")
            for one in lines_of(table)
        ],
        p=table["p"].map(p_said),
    )
    names = table["slice"].astype(str).tolist()
    label_chart.pair(
        figures.interval_dots(table, k=k, overall=float(result.facts["precision"])),
        shown,
        columns,
        label=None if number is None else str(number),
        alt=f"Dots: P@{k} of {len(table)} slices, with intervals, the surest first",
        label_width=300,
        widths=(1, 2),
        name="slice",
        heading="Slice",
        keys=names,
    )


def _show_queries(opened: Opened, result: Result, evaluation: Slices, figure: pd.Series, chosen: Chosen) -> None:
    """The queries of a slice, worst first, each beside its hits."""
    k = chosen.k
    said = figures.precision_text(figure["precision"], figure["low"], figure["high"], k=k)
    also = f"; nearly the same queries: {figure['also']}" if figure["also"] else ""
    label_chart.title(
        str(figure["label"]),
        literal(
            f"{said}, {counted(int(figure['n_queries']), 'query', 'queries')} of "
            f"{counted_patients(opened.collection, int(figure['n_patients']))}{also}"
        ),
        name="slice",
    )
    members = result.tables["members"]
    mine = members[members["slice"] == figure["slice"]]
    order = np.lexsort((mine["row"], mine["precision"]))
    rows, precision = (mine[name].to_numpy()[order] for name in ("row", "precision"))
    view: GalleryView = evaluation.labeled(loaders.store(opened.collection, opened.encoder_id))
    query_rows.show_of(opened, view, rows, precision, k=k)
