"""The view Hubness: how unevenly images are retrieved, the hubs, and what P@k becomes where they are held back.

Owns this view; its URL parameter ``sort`` is of the hubs.
"""

from __future__ import annotations

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
from pages.parts.frame import figures, paging, palette, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import percent
from pages.parts.images import gallery
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.hubness import RANKINGS, Hubness
from radcbir_core.wording import counted

IMAGES_A_PAGE: Final = 24
SORTS: Final = {"cosine": "most lists", "bad": "most lists as not relevant", "csls": "most lists by CSLS"}
_SAID: Final = (
    "In high dimensions some images are near to everybody (hubs) and others to nobody (anti-hubs), whatever they show. "
    "The bars say how many images are in how many lists of hits; by chance they would follow the line. CSLS takes from "
    "each similarity what is usual around the hit, and so holds hubs back; the hits are those of the neighbor graph, "
    "in another order."
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
    left, right = st.container(key="radcbir-half-hubness").columns([5, 6], gap="medium")
    with left:
        st.plotly_chart(
            histogram(result.tables["histogram"]),
            key="radcbir:hubness",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Bars: images by the number of lists that they are in, by cosine and by CSLS; at most "
            f"{result.facts['cosine']['most']} lists",
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
    looks = {"cosine": (palette.HUES[0], "by cosine"), "csls": (palette.HUES[1], "by CSLS")}
    for column, (color, name) in looks.items():
        figure.add_bar(
            x=table["occurrences"],
            y=table[column],
            name=name,
            marker={"color": color, "line": {"width": 0}, "pattern": {"shape": "" if column == "cosine" else "/"}},
            hovertemplate=f"in %{{x}} lists {name}: %{{y:,}} images<extra></extra>",
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
    cosine, corrected = (facts[ranking] for ranking in RANKINGS)
    numbers = [
        Tile(
            "Skewness of k-occurrences",
            tiles.number(cosine["skewness"]),
            (f"CSLS {tiles.number(corrected['skewness'])}", f"lists of {facts['k']} hits; above 1 is strong"),
        ),
        Tile(
            "Hubs",
            f"{cosine['hubs']:,}",
            (
                f"of {counted(facts['n_gallery'], 'image')}, in {cosine['hub']:,} lists or more",
                f"{percent(cosine['hub_share'])} of all hits; CSLS {percent(corrected['hub_share'])}",
            ),
        ),
        Tile("Anti-hubs", f"{cosine['anti_hubs']:,}", ("in no list", f"CSLS {corrected['anti_hubs']:,}")),
    ]
    for averaging in ("micro", "macro"):
        row = table[(table["averaging"] == averaging) & (table["k"] == chosen.k)].iloc[0]
        sign = "+" if row["difference"] > 0 else ""
        numbers.append(
            Tile(
                f"{averaging.capitalize()} P@{chosen.k}, CSLS − cosine",
                f"{sign}{tiles.number(row['difference'])}",
                (
                    tiles.interval(row["low"], row["high"]).replace("-", "−"),
                    f"cosine {tiles.number(row['cosine'])}, CSLS {tiles.number(row['csls'])}, "
                    f"chance {tiles.number(row['chance'])}",
                    f"{counted(int(row['n_queries']), 'query', 'queries')} of "
                    f"{counted_patients(opened.collection, int(row['n_patients']))}",
                ),
            )
        )
    tiles.headline(numbers, result, first=[f"{chosen.protocol.describe().capitalize()}."])


def _table(opened: Opened, result: Result, chosen: Chosen) -> None:
    """P@k by label by both rankings, the largest differences first."""
    table = result.table
    labels = table[(table["averaging"] == "label") & (table["k"] == chosen.k) & table["difference"].notna()]
    order = np.lexsort((labels["label"].to_numpy(dtype=object), -labels["difference"].abs()))
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
        about="P@k by both rankings at every k, micro, macro and by label, with intervals",
        box=row,
    )
    columns = {
        "cosine": figure_column("Cosine", width=58),
        "csls": figure_column("CSLS", width=54),
        "difference": figure_column("Diff.", format_text="%+.3f", width=54, about="CSLS less cosine"),
        "low": figure_column("Low", format_text="%+.2f", width=48, about="Of the 95 % interval of the difference"),
        "high": figure_column("High", format_text="%+.2f", width=48, about="Of the 95 % interval of the difference"),
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
        column_config={"label": st.column_config.TextColumn("Label", width=120), **columns},
    )


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
    label_chart.download(
        lambda: opened.collection.manifest.with_image_ids(images),
        file_name=f"k-occurrences-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}.csv",
        about="In how many lists each image is, by both rankings",
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
        f"in {counted(row.cosine, 'list')}, {row.bad:,} as not relevant; CSLS {row.csls:,}" for row in lines_of(part)
    ]
    gallery.show(opened.collection, part["row"].to_numpy(), key="hubs", columns=8, per_page=IMAGES_A_PAGE, notes=notes)
