"""The whole table against an evaluator that looks at every pair of images, and the command."""

from __future__ import annotations

import math
import shutil
from collections import defaultdict

import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.relevance import RULES, Relevance
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.ranking import RANK_COLUMNS, Ranking, column_of
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection
from radcbir_core.search.engines import relevant_counts
from tests.core.evaluation.metrics.rankings import by_definition
from tests.core.evaluation.test_relevance import slow_grade
from tests.kept_embeddings import directions


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # evaluate() leaves its results in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


@pytest.fixture
def lonely(small_source, tmp_path, monkeypatch):
    """Three images of which one is alone in its label, so that it has nothing to find."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    folder = tmp_path / "three"
    folder.mkdir()
    for name in ("chest_00.png", "chest_01.png", "brain_03.png"):
        shutil.copy(small_source / name, folder / name)
    (folder / "manifest.csv").write_text(
        "path,modality,anatomy,pathology,split\nchest_00.png,XR,chest,a,train\nchest_01.png,XR,chest,a,test\n"
        "brain_03.png,MR,brain,b,test\n"
    )
    collection = import_collection([folder], name="three").collection
    build_collection(collection, load_encoder("pixels"))
    return collection.store("pixels")


def test_what_is_relevant_is_told_once_an_evaluation(store, monkeypatch) -> None:
    made: list[str] = []
    of_manifest = Relevance.of_manifest

    def counted(manifest, rule: str) -> Relevance:
        made.append(rule)
        return of_manifest(manifest, rule)

    monkeypatch.setattr(Relevance, "of_manifest", counted)
    Ranking(rule="jaccard").run(store)
    assert made == ["jaccard"]


def oracle(store, protocol: Protocol, rule: str, divisor: str) -> dict[tuple[str, str, int, str], float]:
    """(label, metric, k, averaging) → value, one query at a time."""
    frame = store.collection.manifest.frame
    vectors = directions(store)
    shown = [
        [f"{m}/{a}/{name}" for name in p] if m and a and not (rule == "same-label" and len(p) > 1) else []
        for m, a, p in zip(frame["modality"], frame["anatomy"], frame["pathologies"], strict=True)
    ]
    split = protocol.name == "split"
    per_label, every = defaultdict(list), []
    for query, labels in enumerate(shown):
        if not labels or (split and frame["split"][query] != "test"):
            continue
        pairs = [
            (-float(vectors[row] @ vectors[query]), row)
            for row, other in enumerate(shown)
            if other
            and row != query
            and (not split or frame["split"][row] == "train")
            and not ("patient" in protocol.exclude and frame["patient_id"][row] == frame["patient_id"][query] != "")
        ]
        ranking = [slow_grade(labels, shown[row], rule) for _, row in sorted(pairs)]
        for k in protocol.ks:
            values = by_definition(ranking, k, divisor)
            every.append((k, values))
            for label in labels:
                per_label[label].append((k, values))
    result = {}
    names = {"P": "P", "recall": "recall", "hit": "hit rate", "ap": "mAP", "ndcg": "nDCG", "r": "R-precision"}
    for key, metric in names.items():
        for k in protocol.ks:

            def mean(found, key=key, k=k) -> float:
                known = [values[key] for at, values in found if at == k and not math.isnan(values[key])]
                return sum(known) / len(known) if known else math.nan

            labels = {label: mean(found) for label, found in per_label.items()}
            finite = [value for value in labels.values() if not math.isnan(value)]
            result |= {(label, metric, k, "label"): value for label, value in labels.items()}
            result["", metric, k, "micro"] = mean(every)
            result["", metric, k, "macro"] = sum(finite) / len(finite)
    return result


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("name", "divisor"), [("leave-one-out", "available"), ("split", "found")])
def test_every_figure_agrees_with_the_oracle(store, name, divisor, rule, monkeypatch) -> None:
    monkeypatch.setattr(relevant_counts, "_ELEMENTS", 200)  # several portions of R-precision
    protocol = Protocol.of(name, ks=(1, 3, 10))
    found = Ranking(protocol, rule, divisor, r_precision=True).run(store)
    assert tuple(found.table.columns) == RANK_COLUMNS
    expected = oracle(store, protocol, rule, divisor)
    seen = set()
    for row in found.table.to_dict("records"):
        k = 1 if pd.isna(row["k"]) else row["k"]
        seen.add((row["label"], row["metric"], row["averaging"]))
        value = expected[row["label"], row["metric"], k, row["averaging"]]
        assert row["value"] == pytest.approx(value, abs=1e-9, nan_ok=True), row
        if not math.isnan(row["low"]):
            assert row["low"] <= row["value"] <= row["high"]
    assert seen == {(label, metric, averaging) for label, metric, _, averaging in expected}


@pytest.mark.parametrize("empty", ["skip", "zero"])
@pytest.mark.parametrize("name", ["leave-one-out", "split"])
def test_same_label_is_what_the_precision_says(store, lonely, name, empty) -> None:
    """One P@k: the two views answer the same question with the same numbers, intervals and counts included."""
    protocol = Protocol.of(name, empty=empty)
    columns = ["label", "k", "precision", "n_queries", "n_empty", "averaging", "low", "high"]
    for one in (store, lonely):
        plain = Precision(protocol).run(one).table.query("level == 'label'")
        ours = Ranking(protocol, "same-label").run(one).table.query("metric == 'P'")
        ours = ours.rename(columns={"value": "precision"})
        both = [part[columns].astype({"k": int}).sort_values(["averaging", "label", "k"]) for part in (plain, ours)]
        pd.testing.assert_frame_equal(*(part.reset_index(drop=True) for part in both), check_dtype=False, atol=1e-12)
    assert plain["n_empty"].sum() > 0, "the rule has been put to use"


def test_what_has_nothing_to_find_counts_0_in_every_metric_if_asked(lonely) -> None:
    skip, zero = (Ranking(Protocol.of(empty=empty), "same-label").run(lonely) for empty in ("skip", "zero"))
    first, second = (found.tables["queries"].drop(columns="row") for found in (skip, zero))
    assert first.isna().to_numpy().any()
    pd.testing.assert_frame_equal(first.fillna(0.0), second)


def test_notes_and_errors(store, small_data, tmp_path, monkeypatch) -> None:
    found = Ranking(rule="same-label").run(store)
    assert any(
        "images take no part: no modality, anatomy or pathology or several pathologies" in n for n in found.notes
    )
    with pytest.raises(EvaluationError, match="but relevance = 'dice'"):
        Ranking(rule="dice")
    with pytest.raises(EvaluationError, match="but ap_divisor = 'k'"):
        Ranking(ap_divisor="k")
    with pytest.raises(EvaluationError, match=r"but protocol = paper\. Use split"):
        Ranking(Protocol.of("paper"))
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    other = open_collection("small").store("pixels")
    other.layout.files(NEIGHBORS)[0].unlink()
    with pytest.raises(StaleError, match="Expected a neighbor graph"):
        Ranking().run(other)


def test_what_is_kept_with_r_precision_serves_without_it(store) -> None:
    protocol = Protocol.of(ks=(1, 3))
    deep = Ranking(protocol, "jaccard", r_precision=True).run(store)
    kept = Ranking(protocol, "jaccard").kept(store)
    pd.testing.assert_frame_equal(kept.table, deep.table)
    assert Ranking(protocol, "any-shared").kept(store) is None
    # What is kept of each query adds up to the means.
    queries = deep.tables["queries"]
    for row in deep.table[deep.table["averaging"] == "micro"].to_dict("records"):
        values = queries[column_of(row["metric"], None if pd.isna(row["k"]) else row["k"])]
        assert values.mean() == pytest.approx(row["value"])
        assert values.notna().sum() == row["n_queries"]


def test_a_split_that_shares_patients_is_told(store) -> None:
    notes = Ranking(Protocol.of("split")).run(store).notes
    assert any("whether their patients are both in train and in test cannot be known" in note for note in notes)


def test_the_command(store, tmp_path, capsys) -> None:
    output = tmp_path / "ranking.csv"
    options = ["--relevance", "jaccard", "-k", "1", "-k", "5", "--r-precision", "--output", str(output)]
    assert main(["evaluate-ranking", "small", *options]) == 0
    printed = capsys.readouterr().out
    assert "nDCG" in printed
    assert "@5" in printed
    assert "R-precision, macro: 0." in printed
    table = pd.read_csv(output, keep_default_na=False)
    assert set(table["metric"]) == {"P", "recall", "hit rate", "mAP", "nDCG", "R-precision"}
    assert set(table["k"].astype(str)) == {"1", "5", ""}
    assert main(["evaluate-ranking", "small", "--relevance", "dice"]) == 2
    assert "Error: Expected a relevance rule" in capsys.readouterr().err
    assert main(["evaluate-ranking", "small", "--protocol", "paper"]) == 2
    assert "Use split" in capsys.readouterr().err
