"""Plotly figures: P@k by label as bars or dots, and what all figures share.

Owns how the charts look and what text may enter them. Plotly reads its texts as a kind of HTML (bold, links, line
breaks, formulas), so every text that comes from a collection goes through :func:`plain` first and is shown word for
word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.parts.frame import palette
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.wording import counted

# Cividis (Nuñez, Anderton and Renslow, PLoS ONE 13(7), 2018: the same to all kinds of color vision) from its first
# third on, whose dark end would vanish on a dark ground, and lightened there.
SCALE: Final = ((0.0, "#4A6FA5"), (0.25, "#6E7F95"), (0.5, "#98937F"), (0.75, "#C9B25C"), (1.0, "#FDE737"))

_LABEL_WIDTH: Final = 34
"""Characters in one line of a bar's label."""
_HOVER_WIDTH: Final = 48
_LINE: Final = 15
_GAP: Final = 8
_BAR: Final = 11

_FONT: Final = "Source Sans, sans-serif"
_HOVER: Final = {
    "bgcolor": "#1B212B",
    "bordercolor": "#3A4351",
    "font": {"color": palette.TEXT, "size": 13, "family": _FONT},
    "align": "left",
}


def plain(text: object) -> str:
    """Escape text for Plotly, so that tags, entities and formulas in it are shown as they are written.

    >>> plain('<b>a</b> &amp; $x$')
    '&lt;b&gt;a&lt;/b&gt; &amp;amp; &#36;x&#36;'
    """
    escaped = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("$", "&#36;")


def wrapped(text: str, *, width: int) -> list[str]:
    """Break text into lines of at most ``width`` columns, after a slash or at a space where there is one.

    Nothing is left out. A wide character (Chinese, Japanese, Korean) takes two columns.

    >>> wrapped("XR/chest/pleural thickening", width=16)
    ['XR/chest/pleural', 'thickening']
    >>> wrapped("aaaaaaaaaa", width=4)
    ['aaaa', 'aaaa', 'aa']
    """
    lines: list[str] = []
    line = ""
    for piece in re.findall(r"[^\s/]*/|[^\s/]+|\s+", " ".join(text.split())):
        if _columns(line + piece.rstrip()) <= width:
            line += piece
            continue
        lines, line = [*lines, line.rstrip()], piece.lstrip()
        while _columns(line) > width:
            cut = next(n for n in range(len(line), 0, -1) if n == 1 or _columns(line[:n]) <= width)
            lines, line = [*lines, line[:cut]], line[cut:]
    return [part for part in [*lines, line.rstrip()] if part] or [""]


def hover_line(text: str) -> str:
    """Text for a hover label: escaped, and broken where it is long."""
    fits = len(text) <= _HOVER_WIDTH and text.isascii()
    return plain(text) if fits else "<br>".join(map(plain, wrapped(text, width=_HOVER_WIDTH)))


def precision_bars(table: pd.DataFrame, *, k: int, colors: Mapping[str, str], name: str | None = None) -> go.Figure:
    """P@k by label as horizontal bars with their intervals; its height follows from the number of labels.

    Every row carries its position as ``customdata`` and can be clicked over its whole width, so that a label whose
    P@k is 0 can be chosen too.

    Args:
        table: ``label``, ``precision``, ``low``, ``high`` (NaN: no interval) and ``n_queries``, in the order to draw;
            perhaps ``chance``, ``same_anatomy`` and ``pixels``, which are marked on each bar.
        k: Of P@k.
        colors: Label → color of its bar.
        name: Of the figure, where it is not P@k.
    """
    labels = [wrapped(label, width=_LABEL_WIDTH) for label in table["label"]]
    heights = np.array([_LINE * len(lines) + _GAP for lines in labels], dtype=np.float64)
    middles = np.cumsum(heights) - heights / 2
    total = float(heights.sum())
    hover = [
        f"<b>{hover_line(row.label)}</b><br>{precision_text(row.precision, row.low, row.high, k=k, name=name)}"
        f"<br>{counted(row.n_queries, 'query', 'queries')}"
        for row in lines_of(table)
    ]
    shared: dict[str, Any] = {
        "y": middles,
        "orientation": "h",
        "customdata": [[position] for position in range(len(table))],
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        # Choosing a label must not leave its bar highlighted: it may be chosen in the table next.
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
    }
    figure = go.Figure()
    figure.add_bar(
        x=np.ones(len(table)), width=heights - 3, marker={"color": palette.TRACK, "line": {"width": 0}}, **shared
    )
    figure.add_bar(
        x=table["precision"].to_numpy(),
        width=_BAR,
        marker={"color": [colors.get(label, palette.HUES[0]) for label in table["label"]], "line": {"width": 0}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (table["high"] - table["precision"]).clip(lower=0).to_numpy(),
            "arrayminus": (table["precision"] - table["low"]).clip(lower=0).to_numpy(),
            "color": palette.TEXT,
            "thickness": 1.2,
            "width": 3,
        },
        **shared,
    )
    for baseline, symbol, size in (
        ("chance", "line-ns", 15),
        ("same_anatomy", "diamond-open", 8),
        ("pixels", "circle-open", 8),
    ):
        if baseline in table and table[baseline].notna().any():
            figure.add_scatter(
                x=table[baseline].to_numpy(),
                mode="markers",
                marker={"symbol": symbol, "size": size, "color": palette.TEXT, "line": {"width": 1.6}},
                **{name: value for name, value in shared.items() if name != "orientation"},
            )
    longest = max((_columns(line) for lines in labels for line in lines), default=0)
    left = 14 + round(longest * 6.7)
    figure.update_layout(
        **frame(height=round(total) + 34, left=left, right=14, top=30, bottom=4),
        barmode="overlay",
        showlegend=False,
        xaxis={
            **_axis(),
            "range": [-0.004, 1.012],
            "side": "top",
            "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1],
            "showgrid": True,
            "gridcolor": palette.LINES,
            "tickfont": {"color": palette.QUIET, "size": 12},
            "zeroline": False,
        },
        yaxis={
            **_axis(),
            "range": [total, 0],
            "tickvals": middles,
            "ticktext": ["<br>".join(map(plain, lines)) for lines in labels],
            "showgrid": False,
            "automargin": True,
            "tickfont": {"color": palette.TEXT, "size": 13},
            "zeroline": False,
        },
    )
    return figure


def interval_dots(table: pd.DataFrame, *, k: int, overall: float) -> go.Figure:
    """P@k as dots with their intervals, one line each, and that of all queries as a line through all.

    Every row carries its position as ``customdata`` and can be clicked over its whole width.

    Args:
        table: As :func:`precision_bars` takes it; a row without an interval, or that is not ``clear`` where there is
            such a column, gets a hollow dot.
        k: Of P@k.
        overall: P@k of all queries.
    """
    figure = precision_bars(table, k=k, colors={})
    full = table["low"].notna().to_numpy() & (table["clear"].to_numpy(dtype=bool) if "clear" in table else True)
    dots = figure.data[1]
    # The bars stay, unseen: they carry the whiskers, and are what a click is aimed at.
    dots.marker.color = "rgba(0,0,0,0)"
    figure.add_scatter(
        x=table["precision"].to_numpy(),
        y=dots.y,
        mode="markers",
        customdata=dots.customdata,
        hovertext=dots.hovertext,
        hovertemplate=dots.hovertemplate,
        marker={
            "symbol": ["circle" if one else "circle-open" for one in full.tolist()],
            "size": 11,
            "color": palette.HUES[0],
            "line": {"width": 1.6, "color": palette.HUES[0]},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    if not np.isnan(overall):
        figure.add_vline(x=overall, line={"color": palette.QUIET, "width": 1.4, "dash": "dot"})
    return figure


def precision_text(precision: float, low: float, high: float, *, k: int, name: str | None = None) -> str:
    """P@k, or a figure of another name, and its interval in words; NaN where there is none.

    >>> precision_text(0.4, 0.25, 0.5, k=10), precision_text(1.0, np.nan, np.nan, k=1)
    ('P@10 0.400 (0.250 to 0.500)', 'P@1 1.000')
    >>> precision_text(np.nan, np.nan, np.nan, k=1)
    'no P@1, since there was nothing relevant to find'
    """
    name = name or f"P@{k}"
    if np.isnan(precision):
        return f"no {name}, since there was nothing relevant to find"
    interval = "" if np.isnan(low) or np.isnan(high) else f" ({low:.3f} to {high:.3f})"
    return f"{name} {precision:.3f}{interval}"


def frame(*, height: int, left: int, right: int, top: int, bottom: int) -> dict[str, Any]:
    """The layout that all figures share: its size and margins in pixels, ground, font and hover labels."""
    return {
        "height": height,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": palette.TEXT, "family": _FONT},
        "hoverlabel": _HOVER,
    }


def _axis() -> dict[str, Any]:
    return {"fixedrange": True, "showline": False, "ticks": "", "title": {"text": ""}}


def _columns(text: str) -> int:
    """How wide text is in a terminal's sense: 2 for a wide character, 0 for one that joins another."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
