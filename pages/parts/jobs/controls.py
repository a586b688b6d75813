"""The beginning of a job, and its buttons: stop it, end it, go on with it, forget it.

Owns these, who may use them, and that an error of one of them is said once, where the page says so. How far a job is
is drawn by ``stages.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import streamlit as st

from pages.parts.frame import remedies, rights
from pages.parts.frame.text import message
from pages.parts.jobs.job_words import Words
from radcbir_core.errors import RadcbirError
from radcbir_core.jobs import Job, Request, Status, start
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder

_ERROR: Final = "radcbir:job-error"
_LOG_LINES: Final = 12


def say_failure(status: Status, *, of: str = "") -> None:
    """Say why a job failed, with the way to what mends it, where a page does that.

    Args:
        status: Of the job.
        of: What failed, Markdown, before the error itself.
    """
    st.error(f"{of}{message(status.error)}", icon=":material/error:")
    remedies.link(status.remedy)


def say_error() -> None:
    """Say what a button could not do, once."""
    if error := st.session_state.pop(_ERROR, ""):
        st.error(message(error), icon=":material/error:")


def begin(request: Request, *, action: str, unwritten: Mapping[str, str] = MappingProxyType({})) -> Job:
    """Begin a job, if whoever looks may; whatever a person begins on a page begins here.

    Args:
        request: What is to be done.
        action: The same in a word or two, for the record.
        unwritten: What only its process is told, as :func:`~radcbir_core.jobs.starting.start` says.

    Raises:
        RightsError: It is not theirs to begin.
        CollectionError: Another job is at the collection.
    """
    if request.kind != EvaluateEncoder.kind:
        rights.require("owner", action, request.name)
    return start(request, by=rights.mark(), unwritten=unwritten)


def may_begin(kind: str) -> bool:
    """Whether a kind of job is for whoever looks: evaluations are everybody's, what makes and removes is an owner's."""
    return kind == EvaluateEncoder.kind or rights.may("owner")


def may_control(job: Job) -> bool:
    """Whether stopping, resuming and dismissing a job is for whoever looks.

    An evaluation is theirs who began it, and every editor's; all else is an owner's.
    """
    return rights.may(_needed_to_control(job))


def _needed_to_control(job: Job) -> rights.Role:
    if job.kind != EvaluateEncoder.kind:
        return "owner"
    return "viewer" if job.by == rights.mark() else "editor"


def stop(job: Job, status: Status, *, says: str = Words("").once_stopped) -> None:
    """The button that stops a job, and the one that ends it wherever it is once it has been asked to stop.

    Args:
        job: At work.
        status: How far it is.
        says: What happens to what it has made.
    """
    if not may_control(job):
        return
    stopping = status.state == "stopping"
    button(
        "Stopping…" if stopping else "Stop",
        partial(_carry_out, "stop", job, job.stop),
        key=f"stop:{job.id}",
        icon=":material/stop:",
        disabled=stopping,
        help=says,
    )
    if stopping and status.runner == "process":
        button(
            "End at once",
            partial(_carry_out, "end", job, job.end),
            key=f"end:{job.id}",
            icon=":material/power_settings_new:",
            help="Ends its process wherever it is. What is finished stays; it can go on later.",
        )


def resume(job: Job, status: Status) -> None:
    """The button that goes on with a job that has ended before its end."""
    if not may_control(job):
        return
    button(
        "Try again" if status.state == "failed" else "Go on",
        partial(_carry_out, "resume", job, job.resume),
        key=f"go-on:{job.id}",
        icon=":material/refresh:",
        type="primary",
    )


def dismiss(job: Job) -> None:
    """The button that forgets a job that has ended."""
    if not may_control(job):
        return
    forget = partial(_carry_out, "dismiss", job, job.dismiss)
    button("Dismiss", forget, key=f"dismiss:{job.id}", icon=":material/close:")


def log(job: Job, status: Status) -> None:
    """What the process of a job wrote last, where that may say why it ended; it names folders of the server."""
    if not rights.may("owner") or status.state not in {"failed", "interrupted"}:
        return
    try:
        lines = job.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return
    if lines:
        with st.popover("Log"):
            st.code("\n".join(lines), language=None)


def button(label: str, do: Callable[[], object], **arguments: object) -> None:
    """A button whose error of the core is said by :func:`say_error`.

    Args:
        label: What is on it.
        do: What it does.
        **arguments: Further ones of Streamlit's button.
    """
    st.button(label, on_click=_do, args=(do,), **arguments)  # type: ignore[arg-type]


def _carry_out(action: str, job: Job, do: Callable[[], object]) -> None:
    rights.do(_needed_to_control(job), f"{action} {job.kind}", job.name or job.id, do)


def _do(do: Callable[[], object]) -> None:
    try:
        do()
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
