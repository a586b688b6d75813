"""A reader at work: who they are, the next case, its answer, and what is revealed afterwards.

Owns the page's URL parameters ``collection``, ``study`` and ``reader``, and the order of its screens. A case is never
named here but by its number in the reader's order: no id, no path, no label, no row reaches the browser before it is
answered, and of the file only its stored values do (viewer_routes.py). The clock of a case begins when somebody asks
for it, never because a page was loaded; how often it was shown is kept.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, rights, shell, state
from pages.parts.frame.text import literal, markup, message
from pages.parts.images.viewer import image_viewer
from pages.parts.images.viewer.session_files import SessionFile
from pages.parts.reading import answer_pad, hit_strip, outcome
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.reading_log import LONGEST_READER
from radcbir_core.collections.reader_studies.study_definition import Case, FrozenHit, Study
from radcbir_core.errors import RadcbirError, StudyError
from radcbir_core.reader_study.reading_course import (
    Answered,
    Course,
    check_reader,
    picture_of,
    read_course,
    row_of_case,
    write_answer,
    write_joined,
    write_passed,
    write_shown,
)
from radcbir_core.reader_study.study_design import Step
from radcbir_core.wording import counted

_ON: Final = "radcbir:reading-on"
_VISIT: Final = "radcbir:reading-visit"
_TOLD: Final = "radcbir:reading-told"
_ERROR: Final = "radcbir:reading-error"
_HIT: Final = "radcbir:reading-hit"
_NAME: Final = "radcbir:reading-name"
_PLACE: Final = "radcbir-case"
_CONDITIONS: Final = {"without": "without retrieval", "with": "with retrieval"}
_PERIODS: Final = {0: "Practice", 1: "First reading", 2: "Second reading"}


@dataclass
class _Visit:
    """One showing of one case in this session.

    Attributes:
        of: The collection, the study, the reader and the step.
        token: Names it.
        file: The file of the case.
        began: When the page was sent, by a clock that is never set.
        is_sent: Whether all of it was; until then it began when the file was read.
        attempt: How often an answer could not be kept.
    """

    of: tuple[str, str, str, int]
    token: str
    file: SessionFile
    began: float
    is_sent: bool = False
    attempt: int = 0


def show() -> None:
    """Draw the page."""
    opened = _opened()
    if opened is None:
        return
    collection, study = opened
    if not rights.may("editor"):
        st.info(
            f"To read, one has to be an editor here; you are a {rights.visitor().role}. Ask an owner of this server to "
            "list you as one.",
            icon=":material/lock:",
        )
        return
    if error := st.session_state.pop(_ERROR, ""):
        shell.show_error(error)
    reader = _reader(study)
    if reader is None:
        return
    with shell.errors_shown():
        course = read_course(collection, study, reader)
        told = st.session_state.get(_TOLD)
        if isinstance(told, Step):
            outcome.show_answer(study, course, told, go_on=_go_on)
        elif course.is_complete:
            outcome.show_end(collection, study, course)
        elif _is_on(collection, course):
            _show_case(collection, study, course)
        else:
            with st.container(key="radcbir-reading-start"):
                _show_start(collection, study, course)


def _opened() -> tuple[Collection, Study] | None:
    """The collection and the study that the URL names."""
    name, study = state.get("collection"), state.get("study")
    if not name or not study:
        st.info(
            "This page shows the cases of a reader study. Open it by the link that you were given.",
            icon=":material/link:",
        )
        return None
    with shell.errors_shown():
        collection = loaders.collection(name)
        return collection, loaders.reader_study(collection, study)
    return None


def _reader(study: Study) -> str | None:
    """By what name they read: that of their login, where people log in; else what the URL or they themselves say."""
    if rights.has_login():
        return " ".join(rights.visitor().name.split())[:LONGEST_READER]
    said = state.get("reader")
    if said is not None:
        with shell.errors_shown():
            return check_reader(said)
    _title(study)
    with st.form("radcbir:reader", border=False, width=420):
        st.text_input(
            "The name that you read by",
            key=_NAME,
            max_chars=LONGEST_READER,
            help="A pseudonym, such as R1. It stands beside your answers, and by it you go on later.",
        )
        st.form_submit_button("Next", type="primary", on_click=_say_name)
    return None


def _say_name() -> None:
    name = str(st.session_state.get(_NAME) or "")
    try:
        state.update(reader=check_reader(name))
    except StudyError as error:
        st.session_state[_ERROR] = str(error)


def _title(study: Study) -> None:
    st.html(f'<h2 class="radcbir-study">{markup(study.title)}</h2>')


def _is_on(collection: Collection, course: Course) -> bool:
    step = course.next
    return step is not None and st.session_state.get(_ON) == _on(collection, course, step)


def _on(collection: Collection, course: Course, step: Step) -> tuple[str, str, str, int]:
    return collection.name, course.study.name, course.reader, step.period


def _show_start(collection: Collection, study: Study, course: Course) -> None:
    """What a reader is told before the clock runs: at the beginning, after a pause, and between two readings."""
    _title(study)
    step = course.next
    if step is None:
        return
    counts = [one for one in course.steps if not one.is_practice]
    done = sum(one.number in course.done for one in counts)
    in_period = [one for one in course.steps if one.period == step.period]
    done_in_period = sum(one.number in course.done for one in in_period)
    if course.number is None:
        st.markdown(_how_it_goes(study))
        st.caption(literal(answer_pad.KEYS))
        label = "Begin"
    else:
        st.markdown(
            f"**{_PERIODS[step.period]}**, case {done_in_period + 1} of {len(in_period)}. "
            f"You have read {done:,} of {len(counts):,}."
        )
        if step.period == 2 and not done_in_period:
            st.markdown("The first reading is done. Now you read the same cases again, in another order.")
        elif step.period == 1 and not done_in_period and study.practice:
            st.markdown("Practice is over. From now on it counts.")
        label = "Go on"
    times = [entry.when for entries in course.shown.values() for entry in entries]
    before = ""
    has_just_read = (st.session_state.get(_ON) or ())[:3] == _on(collection, course, step)[:3]
    if times and not has_just_read and not rights.has_login():
        last = max(times)[:16].replace("T", " ")
        before = f" By this name somebody has read before, last at {last} UTC. If that was not you, choose another one."
    st.caption(literal(f"You read as {course.reader}.{before}"))
    if course.ready_at is not None:
        st.info(
            f"The second reading begins at {course.ready_at:%Y-%m-%d %H:%M} UTC at the earliest. Come back then, by "
            "the same link.",
            icon=":material/schedule:",
        )
        return
    with st.container(horizontal=True):
        st.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Enter",
            on_click=partial(_begin, collection, study, course),
        )
        if not rights.has_login():
            st.button("Another name", type="tertiary", on_click=state.update, kwargs={"reader": None})


def _how_it_goes(study: Study) -> str:
    """What a reader is told before the first case, as Markdown."""
    how = {
        "crossover": "each of them twice, once without and once with retrieval",
        "split": "each of them once, half of them without and half with retrieval",
    }[study.design]
    number = len(study.practice)
    practice = f" First {'come' if number > 1 else 'comes'} {counted(number, 'case')} for practice." if number else ""
    return (
        f"You read {counted(len(study.cases), 'case')}, {how}. With retrieval, similar images of the collection stand "
        f"beside the case, with their labels.{practice}\n\n"
        f"Of each case: **{literal(study.question)}** Choose an answer, say how sure you are, and submit. What was "
        "submitted cannot be changed.\n\n"
        "The time that you take is measured from when a case is shown. You can stop after any case and go on later, "
        "here or at another machine, by the same link and name."
    )


def _begin(collection: Collection, study: Study, course: Course) -> None:
    def joined() -> Course:
        return write_joined(collection, study, course.reader, by=rights.visitor().name)

    try:
        now = rights.do("editor", "read study", collection.name, joined)
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
        return
    if now.next is not None:
        st.session_state[_ON] = _on(collection, now, now.next)


def _pause() -> None:
    for key in (_ON, _VISIT):
        st.session_state.pop(key, None)


def _go_on() -> None:
    st.session_state.pop(_TOLD, None)


def _show_case(collection: Collection, study: Study, course: Course) -> None:
    step = course.next
    if step is None:
        return
    case = course.case(step)
    visit = _visit(collection, study, course, step)
    if visit is None:
        return
    in_period = [one for one in course.steps if one.period == step.period]
    at = in_period.index(step) + 1
    title = f"Case {at} of {len(in_period)}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="radcbir-reading-head"):
        st.html(
            f'<p class="radcbir-summary"><b>{title}</b> · {_PERIODS[step.period].lower()}, '
            f"{_CONDITIONS[step.condition]} <small>{markup(study.title)} · {markup(course.reader)}</small></p>"
        )
        st.button("Pause", icon=":material/pause:", type="tertiary", on_click=_pause)
    st.progress((at - 1) / len(in_period))
    wide, narrow = st.container(key="radcbir-reading-room").columns([3, 2], gap="medium")
    with wide, st.container(key=_PLACE):
        image_viewer.show_unnamed(visit.file, title, key=f"radcbir:case:{visit.token}", is_inline=True)
    opened = None
    with narrow:
        answer_pad.draw(
            study,
            token=visit.token,
            title=title,
            place=f".st-key-{_PLACE}",
            attempt=visit.attempt,
            on_answer=partial(_answered, collection, study, course.reader, step),
        )
        if step.condition == "with":
            st.html('<h4 class="radcbir-label">Similar images and their labels</h4>')
            opened = hit_strip.draw(collection, study, case.hits, key=f"radcbir:hits:{visit.token}")
    if opened is not None:
        _open_hit(collection, study, visit, case.hits[opened], opened + 1)
    if not visit.is_sent:
        visit.is_sent, visit.began = True, time.monotonic()


def _visit(collection: Collection, study: Study, course: Course, step: Step) -> _Visit | None:
    """This showing of the case; of a new one it is kept that it is shown. None where it cannot be, which is said."""
    of = (collection.name, study.name, course.reader, step.number)
    visit = st.session_state.get(_VISIT)
    if isinstance(visit, _Visit) and visit.of == of:
        return visit
    case = course.case(step)

    def shown() -> None:
        write_shown(collection, study, course.reader, step, by=rights.visitor().name)

    try:
        file = _file(collection, case)
    except StudyError as error:
        shell.show_error(f"{error} Tell whoever made the study. This case can be passed; it is kept that it was.")
        st.button(
            "Pass this case",
            icon=":material/skip_next:",
            on_click=partial(_pass, collection, study, course.reader, step, str(error)),
        )
        return None
    rights.do("editor", "show case", collection.name, shown)
    visit = _Visit(of, uuid.uuid4().hex, file, time.monotonic())
    st.session_state[_VISIT] = visit
    return visit


def _file(collection: Collection, subject: Case | FrozenHit) -> SessionFile:
    picture = picture_of(collection, row_of_case(collection, subject.image_id, subject.sha256))
    return SessionFile("the case", picture.data, picture.frame)


def _answered(collection: Collection, study: Study, reader: str, step: Step) -> None:
    """Keep what the pad says; what goes wrong is said on the page, and the pad can send it again."""
    now = time.monotonic()
    visit = st.session_state.get(_VISIT)
    if not isinstance(visit, _Visit) or visit.of != (collection.name, study.name, reader, step.number):
        return
    given = answer_pad.given(visit.token)
    if given is None:
        return
    told = Answered(
        given.answer,
        given.confidence,
        seconds=now - visit.began,
        looked=given.looked,
        hidden=given.hidden,
        longest_hidden=given.longest_hidden,
    )

    def kept() -> None:
        write_answer(collection, study, reader, step, told, by=rights.visitor().name)

    if not _done("answer case", collection, kept):
        visit.attempt += 1
        return
    st.session_state.pop(_VISIT, None)
    if step.is_practice or study.reveal == "each":
        st.session_state[_TOLD] = step


def _pass(collection: Collection, study: Study, reader: str, step: Step, reason: str) -> None:
    def passed() -> None:
        write_passed(collection, study, reader, step, reason=reason, by=rights.visitor().name)

    _done("pass case", collection, passed)


def _done(action: str, collection: Collection, what: Callable[[], None]) -> bool:
    try:
        rights.do("editor", action, collection.name, what)
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
        return False
    return True


@st.dialog("The case and a hit", width="large")
def _open_hit(collection: Collection, study: Study, visit: _Visit, hit: FrozenHit, rank: int) -> None:
    try:
        file = _file(collection, hit)
    except StudyError as error:
        st.error(message(str(error)), icon=":material/error:")
        return
    st.session_state[_HIT] = file  # the session holds it for as long as it is shown
    with st.container(key="radcbir-large"):
        image_viewer.show_unnamed(
            file,
            hit_strip.said_of_hit(study, rank, hit),
            key=f"radcbir:hit:{visit.token}:{rank}",
            is_inline=False,
            beside=visit.file,
            names=("The case", ""),
            head=hit_strip.label_of_hit(hit),
        )
