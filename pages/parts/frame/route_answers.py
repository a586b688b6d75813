"""What routes answer with: bytes that browsers keep, code for components, and a sentence where there is nothing.

Owns the headers of such answers. Imported by the server when it starts, and so light. Addresses of what is kept name
its content, so that a browser never asks for it twice; where people log in, it asks each time whether it may still show
it.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pages.parts.frame import rights, route_guard

if TYPE_CHECKING:
    from starlette.requests import Request

    from radcbir_core.errors import RadcbirError


def kept(request: Request, content: bytes, kind: str, *, tag: str) -> Response:
    """An answer that browsers keep for good; where people log in, only as long as they may see it.

    Args:
        request: What was asked.
        content: The answer.
        kind: Its media type.
        tag: Names the content.
    """
    asks_again = rights.has_login()
    headers = {
        "Cache-Control": "private, no-cache" if asks_again else "private, max-age=31536000, immutable",
        "ETag": f'"{tag}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


def missing(what: str) -> Response:
    """The answer where a page has named what is not there, or not any more."""
    return PlainTextResponse(
        f"Expected {what} that a page has just named, but there is none. Reload the page.",
        status_code=404,
        headers={"Cache-Control": "no-store"},
    )


def failed(error: RadcbirError) -> Response:
    """The answer where something of a collection cannot be read: what the error says, without paths of the server."""
    from pages.parts.frame import server_paths  # it brings pandas, which the server starts without

    text = server_paths.for_anybody(str(error))
    return PlainTextResponse(text, status_code=404, headers={"Cache-Control": "no-store"})


class BrowserCode:
    """The browser's side of a component, as modules that are fetched by address.

    Args:
        name: Where its route begins.
        folder: Where the modules are, ``*.js``.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder

    def route(self) -> Route:
        """The route that gives them out."""
        return Route(route_guard.path(f"{self._name}/{{digest}}/{{name}}"), route_guard.guarded(self._module))

    def address(self, name: str) -> str:
        """The address of one of them."""
        return route_guard.address(self._name, self._code[0], name)

    def addresses(self) -> list[str]:
        """The addresses of all, so that they need not be asked for one after the other."""
        return [self.address(name) for name in self._code[1]]

    @cached_property
    def _code(self) -> tuple[str, dict[str, bytes]]:
        """The digest of all modules, and each by its name: they are read once, as Python's are."""
        modules = {path.name: path.read_bytes() for path in sorted(self._folder.glob("*.js"))}
        return blake2b(b"".join(modules.values()), digest_size=16).hexdigest(), modules

    def _module(self, request: Request) -> Response:
        digest, modules = self._code
        content = modules.get(str(request.path_params["name"]))
        if content is None or request.path_params["digest"] != digest:
            return missing("a module")
        return kept(request, content, "text/javascript", tag=digest)
