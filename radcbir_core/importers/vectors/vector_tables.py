"""Any table that says what vectors are of → the manifest's columns.

Owns the choice between the two forms a table may have: the paper's unified CSV (unified_csv.py), or a table with a
column ``path`` as for images (rows/).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from radcbir_core.collections.manifests.manifest import COLUMNS, TEXT_COLUMNS
from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.identifiers import recognized_columns, recognized_note
from radcbir_core.importers.rows.normal_columns import normal_columns
from radcbir_core.importers.rows.normalizing import Changes, own_names
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
        progress: Told the number of rows, of an estimated total, as step "table".

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
    noted, recognized = Changes(), recognized_columns(table.columns)
    further = [name for name in (*own_names(table.columns), *recognized) if name not in COLUMNS]
    parts: list[pa.Table] = []
    lines: list[npt.NDArray[np.int64]] = []
    positions: list[npt.NDArray[np.int64]] = []
    bad: list[Row] = []
    done, expected = 0, table.about()
    progress("table", 0, expected)
    for rows in table.text_rows():
        columns = rows.columns | {target: rows.columns[column] for target, column in recognized.items()}
        normal = normal_columns(columns, dataset=dataset, changes=noted)
        blank = pa.repeat(pa.scalar("", pa.string()), len(rows.lines))
        own = {name: normal.get(name, blank) for name in (*TEXT_COLUMNS, *further)}
        parts.append(pa.table(own | {"pathologies": normal["pathologies"]}))
        lines.append(rows.lines)
        positions.append(rows.positions)
        bad += rows.faulty
        done += len(rows.lines)
        progress("table", done, max(done, expected))
    if not done:
        raise ManifestError(f"Expected at least one usable row, but {path} has none. Check the file.")
    progress("table", done, done)
    return TableRows(
        origin=path,
        table=pa.concat_tables(parts),
        lines=np.concatenate(lines),
        positions=np.concatenate(positions),
        total=done + len(bad),
        problems=problems_table(
            path, lines=[row.line for row in bad], paths=[""] * len(bad), reasons=[row.reason for row in bad]
        ),
        changes=Counter({(str(c["column"]), str(c["from"]), str(c["to"])): int(c["rows"]) for c in noted.rows()}),
        notes=recognized_note(recognized, path.name),
        spellings=noted.spellings,
    )
