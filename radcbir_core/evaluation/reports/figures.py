"""The figures of one value a query, such as P@k or a difference of two: micro, macro and each label's, with intervals.

Owns the one way from a view and its values to the table that evaluations tell; the means are those of averages.py, the
intervals those of intervals.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifests.manifest import Codes
from radcbir_core.evaluation.statistics.averages import means_of, present_labels, summarize
from radcbir_core.evaluation.statistics.chance import expected_precision
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView

_Codes = npt.NDArray[np.integer[Any]]


def figures(
    view: GalleryView,
    values: npt.NDArray[np.float64],
    *,
    name: str = "precision",
    limits: tuple[float, float] = (0.0, 1.0),
    by: Codes | None = None,
) -> pd.DataFrame:
    """Micro, macro and each label's mean, with intervals and what is behind them.

    Every mean is linear in the values of the queries: of differences, it is the difference of the means, and its
    interval is the paired one.

    Args:
        view: Who asked; each query under one label.
        values: ``(Q, len(ks))`` within ``limits``; NaN is left out.
        name: Of the column of means.
        limits: The least and the largest value there can be, such as
            :data:`~radcbir_core.evaluation.statistics.intervals.DIFFERENCES`.
        by: What every image counts under, where that is not its label.

    Returns:
        The columns ``label``, ``k``, that of the means, ``n_queries``, ``n_empty``, ``n_seen``, ``averaging``, ``low``,
        ``high`` and ``n_patients``; the lines are those of every label that was asked, or seen in training.
    """
    codes, labels, seen = _counted_under(view, by)
    clusters = view.clusters[view.queries]
    return summarize(
        values,
        codes,
        labels=labels,
        columns={"k": view.protocol.ks},
        name=name,
        empty=view.available.empty,
        seen=(len(view.seen), seen),
        intervals=mean_intervals(values, codes, clusters=clusters, n_labels=len(labels), limits=limits),
        limits=limits,
    )


def means_alone(
    view: GalleryView, values: npt.NDArray[np.float64], *, by: Codes | None = None
) -> npt.NDArray[np.float64]:
    """The column of means of :func:`figures`, without the intervals, which cost most of it.

    Args:
        view: Who asked; each query under one label.
        values: ``(Q, n)`` from 0 to 1; NaN is left out.
        by: What every image counts under, where that is not its label.
    """
    codes, labels, seen = _counted_under(view, by)
    means, present = means_of(values, codes, n_labels=len(labels)), present_labels(codes, seen)
    return np.vstack([means.micro, means.macro, means.label[present]]).ravel()


def _counted_under(view: GalleryView, by: Codes | None) -> tuple[_Codes, tuple[str, ...], _Codes]:
    """The label code of each query, the labels, and the codes of what was seen in training."""
    if by is None:
        return view.lines[1], view.relevance.labels, view.seen_lines[1]
    seen = by.codes[view.seen]
    return by.codes[view.queries], by.values, seen[seen >= 0]


def by_chance(view: GalleryView, allowed: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """``(Q, len(ks))`` P@k to be expected of images drawn at random.

    Args:
        view: Who asked.
        allowed: ``(Q,)`` the images that are drawn from.
    """
    protocol = view.protocol
    return expected_precision(
        view.available.relevant, allowed, protocol.ks, divisor=protocol.divisor, empty=protocol.empty
    )
