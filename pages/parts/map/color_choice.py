"""What the points of the map are colored by: any column of the manifest, or a figure of every image.

Owns this choice. A figure that is not kept is never computed here: a job does, on a click.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.map import coloring, map_data
from pages.parts.map.coloring import COLUMNS, SEEN, SEEN_TITLE
from pages.parts.map.map_data import Painted
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import LEVELS, Level
from radcbir_core.evaluation import KS, Evaluation

PRECISION: Final = "p@k"
OCCURRENCE: Final = "k-occurrence"
PRESERVATION: Final = "preservation"
FIGURES: Final = {
    PRECISION: "P@k",
    OCCURRENCE: "k-occurrence",
    PRESERVATION: "Neighborhood preservation",
    SEEN: SEEN_TITLE,
}
"""What is no column of the manifest, and what it is called."""
LEVEL_NAMES: Final[dict[Level, str]] = {"modality": "Modality", "anatomy": "Anatomy", "label": "Full label"}

_COLUMN: Final = "column:"
"""Begins the name of a column that would else be taken for one of the figures."""


@dataclass(frozen=True)
class Colors:
    """What the points are colored by: a column of the manifest or one of the figures; and the level and k of P@k."""

    column: str
    level: Level
    k: int

    @property
    def level_name(self) -> str:
        """The level in words."""
        return LEVEL_NAMES[self.level].lower()

    @property
    def of_manifest(self) -> str:
        """The column of the manifest; empty where it is a figure.

        >>> Colors("sex", "label", 10).of_manifest, Colors("seen", "label", 10).of_manifest
        ('sex', '')
        >>> Colors("column:seen", "label", 10).of_manifest
        'seen'
        """
        return "" if self.column in FIGURES else self.column.removeprefix(_COLUMN)


def choose_colors(box: st.delta_generator.DeltaGenerator, opened: Opened) -> Colors:
    """The controls of the colors; level and k only where they matter."""
    manifest = opened.collection.manifest
    options = [*_columns(opened), *_figures(opened)]
    options += [f"{_COLUMN if name in FIGURES else ''}{name}" for name in map_data.further_columns(opened.collection)]
    column = state.choice(
        box.selectbox,
        "Color by",
        options,
        name="color",
        clears=("only",),
        format_func=lambda name: FIGURES.get(name) or coloring.title_of(name.removeprefix(_COLUMN)),
        width=240,
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
    """The colors that can be shown now: others, where those chosen are still to be computed; draws how to get them."""
    collection, encoder_id = opened.collection, opened.encoder_id
    needed: dict[str, tuple[Callable[[Collection, str], Evaluation], str]] = {
        PRECISION: (map_data.precision_evaluation, "P@k of every image"),
        OCCURRENCE: (map_data.hubness_evaluation, "The k-occurrence of every image"),
    }
    if colors.column not in needed:
        return colors
    evaluation_of, what = needed[colors.column]
    with shell.errors_shown():  # what cannot be computed is said, and leaves the map
        if runs.result(collection, encoder_id, evaluation_of(collection, encoder_id), what=what) is not None:
            return colors
    instead = _columns(opened)[0]
    st.caption(f"Until it is there, the map is colored by {COLUMNS[instead].lower()}.")
    return replace(colors, column=instead)


def painted(on: OpenedMap, colors: Colors) -> Painted:
    """The colors of all images, as they were chosen; those of a column where what was chosen is not there any more."""
    found: Painted | None = None
    if colors.column == SEEN:
        found = map_data.colors_of_seen(on)
    elif colors.column == PRESERVATION:
        found = map_data.colors_of_preservation(on)
    elif colors.column == OCCURRENCE:
        found = map_data.colors_of_occurrence(on)
    elif colors.column == PRECISION:
        found = map_data.colors_of_precision(on, colors.level, colors.level_name, colors.k)
    return found or map_data.colors_of_column(on, colors.of_manifest or _columns(on)[0])


def known_columns(collection: Collection) -> list[str]:
    """Of the columns of every collection those that say something of an image."""
    return [name for name in COLUMNS if collection.manifest.counts(name)]


def _columns(opened: Opened) -> list[str]:
    return known_columns(opened.collection) or ["dataset"]


def _figures(opened: Opened) -> list[str]:
    """The figures that there are, or can be."""
    figures = [PRESERVATION]
    if loaders.artifact_states(opened.collection, opened.encoder_id)["neighbors"] == "current":
        has_labels = bool((opened.collection.manifest.labels("label").codes >= 0).any())
        figures = [PRECISION, *([OCCURRENCE] if has_labels else []), PRESERVATION]
    return [*figures, *([SEEN] if loaders.seen(opened.collection, opened.encoder_id).number else [])]
