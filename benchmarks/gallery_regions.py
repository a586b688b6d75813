"""Regions of the gallery on phantoms: does a box around a finding find more among regions, and is it found in place?

Usage: python -m benchmarks.gallery_regions CHOOSING MEASURING [--encoder radcbir-mini] [--queries 600] [--among 1200]
       python -m benchmarks.gallery_regions --scan 100000

Two phantom collections of different seeds, the second with its regions embedded (``build … --tiles``); the ground truth
says where the middle of a finding is. Queries, boxes and relevance are those of ``region_queries``: a square box around
the finding, images of the same full label, the patient excluded, micro over queries, 95 % intervals over patients.

Which grid of regions there is was chosen on the first images of CHOOSING: P@10, and how often the found region holds
the middle of the finding, beside how often one of its size taken at random does. All of MEASURING is measured with the
product's regions: P@10 of the box alone and with the whole image, among whole images and among regions. A region is
found in place if it holds the middle of the finding of a hit with the query's label; beside it stand a region of its
size taken at random, and the one that lies where the query's box does. Which hits are found is computed here on plain
arrays, and compared with the product's for some queries.

``--scan`` measures the search alone, among regions of so many images: vectors of 276 and 512 numbers that are drawn.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.composed_queries import Floats, said
from benchmarks.region_queries import Asked, K, over_spread
from radcbir_core.collections.artifacts import TILES
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.search.backend import ArrayVectors, unit_vectors
from radcbir_core.search.engines.best_tiles import best_tiles
from radcbir_core.search.opening import tiles_of, vectors_of
from radcbir_core.search.queries.region import STEPS, Box
from radcbir_core.search.queries.tile_grid import TILES as BOXES
from radcbir_core.search.queries.tile_grid import WHOLE, boxes_in, grid

SIDES = (300, 450, 600)
WEIGHTS = (0.0, 0.5, 1.0, 3.0)
GRIDS = {"60 %, 3 × 3": grid(600, 3), "50 %, 3 × 3": grid(500, 3), "33 %, 5 × 5": grid(333, 5)}


@dataclass(frozen=True)
class Regions:
    """The regions of a gallery.

    Attributes:
        boxes: (T,) the same of every image.
        vectors: (N, T, D) unit norm, or zeros.
        inside: (N, T) bool; which of them hold the middle of the image's finding; none where it has none.
        known: (N,) bool; which images have a finding of a known place.
    """

    boxes: tuple[Box, ...]
    vectors: Floats
    inside: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, asked: Asked, boxes: tuple[Box, ...], vectors: Floats) -> Regions:
        """Those with such vectors, of the first images of a collection."""
        frame = asked.retriever.collection.manifest.frame.iloc[: len(vectors)]
        place = STEPS * frame[["lesion_x", "lesion_y"]].to_numpy(dtype=np.float64)
        sides = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes])
        inside = ((place[:, None] >= sides[None, :, :2]) & (place[:, None] <= sides[None, :, 2:])).all(axis=2)
        return cls(boxes, vectors, inside, ~np.isnan(place).any(axis=1))

    def some(self, chosen: list[int]) -> Regions:
        """Some of the boxes."""
        boxes = tuple(self.boxes[at] for at in chosen)
        return replace(self, boxes=boxes, vectors=self.vectors[:, chosen], inside=self.inside[:, chosen])

    def best(self, queries: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
        """(Q, N) the best cosine of each image and which region has it."""
        cosines = np.stack([self.vectors[:, at] @ queries.T for at in range(len(self.boxes))], axis=2)
        return cosines.max(axis=2).T, cosines.argmax(axis=2).T


def first_images(asked: Asked, number: int) -> Asked:
    """The queries among the first images alone, with these as gallery."""
    kept = asked.rows < number
    cut = {name: getattr(asked, name)[kept][:, :number] for name in ("relevant", "excluded", "whole")}
    return replace(asked, rows=asked.rows[kept], places=asked.places[kept], clusters=asked.clusters[kept], **cut)


def embedded(asked: Asked, encoder: Encoder, boxes: tuple[Box, ...], number: int) -> Floats:
    """(number, T, D); the regions of the first images, made here."""
    collection, fitting = asked.retriever.collection, encoder.preprocessing.fitting
    made = np.zeros((number, len(boxes), encoder.dimension), dtype=np.float32)
    for row in range(number):
        pixels = collection.read_image(row).pixels
        made[row] = encoder.encode_fitted([fitting(box.cut(pixels)) for box in boxes])
    return made


@dataclass(frozen=True)
class InPlace:
    """How often the found region of a relevant hit holds its finding.

    Attributes:
        found: (H,) whether it does.
        by_chance: (H,) the share of regions of its size that do.
        as_query: (H,) whether the region does that lies nearest to where the query's box is.
        clusters: (H,) the query's patient.
        whole: The share of relevant hits that were found as a whole, and are left out of these.
    """

    found: npt.NDArray[np.float64]
    by_chance: npt.NDArray[np.float64]
    as_query: npt.NDArray[np.float64]
    clusters: npt.NDArray[np.int64]
    whole: float

    @classmethod
    def of(cls, asked: Asked, regions: Regions, hits: npt.NDArray[np.intp], which: npt.NDArray[np.intp]) -> InPlace:
        """Of the hits of queries: ``hits`` (Q, 10) and ``which`` (Q, 10) region of each."""
        counts = np.take_along_axis(asked.relevant, hits, axis=1) & regions.known[hits]
        areas = np.array([(box.right - box.left) * (box.bottom - box.top) for box in regions.boxes])
        is_whole = np.array([box == WHOLE for box in regions.boxes])
        query, rank = np.nonzero(counts & ~is_whole[which])
        image, tile = hits[query, rank], which[query, rank]
        alike = areas[None, :] == areas[tile][:, None]
        middles = np.array([[box.left + box.right, box.top + box.bottom] for box in regions.boxes]) / 2 / STEPS
        far = np.abs(middles[None] - asked.places[query][:, None]).sum(axis=2)
        nearest = np.where(alike, far, np.inf).argmin(axis=1)
        return cls(
            regions.inside[image, tile].astype(np.float64),
            (regions.inside[image] & alike).sum(axis=1) / alike.sum(axis=1),
            regions.inside[image, nearest].astype(np.float64),
            asked.clusters[query],
            float(is_whole[which][counts].mean()) if counts.any() else float("nan"),
        )


def choose(asked: Asked, encoder: Encoder, number: int) -> None:
    """Print what each grid gives on the first images."""
    boxes = (WHOLE, *(box for boxes in GRIDS.values() for box in boxes))
    regions = Regions.of(asked, boxes, embedded(asked, encoder, boxes, number))
    print(f"\nChoosing: {len(asked.rows):,} queries among {number:,} images.\n")
    print(
        "| box | the whole and | regions | P@10 | with 1 × the whole | holds the finding | by chance |\n"
        + "|---" * 7
        + "|"
    )
    for side in SIDES:
        queries = asked.boxes(side)
        alone = queries @ regions.vectors[:, 0].T
        both = over_spread(alone) + asked.whole
        print(f"| {side / 10:g} % | nothing | 1 | {p(asked, alone):.3f} | {p(asked, both):.3f} | | |")
        for name, parts in GRIDS.items():
            some = regions.some([0, *(boxes.index(box) for box in parts)])
            best, which = some.best(queries)
            hits = asked.hits(best)
            placed = InPlace.of(asked, some, hits, np.take_along_axis(which, hits, axis=1))
            both = best / alone.std(axis=1)[:, None] + asked.whole
            print(
                f"| {side / 10:g} % | {name} | {len(some.boxes)} | {p(asked, best):.3f} | {p(asked, both):.3f} | "
                f"{placed.found.mean():.2f} | {placed.by_chance.mean():.2f} |",
                flush=True,
            )


def p(asked: Asked, sums: Floats) -> float:
    """P@10, the mean over queries."""
    return float(asked.precision(sums).mean())


def measure(asked: Asked) -> None:
    """Print the figures of the product's regions."""
    store = asked.retriever.store
    source, per = tiles_of(store)
    boxes = boxes_in(store.facts(TILES), tiles=per)
    number = len(asked.retriever.collection)
    vectors = unit_vectors(source, np.arange(number * per)).reshape(number, per, -1)
    regions = Regions.of(asked, boxes, vectors)
    wholes = unit_vectors(vectors_of(store), np.arange(number))
    patients = len(np.unique(asked.clusters))
    unchanged = asked.precision(asked.whole)
    print(f"\nMeasured: {len(asked.rows):,} queries of {patients:,} patients, {per} regions an image.\n")
    print(f"The whole image among whole images: {asked.said(unchanged)}.\n")
    print("| box | weight of the whole | among whole images | among regions | more |\n" + "|---" * 5 + "|")
    placed: dict[tuple[int, float], InPlace] = {}
    for side in SIDES:
        queries = asked.boxes(side)
        alone = queries @ wholes.T
        spread = alone.std(axis=1)[:, None]
        best, which = regions.best(queries)
        for weight in WEIGHTS:
            before = asked.precision(alone / spread + weight * asked.whole)
            sums = best / spread + weight * asked.whole
            after, hits = asked.precision(sums), asked.hits(sums)
            placed[side, weight] = InPlace.of(asked, regions, hits, np.take_along_axis(which, hits, axis=1))
            more = asked.said(after - before, least=-1)
            print(f"| {side / 10:g} % | {weight:g} | {asked.said(before)} | {asked.said(after)} | {more} |", flush=True)
            if weight == 1:
                taken = asked.check(side, weight, sums, among_regions=True)
                print(f"<!-- a region to {K} hits among regions: median {np.median(taken):.0f} ms of a processor -->")
    print(
        "\n| box | weight of the whole | hits with the label, found in a part | holds the finding | a part at random | "
    )
    print("the part where the query's box is |\n" + "|---" * 6 + "|")
    for (side, weight), one in placed.items():
        if not len(one.found):
            continue
        figures = [said(values, one.clusters) for values in (one.found, one.by_chance, one.as_query)]
        share = 100 * (1 - one.whole)
        print(f"| {side / 10:g} % | {weight:g} | {len(one.found):,} ({share:.0f} %) | {' | '.join(figures)} |")


def scan(images: int) -> None:
    """Print what one query takes among regions of so many images, beside reading the same bytes once."""
    random = np.random.default_rng(0)
    for dimension in (276, 512):
        tiles = np.empty((images * len(BOXES), dimension), dtype=np.float16)
        for start in range(0, len(tiles), 50_000):
            part = random.standard_normal((min(50_000, len(tiles) - start), dimension), dtype=np.float32)
            tiles[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
        queries = tiles[:: len(tiles) // 10][:10].astype(np.float32)
        taken = []
        for query in queries:
            begun = time.perf_counter(), time.process_time()
            best_tiles(ArrayVectors(tiles), query[None], per=len(BOXES), k=K)
            taken.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        clock, processor = 1000 * np.median(taken, axis=0)
        begun_reading = time.perf_counter()
        int(tiles.view(np.uint64).max())
        reading = 1000 * (time.perf_counter() - begun_reading)
        print(
            f"{images:,} images, {len(BOXES)} regions of {dimension} numbers, {tiles.nbytes / 1e9:.2f} GB: median "
            f"{clock:.0f} ms, {processor:.0f} ms of a processor; NumPy's maximum over the same bytes {reading:.0f} ms"
        )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("choosing", nargs="?")
    parser.add_argument("measuring", nargs="?")
    parser.add_argument("--scan", type=int, default=0, metavar="IMAGES")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--among", type=int, default=1200, help="of how many images of CHOOSING a grid is chosen")
    options = parser.parse_args()
    if options.scan:
        scan(options.scan)
    if options.choosing is None or options.measuring is None:
        return
    encoder = load_encoder(options.encoder)
    measure(Asked.of(options.measuring, encoder, queries=options.queries))
    asked = Asked.of(options.choosing, encoder, queries=2 * options.queries)
    number = min(options.among, len(asked.retriever.collection))
    choose(first_images(asked, number), encoder, number)


if __name__ == "__main__":
    main()
