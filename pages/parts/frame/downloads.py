"""Tables as files for the browser: small ones at once, large ones piece by piece while they are fetched.

Owns how a table is offered, and the route that streams one. What a page offers is held by the session of whoever looks
at it, and found by an address that nobody else knows; it goes when the session does. A table of millions of rows is
never written out in memory: a piece is made when the browser has taken the one before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from weakref import WeakValueDictionary

import streamlit as st
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.parts.frame import route_guard
from radcbir_core.errors import RadcbirError

if TYPE_CHECKING:
    import pandas as pd
    from starlette.requests import Request

AT_ONCE: Final = 20_000
"""A table of more rows is streamed, so many at a time."""
_OFFERED: Final = "radcbir:offered:"
_ICON: Final = ":material/download:"


@dataclass(frozen=True, eq=False)
class Table:
    """A table that can be downloaded.

    Attributes:
        number: Of its rows.
        rows: Gives them, when they are asked for: the whole table, or what :attr:`finished` makes it of.
        finished: What is written of some of them.
    """

    number: int
    rows: Callable[[], pd.DataFrame]
    finished: Callable[[pd.DataFrame], pd.DataFrame] = field(default=lambda part: part)

    def parts(self) -> Iterator[pd.DataFrame]:
        """The table piece by piece; at least one, of no rows where there are none."""
        rows = self.rows()
        for start in range(0, max(len(rows), 1), AT_ONCE):
            yield self.finished(rows.iloc[start : start + AT_ONCE])


@dataclass(frozen=True, eq=False)
class _Offer:
    """What a page offers."""

    token: str
    table: Table
    file_name: str


_offers: WeakValueDictionary[str, _Offer] = WeakValueDictionary()
"""By token; each is held by the session that it was offered in."""


def offer(table: Table, *, file_name: str, about: str, box: Any = st, label: str = "CSV") -> None:
    """A button that gives a table as a CSV.

    Args:
        table: The table.
        file_name: Of the file.
        about: What is in it.
        box: Where to draw.
        label: Of the button.
    """
    if table.number <= AT_ONCE:
        box.download_button(
            label,
            partial(_at_once, table),
            file_name=file_name,
            mime="text/csv",
            icon=_ICON,
            help=about,
            on_click="ignore",
        )
        return
    key = f"{_OFFERED}{file_name}"
    before = st.session_state.get(key)
    token = before.token if isinstance(before, _Offer) else secrets.token_urlsafe(24)
    st.session_state[key] = _offers[token] = _Offer(token, table, file_name)
    box.link_button(label, route_guard.address("table", token), icon=_ICON, help=about)


def routes() -> list[Route]:
    """The route that streams."""
    return [Route(route_guard.path("table/{token}"), route_guard.guarded(_answer))]


def _at_once(table: Table) -> bytes:
    from pages.parts.frame.csv_text import csv_parts

    return b"".join(csv_parts(table.parts()))


def _answer(request: Request) -> Response:
    from pages.parts.frame.csv_text import csv_parts

    offered = _offers.get(str(request.path_params["token"]))
    if offered is None:
        return _refused("Expected a table that an open page offers, but it offers this one no more. Reload the page.")
    pieces = csv_parts(offered.table.parts())
    try:
        first = next(pieces)  # what cannot be read is said, and not the end of half a file
    except RadcbirError as error:
        from pages.parts.frame import server_paths

        return _refused(server_paths.for_anybody(str(error)))
    return StreamingResponse(
        chain([first], pieces),
        media_type="text/csv",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(offered.file_name, safe='')}",
            "Cache-Control": "no-store",
            # Streamlit would compress it at the highest level, which takes longer than any network here.
            "Content-Encoding": "identity",
        },
    )


def _refused(reason: str) -> Response:
    return PlainTextResponse(reason, status_code=404, headers={"Cache-Control": "no-store"})
