"""Where a reader answers a case: one component, with its keys and the browser's clock.

Owns what the browser is told and what it answers. It is told the answers that there are and never which is right; what
it says of time is taken for what it is, a browser's word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import streamlit as st

from radcbir_core.collections.reader_studies.study_definition import Study

_HERE: Final = Path(__file__).parent
KEYS: Final = (
    "Keys: a digit answers, then a digit says how sure you are, Enter submits. Shift and a digit answer at any time. "
    "In the picture, digits are windows for CT; ? lists its keys."
)


@dataclass(frozen=True)
class Given:
    """What the browser says was answered.

    Attributes:
        answer: One of the answers that it was told, or anything: it is checked where it is kept.
        confidence: Likewise.
        looked: Seconds since the picture was there, while the page was visible; None where it was not told.
        hidden: Seconds in which it was hidden.
        longest_hidden: The longest stretch of these.
    """

    answer: str
    confidence: int
    looked: float | None
    hidden: float | None
    longest_hidden: float | None


def draw(study: Study, *, token: str, title: str, place: str, attempt: int, on_answer: Callable[[], None]) -> None:
    """Draw the pad of a case.

    Args:
        study: Whose question and answers.
        token: Names this showing of this case.
        title: What the viewer says above the picture; the clock begins when it does.
        place: A selector of the container that the viewer is in.
        attempt: How often an answer could not be kept; another number lets it be sent again.
        on_answer: Called before the page runs again, when an answer was submitted.
    """
    _pad(
        key=key_of(token),
        data={
            "token": token,
            "title": title,
            "place": place,
            "attempt": attempt,
            "question": study.question,
            "answers": list(study.answers),
            "confidence_question": "How sure are you?",
            "confidence_words": ["not at all", "completely"],
            "least": study.least_confidence,
            "most": study.most_confidence,
            "keys": KEYS,
        },
        on_answer_change=on_answer,
    )


def given(token: str) -> Given | None:
    """What was answered in the pad of a case; None where it was nothing that can be read."""
    said = st.session_state.get(key_of(token))
    told = said.get("answer") if isinstance(said, Mapping) else None
    if not isinstance(told, Mapping) or told.get("token") != token:
        return None
    answer, confidence = told.get("answer"), told.get("confidence")
    if not isinstance(answer, str) or not isinstance(confidence, int) or isinstance(confidence, bool):
        return None
    return Given(answer, confidence, *(_seconds(told, name) for name in ("looked", "hidden", "longest_hidden")))


def key_of(token: str) -> str:
    """By what the pad is known to Streamlit."""
    return f"radcbir:pad:{token}"


def _seconds(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


_pad = st.components.v2.component(
    "radcbir.answer_pad",
    html='<div class="pad" data-state="open"></div>',
    css=(_HERE / "answer_pad.css").read_text(encoding="utf-8"),
    js=(_HERE / "answer_pad.js").read_text(encoding="utf-8"),
)
