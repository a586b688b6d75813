"""The square of a retrieval confusion: query labels down, retrieved labels across, each cell to be clicked.

Owns how it looks, and the order of its labels. Of a hundred labels and more, the names of groups stand for theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.parts.frame.figures import SCALE, frame, hover_line, plain
from pages.parts.frame.palette import LINES, QUIET, TEXT, TRACK
from pages.parts.frame.text import percent
from radcbir_core.collections.manifests.manifest import Codes
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.wording import counted

_HEIGHT: Final = 640
_CELL: Final = 44
_NAMED: Final = 48
"""Up to so many labels each has its name at the side."""
_NUMBERS_LYING: Final = 18
"""Beside each other so many numbers have room above the columns; of more, each is turned."""
_AXIS: Final[dict[str, Any]] = {
    "fixedrange": True,
    "showline": False,
    "ticks": "",
    "title": {"text": ""},
    "showgrid": False,
    "zeroline": False,
}
CLICKED: Final = 4000
"""So many cells can be clicked, those of most hits: without WebGL, which many hospitals' desktops have not, a browser
draws no more points quickly. Of 63 labels that is every cell."""
FIGURES: Final = {"share": "Share", "lift": "Lift over chance", "n_hits": "Count"}
"""What a cell can show, by the column of the table."""


def in_order(labels: Sequence[str], modality: Codes, own: Codes) -> list[str]:
    """Labels by modality and anatomy, then by name.

    A full label says both; an anatomy goes to the modality that most of its images have.

    Args:
        labels: To put in order.
        modality: Of all images.
        own: The labels of all images at this level.
    """
    known = (modality.codes >= 0) & (own.codes >= 0)
    table = np.zeros((len(own.values), max(len(modality.values), 1)), dtype=np.int64)
    np.add.at(table, (own.codes[known], modality.codes[known]), 1)
    first = dict(zip(own.values, table.argmax(axis=1).tolist(), strict=True))
    return sorted(labels, key=lambda label: (first.get(label, -1), label))


def matrix(cells: pd.DataFrame, labels: Sequence[str], *, figure: str) -> go.Figure:
    """The square; its points carry their line of ``cells`` as ``customdata``, those of most hits, :data:`CLICKED`.

    Args:
        cells: Of a retrieval confusion.
        labels: In the order to draw.
        figure: Of :data:`FIGURES`.
    """
    number = len(labels)
    place = {label: position for position, label in enumerate(labels)}
    down = cells["label"].map(place).to_numpy(dtype=np.int64)
    across = cells["hit_label"].map(place).to_numpy(dtype=np.int64)
    values, scale = _scaled(cells[figure].to_numpy(dtype=np.float64), figure)
    square = np.full((number, number), np.nan)
    square[down, across] = values
    hover = np.full((number, number), "", dtype=object)
    hover[down, across] = [
        f"<b>{hover_line(row.label)}</b><br>retrieves <b>{hover_line(row.hit_label)}</b><br>"
        f"{percent(row.share)} of its hits, by chance {percent(row.chance)}<br>"
        f"{counted(row.n_hits, 'hit')} of {counted(row.n_queries, 'query', 'queries')}"
        for row in lines_of(cells)
    ]
    drawn = go.Figure(
        go.Heatmap(
            z=square,
            x=np.arange(number),
            y=np.arange(number),
            hovertext=hover,
            hovertemplate="%{hovertext}<extra></extra>",
            hoverongaps=False,
            colorscale=[list(step) for step in SCALE],
            xgap=1 if number <= _NAMED else 0,
            ygap=1 if number <= _NAMED else 0,
            colorbar={
                "title": {"text": FIGURES[figure], "side": "right", "font": {"color": TEXT, "size": 12}},
                "tickfont": {"color": TEXT, "size": 12},
                "outlinewidth": 0,
                "thickness": 12,
                "len": 1,
                **scale.pop("ticks"),
            },
            **scale,
        )
    )
    # A heat map cannot be clicked: on each cell of most hits lies a point that can.
    clicked = np.sort(np.argsort(-cells["n_hits"].to_numpy(), kind="stable")[:CLICKED])
    drawn.add_scatter(
        x=across[clicked],
        y=down[clicked],
        mode="markers",
        customdata=clicked.astype(np.int32)[:, None],
        marker={"symbol": "square", "size": max(min(_HEIGHT / max(number, 1), _CELL), 5), "opacity": 0},
        hovertext=hover[down[clicked], across[clicked]],
        hovertemplate="%{hovertext}<extra></extra>",
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
    )
    named = number <= _NAMED
    groups = _groups(labels)
    asked = set(cells["label"])
    alone = [_short(label) + ("" if label in asked else " (no query)") for label in labels]
    texts = alone if named else [name if wide else "" for name, _, wide in groups]
    places = list(range(number)) if named else [middle for _, middle, _ in groups]
    longest = max(map(len, texts), default=0)
    numbers = [str(position + 1) for position in range(number)] if named else []
    drawn.update_layout(
        **frame(height=min(_HEIGHT, 60 + _CELL * number), left=30 + round(longest * 5.8), right=10, top=26, bottom=8),
        showlegend=False,
        hovermode="closest",
        shapes=_borders(labels),
        xaxis={
            **_AXIS,
            "side": "top",
            "range": [-0.5, number - 0.5],
            "tickvals": places if named else [],
            "ticktext": numbers,
            "tickangle": 0 if number <= _NUMBERS_LYING else -90,
            "tickfont": {"color": QUIET, "size": 10},
        },
        yaxis={
            **_AXIS,
            "range": [number - 0.5, -0.5],
            "tickvals": places,
            "ticktext": [f"{plain(text)}{f'  {position + 1}' if named else ''}" for position, text in enumerate(texts)],
            "tickfont": {"color": TEXT, "size": 11},
        },
    )
    drawn.update_layout(plot_bgcolor=TRACK)
    return drawn


def _scaled(values: np.ndarray, figure: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Values on the scale of their colors: shares by their root, lift and counts by their logarithm."""
    if figure == "share":
        ticks = [0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0]
        told = [percent(tick).replace(".0 %", " %") for tick in ticks]
        return np.sqrt(values), {
            "zmin": 0,
            "zmax": 1,
            "ticks": {"tickvals": np.sqrt(ticks), "ticktext": told},
        }
    if figure == "lift":
        ticks = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
        return np.log10(np.clip(values, 0.1, 30)), {
            "zmin": -1,
            "zmax": np.log10(30),
            "ticks": {"tickvals": np.log10(ticks), "ticktext": [f"{tick:g} ×" for tick in ticks]},
        }
    most = int(max(np.nanmax(values, initial=1), 1))
    ticks = [float(10**power) for power in range(len(str(most)))]
    return np.log10(np.maximum(values, 1)), {
        "zmin": 0,
        "zmax": max(np.log10(most), 0.1),
        "ticks": {"tickvals": np.log10(ticks), "ticktext": [f"{tick:,.0f}" for tick in ticks]},
    }


def _groups(labels: Sequence[str]) -> list[tuple[str, float, bool]]:
    """Modality and anatomy of labels that follow each other: name, middle, and whether there is room for it."""
    groups = []
    start = 0
    for name, members in groupby(labels, key=_group):
        size = len(list(members))
        groups.append((name, start + (size - 1) / 2, size * _HEIGHT / max(len(labels), 1) >= 13))
        start += size
    return groups


def _group(label: str) -> str:
    return "/".join(label.split("/")[:2])


def _borders(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Lines between modalities and anatomies."""
    edges = [
        position - 0.5 for position in range(1, len(labels)) if _group(labels[position]) != _group(labels[position - 1])
    ]
    if len(edges) >= len(labels) - 1:
        return []
    line = {"color": LINES, "width": 1.5}
    end = len(labels) - 0.5
    return [
        {"type": "line", "line": line, **at}
        for edge in edges
        for at in ({"x0": edge, "x1": edge, "y0": -0.5, "y1": end}, {"y0": edge, "y1": edge, "x0": -0.5, "x1": end})
    ]


def _short(label: str) -> str:
    """At most 34 characters: the middle goes, as labels differ at their ends."""
    return label if len(label) <= 34 else f"{label[:16]}…{label[-17:]}"
