"""Any table that says what vectors are of → the manifest's columns.

Owns the choice between the two forms a table may have: the paper's unified CSV (unified_csv.py), or a table with a
column ``path`` as for images (rows/).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from radcbir_core.collections.manifest import COLUMNS, TEXT_COLUMNS
from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.manifest_tables import renamed
from radcbir_core.importers.rows.identifiers import recognized_columns, recognized_note
from radcbir_core.importers.rows.normalizing import Cells, Changes, normalize_row, own_names
from radcbir_core.importers.rows.sources import CsvTable, Row
from radcbir_core.importers.rows.uncertain import Policy
from radcbir_core.importers.vectors.table_rows import TableRows, problems_table
from radcbir_core.importers.vectors.unified_csv import UNIFIED_COLUMNS, header_of, is_unified, read_unified
from radcbir_core.progress import Progress, silent


def read_vector_table(path: Path, *, uncertain: Policy = "not-positive", progress: Progress = silent) -> TableRows:
    """Read a table of either form.

    Args:
        path: A CSV; UTF-8; comma, semicolon or tab between cells.
        uncertain: What becomes of an uncertain label of a unified CSV; the other form has none.
        progress: Told the number of rows, as step "table".

    Raises:
        ManifestError: It has neither form, or cannot be read.
    """
    header, _ = header_of(path)
    lower = [name.lower() for name in header]
    if is_unified(header):
        return read_unified(path, uncertain=uncertain, progress=progress)
    if "path" not in lower:
        CsvTable(path).refuse_data_as_header(certainly=False)
        raise ManifestError(
            f"Expected the columns {', '.join(UNIFIED_COLUMNS)} and labels, or a column path, but {path} has "
            f"{', '.join(header)[:300]}. Name the column with the vectors' names so."
        )
    table, dataset = CsvTable(path, lower=True), path.resolve().parent.name
    noted = Changes()
    usable: list[Cells] = []
    lines: list[int] = []
    positions: list[int] = []
    bad: list[Row] = []
    recognized = recognized_columns(table.columns)
    for position, row in enumerate(renamed(table.rows(), recognized)):
        if row.reason:
            bad.append(row)
            continue
        usable.append(normalize_row(row.cells, dataset=dataset, changes=noted))
        lines.append(row.line)
        positions.append(position)
    if not usable:
        raise ManifestError(f"Expected at least one usable row, but {path} has none. Check the file.")
    further = [name for name in (*own_names(table.columns), *recognized) if name not in COLUMNS]
    columns = {
        name: pa.array([str(row.get(name, "")) for row in usable], pa.string()) for name in (*TEXT_COLUMNS, *further)
    }
    columns["pathologies"] = pa.array([list(row["pathologies"]) for row in usable], pa.list_(pa.string()))
    progress("table", len(usable), len(usable))
    return TableRows(
        origin=path,
        table=pa.table(columns),
        lines=np.array(lines, dtype=np.int64),
        positions=np.array(positions, dtype=np.int64),
        total=len(usable) + len(bad),
        problems=problems_table(
            path, lines=[row.line for row in bad], paths=[""] * len(bad), reasons=[row.reason for row in bad]
        ),
        changes=Counter({(str(c["column"]), str(c["from"]), str(c["to"])): int(c["rows"]) for c in noted.rows()}),
        notes=recognized_note(recognized, path.name),
        spellings=noted.spellings,
    )
