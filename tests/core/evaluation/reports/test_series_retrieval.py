"""P@k of whole series, against loops over every pair of slices."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import evaluation_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.series_retrieval import RANKINGS, SERIES_COLUMNS, SeriesRetrieval, labels_of
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from radcbir_core.search.retriever import Retriever
from radcbir_core.search.series.series_search import search_series
from tests.kept_embeddings import directions

PER = [(f"s{n}", f"p{n % 7}", ("mass", "cyst", "normal")[n % 3], 1 + n % 4) for n in range(20)]


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Series of one to four images, of patients with several."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("series")
    random = np.random.default_rng(3)
    patterns = {name: random.integers(0, 256, (12, 12)) for name in ("mass", "cyst", "normal")}
    lines = ["path,series_id,patient_id,pathology,modality,anatomy"]
    for series, patient, pathology, slices in PER:
        for place in range(slices):
            pixels = (patterns[pathology] * 0.4 + random.normal(90, 60, (12, 12))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{series}-{place}.png")
            lines.append(f"{series}-{place}.png,{series},{patient},{pathology},CT,chest")
    (folder / "manifest.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        build_collection(import_as(ImportRequest([folder], "scans")).collection, load_encoder("pixels"))
    return folder / "data"


@pytest.fixture
def store(scans, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(scans))
    return open_collection("scans").store("pixels")


def slow(store, ranking: str, k: int) -> dict[str, float]:
    """P@k of each series, one pair of images after the other."""
    vectors = directions(store)
    manifest = store.collection.manifest
    series, patients = manifest.column("series_id"), manifest.column("patient_id")
    label = {name: pathology for name, _, pathology, _ in PER}
    members = {name: [row for row, mine in enumerate(series) if mine == name] for name in label}
    found = {}
    for name, rows in members.items():
        others = [n for n in label if patients[members[n][0]] != patients[rows[0]]]
        others.sort(key=lambda n: members[n][0])

        def best(row: int, other: str) -> float:
            return max(float(vectors[row] @ vectors[one]) for one in members[other])

        def share(scored: dict[str, float], own: str = name) -> float:
            order = sorted(scored, key=lambda n: -scored[n])[:k]
            return sum(label[n] == label[own] for n in order) / k

        if not any(label[n] == label[name] for n in others):
            continue
        table = {n: [best(row, n) for row in rows] for n in others}
        if ranking == "middle slice":
            found[name] = share({n: values[len(rows) // 2] for n, values in table.items()})
        elif ranking == "any slice":
            found[name] = float(np.mean([share({n: v[q] for n, v in table.items()}) for q in range(len(rows))]))
        elif ranking == "mean-best":
            found[name] = share({n: float(np.mean(values)) for n, values in table.items()})
        else:
            found[name] = share({n: max(values) for n, values in table.items()})
    return found


@pytest.mark.parametrize("ranking", ["middle slice", "any slice", "mean-best", "best"])
def test_figures_are_those_of_every_pair(store, ranking) -> None:
    evaluation = SeriesRetrieval(protocol=Protocol(exclude=("patient",), ks=(1, 3)))
    result = evaluation.compute(store)
    assert list(result.table.columns) == list(SERIES_COLUMNS)
    lines = result.table[(result.table["ranking"] == ranking)].set_index(["averaging", "k"])
    for k in (1, 3):
        expected, first = slow(store, ranking, k), slow(store, "middle slice", k)
        line = lines.loc[("micro", k)]
        assert line["precision"] == pytest.approx(np.mean(list(expected.values())))
        assert line["difference"] == pytest.approx(np.mean([expected[n] - first[n] for n in expected]))
        assert line["low"] <= line["precision"] <= line["high"]
        assert line["n_queries"] == len(expected)
        label = {name: pathology for name, _, pathology, _ in PER}
        by_label = [np.mean([v for n, v in expected.items() if label[n] == own]) for own in set(label.values())]
        assert lines.loc[("macro", k)]["precision"] == pytest.approx(np.mean(by_label))


def test_search_and_evaluation_agree(store) -> None:
    """The first hit of every series by each rule is what P@1 counts."""
    table = SeriesRetrieval(protocol=Protocol(exclude=("patient",), ks=(1,))).compute(store).table
    retriever = Retriever(store.collection, "pixels")
    label = {name: pathology for name, _, pathology, _ in PER}
    series = store.collection.manifest.column("series_id")
    for rule in ("mean-best", "best", "rrf", "combsum"):
        right = []
        for name, _, pathology, _ in PER:
            answer = search_series(retriever, list(series).index(name), k=1, rule=rule, exclude=["patient"])
            right.append(label[answer.hits[0].series_id] == pathology)
        line = table[(table["ranking"] == rule) & (table["averaging"] == "micro")].iloc[0]
        assert line["precision"] == pytest.approx(np.mean(right)), rule


def test_a_sample_other_groups_and_what_is_said(store) -> None:
    result = evaluation_of("series", sample=5, ks=[1]).compute(store)
    assert result.facts["n_queries"] == 5
    assert "A random sample of 5 series asks" in " ".join(result.notes)
    assert list(result.summary()["who asks"].unique()) == list(RANKINGS.values())
    by_patient = evaluation_of("series", group="patient", exclude=[], ks=[1]).compute(store)
    assert by_patient.facts["n_series"] == 7
    assert "patient groups of" in by_patient.title


def test_what_a_series_shows() -> None:
    def codes(*values: str):
        names = sorted(set(values))
        return SimpleNamespace(values=tuple(names), codes=np.array([names.index(value) for value in values]))

    lists = pa.array([["normal"], ["mass", "cyst"], [], ["normal"], None])
    manifest = SimpleNamespace(
        codes=lambda name: codes(*["CT"] * 5) if name == "modality" else codes(*["chest"] * 5), arrow=lambda _: lists
    )
    labels, shown = labels_of(manifest, np.array([0, 0, 1, 2, -1], dtype=np.int32), 3)
    assert labels == ("CT/chest/cyst", "CT/chest/mass", "CT/chest/normal")
    assert shown == [(0, 1), (), (2,)]


def test_errors_say_what_was_expected() -> None:
    for choices, message in (
        ({"group": "hospital"}, "Expected a group of series, study, patient, but group = 'hospital'"),
        ({"sample": 0}, "at least one series, but sample = 0"),
        ({"protocol": "split"}, "Expected leave-one-out, but protocol = 'split'"),
        ({"protocol": "paper"}, "Expected leave-one-out, but protocol = 'paper'"),
    ):
        with pytest.raises(EvaluationError, match=message):
            evaluation_of("series", **choices)
