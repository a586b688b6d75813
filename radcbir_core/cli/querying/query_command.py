"""``query``: images like an image of the collection, like a file, or that fit a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import floor, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from radcbir_core.cli.application import AsJson, EncoderOption, Excluded, Name, app, complaints
from radcbir_core.cli.arguments import conditions_of, encoder_id_in, words_of
from radcbir_core.cli.printing import print_table
from radcbir_core.cli.querying.fewer_hits import check_fewer, facet_rows, fewer_hits, print_facets
from radcbir_core.cli.querying.many_queries import check_many, query_many
from radcbir_core.cli.querying.report_option import (
    AddressOption,
    ReportOption,
    ShowTextOption,
    check_report,
    write_report,
)
from radcbir_core.cli.querying.sentence_options import check_options, notes_on_answer, sentence_query
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.wording import counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from radcbir_core.collections.collection import Collection
    from radcbir_core.evaluation.similarity_readings import Readings
    from radcbir_core.images.perturbations import Step
    from radcbir_core.search.hit_facets import Facet
    from radcbir_core.search.queries.composition import Composition
    from radcbir_core.search.queries.query import EmbeddedQuery, Query
    from radcbir_core.search.retriever import Answer, Retriever

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
    one_per: Annotated[
        str | None, typer.Option("--one-per", metavar="patient|study|series", help="One hit of each alone.")
    ] = None,
    least: Annotated[float | None, typer.Option("--least", help="No hits that are less similar.")] = None,
    facets: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--facets", help="Count what the first hits have, too: modality, anatomy, pathologies …")
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
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="LEFT,TOP,RIGHT,BOTTOM",
            help="Only this part of the image, in thousandths.",
        ),
    ] = None,
    whole: Annotated[
        float, typer.Option("--whole", min=0, max=3, help="How much the whole image counts beside --region.")
    ] = 0.0,
    among: Annotated[
        str, typer.Option("--among", metavar="images|regions", help="Whether regions of the images are found, too.")
    ] = "images",
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add",
            metavar="STEP",
            help="What is added to the query: like:ID, unlike:ID, image:WEIGHT:ID or text:WEIGHT:WORDS; repeat it.",
        ),
    ] = None,
    rocchio: Annotated[
        str | None,
        typer.Option(
            "--rocchio", metavar="α,β,γ", help="Weights of the query and of the marks; 1,0.75,0.15 by default."
        ),
    ] = None,
    report: ReportOption = None,
    address: AddressOption = None,
    show_text: ShowTextOption = False,  # noqa: FBT002 - a switch on the command line
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print the most similar images, or those that fit a sentence. An image of the collection never returns itself."""
    from radcbir_core.encoders import load_encoder
    from radcbir_core.evaluation.similarity_readings import Conditions, read_answer
    from radcbir_core.images.perturbations import Step
    from radcbir_core.search.hit_facets import DEPTH, count_facets
    from radcbir_core.search.queries.composition import Composition
    from radcbir_core.search.queries.query import ImageQuery, query_of
    from radcbir_core.search.queries.text import text_encoders
    from radcbir_core.search.retriever import Retriever

    _check_among(among, images)
    check_options(text, read=read or [], several=several_phrasings)
    check_fewer(one_per, least, facets=facets, several=bool(images))
    _check_given({"--image": image, "--images": images or None, "--id": image_id, "--text": text})
    check_report(report, address)
    if images or output is not None:
        check_many(images, output, as_json=as_json)
    collection = open_collection(name)
    composition = Composition.of(add or [], rocchio)
    reads = text is not None or any(step.kind == "text" for step in composition.steps)
    able = text_encoders(collection) if reads and encoder is None else []
    encoder_id = encoder_id_in(collection, able[0] if len(able) == 1 else encoder)
    retriever = Retriever(
        collection, encoder_id, encoder=lambda: load_encoder(collection.store(encoder_id).spec, device=device)
    )
    conditions = conditions_of(where or [], collection.manifest.column_names)
    excluded = words_of(exclude, default=())
    steps = [Step.of(word) for word in perturb or []]
    if text is not None and steps:
        raise QueryError("Expected an image to perturb, but --text is given. Leave --perturb out, or give --image.")
    if images:
        _check_alone(composition, region)
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
        given: Query = sentence_query(text, collection, read=read or [], several=several_phrasings)
    else:
        given = query_of(str(image_id), collection) if image is None else ImageQuery.of_file(image, frame=frame)
    part = _region(_perturbed(given, steps, collection), region, whole, collection)
    in_regions = among == "regions"
    search = _again(
        retriever,
        _composed(part, composition, collection),
        exclude=excluded,
        within_anatomy=within_anatomy,
        regions=in_regions,
    )
    answer, left_out = fewer_hits(
        partial(search, where=conditions, order=hubness), retriever, k=k, one_per=one_per, least=least
    )
    for note in (*answer.notes, *notes_on_answer(answer.query, retriever.means)):
        complaints.print(Text(f"Note: {note}"))
    readings = read_answer(answer, retriever, Conditions(bool(conditions), excluded, one_each=one_per is not None))
    _warn_far(readings)
    if report is not None:
        write_report(
            report,
            answer,
            retriever,
            readings,
            where=conditions,
            exclude=excluded,
            k=k,
            link={
                **_link_of(image_id, text, read=read or [], several=several_phrasings),
                **{"add": add or [], "rocchio": rocchio or "", "perturb": perturb or []},
                **{"hubness": "" if hubness == "cosine" else hubness, "within": "anatomy" if within_anatomy else ""},
                **({"region": region, "whole": f"{whole:g}"} if region else {}),
                **({"among": among} if in_regions else {}),
                **{"one": one_per or "", "least": "" if least is None else f"{least:g}"},
            },
            notes=left_out,
            file=image,
            shows_text=show_text,
            dashboard=address,
        )
    count = partial(count_facets, lambda filters: search(where=filters, k=DEPTH), collection.manifest, conditions)
    found = count() if facets else None
    if as_json:
        _print_json(answer, readings, found)
        return
    said = [*left_out, *_said(answer, steps, composition), *([] if readings is None else readings.notes)]
    _print(answer, readings, said)
    print_facets(found or [])


def _print_json(answer: Answer, readings: Readings | None, found: list[Facet] | None) -> None:
    """Print the hits, and facets beside them where they are asked for."""
    if answer.hits.method == "approximate":
        complaints.print(Text(f"Note: Found by {answer.hits.found_by()}."))
    hits = _plain(answer.table() if readings is None else readings.table())
    told = hits if found is None else {"hits": hits, "facets": facet_rows(found)}
    print(json.dumps(told, indent=2, ensure_ascii=False))


def _print(answer: Answer, readings: Readings | None, said: Sequence[str]) -> None:
    """Print the hits as a table, and what there is to know of them below it."""
    measure, table = answer.measure, answer.table() if readings is None else readings.table()
    ranks = ["rank", "cosine_rank"] if answer.ranks is not None else ["rank"]
    rows = [
        [
            *(hit[name] for name in ranks),
            f"{hit[measure]:.3f}",
            *([] if readings is None else _percents(hit)),
            hit["modality"],
            hit["anatomy"],
            ", ".join(hit["pathologies"]),
            *([] if answer.regions is None else [hit["region"]]),
            hit["image_id"],
        ]
        for hit in table.to_dict("records")
    ]
    names = [*ranks, measure, *([] if readings is None else _READ), "modality", "anatomy", "pathologies"]
    names += [] if answer.regions is None else ["region"]
    print_table([*(name.replace("_", " ") for name in names), "image_id"], rows)
    print(f"{counted(len(rows), 'hit')}, {answer.hits.found_by()}.")
    for line in said:
        print(line)


def _link_of(
    image_id: str | None, text: str | None, *, read: Sequence[str], several: bool
) -> dict[str, str | Sequence[str]]:
    """What the address of the page says of an image of the collection, or of a sentence."""
    if image_id is not None:
        return {"image": image_id}
    if text is None:
        return {}
    chosen = [word if "=" in word else f"{word}=" for word in read]
    return {"source": "text", "text": text, "read": chosen, "phrasings": "several" if several else ""}


def _again(retriever: Retriever, asked: Query, **how: Any) -> Callable[..., Answer]:
    """A search with the same query, which is embedded once however often it is asked."""
    latest: list[Query | EmbeddedQuery] = [asked]

    def search(**also: Any) -> Answer:
        answer = retriever.search(latest[0], **how, **also)
        latest[0] = answer.query
        return answer

    return search


def _perturbed(asked: Query, steps: Sequence[Step], collection: Collection) -> Query:
    """An image, changed first; what is no image, and what is not changed, as it is."""
    from radcbir_core.images.perturbations import perturbed
    from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery

    if not steps or not isinstance(asked, ImageQuery | RowQuery):
        return asked
    shown = asked.pixels if isinstance(asked, ImageQuery) else collection.read_image(asked.rows[0]).pixels
    return ChangedQuery(perturbed(shown, steps), asked)


def _composed(asked: Query, composition: Composition, collection: Collection) -> Query:
    """A query with what is added to it; without anything as it is."""
    from radcbir_core.search.queries.composition import CLASSIC

    if not composition.steps and composition.weights == CLASSIC:
        return asked
    sentence = partial(sentence_query, collection=collection, read=[], several=False)
    return composition.query(asked, collection, sentence=sentence)


def _region(asked: Query, region: str | None, whole: float, collection: Collection) -> Query:
    """A part of an image; without a region it as it is."""
    from radcbir_core.search.queries.query import ChangedQuery, ImageQuery, RowQuery
    from radcbir_core.search.queries.region import Box, region_query

    if region is None:
        if whole:
            raise QueryError(f"Expected --region beside --whole, but --whole = {whole:g} is alone. Give both, or none.")
        return asked
    if not isinstance(asked, RowQuery | ImageQuery | ChangedQuery):
        raise QueryError("Expected an image for --region, but --text is given. Leave --region out, or give --image.")
    pixels = collection.read_image(asked.rows[0]).pixels if isinstance(asked, RowQuery) else asked.pixels
    return region_query(Box.of(region), pixels, asked, whole=whole)


def _check_alone(composition: Composition, region: str | None) -> None:
    """See that nothing is added to many queries, whose hits would be of what was added, and no region is chosen."""
    if composition.steps:
        raise QueryError("Expected one query to add something to, but --images is given. Leave --add out, or ask one.")
    if region is not None:
        raise QueryError("Expected one image to search a region of, but --images is given. Leave --region out.")


def _check_among(among: str, images: Sequence[Path] | None) -> None:
    """See that it is one of the two words, and that many queries are asked of whole images."""
    if among not in ("images", "regions"):
        raise QueryError(f"Expected --among images or regions, but --among = {among!r}. Choose one of these.")
    if images and among == "regions":
        raise QueryError("Expected one query to find regions with, but --images is given. Leave --among out.")


def _check_given(kinds: Mapping[str, object]) -> None:
    """See that one thing is given to search with."""
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none is given"
        *others, last = kinds
        raise QueryError(f"Expected one of {', '.join(others)} and {last}, but {what}. Give exactly one.")


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


def _said(answer: Answer, steps: Sequence[Step], composition: Composition) -> Iterator[str]:
    """What there is to know of the numbers, below the table."""
    if answer.ranks is not None:
        yield answer.ordered_by
    if answer.regions is not None:
        yield (
            f"{len(answer.boxes)} regions of each image were searched, the whole among them; the region of a hit is "
            "left, top, right, bottom in thousandths."
        )
    if answer.within:
        yield f"Only images of the query's modality and anatomy were searched: {' '.join(answer.within)}."
    if steps:
        yield f"The image was changed first: {', then '.join(step.said for step in steps)}."
    if answer.measure == "text_similarity":
        yield "Text similarity is the cosine between the sentence and an image; that of two images is on another scale."
    if answer.measure == "composed_similarity":
        added = ", ".join(f"{step.value} {composition.weight_of(step):+.2f}" for step in composition.steps)
        yield f"Composed of the query {composition.weights.query:+.2f}{added and f', {added}'}."
        yield "Composed similarity is the cosine with the sum of these; it is on a scale of its own."
