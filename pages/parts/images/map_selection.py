"""Which images a selection on the map holds, for every page that looks at these alone.

Owns the reading of ``select`` from the URL, the images that it names, and the line that says so and lets go of it. What
an outline is, is outlines.py's. A link holds the outlines and not the images: it stays short, and selects what they
hold on the map that there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.loaders import MapKey
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import outlines
from pages.parts.images.turning import NOT_TURNED, Turn, turn_of, turned
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.errors import QueryError, RadcbirError
from radcbir_core.wording import counted

_IMAGE: Final = "image:"
"""How the selection of a single image begins."""

Places = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

_OF_MAP: Final = re.compile(r"(?P<minus>-?)(?P<map>[^@:,]+)@(?P<rest>.*)", re.DOTALL)


class MapName(NamedTuple):
    """Which map an outline is on.

    Attributes:
        encoder_id: Whose; "" for the open encoder's.
        name: Of the map among that encoder's.
        turn: From which side it is seen, in three dimensions.
    """

    encoder_id: str = ""
    name: str = STANDARD_MAP
    turn: Turn = NOT_TURNED

    def __str__(self) -> str:
        """As in the URL: ``ENCODER``, ``/MAP``, ``ENCODER/MAP`` or ``ENCODER/MAP/30/-20``, which is turned.

        It is "" for the standard map of the open encoder, not turned.
        """
        if self.turn != NOT_TURNED:
            return f"{self.encoder_id}/{self.name}/{self.turn[0]}/{self.turn[1]}"
        return self.encoder_id if self.name == STANDARD_MAP else f"{self.encoder_id}/{self.name}"

    @classmethod
    def of(cls, text: str) -> MapName:
        """The inverse of :meth:`__str__`; of what is no such text, an encoder that cannot be.

        >>> MapName.of("pixels/wide")[:2], str(MapName("", "wide")), MapName.of("pixels").name
        (('pixels', 'wide'), '/wide', 'standard')
        >>> MapName.of("/deep/30/-20").turn, MapName.of("/deep/up/-20").encoder_id
        ((30, -20), '/deep/up/-20')
        """
        encoder_id, _, rest = text.partition("/")
        name, *angles = rest.split("/")
        if not angles:
            return cls(encoder_id, name or STANDARD_MAP)
        turn = turn_of(*angles) if len(angles) == 2 else None
        return cls(text) if turn is None else cls(encoder_id, name, turn)


@dataclass(frozen=True)
class Selection:
    """The images that a page looks at alone.

    Attributes:
        texts: As in the URL.
        rows: (N,) bool.
    """

    texts: tuple[str, ...]
    rows: npt.NDArray[np.bool_]

    @property
    def number(self) -> int:
        """Of the images."""
        return int(np.count_nonzero(self.rows))


def of_map(text: str) -> tuple[MapName, str]:
    """The map that an outline is on, and its text without it.

    >>> on, plain = of_map("-pixels/wide@box:0,0,1,1")
    >>> on.encoder_id, on.name, plain
    ('pixels', 'wide', '-box:0,0,1,1')
    >>> of_map("box:0,0,1,1")[1], of_map("image:a@b")[1]
    ('box:0,0,1,1', 'image:a@b')
    """
    parts = _OF_MAP.fullmatch(text)
    return (MapName.of(parts["map"]), f"{parts['minus']}{parts['rest']}") if parts is not None else (MapName(), text)


def on_map(name: MapName, text: str) -> str:
    """The text of an outline on a map; :func:`of_map` is its inverse.

    >>> on_map(MapName("pixels"), "-box:0,0,1,1"), on_map(MapName(), "box:0,0,1,1")
    ('-pixels@box:0,0,1,1', 'box:0,0,1,1')
    """
    minus = "-" if text.startswith("-") else ""
    return f"{minus}{name}@{text.removeprefix('-')}" if str(name) else text


def is_image(text: str) -> bool:
    """Whether a text selects, or takes away, a single image.

    >>> is_image("-image:chest-1"), is_image("box:0,0,1,1")
    (True, False)
    """
    return text.removeprefix("-").startswith(_IMAGE)


def asked(opened: Collection, encoder_id: str) -> tuple[str, ...]:
    """What the URL selects: ``select=box:…``, ``lasso:…`` or ``image:ID``, any number of them, in their order.

    One that begins with a minus takes away from what those before it have selected. An outline on another map than the
    open encoder's first one begins with which it is (:class:`MapName`), as ``pixels@box:…`` or ``/wide@box:…``. A text
    that is none of these, or names an image or a map that is not there, is reported and left out.

    Args:
        opened: Where the images are.
        encoder_id: The open encoder.
    """
    texts = []
    for text in state.get_all("select"):
        on, plain = of_map(text)
        outline = outlines.from_text(plain)
        if outline is not None:
            if fault := _fault(opened, on, encoder_id):
                st.warning(
                    "Expected an outline on a map that can be shown, "
                    f"but select = {literal(text[:80])}. It is left out. {literal(fault)}"
                )
            else:
                texts.append(on_map(on, outlines.to_text(outline)))
        elif is_image(text):
            with shell.errors_shown():
                _row(text, opened.manifest)
                texts.append(text)
        else:
            st.warning(
                "Expected select as box:x,y,x,y or lasso:x,y,… or image:image_id, "
                f"but select = {literal(text[:80])}. It is left out."
            )
    return tuple(texts)


def rows_in(opened: Collection, encoder_id: str, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(N,) the images that outlines and names select, filtered or not; those without a place are in no outline.

    Args:
        opened: Where the images are.
        encoder_id: On whose map.
        texts: As :func:`asked` gives them.

    Raises:
        StaleError: There is no map.
        QueryError: A text is none of those.
    """
    maps = dict.fromkeys([MapName(), *(of_map(text)[0] for text in texts)])
    keys = dict.fromkeys(loaders.map_key(opened, on.encoder_id or encoder_id, on.name) for on in maps)
    return _rows_in(tuple(keys), tuple(texts))


def selected(texts: Sequence[str], places: Callable[[MapName], Places], manifest: Manifest) -> npt.NDArray[np.bool_]:
    """As :func:`rows_in`, of any places.

    Args:
        texts: What is selected, in their order.
        places: Gives x and y, each (N,) with NaN for an image without a place, on a map as it is seen.
        manifest: What the images are.

    Raises:
        QueryError: A text is none of those.
    """
    chosen = np.zeros(len(manifest), dtype=bool)
    for text in texts:
        on, plain = of_map(text)
        outline = outlines.from_text(plain)
        if outline is None:
            chosen[_row(text, manifest)] = not text.startswith("-")
            continue
        within = outlines.inside(outline, *places(on))
        chosen = chosen & ~within if outline.takes_away else chosen | within
    return chosen


def choose(box: st.delta_generator.DeltaGenerator, opened: Opened, *, what: str) -> Selection | None:
    """The images that the URL selects on the map, with a button that lets go of them; None where it selects none.

    Args:
        box: A row of controls.
        opened: The open collection and encoder.
        what: What is shown of these images alone, for the help of the button.
    """
    if not state.get_all("select"):
        return None
    try:
        texts = asked(opened.collection, opened.encoder_id)
        selection = Selection(texts, rows_in(opened.collection, opened.encoder_id, texts))
    except RadcbirError as error:
        shell.show_error(error)
        return None
    if not texts:
        return None
    box.button(
        f"On the map ({selection.number:,})",
        key="radcbir:map-selection",
        icon=":material/close:",
        help=f"{what} of {counted(selection.number, 'image')} that were selected on the map. A click shows those of "
        "all again.",
        on_click=state.update,
        kwargs={"select": None, "page": None},
    )
    return selection


def link_to_map(texts: Sequence[str]) -> None:
    """The way to the map, where the selection is drawn."""
    st.page_link(
        "pages/map.py",
        label="See the selection on the map",
        icon=":material/scatter_plot:",
        query_params=state.parameters_for(**parameters(texts)),
    )


def parameters(texts: Sequence[str]) -> dict[str, list[str]]:
    """What selects the same on the Map, with the map of the open encoder that the first outline is on.

    >>> parameters(["/wide@box:0,0,1,1"])
    {'select': ['/wide@box:0,0,1,1'], 'map': ['wide']}
    """
    names = [on.name for on, plain in map(of_map, texts) if outlines.from_text(plain) and not on.encoder_id]
    return {"select": list(texts), "map": names[:1] if names[:1] != [STANDARD_MAP] else []}


def _row(text: str, manifest: Manifest) -> int:
    name = text.removeprefix("-")
    if not name.startswith(_IMAGE):
        raise QueryError(
            f"Expected a selection as box:x,y,x,y or lasso:x,y,… or image:image_id, but select = {text[:80]!r}. "
            "Select it on the map."
        )
    return manifest.row_of(name.removeprefix(_IMAGE))


def _fault(opened: Collection, on: MapName, encoder_id: str) -> str:
    """Why nothing can be selected on a map, in a sentence; "" where it can.

    Of the map that every page has open anyway, its page says so.
    """
    if on == MapName():
        return ""
    encoder_id = on.encoder_id or encoder_id
    if encoder_id not in opened.encoder_ids():
        return f"There is no encoder {encoder_id} here."
    standing = opened.store(encoder_id).maps().get(on.name)
    if standing is None:
        fault = f"There is no map {on.name} by {encoder_id}."
    elif standing.state != "current":
        fault = f"The map {on.name} by {encoder_id} is {standing.state}: {standing.reason}."
    else:
        fault = _fault_of_places(opened, on, encoder_id)
    return fault


def _fault_of_places(opened: Collection, on: MapName, encoder_id: str) -> str:
    try:
        places = loaders.projection(opened, encoder_id, on.name)
    except RadcbirError as error:
        return str(error)
    can_turn = on.turn == NOT_TURNED or "z" in places
    return "" if can_turn else f"The map {on.name} by {encoder_id} has two dimensions: it is seen from one side only."


@st.cache_resource(max_entries=8, show_spinner=False)
def _rows_in(maps: tuple[MapKey, ...], texts: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    opened = maps[0].encoder  # whose encoder is the open one

    def places(on: MapName) -> Places:
        encoder_id = on.encoder_id or opened.encoder_id
        key = next(key for key in maps if (key.encoder.encoder_id, key.name) == (encoder_id, on.name))
        found = loaders.projection_by(key)
        if "z" in found:
            return turned(found["x"].to_numpy(), found["y"].to_numpy(), found["z"].to_numpy(), on.turn)
        return found["x"].to_numpy(), found["y"].to_numpy()

    rows = selected(texts, places, loaders.collection_by(opened.collection).manifest)
    rows.flags.writeable = False
    return rows
