"""What the slides show of the open encoder: cases, hits, figures and mix-ups, computed once and remembered.

Owns the memory. Which cases are good ones to show is the core's (evaluation/presented_cases.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import Exclusion, default_exclusions
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.presented_cases import (
    Agreement,
    MixUps,
    OrdinaryCases,
    agreements,
    mix_ups,
    ordinary_cases,
    presented_failures,
    presented_precision,
)
from radcbir_core.evaluation.reports.mined_failures import MinedFailures
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.seen import Seen
from radcbir_core.search.narrowing import one_each
from radcbir_core.search.queries.query import EmbeddedQuery, RowQuery

OFFERED: Final = 12
"""So many cases are offered at most."""
SHOWN: Final = 6
"""So many hits are shown."""
_NOTHING = OrdinaryCases((), float("nan"))


def ordinary(opened: Opened) -> OrdinaryCases:
    """Ordinary cases; none where no image has a label, or where what they are chosen by is neither kept nor quick."""
    try:
        precision, _ = _evaluations(opened)
        result = runs.at_hand(opened.collection, opened.encoder_id, precision)
        return _NOTHING if result is None else _ordinary(_key(opened, precision), result, _store(opened))
    except RadcbirError:
        return _NOTHING  # what is wrong with the figures is said where these are shown


def offered(opened: Opened) -> list[int]:
    """The rows of the cases that are offered: ordinary ones, or where there are none, some of each kind."""
    rows = [case.row for case in ordinary(opened).cases]
    return rows or loaders.samples(opened.collection, OFFERED)


def figures(opened: Opened) -> Mapping[tuple[Level, int], Agreement] | None:
    """How often hits agree; None after drawing how to get to know it.

    Raises:
        RadcbirError: It cannot be computed.
    """
    precision, _ = _evaluations(opened)
    result = runs.result(opened.collection, opened.encoder_id, precision, what="How often similar images agree")
    return None if result is None else agreements(result)


def mixed_up(opened: Opened) -> MixUps | None:
    """The mix-ups; None after drawing how to get to know them.

    Raises:
        RadcbirError: They cannot be computed.
    """
    _, failures = _evaluations(opened)
    result = runs.result(opened.collection, opened.encoder_id, failures, what="How often findings are mixed up")
    return None if result is None else _mixed_up(_key(opened, failures), result, _store(opened))


def hits_of(opened: Opened, asked: int | EmbeddedQuery) -> list[int]:
    """The rows of the hits that are shown, one of each patient, as far as patients are known.

    Args:
        opened: The open collection.
        asked: The row of a case, or a sentence.

    Raises:
        RadcbirError: It cannot be searched with.
    """
    retriever = loaders.retriever(opened.collection, opened.encoder_id)
    query = RowQuery((asked,)) if isinstance(asked, int) else asked
    exclude = left_out_of_hits(opened) if isinstance(asked, int) else ()
    patients = loaders.clusters(opened.collection, opened.encoder_id)
    found = one_each(lambda k: retriever.search(query, k=k, exclude=exclude), patients, k=SHOWN)
    return [int(hit) for hit in found.answer.rows()]


def left_out_of_hits(opened: Opened) -> tuple[Exclusion, ...]:
    """What a case may not return."""
    return default_exclusions(_store(opened))


def seen_by(opened: Opened) -> Seen:
    """What the encoder has seen in training of the collection."""
    return loaders.seen(opened.collection, opened.encoder_id)


def counts_seen(opened: Opened) -> bool:
    """Whether the figures are of images that were seen in training, because there are no others."""
    precision, _ = _evaluations(opened)
    return precision.protocol.seen == "count"


def has_pathologies(opened: Opened) -> bool:
    """Whether any image says what it shows."""
    return bool(loaders.facts(opened.collection).pathologies)


def label_counts(opened: Opened) -> dict[str, int]:
    """How many images have each full label, the most frequent first."""
    return _label_counts(loaders.encoder_key(opened.collection, opened.encoder_id))


def _store(opened: Opened) -> EncoderStore:
    return loaders.store(opened.collection, opened.encoder_id)


def _key(opened: Opened, evaluation: Precision | MinedFailures) -> Hashable:
    return runs.key_of(opened.collection, opened.encoder_id, evaluation)


def _evaluations(opened: Opened) -> tuple[Precision, MinedFailures]:
    seen = loaders.seen(opened.collection, opened.encoder_id).identity
    return _chosen(loaders.encoder_key(opened.collection, opened.encoder_id), *seen, _store=_store(opened))


@st.cache_resource(max_entries=8, show_spinner=False)
def _chosen(key: EncoderKey, *seen: str, _store: EncoderStore) -> tuple[Precision, MinedFailures]:  # noqa: ARG001 - the key is the cache's
    return presented_precision(_store), presented_failures(_store)


@st.cache_resource(max_entries=8, show_spinner="Choosing cases…")
def _ordinary(key: Hashable, _result: Result, _store: EncoderStore) -> OrdinaryCases:  # noqa: ARG001 - likewise
    return ordinary_cases(_result, _store, most=OFFERED)


@st.cache_resource(max_entries=8, show_spinner="Choosing mix-ups…")
def _mixed_up(key: Hashable, _result: Result, _store: EncoderStore) -> MixUps:  # noqa: ARG001 - likewise
    return mix_ups(_result, _store)


@st.cache_data(max_entries=8, show_spinner=False)
def _label_counts(key: EncoderKey) -> dict[str, int]:
    return loaders.collection_by(key.collection).manifest.labels("label").counts()
