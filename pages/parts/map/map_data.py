"""What the map shows, read and counted once: places, points under a filter, values of a column. Read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey, EncoderKey
from pages.parts.map.coloring import Members
from pages.parts.map.points import Points, points_of
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import StaleError


def projection(opened: Collection, encoder_id: str) -> pd.DataFrame:
    """Map coordinates, row-aligned with the manifest (x, y, preservation; float32). Read-only.

    Raises:
        StaleError: There are none.
    """
    return _projection(loaders.encoder_key(opened, encoder_id))


def members(opened: Collection, column: str) -> Members:
    """Which images have which value of a column, ``pathologies`` included, where one may have several."""
    return _members(loaders.collection_key(opened), column)


def points(opened: Collection, encoder_id: str, where: Mapping[str, Sequence[str]]) -> Points:
    """The points of the map under a filter.

    Raises:
        StaleError: There is no map.
    """
    chosen = tuple((column, tuple(values)) for column, values in where.items())
    return _points(loaders.encoder_key(opened, encoder_id), chosen)


@st.cache_resource(max_entries=4, show_spinner=False)
def _projection(key: EncoderKey) -> pd.DataFrame:
    store = loaders.collection_by(key.collection).store(key.encoder_id)
    projection = store.projection()
    if projection is None:
        name = store.collection.name
        raise StaleError(
            f"Expected a map of {name} by {key.encoder_id}, but there is none. Build {name} with {key.encoder_id}.",
            remedy=store.rebuild,
        )
    return projection


@st.cache_resource(max_entries=16, show_spinner=False)
def _members(key: CollectionKey, column: str) -> Members:
    manifest = loaders.collection_by(key).manifest
    if column != "pathologies":
        return Members.of(manifest.codes(column))
    lists = manifest.table.column(column).combine_chunks()
    values = tuple(sorted(manifest.pathology_counts))
    codes = pc.index_in(pc.list_flatten(lists), value_set=pa.array(values, pa.string()))
    rows = np.asarray(pc.list_parent_indices(lists), dtype=np.int64)
    return Members(values, rows, np.asarray(codes, dtype=np.int32), len(manifest))


@st.cache_resource(max_entries=4, show_spinner="Laying out the map…")
def _points(
    key: EncoderKey,
    where: tuple[tuple[str, tuple[str, ...]], ...],
) -> Points:
    return points_of(loaders.collection_by(key.collection).manifest, _projection(key), dict(where))
