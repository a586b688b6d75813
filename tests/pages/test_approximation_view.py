"""The view Approximate search: the figures of the core, and a link that is wrong."""

from __future__ import annotations

import numpy as np

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.approximation import Approximation, way_said, way_told
from tests.pages.reading import complaints, html, words


def test_the_view_is_the_evaluation(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    at = app("pathology", view="approximation", k="3", sample="200")
    assert not complaints(at)
    result = Approximation(sample=200).suited(store).run(store)
    micro = result.table[result.table["averaging"] == "micro"]
    at_k = micro[micro["k"] == 3]
    shown = next(frame.value for frame in at.dataframe if "said" in frame.value)
    assert shown["said"].tolist() == [way_said(way, result) for way in at_k["way"]]
    for column in ("precision", "n_queries", "n_patients"):
        np.testing.assert_array_equal(shown[column], at_k[column])
    for depth in (1, 10, 100):
        np.testing.assert_array_equal(shown[f"recall@{depth}"], micro[micro["k"] == depth]["recall"])
    assert shown["change"].tolist()[0] == "–"
    graph = at_k[at_k["way"] == "graph"].iloc[0]
    assert f"(−{-graph['difference_low']:.3f} to +{graph['difference_high']:.3f})" in shown["change"].tolist()[2]
    page = words(at)
    for way in ("index", "graph"):
        assert way_told(result, way, k=3).replace("-", "−").split(" [")[0] in page
    exact = at_k[at_k["way"] == "exact"].iloc[0]
    assert "Micro P@3, exact search" in html(at)
    assert f"<b>{exact['precision']:.3f}</b>" in html(at)
    assert "51 queries: those that have something to find." in html(at)
    at = app("pathology", view="approximation", sample="many")
    assert "sample = many" in complaints(at)
