"""``query-series``: the series that are most like a series of the collection, or like a volume in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from radcbir_core.cli.application import AsJson, EncoderOption, Excluded, Name, app, complaints
from radcbir_core.cli.arguments import conditions_of, encoder_id_in, words_of
from radcbir_core.cli.printing import print_table
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.wording import counted


@app.command("query-series")
def query_series(
    name: Name,
    encoder: EncoderOption = None,
    image_id: Annotated[
        str | None, typer.Option("--id", help="An image of the collection, whose whole series asks.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A volume to search with: NIfTI, multi-frame DICOM, or a TIFF of pages."),
    ] = None,
    rule: Annotated[
        str, typer.Option(metavar="mean-best|best|combsum|rrf", help="How the slices' votes are counted.")
    ] = "mean-best",
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", help="One of N slices asks; 64 at most by default.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many series.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COLUMN=VALUE", help="Only such images. Repeat it: or in a column, and across."
        ),
    ] = None,
    exclude: Excluded = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print the most similar series: each slice of the query's asks. The own series is never among them."""
    from radcbir_core.encoders import load_encoder
    from radcbir_core.search.retriever import Retriever
    from radcbir_core.search.series.series_search import VolumeQuery, search_series

    if (image_id is None) == (file is None):
        what = "none is given" if file is None else "both are given"
        raise QueryError(f"Expected one of --id and --file, but {what}. Give exactly one.")
    collection = open_collection(name)
    encoder_id = encoder_id_in(collection, encoder)
    retriever = Retriever(
        collection, encoder_id, encoder=lambda: load_encoder(collection.store(encoder_id).spec, device=device)
    )
    conditions = conditions_of(where or [], collection.manifest.column_names)
    excluded = words_of(exclude, default=())
    if file is not None:
        asked: str | VolumeQuery = VolumeQuery.of_file(file, every=every)
    else:
        asked = str(image_id)
    answer = search_series(retriever, asked, k=k, rule=rule, every=every, where=conditions, exclude=excluded)
    for note in answer.notes:
        complaints.print(Text(f"Note: {note}"))
    table = answer.table()
    if as_json:
        print(json.dumps(table.to_dict("records"), indent=2, ensure_ascii=False))
        return
    rows = [
        [
            *(hit["rank"], f"{hit['score']:.3f}", hit["modality"], hit["anatomy"], ", ".join(hit["pathologies"])),
            *(hit["slices"], f"{hit['similarity']:.3f}", hit["series_id"], hit["image_id"]),
        ]
        for hit in table.to_dict("records")
    ]
    names = ["rank", "score", "modality", "anatomy", "pathologies", "slices", "best match", "series_id", "image_id"]
    print_table(names, rows)
    print(f"{counted(len(rows), 'series', 'series')}. {answer.said}")
