"""The figure that an evaluation begins with, without and with the queries that the encoder has seen in training.

Owns that pair and its words. An evaluation goes by one rule for what was seen; the figure by the other stands beside
it, so that nobody has to compute everything a second time to learn how much it matters. The value of a query does not
depend on who else asks: what is known of the queries that asked is used, and the rest alone is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView
from radcbir_core.wording import counted

Values = npt.NDArray[np.float64]
NAME = "by_seen"
"""Under which it is among the facts of a result."""


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval.

    Attributes:
        value: The mean; None without a query.
        low: Lower bound; None where undefined.
        high: Upper bound.
        n_queries: Behind it.
    """

    value: float | None
    low: float | None
    high: float | None
    n_queries: int

    def said(self, *, signed: bool = False) -> str:
        """The mean and its interval in words.

        Args:
            signed: Whether it is a difference.

        Example:
            >>> Figure(0.5, 0.25, 0.75, 9).said(), Figure(0.5, None, None, 9).said(signed=True)
            ('0.500 (0.250 to 0.750)', '+0.500')
            >>> Figure(None, None, None, 0).said()
            '–'
        """
        if self.value is None:
            return "–"
        value, *bounds = (
            "" if number is None else f"{number:{'+' if signed else ''}.3f}"
            for number in (self.value, self.low, self.high)
        )
        return f"{value} ({bounds[0]} to {bounds[1]})" if all(bounds) else value


@dataclass(frozen=True)
class BySeen:
    """One figure by both rules.

    Attributes:
        name: What it is, as the beginning of a sentence.
        skip: Of the queries that were not seen in training.
        count: Of all.
        rule: By which of the two its evaluation goes; "count" where it has no such choice.
        signed: Whether it is a difference.
        noun: What it is a mean over, one and many.
    """

    name: str
    skip: Figure
    count: Figure
    rule: str
    signed: bool = False
    noun: tuple[str, str] = ("query", "queries")

    @property
    def otherwise(self) -> Figure:
        """The figure by the other rule."""
        return self.skip if self.rule == "count" else self.count

    @property
    def said(self) -> str:
        """Both in a sentence."""
        one, many = self.noun
        return (
            f"{self.name}: {self.skip.said(signed=self.signed)} over {counted(self.skip.n_queries, one, many)} not "
            f"seen in training, {self.count.said(signed=self.signed)} over all {self.count.n_queries:,}."
        )

    def facts(self) -> dict[str, Any]:
        """What is kept of it."""
        return {NAME: {**asdict(self), "noun": list(self.noun)}}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> BySeen | None:
        """What was kept of it, among the facts of a result; None where nothing was.

        Raises:
            KeyError: Something else was kept.
            TypeError: Likewise.
        """
        kept = facts.get(NAME)
        if kept is None:
            return None
        figures = {rule: Figure(**kept[rule]) for rule in ("skip", "count")}
        return cls(**{**kept, **figures, "noun": tuple(kept["noun"])})


def by_seen(
    view: GalleryView,
    measure: Callable[[GalleryView], Values],
    *,
    name: str,
    own: Values | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> BySeen | None:
    """A mean over queries by both rules; None where no query was seen.

    Args:
        view: Who asked.
        measure: Gives the ``(q,)`` values of a view's queries; NaN of one that counts nowhere.
        name: What the mean is, as the beginning of a sentence.
        own: ``(Q,)`` the values of those who asked, where they are known.
        limits: The least and the largest value there can be.
    """
    if not len(view.seen):
        return None
    everyone = view.with_seen
    if own is None:
        values = measure(everyone)
    else:
        values = np.full(len(everyone.queries), np.nan)
        asked = np.isin(everyone.queries, view.queries, assume_unique=True)
        values[asked] = own
        if not asked.all():
            values[~asked] = measure(view.asked_by(everyone.queries[~asked]))
    return figures_by_seen(
        values,
        seen=np.isin(everyone.queries, view.seen),
        clusters=everyone.clusters[everyone.queries],
        name=name,
        rule=view.protocol.seen,
        limits=limits,
    )


def figures_by_seen(
    values: Values,
    *,
    seen: npt.NDArray[np.bool_],
    clusters: npt.NDArray[np.int64],
    name: str,
    rule: str,
    lines: npt.NDArray[np.int64] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    noun: tuple[str, str] = ("query", "queries"),
) -> BySeen:
    """As :func:`by_seen`, of values that are there.

    Args:
        values: ``(Q,)`` of all that could ask, or ``(M,)`` with ``lines``; NaN counts nowhere.
        seen: ``(Q,)`` which of them were seen.
        clusters: ``(Q,)`` the patient of each.
        name: What the mean is, as the beginning of a sentence.
        rule: By which its evaluation goes.
        lines: ``(M,)`` the query of each value, where it has several.
        limits: The least and the largest value there can be.
        noun: What it is a mean over, one and many.
    """
    lines = np.arange(len(values)) if lines is None else lines
    skip, count = (
        _figure(values[chosen], lines[chosen], clusters, limits=limits)
        for chosen in (~seen[lines], np.ones(len(lines), dtype=np.bool_))
    )
    return BySeen(name, skip, count, rule, limits[0] < 0, noun)


def precision_by_seen(view: GalleryView, *, name: str = "", own: Values | None = None) -> BySeen | None:
    """P@k at the largest k of the protocol that a summary tells of, by both rules; None where no query was seen.

    Args:
        view: Who asked.
        name: What it is; "P@k, mean over queries" by default.
        own: ``(Q, len(ks))`` P@k of those who asked, where it is known.
    """
    ks = view.protocol.ks
    place = ks.index(max(view.protocol.summary_ks))

    def measure(part: GalleryView) -> Values:
        return part.precision(part.hits())[:, place]

    own = own if own is None else own[:, place]
    return by_seen(view, measure, name=name or f"P@{ks[place]}, mean over queries", own=own)


def _figure(
    values: Values, lines: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64], *, limits: tuple[float, float]
) -> Figure:
    known = ~np.isnan(values)
    values, lines = values[known], lines[known]
    if not len(values):
        return Figure(None, None, None, 0)
    one = np.zeros(len(values), dtype=np.int64)
    bounds = mean_intervals(values[:, None], one, clusters=clusters[lines], n_labels=1, limits=limits)
    low, high = bounds.micro[0].tolist()
    low, high = (None, None) if np.isnan(low) else (low, high)
    return Figure(float(values.mean()), low, high, len(np.unique(lines)))
