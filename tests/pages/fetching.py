"""A request to the server's routes, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from pages.parts.frame import downloads


def fetch(
    address: str, *, routes: Sequence[BaseRoute] | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """What the routes, those of downloads by default, answer to a browser: status, headers, content."""
    told: list[dict] = []

    async def receive() -> dict:
        await asyncio.sleep(30)
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/{address}",
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    app = Starlette(routes=downloads.routes() if routes is None else routes)
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs, of a browser
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    start, *bodies = told
    known = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], known, b"".join(body.get("body", b"") for body in bodies)
