"""The patients of a phantom collection: who they are, what they have, and the images that are made of them.

Owns the plan (label, number of images, split of patient *p*) and its rule that everything about a patient follows from
the seed and the patient's number alone. So any part of a collection can be made in any order, by any number of
processes, again and again with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from radcbir_core.synthetic.phantoms.captions import caption
from radcbir_core.synthetic.phantoms.scenes import Lesion, Scene

_IMAGES = (2, 3, 4, 5)
_IMAGES_A_LABEL = 8
"""Two patients have seven on average."""
# Of ten patients of a label six train, one validates and three test; spread so that a few patients have some of each.
_SPLITS = ("train", "test", "train", "val", "train", "train", "test", "train", "train", "test")


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is decided of a patient before anything is drawn.

    Attributes:
        number: 0 for the first.
        scene: Modality and anatomy.
        pathology: One of the scene's.
        images: How many are drawn, 2 to 5.
        kept: How many of them belong to the collection: all, but for the last patient, whose rest would be too many.
        split: train, val or test; the same for all images.
    """

    number: int
    scene: Scene
    pathology: str
    images: int
    kept: int
    split: str

    @property
    def patient_id(self) -> str:
        """Its name in the manifest."""
        return f"phantom-{self.number:06d}"


@dataclass(frozen=True, kw_only=True)
class PhantomImage:
    """One image of a patient with its ground truth.

    Attributes:
        pixels: (224, 224) uint8.
        view: Projection, plane or sequence.
        caption: In a radiologist's words.
        lesion: What is pathological; ``None`` in a normal image.
    """

    pixels: npt.NDArray[np.uint8]
    view: str
    caption: str
    lesion: Lesion | None


@cache
def all_scenes() -> tuple[Scene, ...]:
    """The scenes of all modalities.

    Example:
        >>> sorted({scene.modality for scene in all_scenes()})
        ['CT', 'MR', 'US', 'XR']
    """
    from radcbir_core.synthetic.phantoms import ct, mr, radiographs, ultrasound

    return (*radiographs.SCENES, *ct.SCENES, *mr.SCENES, *ultrasound.SCENES)


@cache
def _choices() -> tuple[tuple[Scene, str], ...]:
    """Every scene with each of its pathologies, in an order that mixes them."""
    every = [(scene, pathology) for scene in all_scenes() for pathology in scene.pathologies]
    order = np.random.default_rng(0).permutation(len(every))
    return tuple(every[place] for place in order)


def all_labels() -> tuple[str, ...]:
    """Every ``modality/anatomy/pathology`` that can be drawn, sorted."""
    return tuple(sorted(label for scene in all_scenes() for label in scene.labels))


def labels_for(images: int) -> int | None:
    """How many labels that many images can show with two patients of each, of which one trains and one tests.

    With one patient a label there is nothing to find for a query of it, and nothing in split test.

    Returns:
        For :func:`patients`; None where there are enough for all.

    Example:
        >>> labels_for(1), labels_for(150), labels_for(2400)
        (1, 18, None)
    """
    labels = max(1, images // _IMAGES_A_LABEL)
    return labels if labels < len(_choices()) else None


def patients(images: int, *, seed: int, labels: int | None = None) -> Iterator[Patient]:
    """The patients of a collection, in order; every label comes up before any comes up again.

    Args:
        images: Of all patients together, at least 1; the last patient may keep fewer than 2 for that.
        seed: 0 or more; another seed gives other patients.
        labels: How many labels they have together, at least 1; all by default.

    Raises:
        ValueError: ``images``, ``seed`` or ``labels`` is out of range.
    """
    if images < 1 or seed < 0:
        raise ValueError(f"Expected images >= 1 and seed >= 0, but images = {images}, seed = {seed}.")
    if labels is not None and not 1 <= labels <= len(_choices()):
        raise ValueError(f"Expected 1 to {len(_choices())} labels, but labels = {labels}.")
    left, number = images, 0
    while left:
        drawn = patient(number, left=left, seed=seed, labels=labels)
        yield drawn
        left -= drawn.kept
        number += 1


def patient(number: int, *, left: int, seed: int, labels: int | None = None) -> Patient:
    """The plan of one patient.

    Args:
        number: 0 for the first.
        left: How many images the collection has room for from this patient on, at least 1.
        seed: The collection's.
        labels: How many labels the collection has; all by default.
    """
    choices = _choices()[:labels]
    scene, pathology = choices[number % len(choices)]
    images = _IMAGES[int(_generator(seed, number, 0).integers(len(_IMAGES)))]
    split = _SPLITS[number // len(choices) % len(_SPLITS)]
    return Patient(number=number, scene=scene, pathology=pathology, images=images, kept=min(images, left), split=split)


def draw(who: Patient, *, seed: int) -> list[PhantomImage]:
    """The images of one patient, as many as the collection keeps.

    Args:
        who: As :func:`patients` gives it.
        seed: The collection's.
    """
    drawn = who.scene.draw(who.pathology, _generator(seed, who.number, 1), who.images)
    words = _generator(seed, who.number, 2)
    return [
        PhantomImage(
            pixels=image.pixels,
            view=image.view,
            lesion=image.lesion,
            caption=caption(words, scene=who.scene, pathology=who.pathology, view=image.view, lesion=image.lesion),
        )
        for image in drawn[: who.kept]
    ]


def _generator(seed: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, purpose])
