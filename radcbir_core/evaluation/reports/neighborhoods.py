"""Whether two encoders put the same images side by side: the overlap of their neighbor graphs.

Owns the agreement of two graphs, image by image and on average. Knows nothing of what is relevant: high agreement with
like P@k means that one encoder could stand for the other, low agreement with like P@k that they are right in different
ways, and may do better together. The graphs leave out only the image itself; no exclusions are applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.manifest import Level
from radcbir_core.collections.store import EncoderStore
from radcbir_core.evaluation.metrics.overlap import overlap_by_depth
from radcbir_core.evaluation.reports.comparing import check_sides

AGREEMENT_KS = (1, 5, 10, 50)

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Neighborhoods:
    """How far two neighbor graphs agree.

    Attributes:
        ks: The k's, at most the width of the graphs.
        rows: (R,) the images that both encoders could embed.
        shared: (R, len(ks)) int32: how many of the k nearest images both encoders name.
        n_images: Images whose neighbors were compared, R.
    """

    ks: tuple[int, ...]
    rows: npt.NDArray[np.int64]
    shared: npt.NDArray[np.int32]

    @property
    def n_images(self) -> int:
        """How many images were compared."""
        return len(self.rows)

    def at(self, k: int) -> npt.NDArray[np.float64]:
        """(R,) the shared part of the k nearest images, from 0 to 1.

        Raises:
            ValueError: k is none of ``ks``.
        """
        if k not in self.ks:
            raise ValueError(f"Expected a k of {self.ks}, but k = {k}. Choose one of these.")
        found: npt.NDArray[np.float64] = self.shared[:, self.ks.index(k)] / k
        return found

    def table(self) -> pd.DataFrame:
        """Mean agreement at each k: columns ``k``, ``agreement`` and ``random``.

        ``random`` is what two neighborhoods drawn at random would share on average: k of the R - 1 other images each,
        so k ÷ (R - 1).
        """
        others = max(self.n_images - 1, 1)
        return pd.DataFrame(
            {
                "k": np.asarray(self.ks, dtype=np.int64),
                "agreement": [float(self.at(k).mean()) if self.n_images else np.nan for k in self.ks],
                "random": [min(k / others, 1.0) for k in self.ks],
            }
        )


def neighborhoods(a: EncoderStore, b: EncoderStore) -> Neighborhoods:
    """Compare two neighbor graphs of one collection, a few thousand images at a time.

    Args:
        a: What encoder A made of a collection, with its graph.
        b: Likewise encoder B of the same collection.

    Returns:
        The agreement of every image that both could embed, at each of :data:`AGREEMENT_KS` that the graphs are wide
        enough for. A neighbor that only one of the two could embed is never shared.

    Raises:
        EvaluationError: Both are the same encoder, or of different collections.
        StaleError: A graph is missing or older than the embeddings.
    """
    check_sides(a, b)
    first, second = a.neighbor_ids, b.neighbor_ids
    width = min(first.shape[1], second.shape[1])
    ks = tuple(k for k in AGREEMENT_KS if k <= width)
    rows = np.flatnonzero(a.valid & b.valid)
    shared = np.zeros((len(rows), len(ks)), dtype=np.int32)
    if not ks:
        return Neighborhoods(ks, rows, shared)
    deepest = ks[-1]
    for start in range(0, len(rows), _CHUNK):
        mine = rows[start : start + _CHUNK]
        counts = overlap_by_depth(np.asarray(first[mine, :deepest]), np.asarray(second[mine, :deepest]))
        shared[start : start + _CHUNK] = counts[:, np.asarray(ks) - 1]
    return Neighborhoods(ks, rows, shared)


def agreement_by_label(found: Neighborhoods, a: EncoderStore, level: Level, k: int) -> pd.DataFrame:
    """Mean agreement of the images of each label.

    Args:
        found: From :func:`neighborhoods`.
        a: One of the two encoders, for the labels.
        level: Of the labels.
        k: Of :attr:`Neighborhoods.ks`.

    Returns:
        Columns ``label``, ``agreement`` and ``n_images``, highest agreement first, ties by name; labels without an
        image are left out.
    """
    labels = a.collection.manifest.labels(level)
    codes = labels.codes[found.rows]
    known = codes >= 0
    size = len(labels.values)
    counts = np.bincount(codes[known], minlength=size)
    sums = np.bincount(codes[known], weights=found.at(k)[known], minlength=size)
    table = pd.DataFrame({"label": np.asarray(labels.values, dtype=object), "n_images": counts})
    table["agreement"] = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    table = table[table["n_images"] > 0]
    order = np.lexsort((table["label"].to_numpy(dtype=object), -table["agreement"].to_numpy().round(12)))
    return table.iloc[order].reset_index(drop=True)[["label", "agreement", "n_images"]]
