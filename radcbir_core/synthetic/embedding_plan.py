"""Labels, patients and vectors that lie as an encoder's do, of any number of images that nobody has taken.

Owns what such a collection is made of: which image is of which label and patient, what its table says of each, and its
vectors. Writes nothing; radcbir_core/synthetic/embedding_collection.py does.

What a vector is put together from: a direction that all share, one of its modality and anatomy, one of its label, one
of its patient, and noise whose variance falls with the direction's number, as that of encoders does. How much of each
was chosen so that the most similar image of another patient has the same label for about .6 of the images and the same
modality and anatomy for about .98, at whatever size is asked for, as in the published evaluation of 1.6 million images
(Denner et al. 2025, arXiv 2403.06567: up to .594). The more images there are, the nearer is the nearest, so that the
label's part falls with their number; it was fitted from 25,000 to 1.6 million images.

Random numbers are drawn in blocks of fixed size, each from a stream of its own, so that whichever rows are asked for,
in whatever portions and by however many threads, they are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.errors import CollectionError

PLACES: Final = (
    *(("XR", name) for name in ("chest", "hand", "knee", "spine", "pelvis", "shoulder")),
    *(("CT", name) for name in ("chest", "abdomen", "head", "pelvis", "spine")),
    *(("MR", name) for name in ("brain", "knee", "spine", "abdomen", "prostate")),
    *(("US", name) for name in ("abdomen", "thyroid", "breast", "heart")),
)
"""Modality and anatomy; each label is at one of them."""
MOST_IMAGES: Final = 6
"""Of one patient; each number from 1 is as frequent."""
MOST_ROWS: Final = 2**31 - 1
"""As many as a neighbor graph can number."""
MOST_DIMENSIONS: Final = 16_384
"""A block of them takes a quarter of a gigabyte, and each core draws one."""
MOST_LABELS: Final = 100_000
BLOCK: Final = 4096
"""Images that are drawn at once; portions that begin and end at its multiples cost nothing twice."""
_SHARED: Final = 0.9
_PATIENT: Final = 0.2
_FALL: Final = 0.5
"""The noise's deviation falls with this power of the direction's number."""
_SAME_LABEL: Final = 0.8
"""How often an image has its patient's label at least; the others draw one that holds if it is of the same place."""
_PATIENTS_A_BLOCK: Final = 1024
_PLAN, _FACTS, _DIRECTIONS, _NOISE, _OF_PATIENTS = range(5)
_DATASETS: Final = {"north": 0.6, "east": 0.3, "south": 0.1}
_SPLITS: Final = {"train": 0.6, "val": 0.1, "test": 0.3}
_VIEWS: Final = {"frontal": 0.5, "lateral": 0.3, "": 0.2}
_SEXES: Final = {"F": 0.5, "M": 0.5}
_AGES: Final = range(18, 95)


@dataclass(frozen=True, eq=False)
class EmbeddingPlan:
    """Which image is of which label and patient, what is known of it, and its vector.

    Attributes:
        label: ``(N,)`` int32, code of each image's label, the most frequent first.
        patient: ``(N,)`` int32, number of each image's patient, ascending.
        place: ``(L,)`` int32, of :data:`PLACES`, of each label.
        dimension: Of the vectors.
        seed: Of everything.
    """

    label: npt.NDArray[np.int32]
    patient: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    dimension: int
    seed: int

    @classmethod
    def of(cls, rows: int, *, dimension: int = 512, labels: int = 161, seed: int = 0) -> EmbeddingPlan:
        """Labels by Zipf's law, each at one place; a patient has 1 to 6 images at one place, mostly of one label.

        Args:
            rows: How many images, from 1 to :data:`MOST_ROWS`.
            dimension: Of the vectors, from 8 to :data:`MOST_DIMENSIONS`.
            labels: How many, at least as many as there are :data:`PLACES`, at most :data:`MOST_LABELS`.
            seed: 0 or more; another one, another plan.

        Raises:
            CollectionError: One of them is out of range.

        Example:
            >>> plan = EmbeddingPlan.of(1000, dimension=16, labels=40, seed=1)
            >>> len(plan), bool((plan.vectors(3, 9) == plan.vectors(0, 1000)[3:9]).all())
            (1000, True)
        """
        rules = {
            "rows": (rows, 1, MOST_ROWS),
            "dimension": (dimension, 8, MOST_DIMENSIONS),
            "labels": (labels, len(PLACES), MOST_LABELS),
            "seed": (seed, 0, None),
        }
        for name, (value, smallest, largest) in rules.items():
            if value < smallest:
                raise CollectionError(f"Expected {name} of at least {smallest}, but {name} = {value}. Give more.")
            if largest is not None and value > largest:
                raise CollectionError(f"Expected {name} of at most {largest:,}, but {name} = {value:,}. Give fewer.")
        random = _stream(seed, _PLAN)
        share = 1 / np.arange(1, labels + 1)
        edges = np.cumsum(share) / share.sum()
        place = random.permutation(np.arange(labels) % len(PLACES)).astype(np.int32)
        # As many as are needed if each patient had one image.
        number = random.integers(1, MOST_IMAGES + 1, rows)
        patients = int(np.searchsorted(np.cumsum(number), rows)) + 1
        patient = np.repeat(np.arange(patients, dtype=np.int32), number[:patients])[:rows]
        of_patient = np.searchsorted(edges, random.random(patients), side="right")[patient]
        other = np.searchsorted(edges, random.random(rows), side="right")
        stays = (random.random(rows) < _SAME_LABEL) | (place[other] != place[of_patient])
        return cls(np.where(stays, of_patient, other).astype(np.int32), patient, place, dimension, seed)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def patients(self) -> int:
        """How many there are."""
        return int(self.patient[-1]) + 1

    def table(self) -> pa.Table:
        """What is known of each image: the columns that a table of a user would have, all text; ``N`` rows."""
        random = _stream(self.seed, _FACTS)
        place = self.place[self.label]
        # The first label of each place is "normal".
        normal = np.unique(self.place, return_index=True)[1]
        findings = [f"finding {label:03}" for label in range(len(self.place))]
        for label in normal.tolist():
            findings[label] = "normal"
        dataset, split, sex = (_drawn(random, shares, self.patients) for shares in (_DATASETS, _SPLITS, _SEXES))
        age = random.integers(0, len(_AGES), self.patients)
        view = _drawn(random, _VIEWS, len(self))
        columns = {
            "path": _numbered("", np.arange(len(self)), ".png"),
            "dataset": _words(list(_DATASETS), dataset[self.patient]),
            "split": _words(list(_SPLITS), split[self.patient]),
            "modality": _words([modality for modality, _ in PLACES], place),
            "anatomy": _words([anatomy for _, anatomy in PLACES], place),
            "pathologies": _words(findings, self.label),
            "patient_id": _numbered("p", self.patient, ""),
            "view": _words(list(_VIEWS), view),
            "sex": _words(list(_SEXES), sex[self.patient]),
            "age": _words([str(years) for years in _AGES], age[self.patient]),
        }
        return pa.table(columns)

    def vectors(self, start: int, stop: int) -> npt.NDArray[np.float16]:
        """The vectors of some rows, of unit length before they are rounded.

        Args:
            start: The first row.
            stop: The row after the last; at most ``N``.

        Returns:
            ``(stop - start, dimension)`` float16; quickest for one :data:`BLOCK`.
        """
        vectors = np.empty((stop - start, self.dimension), dtype=np.float16)
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            first, last = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
            drawn = self._block(block)
            vectors[first - start : last - start] = drawn[first - block * BLOCK : last - block * BLOCK]
        return vectors

    def _block(self, block: int) -> npt.NDArray[np.float32]:
        rows = slice(block * BLOCK, min((block + 1) * BLOCK, len(self)))
        deviation, of_label = self._parts
        label, patient = self.label[rows], self.patient[rows]
        mixed = _normal(self.seed, _NOISE, block, shape=(BLOCK, self.dimension))[: len(label)]
        first, last = int(patient[0]) // _PATIENTS_A_BLOCK, int(patient[-1]) // _PATIENTS_A_BLOCK
        shape = (_PATIENTS_A_BLOCK, self.dimension)
        each = np.concatenate([_of_patients(self.seed, number, shape=shape) for number in range(first, last + 1)])
        mixed += each[patient - first * _PATIENTS_A_BLOCK]
        mixed *= deviation
        mixed += of_label[label]
        mixed /= np.sqrt(np.einsum("ij,ij->i", mixed, mixed))[:, None]
        return mixed

    @cached_property
    def _parts(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The noise's deviation in each direction, and what the images of each label share."""
        random = _stream(self.seed, _DIRECTIONS)
        shared, places, labels = (
            _directions(random, number, self.dimension) for number in (1, len(PLACES), len(self.place))
        )
        deviation = np.arange(1, self.dimension + 1) ** -_FALL
        of_place, of_label = strengths(len(self), dimension=self.dimension)
        mean = _SHARED * shared + of_place * places[self.place] + of_label * labels
        return (deviation / np.linalg.norm(deviation)).astype(np.float32), mean.astype(np.float32)


def strengths(rows: int, *, dimension: int) -> tuple[float, float]:
    """How much of a vector is the direction of its place and of its label, so that P@1 is as at the top of this module.

    Powers of the size, fitted to exact search over 25,000 to 1.6 million images with 64 to 1,024 dimensions.

    Args:
        rows: How many images there are.
        dimension: Of the vectors.

    Example:
        >>> strengths(100_000, dimension=512)
        (0.37, 0.15)
    """
    size = 100_000 / rows
    of_place = 0.37 * size**0.045 * (512 / dimension) ** 0.15
    of_label = 0.15 * size**0.05 * (512 / min(dimension, 512)) ** 0.15
    return of_place, of_label


def _stream(seed: int, *which: int) -> np.random.Generator:
    """Random numbers that depend on nothing but these."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *which])))


def _normal(seed: int, *which: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    return _stream(seed, *which).standard_normal(shape, dtype=np.float32)


@lru_cache(maxsize=8)
def _of_patients(seed: int, number: int, *, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A direction of each patient of a block; two blocks of images that follow each other share some."""
    drawn = _normal(seed, _OF_PATIENTS, number, shape=shape)
    drawn *= np.float32(_PATIENT)
    return drawn


def _directions(random: np.random.Generator, number: int, dimension: int) -> npt.NDArray[np.float64]:
    drawn: npt.NDArray[np.float64] = random.normal(size=(number, dimension))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def _drawn(random: np.random.Generator, shares: dict[str, float], size: int) -> npt.NDArray[np.int64]:
    """Codes, each as often as its share says."""
    edges = np.cumsum(list(shares.values()))[:-1]
    return np.searchsorted(edges, random.random(size), side="right")


def _words(words: list[str], codes: npt.NDArray[np.integer]) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(codes))


def _numbered(before: str, numbers: npt.NDArray[np.integer], after: str) -> pa.Array:
    """Numbers of seven digits at least, with what stands before and after them."""
    digits = max(7, len(str(int(numbers[-1]))))
    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(before, text, after, "")
