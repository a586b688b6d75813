"""Small neighbor graphs, and what is counted on a map without cleverness."""

from __future__ import annotations

import numpy as np


def graph_of(vectors, width):
    """The exact neighbor graph of unit vectors, as (ids, similarities)."""
    similarities = (vectors @ vectors.T).astype(np.float32)
    np.fill_diagonal(similarities, -np.inf)
    ids = np.argsort(-similarities, axis=1, kind="stable")[:, : min(width, len(vectors) - 1)].astype(np.int32)
    return ids, np.take_along_axis(similarities, ids, axis=1).astype(np.float16)


def clusters(sizes, dimension=16, spread=0.2, seed=0):
    """Unit vectors around random centers, and the cluster of each."""
    source = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = source.normal(size=(len(sizes), dimension))[labels] + spread * source.normal(size=(sum(sizes), dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def oracle_preservation(coordinates, ids, n_neighbors):
    """Image by image, sorting all distances on the map."""
    placed = [row for row in range(len(ids)) if not np.isnan(coordinates[row]).any()]
    shares = []
    for row in range(len(ids)):
        wanted = [other for other in ids[row][:n_neighbors].tolist() if other >= 0]
        if row not in placed or not wanted:
            shares.append(np.nan)
            continue
        others = [other for other in placed if other != row]
        away = {other: float(np.sum((coordinates[other] - coordinates[row]) ** 2)) for other in others}
        near = sorted(others, key=away.__getitem__)[: len(wanted)]
        shares.append(len(set(near) & set(wanted)) / len(wanted))
    return shares
