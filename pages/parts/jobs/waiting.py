"""What pages say while a job makes what they need.

Owns waiting for such a job on a page. Starting and stopping it is the Collections page's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from pages.parts.frame.text import literal
from pages.parts.jobs import stages
from radcbir_core.jobs import at_work_at
from radcbir_core.jobs.kinds import collection_place

POLL_SECONDS: Final = 1.0
"""How often a page looks how far a job is."""


def is_being_made(name: str) -> bool:
    """Whether a job is making a collection or building it right now."""
    return at_work_at(collection_place(name)) is not None


def wait_for(name: str, ready: Callable[[], bool]) -> bool:
    """Show how far the job on a collection is until the page has what it needs, and run the page anew then.

    Args:
        name: The collection.
        ready: Whether the page has it; asked every second, so it must be quick.

    Returns:
        Whether there is such a job; nothing is drawn where there is none.
    """
    if not is_being_made(name):
        return False
    _waiting(name, ready)
    return True


@st.fragment(run_every=POLL_SECONDS)
def _waiting(name: str, ready: Callable[[], bool]) -> None:
    job = at_work_at(collection_place(name))
    if job is None or ready():
        st.rerun()
    st.markdown(f"**{literal(name)}** is being built. This page opens by itself as soon as its part is done.")
    stages.show_bar(job.status())
    st.page_link("pages/collections.py", label="Stop it, or see all stages", icon=":material/database:")
