"""The case report of the hits that are shown, as a file for the browser.

Owns the button, and the address in a report, which opens the same ranking. What a report says is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlencode, urlsplit

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.images import burned_marks
from pages.parts.retrieval import upload_text
from radcbir_core.evaluation.similarity_readings import Readings
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.retriever import Answer

Parameters = Mapping[str, Sequence[str]]


def offer(
    box: st.delta_generator.DeltaGenerator,
    opened: Opened,
    answer: Answer,
    readings: Readings | None,
    *,
    k: int,
    where: Mapping[str, Sequence[str]],
    exclude: Sequence[str],
    selected: int | None,
    notes: Sequence[str] = (),
) -> None:
    """Draw the button; the report is made when it is clicked.

    Args:
        box: Where to draw.
        opened: The open collection.
        answer: The hits that are shown.
        readings: What their similarities mean, where that is known.
        k: How many were asked for.
        where: Which images alone were searched.
        exclude: What of the query was left out.
        selected: How many images alone were searched, of a part of the map.
        notes: What else to know about the hits, a sentence each.
    """
    shows_text = _choose_text(box, opened, answer)
    made = partial(
        _html,
        opened,
        answer,
        readings,
        k=k,
        where=where,
        exclude=exclude,
        selected=selected,
        notes=notes,
        shows_text=shows_text,
        told=upload_text.files_told(),
        link=partial(_url, st.context.url or "/retrieval"),
        address=_shown(opened),
    )
    box.download_button(
        "Report",
        made,
        file_name=f"report-{opened.collection.name}-{opened.encoder_id}.html",
        mime="text/html",
        icon=":material/lab_profile:",
        help="The query with its hits as one file to keep, to send and to print: without ids of patients, with what "
        "the ranking depends on, and with an address that opens it again",
        on_click="ignore",
    )


def _choose_text(box: st.delta_generator.DeltaGenerator, opened: Opened, answer: Answer) -> bool:
    """Whether text that is burned into pictures is shown in the report; asked where some is known."""
    burned = burned_marks.burned_here(opened.collection)
    query = answer.query.query
    rows = [*answer.rows().tolist(), *(query.rows if isinstance(query, RowQuery) else ())]
    if not (any(burned.is_flagged(row) for row in rows) or upload_text.is_flagged(query)):
        return False
    return not box.toggle(
        "Text black",
        value=True,
        key="radcbir:report-text",
        help="In the report, text that seems burned into pictures is painted black, and pictures with text at unknown "
        "places are left out",
    )


def _html(
    opened: Opened,
    answer: Answer,
    readings: Readings | None,
    *,
    k: int,
    where: Mapping[str, Sequence[str]],
    exclude: Sequence[str],
    selected: int | None,
    notes: Sequence[str],
    shows_text: bool,
    told: Sequence[str],
    link: Callable[[Parameters], str],
    address: Parameters,
) -> bytes:
    from radcbir_core.burned_text.picture_look import look_if_installed
    from radcbir_core.case_reports.report_content import report_of
    from radcbir_core.case_reports.report_markup import html_of

    report = report_of(
        answer,
        loaders.store(opened.collection, opened.encoder_id),
        readings=readings,
        where=where,
        exclude=exclude,
        selected=selected,
        k=k,
        notes=notes,
        hides_text=not shows_text,
        look=look_if_installed(),
        told=told,
        link=link,
        address=address,
    )
    return html_of(report).encode()


def open_by_digest(opened: Opened) -> None:
    """Where the address is that of a report, put the ids of images in the place of the digests of their files."""
    from radcbir_core.case_reports.report_address import has_digests, with_ids

    asked = {name: st.query_params.get_all(name) for name in ("image", "add", "select")}
    if has_digests(asked):
        with shell.errors_shown():
            state.update(**with_ids(asked, opened.collection))


def _shown(opened: Opened) -> dict[str, list[str]]:
    """What the browser shows now, with the collection and encoder that are open."""
    said = {name: st.query_params.get_all(name) for name in st.query_params}
    return said | {"collection": [opened.collection.name], "encoder": [opened.encoder_id]}


def _url(page: str, parameters: Parameters) -> str:
    return urlsplit(page)._replace(query=urlencode(parameters, doseq=True), fragment="").geturl()
