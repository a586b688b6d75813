"""``query``: images like an image of the collection, like a file, or that fit a sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from radcbir_core.cli.application import AsJson, EncoderOption, Excluded, Name, app, complaints
from radcbir_core.cli.arguments import conditions_of, encoder_id_in, words_of
from radcbir_core.cli.printing import print_table
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError

if TYPE_CHECKING:
    from radcbir_core.search.retriever import Measure


@app.command()
def query(
    name: Name,
    encoder: EncoderOption = None,
    image: Annotated[Path | None, typer.Option("--image", help="An image file to search with.")] = None,
    image_id: Annotated[str | None, typer.Option("--id", help="An image of the collection to search with.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="A sentence to search with; needs an encoder with a text tower.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COLUMN=VALUE", help="Only such images. Repeat it: or in a column, and across."
        ),
    ] = None,
    exclude: Excluded = None,
    frame: Annotated[int | None, typer.Option(help="Frame of --image, from 0; the middle one by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print the most similar images, or those that fit a sentence. An image of the collection never returns itself."""
    from radcbir_core.search.retriever import Retriever, hits_table, text_encoders

    given = [name for name, value in (("--image", image), ("--id", image_id), ("--text", text)) if value is not None]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise QueryError(f"Expected one of --image, --id and --text, but {found}. Give exactly one.")
    collection = open_collection(name)
    if encoder is None and text is not None and len(able := text_encoders(collection)) == 1:
        encoder = able[0]
    retriever = Retriever(collection, encoder_id_in(collection, encoder))
    options: dict[str, Any] = {"k": k, "where": conditions_of(where or []), "exclude": words_of(exclude, default=())}
    measure: Measure = "similarity"
    if text is not None:
        measure = "text_similarity"
        sentence = _embed_sentence(retriever, text, device=device)
        hits = retriever.search_text(sentence, **options)
        for note in sentence.notes:
            complaints.print(Text(f"Note: {note}"))
    elif image is not None:
        embedding, sha256 = _embed_file(retriever, image, frame=frame, device=device)
        hits = retriever.search(embedding, sha256=sha256, **options)
    else:
        hits = retriever.search_rows([collection.manifest.row_of(str(image_id))], **options)
    table = hits_table(collection.manifest, hits, measure=measure)
    if as_json:
        print(json.dumps(table.to_dict("records"), indent=2, ensure_ascii=False))
        return
    rows = [
        [
            hit["rank"],
            f"{hit[measure]:.3f}",
            hit["modality"],
            hit["anatomy"],
            ", ".join(hit["pathologies"]),
            hit["image_id"],
        ]
        for hit in table.to_dict("records")
    ]
    print_table(["rank", measure.replace("_", " "), "modality", "anatomy", "pathologies", "image_id"], rows)
    print(f"{len(rows)} hits, {hits.method} search.")
    if measure == "text_similarity":
        print(
            "Text similarity is the cosine between the sentence and an image; that of two images is on another scale."
        )


def _embed_file(retriever: Any, path: Path, *, frame: int | None, device: str) -> tuple[Any, str]:
    from radcbir_core.encoders import load_encoder
    from radcbir_core.images import decode_image
    from radcbir_core.search.retriever import check_encoder

    if not path.is_file():
        raise QueryError(f"Expected an image file, but {path} does not exist. Check the path.")
    pixels = decode_image(path, frame=frame).pixels
    encoder = load_encoder(retriever.store.spec, device=device)
    check_encoder(retriever.store, encoder)
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return encoder.encode_images([pixels]), sha256


def _embed_sentence(retriever: Any, text: str, *, device: str) -> Any:
    from radcbir_core.encoders import load_encoder
    from radcbir_core.search.retriever import check_text_tower, cleaned_text, embed_text

    check_text_tower(retriever.store)
    cleaned_text(text)  # what is wrong with it is said before the weights are loaded
    return embed_text(retriever.store, load_encoder(retriever.store.spec, device=device), text)
