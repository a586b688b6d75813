"""Each encoder's one figure on Home, beside chance, and what is known of its training.

Owns that table.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.parts.evaluation.patients import counted_patients
from pages.parts.frame import loaders
from pages.parts.frame.text import markup
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.one_figure import K, OneFigure
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.seen import Seen, percent
from radcbir_core.wording import counted


def table(collection: Collection) -> None:
    """Draw the table, the best encoder first; one whose record is damaged is reported elsewhere, and left out."""
    rows, excluded = "", ""
    for encoder_id in loaders.best_encoders(collection):
        try:
            excluded = Precision().suited(loaders.store(collection, encoder_id)).protocol.excluded
            rows += _row(
                collection, encoder_id, loaders.figure(collection, encoder_id), loaders.seen(collection, encoder_id)
            )
        except RadcbirError:
            continue
    head = f"<tr><th>encoder</th><th>P@{K}</th><th>pixels</th><th>chance</th><th>trained on these</th></tr>"
    st.html(f'<table class="radcbir-encoders radcbir-figures">{head}{rows}</table>')
    st.caption(
        f"P@{K}: of the first {K} hits, the share with the query's full label; mean over queries, {excluded}. Images "
        "that an encoder was trained on ask nothing; pixels is the baseline, asked the same."
    )


def _row(collection: Collection, encoder_id: str, figure: OneFigure | None, seen: Seen) -> str:
    name = f'<td class="name">{markup(encoder_id)}'
    training = f"<td>{markup(training_said(seen))}</td>"
    if figure is None:
        said = "not evaluated yet, or no query with a full label has anything to find"
        return f"<tr>{name}</td><td>–</td><td colspan=2>{said}</td>{training}</tr>"
    queries = counted(figure.n_queries, "query", "queries")
    interval = "" if np.isnan(figure.low) else f"<small>{figure.low:.3f} to {figure.high:.3f}</small>"
    number = "–" if np.isnan(figure.precision) else f"<b>{figure.precision:.3f}</b>"
    chance = "–" if np.isnan(figure.chance) else f"{figure.chance:.3f}"
    pixels = "–" if np.isnan(figure.pixels) else f"{figure.pixels:.3f}"
    of_all = f"<small>{figure.with_seen:.3f} with those seen</small>" if figure.n_seen else ""
    return (
        f"<tr>{name}<small>{markup(queries)}, {counted_patients(collection, figure.n_patients)}</small></td>"
        f"<td>{number}{interval}{of_all}</td><td>{pixels}</td><td>{chance}</td>{training}</tr>"
    )


def training_said(seen: Seen) -> str:
    """What is known of an encoder's training, in a few words."""
    if seen.state == "nothing":
        return "on nothing"
    if seen.state == "unknown":
        return "not known"
    number = len(seen.rows)
    if not seen.number:
        return "on none of them"
    near = f", {counted(seen.number_near, 'as a near-duplicate', 'as near-duplicates')}" if seen.number_near else ""
    return f"{seen.number:,} of {number:,} ({percent(seen.number / max(number, 1))}){near}"
