"""What the map shows, read and counted once: places, points under a filter, values of a column, P@k, colors. Read-only.

Computes nothing that takes long: what is not there is None, and the page offers to have it made.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey, MapKey
from pages.parts.map import coloring, column_values, precision_inside
from pages.parts.map.coloring import Members
from pages.parts.map.layout import Layout, layout_of
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.point_colors import PointColors, ValueColors
from pages.parts.map.points import Points, points_of
from pages.parts.map.precision_inside import Share
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.seen import seen_said
from radcbir_core.wording import counted


class Sent(NamedTuple):
    """Bytes for the browser, and their digest."""

    content: bytes
    digest: str

    @classmethod
    def of(cls, content: bytes) -> Sent:
        """Bytes, with their digest."""
        return cls(content, blake2b(content, digest_size=16).hexdigest())


class Painted(NamedTuple):
    """Colors of all images, and as the browser gets them."""

    colors: PointColors
    sent: Sent


def members(opened: Collection, column: str) -> Members:
    """Which images have which value of a column, ``pathologies`` included, where one may have several."""
    return _members(loaders.collection_key(opened), column)


def precision_by_row(opened: Collection, encoder_id: str, level: Level, k: int) -> np.ndarray | None:
    """P@k of every image, (N,) float64, NaN where it was no query; None where it is not kept. Read-only.

    By the protocol that holds where nobody chooses: what Pathology opens with.

    Raises:
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    evaluation = precision_evaluation(opened, encoder_id)
    result = runs.kept_result(opened, encoder_id, evaluation)
    if result is None:
        return None
    return _precision_by_row(runs.key_of(opened, encoder_id, evaluation), level, k, len(opened), _result=result)


def precision_of_all(opened: Collection, encoder_id: str, level: Level, k: int) -> Share | None:
    """P@k of all queries, by the same evaluation; None where it is not kept.

    Raises:
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    result = runs.kept_result(opened, encoder_id, precision_evaluation(opened, encoder_id))
    return None if result is None else precision_inside.of_all(result.tables["means"], level=level, k=k)


def precision_evaluation(opened: Collection, encoder_id: str) -> Precision:
    """The evaluation that P@k on the map is of."""
    return Precision().suited(loaders.store(opened, encoder_id))


def points(on: OpenedMap, where: Mapping[str, Sequence[str]]) -> Points:
    """The points of the map under a filter.

    Raises:
        StaleError: There is no map.
    """
    chosen = tuple((column, tuple(values)) for column, values in where.items())
    return _points(on.key, chosen)


def coordinates(on: OpenedMap) -> np.ndarray:
    """Where each image is, ``(N, D)`` float32, NaN without a place. Read-only.

    Raises:
        StaleError: There is no map.
    """
    return _coordinates(on.key)


def layout(on: OpenedMap) -> Layout:
    """The points of the map in the order in which the browser has them, filtered or not.

    Raises:
        StaleError: There is no map.
    """
    return _layout(on.key)


def mask(on: OpenedMap, where: Mapping[str, Sequence[str]]) -> Sent | None:
    """Which points pass a filter, for the browser; None where there is no filter.

    Raises:
        QueryError: A column or value that the collection does not have.
    """
    chosen = tuple((column, tuple(values)) for column, values in where.items())
    return _mask(on.key, chosen) if chosen else None


def further_columns(opened: Collection) -> list[str]:
    """The columns of the manifest besides those of every collection that say something of an image."""
    return _further_columns(loaders.collection_key(opened))


def holds_categories(opened: Collection, column: str) -> bool:
    """Whether a column holds categories, and not numbers."""
    return _numbers(loaders.collection_key(opened), column) is None


def colors_of_column(on: OpenedMap, column: str) -> Painted:
    """The images of a map by the values of a column, or by its numbers."""
    return _colors_of_column(on.key, column)


def colors_of_preservation(on: OpenedMap) -> Painted:
    """The images of a map by how many of their nearest neighbors are also near them on it.

    Raises:
        StaleError: There is no map.
    """
    return _colors_of_preservation(on.key, on.neighbors)


def hubness_evaluation(opened: Collection, encoder_id: str) -> Hubness:
    """The evaluation that k-occurrences on the map are of: what Failures opens Hubness with."""
    return Hubness().suited(loaders.store(opened, encoder_id))


def colors_of_occurrence(on: OpenedMap) -> Painted | None:
    """The images of a map by how many lists of hits they are in; None where that is not kept.

    Raises:
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    evaluation = hubness_evaluation(on.collection, on.encoder_id)
    result = runs.kept_result(on.collection, on.encoder_id, evaluation)
    if result is None:
        return None
    made = runs.key_of(on.collection, on.encoder_id, evaluation)
    return _colors_of_occurrence(on.key, made, _result=result)


def colors_of_precision(on: OpenedMap, level: Level, level_name: str, k: int) -> Painted | None:
    """The images of a map by P@k; None where it is not kept.

    Args:
        on: The map.
        level: Of relevance.
        level_name: What it is called.
        k: Of P@k.

    Raises:
        StaleError: The neighbor graph is missing or was made from other embeddings.
    """
    collection, encoder_id = on.collection, on.encoder_id
    values = precision_by_row(collection, encoder_id, level, k)
    if values is None:
        return None
    evaluation = runs.key_of(collection, encoder_id, precision_evaluation(collection, encoder_id))
    return _colors_of_precision(on.key, evaluation, level, level_name, k, _by=values)


def colors_of_seen(on: OpenedMap) -> Painted:
    """The images of a map by what the encoder has seen in training."""
    seen = loaders.seen(on.collection, on.encoder_id)
    return _colors_of_seen(on.key, *seen.identity)


@st.cache_resource(max_entries=4, show_spinner=False)
def _coordinates(key: MapKey) -> np.ndarray:
    places = loaders.projection_by(key)
    axes = places[[name for name in ("x", "y", "z") if name in places]].to_numpy(dtype=np.float32)
    axes.flags.writeable = False
    return axes


@st.cache_resource(max_entries=4, show_spinner="Laying out the map…")
def _layout(key: MapKey) -> Layout:
    places = loaders.projection_by(key)
    return layout_of(*(places[name].to_numpy() for name in ("x", "y", "z") if name in places))


@st.cache_resource(max_entries=8, show_spinner=False)
def _mask(key: MapKey, where: tuple[tuple[str, tuple[str, ...]], ...]) -> Sent:
    return Sent.of(_layout(key).mask(loaders.collection_by(key.encoder.collection).manifest.mask(dict(where))))


@st.cache_resource(max_entries=8, show_spinner=False)
def _colors_of_column(key: MapKey, column: str) -> Painted:
    numbers = _numbers(key.encoder.collection, column)
    if numbers is None:
        return _painted(key, coloring.categories_of(column, _members(key.encoder.collection, column)))
    return _painted(key, coloring.scale_of(coloring.title_of(column), numbers))


@st.cache_resource(max_entries=4, show_spinner=False)
def _colors_of_preservation(key: MapKey, neighbors: int) -> Painted:
    places = loaders.projection_by(key)
    values = places["preservation"].to_numpy(dtype=np.float64)
    return _painted(key, ValueColors.of("Neighborhood preservation", values, note=f"share of {neighbors} neighbors"))


@st.cache_resource(max_entries=4, show_spinner=False)
def _colors_of_occurrence(key: MapKey, made: Hashable, *, _result: Result) -> Painted:  # noqa: ARG001 - what it is of
    images, facts = _result.tables["images"], _result.facts
    values = np.full(len(loaders.collection_by(key.encoder.collection)), np.nan)
    values[images["row"].to_numpy()] = images["cosine"].to_numpy()
    hub = int(facts["cosine"]["hub"])
    said = (
        f"k-occurrence: in how many lists of {facts['k']} hits an image is. Hubs, in {counted(hub, 'list')} or more, "
        f"have the color of the upper end: {counted(int(facts['cosine']['hubs']), 'image')}."
    )
    return _painted(
        key,
        ValueColors.of(
            "k-occurrence",
            values,
            low=0.0,
            high=float(max(hub, 1)),
            note=f"lists of {facts['k']} hits",
            said=said,
        ),
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _further_columns(key: CollectionKey) -> list[str]:
    return column_values.further_columns(loaders.collection_by(key).manifest)


@st.cache_resource(max_entries=16, show_spinner=False)
def _numbers(key: CollectionKey, column: str) -> np.ndarray | None:
    if column in coloring.COLUMNS:
        return None
    return column_values.numbers_of(column, loaders.collection_by(key).manifest.arrow(column))


@st.cache_resource(max_entries=8, show_spinner=False)
def _colors_of_precision(
    key: MapKey,
    evaluation: Hashable,  # noqa: ARG001 - what the values are of
    level: Level,  # noqa: ARG001 - as above
    level_name: str,
    k: int,
    *,
    _by: np.ndarray,
) -> Painted:
    seen = loaders.seen(loaders.collection_by(key.encoder.collection), key.encoder.encoder_id)
    said = f"{seen_said(seen)}. They have no P@{k}." if seen.number else ""
    return _painted(key, ValueColors.of(f"P@{k}", _by, note=level_name, said=said))


@st.cache_resource(max_entries=4, show_spinner=False)
def _colors_of_seen(key: MapKey, *identity: str) -> Painted:  # noqa: ARG001 - the list that the rows are made of
    seen = loaders.seen(loaders.collection_by(key.encoder.collection), key.encoder.encoder_id)
    said = f"{seen_said(seen)}." if seen.number else ""
    return _painted(key, coloring.categories_of_seen(seen.files, seen.near, said=said))


def _painted(key: MapKey, colors: PointColors) -> Painted:
    return Painted(colors, Sent.of(_layout(key).codes(colors.codes)))


@st.cache_resource(max_entries=4, show_spinner=False)
def _precision_by_row(
    key: Hashable,  # noqa: ARG001 - the key is the cache's
    level: Level,
    k: int,
    number: int,
    *,
    _result: Result,
) -> np.ndarray:
    table = of_level(_result.tables["queries"], level)
    precision = np.full(number, np.nan)
    precision[table["row"].to_numpy()] = table[f"p@{k}"].to_numpy()
    return precision


@st.cache_resource(max_entries=16, show_spinner=False)
def _members(key: CollectionKey, column: str) -> Members:
    manifest = loaders.collection_by(key).manifest
    if column == "pathologies":
        return Members.of_lists(manifest.pathologies)
    if column_values.is_list(manifest.schema.field(column).type):
        return column_values.list_members(manifest.arrow(column))
    return Members.of(manifest.codes(column))


@st.cache_resource(max_entries=4, show_spinner=False)
def _points(
    key: MapKey,
    where: tuple[tuple[str, tuple[str, ...]], ...],
) -> Points:
    manifest = loaders.collection_by(key.encoder.collection).manifest
    return points_of(manifest, loaders.projection_by(key), dict(where))
