"""Whether two encoders put the same images side by side: the overlap of their neighbor graphs.

Owns the agreement of two graphs, image by image and on average. Knows nothing of what is relevant: high agreement with
like P@k means that one encoder could stand for the other, low agreement with like P@k that they are right in different
ways, and may do better together. The graphs leave out only the image itself; no exclusions are applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Codes
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice
from radcbir_core.evaluation.metrics.overlap import overlap_by_depth
from radcbir_core.progress import Progress, silent

AGREEMENT_KS = (1, 5, 10, 50)

_CHUNK = 4096


@dataclass(frozen=True)
class Neighborhoods(Evaluation):
    """How far the neighbor graphs of two encoders agree.

    Tables: ``agreement`` with the columns ``k`` (of :data:`AGREEMENT_KS`, at most the width of the graphs),
    ``agreement``, the mean shared part of the k nearest images, and ``random``, what two neighborhoods drawn at random
    would share on average: k of the R - 1 other images each, so k ÷ (R - 1). And ``images``, one row an image that
    both could embed: ``row``, and ``shared@k``, how many of the k nearest both name. A neighbor that only one of the
    two could embed is never shared.
    """

    kind: ClassVar[str] = "neighborhoods"
    recipe: ClassVar[int] = 2
    name: ClassVar[str] = "Neighborhoods"
    about: ClassVar[str] = "How many of the nearest images of every image two encoders share."
    uses: ClassVar[tuple[Need, ...]] = ("neighbors",)
    table_words: ClassVar[Mapping[str, str]] = {
        "agreement": "The mean shared part of the nearest images, at several k",
        "images": "How many of the nearest images of each image both name",
    }

    versus: str = choice("", "The second encoder")

    def other(self, store: EncoderStore) -> EncoderStore:
        """What encoder B made of the collection.

        Raises:
            EvaluationError: None is named, or it is the same.
        """
        if self.versus in {"", store.encoder_id}:
            raise EvaluationError(
                f"Expected two different encoders, but these are {store.encoder_id} and {self.versus or 'none'}. "
                "Compare it with another one."
            )
        return store.collection.store(self.versus)

    def check_current(self, store: EncoderStore) -> None:
        """Do nothing if there are two graphs.

        Raises:
            EvaluationError: Both are the same encoder.
            StaleError: A graph is missing or older than the embeddings.
        """
        super().check_current(self.other(store))
        super().check_current(store)

    def made_of(self, store: EncoderStore) -> list[str]:
        """Both encoders' embeddings."""
        return [*super().made_of(store), self.other(store).evaluated]

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Compare two graphs, a few thousand images at a time.

        Args:
            store: What encoder A made of a collection, with its graph.
            progress: Told the number of images, as step "images".
        """
        other = self.other(store)
        first, second = store.neighbor_ids, other.neighbor_ids
        width = min(first.shape[1], second.shape[1])
        ks = [k for k in AGREEMENT_KS if k <= width]
        rows = np.flatnonzero(store.valid & other.valid)
        shared = np.zeros((len(rows), len(ks)), dtype=np.int32)
        progress("images", 0, len(rows))
        for start in range(0, len(rows) if ks else 0, _CHUNK):
            mine = rows[start : start + _CHUNK]
            counts = overlap_by_depth(np.asarray(first[mine, : ks[-1]]), np.asarray(second[mine, : ks[-1]]))
            shared[start : start + _CHUNK] = counts[:, np.asarray(ks) - 1]
            progress("images", start + len(mine), len(rows))
        images = pd.DataFrame({f"shared@{k}": shared[:, i] for i, k in enumerate(ks)}, index=range(len(rows)))
        images.insert(0, "row", rows.astype(np.int32))
        others = max(len(rows) - 1, 1)
        agreement = pd.DataFrame(
            {
                "k": np.asarray(ks, dtype=np.int64),
                "agreement": [float(shared[:, i].mean()) / k if len(rows) else np.nan for i, k in enumerate(ks)],
                "random": [min(k / others, 1.0) for k in ks],
            }
        )
        facts = {"a": store.encoder_id, "b": other.encoder_id, "n_images": len(rows)}
        return self.result(store, {"agreement": agreement, "images": images}, (), facts)

    def title(self, result: Result) -> str:
        """Who is compared, and over how many images."""
        return f" and {result.facts['b']}: shared part of the nearest images, over {result.facts['n_images']} images"

    def summary(self, result: Result) -> pd.DataFrame:
        """The agreement at every k."""
        shares = result.table.assign(
            **{name: [f"{100 * share:.1f} %" for share in result.table[name]] for name in ("agreement", "random")}
        )
        return shares.rename(columns={"k": "nearest"})


def agreement_by_label(result: Result, labels: Codes, k: int) -> pd.DataFrame:
    """Mean agreement of the images of each label.

    Args:
        result: Of :class:`Neighborhoods`.
        labels: Of all images of the collection.
        k: One of those of its table.

    Returns:
        Columns ``label``, ``agreement`` and ``n_images``, highest agreement first, ties by name; labels without an
        image are left out.

    Raises:
        ValueError: k is none of these.
    """
    images = result.tables["images"]
    if f"shared@{k}" not in images:
        raise ValueError(f"Expected a k of {result.table['k'].tolist()}, but k = {k}. Choose one of these.")
    codes = labels.codes[images["row"].to_numpy()]
    known = codes >= 0
    size = len(labels.values)
    counts = np.bincount(codes[known], minlength=size)
    sums = np.bincount(codes[known], weights=images[f"shared@{k}"].to_numpy()[known] / k, minlength=size)
    table = pd.DataFrame({"label": np.asarray(labels.values, dtype=object), "n_images": counts})
    table["agreement"] = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    table = table[table["n_images"] > 0]
    order = np.lexsort((table["label"].to_numpy(dtype=object), -table["agreement"].to_numpy().round(12)))
    return table.iloc[order].reset_index(drop=True)[["label", "agreement", "n_images"]]
