"""How far two neighbor graphs agree: against sets."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods, agreement_by_label
from tests.core.evaluation.reports.slow_comparison import mean


def test_neighborhoods_agree_with_sets(with_failures) -> None:
    a, b = with_failures
    found = Neighborhoods("second").run(a)
    both = [row for row in range(61) if a.valid[row] and b.valid[row]]
    images, ks = found.tables["images"], found.table["k"].tolist()
    assert images["row"].tolist() == both
    expected = {k: [len(set(a.neighbor_ids[r, :k]) & set(b.neighbor_ids[r, :k])) / k for r in both] for k in ks}
    assert ks == [1, 5, 10, 50]
    for k in ks:
        assert (images[f"shared@{k}"] / k).tolist() == expected[k]
    assert found.table["agreement"].tolist() == pytest.approx([mean(expected[k]) for k in ks])
    assert found.table["random"].tolist() == pytest.approx([k / 57 for k in ks])
    anatomy = a.collection.manifest.labels("anatomy")
    labels = anatomy.text(both)
    by_label = agreement_by_label(found, anatomy, 10)
    assert by_label["agreement"].is_monotonic_decreasing
    for row in by_label.to_dict("records"):
        mine = [value for value, label in zip(expected[10], labels, strict=True) if label == row["label"]]
        assert row["agreement"] == pytest.approx(mean(mine))
        assert row["n_images"] == len(mine)
    with pytest.raises(ValueError, match="Expected a k of"):
        agreement_by_label(found, anatomy, 7)


def test_two_random_graphs_agree_as_chance_says() -> None:
    """What the table calls random: 400 images, 50 neighbors each, drawn twice."""
    from radcbir_core.evaluation.metrics.overlap import overlap_by_depth

    random = np.random.default_rng(3)
    graphs = [
        np.stack([random.choice(np.delete(np.arange(400), row), 50, replace=False) for row in range(400)])
        for _ in range(2)
    ]
    shared = overlap_by_depth(*graphs)[:, 49].mean() / 50
    assert shared == pytest.approx(50 / 399, abs=0.006)
