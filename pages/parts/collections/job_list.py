"""The imports and builds: how far each is, stopping it, going on with it, and what became of it.

Owns how these jobs are shown. All that is known of them is read from disk each second, so that a page opened anew shows
the same.
"""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.text import counted, literal, message
from pages.parts.jobs import controls, stages
from pages.parts.jobs.waiting import POLL_SECONDS
from radcbir_core.jobs import Job, Status, list_jobs
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild


def draw() -> None:
    """Draw all imports and builds, the newest first; anew each second while one is running."""
    jobs = _listed()
    if not jobs:
        return
    if any(not job.status().ended for job in jobs):
        _running(_state_of(jobs))
    else:
        _all(jobs)


@st.fragment(run_every=POLL_SECONDS)
def _running(before: tuple[tuple[str, ...], ...]) -> None:
    jobs = _listed()
    if _state_of(jobs) != before:
        st.rerun()  # a collection or an encoder is there now, or a job has ended: the rest of the page shows that too
    _all(jobs)


def _listed() -> list[Job]:
    """The imports and builds, and what cannot be read and so cannot be known to be another thing."""
    return [job for job in list_jobs() if job.kind in {ImportAndBuild.kind, ""}]


def _state_of(jobs: list[Job]) -> tuple[tuple[str, ...], ...]:
    """What the rest of the page depends on."""
    states = [(job.id, job.status()) for job in jobs]
    return tuple((name, status.state if status.ended else "", *status.finished) for name, status in states)


def _all(jobs: list[Job]) -> None:
    controls.say_error()
    for job in jobs:
        with st.container(border=True), shell.errors_shown():
            _one(job, job.status())


def _one(job: Job, status: Status) -> None:
    request = job.request if job.kind else ImportAndBuild(job.id)  # of a damaged record, only its error is said
    if not isinstance(request, ImportAndBuild):
        return
    name = literal(request.name)
    if not status.ended:
        st.markdown(f"**{name}** :gray[{_what(request)}. It goes on when this page is closed.]")
        stages.show_bar(status)
        stages.show_list(_lines(request, status))
        with st.container(horizontal=True):
            controls.stop(job, status)
        return
    if status.state == "done":
        _done(status, name)
    elif status.state == "failed":
        st.error(f"**{name}**: {message(status.error)}", icon=":material/error:")
    elif status.state == "stopped":
        st.info(f"**{name}** was stopped. {_kept(status)}", icon=":material/stop:")
    else:
        st.warning(
            f"**{name}** was interrupted: its process has ended without a word. {_kept(status)}",
            icon=":material/power_off:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if status.state == "done" and (_built(status) or request.archive is not None):
            st.page_link(
                "pages/retrieval.py",
                label=f"Search in {name}",
                icon=":material/image_search:",
                query_params={"collection": job.name},
            )
        if status.can_resume and job.kind:
            controls.resume(job, status)
        controls.dismiss(job)
        controls.log(job, status)


def _done(status: Status, name: str) -> None:
    built = _built(status)
    images, problems = (status.counts.get(name, 0) for name in ("images", "problems"))
    with_problems = f", {counted(problems, 'problem')} (in the list below)" if problems else ""
    with_encoders = f", built with {', '.join(built)}" if built else ""
    st.success(
        f"**{name}** is ready: {counted(images, 'image')}{literal(with_encoders)}{with_problems}.",
        icon=":material/check:",
    )


def _built(status: Status) -> list[str]:
    return [spec for spec in status.finished if spec != "import"]


def _kept(status: Status) -> str:
    images = status.counts.get("images", 0)
    if "import" in status.finished or images:
        return f"Its {counted(images, 'image')} are imported; the rest can go on where it stopped."
    return "Nothing was imported yet."


def _what(request: ImportAndBuild) -> str:
    encoders = ", ".join(literal(spec) for spec in request.encoders)
    if not request.brings_in:
        return f"Build with {encoders}"
    first = "Open an archive" if request.archive is not None else "Import"
    return f"{first}{f' and build with {encoders}' if encoders else ''}"


def _lines(request: ImportAndBuild, status: Status) -> list[tuple[str, stages.Place]]:
    """The stages of the whole work: the import, then one encoder after the other, the one at work in full."""
    lines: list[tuple[str, stages.Place]] = []
    if request.brings_in:
        first = stages.IMPORT["import" if request.archive is None else "archive"]
        lines.append((first, "done" if "import" in status.finished else "now"))
    specs = list(request.encoders)
    if request.imports is not None and request.imports.encoder_id:
        specs.insert(0, request.imports.encoder_id)
    for spec in specs:
        if spec in status.finished:
            lines.append((f"Build with {spec}", "done"))
        elif spec != status.part:
            lines.append((f"Build with {spec}", "later"))
        else:
            places = stages.places(list(stages.BUILD), status.stage)
            labels = [f"{spec}: {label[0].lower()}{label[1:]}" for label in stages.BUILD.values()]
            lines += zip(labels, places, strict=True)
    return lines
