"""Evaluations on a page: read where they are kept, computed at once where that is quick, and else on a click.

Owns the decision between these, the threads that compute, and how that is shown: a bar with what is done, what is left,
and a button to stop. Keeping results on disk is the core's; here they are also kept in memory, under names and digests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.text import counted, literal
from pages.parts.jobs.first_start import Job, Status

QUICK_IMAGES: Final = 4000
"""Up to so many images an evaluation is made without asking: it takes a second or two on two cores."""

STEPS: Final = {
    "search": ("Search exactly", "query", "queries"),
    "evaluation": ("Evaluate", "level", "levels"),
    "comparison": ("Compare query by query", "level", "levels"),
    "intervals": ("Resample patients for the intervals", "metric", "metrics"),
    "galleries": ("Draw smaller galleries and search them", "gallery", "galleries"),
    "steps": ("Fit the linear probe", "step", "steps"),
    "images": ("Compare each image with each label", "image", "images"),
}
"""What the core tells of its progress, in words."""

_AT_MOST: Final = {"steps"}
"""Steps that may end before all that was announced is done."""

_jobs: dict[Hashable, Job] = {}
_lock = threading.Lock()

Found = TypeVar("Found")


@dataclass(frozen=True)
class Work(Generic[Found]):
    """An evaluation that a page wants to show.

    Attributes:
        what: What it is, with its article, as the subject of a sentence.
        key: Identifies it among all, with everything that its numbers depend on.
        read: Gives what is kept on disk, or None.
        compute: Computes and keeps it; told ``progress``.
        quick: Whether it may be computed without asking.
    """

    what: str
    key: Hashable
    read: Callable[[], Found | None]
    compute: Callable[..., object]
    quick: bool


def result(work: Work[Found]) -> Found | None:
    """The result, or None after drawing how to get it: a button, or how far the work is.

    Raises:
        RadcbirError: What ``read`` and, where it is quick, ``compute`` raise.
    """
    found = _kept(work)
    if found is not None:
        with _lock:
            _jobs.pop(work.key, None)  # or what it worked on would be held for good
        return found
    with _lock:
        job = _jobs.get(work.key)
        if job is not None and job.status.state == "done":
            del _jobs[work.key]  # done, but no longer kept: it was deleted since
            job = None
    if job is not None and job.status.state == "running":
        _running(work, job)
        return None
    if job is None and work.quick:
        with st.spinner(f"{literal(work.what)} …"):
            work.compute()
        return _kept(work)
    _offer(work, None if job is None else job.status)
    return None


def _offer(work: Work[Any], ended: Status | None) -> None:
    """The button that begins the work, and how the last one ended."""
    if ended is not None and ended.state == "failed":
        shell.show_error(ended.error)
    stopped = ended is not None and ended.state == "stopped"
    st.info(
        f"{literal(work.what)} {'was stopped' if stopped else 'has not been computed yet'} for these choices. The work "
        "goes on while you look at other pages and can be stopped; its result is kept, and the next visit is instant.",
        icon=":material/calculate:",
    )
    st.button(
        "Compute again" if stopped else "Compute",
        icon=":material/play_arrow:",
        type="primary",
        key="radcbir:compute",
        on_click=_begin,
        args=(work,),
    )


def _begin(work: Work[Any]) -> None:
    """Begin the work, once for all sessions."""
    with _lock:
        found = _jobs.get(work.key)
        if found is None or found.status.state != "running":
            _jobs[work.key] = Job(work.compute, what=work.what)


@st.fragment(run_every=1.0)
def _running(work: Work[Any], job: Job) -> None:
    status = job.status
    if status.state != "running":
        st.rerun()
    st.markdown(f"**{literal(work.what)} is being computed.**")
    share = min(max(status.done / status.total, 0.0), 1.0) if status.total > 0 else 0.0
    st.progress(share, text=literal(line(status)))
    st.button(
        "Stopping…" if job.stopping else "Stop",
        key="radcbir:compute-stop",
        on_click=job.stop,
        disabled=job.stopping,
        icon=":material/stop:",
        help="It begins anew when it is computed again.",
    )


def line(status: Status) -> str:
    """How far the work is, in one line.

    >>> line(Status(stage="galleries", done=21, total=21))
    'Draw smaller galleries and search them · 21 of 21 galleries'
    """
    if status.stage not in STEPS:  # it has just begun
        return "Reading the collection"
    said, one, many = STEPS[status.stage]
    most = "at most " if status.stage in _AT_MOST else ""
    parts = [said, f"{status.done:,} of {most}{counted(status.total, one, many)}"]
    if (rate := status.rate) > 0 and status.done < status.total:
        parts.append(f"{most}{counted(round((status.total - status.done) / rate), 'second')} left")
    return " · ".join(parts)


def wait(seconds: float) -> None:
    """Wait until every evaluation has ended, each at most so long; for tests."""
    for job in list(_jobs.values()):
        job.wait(seconds)


class _NothingError(Exception):
    """Nothing is kept: an exception, for only answers are kept in the cache."""


def _kept(work: Work[Found]) -> Found | None:
    try:
        found: Found = _cached(work.key, work.read)
    except _NothingError:
        return None
    return found


@st.cache_resource(max_entries=24, show_spinner=False)
def _cached(key: Hashable, _read: Callable[[], Any]) -> Any:  # noqa: ARG001 - the key is the cache's
    found = _read()
    if found is None:
        raise _NothingError
    return found
