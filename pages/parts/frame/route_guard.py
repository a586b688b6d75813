"""Who may read what the server gives out by address, outside of a page's script.

Owns the check of one request. A page's script runs for whoever Streamlit knows; a route is asked by anybody who reaches
the server. So it is asked here once more: by a page of this dashboard, and, where people log in, by one of them, known
by the cookie that Streamlit has signed. Host and headers of answers are request_guard.py's, for routes as well.

https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from streamlit import config
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import AUTH_COOKIE_NAME, get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from pages.parts.frame import rights
from radcbir_core.errors import RadcbirError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_OWN: Final = ("same-origin", "none")
"""What browsers say of a request by one of our pages, or by a person who opens the address."""

AT: Final = "radcbir-data"
"""Where all routes begin, relative to a page."""


def address(*parts: str | int) -> str:
    """An address below :data:`AT`, relative to a page; parts are quoted.

    >>> address("map", "a/b", 3)
    'radcbir-data/map/a%2Fb/3'
    """
    return "/".join([AT, *(quote(str(part), safe="") for part in parts)])


def path(rest: str) -> str:
    """A path for a route below :data:`AT`, under the server's own base path where it has one."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{AT}/{rest}" if base else f"/{AT}/{rest}"


def guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """An endpoint that answers whoever may read, and refuses the others with 403."""

    def endpoint(request: Request) -> Response:
        from starlette.responses import PlainTextResponse

        reason = refusal(request.headers, request.cookies)
        if reason:
            return PlainTextResponse(reason, status_code=403, headers={"Cache-Control": "no-store"})
        return answer(request)

    return endpoint


def refusal(headers: Mapping[str, str], cookies: Mapping[str, str]) -> str:
    """Why a request may not read; empty where it may.

    Args:
        headers: Of the request. A browser that says nothing of where a request comes from is let in: it says so only
            to servers that it trusts (HTTPS, or this machine). The headers of the answer keep other sites from it.
        cookies: Of the request.
    """
    site = headers.get("sec-fetch-site", "none")
    if site not in _OWN:
        return f"Expected a request from the dashboard's own pages, but Sec-Fetch-Site = {site[:40]!r}. Open the page."
    try:
        if not rights.has_login() or is_logged_in(headers, cookies):
            return ""
    except RadcbirError as error:
        from pages.parts.frame import server_paths  # it brings pandas, which the server starts without

        return server_paths.for_anybody(str(error))
    return "Expected somebody who is logged in. Log in on any page of the dashboard."


def is_logged_in(headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
    """Whether a request carries a login: the cookie that Streamlit has signed, for this very address.

    Args:
        headers: Of the request.
        cookies: Of the request.
    """

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1")) if value else None

    found = get_cookie_with_chunks(signed, AUTH_COOKIE_NAME)
    try:
        claims = json.loads(found) if found else {}
    except ValueError:
        return False
    if not isinstance(claims, Mapping) or claims.get("is_logged_in") is not True:
        return False
    # Streamlit writes where somebody has logged in, and takes the cookie there only.
    origin = str(claims.get("origin") or "").rstrip("/")
    allowed = {str(one).rstrip("/") for one in config.get_option("server.corsAllowedOrigins")}
    return bool(origin) and (urlsplit(origin).netloc.lower() == headers.get("host", "").lower() or origin in allowed)
