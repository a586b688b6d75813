"""In which order and under which condition a reader reads the cases of a study.

Owns that rule, and nothing of images. Orders are made of digests of the seed and not of a generator of random numbers,
so that they are the same on every machine and with every version of every library.

Cases are in two halves, alike in what they show. In a *crossover* each reader reads each case twice: readers of an even
number read half 0 without retrieval first and half 1 with it, and the other way around the second time; readers of an
odd number read each case in the other order. In a *split* they read each case once, and readers of an even and an odd
number together have each case in both conditions. Both conditions are mixed in a period, so that they do not differ by
how tired one is.

Between the two readings of a case lie at least half as many others as there are cases, rounded down: what was in the
first half of the first period is in the first half of the second one, both in an order of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radcbir_core.collections.reader_studies.study_definition import Condition, Design, Study
from radcbir_core.storage import digest_of


@dataclass(frozen=True, slots=True)
class Step:
    """One reading of one case.

    Attributes:
        number: Which of the reader's, from 1.
        case: Its place among the study's cases; of practice, among its practice cases.
        condition: Whether hits are shown.
        period: 1 or 2; 0 of practice.
    """

    number: int
    case: int
    condition: Condition
    period: int

    @property
    def is_practice(self) -> bool:
        """Whether it does not count."""
        return self.period == 0


def shuffled(places: Iterable[int], seed: int, *purpose: object) -> list[int]:
    """Places in an order that the seed decides.

    Args:
        places: To be ordered.
        seed: Of the study.
        *purpose: What for; another one is another order.

    Example:
        >>> sorted(shuffled(range(5), 1, "cases")) == list(range(5))
        True
    """
    return sorted(places, key=lambda place: digest_of(str(seed), *map(str, purpose), str(place)))


def halves_of(truths: Sequence[str], *, seed: int) -> list[int]:
    """In which half each case is: as many of each truth in both, and as many in all, as far as they are even.

    Args:
        truths: (C,) of the cases.
        seed: Of the study.

    Returns:
        (C,) of 0 and 1.

    Example:
        >>> sorted(halves_of(["mass", "mass", "normal", "normal"], seed=3))
        [0, 0, 1, 1]
    """
    halves = [0] * len(truths)
    turn = 0
    for truth in sorted(set(truths)):
        same = (place for place, one in enumerate(truths) if one == truth)
        for place in shuffled(same, seed, "half"):
            halves[place] = turn
            turn = 1 - turn
    return halves


def steps_of(halves: Sequence[int], *, design: Design, reader: int, seed: int, practice: int = 0) -> list[Step]:
    """All that a reader reads, in order.

    Args:
        halves: (C,) the half of each case.
        design: "crossover" or "split".
        reader: Which reader, from 0.
        seed: Of the study.
        practice: How many cases come before, by turns without and with retrieval.
    """
    order = shuffled(range(len(halves)), seed, "period 1", reader)
    readings = [(place, _condition(halves[place] + reader), 1) for place in order]
    if design == "crossover":
        middle = (len(order) + 1) // 2
        for part in (order[:middle], order[middle:]):
            for place in shuffled(part, seed, "period 2", reader):
                readings.append((place, _condition(halves[place] + reader + 1), 2))
    before = [
        (place, _condition(number), 0)
        for number, place in enumerate(shuffled(range(practice), seed, "practice", reader))
    ]
    return [Step(number, *reading) for number, reading in enumerate([*before, *readings], 1)]


def course_of(study: Study, reader: int) -> list[Step]:
    """As :func:`steps_of`, of a study."""
    halves = [case.half for case in study.cases]
    return steps_of(halves, design=study.design, reader=reader, seed=study.seed, practice=len(study.practice))


def _condition(number: int) -> Condition:
    return "with" if number % 2 else "without"
