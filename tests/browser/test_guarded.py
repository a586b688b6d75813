"""The running server lets in its own pages only."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser


def test_the_running_server_is_guarded(server) -> None:
    def upgrade(**headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server).port, timeout=20)
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        asked = {
            "Host": urlsplit(server).netloc,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **headers,
        }
        for name, value in asked.items():
            connection.putheader(name, value)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    assert upgrade(Origin=server) == 101
    assert upgrade(Origin="http://127.0.0.1:1") == 403
    assert upgrade(Host="evil.example", Origin="http://evil.example") == 403


def test_no_other_site_may_frame_it_or_read_it(server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server).port, timeout=20)
    for path in ("/", "/retrieval", "/_stcore/health", "/none"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    connection.close()
