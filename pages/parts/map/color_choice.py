"""What the points of the map are colored by: a column, P@k at a level and a k, or what was seen in training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.map import map_data
from pages.parts.map.coloring import COLUMNS, SEEN, SEEN_TITLE
from pages.parts.map.map_data import Painted
from radcbir_core.collections.manifest import LEVELS, Level
from radcbir_core.evaluation import KS

PRECISION: Final = "p@k"
LEVEL_NAMES: Final[dict[Level, str]] = {"modality": "Modality", "anatomy": "Anatomy", "label": "Full label"}


@dataclass(frozen=True)
class Colors:
    """What the points are colored by: a column, or P@k at a level and a k."""

    column: str
    level: Level
    k: int

    @property
    def level_name(self) -> str:
        """The level in words."""
        return LEVEL_NAMES[self.level].lower()


def choose_colors(box: st.delta_generator.DeltaGenerator, opened: Opened) -> Colors:
    """The controls of the colors; level and k only where they matter."""
    manifest = opened.collection.manifest
    options = _columns(opened)
    if loaders.artifact_states(opened.collection, opened.encoder_id)["neighbors"] == "current":
        options.append(PRECISION)
    if loaders.seen(opened.collection, opened.encoder_id).number:
        options.append(SEEN)
    column = state.choice(
        box.segmented_control,
        "Color by",
        options,
        name="color",
        clears=("only",),
        format_func=lambda column: {**COLUMNS, PRECISION: "P@k", SEEN: SEEN_TITLE}[column],
    )
    known = [level for level in LEVELS if (manifest.labels(level).codes >= 0).any()] or [LEVELS[0]]
    level, k = str(known[-1]), str(state.DEFAULT_K)
    if column == PRECISION:
        level = state.choice(
            box.selectbox, "Level", known, name="level", default=level, format_func=LEVEL_NAMES.get, width=130
        )
        k = state.choice(box.selectbox, "k", [str(k) for k in KS], name="k", default=k, width=80)
    return Colors(column, next(x for x in LEVELS if x == level), int(k))


def shown_now(opened: Opened, colors: Colors) -> Colors:
    """The colors that can be shown now; where P@k is still to be computed, draws how to get it, and gives others."""
    if colors.column != PRECISION:
        return colors
    with shell.errors_shown():  # what cannot be computed is said, and leaves the map
        evaluation = map_data.precision_evaluation(opened.collection, opened.encoder_id)
        if runs.result(opened.collection, opened.encoder_id, evaluation, what="P@k of every image") is not None:
            return colors
    instead = _columns(opened)[0]
    st.caption(f"Until it is there, the map is colored by {COLUMNS[instead].lower()}.")
    return replace(colors, column=instead)


def painted(opened: Opened, colors: Colors) -> Painted:
    """The colors of all images, as they were chosen; those of a column where what was chosen is not there any more."""
    collection, encoder_id = opened.collection, opened.encoder_id
    if colors.column == SEEN:
        return map_data.colors_of_seen(collection, encoder_id)
    if colors.column == PRECISION:
        found = map_data.colors_of_precision(collection, encoder_id, colors.level, colors.level_name, colors.k)
        if found is not None:
            return found
    column = colors.column if colors.column in COLUMNS else _columns(opened)[0]
    return map_data.colors_of_column(collection, encoder_id, column)


def _columns(opened: Opened) -> list[str]:
    manifest = opened.collection.manifest
    known = [
        column
        for column in COLUMNS
        if (manifest.pathology_counts if column == "pathologies" else manifest.codes(column).values)
    ]
    return known or ["dataset"]
