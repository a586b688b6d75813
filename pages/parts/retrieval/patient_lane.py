"""The other images of the query's patient, the earlier ones first where the collection says when they were taken.

Owns how the lane is drawn, and the URL parameter ``lane``: earlier images are there unless it says ``none``, and of
others it is a switch, until it says ``all``. The order is the core's; these images are mostly left out of the hits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from radcbir_core.collections.patient_course import PatientCourse, patient_course
from radcbir_core.wording import counted

_PAGE: Final = 8


def show(opened: Opened, row: int | None, *, on_query: Callable[[str], None]) -> None:
    """Draw the lane; nothing for a query that is no image of the collection, or whose patient has no others.

    Args:
        opened: The open collection.
        row: The query.
        on_query: Called with the image_id of one that is to be the next query.
    """
    course = None if row is None else patient_course(opened.collection.manifest, row)
    if course is None:
        return
    rows = course.earlier or (*course.later, *course.unordered)
    if not rows:
        return
    key, asked = "radcbir:lane", state.get("lane")
    if asked not in (None, "none", "all"):
        state.report("lane", asked, ["none", "all"], then="It is as if nothing were said")
        asked = None
    st.session_state[key] = asked != "none" if course.earlier else asked == "all"
    off, on = ("none", None) if course.earlier else (None, "all")
    st.toggle(
        said(course),
        key=key,
        on_change=lambda: state.update(lane=on if st.session_state[key] else off),
    )
    if st.session_state[key]:
        gallery.show(
            opened.collection,
            np.asarray(rows),
            key="patient-lane",
            per_page=_PAGE,
            columns=_PAGE,
            query_row=row,
            on_query=on_query,
            notes=[course.when.get(one, "") for one in rows],
        )


def said(course: PatientCourse) -> str:
    """What the lane holds.

    Example:
        >>> said(PatientCourse("visit", (3,), (), (), {3: "1"}))
        'Earlier images of this patient: 1 image, by visit, the latest first'
        >>> said(PatientCourse("", (), (), (3, 4), {}))
        'Other images of this patient: 2 images; no column says when they were taken'
        >>> said(PatientCourse("visit", (), (3,), (), {3: "2"}))
        'Other images of this patient: 1 image, none of them earlier'
    """
    if course.earlier:
        number = counted(len(course.earlier), "image")
        return f"Earlier images of this patient: {number}, by {literal(course.column)}, the latest first"
    number = counted(len(course.later) + len(course.unordered), "image")
    if not course.column:
        return f"Other images of this patient: {number}; no column says when they were taken"
    if course.unordered:
        return f"Other images of this patient: {number}; {literal(course.column)} does not order all of them"
    return f"Other images of this patient: {number}, none of them earlier"
