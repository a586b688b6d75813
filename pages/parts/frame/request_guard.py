"""Who may talk to the server at all, before Streamlit hears of it: names, origins, and what browsers are told.

Owns the check of every request and WebSocket by its Host and Origin headers, and the headers of every answer. A page
of another site, open in the same browser, must not reach the dashboard: not by a name of its own that it lets point to
this machine (DNS rebinding; the Host header gives it away), and not from another port of this machine (the Origin
header does). Who sends no Origin is no browser, and is not kept out by this: it is a check of what browsers are led to
do, not of who a person is.

https://fetch.spec.whatwg.org/#origin-header and https://datatracker.ietf.org/doc/html/rfc9110#name-host-and-authority
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from streamlit import config

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""What a machine calls itself."""

ANSWER_HEADERS: Final = {
    # The dashboard loads nothing from anywhere else, and browsers hold it to that. Streamlit sets styles in elements,
    # its components come as blobs, and Plotly compiles the shaders' callers of its large charts from text.
    "Content-Security-Policy": (
        "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    # Addresses hold the ids of images and what was asked for.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=(), usb=()",
}
"""What every answer tells the browser."""


class RequestGuard:
    """Passes on what comes from the dashboard's own pages by a name that the server goes by; refuses the rest.

    Names are those of this machine, ``server.address`` and ``server.allowedHosts``. A server that listens on all
    addresses is also reached by any number of an address, which no other site can point elsewhere, and by the machine's
    own name. Origins are the server's own, and ``server.corsAllowedOrigins``.

    Args:
        app: What to protect.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        reason = refusal(Headers(scope=scope), reads_only=scope.get("method") in {"GET", "HEAD"})

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in ANSWER_HEADERS.items():
                    headers[name] = value
            await send(message)

        if not reason:
            await self.app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            # Before it is accepted; a browser is answered 403, whatever else is said.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "Host or Origin is not the server's own."})
        else:
            await PlainTextResponse(reason, status_code=403)(scope, receive, send_with_headers)


def refusal(headers: Headers, *, reads_only: bool) -> str:
    """Why a request is refused; empty where it is not.

    Args:
        headers: Of the request.
        reads_only: Whether it is a GET or HEAD, which a browser may send by a link from anywhere; what it reads stays
            closed to the other site by the headers of the answer.
    """
    hosts = headers.getlist("host")
    host = hosts[0] if len(hosts) == 1 else ""
    if not is_own_host(host):
        return (
            f"Expected a request to a name of this server, but Host = {host[:100]!r}. Add the name to "
            "server.allowedHosts if it is one."
        )
    origins = headers.getlist("origin")
    if reads_only or not origins:
        return ""
    # Behind a proxy that speaks TLS, the scheme is the proxy's; host and port decide.
    if len(origins) == 1 and (urlsplit(origins[0]).netloc.lower() == host.lower() or origins[0] in _origins()):
        return ""
    return (
        f"Expected a request from the dashboard's own pages, but Origin = {', '.join(origins)[:100]!r} at "
        f"Host = {host[:100]!r}. Add the origin to server.corsAllowedOrigins if it is to be trusted."
    )


def is_own_host(host: str) -> bool:
    """Whether a Host header names this server.

    Example:
        >>> is_own_host("127.0.0.1:8501"), is_own_host("[::1]:80"), is_own_host("evil.example"), is_own_host("")
        (True, True, False, False)
    """
    name = _name_of(host)
    if not name:
        return False
    address = str(config.get_option("server.address") or "")
    allowed = [str(one).strip().lower().rstrip(".") for one in config.get_option("server.allowedHosts")]
    if name in OWN_NAMES or name == address.lower() or _matches(name, allowed):
        return True
    return _is_unspecified(address) and (_is_address(name) or name in _names_of_machine())


def _name_of(host: str) -> str:
    """The name in a Host header, without its port; empty where it is no Host header."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    bare = not (parts.username or parts.password or parts.path or parts.query or parts.fragment or "@" in host)
    return name.lower().rstrip(".") if bare else ""


def _matches(name: str, allowed: Iterable[str]) -> bool:
    """Whether a name is allowed; ``*.example.org`` stands for every name below, ``*`` for all."""
    return any(
        pattern in {"*", name} or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in allowed
    )


def _origins() -> set[str]:
    return {str(origin).rstrip("/") for origin in config.get_option("server.corsAllowedOrigins")}


def is_bound_to_this_machine() -> bool:
    """Whether the server listens to its own machine only."""
    address = str(config.get_option("server.address") or "").lower()
    return address in OWN_NAMES or (_is_address(address) and ipaddress.ip_address(address).is_loopback)


def _is_unspecified(address: str) -> bool:
    """Whether a server with this address listens on all of the machine's."""
    return not address or (_is_address(address) and ipaddress.ip_address(address).is_unspecified)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _names_of_machine() -> frozenset[str]:
    """The machine's own name, short and long; nobody is asked for it."""
    name = socket.gethostname().lower()
    return frozenset({name, name.partition(".")[0]})
