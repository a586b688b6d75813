"""Relevance rules and what is available, against loops over all pairs of images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.manifests.manifest import COLUMNS, Codes, Manifest
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import relevance
from radcbir_core.evaluation.relevance import (
    RULES,
    Relevance,
    available_to,
    check_rule,
    expected_kinds,
    hit_grades,
    relevant_hits,
)

images = st.lists(
    st.tuples(st.sampled_from(["CT/lung", "XR/chest"]), st.sets(st.sampled_from("abcd"), max_size=4)),
    min_size=1,
    max_size=14,
)


def lists_of(drawn: list[tuple[str, set[str]]]) -> list[list[str]]:
    return [[f"{place}/{name}" for name in names] for place, names in drawn]


def slow_grade(query: list[str], hit: list[str], rule: str) -> float:
    a, b = set(query), set(hit)
    if not a or not b:
        return 0.0
    return {
        "same-label": float(a == b and len(a) == 1),
        "any-shared": float(bool(a & b)),
        "all-shared": float(a <= b),
        "jaccard": len(a & b) / len(a | b),
    }[rule]


@given(drawn=images, rule=st.sampled_from(RULES))
@settings(max_examples=60, deadline=None)
def test_grades_are_those_of_each_pair(drawn, rule) -> None:
    lists = lists_of(drawn)
    relevance = Relevance.of_lists(lists, rule)
    rows = np.arange(len(lists))
    hits = np.column_stack([np.tile(rows, (len(rows), 1)), np.full(len(rows), -1)])
    grades = hit_grades(hits, query_rows=rows, relevance=relevance)
    expected = [[slow_grade(query, hit, rule) for hit in lists] + [0.0] for query in lists]
    assert grades.tolist() == expected
    if rule in {"any-shared", "jaccard", "same-label"}:
        np.testing.assert_array_equal(grades[:, :-1], grades[:, :-1].T)
    assert ((grades >= 0) & (grades <= 1)).all()
    np.testing.assert_array_equal(relevant_hits(hits, query_rows=rows, relevance=relevance), grades > 0)


@given(drawn=images, rule=st.sampled_from(RULES), number=st.integers(0, 3), seed=st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_available_is_a_count_over_the_gallery(drawn, rule, number, seed) -> None:
    lists = lists_of(drawn)
    random = np.random.default_rng(seed)
    size = len(lists)
    gallery = random.random(size) < 0.8
    groups = [random.integers(-1, 3, size) for _ in range(number)]
    queries = random.integers(0, size, 6)
    found = available_to(queries, relevance=Relevance.of_lists(lists, rule), gallery=gallery, groups=groups)
    assert np.all(np.diff(found.grades) > 0)
    for query, counts in zip(queries.tolist(), found.counts.tolist(), strict=True):
        grades = [
            slow_grade(lists[query], lists[row], rule)
            for row in range(size)
            if gallery[row] and row != query and not any(g[row] == g[query] >= 0 for g in groups)
        ]
        assert counts == [grades.count(grade) for grade in found.grades.tolist()]
    np.testing.assert_array_equal(found.relevant, found.counts.sum(axis=1))
    assert found.empty.tolist() == [count == 0 for count in found.relevant.tolist()]


@given(
    labels=st.lists(st.integers(-1, 3), min_size=1, max_size=14), rule=st.sampled_from(RULES), seed=st.integers(0, 999)
)
@settings(max_examples=60, deadline=None)
def test_a_single_label_is_a_special_case_of_every_rule(labels, rule, seed) -> None:
    random = np.random.default_rng(seed)
    codes = np.array(labels, dtype=np.int32)
    single = Relevance.of_codes(Codes(("a", "b", "c", "d"), codes))
    graded = Relevance.of_lists([["abcd"[code]] if code >= 0 else [] for code in labels], rule)
    gallery, groups = random.random(len(labels)) < 0.8, [random.integers(-1, 3, len(labels)) for _ in range(2)]
    queries, hits = np.arange(len(labels)), random.integers(-1, len(labels), (len(labels), 5))
    counts = [available_to(queries, relevance=r, gallery=gallery, groups=groups) for r in (single, graded)]
    np.testing.assert_array_equal(counts[0].relevant, counts[1].relevant)
    both = [relevant_hits(hits, query_rows=queries, relevance=r) for r in (single, graded)]
    np.testing.assert_array_equal(both[0], both[1])
    grades = [hit_grades(hits, query_rows=queries, relevance=r) for r in (single, graded)]
    np.testing.assert_array_equal(grades[0], grades[1])
    np.testing.assert_array_equal(grades[0], both[0])
    rows = np.flatnonzero(codes >= 0)
    shown = [[r.labels[label] for label in r.label_lines(rows)[1]] for r in (single, graded)]
    assert shown[0] == shown[1] == ["abcd"[code] for code in codes[rows]]


def test_portions_change_nothing(monkeypatch) -> None:
    random = np.random.default_rng(1)
    lists = [[f"CT/lung/{name}" for name in "abcde" if random.random() < 0.5] for _ in range(300)]
    groups = [random.integers(-1, 60, 300), random.integers(-1, 90, 300)]
    options = {"relevance": Relevance.of_lists(lists, "jaccard"), "gallery": np.ones(300, dtype=bool)}
    whole = available_to(np.arange(300), groups=groups, **options)
    monkeypatch.setattr(relevance, "_PAIRS", 5)
    np.testing.assert_array_equal(available_to(np.arange(300), groups=groups, **options).counts, whole.counts)


def manifest_of(rows: list[tuple[str, str, list[str]]]) -> Manifest:
    table = {name: [""] * len(rows) for name in COLUMNS}
    for position, name in enumerate(("modality", "anatomy", "pathologies")):
        table[name] = [row[position] for row in rows]
    table["duplicate_group"] = [-1] * len(rows)
    table["pathologies"] = pa.array(table["pathologies"], pa.list_(pa.string()))
    return Manifest(pa.table(table), digest="0")


def test_a_manifest_s_findings() -> None:
    manifest = manifest_of(
        [
            ("XR", "chest", ["effusion", "edema"]),
            ("XR", "chest", ["edema", "effusion", "edema"]),
            ("XR", "chest", ["normal"]),
            ("CT", "chest", ["normal"]),
            ("XR", "", ["normal"]),
            ("", "chest", ["normal"]),
            ("XR", "chest", []),
        ]
    )
    shared = Relevance.of_manifest(manifest, "any-shared")
    shown = [[shared.labels[label] for label in shared.sets[kind]] if kind >= 0 else [] for kind in shared.kinds]
    assert shown == [
        ["XR/chest/edema", "XR/chest/effusion"],
        ["XR/chest/edema", "XR/chest/effusion"],
        ["XR/chest/normal"],
        ["CT/chest/normal"],
        [],
        [],
        [],
    ]
    assert shared.kinds[0] == shared.kinds[1]
    single = Relevance.of_manifest(manifest, "same-label")
    assert (single.kinds >= 0).tolist() == [False, False, True, True, False, False, False]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(EvaluationError, match=r"Expected a relevance rule of same-label.*but relevance = 'dice'"):
        check_rule("dice")
    one = Relevance.of_lists([["CT/lung/nodule"]], "jaccard")
    with pytest.raises(EvaluationError, match="relevance = 'dice'"):
        Relevance.of_lists([["CT/lung/nodule"]], "dice")
    with pytest.raises(ValueError, match=r"but len\(gallery\) = 2"):
        available_to(np.array([0]), relevance=one, gallery=np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match=r"but len\(groups\[0\]\) = 3"):
        available_to(np.array([0]), relevance=one, gallery=np.ones(1, dtype=bool), groups=[np.arange(3)])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_expected_kinds_are_the_shares_in_what_a_query_may_be_given(number) -> None:
    random = np.random.default_rng(number)
    kinds = random.integers(-1, 4, 60).astype(np.int32)
    same = Relevance.of_codes(Codes(tuple("abcd"), kinds))
    gallery = random.random(60) < 0.7
    groups = [random.integers(-1, 9, 60) for _ in range(number)]
    queries = np.flatnonzero(kinds >= 0)
    found = expected_kinds(queries, kinds[queries], relevance=same, gallery=gallery, groups=groups, n_labels=4)
    for label in range(4):
        shares = []
        for query in queries[kinds[queries] == label]:
            given_rows = [
                row
                for row in np.flatnonzero(gallery & (kinds >= 0))
                if row != query and not any(group[row] == group[query] >= 0 for group in groups)
            ]
            shares.append(np.bincount(kinds[given_rows], minlength=4) / max(len(given_rows), 1))
        np.testing.assert_allclose(found[label], np.mean(shares, axis=0), atol=1e-12)
