"""The reader studies of a collection: a new one, and of each its link, how far readers are, and their answers.

Owns what a researcher sees. What a reader sees is the page Reading (pages/parts/reading), which this one links to and
which does not link back.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from pages.parts.frame import loaders, rights, shell
from pages.parts.frame.text import EXCLUSION_NAMES, literal, markup, percent
from pages.parts.review import exchange, study_form
from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.reading_log import read_readings
from radcbir_core.collections.reader_studies.study_definition import Study, list_studies, remove_study, study_json
from radcbir_core.collections.reviews.review_table import csv_of
from radcbir_core.errors import RadcbirError
from radcbir_core.reader_study.reading_course import read_course
from radcbir_core.reader_study.study_summary import ShareWithin, difference_of, figures_by_condition
from radcbir_core.reader_study.study_table import table_of
from radcbir_core.wording import counted

_ERROR: Final = "radcbir:study-error"
_DESIGNS: Final = {
    "crossover": "crossover: each case in both conditions",
    "split": "split: each case in one condition",
}
_REVEALS: Final = {"never": "labels are not revealed", "end": "labels at the end", "each": "label after each case"}
_CONDITIONS: Final = {"without": "Without retrieval", "with": "With retrieval"}


def show(collection: Collection, encoder_id: str | None) -> None:
    """Draw the studies.

    Args:
        collection: Of whose images they are.
        encoder_id: Of the open encoder, whose hits a new one would have, if there is one.
    """
    if error := st.session_state.pop(_ERROR, ""):
        shell.show_error(error)
    if not rights.may("editor"):
        st.info(
            f"Reader studies are made, read and evaluated by editors; you are a {rights.visitor().role}. Ask an owner "
            "of this server to list you as one.",
            icon=":material/lock:",
        )
        return
    with shell.errors_shown():
        names = list_studies(collection.folder)
        study_form.draw(collection, encoder_id, names)
        studies = []
        for name in names:
            with shell.errors_shown():
                studies.append(loaders.reader_study(collection, name))
        for study in sorted(studies, key=lambda one: one.made, reverse=True):
            with st.container(border=True, key=f"radcbir-study-{study.name}"), shell.errors_shown():
                _show_study(collection, study)


def _show_study(collection: Collection, study: Study) -> None:
    log = read_readings(collection.folder, study.name)
    if log.damaged:
        line, reason = log.damaged[0]
        st.warning(
            f"Expected entries only in the log of this study, but {counted(len(log.damaged), 'line')} of it cannot be "
            f"read, first {line}: {literal(reason)}. The others hold."
        )
    table = table_of(study, log, collection=collection.name)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(f'<h4 class="radcbir-label">{markup(study.title)}</h4>')
    bar.download_button(
        f"CSV ({len(table):,})",
        rights.handing_out("editor", "reader study", collection.name, lambda: csv_of(table)),
        file_name=f"reader-study-{collection.name}-{study.name}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="One row a reader, case and condition; docs/reader-study.md says what the columns are",
        on_click="ignore",
        disabled=table.empty,
        key=f"radcbir:study-csv:{study.name}",
    )
    bar.download_button(
        "Definition",
        rights.handing_out("editor", "reader study", collection.name, partial(study_json, study)),
        file_name=f"reader-study-{collection.name}-{study.name}.json",
        mime="application/json",
        icon=":material/data_object:",
        help="The cases with what is right, the hits of each, and all that was chosen; for a protocol or a paper. "
        "It is not for readers.",
        on_click="ignore",
        key=f"radcbir:study-json:{study.name}",
    )
    if not any(entry.kind == "answer" for entry in log.entries):
        bar.button(
            "Remove",
            icon=":material/delete:",
            type="tertiary",
            help="Nobody has answered yet. A study with answers stays.",
            key=f"radcbir:study-remove:{study.name}",
            on_click=partial(_remove, collection, study.name),
        )
    st.caption(literal(_said_of(study)))
    _say_changes(collection, study)
    st.caption("The link for readers")
    server = exchange.address_of_server()
    link = f"{server}/reading?{urlencode({'collection': collection.name, 'study': study.name})}"
    st.code(link, language=None)
    readers = [entry.reader for entry in log.entries if entry.kind == "joined"]
    if not readers:
        st.caption("Nobody has begun to read.")
        return
    st.dataframe(
        pd.DataFrame([_progress_of(collection, study, reader) for reader in readers]),
        hide_index=True,
        column_config={
            "Read": st.column_config.ProgressColumn("Read", format="%.0f %%", min_value=0, max_value=100, width="small")
        },
    )
    if not table.empty:
        _show_figures(study, table)


def _said_of(study: Study) -> str:
    """What a study is, in one line."""
    practice = f" and {len(study.practice)} for practice" if study.practice else ""
    left_out = ", ".join(EXCLUSION_NAMES[name] for name in study.exclude)
    parts = [
        f"{counted(len(study.cases), 'case')}{practice}",
        _DESIGNS[study.design] + (f", {study.washout_hours:g} h between" if study.washout_hours else ""),
        f"answers: {', '.join(study.answers)}",
        f"{counted(study.k, 'hit')} a case by {study.encoder_id}"
        + (f", none of the case's {left_out}" if left_out else ""),
        _REVEALS[study.reveal],
        f"seed {study.seed}",
        f"made {study.made[:16].replace('T', ' ')} UTC by {study.made_by}",
    ]
    return " · ".join(parts)


def _say_changes(collection: Collection, study: Study) -> None:
    """Say what has become of the collection since the study was made; the study itself stays as it was."""
    rows = collection.manifest.rows_of([case.image_id for case in (*study.cases, *study.practice)])
    if gone := int((rows < 0).sum()):
        st.warning(
            f"{counted(gone, 'case')} of this study {'is' if gone == 1 else 'are'} not in the collection any more. "
            "Readers are told so, and can pass them.",
            icon=":material/hide_image:",
        )
    if study.labels_digest != collection.digests.all_labels:
        st.caption("Labels of the collection have changed since. The study keeps those that it was made with.")
    stores = collection.encoder_ids()
    if study.encoder_id not in stores or (
        collection.store(study.encoder_id).made_digest(EMBEDDINGS) != study.embeddings_digest
    ):
        st.caption("The embeddings have been made again since. The study keeps the hits that it was made with.")


def _progress_of(collection: Collection, study: Study, reader: str) -> dict[str, object]:
    course = read_course(collection, study, reader)
    counts = [step for step in course.steps if not step.is_practice]
    done = [course.done[step.number] for step in counts if step.number in course.done]
    passed = sum(entry.kind == "passed" for entry in done)
    step = course.next
    at = "done" if step is None else {0: "practice", 1: "first reading", 2: "second reading"}[step.period]
    return {
        "Reader": reader,
        "Number": (course.number or 0) + 1,
        "Read": 100 * len(done) / len(counts),
        "Readings": f"{len(done) - passed:,} of {len(counts):,}" + (f", {passed} passed" if passed else ""),
        "At": at,
        "Last answer (UTC)": max((entry.when[:16].replace("T", " ") for entry in done), default=""),
    }


def _show_figures(study: Study, table: pd.DataFrame) -> None:
    lines = [
        f"<tr><td>{_CONDITIONS[one.condition]}</td><td>{one.readings:,} ({counted(one.cases, 'case')}, "
        f"{counted(one.readers, 'reader')})</td><td>{_share(one.accuracy)}</td><td>{one.seconds:.1f}</td>"
        f"<td>{one.confidence:.1f} of {study.most_confidence}</td></tr>"
        for one in figures_by_condition(table)
    ]
    head = "<tr><th></th><th>Readings</th><th>Right (95 % interval)</th><th>Median seconds</th><th>Mean confidence</th>"
    st.html(f'<table class="radcbir-scores">{head}</tr>{"".join(lines)}</table>')
    pairs, gained = difference_of(table)
    said = ""
    if pairs:
        said = (
            f"Over {counted(pairs, 'pair of a reader and a case', 'pairs of a reader and a case')} with both, right "
            f"with retrieval less right without: {_points(gained)}. "
        )
    st.caption(
        literal(
            f"{said}The intervals know of both, that readings of a reader and readings of a patient resemble each "
            "other; of a single reader they say nothing of other readers. The CSV is for your model; this is a look."
        )
    )


def _share(share: ShareWithin) -> str:
    if math.isnan(share.low):
        return percent(share.value)
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"


def _points(share: ShareWithin) -> str:
    values = [share.value, *([] if math.isnan(share.low) else [share.low, share.high])]
    said = [f"{100 * value:+.1f}".replace("-", "−") for value in values]
    return f"{said[0]} points" + (f" ({said[1]} to {said[2]})" if len(said) > 1 else "")


def _remove(collection: Collection, name: str) -> None:
    try:
        rights.do("editor", "remove study", collection.name, partial(remove_study, collection.name, name))
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
