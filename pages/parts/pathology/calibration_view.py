"""The view Chances: chances beside hits against what came of them, and the scale of similarities.

Owns this view and its URL parameter ``place``: the modality and anatomy of the hits whose chances are shown.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import charts, label_chart, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.metrics.closeness import FIRST, OWN
from radcbir_core.evaluation.reports.calibration import FOLDS, Calibration
from radcbir_core.evaluation.reports.scale import Scale
from radcbir_core.wording import counted

ALL: Final = "all"
_NAMES: Final = {ALL: "All that have a chance"}
_SAID: Final = (
    "Beside a hit on Retrieval stands the chance that it shares the query's modality, anatomy and a pathology, as "
    "often as hits of that similarity did for other patients. Are such chances true? Each fifth of the patients gets "
    "chances that the others gave. On the dashed line, of hits of which 70 % was said, 70 % share it."
)


def show(opened: Opened) -> None:
    """Draw the view."""
    store = loaders.store(opened.collection, opened.encoder_id)
    tiles.explain(_SAID)
    try:
        result = runs.result(opened.collection, opened.encoder_id, Calibration().suited(store), what="The calibration")
    except EvaluationError as error:
        shell.show_error(error)
        result = None
    if result is not None:
        _chances(opened, result)
    st.divider()
    tiles.explain(
        "How similar are images that have nothing to do with each other? Percentiles of the similarities of pairs of "
        "images of different patients: what Retrieval calls “closer than 99 %”."
    )
    scale = runs.result(opened.collection, opened.encoder_id, Scale().suited(store), what="The scale of similarities")
    if scale is not None:
        _scale(opened, scale)


def _chances(opened: Opened, result: Result) -> None:
    names = dict.fromkeys(result.facts["places"])
    place = state.choice(
        st.selectbox, "Hits of", [ALL, *names], name="place", format_func=lambda name: _NAMES.get(name, name), width=260
    )
    chosen = "" if place == ALL else place
    measured: Calibration = result.evaluation  # type: ignore[assignment]  # it is a result of that evaluation
    tiles.headline(_tiles(opened, result, chosen), result, first=[f"Patients are held out in {FOLDS} parts."])
    bins = result.tables["reliability"]
    curve = result.tables["curve"]
    left, right = st.container(key="radcbir-half-calibration").columns([1, 1], gap="medium")
    mine = bins[bins["place"] == chosen]
    with left:
        st.plotly_chart(
            charts.reliability(mine),
            key="radcbir:reliability",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Reliability diagram: the share of hits that share it against the chance that was said, in "
            f"{len(mine)} bins",
        )
    with right:
        lines = curve if not chosen else curve[curve["place"] == chosen]
        st.plotly_chart(
            charts.rising_curves(lines),
            key="radcbir:chances",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Curves: the chance that a hit shares it against its similarity, of {counted(len(names), 'kind')} of "
            "hits",
        )
    _table(opened, result, depth=measured.depth)


def _tiles(opened: Opened, result: Result, place: str) -> list[Tile]:
    row = next(row for row in lines_of(result.table) if row.place == place)
    asked = f"{counted(row.n_queries, 'query', 'queries')} of {counted_patients(opened.collection, row.n_patients)}"
    return [
        Tile(
            "Expected calibration error",
            tiles.number(row.ece),
            (tiles.interval(row.low, row.high), f"{tiles.number(row.ece_by_noise)} of noise alone", asked),
        ),
        Tile(
            "Brier score",
            tiles.number(row.brier),
            (f"{tiles.number(row.brier_of_share)} where everybody is told {100 * row.share:.0f} %", "0 is best"),
        ),
    ]


def _table(opened: Opened, result: Result, *, depth: int) -> None:
    means, ranks = result.table, result.tables["ranks"]
    shown = means.assign(
        hits=[name or "all of these" for name in means["place"]],
        interval=[tiles.bounds(row.low, row.high) for row in lines_of(means)],
    )
    columns: dict[str, Any] = {
        "hits": st.column_config.TextColumn("Hits of", width=150),
        "ece": figure_column("ECE", width=58, about="How far chances are from shares, on average"),
        "interval": st.column_config.TextColumn("95 %", width=82, help="Over patients"),
        "ece_by_noise": figure_column("Noise", width=58, about="What perfectly true chances would have on average"),
        "brier": figure_column("Brier", width=58, about="Mean squared error of chances"),
        "share": figure_column("Share", width=58, about="Of the hits, those that share it"),
        "n_queries": figure_column("Queries", format_text="localized", width=66),
        "n_patients": figure_column("Patients", format_text="localized", width=66),
    }
    left, right = st.container(key="radcbir-half-places").columns([3, 2], gap="medium")
    left.dataframe(
        shown[list(columns)],
        hide_index=True,
        width="stretch",
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config=columns,
    )
    right.dataframe(
        ranks.assign(interval=[tiles.bounds(row.low, row.high) for row in lines_of(ranks)])[
            ["rank", "chance", "share", "interval", "n_pairs"]
        ],
        hide_index=True,
        width="stretch",
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={
            "rank": figure_column("Rank", format_text="%d", width=46),
            "chance": figure_column("Said", width=58, about="Mean chance"),
            "share": figure_column("Shared", width=58, about="Of the hits at this rank, those that share it"),
            "interval": st.column_config.TextColumn("95 %", width=82, help="Over patients"),
            "n_pairs": figure_column("Pairs", format_text="localized", width=66),
        },
    )
    label_chart.download(
        lambda: result.tables["reliability"],
        file_name=f"calibration-{opened.collection.name}-{opened.encoder_id}.csv",
        about=f"The bins of the diagram, of all and by modality and anatomy; the first {depth} hits",
        label="CSV of bins",
    )


def _scale(opened: Opened, result: Result) -> None:
    table = result.table
    facts = result.facts
    shown = [
        Tile(
            "Nothing is close below",
            "–" if facts["nearest"] is None else f"{facts['nearest']:.3f}",
            ("similarity of the nearest image",),
        ),
        Tile(
            "or below",
            "–" if facts["company"] is None else f"{facts['company']:+.3f}".replace("-", "−"),
            (f"similarity to the first {FIRST} hits, less theirs to their own hit {OWN}",),
        ),
    ]
    if facts["nearest"] is not None:
        rate = f"{100 * facts['false_alarms']:.1f} %"
        shown.append(Tile("False alarms", rate, (f"of {counted(facts['n_asked'], 'image')}, patients held out",)))
    tiles.headline(shown, result, first=[])
    if not len(table):
        return
    wide = table.pivot(index="place", columns="quantile", values="similarity")
    told = {f"{100 * quantile:g} %": wide[quantile] for quantile in (0.05, 0.5, 0.95, 0.99, 0.999)}
    first = table.drop_duplicates("place").set_index("place")
    frame = pd.DataFrame({**told, "images": first["n_images"], "pairs": first["n_pairs"]}).loc[first.index]
    frame.insert(0, "within", np.where(frame.index == "", "the collection", frame.index))
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={
            "within": st.column_config.TextColumn("Pairs within", width=150),
            **{name: figure_column(name, width=66, about="So many of the pairs are less similar") for name in told},
            "images": figure_column("Images drawn", format_text="localized", width=82),
            "pairs": figure_column("Pairs", format_text="localized", width=82),
        },
    )
    label_chart.download(
        lambda: table,
        file_name=f"scale-{opened.collection.name}-{opened.encoder_id}.csv",
        about="All percentiles, of the collection and within each modality and anatomy",
        label="CSV of percentiles",
    )
