"""How well images find their like, on plain arrays: what the benchmarks of radcbir-mini share.

Computed apart from RadCBIR's own evaluation.

Exclusions: the image itself, its patient where known, exact copies. Asked are the images for which there is another
with their label to find. An interval is that of the mean over patients, of images where no patient is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radcbir_core.arrays import of_norm_one
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.torch.soundness import FAR
from radcbir_core.encoders.torch.torch_encoder import TorchEncoder
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.synthetic.mini.examples import load_examples
from radcbir_core.synthetic.mini.teachers import reader_of

LEVELS = ("modality", "anatomy", "label")
TEACHER_SIDE = 224


@dataclass
class Images:
    """Some images of collections, and what is known of them."""

    collections: list[Collection]
    where: list[tuple[int, int]]
    modality: np.ndarray
    anatomy: np.ndarray
    pathologies: list[tuple[str, ...]]
    patient: np.ndarray
    sha256: np.ndarray
    split: np.ndarray
    dataset: np.ndarray

    def __len__(self) -> int:
        """How many."""
        return len(self.where)

    def pixels(self, start: int, stop: int) -> list[np.ndarray]:
        """Some of them, decoded."""
        return [self.collections[c].read_image(row).pixels for c, row in self.where[start:stop]]

    def of(self, encoder: Encoder) -> np.ndarray:
        """(N, D) float32 unit embeddings, by the encoder's own preprocessing of the whole file."""
        size = encoder.batch_size
        parts = [encoder.encode_images(self.pixels(start, start + size)) for start in range(0, len(self), size)]
        return np.concatenate(parts)

    def astray(self, encoder: TorchEncoder) -> int:
        """How many of them lead the encoder's batch norms astray."""
        size = encoder.batch_size
        found = (encoder.astray(self.pixels(start, start + size)) for start in range(0, len(self), size))
        return sum(int((one.furthest > FAR).sum()) for one in found)

    def labels(self, level: str) -> np.ndarray:
        """A label an image, "" where it has none at that level."""
        if level == "modality":
            return self.modality
        if level == "anatomy":
            return self.anatomy
        return np.array(
            [
                f"{m}/{a}/{p[0]}" if m and a and len(p) == 1 else ""
                for m, a, p in zip(self.modality, self.anatomy, self.pathologies, strict=True)
            ],
            dtype=object,
        )

    def chosen(self, keep: np.ndarray) -> Images:
        """Those of a mask."""
        rows = np.flatnonzero(keep)
        return Images(
            self.collections, [self.where[i] for i in rows], self.modality[rows], self.anatomy[rows],
            [self.pathologies[i] for i in rows], self.patient[rows], self.sha256[rows], self.split[rows],
            self.dataset[rows],
        )  # fmt: skip

    @property
    def patients(self) -> np.ndarray:
        """(N,) a code a patient; an image of nobody known is one of its own."""
        names = [f"p{p}" if p else f"i{number}" for number, p in enumerate(self.patient)]
        return np.unique(names, return_inverse=True)[1]


def images_of(collections: Sequence[Collection], rows: Iterator[tuple[int, int]]) -> Images:
    """The images at (collection, row)."""
    where = list(rows)
    frames = [collection.manifest.frame for collection in collections]

    def column(name: str) -> np.ndarray:
        return np.array([str(frames[c][name].iloc[row] or "") for c, row in where], dtype=object)

    return Images(
        collections=list(collections),
        where=where,
        modality=column("modality"),
        anatomy=column("anatomy"),
        pathologies=[tuple(frames[c]["pathologies"].iloc[row]) for c, row in where],
        patient=column("patient_id"),
        sha256=column("sha256"),
        split=column("split"),
        dataset=column("dataset"),
    )


def whole(names: Sequence[str]) -> Images:
    """All images of some collections."""
    collections = [open_collection(name) for name in names]
    return images_of(collections, ((c, row) for c, of in enumerate(collections) for row in range(len(of))))


def validation(collections: Sequence[Collection], cache: Path) -> Images:
    """The images that ``train-mini`` never trains on."""
    examples = load_examples(collections, cache=cache)
    place = {
        (collection.name, image_id): (number, row)
        for number, collection in enumerate(collections)
        for row, image_id in enumerate(collection.manifest.column("image_id"))
    }
    chosen = (
        place[examples.sources[i].split("/")[0], examples.image_ids[i]] for i in np.flatnonzero(examples.validation)
    )
    return images_of(collections, chosen)


@dataclass
class Precision:
    """P@1 and P@10 of each query of one level.

    Attributes:
        at_1: (Q,) 0 or 1.
        at_10: (Q,) the share of the ten nearest that have the query's label; of all there are where these are fewer.
        labels: (Q,) the query's label.
        patients: (Q,) a code a patient.
    """

    at_1: np.ndarray
    at_10: np.ndarray
    labels: np.ndarray
    patients: np.ndarray

    def micro(self, k: int = 1) -> float:
        """Mean over queries."""
        return float((self.at_1 if k == 1 else self.at_10).mean())

    def macro(self) -> float:
        """Mean over labels of P@1."""
        return float(np.mean([self.at_1[self.labels == label].mean() for label in np.unique(self.labels)]))

    def interval(self, k: int = 1) -> tuple[float, float]:
        """95 % interval of the mean over queries."""
        values = (self.at_1 if k == 1 else self.at_10)[:, None]
        bounds = mean_intervals(
            values, np.zeros(len(values), dtype=np.int64), clusters=np.unique(self.patients, return_inverse=True)[1],
            n_labels=1,
        )  # fmt: skip
        return float(bounds.micro[0, 0]), float(bounds.micro[0, 1])

    def said(self, k: int = 1) -> str:
        """The mean and its interval."""
        low, high = self.interval(k)
        return f"{self.micro(k):.3f} ({low:.3f}–{high:.3f})"


def precision(
    images: Images, embeddings: np.ndarray, level: str, *, queries: np.ndarray | None = None, apart: bool = False
) -> Precision:
    """What each query finds among all other images with a label.

    Args:
        images: N of them.
        embeddings: (N, D) of norm 1.
        level: Of :data:`LEVELS`.
        queries: (N,) who asks; all without.
        apart: Whether hits of the query's own data set do not count either.
    """
    labels = images.labels(level)
    known = labels != ""
    asked = known if queries is None else known & queries
    patients = images.patients
    first, ten, of, whose = [], [], [], []
    for query in np.flatnonzero(asked):
        allowed = known.copy()
        allowed[query] = False
        if images.patient[query]:
            allowed &= images.patient != images.patient[query]
        allowed &= images.sha256 != images.sha256[query]
        if apart:
            allowed &= images.dataset != images.dataset[query]
        right = allowed & (labels == labels[query])
        if not right.any():
            continue
        similarities = np.where(allowed, embeddings @ embeddings[query], -np.inf)
        best = np.argsort(-similarities, kind="stable")[: min(10, int(allowed.sum()))]
        first.append(float(right[best[0]]))
        ten.append(float(right[best].mean()))
        of.append(labels[query])
        whose.append(patients[query])
    return Precision(np.array(first), np.array(ten), np.array(of, dtype=object), np.array(whose))


Embed = Callable[[Images], np.ndarray]


def by_encoder(spec: str) -> Embed:
    """The embeddings of an encoder."""
    encoder = load_encoder(spec)
    return lambda images: images.of(encoder)


def by_teacher(path: Path) -> Embed:
    """What a teacher sees in whole images, each padded to a square: its last level, of norm 1.

    Of a network with one level that is its embedding.
    """
    see = reader_of(path)
    fit = Preprocessing(size=(TEACHER_SIDE, TEACHER_SIDE), fit="pad", interpolation="bilinear", color="L").fitting

    def embed(images: Images) -> np.ndarray:
        parts = []
        for start in range(0, len(images), 256):
            shown = np.stack([np.asarray(fit(pixels), dtype=np.uint8) for pixels in images.pixels(start, start + 256)])
            parts.append(of_norm_one(see(shown)[-1]))
        return np.concatenate(parts)

    return embed
