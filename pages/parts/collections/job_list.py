"""All jobs there are, of whatever kind: how far each is, stopping it, going on with it, and what became of it.

Owns how they are listed. All that is known of them is read from disk each second, so that a page opened anew shows the
same, wherever a job was begun: here, on a page that evaluates, at the first start, or in a terminal.
"""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import server_paths, shell
from pages.parts.frame.text import literal
from pages.parts.jobs import controls, job_words, stages
from pages.parts.jobs.waiting import POLL_SECONDS
from radcbir_core.collections.layout import list_collections
from radcbir_core.jobs import Job, Request, Status, list_jobs
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.wording import counted


def draw() -> None:
    """Draw the jobs, the newest first; anew each second while one is running."""
    jobs = _listed()
    if not jobs:
        controls.say_error()
    elif any(not job.status().ended for job in jobs):
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
    """All jobs but those that are done and whose result is seen elsewhere."""
    return [job for job in list_jobs() if job.is_listed or job.status().state != "done"]


def _state_of(jobs: list[Job]) -> tuple[tuple[str, ...], ...]:
    """What the rest of the page depends on."""
    states = [(job.id, job.status()) for job in jobs]
    of_jobs = [(name, status.state if status.ended else "", *status.finished) for name, status in states]
    return (*of_jobs, tuple(list_collections()))


def _all(jobs: list[Job]) -> None:
    controls.say_error()
    for job in jobs:
        with st.container(border=True), shell.errors_shown():
            _one(job, job.status())


def _one(job: Job, status: Status) -> None:
    request = job.request if job.kind else None  # of a damaged record, only its error is said
    words = job_words.Words("") if request is None else job_words.words_of(request)
    name = f"**{literal(job.name or job.id)}**"
    what = f" :gray[{literal(server_paths.shown(words.what))}]" if words.what else ""
    if not status.ended:
        where = "It goes on when this page is closed." if status.runner == "process" else f"In a {status.runner}."
        st.markdown(f"{name}{what} :gray[{where}]")
        stages.show_bar(status, words.made)
        stages.show_list(_lines(request, status))
        with st.container(horizontal=True):
            controls.stop(job, status, says=words.once_stopped)
        return
    if status.state == "done":
        _done(status, name)
    elif status.state == "failed":
        controls.say_failure(status, of=f"{name}{what}: ")
    else:
        kept = _kept(status) if isinstance(request, ImportAndBuild) else words.kept
        how = "was stopped." if status.state == "stopped" else "was interrupted: its process has ended without a word."
        (st.info if status.state == "stopped" else st.warning)(
            f"{name}{what} {how} {kept}",
            icon=":material/stop:" if status.state == "stopped" else ":material/power_off:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = isinstance(request, ImportAndBuild) and request.archive is not None
        if status.state == "done" and (_built(status) or opened):
            st.page_link(
                "pages/retrieval.py",
                label=f"Search in {literal(job.name)}",
                icon=":material/image_search:",
                query_params={"collection": job.name},
            )
        if status.can_resume and request is not None:
            controls.resume(job, status)
        controls.dismiss(job)
        controls.log(job, status)


def _done(status: Status, name: str) -> None:
    built = _built(status)
    images, problems = (status.counts.get(of_what, 0) for of_what in ("images", "problems"))
    with_problems = f", {counted(problems, 'problem')} (in the list below)" if problems else ""
    with_encoders = f", built with {', '.join(built)}" if built else ""
    st.success(
        f"{name} is ready: {counted(images, 'image')}{literal(with_encoders)}{with_problems}.",
        icon=":material/check:",
    )


def _built(status: Status) -> list[str]:
    return [spec for spec in status.finished if spec != "import"]


def _kept(status: Status) -> str:
    images = status.counts.get("images", 0)
    if "import" in status.finished or images:
        return f"Its {counted(images, 'image')} are imported; the rest can go on where it stopped."
    return "Nothing was imported yet."


def _lines(request: Request | None, status: Status) -> list[tuple[str, stages.Place]]:
    """The stages of the whole work, where they are known: of an import, and then of one encoder after the other."""
    if isinstance(request, MakeDemonstration):
        return stages.of_demonstration(status)
    if not isinstance(request, ImportAndBuild):
        return []
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
            built = stages.of_build(status.stage)
            lines += [(f"{spec}: {label[0].lower()}{label[1:]}", place) for label, place in built]
    return lines
