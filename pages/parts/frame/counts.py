"""How often each label occurs, as a table whose bars can be compared at a glance.

Owns the look of counts. Drawn as plain HTML with every label escaped: it appears with the page, needs no chart library,
and can be read by a screen reader row by row.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.parts.frame import palette
from pages.parts.frame.text import markup


def bars(
    title: str,
    counts: Mapping[str, int],
    *,
    column: str = "",
    colors: Mapping[str, str] | None = None,
    note: str = "",
    rows: int = 10,
) -> None:
    """A table of values and counts, most frequent first as given, each with a bar; scrolls beyond some rows.

    Args:
        title: What is counted.
        counts: Value → number of images.
        column: Manifest column, for its fixed colors; without it all bars have one color.
        colors: Value → color, instead of these.
        note: A short remark beside the title.
        rows: How many rows are seen without scrolling.
    """
    if colors is None:
        colors = palette.colors_of(column, counts) if column else {}
    most = max(counts.values(), default=1)
    lines = "".join(
        f'<tr><td title="{markup(value)}">{markup(value)}</td><td class="number">{count:,}</td><td class="bar">'
        f'<div style="width:{max(100 * count / most, 0.8):.1f}%;background:{colors.get(value, palette.HUES[0])}"></div>'
        "</td></tr>"
        for value, count in counts.items()
    )
    body = f"<table><tbody>{lines}</tbody></table>" if lines else "<p>None.</p>"
    more = f"{len(counts):,} values, scroll to see all" if len(counts) > rows else ""
    remark = " · ".join(filter(None, [note, more]))
    st.html(
        f'<section class="radcbir-counts"><h4>{markup(title)} <small>{markup(remark)}</small></h4>'
        f'<div class="scroll" style="max-height:{rows * 1.65:.2f}rem" tabindex="0">{body}</div></section>'
    )
