"""What the browser fetches for the map by address: points and colors, its own code, and what an image is.

Owns the routes. Imported by the server when it starts, and so light: what needs a collection is imported with the first
request. Who may ask is route_guard.py's. Addresses of points, colors and code name their content, so that a browser
never asks for them twice; where people log in, it asks each time whether it may still show them. What is told of single
images is not kept by browsers at all.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pages.parts.frame import rights, route_guard
from pages.parts.map import sent_bytes
from radcbir_core.errors import RadcbirError

if TYPE_CHECKING:
    from starlette.requests import Request

_CODE: Final = Path(__file__).parent / "canvas"
_UNPACKED: Final = "application/zip"
"""What bytes are called, so that Streamlit sends them as they are: it would compress anything else at the highest
level, which takes longer than any network here (8 MB: .6 s)."""


def routes() -> list[Route]:
    """All of them."""
    return [
        Route(route_guard.path("bytes/{digest}"), route_guard.guarded(_bytes)),
        Route(route_guard.path("code/{digest}/{name}"), route_guard.guarded(_module)),
        Route(
            route_guard.path("map/{collection}/{encoder}/{map}/{layout}/{position:int}"), route_guard.guarded(_facts)
        ),
        Route(route_guard.path("thumbnail/{collection}/{version}/{row:int}"), route_guard.guarded(_thumbnail)),
    ]


def address_of_bytes(digest: str) -> str:
    """The address of bytes that are ready (sent_bytes.py)."""
    return route_guard.address("bytes", digest)


def address_of_code() -> str:
    """The address of the browser's side of the map."""
    return route_guard.address("code", _code()[0], "map.js")


def addresses_of_modules() -> list[str]:
    """The addresses of all modules of it, so that they need not be asked for one after the other."""
    digest, modules = _code()
    return [route_guard.address("code", digest, name) for name in modules]


@cache
def _code() -> tuple[str, dict[str, bytes]]:
    """The modules of the browser's side by name, and the digest of all: they are read once, as Python's are."""
    modules = {path.name: path.read_bytes() for path in sorted(_CODE.glob("*.js"))}
    return blake2b(b"".join(modules.values()), digest_size=16).hexdigest(), modules


def _kept(request: Request, content: bytes, kind: str, *, tag: str) -> Response:
    """An answer that browsers keep for good; where people log in, only as long as they may see it."""
    asks_again = rights.has_login()
    headers = {
        "Cache-Control": "private, no-cache" if asks_again else "private, max-age=31536000, immutable",
        "ETag": f'"{tag}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


def _missing(what: str) -> Response:
    return PlainTextResponse(
        f"Expected {what} that a page has just named, but there is none. Reload the page.",
        status_code=404,
        headers={"Cache-Control": "no-store"},
    )


def _bytes(request: Request) -> Response:
    digest = str(request.path_params["digest"])
    content = sent_bytes.fetch(digest)
    return _missing("bytes") if content is None else _kept(request, content, _UNPACKED, tag=digest)


def _module(request: Request) -> Response:
    digest, modules = _code()
    content = modules.get(str(request.path_params["name"]))
    if content is None or request.path_params["digest"] != digest:
        return _missing("a module")
    return _kept(request, content, "text/javascript", tag=digest)


def _facts(request: Request) -> Response:
    from pages.parts.map import point_facts

    asked = request.path_params
    try:
        facts = point_facts.facts_at(
            asked["collection"], asked["encoder"], asked["map"], asked["layout"], asked["position"]
        )
    except RadcbirError as error:
        from pages.parts.frame import server_paths

        text = server_paths.for_anybody(str(error))
        return PlainTextResponse(text, status_code=404, headers={"Cache-Control": "no-store"})
    text = json.dumps(facts, ensure_ascii=False)
    return Response(text.encode(), media_type="application/json", headers={"Cache-Control": "no-store"})


def _thumbnail(request: Request) -> Response:
    from pages.parts.map import point_facts

    asked = request.path_params
    try:
        content, kind = point_facts.thumbnail(asked["collection"], asked["version"], asked["row"])
    except RadcbirError as error:
        from pages.parts.frame import server_paths

        text = server_paths.for_anybody(str(error))
        return PlainTextResponse(text, status_code=404, headers={"Cache-Control": "no-store"})
    return Response(content, media_type=kind, headers={"Cache-Control": "no-store"})
