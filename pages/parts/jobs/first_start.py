"""The first start: the demonstration collection is made in the background, and pages open as soon as they can.

Owns the one thread of this server process that makes it, what is known of its progress, and how that is shown. The
thread touches nothing of Streamlit; pages ask it now and then. What is made, and that two servers make it once, is
``radcbir_core.synthetic.demonstration``'s business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import streamlit as st

from pages.parts.frame.text import message
from pages.parts.jobs import stages
from radcbir_core.collections.layout import data_folder, list_collections
from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.synthetic import demonstration

State = Literal["running", "done", "failed", "stopped"]

STAGES: Final = {"load": stages.BUILD["load"], "draw": "Draw the images", **stages.BUILD}
_POLL_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class _Stopped(Exception):  # noqa: N818  # not an error
    """The person asked to stop."""


@dataclass(frozen=True)
class Status:
    """How far the work is.

    Attributes:
        state: Whether it goes on, and how it ended.
        stage: Of :data:`STAGES`; the one at work, or that it ended in.
        done: How much of the stage is finished.
        total: Of how much.
        began: When the stage began, and with how much ``done`` (``time.monotonic()`` seconds, number).
        error: What went wrong, one line; empty where nothing did.
    """

    state: State = "running"
    stage: str = "load"
    done: int = 0
    total: int = 1
    began: tuple[float, int] = (0.0, 0)
    error: str = ""

    @property
    def rate(self) -> float:
        """Items a second in this stage; 0 while it cannot be told."""
        seconds = time.monotonic() - self.began[0]
        return (self.done - self.began[1]) / seconds if seconds > 0.5 else 0.0


class Job:
    """The making of the demonstration, or of something else that takes its steps, in a thread of its own.

    Args:
        make: What makes it; tests give another.
        what: What is made, for the server's log.
    """

    def __init__(self, make: Callable[..., object], *, what: str = "The demonstration collection") -> None:
        self._make = make
        self._what = what
        self._status = Status(began=(time.monotonic(), 0))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """How far it is now."""
        return self._status

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask it to stop at the next step of its progress."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most so long."""
        self._thread.join(seconds)

    def _told(self, step: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        now = self._status
        began = now.began if step == now.stage and done >= now.began[1] else (time.monotonic(), done)
        self._status = Status(stage=step, done=done, total=total, began=began)

    def _run(self) -> None:
        try:
            self._make(progress=self._told)
        except _Stopped:
            self._status = replace(self._status, state="stopped")
        except RadcbirError as error:
            self._status = replace(self._status, state="failed", error=str(error))
        except Exception as error:  # noqa: BLE001
            # A mistake of ours, or an answer of the operating system that nobody thought of: told, not swallowed.
            _log.exception("%s could not be made", self._what)
            text = f"{type(error).__name__}: {error}"
            self._status = replace(self._status, state="failed", error=f"{text} (more in the server's log)")
        else:
            self._status = replace(self._status, state="done")


_jobs: dict[str, Job] = {}
_lock = threading.Lock()


def job() -> Job | None:
    """The job on this data folder, begun now where the demonstration is wanted; None where there is nothing to do.

    A job that failed or was stopped is not begun again by itself: :func:`begin_again` does that.
    """
    folder = str(data_folder())
    with _lock:
        found = _jobs.get(folder)
        if found is not None and found.status.state == "running":
            return found
        if not _wanted():
            _jobs.pop(folder, None)
            return None
        if found is None or (found.status.state == "done" and not list_collections()):
            found = _jobs[folder] = Job(demonstration.make_demo)
        return None if found.status.state == "done" else found


def begin_again() -> None:
    """Begin anew after a failure or a stop; what is finished is not made again."""
    with _lock:
        found = _jobs.get(str(data_folder()))
        if found is None or found.status.state != "running":
            _jobs[str(data_folder())] = Job(demonstration.make_demo)


def concerns(found: Job | None, name: str, encoder_id: str | None = None) -> bool:
    """Whether a job is about this collection (and this encoder's part of it), at work or not."""
    return found is not None and name == demonstration.NAME and encoder_id in {None, demonstration.ENCODER}


def at_work_on(name: str, encoder_id: str | None = None) -> bool:
    """Whether the job of this data folder is making this collection (and this encoder's part of it) right now."""
    with _lock:
        found = _jobs.get(str(data_folder()))
    return concerns(found, name, encoder_id) and found is not None and found.status.state == "running"


def show(found: Job, *, ready: Callable[[], bool], waiting_for: str = "") -> None:
    """Draw how far the work is, again every second, and run the page anew as soon as ``ready`` says so.

    Args:
        found: The job.
        ready: Whether what the page waits for is there; asked every second, so it must be quick.
        waiting_for: What the page waits for, a sentence; by default what the collection is.
    """
    if found.status.state == "running":
        _running(found, ready, waiting_for)
    else:
        _ended(found.status)


def show_bar(status: Status) -> None:
    """Draw the stage at work as a bar with its rate and the time left."""
    stages.show_bar(_stage(status))


def show_small(found: Job) -> None:
    """Draw the same in a line or two, for the sidebar of a page that can be used already."""
    if found.status.state == "running":
        _small(found)
    else:
        _ended(found.status)


def _wanted() -> bool:
    try:
        return demonstration.is_wanted()
    except CollectionError:
        return False  # damaged: the page that opens it says so


@st.fragment(run_every=_POLL_SECONDS)
def _running(found: Job, ready: Callable[[], bool], waiting_for: str) -> None:
    status = found.status
    if status.state != "running" or ready():
        st.rerun()
    st.markdown(
        waiting_for
        or "**The demonstration collection is being made**, once: synthetic radiographs, CT, MR and ultrasound images, "
        "with a small encoder that comes with RadCBIR. Nothing is downloaded. Retrieval opens as soon as the "
        "embeddings are there, the other pages as soon as their part is."
    )
    show_bar(status)
    names = list(STAGES)
    now = names.index(status.stage) if status.stage in STAGES else 0
    places: list[stages.Place] = ["done"] * now + ["now"] + ["later"] * (len(names) - now - 1)
    stages.show_list([(STAGES[name], place) for name, place in zip(names, places, strict=True)])
    st.button(
        "Stopping…" if found.stopping else "Stop",
        key="radcbir:stop",
        on_click=found.stop,
        disabled=found.stopping,
        icon=":material/stop:",
        help="What is finished stays; it can go on later.",
    )


@st.fragment(run_every=_POLL_SECONDS)
def _small(found: Job) -> None:
    status = found.status
    if status.state == "running":
        st.caption("The demonstration collection is being completed:")
        show_bar(status)
    elif status.state != "done":
        st.rerun()  # to say why it ended; where all went well, nothing on the page need change


def _ended(status: Status) -> None:
    """What a job that did not reach its end left: why, and the button to go on."""
    if status.state == "failed":
        st.error(f"The demonstration collection could not be made. {message(status.error)}", icon=":material/error:")
    else:
        st.info(
            "The making of the demonstration collection was stopped. What is finished stays.", icon=":material/stop:"
        )
    st.button(
        "Try again" if status.state == "failed" else "Go on",
        on_click=begin_again,
        icon=":material/refresh:",
        type="primary",
    )


def _stage(status: Status) -> stages.Stage:
    label = STAGES.get(status.stage, status.stage)
    return stages.Stage(status.stage, label, status.done, status.total, status.rate)
