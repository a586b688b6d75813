"""A second map beside the first: by another encoder, another one of the same encoder, or in other colors.

Owns the choice of it. What is selected in one of the two is selected in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.map import kept_maps
from pages.parts.map.color_choice import Colors, known_columns
from pages.parts.map.coloring import COLUMNS
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.errors import RadcbirError

_ALONE: Final = "alone"
_ENCODER: Final = "encoder:"
_MAP: Final = "map:"
_COLUMN: Final = "color:"


@dataclass(frozen=True)
class Second:
    """What the second map is.

    Attributes:
        opened: The collection, whose map it is, and which.
        colors: What it is colored by.
        title: What sets it apart from the first.
    """

    opened: OpenedMap
    colors: Colors
    title: str


def choose(box: st.delta_generator.DeltaGenerator, opened: OpenedMap, colors: Colors) -> Second | None:
    """The control of the second map; None where there is none, as long as nobody asks for one.

    Args:
        box: Where to draw it.
        opened: The first map.
        colors: What the first map is colored by.
    """
    collection = opened.collection
    others = [name for name in collection.encoder_ids() if name != opened.encoder_id and _has_map(opened, name)]
    columns = [name for name in known_columns(collection) if name != colors.column]
    maps = [name for name in kept_maps.current(opened) if name != opened.name]
    options = [
        _ALONE,
        *(f"{_ENCODER}{name}" for name in others),
        *(f"{_MAP}{name}" for name in maps),
        *(f"{_COLUMN}{name}" for name in columns),
    ]
    if len(options) == 1:
        return None
    chosen = state.choice(
        box.selectbox,
        "Beside it",
        options,
        name="beside",
        clears=("select",),
        format_func=lambda option: {
            _ALONE: "no second map",
            **{f"{_ENCODER}{name}": f"by {name}" for name in others},
            **{f"{_MAP}{name}": f"the map {name}" for name in maps},
            **{f"{_COLUMN}{name}": f"colored by {COLUMNS[name].lower()}" for name in columns},
        }[option],
        width=190,
    )
    if chosen.startswith(_ENCODER):
        name = chosen.removeprefix(_ENCODER)
        return Second(OpenedMap(collection, name), colors, name)
    if chosen.startswith(_MAP):
        name = chosen.removeprefix(_MAP)
        return Second(OpenedMap(collection, opened.encoder_id, name), colors, title_of(opened.encoder_id, name))
    if chosen.startswith(_COLUMN):
        column = chosen.removeprefix(_COLUMN)
        title = f"{title_of(opened.encoder_id, opened.name)}, {COLUMNS[column].lower()}"
        return Second(opened, replace(colors, column=column), title)
    return None


def title_of(encoder_id: str, name: str) -> str:
    """What a map is called where there are two.

    >>> title_of("pixels", "standard"), title_of("pixels", "wide")
    ('pixels', 'pixels, map wide')
    """
    return encoder_id if name == STANDARD_MAP else f"{encoder_id}, map {name}"


def _has_map(opened: Opened, encoder_id: str) -> bool:
    try:
        return loaders.artifact_states(opened.collection, encoder_id)["projection"] == "current"
    except RadcbirError:
        return False  # a damaged record, which the page says where it is opened
