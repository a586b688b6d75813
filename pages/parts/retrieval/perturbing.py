"""The query, perturbed before it is searched with: what is done to it, how it looks then, and how its hits move.

Owns these controls and their URL parameter ``perturb`` (repeated; ``rotate:15``). What can be done to an image, and in
which order, is the core's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st
from PIL import Image

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.loaders import CollectionKey, EncoderKey
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup
from pages.parts.images import gallery
from radcbir_core.errors import QueryError
from radcbir_core.evaluation.metrics.overlap import overlap_by_depth
from radcbir_core.images import DecodedImage
from radcbir_core.perturbations.kinds import KINDS, Kind, Perturbation, perturbations_of, perturbed
from radcbir_core.search.query import EmbeddedQuery, ImageQuery, PerturbedQuery, RowQuery
from radcbir_core.search.retriever import Answer

PARAMETER: Final = "perturb"

_KEPT: Final = "radcbir:perturbed-upload"
_SIDE: Final = 720


def of_row(opened: Opened, row: int) -> EmbeddedQuery | None:
    """Draw the controls for an image of the collection, and the perturbed image; None where nothing is done to it."""
    chosen = _choose(opened)
    if not chosen:
        return None
    collection, texts = opened.collection, tuple(one.text for one in chosen)
    with shell.errors_shown():
        _draw_picture(_preview(loaders.collection_key(collection), row, texts), chosen)
        loaders.encoder(collection, opened.encoder_id)  # here it is said that it is being loaded
        return _embedded(loaders.encoder_key(collection, opened.encoder_id), row, texts)
    return None


def of_upload(opened: Opened, image: DecodedImage, *, sha256: str) -> EmbeddedQuery | None:
    """As :func:`of_row`, for an image from outside; it stays in the session of whoever uploaded it."""
    chosen = _choose(opened)
    if not chosen:
        return None
    with shell.errors_shown():
        _draw_picture(_small_png(perturbed(image.pixels, chosen)), chosen)
        collection, encoder_id = opened.collection, opened.encoder_id
        key = (sha256, image.frame, chosen, loaders.encoder_key(collection, encoder_id))
        kept = st.session_state.get(_KEPT)
        if kept is None or kept[0] != key:
            query = PerturbedQuery(ImageQuery(image.pixels, sha256), chosen)
            kept = (key, loaders.retriever(collection, encoder_id).embed(query))
            st.session_state[_KEPT] = kept
        made: EmbeddedQuery = kept[1]
        return made
    return None


def say_overlap(before: Answer, after: Answer, *, k: int, summary: str) -> None:
    """Say how many of the hits stayed.

    Args:
        before: The hits of the query as it is.
        after: Those of the perturbed query.
        k: How many were asked for.
        summary: What the hits before add up to, as HTML.
    """
    number = min(k, len(before), len(after))
    if not number:
        return
    stayed = int(overlap_by_depth(before.hits.rows[:, :number], after.hits.rows[:, :number])[0, -1])
    cosine = float(before.query.vectors[0] @ after.query.vectors[0])
    first = "the first is the same" if before.rows()[0] == after.rows()[0] else "another one is first"
    st.html(
        f'<p class="radcbir-summary">Perturbed: <b>{stayed} of {number}</b> hits stayed (overlap@{number} '
        f"{stayed / number:.2f}), {first}, {number - stayed} new. Similarity to the query as it is {cosine:.3f}."
        f"<br><small>As it is: {summary}</small></p>"
    )


def notes_on(before: Answer, after: Answer) -> list[str]:
    """What is said below each hit of a perturbed query: that it is new, or which rank it had before."""
    ranks = {row: rank for rank, row in enumerate(before.rows().tolist(), start=1)}
    return [f"was {ranks[row]}" if row in ranks else "new" for row in after.rows().tolist()]


def _choose(opened: Opened) -> tuple[Perturbation, ...]:
    """Draw what can be done to the query; what is to be done."""
    asked = _asked()
    if loaders.store(opened.collection, opened.encoder_id).imported and not asked:
        return ()  # there is no encoder that could look at the perturbed image
    key = "radcbir:perturb"
    st.session_state[key] = [one.name for one in asked]

    def keep() -> None:
        names = st.session_state[key]
        kept = {one.name: one.text for one in asked}
        new = [kept.get(name) or Perturbation(name, KINDS[name].usual).text for name in KINDS if name in names]
        state.update(**{PARAMETER: new})

    st.multiselect(
        "Perturb the query",
        list(KINDS),
        placeholder="as it is",
        key=key,
        on_change=keep,
        format_func=lambda name: KINDS[name].title,
        help="What the encoder sees instead, and how the hits move. Done in this order.  \n"
        + "  \n".join(f"**{kind.title}**: {kind.about}" for kind in KINDS.values()),
    )
    for one in asked:
        if not one.kind.is_switch:
            _choose_strength(one, asked)
    return tuple(one for one in asked if one.strength != one.kind.neutral)


def _choose_strength(one: Perturbation, asked: Sequence[Perturbation]) -> None:
    kind, key = one.kind, f"radcbir:perturb:{one.name}"
    st.session_state[key] = float(one.strength)

    def keep() -> None:
        changed = Perturbation(one.name, float(st.session_state[key]))
        state.update(**{PARAMETER: [(changed if other.name == one.name else other).text for other in asked]})

    st.slider(
        _title(kind),
        min_value=float(kind.low),
        max_value=float(kind.high),
        step=float(kind.step),
        key=key,
        on_change=keep,
        format="%g",
        help=f"{kind.about} {kind.neutral:g} changes nothing.",
    )


def _title(kind: Kind) -> str:
    return f"{kind.title}, {kind.unit}" if kind.unit else kind.title


def _asked() -> tuple[Perturbation, ...]:
    """What the URL asks for; what cannot be is said and left out."""
    given: dict[str, str] = {}
    for text in state.get_all(PARAMETER):
        try:
            one = Perturbation.of(text)
        except QueryError as error:
            st.warning(literal(f"{error} It is left out."))
            continue
        given[one.name] = one.text  # of two of a kind the last, as of every parameter that is there twice
    return perturbations_of(given.values())


def _draw_picture(source: bytes, chosen: Sequence[Perturbation]) -> None:
    said = ", ".join(one.said for one in chosen)
    gallery.picture(source, f"Perturbed query: {said}", key="query-perturbed")
    st.html(f'<p class="radcbir-query">What the encoder sees: {markup(said)}</p>')


@st.cache_resource(max_entries=256, show_spinner=False)
def _embedded(key: EncoderKey, row: int, texts: tuple[str, ...]) -> EmbeddedQuery:
    return loaders.retriever_by(key).embed(PerturbedQuery(RowQuery((row,)), perturbations_of(texts)))


@st.cache_data(max_entries=64, show_spinner=False)
def _preview(key: CollectionKey, row: int, texts: tuple[str, ...]) -> bytes:
    query = PerturbedQuery(RowQuery((row,)), perturbations_of(texts))
    return _small_png(query.pixels(loaders.collection_by(key))[0])


def _small_png(pixels: np.ndarray) -> bytes:
    """The image at a size to look at beside others."""
    small = Image.fromarray(pixels)
    small.thumbnail((_SIDE, _SIDE))
    return gallery.png(np.asarray(small))
