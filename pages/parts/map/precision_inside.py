"""How well the images of a selection are found, beside all: P@k, as it is kept of the evaluation.

Owns this figure and how it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from pages.parts.evaluation import tiles
from pages.parts.evaluation.patients import counted_patients
from pages.parts.frame.text import markup
from radcbir_core.collections.collection import Collection
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.wording import counted


@dataclass(frozen=True)
class Share:
    """P@k over some queries.

    Attributes:
        precision: Mean over the queries; NaN without any.
        low: Lower bound of its 95 % interval over patients; NaN of a single one.
        high: Upper bound.
        n_queries: Those that have something to find.
        n_patients: Whose they are.
    """

    precision: float
    low: float
    high: float
    n_queries: int
    n_patients: int


def inside(
    precision: npt.NDArray[np.float64], chosen: npt.NDArray[np.integer[Any]], clusters: npt.NDArray[np.integer[Any]]
) -> Share:
    """P@k of the queries of a selection.

    Args:
        precision: (N,) of every image, NaN where it was no query.
        chosen: (S,) rows selected.
        clusters: (N,) what is one piece of evidence, mostly the patient; codes from 0.

    >>> share = inside(np.array([1.0, 0.0, np.nan, 0.5]), np.array([0, 2, 3]), np.array([0, 0, 1, 2]))
    >>> share.precision, share.n_queries, share.n_patients
    (0.75, 2, 2)
    """
    asked = chosen[~np.isnan(precision[chosen])]
    values = precision[asked]
    if not len(asked):
        return Share(float("nan"), float("nan"), float("nan"), 0, 0)
    bounds = mean_intervals(
        values[:, None], np.zeros(len(asked), dtype=np.int64), clusters=np.asarray(clusters)[asked], n_labels=1
    )
    low, high = bounds.micro[0].tolist()
    return Share(float(values.mean()), low, high, len(asked), bounds.n_clusters)


def of_all(means: pd.DataFrame, *, level: str, k: int) -> Share:
    """P@k of all queries.

    Args:
        means: The table of that name, of an evaluation of precision.
        level: What has to agree for a hit to count.
        k: Of P@k.
    """
    row = means[(means["level"] == level) & (means["k"] == k) & (means["averaging"] == "micro")].iloc[0]
    return Share(
        precision=float(row["precision"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n_queries=int(row["n_queries"]),
        n_patients=int(row["n_patients"]),
    )


def compared(own: Share, others: Share) -> str:
    """Whether P@k of a selection is another than that of all, in a few words.

    >>> everyone = Share(0.6, 0.58, 0.62, 9000, 3000)
    >>> compared(Share(0.4, 0.3, 0.5, 40, 30), everyone), compared(Share(0.4, 0.1, 0.7, 3, 3), everyone)
    ('▼ below that of all', '? too few to tell it from that of all')
    """
    if np.isnan(own.low) or np.isnan(others.precision):
        return "? too few patients to tell"
    if own.high < others.precision:
        return "▼ below that of all"
    if own.low > others.precision:
        return "▲ above that of all"
    return "? too few to tell it from that of all"


def show(collection: Collection, own: Share, others: Share, *, level_name: str, k: int) -> None:
    """Draw both, side by side."""
    parts = []
    for title, share, further in (("inside", own, compared(own, others)), ("of all", others, "")):
        said = [
            tiles.interval(share.low, share.high),
            f"{counted(share.n_queries, 'query', 'queries')} of {counted_patients(collection, share.n_patients)}",
            further,
        ]
        lines = "<br>".join(markup(line) for line in said if line)
        parts.append(
            f"<div><span>P@{k} {title}</span><b>{tiles.number(share.precision)}</b><small>{lines}</small></div>"
        )
    st.html(f'<div class="radcbir-inside" title="{markup(level_name)}">{"".join(parts)}</div>')
