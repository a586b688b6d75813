"""What is chosen for a presentation, against slow searches of all pairs: nothing is chosen because it flatters."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation import presented_cases
from radcbir_core.evaluation.presented_cases import (
    agreements,
    mix_ups,
    ordinary_cases,
    presented_failures,
    presented_precision,
)
from tests.planted_training import plant_training


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def unit_vectors(store):
    vectors = np.load(store.collection.encoder_folder("pixels") / "embeddings.npy").astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def searched(store):
    """Of each image with a full label the hits that count, best first, by comparing it with every other."""
    vectors = unit_vectors(store)
    manifest = store.collection.manifest
    labels, patients = manifest.labels("label"), manifest.column("patient_id")
    groups = [store.near_duplicate_groups, manifest.groups("series")]
    exclude = presented_precision(store).protocol.exclude
    names = [labels.values[code] if code >= 0 else None for code in labels.codes]
    found = {}
    for query, mine in enumerate(names):
        if mine is None:
            continue
        hits = []
        for other, theirs in enumerate(names):
            same = (
                ("patient" in exclude and patients[query] != "" and patients[query] == patients[other])
                or ("near-duplicate" in exclude and groups[0][query] >= 0 and groups[0][query] == groups[0][other])
                or ("series" in exclude and groups[1][query] >= 0 and groups[1][query] == groups[1][other])
            )
            if theirs is not None and other != query and not same:
                hits.append((float(vectors[query] @ vectors[other]), other))
        found[query] = [other for _, other in sorted(hits, key=lambda hit: (-hit[0], hit[1]))]
    return names, found


def test_how_often_hits_agree_is_what_comparing_all_pairs_gives(store) -> None:
    names, found = searched(store)
    figures = agreements(presented_precision(store).run(store))
    assert set(figures) == {("anatomy", 1), ("anatomy", 10), ("label", 1), ("label", 10)}
    for k in (1, 10):
        shares = [
            sum(names[hit] == names[query] for hit in hits[:k]) / k
            for query, hits in found.items()
            if any(names[hit] == names[query] for hit in hits)
        ]
        figure = figures["label", k]
        assert figure.n_queries == len(shares) > 0
        assert figure.share == pytest.approx(np.mean(shares))
        assert figure.low < figure.share < figure.high
        assert 0 < figure.chance < figure.share
    assert figures["anatomy", 1].share > figures["label", 1].high


def test_a_case_is_offered_because_it_is_as_ordinary_as_its_label_has_one(store) -> None:
    names, found = searched(store)
    offered = ordinary_cases(presented_precision(store).run(store), store, most=99)
    precision = {
        query: sum(names[hit] == names[query] for hit in hits[:10]) / 10
        for query, hits in found.items()
        if any(names[hit] == names[query] for hit in hits)
    }
    assert offered.usual == pytest.approx(np.mean(list(precision.values())))
    assert {case.label for case in offered.cases} == {names[query] for query in precision}
    for case in offered.cases:
        assert case.precision == pytest.approx(precision[case.row])
        assert names[case.row] == case.label
        nearest = min(
            (round(abs(precision[query] - offered.usual), 9), query)
            for query in precision
            if names[query] == case.label
        )
        assert case.row == nearest[1]
    modalities = [case.label.split("/")[0] for case in offered.cases]
    assert len(set(modalities[:3])) == 3, "the kinds of images take turns"
    assert ordinary_cases(presented_precision(store).run(store), store, most=2).cases == offered.cases[:2]


def test_findings_come_before_normal_images_that_are_as_ordinary(store) -> None:
    result = presented_precision(store).run(store)
    queries = result.tables["queries"].assign(**{"p@10": 0.5})
    even = replace(result, tables={**result.tables, "queries": queries})
    by_modality: dict[str, list[str]] = {}
    for case in ordinary_cases(even, store, most=99).cases:
        by_modality.setdefault(case.label.split("/")[0], []).append(case.label)
    assert by_modality["XR"][-1] == "XR/chest/normal"
    assert by_modality["MR"][-1] == "MR/brain/normal"


def test_what_can_be_looked_at_is_taken_before_what_is_small(store, monkeypatch) -> None:
    result = presented_precision(store).run(store)
    before = {case.label: case.row for case in ordinary_cases(result, store, most=99).cases}
    small = set(before.values())
    monkeypatch.setattr(presented_cases, "_is_small", lambda _, rows: np.isin(rows, list(small)))
    after = {case.label: case.row for case in ordinary_cases(result, store, most=99).cases}
    assert set(after) == set(before)
    assert not small & set(after.values())


def test_images_are_small_by_their_longer_side_and_not_if_it_is_not_known(store, monkeypatch) -> None:
    rows = np.arange(4)
    sizes = {"width": np.array([127.0, 10, np.nan, 128]), "height": np.array([127.0, 128, np.nan, 4])}
    manifest = type(store.collection.manifest)
    monkeypatch.setattr(manifest, "numbers", lambda _, name, rows: sizes[name][rows])
    assert presented_cases._is_small(store, rows).tolist() == [True, False, False, False]


def test_the_most_frequent_mix_up_comes_first_and_its_rate_counts_all(store) -> None:
    names, found = searched(store)
    shown = mix_ups(presented_failures(store).run(store), store, most=99)
    place = [name and name.split("/", 2)[:2] for name in names]
    could = {query: hits for query, hits in found.items() if any(names[hit] == names[query] for hit in hits)}
    wrong = {q: hits[0] for q, hits in could.items() if names[hits[0]] != names[q] and place[hits[0]] == place[q]}
    assert shown.kind == "pathology"
    assert (shown.rate.n, shown.rate.n_images) == (len(wrong), len(could))
    assert shown.rate.share == pytest.approx(len(wrong) / len(could))
    assert shown.rate.low < shown.rate.share < shown.rate.high
    pairs: dict[frozenset, list[int]] = {}
    for query, hit in wrong.items():
        pairs.setdefault(frozenset((names[query], names[hit])), []).append(query)
    assert {frozenset((names[one.query], names[one.hit])) for one in shown.examples} == set(pairs)
    assert [one.number for one in shown.examples] == sorted(map(len, pairs.values()), reverse=True)
    vectors = unit_vectors(store)
    for one in shown.examples:
        assert wrong[one.query] == one.hit
        others = pairs[frozenset((names[one.query], names[one.hit]))]
        most = max(float(vectors[query] @ vectors[wrong[query]]) for query in others)
        assert one.similarity == pytest.approx(most, abs=2e-3)
    assert mix_ups(presented_failures(store).run(store), store, most=1).examples == shown.examples[:1]


def test_where_no_pathology_is_mixed_up_other_failures_are_shown(store) -> None:
    result = presented_failures(store).run(store)
    elsewhere = replace(result, tables={**result.tables, "images": result.tables["images"].assign(same_anatomy=0.0)})
    shown = mix_ups(elsewhere, store)
    assert shown.kind == "confident"
    assert shown.examples
    none = replace(result, tables={**result.tables, "images": result.tables["images"].assign(wrong=0.0)})
    assert mix_ups(none, store).examples == ()


def test_what_was_seen_in_training_asks_only_where_there_is_nothing_else(store, monkeypatch) -> None:
    plant_training(monkeypatch, store.collection, range(30))
    assert presented_precision(store).protocol.seen == "skip"
    figures = agreements(presented_precision(store).run(store))
    assert 0 < figures["label", 1].n_queries < 51
    plant_training(monkeypatch, store.collection, range(61))
    assert presented_precision(store).protocol.seen == presented_failures(store).protocol.seen == "count"
    assert agreements(presented_precision(store).run(store))["label", 1].n_queries == 51
    assert mix_ups(presented_failures(store).run(store), store).examples
