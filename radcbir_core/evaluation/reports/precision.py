"""P@k at every level, micro, macro and of each label, with intervals: how well each label is found.

Owns the tables; P@k is metrics/precision_at_k.py's, who asks whom is view.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.by_seen import BySeen, Figure
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import EMPTY_SAID, OTHERWISE, SEEN_SAID, Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.statistics.averages import present_labels
from radcbir_core.evaluation.statistics.deviation import deviations_of
from radcbir_core.evaluation.view import GalleryView, gallery_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits

_BY_SEEN = tuple(
    f"{which}{part}" for which in ("without_seen", "with_seen") for part in ("", "_low", "_high", "_queries")
)
MEANS_COLUMNS = (
    *("level", "label", "k", "precision", "low", "high", "chance", "same_anatomy", "n_queries", "n_patients"),
    *("n_empty", "n_seen", "averaging", "std"),
    *_BY_SEEN,
)

BASELINE_COLUMNS = ("pixels", "above_pixels", "above_low", "above_high")
"""What baseline.py adds to the means: P@k of the baseline, and how far the encoder lies above it, with an interval."""

HitsTaker = Callable[[Level, GalleryView, Hits], None]


@dataclass(frozen=True)
class Precision(Evaluation):
    """P@k of an encoder.

    Tables: ``means`` with the columns :data:`MEANS_COLUMNS`, where ``averaging`` is "micro" or "macro" (``label``
    empty) or "label" for one label's row, ``n_queries`` and ``n_patients`` are the queries and patients behind the
    number, ``n_empty`` the queries that have nothing to find, and ``n_seen`` those that the encoder has seen in
    training, ``low`` and ``high`` bound the 95 % interval, NaN where it is undefined (one patient), and ``std`` is
    the standard deviation over queries (micro, label) or the mean over labels of it (macro). ``chance`` is the same
    mean for images drawn at random from those a query may be given, and ``same_anatomy`` for images drawn from
    those of its modality and anatomy, NaN at the levels where these are what is asked for; both are exact
    expectations. ``without_seen`` is the figure of the queries that were not seen in training, ``with_seen`` that
    of all, each with its interval and its number of queries: one of them is ``precision``, as the protocol says.
    And ``queries``, one row a level and query that asked, with ``p@k`` for each k, NaN where the query is left out.
    """

    kind: ClassVar[str] = "precision"
    recipe: ClassVar[int] = 8
    name: ClassVar[str] = "Precision"
    about: ClassVar[str] = (
        "P at k, micro and macro, per level and label. Leave-one-out excludes the query's patient by default."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors",)
    table_words: ClassVar[Mapping[str, str]] = {
        "means": "P@k of every level, micro, macro and by label, with intervals and deviations",
        "queries": "P@k of every query",
    }

    also: ClassVar[Mapping[str, str]] = {"versus": "comparison"}
    callbacks: ClassVar[tuple[str, ...]] = ("take_hits",)

    protocol: Protocol = choice(
        Protocol(), "leave-one-out; split (gallery = train, queries = test); or paper, as it was published"
    )

    def compute(
        self, store: EncoderStore, *, progress: Progress = silent, take_hits: HitsTaker | None = None
    ) -> Result:
        """P@k at every level.

        Args:
            store: What an encoder made of a collection.
            progress: Told the number of levels, as step "evaluation", and queries that are searched, as step "search".
            take_hits: Given what the figures are made of, level by level.
        """
        protocol = self.protocol
        means, queries = [], []
        before: tuple[GalleryView, Hits] | None = None
        progress("evaluation", 0, len(protocol.levels))
        for done, level in enumerate(protocol.levels, 1):
            view = gallery_view(store, protocol, level)
            everyone = view.with_seen
            # Levels mostly differ in what is relevant alone.
            same = before is not None and everyone.asks_the_same(before[0])
            hits = before[1] if before is not None and same else everyone.hits(progress=progress)
            before = everyone, hits
            of_everyone = everyone.precision(hits)
            asks = everyone.asked_also_by(view)
            if take_hits is not None:
                take_hits(level, view, hits.of_queries(asks))
            values = of_everyone[asks]
            table = means_table(view, values, level=level)
            means.append(table.assign(**figures_by_seen(everyone, of_everyone, view=view, of_view=table)))
            per_query = pd.DataFrame({f"p@{k}": values[:, i] for i, k in enumerate(protocol.ks)})
            per_query.insert(0, "label", np.asarray(view.relevance.labels, dtype=object)[view.lines[1]])
            per_query.insert(0, "row", view.queries.astype(np.int32))
            per_query.insert(0, "level", level)
            queries.append(per_query)
            progress("evaluation", done, len(protocol.levels))
        tables = {
            "means": pd.concat(means, ignore_index=True)[list(MEANS_COLUMNS)],
            "queries": pd.concat(queries, ignore_index=True),
        }
        return self.result(store, tables, view_notes(store, protocol))

    def by_seen(self, result: Result) -> BySeen | None:
        """P@k at the last level, which the table of means has by both rules."""
        means, k = result.tables["means"], max(self.protocol.summary_ks)
        rows = means[(means["k"] == k) & (means["averaging"] == "micro") & (means["level"] == self.protocol.levels[-1])]
        if not len(rows) or not rows["n_seen"].iloc[0]:
            return None
        row = rows.iloc[0]
        skip, count = (
            Figure(
                value=_known(row[side]),
                low=_known(row[f"{side}_low"]),
                high=_known(row[f"{side}_high"]),
                n_queries=int(row[f"{side}_queries"]),
            )
            for side in ("without_seen", "with_seen")
        )
        return BySeen(f"P@{k}, mean over queries", skip, count, self.protocol.seen)

    def title(self, result: Result) -> str:
        """The protocol, and how many queries its rule for those that have nothing to find was used for."""
        return f": {self.protocol.describe()}: {empty_counts(result.tables['means'], self.protocol)}"

    def summary(self, result: Result) -> pd.DataFrame:
        """Micro and macro at every level."""
        means = result.tables["means"]
        means = means[(means["averaging"] != "label") & means["k"].isin(self.protocol.summary_ks)]
        lines = []
        for (level, averaging), part in means.groupby(["level", "averaging"], sort=False):
            first = part.iloc[0]
            line = {"level": level, "averaging": averaging, "queries": int(first["n_queries"])}
            line["patients"] = int(first["n_patients"])
            line[f"nothing to find, {EMPTY_SAID[self.protocol.empty]}"] = int(first["n_empty"])
            line |= seen_cell(part, self.protocol)
            line |= {f"P@{row.k}": with_bounds(row.precision, row.low, row.high) for row in lines_of(part)}
            last = part.iloc[-1]
            line[f"chance at {last['k']}"] = with_bounds(last["chance"], np.nan, np.nan)
            line["in the same anatomy"] = with_bounds(last["same_anatomy"], np.nan, np.nan)
            if "pixels" in means:
                line[f"pixels at {last['k']}"] = with_bounds(last["pixels"], np.nan, np.nan)
                line["above pixels"] = with_bounds(last["above_pixels"], last["above_low"], last["above_high"])
            if means["n_seen"].any():
                name, words = OTHERWISE[self.protocol.seen]
                line[f"P@{last['k']} {words}"] = with_bounds(last[name], np.nan, np.nan)
            lines.append(line)
        return pd.DataFrame(lines)


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def rule_said(table: pd.DataFrame, protocol: Protocol) -> str:
    """The rule for queries that have nothing to find and how many there are, for the title of a table or a chart.

    Args:
        table: Of one level and one k, with the micro mean in it: ``averaging``, ``n_empty``, and ``n_queries``, the
            queries behind the figure.
        protocol: By which it was made.

    Example:
        >>> table = pd.DataFrame({"averaging": ["micro"], "n_empty": [312], "n_queries": [947]})
        >>> rule_said(table, Protocol())
        'queries without a relevant image left out: 312 of 1,259'
        >>> rule_said(table.assign(n_queries=1259), Protocol(empty="zero"))
        'queries without a relevant image counted as 0: 312 of 1,259'
    """
    micro = table[table["averaging"] == "micro"].iloc[0]
    n_empty, n_queries = round(micro["n_empty"]), round(micro["n_queries"])
    asked = n_queries + n_empty if protocol.empty == "skip" else n_queries
    return f"queries without a relevant image {EMPTY_SAID[protocol.empty]}: {n_empty:,} of {asked:,}"


def seen_cell(part: pd.DataFrame, protocol: Protocol) -> dict[str, int]:
    """How many queries the encoder has seen in training, as a cell of a summary; none where it has seen none.

    Args:
        part: The rows of one mean, with ``n_seen``.
        protocol: By which they were made.

    Example:
        >>> seen_cell(pd.DataFrame({"n_seen": [3, 3]}), Protocol())
        {'seen in training, left out': 3}
        >>> seen_cell(pd.DataFrame({"n_seen": [0]}), Protocol())
        {}
    """
    number = int(part["n_seen"].max())
    return {seen_word(protocol): number} if number else {}


def seen_word(protocol: Protocol) -> str:
    """What a column of a summary is called that says how many queries the encoder has seen in training.

    Example:
        >>> seen_word(Protocol())
        'seen in training, left out'
    """
    return f"seen in training, {SEEN_SAID[protocol.seen]}"


def standout(table: pd.DataFrame) -> pd.Series | None:
    """The label that most clearly falls behind the mean over queries; None where no interval lies below it.

    Args:
        table: Of one level and one k: ``label``, ``averaging``, ``precision``, ``high`` and ``n_queries``.

    Example:
        >>> table = pd.DataFrame(
        ...     {"label": ["", "a", "b", "c"], "averaging": ["micro", *["label"] * 3], "n_queries": [99, 30, 60, 9]}
        ... )
        >>> table = table.assign(precision=[0.6, 0.5, 0.2, 0.1], high=[0.7, 0.8, 0.3, 0.7])
        >>> standout(table)["label"]
        'b'
    """
    mean = float(table.loc[table["averaging"] == "micro", "precision"].iloc[0])
    behind = table[(table["averaging"] == "label") & (table["high"] < mean)]
    if not len(behind):
        return None
    order = np.lexsort((behind["label"].to_numpy(dtype=object), -behind["n_queries"].to_numpy(), behind["high"]))
    row: pd.Series = behind.iloc[order[0]]
    return row


def empty_counts(table: pd.DataFrame, protocol: Protocol) -> str:
    """How many queries of each level have nothing to find, for a title that ends in the rule for them.

    Args:
        table: With the micro means of every level.
        protocol: By which it was made.

    Example:
        >>> micro = {"level": ["anatomy", "label"], "k": [1, 1], "averaging": ["micro"] * 2}
        >>> empty_counts(pd.DataFrame({**micro, "n_queries": [1259, 947], "n_empty": [0, 312]}), Protocol())
        '0 of 1,259 (anatomy), 312 of 1,259 (label)'
    """
    parts = []
    for level in protocol.levels:
        rows = table[table["level"] == level]
        if len(rows):
            count = rule_said(rows[rows["k"] == rows["k"].min()], protocol).split(": ")[1]
            parts.append(count if len(protocol.levels) == 1 else f"{count} ({level})")
    return ", ".join(parts)


def of_level(table: pd.DataFrame, level: Level) -> pd.DataFrame:
    """The rows of one level of a table of queries, without the column that says so."""
    return table[table["level"] == level].drop(columns="level").reset_index(drop=True)


def with_bounds(value: float, low: float, high: float) -> str:
    """A mean with its interval, where it has one; a dash where there is no query to take the mean of.

    Example:
        >>> nothing = float("nan")
        >>> with_bounds(0.5, 0.25, 0.75), with_bounds(0.5, nothing, nothing), with_bounds(nothing, nothing, nothing)
        ('0.500 [0.250, 0.750]', '0.500', '–')
    """
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def means_table(view: GalleryView, values: npt.NDArray[np.float64], *, level: Level) -> pd.DataFrame:
    """Micro, macro and each label's P@k, with intervals, baselines and deviations.

    Args:
        view: Who asked.
        values: ``(Q, len(ks))`` P@k.
        level: What has to agree for a hit to be relevant.

    Returns:
        The columns :data:`MEANS_COLUMNS` but for the figures with and without what was seen in training.
    """
    number = len(view.relevance.labels)
    table = figures(view, values)
    allowed = {"chance": view.allowed}
    if level == "label":
        allowed["same_anatomy"] = view.allowed_alike
    for name, images in allowed.items():
        table[name] = means_alone(view, by_chance(view, images))
    codes = view.lines[1]
    deviations, present = deviations_of(values, codes, n_labels=number), present_labels(codes, view.seen_lines[1])
    table["std"] = np.vstack([deviations.micro, deviations.macro, deviations.label[present]]).ravel()
    return table.assign(level=level).reindex(columns=[name for name in MEANS_COLUMNS if name not in _BY_SEEN])


def figures_by_seen(
    everyone: GalleryView, values: npt.NDArray[np.float64], *, view: GalleryView, of_view: pd.DataFrame
) -> dict[str, npt.NDArray[np.float64]]:
    """The figures with and without the queries that were seen in training, in the order of the table of means.

    Args:
        everyone: Who could ask, those that were seen among them.
        values: ``(Q, len(ks))`` P@k of each.
        view: Who asked: all of these, or those alone that were not seen.
        of_view: The figures of theirs, which are not computed again.
    """
    with_seen = without = of_view
    if len(view.queries) < len(everyone.queries):
        with_seen = figures(everyone, values)
    elif len(everyone.seen):
        unseen = everyone.without_seen
        without = figures(unseen, values[everyone.asked_also_by(unseen)])
    parts = {"": "precision", "_low": "low", "_high": "high", "_queries": "n_queries"}
    return {
        f"{name}{part}": mine[column].to_numpy()
        for name, mine in (("without_seen", without), ("with_seen", with_seen))
        for part, column in parts.items()
    }
