"""``reviews`` and ``review-import``: what people said of a collection's images, as a list and as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from radcbir_core.audit import account
from radcbir_core.cli.application import AsJson, Name, app
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import check_folder, print_table, print_written
from radcbir_core.cli.remedies import program
from radcbir_core.collections.collection import open_collection
from radcbir_core.storage import atomic_bytes
from radcbir_core.wording import counted

_SHOWN = 30


@app.command()
def reviews(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write all of them to this CSV, with addresses.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option("--corrections", metavar="FILE", help="Write the open corrections as a table for relabel."),
    ] = None,
    server: Annotated[
        str, typer.Option("--server", metavar="URL", help="Where the dashboard is, for the addresses.")
    ] = "http://127.0.0.1:8501",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """List tags, notes and corrected labels that people gave images and query-hit pairs on the pages."""
    from radcbir_core.collections.reviews.review_table import csv_of, review_table
    from radcbir_core.collections.reviews.reviewing import corrections_table, proposals, read_reviews

    for path in (output, corrections):
        check_folder(path)
    collection = open_collection(name)
    said = read_reviews(collection.folder)
    table = review_table(collection, said.entries, server=server)
    to_apply = corrections_table(collection, said)
    for path, rows in ((output, table), (corrections, to_apply)):
        if path is not None:
            atomic_bytes(path.absolute(), csv_of(rows))
    if as_json:
        print(json.dumps(table.to_dict("records"), indent=2, ensure_ascii=False))
        return
    print_table(["tag", "images and pairs"], [[tag, count] for tag, count in said.tags.items()])
    standing = {one.entry.id: one.standing for one in proposals(collection, said)}
    last = table.tail(_SHOWN).iloc[::-1]
    last = last.assign(
        when=last["when"].str[:19],
        kind=last["column"].where(last["column"] != "", last["kind"]),
        standing=[standing.get(one, images) for one, images in zip(last["id"], last["images"], strict=True)],
    )
    columns = ["when", "by", "kind", "image_id", "hit_id", "text", "standing"]
    print_table(columns, last[columns].values.tolist(), title="Last said")
    if len(table) > _SHOWN:
        print(f"… and {len(table) - _SHOWN:,} more. All of them: --output FILE")
    for line, reason in said.damaged:
        print(f"Note: line {line} of {collection.layout.reviews} cannot be read ({reason}). It is left out.")
    print_written((output, len(table)), (corrections, len(to_apply)))
    if corrections is not None and len(to_apply):
        print(f"Next: {program()} relabel {name} {corrections} --dry-run")
    print(
        f"{counted(len(table), 'entry', 'entries')} on "
        f"{counted(len(said.reviews), 'image or pair', 'images or pairs')}; "
        f"{counted(len(to_apply), 'image')} with a correction to apply."
    )


@app.command("review-import")
def review_import(
    name: Name,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE.csv", help="As reviews --output writes it; or kind, text and image_id.")
    ],
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHO", help="Who brings it in; your login by default.")
    ] = None,
) -> None:
    """Bring in tags, notes and corrections from a table. What is there already is not doubled; bad rows are listed."""
    from radcbir_core.collections.reviews.review_table import import_reviews, read_table

    content = read_table(table)
    put_on_record("review-import", name)
    imported = import_reviews(open_collection(name), content, by=account() if by is None else by)
    print_table(["line", "left out, because"], list(imported.refused[:_SHOWN]))
    if len(imported.refused) > _SHOWN:
        print(f"… and {len(imported.refused) - _SHOWN:,} more.")
    print(
        f"{counted(imported.added, 'entry', 'entries')} added to {name}; {imported.known:,} were there already; "
        f"{counted(len(imported.refused), 'row')} left out."
    )
