"""Collection + encoder → embeddings of the tiles of each image: regions of the gallery that can be found by themselves.

Owns the pass over the images that makes them, and their removal. Each image is decoded once, its tiles are cut out of
it as a region of a query is cut out of it, and brought to the encoder's size. The vectors of image *i* are row *i* of
one array, one behind the other, so that row order stays the law. A pass that was killed goes on after its last finished
shard and ends with the same bytes, because batches never cross the border of a shard.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import EMBEDDINGS, TILES
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.encoders import Encoder
from radcbir_core.errors import CollectionError, ImageError, QueryError, StaleError
from radcbir_core.images import DECODING
from radcbir_core.images.fitting import Fitting, Pixels
from radcbir_core.progress import Progress, silent
from radcbir_core.search.opening import MOST_TILE_BYTES, tiles_of
from radcbir_core.search.queries.region import Box
from radcbir_core.search.queries.tile_grid import TILES as BOXES
from radcbir_core.search.retriever import check_encoder
from radcbir_core.storage import disk_errors, read_json, write_array, write_json

EMBEDDING: Final = "embedding regions"
"""What whoever makes them does, for ``Collection.building``."""

SHARD_IMAGES: Final = 256
"""Images of one shard: what is lost at most when the pass is killed."""

_MADE_OF: Final = "made_of.json"
_AHEAD: Final = 16
"""Images that are decoded before they are wanted; of each its tiles at the encoder's size are in memory."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """The tiles of one image at the encoder's size; ``None`` where nothing could be made of one."""

    tiles: Sequence[Pixels | None]
    reason: str = ""


def bytes_of(images: int, dimension: int) -> int:
    """How many bytes the tiles of so many images take.

    Example:
        >>> f"{bytes_of(100_000, 512) / 1e9:.2f} GB"
        '1.02 GB'
    """
    return images * len(BOXES) * dimension * np.dtype(np.float16).itemsize


def check_tiles(store: EncoderStore) -> None:
    """Make sure that tiles can be made of a collection with an encoder.

    Raises:
        StaleError: Its embeddings are missing, or of other images than there are now.
        CollectionError: They were imported, so that there is no encoder for a part of an image; or there are too many
            images to compare all their tiles with a query while somebody waits.
    """
    name = store.collection.name
    if store.imported:
        raise CollectionError(
            f"Expected an encoder that can be given parts of images, but the embeddings {store.encoder_id} of {name} "
            "were imported. Build with an encoder that is here."
        )
    if not store.is_current(EMBEDDINGS):
        raise StaleError(
            f"Expected embeddings of the images that {name} has now, but those of {store.encoder_id} are missing or of "
            f"others. Build {name} with {store.encoder_id} again.",
            remedy=store.rebuild,
        )
    refuse_too_many(store.collection, int(store.record["dimension"]))


def refuse_too_many(collection: Collection, dimension: int) -> None:
    """Refuse tiles that cannot be compared with a query while somebody waits.

    Raises:
        CollectionError: They take more than :data:`~radcbir_core.search.opening.MOST_TILE_BYTES`.
    """
    size = bytes_of(len(collection), dimension)
    if size > MOST_TILE_BYTES:
        raise CollectionError(
            f"Expected at most {MOST_TILE_BYTES / 1e9:g} GB of regions, all of which are compared with each query, but "
            f"those of the {len(collection):,} images of {collection.name} take {size / 1e9:.1f} GB. Make them of a "
            "smaller collection, or with an encoder of fewer numbers."
        )


def make_tiles(
    store: EncoderStore, encoder: Encoder, *, workers: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Embed the tiles of each image, and record it. What is there of before is replaced.

    Call it while holding :meth:`Collection.building`. An image that cannot be read, and one without an embedding, gets
    zeros, and is never found.

    Args:
        store: Whose images, with their embeddings.
        encoder: The very one that made these.
        workers: Decoding threads; one a CPU core by default.
        progress: Told the number of images, as step "tiles".

    Returns:
        What was recorded: ``boxes``, each as its word; ``failed``, how many images with an embedding have no tile; and
        ``batch_size`` and ``decoding``, of which further ones would have to be.

    Raises:
        StaleError: The encoder is another version than the one that made the embeddings; and as :func:`check_tiles`.
        CollectionError: No image could be read; and as :func:`check_tiles`.
        StorageError: No space left, or no permission; finished shards stay.
    """
    check_tiles(store)
    check_encoder(store, encoder)
    collection = store.collection
    # Taken once: a batch that shrinks half-way for want of memory must not change which tiles share a batch.
    batch_size = encoder.batch_size
    shards = _opened_shards(store, encoder, batch_size=batch_size)
    number = -(-len(collection) // SHARD_IMAGES)
    unfinished = [shard for shard in range(number) if not _path(shards, shard).is_file()]
    done = len(collection) - sum(len(_rows(collection, shard)) for shard in unfinished)
    progress(TILES.name, done, len(collection))
    with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="cut") as pool:
        cuts = _cut_ahead(pool, store, encoder.preprocessing.fitting, unfinished)
        for shard in unfinished:
            rows = _rows(collection, shard)
            vectors = np.zeros((len(rows), len(BOXES), encoder.dimension), np.float16)
            reasons: dict[int, str] = {}
            waiting: list[tuple[int, int, Pixels]] = []
            for at, cut in enumerate(islice(cuts, len(rows))):
                if cut.reason:
                    reasons[rows[at]] = cut.reason
                waiting += [(at, tile, fitted) for tile, fitted in enumerate(cut.tiles) if fitted is not None]
                while len(waiting) >= batch_size:
                    _encode(encoder, waiting[:batch_size], vectors)
                    del waiting[:batch_size]
                done += 1
                progress(TILES.name, done, len(collection))
            if waiting:
                _encode(encoder, waiting, vectors)
            _write_shard(shards, shard, vectors, reasons)
    return _finish(store, encoder, shards, number)


def carry_tiles_over(before: Collection, after: Collection) -> None:
    """Keep the tiles that a collection had before it grew: the next :func:`make_tiles` goes on after them.

    Those of whole shards are kept; so the end is the same, byte for byte, as if all had been made at once.

    Args:
        before: As it was.
        after: As it is; its first rows are the other's, of the same pictures.

    Raises:
        StorageError: No space left, or no permission.
    """
    whole = len(before) // SHARD_IMAGES
    if before.digests.images == after.digests.images or not whole:
        return
    for encoder_id in before.encoder_ids():
        store = before.store(encoder_id)
        facts = store.facts(TILES)
        words = [box.word for box in BOXES]
        if not store.is_current(TILES) or facts.get("boxes") != words or facts.get("decoding") != DECODING:
            continue
        source, per = tiles_of(store)
        batch_size = int(facts["batch_size"])
        folder = after.layout.encoder(encoder_id).unfinished(TILES)
        shutil.rmtree(folder, ignore_errors=True)
        with disk_errors(folder):
            folder.mkdir(parents=True)
        for shard in range(whole):
            rows = _rows(before, shard)
            vectors = np.asarray(source.vectors(np.arange(rows.start * per, rows.stop * per)), np.float16)
            _write_shard(folder, shard, vectors.reshape(len(rows), per, -1), {})
        write_json(folder / _MADE_OF, _parts(after, store.record["fingerprint"], batch_size=batch_size))


def delete_tiles(collection: Collection, encoder_id: str) -> bool:
    """Delete the tiles of an encoder: what they say, then what they are. Whether there were any.

    Raises:
        CollectionError: The collection has no such encoder, or somebody builds with it.
        StorageError: No permission.
    """
    with collection.building(encoder_id, doing="deleting regions"):
        return collection.store(encoder_id).forget(TILES)


def _rows(collection: Collection, shard: int) -> range:
    return range(shard * SHARD_IMAGES, min((shard + 1) * SHARD_IMAGES, len(collection)))


def _path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:06d}.npy"


def _opened_shards(store: EncoderStore, encoder: Encoder, *, batch_size: int) -> Path:
    """The folder of unfinished shards, emptied if they are of others."""
    folder = store.layout.unfinished(TILES)
    made_of = _parts(store.collection, encoder.fingerprint, batch_size=batch_size)
    with disk_errors(folder):
        note = folder / _MADE_OF
        if folder.is_dir() and (not note.is_file() or read_json(note) != made_of):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(note, made_of)
    return folder


def _parts(collection: Collection, fingerprint: str, *, batch_size: int) -> dict[str, Any]:
    """What finished shards are parts of; others cannot be joined to them."""
    return {
        "images": collection.digests.images,
        "fingerprint": fingerprint,
        "recipe": TILES.recipe,
        "boxes": [box.word for box in BOXES],
        "shard_images": SHARD_IMAGES,
        "batch_size": batch_size,
        "decoding": DECODING,
    }


def _cut_ahead(
    pool: ThreadPoolExecutor, store: EncoderStore, fitting: Fitting, shards: Sequence[int]
) -> Iterator[_Cut]:
    """The images of some shards in order, cut up by the pool, a few of them before they are taken."""
    submitted: Iterator[Future[_Cut]] = (
        pool.submit(_cut, store, fitting, row) for shard in shards for row in _rows(store.collection, shard)
    )
    waiting = deque(islice(submitted, _AHEAD))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(islice(submitted, 1))


def _cut(store: EncoderStore, fitting: Fitting, row: int) -> _Cut:
    if not store.valid[row]:
        return _Cut(())
    try:
        pixels = store.collection.read_image(row).pixels
    except (ImageError, OSError) as error:
        return _Cut((), reason=str(error))
    return _Cut([_fitted(fitting, box, pixels) for box in BOXES])


def _fitted(fitting: Fitting, box: Box, pixels: Pixels) -> Pixels | None:
    try:
        return fitting(box.cut(pixels))
    except QueryError:
        return None  # of so small an image there is no such part


def _encode(encoder: Encoder, batch: Sequence[tuple[int, int, Pixels]], into: npt.NDArray[np.float16]) -> None:
    """Write the vectors of some tiles to their places; one of which the encoder makes nothing stays zeros."""
    for (at, tile, _), vector in zip(batch, encoder.encode_fitted([one[2] for one in batch]), strict=True):
        if np.isfinite(vector).all():
            into[at, tile] = vector


def _write_shard(folder: Path, shard: int, vectors: npt.NDArray[np.float16], reasons: dict[int, str]) -> None:
    if reasons:
        write_json(folder / f"{shard:06d}.json", {str(row): reason for row, reason in reasons.items()})
    write_array(_path(folder, shard), [vectors], shape=vectors.shape, dtype=vectors.dtype)


def _finish(store: EncoderStore, encoder: Encoder, shards: Path, number: int) -> dict[str, Any]:
    """Join the shards, record what there is, list what could not be read."""
    reasons: dict[int, str] = {}
    for shard in range(number):
        if (told := shards / f"{shard:06d}.json").is_file():
            reasons |= {int(row): str(reason) for row, reason in read_json(told).items()}
    collection = store.collection
    if len(reasons) == int(store.valid.sum()):
        shutil.rmtree(shards)
        raise CollectionError(
            f"Expected at least one image of which regions can be embedded, but all {len(reasons):,} of "
            f"{collection.name} failed; the first: {next(iter(reasons.values()))}"
        )
    width = len(BOXES) * encoder.dimension
    path = store.layout.files(TILES)[0]
    failed = 0

    def parts() -> Iterator[npt.NDArray[np.float16]]:
        nonlocal failed
        for shard in range(number):
            part = np.load(_path(shards, shard), allow_pickle=False).reshape(-1, width)
            failed += int((store.valid[list(_rows(collection, shard))] & ~part.any(axis=1)).sum())
            yield part

    # What is recorded stays meanwhile: it is of other images, of another encoder, or of other bytes than these.
    write_array(path, parts(), shape=(len(collection), width), dtype=np.float16)
    if reasons:
        problems = collection.manifest.rows(sorted(reasons), ["path", "image_id"])
        problems["source"], problems["line"] = f"regions {encoder.encoder_id}", ""
        problems["reason"] = [reasons[row] for row in sorted(reasons)]
        collection.add_problems(problems[PROBLEM_COLUMNS])
    made_of = read_json(shards / _MADE_OF)
    facts = {"failed": failed, **{name: made_of[name] for name in ("boxes", "batch_size", "decoding")}}
    store.mark(TILES, **facts)
    store.remove_remains(TILES)
    return facts
