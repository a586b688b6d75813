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
import re
import socket
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from streamlit import config

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""What a machine calls itself."""

_HOST: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?P<dot>\.?))(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_ORIGIN: Final = re.compile(r"https?://(?P<host>[^/?#@\\]+)", re.ASCII | re.IGNORECASE)
_OF_PROXIES: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "x-original-host", "x-original-url"})
_LARGEST_PORT: Final = 65_535

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
            "server.allowedHosts if it is one: the server then counts as open to others, who are viewers unless they "
            "log in."
        )
    origins = headers.getlist("origin")
    if reads_only or not origins:
        return ""
    # Behind a proxy that speaks TLS, the scheme is the proxy's; host and port decide.
    if len(origins) == 1 and (_host_of(origins[0]) == host.lower() or origins[0] in _origins()):
        return ""
    return (
        f"Expected a request from the dashboard's own pages, but Origin = {', '.join(origins)[:100]!r} at "
        f"Host = {host[:100]!r}. A proxy in front of this server must pass on the Host that the browser has sent, and "
        "that name belongs into server.allowedHosts. To let pages of another site in, add their origin to "
        "server.corsAllowedOrigins: the server then counts as open to others, who are viewers unless they log in."
    )


def is_own_host(host: str) -> bool:
    """Whether a Host header names this server.

    Example:
        >>> is_own_host("127.0.0.1:8501"), is_own_host("[::1]:80"), is_own_host("evil.example"), is_own_host("[::1]x")
        (True, True, False, False)
    """
    name = name_in(host)
    if not name:
        return False
    address = str(config.get_option("server.address") or "")
    allowed = [str(one).strip().lower().removesuffix(".") for one in config.get_option("server.allowedHosts")]
    if name in OWN_NAMES or name == _canonical(address) or _matches(name, allowed):
        return True
    return _is_unspecified(address) and (_is_address(name) or name in _names_of_machine())


def name_in(host: str) -> str:
    """The name in a Host header, in lower case and without its port; empty where it is none, or more than one.

    It is read as strictly as browsers write it (https://datatracker.ietf.org/doc/html/rfc9110#section-7.2): a name,
    which may end in one dot; an IPv4 address of four numbers; or an IPv6 address in brackets; then at most a colon and
    a port.

    Example:
        >>> name_in("Radcbir.Example.:443"), name_in("[0::1]"), name_in("[127.0.0.1]"), name_in("a@b"), name_in("a:")
        ('radcbir.example', '::1', '', '', '')
    """
    parts = _HOST.fullmatch(host)
    if parts is None or int(parts["port"] or 0) > _LARGEST_PORT:
        return ""
    if parts["ipv6"]:
        return _canonical(parts["ipv6"]) if ":" in parts["ipv6"] and _is_address(parts["ipv6"]) else ""
    name = str(parts["name"]).lower()
    # Browsers take a last part that is a number for the end of an IPv4 address, which has one spelling.
    is_numeric = name.rpartition(".")[2].isdigit()
    return "" if is_numeric and (parts["dot"] or not _is_address(name)) else name


def _host_of(origin: str) -> str:
    """Host and port of an origin, in lower case; empty where it is none, or no origin alone."""
    parts = _ORIGIN.fullmatch(origin)
    return parts["host"].lower() if parts is not None else ""


def _canonical(address: str) -> str:
    """An address in its one spelling; what is none, in lower case."""
    return str(ipaddress.ip_address(address)) if _is_address(address) else address.lower()


def _matches(name: str, allowed: Iterable[str]) -> bool:
    """Whether a name is allowed; ``*.example.org`` stands for every name below, ``*`` for all."""
    return any(
        pattern in {"*", name} or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in allowed
    )


def _origins() -> set[str]:
    return {str(origin).rstrip("/") for origin in config.get_option("server.corsAllowedOrigins")}


def is_bound_to_this_machine() -> bool:
    """Whether the server listens to its own machine only."""
    return _is_of_this_machine(str(config.get_option("server.address") or ""))


def is_known_to_others() -> bool:
    """Whether the settings name hosts beside this machine: what a proxy calls the server, or whose pages may use it.

    Who allows an origin of another host lets others in, whatever the server listens to: a proxy that passes on another
    Host than the browser's needs just that.
    """
    hosts = [str(name).strip() for name in config.get_option("server.allowedHosts")]
    origins = [_host_of(origin) for origin in _origins()]
    names = [*hosts, *(name_in(host) for host in origins)]
    return any(not _is_of_this_machine(name.lower().removesuffix(".")) for name in names)


def is_passed_on(headers: Mapping[str, str]) -> bool:
    """Whether a proxy has passed a request on, which then may come from anywhere.

    Args:
        headers: Of the request. Who writes one that proxies write gains nothing by it.

    Example:
        >>> is_passed_on({"X-Forwarded-For": "10.0.0.7"}), is_passed_on({"Host": "localhost"})
        (True, False)
    """
    names = {name.lower() for name in headers}
    return bool(names & _OF_PROXIES) or any(name.startswith("x-forwarded-") for name in names)


def _is_of_this_machine(name: str) -> bool:
    """Whether nobody but this machine itself can mean this machine by a name."""
    return name in OWN_NAMES or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


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
