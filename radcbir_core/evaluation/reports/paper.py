"""The paper's own evaluation, to the last digit: P@N for N from 1 to 100, with standard deviations.

Owns its protocol's place among the evaluations, the table of P@N, and the figures that were published.

Source: Denner et al., *Leveraging Foundation Models for Content-Based Image Retrieval in Radiology* (Comput Biol Med
196, 2025; arXiv 2403.06567): 1.6 million images of 161 pathologies, BiomedCLIP, from the abstract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.evaluation.by_seen import BySeen
from radcbir_core.evaluation.evaluation import Need, Result, lines_of
from radcbir_core.evaluation.protocol import KS, PAPER, Protocol
from radcbir_core.evaluation.reports.precision import Precision, seen_cell

PUBLISHED: Mapping[int, float] = {1: 0.594, 3: 0.590, 5: 0.588, 10: 0.583}
"""N → published P@N."""


@dataclass(frozen=True)
class Paper(Precision):
    """The published evaluation of an encoder. It has no choices.

    Tables: those of :class:`~radcbir_core.evaluation.reports.precision.Precision`, and ``curve``, one row an N, with
    ``micro``, ``macro``, their standard deviations, and ``published`` (NaN: not known).
    """

    kind: ClassVar[str] = "paper"
    name: ClassVar[str] = "Precision, the paper's"
    about: ClassVar[str] = (
        "The published evaluation: train against test, exact search, P at N from 1 to 100 with standard deviations."
    )
    uses: ClassVar[tuple[Need, ...]] = ("embeddings", "split")
    table_words: ClassVar[Mapping[str, str]] = {
        **Precision.table_words,
        "curve": "P@N for N from 1 to 100, micro and macro, with standard deviations",
    }

    kept_as: ClassVar[str] = Precision.kind
    also: ClassVar[Mapping[str, str]] = {}

    protocol: Protocol = field(default=PAPER, init=False)

    def result(
        self,
        store: EncoderStore,
        tables: Mapping[str, pd.DataFrame],
        notes: Sequence[str] = (),
        facts: Mapping[str, Any] | None = None,
        *,
        by_seen: BySeen | None = None,
    ) -> Result:
        """The result that these tables are, with the curve."""
        return super().result(store, {**tables, "curve": by_n(tables["means"])}, notes, facts, by_seen=by_seen)

    def summary(self, result: Result) -> pd.DataFrame:
        """P@N ± standard deviation, micro and macro, at a few N."""
        means = result.tables["means"]
        means = means[(means["averaging"] != "label") & means["k"].isin([*KS, max(self.protocol.ks)])]
        return pd.DataFrame(
            [
                {
                    "averaging": averaging,
                    "queries": int(part["n_queries"].max()),
                    "left out": int(part["n_empty"].max()),
                }
                | seen_cell(part, self.protocol)
                | {f"P@{row.k}": f"{row.precision:.3f} ± {row.std:.3f}" for row in lines_of(part)}
                for averaging, part in means.groupby("averaging", sort=False)
            ]
        )


def by_n(means: pd.DataFrame) -> pd.DataFrame:
    """One row an N: ``n``, ``micro``, ``micro_std``, ``macro``, ``macro_std`` and ``published``."""
    columns = {}
    for averaging in ("micro", "macro"):
        rows = means[means["averaging"] == averaging].set_index("k").sort_index()
        columns[averaging], columns[f"{averaging}_std"] = rows["precision"], rows["std"]
    table = pd.DataFrame(columns).rename_axis("n").reset_index()
    return table.assign(published=table["n"].map(PUBLISHED))
