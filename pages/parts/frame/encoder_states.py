"""Each encoder of a collection and how far it is built, in signs and words.

Owns the look of that table, which Home and Collections share; on Home each has its one figure, too.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import loaders, shell
from pages.parts.frame.text import markup
from radcbir_core.collections.artifacts import ARTIFACTS, Standing
from radcbir_core.collections.collection import Collection

SIGNS: Final = {"current": "✓", "stale": "!", "missing": "○"}
COLORS: Final = {"current": "#2FBF9B", "stale": "#E69F00", "missing": "#98A3B3"}


def table(collection: Collection) -> None:
    """Draw the table; an encoder whose record is damaged is reported, and left out."""
    head = "".join(f"<th>{artifact.title}</th>" for artifact in ARTIFACTS)
    rows = []
    for encoder_id in loaders.best_encoders(collection):
        with shell.errors_shown():
            store = collection.store(encoder_id)
            cells = "".join(
                f'<td style="color:{COLORS[standing.state]}"{_hint(standing)}>'
                f"{SIGNS[standing.state]} {standing.state}</td>"
                for standing in store.standings().values()
            )
            title = markup(store.title)
            rows.append(f'<tr><td class="name">{markup(encoder_id)}<small>{title}</small></td>{cells}</tr>')
    st.html(f'<table class="radcbir-encoders"><tr><th>encoder</th>{head}</tr>{"".join(rows)}</table>')


def _hint(standing: Standing) -> str:
    """Why an artifact is not current, to be read where the pointer rests on its state."""
    return f' title="{markup(standing.reason)}"' if standing.reason else ""


def complete(collection: Collection) -> tuple[int, int]:
    """How many encoders are built to the end, and how many there are."""
    ids = collection.encoder_ids()
    return sum(set(loaders.artifact_states(collection, name).values()) == {"current"} for name in ids), len(ids)
