"""Outlines on the map: as they stand in the URL, and which points lie in them.

Owns the geometry of a selection. The browser draws an outline and sends nothing else, so that a link selects what the
lasso did. Pure functions: nothing here knows Streamlit, and nothing the browser says is taken for granted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

CORNERS: Final = 40
"""A lasso keeps at most so many corners: more than the eye sees, and few enough for a link."""

_DECIMALS: Final = 5
_FAR: Final = 1e6
_MOST_READ: Final = 5000
_SIDE: Final = 512
"""Cells a side of the mask by which most points of a lasso are decided."""

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Outline:
    """A closed outline on the map.

    Attributes:
        kind: "box" or "lasso".
        x: Corners in order; for a box left and right.
        y: As many; for a box bottom and top.
        takes_away: Whether it takes what is in it out of the selection, and does not add it.
    """

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    takes_away: bool = False


def to_text(outline: Outline) -> str:
    """An outline as in the URL; :func:`from_text` is its inverse.

    >>> to_text(Outline("box", (1.0, 2.0), (0.0, 3.5), takes_away=True))
    '-box:1,0,2,3.5'
    """
    numbers = ",".join(f"{v:.11g}" for pair in zip(outline.x, outline.y, strict=True) for v in pair)
    return f"{'-' if outline.takes_away else ''}{outline.kind}:{numbers}"


def from_text(text: str) -> Outline | None:
    """Read an outline from the URL: ``box:`` or ``lasso:`` and ``x,y`` of every corner; None where it is none.

    One that takes away begins with a minus. A lasso of more than :data:`CORNERS` corners loses the smallest of them.

    >>> from_text("box:2,0,1,3.5")
    Outline(kind='box', x=(1.0, 2.0), y=(0.0, 3.5), takes_away=False)
    >>> from_text("lasso:1,nan,2") is None
    True
    """
    kind, _, listed = text.removeprefix("-").partition(":")
    parts = listed.split(",", 2 * _MOST_READ)
    try:
        numbers = [float(number) for number in parts] if len(parts) <= 2 * _MOST_READ else []
    except ValueError:
        return None
    if (
        kind not in ("box", "lasso")
        or not numbers
        or len(numbers) % 2
        or not all(-_FAR < number < _FAR for number in numbers)
    ):
        return None
    corners = np.array(numbers).reshape(-1, 2)
    if kind == "box":
        if len(corners) != 2:
            return None
        corners = np.sort(corners, axis=0)
    else:
        corners = _simpler(corners)
        if len(corners) < 3:
            return None
    x, y = (tuple(round(value, _DECIMALS) for value in column) for column in corners.T.tolist())
    return Outline(kind, x, y, takes_away=text.startswith("-"))


def inside(outline: Outline, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    """Which points lie in an outline; a point without a place (NaN) does not.

    Of a lasso that crosses itself, what an odd number of its loops surround. It is decided cell by cell where no edge
    passes, and point by point elsewhere, so that the answer is exact.

    Args:
        outline: Of either kind; whether it takes away does not matter here.
        x: ``(P,)``.
        y: ``(P,)``.

    Returns:
        ``(P,)`` bool.

    >>> inside(Outline("lasso", (0, 2, 0), (0, 0, 2)), np.array([0.5, 1.5]), np.array([0.5, 1.5]))
    array([ True, False])
    """
    near = (x >= min(outline.x)) & (x <= max(outline.x)) & (y >= min(outline.y)) & (y <= max(outline.y))
    if outline.kind == "box":
        return near
    candidates = np.flatnonzero(near)
    across, up = x[candidates].astype(np.float64), y[candidates].astype(np.float64)
    near[candidates] = _odd(outline, across, up) if len(candidates) < _SIDE**2 // 8 else _by_cells(outline, across, up)
    return near


def _by_cells(outline: Outline, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """:func:`_odd`, for many points."""
    low = np.array([min(outline.x), min(outline.y)])
    size = np.array([max(outline.x), max(outline.y)]) - low
    per = _SIDE / np.where(size > 0, size, 1)
    column = ((x - low[0]) * per[0]).astype(np.int32).clip(0, _SIDE - 1)
    row = ((y - low[1]) * per[1]).astype(np.int32).clip(0, _SIDE - 1)
    middles = (np.arange(_SIDE) + 0.5)[:, None] / per + low
    grid_x, grid_y = np.meshgrid(middles[:, 0], middles[:, 1])
    within = _odd(outline, grid_x.ravel(), grid_y.ravel()).reshape(_SIDE, _SIDE)
    edge = _edge_cells((np.stack([outline.x, outline.y], axis=1) - low) * per)
    found: npt.NDArray[np.bool_] = within[row, column]
    unsure = np.flatnonzero(edge[row, column])
    found[unsure] = _odd(outline, x[unsure], y[unsure])
    return found


def _edge_cells(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """``(_SIDE, _SIDE)``: the cells that the outline passes, and those beside them.

    No point of an edge is more than a quarter of a cell from one that is looked at, so that its cell is marked.
    """
    edge = np.zeros((_SIDE + 2, _SIDE + 2), dtype=bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        steps = int(np.abs(end - start).max() * 2) + 2
        along = (start + np.linspace(0, 1, steps)[:, None] * (end - start)).astype(np.int32).clip(0, _SIDE - 1)
        for right in range(3):
            for up in range(3):
                edge[along[:, 1] + up, along[:, 0] + right] = True
    inner: npt.NDArray[np.bool_] = edge[1:-1, 1:-1]
    return inner


def _odd(outline: Outline, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether a ray from each point to the right crosses the outline an odd number of times."""
    odd = np.zeros(len(x), dtype=bool)
    for x0, y0, x1, y1 in zip(
        outline.x, outline.y, outline.x[1:] + outline.x[:1], outline.y[1:] + outline.y[:1], strict=True
    ):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def _simpler(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A closed outline without its repeated last corner and with few corners.

    The corner that spans the smallest triangle with its two neighbors goes first (Visvalingam and Whyatt, *Line
    generalisation by repeated elimination of points*, The Cartographic Journal 30(1), 1993), until few are left.
    """
    if len(corners) > 1 and (corners[0] == corners[-1]).all():
        corners = corners[:-1]
    while len(corners) > CORNERS:
        before, after = np.roll(corners, 1, axis=0) - corners, np.roll(corners, -1, axis=0) - corners
        areas = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        corners = np.delete(corners, int(areas.argmin()), axis=0)
    return corners
