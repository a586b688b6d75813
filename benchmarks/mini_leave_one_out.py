"""Leave one source out: radcbir-mini trained without a source, measured on that source alone.

Usage: python -m benchmarks.mini_leave_one_out COLLECTION… --work DIR [--teacher FILE…] [--steps 2000] [--phantoms N]
    [--pictures N] [--only SOURCE…]

The collections are those of ``train-mini``, and so are the images, views and teachers, from the same cache. A source is
a data set. Of one without findings, modality and anatomy are the label. Queries and gallery are the images of the
source that would have been trained on; a patient, or a group of near-duplicates where no patient is known, does not
find itself. Beside it: ``pixels``, and each teacher's last level. What is finished is kept in DIR, and a run that was
stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.mini_measure import Images, precision
from radcbir_core.arrays import of_norm_one
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.families.pixels import PixelsEncoder
from radcbir_core.storage import atomic_bytes
from radcbir_core.synthetic.mini.appearance import appearances
from radcbir_core.synthetic.mini.examples import Examples, is_drawn
from radcbir_core.synthetic.mini.making import TEACHER_WEIGHTS, phantoms_to_train_on, prepare_mini
from radcbir_core.synthetic.mini.network import APPEARANCE, PREPROCESSING, SHARED, new_model
from radcbir_core.synthetic.mini.teachers import look
from radcbir_core.synthetic.mini.training import Recipe, train

LEAST = 10
"""Images that each of two labels must have, so that a source is measured."""


def sources_of(examples: Examples) -> np.ndarray:
    """(N,) the data set of each example; "" of a phantom."""
    names = ["" if is_drawn(examples, row) else examples.sources[row].split("/", 1)[1] for row in range(len(examples))]
    return np.array(names, dtype=object)


def images_of_source(examples: Examples, rows: np.ndarray) -> Images:
    """Some examples as the measure takes them."""
    labeled = any(examples.pathologies[row] for row in rows)
    return Images(
        collections=[],
        where=[(0, int(row)) for row in rows],
        modality=np.array([examples.modality[row] for row in rows], dtype=object),
        anatomy=np.array([examples.anatomy[row] for row in rows], dtype=object),
        pathologies=[examples.pathologies[row] if labeled else ("any",) for row in rows],
        patient=np.array([f"g{examples.groups[row]}" for row in rows], dtype=object),
        sha256=np.array([examples.sha256[row] or f"r{row}" for row in rows], dtype=object),
        split=np.full(len(rows), "", dtype=object),
        dataset=np.full(len(rows), "", dtype=object),
    )


def measurable(images: Images) -> bool:
    """Whether two labels have enough images."""
    _, counts = np.unique([label for label in images.labels("label") if label], return_counts=True)
    return int((counts >= LEAST).sum()) >= 2


def encoded(weights: dict, prepared: np.ndarray) -> np.ndarray:
    """(N, D) embeddings of norm 1 of images as the encoder prepares them."""
    import torch

    model = new_model().eval()
    model.load_state_dict(weights)
    mean, deviation = PREPROCESSING["mean"][0], PREPROCESSING["std"][0]
    parts = []
    with torch.inference_mode():
        for start in range(0, len(prepared), 128):
            levels = (torch.from_numpy(prepared[start : start + 128]).float() / 255 - mean) / deviation
            parts.append(model.encode_image(levels[:, None].expand(-1, 3, -1, -1)).numpy())
    return of_norm_one(np.concatenate(parts))


def main() -> None:
    """Parse, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--teacher", nargs="+", type=Path, default=[])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--phantoms", type=int, default=32000)
    parser.add_argument("--pictures", type=int, default=24000)
    parser.add_argument("--only", nargs="+")
    asked = parser.parse_args()
    collections = [open_collection(name) for name in asked.collections]
    if asked.phantoms:
        collections.append(phantoms_to_train_on(asked.phantoms))
    prepared = prepare_mini(collections, work=asked.work, teachers=asked.teacher, pictures=asked.pictures)
    examples, views = prepared.examples, prepared.views
    seen = [(look(views, path, cache=asked.work / "cache"), TEACHER_WEIGHTS[path.suffix]) for path in asked.teacher]
    sources = sources_of(examples)
    recipe = Recipe().scaled(asked.steps)
    # Runs of other lengths, or with other teachers, have checkpoints of their own.
    run = "-".join([str(asked.steps), *(path.stem.split("_")[0] for path in asked.teacher)])
    kept = asked.work / "leave-one-out.json"
    found = json.loads(kept.read_text()) if kept.is_file() else {}
    for source in sorted({*sources} - {""}):
        rows = np.flatnonzero((sources == source) & ~examples.validation)
        images = images_of_source(examples, rows)
        if not measurable(images) or (asked.only and source not in asked.only):
            continue
        key = f"{source} {run}"
        if key not in found:
            without = sources == source
            measured = (views.rows < 0) | ~without[np.maximum(views.rows, 0)]
            wanted = appearances(seen, measured) if seen else None
            masked = replace(examples, validation=examples.validation | without)
            weights = train(
                masked, recipe, views=views, appearances=wanted, folder=asked.work / f"without-{source}-{run}"
            )
            mine = encoded(weights, examples.prepared[rows])
            pixels = [examples.pixels[row, : examples.extents[row, 0], : examples.extents[row, 1]] for row in rows]
            vectors = {
                "radcbir-mini": mine,
                "its shared part": of_norm_one(mine[:, :SHARED]),
                "its appearance": of_norm_one(mine[:, SHARED : SHARED + APPEARANCE]),
                "pixels": PixelsEncoder().encode_images(pixels),
            }
            for path, (one, _) in zip(asked.teacher, seen, strict=True):
                vectors[path.stem.split("_")[0]] = of_norm_one(one.levels[-1][views.first[rows]])
            of = {who: precision(images, embedded, "label") for who, embedded in vectors.items()}
            found[key] = {
                "images": len(rows),
                "patients": len(np.unique(images.patients)),
                "queries": len(of["pixels"].at_1),
                "figures": {who: [one.said(1), one.said(10)] for who, one in of.items()},
            }
            atomic_bytes(kept, (json.dumps(found, indent=1) + "\n").encode())
        print(key, {who: values[0] for who, values in found[key]["figures"].items()}, flush=True)
    print(table({key: one for key, one in found.items() if key.endswith(f" {run}")}))


def table(found: dict[str, dict]) -> str:
    """The figures as Markdown: P@1 and P@10 with intervals."""
    if not found:
        return "No source has two labels of ten images."
    names = list(next(iter(found.values()))["figures"])
    lines = [
        f"| source left out | images | patients | queries | {' | '.join(names)} |",
        f"|---|---|---|---|{'---|' * len(names)}",
    ]
    for key, one in found.items():
        cells = " | ".join(f"{values[0]}; {values[1].split(' ')[0]}" for values in one["figures"].values())
        lines.append(
            f"| {key.split(' ')[0]} | {one['images']:,} | {one['patients']:,} | {one['queries']:,} | {cells} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
