"""A new reader study: its question, its cases, its conditions.

Owns the form. What can be a case, and which are drawn, is the core's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, rights, shell
from pages.parts.frame.text import EXCLUSION_NAMES, literal
from pages.parts.images import filters
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.collections.reader_studies.study_definition import (
    COLUMNS,
    CONFIDENCES,
    DESIGNS,
    MOST_CASES,
    MOST_HITS,
    REVEALS,
)
from radcbir_core.errors import RadcbirError
from radcbir_core.reader_study.case_choice import BALANCES, eligible, labels_in
from radcbir_core.reader_study.study_making import StudyRequest, make_study

_KEY: Final = "radcbir:study"
_COLUMN_NAMES: Final = {"pathologies": "Pathology", "anatomy": "Anatomy", "modality": "Modality"}
_DESIGN_NAMES: Final = {
    "crossover": "Crossover: each case in both conditions",
    "split": "Split: each case in one condition",
}
_REVEAL_NAMES: Final = {"never": "Never", "end": "At the end", "each": "After each case"}
_CONFIDENCE_NAMES: Final[dict[int, str]] = {5: "1 to 5", 100: "0 to 100"}
_BALANCE_NAMES: Final = {"equal": "The same number", "as there are": "As frequent as in the collection"}


def draw(collection: Collection, encoder_id: str | None, names: Sequence[str]) -> None:
    """Draw the form.

    Args:
        collection: Where cases and hits are from.
        encoder_id: Whose hits; None where no encoder is built.
        names: Of the studies that there are.
    """
    with st.expander("New reader study", icon=":material/add:", expanded=not names):
        if encoder_id is None:
            st.info("A study shows the hits of an encoder. Build one for this collection first.")
            return
        with shell.errors_shown():
            _draw(collection, encoder_id, names)


def _draw(collection: Collection, encoder_id: str, names: Sequence[str]) -> None:
    st.caption(
        "Readers see one case at a time, without its label, and answer it without hits or beside them. The cases are "
        "drawn and their hits kept when the study is made, so that all readers see the same, whatever becomes of the "
        "collection."
    )
    left, middle, right = st.container(key="radcbir-study-form").columns(3, gap="medium")
    with left:
        title = st.text_input("Title, which readers see", key=f"{_KEY}:title", max_chars=120)
        question = st.text_input("Question", "What does this image show?", key=f"{_KEY}:question", max_chars=200)
        column = st.segmented_control(
            "Answers are of", COLUMNS, default=COLUMNS[0], format_func=_COLUMN_NAMES.__getitem__, key=f"{_KEY}:column",
            required=True,
        )  # fmt: skip
        counts = labels_in(collection.manifest, str(column))
        answers = st.multiselect(
            "Answers",
            list(counts),
            key=f"{_KEY}:answers:{column}",
            format_func=partial(_with_count, counts),
            placeholder="choose two or more",
            select_all=False,
        )
    with middle:
        few, fewer = st.columns(2)
        number = few.number_input("Cases", 2, MOST_CASES, 20, key=f"{_KEY}:cases")
        practice = fewer.number_input("For practice", 0, 20, 2, key=f"{_KEY}:practice")
        balance = st.selectbox(
            "How many cases of each answer",
            BALANCES,
            format_func=_BALANCE_NAMES.__getitem__,
            key=f"{_KEY}:balance",
        )
        alone = st.checkbox(
            "Leave out images with a further label",
            value=True,
            key=f"{_KEY}:alone",
            help="Images that show two of the answers are always left out: they would have two right answers.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            where = filters.choose(st.container(horizontal=True), collection, what="Cases")
        seed = st.number_input(
            "Seed of the draw and of all orders",
            0,
            2**31 - 1,
            0,
            key=f"{_KEY}:seed",
            help="The same number draws the same cases, and gives readers the same orders. Another one draws others.",
        )
    with right:
        design = st.selectbox(
            "Design",
            DESIGNS,
            format_func=_DESIGN_NAMES.__getitem__,
            key=f"{_KEY}:design",
            help="Crossover: half of the cases first without retrieval and later with it, the others the other way "
            "around; readers take turns in which half is which. Split: half of the cases each, and every second "
            "reader the other way around.",
        )
        few, fewer = st.columns(2)
        washout = few.number_input(
            "Hours between",
            0,
            10_000,
            0,
            key=f"{_KEY}:washout",
            disabled=design != "crossover",
            help="At least so long after the first reading of all cases the second one begins (washout).",
        )
        offered = [one for one in REVEALS if design == "split" or one != "each"]
        reveal = fewer.selectbox(
            "Labels revealed",
            offered,
            index=1,
            format_func=_REVEAL_NAMES.__getitem__,
            key=f"{_KEY}:reveal:{design}",
        )
        k = few.number_input("Hits a case", 1, MOST_HITS, 6, key=f"{_KEY}:k")
        most = fewer.selectbox(
            "Confidence", list(CONFIDENCES), format_func=_CONFIDENCE_NAMES.__getitem__, key=f"{_KEY}:most"
        )
        store = loaders.store(collection, encoder_id)
        exclude = st.pills(
            "Hits are not of the case's",
            loaders.offered_exclusions(collection, encoder_id, always=("duplicate",)),
            default=[
                one
                for one in dict.fromkeys(["duplicate", *default_exclusions(store)])
                if one in loaders.offered_exclusions(collection, encoder_id, always=("duplicate",))
            ],
            selection_mode="multi",
            format_func=EXCLUSION_NAMES.__getitem__,
            key=f"{_KEY}:exclude:{encoder_id}",
            help="No case is a hit of another one in any event, nor a near-duplicate of one.",
        )
        similarity = st.checkbox("Readers see how similar hits are", value=True, key=f"{_KEY}:similarity")
    if answers:
        among = eligible(collection.manifest, answers, column=str(column), where=where, alone=alone)
        of_patients = among.counts(loaders.clusters(collection, encoder_id))
        said = ", ".join(f"{answer} {count:,}" for answer, count in of_patients.items())
        st.caption(
            literal(f"Patients with an image that can be a case: {said}. At most one image of a patient is one.")
        )
    request = StudyRequest(
        name=_name_of(title, names),
        answers=tuple(answers),
        cases=int(number),
        title=title,
        question=question,
        column=str(column),
        where=where,
        alone=alone,
        balance=str(balance),
        practice=int(practice),
        k=int(k),
        exclude=tuple(exclude),
        design=design,
        washout_hours=float(washout) if design == "crossover" else 0.0,
        reveal=reveal,
        most_confidence=int(most),
        shows_similarity=similarity,
        seed=int(seed),
    )
    is_ready = bool(title.strip()) and len(answers) > 1
    if st.button(
        "Make the study",
        type="primary" if is_ready else "secondary",
        icon=":material/assignment_add:",
        disabled=not is_ready,
        help=None if is_ready else "It needs a title, and two answers.",
        key=f"{_KEY}:make",
    ):
        _make(collection, encoder_id, request)


def _make(collection: Collection, encoder_id: str, request: StudyRequest) -> None:
    bar = st.progress(0.0, "Drawing the cases and searching their hits")

    def told(step: str, done: int, total: int) -> None:  # noqa: ARG001 - there is one
        bar.progress(done / max(total, 1), f"Searching hits: case {done:,} of {total:,}")

    def made() -> None:
        retriever = loaders.retriever(collection, encoder_id)
        make_study(retriever, request, by=rights.visitor().name, progress=told)

    try:
        rights.do("editor", "make study", collection.name, made)
    except RadcbirError as error:
        bar.empty()
        shell.show_error(error)
        return
    st.session_state.pop(f"{_KEY}:title", None)
    st.rerun()


def _name_of(title: str, names: Sequence[str]) -> str:
    """The name of a study of this title that no other one has."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:34].strip("-") or "study"
    name, number = plain, 2
    while name in names:
        name, number = f"{plain}-{number}", number + 1
    return name


def _with_count(counts: dict[str, int], value: str) -> str:
    return f"{value} ({counts[value]:,})"
