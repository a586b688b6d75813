"""The right column of Retrieval: how to search, the hits, and what they add up to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import EXCLUSION_NAMES, csv_bytes, markup, message
from pages.parts.images import filters, gallery
from pages.parts.images.gallery import Labels
from pages.parts.retrieval import changed_query
from pages.parts.retrieval.query_panel import Asked, use_image
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.search.backend import Hits
from radcbir_core.search.query import Query
from radcbir_core.wording import counted

MOST_HITS: Final = 100

_SCALE: Final = " The numbers are text-image cosines, on another scale than the similarity of two images."


def show(opened: Opened, asked: Asked) -> None:
    """Draw the controls and the hits."""
    collection, query = opened.collection, asked.query
    of_text = query.measure == "text_similarity"
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    k = state.number(controls.number_input, "Hits", 1, MOST_HITS, name="k", default=state.DEFAULT_K, width=110)
    exclude = choose_exclusions(controls, opened, query)
    where = filters.choose(controls, collection)
    with shell.errors_shown():
        retriever = loaders.retriever(collection, opened.encoder_id)
        start = time.perf_counter()
        answer = retriever.search(asked.embedded or query, k=k, where=where, exclude=exclude)
        milliseconds = (time.perf_counter() - start) * 1000
        for note in answer.notes:
            st.info(message(note), icon=":material/info:")
        rows = answer.rows()
        controls.download_button(
            "CSV",
            csv_bytes(answer.table()),
            file_name=f"hits-{collection.name}-{opened.encoder_id}.csv",
            mime="text/csv",
            icon=":material/download:",
            help="The hits as a table",
            on_click="ignore",
        )
        compared = changed_query.compared(retriever, asked.unchanged, answer, k=k, where=where, exclude=exclude)
        hit_labels = [gallery.labels_of(collection, int(row)) for row in rows]
        st.html(
            f'<p class="radcbir-summary">{summary(asked.labels, hit_labels, of_text=of_text)}<br><small>'
            f"{markup(how_found(collection, answer.hits, k=k, where=where, milliseconds=milliseconds))}"
            f"{_SCALE if of_text else ''}{f'<br>{markup(compared.said)}' if compared else ''}</small></p>"
        )
        if len(rows):
            gallery.show(
                collection,
                rows,
                key="hits",
                similarities=answer.similarities(),
                measure=answer.measure,
                query=asked.labels,
                query_row=asked.row,
                per_page=MOST_HITS,
                on_query=use_image,
                notes=compared.notes if compared else None,
            )
        if compared is not None and len(compared.gone):
            st.caption("Hits of the unchanged query that are gone, with the ranks that they had:")
            gallery.show(
                collection,
                compared.gone,
                key="gone",
                query=asked.labels,
                per_page=MOST_HITS,
                on_query=use_image,
                notes=compared.gone_notes,
            )


def choose_exclusions(box: st.delta_generator.DeltaGenerator, opened: Opened, query: Query) -> list[str]:
    """Which images besides the query itself may not be hits: those that share its file, picture, patient and so on.

    Nothing is drawn for a query that has none of these.
    """
    if query.known == "never":
        return []
    collection = opened.collection
    offered = loaders.offered_exclusions(collection, opened.encoder_id, always=("duplicate",))
    store = loaders.store(collection, opened.encoder_id)
    known_by_file = " Of an upload they are known where its very file is in the collection."
    return state.choices(
        box.pills,
        "Leave out the query's",
        offered,
        name="exclude",
        default=["duplicate", *default_exclusions(store)],
        selection_mode="multi",
        format_func=EXCLUSION_NAMES.get,
        help="The query image itself is always left out."
        + (known_by_file if query.known == "if in the collection" else ""),
    )


def summary(query: Labels | None, hits: Sequence[Labels], *, of_text: bool = False) -> str:
    """What the hits add up to, as HTML: how many agree with the query, else how often each label occurs.

    Args:
        query: Labels of the query; None where there are none.
        hits: Labels of its hits.
        of_text: Whether the query is a sentence; its hits may be of any modality, so these are counted too.
    """
    if not hits:
        return "No image is left to be a hit."
    compared: list[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = [
        ("anatomy", (query.anatomy,) if query else (), [(hit.anatomy,) for hit in hits]),
        ("pathology", query.pathologies if query else (), [hit.pathologies for hit in hits]),
    ]
    if of_text:
        compared.insert(0, ("modality", (), [(hit.modality,) for hit in hits]))
    parts = []
    for title, mine, theirs in compared:
        if not any(mine):
            labels = Counter(name or "not labeled" for hit in theirs for name in hit or ("",))
            parts.append(
                f"{title.capitalize()}: "
                + ", ".join(f"<b>{count}</b> {markup(name)}" for name, count in labels.most_common(6))
            )
            continue
        counts = Counter(gallery.agreement(mine, hit) for hit in theirs)
        text = f"<b>{counts['same']} of {len(hits)}</b> same {title}"
        if counts["shared"]:
            text += f", {counts['shared']} in part"
        if counts["unknown"]:
            text += f", {counts['unknown']} not labeled"
        parts.append(text)
    return " &emsp; ".join(parts)


def how_found(
    collection: Collection, hits: Hits, *, k: int, where: Mapping[str, Sequence[str]], milliseconds: float
) -> str:
    """How the hits were found, in one line."""
    line = f"{hits.found_by().capitalize()} over {counted(len(collection), 'image')}, {milliseconds:.0f} ms."
    if where:
        line += " Only " + "; ".join(f"{column} = {' or '.join(values)}" for column, values in where.items()) + "."
    if hits.counts[0] < k:
        line += f" Only {hits.counts[0]} of {k}: no more images are left after filters and exclusions."
    return line
