"""What a reader is told after an answer, or at the end: what they said, and what the label says.

Owns these two screens. Neither is drawn before what it tells was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.frame import palette
from pages.parts.frame.text import literal, markup
from pages.parts.reading import hit_strip
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.study_definition import CONDITIONS, Case, Study
from radcbir_core.reader_study.reading_course import Course
from radcbir_core.reader_study.study_design import Step
from radcbir_core.wording import counted

_COLUMNS: Final = {"without": "Without retrieval", "with": "With retrieval"}


def show_answer(study: Study, course: Course, step: Step, *, go_on: Callable[[], None]) -> None:
    """What was answered, and what the label says; then the next case.

    Args:
        study: Which study.
        course: How far the reader is; the step is behind them.
        step: What was answered.
        go_on: Called when they go on.
    """
    given, case = course.done.get(step.number), course.case(step)
    if given is not None and given.answer:
        kind: palette.Agreement = "same" if given.answer == case.truth else "other"
        sign = f"{palette.SIGNS[kind]} {'right' if kind == 'same' else 'another'}"
        beside = f" ({markup(', '.join(case.labels))})" if case.labels != (case.truth,) else ""
        st.html(
            f'<div class="radcbir-told"><p style="color:{palette.AGREEMENT_COLORS[kind]}">{sign}</p>'
            f"<p>You said <b>{markup(given.answer)}</b>, with confidence {markup(given.confidence)} of "
            f"{study.most_confidence}.</p><p>The label says <b>{markup(case.truth)}</b>{beside}.</p></div>"
        )
    if step.is_practice:
        st.caption("This was practice and does not count.")
    st.button("Next", type="primary", icon=":material/arrow_forward:", shortcut="Enter", on_click=go_on)


def show_end(collection: Collection, study: Study, course: Course) -> None:
    """What is said when all is read, with the labels if the study reveals them."""
    st.html(f'<h2 class="radcbir-study">{markup(study.title)}</h2>')
    read = [step for step in course.steps if not step.is_practice]
    passed = sum(course.done[step.number].kind == "passed" for step in read)
    st.success(
        f"All is read: {counted(len(read) - passed, 'reading')}. Thank you. Your answers are kept; this page can be "
        "closed.",
        icon=":material/task_alt:",
    )
    if passed:
        st.caption(f"{counted(passed, 'case')} could not be shown and {'was' if passed == 1 else 'were'} passed.")
    st.caption(literal(f"You read as {course.reader}."))
    if study.reveal == "never":
        return
    st.html('<h4 class="radcbir-label">Your answers and the labels</h4>')
    conditions = [one for one in CONDITIONS if any(step.condition == one for step in read)]
    table = pd.DataFrame([_line(collection, course, case, at) for at, case in enumerate(study.cases)])
    st.dataframe(
        table[["", "Label", *(_COLUMNS[one] for one in conditions)]],
        hide_index=True,
        row_height=64,
        column_config={"": st.column_config.ImageColumn("Case", width="small")},
    )


def _line(collection: Collection, course: Course, case: Case, at: int) -> dict[str, str]:
    line = {"": hit_strip.small(collection, case), "Label": case.truth, **dict.fromkeys(_COLUMNS.values(), "")}
    for step in course.steps:
        given = course.done.get(step.number)
        if step.is_practice or step.case != at or given is None or not given.answer:
            continue
        sign = palette.SIGNS["same" if given.answer == case.truth else "other"]
        line[_COLUMNS[step.condition]] = f"{sign} {given.answer} ({given.confidence})"
    return line
