"""What search is compared with: the cosine of every pair in double precision, sorted."""

from __future__ import annotations

import numpy as np

from radcbir_core.search.backend import Exclusion, Hits


def vectors(number: int, dimension: int = 24, *, seed: int = 0, dtype=np.float16) -> np.ndarray:
    """Unit vectors in some clusters."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(number // 20, 1), dimension))
    points = centers[random.integers(0, len(centers), number)] + 0.5 * random.normal(size=(number, dimension))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(dtype)


def ranked(embeddings, query, k, allowed=None, blocked=()) -> list[tuple[float, int]]:
    """The cosine of every row in double precision, best first, equal ones by row."""
    pairs = []
    for row, vector in enumerate(np.asarray(embeddings, dtype=np.float64)):
        if (allowed is None or allowed[row]) and row not in blocked:
            length = np.linalg.norm(vector) or 1.0
            pairs.append((-float(np.dot(vector, query.astype(np.float64)) / length), row))
    return [(-s, row) for s, row in sorted(pairs)[:k]]


def blocked_by(exclusions: list[Exclusion], query: int) -> set[int]:
    """The rows that a query may not return."""
    blocked: set[int] = set()
    for exclusion in exclusions:
        mine = exclusion.query_groups[query]
        blocked |= {row for row, group in enumerate(exclusion.groups.tolist()) if group == mine >= 0}
    return blocked


def assert_same(hits: Hits, q: int, expected: list[tuple[float, int]]) -> None:
    """Similarities agree; rows agree except where neighbors in the order are closer than single precision."""
    assert hits.counts[q] == len(expected)
    found = list(zip(hits.similarities[q, : len(expected)].tolist(), hits.rows[q].tolist(), strict=False))
    np.testing.assert_allclose([s for s, _ in found], np.clip([s for s, _ in expected], -1, 1), atol=2e-6)
    for (s, row), (t, other) in zip(found, expected, strict=True):
        assert row == other or abs(s - t) < 2e-6
    assert (hits.rows[q, len(expected) :] == -1).all()
    assert np.isnan(hits.similarities[q, len(expected) :]).all()
