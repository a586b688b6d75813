"""What teachers see in views, as the one target that the network imitates: the appearance of an image.

Owns how several teachers, and several levels of one, become one vector: each number in units of its spread, each level
of norm 1, each teacher with its weight, and of all that the principal directions, by which labels are found as well as
by all numbers (`benchmarks.mini_teachers`). The levels of a network have other
ranges and widths, and without this the last one, or the widest, would be all that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import of_norm_one
from radcbir_core.synthetic.mini.network import APPEARANCE
from radcbir_core.synthetic.mini.teachers import Seen

_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class _Standard:
    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    def __call__(self, level: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        return of_norm_one((level.astype(np.float32) - self.mean) / self.spread)


def appearances(seen: Sequence[tuple[Seen, float]], measured: npt.NDArray[np.bool_]) -> npt.NDArray[np.float16]:
    """The target of each view.

    Args:
        seen: What each teacher sees in V views, and the weight of the teacher.
        measured: (V,) the views by which means, spreads and directions are measured.

    Returns:
        (V, 256) of norm 1; with fewer numbers than 256 the last ones are 0.

    Raises:
        ValueError: No view is measured.
    """
    if not measured.any():
        raise ValueError("Expected views to measure by, but there is none.")
    standards = [[_standard(level, measured) for level in one.levels] for one, _ in seen]

    def blocks(chosen: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        for start in range(0, len(chosen), _AT_ONCE):
            rows = chosen[start : start + _AT_ONCE]
            parts = [
                np.float32(weight)
                * of_norm_one(
                    np.concatenate(
                        [standard(level[rows]) for standard, level in zip(of, one.levels, strict=True)], axis=1
                    )
                )
                for of, (one, weight) in zip(standards, seen, strict=True)
            ]
            yield of_norm_one(np.concatenate(parts, axis=1))

    number = 0
    width = sum(sum(one.widths) for one, _ in seen)
    total, products = np.zeros(width), np.zeros((width, width))
    for block in blocks(np.flatnonzero(measured)):
        number += len(block)
        total += block.sum(axis=0, dtype=np.float64)
        products += block.T @ block
    mean = total / number
    directions = np.linalg.eigh(products / number - np.outer(mean, mean))[1][:, ::-1][:, :APPEARANCE]
    directions = np.pad(directions, ((0, 0), (0, APPEARANCE - directions.shape[1]))).astype(np.float32)
    shift = (mean @ directions).astype(np.float32)
    every = np.arange(len(measured))
    return np.concatenate([of_norm_one(block @ directions - shift).astype(np.float16) for block in blocks(every)])


def _standard(level: npt.NDArray[np.float16], measured: npt.NDArray[np.bool_]) -> _Standard:
    rows = level[measured].astype(np.float32)
    spread = rows.std(axis=0)
    # What hardly varies is noise, and would be made as loud as the rest.
    floor = max(1e-3 * float(rows.std()), 1e-6)
    return _Standard(rows.mean(axis=0), spread + np.float32(floor))
