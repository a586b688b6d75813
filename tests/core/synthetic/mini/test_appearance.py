"""The target: levels and teachers in their shares, and angles kept by the principal directions."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.synthetic.mini.appearance import appearances
from radcbir_core.synthetic.mini.network import APPEARANCE
from radcbir_core.synthetic.mini.teachers import Seen


def seen_of(seed: int, widths: tuple[int, ...], count: int = 40) -> Seen:
    """What a teacher might see, each level in another range."""
    generator = np.random.default_rng(seed)
    levels = [generator.normal(3 * place, 10.0**place, (count, width)) for place, width in enumerate(widths)]
    return Seen(np.concatenate(levels, axis=1).astype(np.float16), widths)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_similarities_are_those_of_the_levels_in_their_shares() -> None:
    one, other = seen_of(1, (4, 7)), seen_of(2, (5,))
    measured = np.arange(40) % 5 != 0
    found = appearances([(one, 1.5), (other, 1.0)], measured).astype(float)
    assert found.shape == (40, APPEARANCE)
    # By hand, without principal directions: all of them together only turn the vectors.
    blocks = []
    for seen, weight in ((one, 1.5), (other, 1.0)):
        levels = []
        for level in seen.levels:
            rows = level.astype(float)
            known = rows[measured]
            spread = known.std(axis=0) + 1e-3 * known.std()
            levels.append(unit((rows - known.mean(axis=0)) / spread))
        blocks.append(weight * unit(np.concatenate(levels, axis=1)))
    together = unit(np.concatenate(blocks, axis=1))
    expected = unit(together - together[measured].mean(axis=0))
    assert np.allclose(found @ found.T, expected @ expected.T, atol=0.01)


def test_a_level_counts_alike_whatever_its_range() -> None:
    one = seen_of(3, (6, 6))
    louder = Seen((one.features * np.array([1] * 6 + [0.5] * 6)).astype(np.float16), one.widths)
    every = np.ones(40, dtype=bool)
    assert np.allclose(appearances([(one, 1.0)], every), appearances([(louder, 1.0)], every), atol=0.02)


def test_nothing_to_measure_by() -> None:
    with pytest.raises(ValueError, match="views to measure by"):
        appearances([(seen_of(1, (3,)), 1.0)], np.zeros(40, dtype=bool))
