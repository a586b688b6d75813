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
    found: dict[str, tuple[str, dict[str, Standing]]] = {}
    for encoder_id in loaders.best_encoders(collection):
        with shell.errors_shown():
            store = collection.store(encoder_id)
            found[encoder_id] = (store.title, store.standings())
    asked = {name for _, standings in found.values() for name in standings}
    shown = [artifact for artifact in ARTIFACTS if not artifact.on_request or artifact.name in asked]
    head = "".join(f"<th>{artifact.title}</th>" for artifact in shown)
    rows = []
    for encoder_id, (title, standings) in found.items():
        cells = "".join(_cell(standings.get(artifact.name)) for artifact in shown)
        rows.append(f'<tr><td class="name">{markup(encoder_id)}<small>{markup(title)}</small></td>{cells}</tr>')
    st.html(f'<table class="radcbir-encoders"><tr><th>encoder</th>{head}</tr>{"".join(rows)}</table>')


def _cell(standing: Standing | None) -> str:
    """How an artifact stands; None for one that is made on request, and was never asked for."""
    if standing is None:
        return f'<td style="color:{COLORS["missing"]}" title="A build makes it only when asked to">– on request</td>'
    said = f"{SIGNS[standing.state]} {standing.state}"
    return f'<td style="color:{COLORS[standing.state]}"{_hint(standing)}>{said}</td>'


def _hint(standing: Standing) -> str:
    """Why an artifact is not current, to be read where the pointer rests on its state."""
    return f' title="{markup(standing.reason)}"' if standing.reason else ""


def complete(collection: Collection) -> tuple[int, int]:
    """How many encoders are built to the end, and how many there are."""
    ids = collection.encoder_ids()
    return sum(collection.store(name).is_current() for name in ids), len(ids)
