"""How far the writing or opening of a file is.

Owns the bar of a job that tells megabytes or rows, with its rate, the time left and the button that stops it.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame.text import counted, literal
from pages.parts.jobs import first_start

_UNITS: Final = {"archive": "MB"}


@st.fragment(run_every=1.0)
def bar(job: first_start.Job, what: str) -> None:
    """Draw the bar, again every second; the page is run anew when the job has ended.

    Args:
        job: At work.
        what: What it is about, for the line and for telling buttons apart.
    """
    status = job.status
    if status.state != "running":
        st.rerun()
    st.progress(min(max(status.done / status.total, 0.0), 1.0) if status.total > 0 else 0.0, text=line(status, what))
    st.button(
        "Stopping…" if job.stopping else "Stop",
        key=f"radcbir:stop-{what}",
        icon=":material/stop:",
        disabled=job.stopping,
        on_click=job.stop,
        help="What was written until then is removed.",
    )


def line(status: first_start.Status, what: str) -> str:
    """What is at work, how much of it is done, how quick, how long still; Markdown."""
    unit = _UNITS.get(status.stage, "")
    parts = [literal(what)]
    if status.total > 1:
        parts.append(f"{status.done:,} of {status.total:,} {unit}".rstrip())
    if status.rate > 0 and status.done < status.total:
        parts.append(f"{status.rate:,.0f} {unit or 'rows'}/s")
        parts.append(f"{counted(round((status.total - status.done) / status.rate), 'second')} left")
    return " · ".join(parts)
