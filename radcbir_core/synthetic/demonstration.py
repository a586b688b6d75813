"""The demonstration: the phantom collection, built with the encoder that comes with RadCBIR.

Owns what is made and in which order: a few patients of each label are drawn and embedded first, so that there is
something to search while the others are drawn. Drawing is ``phantom_collection``'s business, building ``pipeline``'s,
and that it is made once whoever asks for it at once ``radcbir_core.jobs``'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from radcbir_core.collections.artifacts import ARTIFACT_NAMES, TILES
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import check_name, list_collections
from radcbir_core.embed import embed, is_current
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.errors import CollectionExistsError, Remedy
from radcbir_core.pipeline import build_collection
from radcbir_core.progress import Progress, silent
from radcbir_core.synthetic.phantom_collection import (
    DEFAULT_IMAGES,
    DEFAULT_NAME,
    DEFAULT_SEED,
    TITLE,
    complete_phantoms,
    images_planned,
    make_phantoms,
)
from radcbir_core.synthetic.phantoms.patients import labels_for, patients

NAME: Final = DEFAULT_NAME
ENCODER: Final = "radcbir-mini"
FEWEST_TO_BEGIN_WITH: Final = 1000
"""Of so many images and more a part is drawn first."""
FIRST_PATIENTS: Final = 120
"""Two of each label: one of a query and one that it can find."""
STAGES: Final = ("load", "first", "draw", *ARTIFACT_NAMES, TILES.name)
"""What progress is told about, in this order; a stage that is finished already may be left out."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was done.

    Attributes:
        name: The collection's.
        images: How many it has.
        seconds: Stage → how long it took; what was finished already is not in it.
    """

    name: str
    images: int
    seconds: dict[str, float] = field(default_factory=dict)


def make_demo(*, name: str = NAME, images: int | None = None, progress: Progress = silent) -> DemoReport:
    """Draw the phantom collection and build it with :data:`ENCODER`; what is current is left as it is.

    Stopped or killed at any time and called again, it goes on where it stopped.

    Args:
        name: The collection's name.
        images: How many phantoms; by default 2,400, or those there are. Few show fewer labels, so that each has several
            patients and every evaluation has something to find.
        progress: Told how far each of :data:`STAGES` is.

    Raises:
        EncoderError: The encoder's files are missing or damaged; nothing has been drawn then.
        CollectionExistsError: There is a collection of that name with another number of images.
        CollectionError: The collection is damaged, or being built by another command.
        StorageError: No space left, or no permission.
    """
    check_name(name)
    seconds: dict[str, float] = {}
    exists = name in list_collections()
    if exists and images is not None and (planned := images_planned(open_collection(name))) != images:
        raise CollectionExistsError(
            f"Expected {images:,} phantoms in {name}, but it is there already with {planned:,}. "
            "Remove it first, or choose another name.",
            remedy=Remedy("remove", name),
        )
    progress("load", 0, 1)
    encoder = load_encoder(ENCODER)
    progress("load", 1, 1)
    if not exists:
        _begin(name, DEFAULT_IMAGES if images is None else images, seconds, progress)
    collection = open_collection(name)
    if len(collection) < images_planned(collection):
        _complete(collection, encoder, seconds, progress)
    report = build_collection(open_collection(name), encoder, tiles=True, progress=progress)
    return DemoReport(name, report.images, seconds | report.seconds)


def _begin(name: str, images: int, seconds: dict[str, float], progress: Progress) -> None:
    """Draw all images, or the first ones of many."""
    labels = labels_for(images)
    started = time.monotonic()
    if images < FEWEST_TO_BEGIN_WITH:
        make_phantoms(name=name, images=images, labels=labels, progress=progress)
        seconds["draw"] = time.monotonic() - started
        return
    number = sum(patient.kept for patient in islice(patients(images, seed=DEFAULT_SEED, labels=labels), FIRST_PATIENTS))
    make_phantoms(
        name=name,
        images=images,
        labels=labels,
        begin_with=FIRST_PATIENTS,
        progress=lambda _, done, __: progress("first", done // 2, number),
    )
    seconds["first"] = time.monotonic() - started


def _complete(collection: Collection, encoder: Encoder, seconds: dict[str, float], progress: Progress) -> None:
    """Embed the first images, then draw and embed all others."""
    started = time.monotonic()
    number = len(collection)
    with collection.building(encoder.encoder_id):
        if not is_current(collection, encoder):
            embed(collection, encoder, progress=lambda _, done, __: progress("first", (number + done) // 2, number))
    drawing = time.monotonic()
    seconds["first"] = seconds.get("first", 0.0) + drawing - started

    def fill(complete: Collection) -> None:
        embedding = time.monotonic()
        seconds["draw"] = embedding - drawing
        embed(complete, encoder, progress=progress)
        seconds["embeddings"] = time.monotonic() - embedding

    complete_phantoms(collection.name, fill=fill, progress=progress)


def is_wanted() -> bool:
    """Whether the app makes the demonstration by itself: there is no collection, or it is there and unfinished.

    Where it was stopped while it was still being drawn, its job says so.

    Raises:
        CollectionError: The collection is damaged.
    """
    names = list_collections()
    if NAME not in names:
        return not names
    collection = open_collection(NAME)
    if collection.title != TITLE:
        return False  # somebody's own collection, which only shares the name
    if ENCODER not in collection.encoder_ids() or len(collection) < images_planned(collection):
        return True
    return not collection.store(ENCODER).is_current()
