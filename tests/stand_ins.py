"""Quick stand-ins for the slow parts of the demonstration: drawing phantoms, laying out the map.

Run as a program, it makes the demonstration in a process of its own: ``python -m tests.stand_ins TINY_ROOT``.
"""

from __future__ import annotations

import csv
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.layout import data_folder
from radcbir_core.progress import Progress, silent
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.projecting import Projection
from radcbir_core.storage import atomic_path
from tests.kept_embeddings import kept_embeddings
from tests.small_images import draw


class Patch(Protocol):
    """What pytest's ``MonkeyPatch`` does for a name with dots."""

    def setattr(self, target: str, name: Any, /) -> None:
        """Let the name stand for something else."""


class ForGood:
    """The same in a process that ends with it, and need not import pytest, which takes as long as a small job."""

    def setattr(self, target: str, name: Any, /) -> None:
        """Let the name stand for something else."""
        module, _, attribute = target.rpartition(".")
        setattr(importlib.import_module(module), attribute, name)


LABELS = (("XR", "chest", "pleural effusion"), ("CT", "head", "hemorrhage"), ("MR", "brain", "meningioma"))


def make_small_phantoms(
    *, name: str, images: int = 60, seed: int = 0, labels: int | None = None, progress: Progress = silent
) -> Collection:
    """As ``make_phantoms``, from rings, stripes and blocks; every call leaves a line in ``drawn.txt``."""
    assert labels is None or 1 <= labels <= images
    from radcbir_core.importers import import_collection
    from radcbir_core.synthetic.phantom_collection import TITLE

    source = data_folder() / "source"
    source.mkdir(parents=True, exist_ok=True)
    with (data_folder() / "drawn.txt").open("a") as handle:
        handle.write(f"{name} {images}\n")
    rows = [["path", "modality", "anatomy", "pathology", "patient_id"]]
    for number in range(images):
        kind = number % 3
        draw(kind, number).save(source / f"{number:04d}.png")
        rows.append([f"{number:04d}.png", *LABELS[kind], f"p{number // 2}"])
        progress("draw", number + 1, images)
    with (source / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    return import_collection([source], name=name, title=TITLE).collection


def project_quickly(store: EncoderStore, *, progress: Progress = silent, **_: Any) -> dict[str, Any]:
    """As ``project_store``, without UMAP."""
    count = len(kept_embeddings(store))
    places = np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)
    table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "preservation": np.ones(count, dtype=np.float32)})
    with atomic_path(store.projection_path) as partial:
        table.to_parquet(partial)
    progress("projection", 1, 1)
    return {}


def place_quickly(ids: Any, similarities: Any, *, options: MapOptions, **_: Any) -> Projection:
    """As ``project``, without UMAP: places at random, by the seed."""
    places = np.random.default_rng(options.seed).normal(size=(len(ids), options.dimensions)).astype(np.float32)
    return Projection(places, np.ones(len(ids), dtype=np.float32), "none", np.ones(len(ids), dtype=bool))


def use_stand_ins(patch: Patch, tiny_root: Path, *, images: int = 60, drawn: bool = False) -> None:
    """Make the demonstration quick: a random encoder, few images, simple ones unless ``drawn``, no UMAP."""
    patch.setattr("radcbir_core.encoders.registry.ROOT", tiny_root)
    if not drawn:
        patch.setattr("radcbir_core.synthetic.demonstration.make_phantoms", make_small_phantoms)
    patch.setattr("radcbir_core.synthetic.demonstration.DEFAULT_IMAGES", images)
    use_quick_map(patch)


def use_quick_map(patch: Patch) -> None:
    """Lay out maps without UMAP."""
    patch.setattr("radcbir_core.pipeline.project_store", project_quickly)


if __name__ == "__main__":
    from radcbir_core.jobs import run_here
    from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration

    slow = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0

    def slowly(step: str, done: int, total: int) -> None:
        time.sleep(slow)

    use_stand_ins(ForGood(), Path(sys.argv[1]))
    print(json.dumps(run_here(MakeDemonstration(), progress=slowly).seconds))
