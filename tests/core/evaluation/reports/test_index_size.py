"""P@k of smaller galleries against a search that looks at every pair, and the galleries themselves."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import clusters_of
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.index_size import SIZE_COLUMNS, IndexSize, nested_galleries
from radcbir_core.evaluation.reports.precision import Precision
from tests.kept_embeddings import directions


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # evaluate() leaves its results in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


@given(seed=st.integers(0, 1000), size=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_galleries_are_nested_and_whole(seed, size) -> None:
    random = np.random.default_rng(seed)
    clusters, gallery = random.integers(0, 9, size), random.random(size) < 0.8
    gallery[0] = True
    fractions = (0.01, 0.3, 0.6, 1.0)
    parts = nested_galleries(gallery, clusters, fractions, seed=seed, draw=1)
    number = len(np.unique(clusters[gallery]))
    for part, larger in zip(parts, [*parts[1:], gallery], strict=True):
        assert (part <= larger).all()
        for cluster in np.unique(clusters):
            assert len(set(part[gallery & (clusters == cluster)])) <= 1
    for part, fraction in zip(parts, fractions, strict=True):
        assert len(np.unique(clusters[part])) == max(1, round(fraction * number))
    np.testing.assert_array_equal(parts[-1], gallery)
    again = nested_galleries(gallery, clusters, fractions, seed=seed, draw=1)
    np.testing.assert_array_equal(parts, again)


def slow_precision(store, gallery, protocol: Protocol, k: int) -> tuple[float, float]:
    """Micro and macro P@k by anatomy, one query at a time."""
    frame = store.collection.manifest.frame
    vectors = directions(store)
    values: dict[str, list[float]] = {}
    for query, label in enumerate(frame["anatomy"]):
        if protocol.name == "split" and frame["split"][query] != "test":
            continue
        pairs = [
            (-float(vectors[row] @ vectors[query]), row)
            for row in np.flatnonzero(gallery).tolist()
            if row != query
            and not ("patient" in protocol.exclude and frame["patient_id"][row] == frame["patient_id"][query] != "")
        ]
        relevant = [frame["anatomy"][row] == label for _, row in sorted(pairs)]
        divisor = k if protocol.divisor == "k" else min(k, sum(relevant))
        if sum(relevant) or protocol.empty == "zero":
            values.setdefault(label, []).append(sum(relevant[:divisor]) / max(divisor, 1))
    means = [sum(found) / len(found) for found in values.values()]
    every = [value for found in values.values() for value in found]
    return sum(every) / len(every), sum(means) / len(means)


@pytest.mark.parametrize(
    ("name", "divisor", "empty"),
    [("leave-one-out", "k", "skip"), ("leave-one-out", "k", "zero"), ("split", "available", "skip")],
)
def test_every_figure_agrees_with_the_oracle(store, name, divisor, empty) -> None:
    protocol = Protocol.of(name, divisor=divisor, empty=empty, ks=(1, 5))
    fractions = (0.1, 0.4)
    table = IndexSize(protocol, "anatomy", fractions, 3, 4).run(store).table
    assert tuple(table.columns) == SIZE_COLUMNS
    manifest = store.collection.manifest
    clusters = clusters_of(store)
    gallery = np.asarray(manifest.column("split") == "train") if name == "split" else np.ones(len(manifest), dtype=bool)
    draws = [nested_galleries(gallery, clusters, fractions, seed=4, draw=draw) for draw in range(3)]
    for position, fraction in enumerate(fractions):
        for k in (1, 5):
            found = np.array([slow_precision(store, parts[position], protocol, k) for parts in draws])
            for column, averaging in enumerate(("micro", "macro")):
                line = table[(table["fraction"] == fraction) & (table["k"] == k) & (table["averaging"] == averaging)]
                assert line["mean"].item() == pytest.approx(found[:, column].mean())
                assert line["std"].item() == pytest.approx(found[:, column].std(ddof=1))
                assert line["low"].item() == pytest.approx(found[:, column].min())
                assert line["high"].item() == pytest.approx(found[:, column].max())
                assert line["gallery"].item() == pytest.approx(np.mean([parts[position].sum() for parts in draws]))


def test_the_whole_gallery_is_what_evaluate_says(store) -> None:
    protocol = Protocol.of("leave-one-out", ks=(1, 3))
    table = IndexSize(protocol, fractions=(1.0,)).run(store).table
    plain = Precision(protocol).run(store).table.query("level == 'label' and averaging != 'label'")
    assert table["mean"].tolist() == pytest.approx(plain["precision"].tolist())
    assert table["n_empty"].tolist() == plain["n_empty"].tolist()
    assert table["draws"].tolist() == [1] * 4
    assert table["std"].tolist() == [0] * 4


def test_what_is_wrong_is_said(store) -> None:
    for fractions in ((0.0,), (1.2,), ()):
        with pytest.raises(EvaluationError, match="Expected fractions above 0 and up to 1"):
            IndexSize(fractions=fractions)
    with pytest.raises(EvaluationError, match="Expected at least 2 draws, which have a deviation, but draws = 1"):
        IndexSize(draws=1)
    with pytest.raises(EvaluationError, match="but protocol = paper"):
        IndexSize(Protocol.of("paper"))


def test_the_command(store, tmp_path, capsys) -> None:
    output = tmp_path / "size.csv"
    options = ["--level", "anatomy", "--fraction", "0.2", "--fraction", "1", "--draws", "2", "--output", str(output)]
    assert main(["evaluate-index-size", "small", *options]) == 0
    assert "P@10" in capsys.readouterr().out
    table = pd.read_csv(output)
    assert tuple(table.columns) == SIZE_COLUMNS
    assert sorted(set(table["fraction"])) == [0.2, 1.0]
    assert main(["evaluate-index-size", "small", "--draws", "1"]) == 2
    assert "Error: Expected at least 2 draws" in capsys.readouterr().err
