"""The view Hubness: how unevenly images are retrieved, the hubs, and what P@k becomes where they are held back.

Owns this view; its URL parameter ``sort`` is of the hubs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import downloads, figures, paging, palette, state
from pages.parts.frame.downloads import Table
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import percent
from pages.parts.images import gallery
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.hubness import CORRECTED, RANKINGS, Hubness
from radcbir_core.wording import counted

IMAGES_A_PAGE: Final = 24
SORTS: Final = {
    "cosine": "most lists",
    "bad": "most lists as not relevant",
    "csls": "most lists by CSLS",
    "mutual_proximity": "by mutual proximity",
}
_SAID: Final = (
    "In high dimensions some images are near to everybody (hubs) and others to nobody (anti-hubs), whatever they show. "
    "The bars say how many images are in how many lists of hits; by chance they would follow the line. CSLS takes from "
    "each similarity what is usual around the hit; mutual proximity multiplies how near the two are among all images, "
    "as the query sees it and as the hit does. Both hold hubs back; the hits are those of the neighbor graph, in "
    "another order."
)


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, clears=["page"], fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    result = runs.result(opened.collection, opened.encoder_id, Hubness(chosen.protocol, chosen.level))
    if result is None:
        return
    _headline(opened, result, chosen)
    left, right = st.container(key="radcbir-half-hubness").columns([1, 2], gap="medium")
    with left:
        st.plotly_chart(
            histogram(result.tables["histogram"]),
            key="radcbir:hubness",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Bars: images by the number of lists that they are in, by {' and by '.join(RANKINGS.values())}; "
            f"at most {result.facts['cosine']['most']} lists",
        )
    with right:
        _table(opened, result, chosen)
    _hubs(opened, result, chosen)


def histogram(table: pd.DataFrame) -> go.Figure:
    """How many images are in how many lists, on a logarithmic scale, with what chance would make.

    Args:
        table: Of that name.
    """
    figure = go.Figure()
    figure.add_bar(
        x=table["occurrences"],
        y=table["cosine"],
        name="by cosine",
        marker={"color": palette.HUES[0], "line": {"width": 0}},
        hovertemplate="in %{x} lists by cosine: %{y:,} images<extra></extra>",
    )
    for column, color, symbol in zip(CORRECTED, palette.HUES[1:], ("circle", "diamond-open"), strict=False):
        some = table[table[column] > 0]  # a logarithm has no place for none
        figure.add_scatter(
            x=some["occurrences"],
            y=some[column],
            mode="markers",
            name=f"by {RANKINGS[column]}",
            marker={"color": color, "symbol": symbol, "size": 7, "line": {"width": 1.5}},
            hovertemplate=f"in %{{x}} lists by {RANKINGS[column]}: %{{y:,}} images<extra></extra>",
        )
    shown = table[table["chance"] >= 0.5]
    figure.add_scatter(
        x=shown["occurrences"],
        y=shown["chance"],
        mode="lines",
        name="by chance",
        line={"color": palette.TEXT, "dash": "dot", "width": 1.6},
        hovertemplate="in %{x} lists by chance: %{y:.0f} images<extra></extra>",
    )
    axis: dict[str, Any] = {
        "fixedrange": True,
        "gridcolor": palette.LINES,
        "zeroline": False,
        "tickfont": {"color": palette.QUIET, "size": 12},
    }
    font = {"color": palette.QUIET, "size": 12.5}
    figure.update_layout(
        **figures.frame(height=330, left=56, right=12, top=8, bottom=44),
        bargap=0.15,
        xaxis={**axis, "showgrid": False, "title": {"text": "Lists that an image is in", "font": font}},
        yaxis={**axis, "type": "log", "dtick": 1, "title": {"text": "Images (logarithmic)", "font": font}},
        legend={
            "x": 0.99,
            "xanchor": "right",
            "y": 0.99,
            "yanchor": "top",
            "font": {"color": palette.TEXT, "size": 12.5},
            "bgcolor": "rgba(14,17,22,.75)",
        },
    )
    return figure


def _headline(opened: Opened, result: Result, chosen: Chosen) -> None:
    facts, table = result.facts, result.table
    cosine = facts["cosine"]

    def others(figure: str, shown: Callable[[Any], str]) -> str:
        return ", ".join(f"{RANKINGS[name]} {shown(facts[name][figure])}" for name in CORRECTED)

    numbers = [
        Tile(
            "Skewness of k-occurrences",
            tiles.number(cosine["skewness"]),
            (others("skewness", tiles.number), f"lists of {facts['k']} hits; above 1 is strong"),
        ),
        Tile(
            "Hubs",
            f"{cosine['hubs']:,}",
            (
                f"of {counted(facts['n_gallery'], 'image')}, in {counted(cosine['hub'], 'list')} or more",
                f"{percent(cosine['hub_share'])} of all hits; {others('hub_share', percent)}",
            ),
        ),
        Tile("Anti-hubs", f"{cosine['anti_hubs']:,}", ("in no list", others("anti_hubs", "{:,}".format))),
    ]
    for name in CORRECTED:
        rows = {kind: _row(table, kind, chosen.k) for kind in ("micro", "macro")}
        micro, macro = rows["micro"], rows["macro"]
        numbers.append(
            Tile(
                f"Micro P@{chosen.k}, {RANKINGS[name]} − cosine",
                tiles.signed(micro[f"{name}_difference"]),
                (
                    _bounds(micro, name),
                    f"cosine {tiles.number(micro['cosine'])}, {RANKINGS[name]} {tiles.number(micro[name])}, "
                    f"chance {tiles.number(micro['chance'])}",
                    f"macro {tiles.signed(macro[f'{name}_difference'])} {_bounds(macro, name)}",
                    f"{counted(int(micro['n_queries']), 'query', 'queries')} of "
                    f"{counted_patients(opened.collection, int(micro['n_patients']))}",
                ),
            )
        )
    tiles.headline(numbers, result, first=[f"{chosen.protocol.describe().capitalize()}."])


def _row(table: pd.DataFrame, averaging: str, k: int) -> pd.Series:
    return table[(table["averaging"] == averaging) & (table["k"] == k)].iloc[0]


def _bounds(row: pd.Series, name: str) -> str:
    return tiles.interval(row[f"{name}_difference_low"], row[f"{name}_difference_high"]).replace("-", "−")


def _table(opened: Opened, result: Result, chosen: Chosen) -> None:
    """P@k by label by each ranking, the largest differences first."""
    table = result.table
    differences = [f"{name}_difference" for name in CORRECTED]
    labels = table[(table["averaging"] == "label") & (table["k"] == chosen.k) & table[differences[0]].notna()]
    order = np.lexsort((labels["label"].to_numpy(dtype=object), -labels[differences].abs().max(axis=1)))
    labels = labels.iloc[order].reset_index(drop=True)
    shown = labels if state.get("labels") == "all" else labels.head(10)
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.caption(f"P@{chosen.k} of {len(shown)} of {counted(len(labels), 'label')}, largest difference first.")
    if len(labels) > 10:
        row.button(
            "The first 10" if state.get("labels") == "all" else f"All {len(labels):,} labels",
            on_click=state.update,
            kwargs={"labels": None if state.get("labels") == "all" else "all"},
            key="radcbir:all-labels",
        )
    name = f"{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}-{chosen.level}"
    label_chart.download(
        lambda: table,
        file_name=f"hubness-{name}.csv",
        about="P@k by each ranking at every k, micro, macro and by label, with intervals",
        box=row,
    )
    columns = {
        "cosine": figure_column("Cosine", width=54),
        **{
            f"{name}{part}": column
            for name, short in (("csls", "CSLS"), ("mutual_proximity", "MP"))
            for part, column in _columns_of(short, RANKINGS[name]).items()
        },
        "chance": figure_column("Chance", width=58),
        "n_queries": figure_column("Queries", format_text="localized", width=58),
        "n_patients": figure_column("Patients", format_text="localized", width=58),
    }
    st.dataframe(
        shown[["label", *columns]],
        hide_index=True,
        width="stretch",
        height=label_chart.ROW_HEIGHT * max(len(shown), 1) + 38,
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={"label": st.column_config.TextColumn("Label", width=130), **columns},
    )


def _columns_of(short: str, words: str) -> dict[str, Any]:
    """The columns of one ranking beside cosine."""
    bound = f"Of the 95 % interval of the difference, {words} less cosine"
    return {
        "": figure_column(short, width=50, about=f"P@k by {words}"),
        "_difference": figure_column("Diff.", format_text="%+.3f", width=50, about=f"{words} less cosine"),
        "_difference_low": figure_column("Low", format_text="%+.2f", width=46, about=bound),
        "_difference_high": figure_column("High", format_text="%+.2f", width=46, about=bound),
    }


def _hubs(opened: Opened, result: Result, chosen: Chosen) -> None:
    """The images in most lists."""
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-hubs")
    sort = state.choice(
        bar.segmented_control,
        "Hubs, by",
        list(SORTS),
        name="sort",
        clears=["page"],
        format_func=SORTS.get,
    )
    images = result.tables["images"]
    downloads.offer(
        Table(len(images), partial(result.tables.__getitem__, "images"), opened.collection.manifest.with_image_ids),
        file_name=f"k-occurrences-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}.csv",
        about="In how many lists each image is, by each ranking",
        label="CSV of images",
        box=bar,
    )
    order = np.lexsort((images["row"], -images["cosine"], -images[sort]))
    images = images.iloc[order]
    images = images[images[sort] > 0]
    if not len(images):
        st.info("No image is in such a list.", icon=":material/info:")
        return
    shown = paging.shown(len(images), IMAGES_A_PAGE, what="images", title="Images by their lists")
    part = images.iloc[shown]
    notes = [
        f"in {counted(row.cosine, 'list')}, {row.bad:,} as not relevant; CSLS {row.csls:,}, MP {row.mutual_proximity:,}"
        for row in lines_of(part)
    ]
    gallery.show(opened.collection, part["row"].to_numpy(), key="hubs", columns=8, per_page=IMAGES_A_PAGE, notes=notes)
