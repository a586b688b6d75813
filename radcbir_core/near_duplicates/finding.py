"""The groups of near-duplicates of a collection: candidates, looked at, and put into groups.

Owns the artifact ``near_duplicate_groups.npy``. Pictures are compared as thumbnails, which a build has made anyway; of
exact copies only one is looked at. Where a collection has no thumbnails (imported vectors), exact copies are all that
is known.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import CollectionError
from radcbir_core.near_duplicates.agreement import LEAST_ROUGH, Pictures, agree, best_direction
from radcbir_core.near_duplicates.candidates import LEAST_OF_NEIGHBORS, neighbor_pairs, signature_pairs
from radcbir_core.near_duplicates.grouping import across, middles, numbered
from radcbir_core.near_duplicates.signatures import SIDE, gray_patch, halved, normalized, of_norm_one, signatures
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import write_array

_SHARD: Final = 2048
_LOOKED_AT: Final = 512  # pairs at a time: some 50 MB a thread
_ROUGHLY: Final = 32 * _LOOKED_AT
_ROUNDS: Final = 4

Pairs = npt.NDArray[np.int64]


def find_near_duplicates(store: EncoderStore, *, progress: Progress = silent) -> dict[str, Any]:
    """Find the groups and write them: ``near_duplicate_groups.npy``, ``(N,)`` int32, -1 = alone.

    Can be stopped: the patches that are made by then are kept, and the next call goes on from there.

    Args:
        store: What an encoder made of a collection, with its neighbor graph.
        progress: Told how much of the work is done, as step "near-duplicates".

    Returns:
        What is to be recorded: ``confirmed_on`` ("pixels", or "files" where only exact copies are known), ``compared``
        pictures, ``candidates`` and ``agreeing`` pairs, ``groups`` and ``images`` in them, and ``agreeing_across``:
        pairs that agree and yet are of two groups, because a chain was cut.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: The neighbor graph is missing or damaged.
    """
    collection = store.collection
    number = len(collection)
    copies = collection.manifest.groups("duplicate")
    first_of = _first_copies(copies)
    folder = store.layout.unfinished(NEAR_DUPLICATES)
    told = _Told(progress, number)
    grays, shorter = _patches(collection, folder / collection.digests.images[:32], told)
    pictures = np.flatnonzero((first_of == np.arange(number)) & (shorter > 0))
    facts: dict[str, Any] = {"confirmed_on": "pixels" if len(pictures) else "files", "compared": len(pictures)}
    middle, told_of = _groups(store, grays, shorter, pictures=pictures, first_of=first_of, told=told)
    codes = np.where(middle[first_of] >= 0, middle[first_of], np.where(copies >= 0, first_of, -1))
    groups = numbered(codes)
    write_array(store.layout.files(NEAR_DUPLICATES)[0], [groups], shape=groups.shape, dtype=groups.dtype)
    shutil.rmtree(folder, ignore_errors=True)
    told.all_of(number)
    return facts | told_of | {"groups": int(groups.max(initial=-1)) + 1, "images": int((groups >= 0).sum())}


class _Told:
    """Progress in one count of images, whichever part of the work is on."""

    def __init__(self, progress: Progress, number: int) -> None:
        self._progress, self._number = progress, number
        self._base = 0.0
        progress(NEAR_DUPLICATES.name, 0, number)

    def part(self, share: float) -> Callable[[int, int], None]:
        """What is told how much is done of how much, of the next part, which takes such a share of it all."""
        base, self._base = self._base, self._base + share

        def tell(done: int, total: int) -> None:
            part = base + share * min(done / max(total, 1), 1.0)
            self._progress(NEAR_DUPLICATES.name, int(part * self._number), self._number)

        return tell

    def all_of(self, number: int) -> None:
        self._progress(NEAR_DUPLICATES.name, number, number)


def _first_copies(copies: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """``(N,)`` the first row of each row's exact copies: itself, where it has none before it."""
    first = np.arange(len(copies), dtype=np.int64)
    rows = np.flatnonzero(copies >= 0)
    _, places, inverse = np.unique(copies[rows], return_index=True, return_inverse=True)
    first[rows] = rows[places[inverse]]
    return first


def _patches(
    collection: Collection, folder: Path, told: _Told
) -> tuple[Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]], npt.NDArray[np.int32]]:
    """What gives the gray patches of rows, and ``(N,)`` the shorter side of each picture, 0 where there is none.

    They are kept in shards on disk while they are used: 4 KiB an image, which need not fit into memory.
    """
    tell, number = told.part(0.25), len(collection)
    shards = []
    for start in range(0, number, _SHARD):
        rows = range(start, min(start + _SHARD, number))
        path = folder / f"{start // _SHARD:06d}.npy"
        shard = _shard(path, len(rows))
        if shard is None:
            made = np.zeros((len(rows), SIDE * SIDE + 2), dtype=np.uint8)
            workers = min(os.cpu_count() or 1, 8)
            with ThreadPoolExecutor(workers) as pool:
                for line, patch in enumerate(pool.map(lambda row: _patch(collection, row), rows)):
                    if patch is not None:
                        made[line, :-2] = patch[0].ravel()
                        made[line, -2:] = divmod(min(patch[1], 65535), 256)
            write_array(path, [made], shape=made.shape, dtype=made.dtype)
            shard = np.load(path, mmap_mode="r")
        shards.append(shard)
        tell(rows.stop, number)
    sides = [shard[:, -2].astype(np.int32) * 256 + shard[:, -1] for shard in shards]
    shorter = np.concatenate(sides) if sides else np.empty(0, dtype=np.int32)

    def grays(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        result = np.empty((len(rows), SIDE, SIDE), dtype=np.uint8)
        of_shard = rows // _SHARD
        for shard in np.unique(of_shard).tolist():
            mine = of_shard == shard
            result[mine] = shards[shard][rows[mine] % _SHARD, :-2].reshape(-1, SIDE, SIDE)
        return result

    return grays, shorter


def _shard(path: Path, rows: int) -> npt.NDArray[np.uint8] | None:
    """A shard of patches that a stopped build has left; None where it is not there, or another."""
    try:
        shard = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    right = shard.shape == (rows, SIDE * SIDE + 2) and shard.dtype == np.uint8
    return shard if right else None


def _patch(collection: Collection, row: int) -> tuple[npt.NDArray[np.uint8], int] | None:
    try:
        thumbnail = collection.thumbnail(row)
    except CollectionError:
        return None  # damaged on disk: it is compared by its file alone
    return None if thumbnail is None else gray_patch(thumbnail)


def _groups(
    store: EncoderStore,
    grays: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]],
    shorter: npt.NDArray[np.int32],
    *,
    pictures: npt.NDArray[np.int64],
    first_of: npt.NDArray[np.int64],
    told: _Told,
) -> tuple[npt.NDArray[np.int64], dict[str, int]]:
    """``(N,)`` the middle of the group of each picture, as a row, -1 = alone; and what is told of the search."""
    images = len(pictures)
    place_of = np.full(len(first_of), -1, dtype=np.int64)
    place_of[pictures] = np.arange(images)
    place_of = place_of[first_of]
    small, vectors = _small(grays, pictures)
    compared = Pictures(small, lambda places: grays(pictures[places]), shorter[pictures])
    tell = told.part(0.15)
    alike = signature_pairs(vectors, progress=lambda done: tell(done, 3 * images))
    near = neighbor_pairs(store.neighbor_ids, place_of, images=images)
    near = _roughly_alike(near, small, vectors)
    candidates = np.union1d(near, alike)

    def agreeing(pairs: Pairs, tell: Callable[[int, int], None]) -> Pairs:
        """Those of some pairs that are one picture."""
        return _in_parts(lambda part: part[agree(compared, *np.divmod(part, images))], pairs, tell)

    pairs = agreeing(candidates, told.part(0.5))
    tried = candidates
    middle = middles(pairs, images=images)
    for _ in range(_ROUNDS):
        more = np.setdiff1d(across(pairs, middle), tried)
        if not len(more):
            break
        tried = np.union1d(tried, more)
        pairs = np.union1d(pairs, agreeing(more, told.part(0.02)))
        middle = middles(pairs, images=images)
    low, high = np.divmod(pairs, max(images, 1))
    cut = int((middle[low] != middle[high]).sum())
    of_rows = np.full(len(first_of), -1, dtype=np.int64)
    of_rows[pictures] = np.where(middle >= 0, pictures[middle], -1)
    return of_rows, {"candidates": len(tried), "agreeing": len(pairs), "agreeing_across": cut}


def _small(
    grays: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]], pictures: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    """``(P, 16, 16)`` normalized patches, and ``(P, D)`` signatures: 800 bytes a picture."""
    side = SIDE // 4
    small = np.empty((len(pictures), side, side), dtype=np.float16)
    vectors = [np.empty((0, 1), dtype=np.float16)]
    for start in range(0, len(pictures), _SHARD):
        part = slice(start, start + _SHARD)
        medium = normalized(halved(grays(pictures[part])))
        small[part] = of_norm_one(halved(medium))
        vectors.append(signatures(medium).astype(np.float16))
    return small, np.concatenate(vectors[1:] or vectors)


def _roughly_alike(pairs: Pairs, small: npt.NDArray[np.float16], vectors: npt.NDArray[np.float16]) -> Pairs:
    """Those of some pairs whose signatures and coarse patches are not too far from each other."""
    images = len(small)

    def look(part: Pairs) -> Pairs:
        low, high = np.divmod(part, images)
        alike = np.einsum("bd,bd->b", vectors[low].astype(np.float32), vectors[high].astype(np.float32))
        part, low, high = (values[alike >= LEAST_OF_NEIGHBORS] for values in (part, low, high))
        _, correlation = best_direction(small[low].astype(np.float32), small[high].astype(np.float32))
        return part[np.abs(correlation) >= LEAST_ROUGH]

    return _in_parts(look, pairs, None, size=_ROUGHLY)


def _in_parts(
    look: Callable[[Pairs], Pairs], pairs: Pairs, tell: Callable[[int, int], None] | None, *, size: int = _LOOKED_AT
) -> Pairs:
    """What a function leaves of some pairs, a part at a time in each thread; their order stays."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn, which umap-learn needs

    workers = min(os.cpu_count() or 1, 8)
    kept: list[Pairs] = [np.empty(0, dtype=np.int64)]
    parts = iter(range(0, len(pairs), size))

    def begun(pool: ThreadPoolExecutor) -> Iterator[tuple[int, Future[Pairs]]]:
        for start in parts:
            yield start, pool.submit(look, pairs[start : start + size])

    # Matrices are small, and threads of the products would be in the way of those here.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        ahead = begun(pool)
        waiting = deque(work for _, work in zip(range(2 * workers), ahead, strict=False))
        try:
            while waiting:
                start, work = waiting.popleft()
                kept.append(work.result())
                if tell is not None:
                    tell(start + size, len(pairs))
                waiting.extend(work for _, work in zip(range(1), ahead, strict=False))
        finally:
            for _, work in waiting:
                work.cancel()
    return np.concatenate(kept)
