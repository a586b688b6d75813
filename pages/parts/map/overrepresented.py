"""What a selection of images shows more often than the rest.

Owns the comparison of label frequencies and its table. Drawn as plain HTML with every label escaped, as counts.py's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.frame.text import markup, percent
from pages.parts.map.coloring import Members, no_value


def shares(members: Members, chosen: np.ndarray, among: np.ndarray) -> pd.DataFrame:
    """How frequent each value is in a selection and among all points, most over-represented first.

    Args:
        members: The values of the rows; one with several counts for each.
        chosen: (S,) rows selected.
        among: (P,) rows of all points.

    Returns:
        Columns value (empty: no value), selected (images), share and base (of all images, in the selection and among
        all points) and ratio, share ÷ base. Values that are not among the points are left out.
    """
    masks = []
    for rows in (chosen, among):
        mask = np.zeros(members.size, dtype=bool)
        mask[rows] = True
        masks.append(mask)
    without = members.single() == -1
    selected, all_ = (np.append(members.counts(mask), np.count_nonzero(without & mask)) for mask in masks)
    table = pd.DataFrame({"value": [*members.values, ""], "selected": selected, "all": all_})
    table["share"] = table["selected"] / max(len(chosen), 1)
    table["base"] = table["all"] / max(len(among), 1)
    table = table[table["all"] > 0].assign(ratio=lambda t: t["share"] / t["base"])
    more = (table["share"] - table["base"]).round(9)  # or the last digits would decide between equals
    order = np.lexsort((table["value"].to_numpy(dtype=object), -table["selected"].to_numpy(), -more.to_numpy()))
    return table.iloc[order].drop(columns="all").reset_index(drop=True)


def show(table: pd.DataFrame, column: str) -> None:
    """The values of a selection, as a table whose bars show the share in the selection, and a line that of all."""
    lines = []
    columns = (table[table["selected"] > 0][name].tolist() for name in ("value", "selected", "share", "base", "ratio"))
    for value, selected, share, base, ratio in zip(*columns, strict=True):
        name = value or no_value(column)
        sign = "▲" if ratio >= 1.25 else "▼" if ratio <= 0.8 else "="
        word = {"▲": "more than among all points", "▼": "less than among all points", "=": "about as among all"}[sign]
        lines.append(
            f'<tr title="{markup(name)}: {word}"><td><span>{markup(name)}</span><div class="track">'
            f'<div class="bar" style="width:{100 * share:.1f}%"></div>'
            f'<div class="base" style="left:{100 * base:.1f}%"></div></div></td>'
            f"<td>{selected:,}</td><td>{markup(percent(share))}</td><td>{markup(percent(base))}</td>"
            f"<td>{sign} {ratio:.1f}×</td></tr>"
        )
    head = "<tr><th></th><th>images</th><th>share</th><th>of all</th><th></th></tr>"
    table_html = f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    st.html(f'<div class="radcbir-shares" tabindex="0">{table_html}</div>')
