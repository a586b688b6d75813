"""What the pages read, loaded once: all ``st.cache_*`` of the app but those of two encoders at once (paired.py).

Owns caching and nothing else. Every cached function takes names and digests, never arrays or collections: Streamlit
hashes large arrays from a sample. The digests are read from disk on each run (two small JSON files), so a collection
or an encoder that was rebuilt meanwhile is noticed without a restart. Nothing of an upload is cached here; uploads live
in the session of the person who made them.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from pages.parts.frame import encoder_warmup, server_paths
from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import EXCLUSIONS, NEAR_DUPLICATE, Exclusion, clusters_of
from radcbir_core.collections.inventory import Sizes, sizes_of
from radcbir_core.collections.kept_counts import counts_of
from radcbir_core.collections.layout import STANDARD_MAP, data_folder, list_collections
from radcbir_core.collections.manifests.counting import Counts
from radcbir_core.collections.reader_studies.study_definition import Study, read_study, study_path
from radcbir_core.collections.reviews.review_state import Reviews
from radcbir_core.collections.reviews.reviewing import read_reviews
from radcbir_core.collections.text_boxes import BurnedText
from radcbir_core.encoders import Encoder
from radcbir_core.encoders.usable import Usable, find_usable_encoders
from radcbir_core.errors import CollectionError, ImageError, RadcbirError, StaleError
from radcbir_core.evaluation.baseline import baseline_comparison
from radcbir_core.evaluation.one_figure import OneFigure, best_first, one_figure
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.seen import Seen, seen_of
from radcbir_core.images.blackout import Boxes, blacked_out
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.search.retriever import Retriever


class CollectionKey(NamedTuple):
    """What identifies an opened collection in the caches.

    Attributes:
        folder: The data folder, which tests and people move.
        name: Its name.
        version: Changes when it is imported anew, its title is changed, its images are found somewhere else, or text is
            looked for in them or painted black.
    """

    folder: str
    name: str
    version: str


class EncoderKey(NamedTuple):
    """What identifies an encoder's results in the caches.

    Attributes:
        collection: Of which collection.
        encoder_id: Of which encoder.
        record: Changes whenever one of its steps is made again.
    """

    collection: CollectionKey
    encoder_id: str
    record: str


class MapKey(NamedTuple):
    """What identifies a map in the caches.

    Attributes:
        encoder: Of which encoder.
        name: Of the map among that encoder's.
    """

    encoder: EncoderKey
    name: str


def collection_names() -> list[str]:
    """The names of all collections, sorted; read from disk each time."""
    return sorted(list_collections())


def collection(name: str) -> Collection:
    """The opened collection, with its manifest kept in memory between runs.

    Raises:
        CollectionNotFoundError: No collection has that name.
        CollectionError: It is there but damaged.
    """
    return collection_by(collection_key(open_collection(name)))


def collection_key(opened: Collection) -> CollectionKey:
    """What the contents of a collection are cached by."""
    pictures = f"{opened.blacks_out} {_stamp(opened.layout.text_boxes)}"
    version = f"{opened.digest} {opened.record.get('created', '')} {opened.image_root} {opened.title} {pictures}"
    return CollectionKey(str(data_folder()), opened.name, version)


def encoder_key(opened: Collection, encoder_id: str) -> EncoderKey:
    """What the results of an encoder are cached by.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    path = opened.layout.encoder(encoder_id).record
    try:
        record = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        message = f"Expected a readable record of the encoder {encoder_id!r}, but {path} = {error.strerror}. "
        raise CollectionError(
            message + f"Run: python -m radcbir_core build {opened.name} --encoder {encoder_id}"
        ) from error
    return EncoderKey(collection_key(opened), encoder_id, record)


def map_key(opened: Collection, encoder_id: str, name: str = STANDARD_MAP) -> MapKey:
    """What a map, and what is made of it, is cached by.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    return MapKey(encoder_key(opened, encoder_id), name)


def retriever(opened: Collection, encoder_id: str) -> Retriever:
    """Everything needed to answer queries on this collection and encoder, opened once and shared (it is thread-safe).

    Raises:
        CollectionError: The encoder is not built, or its parts do not fit the collection (StaleError).
    """
    return retriever_by(encoder_key(opened, encoder_id))


def store(opened: Collection, encoder_id: str) -> EncoderStore:
    """What the encoder has made of the collection, its arrays opened once (memory-mapped, read-only) and shared.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    return _store(encoder_key(opened, encoder_id))


def encoder(opened: Collection, encoder_id: str) -> Encoder:
    """The encoder itself, weights loaded, to embed an upload or a text. At most two are kept in memory.

    Raises:
        EncoderError: It cannot be loaded here (EncoderUnavailableError: its weights are not on this machine).
    """
    return _encoder(*version(opened, encoder_id))


def has_encoder(opened: Collection, encoder_id: str) -> bool:
    """Whether the encoder is in memory, so that a query need not wait until it is loaded."""
    return version(opened, encoder_id) in _loaded


def warm_encoder(opened: Collection, encoder_id: str) -> None:
    """Begin to load a small encoder in the background, so that the first query of a person need not wait for it."""
    encoder_warmup.warm(*version(opened, encoder_id))


def version(opened: Collection, encoder_id: str) -> tuple[str, str]:
    """What loads an encoder, and which version of it; unlike the whole record, the same while a build goes on."""
    store = opened.store(encoder_id)
    return store.spec, str(store.record.get("fingerprint", ""))


def projection(opened: Collection, encoder_id: str, name: str = STANDARD_MAP) -> pd.DataFrame:
    """Map coordinates, row-aligned with the manifest (x, y, preservation; float32). Read-only.

    Args:
        opened: The collection.
        encoder_id: Whose map.
        name: Of the map: the one that a build makes, or one that was made on request.

    Raises:
        StaleError: There is no such map.
    """
    return projection_by(map_key(opened, encoder_id, name))


def clusters(opened: Collection, encoder_id: str) -> np.ndarray:
    """What is one piece of evidence, mostly the patient: (N,) int64 codes from 0. Read-only.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    return _clusters(encoder_key(opened, encoder_id))


def seen(opened: Collection, encoder_id: str) -> Seen:
    """What the encoder has seen in training of the collection.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    return _seen(encoder_key(opened, encoder_id), *seen_of(store(opened, encoder_id)).identity)


def figure(opened: Collection, encoder_id: str) -> OneFigure | None:
    """The one figure of an encoder, as it is kept; None where it is not.

    Raises:
        CollectionError: The collection has no such encoder.
    """
    mine = store(opened, encoder_id)
    evaluation = Precision().suited(mine)
    comparison = baseline_comparison(mine, evaluation.protocol)
    folders = [one.folder(mine) for one in (evaluation, comparison) if one is not None]
    return _figure(encoder_key(opened, encoder_id), *(str(folder) for folder in folders if folder.is_dir()))


def best_encoders(opened: Collection) -> list[str]:
    """The encoders of a collection in the order in which they are offered; damaged ones come last."""
    figures: dict[str, OneFigure | None] = {}
    for encoder_id in opened.encoder_ids():
        try:
            if artifact_states(opened, encoder_id)["neighbors"] == "current":
                figures[encoder_id] = figure(opened, encoder_id)
        except RadcbirError:
            continue  # said where it is opened
    return best_first(opened.encoder_ids(), figures.get, is_built=figures.__contains__)


def artifact_states(opened: Collection, encoder_id: str) -> Mapping[str, str]:
    """The state of each artifact of an encoder: ``current``, ``missing`` or ``stale``; read from disk each time."""
    return opened.store(encoder_id).states()


def offered_exclusions(opened: Collection, encoder_id: str, *, always: Sequence[str]) -> list[Exclusion]:
    """What a query may be kept from returning: what the collection knows of, and near-duplicates once they are built.

    Args:
        opened: The open collection.
        encoder_id: One that it was built with.
        always: Those that are offered in any case.
    """
    known = {*facts(opened).known_groups, *always}
    if artifact_states(opened, encoder_id)[NEAR_DUPLICATES.name] == "current":
        known.add(NEAR_DUPLICATE)
    return [name for name in EXCLUSIONS if name in known]


def facts(opened: Collection) -> Counts:
    """What is in a collection, counted once."""
    return _facts(collection_key(opened))


def counts(opened: Collection) -> Counts:
    """What :func:`facts` are of a collection that need not be open: a few columns of its manifest are read.

    Raises:
        CollectionError: The manifest is missing, damaged, or another than the collection's.
    """
    return _counts(collection_key(opened))


def sizes(opened: Collection) -> Sizes:
    """How much room a collection takes on disk; looked at again every few seconds."""
    return _sizes(collection_key(opened), str(opened.folder))


@st.cache_data(ttl=60, show_spinner="Looking which encoders are here…")
def usable_encoders() -> list[Usable]:
    """The encoders that can be used on this machine without a network; looked for again every minute."""
    return find_usable_encoders([data_folder().absolute() / "encoders"])


def problems(opened: Collection) -> pd.DataFrame:
    """What could not be imported or decoded; read again when the file has changed. Read-only."""
    return server_paths.shown_in(_problems(collection_key(opened), _stamp(opened.layout.problems)))


def problem_count(opened: Collection) -> int:
    """How many rows :func:`problems` has; for many collections at once."""
    return _problem_count(collection_key(opened), _stamp(opened.layout.problems))


def burned_text(opened: Collection) -> BurnedText:
    """In which images of a collection text seems burned in; read again when it was looked for. Read-only.

    Raises:
        CollectionError: What was found is damaged.
    """
    return _burned_text(collection_key(opened))


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file is written anew."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def reviews(opened: Collection) -> Reviews:
    """What people said of a collection's images; read again when somebody has said something. Read-only.

    Raises:
        CollectionError: The log cannot be read.
    """
    try:
        stat = opened.layout.reviews.stat()
    except OSError:  # nothing was said yet, or reading it will tell
        return _reviews(str(opened.folder), (0, 0, 0))
    return _reviews(str(opened.folder), (stat.st_mtime_ns, stat.st_size, stat.st_ino))


def reader_study(opened: Collection, name: str) -> Study:
    """A reader study; read again when its file is another. Read-only.

    Raises:
        StudyError: There is none of that name, or it is damaged.
    """
    try:
        stat = study_path(opened.folder, name).stat()
    except OSError:
        return read_study(opened.folder, name)  # it says what is wrong
    return _reader_study(str(opened.folder), name, (stat.st_mtime_ns, stat.st_size, stat.st_ino))


def samples(opened: Collection, count: int) -> list[int]:
    """Rows that show what is in a collection: one of each modality and anatomy, most frequent pairs first.

    Where there are fewer pairs than ``count``, further images of the same pairs follow in turn. The same collection
    gives the same rows each time.
    """
    return _samples(collection_key(opened), count)


def preview(opened: Collection, row: int, *, hidden: Boxes | None = None) -> bytes:
    """An image at a size to look at beside others (at most 720 px), as PNG.

    Args:
        opened: Where the image is.
        row: Its row in the manifest.
        hidden: What is painted black in it; nothing by default.

    Raises:
        ImageError: Its file is gone or cannot be decoded.
    """
    boxes = () if hidden is None else tuple(map(tuple, hidden.tolist()))
    return _preview(collection_key(opened), row, boxes)


def thumbnail(opened: Collection, row: int) -> bytes | None:
    """The small picture of an image; None where there is none.

    A collection of imported embeddings has none of its own: where its images are at hand, they are made when asked for.
    """
    made = opened.thumbnail(row)
    return _thumbnail(collection_key(opened), row) if made is None and opened.without_images else made


@st.cache_resource(max_entries=4, show_spinner=False)
def _burned_text(key: CollectionKey) -> BurnedText:
    return collection_by(key).burned_text()


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(key: CollectionKey, row: int) -> bytes | None:
    opened = collection_by(key)
    try:
        pixels = opened.read_image(row).pixels
    except ImageError:
        return None
    return thumbnail_of(blacked_out(pixels, opened.burned_text().hidden(row)) if opened.blacks_out else pixels)


@st.cache_data(max_entries=64, show_spinner=False)
def _preview(key: CollectionKey, row: int, boxes: tuple[tuple[int, ...], ...]) -> bytes:
    pixels = collection_by(key).read_image(row).pixels
    image = Image.fromarray(blacked_out(pixels, np.array(boxes, dtype=np.int16).reshape(-1, 4)))
    image.thumbnail((720, 720))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


@st.cache_resource(max_entries=4, show_spinner=False)
def collection_by(key: CollectionKey) -> Collection:
    """The collection of a key, opened once and shared."""
    opened = open_collection(key.name)
    len(opened.manifest)  # reads the table now, under this cache's lock, and not in several sessions at once
    return opened


@st.cache_resource(max_entries=4, show_spinner=False)
def _store(key: EncoderKey) -> EncoderStore:
    return collection_by(key.collection).store(key.encoder_id)


@st.cache_resource(max_entries=4, show_spinner="Opening the index…")
def retriever_by(key: EncoderKey) -> Retriever:
    """The retriever of a key, opened once and shared."""
    opened = collection_by(key.collection)
    return Retriever(opened, key.encoder_id, encoder=lambda: encoder(opened, key.encoder_id))


_ENCODERS: Final = 2
_loaded: deque[tuple[str, str]] = deque(maxlen=_ENCODERS)


@st.cache_resource(max_entries=_ENCODERS, show_spinner="Loading the encoder…")
def _encoder(spec: str, fingerprint: str) -> Encoder:
    loaded = encoder_warmup.take(spec, fingerprint)
    _loaded.append((spec, fingerprint))
    return loaded


@st.cache_resource(max_entries=4, show_spinner=False)
def projection_by(key: MapKey) -> pd.DataFrame:
    """The coordinates of a key, read once and shared."""
    store = _store(key.encoder)
    projection = store.projection(key.name)
    if projection is None:
        name, encoder_id = store.collection.name, key.encoder.encoder_id
        if key.name != STANDARD_MAP:
            raise StaleError(
                f"Expected a map {key.name!r} of {name} by {encoder_id}, but there is none. Choose another on the Map."
            )
        raise StaleError(
            f"Expected a map of {name} by {encoder_id}, but there is none. Build {name} with {encoder_id}.",
            remedy=store.rebuild,
        )
    return projection


@st.cache_resource(max_entries=4, show_spinner=False)
def _clusters(key: EncoderKey) -> np.ndarray:
    return clusters_of(_store(key))


@st.cache_resource(max_entries=16, show_spinner=False)
def _seen(key: EncoderKey, *identity: str) -> Seen:  # noqa: ARG001 - the list that the rows are made of
    return seen_of(_store(key))


@st.cache_data(max_entries=256, show_spinner=False)
def _figure(key: EncoderKey, *kept: str) -> OneFigure | None:  # noqa: ARG001 - the folders that it is read from
    return one_figure(_store(key))


@st.cache_data(max_entries=8, show_spinner=False)
def _samples(key: CollectionKey, count: int) -> list[int]:
    manifest = collection_by(key).manifest
    modality, anatomy = manifest.codes("modality"), manifest.codes("anatomy")
    pairs = (modality.codes + 1) * (len(anatomy.values) + 1) + anatomy.codes + 1
    frequency = np.bincount(pairs)
    order = np.random.default_rng(0).permutation(len(manifest))
    # Few pairs, as numbers of two bytes, are put in order many times as quickly as other things.
    pair = pairs[order].astype(np.int16 if len(frequency) < 2**15 else np.int32)
    by_pair = np.argsort(pair, kind="stable")
    turn = np.empty(len(order), dtype=np.int32)
    turn[by_pair] = np.arange(len(order)) - np.repeat(np.cumsum(frequency) - frequency, frequency)
    # No pair is asked for more often than this.
    early = np.flatnonzero(turn < count)
    best = early[np.lexsort((pair[early], -frequency[pair[early]], turn[early]))[:count]]
    return [int(row) for row in order[best]]


@st.cache_data(max_entries=64, show_spinner="Counting what is in the collections…")
def _counts(key: CollectionKey) -> Counts:
    return counts_of(open_collection(key.name))


@st.cache_data(max_entries=64, ttl=10, show_spinner=False)
def _sizes(key: CollectionKey, folder: str) -> Sizes:  # noqa: ARG001 - part of what it is cached by
    return sizes_of(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _problems(key: CollectionKey, stamp: tuple[int, int]) -> pd.DataFrame:  # noqa: ARG001 - as above
    return open_collection(key.name).problems()


@st.cache_data(max_entries=64, show_spinner=False)
def _problem_count(key: CollectionKey, stamp: tuple[int, int]) -> int:  # noqa: ARG001 - as above
    return len(open_collection(key.name).problems())


@st.cache_resource(max_entries=4, show_spinner=False)
def _reviews(folder: str, stamp: tuple[int, int, int]) -> Reviews:  # noqa: ARG001 - as above
    return read_reviews(Path(folder))


@st.cache_data(max_entries=4, show_spinner=False)
def _facts(key: CollectionKey) -> Counts:
    return counts_of(collection_by(key))


@st.cache_resource(max_entries=8, show_spinner=False)
def _reader_study(folder: str, name: str, stamp: tuple[int, int, int]) -> Study:  # noqa: ARG001 - as above
    return read_study(Path(folder), name)
