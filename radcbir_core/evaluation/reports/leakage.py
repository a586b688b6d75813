"""What P@k owes to images that are hardly others: exact copies, the query's patient, its data set.

Owns the steps, each of which leaves out more than the one before, the paired differences between them, and which test
images have company in train. What a group is, is groups.py's; P@k and its intervals are those of every evaluation.

What a step takes away says what the hits before were: copies, the same patient seen again, or the same hospital. What
is left at the last step is of what the images show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import EXCLUSIONS, NEAR_DUPLICATE, Exclusion, groups_of
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import figures
from radcbir_core.evaluation.reports.precision import means_table, seen_cell, with_bounds
from radcbir_core.evaluation.seen import seen_notes
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.view import GalleryView, patient_notes
from radcbir_core.progress import Progress, silent

NOTHING = "nothing"
"""The first step: a query may return everything but itself."""
STEP_COLUMNS = (
    *("step", "exclude", "averaging", "label", "k", "precision", "low", "high", "chance", "n_queries", "n_patients"),
    *("n_empty", "n_seen", "difference", "difference_low", "difference_high", "n_both"),
)
SPLIT_COLUMNS = ("shares", "n_test", "n_with_company", "share")
_WITHIN: tuple[Exclusion, ...] = ("series", "study")
"""What a patient's images have in common as well; steps of their own only where no patient is known."""


@dataclass(frozen=True)
class Leakage(Evaluation):
    """P@k, step by step, with more and more left out.

    Tables: ``steps`` with the columns :data:`STEP_COLUMNS`, a row a step, mean and k. ``step`` is what is left out
    beside all of the steps before, "nothing" at first, and ``exclude`` all of it; ``difference`` is P@k less that of
    the step before, over the ``n_both`` queries that have something to find at both, with the bounds of its 95 %
    interval. And ``splits`` with the columns :data:`SPLIT_COLUMNS`: of the images of split test, how many have an exact
    copy, their patient and so on in split train; empty without both splits.
    """

    kind: ClassVar[str] = "leakage"
    recipe: ClassVar[int] = 3
    name: ClassVar[str] = "Leakage"
    about: ClassVar[str] = (
        "P at k with nothing left out, then without exact copies, near-duplicates, the query's patient and its data "
        "set, and what each step takes away."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    protocol_choices: ClassVar[tuple[str, ...]] = ("divisor", "empty", "seen", "ks")
    table_words: ClassVar[Mapping[str, str]] = {
        "steps": "P@k of every step, micro, macro and by label, and what each step takes away",
        "splits": "Test images that have a copy, their patient or more in train",
    }

    protocol: Protocol = choice(Protocol(), "leave-one-out")
    level: Level = choice("label", "modality, anatomy or label")

    def __post_init__(self) -> None:
        if self.protocol.split or self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out, but protocol = {self.protocol.name}. Leave it out: what test "
                "images have in common with those of train is told in any case."
            )
        # What is left out is what the steps vary.
        object.__setattr__(self, "protocol", replace(self.protocol, exclude=()))

    def made_of(self, store: EncoderStore) -> list[str]:
        """Near-duplicates too, where they are built."""
        made = super().made_of(store)
        return [*made, store.near_duplicates_digest] if store.is_current(NEAR_DUPLICATES) else made

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P@k of every step.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of steps, as step "leakage".
        """
        names = known_exclusions(store)
        steps = [NOTHING, *names]
        progress("leakage", 0, len(steps))
        tables: list[pd.DataFrame] = []
        before: npt.NDArray[np.float64] | None = None
        for done, step in enumerate(steps):
            view = self.at(store, names[:done])
            values = view.precision(view.hits())
            table = means_table(view, values, level=self.level).assign(step=step, exclude=", ".join(names[:done]))
            tables.append(table.assign(**_against(view, before, values, table)))
            before = values
            progress("leakage", done + 1, len(steps))
        splits = _company(store, names)
        k = max(self.protocol.summary_ks)
        named = {"name": f"P@{k} with all of it left out"} if names else {}
        both = precision_by_seen(view, own=values, **named)
        return self.result(
            store,
            {
                "steps": pd.concat(tables, ignore_index=True).reindex(columns=list(STEP_COLUMNS)),
                "splits": pd.DataFrame(splits, columns=list(SPLIT_COLUMNS)),
            },
            self._notes(store, names),
            by_seen=both,
        )

    def at(self, store: EncoderStore, exclude: Sequence[str]) -> GalleryView:
        """What is seen with these left out.

        Raises:
            EvaluationError: No image has a label at this level.
        """
        view: GalleryView = self.labeled(store)
        protocol = replace(self.protocol, exclude=tuple(exclude))
        return replace(view, protocol=protocol, groups=tuple(groups_of(store, exclude)))

    def title(self, result: Result) -> str:  # noqa: ARG002 - the same for all
        """The level and the rules."""
        protocol = self.protocol.describe().replace(f", {self.protocol.excluded}", "")
        return f", level {self.level}: {protocol}"

    def summary(self, result: Result) -> pd.DataFrame:
        """Micro and macro P@k of every step, and what the step took away."""
        table = result.table
        k = max(self.protocol.summary_ks)
        lines = []
        for row in lines_of(table[(table["averaging"] != "label") & (table["k"] == k)]):
            line = {"left out": step_name(row.step), "averaging": row.averaging, "queries": row.n_queries}
            line |= {"patients": row.n_patients, "nothing to find": row.n_empty}
            line |= seen_cell(table, self.protocol)
            line |= {
                f"P@{k}": with_bounds(row.precision, row.low, row.high),
                "chance": with_bounds(row.chance, np.nan, np.nan),
            }
            line["against the step before"] = difference_said(row.difference, row.difference_low, row.difference_high)
            lines.append(line)
        return pd.DataFrame(lines)

    def remarks(self, result: Result) -> Sequence[str]:
        """How many test images have company in train."""
        return [
            f"Of {row.n_test:,} test images {row.n_with_company:,} ({100 * row.share:.1f} %) have "
            f"{_SHARED_WITH_TRAIN.get(row.shares, row.shares)} in train."
            for row in lines_of(result.tables["splits"])
        ]

    def _notes(self, store: EncoderStore, names: Sequence[Exclusion]) -> list[str]:
        notes = seen_notes(store, self.protocol.seen)
        notes += patient_notes(store, replace(self.protocol, exclude=("patient",)))
        if "patient" not in names:
            notes.append("No patient is known: images of the same patient are among the hits at every step.")
        if "dataset" not in names:
            notes.append("All images are of one data set: whether it is the disease or the hospital cannot be told.")
        return [
            *notes,
            "Each difference is over the queries that have something to find at both steps; those that lose all they "
            "could find are in no difference, and their number is said.",
        ]


STEP_NAMES: Mapping[str, str] = {
    NOTHING: "nothing",
    "duplicate": "exact copies",
    "near-duplicate": "near-duplicates",
    "series": "the series",
    "study": "the study",
    "patient": "the patient",
    "dataset": "the data set",
}
_SHARED_WITH_TRAIN: Mapping[str, str] = {
    "duplicate": "an exact copy",
    "near-duplicate": "a near-duplicate",
    "series": "an image of their series",
    "study": "an image of their study",
    "patient": "an image of their patient",
}


def step_name(step: str) -> str:
    """What a step leaves out beside all before, in words.

    Example:
        >>> step_name("nothing"), step_name("patient")
        ('nothing', '+ the patient')
    """
    name = STEP_NAMES.get(step, step)
    return name if step == NOTHING else f"+ {name}"


LARGE: Final = 0.05
"""From so much on, what the data set takes away is told wherever P@k is."""


def dataset_loss(table: pd.DataFrame) -> pd.Series | None:
    """What P@k loses when a query's own data set does not count, if that is much and sure; else None.

    Args:
        table: The steps, at one k.

    Returns:
        The micro mean's row of that step.

    Example:
        >>> columns = ["step", "averaging", "difference", "difference_high"]
        >>> table = pd.DataFrame([["dataset", "micro", -0.4, -0.3], ["dataset", "macro", -0.2, 0.1]], columns=columns)
        >>> float(dataset_loss(table)["difference"])
        -0.4
        >>> dataset_loss(table[table["averaging"] == "macro"]) is None
        True
    """
    rows = table[(table["step"] == "dataset") & (table["averaging"] == "micro")]
    rows = rows[(rows["difference"] <= -LARGE) & (rows["difference_high"] < 0)]
    row: pd.Series | None = rows.iloc[0] if len(rows) else None
    return row


def difference_said(difference: float, low: float, high: float) -> str:
    """A difference with its interval, where it has one; a dash where nothing is to be compared.

    Example:
        >>> difference_said(-0.25, -0.5, 0.125), difference_said(float("nan"), 0, 0)
        ('-0.250 [-0.500, +0.125]', '–')
    """
    if np.isnan(difference):
        return "–"
    return f"{difference:+.3f}" if np.isnan(low) else f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]"


def known_exclusions(store: EncoderStore) -> list[Exclusion]:
    """What can be left out of this collection, each more than the one before.

    Series and study are steps only where no patient is known, and the data set only where there are several.
    """
    known: list[Exclusion] = []
    for name in EXCLUSIONS:
        if name == NEAR_DUPLICATE and not store.is_current(NEAR_DUPLICATES):
            continue
        groups = groups_of(store, [name])[0]
        if int(groups.max(initial=-1)) >= (name == "dataset"):
            known.append(name)
    return [name for name in known if not (name in _WITHIN and "patient" in known)]


def vanished_hits(view: GalleryView, after: GalleryView, rows: npt.NDArray[np.integer], *, k: int) -> list[np.ndarray]:
    """Which of the first k hits of some queries a step takes away.

    Args:
        view: Before the step.
        after: With more left out.
        rows: ``(Q,)`` the queries.
        k: Of P@k.

    Returns:
        For each query the ranks, from 1, of the hits that it may not return afterwards.
    """
    hits = view.asked_by(np.asarray(rows, dtype=np.intp)).hits(k)
    ranks = []
    for line, query in enumerate(np.asarray(rows).tolist()):
        own = hits.rows[line][: hits.counts[line]]
        gone = np.zeros(len(own), dtype=np.bool_)
        for group in after.groups:
            gone |= (group[own] == group[query]) & (group[query] >= 0)
        ranks.append(np.flatnonzero(gone) + 1)
    return ranks


def _against(
    view: GalleryView, before: npt.NDArray[np.float64] | None, values: npt.NDArray[np.float64], table: pd.DataFrame
) -> dict[str, npt.NDArray[np.float64]]:
    """The columns of a step's difference to the one before, in the order of the table."""
    if before is None:
        names = ("difference", "difference_low", "difference_high", "n_both")
        return dict.fromkeys(names, np.full(len(table), np.nan))
    change = figures(view, values - before, limits=DIFFERENCES)
    columns = {"difference": "precision", "difference_low": "low", "difference_high": "high", "n_both": "n_queries"}
    return {name: change[column].to_numpy(dtype=np.float64) for name, column in columns.items()}


def _company(store: EncoderStore, names: Sequence[Exclusion]) -> list[tuple[str, int, int, float]]:
    """Of the images of split test, how many share a group with one of split train, by what they share."""
    split = store.collection.manifest.codes("split")
    if not {"train", "test"} <= set(split.values):
        return []
    train, test = (split.codes == split.values.index(name) for name in ("train", "test"))
    rows = []
    for name in names:
        if name == "dataset":
            continue
        groups = groups_of(store, [name])[0]
        shared = np.isin(groups[test], np.unique(groups[train & (groups >= 0)])) & (groups[test] >= 0)
        rows.append((str(name), int(test.sum()), int(shared.sum()), float(shared.mean())))
    return rows
