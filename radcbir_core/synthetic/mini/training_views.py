"""What network and teachers are shown: changed views of the images that are trained on, and pictures of nothing.

Owns how many views an image has, how far they are changed, and their file, which is mapped into memory: a hundred
thousand views are two gigabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_of, write_array
from radcbir_core.synthetic.mini.augment import SIDE, augment
from radcbir_core.synthetic.mini.examples import Examples, is_drawn
from radcbir_core.synthetic.mini.procedural import procedural_picture

STRENGTHS_OF_REAL: Final = (0.0, 0.15, 0.3, 0.6)
"""Strength of the augmentation of each view of a real image; 0 is how the encoder itself prepares the file."""

STRENGTHS_OF_DRAWN: Final = (0.0, 0.3)
"""Likewise of a phantom."""

SEED: Final = 11
_AT_ONCE: Final = 64
_FORMAT: Final = 3


@dataclass(frozen=True)
class Views:
    """V views, an example's beside each other, then the pictures of nothing.

    Attributes:
        pixels: (V, 144, 144) uint8, mapped from the cache.
        rows: (V,) int64, the example that each is a view of; -1 for a picture of nothing.
        first: (N,) int64, the first view of each of N examples; -1 where it has none.
        count: (N,) int64, how many it has.
        digest: Identifies all of them.
    """

    pixels: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    digest: str

    def __len__(self) -> int:
        """Number of views."""
        return len(self.rows)

    @property
    def pictures(self) -> npt.NDArray[np.int64]:
        """(P,) the views that are pictures of nothing."""
        return np.flatnonzero(self.rows < 0)

    def one_of_each(self, rows: npt.NDArray[np.int64], generator: np.random.Generator) -> npt.NDArray[np.int64]:
        """A view of each of some examples that have any.

        Args:
            rows: (B,) of the examples.
            generator: Chooses.
        """
        return self.first[rows] + generator.integers(self.count[rows])


def make_views(examples: Examples, *, pictures: int, cache: Path, progress: Progress = silent) -> Views:
    """Views of all examples that are trained on, and so many pictures of nothing; from the cache where it has them.

    Args:
        examples: Images and their sides.
        pictures: How many pictures of nothing follow.
        cache: A folder, made if missing.
        progress: Told the steps "views" and "pictures".

    Raises:
        StorageError: No space left, or no permission.
    """
    drawn = np.array([is_drawn(examples, row) for row in range(len(examples))])
    trained = ~examples.validation
    count = np.where(trained, np.where(drawn, len(STRENGTHS_OF_DRAWN), len(STRENGTHS_OF_REAL)), 0)
    first = np.where(trained, np.cumsum(count) - count, -1)
    shown = int(count.sum())
    rows = np.concatenate([np.repeat(np.arange(len(examples)), count), np.full(pictures, -1)])
    digest = _digest(examples, count, pictures)
    path = cache / f"views-{digest[:16]}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        parts = _pixels(examples, count, first, pictures=pictures, progress=progress)
        write_array(path, parts, shape=(shown + pictures, SIDE, SIDE), dtype=np.uint8)
    return Views(pixels=np.load(path, mmap_mode="r"), rows=rows, first=first, count=count, digest=digest)


def _digest(examples: Examples, count: npt.NDArray[np.int64], pictures: int) -> str:
    facts = f"{_FORMAT} {SIDE} {SEED} {STRENGTHS_OF_REAL} {STRENGTHS_OF_DRAWN} {pictures}"
    arrays = (examples.pixels, examples.extents, examples.prepared, count)
    return digest_of(facts, *(hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in arrays))


def _pixels(
    examples: Examples,
    count: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    *,
    pictures: int,
    progress: Progress,
) -> Iterator[npt.NDArray[np.uint8]]:
    """All views in order, some at a time: an image's views lie beside each other whatever their strength."""
    shown, total = np.flatnonzero(count), int(count.sum())
    for start in range(0, len(shown), _AT_ONCE):
        some = shown[start : start + _AT_ONCE]
        begin = int(first[some[0]])
        block = np.empty((int(count[some].sum()), SIDE, SIDE), dtype=np.uint8)
        for drawn, strengths in ((False, STRENGTHS_OF_REAL), (True, STRENGTHS_OF_DRAWN)):
            of = np.array([row for row in some.tolist() if is_drawn(examples, row) == drawn], dtype=np.int64)
            if not len(of):
                continue
            for place, strength in enumerate(strengths):
                block[first[of] - begin + place] = _view(examples, of, strength, seed=SEED + 1009 * place + start)
        progress("views", begin + len(block), total)
        yield block
    draw = partial(procedural_picture, SEED)
    if 0 < pictures <= _AT_ONCE:
        yield np.stack([draw(number) for number in range(pictures)])
        return
    # Processes, because drawing holds the interpreter's lock.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for start in range(0, pictures, 1024):
            numbers = range(start, min(start + 1024, pictures))
            yield np.stack(list(pool.map(draw, numbers, chunksize=64)))
            progress("pictures", numbers.stop, pictures)


def _view(examples: Examples, rows: npt.NDArray[np.int64], strength: float, *, seed: int) -> npt.NDArray[np.uint8]:
    import torch

    if not strength:
        return examples.prepared[rows]
    images = augment(
        torch.from_numpy(examples.pixels[rows]),
        torch.from_numpy(examples.extents[rows].astype(np.int64)),
        torch.Generator().manual_seed(seed),
        strength=strength,
    )
    made: npt.NDArray[np.uint8] = (images * 255).round().to(torch.uint8).numpy()
    return made
