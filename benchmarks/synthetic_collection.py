"""A collection of any size without images, for measuring: labels, patients, and vectors that lie as an encoder's do.

Usage: python -m benchmarks.synthetic_collection [--name synthetic] [--images 250000] [--dimension 256] [--labels 161]
       [--seed 0]

Makes the collection in the data folder (``RADCBIR_DATA``) by the import of embeddings, and builds its index and its
neighbor graph; the app opens it, with placeholders for pictures. Prints what it is like: label P@1 and anatomy P@1 by
exact search over a sample of queries without their patients, images a patient, the rarest and the most frequent label.

What a vector is put together from: a direction that all share, one of its modality and anatomy, one of its label, one
of its patient, and noise whose variance falls with the direction's number, as that of encoders does. How much of each
was chosen so that of 250,000 images label P@1 is about .6 and anatomy P@1 about .98, as in the published evaluation of
1.6 million images (Denner et al. 2025, arXiv 2403.06567: up to .594). The same numbers and seed give the same vectors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.collections.collection import Collection
from radcbir_core.importers.vectors.embeddings import import_embeddings
from radcbir_core.progress import Progress, silent
from radcbir_core.search.graph import build_neighbors
from radcbir_core.search.opening import build_index
from radcbir_core.storage import write_array

ENCODER_ID = "synthetic"
PLACES = (
    *(("XR", name) for name in ("chest", "hand", "knee", "spine", "pelvis", "shoulder")),
    *(("CT", name) for name in ("chest", "abdomen", "head", "pelvis", "spine")),
    *(("MR", name) for name in ("brain", "knee", "spine", "abdomen", "prostate")),
    *(("US", name) for name in ("abdomen", "thyroid", "breast", "heart")),
)
MOST_IMAGES = 6
"""Of one patient; each number from 1 is as frequent."""
_SHARED, _PLACE, _LABEL, _PATIENT, _NOISE = 0.9, 0.4, 0.15, 0.2, 1.0
_ZIPF = 1.0
_FALL = 0.5
"""The noise's deviation falls with this power of the direction's number."""
_CHUNK = 8192


@dataclass(frozen=True)
class Plan:
    """Which image is of which label and patient.

    Attributes:
        label: ``(N,)`` code of each image.
        patient: ``(N,)`` number of each image's patient.
        place: ``(L,)`` of :data:`PLACES`, of each label.
        seed: Of everything.
    """

    label: npt.NDArray[np.int64]
    patient: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    seed: int

    @classmethod
    def of(cls, images: int, *, labels: int = 161, seed: int = 0) -> Plan:
        """Labels by Zipf's law, each at one place; a patient has 1 to 6 images at one place, mostly of one label.

        Args:
            images: How many, at least 1.
            labels: How many, at least as many as there are places.
            seed: Another one, another plan.
        """
        random = np.random.default_rng([seed, 0])
        share = 1 / np.arange(1, labels + 1) ** _ZIPF
        place = random.permutation(np.arange(labels) % len(PLACES))
        number = random.integers(1, MOST_IMAGES + 1, images)
        patient = np.repeat(np.arange(images), number)[:images]
        of_patient = random.choice(labels, images, p=share / share.sum())
        # For one image in five another label is drawn, which holds where it is of the same place.
        other = random.choice(labels, images, p=share / share.sum())
        stays = (random.random(images) < 0.8) | (place[other] != place[of_patient[patient]])
        return cls(np.where(stays, of_patient[patient], other), patient, place, seed)

    def table(self) -> pd.DataFrame:
        """What is known of each image, as the import reads it."""
        random = np.random.default_rng([self.seed, 1])
        images, patients = len(self.label), int(self.patient.max()) + 1
        modality, anatomy = (np.array(column)[self.place[self.label]] for column in zip(*PLACES, strict=True))
        finding = np.char.add("finding ", np.char.zfill(self.label.astype(str), 3))
        normal = np.unique(self.place, return_index=True)[1]  # the first label of each place
        split = random.choice(["train", "val", "test"], patients, p=[0.6, 0.1, 0.3])
        return pd.DataFrame(
            {
                "path": [f"{number:07d}.png" for number in range(images)],
                "dataset": random.choice(["north", "east", "south"], patients, p=[0.6, 0.3, 0.1])[self.patient],
                "split": split[self.patient],
                "modality": modality,
                "anatomy": anatomy,
                "pathologies": np.where(np.isin(self.label, normal), "normal", finding),
                "patient_id": np.char.add("p", self.patient.astype(str)),
                "view": random.choice(["frontal", "lateral", ""], images, p=[0.5, 0.3, 0.2]),
                "sex": random.choice(["F", "M"], patients)[self.patient],
                "age": random.integers(18, 95, patients)[self.patient],
            }
        )

    def vectors(self, dimension: int = 256) -> Iterator[npt.NDArray[np.float16]]:
        """The vectors, some thousand at a time, of unit length before they are rounded.

        Args:
            dimension: Of each.
        """
        random = np.random.default_rng([self.seed, 2])
        shared = _directions(random, 1, dimension)
        places, labels = (_directions(random, number, dimension) for number in (len(PLACES), len(self.place)))
        deviation = np.arange(1, dimension + 1, dtype=np.float32) ** -_FALL
        deviation /= np.linalg.norm(deviation)
        for start in range(0, len(self.label), _CHUNK):
            label, patient = self.label[start : start + _CHUNK], self.patient[start : start + _CHUNK]
            mixed = _SHARED * shared + _PLACE * places[self.place[label]] + _LABEL * labels[label]
            mixed += _PATIENT * self._of_patients(patient, deviation)
            mixed += _NOISE * deviation * np.random.default_rng([self.seed, 3, start]).normal(size=mixed.shape)
            yield (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float16)

    def _of_patients(
        self, patient: npt.NDArray[np.int64], deviation: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """A direction of each patient, the same wherever in the collection it is asked for."""
        known, place = np.unique(patient, return_inverse=True)
        drawn = [np.random.default_rng([self.seed, 4, number]).normal(size=len(deviation)) for number in known.tolist()]
        return (deviation * np.array(drawn))[place]


def make(name: str, plan: Plan, *, dimension: int = 256, build: bool = True, progress: Progress = silent) -> Collection:
    """The collection of a plan, with its index and its neighbor graph.

    Args:
        name: Its name; it must be free.
        plan: What is in it.
        dimension: Of the vectors.
        build: Whether the index and the graph are built.
        progress: Told what the import and the build tell.

    Raises:
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    with tempfile.TemporaryDirectory() as folder:
        vectors, table = Path(folder) / "vectors.npy", Path(folder) / "vectors.csv"
        shape = (len(plan.label), dimension)
        write_array(vectors, plan.vectors(dimension), shape=shape, dtype=np.float16)
        plan.table().to_csv(table, index=False)
        collection = import_embeddings(
            [vectors, table], name=name, encoder_id=ENCODER_ID, title=f"Synthetic, {shape[0]:,} rows", progress=progress
        ).collection
    if build:
        store = collection.store(ENCODER_ID)
        build_index(store, progress=progress)
        store.mark(NEIGHBORS, **build_neighbors(store, progress=progress))
    return collection


def precision_at_1(
    vectors: npt.NDArray[np.float32], plan: Plan, codes: npt.NDArray[np.int64], *, sample: int = 500
) -> float:
    """How often the most similar image of another patient has the same code, over a sample of queries.

    Args:
        vectors: ``(N, D)``.
        plan: Whose.
        codes: ``(N,)``, such as labels.
        sample: How many queries.
    """
    rows = np.random.default_rng(0).permutation(len(vectors))[:sample]
    similarities = vectors[rows] @ vectors.T
    for line, row in enumerate(rows):
        similarities[line, plan.patient == plan.patient[row]] = -2
    return float(np.mean(codes[similarities.argmax(axis=1)] == codes[rows]))


def _directions(random: np.random.Generator, number: int, dimension: int) -> npt.NDArray[np.float64]:
    drawn = random.normal(size=(number, dimension))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def main() -> None:
    """Make it, and say what it is like."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--name", default="synthetic")
    for option, default in (("images", 250_000), ("dimension", 256), ("labels", 161), ("seed", 0)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    plan = Plan.of(options.images, labels=options.labels, seed=options.seed)
    vectors = np.concatenate(list(plan.vectors(options.dimension))).astype(np.float32)
    number, of_label = np.bincount(plan.patient), np.bincount(plan.label, minlength=options.labels)
    print(
        f"{options.images:,} images of {len(number):,} patients ({number.min()} to {number.max()} each), "
        f"{options.labels} labels of {of_label.min():,} to {of_label.max():,} images; another patient's nearest image "
        f"has the same label in {precision_at_1(vectors, plan, plan.label):.3f}, the same modality and anatomy in "
        f"{precision_at_1(vectors, plan, plan.place[plan.label]):.3f} of 500 queries"
    )
    del vectors
    told: dict[str, float] = {}

    def progress(step: str, done: int, total: int) -> None:
        if done >= total or time.monotonic() - told.get(step, 0) > 20:
            told[step] = time.monotonic()
            print(f"{step}: {done:,} of {total:,}", flush=True)

    collection = make(options.name, plan, dimension=options.dimension, progress=progress)
    facts = collection.store(ENCODER_ID).facts(INDEX)
    print(f"{collection.folder}; recall@10 of the index {facts['recall_at_10']:.4f}")


if __name__ == "__main__":
    main()
