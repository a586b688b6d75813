"""What is selected on the map: boxes, lassos, single points; from the chart's event, to the URL, to rows.

Owns the geometry of a selection. The chart reports the points that it drew; what counts here is the outline, so that
images left out of a drawn sample are selected too, and a link selects what the lasso did. Pure functions: nothing here
knows Streamlit's session, and nothing the browser says is taken for granted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

CORNERS: Final = 40
"""A lasso keeps at most so many corners: more than the eye sees, and few enough for a link."""

_DECIMALS: Final = 3
_MOST_REGIONS: Final = 20
_FAR: Final = 1e6


@dataclass(frozen=True)
class Region:
    """A closed outline on the map.

    Attributes:
        kind: "box" or "lasso".
        x: Corners in order; for a box left and right.
        y: As many; for a box bottom and top.
    """

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Selection:
    """What the chart reports: outlines, or single points that were clicked."""

    regions: tuple[Region, ...] = ()
    rows: tuple[int, ...] = ()


def from_event(event: Any) -> Selection:
    """Read the selection that a chart reports (``st.plotly_chart``'s state).

    Args:
        event: ``{"selection": {"points": [{"customdata": [row], …}], "box": [{"x": …, "y": …}], "lasso": …}}``; what
            does not look like that is left out.

    Returns:
        The outlines, lassos with at most :data:`CORNERS` corners, numbers rounded as in the URL; or, where there is no
        outline, the rows of the points that were clicked.

    >>> from_event({"selection": {"points": [], "box": [{"x": [2, 1], "y": [0, 3]}], "lasso": []}}).regions
    (Region(kind='box', x=(1.0, 2.0), y=(0.0, 3.0)),)
    >>> from_event({"selection": {"points": [{"customdata": [7]}], "box": [], "lasso": []}}).rows
    (7,)
    """
    selection = event.get("selection") if isinstance(event, Mapping) else None
    if not isinstance(selection, Mapping):
        return Selection()
    regions = [
        region
        for kind in ("box", "lasso")
        for shape in _list(selection.get(kind))
        if isinstance(shape, Mapping) and (region := _region(kind, shape.get("x"), shape.get("y"))) is not None
    ]
    if regions:
        return Selection(regions=tuple(regions[:_MOST_REGIONS]))
    rows = [_row(point.get("customdata")) for point in _list(selection.get("points")) if isinstance(point, Mapping)]
    return Selection(rows=tuple(sorted({row for row in rows if row is not None})))


def to_text(region: Region) -> str:
    """A region as in the URL; :func:`from_text` is its inverse.

    >>> to_text(Region("box", (1.0, 2.0), (0.0, 3.5)))
    'box:1,0,2,3.5'
    """
    return f"{region.kind}:" + ",".join(f"{v:.10g}" for pair in zip(region.x, region.y, strict=True) for v in pair)


def from_text(text: str) -> Region | None:
    """Read a region from the URL: ``box:`` or ``lasso:`` and ``x,y`` of every corner; None where it is none.

    >>> from_text("box:1,0,2,3.5")
    Region(kind='box', x=(1.0, 2.0), y=(0.0, 3.5))
    >>> from_text("lasso:1,nan,2") is None
    True
    """
    kind, _, numbers = text.partition(":")
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError:
        return None
    return _region(kind, values[::2], values[1::2]) if kind in ("box", "lasso") else None


def inside(
    regions: Sequence[Region], x: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.bool_]:
    """Which points lie in at least one region; a point without a place (NaN) lies in none.

    Args:
        regions: Any number; a lasso that crosses itself holds what an odd number of its loops surround.
        x: ``(P,)``.
        y: ``(P,)``.

    Returns:
        ``(P,)`` bool.

    >>> inside([Region("lasso", (0, 2, 0), (0, 0, 2))], np.array([0.5, 1.5]), np.array([0.5, 1.5]))
    array([ True, False])
    """
    within = np.zeros(len(x), dtype=bool)
    for region in regions:
        near = (x >= min(region.x)) & (x <= max(region.x)) & (y >= min(region.y)) & (y <= max(region.y))
        if region.kind == "lasso":
            candidates = np.flatnonzero(near)
            near[candidates] = _odd(region, x[candidates].astype(np.float64), y[candidates].astype(np.float64))
        within |= near
    return within


def as_layout(region: Region) -> dict[str, Any]:
    """A region as Plotly's ``layout.selections`` takes it.

    >>> as_layout(Region("lasso", (0, 2, 0), (0, 0, 2)))
    {'type': 'path', 'path': 'M0,0L2,0L0,2Z'}
    """
    if region.kind == "box":
        return {"type": "rect", "x0": region.x[0], "x1": region.x[1], "y0": region.y[0], "y1": region.y[1]}
    corners = "L".join(f"{x:.10g},{y:.10g}" for x, y in zip(region.x, region.y, strict=True))
    return {"type": "path", "path": f"M{corners}Z"}


def _region(kind: str, x: Any, y: Any) -> Region | None:
    across, up = _numbers(x), _numbers(y)
    if across is None or up is None or len(across) != len(up):
        return None
    if kind == "box":
        if len(across) != 2:
            return None
        across, up = sorted(across), sorted(up)
    else:
        across, up = _simpler(across, up)
        if len(across) < 3:
            return None
    return Region(kind, tuple(round(v, _DECIMALS) for v in across), tuple(round(v, _DECIMALS) for v in up))


def _simpler(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """A closed outline without its repeated last corner and with few corners.

    The corner that spans the smallest triangle with its two neighbors goes first (Visvalingam and Whyatt, *Line
    generalisation by repeated elimination of points*, The Cartographic Journal 30(1), 1993), until few are left.
    """
    if len(x) > 1 and (x[0], y[0]) == (x[-1], y[-1]):
        x, y = x[:-1], y[:-1]
    points = np.array([x, y], dtype=np.float64).T[:5000]
    while len(points) > CORNERS:
        before, after = np.roll(points, 1, axis=0) - points, np.roll(points, -1, axis=0) - points
        areas = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        points = np.delete(points, int(areas.argmin()), axis=0)
    return points[:, 0].tolist(), points[:, 1].tolist()


def _odd(region: Region, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether a ray from each point to the right crosses the outline an odd number of times."""
    odd = np.zeros(len(x), dtype=bool)
    for x0, y0, x1, y1 in zip(
        region.x, region.y, region.x[1:] + region.x[:1], region.y[1:] + region.y[:1], strict=True
    ):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def _numbers(values: Any) -> list[float] | None:
    listed = _list(values)
    fit = all(isinstance(v, int | float) and not isinstance(v, bool) and -_FAR < v < _FAR for v in listed)
    return [float(v) for v in listed] if fit and listed else None


def _row(customdata: Any) -> int | None:
    """The row a point carries; the browser sends a list, or an object where the list was a typed array."""
    values = list(customdata.values()) if isinstance(customdata, Mapping) else _list(customdata)
    value = values[0] if values else customdata
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
