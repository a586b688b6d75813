"""The query on the map: where it is, or is put, how far that can be trusted, and where its hits are.

Owns which query it is: what was asked last on Retrieval, or what the URL says; and the box for a sentence. An image of
the collection is where the map has it. Any other query is put in the middle of its nearest images, without moving
anything; where that is, is the core's business.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.text import literal
from pages.parts.images import asked_last, embedded_texts
from pages.parts.images.asked_last import IN_SESSION, AskedLast
from pages.parts.images.embedded_texts import LINK_CHARACTERS, text_query
from pages.parts.map import map_data
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.projection.placing import place
from radcbir_core.search.queries.query import EmbeddedQuery
from radcbir_core.search.queries.text import text_encoders

_LATEST: Final = "radcbir:map-query"
_EMBEDDED: Final = "radcbir:map-query-embedded"
_PUT: Final = "radcbir:map-query-put"
_MOST_PUT: Final = 8
_BOX: Final = "radcbir:map-text"
_NAMES: Final = ("image", "text", "query")
_SPARE: Final = 35
"""So many hits are asked for beyond those of a neighborhood, for those that have no place on the map."""
_SHOWN_CHARACTERS: Final = 80

Place = tuple[float, ...]


@dataclass(frozen=True)
class Query:
    """A query on the map.

    Attributes:
        name: What it is called.
        place: Where it is; None where it has no place.
        hits: The places of its hits, by rank; None for one that has none.
        trust: The share of its nearest images that are its nearest on the map; NaN where that is not known.
        is_placed: Whether it was put among its nearest images, and not laid out with all others.
        reason: Why it has no place, where that is known; a sentence.
    """

    name: str
    place: Place | None
    hits: tuple[Place | None, ...] = ()
    trust: float = float("nan")
    is_placed: bool = False
    reason: str = ""

    @property
    def trusted(self) -> str:
        """How far its place can be trusted, in two words; "" where that is not known."""
        return "" if np.isnan(self.trust) else f"{'trust' if self.is_placed else 'preservation'} {self.trust:.2f}"


def follow_retrieval(collection: str) -> None:
    """Take over what was asked elsewhere since the last visit; else the URL holds. For the beginning of a run."""
    latest = state.query(collection)
    if latest != st.session_state.get(_LATEST, {}):
        st.session_state[_LATEST] = latest
        state.update(**{**dict.fromkeys(_NAMES), **latest})


def named() -> dict[str, str]:
    """How the URL names the query: by ``image``, ``text`` or ``query``; empty where there is none."""
    for name in _NAMES:
        value = state.get(name)
        if value is not None:
            return {name: value}
    return {}


def to_retrieval(asked: Mapping[str, str], **parameters: Sequence[str]) -> dict[str, list[str]]:
    """The URL of the hits of a query; of one of the session, where Retrieval was left.

    Args:
        asked: How the URL names it.
        **parameters: Further ones.
    """
    before = state.left_at("retrieval") if "query" in asked else {}
    return {**before, **state.parameters_for(**{name: asked[name] for name in asked if name != "query"}, **parameters)}


def waits(opened: OpenedMap) -> bool:
    """Whether the query of the URL has a place on a map only once the map's encoder is loaded, which takes seconds."""
    asked, collection, encoder_id = named(), opened.collection, opened.encoder_id
    if "image" in asked or loaders.has_encoder(collection, encoder_id):
        return False
    if "text" in asked:
        return encoder_id in text_encoders(collection)
    kept = asked_last.recall(collection.name, asked) if asked else None
    return kept is not None and kept.embedded is not None and loaders.version(collection, encoder_id) != kept.version


def current(opened: OpenedMap, where: Mapping[str, Sequence[str]]) -> Query | None:
    """The query of the URL on a map; None where there is none.

    Its hits are those that Retrieval showed, where it was asked there under this filter; else those that Retrieval
    shows where nobody has chosen otherwise.

    Args:
        opened: The map.
        where: The filter, which its hits pass.
    """
    asked = named()
    if not asked:
        return None
    with shell.errors_shown():
        kept = asked_last.recall(opened.collection.name, asked)
        if "image" in asked:
            return _of_image(opened, asked["image"], where, kept)
        if "text" in asked and opened.encoder_id not in text_encoders(opened.collection):
            reason = f"{opened.encoder_id} has no text tower and compares images only."
            return Query(_quoted(asked["text"]), None, reason=reason)
        if "text" in asked:
            embedded = text_query(opened.collection, opened.encoder_id, asked["text"])
            return _placed(opened, _quoted(asked["text"]), embedded, where, kept)
        if kept is not None and kept.embedded is not None:
            return _placed(opened, kept.name, _embedded(opened, kept, kept.embedded), where, kept)
    return None


def draw_box(opened: OpenedMap, query: Query | None) -> None:
    """The box for a sentence where the encoder reads text, and what can be done with the query that there is.

    Args:
        opened: The map.
        query: As :func:`current` gives it.
    """
    asked = named()
    if opened.encoder_id in text_encoders(opened.collection):
        st.session_state[_BOX] = asked.get("text", "")
        st.text_input(
            "Place a sentence",
            key=_BOX,
            placeholder="in words, then Enter",
            on_change=lambda: _use_text(st.session_state[_BOX]),
            help="It is put in the middle of its nearest images, with lines to its hits. Nothing else moves.",
        )
        if query is not None and "text" in asked and (said := embedded_texts.said_of(opened.collection, asked["text"])):
            st.caption(literal(said))
    if asked.get("query") not in (None, IN_SESSION):
        state.report("query", asked["query"], [IN_SESSION], then="It is left out")
    elif "query" in asked and asked_last.recall(opened.collection.name, asked) is None:
        st.info(
            "The query of this address, an upload, a changed picture or a composed query, is in the memory of the "
            "session that asked it, and in no link of the Map. Ask it on Retrieval.",
            icon=":material/image_search:",
        )
    if not asked:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="radcbir-map-query"):
        if query is not None:
            trust = f" :gray[{query.trusted}]" if query.trusted else ""
            st.markdown(f"**{literal(query.name)}**{trust}", width="content")
            st.page_link(
                "pages/retrieval.py",
                label="Its hits",
                icon=":material/image_search:",
                query_params=to_retrieval(asked, where=state.get_all("where")),
            )
        st.button(
            "Take it off",
            key="radcbir:no-map-query",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs=dict.fromkeys(_NAMES),
            help="The map without the query",
        )


def said_of(query: Query, *, neighbors: int) -> str:
    """What is drawn of a query, in words; plain text.

    Args:
        query: On the map.
        neighbors: How many images make a neighborhood there.

    Example:
        >>> said_of(Query("a", (0.0, 0.0), ((1.0, 1.0), None), 0.5), neighbors=15)
        'The ring is the query a (preservation 0.50); the lines go to its first 1 hits, by rank.'
        >>> said_of(Query("a", None), neighbors=15)
        'The query a has no place on the map.'
    """
    if query.place is None:
        return f"The query {query.name} has no place on the map. {query.reason}".strip()
    placed = sum(place is not None for place in query.hits)
    lines = f"; the lines go to its first {placed} hits, by rank" if placed else ""
    if not query.is_placed:
        trust = f" ({query.trusted})" if query.trusted else ""
        return f"The ring is the query {query.name}{trust}{lines}."
    trust = f" Trust {query.trust:.2f}: the share of these that are among its {neighbors} nearest on the map."
    return f"The ring is {query.name}, put in the middle of its {neighbors} nearest images{lines}.{trust}"


def _use_text(text: str) -> None:
    state.update(image=None, query=None, text=text.strip()[:LINK_CHARACTERS])


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f"“{text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + '…'}”"


def _of_image(
    opened: OpenedMap, image_id: str, where: Mapping[str, Sequence[str]], kept: AskedLast | None
) -> Query | None:
    row = opened.collection.manifest.row_of(image_id)
    at = _place(opened, row)
    if at is None:
        return Query(image_id, None)
    rows = _hits(opened, row, where, kept, known=True)
    preservation = float(opened.places["preservation"].iloc[row])
    return Query(image_id, at, tuple(_place(opened, hit) for hit in rows), preservation)


def _placed(
    opened: OpenedMap,
    name: str,
    embedded: EmbeddedQuery,
    where: Mapping[str, Sequence[str]],
    kept: AskedLast | None,
) -> Query:
    """A query from outside: among its nearest images, whatever the filter lets through."""
    at, trust = _put(opened, embedded)
    if at is None:
        return Query(name, None, is_placed=True)
    rows = _hits(opened, embedded, where, kept, known=embedded.query.known != "never")
    return Query(name, at, tuple(_place(opened, hit) for hit in rows), trust, is_placed=True)


def _put(opened: OpenedMap, embedded: EmbeddedQuery) -> tuple[Place | None, float]:
    """Where a query from outside is put, and how far that is trusted; the last few are remembered in the session.

    To tell how far it is trusted, all places are looked at: .07 s for 1.6 million, which a click on the map need not
    wait for.
    """
    key = (opened.key, blake2b(embedded.vectors.tobytes(), digest_size=16).digest())
    known: dict[Hashable, tuple[Place | None, float]] = st.session_state.setdefault(_PUT, {})
    if key not in known:
        neighbors = opened.neighbors
        answer = loaders.retriever(opened.collection, opened.encoder_id).search(embedded, k=neighbors + _SPARE)
        found = place(
            answer.rows()[None],
            answer.similarities()[None],
            coordinates=map_data.coordinates(opened),
            n_neighbors=neighbors,
        )
        at = None if np.isnan(found.coordinates).any() else tuple(found.coordinates[0].tolist())
        known[key] = (at, float(found.trust[0]))
        while len(known) > _MOST_PUT:
            del known[next(iter(known))]
    return known[key]


def _hits(
    opened: OpenedMap, query: Any, where: Mapping[str, Sequence[str]], kept: AskedLast | None, *, known: bool
) -> Sequence[int]:
    """The rows of its hits: those that Retrieval showed, or would show."""
    if kept is not None and kept.encoder_id == opened.encoder_id and dict(kept.where) == dict(where):
        return kept.rows
    store = loaders.store(opened.collection, opened.encoder_id)
    exclude = ["duplicate", *default_exclusions(store)] if known else []
    retriever = loaders.retriever(opened.collection, opened.encoder_id)
    found: list[int] = retriever.search(query, k=state.DEFAULT_K, where=where, exclude=exclude).rows().tolist()
    return found


def _embedded(opened: OpenedMap, kept: AskedLast, embedded: EmbeddedQuery) -> EmbeddedQuery:
    """A query of the session by the map's encoder, which may be another than the one that it was asked by."""
    version = loaders.version(opened.collection, opened.encoder_id)
    if version == kept.version:
        return embedded
    known: dict[tuple[str, str], tuple[EmbeddedQuery, EmbeddedQuery]] = st.session_state.setdefault(_EMBEDDED, {})
    if version not in known or known[version][0] is not embedded:
        loaders.encoder(opened.collection, opened.encoder_id)  # here it is said that it is being loaded
        made = loaders.retriever(opened.collection, opened.encoder_id).embed(embedded.query)
        known[version] = (embedded, made)
    return known[version][1]


def _place(opened: OpenedMap, row: int) -> Place | None:
    at = map_data.coordinates(opened)[row]
    return None if np.isnan(at).any() else tuple(at.tolist())
