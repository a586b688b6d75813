"""The view kNN & linear probe: how well labels can be read off the embeddings, from split train to split test.

Owns this view and its URL parameter ``method``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import charts, label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column, percent_column
from pages.parts.evaluation.protocol_choice import LEVEL_NAMES
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.images import gallery
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.probes import Probes, label_scores, method_name
from radcbir_core.wording import counted

WORDS: Final = {"majority": "always the commonest", "linear": "linear probe"}
_SAID: Final = (
    "One label is predicted for each test image, from train images only: by a vote of its k nearest train images "
    "(kNN), and by a linear classifier on the embeddings. Accuracy is the share of images that are right (micro); "
    "balanced accuracy is the mean over labels of it (macro), so that rare labels count like common ones. “Always the "
    "commonest” is what no encoder at all would reach. AUROC is the mean over labels of each against the rest: 0.5 by "
    "chance."
)


def show(opened: Opened) -> None:
    """Draw the view."""
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    level = protocol_choice.choose_level(bar, what="What is predicted.")
    tiles.explain(_SAID)
    if not {"train", "test"} <= set(loaders.facts(opened.collection).splits):
        protocol_choice.say_no_split(opened, "This view", instead="Fill")
        return
    seen = protocol_choice.choose_seen(opened, bar)
    result = runs.result(opened.collection, opened.encoder_id, Probes(level, seen=seen))
    if result is None:
        return
    names = [method_name(row.method, row.k) for row in lines_of(result.table)]
    method = state.choice(
        bar.segmented_control,
        "Method by label",
        names,
        name="method",
        default="linear",
        clears=["page"],
        format_func=lambda name: WORDS.get(name, name),
    )
    _show(opened, result, names, method=method, level=level)


def _show(opened: Opened, result: Result, names: list[str], *, method: str, level: Level) -> None:
    row = result.table.iloc[names.index(method)]
    numbers = [
        Tile(
            "Accuracy (micro)",
            f"{row['accuracy']:.3f}",
            (
                tiles.interval(row["accuracy_low"], row["accuracy_high"]),
                f"of {counted(result.facts['n_test'], 'test image')}",
            ),
        ),
        Tile(
            "Balanced accuracy (macro)",
            f"{row['balanced_accuracy']:.3f}",
            (
                tiles.interval(row["balanced_low"], row["balanced_high"]),
                f"mean over {counted(result.facts['n_labels'], 'label')}",
            ),
        ),
    ]
    first = (
        f"{_name(method)}, learned from "
        f"{counted(result.facts['n_train'], 'train image')}. Images without a {LEVEL_NAMES[level].lower()}, and those "
        "of other splits, take no part."
    )
    tiles.headline(numbers, result, first=[first])
    table = label_scores(result.tables["predictions"], method)
    label = label_chart.chosen(opened.collection, table["label"].tolist(), level, what="test image")
    _methods(opened, result, names, level=level)
    shown = label_chart.bar(
        table,
        column="right",
        label=label,
        csv=lambda: table,
        file_name=f"probes-labels-{opened.collection.name}-{opened.encoder_id}-{level}.csv",
        said=f"{_name(method)}: share of the test images of {{labels}} that are right, worst first.",
        about="What the chosen method makes of each label",
    )
    if not len(shown):
        return
    bars = pd.DataFrame({"label": shown["label"], "precision": shown["right"], "n_queries": shown["n_images"]})
    bars = bars.assign(low=np.nan, high=np.nan)
    labels = shown["label"].tolist()
    label_chart.pair(
        figures.precision_bars(bars, k=1, colors=label_chart.colors(opened, level, labels), name="Right"),
        shown.assign(share=100 * shown["share"]),
        {
            "right": figure_column("Right", about="Share of the label's test images that were given this label"),
            "precision": figure_column(
                "Precision", about="Share of the images given this label that have it", width=74
            ),
            "n_images": figure_column("Images", format_text="localized", width=62),
            "taken_for": st.column_config.TextColumn("Mostly taken for", width=175),
            "share": percent_column("Share", about="Of the label's images", width=60),
        },
        label=label,
        label_width=150,
        widths=(4, 6.5),
        alt=f"Bar chart: share right of {len(labels)} labels, from {labels[0]} up to {labels[-1]}",
    )
    if label is None:
        st.caption("Click a label in the chart or in the table to see the test images that were taken for another.")
    else:
        _wrong(opened, result, label, method)
    _confusions(result, table["label"].tolist(), method)


def _name(method: str) -> str:
    """A method as the beginning of a sentence."""
    name = WORDS.get(method, method)
    return name if method not in WORDS else name[0].upper() + name[1:]


def _methods(opened: Opened, result: Result, names: list[str], *, level: Level) -> None:
    """All methods side by side."""
    table = result.table.assign(name=[WORDS.get(name, name) for name in names])
    columns = {
        "accuracy": figure_column("Accuracy", about="Micro: over test images"),
        "accuracy_low": figure_column("Low", width=54, about="Of the 95 % interval of accuracy"),
        "accuracy_high": figure_column("High", width=54, about="Of the 95 % interval of accuracy"),
        "balanced_accuracy": figure_column("Balanced", about="Macro: over labels"),
        "balanced_low": figure_column("Low", width=54, about="Of the 95 % interval of balanced accuracy"),
        "balanced_high": figure_column("High", width=54, about="Of the 95 % interval of balanced accuracy"),
        "macro_f1": figure_column("Macro F1", about="Mean over labels of F1"),
        "macro_auroc": figure_column("AUROC", about="Mean over labels of the area of each against the rest"),
    }
    st.dataframe(
        table[["name", *columns]],
        hide_index=True,
        width="stretch",
        row_height=label_chart.ROW_HEIGHT,
        placeholder="–",
        column_config={"name": st.column_config.TextColumn("Method", width=140), **columns},
    )
    label_chart.download(
        lambda: result.table,
        file_name=f"probes-{opened.collection.name}-{opened.encoder_id}-{level}.csv",
        about="The scores of all methods, with intervals",
        label="CSV of methods",
    )


def _confusions(result: Result, labels: list[str], method: str) -> None:
    """What each label is given, as a square, while there are not too many labels to tell apart."""
    order = sorted(labels)
    if len(order) > 60:
        st.caption(f"{len(order)} labels are too many for a square of confusions: see “Mostly taken for” above.")
        return
    # What train alone knows, and what was not predicted, has no column.
    truth, said = (
        pd.Index(order).get_indexer(pd.Index(result.tables["predictions"][name].astype(object)))
        for name in ("label", method)
    )
    square = np.zeros((len(order), len(order)))
    np.add.at(square, (truth[said >= 0], said[said >= 0]), 1)
    shares = square / np.bincount(truth, minlength=len(order))[:, None]
    figure = charts.label_matrix(shares, order, what="share of the label's images", low=0, high=1)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(f'<h4 class="radcbir-label">What is taken for what, {markup(_name(method))}</h4>', width="content")
        st.caption(
            "Lines: what an image shows. Columns, by the same numbers: what it is taken for. The diagonal is right. "
            "Hover for names and shares.",
            width="stretch",
        )
    st.plotly_chart(
        figure,
        key="radcbir:confusions",
        theme=None,
        config={"displayModeBar": False, "scrollZoom": False},
        alt=f"Square of confusions of {len(order)} labels; the table of labels has the commonest",
    )


def _wrong(opened: Opened, result: Result, label: str, method: str) -> None:
    """The test images of a label that the method takes for another."""
    mine = result.tables["predictions"][result.tables["predictions"]["label"] == label]
    wrong = mine[mine[method] != label].sort_values([method, "row"])
    said = f"{len(wrong):,} of {counted(len(mine), 'test image')} taken for another label"
    label_chart.title(label, said)
    if not len(wrong):
        st.info("All test images of this label are right.", icon=":material/check:")
        return
    for other, part in wrong.groupby(wrong[method].astype(object), sort=False):
        taken = f"taken for {other}" if other else "no label was predicted"
        st.html(f'<p class="radcbir-query">✗ <b>{markup(taken)}</b>, {counted(len(part), "image")}</p>')
        gallery.show(opened.collection, part["row"].to_numpy(), key=f"wrong-{other}", columns=6, per_page=12)
