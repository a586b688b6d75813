"""Which images a selection on the map holds, for every page that looks at these alone.

Owns the reading of ``select`` from the URL, the images that it names, and the line that says so and lets go of it. What
an outline is, is outlines.py's. A link holds the outlines and not the images: it stays short, and selects what they
hold on the map that there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import outlines
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifest import Manifest
from radcbir_core.errors import QueryError, RadcbirError
from radcbir_core.wording import counted

IMAGE: Final = "image:"
"""How the selection of a single image begins."""

Places = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

_OF_MAP: Final = re.compile(r"(?P<minus>-?)(?P<encoder>[^@:,]+)@(?P<rest>.*)", re.DOTALL)


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


def of_map(text: str) -> tuple[str, str]:
    """The encoder on whose map an outline is, and its text without it; "" for that of the open encoder.

    >>> of_map("-pixels@box:0,0,1,1"), of_map("box:0,0,1,1"), of_map("image:a@b")
    (('pixels', '-box:0,0,1,1'), ('', 'box:0,0,1,1'), ('', 'image:a@b'))
    """
    parts = _OF_MAP.fullmatch(text)
    return (parts["encoder"], f"{parts['minus']}{parts['rest']}") if parts is not None else ("", text)


def on_map(encoder_id: str, text: str) -> str:
    """The text of an outline on the map of an encoder; :func:`of_map` is its inverse.

    >>> on_map("pixels", "-box:0,0,1,1"), on_map("", "box:0,0,1,1")
    ('-pixels@box:0,0,1,1', 'box:0,0,1,1')
    """
    minus = "-" if text.startswith("-") else ""
    return f"{minus}{encoder_id}@{text.removeprefix('-')}" if encoder_id else text


def asked(opened: Collection) -> tuple[str, ...]:
    """What the URL selects: ``select=box:…``, ``lasso:…`` or ``image:ID``, any number of them, in their order.

    One that begins with a minus takes away from what those before it have selected. An outline on the map of another
    encoder than the open one begins with its id, as ``pixels@box:…``. A text that is none of these, or names an image
    or an encoder that is not there, is reported and left out.

    Args:
        opened: Where the images are.
    """
    texts = []
    for text in state.get_all("select"):
        encoder_id, plain = of_map(text)
        outline = outlines.from_text(plain)
        if outline is not None and (not encoder_id or encoder_id in opened.encoder_ids()):
            texts.append(on_map(encoder_id, outlines.to_text(outline)))
        elif text.removeprefix("-").startswith(IMAGE):
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
    maps = dict.fromkeys([encoder_id, *filter(None, (of_map(text)[0] for text in texts))])
    return _rows_in(tuple(loaders.encoder_key(opened, name) for name in maps), tuple(texts))


def selected(texts: Sequence[str], places: Callable[[str], Places], manifest: Manifest) -> npt.NDArray[np.bool_]:
    """As :func:`rows_in`, of any places.

    Args:
        texts: What is selected, in their order.
        places: Gives x and y, each (N,) with NaN for an image without a place, on the map of an encoder; of the open
            one for "".
        manifest: What the images are.

    Raises:
        QueryError: A text is none of those.
    """
    chosen = np.zeros(len(manifest), dtype=bool)
    for text in texts:
        encoder_id, plain = of_map(text)
        outline = outlines.from_text(plain)
        if outline is None:
            chosen[_row(text, manifest)] = not text.startswith("-")
            continue
        within = outlines.inside(outline, *places(encoder_id))
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
        texts = asked(opened.collection)
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
        query_params=state.parameters_for(select=list(texts)),
    )


def _row(text: str, manifest: Manifest) -> int:
    name = text.removeprefix("-")
    if not name.startswith(IMAGE):
        raise QueryError(
            f"Expected a selection as box:x,y,x,y or lasso:x,y,… or image:image_id, but select = {text[:80]!r}. "
            "Select it on the map."
        )
    return manifest.row_of(name.removeprefix(IMAGE))


@st.cache_resource(max_entries=8, show_spinner=False)
def _rows_in(maps: tuple[EncoderKey, ...], texts: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    opened = loaders.collection_by(maps[0].collection)

    def places(encoder_id: str) -> Places:
        found = loaders.projection(opened, encoder_id or maps[0].encoder_id)
        return found["x"].to_numpy(), found["y"].to_numpy()

    rows = selected(texts, places, opened.manifest)
    rows.flags.writeable = False
    return rows
