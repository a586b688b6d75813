"""What a build evaluates ahead, so that hits can be read and the views of failures open at once.

Owns which evaluations these are, with the choices that stand where nobody has chosen, and from how many images on. What
the similarities of hits are read by is made of every collection: it comes from samples, and every answer asks for it.
Of the others, a page computes those of few images while it is opened; of hundreds of thousands each takes seconds, and
together they are little beside the graph that they read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import EvaluationError, RadcbirError
from radcbir_core.evaluation.column_groups import offered_columns
from radcbir_core.evaluation.evaluation import Evaluation
from radcbir_core.evaluation.reports.calibration import Calibration
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.leakage import Leakage
from radcbir_core.evaluation.reports.mined_failures import MinedFailures
from radcbir_core.evaluation.reports.retrieval_confusion import RetrievalConfusion
from radcbir_core.evaluation.reports.scale import Scale
from radcbir_core.evaluation.reports.slices import Slices
from radcbir_core.evaluation.reports.subgroups import Subgroups
from radcbir_core.progress import Progress, silent

AHEAD_FROM: Final = 4000
"""From more images on a page does not compute all of these while a person waits."""


def evaluated_ahead(store: EncoderStore) -> Iterator[Evaluation]:
    """The evaluations that are made ahead, as their views ask for them where nobody has chosen anything.

    Args:
        store: What an encoder made of a collection.
    """
    for kind in (Scale, Calibration):
        yield kind().suited(store)
    if len(store.collection) <= AHEAD_FROM:
        return
    for evaluation in (RetrievalConfusion(), MinedFailures(), Hubness(), Leakage(), Slices()):
        yield evaluation.suited(store)
    offered, _ = offered_columns(store.collection.manifest)
    if offered:
        yield Subgroups(column=offered[0]).suited(store)


def evaluate_ahead(store: EncoderStore, *, progress: Progress = silent) -> None:
    """Compute and keep them.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        progress: Told how far each is; may stop it by raising.

    Raises:
        StorageError: A result cannot be kept.
    """
    for evaluation in evaluated_ahead(store):
        try:
            evaluation.check(store)
        except RadcbirError:
            continue  # no labels, or no near-duplicates: its view says so
        with contextlib.suppress(EvaluationError):  # too few patients, as is found while it is computed
            evaluation.run(store, progress=progress)
