"""``query``: images like an image of the collection, like a file, or that fit a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import floor, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from radcbir_core.cli.application import AsJson, EncoderOption, Excluded, Name, app, complaints
from radcbir_core.cli.arguments import conditions_of, encoder_id_in, words_of
from radcbir_core.cli.many_queries import check_many, query_many
from radcbir_core.cli.printing import print_table
from radcbir_core.cli.sentence_options import check_options, notes_on_answer, sentence_query
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.wording import counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from radcbir_core.evaluation.similarity_readings import Readings
    from radcbir_core.images.perturbations import Step
    from radcbir_core.search.retriever import Answer

_READ: Final = ("chance", "percentile")
"""How a similarity is read: columns beside it."""


@app.command()
def query(
    name: Name,
    encoder: EncoderOption = None,
    image: Annotated[Path | None, typer.Option("--image", help="An image file to search with.")] = None,
    image_id: Annotated[str | None, typer.Option("--id", help="An image of the collection to search with.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="A sentence to search with; needs an encoder with a text tower.")
    ] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            "--read",
            metavar="WRITTEN=AS",
            help="What a word of --text is read as; word for word without AS. Repeat it.",
        ),
    ] = None,
    several_phrasings: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--several-phrasings", help="Ask --text in other words, too, and search with the mean.")
    ] = False,
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", help="A folder, a ZIP archive or a file; each image is a query. Repeat it."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE.csv", help="Where the hits of --images go, a row a hit.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COLUMN=VALUE", help="Only such images. Repeat it: or in a column, and across."
        ),
    ] = None,
    within_anatomy: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--within-anatomy", help="Only images of the modality and anatomy of --id.")
    ] = False,
    hubness: Annotated[
        str, typer.Option("--hubness", metavar="cosine|csls|mutual-proximity", help="What orders hits, hubs held back.")
    ] = "cosine",
    exclude: Excluded = None,
    frame: Annotated[int | None, typer.Option(help="Frame of --image, from 0; the middle one by default.")] = None,
    perturb: Annotated[
        list[str] | None,
        typer.Option("--perturb", help="What is done to the image first, such as rotate:15 or invert; repeat it."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print the most similar images, or those that fit a sentence. An image of the collection never returns itself."""
    from radcbir_core.encoders import load_encoder
    from radcbir_core.evaluation.similarity_readings import Conditions, read_answer
    from radcbir_core.images.perturbations import Step, perturbed
    from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, Query, RowQuery, query_of
    from radcbir_core.search.queries.text import text_encoders
    from radcbir_core.search.retriever import Retriever

    check_options(text, read=read or [], several=several_phrasings)
    _check_given({"--image": image, "--images": images or None, "--id": image_id, "--text": text})
    if images or output is not None:
        check_many(images, output, as_json=as_json)
    collection = open_collection(name)
    if encoder is None and text is not None and len(able := text_encoders(collection)) == 1:
        encoder = able[0]
    encoder_id = encoder_id_in(collection, encoder)
    retriever = Retriever(
        collection, encoder_id, encoder=lambda: load_encoder(collection.store(encoder_id).spec, device=device)
    )
    conditions, excluded = conditions_of(where or []), words_of(exclude, default=())
    asked: Query
    steps = [Step.of(word) for word in perturb or []]
    if text is not None and steps:
        raise QueryError("Expected an image to perturb, but --text is given. Leave --perturb out, or give --image.")
    if images:
        query_many(
            images,
            output,
            retriever,
            frame=frame,
            steps=steps,
            order=hubness,
            k=k,
            where=conditions,
            exclude=excluded,
            within_anatomy=within_anatomy,
        )
        return
    if text is not None:
        asked = sentence_query(text, collection, read=read or [], several=several_phrasings)
    elif image is not None:
        asked = ImageQuery.of_file(image, frame=frame)
    else:
        asked = query_of(str(image_id), collection)
    if steps and isinstance(asked, ImageQuery | RowQuery):
        shown = asked.pixels if isinstance(asked, ImageQuery) else collection.read_image(asked.rows[0]).pixels
        asked = ChangedQuery(perturbed(shown, steps), asked)
    answer = retriever.search(
        asked, k=k, where=conditions, exclude=excluded, within_anatomy=within_anatomy, order=hubness
    )
    for note in (*answer.notes, *notes_on_answer(answer.query, retriever.means)):
        complaints.print(Text(f"Note: {note}"))
    readings = read_answer(answer, retriever, Conditions(filtered=bool(conditions), exclude=excluded))
    measure, table = answer.measure, answer.table() if readings is None else readings.table()
    _warn_far(readings)
    if as_json:
        if answer.hits.method == "approximate":
            complaints.print(Text(f"Note: Found by {answer.hits.found_by()}."))
        print(json.dumps(_plain(table), indent=2, ensure_ascii=False))
        return
    ranks = ["rank", "cosine_rank"] if answer.ranks is not None else ["rank"]
    rows = [
        [
            *(hit[name] for name in ranks),
            f"{hit[measure]:.3f}",
            *([] if readings is None else _percents(hit)),
            hit["modality"],
            hit["anatomy"],
            ", ".join(hit["pathologies"]),
            hit["image_id"],
        ]
        for hit in table.to_dict("records")
    ]
    names = [*ranks, measure, *([] if readings is None else _READ), "modality", "anatomy", "pathologies"]
    print_table([*(name.replace("_", " ") for name in names), "image_id"], rows)
    print(f"{counted(len(rows), 'hit')}, {answer.hits.found_by()}.")
    for line in (*_said(answer, steps), *([] if readings is None else readings.notes)):
        print(line)


def _check_given(kinds: Mapping[str, object]) -> None:
    """See that one thing is given to search with."""
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none is given"
        raise QueryError(f"Expected one of {', '.join(kinds)}, but {what}. Give exactly one.")


def _warn_far(readings: Readings | None) -> None:
    from radcbir_core.evaluation.similarity_readings import FAR

    if readings is not None and readings.far:
        complaints.print(Text(f"Note: {FAR}"))


def _plain(table: DataFrame) -> list[dict[str, Any]]:
    """The lines of a table for JSON, in which a number that is not known is null."""
    lines: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[assignment]  # columns are words
    return lines


def _percents(hit: Mapping[Any, Any]) -> list[str]:
    """What there is of :data:`_READ`, in percent; a percentile is never rounded up."""
    known = [None if isnan(hit[name]) else float(hit[name]) for name in _READ]
    return [
        "–" if known[0] is None else f"{100 * known[0]:.0f} %",
        "–" if known[1] is None else f"{floor(10_000 * known[1] + 1e-6) / 100:.2f} %",
    ]


def _said(answer: Answer, steps: Sequence[Step]) -> Iterator[str]:
    """What there is to know of the numbers, below the table."""
    if answer.ranks is not None:
        yield answer.ordered_by
    if answer.within:
        yield f"Only images of the query's modality and anatomy were searched: {' '.join(answer.within)}."
    if steps:
        yield f"The image was changed first: {', then '.join(step.said for step in steps)}."
    if answer.measure == "text_similarity":
        yield "Text similarity is the cosine between the sentence and an image; that of two images is on another scale."
