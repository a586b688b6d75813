"""Who may talk to the server: names, origins, and what browsers are told."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from streamlit import config

from pages.parts.frame import request_guard
from pages.parts.frame.request_guard import ANSWER_HEADERS, RequestGuard, is_own_host


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server is set to; a test changes it."""
    values = {"server.address": "127.0.0.1", "server.allowedHosts": [], "server.corsAllowedOrigins": []}
    monkeypatch.setattr(config, "get_option", values.__getitem__)
    return values


def ask(kind: str = "http", *, method: str = "POST", **headers: str | list[str]) -> tuple[int, dict[str, str], str]:
    """The status, the headers and the text of the guard's answer; a WebSocket that is let in has status 101."""
    sent: list[dict[str, Any]] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        if kind == "websocket":
            await send({"type": "websocket.accept", "headers": []})
        else:
            await PlainTextResponse("in")(scope, receive, send)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [
        (name.encode(), value.encode())
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {"type": kind, "path": "/", "headers": pairs, "query_string": b""}
    if kind == "http":
        scope["method"] = method
    # In a thread of its own: in this one a browser of other tests may have a loop that runs.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(RequestGuard(behind)(scope, receive, send))).result()
    first = sent[0]
    if first["type"].startswith("websocket"):
        return (101 if first["type"] == "websocket.accept" else 403), {}, first.get("reason", "")
    told = {name.decode(): value.decode() for name, value in first["headers"]}
    return first["status"], told, b"".join(message.get("body", b"") for message in sent).decode()


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8501", 200),
        ("localhost", 200),
        ("LOCALHOST.:8501", 200),
        ("[::1]:8501", 200),
        ("evil.example:8501", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.7:8501", 403),
        ("user@localhost", 403),
        ("localhost/evil", 403),
        ("localhost:port", 403),
        ("", 403),
        # As RFC 9110 and 3986 have it, and browsers write it; nothing before, behind or between.
        ("[0:0:0:0:0:0:0:1]:8501", 200),
        ("[::1]x", 403),
        ("[::1]x:8501", 403),
        ("x[::1]", 403),
        ("[::1]]", 403),
        ("[[::1]]", 403),
        ("::1", 403),
        ("[::1", 403),
        ("[::1%25lo]", 403),
        ("[::1%lo]", 403),
        ("[v1.x]", 403),
        ("[127.0.0.1]", 403),
        ("[localhost]", 403),
        ("[::ffff:127.0.0.1]", 403),
        ("[::127.0.0.1]", 403),
        ("2130706433", 403),
        ("0x7f000001", 403),
        ("0177.0.0.1", 403),
        ("127.1", 403),
        ("127.0.0.1.", 403),
        ("127.0.0.01", 403),
        ("localhost..", 403),
        (".localhost", 403),
        ("localhost:", 403),
        ("localhost:65535", 200),
        ("localhost:65536", 403),
        ("localhost:000080", 403),
        ("localhost:-1", 403),
        ("localhost:+80", 403),
        ("localhost:80:80", 403),
        ("localhost:80 ", 403),
        (" localhost", 403),
        ("local host", 403),
        ("localhost,evil.example", 403),
        ("localhost;", 403),
        ("localhost?x", 403),
        ("localhost#x", 403),
        ("localhost\\evil", 403),
        ("@localhost", 403),
        ("localhost@", 403),
        (":@localhost", 403),
        ("%6cocalhost", 403),
        ("localhost%00", 403),
        ("localhost\x00", 403),
        ("http://localhost", 403),
        ("//localhost", 403),
    ],
)
def test_a_server_of_this_machine_goes_by_its_names_only(settings, kind, host, status) -> None:
    answer, told, text = ask(kind, host=host)
    assert answer == (101 if (kind, status) == ("websocket", 200) else status)
    if kind == "http":
        assert told.items() >= {name.lower(): value for name, value in ANSWER_HEADERS.items()}.items()
        assert text == "in" if status == 200 else "Add the name to server.allowedHosts" in text


def test_two_or_no_host_headers_are_none(settings) -> None:
    assert ask(host=["localhost", "evil.example"])[0] == 403
    assert ask()[0] == 403


def test_names_and_origins_can_be_allowed(settings) -> None:
    settings["server.allowedHosts"] = ["radcbir.hospital.example", "*.lab.example"]
    for host in ("radcbir.hospital.example", "RADCBIR.hospital.example:443", "a.b.lab.example"):
        assert ask(host=host)[0] == 200
    for host in ("hospital.example", "lab.example", "evillab.example"):
        assert ask(host=host)[0] == 403
    settings["server.allowedHosts"] = ["*"]
    assert ask(host="anything.example")[0] == 200
    for host in ("", "[::1]x", "anything.example/x", "a@anything.example", "anything.example:x"):
        assert ask(host=host)[0] == 403
    settings["server.corsAllowedOrigins"] = ["https://portal.example/"]
    assert ask(host="localhost", origin="https://portal.example")[0] == 200
    assert ask(host="localhost", origin="http://portal.example")[0] == 403


@pytest.mark.parametrize("address", ["0.0.0.0", "::", ""])  # noqa: S104 - what a server may be set to
def test_a_server_on_all_addresses_is_reached_by_number_and_by_the_machines_name(
    settings, monkeypatch, address
) -> None:
    settings["server.address"] = address
    monkeypatch.setattr(socket, "gethostname", lambda: "Reading-Room.hospital.example")
    request_guard._names_of_machine.cache_clear()
    for host in ("10.0.0.7:8501", "[fe80::1]:8501", "reading-room", "reading-room.hospital.example:8501"):
        assert ask(host=host)[0] == 200
    assert ask(host="evil.example")[0] == 403
    request_guard._names_of_machine.cache_clear()


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://127.0.0.1:8501", True),
        ("https://127.0.0.1:8501", True),
        ("http://127.0.0.1:8888", False),
        ("http://127.0.0.1", False),
        ("http://localhost:8501", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("127.0.0.1:8501", False),
        ("http://127.0.0.1:8501/", False),
        ("http://127.0.0.1:8501/x", False),
        ("http://127.0.0.1:8501?x", False),
        ("http://x@127.0.0.1:8501", False),
        ("ftp://127.0.0.1:8501", False),
        ("http:127.0.0.1:8501", False),
        (["http://127.0.0.1:8501", "https://evil.example"], False),
    ],
)
def test_only_the_dashboards_own_pages_may_write_or_open_a_websocket(settings, origin, let_in) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert (ask(host="127.0.0.1:8501", origin=origin, method=method)[0] == 200) == let_in
    assert (ask("websocket", host="127.0.0.1:8501", origin=origin)[0] == 101) == let_in
    # Links from elsewhere may lead here; what they bring back stays closed to the other site.
    assert ask(host="127.0.0.1:8501", origin=origin, method="GET")[0] == 200


def test_what_is_refused_says_what_allowing_it_means(settings) -> None:
    _, _, host = ask(host="radcbir.hospital.example")
    _, _, origin = ask(host="127.0.0.1:8501", origin="https://radcbir.hospital.example")
    assert "must pass on the Host that the browser has sent" in origin
    for text in (host, origin):
        assert "the server then counts as open to others, who are viewers unless they log in." in text


def test_a_program_sends_no_origin(settings) -> None:
    assert ask("websocket", host="127.0.0.1:8501")[0] == 101


@given(st.text(max_size=40))
def test_no_header_is_too_odd(host: str) -> None:
    assert is_own_host(host) in {True, False}
