"""From collections to the encoder's folder: data list, views, teachers, training, export.

Owns the order of these and the record ``training.json``, which says what the encoder was made of: every source and
label with its numbers of images on either side, the recipe, the versions and the log.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.encoders.kits.training_list import DIGITS, list_bytes
from radcbir_core.errors import CollectionError, Remedy
from radcbir_core.progress import Progress, silent
from radcbir_core.synthetic.mini.appearance import appearances
from radcbir_core.synthetic.mini.examples import Examples, is_drawn, load_examples
from radcbir_core.synthetic.mini.network import export
from radcbir_core.synthetic.mini.teachers import look
from radcbir_core.synthetic.mini.training import LOG, Recipe, recipe_facts, train
from radcbir_core.synthetic.mini.training_views import Views, make_views
from radcbir_core.synthetic.phantom_collection import make_phantoms

PHANTOMS = "mini-phantoms"
"""The collection of phantoms that is trained on; its patients are others than those of the default collection."""

PHANTOMS_SEED = 1

TEACHER_WEIGHTS: Final[Mapping[str, float]] = {".tflite": 1.0, ".pth": 1.5}
"""By the kind of a teacher's file: several levels say more than one."""


def phantoms_to_train_on(images: int, *, progress: Progress = silent) -> Collection:
    """The phantoms that are trained on, drawn unless they are there.

    Args:
        images: How many.
        progress: Told the step "draw".

    Raises:
        CollectionError: There is such a collection with another number of images.
        StorageError: No space left, or no permission.
    """
    if PHANTOMS not in list_collections():
        return make_phantoms(name=PHANTOMS, images=images, seed=PHANTOMS_SEED, split="train", progress=progress)
    collection = open_collection(PHANTOMS)
    if len(collection) != images:
        raise CollectionError(
            f"Expected {images} phantoms to train on, but the collection {PHANTOMS} has {len(collection)}. "
            "Remove it first.",
            remedy=Remedy("remove", PHANTOMS),
        )
    return collection


@dataclass(frozen=True)
class Prepared:
    """All that is shown in training.

    Attributes:
        examples: Images, labels, sides.
        views: What the network is shown of them, and pictures of nothing.
        appearances: (V, 256) what the teachers see in the views; None without teachers.
        teachers: Names of their files.
    """

    examples: Examples
    views: Views
    appearances: npt.NDArray[np.float16] | None
    teachers: tuple[str, ...]


def prepare_mini(
    collections: Sequence[Collection],
    *,
    work: Path,
    teachers: Sequence[Path] = (),
    pictures: int,
    progress: Progress = silent,
) -> Prepared:
    """Read, shrink, change, draw and let the teachers see; what was finished before comes from the cache.

    Args:
        collections: What is trained and validated on; see :mod:`radcbir_core.synthetic.mini.examples` for the sides.
        work: Its folder ``cache`` holds all that.
        teachers: Files; see :func:`radcbir_core.synthetic.mini.teachers.look`.
        pictures: How many pictures of nothing.
        progress: Told the steps "read …", "views", "pictures" and "teacher".

    Raises:
        CollectionError: No image can be read.
        EncoderError: A teacher cannot be used.
        StorageError: No space left, or no permission.
    """
    cache = work / "cache"
    examples = load_examples(collections, cache=cache, progress=progress)
    views = make_views(examples, pictures=pictures, cache=cache, progress=progress)
    wanted = None
    if teachers:
        seen = [
            (look(views, path, cache=cache, progress=progress), TEACHER_WEIGHTS.get(path.suffix, 1.0))
            for path in teachers
        ]
        wanted = appearances(seen, np.ones(len(views), dtype=bool))
    return Prepared(examples, views, wanted, tuple(path.name for path in teachers))


def make_mini(
    prepared: Prepared,
    *,
    output: Path,
    work: Path,
    recipe: Recipe,
    device: str = "cpu",
    progress: Progress = silent,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> None:
    """Train radcbir-mini and write its folder; stopped and called again, it goes on at its last checkpoint.

    Args:
        prepared: What it is trained on.
        output: The encoder's folder.
        work: For the checkpoint and the log.
        recipe: All that decides the weights beside the data.
        device: Where the network works.
        progress: Told the step "train".
        told: Given each line of the log.

    Raises:
        EncoderError: The checkpoint is another's, or the training diverged.
        StorageError: No space left, or no permission.
    """
    examples = prepared.examples
    weights = train(
        examples,
        recipe,
        views=prepared.views,
        appearances=prepared.appearances,
        folder=work,
        device=device,
        progress=progress,
        told=told,
    )
    log = [json.loads(line) for line in (work / LOG).read_text(encoding="utf-8").splitlines()]
    record = {
        "recipe": recipe_facts(recipe),
        "teachers": list(prepared.teachers),
        "pictures": len(prepared.views.pictures),
        "images": data_list(examples),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "open_clip_torch", "timm", "numpy", "pillow")},
        },
        "log": log,
    }
    output.mkdir(parents=True, exist_ok=True)
    documents = {"training.json": (json.dumps(record, indent=1) + "\n").encode()}
    export(weights, output, documents=documents, trained_on=training_list_of(examples), look_at=examples.prepared)


def training_list_of(examples: Examples) -> bytes:
    """The list of real images that were trained on, as the encoder's kit carries it; empty where there are none.

    Phantoms are not in it: nobody else has their files, and who draws them again knows from which seed.
    """
    trained = [row for row in np.flatnonzero(~examples.validation).tolist() if not is_drawn(examples, row)]
    sources = Counter(examples.sources[row].split("/", 1)[-1] for row in trained)
    said = ", ".join(f"{number:,} of {source}" for source, number in sorted(sources.items()))
    about = (
        f"The {len(trained):,} real images that were trained on: {said}.\n"
        f"The first {DIGITS} hex digits of the SHA-256 of each file, ascending; copies of a file stand once.\n"
        "Phantoms, which were drawn for the training, are not listed."
    )
    return list_bytes([examples.sha256[row] for row in trained], about=about) if trained else b""


def data_list(examples: Examples) -> list[dict[str, Any]]:
    """Each source and label with its numbers of images that were trained on and validated on."""
    sides = (Counter[tuple[str, str]](), Counter[tuple[str, str]]())
    for row in range(len(examples)):
        pathologies = "|".join(examples.pathologies[row]) if len(examples.pathologies[row]) < 2 else "several"
        label = "/".join(part or "unknown" for part in (examples.modality[row], examples.anatomy[row], pathologies))
        sides[int(examples.validation[row])][(examples.sources[row], label)] += 1
    return [
        {
            "source": source,
            "label": label,
            "trained_on": sides[0][source, label],
            "validated_on": sides[1][source, label],
        }
        for source, label in sorted({*sides[0], *sides[1]})
    ]
