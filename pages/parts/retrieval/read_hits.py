"""What the similarities of hits mean, on the page: the line of each card, the lines above, and what is far from all.

Owns where these readings come from on a page: what is kept, or quickly made, and in memory why something cannot be.
What they say is the core's.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import streamlit as st

from pages.parts.evaluation import runs
from pages.parts.frame import loaders
from pages.parts.frame.shell import Opened
from radcbir_core.errors import EvaluationError, RadcbirError
from radcbir_core.evaluation import Evaluation, Result
from radcbir_core.evaluation.similarity_readings import FAR, Conditions, Readings, read_answer
from radcbir_core.search.retriever import Answer

_MOST_REASONS: Final = 256


def read(opened: Opened, answer: Answer, conditions: Conditions) -> Readings | None:
    """Read an answer; None where its numbers are not those of images, or something is wrong with what it is read by.

    Args:
        opened: The open collection.
        answer: The hits.
        conditions: How they were asked for.
    """
    retriever = loaders.retriever(opened.collection, opened.encoder_id)
    try:
        return read_answer(answer, retriever, conditions, given=lambda _, evaluation: _given(opened, evaluation))
    except RadcbirError:
        return None  # such as a neighbor graph that is older: said where it is opened


def warn_far(readings: Readings | None) -> None:
    """Say above the hits that nothing is close to the query, where it is so."""
    if readings is not None and readings.far:
        st.warning(
            f"{FAR} Its nearest hits are as far as those of the farthest 5 in 100 of the collection's own images, or "
            "farther: it may be of another kind than these.",
            icon=":material/explore_off:",
        )


def joined(notes: Sequence[str] | None, readings: Readings | None) -> list[str] | None:
    """The line of each card: what there was to say, and how the similarity is read."""
    said = [] if readings is None else readings.said()
    if not any(said):
        return None if notes is None else list(notes)
    return [" · ".join(filter(None, pair)) for pair in zip(notes or [""] * len(said), said, strict=True)]


def _given(opened: Opened, evaluation: Evaluation) -> Result | str:
    """An evaluation, or why there is none: found once, since a page is drawn at every click."""
    kept = runs.kept_result(opened.collection, opened.encoder_id, evaluation)
    if kept is not None:
        return kept
    reasons, key = _reasons(), runs.key_of(opened.collection, opened.encoder_id, evaluation)
    if key not in reasons:
        try:
            return runs.at_hand(opened.collection, opened.encoder_id, evaluation) or ""
        except EvaluationError as error:
            if len(reasons) >= _MOST_REASONS:
                reasons.clear()
            reasons[key] = str(error)
    return reasons[key]


@st.cache_resource(show_spinner=False)
def _reasons() -> dict[Hashable, str]:
    """Why collections lack what evaluations need."""
    return {}
