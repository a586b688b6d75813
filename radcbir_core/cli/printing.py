"""How results, progress and tables are printed: results on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from radcbir_core.cli.application import complaints
from radcbir_core.errors import QueryError
from radcbir_core.storage import atomic_bytes
from radcbir_core.wording import counted


def number(value: float, *, sign: str = "-") -> str:
    """Three decimals, or nothing where there is no number."""
    return "" if math.isnan(value) else f"{value:{sign}.3f}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on standard output; as wide as it needs to be where that is no terminal, so that nothing is cut."""
    if not rows:
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    table = Table(title=Text(title) if title else None, title_justify="left")
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    for name, right in zip(header, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed:,.0f} images/s")


@contextlib.contextmanager
def bars() -> Iterator[Any]:
    """Progress bars on standard error: one a step, with its rate and the time left."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Bars(*columns, console=complaints, transient=not complaints.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield progress


def check_folder(path: Path | None) -> None:
    """See that a file can be written there.

    Raises:
        QueryError: Its folder does not exist, or it is a folder itself.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise QueryError(f"Expected a folder that exists, but {path.parent} does not. Make it first.")
    if path is not None and path.is_dir():
        raise QueryError(f"Expected the name of a file to write, but {path} is a folder. Name a file in it.")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table, whole or not at all.

    Raises:
        QueryError: The folder does not exist, or a folder is there.
        StorageError: No space left, or no permission.
    """
    check_folder(path)
    atomic_bytes(path.absolute(), table.to_csv(index=False).encode())


def print_written(*written: tuple[Path | None, int]) -> None:
    """How many rows went to which file; nothing of files that were not asked for."""
    for path, rows in written:
        if path is not None:
            print(f"Wrote {counted(rows, 'row')} to {path}.")
