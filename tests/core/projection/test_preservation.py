"""How far a place can be trusted: the share of an image's nearest that are its nearest on the map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.projection import preservation as module
from radcbir_core.projection.preservation import preservation_of
from tests.core.projection.graphs import oracle_preservation


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 12), st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000), st.integers(1, 7))
def test_preservation_equals_the_oracle(number, width, n_neighbors, seed, chunk):
    source = np.random.default_rng(seed)
    coordinates = source.normal(size=(number, 2)).astype(np.float32)
    coordinates[source.random(number) < 0.2] = np.nan
    placed = np.flatnonzero(~np.isnan(coordinates[:, 0]))
    ids = np.full((number, width), -1)
    for row in placed if len(placed) > 1 else []:
        others = source.permutation(placed[placed != row])[: source.integers(1, width + 1)]
        ids[row, : len(others)] = others
    before = module._CHUNK
    module._CHUNK = chunk
    try:
        preservation = preservation_of(coordinates, ids, n_neighbors=n_neighbors)
    finally:
        module._CHUNK = before
    np.testing.assert_allclose(preservation, oracle_preservation(coordinates, ids, n_neighbors), rtol=1e-6)


def test_on_one_spot_an_image_is_not_its_own_neighbor():
    coordinates = np.zeros((5, 2), dtype=np.float32)
    ids = np.array([[(row + step) % 5 for step in range(1, 5)] for row in range(5)])
    assert preservation_of(coordinates, ids, n_neighbors=4).tolist() == [1.0] * 5
    few = preservation_of(coordinates, ids, n_neighbors=2)
    assert set((few * 2).tolist()) <= {0.0, 1.0, 2.0}
