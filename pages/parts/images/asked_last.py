"""The query that was asked last on Retrieval, with its hits, for other pages that show it too.

Owns it, in the memory of the session that asked. An image of the collection and a sentence have a name that a link can
hold; an upload and a changed picture have none, and a link says only that the session has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from radcbir_core.search.queries.query import EmbeddedQuery

IN_SESSION: Final = "session"
"""The value of ``query`` in the URL of a query that no link can hold."""

_KEPT: Final = "radcbir:asked-last"


@dataclass(frozen=True)
class AskedLast:
    """A query and its hits.

    Attributes:
        collection: Where it was asked.
        encoder_id: By which encoder its hits were found.
        parameters: How a URL names it: ``image``, ``text`` or ``query``.
        name: What people call it.
        where: The filter that its hits have passed.
        rows: Of its hits, best first.
        embedded: With the vectors of ``version``; None of an image of the collection.
        version: What made the vectors.
    """

    collection: str
    encoder_id: str
    parameters: Mapping[str, str]
    name: str
    where: Mapping[str, Sequence[str]]
    rows: tuple[int, ...]
    embedded: EmbeddedQuery | None
    version: tuple[str, str]


def keep(asked: AskedLast) -> None:
    """Remember a query; the one before is forgotten."""
    st.session_state[_KEPT] = asked


def forget() -> None:
    """Let go of it, as when an upload is removed."""
    st.session_state.pop(_KEPT, None)


def recall(collection: str, parameters: Mapping[str, str]) -> AskedLast | None:
    """The query that a URL names, if it is the one that was asked last in this session.

    Args:
        collection: The open collection.
        parameters: How the URL names it.
    """
    kept: AskedLast | None = st.session_state.get(_KEPT)
    if kept is None or kept.collection != collection or dict(kept.parameters) != dict(parameters):
        return None
    return kept
