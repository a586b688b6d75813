"""Collection + encoder → embeddings and thumbnails.

Owns the pass over the images: each is read and decoded once, for the thumbnail and the encoder alike, while the encoder
works on the batch before. The processes that decode also bring a picture to the encoder's size and make the thumbnail,
so that a few thousand bytes of each image reach this process, several images in one message. Results are written shard
by shard; a pass that was killed goes on after its last finished shard and ends with the same bytes, because batches
never cross the border of a shard.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import FIRST_DECODING, void_embeddings, write_encoder_record
from radcbir_core.collections.layout import EncoderLayout
from radcbir_core.collections.records.migration import migrated_parts
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.collections.thumbnails import SHARD_ROWS
from radcbir_core.encoders import Encoder
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.images import DECODING, prepare_images
from radcbir_core.images.blackout import blacked_out_thumbnail
from radcbir_core.images.fitting import Fitting
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.progress import Progress, silent
from radcbir_core.search.opening import vectors_of
from radcbir_core.storage import disk_errors, read_json, write_array, write_json

_MADE_OF = "made_of.json"
_DECODING = "decoding"
_BATCHES_AHEAD = 2
# Asked for in one message: enough that messages cost nothing beside decoding, few enough to keep all processes busy.
_FILES_TOGETHER = 16
_RECORDED_PACKAGES = (
    "numpy",
    "pillow",
    "pydicom",
    "torch",
    "torchvision",
    "open_clip_torch",
    "timm",
    "transformers",
    "usearch",
    "numkong",
)


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What a pass did.

    Attributes:
        images: Rows that have an embedding now.
        failed: Rows that could not be read, decoded or encoded; they are listed in problems.csv.
        resumed_rows: Rows that an earlier pass had finished.
        seconds: How long this pass took.
    """

    images: int
    failed: int
    resumed_rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What was made of one image; ``reason`` says why it is nothing."""

    row: int
    fitted: npt.NDArray[np.uint8] | None = None
    thumbnail: bytes = b""
    reason: str = ""


_Encoded = tuple[_Prepared, npt.NDArray[np.float32] | None]


def is_current(collection: Collection, encoder: Encoder) -> bool:
    """Whether the collection has embeddings, undamaged, made of its images by this very version of the encoder."""
    if encoder.encoder_id not in collection.encoder_ids():
        return False
    store = collection.store(encoder.encoder_id)
    made_by_it = store.is_current(EMBEDDINGS) and store.record.get("fingerprint") == encoder.fingerprint
    return made_by_it and store.is_whole(EMBEDDINGS)


def embed(
    collection: Collection,
    encoder: Encoder,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> EmbedReport:
    """Make the embeddings of a collection, and its thumbnails where they are missing.

    Call it while holding :meth:`Collection.building`. Images that fail get a row of zeros, are never returned as hits,
    and are added to problems.csv.

    Args:
        collection: Whose images.
        encoder: Makes the embeddings.
        workers: How many processes decode, at most; one a CPU core by default.
        progress: Told the number of images, as step "embeddings".

    Returns:
        What was done.

    Raises:
        StorageError: No space left, or no permission; finished shards stay.
        CollectionError: Not one image could be embedded.
    """
    started = time.monotonic()
    layout = collection.layout.encoder(encoder.encoder_id)
    # Taken once: a batch that shrinks half-way for want of memory must not change which images share a batch.
    batch_size = encoder.batch_size
    shards = _open_shards(layout.unfinished(EMBEDDINGS), collection, encoder, batch_size=batch_size)
    number = -(-len(collection) // SHARD_ROWS)
    unfinished = [s for s in range(number) if not (_shard_path(shards, s).is_file() and collection.thumbnails.has(s))]
    hide = _hiding(collection)
    done = len(collection) - sum(len(_rows_of(collection, s)) for s in unfinished)
    resumed = done
    progress(EMBEDDINGS.name, done, len(collection))
    with (
        ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="decode") as pool,
        ThreadPoolExecutor(1, thread_name_prefix="encode") as encoding,
    ):
        prepared = _prepare_ahead(pool, collection, encoder, unfinished, ahead=4 * batch_size)
        encoded = _encode_ahead(encoding, collection, encoder, prepared, shards=unfinished, batch_size=batch_size)
        for shard in unfinished:
            rows = _rows_of(collection, shard)
            vectors, thumbnails, reasons = np.zeros((len(rows), encoder.dimension), np.float16), [b""] * len(rows), {}
            for batch in islice(encoded, -(-len(rows) // batch_size)):
                for item, vector in batch:
                    thumbnails[item.row - rows.start] = item.thumbnail
                    if item.reason:
                        reasons[item.row] = item.reason
                    elif vector is not None and np.isfinite(vector).all() and vector.any():
                        vectors[item.row - rows.start] = vector
                    else:
                        reasons[item.row] = (
                            f"Expected an embedding of finite, non-zero length, but {encoder.encoder_id} gave none: "
                            "the image may be one flat color."
                        )
                done += len(batch)
                progress(EMBEDDINGS.name, done, len(collection))
            if not collection.thumbnails.has(shard):
                collection.thumbnails.write(shard, [hide(row, one) for row, one in zip(rows, thumbnails, strict=True)])
            _write_shard(shards, shard, vectors, reasons)
    failed = _finish(collection, encoder, shards, number)
    return EmbedReport(
        images=len(collection) - len(failed),
        failed=len(failed),
        resumed_rows=resumed,
        seconds=time.monotonic() - started,
    )


def carry_over(before: Collection, after: Collection) -> None:
    """Keep what a collection had before it grew: the next :func:`embed` goes on after it.

    Embeddings and thumbnails of whole shards are kept; those of the last rows, whose shard is no longer whole, are made
    again. So the end is the same, byte for byte, as if everything had been made at once. Where the images are the same
    and only labels have changed, everything stays as it is.

    Args:
        before: As it was.
        after: As it is, in a folder that began as a copy of the other's; its first rows are the other's, of the same
            pictures.

    Raises:
        StorageError: No space left, or no permission.
    """
    if before.digests.images == after.digests.images:
        return
    whole, rest = divmod(len(before), SHARD_ROWS)
    if rest and len(after) > len(before):
        after.thumbnails.remove(whole)
    elif rest:
        whole += 1
    for encoder_id in before.encoder_ids():
        store = before.store(encoder_id)
        if store.imported or not store.is_current(EMBEDDINGS) or "batch_size" not in store.record or not whole:
            continue
        shards = after.layout.encoder(encoder_id).unfinished(EMBEDDINGS)
        shutil.rmtree(shards, ignore_errors=True)
        shards.mkdir()
        reasons = _reasons_before(before, encoder_id)
        source = vectors_of(store)
        for shard in range(whole):
            rows = _rows_of(before, shard)
            failed = {row: reasons[row] for row in rows if row in reasons}
            kept = np.asarray(source.vectors(np.arange(rows.start, rows.stop)), np.float16)
            _write_shard(shards, shard, kept, failed)
        made_of = _parts_of(after, store.record["fingerprint"], batch_size=store.record["batch_size"])
        write_json(shards / _MADE_OF, made_of | {_DECODING: store.decoding})


def _parts_of(collection: Collection, fingerprint: str, *, batch_size: int) -> dict[str, str | int]:
    """What finished shards are parts of; others cannot be joined to them."""
    return {
        "images": collection.digests.images,
        "fingerprint": fingerprint,
        "shard_rows": SHARD_ROWS,
        "batch_size": batch_size,
    }


def _reasons_before(collection: Collection, encoder_id: str) -> dict[int, str]:
    """Row → why it has no embedding."""
    failed = [int(row) for row in collection.store(encoder_id).record.get("failed_rows", [])]
    problems = collection.problems()
    told = problems[problems["source"] == f"build {encoder_id}"].set_index("image_id")["reason"].to_dict()
    ids = collection.manifest.arrow("image_id")
    return {row: str(told.get(ids[row].as_py(), "Expected an embedding, but there was none.")) for row in failed}


def mend_thumbnails(collection: Collection, *, workers: int | None = None) -> int:
    """Make thumbnails anew that are damaged or missing on disk, of images that are at hand; the others stay.

    Call it while holding :meth:`Collection.building`.

    Args:
        collection: Whose.
        workers: Decoding threads; one a CPU core by default.

    Returns:
        How many were made.

    Raises:
        StorageError: No space left, or no permission.
    """
    made, hide = 0, _hiding(collection)
    for shard in range(-(-len(collection) // SHARD_ROWS)):
        if collection.thumbnails.is_whole(shard):
            continue
        rows = _rows_of(collection, shard)
        kept = {row: thumbnail for row in rows if (thumbnail := _intact_thumbnail(collection, row)) is not None}
        with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="decode") as pool:
            lost = [row for row in rows if row not in kept]
            anew = dict(zip(lost, pool.map(partial(_thumbnail_anew, collection), lost), strict=True))
        anew = {row: hide(row, thumbnail) for row, thumbnail in anew.items()}
        if any(anew.values()):  # otherwise no image is at hand, and nothing is won
            collection.thumbnails.write(shard, [kept.get(row) or anew.get(row, b"") for row in rows])
            made += sum(map(bool, anew.values()))
    return made


def _hiding(collection: Collection) -> Callable[[int, bytes], bytes]:
    """What paints the text black in a new thumbnail of a row, where the collection's are to be without."""
    if not collection.blacks_out:
        return lambda _, thumbnail: thumbnail
    burned = collection.burned_text()
    return lambda row, thumbnail: blacked_out_thumbnail(thumbnail, burned.hidden(row)) if thumbnail else thumbnail


def _intact_thumbnail(collection: Collection, row: int) -> bytes | None:
    try:
        return collection.thumbnails.read(row)
    except CollectionError:
        return None


def _thumbnail_anew(collection: Collection, row: int) -> bytes:
    try:
        return thumbnail_of(collection.read_image(row).pixels)
    except (ImageError, OSError):
        return b""


def _open_shards(folder: Path, collection: Collection, encoder: Encoder, *, batch_size: int) -> Path:
    """The folder of unfinished shards, emptied if they are of other images, another encoder version or batch size."""
    made_of = _parts_of(collection, encoder.fingerprint, batch_size=batch_size)
    decoding = DECODING
    with disk_errors(folder):
        if folder.is_dir():
            note = folder / _MADE_OF
            parts = migrated_parts(read_json(note)) if note.is_file() else {}
            # Finished shards of an earlier decoding are kept, as hardly an image differs; the whole counts as of it.
            earlier = parts.pop(_DECODING, FIRST_DECODING)
            if parts == made_of:
                decoding = min(int(earlier), DECODING)
            else:
                shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _MADE_OF, made_of | {_DECODING: decoding})
    return folder


def _rows_of(collection: Collection, shard: int) -> range:
    return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, len(collection)))


def _shard_path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:06d}.npy"


def _reasons_path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:06d}.json"


def _prepare_ahead(
    pool: ThreadPoolExecutor, collection: Collection, encoder: Encoder, shards: Sequence[int], *, ahead: int
) -> Iterator[_Prepared]:
    """The images of ``shards`` in order, decoded by the pool, at most ``ahead`` of them before they are taken."""
    fitting = encoder.preprocessing.fitting
    submitted: Iterator[Future[list[_Prepared]]] = (
        pool.submit(_prepare, collection, fitting, part, thumbnails=not collection.thumbnails.has(shard))
        for shard in shards
        for part in _parts(_rows_of(collection, shard))
    )
    waiting = deque(islice(submitted, -(-ahead // _FILES_TOGETHER)))
    while waiting:
        yield from waiting.popleft().result()
        waiting.extend(islice(submitted, 1))


def _parts(rows: range) -> Iterator[range]:
    """Rows that are asked for in one message."""
    return (rows[start : start + _FILES_TOGETHER] for start in range(0, len(rows), _FILES_TOGETHER))


def _prepare(collection: Collection, fitting: Fitting, rows: range, *, thumbnails: bool) -> list[_Prepared]:
    found = list(collection.image_files(rows))
    files = [one for one in found if not isinstance(one, Exception)]
    made = prepare_images(files, fitting=fitting, thumbnails=thumbnails)
    results = [one if isinstance(one, Exception) else next(made) for one in found]
    return [
        _Prepared(row, reason=str(one)) if isinstance(one, Exception) else _Prepared(row, one.pixels, one.thumbnail)
        for row, one in zip(rows, results, strict=True)
    ]


def _encode_ahead(
    encoding: ThreadPoolExecutor,
    collection: Collection,
    encoder: Encoder,
    prepared: Iterator[_Prepared],
    *,
    shards: Sequence[int],
    batch_size: int,
) -> Iterator[list[_Encoded]]:
    """The batches of ``shards`` in order, each image with its vector; none holds images of two shards.

    The next batch is put together while the encoder works on the one before, so that a device need not wait.
    """
    waiting: deque[Future[list[_Encoded]]] = deque()
    for shard in shards:
        left = len(_rows_of(collection, shard))
        while left:
            batch = list(islice(prepared, min(batch_size, left)))
            left -= len(batch)
            waiting.append(encoding.submit(_encode, encoder, batch))
            if len(waiting) > _BATCHES_AHEAD:
                yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _encode(encoder: Encoder, batch: Sequence[_Prepared]) -> list[_Encoded]:
    """Each image of a batch with its vector, ``None`` for those that have no input."""
    fitted = [item.fitted for item in batch if item.fitted is not None]
    vectors = iter(encoder.encode_fitted(fitted) if fitted else ())
    return [(item, None if item.fitted is None else next(vectors)) for item in batch]


def _write_shard(folder: Path, shard: int, vectors: npt.NDArray[np.float16], reasons: dict[int, str]) -> None:
    if reasons:
        write_json(_reasons_path(folder, shard), {str(row): reason for row, reason in reasons.items()})
    write_array(_shard_path(folder, shard), [vectors], shape=vectors.shape, dtype=vectors.dtype)


def _finish(collection: Collection, encoder: Encoder, shards: Path, number: int) -> list[int]:
    """Join the shards to embeddings.npy, write encoder.json and the problems; the rows that failed."""
    reasons: dict[int, str] = {}
    for shard in range(number):
        if _reasons_path(shards, shard).is_file():
            reasons |= {int(row): reason for row, reason in read_json(_reasons_path(shards, shard)).items()}
    if len(reasons) == len(collection):
        shutil.rmtree(shards)
        raise CollectionError(
            f"Expected at least one image that can be embedded, but all {len(collection)} of {collection.name} failed; "
            f"the first: {reasons[0]}"
        )
    layout = collection.layout.encoder(encoder.encoder_id)
    path = layout.files(EMBEDDINGS)[0]
    parts = (np.load(_shard_path(shards, shard), allow_pickle=False) for shard in range(number))
    void_embeddings(layout)
    write_array(path, parts, shape=(len(collection), encoder.dimension), dtype=np.float16)
    # The record last: once it says that all is there, nobody looks again for what is not.
    if reasons:
        _list_problems(collection, encoder, reasons)
    decoding = int(read_json(shards / _MADE_OF)[_DECODING])
    _describe(collection, encoder, layout, failed=sorted(reasons), decoding=decoding)
    shutil.rmtree(shards)
    return sorted(reasons)


def _describe(
    collection: Collection, encoder: Encoder, layout: EncoderLayout, *, failed: Sequence[int], decoding: int
) -> None:
    """Write encoder.json anew: everything that decides the numbers."""
    write_encoder_record(
        layout,
        {
            "encoder_id": encoder.encoder_id,
            "title": encoder.title,
            "spec": encoder.spec,
            "fingerprint": encoder.fingerprint,
            "weights_digest": encoder.weights_digest,
            "preprocessing": encoder.preprocessing.as_dict(),
            **({"assumed_preprocessing": list(assumed)} if (assumed := encoder.preprocessing.assumed) else {}),
            _DECODING: decoding,
            "dimension": encoder.dimension,
            "supports_text": encoder.supports_text,
            "dtype": "float16",
            "device": encoder.device,
            "batch_size": encoder.batch_size,
            "precision": asdict(encoder.precision),
            "versions": _versions(),
            "failed_rows": list(failed),
        },
        images=collection.digests.images,
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _list_problems(collection: Collection, encoder: Encoder, reasons: dict[int, str]) -> None:
    rows = sorted(reasons)
    problems = collection.manifest.rows(rows, ["path", "image_id"])
    problems["source"], problems["line"] = f"build {encoder.encoder_id}", ""
    problems["reason"] = [reasons[row] for row in rows]
    collection.add_problems(problems[PROBLEM_COLUMNS])
