"""The story: its six steps, which of them a collection and an encoder can tell, and how one goes from one to the next.

Owns the order, the line that shows it, the buttons, and the way out. URL parameters: ``step``, ``image`` (the case),
and those of single slides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.presentation import case_slides, figure_slides, sentence_slide, shown_cases, slide_pieces
from pages.parts.presentation.slide_pieces import More
from radcbir_core.errors import ImageNotFoundError
from radcbir_core.search.queries.text import text_encoders


@dataclass(frozen=True)
class Step:
    """A step of the story.

    Attributes:
        name: What it is called in the line of steps.
        draw: Draws its slide, given the open collection and the row of the case; the button for more of it, if any.
    """

    name: str
    draw: Callable[[Opened, int], More | None]


STEPS: Final[Mapping[str, Step]] = {
    "case": Step("Case", case_slides.choose),
    "similar": Step("Similar images", case_slides.similar),
    "findings": Step("Findings", case_slides.findings),
    "comparison": Step("Body part and finding", figure_slides.comparison),
    "failure": Step("A failure", figure_slides.failure),
    "text": Step("In words", sentence_slide.draw),
}


def show(opened: Opened) -> None:
    """Draw the step that the URL names, with the line of steps above and the buttons below."""
    left_out = steps_left_out(opened)
    asked = state.get("step") or next(iter(STEPS))
    step = asked if asked in STEPS else next(iter(STEPS))
    with st.container(key="radcbir-presentation"):
        _line(step, left_out)
        with st.container(key="radcbir-slide"):
            if asked != step:
                state.report("step", asked, list(STEPS), then="The first is shown")
            row, more = None, None
            with shell.errors_shown():
                row = _case(opened)
                if step in left_out:
                    slide_pieces.heading(STEPS[step].name, "")
                    slide_pieces.message(f"Left out: {left_out[step]}")
                else:
                    more = STEPS[step].draw(opened, row)
            there = [name for name in STEPS if name not in left_out]
            if left_out and step in (there[0], there[-1]):
                slide_pieces.note(*(f"Left out, {STEPS[name].name}: {why}" for name, why in left_out.items()))
        _buttons(opened, step, there, row, more)
        _keys(key="radcbir:slide-keys")


def steps_left_out(opened: Opened) -> dict[str, str]:
    """The steps that cannot be told of what is open, and why, in a sentence."""
    collection, left_out = opened.collection, {}
    counts = loaders.facts(collection)
    labels = shown_cases.label_counts(opened)
    if not counts.pathologies and not counts.anatomies:
        left_out["findings"] = "nothing is known of what these images show."
        left_out["comparison"] = "nothing is known of what these images show."
    if not labels:
        left_out["failure"] = "no image is labeled with its kind, a body part and one finding."
    elif len(labels) == 1:
        left_out["failure"] = "all labeled images have the same label."
    if opened.encoder_id not in text_encoders(collection):
        left_out["text"] = "the encoder that is open here compares images only, and reads no words."
    return left_out


def _case(opened: Opened) -> int:
    """The row of the case: the one that the URL names, else the first that is offered."""
    image_id = state.get("image")
    if image_id is not None:
        try:
            return opened.collection.manifest.row_of(image_id)
        except ImageNotFoundError as error:
            shell.show_error(error)
    return shown_cases.offered(opened)[0]


def _line(step: str, left_out: Mapping[str, str]) -> None:
    """The steps, and where one is."""
    names = list(STEPS)
    at = names.index(step)
    items = ""
    for place, name in enumerate(names):
        kind = "out" if name in left_out else "now" if place == at else "done" if place < at else "later"
        current = ' aria-current="step"' if place == at else ""
        out = " (left out)" if name in left_out else ""
        items += f'<li class="{kind}"{current}><b>{place + 1}</b> <span>{markup(STEPS[name].name)}{out}</span></li>'
    st.html(f'<ol class="radcbir-slide-line" aria-label="Steps of the presentation">{items}</ol>')


def _buttons(opened: Opened, step: str, there: list[str], row: int | None, more: More | None) -> None:
    """Back, on, and out; and more of what the slide is about."""
    names = list(STEPS)
    before = [name for name in there if names.index(name) < names.index(step)]
    after = [name for name in there if names.index(name) > names.index(step)]
    image = None if row is None else opened.collection.manifest.image_id(row)
    with st.container(horizontal=True, vertical_alignment="center", key="radcbir-slide-buttons"):
        if st.button("Leave", icon=":material/close:", type="tertiary", key="radcbir-slide-leave"):
            leave()
        st.html('<p class="radcbir-slide-notice">Research use only. Not for diagnosis.</p>', width="stretch")
        if more is not None:
            st.button(more.label, icon=":material/refresh:", on_click=state.update, kwargs=dict(more.parameters))
        for label, icon, others, key in (
            ("Back", "arrow_back", before[-1:], "radcbir-slide-back"),
            ("Next", "arrow_forward", after[:1], "radcbir-slide-next"),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                icon_position="right" if label == "Next" else "left",
                type="primary" if label == "Next" and others else "secondary",
                key=key,
                disabled=not others,
                on_click=state.update,
                kwargs={"step": others[0] if others else step, "image": image},
            )


def leave() -> None:
    """Go back to where the presentation was opened, as it was left; ends this run."""
    title, path, _ = next(
        (page for page in shell.pages_there() if page[0].lower() == state.came_from()), shell.pages_there()[0]
    )
    st.switch_page(path, query_params=state.left_at(title.lower()))


_keys = st.components.v2.component(
    "radcbir.presentation-keys", js=Path(__file__).with_name("keys.js").read_text(encoding="utf-8")
)
