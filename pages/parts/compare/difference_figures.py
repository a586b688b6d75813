"""Plots of B − A: a dot and its interval a line, left of zero where A is better and right of it where B is.

Owns how differences look. Who is better is told by side, sign and color at once; a hollow dot says that the interval
holds zero. Texts of collections are escaped as in figures.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.parts.compare.comparator import COLORS, WORDS
from pages.parts.frame.figures import hover_line, plain, wrapped
from pages.parts.frame.palette import GROUND, LINES, QUIET, TEXT, TRACK
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.comparison import verdict
from radcbir_core.wording import counted

_LABEL_WIDTH: Final = 34
_LINE: Final = 15
_GAP: Final = 9
_FONT: Final = "Source Sans, sans-serif"
_SYMBOLS: Final = {"A": "triangle-left", "B": "triangle-right", "open": "circle-open", "none": "x-thin-open"}


def difference_text(difference: float, low: float, high: float) -> str:
    """B − A and its interval in words; NaN where there is none.

    >>> difference_text(-0.05, -0.075, -0.02), difference_text(0.1, np.nan, np.nan)
    ('−0.050 (−0.075 to −0.020)', '+0.100')
    """
    interval = "" if np.isnan(low) or np.isnan(high) else f" ({signed(low)} to {signed(high)})"
    return f"{signed(difference)}{interval}"


def signed(value: float) -> str:
    """A number with its sign, three digits, and a true minus.

    >>> signed(-0.0504), signed(0.0), signed(float("nan"))
    ('−0.050', '0.000', '–')
    """
    if np.isnan(value):
        return "–"
    text = f"{value:+.3f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def difference_rows(table: pd.DataFrame, *, k: int) -> go.Figure:
    """B − A by label, a line each, in the order given; its height follows from the number of labels.

    Every line can be clicked over its whole width and carries its position as ``customdata``.

    Args:
        table: ``label``, ``a``, ``b``, ``difference``, ``low``, ``high`` (NaN: no interval), ``n_queries``,
            ``n_patients`` and ``p_holm`` (NaN: no test).
        k: Of P@k.
    """
    labels = [wrapped(label, width=_LABEL_WIDTH) for label in table["label"]]
    heights = np.array([_LINE * len(lines) + _GAP for lines in labels], dtype=np.float64)
    middles = np.cumsum(heights) - heights / 2
    total = float(heights.sum())
    hover = [_hover(row, k=k) for row in table.itertuples()]
    limit = _limit(table)
    figure = go.Figure()
    shared: dict[str, Any] = {
        "y": middles,
        "customdata": [[position] for position in range(len(table))],
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
    }
    figure.add_bar(
        x=np.full(len(table), 2 * limit),
        base=-limit,
        width=heights - 3,
        orientation="h",
        marker={"color": TRACK, "line": {"width": 0}},
        **shared,
    )
    _add_dots(figure, table, middles, shared)
    longest = max((len(line) for lines in labels for line in lines), default=0)
    figure.update_layout(**_layout(round(total) + 52, left=14 + round(longest * 6.7), limit=limit))
    figure.update_layout(
        yaxis={
            **_AXIS,
            "range": [total, 0],
            "tickvals": middles,
            "ticktext": ["<br>".join(map(plain, lines)) for lines in labels],
            "showgrid": False,
            "automargin": True,
            "tickfont": {"color": TEXT, "size": 13},
        }
    )
    return figure


def difference_overview(table: pd.DataFrame, *, names: Mapping[Level, str], chosen: tuple[str, int]) -> go.Figure:
    """B − A of micro and macro P@k at every level and k.

    Args:
        table: The rows of a comparison whose averaging is micro or macro.
        names: Level → what it is called.
        chosen: Level and k that the page is about; their lines are set off.
    """
    lines: list[tuple[str, pd.Series | None]] = []
    for level, of_level in table.groupby("level", sort=False):
        if of_level["difference"].isna().all():
            continue
        lines.append((f"<b>{plain(names[cast('Level', level)])}</b>", None))
        for k, of_k in of_level.groupby("k"):
            for _, row in of_k.iterrows():
                lines.append((f"P@{k} {row['averaging']}", row))
    step = 19.0
    heights = np.array([step + (7 if row is None else 0) for _, row in lines])
    middles = np.cumsum(heights) - heights / 2
    rows_at = {position: row for position, (_, row) in enumerate(lines) if row is not None}
    kept = list(rows_at)
    rows = pd.DataFrame(list(rows_at.values()))
    limit = _limit(rows)
    figure = go.Figure()
    figure.update_layout(**_layout(round(float(heights.sum())) + 52, left=92, limit=limit))
    for position, row in rows_at.items():
        if (row["level"], row["k"]) == chosen:
            middle = float(middles[position])
            figure.add_shape(
                type="rect",
                **{"x0": -limit, "x1": limit, "y0": middle - step / 2, "y1": middle + step / 2},
                fillcolor="#1F2733",
                line={"width": 0},
                layer="below",
            )
    shared = {
        "y": middles[kept],
        "hovertext": [
            f"<b>{plain(names[row.level])}, {row.averaging} P@{row.k}</b><br>{_figures(row)}" for row in lines_of(rows)
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    _add_dots(figure, rows, middles[kept], shared)
    figure.update_layout(
        yaxis={
            **_AXIS,
            "range": [float(heights.sum()), 0],
            "tickvals": middles,
            "ticktext": [text for text, _ in lines],
            "showgrid": False,
            "automargin": True,
            "tickfont": {"color": TEXT, "size": 12.5},
        }
    )
    return figure


def _add_dots(figure: go.Figure, table: pd.DataFrame, middles: np.ndarray, shared: dict[str, Any]) -> None:
    """The dots and whiskers; one trace a verdict, so that each has its sign and its color."""
    says = np.array([verdict(row.low, row.high) for row in lines_of(table)], dtype=object)
    difference = table["difference"].to_numpy()
    above = (table["high"].to_numpy() - difference).clip(min=0)
    below = (difference - table["low"].to_numpy()).clip(min=0)
    for kind in ("none", "open", "A", "B"):
        mine = np.flatnonzero(says == kind)
        if not len(mine):
            continue
        texts = {
            name: [shared[name][position] for position in mine]
            for name in ("customdata", "hovertext")
            if name in shared
        }
        rest = {name: value for name, value in shared.items() if name not in ("customdata", "hovertext", "y")}
        figure.add_scatter(
            x=difference[mine],
            y=middles[mine],
            mode="markers",
            name=WORDS[kind],
            marker={
                "symbol": _SYMBOLS[kind],
                "size": 10 if kind in "AB" else 9,
                "color": COLORS[kind],
                "line": {"width": 2 if kind not in "AB" else 0, "color": COLORS[kind]},
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.nan_to_num(above[mine]),
                "arrayminus": np.nan_to_num(below[mine]),
                "color": COLORS[kind],
                "thickness": 1.6,
                "width": 3,
            },
            **texts,
            **rest,
        )


def _hover(row: Any, *, k: int) -> str:
    lines = [f"<b>{hover_line(row.label)}</b>", f"P@{k}: {_figures(row)}"]
    lines.append(f"{counted(row.n_queries, 'query', 'queries')} of {counted(row.n_patients, 'patient')}")
    if not np.isnan(row.p_holm):
        lines.append(f"after correction for the number of labels: p = {row.p_holm:.3f}")
    return "<br>".join(lines)


def _figures(row: Any) -> str:
    return (
        f"A {row.a:.3f}, B {row.b:.3f}<br>B − A {difference_text(row.difference, row.low, row.high)}: "
        f"{WORDS[verdict(row.low, row.high)]}"
    )


def _limit(table: pd.DataFrame) -> float:
    """Half the width of the axis: the largest bound, with room to spare, so that zero is in the middle."""
    values = table[["difference", "low", "high"]].abs().to_numpy(dtype=np.float64)
    largest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    return float(np.clip(largest * 1.1, 0.05, 1.05))


def _ticks(limit: float) -> Sequence[float]:
    step = next(step for step in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if limit / step <= 2.3)
    count = int(limit / step)
    return [round(step * n, 3) for n in range(-count, count + 1)]


_AXIS: Final[dict[str, Any]] = {
    "fixedrange": True,
    "showline": False,
    "ticks": "",
    "title": {"text": ""},
    "zeroline": False,
}


def _layout(height: int, *, left: int, limit: float) -> dict[str, Any]:
    ticks = _ticks(limit)
    side: dict[str, Any] = {"xref": "paper", "yref": "paper", "y": 1, "yshift": 35, "showarrow": False}
    return {
        "height": height,
        "margin": {"l": left, "r": 14, "t": 48, "b": 4, "pad": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": TEXT, "family": _FONT},
        "hoverlabel": {
            "bgcolor": "#1B212B",
            "bordercolor": "#3A4351",
            "font": {"color": TEXT, "size": 13, "family": _FONT},
            "align": "left",
        },
        "barmode": "overlay",
        "showlegend": False,
        "xaxis": {
            **_AXIS,
            "range": [-limit, limit],
            "side": "top",
            "tickvals": ticks,
            "tickangle": 0,
            "ticktext": ["0" if tick == 0 else f"{tick:+.2f}".replace("-", "−") for tick in ticks],
            "showgrid": True,
            "gridcolor": LINES,
            "tickfont": {"color": QUIET, "size": 12},
        },
        "shapes": [
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                **{"x0": 0, "x1": 0, "y0": 0, "y1": 1},
                "line": {"color": TEXT, "width": 1},
                "layer": "above",
            }
        ],
        "annotations": [
            {**side, "x": 0, "xanchor": "left", "text": "◀ A is better", "font": {"color": COLORS["A"], "size": 12.5}},
            {**side, "x": 1, "xanchor": "right", "text": "B is better ▶", "font": {"color": COLORS["B"], "size": 12.5}},
        ],
        "modebar": {"bgcolor": GROUND},
    }
