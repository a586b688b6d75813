"""What could not be imported or decoded, as a table: the reason first, in full.

Owns the look of that table, which Home and Collections share.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

_ROW_HEIGHT: Final = 66  # of this height on, text is wrapped
_HEAD: Final = 38


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
