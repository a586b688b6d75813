"""Evaluations on a page: read where they are kept, computed at once where that is quick, and else on a click.

Owns the decision between these, the work that computes, and how that is shown: a bar with what is done, what is left,
and a button to stop. Keeping results on disk is the core's; here they are also kept in memory, under names and digests.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, shell
from pages.parts.frame.text import counted, literal
from pages.parts.jobs.first_start import Job, Status
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation import Evaluation, Result

QUICK_IMAGES: Final = 4000
"""Up to so many images an evaluation is made without asking: it takes a second or two on two cores."""
QUICKER: Final = {"precision": 5, "paper": 5, "space": 5, "comparison": 25, "neighborhoods": 2500}
"""So many times as many for those that take less: the neighbor graph answers most of them without a search."""
QUICKER_EXACT: Final = {"comparison": 2}
"""The same where they search exactly instead."""

STEPS: Final = {
    "search": ("Search exactly", "query", "queries"),
    "evaluation": ("Evaluate", "level", "levels"),
    "comparison": ("Compare query by query", "level", "levels"),
    "intervals": ("Resample patients for the intervals", "metric", "metrics"),
    "galleries": ("Draw smaller galleries and search them", "gallery", "galleries"),
    "steps": ("Fit the linear probe", "step", "steps"),
    "images": ("Compare images", "image", "images"),
}
"""What the core tells of its progress, in words."""

_AT_MOST: Final = {"steps"}
"""Steps that may end before all that was announced is done."""

_jobs: dict[Hashable, Job] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class _Work:
    """An evaluation that a page wants to show, of one encoder."""

    what: str
    key: Hashable
    store: EncoderStore
    evaluation: Evaluation


def result(
    collection: Collection, encoder_id: str, evaluation: Evaluation, *, what: str = "This evaluation"
) -> Result | None:
    """The result, or None after drawing how to get it: a button, or how far the work is.

    Args:
        collection: The open collection.
        encoder_id: One that it was built with.
        evaluation: With its choices.
        what: What it is, with its article, as the subject of a sentence.

    Raises:
        EvaluationError: The collection lacks what it needs.
        StaleError: What it needs is missing or was made of something else.
        RadcbirError: Where it is computed at once, what goes wrong then.
    """
    store = loaders.store(collection, encoder_id)
    key = (loaders.encoder_key(collection, encoder_id), evaluation, *evaluation.made_of(store))
    work = _Work(what, key, store, evaluation)
    kept = _kept(work)
    if kept is not None:
        with _lock:
            _jobs.pop(key, None)  # or what it worked on would be held for good
        return kept
    evaluation.check(store)
    with _lock:
        job = _jobs.get(key)
        if job is not None and job.status.state == "done":
            del _jobs[key]  # done, but no longer kept: it was deleted since
            job = None
    if job is not None and job.status.state == "running":
        _running(work, job)
        return None
    if job is None and len(collection) <= quick_images(evaluation):
        with st.spinner(f"{literal(what)} …"):
            evaluation.run(store)
        return _kept(work)
    _offer(work, None if job is None else job.status)
    return None


def quick_images(evaluation: Evaluation) -> int:
    """Up to how many images an evaluation is made without asking."""
    times = QUICKER.get(evaluation.kind, 1)
    if "embeddings" in evaluation.needs:
        times = QUICKER_EXACT.get(evaluation.kind, times)
    return times * QUICK_IMAGES


def _offer(work: _Work, ended: Status | None) -> None:
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


def _begin(work: _Work) -> None:
    """Begin the work, once for all sessions."""
    with _lock:
        job = _jobs.get(work.key)
        if job is None or job.status.state != "running":
            _jobs[work.key] = Job(partial(work.evaluation.run, work.store), what=work.what)


@st.fragment(run_every=1.0)
def _running(work: _Work, job: Job) -> None:
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


def _kept(work: _Work) -> Result | None:
    try:
        return _cached(work.key, work)
    except _NothingError:
        return None


@st.cache_resource(max_entries=24, show_spinner=False)
def _cached(key: Hashable, _work: _Work) -> Result:  # noqa: ARG001 - the key is the cache's
    kept = _work.evaluation.kept(_work.store)
    if kept is None:
        raise _NothingError
    return kept
