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
from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation import PAPER, Protocol
from radcbir_core.evaluation.reports.comparing import Comparison, compare, kept_comparison
from radcbir_core.evaluation.reports.disagreements import Disagreements, RankedPair, disagreements, ranked_pair
from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods, neighborhoods
from radcbir_core.evaluation.statistics.chance import CHANCE

_Stores = tuple[EncoderStore, EncoderStore | None]
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
    def stores(self) -> _Stores:
        """What both made of the collection; None for chance."""
        first = loaders.store(self.collection, self.a)
        return first, None if self.by_chance else loaders.store(self.collection, self.b)

    @property
    def keys(self) -> _Keys:
        """What identifies both in the caches."""
        first = loaders.encoder_key(self.collection, self.a)
        return first, None if self.by_chance else loaders.encoder_key(self.collection, self.b)


def comparison(pair: Pair, protocol: Protocol) -> Comparison | None:
    """The comparison under a protocol, or None after drawing how to get it. Read-only.

    Raises:
        EvaluationError: The protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or older than the embeddings.
    """
    a, b = pair.stores
    return runs.result(
        runs.Work(
            what="This comparison",
            key=("compare", pair.keys, protocol),
            read=lambda: kept_comparison(a, b, protocol),
            compute=lambda **told: compare(a, b, protocol, **told),
            # Two encoders are evaluated; what all protocols but the paper's need is in the neighbor graphs.
            quick=len(pair.collection) <= (2 if protocol.name == PAPER else 25) * runs.QUICK_IMAGES,
        )
    )


def parted(pair: Pair, protocol: Protocol, level: Level, k: int, label: str | None = None) -> Disagreements:
    """The queries of a level, or of one label, by who is right at k, once they are compared."""
    return _parted(pair.keys, protocol, level, k, label, pair.stores)


def rankings(pair: Pair, protocol: Protocol, level: Level, row: int, k: int) -> RankedPair:
    """One query's hits by both.

    Raises:
        QueryError: One of the two could not embed the query.
        EvaluationError: The protocol cannot be run on this collection.
        StaleError: A neighbor graph is missing or older than the embeddings.
    """
    return _rankings(pair.keys, protocol, level, row, k, pair.stores)


def agreement(pair: Pair) -> Neighborhoods:
    """How far the neighbor graphs of two encoders agree; B must not be chance. Raises as :func:`comparison`."""
    return _agreement(pair.keys, pair.stores)


@st.cache_resource(max_entries=32, show_spinner="Sorting the queries…")
def _parted(
    keys: _Keys,  # noqa: ARG001 - keys are the cache's
    protocol: Protocol,
    level: Level,
    k: int,
    label: str | None,
    _stores: _Stores,
) -> Disagreements:
    return disagreements(*_stores, compare(*_stores, protocol), level=level, k=k, label=label)


@st.cache_resource(max_entries=64, show_spinner=False)
def _rankings(
    keys: _Keys,  # noqa: ARG001 - keys are the cache's
    protocol: Protocol,
    level: Level,
    row: int,
    k: int,
    _stores: _Stores,
) -> RankedPair:
    return ranked_pair(*_stores, row, k=k, protocol=protocol, level=level)


@st.cache_resource(max_entries=8, show_spinner="Comparing the neighborhoods…")
def _agreement(keys: _Keys, _stores: _Stores) -> Neighborhoods:  # noqa: ARG001 - keys are the cache's
    first, second = _stores
    if second is None:
        raise ValueError("Expected two encoders, but B = chance. Neighborhoods of chance are computed, not compared.")
    return neighborhoods(first, second)
