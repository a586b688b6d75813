"""How much of an answer hangs on the wording: the hits of each phrasing beside those of all of them together.

Owns the comparison; the phrasings are a query's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.search.language.sentence_query import EmbeddedSentence
from radcbir_core.search.queries.query import Means

FIRST = 10
"""How many hits are compared."""


@dataclass(frozen=True, slots=True)
class PhrasingSpread:
    """Phrasings of one sentence beside their mean.

    Attributes:
        cosines: ``P``; of each with the mean.
        shared: ``P``; how many of the mean's first hits each finds by itself among its first as many.
        hits: How many hits were compared.
    """

    cosines: tuple[float, ...]
    shared: tuple[int, ...]
    hits: int

    @property
    def said(self) -> str:
        """In a sentence.

        Example:
            >>> PhrasingSpread((0.91, 0.97), (4, 9), 10).said[:73]
            'Asked in 2 phrasings: their cosines with the mean are 0.910 to 0.970; of '
        """
        low, high = (f"{value:.3f}" for value in (min(self.cosines), max(self.cosines)))
        least, most = min(self.shared), max(self.shared)
        return (
            f"Asked in {len(self.cosines)} phrasings: their cosines with the mean are {low} to {high}; of the first "
            f"{self.hits} hits each finds {least if least == most else f'{least} to {most}'}."
        )


def phrasing_spread(asked: EmbeddedSentence, means: Means) -> PhrasingSpread | None:
    """How much the hits in the whole collection hang on the wording; None of a sentence in one phrasing."""
    if len(asked.members) < 2:
        return None
    together = means.searcher.search(asked.vectors, k=FIRST)
    each = means.searcher.search(asked.members, k=FIRST)
    found = together.rows[0, : together.counts[0]]
    shared = tuple(int(np.isin(rows, found).sum()) for rows in each.rows)
    cosines = tuple(float(one) for one in asked.members @ asked.vectors[0])
    return PhrasingSpread(cosines, shared, len(found))
