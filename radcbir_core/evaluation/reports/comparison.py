"""Two encoders on one collection: the same queries, the same gallery, and the difference query by query.

Owns the paired comparison, what it is cut to (images that both encoders could embed), and the side called chance. P@k
is precision_at_k.py's, the interval is intervals.py's, the random side is chance.py's.

Why paired: both encoders get the same queries, and what is hard for one is mostly hard for the other. The interval of
the difference therefore comes from the differences of single queries; it is much narrower than the intervals of the
two encoders would suggest, and two that overlap can still differ clearly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import BySeen, by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import EMPTY_SAID, Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.precision import Precision, empty_counts, of_level, seen_cell
from radcbir_core.evaluation.seen import seen_notes, seen_of
from radcbir_core.evaluation.statistics.averages import present_labels
from radcbir_core.evaluation.statistics.chance import CHANCE
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.statistics.randomization import holm, swap_p_values
from radcbir_core.evaluation.view import GalleryView, gallery_view, patient_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

COMPARISON_COLUMNS = (
    *("level", "label", "averaging", "k", "a", "b", "difference", "low", "high", "n_queries", "n_patients"),
    *("p", "p_holm", "n_empty", "n_seen"),
)


@dataclass(frozen=True)
class Comparison(Evaluation):
    """What B gains or loses against A, the encoder whose evaluation it is.

    Tables: ``differences`` with the columns :data:`COMPARISON_COLUMNS`: P@k of both, ``difference`` = B − A, the bounds
    of its 95 % interval (NaN where undefined), the queries and patients behind it; ``averaging`` is "micro" or "macro"
    (``label`` empty), or "label" for one label's row. Labels also have the ``p`` of the randomization test, and
    ``p_holm``, corrected for the number of labels at that level and k; NaN against chance. And ``queries``, one row a
    level and query: ``level``, ``row``, ``label``, and ``a@k`` and ``b@k`` for each k (NaN: it is left out). Of chance
    it is the expectation. Facts: ``a`` and ``b``, the encoder_ids, the latter perhaps "chance".
    """

    kind: ClassVar[str] = "comparison"
    recipe: ClassVar[int] = 10
    name: ClassVar[str] = "Comparison"
    about: ClassVar[str] = "Two encoders query by query: P at k of both, and the difference with its interval."
    uses: ClassVar[tuple[Need, ...]] = ("neighbors",)
    table_words: ClassVar[Mapping[str, str]] = {
        "differences": "P@k of both and B − A, of every level, micro, macro and by label, with intervals",
        "queries": "P@k of every query by both",
    }

    subject: ClassVar[str] = "{collection}"

    versus: str = choice(CHANCE, "A second encoder; or chance")
    protocol: Protocol = choice(
        Protocol(), "leave-one-out; split (gallery = train, queries = test); or paper, as it was published"
    )

    def other(self, store: EncoderStore) -> EncoderStore | None:
        """What encoder B made of the collection; None is chance."""
        return None if self.versus == CHANCE else store.collection.store(self.versus)

    def check_current(self, store: EncoderStore) -> None:
        """Do nothing if A and B are two encoders, and what was built of both is current.

        Raises:
            EvaluationError: They are the same encoder.
            StaleError: A neighbor graph, or the embeddings, are missing or were made from something else.
        """
        if self.versus == store.encoder_id:
            raise EvaluationError(
                f"Expected two different encoders, but both are {store.encoder_id}. "
                f"Compare it with another one, or with {CHANCE}."
            )
        super().check_current(store)
        other = self.other(store)
        if other is not None:
            self.check_built(other)

    def made_of(self, store: EncoderStore) -> list[str]:
        """Both encoders' embeddings."""
        other = self.other(store)
        return [*super().made_of(store), *([CHANCE] if other is None else super().made_of(other))]

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P@k of both at every level, and the difference.

        Args:
            store: What encoder A made of a collection.
            progress: Told the number of levels, as step "comparison", and queries that are searched, as step "search".
        """
        protocol, other = self.protocol, self.other(store)
        # Of all that each of the two could embed: then its own evaluation has the same queries and the same gallery.
        whole = other is None or np.array_equal(store.valid, other.valid)
        # Of two encoders the near-duplicates of the first hold; the second's own evaluation left out those of its own.
        own_groups = NEAR_DUPLICATE not in protocol.exclude
        tables, queries = [], []
        progress("comparison", 0, len(protocol.levels))
        for done, level in enumerate(protocol.levels, 1):
            view = shared_view(store, other, protocol, level)
            a, b = (
                _precision(view, side, level, whole=whole and (side is store or own_groups), progress=progress)
                for side in (store, other)
            )
            tables.append(_table(view, a, b, tested=other is not None).assign(level=level))
            per_query = pd.DataFrame(
                {
                    f"{side}@{k}": values[:, i]
                    for side, values in (("a", a), ("b", b))
                    for i, k in enumerate(protocol.ks)
                }
            )
            per_query.insert(0, "label", np.asarray(view.relevance.labels, dtype=object)[view.lines[1]])
            per_query.insert(0, "row", view.queries.astype(np.int32))
            per_query.insert(0, "level", level)
            queries.append(per_query)
            progress("comparison", done, len(protocol.levels))
        return self.result(
            store,
            {
                "differences": pd.concat(tables, ignore_index=True)[list(COMPARISON_COLUMNS)],
                "queries": pd.concat(queries, ignore_index=True),
            },
            (*_notes(store, other, protocol), *_lone_labels(tables)),
            {"a": store.encoder_id, "b": self.versus},
            by_seen=self._by_seen(view, b - a, other),
        )

    def _by_seen(
        self, view: GalleryView, difference: npt.NDArray[np.float64], other: EncoderStore | None
    ) -> BySeen | None:
        """B − A at the last level, micro."""
        k = max(self.protocol.summary_ks)
        place = self.protocol.ks.index(k)

        def measure(part: GalleryView) -> npt.NDArray[np.float64]:
            a = part.precision(part.hits())
            b = by_chance(part, part.allowed) if other is None else part.precision(part.hits(store=other))
            return (b - a)[:, place]

        name = f"B − A of P@{k}, mean over queries"
        return by_seen(view, measure, name=name, own=difference[:, place], limits=DIFFERENCES)

    def title(self, result: Result) -> str:
        """Who is A, who is B, and the protocol."""
        counts = empty_counts(result.table, self.protocol)
        return f": A = {result.facts['a']}, B = {result.facts['b']}; {self.protocol.describe()}: {counts}"

    def summary(self, result: Result) -> pd.DataFrame:
        """B − A, micro and macro, at every level and k."""
        words = {"A": "A is better", "B": "B is better", "open": "not clear", "none": "one patient only"}
        return pd.DataFrame(
            [
                {"level": row.level, "averaging": row.averaging, "k": row.k, "queries": row.n_queries}
                | {f"nothing to find, {EMPTY_SAID[self.protocol.empty]}": row.n_empty}
                | seen_cell(pd.DataFrame({"n_seen": [row.n_seen]}), self.protocol)
                | {"A": f"{row.a:.3f}", "B": f"{row.b:.3f}", "B - A": f"{row.difference:+.3f}"}
                | {
                    name: "" if np.isnan(bound) else f"{bound:+.3f}"
                    for name, bound in (("low", row.low), ("high", row.high))
                }
                | {"95 % interval says": words[verdict(row.low, row.high)]}
                for row in lines_of(means_of_comparison(result))
            ]
        )

    def remarks(self, result: Result) -> Sequence[str]:
        """What to make of the intervals of labels."""
        k = max(self.protocol.summary_ks)
        said = []
        for level in self.protocol.levels:
            labels = labels_of(result, level, k)
            if len(labels) > 1:
                said.append(f"{level}, P@{k} of {counted(len(labels), 'label')}: {label_note(labels)}")
        return said


def means_of_comparison(result: Result) -> pd.DataFrame:
    """Micro and macro at every level, and at every k that has intervals."""
    table = result.table
    return table[(table["averaging"] != "label") & table["k"].isin(result.evaluation.protocol.summary_ks)]  # type: ignore[attr-defined]  # a Comparison's


def labels_of(result: Result, level: Level, k: int) -> pd.DataFrame:
    """The labels of one level at one k, B's largest gain first; ties by name, those without queries left out."""
    table = result.table
    chosen = table[(table["level"] == level) & (table["k"] == k) & (table["averaging"] == "label")]
    chosen = chosen[chosen["difference"].notna()]
    order = np.lexsort((chosen["label"].to_numpy(dtype=object), -chosen["difference"].to_numpy().round(12)))
    return chosen.iloc[order].reset_index(drop=True)


def verdict(low: float, high: float) -> str:
    """What an interval of B − A says: ``"B"`` or ``"A"`` is better, ``"open"``, or ``"none"`` where there is none.

    Example:
        >>> verdict(0.01, 0.2), verdict(-0.2, -0.01), verdict(-0.1, 0.1), verdict(np.nan, np.nan)
        ('B', 'A', 'open', 'none')
    """
    if np.isnan(low) or np.isnan(high):
        return "none"
    return "B" if low > 0 else "A" if high < 0 else "open"


def shared_view(a: EncoderStore, b: EncoderStore | None, protocol: Protocol, level: Level) -> GalleryView:
    """What both see: queries and gallery of a protocol, without images that one of the two could not embed.

    Args:
        a: What encoder A made of a collection.
        b: Likewise encoder B; None is chance.
        protocol: Which.
        level: What has to agree for a hit to be relevant.

    Raises:
        EvaluationError: The protocol cannot be run on this collection.
    """
    return gallery_view(a, protocol, level, beside=[b])


def _precision(
    view: GalleryView, side: EncoderStore | None, level: Level, *, whole: bool, progress: Progress
) -> npt.NDArray[np.float64]:
    """``(Q, len(ks))`` of one of the two; where its own evaluation is kept, it is that."""
    protocol = view.protocol
    if side is None:
        return by_chance(view, view.allowed)
    kept = Precision(protocol).kept(side) if whole else None
    if kept is not None:
        columns = [f"p@{k}" for k in protocol.ks]
        mine = of_level(kept.tables["queries"], level).set_index("row")
        return mine.loc[view.queries, columns].to_numpy(dtype=np.float64)  # the other may have seen some of them
    return view.precision(view.hits(store=side, progress=progress))


def _table(view: GalleryView, a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], *, tested: bool) -> pd.DataFrame:
    """All rows of one level: micro, macro, then the labels in the order of their codes, each at every k."""
    ks, codes, clusters = view.protocol.ks, view.lines[1], view.clusters[view.queries]
    n_labels = len(view.relevance.labels)
    chosen = [ks.index(k) for k in view.protocol.summary_ks]
    difference = b - a
    p, corrected = np.full((2, n_labels, len(ks)), np.nan)
    if tested and n_labels:  # chance has no patients that it could be swapped for: its P@k is a mean, not a result
        p[:, chosen] = swap_p_values(difference[:, chosen], codes, clusters=clusters, n_labels=n_labels)
        corrected[:, chosen] = np.stack([holm(column) for column in p[:, chosen].T], axis=1)
    table = figures(view, difference, name="difference", limits=DIFFERENCES)
    for side, values in (("a", a), ("b", b)):
        table[side] = means_alone(view, values)
    undefined = np.full((2, len(ks)), np.nan)
    present = present_labels(codes, view.seen_lines[1])
    table["p"] = np.vstack([undefined, p[present]]).ravel()
    table["p_holm"] = np.vstack([undefined, corrected[present]]).ravel()
    return table


def _notes(a: EncoderStore, b: EncoderStore | None, protocol: Protocol) -> tuple[str, ...]:
    notes = [note for store in (a, b) if store is not None for note in seen_notes(store, protocol.seen)]
    if b is not None and protocol.seen == "skip" and any(seen_of(store).number for store in (a, b)):
        notes.append("What one of the two has seen in training is a query of neither.")
    if b is None:
        notes.append(
            f"B is {CHANCE}: what images drawn at random from those a query may be given reach on average; it is "
            "computed, not drawn."
        )
    elif not np.array_equal(a.valid, b.valid):
        alone = [int((one.valid & ~other.valid).sum()) for one, other in ((a, b), (b, a))]
        notes.append(
            f"Only images that both encoders could embed count, on either side: {alone[0]} that only {a.encoder_id} "
            f"could, and {alone[1]} that only {b.encoder_id} could, are left out. P@k may differ from that of each "
            "encoder by itself."
        )
    neither = int((~a.valid if b is None else ~a.valid & ~b.valid).sum())
    if neither:
        notes.append(f"{neither} images could not be embedded and are left out; problems.csv says why.")
    return (*notes, *patient_notes(a, protocol))


def _lone_labels(tables: Sequence[pd.DataFrame]) -> list[str]:
    """How labels with the queries of a single patient count in the macro interval, a sentence a level."""
    notes = []
    for table in tables:
        labels = table[(table["averaging"] == "label") & (table["k"] == table["k"].min())]
        labels = labels[labels["n_queries"] + labels["n_empty"] > 0]  # the others were seen in training, all of them
        alone = int((labels["n_patients"] == 1).sum())
        if alone:
            notes.append(
                f"At the level {labels['level'].iloc[0]}, labels with queries of a single patient: {alone} of "
                f"{len(labels)}. They have no interval; in that of the "
                "macro mean they count as labels whose patients could differ as much as patients can."
            )
    return notes


def label_note(labels: pd.DataFrame) -> str:
    """What to make of many intervals at once, in a sentence or two.

    Args:
        labels: As :func:`labels_of` gives them.

    Example:
        >>> label_note(pd.DataFrame({"low": [0.1, -0.1], "high": [0.2, 0.1], "p_holm": [0.01, 0.9]}))
        'Of 2 intervals 1 excludes 0; 0.1 would by chance alone, if A and B were equally good. After correction for \
the number of labels (Holm), 1 difference remains clear.'
    """
    known = labels["low"].notna()
    clear = int(((labels["low"] > 0) | (labels["high"] < 0)).sum())
    number = int(known.sum())
    if not number:
        return "No label has queries of two patients or more, so there are no intervals."
    said = (
        f"Of {number} {'interval' if number == 1 else 'intervals'} {clear} {'excludes' if clear == 1 else 'exclude'} "
        f"0; {0.05 * number:.{1 if number < 200 else 0}f} would by chance alone, if A and B were equally good."
    )
    if labels["p_holm"].notna().any():
        left = int((labels["p_holm"] <= 0.05).sum())
        said += (
            f" After correction for the number of labels (Holm), {left} "
            f"{'difference remains' if left == 1 else 'differences remain'} clear."
        )
    return said
