"""``query --images``: many image files, each searched with by itself, and a table of all their hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from radcbir_core.batch.batch_search import files_embedded, write_hits
from radcbir_core.batch.query_files import files_at
from radcbir_core.cli.application import complaints
from radcbir_core.cli.printing import bars, check_folder, print_table
from radcbir_core.errors import QueryError
from radcbir_core.wording import counted

if TYPE_CHECKING:
    from radcbir_core.images.perturbations import Step
    from radcbir_core.search.retriever import Retriever

_SHOWN: Final = 10


def check_many(images: Sequence[Path] | None, output: Path | None, *, as_json: bool) -> None:
    """See that many queries are asked as they can be.

    Raises:
        QueryError: There are no images, or no table; or it cannot be written, is one of the images, or is to be JSON.
    """
    if not images:
        raise QueryError("Expected --images with --output, but it is not given. Leave --output out, or give --images.")
    if output is None:
        raise QueryError("Expected a file for the table of hits, but --output is not given. Add --output FILE.csv.")
    if as_json:
        raise QueryError("Expected a table of many queries, but --json is given. Leave it out: --output is a CSV.")
    check_folder(output)
    if any(path.is_file() and output.exists() and path.samefile(output) for path in images):
        raise QueryError(f"Expected another file for the table than the images, but both are {output}. Choose another.")


def query_many(
    images: Sequence[Path],
    output: Path | None,
    retriever: Retriever,
    *,
    frame: int | None,
    steps: Sequence[Step],
    order: str,
    **options: Any,
) -> None:
    """Search with each image at paths, write the table, and say what became of them.

    Args:
        images: Folders, ZIP archives and files.
        output: The table.
        retriever: What answers.
        frame: Of files with several, from 0; the middle one by default.
        steps: What is done to each image first.
        order: By what hits are ordered.
        **options: Of :meth:`~radcbir_core.search.retriever.Retriever.search`.
    """
    from radcbir_core.images.perturbations import perturbed

    output = Path() if output is None else output  # which check_many has refused
    found = files_at(images)
    for note in found.notes:
        complaints.print(Text(f"Note: {note}"))
    change: Callable[[Any], Any] | None = partial(perturbed, steps=steps) if steps else None
    search = partial(retriever.search, order=order, **options)
    with bars() as progress:
        asked = files_embedded(found.files, retriever, frame=frame, change=change)
        report = write_hits(output, found.files, asked, search, order=order, progress=progress)
    print_table(["query", "problem"], report.problems[:_SHOWN], title="Without hits")
    if len(report.problems) > _SHOWN:
        print(f"… and {len(report.problems) - _SHOWN:,} more, with their reasons in {output}")
    print(
        f"Wrote {counted(report.hits, 'hit')} of {counted(report.files - len(report.problems), 'query', 'queries')} to "
        f"{output}; {counted(len(report.problems), 'file')} without hits."
    )
