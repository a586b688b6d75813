"""What the browser fetches for the viewer by address: stored values, what is said of an image, what an encoder saw.

Owns the routes. Imported by the server when it starts, and so light. Who may ask is route_guard.py's. Of single images
browsers keep nothing; the viewer itself keeps the last few as long as its page is open.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from pages.parts.frame import route_answers, route_guard
from radcbir_core.errors import ImageError, RadcbirError

if TYPE_CHECKING:
    from starlette.requests import Request

    from radcbir_core.collections.collection import Collection

OWN: Final = "own"
"""In the place of a frame: the one that the image is, else the middle one of its file."""
NO_QUERY: Final = "none"

_CODE: Final = route_answers.BrowserCode("viewer-code", Path(__file__).parent / "canvas")
_BINARY: Final = "application/octet-stream"


def routes() -> list[Route]:
    """All of them."""
    return [
        _CODE.route(),
        Route(route_guard.path("values/{collection}/{version}/{row:int}/{frame}"), route_guard.guarded(_values)),
        Route(
            route_guard.path("viewer/{collection}/{version}/{encoder}/{query}/{row:int}"), route_guard.guarded(_facts)
        ),
        Route(route_guard.path("encoder-view/{collection}/{version}/{encoder}/{row:int}"), route_guard.guarded(_seen)),
        Route(route_guard.path("file-values/{key}/{frame}"), route_guard.guarded(_file_values)),
    ]


def code() -> dict[str, Any]:
    """Where the browser's side of the viewer is: its first module, and all of them."""
    return {"code": _CODE.address("viewer.js"), "modules": _CODE.addresses()}


def addresses(collection: Collection, encoder_id: str, *, query: int | None) -> dict[str, str | None]:
    """Where images of a collection are, without the row at the end.

    Args:
        collection: Which.
        encoder_id: Of the open encoder; "" where there is none.
        query: The row of the query whose hits are looked at.
    """
    place = (collection.name, collection.digest[:16])
    asked = NO_QUERY if query is None else query
    return {
        "values": route_guard.address("values", *place),
        "facts": route_guard.address("viewer", *place, encoder_id or NO_QUERY, asked),
        "seen": route_guard.address("encoder-view", *place, encoder_id) if encoder_id else None,
    }


def address_of_file(key: str) -> str:
    """Where the values of a file of a session are, without the frame at the end (session_files.py)."""
    return route_guard.address("file-values", key)


def _values(request: Request) -> Response:
    from pages.parts.images.viewer import sent_values, viewer_facts
    from radcbir_core.images import read_stored

    asked = request.path_params
    try:
        collection = viewer_facts.checked(asked["collection"], asked["version"], asked["row"])
        (found,) = collection.image_files([asked["row"]])
        if isinstance(found, RadcbirError):
            raise found
        if isinstance(found, OSError):
            raise ImageError("Expected an image file that can be read, but the disk gives an error. Check the disk.")
        path, own = found
        frame = _frame(asked["frame"], own)
        stamp = path.stat()
        key = (str(path), frame, stamp.st_mtime_ns, stamp.st_size)
        content = sent_values.packed(key, lambda: read_stored(path, frame=frame))
    except OSError:
        return route_answers.missing("an image file")
    except RadcbirError as error:
        return route_answers.failed(error)
    return _packed(request, content)


def _file_values(request: Request) -> Response:
    from pages.parts.images.viewer import sent_values, session_files
    from radcbir_core.images import read_stored

    file = session_files.fetch(str(request.path_params["key"]))
    if file is None:
        return route_answers.missing("a file")
    try:
        frame = _frame(request.path_params["frame"], None)
        # Nothing of a session is kept any longer than the session keeps it.
        content = sent_values.gzipped(read_stored(file.data, name=file.name, frame=frame))
    except RadcbirError as error:
        return route_answers.failed(error)
    return _packed(request, content)


def _facts(request: Request) -> Response:
    from pages.parts.images.viewer import viewer_facts

    asked = request.path_params
    try:
        collection = viewer_facts.checked(asked["collection"], asked["version"], asked["row"])
        query = int(asked["query"]) if str(asked["query"]).isdecimal() else None
        if query is not None:
            viewer_facts.checked(asked["collection"], asked["version"], query)
        facts = viewer_facts.told(collection, asked["row"], encoder_id=asked["encoder"], query=query)
    except RadcbirError as error:
        return route_answers.failed(error)
    text = json.dumps(facts, ensure_ascii=False)
    return Response(text.encode(), media_type="application/json", headers={"Cache-Control": "no-store"})


def _seen(request: Request) -> Response:
    from pages.parts.images.viewer import encoder_view, viewer_facts

    asked = request.path_params
    try:
        collection = viewer_facts.checked(asked["collection"], asked["version"], asked["row"])
        content = encoder_view.message(collection, asked["encoder"], asked["row"])
    except RadcbirError as error:
        return route_answers.failed(error)
    return Response(content, media_type=_BINARY, headers={"Cache-Control": "no-store"})


def _frame(asked: Any, own: int | None) -> int | None:
    """The frame that an address names.

    Raises:
        ImageError: It names none.
    """
    if asked == OWN:
        return own
    if not (str(asked).isdecimal() and len(str(asked)) < 10):
        raise ImageError(f"Expected a whole number of a frame, but frame = {str(asked)[:40]!r}. Reload the page.")
    return int(asked)


def _packed(request: Request, content: bytes) -> Response:
    """Packed values, unpacked for who cannot do that."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        content = gzip.decompress(content)
    return Response(content, media_type=_BINARY, headers=headers)
