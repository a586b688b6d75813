"""P@k of the values of any column of the manifest, such as view, sex, age or data set, and what sets each apart.

Owns the table; what the groups are is column_groups.py's, the figures figures.py's, the differences contrasts.py's.
What becomes of a figure when a query's own data set does not count is an exclusion like any other, and told step by
step by leakage.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.column_groups import ColumnGroups, groups_of_column, offered_columns
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.precision import seen_word, with_bounds
from radcbir_core.evaluation.reports.retrieval_confusion import check_varied
from radcbir_core.evaluation.statistics.contrasts import Contrasts, contrasts
from radcbir_core.evaluation.statistics.randomization import holm
from radcbir_core.evaluation.view import GalleryView, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

FEWEST_QUERIES: Final = 10
"""Of fewer queries a value has its figure, but is not compared."""
FEWEST_PATIENTS: Final = 5
CLEAR: Final = 0.05
"""Up to this corrected p a difference is called clear."""

_PARTS = ("", "_low", "_high", "_p", "_p_holm")
SUBGROUP_COLUMNS = (
    *("value", "k", "precision", "low", "high", "chance", "n_queries", "n_patients", "n_empty", "n_seen"),
    *(f"difference{part}" for part in _PARTS),
    *(f"adjusted{part}" for part in _PARTS),
    *("n_adjusted", "few"),
)


@dataclass(frozen=True)
class Subgroups(Evaluation):
    """P@k by the values of a column.

    Table ``subgroups`` with the columns :data:`SUBGROUP_COLUMNS`: a row a value and k, and one with the value "" for
    all queries. ``difference`` is the P@k of the value's queries less that of all others, ``adjusted`` the same
    between queries of the same labels alone, of which the value has ``n_adjusted``; each with the bounds of its 95 %
    interval over patients, p, and p corrected for the number of values at this k (Holm). NaN where nothing can be
    compared: a value that has fewer than :data:`FEWEST_QUERIES` queries or :data:`FEWEST_PATIENTS` patients is ``few``,
    and one whose labels no other value has is not adjusted.

    And ``queries``, one row a query that asked: ``row``, ``value``, and ``p@k`` for each k, NaN where it has nothing to
    find.

    Facts: ``column``, and how many values are compared at one k.
    """

    kind: ClassVar[str] = "subgroups"
    recipe: ClassVar[int] = 2
    name: ClassVar[str] = "Subgroups"
    about: ClassVar[str] = (
        "P at k by the values of any column (view, sex, age, data set), each against all others, as it is and at equal "
        "labels."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "subgroups": "P@k of every value, with intervals, chance, and differences to all others",
        "queries": "P@k of every query",
    }

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    column: str = choice("", "Of the manifest; the first that parts the images by default, the data set before others")
    cuts: tuple[float, ...] = choice((), "Where to part a column of numbers; quarters, or decades of ages, by default")

    def __post_init__(self) -> None:
        check_varied(self.protocol, what="subgroups")
        wanted = tuple(sorted({float(cut) for cut in self.cuts}))
        if not all(np.isfinite(wanted)):
            raise EvaluationError(f"Expected cuts that are numbers, but cuts = {tuple(self.cuts)}. Leave that out.")
        object.__setattr__(self, "cuts", wanted)

    def check(self, store: EncoderStore) -> None:
        """Also that the column parts the images.

        Raises:
            EvaluationError: It does not.
        """
        super().check(store)
        self.groups(store)

    def groups(self, store: EncoderStore) -> ColumnGroups:
        """The groups of the column.

        Raises:
            EvaluationError: The column makes none.
        """
        manifest = store.collection.manifest
        offered = offered_columns(manifest)[0]
        return groups_of_column(manifest, self.column or next(iter(offered), ""), cuts=self.cuts)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P@k of every value.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of k's, as step "subgroups".
        """
        groups = self.groups(store)
        ks = self.protocol.ks
        progress("subgroups", 0, len(ks) + 1)
        view: GalleryView = self.labeled(store)
        values = view.precision(view.hits())
        progress("subgroups", 1, len(ks) + 1)
        table = _means(view, values, groups)
        parts = []
        for place, k in enumerate(ks):
            part = table[table["k"] == k].reset_index(drop=True)
            parts.append(part.assign(**_against(view, values[:, place], groups, part)))
            progress("subgroups", place + 2, len(ks) + 1)
        queries = pd.DataFrame({f"p@{k}": values[:, place] for place, k in enumerate(ks)})
        names = np.array(groups.codes.values, dtype=object)[groups.codes.codes[view.queries]]
        queries.insert(0, "value", pd.Series(names, dtype="str"))
        queries.insert(0, "row", view.queries.astype(np.int32))
        tables = {"subgroups": pd.concat(parts, ignore_index=True)[list(SUBGROUP_COLUMNS)], "queries": queries}
        number = int((~parts[0]["few"] & (parts[0]["value"] != "")).sum())
        notes = [groups.rule] if groups.rule else []
        notes += view_notes(store, self.protocol)
        notes.append(
            f"A value of fewer than {FEWEST_QUERIES} queries or {FEWEST_PATIENTS} patients is not compared. p is that "
            f"of flipping signs patient by patient, corrected for {counted(number, 'value')} (Holm)."
        )
        facts = {"column": groups.column, "compared": number}
        return self.result(store, tables, notes, facts, by_seen=precision_by_seen(view, own=values))

    def title(self, result: Result) -> str:
        """The column, the level and the rules."""
        return f", {result.facts['column']}, level {self.level}: {self.protocol.describe()}"

    def summary(self, result: Result) -> pd.DataFrame:
        """P@k of every value at the largest k, and its differences."""
        table = result.table
        k = max(self.protocol.summary_ks)
        lines = []
        for row in lines_of(table[table["k"] == k]):
            line = {str(result.facts["column"]): row.value or "all", "queries": row.n_queries}
            line |= {"patients": row.n_patients, "nothing to find": row.n_empty}
            if table["n_seen"].any():
                line[seen_word(self.protocol)] = row.n_seen
            line |= {f"P@{k}": with_bounds(row.precision, row.low, row.high)}
            line["chance"] = with_bounds(row.chance, np.nan, np.nan)
            line["to all others"] = _said(row.difference, row.difference_low, row.difference_high, few=row.few)
            line["p, corrected"] = p_said(row.difference_p_holm)
            line["at equal labels"] = _said(row.adjusted, row.adjusted_low, row.adjusted_high, few=row.few)
            line["p, corrected (labels)"] = p_said(row.adjusted_p_holm)
            lines.append(line)
        return pd.DataFrame(lines)

    def remarks(self, result: Result) -> Sequence[str]:
        """The value that most clearly falls behind."""
        k = max(self.protocol.summary_ks)
        return [standout_said(result.table[result.table["k"] == k], column=str(result.facts["column"]), k=k)]


def standout_value(table: pd.DataFrame) -> pd.Series | None:
    """The value that falls behind the others of the same labels by most, clearly; None where none does.

    Args:
        table: Of one k.
    """
    clear = table[(table["adjusted_p_holm"] <= CLEAR) & (table["adjusted"] < 0) & (table["value"] != "")]
    if not len(clear):
        return None
    row: pd.Series = clear.sort_values(["adjusted", "value"], kind="stable").iloc[0]
    return row


def standout_said(table: pd.DataFrame, *, column: str, k: int) -> str:
    """What stands out, in a sentence.

    Args:
        table: Of one k.
        column: Whose values.
        k: Of P@k.
    """
    row = standout_value(table)
    if row is None:
        clear = int(((table["difference_p_holm"] <= CLEAR) & (table["value"] != "")).sum())
        if clear:
            return (
                f"No value of {column} falls clearly behind others of the same labels; {clear} of them differ as they "
                "are, which their labels explain or nothing can tell apart."
            )
        return f"No value of {column} falls clearly behind the others."
    bounds = difference_said(row["adjusted"], row["adjusted_low"], row["adjusted_high"])
    return (
        f"{column} {row['value']}: P@{k} {row['precision']:.3f}, {bounds} to others of the same labels; by chance "
        f"{row['chance']:.3f}; {counted(int(row['n_queries']), 'query', 'queries')} of "
        f"{counted(int(row['n_patients']), 'patient')}."
    )


def _said(difference: float, low: float, high: float, *, few: bool) -> str:
    return "too few" if few else difference_said(difference, low, high)


def p_said(p: float) -> str:
    """A p in words; a dash where there is no test.

    Example:
        >>> p_said(0.25), p_said(0.0001), p_said(float("nan"))
        ('0.250', '<0.001', '–')
    """
    return "–" if np.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def _means(view: GalleryView, values: npt.NDArray[np.float64], groups: ColumnGroups) -> pd.DataFrame:
    """P@k of all queries and of every value, in the order of the values, with chance."""
    table = figures(view, values, by=groups.codes)
    table["chance"] = means_alone(view, by_chance(view, view.allowed), by=groups.codes)
    table = table[table["averaging"] != "macro"].rename(columns={"label": "value"})
    few = (table["n_queries"] < FEWEST_QUERIES) | (table["n_patients"] < FEWEST_PATIENTS)
    return table.assign(few=few & (table["value"] != ""))


def _against(
    view: GalleryView, values: npt.NDArray[np.float64], groups: ColumnGroups, part: pd.DataFrame
) -> dict[str, npt.NDArray[Any]]:
    """The columns of differences at one k, in the order of the table."""
    codes = groups.codes
    clusters, number = view.clusters[view.queries], len(codes.values)
    asked = codes.codes[view.queries]
    place = {value: code for code, value in enumerate(codes.values)}
    of_row = np.array([place.get(value, -1) for value in part["value"]])
    compared = (of_row >= 0) & ~part["few"].to_numpy()
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, strata in (("difference", None), ("adjusted", view.relevance.kinds[view.queries])):
        made = contrasts(values, asked, clusters=clusters, n_groups=number, strata=strata)
        for word, own in _columns(made).items():
            columns[f"{name}{word}"] = np.where(compared, own[of_row], np.nan)
        columns[f"{name}_p_holm"] = holm(columns[f"{name}_p"])
        if strata is not None:
            columns["n_adjusted"] = np.where(of_row >= 0, made.n_queries[of_row], 0)
    return columns


def _columns(made: Contrasts) -> dict[str, npt.NDArray[np.float64]]:
    return {"": made.difference, "_low": made.low, "_high": made.high, "_p": made.p}
