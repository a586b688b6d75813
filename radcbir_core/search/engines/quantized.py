"""The same search over vectors that are kept with fewer digits.

Owns the ways of rounding, and the exact search over vectors that were rounded so. Nothing here is used to answer
anybody: it measures what fewer digits would cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Exclusion, Float32, Floats, Hits, Mask, OverVectors, Rows, Vectors, unit_vectors
from radcbir_core.search.engines.exact import first_hits


@dataclass(frozen=True, slots=True)
class Quantization:
    """A way of keeping a vector.

    Attributes:
        name: Names it.
        said: What it does, in a few words.
        size: Bytes a number.
        rounds: Unit vectors → the numbers that are kept, as float32.
    """

    name: str
    said: str
    size: int
    rounds: Callable[[Float32], Float32]


def _to_half(vectors: Float32) -> Float32:
    rounded: Float32 = vectors.astype(np.float16).astype(np.float32)
    return rounded


def _to_bfloat(vectors: Float32) -> Float32:
    """The first 16 bits of a single, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(vectors, dtype=np.float32).view(np.uint32)
    rounded: Float32 = ((bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)).view(
        np.float32
    )
    return rounded


def _to_bytes(vectors: Float32) -> Float32:
    """As USearch keeps i8: 127 times the unit vector, cut at the point."""
    kept: Float32 = np.trunc(vectors * np.float32(127))
    return kept


def _to_scaled_bytes(vectors: Float32) -> Float32:
    """The largest component becomes 127, the others are rounded beside it."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scale = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest > 0)
    kept: Float32 = np.rint(vectors * scale)
    return kept


QUANTIZATIONS: Final[Mapping[str, Quantization]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Quantization("f16", "half precision", 2, _to_half),
            Quantization("bf16", "bfloat16, 8 binary digits", 2, _to_bfloat),
            Quantization("i8", "one byte, 127ths of the length", 1, _to_bytes),
            Quantization("i8-scaled", "one byte, 127ths of the largest component", 1, _to_scaled_bytes),
        )
    }
)
"""The ways, by name, from the most digits to the fewest bytes."""


class Quantized(OverVectors):
    """Vectors as they would be if they had been kept with fewer digits; of length 1 again, as a cosine asks for.

    Args:
        source: The vectors as they are stored.
        kind: Of :data:`QUANTIZATIONS`.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> source = ArrayVectors(np.array([[0.6, 0.8], [0.0, 0.0]], dtype=np.float32))
        >>> np.allclose(Quantized(source, "i8").vectors(np.arange(2)), [[76 / 126.4, 101 / 126.4], [0, 0]], atol=1e-4)
        True
    """

    def __init__(self, source: Vectors, kind: str) -> None:
        super().__init__(source)
        self._kind = QUANTIZATIONS[kind]

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """Single precision, in which what was rounded is compared."""
        return np.dtype(np.float32)

    def vectors(self, rows: Rows) -> Floats:
        """``(R, D)`` float32 of length 1, or of zeros."""
        rounded = self._kind.rounds(unit_vectors(self.source, rows))
        lengths = np.linalg.norm(rounded, axis=1, keepdims=True)
        scaled: Float32 = np.divide(rounded, lengths, out=np.zeros_like(rounded), where=lengths > 0)
        return scaled


def kept_as(source: Vectors) -> str:
    """How many digits vectors are stored with, such as "f16".

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> kept_as(ArrayVectors(np.zeros((1, 2), dtype=np.float16)))
        'f16'
    """
    return f"f{8 * source.dtype.itemsize}"


def narrower_than_stored(source: Vectors) -> list[str]:
    """The ways of :data:`QUANTIZATIONS` that vectors are not stored in already."""
    return [name for name in QUANTIZATIONS if name != kept_as(source)]


def exact_hits(
    source: Vectors,
    rows: Rows,
    *,
    k: int,
    gallery: Mask,
    exclusions: Sequence[Exclusion] = (),
    progress: Progress = silent,
) -> Hits:
    """The k most similar images of the gallery for each row, all compared.

    Args:
        source: The vectors, as they are stored or :class:`Quantized`; queries are taken from it as well.
        rows: ``(Q,)`` the queries; all must have a vector.
        k: How many hits.
        gallery: ``(N,)``; which may be returned.
        exclusions: What each query may not return.
        progress: Told the number of queries, as step "search".
    """
    return first_hits(
        source,
        lambda part: unit_vectors(source, rows[part]),
        queries=len(rows),
        k=k,
        rows=np.flatnonzero(gallery),
        exclusions=exclusions,
        progress=progress,
    )
