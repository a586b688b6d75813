"""What a case report says: the query, its hits, how they were asked for, and what they depend on.

Owns the choice of what goes into a report and of what stays out. A report is sent to others, so that nothing in it
names a patient: of an image only its modality, anatomy, findings, view and data set are said; conditions on any other
column are said without their values, and then there is no link, which would hold these. How images are named in a link
is report_address.py's, and which pictures it has report_pictures.py's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Collected
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from radcbir_core.case_reports.report_address import without_names
from radcbir_core.case_reports.report_pictures import Look, ReportPictures
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import QueryError
from radcbir_core.evaluation.similarity_readings import FAR, Readings
from radcbir_core.images.perturbations import Step
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.queries.composed import ComposedQuery
from radcbir_core.search.queries.query import MEASURES, ChangedQuery, ImageQuery, Query, RowQuery, TextQuery
from radcbir_core.search.queries.region import Box
from radcbir_core.search.queries.tile_grid import found_said
from radcbir_core.search.retriever import Answer
from radcbir_core.wording import counted

SHOWN_OF_IMAGES: Final = ("modality", "anatomy", "pathologies", "view", "dataset")
"""The columns of the manifest that a report may have of an image."""
TOLD: Final = frozenset({*SHOWN_OF_IMAGES, "split"})
"""The columns whose values a report may say. Any other may hold names, whatever it is called: a source's own too."""
RESEARCH_ONLY: Final = "Research use only. Not for diagnosis."

_WITHHELD: Final = "(value withheld: it may name a patient)"


@dataclass(frozen=True, slots=True)
class ReportedImage:
    """One image of a report.

    Attributes:
        picture: A small one as a JPEG or WebP; None where there is none.
        facts: What is known of it, by name.
        about: What it is in the query, or which hit; "" where there is nothing to say.
        number: Its similarity, as it is printed; "" for a query.
        same: Of a hit whose query has labels: "anatomy", "pathology" → whether it has the same, in words.
        readings: What the similarity means; "" where nothing can be said.
    """

    picture: bytes | None
    facts: Mapping[str, str]
    about: str = ""
    number: str = ""
    same: Mapping[str, str] | None = None
    readings: str = ""


@dataclass(frozen=True, slots=True)
class CaseReport:
    """A query with its hits, to keep and to send.

    Attributes:
        title: What whoever made it calls it.
        made: When, in UTC.
        queries: The images that were asked with.
        sentences: The words that were asked with, with their weight where there are several parts.
        hits: What was found, best first.
        measure: What the numbers of the hits are.
        how: How it was asked: name → value.
        depends_on: What the ranking depends on: name → value.
        notes: What to know about it, a sentence each.
        link: Opens the same ranking; "" where there is none.
        no_link: Why there is none.
    """

    title: str
    made: datetime
    queries: Sequence[ReportedImage]
    sentences: Sequence[str]
    hits: Sequence[ReportedImage]
    measure: str
    how: Mapping[str, str]
    depends_on: Mapping[str, str]
    notes: Sequence[str]
    link: str = ""
    no_link: str = ""


def report_of(
    answer: Answer,
    store: EncoderStore,
    *,
    readings: Readings | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    exclude: Sequence[str] = (),
    selected: int | None = None,
    k: int | None = None,
    link: Callable[[Mapping[str, Sequence[str]]], str] | None = None,
    address: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    made: datetime | None = None,
    hides_text: bool = True,
    look: Look | None = None,
    told: Collected[str] = (),
) -> CaseReport:
    """What a report says of an answer.

    Args:
        answer: The hits of one query.
        store: Of the encoder that they were found with.
        readings: What their similarities mean, where that is known.
        where: Which images alone were searched.
        exclude: What of the query was left out.
        selected: How many images alone were searched, of a part of the map.
        k: How many hits were asked for; as many as there are by default.
        link: Makes an address of the parameters of the page Retrieval; without it there is none.
        address: These parameters, as they open the same ranking; what they say of regions and changes is said in words.
        title: What it is to be called; by default what was asked of which collection.
        notes: What else to know about the hits, a sentence each.
        made: When; now by default.
        hides_text: Whether text that is burned into a picture is painted black, or the picture left out where it is not
            known where the text is.
        look: Looks for text in a picture from outside, or in a changed one; None where nothing here can.
        told: SHA-256 of files from outside whose header says that text is burned into their pixels.

    Raises:
        CollectionError: What was found of text in the collection's images is damaged.
    """
    collection = answer.collection
    query = answer.query.query
    pictures = ReportPictures(collection, hides=hides_text, look=look, told=told)
    queries, sentences = _asked(query, collection, pictures)
    hits = _hits(answer, readings, pictures)
    where, asked_by = where or {}, address or {}
    outside = _has(query, _is_outside)
    secret = sorted(set(where) - TOLD)
    no_link, opens = "", ""
    if secret:
        no_link = f"There is no link to this ranking: it would name what was asked of {', '.join(secret)}."
    elif outside:
        no_link = "There is no link to this ranking: its query is an image from outside, which no link can hold."
    elif link is not None and address is not None:
        conditions = [f"{column}={value}" for column, values in where.items() for value in values]
        anonymous = without_names({**address, "where": conditions}, collection)
        if anonymous is None:
            no_link = "There is no link to this ranking: it would name a patient, whose images have no digest here."
        else:
            opens = link(anonymous)
    return CaseReport(
        title=title or f"Similar images in {collection.title}",
        made=made or datetime.now(UTC),
        queries=queries,
        sentences=sentences,
        hits=hits,
        measure=MEASURES[answer.measure],
        how=_how(answer, where=where, exclude=exclude, selected=selected, k=k) | _changes(query, asked_by),
        depends_on=_depends_on(collection, store),
        notes=(*notes, *_notes(answer, readings), *pictures.notes()),
        link=opens,
        no_link=no_link,
    )


def _asked(
    query: Query, collection: Collection, pictures: ReportPictures, weighed: str = ""
) -> tuple[list[ReportedImage], list[str]]:
    """The images and sentences that a query is made of, whose weights are said where there are several."""
    images: list[ReportedImage] = []
    sentences: list[str] = []
    if isinstance(query, ComposedQuery):
        for part in query.parts:
            weight = f"weight {part.weight:+.2f}".replace("-", "−") if len(query.parts) > 1 else ""
            of_part = _asked(part.query, collection, pictures, " of ".join(filter(None, [weight, weighed])))
            images += of_part[0]
            sentences += of_part[1]
    elif isinstance(query, RowQuery):
        images += [ReportedImage(pictures.of_row(row), _facts(collection, row), weighed) for row in query.rows]
    elif isinstance(query, ImageQuery):
        picture = pictures.of_pixels(query.pixels, sha256=query.sha256)
        images.append(ReportedImage(picture, {}, _joined("an image from outside", weighed)))
    elif isinstance(query, ChangedQuery):
        of = query.original
        facts = _facts(collection, of.rows[0]) if isinstance(of, RowQuery) else {}
        if isinstance(of, RowQuery):
            picture = pictures.of_pixels(query.pixels, row=of.rows[0])
        else:
            picture = pictures.of_pixels(query.pixels, sha256=of.sha256)
        about = _joined("a part of it, or changed, as it was asked", weighed)
        images.append(ReportedImage(picture, facts, about))
    elif isinstance(query, TextQuery):
        sentences.append(_joined(f"“{query.text}”", weighed))
    elif isinstance(query, SentenceQuery):
        several = "in several phrasings" if query.several else ""
        sentences.append(_joined(f"“{query.reading.text}”", _read_as(query), several, weighed))
    return images, sentences


def _read_as(query: SentenceQuery) -> str:
    reading = query.reading
    if reading.plain == reading.text and not reading.denials:
        return ""
    parts = [reading.asked] if reading.asked else []
    return "read as: " + ", ".join([*parts, *(f"without {finding}" for finding in reading.denied)])


def _has(query: Query, fits: Callable[[Query], bool]) -> bool:
    """Whether a query or one of its parts fits."""
    if isinstance(query, ComposedQuery):
        return any(_has(part.query, fits) for part in query.parts)
    return fits(query)


def _is_outside(query: Query) -> bool:
    """Whether it is an image that the collection does not have."""
    if isinstance(query, ChangedQuery):
        return _is_outside(query.original)
    return not isinstance(query, RowQuery | TextQuery | SentenceQuery)


def _changes(query: Query, address: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Which part of the query image was asked with, and how it was changed before, as an address has it."""
    if not _has(query, lambda one: isinstance(one, ChangedQuery)):
        return {}
    steps: dict[str, Step] = {}
    changes: dict[str, str] = {}
    # What the page has left out of an address, with a word of it, is left out here.
    for word in address.get("perturb", ()):
        with suppress(QueryError):
            step = Step.of(word)
            steps[step.kind.name] = step
    if steps:
        changes["Changes of the query image"] = ", then ".join(step.said for step in steps.values())
    for word in address.get("region", ()):
        with suppress(QueryError):
            changes["Region of the query image"] = Box.of(word).said
    return changes


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def _hits(answer: Answer, readings: Readings | None, pictures: ReportPictures) -> list[ReportedImage]:
    said = [""] * len(answer) if readings is None else readings.said()
    query = answer.query.query
    mine = _labels(answer.collection, query.rows[0]) if isinstance(query, RowQuery) else None
    if answer.regions is not None:
        said = [_joined(found_said(box), words) for box, words in zip(answer.found_boxes(), said, strict=True)]
    hits = []
    for rank, (row, similarity, words) in enumerate(
        zip(answer.rows().tolist(), answer.similarities().tolist(), said, strict=True), start=1
    ):
        hits.append(
            ReportedImage(
                pictures.of_row(row),
                _facts(answer.collection, row),
                about=str(rank),
                number=f"{similarity:.3f}",
                same=None if mine is None else _compared(mine, _labels(answer.collection, row)),
                readings=words,
            )
        )
    return hits


def _labels(collection: Collection, row: int) -> tuple[str, frozenset[str]]:
    """Modality with anatomy, and pathologies."""
    line = collection.manifest.rows([row], ["modality", "anatomy", "pathologies"]).to_dict("records")[0]
    place = f"{line['modality']} {line['anatomy']}" if line["modality"] and line["anatomy"] else ""
    return place, frozenset(line["pathologies"])


def _compared(mine: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]]) -> dict[str, str]:
    """Whether a hit shows the query's anatomy and one of its findings.

    Example:
        >>> _compared(("CT head", frozenset({"hemorrhage"})), ("CT head", frozenset()))
        {'anatomy': 'same', 'pathology': 'not labeled'}
    """
    anatomy = "not labeled" if not mine[0] or not other[0] else "same" if mine[0] == other[0] else "other"
    if not mine[1] or not other[1]:
        pathology = "not labeled"
    elif mine[1] == other[1]:
        pathology = "same"
    else:
        pathology = "in part" if mine[1] & other[1] else "other"
    return {"anatomy": anatomy, "pathology": pathology}


def _facts(collection: Collection, row: int) -> dict[str, str]:
    """What a report may say of an image of the collection; nothing where nothing is known."""
    names = [name for name in SHOWN_OF_IMAGES if name in collection.manifest.column_names]
    line = collection.manifest.rows([row], names).to_dict("records")[0]
    facts: dict[str, str] = {}
    for name in names:
        value = line[name]
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple | np.ndarray) else str(value or "")
        if text and text != "nan":
            facts[name] = text
    return facts


def _how(
    answer: Answer, *, where: Mapping[str, Sequence[str]], exclude: Sequence[str], selected: int | None, k: int | None
) -> dict[str, str]:
    asked = {
        "Hits": f"{len(answer):,} of {k:,} asked for" if k is not None and k != len(answer) else f"{len(answer):,}",
        "Search": answer.hits.found_by(),
    }
    if answer.query.query.known != "never":
        asked["Left out of the query's"] = ", ".join(exclude) or "nothing but the image itself"
    if where:
        conditions = [
            f"{column} = {' or '.join(values) if column in TOLD else _WITHHELD}" for column, values in where.items()
        ]
        asked["Only images with"] = "; ".join(conditions)
    if selected is not None:
        asked["Only of a part of the map"] = counted(selected, "image")
    if answer.regions is not None:
        asked["Searched in"] = f"{counted(len(answer.boxes), 'region')} of each image, the whole among them"
    if answer.within is not None:
        asked["Only within"] = " ".join(answer.within)
    asked["Order"] = answer.ordered_by or "by the number beside each hit, largest first"
    return asked


def _depends_on(collection: Collection, store: EncoderStore) -> dict[str, str]:
    record = store.record
    facts: dict[str, str] = {
        "Collection": f"{collection.title} ({collection.name}), {counted(len(collection), 'image')}",
        "Images of the collection (SHA-256)": collection.digests.images,
        "Labels of the collection (SHA-256)": _digest(dict(collection.digests.labels)),
        "Encoder": f"{record.get('title') or store.encoder_id} ({store.encoder_id})",
        "Encoder's fingerprint": str(record.get("fingerprint") or "not known: its embeddings were imported"),
    }
    if preprocessing := record.get("preprocessing"):
        facts["Preprocessing"] = ", ".join(f"{name} {_plain(value)}" for name, value in preprocessing.items())
        facts["Preprocessing (SHA-256)"] = _digest(preprocessing)
    versions = {"radcbir": _version(), **dict(record.get("versions") or {})}
    facts["Versions"] = ", ".join(f"{name} {value}" for name, value in versions.items())
    return facts


def _plain(value: Any) -> str:
    return "×".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _version() -> str:
    try:
        return version("radcbir")
    except PackageNotFoundError:
        return "from its repository"


def _digest(value: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever their order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _notes(answer: Answer, readings: Readings | None) -> list[str]:
    notes = list(answer.notes)
    if readings is not None:
        notes += [*([FAR] if readings.far else []), *readings.notes]
    return notes
