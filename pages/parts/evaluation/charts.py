"""Figures of evaluations: curves with bands, silhouettes by label, and the matrix of labels.

Owns how they look. As in figures.py, every text of a collection is escaped for Plotly; lines are told apart by color,
dash and sign at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.parts.frame.figures import SCALE, frame, hover_line, plain, wrapped
from pages.parts.frame.palette import GROUND, HUES, LINES, QUIET, TEXT, TRACK
from radcbir_core.wording import counted

MICRO: Final[dict[str, Any]] = {"color": "#56B4E9", "dash": "solid", "symbol": "circle"}
MACRO: Final[dict[str, Any]] = {"color": "#E69F00", "dash": "dash", "symbol": "square-open"}
_LOOKS: Final = {"micro": MICRO, "macro": MACRO}
# The open square goes around the dot where both lines are one.
_SIZES: Final = {"micro": 6, "macro": 11}
_DASHES: Final = ("solid", "dash", "dot", "dashdot")
_LABEL_WIDTH: Final = 34
_LINE: Final = 15
_GAP: Final = 9


def paper_curve(table: pd.DataFrame, published: Mapping[int, float]) -> go.Figure:
    """P@N against N, micro and macro, with the published points.

    Args:
        table: Columns ``n``, ``micro`` and ``macro``.
        published: N → published P@N.
    """
    figure = go.Figure()
    for averaging, look in _LOOKS.items():
        figure.add_scatter(
            x=table["n"],
            y=table[averaging],
            mode="lines+markers",
            name=f"{averaging}, this collection",
            line={"color": look["color"], "dash": look["dash"], "width": 2},
            # A sign at some places tells the lines apart without color.
            marker={
                "symbol": look["symbol"],
                "size": [_SIZES[averaging] if n in (1, 10, 20, 40, 60, 80, 100) else 0 for n in table["n"]],
                "color": look["color"],
            },
            hovertemplate=f"{averaging} P@%{{x}} %{{y:.3f}}<extra></extra>",
        )
    figure.add_scatter(
        x=list(published),
        y=list(published.values()),
        mode="markers",
        name="published: BiomedCLIP, other data",
        marker={"symbol": "diamond", "size": 9, "color": TEXT, "line": {"color": GROUND, "width": 1}},
        hovertemplate="published P@%{x} %{y:.3f}, on other data<extra></extra>",
    )
    figure.update_layout(**_curves("N, number of hits", "P@N"))
    figure.update_xaxes(range=[-1, 101.5], tickvals=[1, 10, 20, 40, 60, 80, 100])
    figure.update_yaxes(range=[-0.02, 1.03])
    return figure


def size_curve(table: pd.DataFrame, *, k: int) -> go.Figure:
    """P@k against the images of the gallery, micro and macro, each with the band between the least and largest draw.

    Args:
        table: As ``index_size`` gives it, at one k.
        k: Of P@k.
    """
    figure = go.Figure()
    for averaging, look in _LOOKS.items():
        rows = table[table["averaging"] == averaging].sort_values("gallery")
        edge = [*rows["gallery"], *rows["gallery"][::-1]]
        figure.add_scatter(
            x=edge,
            y=[*rows["high"], *rows["low"][::-1]],
            fill="toself",
            fillcolor=_clear(look["color"]),
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=rows["gallery"],
            y=rows["mean"],
            mode="lines+markers",
            name=f"{averaging} P@{k}, mean of draws",
            line={"color": look["color"], "dash": look["dash"], "width": 2},
            marker={"symbol": look["symbol"], "size": _SIZES[averaging], "color": look["color"]},
            customdata=rows[["std", "low", "high", "draws"]].to_numpy(),
            hovertemplate=f"{averaging} P@{k} %{{y:.3f}} ± %{{customdata[0]:.3f}}<br>%{{x:,.0f}} images, "
            "%{customdata[3]} draws from %{customdata[1]:.3f} to %{customdata[2]:.3f}<extra></extra>",
        )
    figure.update_layout(**_curves("Images in the gallery (logarithmic)", f"P@{k}", height=360))
    galleries = np.unique(table["gallery"].to_numpy().round())
    figure.update_xaxes(type="log", tickvals=galleries, ticktext=[f"{value:,.0f}" for value in galleries])
    figure.update_yaxes(range=[-0.02, 1.03])
    return figure


def reliability(table: pd.DataFrame) -> go.Figure:
    """The share of hits against the chance that was said of them, with intervals, and the line of true chances.

    Args:
        table: As ``calibration`` gives its bins, of one place.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="true chances",
        line={"color": QUIET, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
    )
    most = max(int(table["n_pairs"].max()), 1) if len(table) else 1
    figure.add_scatter(
        x=table["chance"],
        y=table["share"],
        mode="lines+markers",
        name="patients held out",
        line={"color": MICRO["color"], "width": 2},
        # Its area says how many hits a point stands for.
        marker={"color": MICRO["color"], "size": 5 + 13 * np.sqrt(table["n_pairs"] / most)},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["high"] - table["share"],
            "arrayminus": table["share"] - table["low"],
            "color": MICRO["color"],
            "thickness": 1,
            "width": 3,
        },
        customdata=table[["low", "high", "n_pairs", "n_patients"]].to_numpy(),
        hovertemplate="said %{x:.0%}, shared %{y:.1%} (95 % %{customdata[0]:.2f} to %{customdata[1]:.2f})<br>"
        "%{customdata[2]:,} hits for %{customdata[3]:,} patients<extra></extra>",
    )
    figure.update_layout(**_curves("Chance that was said", "Share that shares it", height=340))
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(range=[-0.02, 1.02], tickformat=".0%")
    return figure


def rising_curves(table: pd.DataFrame) -> go.Figure:
    """The chance against the similarity, a line for each modality and anatomy of hits.

    Args:
        table: As ``calibration`` gives its curves.
    """
    figure = go.Figure()
    for position, (place, lines) in enumerate(table.groupby("place", sort=False)):
        figure.add_scatter(
            x=lines["similarity"],
            y=lines["chance"],
            mode="lines",
            name=plain(str(place)),
            line={"color": HUES[position % len(HUES)], "dash": _DASHES[position // len(HUES) % 4], "width": 2},
            customdata=lines["n_pairs"],
            hovertemplate=f"{plain(str(place))}<br>similarity %{{x:.3f}}: %{{y:.0%}}, %{{customdata}} hits"
            "<extra></extra>",
        )
    figure.update_layout(**_curves("Similarity", "Chance", height=340))
    # Beside the curves, which may be anywhere: names of modality and anatomy have some 17 letters.
    figure.update_layout(legend={"x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"}, margin={"r": 150})
    figure.update_layout(showlegend=True)
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    return figure


def silhouette_boxes(images: pd.DataFrame, labels: Sequence[str], *, colors: Mapping[str, str]) -> go.Figure:
    """The silhouettes of each label's images as a box: median, middle half, and the 5th to the 95th percentile.

    Every line can be clicked over its whole width and carries its position as ``customdata``.

    Args:
        images: Columns ``label`` and ``silhouette``, without NaN.
        labels: In the order to draw.
        colors: Label → color.
    """
    lines = [wrapped(label, width=_LABEL_WIDTH) for label in labels]
    heights = np.array([_LINE * len(parts) + _GAP for parts in lines], dtype=np.float64)
    middles = np.cumsum(heights) - heights / 2
    groups = {name: values.to_numpy() for name, values in images.groupby("label")["silhouette"]}
    quantiles = np.array([np.quantile(groups[label], [0.05, 0.25, 0.5, 0.75, 0.95]) for label in labels])
    shared: dict[str, Any] = {
        "y": middles,
        "customdata": [[position] for position in range(len(labels))],
        "hovertext": [
            f"<b>{hover_line(label)}</b><br>median {middle[2]:.3f}, middle half {middle[1]:.3f} to {middle[3]:.3f}<br>"
            f"{counted(len(groups[label]), 'image')}"
            for label, middle in zip(labels, quantiles, strict=True)
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "orientation": "h",
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
    }
    figure = go.Figure()
    figure.add_bar(x=np.full(len(labels), 2.0), base=-1, width=heights - 3, marker={"color": TRACK}, **shared)
    figure.add_bar(
        x=quantiles[:, 3] - quantiles[:, 1],
        base=quantiles[:, 1],
        width=9,
        marker={"color": [colors[label] for label in labels]},
        **shared,
    )
    pairs = np.full((len(labels), 3), np.nan)
    pairs[:, 0], pairs[:, 1] = quantiles[:, 0], quantiles[:, 4]
    places = np.column_stack([middles, middles, np.full(len(labels), np.nan)])
    figure.add_scatter(
        x=pairs.ravel(), y=places.ravel(), mode="lines", line={"color": TEXT, "width": 1.2}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=quantiles[:, 2],
        y=middles,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 11, "color": "#FFFFFF", "line": {"width": 2.5}},
        hoverinfo="skip",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    total = float(heights.sum())
    longest = max((len(line) for parts in lines for line in parts), default=0)
    figure.update_layout(
        **frame(height=round(total) + 34, left=14 + round(longest * 6.7), right=14, top=30, bottom=4),
        barmode="overlay",
        showlegend=False,
        xaxis={
            **_AXIS,
            "range": [-1.004, 1.012],
            "side": "top",
            "tickvals": [-1, -0.5, 0, 0.5, 1],
            "showgrid": True,
            "gridcolor": LINES,
            "zeroline": True,
            "zerolinecolor": QUIET,
            "zerolinewidth": 1.5,
        },
        yaxis={
            **_AXIS,
            "range": [total, 0],
            "tickvals": middles,
            "ticktext": ["<br>".join(map(plain, found)) for found in lines],
            "showgrid": False,
            "automargin": True,
            "tickfont": {"color": TEXT, "size": 13},
            "zeroline": False,
        },
    )
    return figure


def label_matrix(values: np.ndarray, labels: Sequence[str], *, what: str, low: float, high: float) -> go.Figure:
    """A square of figures, label by label, colored from ``low`` to ``high``; the figure itself is in the hover text.

    Args:
        values: (L, L); NaN is left empty.
        labels: Of lines and columns alike.
        what: The figure is.
        low: Start of the scale.
        high: End of the scale.
    """
    number = len(labels)
    cell = 22 if number <= 24 else 14 if number <= 60 else 8
    names = [hover_line(label) for label in labels]
    hover = [[f"{first}<br>{second}" for second in names] for first in names]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=np.arange(number),
            y=np.arange(number),
            text=hover,
            hovertemplate=f"%{{text}}<br>{plain(what)} %{{z:.3f}}<extra></extra>",
            colorscale=[list(step) for step in SCALE],
            zmin=low,
            zmax=high,
            xgap=1 if cell > 10 else 0,
            ygap=1 if cell > 10 else 0,
            colorbar={
                "title": {"text": plain(what), "side": "right", "font": {"color": TEXT, "size": 12}},
                "tickfont": {"color": TEXT, "size": 12},
                "outlinewidth": 0,
                "thickness": 12,
                "len": 1,
            },
        )
    )
    short = [plain(label if len(label) <= 40 else f"{label[:39]}…") for label in labels]
    readable = cell >= 14
    longest = max((min(len(label), 40) for label in labels), default=0)
    text = 10 + round(longest * 5.6) if readable else 14
    numbers = [str(position + 1) for position in range(number)]
    figure.update_layout(
        **frame(height=max(cell * number, 120) + 40, left=text + 18, right=10, top=26, bottom=8),
        xaxis={
            **_AXIS,
            "side": "top",
            "tickvals": np.arange(number) if readable else [],
            "ticktext": numbers,
            "tickangle": 0,
            "showgrid": False,
            "zeroline": False,
            "tickfont": {"color": QUIET, "size": 10},
        },
        yaxis={
            **_AXIS,
            "autorange": "reversed",
            "tickvals": np.arange(number) if readable else [],
            "ticktext": [f"{name}  {place}" for name, place in zip(short, numbers, strict=True)],
            "showgrid": False,
            "zeroline": False,
            "tickfont": {"color": TEXT, "size": 11},
        },
    )
    return figure


def _curves(across: str, up: str, *, height: int = 300) -> dict[str, Any]:
    def axis(title: str) -> dict[str, Any]:
        return {
            **_AXIS,
            "title": {"text": title, "font": {"color": QUIET, "size": 12.5}},
            "showgrid": True,
            "gridcolor": LINES,
            "zeroline": False,
        }

    return {
        **frame(height=height, left=52, right=12, top=8, bottom=44),
        "xaxis": axis(across),
        "yaxis": axis(up),
        "legend": {
            "font": {"color": TEXT, "size": 12.5},
            "bgcolor": "rgba(14,17,22,.75)",
            "x": 0.99,
            "xanchor": "right",
            "y": 0.02,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        },
    }


def _clear(color: str) -> str:
    """The same color, mostly transparent.

    >>> _clear("#56B4E9")
    'rgba(86,180,233,0.18)'
    """
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


_AXIS: Final[dict[str, Any]] = {
    "fixedrange": True,
    "showline": False,
    "ticks": "",
    "title": {"text": ""},
    "tickfont": {"color": QUIET, "size": 12},
}
