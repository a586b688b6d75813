"""What the browser fetches for the map by address: points and colors, its own code, and what an image is.

Owns the routes. Imported by the server when it starts, and so light: what needs a collection is imported with the first
request. Who may ask is route_guard.py's, and how answers are kept is route_answers.py's. What is told of single images
is not kept by browsers at all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from pages.parts.frame import route_answers, route_guard
from pages.parts.map import sent_bytes
from radcbir_core.errors import RadcbirError

if TYPE_CHECKING:
    from starlette.requests import Request

_CODE: Final = route_answers.BrowserCode("code", Path(__file__).parent / "canvas")
_UNPACKED: Final = "application/zip"
"""What bytes are called, so that Streamlit sends them as they are: it would compress anything else at the highest
level, which takes longer than any network here (8 MB: .6 s)."""


def routes() -> list[Route]:
    """All of them."""
    return [
        Route(route_guard.path("bytes/{digest}"), route_guard.guarded(_bytes)),
        _CODE.route(),
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
    return _CODE.address("map.js")


def addresses_of_modules() -> list[str]:
    """The addresses of all modules of it, so that they need not be asked for one after the other."""
    return _CODE.addresses()


def _bytes(request: Request) -> Response:
    digest = str(request.path_params["digest"])
    content = sent_bytes.fetch(digest)
    if content is None:
        return route_answers.missing("bytes")
    return route_answers.kept(request, content, _UNPACKED, tag=digest)


def _facts(request: Request) -> Response:
    from pages.parts.map import point_facts

    asked = request.path_params
    try:
        facts = point_facts.facts_at(
            asked["collection"], asked["encoder"], asked["map"], asked["layout"], asked["position"]
        )
    except RadcbirError as error:
        return route_answers.failed(error)
    text = json.dumps(facts, ensure_ascii=False)
    return Response(text.encode(), media_type="application/json", headers={"Cache-Control": "no-store"})


def _thumbnail(request: Request) -> Response:
    from pages.parts.map import point_facts

    asked = request.path_params
    try:
        content, kind = point_facts.thumbnail(asked["collection"], asked["version"], asked["row"])
    except RadcbirError as error:
        return route_answers.failed(error)
    return Response(content, media_type=kind, headers={"Cache-Control": "no-store"})
