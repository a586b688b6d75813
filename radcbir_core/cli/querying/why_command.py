"""``why``: where in two images an encoder's similarity comes from, and whether that can be believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from radcbir_core.cli.application import AsJson, EncoderOption, Name, app
from radcbir_core.cli.arguments import encoder_id_in
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, check_folder
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.storage import atomic_bytes


@app.command()
def why(
    name: Name,
    query_id: Annotated[str, typer.Argument(help="The image_id of the query.", metavar="QUERY_ID")],
    hit_id: Annotated[str, typer.Argument(help="The image_id of its hit.", metavar="HIT_ID")],
    encoder: EncoderOption = None,
    method: Annotated[
        str,
        typer.Option(
            help="auto, occlusion or patches. Auto takes patches where the encoder has enough of them and their maps "
            "pass the checks, and occlusion otherwise."
        ),
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write both images with their maps to this PNG file.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print why an encoder takes two images for alike: where its similarity comes from, and whether that holds.

    What a map highlights is hidden, and so are areas of the same size and shape elsewhere; only where the first lowers
    the similarity more than the others does the map explain anything.
    """
    from radcbir_core.encoders import load_encoder
    from radcbir_core.explanation import explanation_words as words
    from radcbir_core.explanation.drawing import as_png, for_drawing, side_by_side
    from radcbir_core.explanation.explaining import check_explainable, checked_method, explain_rows

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    asked = checked_method(method)
    rows = [collection.manifest.row_of(image_id) for image_id in (query_id, hit_id)]
    check_explainable(store)
    check_folder(output)
    if output is not None and output.suffix.lower() != ".png":
        raise QueryError(f"Expected the name of a PNG file, but {output.name} does not end in .png. Call it so.")
    loaded = load_encoder(store.spec, device=device)
    with bars() as progress:
        made = explain_rows(store, rows[0], rows[1], encoder=loaded, method=asked, progress=progress)
    if output is not None:
        images = [for_drawing(collection.read_image(row).pixels) for row in rows]
        put_on_record("export explanation", name, lets_out_only=True)
        atomic_bytes(output, as_png(side_by_side(images[0], images[1], made)))
    if as_json:
        print(json.dumps(words.as_record(made), indent=2))
        return
    print(f"{made.encoder_id}, similarity {made.similarity:.3f}.")
    print(words.method_said(made))
    for side, what, image_id in zip(made.sides, words.NAMES, (query_id, hit_id), strict=True):
        print(f"\n{what.capitalize()} {image_id}: {words.place_said(side)}.")
        for check in side.checks:
            print(f"  {words.check_said(check)}")
        print(f"  {words.verdict_said(side, what)}")
    if output is not None:
        print(f"\nBoth images with their maps: {output}")
