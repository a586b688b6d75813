"""Standard deviations of P@k, as pandas computes them for the published figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.evaluation.statistics.deviation import deviations_of

VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan])


@given(st.lists(st.tuples(st.integers(-1, 3), VALUES, VALUES), min_size=1, max_size=40))
def test_they_are_pandas(rows) -> None:
    labels, values = np.array([row[0] for row in rows]), np.array([row[1:] for row in rows], dtype=float)
    ours = deviations_of(values, labels, n_labels=4)
    frame = pd.DataFrame(values)[labels >= 0]
    of_label = frame.groupby(labels[labels >= 0]).std().reindex(range(4))
    np.testing.assert_allclose(ours.label, of_label.to_numpy(dtype=float), atol=1e-12)
    np.testing.assert_allclose(ours.micro, frame.std().to_numpy(dtype=float), atol=1e-12)
    np.testing.assert_allclose(ours.macro, of_label.mean().to_numpy(dtype=float), atol=1e-12)


def test_by_hand() -> None:
    ours = deviations_of(np.array([[1.0], [0.0], [0.5], [0.5]]), np.array([0, 0, 1, 2]), n_labels=3)
    np.testing.assert_allclose(ours.label[:, 0], [0.5**0.5, np.nan, np.nan], err_msg="one query has no deviation")
    assert ours.macro.tolist() == [0.5**0.5]
