"""What a selection of images shows more often, or less, than the rest; and how sure that is.

Owns the comparison of label frequencies and its table. Images of one patient resemble each other, so a share has an
interval over patients, and a value is called more or less frequent only where that interval leaves the share of all
out: one image that is the only one of its label is thirty times as frequent, and says nothing. Drawn as plain HTML with
every label escaped, as counts.py's.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from pages.parts.frame.text import markup, percent
from pages.parts.map.coloring import Members, no_value
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.statistics.intervals import cell_intervals
from radcbir_core.wording import counted

FIRST: Final = 8
"""So many values are shown where nobody asks for all."""
ALIKE: Final = (0.8, 1.25)
"""Between these ratios a value is about as frequent as among all."""

SIGNS: Final = {"more": "▲", "less": "▼", "as": "=", "unsure": "?"}
_WORDS: Final = {
    "more": "more than among all points",
    "less": "less than among all points",
    "as": "about as among all points",
    "unsure": "may be chance: the interval holds the share of all points",
}


def shares(
    members: Members,
    chosen: npt.NDArray[np.integer[Any]],
    among: npt.NDArray[np.integer[Any]],
    *,
    clusters: npt.NDArray[np.integer[Any]],
) -> pd.DataFrame:
    """How frequent each value is in a selection and among all points, what is surely over-represented first.

    Args:
        members: The values of the rows; one with several counts for each.
        chosen: (S,) rows selected.
        among: (P,) rows of all points; those selected are among them.
        clusters: (N,) what is one piece of evidence, mostly the patient; codes from 0.

    Returns:
        One line a value of the selection: value (empty: no value), selected (images) and n_patients (of them), share
        (of the selection) with low and high, the bounds of its 95 % interval over patients (NaN of a single one), base
        (the share among all points, taken as given), ratio, share ÷ base, and standing: "more", "less" or "as" among
        all where the interval says so, else "unsure". Ordered by how far the share is above that of all at least.
    """
    number = len(members.values) + 1  # the last is no value
    inside, everyone = (_pairs(members, rows) for rows in (chosen, among))
    selected, base = (np.bincount(codes, minlength=number) for _, codes in (inside, everyone))
    rows, codes = inside
    low, high = np.full((2, number), np.nan)
    n_patients = np.zeros(number, dtype=np.int64)
    if len(chosen):
        of_image = np.asarray(clusters)[chosen]
        place = np.full(members.size, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        line = place[rows]
        cells, bounds = cell_intervals(
            *(np.ones(len(codes)), np.zeros(len(chosen), dtype=np.int64), codes),
            lines=line,
            clusters=of_image,
            n_labels=1,
            n_columns=number,
        )
        low[cells], high[cells] = bounds.T
        pairs = np.unique(codes * (int(of_image.max()) + 1) + of_image[line])
        n_patients = np.bincount(pairs // (int(of_image.max()) + 1), minlength=number)
    table = pd.DataFrame({"value": [*members.values, ""], "selected": selected, "n_patients": n_patients})
    table["share"] = selected / max(len(chosen), 1)
    table["low"], table["high"] = low, high
    table["base"] = base / max(len(among), 1)
    table = table[table["selected"] > 0].assign(ratio=lambda t: t["share"] / t["base"])
    table["standing"] = [standing(row.ratio, row.low, row.high, row.base) for row in lines_of(table)]
    surely = (table["low"] - table["base"]).fillna(-2).round(9)  # or the last digits would decide between equals
    order = np.lexsort((table["value"].to_numpy(dtype=object), -table["selected"].to_numpy(), -surely.to_numpy()))
    return table.iloc[order].reset_index(drop=True)


def standing(ratio: float, low: float, high: float, base: float) -> str:
    """Whether a share of a selection is "more", "less" or "as" that of all, or "unsure".

    Args:
        ratio: The share ÷ that of all.
        low: The lower bound of the share; NaN where there is none.
        high: The upper bound.
        base: The share of all.

    >>> standing(3.0, 0.2, 0.4, 0.1), standing(30.0, np.nan, np.nan, 0.01), standing(30.0, 0.0, 0.9, 0.01)
    ('more', 'unsure', 'unsure')
    >>> standing(0.1, 0.0, 0.05, 0.2), standing(1.2, 0.21, 0.27, 0.2), standing(1.0, 0.19, 0.21, 0.2)
    ('less', 'as', 'as')
    """
    if np.isnan(low) or np.isnan(high):
        return "unsure"
    few, many = ALIKE
    if low > base:
        return "more" if ratio >= many else "as"
    if high < base:
        return "less" if ratio <= few else "as"
    return "as" if low >= few * base and high <= many * base else "unsure"


def _pairs(
    members: Members, chosen: npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The row and the code of each value that some rows have; no value is a code of its own, behind the others."""
    mask = np.zeros(members.size, dtype=bool)
    mask[chosen] = True
    own = mask[members.rows]
    rows, codes = members.rows[own], members.codes[own]
    mask[rows] = False
    without = np.flatnonzero(mask)
    none = np.full(len(without), len(members.values))
    return np.concatenate([rows, without]), np.concatenate([codes, none]).astype(np.int64)


def show(table: pd.DataFrame, column: str, *, every: bool = False) -> None:
    """The values of a selection, as a table: bars show the share with its interval, and a line that of all.

    Args:
        table: Of :func:`shares`.
        column: Whose values.
        every: Whether all are shown, and not the first :data:`FIRST` alone.
    """
    lines = []
    shown = table if every else table.head(FIRST)
    for row in lines_of(shown):
        name = row.value or no_value(column)
        sure = not np.isnan(row.low)
        interval = f"{percent(row.low)} to {percent(row.high)}, 95 % over patients" if sure else "no interval"
        patients = counted(row.n_patients, "patient or single image", "patients or single images")
        title = f"{name}: {_WORDS[row.standing]}; {percent(row.share)} ({interval}), of {patients}"
        whisker = (
            f'<div class="range" style="left:{100 * row.low:.1f}%;width:{100 * (row.high - row.low):.1f}%"></div>'
            if sure
            else ""
        )
        ratio = f"{SIGNS[row.standing]} {row.ratio:.1f}×" if row.standing != "unsure" else f"{SIGNS['unsure']} unsure"
        lines.append(
            f'<tr class="{row.standing}" title="{markup(title)}"><td><span>{markup(name)}</span><div class="track">'
            f'<div class="bar" style="width:{100 * row.share:.1f}%"></div>{whisker}'
            f'<div class="base" style="left:{100 * row.base:.1f}%"></div></div></td>'
            f"<td>{row.selected:,}</td><td>{markup(percent(row.share))}</td><td>{markup(percent(row.base))}</td>"
            f"<td>{ratio}</td></tr>"
        )
    head = "<tr><th></th><th>images</th><th>share</th><th>of all</th><th></th></tr>"
    table_html = f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    st.html(f'<div class="radcbir-shares" tabindex="0">{table_html}</div>')
