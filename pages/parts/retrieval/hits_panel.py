"""The right column of Retrieval: how to search, the hits, and what they add up to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.evaluation import runs, tiles
from pages.parts.evaluation.patients import counted_patients
from pages.parts.frame import loaders, shell, state
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import EXCLUSION_NAMES, literal, markup, message
from pages.parts.images import asked_last, filters, gallery, map_selection
from pages.parts.images.asked_last import AskedLast
from pages.parts.images.gallery import Labels
from pages.parts.retrieval import (
    changed_query,
    composing,
    explained_hit,
    facet_column,
    fewer_hits,
    label_panel,
    patient_lane,
    read_hits,
    report_button,
    series_panel,
)
from pages.parts.retrieval.query_panel import Asked, use_image
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.errors import QueryError, RadcbirError
from radcbir_core.evaluation.evaluation import Evaluation, Result, lines_of
from radcbir_core.evaluation.reports.factors import Factors
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.similarity_readings import Conditions
from radcbir_core.search.backend import Hits
from radcbir_core.search.hit_facets import DEPTH
from radcbir_core.search.hubness.hub_orders import ORDERS, Order, why_cosine
from radcbir_core.search.queries.anatomy import anatomy_of
from radcbir_core.search.queries.query import Measure, Query, RowQuery
from radcbir_core.search.retriever import Answer
from radcbir_core.wording import counted

MOST_HITS: Final = 100

_ANATOMY: Final = "anatomy"
_WITHIN: Final = "radcbir:within"
_SIGNS: Final = "The signs on hits compare with the labels of the query image by itself, without what was added to it."
_REGIONS: Final = (
    " A hit is as similar as the best of its regions, which is drawn on it. Chances and percentiles are not said: they "
    "were measured between whole images."
)
_SCALES: Final[dict[Measure, str]] = {
    "similarity": "",
    "text_similarity": " The numbers are text-image cosines, on another scale than the similarity of two images.",
    "composed_similarity": " The numbers are cosines with the composed query, on a scale of their own.",
}


def show(opened: Opened, asked: Asked) -> None:
    """Draw the controls and the hits."""
    collection, query = opened.collection, asked.query
    of_text = query.measure == "text_similarity"
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    k = state.number(controls.number_input, "Hits", 1, MOST_HITS, name="k", default=state.DEFAULT_K, width=110)
    exclude = choose_exclusions(controls, opened, query)
    where = filters.choose(controls, collection)
    selection = map_selection.choose(controls, opened, what="Only hits")
    if series_panel.shown_instead(
        opened,
        asked.row if isinstance(query, RowQuery) else None,
        controls,
        labels=asked.labels,
        k=k,
        where=where,
        among=None if selection is None else selection.rows,
        exclude=exclude,
        on_query=use_image,
    ):
        return
    order = choose_order(controls, query, regions=asked.regions)
    within = choose_anatomy(controls, collection, query)
    fewer = fewer_hits.choose(controls, opened, k=k)
    with shell.errors_shown():
        retriever = loaders.retriever(collection, opened.encoder_id)
        start = time.perf_counter()
        search = partial(
            retriever.search,
            where=where,
            among=None if selection is None else selection.rows,
            exclude=exclude,
            within_anatomy=within,
            order=order,
            regions=asked.regions,
        )
        found = fewer.find(search, asked.embedded or query)
        answer = found.answer
        milliseconds = (time.perf_counter() - start) * 1000
        for note in answer.notes:
            st.info(message(note), icon=":material/info:")
        part = bool(where) or selection is not None
        readings = read_hits.read(opened, answer, Conditions(part, exclude, one_each=bool(fewer.one)))
        read_hits.warn_far(readings)
        rows = answer.rows()
        controls.download_button(
            "CSV",
            lambda: csv_bytes(readings.table() if readings else answer.table()),
            file_name=f"hits-{collection.name}-{opened.encoder_id}.csv",
            mime="text/csv",
            icon=":material/download:",
            help="The hits as a table",
            on_click="ignore",
        )
        report_button.offer(
            controls,
            opened,
            answer,
            readings,
            k=k,
            where=where,
            exclude=exclude,
            selected=None if selection is None else selection.number,
            notes=[found.said] if found.said else [],
        )
        compared = changed_query.compared(lambda one: fewer.find(search, one).answer, asked.unchanged, answer)
        hit_labels = [gallery.labels_of(collection, int(row)) for row in rows]
        how = how_found(
            collection,
            answer.hits,
            k=k if fewer.least is None else len(answer),
            where=where,
            within=answer.within,
            selected=None if selection is None else selection.number,
            milliseconds=milliseconds,
            regions=len(answer.boxes),
        )
        lines = [how + _SCALES[answer.measure] + (_REGIONS if answer.boxes else ""), found.said]
        lines += [answer.ordered_by, usually_by(opened, answer.order)] if answer.ranks is not None else []
        lines += [usually_within(opened)] if answer.within else []
        lines += [_SIGNS] if asked.alone is not None and asked.labels is not None else []
        lines += [compared.said] if compared else []
        lines += readings.notes if readings else []
        st.html(
            f'<p class="radcbir-summary">{summary(asked.labels, hit_labels, of_text=of_text)}<br><small>'
            f"{'<br>'.join(markup(line) for line in lines if line)}</small></p>"
        )
        _link_to_map(opened, asked, rows, where=where, texts=() if selection is None else selection.texts)
        explained_hit.show(opened, asked, rows)
        label_panel.show(opened, asked, rows)
        beside, facets = st.container(key="radcbir-hits-and-facets").columns([5, 1], gap="medium")
        with beside:
            if len(rows):
                gallery.show(
                    collection,
                    rows,
                    key="hits",
                    similarities=answer.similarities(),
                    measure=answer.measure,
                    query=asked.labels,
                    query_row=asked.row,
                    query_file=asked.file,
                    per_page=MOST_HITS,
                    boxes=answer.found_boxes(),
                    on_query=use_image,
                    on_why=explained_hit.ask if explained_hit.can_be_asked(asked) else None,
                    on_mark=composing.mark,
                    notes=fewer_hits.notes(read_hits.joined(hit_notes(answer, compared), readings), found),
                )
        with facets:
            # After the hits, which are waited for.
            facet_column.show(
                collection, lambda filters: search(answer.query, k=DEPTH, where=filters, order="cosine"), where
            )
        fewer_hits.show_rest(opened, found, one=fewer.one, on_query=use_image)
        patient_lane.show(opened, asked.row, on_query=use_image)
        if compared is not None and len(compared.gone):
            st.caption("Hits of the unchanged query that are gone, with the ranks that they had:")
            gallery.show(
                collection,
                compared.gone,
                key="gone",
                query=asked.labels,
                query_row=asked.row,
                query_file=asked.file,
                per_page=MOST_HITS,
                on_query=use_image,
                notes=compared.gone_notes,
            )


def _link_to_map(
    opened: Opened, asked: Asked, rows: np.ndarray, *, where: Mapping[str, Sequence[str]], texts: Sequence[str]
) -> None:
    """The way to the map, on which the query is marked with these very hits; nothing where there is no map."""
    collection, encoder_id = opened.collection, opened.encoder_id
    embedded = None if isinstance(asked.query, RowQuery) else asked.embedded
    asked_last.keep(
        AskedLast(
            collection.name,
            encoder_id,
            asked.link,
            asked.name,
            where,
            tuple(rows.tolist()),
            embedded,
            loaders.version(collection, encoder_id),
        )
    )
    if loaders.artifact_states(collection, encoder_id)["projection"] != "current":
        return
    left = state.left_at("map")
    for gone in ("image", "text", "query", "where", "select"):
        left.pop(gone, None)
    now = {**asked.link, "where": state.get_all("where"), **map_selection.parameters(texts)}
    st.page_link(
        "pages/map.py",
        label="Show on the map",
        icon=":material/scatter_plot:",
        query_params={**left, **state.parameters_for(**now)},
        help="The query among all images, with lines to these hits",
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


def choose_order(box: st.delta_generator.DeltaGenerator, query: Query, *, regions: bool = False) -> str:
    """By what the hits are ordered; nothing is drawn where there is one order: of a sentence, and among regions."""
    only = "among regions there is no other order" if regions else ""
    if reason := only or why_cosine(query):
        if state.get("hubness") not in (None, "cosine"):
            st.info(message(f"The hits are ordered by cosine: {reason}."), icon=":material/info:")
        return "cosine"
    return state.choice(
        box.selectbox,
        "Order by",
        list(ORDERS),
        name="hubness",
        format_func=ORDERS.get,
        width=170,
        help="Some images are near to everybody (hubs). CSLS and mutual proximity hold them back: the first hits by "
        "cosine are put in another order. Failures has what it does to all queries, under Hubness.",
    )


def _kept(opened: Opened, evaluation: Evaluation) -> Result | None:
    """What is kept of an evaluation; None where nothing is, or it lacks what it needs, which its own view says."""
    try:
        return runs.kept_result(opened.collection, opened.encoder_id, evaluation)
    except RadcbirError:
        return None


def usually_by(opened: Opened, order: Order) -> str:
    """What P@k is by another order over all queries, where that evaluation is kept and has a query; else nothing."""
    evaluation = Hubness().suited(loaders.store(opened.collection, opened.encoder_id))
    result = _kept(opened, evaluation)
    if result is None:
        return ""
    name, k = order.replace("-", "_"), max(evaluation.protocol.ks)
    table = result.table
    row = table[(table["averaging"] == "micro") & (table["k"] == k)].to_dict("records")[0]
    if not row["n_queries"]:
        return ""
    bounds = tiles.interval(row[f"{name}_difference_low"], row[f"{name}_difference_high"]).replace("-", "−")
    return (
        f"P@{k} of the full label over {counted(int(row['n_queries']), 'query', 'queries')} of "
        f"{counted_patients(opened.collection, int(row['n_patients']))}: {row[name]:.3f} by {ORDERS[order]}, "
        f"{row['cosine']:.3f} by cosine, {tiles.signed(row[f'{name}_difference'])} ({bounds}; "
        f"{evaluation.protocol.excluded}; Failures, Hubness)."
    )


def hit_notes(answer: Answer, compared: changed_query.Compared | None) -> list[str] | None:
    """A line for each hit: its rank by cosine, and that for the unchanged query, as far as there is another."""
    notes = [[note] for note in compared.notes] if compared else [[] for _ in answer.rows()]
    if answer.ranks is None:
        return [" · ".join(note) for note in notes] if compared else None
    for note, rank in zip(notes, answer.ranks[0].tolist(), strict=False):
        note.insert(0, f"by cosine rank {rank}")
    return [" · ".join(note) for note in notes]


def choose_anatomy(box: st.delta_generator.DeltaGenerator, collection: Collection, query: Query) -> bool:
    """Whether only images of the query's own modality and anatomy are searched.

    Where they are not known of the query, the switch says why and cannot be set.
    """
    asked, reason = state.get("within"), ""
    own: tuple[str, str] | None = None
    try:
        own = anatomy_of(query, collection)
    except QueryError as error:
        reason = str(error)
    if asked not in (None, _ANATOMY):
        state.report("within", asked, [_ANATOMY], then="Everything is searched instead")
    st.session_state[_WITHIN] = asked == _ANATOMY and own is not None
    box.toggle(
        "Within its anatomy",
        key=_WITHIN,
        on_change=lambda: state.update(within=_ANATOMY if st.session_state[_WITHIN] else None),
        disabled=own is None,
        help=message(reason)
        or f"Only images of the query's own modality and anatomy are searched: {literal(' '.join(own or ()))}.",
    )
    if asked == _ANATOMY and own is None:
        st.info(message(reason), icon=":material/info:")
    return asked == _ANATOMY and own is not None


def usually_within(opened: Opened) -> str:
    """What P@k within the query's anatomy is, where that evaluation is kept and has a query; else nothing."""
    evaluation = Factors().suited(loaders.store(opened.collection, opened.encoder_id))
    result = _kept(opened, evaluation)
    if result is None:
        return ""
    table = result.table
    k = max(evaluation.protocol.ks)
    shares = {line.factor: line for line in lines_of(table[(table["modality"] == "") & (table["k"] == k)])}
    within, everywhere = shares["within"], shares["all"]
    if not within.n_queries:
        return ""
    return (
        f"P@{k} of the full label over {counted(within.n_queries, 'query', 'queries')} of "
        f"{counted_patients(opened.collection, within.n_patients)}: {within.share:.3f} within their own anatomy "
        f"({tiles.interval(within.low, within.high)}), {everywhere.share:.3f} where everything is searched "
        f"({evaluation.protocol.excluded}; Pathology, Anatomy & pathology)."
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
    collection: Collection,
    hits: Hits,
    *,
    k: int,
    where: Mapping[str, Sequence[str]],
    milliseconds: float,
    within: tuple[str, str] | None = None,
    selected: int | None = None,
    regions: int = 0,
) -> str:
    """How the hits were found, in one line."""
    each = f", {counted(regions, 'region')} of each" if regions else ""
    line = f"{hits.found_by().capitalize()} over {counted(len(collection), 'image')}{each}, {milliseconds:.0f} ms."
    if where:
        line += " Only " + "; ".join(f"{column} = {' or '.join(values)}" for column, values in where.items()) + "."
    if selected is not None:
        line += f" Only the {counted(selected, 'image')} selected on the map."
    if within is not None:
        line += f" Only {' '.join(within)}, as the query."
    if hits.counts[0] < k:
        all_others = hits.counts[0] >= len(collection) - 1
        why = "the collection has no others" if all_others else "no more images are left after filters and exclusions"
        line += f" Only {hits.counts[0]} of {k}: {why}."
    return line
