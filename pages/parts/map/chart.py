"""The chart of the map: a canvas that draws every point, and what is said below it.

Owns what the browser is told and what it answers. Points and colors are fetched by address (routes.py), so that a run
of the page sends a few lines; the outlines of a selection come back as they stand in the URL. What is selected is
selection.py's. The browser's side lies in the folder canvas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.frame import palette, state
from pages.parts.frame.figures import SCALE
from pages.parts.frame.text import literal
from pages.parts.images import outlines
from pages.parts.images.map_selection import MapName, is_image, of_map, on_map
from pages.parts.map import map_data, map_query, map_words, point_facts, routes, sent_bytes
from pages.parts.map.coloring import OTHERS
from pages.parts.map.map_data import Painted
from pages.parts.map.map_query import Query
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.point_colors import CategoryColors, PointColors
from pages.parts.map.points import Points
from pages.parts.map.selection import Picked
from radcbir_core.wording import counted

_HERE: Final = Path(__file__).parent / "canvas"
_KEYS: Final = ("radcbir:map", "radcbir:map:second")
"""Of the first map and the second."""
_MOST_TEXTS: Final = 20
_MOST_SIGNS: Final = 40_000
"""Of more points in view a density is drawn, of fewer a sign each."""
_LONGEST_TEXT: Final = 4000
_GROUND: Final = "#0B0E13"
_DIM: Final = "#262D38"


def take_answer() -> None:
    """Write what somebody has selected in a map, and shown alone, to the URL, once; for the beginning of a run.

    Answers are numbered, so that one that stays in the session does not undo what was cleared meanwhile.
    """
    for key in _KEYS:
        said = st.session_state.get(key)
        answer = said.get("selection") if isinstance(said, Mapping) else None
        if isinstance(answer, Mapping) and _number(answer.get("serial")) != _serial(key):
            st.session_state[f"{key}:serial"] = _number(answer.get("serial"))
            state.update(select=_selection(answer.get("texts")))
            if key == _KEYS[0]:
                state.update(only=_texts(answer.get("only")))


def _serial(key: str) -> int:
    return _number(st.session_state.get(f"{key}:serial"))


def only_shown(colors: PointColors) -> list[str]:
    """The categories that the URL says are shown alone; those that there are not are reported and left out."""
    names = state.get_all("only")
    if not names:
        return []
    there = {entry.name for entry in colors.legend} if isinstance(colors, CategoryColors) else set()
    for name in names:
        if name not in there:
            state.report("only", name, sorted(there), then="It is left out")
    return [name for name in names if name in there]


def among(colors: PointColors, only: Sequence[str]) -> np.ndarray | None:
    """(N,) bool: the images of the categories that are shown alone; None where all are shown."""
    if not only or not isinstance(colors, CategoryColors):
        return None
    shown = np.array([entry.name in only for entry in colors.legend])
    return np.asarray(shown[colors.codes])


def draw(
    opened: OpenedMap,
    painted: Painted,
    where: Mapping[str, Sequence[str]],
    *,
    picked: Picked,
    only: Sequence[str],
    query: Query | None,
    paired: bool = False,
    beside: str = "",
) -> None:
    """The chart.

    Args:
        opened: The map.
        painted: The colors.
        where: The filter.
        picked: What is selected.
        only: Names of the categories shown alone.
        query: The current query.
        paired: Whether there are two maps.
        beside: On the second map, whose the first one is.
    """
    layout = map_data.layout(opened)
    mask = map_data.mask(opened, where)
    marked = None
    if query is not None and query.place is not None:
        hits = [{"rank": rank, "place": place} for rank, place in enumerate(query.hits, 1) if place is not None]
        marked = {"place": query.place, "hits": hits, "said": query.trusted, "placed": query.is_placed}

    turns = len(layout.origin) > 2
    own = MapName("" if beside in ("", opened.encoder_id) else opened.encoder_id, opened.name)
    # Outlines on another map than this one do not say which points are selected here.
    elsewhere = any(of_map(text)[0] != own for text in picked.texts if not is_image(text))
    told = picked.texts and (paired or elsewhere or turns)
    chosen = map_data.Sent.of(layout.mask(picked.mask)) if told else None
    key = _KEYS[bool(beside)]
    _canvas(
        key=key,
        data={
            "code": routes.address_of_code(),
            "modules": routes.addresses_of_modules(),
            "points": routes.address_of_bytes(sent_bytes.keep(layout.sent, digest=layout.digest)),
            "codes": _ready(painted.sent),
            "mask": None if mask is None else _ready(mask),
            "chosen": None if chosen is None else _ready(chosen),
            "paired": paired,
            "second": bool(beside),
            "map": str(own),
            "turns": {"encoder": own.encoder_id, "name": own.name} if turns else None,
            "facts": point_facts.address(opened),
            "grid": {**dict(zip("xyz", layout.origin, strict=False)), "step": layout.step},
            "home": layout.home,
            "all": layout.all,
            "colors": _colors_for_browser(painted.colors),
            "select": list(picked.texts),
            "only": list(only),
            "serial": _serial(key),
            "query": marked,
            "mostSigns": _MOST_SIGNS,
            "theme": {
                "ground": _GROUND,
                "dim": _DIM,
                "others": OTHERS,
                "none": palette.NO_VALUE,
                "text": palette.TEXT,
            },
        },
        on_selection_change=_nothing,
    )


def _ready(sent: map_data.Sent) -> str:
    return routes.address_of_bytes(sent_bytes.keep(sent.content, digest=sent.digest))


def _colors_for_browser(colors: PointColors) -> dict[str, Any]:
    if isinstance(colors, CategoryColors):
        legend = [
            {"name": e.name, "color": e.color, "count": e.count, "folded": e.folded, "known": e.known}
            for e in colors.legend
        ]
        return {"kind": "categories", "title": colors.title, "legend": legend}
    return {
        "kind": "values",
        "title": colors.title,
        "note": colors.note,
        "low": colors.low,
        "high": colors.high,
        "scale": [color for _, color in SCALE],
        "shades": shades(),
    }


def shades() -> list[str]:
    """The colors of the codes 0 to 254."""
    found = []
    for code in range(255):
        share = code / 254
        (low, dark), (high, light) = next(pair for pair in pairwise(SCALE) if share <= pair[1][0])
        part = (share - low) / (high - low)
        mixed = (_parts(dark) + part * (_parts(light) - _parts(dark))).round().astype(int)
        found.append("#" + "".join(f"{value:02X}" for value in mixed.tolist()))
    return found


def _parts(color: str) -> np.ndarray:
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float64)


def _selection(sent: Any) -> list[str]:
    """What the browser says is selected, as it goes to the URL; what is no selection is left out."""
    kept = []
    for text in _texts(sent):
        on, plain = of_map(text)
        outline = outlines.from_text(plain)
        if outline is not None:
            kept.append(on_map(on, outlines.to_text(outline)))
        elif is_image(text):
            kept.append(text)
    return kept[-_MOST_TEXTS:]


def _texts(sent: Any) -> list[str]:
    listed = list(sent) if isinstance(sent, list | tuple) else []
    return [text for text in listed if isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT]


def _nothing() -> None:
    """For an answer that is read when the run has begun (:func:`take_answer`)."""


def _number(sent: Any) -> int:
    return sent if isinstance(sent, int) and not isinstance(sent, bool) else 0


def about(opened: OpenedMap, points: Points, painted: Painted, query: Query | None) -> str:
    """What is drawn and how, how the map was made, how far it can be trusted, and what it leaves out; Markdown."""
    lines = [f"{counted(len(points.rows), 'image')}, all of them drawn."]
    if len(points.rows) > _MOST_SIGNS:
        lines.append(
            "Where many share a pixel, it has the color of one of them, by a lot in which rare categories weigh more, "
            "and is the brighter the more there are; zoom in to tell them apart."
            if isinstance(painted.colors, CategoryColors)
            else "Where many share a pixel, it has the color of their mean; zoom in to tell them apart."
        )
    if len(map_data.layout(opened).origin) > 2:
        lines.append(
            "It has three dimensions: the tool Turn turns it, and so does dragging with Ctrl. An outline selects what "
            "it holds from this side, near and far."
        )
    if not np.isnan(points.preservation):
        lines.append(
            f"Neighborhood preservation {points.preservation:.2f}: the share of each image's {opened.neighbors} "
            "nearest neighbors that are also near it on the map, on average. Distances between far groups mean little."
        )
    if painted.colors.said:
        lines.append(painted.colors.said)
    if query is not None:
        lines.append(map_query.said_of(query, neighbors=opened.neighbors))
    made = map_words.made_with(opened.name, opened.facts, images=len(map_data.layout(opened).rows))
    return "\n\n".join(literal(text) for text in (" ".join(lines), made) if text)


_ENTRY: Final = """export default function (component) {
  const { code, modules, ...data } = component.data
  const absolute = (address) => new URL(address, document.location).href
  // For the first map, what it draws is fetched while its code still loads, and all modules at once.
  const begin = () => {
    for (const address of modules) import(absolute(address)).catch(() => {})
    const wanted = ["points", "codes", "mask", "chosen"].filter((name) => data[name])
    return new Map(wanted.map((name) => {
      const address = absolute(data[name])
      const answer = fetch(address, { credentials: "same-origin" })
      answer.catch(() => {})  // said where it is waited for
      return [address, answer]
    }))
  }
  globalThis[Symbol.for("radcbir.map")] ??= begin()
  const mounted = import(absolute(code)).then((code) => code.mount(component))
  mounted.catch((error) => {
    const hint = component.parentElement.querySelector(".hint")
    hint.textContent = `The map could not be loaded: ${error.message}. Reload the page.`
    hint.hidden = false
  })
  return () => mounted.then((leave) => leave(), () => {})
}
"""

_canvas = st.components.v2.component(
    "radcbir.map",
    html=(_HERE / "map.html").read_text(encoding="utf-8"),
    css=(_HERE / "map.css").read_text(encoding="utf-8"),
    js=_ENTRY,
)
