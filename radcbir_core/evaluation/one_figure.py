"""The one figure by which encoders stand beside each other on a collection, and the best of those that are built.

Owns which figure that is: P@10 at the full label, mean over queries, by the protocol that stands where nobody has
chosen. Pages open with the encoder whose figure is the highest, and with the baseline only where there is no other: a
person who has not chosen one wants to see what can be found, not what any encoder has to beat. Computes nothing; what a
build, or a page, has kept is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.baseline import BASELINE, baseline_comparison, beside_baseline
from radcbir_core.evaluation.evaluation import Result
from radcbir_core.evaluation.reports.precision import Precision

K: Final = 10


@dataclass(frozen=True)
class OneFigure:
    """P@10 of an encoder at the full label, micro, by the default protocol.

    Attributes:
        precision: The mean over queries; NaN where none counts.
        low: Lower bound of its 95 % interval; NaN where undefined.
        high: Upper bound.
        chance: The same mean for images drawn at random.
        pixels: The same mean of the baseline, asked the same queries; NaN where it is not known.
        n_queries: Behind the mean.
        n_patients: Likewise.
        n_seen: Queries that the encoder has seen in training, which are left out.
        with_seen: The mean with these.
    """

    precision: float
    low: float
    high: float
    chance: float
    pixels: float
    n_queries: int
    n_patients: int
    n_seen: int
    with_seen: float


def one_figure(store: EncoderStore) -> OneFigure | None:
    """The figure of an encoder as it is kept; None where it is not, or where no image has a full label.

    Args:
        store: What the encoder made of a collection.
    """
    try:
        kept = Precision().suited(store).kept(store)
    except RadcbirError:
        return None  # not built to the end, or damaged, as is said where it is opened
    if kept is None:
        return None
    means = _beside_baseline(store, kept).tables["means"]
    row = means[(means["level"] == "label") & (means["k"] == K) & (means["averaging"] == "micro")]
    if not len(row) or not int(row["n_queries"].iloc[0]) + int(row["n_seen"].iloc[0]):
        return None
    numbers = row.iloc[0]
    return OneFigure(
        precision=float(numbers["precision"]),
        low=float(numbers["low"]),
        high=float(numbers["high"]),
        chance=float(numbers["chance"]),
        pixels=float(numbers.get("pixels", np.nan)),
        n_queries=int(numbers["n_queries"]),
        n_patients=int(numbers["n_patients"]),
        n_seen=int(numbers["n_seen"]),
        with_seen=float(numbers["with_seen"]),
    )


def _beside_baseline(store: EncoderStore, result: Result) -> Result:
    """The result with the baseline's figures, where their comparison is kept."""
    comparison = baseline_comparison(store, Precision().suited(store).protocol)
    kept = None if comparison is None else comparison.kept(store)
    return result if kept is None else beside_baseline(result, kept)


def best_first(
    encoder_ids: Sequence[str],
    figure_of: Callable[[str], OneFigure | None],
    *,
    is_built: Callable[[str], bool] = lambda _: True,
) -> list[str]:
    """Encoders in the order in which they are offered: the highest figure first, the baseline last of those built.

    Those without a figure come between, by name; those that are not built as far as most pages need come at the end.

    Args:
        encoder_ids: Those that there are.
        figure_of: The figure of one.
        is_built: Whether one has its neighbor graph.

    Example:
        >>> best_first(["b", "a", "pixels", "c"], lambda _: None, is_built=lambda encoder_id: encoder_id != "b")
        ['a', 'c', 'pixels', 'b']
    """

    def place(encoder_id: str) -> tuple[bool, bool, float, str]:
        figure = figure_of(encoder_id)
        unknown = figure is None or np.isnan(figure.precision)
        return (
            not is_built(encoder_id),
            encoder_id == BASELINE,
            1.0 if figure is None or unknown else -figure.precision,
            encoder_id,
        )

    return sorted(encoder_ids, key=place)
