"""The view Embedding space: how tight labels are, how far from each other, and which images lie nearer to another.

Owns this view and its URL parameter ``pairs`` (whether pairs of one patient count).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import charts, label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column, percent_column
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import percent
from pages.parts.images import gallery
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.space import Space, label_silhouettes
from radcbir_core.wording import counted

MOST_LABELS: Final = 200
_SAID: Final = (
    "How the encoder lays out labels. An image's silhouette compares its mean similarity to its own label with that to "
    "the nearest other label: 1 is deep inside its own, 0 on the border, below 0 nearer to another label. Within and "
    "between are mean cosine similarities over all pairs of images of one label, and of a label and all others. "
    "Relative gap: (within − between) ÷ (1 − between), 1 where each label is a single point, 0 where labels play no "
    "part."
)


def show(opened: Opened) -> None:
    """Draw the view."""
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    level = protocol_choice.choose_level(bar)
    pairs = state.choice(
        bar.segmented_control,
        "Pairs of one patient",
        ["left-out", "count"],
        name="pairs",
        format_func={"left-out": "left out", "count": "count"}.get,
        help="Images of one patient look alike, whatever they show.",
    )
    exclude = "patient" if pairs == "left-out" else "none"
    tiles.explain(_SAID)
    if not protocol_choice.has_labels(opened, level):
        return
    result = runs.result(opened.collection, opened.encoder_id, Space(exclude, level))
    if result is not None:
        means = result.tables["similarities"]
        _show(opened, result, means[means["level"] == level], level=level, exclude=exclude)


def _show(opened: Opened, result: Result, means: pd.DataFrame, *, level: Level, exclude: str) -> None:
    images = result.tables["silhouettes"]
    known = images[images["silhouette"].notna()]
    labels = label_silhouettes(images)
    _headline(result, known, labels, means, exclude=exclude)
    if not len(labels):
        st.info(
            "No image has a silhouette: there is a single label, or none with two images that may be compared. Choose "
            "another level.",
            icon=":material/info:",
        )
        return
    table = labels.merge(means[means["averaging"] == "label"].drop(columns=["n_images"]), on="label", how="left")
    table = table.merge(_nearest(known), on="label", how="left")
    label = label_chart.chosen(opened.collection, table["label"].tolist(), level, what="image with a silhouette")
    shown = label_chart.bar(
        table,
        column="silhouette",
        label=label,
        csv=lambda: table[
            [
                "level",
                "label",
                "silhouette",
                "nearer",
                "nearest",
                "within",
                "between",
                "gap",
                "relative_gap",
                "n_images",
                "n_pairs",
            ]
        ],
        file_name=f"space-{opened.collection.name}-{opened.encoder_id}-{level}.csv",
        said="Silhouettes of {labels}, lowest mean first. Bar: middle half of the images; thick white: median; thin "
        "line: 5th to 95th percentile.",
        about="Silhouettes and similarities of every label of this level",
    )
    if not len(shown):
        return
    names = shown["label"].tolist()
    label_chart.pair(
        charts.silhouette_boxes(known, names, colors=label_chart.colors(opened, level, names)),
        shown.assign(nearer=100 * shown["nearer"]),
        {
            "silhouette": figure_column("Silhouette", width=76, about="Mean over the label's images"),
            "nearer": percent_column("Nearer", width=62, about="Share of its images with a silhouette below 0"),
            "nearest": st.column_config.TextColumn("Mostly nearest", width=160, help="Other label, of most images"),
            "relative_gap": figure_column("Rel. gap", width=62, about="As above; within and between are in the file"),
            "within": figure_column("Within", width=56, about="Mean cosine of pairs of the label's images"),
            "n_images": figure_column("Images", format_text="localized", width=56),
        },
        label=label,
        label_width=150,
        widths=(4, 6.5),
        alt=f"Boxes: silhouettes of {len(names)} labels, from {names[0]} (lowest) to {names[-1]}",
    )
    if label is None:
        st.caption("Click a label in the chart or in the table to see its images that lie nearest to another label.")
    else:
        _lowest(opened, known, label)
    _matrix(opened, result, level=level)


def _headline(result: Result, known: pd.DataFrame, labels: pd.DataFrame, means: pd.DataFrame, *, exclude: str) -> None:
    nearer = float((known["silhouette"] < 0).mean()) if len(known) else float("nan")
    by = {row["averaging"]: row for row in means[means["averaging"] != "label"].to_dict("records")}
    share = "–" if np.isnan(nearer) else f"{percent(nearer)} of them lie nearer to another label"
    numbers = [
        Tile(
            "Micro silhouette",
            tiles.number(float(known["silhouette"].mean())),
            (f"mean over {counted(len(known), 'image')}", share),
        ),
        Tile(
            "Macro silhouette",
            tiles.number(float(labels["silhouette"].mean())),
            (f"mean over {counted(len(labels), 'label')}",),
        ),
        Tile(
            "Macro relative gap",
            tiles.number(by["macro"]["relative_gap"]),
            (
                f"within {tiles.number(by['macro']['within'])}, between {tiles.number(by['macro']['between'])}",
                f"micro {tiles.number(by['micro']['relative_gap'])}, "
                f"{counted(int(by['micro']['n_pairs']), 'pair')} within",
            ),
        ),
    ]
    said = "count: figures are too favorable" if exclude == "none" else "are left out"
    tiles.headline(numbers, result, first=[f"Exact, over all pairs of images. Pairs of one patient {said}."])


def _nearest(known: pd.DataFrame) -> pd.DataFrame:
    """The other label that most of each label's images lie nearest to: ``label`` and ``nearest``; ties by name."""
    counts = (
        known.groupby([known["label"].astype(object), known["nearest"].astype(object)]).size().reset_index(name="n")
    )
    counts = counts.sort_values(["label", "n", "nearest"], ascending=[True, False, True], kind="stable")
    return counts.drop_duplicates("label")[["label", "nearest"]]


def _lowest(opened: Opened, known: pd.DataFrame, label: str) -> None:
    """The images of a label that lie nearest to another one, worst first."""
    mine = known[known["label"] == label].sort_values(["silhouette", "row"])
    outside = mine[mine["silhouette"] < 0]
    others = outside["nearest"].astype(object).value_counts()
    said = f"{len(outside):,} of {counted(len(mine), 'image')} lie nearer to another label"
    if len(others):
        said += ": " + ", ".join(f"{name} {number:,}" for name, number in others.head(4).items())
        said += f" and {len(others) - 4} more labels" if len(others) > 4 else ""
    label_chart.title(label, f"{said}. Lowest silhouette first.")
    gallery.show(opened.collection, mine["row"].to_numpy(), key="lowest", columns=8, per_page=16)


def _matrix(opened: Opened, result: Result, *, level: Level) -> None:
    """The mean similarity of every pair of labels."""
    names = list(dict.fromkeys(result.tables["matrix"]["label"]))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html('<h4 class="radcbir-label">Mean similarity of each pair of labels</h4>', width="content")
        label_chart.download(
            lambda: result.tables["matrix"],
            file_name=f"matrix-{opened.collection.name}-{opened.encoder_id}-{level}.csv",
            about="The mean similarity of every pair of labels, and how many images each has",
            label="CSV of pairs",
        )
        st.caption(
            "Lines and columns are the same labels, by number; the diagonal is the similarity within. A bright cell "
            "off the diagonal is a pair of labels that the encoder puts close together. Hover for names and figures.",
            width="stretch",
        )
    if len(names) > MOST_LABELS:
        st.info(f"{len(names)} labels are too many to draw. The file has all pairs.", icon=":material/info:")
        return
    values = result.tables["matrix"]["similarity"].to_numpy().reshape(len(names), len(names))
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    st.plotly_chart(
        charts.label_matrix(values, names, what="mean cosine", low=low, high=high),
        key="radcbir:label-matrix",
        theme=None,
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Square of the mean similarities of {len(names)} labels, from {low:.2f} to {high:.2f}",
    )
