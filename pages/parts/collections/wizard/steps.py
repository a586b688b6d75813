"""The import of a collection, step by step: where the images are, what they are, a dry run, and the start.

Owns the order of the steps and what is kept between them: a draft in the session, which a step reads and fills. What a
source is and what an import would make of it is ``radcbir_core.importers``' business; the work itself is
``radcbir_core.jobs``'s, and goes on without this page.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.collections import job_list
from pages.parts.collections.wizard import dry_run, source, source_format, start
from pages.parts.collections.wizard.draft import Draft
from pages.parts.frame import loaders, rights, shell
from pages.parts.frame.text import literal, markup

STEPS: Final = (
    ("Source", source.draw),
    ("What it is", source_format.draw),
    ("Dry run", dry_run.draw),
    ("Name and start", start.draw),
)
_OPEN: Final = "radcbir:wizard-open"


def draw() -> None:
    """Draw the work there is, and the wizard or the button that opens it."""
    job_list.draw()
    if not rights.may("owner"):
        st.caption("Owners of this server import collections here.")
        return
    draft = Draft.of_session()
    if not st.session_state.get(_OPEN, not loaders.collection_names()):
        st.button("Import a collection", type="primary", icon=":material/add:", on_click=_open)
        return
    _steps(draft)


@st.fragment
def _steps(draft: Draft) -> None:
    if not rights.may("owner"):
        st.rerun()  # drawn by itself, it does not pass what decided whether to draw it
    with st.container(border=True):
        _head(draft)
        with shell.errors_shown():
            STEPS[draft.step][1](draft)
    if draft.started:
        # The work is in the list above now, and the wizard is done.
        Draft.forget()
        st.session_state[_OPEN] = False
        st.rerun()


def _head(draft: Draft) -> None:
    """Where one is, and the way back."""
    items = "".join(
        f'<li class="{"now" if number == draft.step else "done" if number < draft.step else "later"}">'
        f"<b>{'✓' if number < draft.step else number + 1}</b> {markup(name)}</li>"
        for number, (name, _) in enumerate(STEPS)
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(f'<ol class="radcbir-steps" aria-label="Steps of the import">{items}</ol>', width="stretch")
        if draft.step:
            st.button("Back", icon=":material/arrow_back:", on_click=draft.back, width="content")
        st.button("Close", icon=":material/close:", on_click=_close, type="tertiary", width="content")
    if draft.step and draft.source_name:
        st.caption(f"From {literal(draft.source_name)}")


def _open() -> None:
    st.session_state[_OPEN] = True


def _close() -> None:
    Draft.forget()
    st.session_state[_OPEN] = False
