"""What the Compare page reads of two encoders, computed once.

Owns the caches of what is made of comparisons, and the pair that they are of. As in loaders.py, what is cached goes by
names and digests; the stores themselves are passed beside them and not hashed.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation import Protocol, Result
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.disagreements import (
    Disagreements,
    RankedPair,
    disagreements,
    pair_view,
    ranked_pair,
)
from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods
from radcbir_core.evaluation.statistics.chance import CHANCE
from radcbir_core.evaluation.view import GalleryView

_Keys = tuple[EncoderKey, EncoderKey | None]


@dataclass(frozen=True)
class Pair:
    """Two encoders of an open collection.

    Attributes:
        collection: The collection.
        a: encoder_id of A.
        b: encoder_id of B, or ``"chance"``.
    """

    collection: Collection
    a: str
    b: str

    @property
    def by_chance(self) -> bool:
        """Whether B is chance."""
        return self.b == CHANCE

    @property
    def store(self) -> EncoderStore:
        """What A made of the collection."""
        return loaders.store(self.collection, self.a)

    @property
    def keys(self) -> _Keys:
        """What identifies both in the caches."""
        first = loaders.encoder_key(self.collection, self.a)
        return first, None if self.by_chance else loaders.encoder_key(self.collection, self.b)


def comparison(pair: Pair, protocol: Protocol) -> Result | None:
    """The comparison under a protocol, or None after drawing how to get it. Read-only.

    Raises:
        EvaluationError: The protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or older than the embeddings.
    """
    return runs.result(pair.collection, pair.a, Comparison(pair.b, protocol), what="This comparison")


def agreement(pair: Pair) -> Result | None:
    """How far the neighbor graphs of two encoders agree; B must not be chance. As :func:`comparison`."""
    return runs.result(pair.collection, pair.a, Neighborhoods(pair.b))


def parted(pair: Pair, protocol: Protocol, level: Level, k: int, label: str | None = None) -> Disagreements:
    """The queries of a level, or of one label, by who is right at k, once they are compared."""
    evaluation = Comparison(pair.b, protocol)
    result = runs.at_hand(pair.collection, pair.a, evaluation)
    return _parted(pair.keys, evaluation, level, k, label, pair.store, _result=result)


def rankings(pair: Pair, protocol: Protocol, level: Level, row: int, k: int) -> RankedPair:
    """One query's hits by both.

    Raises:
        QueryError: One of the two could not embed the query.
        EvaluationError: The protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or older than the embeddings.
    """
    evaluation = Comparison(pair.b, protocol)
    view = _view(pair.keys, evaluation, level, pair.store)
    return _rankings(pair.keys, evaluation, level, row, k, pair.store, _seen_in=view)


@st.cache_resource(max_entries=32, show_spinner="Sorting the queries…")
def _parted(
    keys: _Keys,  # noqa: ARG001 - keys are the cache's
    comparison: Comparison,
    level: Level,
    k: int,
    label: str | None,
    _store: EncoderStore,
    _result: Result | None,
) -> Disagreements:
    return disagreements(_store, comparison, level=level, k=k, label=label, result=_result)


@st.cache_resource(max_entries=4, show_spinner=False)
def _view(
    keys: _Keys,  # noqa: ARG001 - keys are the cache's
    comparison: Comparison,
    level: Level,
    _store: EncoderStore,
) -> GalleryView:
    return pair_view(_store, comparison, level)


@st.cache_resource(max_entries=64, show_spinner=False)
def _rankings(
    keys: _Keys,  # noqa: ARG001 - keys are the cache's
    comparison: Comparison,
    level: Level,
    row: int,
    k: int,
    _store: EncoderStore,
    _seen_in: GalleryView,
) -> RankedPair:
    return ranked_pair(_store, comparison, row, k=k, level=level, view=_seen_in)
