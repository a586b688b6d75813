"""The demonstration: the phantom collection, built with the encoder that comes with RadCBIR.

Owns what is made and in which order, the lock that lets any number of processes ask for it at once and makes it once,
and the note on disk by which those who wait can watch. Drawing is ``importers.phantoms``' business, building
``build``'s.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import filelock

from radcbir_core.build import build
from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import check_name, collections_folder, list_collections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionExistsError, Remedy
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors
from radcbir_core.synthetic.phantom_collection import DEFAULT_IMAGES, DEFAULT_NAME, TITLE, make_phantoms

NAME: Final = DEFAULT_NAME
ENCODER: Final = "radcbir-mini"
STAGES: Final = ("load", "draw", *ARTIFACT_NAMES)
"""What progress is told about, in this order; a stage that is finished already may be left out."""

_NOTE_SECONDS = 0.3


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

    Stopped or killed at any time and called again, it goes on where it stopped. While another thread or process is at
    it, this one waits, is told the other's progress, and then finds everything made.

    Args:
        name: The collection's name.
        images: How many phantoms; by default 2,400, or those there are.
        progress: Told how far each of :data:`STAGES` is.

    Raises:
        EncoderError: The encoder's files are missing or damaged; nothing has been drawn then.
        CollectionExistsError: There is a collection of that name with another number of images.
        CollectionError: The collection is damaged, or being built by another command.
        StorageError: No space left, or no permission.
    """
    check_name(name)
    with _turn(name, progress) as told:
        seconds = {}
        exists = name in list_collections()
        if exists and images is not None and len(open_collection(name)) != images:
            raise CollectionExistsError(
                f"Expected {images:,} phantoms in {name}, but it is there already with {len(open_collection(name)):,}. "
                "Remove it first, or choose another name.",
                remedy=Remedy("remove", name),
            )
        told("load", 0, 1)
        encoder = load_encoder(ENCODER)
        told("load", 1, 1)
        if not exists:
            started = time.monotonic()
            make_phantoms(name=name, images=DEFAULT_IMAGES if images is None else images, progress=told)
            seconds["draw"] = time.monotonic() - started
        report = build(open_collection(name), encoder, progress=told)
    return DemoReport(name, report.images, seconds | report.seconds)


def is_wanted() -> bool:
    """Whether the app makes the demonstration by itself: there is no collection, or it was begun and is unfinished.

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


@contextmanager
def _turn(name: str, progress: Progress) -> Iterator[Progress]:
    """Hold the right to make ``name``; until it is free, pass on the progress of whoever holds it."""
    folder = collections_folder()
    note = folder / f".demo-{name}.json"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f".demo-{name}.lock", timeout=_NOTE_SECONDS, thread_local=False)
        while True:
            try:
                lock.acquire()
            except filelock.Timeout:
                _pass_on(note, progress)
            else:
                break
    last, written = "", 0.0

    def told(step: str, done: int, total: int) -> None:
        nonlocal last, written
        if step != last or done >= total or time.monotonic() - written > _NOTE_SECONDS:
            last, written = step, time.monotonic()
            _write_note(note, {"step": step, "done": done, "total": total})
        progress(step, done, total)

    try:
        yield told
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def _write_note(note: Path, facts: dict[str, str | int]) -> None:
    # Not worth stopping for: where the disk is full, the work itself says so.
    with contextlib.suppress(OSError):
        partial = note.with_suffix(".partial")
        partial.write_text(json.dumps(facts), encoding="utf-8")
        partial.replace(note)


def _pass_on(note: Path, progress: Progress) -> None:
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        step, done, total = str(facts["step"]), int(facts["done"]), int(facts["total"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # not written yet, or just removed
    progress(step, done, total)
