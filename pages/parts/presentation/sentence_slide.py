"""The slide on which a sentence asks: some to click, a box for one's own, and its hits with what they show.

Owns it. A sentence is read as on Retrieval, and as there it is said where it does no better than nonsense.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import embedded_texts
from pages.parts.images.gallery import Labels
from pages.parts.presentation import plain_words, shown_cases, slide_pieces
from pages.parts.presentation.slide_pieces import Said
from radcbir_core.errors import RadcbirError
from radcbir_core.search.language.example_sentences import example_sentences
from radcbir_core.search.language.nonsense import Standing
from radcbir_core.search.language.sentence_query import EmbeddedSentence

_OFFERED: Final = 5
_BOX: Final = "radcbir:slide-sentence"


def draw(opened: Opened, row: int) -> None:  # noqa: ARG001 - every slide is drawn of a case
    """Draw the sentences, and the hits of the one that is asked."""
    slide_pieces.heading("Ask in words", "The computer has learned which images and words go together.")
    examples = example_sentences(shown_cases.label_counts(opened), most=_OFFERED)
    text = state.get("text")
    asking, answering = st.container(key="radcbir-slide-words").columns([1, 2], gap="large")
    with asking:
        for number, example in enumerate(examples):
            st.button(
                literal(example.sentence),
                key=f"{_BOX}:{number}",
                icon=":material/check:" if text == example.sentence else None,
                on_click=state.update,
                kwargs={"text": example.sentence},
                shortcut=str(number + 1),
                width="stretch",
                wrap=True,
            )
        st.session_state[_BOX] = text or ""
        st.text_input(
            "In your own words",
            key=_BOX,
            max_chars=embedded_texts.LINK_CHARACTERS,
            placeholder="in your own words, then Enter",
            label_visibility="collapsed",
            on_change=lambda: state.update(text=st.session_state[_BOX].strip()),
        )
    with answering:
        if text is None:
            slide_pieces.message("Click a sentence, or write one.")
            return
        meant = next(
            (Labels(one.modality, one.anatomy, (one.pathology,)) for one in examples if one.sentence == text), None
        )
        try:
            asked = embedded_texts.text_query(opened.collection, opened.encoder_id, text)
            hits = shown_cases.hits_of(opened, asked)
        except RadcbirError:
            slide_pieces.message("This sentence cannot be asked. Write another.")
            raise
        shown = []
        for number, hit in enumerate(hits, 1):
            (theirs,) = slide_pieces.labels_of(opened, [hit])
            kind, finding = plain_words.kind_of(theirs), plain_words.finding_of(theirs)
            said = Said(finding, verdict=kind)
            if meant is not None:
                words = kind if plain_words.elsewhere(meant, theirs) else finding
                said = Said(words, *plain_words.agreeing(meant, theirs, by_finding=True))
            shown.append(slide_pieces.picture(opened, hit, f"Image {number}: {kind}, {finding}", said))
        slide_pieces.grid(shown, of="The images that fit the sentence best")
    _judge(opened, asked, hits)


def _judge(opened: Opened, asked: EmbeddedSentence, hits: Sequence[int]) -> None:
    """Say how the sentence was read, and whether its hits can be believed."""
    standing = embedded_texts.standing(opened.collection, opened.encoder_id, asked)
    _, reliable = embedded_texts.denial_note(opened.collection, opened.encoder_id, asked)
    if standing.is_no_better:
        slide_pieces.warning(f"No better than nonsense: {_as_near(standing)}. Do not take these images for an answer.")
    slide_pieces.note(
        f"Read as: {asked.reading.read_as}." if asked.reading.read_as else "",
        _unknown(asked),
        "" if reliable else "The computer cannot be relied on to leave out what a sentence denies.",
        "" if standing.is_no_better else f"Compared with nonsense: {_as_near(standing)}.",
        slide_pieces.learned_from(opened, hits),
    )


def _as_near(standing: Standing) -> str:
    number = len(standing.reach.reached)
    as_far = round(standing.share * (number + 1)) - 1
    return f"{as_far or 'none'} of {number} meaningless sentences {'brings' if as_far == 1 else 'bring'} images as near"


def _unknown(asked: EmbeddedSentence) -> str:
    words = [doubt.written for doubt in asked.reading.doubts if not doubt.several]
    return f"Not known here: {', '.join(words[:8])}." if words else ""
