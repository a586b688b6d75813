"""The viewer on a page: a component that shows images through a window that moves, one alone or a query beside hits.

Owns what the browser is told and what it answers. Values, facts and what the encoder saw are fetched by address
(viewer_routes.py), so that a run of the page sends a few lines, and stepping through hits waits for no run at all: the
browser fetches the neighbors ahead, shows the next picture with its text, and then says where it is. The browser's side
lies in the folder canvas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.frame import state
from pages.parts.images.viewer import session_files, viewer_routes
from pages.parts.images.viewer.session_files import SessionFile
from radcbir_core.collections.collection import Collection

_HERE: Final = Path(__file__).parent / "canvas"
_FILE: Final = "radcbir:viewer-file"
_AROUND: Final = 60
"""So many images before and after the one shown are named to the browser; it says where it is long before their end."""

CT_WINDOWS: Final = (
    ("Brain", 40, 80),
    ("Subdural", 75, 215),
    ("Lung", -600, 1500),
    ("Bone", 400, 1800),
    ("Abdomen", 50, 400),
    ("Soft tissue", 40, 375),
)
"""Name, center and width in HU, on the number keys in this order. The typical values of Radiopaedia, "Windowing (CT)"
(https://radiopaedia.org/articles/windowing-ct): brain W 80 L 40; subdural W 130 to 300 L 50 to 100; lungs W 1500
L -600; bone (spine) W 1800 L 400; soft tissues of the abdomen W 400 L 50; soft tissues of head and neck W 350 to 400
L 20 to 60. Of ranges it is the middle."""


def place_of(key: str, position: int, count: int) -> int:
    """Where the reader of a viewer is by now.

    Args:
        key: Of the viewer.
        position: Where it began.
        count: How many images there are.
    """
    at = _answer(key).get("position")
    is_place = isinstance(at, int) and not isinstance(at, bool) and 0 <= at < count
    return at if is_place else position  # type: ignore[return-value]


def show(
    collection: Collection,
    rows: Sequence[int] | np.ndarray,
    position: int,
    *,
    key: str,
    said: Callable[[int], str] | None = None,
    names: tuple[str, str] = ("Query", "Hit"),
    query: int | SessionFile | None = None,
    is_inline: bool = False,
    ahead: Sequence[int] = (),
    boxes: Sequence[Sequence[int]] = (),
    places: Sequence[str] = (),
) -> None:
    """Draw the viewer on images of a collection, of which one is shown at a time, beside the query if there is one.

    Args:
        collection: Where the images are.
        rows: (K,) rows of the manifest.
        position: Which of them is shown.
        key: Unique on the page; a new one where other images are shown.
        said: What is said of a position above its picture, such as its rank.
        names: What the query and the other image are called.
        query: The row of the query, or its file where it is in no collection, to be shown beside them.
        is_inline: Whether it is part of a page, which scrolls and has keys of its own, and not of a dialog.
        ahead: Rows of images that may be shown next by the page itself.
        boxes: (K,) the region of each that was found: left, top, right, bottom in thousandths; none where none was.
        places: (K,) the same in words, where ``boxes`` are given.
    """
    first, stop = max(0, position - _AROUND), min(len(rows), position + _AROUND + 1)
    encoder_id = state.get("encoder") or ""
    encoder_id = encoder_id if encoder_id in collection.encoder_ids() else ""
    _draw(
        key,
        {
            **viewer_routes.addresses(collection, encoder_id, query=query if isinstance(query, int) else None),
            "items": [
                {"row": int(rows[at]), "said": said(at) if said else ""}
                | ({"box": list(boxes[at]), "found": places[at]} if boxes else {})
                for at in range(first, stop)
            ],
            "first": first,
            "position": position,
            "total": len(rows),
            "names": names,
            "query": _of_file(query) if isinstance(query, SessionFile) else None if query is None else {"row": query},
            "inline": is_inline,
            "ahead": [int(row) for row in ahead],
        },
    )


def show_file(file: SessionFile, facts: Sequence[tuple[str, str]], *, key: str) -> None:
    """Draw the viewer on a file that is in no collection.

    Args:
        file: The file; its bytes stay in memory.
        facts: What is known of it.
        key: Unique on the page.
    """
    _draw(
        key,
        {
            "values": None,
            "facts": None,
            "seen": None,
            "items": [{**_of_file(file), "facts": [list(one) for one in facts], "said": ""}],
            "first": 0,
            "position": 0,
            "total": 1,
            "names": ("", "Upload"),
            "query": None,
            "inline": False,
            "ahead": [],
        },
    )


def show_unnamed(
    file: SessionFile,
    said: str,
    *,
    key: str,
    is_inline: bool,
    beside: SessionFile | None = None,
    names: tuple[str, str] = ("", ""),
    head: str = "",
) -> None:
    """Draw the viewer on a file of which nothing is told but what is given here: no row, no id, no name, no label.

    Args:
        file: The file. Whoever calls holds it, and the one beside it, for as long as they are shown.
        said: What is said above its picture.
        key: Unique on the page.
        is_inline: Whether it is part of a page, and not of a dialog.
        beside: A file to be shown left of it.
        names: What the one beside it and the file are called.
        head: What is said of the file in bold.
    """
    asked = None if beside is None else {**_told_of(beside), "head": ""}
    _draw(
        key,
        {
            "values": None,
            "facts": None,
            "seen": None,
            "items": [{**_told_of(file), "head": head, "said": said}],
            "first": 0,
            "position": 0,
            "total": 1,
            "names": names,
            "query": asked,
            "inline": is_inline,
            "ahead": [],
        },
    )


def _of_file(file: SessionFile) -> dict[str, Any]:
    """A file as the browser is told of it."""
    # The session holds the one that it shows, and nobody else does.
    st.session_state[_FILE] = file
    return _told_of(file)


def _told_of(file: SessionFile) -> dict[str, Any]:
    key = session_files.key_of(file, owner=_session())
    address = viewer_routes.address_of_file(key)
    return {"address": address, "frame": file.frame, "head": file.name, "facts": []}


def forget_file() -> None:
    """Hold the file of :func:`show_file`, or of the query, no longer."""
    st.session_state.pop(_FILE, None)


def _draw(key: str, data: Mapping[str, Any]) -> None:
    serial = _answer(key).get("serial")
    _viewer(
        key=key,
        data={
            **viewer_routes.code(),
            **data,
            "serial": serial if isinstance(serial, int) else 0,
            "windows": [{"name": name, "center": center, "width": width} for name, center, width in CT_WINDOWS],
        },
        on_at_change=_nothing,
    )


def _answer(key: str) -> Mapping[str, Any]:
    """What the browser has said last: ``position`` and ``serial``."""
    said = st.session_state.get(key)
    at = said.get("at") if isinstance(said, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def _session() -> str:
    """Names the session, to whoever keeps something of it."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def _nothing() -> None:
    """For an answer that is read when the run has begun."""


_ENTRY: Final = """export default function (component) {
  const { code, modules } = component.data
  const absolute = (address) => new URL(address, document.location).href
  for (const address of modules) import(absolute(address)).catch(() => {})
  const mounted = import(absolute(code)).then((code) => code.mount(component))
  mounted.catch((error) => {
    const status = component.parentElement.querySelector(".status")
    status.textContent = `The viewer could not be loaded: ${error.message}. Reload the page.`
  })
  return () => mounted.then((leave) => leave(), () => {})
}
"""

_viewer = st.components.v2.component(
    "radcbir.viewer",
    html=(_HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js=_ENTRY,
)
