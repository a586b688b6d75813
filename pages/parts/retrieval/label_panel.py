"""What the text tower says of the query image, beside what its hits are labeled with: a small table on request.

Owns the switch, the URL parameter ``scores``, and the table.
"""

from __future__ import annotations

import html
import math
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.loaders import EncoderKey
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.retrieval.query_panel import Asked
from radcbir_core.search.language.label_scores import LabelScore, LabelSentences, label_scores, label_sentences
from radcbir_core.search.queries.text import text_encoders

SCORES: Final = "scores"
_LABELS: Final = "labels"
_KEY: Final = "radcbir:label-scores"


def show(opened: Opened, asked: Asked, rows: np.ndarray) -> None:
    """Draw the switch, and once it is on the table; nothing for a sentence, nor by an encoder without a text tower.

    Args:
        opened: The open collection.
        asked: The query.
        rows: Of its hits, best first.
    """
    collection, encoder_id = opened.collection, opened.encoder_id
    if asked.query.measure != "similarity" or encoder_id not in text_encoders(collection):
        return
    asked_for = state.get(SCORES)
    if asked_for not in (None, _LABELS):
        state.report(SCORES, asked_for, [_LABELS], then="None are shown")
    st.session_state[_KEY] = asked_for == _LABELS
    st.toggle(
        "Labels by text",
        key=_KEY,
        on_change=lambda: state.update(**{SCORES: _LABELS if st.session_state[_KEY] else None}),
        help="How near the query image is to each label of this collection, put into a sentence, beside how many of "
        "its hits have the label. The sentences know no example: where both agree, there are two reasons for it.",
    )
    if not st.session_state[_KEY]:
        return
    with shell.errors_shown():
        embedded = asked.embedded or loaders.retriever(collection, encoder_id).embed(asked.query)
        loaders.encoder(collection, encoder_id)  # here it is said that it is being loaded
        sentences = _sentences(loaders.encoder_key(collection, encoder_id))
        labels = collection.manifest.labels("label")
        neighbors = [labels.values[code] if code >= 0 else "" for code in labels.codes[rows].tolist()]
        st.html(table(label_scores(sentences, embedded.vectors[0], neighbors), scored=len(sentences.labels)))


def table(scores: list[LabelScore], *, scored: int) -> str:
    """The scores as HTML.

    Args:
        scores: In the order in which they are to be shown.
        scored: How many labels were scored.
    """
    if not scores:
        return "<p>No image of this collection has a full label.</p>"
    lines = "".join(
        f"<tr><td>{markup(score.label.replace('/', ' · '))}</td><td>{score.rank or '–'}</td>"
        f"<td>{'not scored' if math.isnan(score.cosine) else f'{score.cosine:.3f}'}</td>"
        f"<td>{score.neighbors or '–'}</td></tr>"
        for score in scores
    )
    said = html.escape(f"Rank among {scored} labels; the cosine is between image and sentence, on a scale of its own.")
    return (
        '<table class="radcbir-scores"><thead><tr><th>Label</th><th>Rank by text</th><th>Text-image cosine</th>'
        f"<th>Hits with it</th></tr></thead><tbody>{lines}</tbody></table><small>{said}</small>"
    )


@st.cache_resource(max_entries=4, show_spinner="Putting labels into sentences…")
def _sentences(key: EncoderKey) -> LabelSentences:
    return label_sentences(loaders.retriever_by(key).means)
