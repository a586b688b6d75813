"""How often each label occurs, as a table whose bars can be compared at a glance.

Owns the look of counts. Drawn as plain HTML with every label escaped: it appears with the page, needs no chart library,
and can be read by a screen reader row by row.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.parts.frame import palette
from pages.parts.frame.text import markup


def bars(title: str, counts: Mapping[str, int], *, column: str = "", note: str = "", rows: int = 10) -> None:
    """A table of values and counts, most frequent first as given, each with a bar; scrolls beyond some rows.

    Args:
        title: What is counted.
        counts: Value → number of images.
        column: Manifest column, for its fixed colors; without it all bars have one color.
        note: A short remark beside the title.
        rows: How many rows are seen without scrolling.
    """
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
        f'<div class="scroll" style="max-height:{rows * 1.65:.2f}rem" tabindex="0">{body}</div></section>{_STYLE}'
    )


_STYLE = """<style>
.radcbir-counts h4 { font-size: .95rem; margin: 0 0 .35rem; padding: 0; font-weight: 600; }
.radcbir-counts small { color: #98A3B3; font-weight: 400; }
.radcbir-counts .scroll { overflow-y: auto; scrollbar-width: thin; }
.radcbir-counts table { width: 100%; border-collapse: collapse; font-size: .87rem; table-layout: fixed; }
.radcbir-counts tr { height: 1.65rem; }
.radcbir-counts td { padding: 0; line-height: 1.3; border: 0; }
.radcbir-counts td { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.radcbir-counts .number { width: 4.2em; text-align: right; padding-right: .6em; font-variant-numeric: tabular-nums; }
.radcbir-counts .bar { width: 42%; }
.radcbir-counts .bar div { height: .62em; border-radius: 2px; }
</style>"""
