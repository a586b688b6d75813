"""How well an encoder retrieves: protocols, P@k, intervals, confusion."""

from radcbir_core.evaluation.reports.protocols import (
    KS,
    PAPER,
    PAPER_COLUMNS,
    PAPER_KS,
    PROTOCOLS,
    TABLE_COLUMNS,
    Evaluation,
    Protocol,
    Sides,
    evaluate,
    sides_of,
)

__all__ = [
    "KS",
    "PAPER",
    "PAPER_COLUMNS",
    "PAPER_KS",
    "PROTOCOLS",
    "TABLE_COLUMNS",
    "Evaluation",
    "Protocol",
    "Sides",
    "evaluate",
    "sides_of",
]
