"""The hits of a whole series: a switch beside the other controls, and the series with the slice that fits best.

Owns what is drawn of them; who asks and how votes are counted is the core's ``search.series``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.images import gallery
from pages.parts.images.gallery import Labels
from radcbir_core.collections.collection import Collection
from radcbir_core.search.series.series_search import SeriesAnswer, rows_of_series, search_series
from radcbir_core.search.series.votes import RULES, WORDS
from radcbir_core.wording import counted

_WHOLE: Final = "whole"
_SWITCH: Final = "radcbir:whole-series"
_OF_IMAGES: Final = {
    "one": "one hit a patient or study",
    "least": "least similarity",
    "within": "search within the anatomy",
    "hubness": "other order than by votes",
}
"""URL parameters that say something of single images alone, and what that is."""
_PLAIN: Final = ("cosine",)
"""Their values that ask for nothing."""


def shown_instead(opened: Opened, row: int | None, controls: st.delta_generator.DeltaGenerator, **how: Any) -> bool:
    """Draw the switch and, where it is on, the series; whether these are shown instead of single images.

    Args:
        opened: The collection and the encoder.
        row: Of the query; None for one that is no image of the collection as it is.
        controls: Where the switch goes.
        **how: As for :func:`show`.
    """
    if row is None:
        if state.get("series") == _WHOLE:
            st.info(
                "Only an image of the collection as it is asks with its whole series: this query asks alone.",
                icon=":material/info:",
            )
        return False
    if not choose(controls, opened.collection, row):
        return False
    with shell.errors_shown():
        show(opened, row, controls, **how)
    return True


def choose(box: st.delta_generator.DeltaGenerator, collection: Collection, row: int) -> bool:
    """Whether the query's whole series asks; nothing is drawn for a query whose series has no other image.

    Args:
        box: Where the switch goes.
        collection: The open one.
        row: Of the query.
    """
    slices = len(rows_of_series(collection, row))
    asked = state.get("series")
    if slices < 2:
        return False
    if asked not in (None, _WHOLE):
        state.report("series", asked, [_WHOLE], then="The image alone asks instead")
    st.session_state[_SWITCH] = asked == _WHOLE
    box.toggle(
        "Whole series",
        key=_SWITCH,
        on_change=lambda: state.update(series=_WHOLE if st.session_state[_SWITCH] else None),
        help=f"All {slices} images of the query's series ask, and whole series are the hits, each shown by the image "
        "that fits best.",
    )
    return bool(asked == _WHOLE)


def show(
    opened: Opened,
    row: int,
    controls: st.delta_generator.DeltaGenerator,
    *,
    labels: Labels | None,
    k: int,
    where: Mapping[str, Sequence[str]],
    among: np.ndarray | None,
    exclude: Sequence[str],
    on_query: Callable[[str], None],
) -> None:
    """Draw the series that are most like that of an image; errors are the caller's to show."""
    collection = opened.collection
    rule = state.choice(
        controls.selectbox,
        "Votes",
        list(RULES),
        name="votes",
        format_func=WORDS.get,
        width=190,
        help="How what each slice finds becomes one order of series.",
    )
    start = time.perf_counter()
    answer = search_series(
        loaders.retriever(collection, opened.encoder_id), row, k=k, rule=rule, where=where, among=among, exclude=exclude
    )
    milliseconds = (time.perf_counter() - start) * 1000
    controls.download_button(
        "CSV",
        lambda: csv_bytes(answer.table()),
        file_name=f"series-{collection.name}-{opened.encoder_id}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="The series as a table",
        on_click="ignore",
    )
    if ignored := [said for name, said in _OF_IMAGES.items() if state.get(name) not in (None, *_PLAIN)]:
        st.info(
            f"Among whole series there is no {', no '.join(ignored)}: the address asks for it, and it is left out.",
            icon=":material/info:",
        )
    st.html(f'<p class="radcbir-summary">{summary(answer, labels, k=k, milliseconds=milliseconds)}</p>')
    if len(answer):
        gallery.show(
            collection,
            answer.rows(),
            key="series-hits",
            similarities=[hit.similarity for hit in answer.hits],
            query=labels,
            per_page=100,
            on_query=on_query,
            notes=notes_of(answer),
        )


def summary(answer: SeriesAnswer, labels: Labels | None, *, k: int, milliseconds: float) -> str:
    """What the series add up to, as HTML: how many agree with the query, and how they were found."""
    if not len(answer):
        return "No series is left to be a hit."
    theirs = [gallery.labels_of(answer.collection, hit.row) for hit in answer.hits]
    parts = []
    for title, mine, of_hits in (
        ("anatomy", (labels.anatomy,) if labels else (), [(one.anatomy,) for one in theirs]),
        ("pathology", labels.pathologies if labels else (), [one.pathologies for one in theirs]),
    ):
        if any(mine):
            same = sum(gallery.agreement(mine, hit) == "same" for hit in of_hits)
            parts.append(f"<b>{same} of {counted(len(theirs), 'series', 'series')}</b> same {title}")
    told = f"{answer.said} {milliseconds:.0f} ms."
    if len(answer) < k:
        told += f" Only {len(answer)} of {k}: no more series are left after filters and exclusions."
    return "<br>".join([*([" &emsp; ".join(parts)] if parts else []), f"<small>{markup(told)}</small>"])


def notes_of(answer: SeriesAnswer) -> list[str]:
    """A line for each series: how many images it has, and its score."""
    return [f"{counted(hit.slices, 'image')} · score {hit.score:.3f}" for hit in answer.hits]
