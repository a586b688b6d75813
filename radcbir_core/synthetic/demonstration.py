"""The demonstration: the phantom collection, built with the encoder that comes with RadCBIR.

Owns what is made and in which order. Drawing is ``phantom_collection``'s business, building ``pipeline``'s, and that it
is made once whoever asks for it at once ``radcbir_core.jobs``'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import check_name, list_collections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionExistsError, Remedy
from radcbir_core.pipeline import build_collection
from radcbir_core.progress import Progress, silent
from radcbir_core.synthetic.phantom_collection import DEFAULT_IMAGES, DEFAULT_NAME, TITLE, make_phantoms
from radcbir_core.synthetic.phantoms.patients import labels_for

NAME: Final = DEFAULT_NAME
ENCODER: Final = "radcbir-mini"
STAGES: Final = ("load", "draw", *ARTIFACT_NAMES)
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
    seconds = {}
    exists = name in list_collections()
    if exists and images is not None and len(open_collection(name)) != images:
        raise CollectionExistsError(
            f"Expected {images:,} phantoms in {name}, but it is there already with {len(open_collection(name)):,}. "
            "Remove it first, or choose another name.",
            remedy=Remedy("remove", name),
        )
    progress("load", 0, 1)
    encoder = load_encoder(ENCODER)
    progress("load", 1, 1)
    if not exists:
        started = time.monotonic()
        number = DEFAULT_IMAGES if images is None else images
        make_phantoms(name=name, images=number, labels=labels_for(number), progress=progress)
        seconds["draw"] = time.monotonic() - started
    report = build_collection(open_collection(name), encoder, progress=progress)
    return DemoReport(name, report.images, seconds | report.seconds)


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
    if ENCODER not in collection.encoder_ids():
        return True
    return not collection.store(ENCODER).is_current()
