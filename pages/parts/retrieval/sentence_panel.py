"""What is said of a sentence: how it was read, what may be meant, how far its hits can be believed.

Owns these words and the clicks by which a reading is changed. What is chosen is in the URL parameter ``read``, one
``written=read as`` each, and how many phrasings are asked in ``phrasings``.
"""

from __future__ import annotations

from typing import Final, Literal

import streamlit as st

from pages.parts.frame import shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, message
from pages.parts.images import embedded_texts
from radcbir_core.search.language.nonsense import Standing
from radcbir_core.search.language.sentence_query import EmbeddedSentence
from radcbir_core.search.language.sentence_reading import WHY, SentenceReading

CHOICES: Final = "read"
"""The URL parameter of how words are read."""
PHRASINGS: Final = "phrasings"
"""The URL parameter of how many phrasings are asked: ``one`` or ``several``."""

_KEY: Final = "radcbir:reading"
_SEVERAL: Final = "several"
_MOST_DOUBTS: Final = 6
_MOST_UNKNOWN: Final = 12
_NOT_KNOWN: Final = (
    "Neither among the labels of this collection nor in the glossary, and nothing there is near. The encoder may know "
    "it all the same."
)


def choices() -> dict[str, str]:
    """What is written → what it is to be read as, as the URL says."""
    parted = [text.partition("=") for text in state.get_all(CHOICES)]
    return {written: means for written, sign, means in parted if sign and written}


def asks_several() -> bool:
    """Whether the sentence is asked in several phrasings, as the URL says."""
    return state.get(PHRASINGS) == _SEVERAL


def draw(reading: SentenceReading) -> None:
    """Draw how a sentence was read, below the box that it was written in."""
    for text in state.get_all(CHOICES):
        if not text.partition("=")[0] or "=" not in text:
            st.warning(f"Expected {CHOICES} as written=read as, but {CHOICES} = {literal(text[:80])}. It is left out.")
    if state.get(PHRASINGS) not in (None, "one", _SEVERAL):
        state.report(PHRASINGS, str(state.get(PHRASINGS)), ["one", _SEVERAL], then="It is asked as it stands")
    with st.container(gap="xxsmall", key="radcbir-reading"):
        if reading.plain != reading.text or reading.denials:
            st.markdown(f"Read as {_read_as(reading)}")
        for number, change in enumerate(reading.changes):
            said = f"{literal(change.written)} → {literal(change.means)} ({WHY[change.why]})"
            _line(said, "take back", f"change:{number}", change.written, "" if change.why != "chosen" else None)
        for number, denial in enumerate(reading.denials):
            said = f"{literal(denial.written)}: not to be shown"
            _line(said, "read word for word", f"denial:{number}", denial.written, "")
        for number, written in enumerate(reading.kept):
            _line(f"{literal(written)}: word for word", "read it again", f"kept:{number}", written, None)
        if plain := [doubt.written for doubt in reading.doubts if not doubt.suggestions]:
            more = f" and {len(plain) - _MOST_UNKNOWN} more" if len(plain) > _MOST_UNKNOWN else ""
            st.caption(f"Not known here: {literal(', '.join(plain[:_MOST_UNKNOWN]))}{more}", help=_NOT_KNOWN)
    st.session_state[f"{_KEY}:{PHRASINGS}"] = asks_several()
    st.toggle(
        "In several phrasings",
        key=f"{_KEY}:{PHRASINGS}",
        on_change=lambda: state.update(**{PHRASINGS: _SEVERAL if st.session_state[f"{_KEY}:{PHRASINGS}"] else None}),
        help="The sentence is asked with synonyms and in other words, too, and the mean of all is searched with. It is "
        "said how far their hits differ: where they do, the wording decides.",
    )


def ask_back(reading: SentenceReading) -> None:
    """Ask above the hits what was meant by words that are not known, or mean several things; a click answers."""
    for number, doubt in enumerate([one for one in reading.doubts if one.suggestions][:_MOST_DOUBTS]):
        what = "may mean several things" if doubt.several else "is not known here"
        line = st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"radcbir-doubt-{number}")
        line.markdown(f":orange[:material/help: **{literal(doubt.written)}** {what}.] Read it as", width="content")
        for suggestion in doubt.suggestions:
            _button(line, suggestion, f"doubt:{number}:{suggestion}", doubt.written, suggestion)
        _button(line, "it stands", f"doubt:{number}", doubt.written, "")


def judge(opened: Opened, asked: EmbeddedSentence, place: st.delta_generator.DeltaGenerator) -> None:
    """Say in ``place``, above the hits, how the sentence stands beside nonsense, and how much hangs on its wording."""
    with place.container(gap="xxsmall"), shell.errors_shown():
        with st.spinner("Comparing with what nonsense reaches here…", show_time=True):
            standing = embedded_texts.standing(opened.collection, opened.encoder_id, asked)
        if standing.is_no_better:
            st.warning(warning(standing), icon=":material/help:")
        else:
            st.caption(f"Compared with nonsense: {message(standing.said)}")
        note, reliable = embedded_texts.denial_note(opened.collection, opened.encoder_id, asked)
        if note and reliable:
            st.caption(f"Denials: {message(note)}")
        elif note:
            st.warning(message(note), icon=":material/help:")
        spread = embedded_texts.spread(opened.collection, opened.encoder_id, asked)
        if spread is not None:
            each = zip(spread.shared, asked.phrasings, strict=True)
            st.caption(message(spread.said), help="  \n".join(f"{shared} · {literal(said)}" for shared, said in each))


def warning(standing: Standing) -> str:
    """That hits are no better than those of nonsense, as Markdown."""
    unknown = " Most of its words are not known here." if standing.known < 0.5 else ""
    return (
        f"**No better than nonsense.** {message(standing.said)}{unknown} This encoder answers something like that to "
        "anything: do not take these hits for an answer."
    )


def _read_as(reading: SentenceReading) -> str:
    parts = [f"**{literal(reading.asked)}**"] if reading.asked else []
    parts += [f"without **{literal(finding)}**" for finding in reading.denied]
    return ", ".join(parts)


def _line(said: str, label: str, key: str, written: str, means: str | None) -> None:
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    line.caption(said, width="content")
    _button(line, label, key, written, means, kind="tertiary")


def _button(
    box: st.delta_generator.DeltaGenerator,
    label: str,
    key: str,
    written: str,
    means: str | None,
    *,
    kind: Literal["secondary", "tertiary"] = "secondary",
) -> None:
    """A click by which ``written`` is read as ``means``: word for word where that is "", as by itself where None."""
    box.button(literal(label), key=f"{_KEY}:{key}", type=kind, on_click=_choose, args=(written, means))


def _choose(written: str, means: str | None) -> None:
    kept = {key: value for key, value in choices().items() if key.casefold() != written.casefold()}
    if means is not None:
        kept[written] = means
    state.update(**{CHOICES: [f"{key}={value}" for key, value in kept.items()]})
