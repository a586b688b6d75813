"""What the levels of a teacher tell of findings: each level alone, all of them, and the target that is made of them.

Usage: python -m benchmarks.mini_teachers COLLECTION… --work DIR --teacher FILE [FILE…] [--most 700]

The collections are those of ``train-mini``. At most ``--most`` images of each data set, drawn at random, are shown as
the encoder prepares them; of each data set alone, label P@1 and P@10 are measured as in
``benchmarks/mini_leave_one_out.py``, and their mean over data sets is printed as Markdown. No teacher saw any of these.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.mini_leave_one_out import images_of_source, measurable, sources_of
from benchmarks.mini_measure import precision
from radcbir_core.arrays import of_norm_one
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.families.pixels import PixelsEncoder
from radcbir_core.storage import digest_of
from radcbir_core.synthetic.mini.appearance import appearances
from radcbir_core.synthetic.mini.examples import load_examples
from radcbir_core.synthetic.mini.making import TEACHER_WEIGHTS
from radcbir_core.synthetic.mini.teachers import look
from radcbir_core.synthetic.mini.training_views import Views


def main() -> None:
    """Parse, show, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--teacher", nargs="+", type=Path, required=True)
    parser.add_argument("--most", type=int, default=700)
    asked = parser.parse_args()
    examples = load_examples([open_collection(name) for name in asked.collections], cache=asked.work / "cache")
    sources, generator = sources_of(examples), np.random.default_rng(0)
    rows = np.concatenate(
        [
            np.sort(generator.permutation(np.flatnonzero(sources == source))[: asked.most])
            for source in np.unique(sources)
        ]
    )
    shown = np.ascontiguousarray(examples.prepared[rows])
    every, ones = np.arange(len(rows)), np.ones(len(rows), dtype=np.int64)
    views = Views(pixels=shown, rows=every, first=every, count=ones, digest=digest_of(shown.tobytes()))
    crops = [examples.pixels[row, : examples.extents[row, 0], : examples.extents[row, 1]] for row in rows]
    vectors = {"pixels": PixelsEncoder().encode_images(crops)}
    all_of_them, measured = [], np.ones(len(rows), dtype=bool)
    for path in asked.teacher:
        one = look(views, path, cache=asked.work / "cache")
        name = path.stem.split("_")[0]
        all_of_them.append((one, TEACHER_WEIGHTS[path.suffix]))
        for number, level in enumerate(one.levels, start=1):
            of = level.astype(np.float32)
            last = " (the last)" if number == len(one.levels) else ""
            vectors[f"{name}, level {number}{last}"] = of_norm_one(
                (of - of.mean(axis=0)) / (of.std(axis=0) + 1e-3 * of.std())
            )
        vectors[f"{name}, principal directions of all levels"] = appearances([(one, 1.0)], measured).astype(np.float32)
    vectors["principal directions of all teachers"] = appearances(all_of_them, measured).astype(np.float32)
    print("| what is compared | data sets | label P@1 | label P@10 |\n|---|---|---|---|")
    groups = {source: np.flatnonzero(sources[rows] == source) for source in np.unique(sources)}
    images = {source: images_of_source(examples, rows[of]) for source, of in groups.items()}
    measured_ones = [source for source in groups if measurable(images[source])]
    for name, embedded in vectors.items():
        found = [precision(images[source], embedded[groups[source]], "label") for source in measured_ones]
        first, ten = (float(np.mean([one.micro(k) for one in found])) for k in (1, 10))
        print(f"| {name} | {len(found)} | {first:.3f} | {ten:.3f} |", flush=True)


if __name__ == "__main__":
    main()
