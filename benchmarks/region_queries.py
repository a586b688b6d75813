"""Regions on phantoms: does a box around the finding find images that show it better than the whole image does?

Usage: python -m benchmarks.region_queries CHOOSING MEASURING [--encoder radcbir-mini] [--queries 600]

Two phantom collections of different seeds; the ground truth says where a finding is. Queries are images with a finding
of a known place, evenly spaced over the manifest; the box is a square part of the image around the finding. Relevant
are images of the same full label (modality, anatomy, finding); the image and its patient are excluded. P@10 and its
95 % interval over patients, micro over queries: of the whole image, of the region by itself, and of the region with the
whole. The side of the box and the weight of the whole are the best ones on CHOOSING. Which hits are found is computed
here on plain arrays, and compared with the product's for some queries, whose time is told too.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.composed_queries import Floats, hits_that_count, said
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import clusters_of
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.opening import vectors_of
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.queries.region import STEPS, Box, region_query
from radcbir_core.search.retriever import Retriever

K = 10
SIDES = (300, 450, 600)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Asked:
    """Queries of one collection.

    Attributes:
        retriever: Over it.
        rows: (Q,) the images.
        places: (Q, 2) where their findings are, in shares of the image.
        clusters: (Q,) their patients.
        relevant: (Q, N) bool.
        excluded: (Q, N) bool.
        whole: (Q, N) similarities to the whole image, over their spread.
    """

    retriever: Retriever
    rows: npt.NDArray[np.int64]
    places: npt.NDArray[np.float64]
    clusters: npt.NDArray[np.int64]
    relevant: npt.NDArray[np.bool_]
    excluded: npt.NDArray[np.bool_]
    whole: Floats

    @classmethod
    def of(cls, name: str, encoder: Encoder, *, queries: int) -> Asked:
        """Those of a collection of phantoms."""
        retriever = Retriever(open_collection(name), encoder.encoder_id, encoder=lambda: encoder)
        frame = retriever.collection.manifest.frame
        rows = np.flatnonzero(frame["lesion_x"].notna().to_numpy())
        rows = rows[np.linspace(0, len(rows) - 1, min(queries, len(rows))).astype(int)]
        label = (frame["modality"] + "/" + frame["anatomy"] + "/" + frame["pathologies"].map(", ".join)).to_numpy()
        patient = np.asarray(clusters_of(retriever.store))
        vectors = unit_vectors(vectors_of(retriever.store), np.arange(len(frame)))
        return cls(
            retriever,
            rows,
            frame[["lesion_x", "lesion_y"]].to_numpy(dtype=np.float64)[rows],
            patient[rows],
            label == label[rows][:, None],
            patient == patient[rows][:, None],
            over_spread(vectors[rows] @ vectors.T),
        )

    def box(self, at: int, side: int) -> Box:
        """A square part around a finding, moved into the image."""
        left, top = (int(np.clip(STEPS * middle - side / 2, 0, STEPS - side)) for middle in self.places[at])
        return Box(left, top, left + side, top + side)

    def boxes(self, side: int) -> Floats:
        """(Q, D) the boxes of this side, embedded."""
        collection, encoder = self.retriever.collection, self.retriever.means.encoder()
        cut = [self.box(at, side).cut(collection.read_image(int(row)).pixels) for at, row in enumerate(self.rows)]
        size = encoder.batch_size
        return np.concatenate([encoder.encode_images(cut[at : at + size]) for at in range(0, len(cut), size)])

    def regions(self, side: int) -> Floats:
        """(Q, N) similarities to the regions of this side, over their spread."""
        vectors = unit_vectors(vectors_of(self.retriever.store), np.arange(len(self.retriever.collection)))
        return over_spread(self.boxes(side) @ vectors.T)

    def hits(self, similarities: Floats) -> npt.NDArray[np.intp]:
        """(Q, 10) the first hits."""
        return np.argsort(np.where(self.excluded, np.inf, -similarities), axis=1, kind="stable")[:, :K]

    def precision(self, similarities: Floats) -> npt.NDArray[np.float64]:
        """(Q,) P@10."""
        return hits_that_count(similarities, self.relevant, self.excluded)

    def said(self, values: npt.NDArray[np.float64], *, least: float = 0.0) -> str:
        """A mean with its interval over patients."""
        return said(values, self.clusters, least=least)

    def check(self, side: int, weight: float, found: Floats, *, among_regions: bool = False) -> list[float]:
        """See that the product finds the same for some queries; the milliseconds that each took, of a processor."""
        taken, same = [], 0
        collection, mine = self.retriever.collection, self.hits(found)
        some = range(0, len(self.rows), max(1, len(self.rows) // 20))
        for at in some:
            row = int(self.rows[at])
            begun = time.process_time()
            pixels = collection.read_image(row).pixels
            query = region_query(self.box(at, side), pixels, RowQuery((row,)), whole=weight)
            hits = self.retriever.search(query, k=K, exclude=["patient"], regions=among_regions).rows()
            taken.append(1000 * (time.process_time() - begun))
            same += len(set(hits.tolist()) & set(mine[at].tolist()))
        assert same >= 0.98 * K * len(some), f"the product has {same} of {K * len(some)} hits in common with this"
        return taken


def over_spread(similarities: Floats) -> Floats:
    """Each line over its standard deviation."""
    return np.asarray(similarities / similarities.std(axis=1)[:, None], dtype=np.float32)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("choosing")
    parser.add_argument("measuring")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--queries", type=int, default=600)
    options = parser.parse_args()
    encoder = load_encoder(options.encoder)
    choosing, measuring = (
        Asked.of(name, encoder, queries=options.queries) for name in (options.choosing, options.measuring)
    )
    means = {}
    for side in SIDES:
        regions = choosing.regions(side)
        for weight in WEIGHTS:
            means[side, weight] = float(choosing.precision(regions + weight * choosing.whole).mean())
        told = ", ".join(f"{weight:g} {means[side, weight]:.3f}" for weight in WEIGHTS)
        print(f"<!-- {options.choosing}, side {side / 10:g} %, weight of the whole: {told} -->", flush=True)
    best_alone = max(SIDES, key=lambda side: means[side, 0.0])
    side, weight = max(means, key=lambda pair: means[pair])
    unchanged = measuring.precision(measuring.whole)
    print(
        f"{len(measuring.rows):,} queries of {len(np.unique(measuring.clusters)):,} patients of {options.measuring}\n"
    )
    print("| query | P@10 | more than the whole image |\n|---|---|---|")
    print(f"| the whole image | {measuring.said(unchanged)} | |")
    alone = measuring.precision(measuring.regions(best_alone))
    more = measuring.said(alone - unchanged, least=-1)
    print(f"| the region alone, {best_alone / 10:g} % of a side | {measuring.said(alone)} | {more} |")
    found = measuring.regions(side) + weight * measuring.whole
    both = measuring.precision(found)
    more = measuring.said(both - unchanged, least=-1)
    print(f"| the region, {side / 10:g} % of a side, + {weight:g} × the whole | {measuring.said(both)} | {more} |")
    taken = measuring.check(side, weight, found)
    print(f"\nA region to {K} hits, its image read and embedded: median {np.median(taken):.0f} ms of a processor.")


if __name__ == "__main__":
    main()
