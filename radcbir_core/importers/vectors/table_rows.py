"""What a table says of images, whatever its form: the manifest's columns in Arrow, and what had to be left out.

Owns the hand-over between readers of tables and importers of vectors. Reads nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.importers.rows.identifiers import Spellings


@dataclass(slots=True)
class TableRows:
    """The usable rows of one table.

    Attributes:
        origin: The table.
        table: One row an image: text columns and ``pathologies`` of the manifest, then the source's further columns.
        lines: ``(N,)`` line of each row in the source, 1-based.
        positions: ``(N,)`` which row of the source it is, from 0, unusable ones counted.
        total: Rows of the source, the unusable ones included.
        problems: The unusable rows, with :data:`~radcbir_core.collections.records.record.PROBLEM_COLUMNS`.
        changes: What normalization changed: (column, from, to) → rows.
        notes: What has to be known about the table, one sentence each.
        spellings: How its identifiers were written.
    """

    origin: Path
    table: pa.Table
    lines: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    total: int
    problems: pd.DataFrame
    changes: Counter[tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)
    spellings: Spellings = field(default_factory=Spellings)


def problems_table(
    origin: Path,
    *,
    lines: Sequence[int] | npt.NDArray[np.int64],
    paths: Sequence[str],
    reasons: Sequence[str] | str,
) -> pd.DataFrame:
    """Rows for problems.csv; the image_id is the path, as in the paper's form.

    Example:
        >>> problems_table(Path("a.csv"), lines=[2], paths=["x.png"], reasons=["No vector."])["line"].tolist()
        ['2']
    """
    table = pd.DataFrame(
        {
            "source": str(origin),
            "line": [str(line) if line else "" for line in lines],
            "path": list(paths),
            "image_id": list(paths),
            "reason": reasons,
        }
    )
    return table[PROBLEM_COLUMNS]
