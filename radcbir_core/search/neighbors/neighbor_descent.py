"""The neighbors of all rows among each other where there are too many to compare all pairs.

Owns the approximate neighbor graph. It is made in five steps, each of which only multiplies matrices:

1. The vectors are turned so that a few numbers of each hold most of what they differ in (the directions of a sample's
   largest squares), and only these are looked at until the last step.
2. k-means puts the rows into cells of some hundred. All rows of a cell are compared with the rows of the cells that lie
   nearest to them.
3. Rounds of descent: what the neighbors of a cell's rows have as neighbors is likely near to these rows, too. The rows
   that most paths lead to are compared with all rows of the cell.
4. Where that finds too little, each row is compared with the cells that may still hold a neighbor (block_reading.py).
5. What was kept of each row, more than is wanted, is compared in full, with all rows of the cell.

After each step the recall over a seeded sample of rows is measured against exact search, and there are no more rounds
than it takes. The result does not depend on the number of threads: each block of rows is computed by one of them, from
nothing but what the step before has left; and what is killed goes on from the blocks that are finished.

Source: the descent is that of Dong, Moses and Li, *Efficient k-nearest neighbor graph construction for generic
similarity measures* (WWW 2011, section 2.2), with cells of rows in the place of single ones, so that candidates are
fetched once for many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Exclusion, Float32, Rows, Vectors, products_with, unit, unit_vectors
from radcbir_core.search.engines.exact import first_hits, one_thread_each
from radcbir_core.search.engines.recall import neighbor_recall, true_similarities
from radcbir_core.search.engines.shards import Shards, in_threads
from radcbir_core.search.neighbors.block_reading import Spread, deviations_below, reach_for, read_for

STEP: Final = "neighbors"
FOUND: Final = np.dtype([("row", np.int32), ("similarity", np.float16)])
"""A neighbor and its cosine, as parts of the graph are kept."""
DEPTHS: Final = (1, 10, 100)
"""The k's of recall@k."""
MOST_IN_CELL: Final = 128
"""Rows of a cell in the mean: a number of one byte tells the rows of a block, which are up to twice as many, apart."""

_DIRECTIONS_OF = 20_000
_READ = 8192
_CHUNK = 8000
_SHARED = 60
"""So many candidates of all rows of a block, for each of these, cost as much to compare as the row's own alone."""
_VOTING = 32
_VOTES = 64
_CELL_PRODUCT = 4_000_000
_TRAINED_ON = 16
_ITERATIONS = 6
_SHARD = 8192
_MOST_DIMENSIONS = 512
_WITHIN = 0.99
_CHECKED = 128
_CHECKED_AT_ONCE = 8
_PLACE_BITS = 24
_LOW = np.int64(0x7FFFFFFF)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is compared.

    Attributes:
        cell: Rows of a cell, in the mean; a block of rows that are computed together has at most twice as many.
        dimensions: Numbers of each vector that the first steps look at; more where a sample needs more.
        nearby: Rows that each cell is first compared with.
        candidates: Rows that each is compared with in a round.
        followed: Of what is kept of a row, how many lead on to their own neighbors.
        kept: Rows that are kept for each row until the last step.
        rounds: Of descent, at most.
        enough: Recall at the full width from which on there are no more rounds, and no reading.
        read: Where rounds do not find enough, the share of a sample's neighbors that is to be found or read; 0 reads
            nothing.
        added: Rows that reading adds to what is kept of each, at most.
        queries: Rows over which recall is measured.
        seed: Of the samples.
    """

    cell: int = 128
    dimensions: int = 160
    nearby: int = 20_000
    candidates: int = 20_000
    followed: int = 100
    kept: int = 300
    rounds: int = 1
    enough: float = 0.985
    read: float = 0.99
    added: int = 150
    queries: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows in the order of their cells, cut into blocks.

    Attributes:
        order: ``(n,)`` the row at each place.
        edges: ``(blocks + 1,)`` where each begins.
        vectors: ``(n, d)`` reduced, by place.
        middles: ``(blocks, d)`` the mean of each.
    """

    order: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]
    vectors: Float32
    middles: Float32

    def __len__(self) -> int:
        """How many blocks."""
        return len(self.edges) - 1

    def places(self, block: int) -> slice:
        """Those of a block."""
        return slice(int(self.edges[block]), int(self.edges[block + 1]))

    def shards(self) -> list[range]:
        """The blocks, as many together as are computed and kept at a time."""
        of_shard = self.edges[:-1] // _SHARD
        starts = [*np.flatnonzero(np.diff(of_shard, prepend=-1)).tolist(), len(self)]
        return [range(first, last) for first, last in pairwise(starts)]


def approximate_neighbors(
    source: Vectors,
    rows: Rows,
    *,
    width: int,
    shards: Shards,
    effort: Effort | None = None,
    progress: Progress = silent,
) -> tuple[Iterator[tuple[Rows, npt.NDArray[np.void]]], dict[str, Any]]:
    """The neighbors of some rows among them.

    Args:
        source: Where the vectors are.
        rows: ``(n,)`` ascending, more than ``width``.
        width: How many neighbors.
        shards: Where finished parts are kept.
        effort: How much is compared; less than the default is for small numbers of rows.
        progress: Told the number of rows, as step "neighbors", by how much of the work is done.

    Returns:
        What gives some of the rows at a time with ``(r, width)`` of :data:`FOUND`, best first; and what is to be
        recorded: ``recall_at_1``, ``recall_at_10`` and ``recall_at_100`` over ``recall_queries`` rows, as far as there
        are as many neighbors, ``rounds`` of descent, and ``dimensions`` that were looked at before the last step.

    Raises:
        ValueError: Fewer are to be kept than are wanted, or cells are too large.
        StorageError: No space left, or no permission.
    """
    effort = effort or Effort()
    if effort.kept <= width:
        raise ValueError(f"Expected more rows kept than wanted, but kept = {effort.kept}, width = {width}. Keep more.")
    if not 1 <= effort.cell <= MOST_IN_CELL:
        raise ValueError(f"Expected cells of 1 to {MOST_IN_CELL} rows, but cell = {effort.cell}. Choose such.")
    told = _Told(progress, len(rows))
    sample = _Sample.of(source, rows, width=width, shards=shards, effort=effort, progress=told.part(0.04))
    blocks = _blocks(_reduced(source, rows, sample, effort), effort, shards, told.part(0.08))
    kept = _scanned(blocks, effort, shards, width=width, tell=told.part(0.18))
    places = np.empty(len(rows), dtype=np.int64)
    places[blocks.order] = np.arange(len(rows))
    rounds = 0
    of_sample = places[sample.places]
    recall = sample.recall(_lists(kept, of_sample)["places"], blocks.order)
    while rounds < effort.rounds and recall < effort.enough:
        rounds += 1
        kept = _descended(blocks, kept, effort, shards, width=width, number=rounds, tell=told.part(0.3 / effort.rounds))
        recall = sample.recall(_lists(kept, of_sample)["places"], blocks.order)
    told.skip_to(0.6)
    added: Sequence[npt.NDArray[np.int32]] = ()
    if effort.read and recall < effort.enough:
        needed = places[np.searchsorted(rows, sample.neighbors)]
        added = _read(blocks, kept, of_sample, needed, effort=effort, shards=shards, tell=told.part(0.25))
    told.skip_to(0.85)
    found = _compared(source, rows, blocks, kept, added, width=width, shards=shards, tell=told.part(0.15))
    measured = sample.measured(_lists(found, of_sample)["row"])
    facts: dict[str, Any] = {f"recall_at_{k}": share for k, share in measured.items()}
    facts |= {"recall_queries": len(sample.places), "rounds": rounds, "dimensions": blocks.vectors.shape[1]}

    def parts() -> Iterator[tuple[Rows, npt.NDArray[np.void]]]:
        start = 0
        for part in found:
            yield rows[blocks.order[start : start + len(part)]], part
            start += len(part)

    return parts(), facts


class _Told:
    """Progress in one count of rows, whichever step is on."""

    def __init__(self, progress: Progress, number: int) -> None:
        self._progress, self._number = progress, number
        self._base = 0.0

    def part(self, share: float) -> Callable[[int, int], None]:
        """What is told how much is done of how much, of the next step, which takes such a share of it all."""
        base, self._base = self._base, self._base + share

        def tell(done: int, total: int) -> None:
            part = min(base + share * done / max(total, 1), 1.0)
            self._progress(STEP, min(int(part * self._number), self._number - 1), self._number)

        return tell

    def skip_to(self, share: float) -> None:
        """So much is done: what else there was to do until there was not necessary."""
        self._base = share


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows whose neighbors are known exactly.

    Attributes:
        places: ``(s,)`` ascending, among the rows.
        neighbors: ``(s, width)`` rows, best first.
        exact: ``(s, width)`` their cosines.
    """

    source: Vectors
    rows: Rows
    places: npt.NDArray[np.int64]
    neighbors: npt.NDArray[np.int32]
    exact: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        source: Vectors,
        rows: Rows,
        *,
        width: int,
        shards: Shards,
        effort: Effort,
        progress: Callable[[int, int], None],
    ) -> _Sample:
        random = np.random.default_rng([effort.seed, 0])
        places = np.sort(random.choice(len(rows), size=min(effort.queries, len(rows)), replace=False))
        chosen = rows[places]

        def searched() -> npt.NDArray[np.int32]:
            hits = first_hits(
                source,
                lambda part: unit_vectors(source, chosen[part]),
                queries=len(chosen),
                k=width,
                rows=rows,
                exclusions=[Exclusion(np.arange(source.shape[0]), chosen)],
                each=-(-len(chosen) // 4),
                progress=lambda step, done, total: progress(done, total),  # noqa: ARG005
            )
            return hits.rows

        exact = shards.kept("exact", searched, shape=(len(chosen), width), dtype=np.int32)
        return cls(source, rows, places, exact, true_similarities(source, chosen, exact))

    def within(self, reduced: Float32, kept: int) -> float:
        """Share of the exact neighbors that are among so many rows of the most similar by reduced vectors.

        Args:
            reduced: ``(n, d)``.
            kept: How many, itself included.
        """
        asked = np.linspace(0, len(self.places) - 1, min(_CHECKED, len(self.places))).astype(np.int64)
        shares = np.ones(len(asked))

        def look(start: int) -> None:
            part = asked[start : start + _CHECKED_AT_ONCE]
            products = reduced[self.places[part]] @ reduced.T
            for line, product in enumerate(products):
                least = np.partition(product, -kept)[-kept] if kept < len(product) else -np.inf
                neighbors = np.searchsorted(self.rows, self.neighbors[part[line]])
                shares[start + line] = np.mean(product[neighbors] >= least)

        in_threads(look, range(0, len(asked), _CHECKED_AT_ONCE), lambda done: None)  # noqa: ARG005 - seconds
        return float(np.mean(shares))

    def recall(self, kept: npt.NDArray[np.int32], order: npt.NDArray[np.int64]) -> float:
        """Recall at the full width of what is kept of the sample, once it is compared in full.

        Args:
            kept: ``(s, kept)`` places, -1 as padding.
            order: The row at each place, among the rows.
        """
        own = self.rows[self.places]
        hits = np.where(kept >= 0, self.rows[order[kept]], -1).astype(np.int32)
        hits[hits == own[:, None]] = -1
        similarities = true_similarities(self.source, own, hits)
        best = -np.sort(-similarities, axis=1)[:, : self.exact.shape[1]]
        return float(np.mean(neighbor_recall(best, self.exact, (self.exact.shape[1],))))

    def measured(self, hits: npt.NDArray[np.int32]) -> dict[int, float]:
        """Recall at each of :data:`DEPTHS` that there are neighbors for."""
        ks = [k for k in DEPTHS if k <= self.exact.shape[1]]
        recall = neighbor_recall(true_similarities(self.source, self.rows[self.places], hits), self.exact, ks)
        return dict(zip(ks, recall.mean(axis=0).tolist(), strict=True))


def main_directions(source: Vectors, rows: Rows, *, seed: int = 0) -> Float32:
    """The directions in which the vectors of a sample have the largest squares.

    Args:
        source: Where the vectors are.
        rows: ``(n,)`` of which.
        seed: Of the sample.

    Returns:
        ``(D, D)`` float32, orthonormal columns, the largest first.

    Example:
        >>> from radcbir_core.search.backend import ArrayVectors
        >>> vectors = np.array([[0.0, 1], [0.6, 0.8], [0, 1]], dtype=np.float32)
        >>> np.abs(main_directions(ArrayVectors(vectors), np.arange(3))[:, 0].astype(float)).round(2).tolist()
        [0.2, 0.98]
    """
    random = np.random.default_rng([seed, 1])
    vectors = unit_vectors(source, np.sort(random.choice(rows, size=min(len(rows), _DIRECTIONS_OF), replace=False)))
    with one_thread_each():
        squares = (vectors.T @ vectors).astype(np.float64)
        return np.ascontiguousarray(np.linalg.eigh(squares)[1][:, ::-1], dtype=np.float32)


def _reduced(source: Vectors, rows: Rows, sample: _Sample, effort: Effort) -> Float32:
    """``(n, d)`` of each row its parts along the first directions, as many as it takes.

    These are twice, four times as many as the least, where of the exact neighbors of some rows too many are not among
    those that would be kept if all rows were compared by so few.
    """
    directions, most = main_directions(source, rows, seed=effort.seed), min(source.shape[1], _MOST_DIMENSIONS)
    number = min(effort.dimensions, most)
    while True:
        few = np.ascontiguousarray(directions[:, :number])
        reduced = np.empty((len(rows), number), dtype=np.float32)

        def reduce(start: int, few: Float32 = few, reduced: Float32 = reduced) -> None:
            part = slice(start, min(start + _READ, len(rows)))
            np.matmul(unit_vectors(source, rows[part]), few, out=reduced[part])

        in_threads(reduce, range(0, len(rows), _READ), lambda done: None)  # noqa: ARG005 - seconds
        if number >= most or sample.within(reduced, effort.kept) >= _WITHIN:
            return reduced
        number = min(2 * number, most)


def _blocks(vectors: Float32, effort: Effort, shards: Shards, tell: Callable[[int, int], None]) -> Blocks:
    """The rows by cells of k-means; the cells, where they are large, cut into blocks."""
    number = max(1, len(vectors) // effort.cell)

    def trained() -> Float32:
        random = np.random.default_rng([effort.seed, 2])
        chosen = np.sort(random.choice(len(vectors), size=min(len(vectors), _TRAINED_ON * number), replace=False))
        sample = vectors[chosen]
        centers = sample[np.sort(random.choice(len(sample), size=number, replace=False))].copy()
        for iteration in range(_ITERATIONS):

            def within(done: int, total: int, iteration: int = iteration) -> None:
                tell(iteration * total + done, 2 * _ITERATIONS * total)

            cells = _nearest(sample, centers, np.full(number, 1.0, dtype=np.float32), within)
            order, counts = np.argsort(cells, kind="stable"), np.bincount(cells, minlength=number)
            some = np.flatnonzero(counts)
            starts = (np.cumsum(counts) - counts)[some]
            centers[some] = np.add.reduceat(sample[order], starts) / counts[some, None].astype(np.float32)
        return centers

    def assigned() -> npt.NDArray[np.int32]:
        there = np.full(number, 1.0, dtype=np.float32)
        cells = _nearest(vectors, centers, there, lambda done, total: tell(total + done, 2 * total))
        # A cell of a few rows costs as much as one of many: theirs are put to others.
        counts = np.bincount(cells, minlength=number)
        there[(counts < effort.cell // 4) & (counts < counts.max())] = np.nan
        few = np.flatnonzero(np.isnan(there[cells]))
        cells[few] = _nearest(vectors[few], centers, there, lambda done, total: None)  # noqa: ARG005
        return cells

    centers = shards.kept("centers", trained, shape=(number, vectors.shape[1]), dtype=np.float32)
    cells = np.asarray(shards.kept("cells", assigned, shape=(len(vectors),), dtype=np.int32))
    order = np.argsort(cells, kind="stable")
    counts = np.bincount(cells, minlength=number)
    ends = np.cumsum(counts)
    edges = [0]
    for count, end in zip(counts.tolist(), ends.tolist(), strict=True):
        pieces = -(-count // (2 * effort.cell))
        edges += [end - count + count * piece // pieces for piece in range(1, pieces + 1)]
    cuts = np.array(edges, dtype=np.int64)
    in_order = vectors[order]
    middles = np.add.reduceat(in_order, cuts[:-1]) / np.diff(cuts)[:, None].astype(np.float32)
    return Blocks(order, cuts, in_order, middles.astype(np.float32))


def _nearest(
    vectors: Float32, centers: Float32, there: Float32, tell: Callable[[int, int], None]
) -> npt.NDArray[np.int32]:
    """``(n,)`` the center that is nearest to each vector, of those that are there (1; NaN is one that is not)."""
    nearest = np.empty(len(vectors), dtype=np.int32)
    half_squares = np.where(np.isnan(there), np.inf, np.einsum("cd,cd->c", centers, centers) / 2).astype(np.float32)
    size = max(16, _CELL_PRODUCT // len(centers))

    def look(start: int) -> None:
        part = vectors[start : start + size]
        products = part @ centers.T
        products -= half_squares
        nearest[start : start + size] = products.argmax(axis=1)

    in_threads(look, range(0, len(vectors), size), lambda done: tell(min(done * size, len(vectors)), len(vectors)))
    return nearest


def _kept_type(number: int) -> np.dtype[np.void]:
    """What is kept of a row: places, nearest first, and the products with the last that counts and with the last."""
    return np.dtype([("places", np.int32, (number,)), ("floor", np.float32), ("last", np.float32)])


def _kept_of(
    queries: Float32, candidates: Iterable[tuple[npt.NDArray[np.int64], Float32]], *, kept: int, width: int
) -> npt.NDArray[np.void]:
    """``(q,)`` what is to be kept of some rows, which are among the candidates themselves."""
    places, products = first_of(queries, candidates, k=kept)
    result = np.empty(len(queries), dtype=_kept_type(kept))
    result["places"] = places
    for name, column in (("floor", products[:, width]), ("last", products[:, -1])):
        result[name] = np.where(np.isnan(column), -np.inf, column)
    return result


def _scanned(
    blocks: Blocks, effort: Effort, shards: Shards, *, width: int, tell: Callable[[int, int], None]
) -> list[npt.NDArray[np.void]]:
    """What lies nearest to each row in the blocks around its own, by shard."""
    half_squares = np.einsum("bd,bd->b", blocks.middles, blocks.middles) / 2
    sizes = np.diff(blocks.edges)

    def around(block: int) -> npt.NDArray[np.int64]:
        """The blocks to look into: those that most rows of this one have among their nearest, then the nearest."""
        own = blocks.vectors[blocks.places(block)]
        voting = own[np.linspace(0, len(own) - 1, min(_VOTING, len(own))).astype(np.int64)]
        near = voting @ blocks.middles.T - half_squares
        votes = np.zeros(len(blocks))
        if len(blocks) > _VOTES:
            chosen = np.argpartition(-near, _VOTES - 1, axis=1)[:, :_VOTES]
            votes += np.bincount(chosen.ravel(), minlength=len(blocks))
        mean = near.mean(axis=0)
        votes += (mean - mean.min()) / (np.ptp(mean) + 1e-9) * 0.9
        votes[block] = np.inf
        best = np.argsort(-votes, kind="stable")
        return best[: int(np.searchsorted(np.cumsum(sizes[best]), effort.nearby)) + 1]

    def candidates(block: int) -> Iterator[tuple[npt.NDArray[np.int64], Float32]]:
        chosen = around(block)
        steps = np.cumsum(sizes[chosen]) // _CHUNK
        for step in np.unique(steps).tolist():
            parts = [blocks.places(other) for other in chosen[steps == step].tolist()]
            places = np.concatenate([np.arange(part.start, part.stop) for part in parts])
            yield places, np.concatenate([blocks.vectors[part] for part in parts])

    def of(block: int) -> npt.NDArray[np.void]:
        return _kept_of(blocks.vectors[blocks.places(block)], candidates(block), kept=effort.kept, width=width)

    return _by_shard("nearby", of, blocks, shards, dtype=_kept_type(effort.kept), tell=tell)


def _descended(
    blocks: Blocks,
    kept: Sequence[npt.NDArray[np.void]],
    effort: Effort,
    shards: Shards,
    *,
    width: int,
    number: int,
    tell: Callable[[int, int], None],
) -> list[npt.NDArray[np.void]]:
    """A round: what lies nearest to each row among the neighbors of its block's neighbors."""
    followed = effort.followed
    firsts = np.concatenate([part["places"][:, :followed] for part in kept])
    starts = np.cumsum([0, *map(len, kept)])
    total = len(firsts)

    def candidates(own: npt.NDArray[np.int32]) -> Iterator[tuple[npt.NDArray[np.int64], Float32]]:
        once = own[:, :followed].ravel()
        there, paths = np.unique(once[once >= 0], return_counts=True)
        reached = firsts[there]
        known = reached >= 0
        weights = np.broadcast_to(paths[:, None].astype(np.float64), reached.shape)[known]
        ways = np.bincount(reached[known], weights=weights, minlength=total)
        ways[there] += total  # none that was found is lost
        places = np.flatnonzero(ways)
        if len(places) > effort.candidates:
            places = places[np.argpartition(-ways[places], effort.candidates - 1)[: effort.candidates]]
            places.sort()
        places = places[np.argsort(-ways[places], kind="stable")]
        for start in range(0, len(places), _CHUNK):
            part = places[start : start + _CHUNK]
            yield part, blocks.vectors[part]

    def of(block: int) -> npt.NDArray[np.void]:
        places = blocks.places(block)
        shard = int(np.searchsorted(starts, places.start, side="right")) - 1
        own = kept[shard]["places"][places.start - starts[shard] : places.stop - starts[shard]]
        return _kept_of(blocks.vectors[places], candidates(own), kept=effort.kept, width=width)

    return _by_shard(f"round-{number}", of, blocks, shards, dtype=_kept_type(effort.kept), tell=tell)


def _read(
    blocks: Blocks,
    kept: Sequence[npt.NDArray[np.void]],
    of_sample: npt.NDArray[np.int64],
    needed: npt.NDArray[np.int64],
    *,
    effort: Effort,
    shards: Shards,
    tell: Callable[[int, int], None],
) -> list[npt.NDArray[np.int32]]:
    """What each row has near in blocks that it was never compared with: ``(r, added)`` places, by shard.

    Args:
        blocks: All.
        kept: What each row has.
        of_sample: ``(s,)`` places of a sample.
        needed: ``(s, width)`` places of its exact neighbors.
        effort: How much.
        shards: Where to keep it.
        tell: Told how far it is.
    """
    spread = Spread.of(blocks.vectors, edges=blocks.edges, middles=blocks.middles)
    lines = _lists(kept, of_sample)
    below = deviations_below(
        lines["floor"],
        blocks.vectors[of_sample],
        middles=blocks.middles,
        spread=spread,
        blocks=np.searchsorted(blocks.edges, needed, side="right") - 1,
    )
    found = np.stack([np.isin(near, line) for near, line in zip(needed, lines["places"], strict=True)])
    reach = reach_for(below, found, share=effort.read)
    of_shard = blocks.shards()

    def read(number: int) -> npt.NDArray[np.int32]:
        part, own = of_shard[number], kept[number]
        return read_for(
            slice(int(blocks.edges[part.start]), int(blocks.edges[part.stop])),
            blocks.vectors,
            edges=blocks.edges,
            middles=blocks.middles,
            spread=spread,
            known=own["places"],
            floors=own["floor"],
            lasts=own["last"],
            reach=reach,
            most=effort.added,
        )

    return _of_shards("read", read, blocks, shards, width=effort.added, dtype=np.dtype(np.int32), tell=tell)


def _compared(
    source: Vectors,
    rows: Rows,
    blocks: Blocks,
    kept: Sequence[npt.NDArray[np.void]],
    added: Sequence[npt.NDArray[np.int32]],
    *,
    width: int,
    shards: Shards,
    tell: Callable[[int, int], None],
) -> list[npt.NDArray[np.void]]:
    """The last step: each row with all that is kept of its block, by the whole vectors; itself is left out.

    Where rows have little in common, each is compared with what is kept of itself alone.
    """
    starts = np.cumsum([0, *map(len, kept)])
    alone = _cosines_of(source, rows)

    def candidates(others: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Float32]]:
        for start in range(0, len(others), _CHUNK):
            part = others[start : start + _CHUNK]
            yield part, unit_vectors(source, part)

    def of(block: int) -> npt.NDArray[np.void]:
        places = blocks.places(block)
        own = rows[blocks.order[places]]
        shard = int(np.searchsorted(starts, places.start, side="right")) - 1
        lines = slice(places.start - starts[shard], places.stop - starts[shard])
        near = np.concatenate([part[lines] for part in (kept[shard]["places"], *added[shard : shard + 1])], axis=1)
        others = np.sort(rows[blocks.order[np.unique(near[near >= 0])]])
        queries = unit(source.vectors(own), dimension=source.shape[1])
        # In the order of the rows, so that of equals the first row comes first, as in exact search.
        if len(others) <= _SHARED * len(own):
            hits, similarities = first_of(queries, candidates(others), k=width + 1)
        else:
            hits = np.full((len(own), width + 1), -1, dtype=np.int32)
            similarities = np.full((len(own), width + 1), np.nan, dtype=np.float32)
            for line, row in enumerate(own):
                of_row = np.sort(rows[blocks.order[near[line][near[line] >= 0]]])
                products = alone(row, of_row)
                best = np.argsort(-products, kind="stable")[: width + 1]
                hits[line, : len(best)], similarities[line, : len(best)] = of_row[best], products[best]
        # Where a row has more copies than are kept, it may not be among them itself: then the last is one too many.
        itself = hits == own[:, None]
        itself[~itself.any(axis=1), width] = True
        found = np.empty((len(own), width), dtype=FOUND)
        found["row"] = hits[~itself].reshape(-1, width)
        found["similarity"] = np.clip(similarities[~itself].reshape(-1, width), -1, 1)
        return found

    return _by_shard("found", of, blocks, shards, width=width, dtype=FOUND, tell=tell)


def _cosines_of(source: Vectors, rows: Rows) -> Callable[[int, Rows], Float32]:
    """What gives the cosines of a row with some others; half precision is multiplied as it is, which takes a third."""
    if source.dtype != np.float16:
        return lambda row, others: products_with(unit_vectors(source, np.array([row]))[0], unit_vectors(source, others))
    import numkong

    inverse = np.zeros(source.shape[0], dtype=np.float32)

    def measure(start: int) -> None:
        part = rows[start : start + _READ]
        vectors = source.vectors(part).astype(np.float32)
        inverse[part] = 1 / np.sqrt(np.einsum("nd,nd->n", vectors, vectors))

    in_threads(measure, range(0, len(rows), _READ), lambda done: None)  # noqa: ARG005 - seconds

    def cosines(row: int, others: Rows) -> Float32:
        products = numkong.cdist(source.vectors(np.array([row])), source.vectors(others), metric="dot")
        scaled: Float32 = np.asarray(products, dtype=np.float32)[0] * inverse[others] * inverse[row]
        return scaled

    return cosines


def _by_shard(
    name: str,
    of: Callable[[int], npt.NDArray[Any]],
    blocks: Blocks,
    shards: Shards,
    *,
    width: int | None = None,
    dtype: np.dtype[Any],
    tell: Callable[[int, int], None],
) -> list[npt.NDArray[Any]]:
    """What is made of each block, by shards that are kept."""
    of_shard = blocks.shards()

    def made(number: int) -> npt.NDArray[Any]:
        return np.concatenate([of(block) for block in of_shard[number]])

    return _of_shards(name, made, blocks, shards, width=width, dtype=dtype, tell=tell)


def _of_shards(
    name: str,
    of: Callable[[int], npt.NDArray[Any]],
    blocks: Blocks,
    shards: Shards,
    *,
    width: int | None,
    dtype: np.dtype[Any],
    tell: Callable[[int, int], None],
) -> list[npt.NDArray[Any]]:
    """What is made of each shard, ``(r,)`` or ``(r, width)``; it is kept."""
    of_shard = blocks.shards()
    made: dict[int, npt.NDArray[Any]] = {}

    def work(number: int) -> None:
        part = of_shard[number]
        length = int(blocks.edges[part.stop] - blocks.edges[part.start])
        made[number] = shards.kept(
            f"{name}-{number:06d}",
            lambda: of(number),
            shape=(length,) if width is None else (length, width),
            dtype=dtype,
        )

    in_threads(work, range(len(of_shard)), lambda done: tell(done, len(of_shard)))
    return [made[number] for number in range(len(of_shard))]


def _lists(parts: Sequence[npt.NDArray[Any]], places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The lines of some places."""
    starts = np.cumsum([0, *map(len, parts)])
    of_part = np.searchsorted(starts, places, side="right") - 1
    lines = [parts[part][place - starts[part]] for part, place in zip(of_part.tolist(), places.tolist(), strict=True)]
    return np.stack(lines)


def first_of(
    queries: Float32, candidates: Iterable[tuple[npt.NDArray[np.int64], Float32]], *, k: int
) -> tuple[npt.NDArray[np.int32], Float32]:
    """The k most similar of some candidates for each query; of equals, who comes first among the candidates.

    Args:
        queries: ``(q, d)``, at most 256.
        candidates: Numbers ``(c,)``, each given once, and their vectors ``(c, d)``, chunk by chunk.
        k: How many.

    Returns:
        ``(q, k)`` numbers, best first, -1 as padding, and products, NaN as padding.

    Example:
        >>> one = (np.array([7, 3, 5]), np.array([[1.0, 0], [0, 1], [1, 0]], dtype=np.float32))
        >>> first_of(np.array([[1.0, 0]], dtype=np.float32), [one], k=2)[0].tolist()
        [[7, 5]]
    """
    floor: Float32 | None = None
    keys, numbers, before = [], [], 0
    for given, vectors in candidates:
        products = queries @ vectors.T
        width = products.shape[1]
        if floor is None:
            # The k-th of the first candidates, which are the likeliest, is a floor for all of them.
            enough = width >= k
            floor = np.partition(products, -k, axis=1)[:, -k] if enough else np.full(len(queries), -np.inf, np.float32)
        flat = np.flatnonzero(products >= floor[:, None])
        query = flat // width
        # Adding 0 makes -0.0 the same as 0.0, which it equals but does not look like.
        bits = (products.reshape(-1)[flat] + np.float32(0)).view(np.int32)
        falling = ~(bits ^ ((bits >> 31) & np.int32(_LOW)))
        place = flat - query * width + before
        if before == 0 and width >= k:
            # Of copies of one vector there may be any number: those that come later are none of the first.
            floor = np.nextafter(floor, np.float32(np.inf))
        keys.append((query << 56) | ((falling.astype(np.int64) + (1 << 31)) << _PLACE_BITS) | place)
        numbers.append(given)
        before += width
    return _first_of_keys(np.concatenate(keys), np.concatenate(numbers), queries=len(queries), k=k)


def _first_of_keys(
    keys: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], *, queries: int, k: int
) -> tuple[npt.NDArray[np.int32], Float32]:
    """What :func:`first_of` gives, of integers in the order of query, falling similarity and place."""
    unsigned = keys.view(np.uint64)
    unsigned.sort()
    query = (unsigned >> np.uint64(56)).astype(np.int64)
    counts = np.bincount(query, minlength=queries)
    rank = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = rank < k
    query, rank, chosen = query[first], rank[first], unsigned[first]
    found = np.full((queries, k), -1, dtype=np.int32)
    similarities = np.full((queries, k), np.nan, dtype=np.float32)
    found[query, rank] = numbers[(chosen & np.uint64((1 << _PLACE_BITS) - 1)).astype(np.int64)]
    falling = ((chosen >> np.uint64(_PLACE_BITS)) & np.uint64(0xFFFFFFFF)).astype(np.int64) - (1 << 31)
    ordered = (~falling).astype(np.int32)
    similarities[query, rank] = (ordered ^ ((ordered >> 31) & np.int32(_LOW))).view(np.float32)
    return found, similarities
