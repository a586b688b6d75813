"""The whole table against an evaluator that looks at every pair of images, and the command."""

from __future__ import annotations

import math
import shutil
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.relevance import RULES
from radcbir_core.evaluation.reports import ranking as rank_evaluation
from radcbir_core.evaluation.reports.ranking import RANK_COLUMNS, column_of, evaluate_ranking, kept_ranking
from radcbir_core.search import relevant_counts
from tests.core.evaluation.metrics.test_rank_metrics import slow
from tests.core.evaluation.test_relevance import slow_grade
from tests.kept_embeddings import kept_embeddings


@pytest.fixture
def store(small_data, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("copied") / "data"  # evaluate() leaves its results in the collection
    shutil.copytree(small_data, data)
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    return open_collection("small").store("pixels")


def oracle(store, protocol: Protocol, rule: str, divisor: str) -> dict[tuple[str, str, int, str], float]:
    """(label, metric, k, averaging) → value, one query at a time."""
    frame = store.collection.manifest.frame
    vectors = kept_embeddings(store).astype(np.float64)
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
            values = slow(ranking, k, divisor)
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
    found = evaluate_ranking(store, protocol, rule=rule, ap_divisor=divisor, with_r_precision=True)
    assert tuple(found.table.columns) == RANK_COLUMNS
    expected = oracle(store, protocol, rule, divisor)
    seen = set()
    for row in found.table.to_dict("records"):
        k = 1 if pd.isna(row["k"]) else row["k"]
        seen.add((row["label"], row["metric"], row["averaging"]))
        value = expected[row["label"], row["metric"], k, row["averaging"]]
        assert row["value"] == pytest.approx(value, abs=1e-9, nan_ok=True), row
        if not math.isnan(row["low"]):
            assert row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9
    assert seen == {(label, metric, averaging) for label, metric, _, averaging in expected}


def test_same_label_is_what_evaluate_says(store) -> None:
    from radcbir_core.evaluation import evaluate

    protocol = Protocol.of("leave-one-out", divisor="available", ks=(1,))
    plain = evaluate(store, protocol).table.query("level == 'label' and averaging == 'micro'")
    ours = evaluate_ranking(store, protocol, rule="same-label").table
    ours = ours[(ours["averaging"] == "micro") & (ours["metric"] == "P")]
    assert ours["value"].item() == pytest.approx(plain["precision"].item())
    assert ours["n_queries"].item() == plain["n_queries"].item()


def test_notes_and_errors(store, small_data, tmp_path, monkeypatch) -> None:
    found = evaluate_ranking(store, Protocol.of(), rule="same-label")
    assert any(
        "images take no part: no modality, anatomy or pathology or several pathologies" in n for n in found.notes
    )
    with pytest.raises(EvaluationError, match="but relevance = 'dice'"):
        evaluate_ranking(store, Protocol.of(), rule="dice")
    with pytest.raises(EvaluationError, match="but ap_divisor = 'k'"):
        evaluate_ranking(store, Protocol.of(), ap_divisor="k")
    with pytest.raises(EvaluationError, match=r"but protocol = paper\. Use split"):
        evaluate_ranking(store, Protocol.of("paper"))
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    other = open_collection("small").store("pixels")
    other.neighbor_ids_path.unlink()
    with pytest.raises(StaleError, match="Expected a neighbor graph"):
        evaluate_ranking(other, Protocol.of())


def test_results_are_kept_and_read_again(store, monkeypatch) -> None:
    protocol = Protocol.of(ks=(1, 3))
    assert kept_ranking(store, protocol, rule="jaccard") is None
    plain = evaluate_ranking(store, protocol, rule="jaccard")
    deep = evaluate_ranking(store, protocol, rule="jaccard", with_r_precision=True)
    monkeypatch.setattr(rank_evaluation, "_compute", None)  # it must not be called again
    again = evaluate_ranking(store, protocol, rule="jaccard")
    pd.testing.assert_frame_equal(again.table, plain.table)
    pd.testing.assert_frame_equal(again.queries, plain.queries)
    assert again.notes == plain.notes
    kept = kept_ranking(store, protocol, rule="jaccard")
    pd.testing.assert_frame_equal(kept.table, deep.table)
    for choice in ({"rule": "any-shared"}, {"rule": "jaccard", "ap_divisor": "found"}):
        assert kept_ranking(store, protocol, **choice) is None
    assert kept_ranking(store, Protocol.of(ks=(1, 5)), rule="jaccard") is None
    # What is kept of each query adds up to the means.
    for row in deep.table[deep.table["averaging"] == "micro"].to_dict("records"):
        values = deep.queries[column_of(row["metric"], None if pd.isna(row["k"]) else row["k"])]
        assert values.mean() == pytest.approx(row["value"])
        assert values.notna().sum() == row["n_queries"]


def test_a_split_that_shares_patients_is_told(store) -> None:
    notes = evaluate_ranking(store, Protocol.of("split")).notes
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
