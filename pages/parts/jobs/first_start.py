"""The first start: the demonstration collection is made by itself, and pages open as soon as they can.

Owns when the demonstration is begun by the app and gone on with, and how that is shown. It is a job in a process of its
own, so that the pages stay quick meanwhile. Nobody asks for it, so that it needs no right, and is on record as the
server's; stopping and resuming it is an owner's. What is made is ``radcbir_core.synthetic.demonstration``'s business.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

import streamlit as st

from pages.parts.frame.text import message
from pages.parts.jobs import controls, stages
from pages.parts.jobs.waiting import POLL_SECONDS
from radcbir_core import audit
from radcbir_core.collections.layout import list_collections
from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.jobs import Job, Status, job_at, start
from radcbir_core.jobs.kinds import collection_place
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.synthetic import demonstration

SERVER: Final = "server"
"""Who makes the demonstration, for the record."""
_BEGAN: Final = time.time()


def wanted_job() -> Job | None:
    """The job that makes the demonstration, begun now where it is wanted; None where there is nothing to do.

    One that failed or was stopped is not begun again by itself. One that was interrupted before this server began goes
    on by itself, whatever other collections there are: the machine was turned off.
    """
    try:
        return _job_now() if _is_wanted() or _is_unfinished() else None
    except RadcbirError as error:
        st.error(f"The demonstration collection could not be made. {message(str(error))}", icon=":material/error:")
        return None


def concerns(job: Job | None, name: str, encoder_id: str | None = None) -> bool:
    """Whether a job makes the demonstration and this is its collection (and encoder), at work or not."""
    return (
        job is not None
        and job.kind == MakeDemonstration.kind
        and name == demonstration.NAME
        and encoder_id in {None, demonstration.ENCODER}
    )


def show(job: Job, *, ready: Callable[[], bool], waiting_for: str = "") -> None:
    """Draw how far the job is, again every second, and run the page anew as soon as ``ready`` says so.

    Args:
        job: The job.
        ready: Whether what the page waits for is there; asked every second, so it must be quick.
        waiting_for: What the page waits for, a sentence; by default what the collection is.
    """
    status = job.status()
    if status.ended:
        _ended(job, status)
    else:
        _running(job, ready, waiting_for)


def show_small(job: Job) -> None:
    """Draw the same in a line or two, for the sidebar of a page that can be used already."""
    status = job.status()
    if status.ended:
        _ended(job, status)
    else:
        _small(job)


def _is_wanted() -> bool:
    try:
        return demonstration.is_wanted()
    except CollectionError:
        return False  # damaged: the page that opens it says so


def _is_unfinished() -> bool:
    """Whether somebody has begun it, and neither they nor a mistake has ended it."""
    job = job_at(collection_place(demonstration.NAME))
    if job is None or job.kind != MakeDemonstration.kind:
        return False
    return job.status().state in {"running", "stopping", "interrupted"}


def _job_now() -> Job | None:
    job = job_at(collection_place(demonstration.NAME))
    status = None if job is None else job.status()
    if job is None or status is None:
        return _begun()
    is_older = status.updated < _BEGAN
    if status.state == "done":
        return _begun() if is_older or not list_collections() else None
    if status.ended and job.kind != MakeDemonstration.kind:
        return _begun()
    if status.state == "interrupted" and is_older:
        with contextlib.suppress(CollectionError):  # another session has gone on with it
            audit.record("resume demonstration", demonstration.NAME, who=SERVER, role=SERVER)
            job.resume()
    return job


def _begun() -> Job:
    """The job, begun by the server itself, whoever's visit it was that came first."""
    audit.record("make demonstration", demonstration.NAME, who=SERVER, role=SERVER)
    return start(MakeDemonstration())


@st.fragment(run_every=POLL_SECONDS)
def _running(job: Job, ready: Callable[[], bool], waiting_for: str) -> None:
    status = job.status()
    if status.ended or ready():
        st.rerun()
    st.markdown(
        waiting_for
        or "**The demonstration collection is being made**, once: synthetic radiographs, CT, MR and ultrasound images, "
        "with a small encoder that comes with RadCBIR. Nothing is downloaded. Retrieval opens as soon as the "
        "first images are embedded, the other pages as soon as their part is there."
    )
    stages.show_whole_demonstration(status)
    stages.show_list(stages.of_demonstration(status))
    controls.stop(job, status)


@st.fragment(run_every=POLL_SECONDS)
def _small(job: Job) -> None:
    status = job.status()
    if not status.ended:
        st.caption("The demonstration collection is being completed:")
        stages.show_whole_demonstration(status)
    elif status.state != "done":
        st.rerun()  # to say why it ended; where all went well, nothing on the page need change


def _ended(job: Job, status: Status) -> None:
    """What a job that did not reach its end left: why, and the button to go on."""
    controls.say_error()
    if status.state == "failed":
        controls.say_failure(status, of="The demonstration collection could not be made. ")
    else:
        st.info(
            f"The making of the demonstration collection was {status.state}. What is finished stays.",
            icon=":material/stop:",
        )
    with st.container(horizontal=True, gap="small"):
        controls.resume(job, status)
        if not _is_wanted():  # else it would be begun again at once
            controls.dismiss(job)
