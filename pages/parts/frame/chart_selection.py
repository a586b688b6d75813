"""Which rows were clicked in a chart of Plotly, as Streamlit reports it; what browsers say is not taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rows_clicked(event: Any) -> tuple[int, ...]:
    """The rows of the points that were clicked, from the state of ``st.plotly_chart``.

    Args:
        event: ``{"selection": {"points": [{"customdata": [row], …}]}}``; what does not look like that is left out.

    Returns:
        The rows, ascending, each once.

    >>> rows_clicked({"selection": {"points": [{"customdata": [7]}]}})
    (7,)
    """
    selection = event.get("selection") if isinstance(event, Mapping) else None
    if not isinstance(selection, Mapping):
        return ()
    rows = [_row(point.get("customdata")) for point in _list(selection.get("points")) if isinstance(point, Mapping)]
    return tuple(sorted({row for row in rows if row is not None}))


def _row(customdata: Any) -> int | None:
    """The row a point carries; the browser sends a list, or an object where the list was a typed array."""
    values = list(customdata.values()) if isinstance(customdata, Mapping) else _list(customdata)
    value = values[0] if values else customdata
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
