"""What the encoder is trained and validated on: images of collections, small, with their labels and their side.

Owns the rule which image is trained on and which is validated on, and the cache of small images. An image is never
trained on if its split is val or test, or if it shares its patient with such an image, or if it looks nearly the same
as such an image where no patient is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.arrays import of_norm_one
from radcbir_core.collections.collection import Collection
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.transform import Transform
from radcbir_core.errors import CollectionError, ImageError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import write_array
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.network import PREPROCESSING

CACHE_SIDE = 160
"""Longest side of a cached image in pixels: the network's 144 and room for crops."""

NEAR_DUPLICATE = 0.97
"""Similarity of two images' 32 x 32 pixels, mean removed, from which on they are taken for one patient's."""

VALIDATION_PERCENT = 16
"""Of the patients, and near-duplicate groups, that no source assigns to a split."""


@dataclass(frozen=True)
class Examples:
    """N images with what is known of them.

    Attributes:
        pixels: (N, 160, 160) uint8, grayscale, whole image in the upper left, padded with black.
        extents: (N, 2) int16, height and width of the image in ``pixels``.
        prepared: (N, 144, 144) uint8, as the encoder's own preprocessing shows the image to the network.
        modality: N modalities, "" where not known.
        anatomy: N anatomies, "" where not known.
        pathologies: N tuples, empty where not labeled.
        captions: N captions of the source, "" where there is none.
        views: N views, "" where there is none.
        sources: N names of collection and dataset.
        image_ids: N names.
        sha256: N digests of the files, hex, "" where the collection does not know them.
        groups: (N,) int64, equal for what is, or may be, one patient.
        validation: (N,) bool, never trained on.
    """

    pixels: npt.NDArray[np.uint8]
    extents: npt.NDArray[np.int16]
    prepared: npt.NDArray[np.uint8]
    modality: list[str]
    anatomy: list[str]
    pathologies: list[tuple[str, ...]]
    captions: list[str]
    views: list[str]
    sources: list[str]
    image_ids: list[str]
    sha256: list[str]
    groups: npt.NDArray[np.int64]
    validation: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.image_ids)


def is_drawn(examples: Examples, row: int) -> bool:
    """Whether an example is a phantom."""
    return examples.sources[row].endswith("/phantoms")


def load_examples(collections: Sequence[Collection], *, cache: Path, progress: Progress = silent) -> Examples:
    """Read all images of the collections that can be read, small, from the cache where it has them.

    Args:
        collections: Where the images are.
        cache: A folder for the small images; one file a collection, made again when the manifest changes.
        progress: Told how many images are read.

    Raises:
        CollectionError: Nothing can be read.
        StorageError: The cache cannot be written.
    """
    parts = [_cached(collection, cache, progress) for collection in collections]
    pixels = np.concatenate([part[0] for part in parts])
    extents = np.concatenate([part[1] for part in parts])
    prepared = np.concatenate([part[2] for part in parts])
    frames = [collection.manifest.frame for collection in collections]

    def text(column: str) -> list[str]:
        return [str(value) if value else "" for frame in frames for value in frame[column].to_numpy(dtype=object)]

    pathologies = [tuple(values) for frame in frames for values in frame["pathologies"].to_numpy(dtype=object)]
    sources = [
        f"{collection.name}/{dataset}"
        for collection, frame in zip(collections, frames, strict=True)
        for dataset in frame["dataset"].to_numpy(dtype=object)
    ]
    modality, anatomy = text("modality"), text("anatomy")
    groups = _groups(
        pixels,
        extents,
        patients=text("patient_id"),
        digests=text("sha256"),
        kinds=list(zip(modality, anatomy, strict=True)),
    )
    splits = text("split")
    readable = extents[:, 0] > 0
    if not readable.any():
        raise CollectionError("Expected images to train on, but none could be read. Check problems.csv.")
    kept = np.flatnonzero(readable)
    validation = held_out(groups, splits, text("image_id"))

    def of(values: list[str]) -> list[str]:
        return [values[row] for row in kept]

    return Examples(
        pixels=pixels[kept],
        extents=extents[kept],
        prepared=prepared[kept],
        modality=of(modality),
        anatomy=of(anatomy),
        pathologies=[pathologies[row] for row in kept],
        captions=of(text("caption")),
        views=of(text("view")),
        sources=of(sources),
        image_ids=of(text("image_id")),
        sha256=of(text("sha256")),
        groups=groups[kept],
        validation=validation[kept],
    )


def held_out(groups: npt.NDArray[np.int64], splits: Sequence[str], image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which images are validated on: whole groups, decided by their splits, else by a digest of their first name.

    Args:
        groups: (N,) equal for what belongs together.
        splits: N of train, val, test or "".
        image_ids: N names.

    Example:
        >>> held_out(np.array([0, 0, 1]), ["train", "test", "train"], ["a", "b", "d"]).tolist()
        [True, True, False]
    """
    names: dict[int, str] = {}
    held: set[int] = set()
    for group, split, name in zip(groups.tolist(), splits, image_ids, strict=True):
        if split in ("val", "test"):
            held.add(group)
        names[group] = min(names.get(group, name), name)
    for group, name in names.items():
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        if number % 100 < VALIDATION_PERCENT:
            held.add(group)
    return np.array([group in held for group in groups.tolist()], dtype=bool)


def _cached(
    collection: Collection, cache: Path, progress: Progress
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    key = hashlib.sha256(f"{collection.digests.images} {CACHE_SIDE} {SIDE} 2".encode()).hexdigest()[:16]
    paths = [cache / f"{collection.name}-{key}-{part}.npy" for part in ("pixels", "extents", "prepared")]
    if all(path.is_file() for path in paths):
        pixels, extents, prepared = (np.load(path) for path in paths)
        return pixels, extents, prepared
    count = len(collection)
    prepare = preparation()
    pixels = np.zeros((count, CACHE_SIDE, CACHE_SIDE), dtype=np.uint8)
    extents = np.zeros((count, 2), dtype=np.int16)
    prepared = np.zeros((count, SIDE, SIDE), dtype=np.uint8)

    def read(row: int) -> None:
        try:
            image = collection.read_image(row).pixels
        except ImageError:
            return
        small = shrink(image)
        extents[row] = small.shape
        pixels[row, : small.shape[0], : small.shape[1]] = small
        prepared[row] = prepare(image)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(read, range(count)), start=1):
            if done % 100 == 0 or done == count:
                progress(f"read {collection.name}", done, count)
    cache.mkdir(parents=True, exist_ok=True)
    for path, array in zip(paths, (pixels, extents, prepared), strict=True):
        write_array(path, [array], shape=array.shape, dtype=array.dtype)
    return pixels, extents, prepared


def preparation() -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]:
    """The encoder's own preprocessing of a decoded image, as (144, 144) uint8: before scaling, one channel."""
    transform = Transform(
        Preprocessing(
            size=(SIDE, SIDE),
            fit="pad",
            interpolation=PREPROCESSING["interpolation"],
            color="RGB",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            fill=PREPROCESSING["fill_color"],
        )
    )
    return lambda image: (transform(image).mean(axis=0) * 255).round().astype(np.uint8)


def shrink(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """One decoded image as grayscale whose longest side is :data:`CACHE_SIDE` pixels, (H, W) uint8.

    Example:
        >>> shrink(np.zeros((320, 80), dtype=np.uint8)).shape
        (160, 40)
    """
    picture = Image.fromarray(image).convert("L")
    scale = CACHE_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


def _groups(
    pixels: npt.NDArray[np.uint8],
    extents: npt.NDArray[np.int16],
    *,
    patients: list[str],
    digests: list[str],
    kinds: Sequence[tuple[str, str]],
) -> npt.NDArray[np.int64]:
    """One number for all images that share a patient, a file, or, where no patient is known, nearly their pixels."""
    parents = np.arange(len(patients))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = int(parents[row])
        return row

    def join(first: int, second: int) -> None:
        parents[root(second)] = root(first)

    for names in (patients, digests):
        first_of: dict[str, int] = {}
        for row, name in enumerate(names):
            if name:
                join(first_of.setdefault(name, row), row)
    rows_of: dict[tuple[str, str], list[int]] = {}
    for row, patient in enumerate(patients):
        if not patient and extents[row, 0]:
            rows_of.setdefault(kinds[row], []).append(row)
    for rows in rows_of.values():
        vectors = _tiny(pixels, extents, rows)
        for start in range(0, len(rows), 1024):
            similar = vectors[start : start + 1024] @ vectors[start:].T >= NEAR_DUPLICATE
            for first, second in zip(*np.nonzero(np.triu(similar, 1)), strict=True):
                join(rows[start + int(first)], rows[start + int(second)])
    return np.array([root(row) for row in range(len(patients))], dtype=np.int64)


def _tiny(pixels: npt.NDArray[np.uint8], extents: npt.NDArray[np.int16], rows: list[int]) -> npt.NDArray[np.float32]:
    """(R, 1024) float32: 32 x 32 pixels of each image, mean removed, of norm 1."""
    tiny = np.empty((len(rows), 1024), dtype=np.float32)
    for position, row in enumerate(rows):
        height, width = extents[row]
        image = Image.fromarray(pixels[row, :height, :width]).resize((32, 32), Image.Resampling.BOX)
        tiny[position] = np.asarray(image, dtype=np.float32).ravel()
    tiny -= tiny.mean(axis=1, keepdims=True)
    return of_norm_one(tiny)
