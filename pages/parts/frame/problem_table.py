"""What could not be imported or decoded, as a table: the reason first, in full; and what was remarked at import.

Owns the look of both, which Home and Collections share.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.frame.text import message
from radcbir_core.collections.collection import Collection

_ROW_HEIGHT: Final = 66  # of this height on, text is wrapped
_HEAD: Final = 38


def notes_of(collection: Collection) -> list[str]:
    """What has to be known of images that were imported all the same, a sentence each; of any record, however odd."""
    notes = collection.record.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def draw_notes(collection: Collection) -> None:
    """Say it; nothing where there is nothing to say."""
    if notes := notes_of(collection):
        lines = "\n".join(f"- {message(note)}" for note in notes)
        st.caption(f"Remarked at import, of what is in the collection:\n{lines}")


def draw(problems: pd.DataFrame, *, height: int, key: str | None = None) -> None:
    """Draw the table.

    Args:
        problems: As ``problems.csv`` has them.
        height: At most so many pixels; it scrolls beyond.
        key: Of the table.
    """
    st.dataframe(
        problems[["reason", "path", "line", "image_id", "source"]],
        key=key,
        hide_index=True,
        width="stretch",
        height=min(_ROW_HEIGHT * len(problems) + _HEAD, height),
        row_height=_ROW_HEIGHT,
        placeholder="–",
        column_config={
            "reason": st.column_config.TextColumn("Reason", width=400),
            "path": st.column_config.TextColumn("Path", width=180),
            "line": st.column_config.NumberColumn("Line", format="localized", width=56),
            "image_id": st.column_config.TextColumn("Image", width=180),
            "source": st.column_config.TextColumn("Source", width=200),
        },
    )
