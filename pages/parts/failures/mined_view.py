"""The view Mined failures: images of every kind of failure, over all labels, page by page.

Owns this view and its URL parameters ``kind``, ``sort`` and ``where``. What a failure of each kind is, is the core's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import protocol_choice, runs, tiles
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.failures import looked_up, pair_rows
from pages.parts.failures.pair_rows import Found, Pairs
from pages.parts.frame import downloads, loaders, paging, state
from pages.parts.frame.downloads import Table
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, percent
from pages.parts.images import filters, gallery, map_selection
from pages.parts.images.map_selection import Selection
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.metrics.label_noise import VOTES
from radcbir_core.evaluation.reports.mined_failures import (
    KINDS,
    MinedFailures,
    failure_order,
    is_of_kind,
    rate_within,
)
from radcbir_core.wording import counted

IMAGES_A_PAGE: Final = 24
EVERY: Final = "all"
SORTS: Final = {"worst": "worst first", "least": "mildest first", "label": "by label"}
_CLOSED: Final = ["page", "image", "beside"]
_ALONE: Final = ("hub", "anti-hub")


def show(opened: Opened) -> None:
    """Draw the view."""
    hidden = ("level", "divisor", "empty")
    chosen = protocol_choice.choose(opened, hidden=hidden, clears=_CLOSED, fixed_ks=())
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, "label")):
        return
    result = runs.result(opened.collection, opened.encoder_id, MinedFailures(chosen.protocol, chosen.k))
    if result is None:
        return
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-kinds")
    selection = map_selection.choose(bar, opened, what="Failures")
    numbers = _numbers(result, selection)
    kind = state.choice(
        bar.segmented_control,
        "Kind of failure",
        list(KINDS),
        name="kind",
        clears=["label", *_CLOSED],
        format_func=lambda name: f"{KINDS[name].name} ({numbers[name]:,})",
        label_visibility="collapsed",
    )
    queries = counted(int(result.facts["n_queries"]), "query that asked", "queries that asked")
    tiles.explain(KINDS[kind].words.format(k=chosen.k, votes=VOTES, queries=queries))
    _say_rate(opened, result, kind, chosen)
    if selection is not None:
        _say_rate_inside(opened, result, kind, selection)
    _show_kind(opened, result, kind, chosen, selection=selection)


def _numbers(result: Result, selection: Selection | None) -> dict[str, int]:
    """How many failures of each kind there are, of the images that are looked at."""
    if selection is None:
        return {str(row.kind): int(row.n) for row in lines_of(result.table)}
    images = result.tables["images"]
    inside = images[selection.rows[images["row"].to_numpy()]]
    hub = int(result.facts["hub"])
    return {kind: int(np.count_nonzero(is_of_kind(inside, kind, hub=hub))) for kind in KINDS}


def _say_rate_inside(opened: Opened, result: Result, kind: str, selection: Selection) -> None:
    """The same of the images that were selected on the map alone."""
    clusters = loaders.clusters(opened.collection, opened.encoder_id)
    rate = rate_within(result, kind, selection.rows, clusters=clusters)
    of = counted(rate.n_images, "image") if kind in _ALONE else counted(rate.n_images, "query", "queries")
    share = "" if np.isnan(rate.share) else f": {percent(rate.share)}"
    interval = (
        ", too few patients for an interval"
        if np.isnan(rate.low)
        else f", 95 % interval {percent(rate.low)} to {percent(rate.high)}"
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            literal(
                f"Of the {counted(selection.number, 'image')} selected on the map alone: {rate.n:,} of {of}{share}"
                f"{interval}; {counted_patients(opened.collection, rate.n_patients)}."
            ),
            width="content",
        )
        map_selection.link_to_map(selection.texts)


def _say_rate(opened: Opened, result: Result, kind: str, chosen: Chosen) -> None:
    """How many there are, of how many, with interval and chance."""
    row = next(row for row in lines_of(result.table) if row.kind == kind)
    of = counted(int(row.n_images), "image") if kind in _ALONE else counted(int(row.n_images), "query", "queries")
    interval = "" if np.isnan(row.low) else f", 95 % interval {percent(row.low)} to {percent(row.high)}"
    chance = "" if np.isnan(row.chance) else f"; by chance {percent(row.chance)}"
    share = "" if np.isnan(row.share) else f": {percent(row.share)}{interval}"
    hub = f" Hubs are in {counted(result.facts['hub'], 'list')} or more." if kind == "hub" else ""
    notes = "".join(f" {note}" for note in result.notes)
    st.caption(
        literal(
            f"{row.n:,} of {of}{share}{chance}; {counted_patients(opened.collection, int(row.n_patients))}.{hub} "
            f"{chosen.protocol.name.capitalize()}, {chosen.protocol.excluded}.{notes}"
        )
    )


def _show_kind(opened: Opened, result: Result, kind: str, chosen: Chosen, *, selection: Selection | None) -> None:
    """The images of a kind that pass the filters."""
    images, failures = result.tables["images"], _failures(result, kind, selection)
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls-mined")
    labels = images["label"].iloc[failures].value_counts(sort=False).sort_index()
    label = state.choice(
        bar.selectbox,
        "Label",
        [EVERY, *labels.index.tolist()],
        name="label",
        clears=_CLOSED,
        format_func=lambda name: f"All labels ({len(failures):,})" if name == EVERY else f"{name} ({labels[name]:,})",
        width=320,
    )
    sort = state.choice(
        bar.segmented_control,
        f"Order (by {KINDS[kind].by})",
        list(SORTS),
        name="sort",
        clears=_CLOSED,
        format_func=SORTS.get,
    )
    where = filters.choose(bar, opened.collection, what="Failures")
    failures = _picked(opened, images, failures, label=label, where=where, sort=sort)
    downloads.offer(
        Table(len(failures), lambda: pd.DataFrame({"place": failures}), partial(_file, opened, images)),
        file_name=f"failures-{kind}-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}.csv",
        about="What is shown, all pages of it: image, label, and all figures of each",
        box=bar,
    )
    if not len(failures):
        if where or label != EVERY:
            passed = "passes these filters. Clear them."
        else:
            passed = f"{'that was selected on the map ' if selection else ''}is a failure of this kind."
        st.info(f"No image {passed}", icon=":material/info:")
    elif kind in _ALONE:
        _show_images(opened, images, failures)
    else:
        pair_rows.show(
            opened, _pairs(opened, images, failures, kind, chosen), title="Queries beside what they retrieve"
        )


def _failures(result: Result, kind: str, selection: Selection | None) -> np.ndarray:
    """The failures of a kind among the images that are looked at, as places in the table of images."""
    failures = failure_order(result, kind)
    if selection is None:
        return failures
    inside: np.ndarray = selection.rows[result.tables["images"]["row"].to_numpy()[failures]]
    return np.asarray(failures[inside])


def _picked(
    opened: Opened,
    images: pd.DataFrame,
    failures: np.ndarray,
    *,
    label: str,
    where: Mapping[str, Sequence[str]],
    sort: str,
) -> np.ndarray:
    """Those that pass the filters, in the order that was chosen."""
    rows = images["row"].to_numpy()
    if label != EVERY:
        failures = failures[(images["label"] == label).to_numpy(dtype=bool)[failures]]
    if where:
        failures = failures[opened.collection.manifest.mask(where)[rows[failures]]]
    if sort == "least":
        return failures[::-1]
    if sort == "label":
        codes = opened.collection.manifest.labels("label").codes  # in the order of their names, and quicker
        return failures[np.argsort(codes[rows[failures]], kind="stable")]
    return failures


def _file(opened: Opened, images: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    columns = ["row", *(name for name in images.columns if name != "row")]
    return opened.collection.manifest.with_image_ids(images.iloc[part["place"].to_numpy()][columns])


def _show_images(opened: Opened, images: pd.DataFrame, failures: np.ndarray) -> None:
    shown = paging.shown(len(failures), IMAGES_A_PAGE, what="images", title="Images")
    part = images.iloc[failures[shown]]
    notes = [
        f"in {counted(row.occurrences, 'list')}, in {row.bad_occurrences:,} of them not relevant"
        if row.occurrences
        else f"in no list; relevant to {counted(max(row.relevant, 0), 'image')}"
        for row in lines_of(part)
    ]
    gallery.show(opened.collection, part["row"].to_numpy(), key="mined", columns=8, per_page=IMAGES_A_PAGE, notes=notes)


def _pairs(opened: Opened, images: pd.DataFrame, failures: np.ndarray, kind: str, chosen: Chosen) -> Pairs:
    """Each query beside the hit that says best what went wrong."""
    k = VOTES if kind == "suspect" else chosen.k
    view = looked_up.view_of(opened, chosen.protocol, "label")
    rows = images["row"].to_numpy(dtype=np.int64)[failures]

    def found(positions: np.ndarray) -> Found:
        queries = rows[positions]
        hits = view.asked_by(queries).hits(k)
        there = hits.rows >= 0
        wanted: Any = there
        if kind == "modality":
            modality = opened.collection.manifest.codes("modality").codes
            wanted = there & (modality[hits.rows] != modality[queries, None])
        elif kind == "suspect":
            place = {label: code for code, label in enumerate(view.relevance.labels)}
            suggested = images["suggested"].iloc[failures[positions]].map(place).to_numpy(dtype=np.int64)
            wanted = there & (view.relevance.kinds[hits.rows] == suggested[:, None])
        rank = wanted.argmax(axis=1)
        line = np.arange(len(positions))
        return Found(hits.rows[line, rank], rank + 1, hits.similarities[line, rank])

    def note(position: int) -> str:
        return _said(images.iloc[failures[position]].to_dict(), kind, k)

    return Pairs(rows, found, note)


def _said(row: Mapping[Any, Any], kind: str, k: int) -> str:
    """What is wrong with a query, in a line."""
    if kind == "confident":
        first = row["first_relevant"]
        return f"first relevant hit at rank {first}" if first else f"none of {row['known']} hits is relevant"
    if kind == "pathology":
        return f"{percent(row['wrong_pathology'])} of {k} hits: same anatomy, other pathology"
    if kind == "modality":
        return f"{percent(row['other_modality'])} of {k} hits are of another modality"
    if kind == "nothing":
        return f"none of {row['known']} hits is relevant; {counted(row['relevant'], 'image')} would be"
    return (
        f"{percent(row['p_suggested'])} of {k} hits say {row['suggested']}, {percent(row['p_own'])} its own; "
        f"score {row['score']:.2f}"
    )
