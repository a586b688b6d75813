"""What pages say while work that runs by itself makes what they need.

Owns the words for a stage of such work, and waiting for it on a page. Starting and stopping it is the Collections
page's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from pages.parts.frame.text import literal
from pages.parts.jobs import stages
from radcbir_core.jobs import Status
from radcbir_core.jobs import at_work_on as job_on
from radcbir_core.jobs.status import START

IMPORT: Final = {
    "archive": "Open the archive",
    "write": "Write the images of the archive",
    "table": "Read the tables",
    "import": "Import and check the images",
}
"""The stages before a build, for people."""

_POLL_SECONDS: Final = 1.0


def at_work_on(name: str) -> bool:
    """Whether a job is at work on this collection right now."""
    return job_on(name) is not None


def stage_of(status: Status) -> stages.Stage:
    """The stage at work, as it is drawn."""
    label = {**IMPORT, **stages.BUILD}.get(status.stage, status.stage)
    if status.stage == START:
        label = "Begin"
    elif status.part:
        label = f"{status.part}: {label[0].lower()}{label[1:]}"
    # Of a folder without a table, it is not known how many images there are before they are all read.
    total = 0 if status.stage == "import" and status.done >= status.total else status.total
    return stages.Stage(status.stage, label, status.done, total, status.rate)


def wait_for(name: str, ready: Callable[[], bool]) -> bool:
    """Show how far the work on a collection is until the page has what it needs, and run the page anew then.

    Args:
        name: The collection.
        ready: Whether the page has it; asked every second, so it must be quick.

    Returns:
        Whether there is such work; nothing is drawn where there is none.
    """
    if not at_work_on(name):
        return False
    _waiting(name, ready)
    return True


@st.fragment(run_every=_POLL_SECONDS)
def _waiting(name: str, ready: Callable[[], bool]) -> None:
    job = job_on(name)
    if job is None or ready():
        st.rerun()
    st.markdown(f"**{literal(name)}** is being built. This page opens by itself as soon as its part is done.")
    stages.show_bar(stage_of(job.status()))
    st.page_link("pages/collections.py", label="Stop it, or see all stages", icon=":material/database:")
