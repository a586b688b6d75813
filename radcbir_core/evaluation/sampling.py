"""A sample of those who ask, for what takes too long to be asked of all.

Owns the drawing, which is the same each time, and how it is told.
"""

from __future__ import annotations

import numpy as np

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.view import GalleryView, Rows
from radcbir_core.wording import counted

_FROM = {"skip": "those that have something to find", "zero": "all that ask"}


def check_sample(number: int) -> None:
    """Do nothing if it is a number of queries.

    Raises:
        EvaluationError: It is not.

    Example:
        >>> check_sample(1)
    """
    if number < 1:
        raise EvaluationError(f"Expected at least one query, but sample = {number}. Choose more.")


def sampled(view: GalleryView, number: int) -> GalleryView:
    """The same gallery, asked by so many of the queries at most; the same ones each time.

    A larger sample has all queries of a smaller one.

    Args:
        view: Who asks. Queries that have nothing to find are drawn only where the protocol counts them.
        number: How many, at least 1.

    Raises:
        EvaluationError: No query has anything to find.
    """
    rows = _able(view)
    if not len(rows):
        raise EvaluationError(
            f"Expected queries that have something to find, but {view.store.collection.name} has none under these "
            "choices. Leave out less, or choose another level."
        )
    drawn = np.random.default_rng(0).permutation(len(rows))[:number]
    return view.asked_by(np.sort(rows[drawn]))


def sample_said(view: GalleryView, *, of: GalleryView) -> str:
    """How a sample was drawn, in a sentence; or that nobody was left out.

    Args:
        view: The sample.
        of: From whom.
    """
    asked = f"{len(view.queries):,} of {counted(len(of.queries), 'query', 'queries')}"
    if len(view.queries) == len(_able(of)):
        return f"{asked}: {_FROM[view.protocol.empty]}."
    return f"{asked}, drawn at random (seed 0) from {_FROM[view.protocol.empty]}."


def _able(view: GalleryView) -> Rows:
    """From whom may be drawn."""
    return view.queries if view.protocol.empty == "zero" else view.queries[view.available.relevant > 0]
