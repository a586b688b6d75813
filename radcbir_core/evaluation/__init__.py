"""How well an encoder retrieves: evaluations, their protocols, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import reports
from radcbir_core.evaluation.evaluation import Evaluation, Result
from radcbir_core.evaluation.protocol import FIXED, KS, PAPER, PROTOCOLS, Protocol
from radcbir_core.progress import Progress, silent

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection
    from radcbir_core.collections.encoder_data.store import EncoderStore
    from radcbir_core.evaluation.reports import EVALUATIONS

__all__ = [
    "EVALUATIONS",
    "FIXED",
    "KS",
    "PAPER",
    "PROTOCOLS",
    "Evaluation",
    "Protocol",
    "Result",
    "evaluate",
    "evaluation_of",
    "evaluation_on",
]


def __getattr__(name: str) -> Any:
    """The list of all evaluations, whose modules are imported with it (PEP 562)."""
    if name != "EVALUATIONS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return reports.EVALUATIONS


def evaluation_of(kind: str, **choices: Any) -> Evaluation:
    """An evaluation from words.

    Args:
        kind: Of :data:`~radcbir_core.evaluation.reports.EVALUATIONS`.
        **choices: Its own; None stands for the default. A special case of an evaluation, such as "paper" of
            "precision", is also chosen by ``protocol``, which then is its name; and what others choose may make it one
            of these (:attr:`~radcbir_core.evaluation.evaluation.Evaluation.also`), as ``versus`` does.

    Raises:
        EvaluationError: An unknown kind, a choice that there is not, or one that cannot be.
        QueryError: An unknown level or exclusion.

    Example:
        >>> evaluation_of("precision", protocol="split", divisor="available").protocol.describe()
        'split, nothing but the query excluded, divided by min(k, relevant images available), queries without a \
relevant image left out'
        >>> evaluation_of("precision", protocol="paper") == evaluation_of("paper")
        True
        >>> evaluation_of("precision", versus="pixels").kind
        'comparison'
    """
    known = reports.EVALUATIONS
    if kind not in known:
        raise EvaluationError(f"Expected an evaluation of {', '.join(known)}, but kind = {kind!r}. Choose one.")
    for choice, other in known[kind].also.items():
        if choices.get(choice) is not None:
            return evaluation_of(other, **choices)
        choices.pop(choice, None)
    asked = choices.get("protocol")
    special = known.get(asked.name if isinstance(asked, Protocol) else str(asked))
    if special is None or special.kept_as != kind:
        return known[kind].of(**choices)
    known[kind].of(**choices)  # for its refusal of any other choice
    return special.of()


def evaluation_on(store: EncoderStore, kind: str, **choices: Any) -> Evaluation:
    """As :func:`evaluation_of`, with the exclusions that a collection asks for where none are chosen.

    Args:
        store: What an encoder made of the collection.
        kind: Of :data:`~radcbir_core.evaluation.reports.EVALUATIONS`.
        **choices: As :func:`evaluation_of` takes them.

    Raises:
        EvaluationError: As :func:`evaluation_of`.
        QueryError: An unknown level or exclusion.
    """
    evaluation = evaluation_of(kind, **choices)
    chosen = choices.get("exclude") is not None or isinstance(choices.get("protocol"), Protocol)
    return evaluation if chosen else evaluation.suited(store)


def evaluate(
    collection: Collection, encoder_id: str, kind: str = "precision", *, progress: Progress = silent, **choices: Any
) -> Result:
    """What an evaluation says of an encoder on a collection: computed now, or as it is kept.

    Args:
        collection: An open collection.
        encoder_id: One that it was built with.
        kind: Of :data:`~radcbir_core.evaluation.reports.EVALUATIONS`.
        progress: Told how far it is; may stop it by raising.
        **choices: Of the evaluation, such as ``protocol="split"``, ``exclude=["patient"]`` or ``level="anatomy"``.

    Returns:
        Named tables with notes; in a notebook it shows itself. Beside P@k stands that of the baseline, where it is
        built.

    Raises:
        EvaluationError: An unknown kind or choice, or the collection lacks what it needs.
        QueryError: An unknown level or exclusion.
        CollectionError: The collection has no such encoder.
        StaleError: What it needs is missing or was made of something else.
        StorageError: The result cannot be written.
    """
    from radcbir_core.evaluation.baseline import with_baseline

    store = collection.store(encoder_id)
    return with_baseline(store, evaluation_on(store, kind, **choices).run(store, progress=progress), progress=progress)
