"""The protocols against a pure-Python evaluator that looks at every pair."""

from __future__ import annotations

import itertools
import math
import shutil
from collections import defaultdict
from collections.abc import Container
from pathlib import Path

import pandas as pd
import pytest

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EvaluationError, QueryError, StaleError
from radcbir_core.evaluation import Protocol, keeping
from radcbir_core.evaluation.reports.precision import MEANS_COLUMNS, Precision, of_level, rule_said
from radcbir_core.evaluation.reports.ranking import Ranking
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection
from tests.kept_embeddings import directions
from tests.planted_training import plant_training


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def oracle(store, protocol: Protocol, unseen: Container[int] = range(1000)) -> dict[tuple[str, str, int, str], float]:
    """(level, label, k, averaging) → P@k, one query at a time, by plain Python."""
    frame = store.collection.manifest.frame
    vectors = directions(store)
    groups = {"patient": frame["patient_id"], "duplicate": frame["duplicate_group"].map(lambda g: "" if g < 0 else g)}
    result = {}
    for level in ("modality", "anatomy", "label"):
        labels = [
            (f"{m}/{a}/{p[0]}" if len(p) == 1 and m and a else "")
            if level == "label"
            else {"modality": m, "anatomy": a}[level]
            for m, a, p in zip(frame["modality"], frame["anatomy"], frame["pathologies"], strict=True)
        ]
        per_label = defaultdict(list)
        for query, label in enumerate(labels):
            if not label or query not in unseen or (protocol.name == "split" and frame["split"][query] != "test"):
                continue
            pairs = []
            for row, other in enumerate(labels):
                excluded = any(groups[g][row] == groups[g][query] != "" for g in protocol.exclude)
                in_gallery = other and (protocol.name != "split" or frame["split"][row] == "train")
                if row != query and in_gallery and not excluded:
                    pairs.append((-float(vectors[row] @ vectors[query]), row))
            relevant = [labels[row] == label for _, row in sorted(pairs)]
            values = []
            for k in protocol.ks:
                n = k if protocol.divisor == "k" else min(k, sum(relevant))
                nothing = math.nan if protocol.empty == "skip" else 0.0
                values.append(sum(relevant[:n]) / n if sum(relevant) else nothing)
            per_label[label].append(values)
        for i, k in enumerate(protocol.ks):
            known = {lab: [v[i] for v in vs if not math.isnan(v[i])] for lab, vs in per_label.items()}
            means = {lab: sum(vs) / len(vs) if vs else math.nan for lab, vs in known.items()}
            everything = [v for vs in known.values() for v in vs]
            result |= {(level, lab, k, "label"): mean for lab, mean in means.items()}
            result[level, "", k, "micro"] = sum(everything) / len(everything)
            finite = [mean for mean in means.values() if not math.isnan(mean)]
            result[level, "", k, "macro"] = sum(finite) / len(finite)
    return result


@pytest.mark.parametrize(
    ("name", "exclude", "divisor", "empty"),
    [
        *itertools.product(
            ["leave-one-out", "split"],
            [(), ("patient",), ("patient", "duplicate")],
            ["k", "available"],
            ["skip", "zero"],
        ),
    ],
)
def test_every_figure_agrees_with_the_oracle(store, name, exclude, divisor, empty) -> None:
    protocol = Protocol.of(name, exclude=exclude, divisor=divisor, empty=empty)
    table = Precision(protocol).run(store).table
    assert tuple(table.columns) == MEANS_COLUMNS
    expected = oracle(store, protocol)
    found = {(r["level"], r["label"], r["k"], r["averaging"]): r["precision"] for r in table.to_dict("records")}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key
    bounded = table[table["low"].notna()]
    assert len(bounded) > 0
    assert ((bounded["low"] <= bounded["precision"]) & (bounded["precision"] <= bounded["high"])).all()


@pytest.mark.parametrize("name", ["leave-one-out", "split"])
@pytest.mark.parametrize("rule", ["skip", "count"])
def test_queries_that_were_seen_in_training_are_left_out_or_count(store, monkeypatch, name, rule) -> None:
    labels = store.collection.manifest.labels("label").text(range(len(store.collection)))
    normal = [row for row, label in enumerate(labels) if label == "MR/brain/normal"]
    seen = {*range(0, 61, 3), *normal}
    plant_training(monkeypatch, store.collection, seen)
    copies = store.collection.manifest.groups("duplicate")
    seen |= {row for row in range(61) if any(copies[row] == copies[other] >= 0 for other in seen)}
    protocol = Protocol.of(name, seen=rule)
    result = Precision(protocol).run(store)
    figures = {"with_seen": oracle(store, protocol), "without_seen": oracle(store, protocol, set(range(61)) - seen)}
    asked = figures["with_seen" if rule == "count" else "without_seen"]
    split = store.collection.manifest.column("split")
    for row in result.table.to_dict("records"):
        key = (row["level"], row["label"], row["k"], row["averaging"])
        assert row["precision"] == pytest.approx(asked.get(key, math.nan), abs=1e-12, nan_ok=True), key
        for column, expected in figures.items():
            assert row[column] == pytest.approx(expected.get(key, math.nan), abs=1e-12, nan_ok=True), (key, column)
        of_level = store.collection.manifest.labels(row["level"]).text(range(61))
        mine = [r for r in seen if of_level[r] and (name != "split" or split[r] == "test")]
        assert row["n_seen"] == sum(row["averaging"] != "label" or of_level[r] == row["label"] for r in mine)
    assert {row[1] for row in figures["with_seen"]} == set(result.table["label"])  # whose queries were all seen, too
    asking = set(result.tables["queries"]["row"])
    assert bool(asking & seen) == (rule == "count")
    apart = result.table[result.table["label"] == "MR/brain/normal"]
    assert (apart["n_queries"] == 0).all() == apart["precision"].isna().all() == (rule == "skip")
    assert result.notes[0].startswith(f"pixels has seen {len(seen)} of the 61 images in training")
    assert f"seen in training, {'left out' if rule == 'skip' else 'counted'}" in result.summary()


def test_hits_are_written_of_those_alone_that_ask(store, monkeypatch) -> None:
    plant_training(monkeypatch, store.collection, range(0, 61, 2))
    taken = {}
    result = Precision().run(store, take_hits=lambda level, view, hits: taken.update({level: (view, hits)}))
    view, hits = taken["label"]
    assert len(hits.rows) == len(view.queries) == len(of_level(result.tables["queries"], "label"))
    assert hits.rows.tolist() == view.hits().rows.tolist()


def test_an_encoder_that_has_seen_everything_has_no_figure_but_that_of_all(store, monkeypatch) -> None:
    whole = Precision().compute(store).table
    plant_training(monkeypatch, store.collection, range(61))
    table = Precision().run(store).table
    assert table["precision"].isna().all()
    assert not table["n_queries"].any()
    assert table["with_seen"].tolist() == pytest.approx(whole["precision"].tolist(), nan_ok=True)
    with pytest.raises(
        EvaluationError, match=r"Expected queries that pixels has not seen in training, but it has seen"
    ):
        Ranking().check(store)
    assert len(Ranking(Protocol.of(seen="count")).run(store).table)


@pytest.mark.parametrize("exclude", [(), ("patient", "duplicate")])
def test_the_baselines_are_what_random_images_give(store, exclude) -> None:
    """Every image that a query may be given is as likely: the share of them that is relevant."""
    frame = store.collection.manifest.frame
    labels = store.collection.manifest.labels("label").text(range(len(frame)))
    places = [f"{m}/{a}" for m, a in zip(frame["modality"], frame["anatomy"], strict=True)]
    groups = {"patient": frame["patient_id"], "duplicate": frame["duplicate_group"].map(lambda g: "" if g < 0 else g)}
    shares = defaultdict(lambda: defaultdict(list))
    for query, label in enumerate(labels):
        if not label:
            continue
        given = [
            row
            for row, other in enumerate(labels)
            if row != query and other and not any(groups[g][row] == groups[g][query] != "" for g in exclude)
        ]
        alike = [row for row in given if places[row] == places[query]]
        for name, images in (("chance", given), ("same_anatomy", alike)):
            relevant = sum(labels[row] == label for row in images)
            if relevant:
                drawn = min(3, len(images))
                shares[name][label].append(relevant / len(images) * drawn / 3)
    table = Precision(Protocol.of(exclude=exclude, ks=(3,))).run(store).table
    rows = table[table["level"] == "label"].set_index("label")
    for name in ("chance", "same_anatomy"):
        means = {label: sum(own) / len(own) for label, own in shares[name].items()}
        for label, mean in means.items():
            assert rows.loc[label, name] == pytest.approx(mean), (name, label)
        everything = [share for own in shares[name].values() for share in own]
        averages = rows.loc[[""]].set_index("averaging")[name]
        assert averages["micro"] == pytest.approx(sum(everything) / len(everything))
        assert averages["macro"] == pytest.approx(sum(means.values()) / len(means))
    assert table.loc[table["level"] != "label", "same_anatomy"].isna().all(), "there, that is the very question"
    assert table.loc[table["level"] != "label", "chance"].notna().all()


def test_the_queries_of_a_level_add_up_to_its_mean(store) -> None:
    result = Precision().run(store)
    for level in ("modality", "anatomy", "label"):
        queries = of_level(result.tables["queries"], level)
        micro = result.table[(result.table["level"] == level) & (result.table["averaging"] == "micro")]
        for row in micro.to_dict("records"):
            assert queries[f"p@{row['k']}"].mean() == pytest.approx(row["precision"])
            assert len(queries) == row["n_queries"] + row["n_empty"]
            assert queries[f"p@{row['k']}"].isna().sum() == row["n_empty"]
        manifest = store.collection.manifest
        assert queries["label"].tolist() == manifest.labels(level).text(queries["row"])


def test_results_are_cached_and_made_again_when_the_embeddings_change(store) -> None:
    default = Precision().suited(store)
    first = default.kept(store)
    assert first is not None, "the build has left the default protocol's"
    folders = set(store.evaluation_folder.iterdir())
    told: list[str] = []
    again = default.run(store, progress=lambda step, done, total: told.append(step))
    assert told == []
    assert again.table.equals(first.table)
    assert again.notes == first.notes
    (default.folder(store) / "means.parquet").write_bytes(b"damaged")
    assert default.run(store).table.equals(first.table)
    other = Precision(Protocol.of(divisor="available"))
    other.run(store)
    assert set(store.evaluation_folder.iterdir()) == folders | {other.folder(store)}


def test_two_that_compute_the_same_at_once_both_succeed(store, monkeypatch) -> None:
    """The other finishes between our putting aside of what was there and our renaming; no names can be exchanged."""
    protocol = Protocol.of(divisor="available")
    Precision(protocol).run(store)
    (Precision(protocol).folder(store) / "result.json").write_text("{}")
    monkeypatch.setattr(keeping, "exchange", lambda *_: False)
    real = Path.rename
    overtaken: list[Path] = []

    def rename(path, target):
        result = real(path, target)
        if not overtaken and path == Precision(protocol).folder(store):
            overtaken.append(path)
            Precision(protocol).run(store)
        return result

    monkeypatch.setattr(Path, "rename", rename)
    mine = Precision(protocol).run(store)
    assert overtaken
    assert Precision(protocol).run(store).table.equals(mine.table)
    assert not [folder for folder in store.evaluation_folder.iterdir() if folder.name.startswith(".")]


def test_notes_say_what_one_has_to_know(store) -> None:
    said = "images have no patient_id: each counts as a patient of its own"
    for exclude in (("patient",), ()):
        notes = [note for note in Precision(Protocol.of(exclude=exclude)).run(store).notes if said in note]
        assert [("could not be excluded" in note) for note in notes] == [bool(exclude)]
    split = Precision(Protocol.of("split")).run(store)
    frame = store.collection.manifest.frame
    train, test = (set(frame["patient_id"][frame["split"] == s]) - {""} for s in ("train", "test"))
    expected = [f"Patients that are both in train and in test: {len(train & test)}."] if train & test else []
    assert [n for n in split.notes if "patient-disjoint" in n] == [
        n for n in split.notes if expected and expected[0] in n
    ]


def test_queries_that_no_encoder_could_answer_are_counted(store, tmp_path, small_source) -> None:
    folder = tmp_path / "three"
    folder.mkdir()
    for name in ("chest_00.png", "chest_01.png", "brain_03.png"):
        shutil.copy(small_source / name, folder / name)
    (folder / "manifest.csv").write_text(
        "path,modality,anatomy,pathology\nchest_00.png,XR,chest,a\nchest_01.png,XR,chest,a\nbrain_03.png,MR,brain,b\n"
    )
    collection = import_collection([folder], name="three").collection
    build_collection(collection, load_encoder("pixels"))
    store = collection.store("pixels")
    for empty, values, asked, said in (
        ("skip", [1, 1 / 3, 1 / 5, 1 / 10], 2, "left out: 1 of 3"),
        ("zero", [2 / 3, 2 / 9, 2 / 15, 2 / 30], 3, "counted as 0: 1 of 3"),
    ):
        protocol = Protocol.of(empty=empty)
        found = Precision(protocol).run(store)
        table = found.table[found.table["level"] == "label"]
        micro = table[table["averaging"] == "micro"]
        assert micro["precision"].tolist() == pytest.approx(values)
        assert micro["n_queries"].tolist() == [asked] * 4
        assert micro["n_empty"].tolist() == [1] * 4
        assert rule_said(table[table["k"] == 1], protocol) == f"queries without a relevant image {said}"
        assert f"queries without a relevant image {said}" in found.title, "the title says the rule and the number"


def test_protocols_that_cannot_be(store) -> None:
    with pytest.raises(
        EvaluationError, match="Expected a protocol of leave-one-out, split, paper, but protocol = 'loo'"
    ):
        Protocol.of("loo")
    with pytest.raises(EvaluationError, match="divisor = 'n'"):
        Protocol.of(divisor="n")
    with pytest.raises(EvaluationError, match="empty = 'drop'"):
        Protocol.of(empty="drop")
    with pytest.raises(EvaluationError, match=r"ks = \(0,\)"):
        Protocol.of(ks=[0])
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        Protocol.of(exclude=["hospital"])
    store.layout.files(NEIGHBORS)[0].unlink()
    with pytest.raises(StaleError, match="Expected a neighbor graph"):
        Precision(Protocol.of(ks=[2])).run(store)


def test_a_collection_without_splits_says_so(store, tmp_path, small_source) -> None:
    for number, name in enumerate(("chest_00.png", "chest_01.png", "brain_03.png")):
        (tmp_path / "plain").mkdir(exist_ok=True)
        shutil.copy(small_source / name, tmp_path / "plain" / f"{number}.png")
    collection = import_collection([tmp_path / "plain"], name="plain").collection
    build_collection(collection, load_encoder("pixels"))
    with pytest.raises(EvaluationError, match="images of split train and of split test, but plain has no split at all"):
        Precision(Protocol.of("split")).run(collection.store("pixels"))
    table = Precision().run(collection.store("pixels")).table
    assert (table["n_queries"] == 0).all(), "nothing is labeled"


def test_the_reference_figures_on_the_real_images(real_images, tmp_path, monkeypatch) -> None:
    """Computed apart from this code: pixels, leave-one-out, the patient excluded where known."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    sources = [path for path in sorted(real_images.iterdir()) if path.is_dir() and path.name != "dicom_samples"]
    collection = import_collection(sources, name="real").collection
    build_collection(collection, load_encoder("pixels"))
    table = Precision().run(collection.store("pixels")).table
    at_1 = table[table["k"] == 1].set_index(["level", "averaging"])
    assert at_1.loc[("modality", "micro"), "precision"] == pytest.approx(0.975, abs=0.01)
    assert at_1.loc[("anatomy", "micro"), "precision"] == pytest.approx(0.959, abs=0.01)
    assert at_1.loc[("label", "micro"), "precision"] == pytest.approx(0.532, abs=0.01)
    # Of 26 labels one has a single image, which has nothing to find: 0.303 where it counts 0.
    assert at_1.loc[("label", "macro"), "precision"] == pytest.approx(0.315, abs=0.01)
    assert at_1.loc[("label", "micro"), "n_queries"] == 2025
    assert at_1.loc[("label", "micro"), "n_empty"] == 1
    assert len(at_1.loc[("label", "label")]) == 26
    zero = Precision(Protocol.of(empty="zero")).run(collection.store("pixels")).table
    zero = zero[zero["k"] == 1].set_index(["level", "averaging"])
    assert zero.loc[("label", "macro"), "precision"] == pytest.approx(0.303, abs=0.01)
    assert zero.loc[("label", "micro"), "n_queries"] == 2026
    # Both views answer the same question with the same numbers.
    ranked = Ranking(Protocol(), "same-label").run(collection.store("pixels")).table
    ranked = ranked[ranked["metric"] == "P"].rename(columns={"value": "precision"})
    ours = table[table["level"] == "label"]
    columns = ["label", "k", "precision", "n_queries", "n_empty", "averaging", "low", "high"]
    together = [one[columns].astype({"k": int}).sort_values(["averaging", "label", "k"]) for one in (ours, ranked)]
    pd.testing.assert_frame_equal(*(one.reset_index(drop=True) for one in together), check_dtype=False, atol=1e-12)
