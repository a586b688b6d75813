"""What the map shows, read and counted once: places, points under a filter, values of a column, P@k. Read-only.

Computes nothing that takes long: what is not there is None, and the page offers to have it made.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders
from pages.parts.frame.loaders import CollectionKey, EncoderKey
from pages.parts.map.coloring import Members
from pages.parts.map.points import Points, points_of
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifest import Level
from radcbir_core.errors import StaleError
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.precision import Precision, of_level


def projection(opened: Collection, encoder_id: str) -> pd.DataFrame:
    """Map coordinates, row-aligned with the manifest (x, y, preservation; float32). Read-only.

    Raises:
        StaleError: There are none.
    """
    return _projection(loaders.encoder_key(opened, encoder_id))


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


def precision_evaluation(opened: Collection, encoder_id: str) -> Precision:
    """The evaluation that P@k on the map is of."""
    return Precision().suited(loaders.store(opened, encoder_id))


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
