"""What is added to the query: further images, sentences, and marks on hits; listed, weighted, taken back.

Owns the panel, the URL parameters ``add`` (repeated, a step each, in their order) and ``rocchio`` (the weights of
marks), and what was there before each change, which can be undone while the session lasts. What a composed query is, is
the core's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Literal

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup, message
from pages.parts.images import gallery, pictures
from pages.parts.images.asked_last import IN_SESSION
from pages.parts.images.embedded_texts import said_of, text_query
from pages.parts.retrieval.query_panel import Asked
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import QueryError, RadcbirError
from radcbir_core.search.queries.composition import CLASSIC, LARGEST_WEIGHT, Composition, Rocchio, Step
from radcbir_core.search.queries.query import EmbeddedQuery, Query
from radcbir_core.search.queries.text import text_encoders
from radcbir_core.wording import counted

_KEY: Final = "radcbir:composing"
_BEFORE: Final = f"{_KEY}:before"
_SAID: Final = f"{_KEY}:said"
_MOST_UNDONE: Final = 50

WORDS_WEIGHT: Final = 2.0
"""The weight of words when they are added: by figures (docs/composed-queries.md)."""

_SIGNS: Final = {"like": "+", "unlike": "−"}


def show(opened: Opened, asked: Asked) -> Asked | None:
    """Draw what is added to a query; it with that, or as it was where nothing is. None where it cannot be asked."""
    composition = _read(opened.collection)
    with asked.room or st.container():
        _panel(opened, composition)
    if not composition.steps and composition.weights == CLASSIC:
        return asked
    with shell.errors_shown():
        return _composed(opened, asked, composition)
    return None


def mark(image_id: str, kind: Literal["like", "unlike"]) -> None:
    """Mark a hit as like this, or as not like that; a callback."""
    _add(Step(kind, image_id))


def _read(collection: Collection) -> Composition:
    """What the URL says; what does not exist is reported and left out."""
    composition = Composition()
    for word in state.get_all("add"):
        try:
            step = Step.of(word)
            if step.kind != "text":
                collection.manifest.row_of(step.value)
            composition = composition.with_step(step)
        except RadcbirError as error:
            st.warning(f"{message(str(error))} It is left out.")
    try:
        return replace(composition, weights=Rocchio.of(state.get("rocchio") or CLASSIC.word))
    except QueryError as error:
        st.warning(f"{message(str(error))} These are used instead.")
        return composition


def _now() -> Composition:
    """What the URL says, for a callback: without what does not exist, silently, since it was reported."""
    composition = Composition()
    for word in state.get_all("add"):
        try:
            composition = composition.with_step(Step.of(word))
        except QueryError:
            continue
    try:
        return replace(composition, weights=Rocchio.of(state.get("rocchio") or CLASSIC.word))
    except QueryError:
        return composition


def _write(composition: Composition) -> None:
    before: list[dict[str, list[str]]] = st.session_state.setdefault(_BEFORE, [])
    before.append({name: st.query_params.get_all(name) for name in ("add", "rocchio")})
    del before[:-_MOST_UNDONE]
    state.update(**_parameters(composition))


def _parameters(composition: Composition) -> dict[str, list[str] | str | None]:
    usual = composition.weights == CLASSIC
    return {"add": composition.words, "rocchio": None if usual else composition.weights.word}


def _undo() -> None:
    """What was there before the last change; of a link that was opened, all but its last step."""
    before = st.session_state.get(_BEFORE, [])
    if before:
        state.update(**before.pop())
    else:
        composition = _now()
        state.update(**_parameters(replace(composition, steps=composition.steps[:-1])))


def _add(step: Step) -> None:
    try:
        _write(_now().with_step(step))
    except QueryError as error:
        st.session_state[_SAID] = str(error)


def _composed(opened: Opened, asked: Asked, composition: Composition) -> Asked:
    """The composed query, with its vectors; sentences and the query itself are not embedded again."""
    collection, encoder_id = opened.collection, opened.encoder_id
    made: list[EmbeddedQuery] = [] if asked.embedded is None else [asked.embedded]

    def read(sentence: str) -> Query:
        made.append(text_query(collection, encoder_id, sentence))
        return made[-1].query

    query = composition.query(asked.query, collection, sentence=read)
    retriever = loaders.retriever(collection, encoder_id)
    embedded = retriever.embed(query, made=made)
    # Beside which hits move: the query as it was, where it can be asked whatever the composed one can be.
    alone = asked.query.known != "never" and composition.weights.query > 0
    unchanged = asked.unchanged or asked.embedded or (retriever.embed(asked.query) if alone else None)
    state.set_query(collection.name, query=IN_SESSION)
    return replace(
        asked,
        query=embedded.query,
        name=f"{asked.name}, composed",
        link={"query": IN_SESSION},
        embedded=embedded,
        unchanged=unchanged if alone else None,
        afterwards=None,  # what is said of a sentence by itself is not true of these hits
        alone=asked.alone or asked.query,
    )


def _panel(opened: Opened, composition: Composition) -> None:
    number = len(composition.steps)
    title = f"Composed of {counted(number, 'step')}" if number else "Add to the query"
    with st.expander(title, expanded=bool(number), icon=":material/join_inner:", key=f"{_KEY}:panel:{bool(number)}"):
        if said := st.session_state.pop(_SAID, None):
            shell.show_error(said)
        for at, step in enumerate(composition.steps):
            _draw_step(opened.collection, composition, at, step)
        if number or composition.weights != CLASSIC:
            _weights(composition)
        can_undo = bool(st.session_state.get(_BEFORE)) or bool(number)
        if can_undo:
            with st.container(horizontal=True, gap="small"):
                st.button("Undo", key=f"{_KEY}:undo", icon=":material/undo:", on_click=_undo)
                if number:
                    st.button(
                        "Start over",
                        key=f"{_KEY}:over",
                        icon=":material/close:",
                        on_click=_write,
                        args=(Composition(),),
                    )
        _fields(opened)
        st.caption(
            "Marks are set on hits: by **Like this** and **Not like that**, or by the keys + and − on a card. Of every "
            "image in the query the same is left out of the hits as of the query itself."
        )


def _draw_step(collection: Collection, composition: Composition, at: int, step: Step) -> None:
    weight = composition.weight_of(step)
    sign = _SIGNS["like" if weight >= 0 else "unlike"]
    source = ""
    if step.kind != "text":
        row = collection.manifest.row_of(step.value)
        labels = gallery.said_of(gallery.labels_of(collection, row))
        small = pictures.small(collection, row, labels)
        source = f'<img src="{small}" alt="{markup(", ".join(filter(None, labels)))}">' if small else ""
        said = ", ".join(filter(None, labels)) or "not labeled"
    else:
        said = " · ".join(filter(None, [f"“{step.value}”", said_of(collection, step.value)]))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False, key=f"{_KEY}:step:{at}"):
        st.html(
            f'<div class="radcbir-step" title="{markup(step.value)}"><b>{sign}</b>{source}<span>{markup(said)} '
            f"<small>{weight:+.2f}</small></span></div>",
            width="stretch",
        )
        st.button(
            "Take out",
            key=f"{_KEY}:out:{at}",
            icon=":material/close:",
            type="tertiary",
            help=f"Take out {literal(step.value[:80])}",
            on_click=_write,
            args=(composition.without(step),),
        )
    if not step.is_mark:
        _slider(
            "Weight",
            key=f"{_KEY}:weight:{at}",
            low=-LARGEST_WEIGHT,
            value=step.weight,
            keep=lambda value: _write(composition.with_step(replace(step, weight=value))),
            label_visibility="collapsed",
        )


def _weights(composition: Composition) -> None:
    weights = composition.weights
    marked = set(composition.marks().values())
    for field, label, shown in (
        ("query", "α: the query itself", True),
        ("like", "β: mean of what is like this", "like" in marked),
        ("unlike", "γ: mean of what is not like that", "unlike" in marked),
    ):
        if shown:
            _slider(
                label,
                key=f"{_KEY}:{field}",
                low=0.0,
                value=getattr(weights, field),
                keep=partial(_weigh, composition, field),
                help="A weight of 1 is one standard deviation of the similarity over the collection, of images and of "
                "words alike. Rocchio's usual weights are α = 1, β = 0.75, γ = 0.15.",
            )


def _weigh(composition: Composition, field: str, value: float) -> None:
    _write(replace(composition, weights=replace(composition.weights, **{field: value})))


def _slider(
    label: str,
    *,
    key: str,
    low: float,
    value: float,
    keep: Callable[[float], None],
    help: str | None = None,  # noqa: A002 - as Streamlit calls it
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> None:
    st.session_state[key] = float(value)
    st.slider(
        label,
        low,
        LARGEST_WEIGHT,
        step=0.05,
        format="%.2f",
        key=key,
        on_change=lambda: keep(round(st.session_state[key], 2)),
        help=help,
        label_visibility=label_visibility,
    )


def _fields(opened: Opened) -> None:
    """Where words and images are added."""
    sign = f"{_KEY}:sign"
    st.session_state.setdefault(sign, "like")
    st.segmented_control(
        "What is added is",
        list(_SIGNS),
        key=sign,
        format_func=lambda kind: f"{_SIGNS[kind]} {'wanted' if kind == 'like' else 'not wanted'}",
        label_visibility="collapsed",
        width="stretch",
    )
    words, image = f"{_KEY}:words", f"{_KEY}:image"

    def add(kind: Literal["image", "text"], key: str, weight: float) -> None:
        value = " ".join(st.session_state[key].split())
        st.session_state[key] = ""
        if not value:
            return
        signed = -weight if st.session_state.get(sign) == "unlike" else weight
        try:
            if kind == "image":
                opened.collection.manifest.row_of(value)
            _add(Step.of(Step(kind, value, signed).word))
        except RadcbirError as error:
            st.session_state[_SAID] = str(error)

    if opened.encoder_id in text_encoders(opened.collection):
        st.text_input(
            "Add words",
            key=words,
            placeholder="with hemorrhage, then Enter",
            on_change=add,
            args=("text", words, WORDS_WEIGHT),
        )
    else:
        st.caption("This encoder has no text tower: words cannot be added.")
    st.text_input(
        "Add an image", key=image, placeholder="its image_id, then Enter", on_change=add, args=("image", image, 1.0)
    )
