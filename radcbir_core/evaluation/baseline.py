"""The encoder that any other has to beat, beside its figures: shrunken pixels, asked the very same queries.

Owns which encoder that is, and how its P@k comes to stand in another's table. The figures, and the interval of the
difference, are the paired comparison's; a figure of the baseline's own evaluation may be of other queries.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from typing import Final, cast

import pandas as pd

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.evaluation import Result
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.precision import BASELINE_COLUMNS, Precision
from radcbir_core.progress import Progress, silent

BASELINE: Final = "pixels"


def baseline_comparison(store: EncoderStore, protocol: Protocol) -> Comparison | None:
    """The comparison of an encoder with the baseline; None where it is the baseline, or that is not built.

    Args:
        store: What the encoder made of a collection, with its neighbor graph.
        protocol: By which both are asked.
    """
    if store.encoder_id == BASELINE or BASELINE not in store.collection.encoder_ids():
        return None
    comparison = Comparison(versus=BASELINE, protocol=protocol)
    try:
        if not store.collection.store(BASELINE).is_current(NEIGHBORS):
            return None
        comparison.check_current(store)
    except RadcbirError:
        return None  # damaged, or older than the images: that is said where the baseline itself is opened
    return comparison


def beside_baseline(result: Result, comparison: Result) -> Result:
    """Figures of P@k with those of the baseline beside them.

    Args:
        result: Of :class:`~radcbir_core.evaluation.reports.precision.Precision`.
        comparison: Of :func:`baseline_comparison`, by the same protocol.

    Returns:
        The same with the columns :data:`~radcbir_core.evaluation.reports.precision.BASELINE_COLUMNS` in the table of
        means: P@k of the baseline on the queries that both were asked, and how far the encoder lies above it, with the
        bounds of the 95 % interval of this difference.
    """
    theirs = comparison.table
    columns = pd.DataFrame(
        {
            **{name: theirs[name] for name in ("level", "label", "averaging", "k")},
            "pixels": theirs["b"],
            "above_pixels": -theirs["difference"],
            "above_low": -theirs["high"],
            "above_high": -theirs["low"],
        }
    )
    means = result.tables["means"].drop(columns=list(BASELINE_COLUMNS), errors="ignore")
    means = means.merge(columns, on=["level", "label", "averaging", "k"], how="left", validate="one_to_one")
    # The other tables stay unread where nobody has asked for them.
    return replace(result, tables=ChainMap({"means": means}, cast("dict[str, pd.DataFrame]", result.tables)))


def with_baseline(store: EncoderStore, result: Result, *, progress: Progress = silent) -> Result:
    """As :func:`beside_baseline`, with the comparison computed, or read where it is kept; others' results as they are.

    Args:
        store: What the encoder made of a collection.
        result: What an evaluation says of it.
        progress: Told how far the comparison is; may stop it by raising.

    """
    if not isinstance(result.evaluation, Precision):
        return result
    comparison = baseline_comparison(store, result.evaluation.protocol)
    return result if comparison is None else beside_baseline(result, comparison.run(store, progress=progress))


def keep_comparisons(store: EncoderStore, *, progress: Progress = silent) -> None:
    """Compute and keep what a build has made possible: the encoder beside the baseline, or all others beside it.

    Args:
        store: What the encoder that was built made of a collection.
        progress: Told how far each comparison is; may stop it by raising.

    Raises:
        StorageError: A comparison cannot be kept.
    """
    collection = store.collection
    for encoder_id in collection.encoder_ids() if store.encoder_id == BASELINE else [store.encoder_id]:
        try:
            mine = collection.store(encoder_id)
            comparison = baseline_comparison(mine, Precision().suited(mine).protocol)
        except RadcbirError:
            continue  # another encoder's damage is no reason for this build to fail
        if comparison is not None:
            comparison.run(mine, progress=progress, surely_kept=True)
