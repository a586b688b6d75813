"""The paper's protocol: against the published evaluator's numbers, and against a slow telling of it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation import KS, PAPER, Protocol, evaluate, evaluation_of
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.disagreements import disagreements
from radcbir_core.evaluation.reports.paper import PUBLISHED, Paper
from radcbir_core.evaluation.reports.precision import MEANS_COLUMNS, Precision
from radcbir_core.evaluation.statistics.deviation import deviations_of
from radcbir_core.importers.vectors.embeddings import import_embeddings
from tests.kept_embeddings import kept_embeddings
from tests.stale import outdate
from tests.unified_files import write_unified

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path


def test_it_gives_the_published_evaluators_numbers_and_hits(data, capsys) -> None:
    folder = Path(os.environ.get("RADCBIR_PARITY", REPOSITORY.parent / "shared" / "parity"))
    if not (folder / "expected_precision.csv").is_file():
        pytest.skip(f"the published evaluator's answers are not at hand: {folder} (set RADCBIR_PARITY)")
    sources = [str(folder / "ds.h5"), str(folder / "ds.csv")]
    assert main(["import", *sources, "--format", "embeddings", "--name", "ds", "--encoder-id", "toy"]) == 0
    output, hits = str(data / "table.csv"), str(data / "hits.csv.gz")
    assert main(["evaluate", "ds", "--protocol", "paper", "--output", output, "--hits", hits]) == 0
    assert "± 0.472" in capsys.readouterr().out
    table = pd.read_csv(output, keep_default_na=False, na_values=[""])
    assert tuple(table.columns) == MEANS_COLUMNS
    expected = pd.read_csv(folder / "expected_precision.csv", index_col=0)
    for averaging in ("micro", "macro"):
        ours = table[table["averaging"] == averaging].set_index("k").loc[1:99]
        assert np.abs(ours["precision"].to_numpy() - expected[f"{averaging}_precision_mean"]).max() < 1e-9
        assert np.abs(ours["std"].to_numpy() - expected[f"{averaging}_precision_std"]).max() < 1e-9
    pd.testing.assert_frame_equal(pd.read_csv(hits), pd.read_csv(folder / "expected_knn.csv.gz"))


def told_slowly(frame: pd.DataFrame, vectors: np.ndarray, labels: list[str]) -> pd.DataFrame:
    """The protocol row by row, from the definitions: double precision, dictionaries and loops."""
    single = frame[labels].sum(axis=1) == 1
    gallery = frame[single & (frame["split"] == "train")]
    queries = frame[single & (frame["split"] == "test")]
    label_of = frame[labels].idxmax(axis=1).to_dict()
    available = gallery[labels].idxmax(axis=1).value_counts().to_dict()
    rows: list[dict[str, object]] = []
    for row in queries.index:
        mine = label_of[row]
        cosines = [(float(vectors[row] @ vectors[other]), other) for other in gallery.index]
        order = [other for _, other in sorted(cosines, key=lambda pair: -pair[0])]
        for n in PAPER.ks:
            size = min(n, available.get(mine, 0))
            same = [label_of[other] == mine for other in order[:size]]
            rows.append({"label": mine, "k": n, "p": sum(same) / size if size else np.nan})
    return pd.DataFrame(rows)


def test_it_agrees_with_a_slow_telling(data) -> None:
    frame, vectors = write_unified(data, rows=130, dimension=20, seed=1)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    store = open_collection("u").store("e")
    found = Paper().run(store)
    slow = told_slowly(frame, vectors.astype(np.float64), list(frame.columns[5:]))
    table = found.table
    for k, part in slow.groupby("k"):
        at = table[table["k"] == k].set_index(["averaging", "label"])
        by_label = part.groupby("label")["p"]
        assert at.loc[("micro", ""), "precision"] == pytest.approx(part["p"].mean(), abs=1e-12)
        assert at.loc[("micro", ""), "std"] == pytest.approx(part["p"].std(), abs=1e-12)
        assert at.loc[("macro", ""), "precision"] == pytest.approx(by_label.mean().mean(), abs=1e-12)
        assert at.loc[("macro", ""), "std"] == pytest.approx(by_label.std().mean(), abs=1e-12)
        for label, values in by_label:
            row = at.loc[("label", label.replace("No Finding", "normal"))]
            assert row["precision"] == pytest.approx(values.mean(), abs=1e-12, nan_ok=True)
            assert row["std"] == pytest.approx(values.std(), abs=1e-12, nan_ok=True)
            assert row["n_queries"] == values.notna().sum()
    # The oracle has met what makes it worth running: an unavailable label, one with one query, several labels at once.
    assert slow["p"].isna().any()
    assert (slow.groupby("label").size() == len(PAPER.ks)).any()
    assert (frame[frame.columns[5:]].sum(axis=1) > 1).any()
    assert set(found.table["level"]) == {"label"}
    micro = table[(table["averaging"] == "micro") & (table["k"] == 1)].iloc[0]
    assert micro["n_empty"] == slow[slow["k"] == 1]["p"].isna().sum() > 0
    assert f"left out: {micro['n_empty']} of {micro['n_empty'] + micro['n_queries']}" in found.title
    curve = found.tables["curve"].set_index("n")
    for averaging in ("micro", "macro"):
        means = table[table["averaging"] == averaging].set_index("k")
        assert curve[averaging].tolist() == means["precision"].tolist()
        assert curve[f"{averaging}_std"].tolist() == means["std"].tolist()
    assert curve["published"].dropna().to_dict() == PUBLISHED
    again = Paper().run(store)
    pd.testing.assert_frame_equal(again.table, found.table)


def test_it_is_kept_once_under_either_name(data) -> None:
    write_unified(data, rows=130, dimension=20, seed=1)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    collection = open_collection("u")
    first = evaluate(collection, "e", protocol="paper")
    store = collection.store("e")
    assert Precision(PAPER).folder(store) == Paper().folder(store)
    pd.testing.assert_frame_equal(Precision(PAPER).kept(store).table, first.table)
    assert len(list(store.evaluation_folder.iterdir())) == 1


def test_every_k_has_an_interval(data) -> None:
    write_unified(data, rows=130, dimension=20, seed=1)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    table = Paper().run(open_collection("u").store("e")).table
    micro = table[table["averaging"] == "micro"].set_index("k")
    assert micro.index.tolist() == list(PAPER.ks)
    assert (micro["low"] < micro["precision"]).all()
    assert (micro["precision"] <= micro["high"]).all()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"divisor": "k"}, "divisor = k"),
        ({"exclude": ["patient"]}, "exclude ="),
        ({"ks": [1, 2]}, "ks ="),
        ({"empty": "zero"}, "empty = zero"),
    ],
)
def test_it_has_no_choices(choice, words) -> None:
    with pytest.raises(EvaluationError, match=f"Expected the paper's protocol as it is .*{words}.*the protocol split"):
        Protocol.of("paper", **choice)
    with pytest.raises(EvaluationError, match=words):
        evaluation_of("precision", protocol="paper", **choice)
    assert Protocol.of("paper", divisor="available", exclude=[]) == Protocol.of("paper") == PAPER
    assert evaluation_of("precision", protocol="paper") == evaluation_of("paper") == Paper()


def test_it_needs_both_sides_and_current_embeddings(data) -> None:
    frame, _ = write_unified(data, rows=60, dimension=8, seed=0)
    frame.assign(split="train").to_csv(data / "u.csv", index=False)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    store = open_collection("u").store("e")
    with pytest.raises(EvaluationError, match="Expected images of split train and of split test"):
        Paper().run(store)
    outdate(store)
    with pytest.raises(StaleError, match=r"missing or older\. Build or import them again"):
        Paper().run(store)


def test_the_command_refuses_what_it_cannot_do(data, capsys) -> None:
    write_unified(data, rows=60, dimension=8, seed=0)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    assert main(["evaluate", "u", "--protocol", "paper", "--versus", "chance", "--hits", "h.csv"]) == 2
    assert (
        "Expected --hits of one encoder by itself, but this is evaluate-comparison and --hits = h.csv"
        in capsys.readouterr().err
    )
    assert main(["evaluate", "u", "--protocol", "paper", "--hits", str(data / "nowhere" / "h.csv")]) == 2
    assert "Expected a folder that exists" in capsys.readouterr().err


def test_two_encoders_are_compared_query_by_query(data, capsys) -> None:
    """Without a neighbor graph on either side; the differences are those of the two evaluations."""
    write_unified(data, rows=130, dimension=20, seed=1)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    first = open_collection("u").store("e")
    vectors = kept_embeddings(first).astype(np.float64)
    folder = first.collection.encoder_folder("f")
    shutil.copytree(first.folder, folder)
    noisy = vectors + np.random.default_rng(0).normal(size=vectors.shape) * 0.4
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    np.save(folder / "embeddings.npy", noisy.astype(kept_embeddings(first).dtype))
    record = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    record["artifacts"]["embeddings"]["digest"] = "another"
    (folder / "encoder.json").write_text(json.dumps(record), encoding="utf-8")
    second = open_collection("u").store("f")
    comparison = Comparison("f", PAPER)
    found = comparison.run(first)
    assert set(found.table["level"]) == {"label"}
    both = [Paper().run(store) for store in (first, second)]
    for side, one in zip("ab", both, strict=True):
        expected = one.tables["queries"][[f"p@{k}" for k in PAPER.ks]].to_numpy()
        np.testing.assert_array_equal(found.tables["queries"][[f"{side}@{k}" for k in PAPER.ks]].to_numpy(), expected)
    table = found.table[found.table["averaging"] != "label"].set_index(["averaging", "k"])
    for averaging in ("micro", "macro"):
        for k in PAPER.ks:
            a, b = (
                one.table[(one.table["averaging"] == averaging) & (one.table["k"] == k)]["precision"].item()
                for one in both
            )
            row = table.loc[(averaging, k)]
            assert row["difference"] == pytest.approx(b - a, abs=1e-12)
            assert row["low"] <= row["difference"] <= row["high"]
    assert (table["difference"] != 0).any()
    tested = found.table[found.table["averaging"] == "label"].groupby("k")["p"].count()
    assert set(tested.index[tested > 0]) == set(KS)
    parted = disagreements(first, comparison, level="label", k=1)
    assert parted.n_queries == found.tables["queries"]["a@1"].notna().sum()
    output = data / "versus.csv"
    capsys.readouterr()
    assert (
        main(["evaluate", "u", "--encoder", "e", "--protocol", "paper", "--versus", "f", "--output", str(output)]) == 0
    )
    printed = capsys.readouterr().out
    assert "the paper's: train against test" in printed
    assert "P@10 of" in printed
    assert set(pd.read_csv(output)["k"]) == set(PAPER.ks)


def test_an_encoder_is_compared_with_chance(data) -> None:
    write_unified(data, rows=130, dimension=20, seed=1)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    store = open_collection("u").store("e")
    found = Comparison("chance", PAPER).run(store)
    labels = store.collection.manifest.labels("label").codes
    split = np.asarray(store.collection.manifest.column("split"))
    gallery = labels[(labels >= 0) & (split == "train")]
    for row in found.tables["queries"].to_dict("records"):
        same = (gallery == labels[row["row"]]).sum()
        # Of any k images drawn at random, this share is relevant on average; at k = 1 it needs no divisor.
        assert row["b@1"] == pytest.approx(same / len(gallery)) if same else np.isnan(row["b@1"])
    outdate(store)
    with pytest.raises(StaleError, match=r"missing or older\. Build or import them again"):
        Comparison("chance", PAPER).run(store)


def test_hits_have_the_queries_in_order_and_fewer_where_there_are_fewer(data) -> None:
    frame, _ = write_unified(data, rows=60, dimension=8, seed=0)
    import_embeddings([data / "u.h5", data / "u.csv"], name="u", encoder_id="e")
    assert main(["evaluate", "u", "--protocol", "paper", "--hits", str(data / "h.csv.gz")]) == 0
    with gzip.open(data / "h.csv.gz", "rt") as handle:
        table = pd.read_csv(handle, keep_default_na=False)
    single = frame[frame.columns[5:]].sum(axis=1) == 1
    assert table["query"].tolist() == frame[single & (frame["split"] == "test")]["filepath"].tolist()
    gallery = set(frame[single & (frame["split"] == "train")]["filepath"])
    for line in table.iloc[:, 1:].to_numpy():
        assert {path for path in line if path} == gallery
        assert (line[len(gallery) :] == "").all()


def test_deviations_by_hand() -> None:
    precision = np.array([[1.0, 0.0], [0.0, 0.0], [0.5, np.nan], [1.0, 1.0], [0.3, 0.3]])
    found = deviations_of(precision, np.array([0, 0, 0, 1, -1]), n_labels=3)
    assert found.micro.tolist() == pytest.approx([pd.Series([1, 0, 0.5, 1]).std(), pd.Series([0, 0, 1]).std()])
    assert found.label[0].tolist() == pytest.approx([0.5, 0.0])
    assert np.isnan(found.label[1:]).all()
    assert found.macro.tolist() == pytest.approx([0.5, 0.0])
    assert np.isnan(deviations_of(np.empty((0, 1)), np.empty(0, int), n_labels=1).micro).all()
