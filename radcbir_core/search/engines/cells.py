"""Cells: an approximate engine that reads only the vectors around a query, in one file that is mapped into memory.

Owns the file and the search in it; it is made by cell_building.py. The vectors lie in it cell by cell, a cell being
what is nearest to one center of k-means, each as its center and a byte a component of what is left. A query reads the
cells that may hold a hit, nearest first, and what it finds is compared again in full.

When it stops is a matter of chance, which is reckoned with: the similarities of a cell's rows to a query lie around
that of their center, as far apart as the query's direction and the cell's spread say, and how many rows are still to
come that would be among the first k follows from that. It stops when less than a share of :data:`MISSED` of the k hits
is to be expected there. A filter takes part in it: rows that may not be returned are not expected, cells without others
are not read, and hits far away are looked for as widely as they have to be, up to all rows.

Source: Jégou, Douze and Schmid, *Product Quantization for Nearest Neighbor Search*, IEEE TPAMI 33 (2011), section IV,
for cells and codes of what is left; the rule of stopping is its own.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import CollectionError
from radcbir_core.search.backend import (
    Exclusion,
    Filter,
    Float32,
    Hits,
    Mask,
    Method,
    OverVectors,
    Recall,
    Rows,
    Vectors,
    products_with,
    unit_vectors,
)
from radcbir_core.search.engines.scanning import side_by_side
from radcbir_core.storage import digest_once

EXACT_ELEMENTS = 64_000_000
"""Vector elements that an exact scan may read for one query: about 6 ms in half precision on one core."""
MISSED: Final = 0.003
"""Of the first k hits, the share that may be expected in what is not read."""
LARGEST = 127
"""What the largest component of a code is."""
_FEWEST = 4096
"""Rows to read before anything is concluded from the k-th of them."""
_GROWTH = 4
_PIECE = 16_384
_SPARSE = 5
"""Where fewer than one row in so many may be returned, these are copied out; else all are multiplied."""
_MANY_EXCLUDED = 4096
_KEPT_FILTERS = 16
_ALIGNED = 64

Slots = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Content:
    """What is in the file. The vectors in their order there are called slots.

    Attributes:
        centers: ``(C, D)`` float32.
        starts: ``(C + 1,)`` int64; the first slot of each cell, and the number of slots.
        rows: ``(S,)`` int32; the row of each slot.
        spreads: ``(C,)`` float32; how far the vectors of a cell are from its center, beside the average.
        covariance: ``(D, D)`` float32, of what is left of vectors without their centers.
        tuning: ``(4,)`` float64; by how much spreads are taken to be larger, so that enough is read, where the hits are
            near and where they are far; how similar the last hit is that counts as near; and how far two similarities
            by codes may be from their difference.
        scales: ``(S,)`` float32; what a code is to be multiplied with.
        codes: ``(S, D)`` int8.
    """

    centers: Float32
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    spreads: Float32
    covariance: Float32
    tuning: npt.NDArray[np.float64]
    scales: Float32
    codes: npt.NDArray[np.int8]

    def checked(self, *, rows: int, dimension: int) -> Content:
        """The same, if its parts fit each other and the vectors.

        Raises:
            ValueError: They do not.
        """
        cells, slots = len(self.centers), len(self.rows)
        shapes = (
            (self.centers, (cells, dimension), np.float32),
            (self.starts, (cells + 1,), np.int64),
            (self.rows, (slots,), np.int32),
            (self.spreads, (cells,), np.float32),
            (self.covariance, (dimension, dimension), np.float32),
            (self.tuning, (4,), np.float64),
            (self.scales, (slots,), np.float32),
            (self.codes, (slots, dimension), np.int8),
        )
        if any(array.shape != shape or array.dtype != kind for array, shape, kind in shapes):
            raise ValueError("its parts do not fit each other")
        if self.starts[0] != 0 or self.starts[-1] != slots or (np.diff(self.starts) <= 0).any():
            raise ValueError("its cells do not follow each other")
        if slots and (self.rows.min() < 0 or self.rows.max() >= rows):
            raise ValueError("it names other rows than there are")
        return self


PARTS: Final = ("centers", "starts", "rows", "spreads", "covariance", "tuning", "scales", "codes")
"""The order in which they lie in the file, each as NumPy writes an array, the codes last."""


def write_part(handle: BinaryIO, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Write the head of a part, behind which its numbers are to follow; it begins where memory is read well."""
    handle.write(b"\0" * (-handle.tell() % _ALIGNED))
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(handle, description)


def read_content(path: Path) -> Content:
    """What is in a file; its codes are mapped, all else is read.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file.
    """
    # A plain array of what is mapped: to slice a memmap takes as long as to read a hundred rows.
    mapped = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    parts: dict[str, Any] = {}
    place = 0
    for name in PARTS:
        head = BytesIO(mapped[place : place + 4096].tobytes())
        np.lib.format.read_magic(head)
        shape, _, dtype = np.lib.format.read_array_header_1_0(head)
        first = place + head.tell()
        last = first + math.prod(shape) * dtype.itemsize
        part = mapped[first:last].view(dtype).reshape(shape)
        parts[name] = part if name == "codes" else np.array(part)
        place = last + -last % _ALIGNED
    return Content(**parts)


class Cells(OverVectors):
    """The engine over the valid rows of some vectors; its file is opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file that :func:`~radcbir_core.search.engines.cell_building.build_cells` wrote.
        digest: SHA-256 that the file must have.
        recall: As measured when it was built.
        exact_elements: Up to how many vector elements an exact scan is as quick.
    """

    name = "cells"
    method: Method = "approximate"
    filters: frozenset[Filter] = frozenset(get_args(Filter))

    def __init__(
        self,
        source: Vectors,
        path: Path,
        *,
        digest: str,
        recall: Recall = Recall(),  # noqa: B008 - it cannot be changed
        exact_elements: int = EXACT_ELEMENTS,
    ) -> None:
        super().__init__(source)
        self._path = path
        self._digest = digest
        self._filters = _KeptFilters()
        self.recall = recall
        self.exact_elements = exact_elements

    @classmethod
    def over(cls, source: Vectors, content: Content) -> Cells:
        """The engine over content that is open already."""
        engine = cls(source, Path(), digest="")
        engine._content = content
        return engine

    def search(
        self, queries: Float32, *, k: int, allowed: Mask | None = None, exclusions: Sequence[Exclusion] = ()
    ) -> Hits:
        """The k most similar rows of each query that it finds, best first.

        Args:
            queries: ``(Q, D)`` float32, unit norm.
            k: How many hits.
            allowed: ``(N,)``; which rows may be returned, all that it holds by default.
            exclusions: What each query may not return.

        Raises:
            CollectionError: The file is missing, damaged, or not the one that was built.
        """
        hits = Hits.empty(len(queries), k, method=self.method, engine=self.name, recall=self.recall)
        if not len(self._content.rows) or not k:
            return hits
        open_slots = None if allowed is None else self._filters.of(allowed, self._content)
        alone = len(queries) == 1

        def answer(number: int) -> tuple[Rows, Float32]:
            search = self._search_of(queries[number], k, open_slots, exclusions, number, spread_out=alone)
            rows = self._content.rows[search.run()].astype(np.intp)
            similarities = products_with(queries[number], unit_vectors(self.source, rows))
            best = np.lexsort((rows, -similarities))[:k]
            return rows[best], similarities[best]

        for number, (rows, similarities) in enumerate(side_by_side(answer, range(len(queries)))):
            hits.fill(number, rows, similarities)
        return hits

    def _search_of(
        self,
        query: Float32,
        k: int,
        open_slots: _OpenSlots | None,
        exclusions: Sequence[Exclusion],
        number: int,
        *,
        spread_out: bool,
    ) -> _Search:
        barred = [self._slot_of[exclusion.rows(number)] for exclusion in exclusions]
        slots = np.unique(np.concatenate([*barred, np.empty(0, dtype=np.int32)])).astype(np.intp)
        slots = slots[slots >= 0]
        if len(slots) > _MANY_EXCLUDED:
            before = np.ones(len(self._content.rows), dtype=np.bool_) if open_slots is None else open_slots.mask.copy()
            before[slots] = False
            open_slots, slots = _OpenSlots.of(before, self._content), slots[:0]
        return _Search(self._content, query, k, open_slots, slots, spread_out=spread_out)

    @cached_property
    def _content(self) -> Content:
        try:
            digest = digest_once(self._path)
        except OSError as error:
            raise CollectionError(f"Expected an index, but {self._path}: {error.strerror}. Build again.") from error
        if digest != self._digest:
            raise CollectionError(
                f"Expected the index as it was built, but {self._path} has other bytes. Build again, or open the "
                "collection again if it was."
            )
        try:
            return read_content(self._path).checked(rows=self.shape[0], dimension=self.shape[1])
        except (OSError, ValueError, TypeError) as error:
            raise CollectionError(f"Expected an index, but {self._path} cannot be read. Build again.") from error

    @cached_property
    def _slot_of(self) -> npt.NDArray[np.int32]:
        """``(N,)`` where each row is; -1 where it is not."""
        slots = np.full(self.shape[0], -1, dtype=np.int32)
        slots[self._content.rows] = np.arange(len(self._content.rows), dtype=np.int32)
        return slots


@dataclass(frozen=True, slots=True, eq=False)
class _OpenSlots:
    """Which slots may be returned.

    Attributes:
        mask: ``(S,)``.
        numbers: ``(C,)``; how many of each cell.
    """

    mask: Mask
    numbers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, mask: Mask, content: Content) -> _OpenSlots:
        return cls(mask, np.add.reduceat(mask, content.starts[:-1], dtype=np.int64))


class _KeptFilters:
    """The last filters as slots: to put 1.6 million rows into their order takes some milliseconds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, allowed: Mask, content: Content) -> _OpenSlots:
        key = np.packbits(allowed).tobytes()
        with self._lock:
            if kept := self._kept.get(key):
                self._kept.move_to_end(key)
        if kept:
            packed, numbers = kept
            return _OpenSlots(np.unpackbits(packed, count=len(content.rows)).view(np.bool_), numbers)
        slots = _OpenSlots.of(allowed.take(content.rows), content)
        with self._lock:
            self._kept[key] = np.packbits(slots.mask), slots.numbers
            if len(self._kept) > _KEPT_FILTERS:
                self._kept.popitem(last=False)
        return slots


class _Search:
    """One query's way through the cells."""

    def __init__(
        self,
        content: Content,
        query: Float32,
        k: int,
        open_slots: _OpenSlots | None,
        excluded: Slots,
        *,
        spread_out: bool,
    ) -> None:
        self._content = content
        self._k = k
        self._open = open_slots
        self._excluded = excluded
        self._spread_out = spread_out
        self._code, self._scale = code_of(query[None])
        self._window = float(content.tuning[3])
        self._means = products_with(query, content.centers)
        self._numbers = np.diff(content.starts) if open_slots is None else open_slots.numbers
        variance = float(products_with(query, content.covariance) @ query)
        self._deviations = content.spreads * math.sqrt(max(variance, 0.0))
        self._floor = -math.inf
        self._values = np.empty(0)
        self._slots = np.empty(0, dtype=np.intp)

    def run(self) -> Slots:
        """The slots that may be among the first k by their vectors, in no order."""
        left = np.flatnonzero(self._numbers)
        left = left[np.argsort(-(self._means[left] + 3 * self._deviations[left]), kind="stable")]
        batch = max(_FEWEST, 8 * self._k)
        while len(left):
            sums = np.cumsum(self._numbers[left])
            taken = int(np.searchsorted(sums, batch)) + 1
            self._read(np.sort(left[:taken]))
            left = self._worth_reading(left[taken:])
            batch *= _GROWTH
        return self._slots

    def _worth_reading(self, left: Slots) -> Slots:
        """Of the cells that were not read, those that are to be, first what is most likely to hold a hit."""
        if self._floor == -math.inf or not len(left):
            return left
        numbers, tuning = self._numbers[left], self._content.tuning
        # What is far from a query lies otherwise around its centers than what is near.
        caution = float(tuning[0 if self._floor >= tuning[2] else 1])
        expected = expected_above(self._floor, self._means[left], caution * self._deviations[left], numbers=numbers)
        return left[worth_reading(expected, numbers=numbers, k=self._k)]

    def _read(self, cells: Slots) -> None:
        """Read some ascending cells, and keep what may be among the first k."""
        sums = np.cumsum(np.diff(self._content.starts)[cells])
        number = -(-int(sums[-1]) // _PIECE) if self._spread_out else 1
        cuts = np.searchsorted(sums, sums[-1] * np.arange(1, number) / number)
        parts = [part for part in np.split(cells, cuts) if len(part)]
        found = list(side_by_side(partial(self._look_at, floor=self._floor - self._window), parts))
        values = np.concatenate([self._values, *(values for values, _ in found)])
        slots = np.concatenate([self._slots, *(slots for _, slots in found)])
        if len(values) >= self._k:
            self._floor = float(np.partition(values, -self._k)[-self._k])
            kept = values >= self._floor - self._window
            values, slots = values[kept], slots[kept]
        self._values, self._slots = values, slots

    def _look_at(self, cells: Slots, *, floor: float) -> tuple[npt.NDArray[np.float64], Slots]:
        """Similarities by codes of what lies in some cells, and its slots, as far as it may be among the first k."""
        content = self._content
        firsts, ends = content.starts[cells], content.starts[cells + 1]
        sizes = ends - firsts
        before = np.cumsum(sizes) - sizes
        slots = np.arange(int(sizes.sum())) + np.repeat(firsts - before, sizes)
        means = np.repeat(self._means[cells], sizes)
        given = None if self._open is None else self._open.mask[slots]
        if given is not None and int(np.count_nonzero(given)) * _SPARSE < len(slots):
            slots, means, given = slots[given], means[given], None
            products = self._products(content.codes[slots])
        else:
            products = self._products_of_cells(firsts, ends, len(slots))
        products *= content.scales[slots]
        products *= self._scale[0]
        products += means
        if given is not None:
            products[~given] = -np.inf
        if len(self._excluded) and len(slots):
            # Cells are in the order of the file, and so are their slots.
            places = np.searchsorted(slots, self._excluded)
            places = np.minimum(places, len(slots) - 1)
            products[places[slots[places] == self._excluded]] = -np.inf
        kept = np.flatnonzero(products >= floor) if floor > -math.inf else np.flatnonzero(products > -np.inf)
        if len(kept) > 4 * self._k:
            kth = np.partition(products[kept], -self._k)[-self._k]
            kept = kept[products[kept] >= kth - self._window]
        return products[kept], slots[kept]

    def _products_of_cells(
        self, firsts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], number: int
    ) -> npt.NDArray[np.float64]:
        """Products of the query's code and those of whole cells, read in one go where these follow each other."""
        products = np.empty(number)
        breaks = np.flatnonzero(firsts[1:] != ends[:-1])
        place = 0
        run_firsts = [*firsts[:1].tolist(), *firsts[breaks + 1].tolist()]
        run_ends = [*ends[breaks].tolist(), *ends[-1:].tolist()]
        for first, end in zip(run_firsts, run_ends, strict=True):
            products[place : place + end - first] = self._products(self._content.codes[first:end])
            place += end - first
        return products

    def _products(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
        import numkong

        if not len(codes):
            return np.empty(0)
        products: npt.NDArray[np.float64] = np.asarray(numkong.cdist(self._code, codes, metric="dot"))[0]
        return products


def expected_above(
    floor: float | npt.NDArray[np.floating[Any]],
    means: npt.NDArray[np.floating[Any]],
    deviations: npt.NDArray[np.floating[Any]],
    *,
    numbers: npt.NDArray[np.integer[Any]],
) -> npt.NDArray[np.float64]:
    """How many rows of each cell are to be expected above a similarity, if those of a cell lie as the normal curve.

    Args:
        floor: The similarity.
        means: ``(C,)`` of each cell.
        deviations: ``(C,)`` of each cell.
        numbers: ``(C,)``; how many rows each has.

    Example:
        >>> means, deviations = np.array([0.5, 0.3]), np.array([0.1, 0.1])
        >>> expected_above(0.5, means, deviations, numbers=np.array([10, 10])).round(2).tolist()
        [5.0, 0.23]
    """
    from scipy.special import ndtr

    distance = np.asarray(floor - means, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ndtr(-np.where(deviations > 0, distance / deviations, np.copysign(np.inf, distance)))
    expected: npt.NDArray[np.float64] = numbers * share
    return expected


def worth_reading(
    expected: npt.NDArray[np.float64], *, numbers: npt.NDArray[np.integer[Any]], k: int
) -> npt.NDArray[np.intp]:
    """Which cells are to be read so that the others hold less than :data:`MISSED` of k hits, the likeliest first.

    Args:
        expected: ``(C,)``; how many hits are to be expected in each.
        numbers: ``(C,)``; how many rows each has.
        k: How many hits are wanted.

    Example:
        >>> worth_reading(np.array([0.001, 2.0, 0.5]), numbers=np.array([10, 10, 10]), k=10).tolist()
        [1, 2]
    """
    order = np.argsort(-expected / np.maximum(numbers, 1), kind="stable")
    missed = np.cumsum(expected[order][::-1])[::-1]
    return order[missed > MISSED * k]


def code_of(vectors: Float32) -> tuple[npt.NDArray[np.int8], Float32]:
    """Vectors as bytes, the largest component of each :data:`LARGEST`, and what to multiply these with.

    Args:
        vectors: ``(R, D)``; zeros have zeros as their code.

    Example:
        >>> codes, scales = code_of(np.array([[0.5, -1.0, 0.0]], dtype=np.float32))
        >>> codes.tolist(), (codes * scales[:, None]).round(2).tolist()
        ([[64, -127, 0]], [[0.5, -1.0, 0.0]])
    """
    largest = np.abs(vectors).max(axis=1, initial=0)
    inverse = np.divide(np.float32(LARGEST), largest, out=np.zeros_like(largest), where=largest > 0)
    return np.rint(vectors * inverse[:, None]).astype(np.int8), largest / np.float32(LARGEST)


def open_cells(source: Vectors, path: Path, facts: Mapping[str, Any]) -> Cells:
    """The engine over a file that was built before; it is opened when it is first asked.

    Args:
        source: The vectors that it was built over.
        path: The file.
        facts: What was recorded of it: ``sha256``, and its recall once it was measured.
    """
    return Cells(source, path, digest=str(facts.get("sha256", "")), recall=Recall.of_facts(facts))
