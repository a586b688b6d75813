"""What the process of a job is told and nobody writes down, such as which studies of a hospital are imported.

Owns that it stays in memory: in that of whoever began the job, for going on with it, and in the environment of its
process. When both have ended it is gone, and the job cannot go on; its kind says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TOLD: Final[dict[str, Mapping[str, str]]] = {}


def keep(job_id: str, variables: Mapping[str, str]) -> None:
    """Keep what the process of a job is to find in its environment, as long as this process lives.

    Args:
        job_id: Of the job.
        variables: Name → value; nothing is kept of none.
    """
    if variables:
        _TOLD[job_id] = dict(variables)


def told(job_id: str) -> Mapping[str, str]:
    """What is kept for a job; nothing where another process has begun it.

    Example:
        >>> keep("20240101-mine-0", {"STUDIES": "1.2.9"})
        >>> told("20240101-mine-0"), told("20240101-other-0")
        ({'STUDIES': '1.2.9'}, {})
    """
    return _TOLD.get(job_id, {})
