"""Which variant of mutual proximity: how well each agrees with counting all pairs, and what it does to hubs.

Usage: python -m benchmarks.mutual_proximity NAME [--encoder ENCODER …] [--k 10]

By the source's own definition, for independent images, the nearness of two is the product of the shares of all images
that are not more similar to each of them than they are to each other. Here all pairs of a collection are compared (up
to some thousand images), and the first 100 hits of each image, what the collection asks to be excluded left out, are
put in order by it. Beside it stand what ``evaluate-hubness`` and retrieval use, which counts in the lists of the
neighbor graph; the normal distribution with the mean and the variance of all of an image's similarities; that of the
100 of its list alone; CSLS; and cosine. Prints of each the share of its first k hits that the definition has as well,
the skewness of the k-occurrences, and how many images are in no list.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr
from scipy.stats import skew

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.hubness.csls import NEAREST, by_csls, usual_similarity
from radcbir_core.search.hubness.mutual_proximity import Nearest, by_mutual_proximity
from radcbir_core.search.neighbors.graph import NEIGHBORS, known_hits
from radcbir_core.search.opening import vectors_of


def orders(store: EncoderStore) -> dict[str, npt.NDArray[np.int32]]:
    """Name → ``(Q, 100)`` rows of the hits of every image that has half a list or more, in that order."""
    rows = np.flatnonzero(store.valid)
    hits = known_hits(store, rows, k=NEIGHBORS, gallery=store.valid, exclude=default_exclusions(store))
    lists = np.full((len(store.valid), NEIGHBORS), np.nan, dtype=np.float16)
    lists[rows] = hits.similarities
    asked = np.flatnonzero(hits.counts >= NEIGHBORS // 2)
    mine, queries = hits.of_queries(asked), rows[asked]
    there = mine.rows >= 0
    pairs = np.where(there, mine.similarities, np.nan).astype(np.float64)
    vectors = unit_vectors(vectors_of(store), rows)
    place = np.cumsum(store.valid) - 1
    similarities = (vectors @ vectors.T).astype(np.float16).astype(np.float32)
    np.fill_diagonal(similarities, np.nan)

    def of_both(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        return np.take_along_axis(
            mine.rows, np.argsort(-np.where(there, share, -np.inf), axis=1, kind="stable"), axis=1
        )

    ascending = np.sort(similarities, axis=1)  # NaN last
    less_to_query, less_to_hit = np.zeros(pairs.shape), np.zeros(pairs.shape)
    for line, column in zip(*np.nonzero(there), strict=True):
        value, hit = np.float32(pairs[line, column]), place[mine.rows[line, column]]
        less_to_query[line, column] = np.searchsorted(ascending[place[queries[line]], :-1], value, side="right")
        less_to_hit[line, column] = np.searchsorted(ascending[hit, :-1], value, side="right")

    def normal(table: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
        mean, deviation = np.nanmean(table, axis=1, dtype=np.float64), np.nanstd(table, axis=1, dtype=np.float64)
        scores = np.zeros(pairs.shape)
        for one in (np.broadcast_to(place[queries][:, None], pairs.shape), place[np.where(there, mine.rows, 0)]):
            scores += log_ndtr((pairs - mean[one]) / np.maximum(deviation[one], 1e-9))
        return of_both(scores)

    nearest = Nearest(lists, among=len(rows))
    own = Nearest(mine.similarities, among=len(rows))
    return {
        "all pairs (the definition)": of_both(less_to_query * less_to_hit),
        "counted in the graph (used)": mine.in_order(by_mutual_proximity(mine, own, nearest)).rows,
        "normal, all similarities": normal(similarities),
        "normal, those of the graph": normal(np.asarray(store.neighbor_similarities[rows], dtype=np.float32)),
        "CSLS": mine.in_order(by_csls(mine, usual_similarity(lists[:, :NEAREST]))).rows,
        "cosine": mine.rows,
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--encoder", nargs="*", help="all that are built by default")
    parser.add_argument("--k", type=int, default=10)
    options = parser.parse_args()
    collection = open_collection(options.name)
    for encoder_id in options.encoder or collection.encoder_ids():
        found = {name: rows[:, : options.k] for name, rows in orders(collection.store(encoder_id)).items()}
        definition = next(iter(found.values()))
        print(f"{options.name} with {encoder_id}, {len(definition):,} queries, first {options.k} of 100 hits")
        for name, rows in found.items():
            same = np.mean([len(np.intersect1d(a, b)) / options.k for a, b in zip(rows, definition, strict=True)])
            counts = np.bincount(rows[rows >= 0], minlength=len(collection))
            print(f"{name:>28}: agree {same:.3f}, skewness {skew(counts):5.2f}, in no list {(counts == 0).sum():,}")


if __name__ == "__main__":
    main()
