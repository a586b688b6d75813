"""Which images of a collection can be cases of a study, and which of them are.

Owns that choice. A case has exactly one right answer: its label is one of those that can be answered, and no other of
them. Of a patient there is one case at most, because readings of two images of one patient are no independent evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.reader_studies.study_definition import COLUMNS
from radcbir_core.errors import StudyError
from radcbir_core.reader_study.study_design import shuffled

Balance = Literal["equal", "as there are"]
BALANCES: Final[tuple[Balance, ...]] = ("equal", "as there are")
"""As many cases of each label, or in the proportion of the images that can be cases."""


@dataclass(frozen=True)
class Eligible:
    """The images that can be cases.

    Attributes:
        rows: (E,) of the manifest, ascending.
        truths: (E,) the place of each one's right answer among the answers.
        answers: What can be answered.
    """

    rows: npt.NDArray[np.int64]
    truths: npt.NDArray[np.int64]
    answers: tuple[str, ...]

    def counts(self, groups: npt.NDArray[np.int64]) -> dict[str, int]:
        """Of how many patients there is a case for each answer.

        Args:
            groups: (N,) of ``clusters_of``.
        """
        return {
            answer: len(np.unique(groups[self.rows[self.truths == place]])) for place, answer in enumerate(self.answers)
        }


def labels_in(manifest: Manifest, column: str) -> dict[str, int]:
    """What can be answered: the values of a column, most frequent first, with the number of images.

    Raises:
        StudyError: It is no column that can be asked for.
    """
    if column not in COLUMNS:
        raise StudyError(f"Expected a column of {', '.join(COLUMNS)}, but it is {column[:40]!r}. Choose one of these.")
    return {value: number for value, number in manifest.counts(column).items() if value}


def labels_of_row(manifest: Manifest, row: int, column: str) -> tuple[str, ...]:
    """What a column says of an image."""
    value = manifest.record(row, [column])[column]
    return tuple(value) if isinstance(value, list) else tuple(filter(None, [str(value or "")]))


def eligible(
    manifest: Manifest,
    answers: Sequence[str],
    *,
    column: str,
    where: Mapping[str, Sequence[str]] | None = None,
    alone: bool = True,
) -> Eligible:
    """The images that can be cases.

    Args:
        manifest: Of the collection.
        answers: What can be answered, values of the column.
        column: Of :data:`~radcbir_core.collections.reader_studies.study_definition.COLUMNS`.
        where: Which images: column → accepted values.
        alone: Whether images that show something else beside the one answer are left out.

    Raises:
        StudyError: An answer that no image has.
        QueryError: A filter that the collection does not know.
    """
    known = labels_in(manifest, column)
    for answer in answers:
        if answer not in known:
            raise StudyError(
                f"Expected answers that images have in {column}, but none has {answer[:80]!r}. Leave it out."
            )
    if column == "pathologies":
        lists = manifest.pathologies
        place = {value: code for code, value in enumerate(lists.values)}
        of_code = np.full(len(lists.values) + 1, -1, dtype=np.int64)  # the last one is that of -1, an empty text
        of_code[[place[answer] for answer in answers]] = np.arange(len(answers))
        found = of_code[lists.codes]
        matches = np.bincount(lists.rows[found >= 0], minlength=len(manifest))
        truths = np.full(len(manifest), -1, dtype=np.int64)
        truths[lists.rows[found >= 0]] = found[found >= 0]
        ok = (matches == 1) & ((lists.lengths == 1) if alone else True)
    else:
        codes = manifest.codes(column)
        position = {value: code for code, value in enumerate(codes.values)}
        of_code = np.full(len(codes.values) + 1, -1, dtype=np.int64)
        of_code[[position[answer] for answer in answers]] = np.arange(len(answers))
        truths = of_code[codes.codes]
        ok = truths >= 0
    if where:
        ok &= manifest.mask(where)
    rows = np.flatnonzero(ok).astype(np.int64)
    return Eligible(rows, truths[rows], tuple(answers))


def choose_cases(
    among: Eligible,
    number: int,
    *,
    groups: npt.NDArray[np.int64],
    seed: int,
    balance: str = "equal",
    without: Sequence[int] = (),
    purpose: str = "cases",
) -> list[int]:
    """Draw cases: of each label as many, or in proportion; one of a patient at most.

    Args:
        among: The images that can be cases.
        number: How many.
        groups: (N,) of ``clusters_of``: whose images are of one patient.
        seed: Of the draw.
        balance: Of :data:`BALANCES`.
        without: Rows whose patients have their case already.
        purpose: What for; another one is another draw.

    Returns:
        Rows, in no order that says anything.

    Raises:
        StudyError: There are not as many.
    """
    if balance not in BALANCES:
        raise StudyError(f"Expected a balance of {' or '.join(BALANCES)}, but it is {balance[:40]!r}.")
    taken = set(groups[np.asarray(without, dtype=np.int64)].tolist())
    waiting: dict[int, list[int]] = {}
    for place in range(len(among.answers)):
        rows = among.rows[among.truths == place].tolist()
        waiting[place] = shuffled(rows, seed, purpose, place)
    sizes = {place: len(rows) for place, rows in waiting.items()}
    drawn: dict[int, list[int]] = {place: [] for place in waiting}
    while sum(map(len, drawn.values())) < number:
        # Of whichever label is furthest behind, where any is left.
        left = [place for place, rows in waiting.items() if rows]
        if not left:
            counts = ", ".join(f"{n:,} {answer}" for answer, n in among.counts(groups).items())
            raise StudyError(
                f"Expected {number:,} cases of different patients, but there are {sum(map(len, drawn.values())):,} "
                f"(patients by label: {counts}). Choose fewer, or other labels."
            )
        share = {place: (1.0 if balance == "equal" else sizes[place]) for place in left}
        place = min(left, key=lambda one: ((len(drawn[one]) + 1) / share[one], one))
        row = waiting[place].pop(0)
        group = int(groups[row])
        if group not in taken:
            taken.add(group)
            drawn[place].append(row)
    return shuffled([row for rows in drawn.values() for row in rows], seed, purpose, "order")
