"""``relabel``: labels of a collection are corrected by a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radcbir_core.audit import account
from radcbir_core.cli.application import Name, app
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import print_table, write_csv
from radcbir_core.cli.remedies import program
from radcbir_core.wording import counted

_SHOWN = 30


@app.command()
def relabel(
    name: Name,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE.csv", help="A column image_id, or path, and the columns to change.")
    ],
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHO", help="Who corrects, for the history; your login by default.")
    ] = None,
    cells: Annotated[
        Path | None, typer.Option("--cells", metavar="FILE", help="Write every cell that changes to this CSV.")
    ] = None,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Say what would change; write nothing.")
    ] = False,
) -> None:
    """Correct labels in place. Embeddings, index, neighbors and map stay; only what is made of labels becomes stale.

    An empty cell means that nothing is known. What was corrected is kept with the collection: see info.
    """
    from radcbir_core.importers.relabeling import correct_labels

    if not dry_run:
        put_on_record("relabel", name)
    correction = correct_labels(name, table, by=account() if by is None else by, dry_run=dry_run)
    if cells is not None:
        write_csv(cells, correction.cells)
    print_table(
        ["column", "in the table", "in the manifest", "rows"],
        [[c["column"], c["from"] or "(empty)", c["to"] or "(empty)", c["rows"]] for c in correction.changes[:_SHOWN]],
        title="Words that were read as others",
    )
    rows = correction.cells.head(_SHOWN)[["row", "image_id", "column", "from", "to"]].values.tolist()
    print_table(
        ["row", "image_id", "column", "from", "to"],
        [[*cell[:3], cell[3] or "(empty)", cell[4] or "(empty)"] for cell in rows],
        title="Cells that would change" if dry_run else "Cells that were changed",
    )
    if len(correction.cells) > _SHOWN:
        print(f"… and {len(correction.cells) - _SHOWN:,} more. All of them: --cells FILE")
    for note in correction.notes:
        print(f"Note: {note}")
    collection = correction.collection
    for encoder_id in collection.encoder_ids() if correction.written else []:
        store = collection.store(encoder_id)
        stale = [artifact for artifact, state in store.states().items() if state == "stale"]
        if stale:
            print(f"Next, for {', '.join(stale)}: {program()} build {name} --encoder {store.spec}")
    each = ", ".join(f"{column} {count:,}" for column, count in correction.columns.items())
    by_column = f" ({each})" if each else ""
    what = f"{counted(len(correction.cells), 'cell')} of {counted(correction.images, 'image')}{by_column}"
    if dry_run:
        print(f"Nothing was written. Of {counted(correction.lines, 'line')}, {what} would change.")
    elif correction.written:
        print(f"Corrected {name}: {what}.")
    else:
        print(f"Nothing to correct: {name} says of these {correction.lines:,} images what the table says.")
