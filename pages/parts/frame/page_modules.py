"""What pages import, imported while the first browser still loads the dashboard.

Owns a thread that begins when the server does. To import pandas, Arrow and our own modules takes most of a second, and
a browser as long to load Streamlit; side by side the first page has not to wait for both. A page that is opened sooner
waits for what it needs, as it would anyway.
"""

from __future__ import annotations

import ast
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

_PAGES: Final = Path(__file__).resolve().parents[2]
_LATER: Final = ("scipy.special", "scipy.sparse")
"""What the core imports with the first query, and the first figures."""


@asynccontextmanager
async def imported_ahead(_: object) -> AsyncIterator[None]:
    """For as long as the server runs: begin to import what its pages do."""
    threading.Thread(target=import_all, name="importing pages", daemon=True).start()
    yield


def import_all() -> None:
    """Import what pages do, those of Home first; what cannot be imported is said by the page that needs it."""
    for module, names in _imports():
        with contextlib.suppress(Exception):
            found = import_module(module)
            for name in names:
                if not hasattr(found, name):
                    import_module(f"{module}.{name}")


def _imports() -> Iterator[tuple[str, list[str]]]:
    """What pages import at their beginning: from which module which names."""
    yield "pages.parts.home.overview", []
    for page in sorted(_PAGES.glob("*.py")):
        for line in ast.parse(page.read_bytes()).body:
            if isinstance(line, ast.Import):
                yield from ((one.name, []) for one in line.names)
            elif isinstance(line, ast.ImportFrom) and line.module:
                yield line.module, [one.name for one in line.names]
    yield from ((name, []) for name in _LATER)
