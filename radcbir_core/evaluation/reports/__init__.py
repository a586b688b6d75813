"""The evaluations, one a module; this is the list of them, in the order in which they are shown.

Their modules are imported when the list is first looked at: whoever wants one of them imports that one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from radcbir_core.evaluation.evaluation import Evaluation

    EVALUATIONS: dict[str, type[Evaluation]]
    """Kind → evaluation."""

_REPORTS: Final = (
    "precision:Precision",
    "paper:Paper",
    "factors:Factors",
    "leakage:Leakage",
    "subgroups:Subgroups",
    "ranking:Ranking",
    "probes:Probes",
    "index_size:IndexSize",
    "approximation:Approximation",
    "calibration:Calibration",
    "scale:Scale",
    "space:Space",
    "retrieval_confusion:RetrievalConfusion",
    "mined_failures:MinedFailures",
    "hubness:Hubness",
    "slices:Slices",
    "robustness:Robustness",
    "comparison:Comparison",
    "neighborhoods:Neighborhoods",
    "duplicate_groups:DuplicateGroups",
    "series_retrieval:SeriesRetrieval",
)
"""Module and class."""


def __getattr__(name: str) -> Any:
    """The list, made once (PEP 562)."""
    if name != "EVALUATIONS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    modules = (report.split(":") for report in _REPORTS)
    classes = [getattr(import_module(f"{__name__}.{module}"), called) for module, called in modules]
    return globals().setdefault("EVALUATIONS", {evaluation.kind: evaluation for evaluation in classes})
