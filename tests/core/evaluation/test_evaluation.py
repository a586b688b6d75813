"""Every evaluation leads the same life: it is made from words, keeps, reads back, stops, and says what is missing."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import fields

import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.artifacts import NEAR_DUPLICATES, NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.errors import EvaluationError, StaleError, StorageError
from radcbir_core.evaluation import EVALUATIONS, Protocol, Result, evaluate, evaluation_of, evaluation_on
from radcbir_core.evaluation.evaluation import Evaluation
from radcbir_core.storage import disk_errors
from tests.planted_training import plant_training
from tests.second_encoder import add_encoder
from tests.stale import outdate

KINDS = sorted(EVALUATIONS)
OTHERS = {
    "precision": {"divisor": "available"},
    "ranking": {"rule": "jaccard"},
    "probes": {"level": "anatomy"},
    "index-size": {"level": "anatomy"},
    "approximation": {"sample": 7},
    "space": {"exclude": "none"},
    "comparison": {"empty": "zero"},
    "confusion": {"weight": "equal"},
    "failures": {"k": 5},
    "hubness": {"level": "anatomy"},
    "subgroups": {"column": "view"},
    "slices": {"among": "all"},
    "robustness": {"perturbations": ("flip",)},
    "calibration": {"depth": 3},
    "scale": {"exclude": ("duplicate",)},
    "series": {"group": "patient"},
}
"""Of each kind that has choices, one that makes another result."""


@pytest.fixture(autouse=True)
def few_patients(monkeypatch):
    """So few images are enough for chances here."""
    monkeypatch.setattr("radcbir_core.evaluation.reports.calibration.FEWEST_PATIENTS", 5)


@pytest.fixture(scope="module")
def two_encoders(small_data, tmp_path_factory):
    """A data folder with the collection ``small``, two encoders and no evaluation. Read-only."""
    data = tmp_path_factory.mktemp("two-encoders") / "data"
    shutil.copytree(small_data, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(data))
        add_encoder(open_collection("small"), noise=2.0)
        shutil.rmtree(open_collection("small").store("pixels").evaluation_folder, ignore_errors=True)
    return data


@pytest.fixture
def collection(two_encoders, tmp_path, monkeypatch):
    shutil.copytree(two_encoders, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


@pytest.fixture
def copied(small_data, tmp_path, monkeypatch):
    """What pixels made of the collection ``small``, in a folder of this test's own."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def chosen(kind: str, **choices) -> Evaluation:
    """An evaluation that the small collection allows."""
    return evaluation_of(kind, **{"versus": "second"} if kind == "neighborhoods" else {}, **choices)


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_it_is(kind) -> None:
    evaluation = EVALUATIONS[kind]
    assert evaluation.kind == kind
    assert evaluation.name
    assert evaluation.about.endswith(".")
    assert evaluation.recipe >= 1
    assert evaluation.table_words
    for item in fields(evaluation):
        assert not item.init or item.metadata["about"], "every choice says what it does"
    assert hash(chosen(kind)) == hash(chosen(kind)), "two with the same choices are one"


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_computes_is_kept_and_read_back(collection, kind, monkeypatch) -> None:
    evaluation, store = chosen(kind), collection.store("pixels")
    assert evaluation.kept(store) is None
    told: list[tuple[str, int, int]] = []
    result = evaluation.run(store, progress=lambda *step: told.append(step))
    assert told
    assert told[-1][1] <= told[-1][2]
    assert list(result.tables) == list(evaluation.table_words), "each table is announced, the main one first"
    assert result.table is next(iter(result.tables.values()))
    monkeypatch.setattr(type(evaluation), "compute", None)  # it must not be called again
    for again in (evaluation.kept(store), evaluation.run(store), chosen(kind).kept(collection.store("pixels"))):
        assert again.title == result.title
        assert again.notes == result.notes
        assert again.facts == result.facts
        for name, table in result.tables.items():
            pd.testing.assert_frame_equal(again.tables[name], table, check_dtype=False)
    record = json.loads((evaluation.folder(store) / "result.json").read_text())
    assert (record["kind"], record["recipe"]) == (kind, evaluation.recipe)


@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_other_choices_are_another_result(collection, kind) -> None:
    store = collection.store("pixels")
    chosen(kind).run(store)
    other = chosen(kind, **OTHERS[kind])
    assert other != chosen(kind)
    assert other.kept(store) is None


def test_what_cannot_be_kept_is_given_with_a_note_and_no_path(collection, monkeypatch) -> None:
    evaluation, store = chosen("precision"), collection.store("pixels")
    expected = evaluation.compute(store)

    def refused(folder, *_kept, **_described):
        with disk_errors(folder):
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("radcbir_core.evaluation.evaluation.write_result", refused)
    result = evaluation.run(store)
    pd.testing.assert_frame_equal(result.table, expected.table)
    assert result.notes[:-1] == expected.notes
    assert result.notes[-1] == (
        f"These figures could not be kept in {collection.name}, and are computed anew when they are asked for again. "
        "Expected permission to read and write here, but it was refused. Change the permissions, or use another folder."
    )
    assert evaluation.kept(store) is None
    with pytest.raises(StorageError, match="it was refused"):
        evaluation.run(store, surely_kept=True)


def test_what_is_to_be_kept_surely_is_not_computed_in_vain(collection, monkeypatch) -> None:
    evaluation = chosen("precision")
    monkeypatch.setattr(type(evaluation), "compute", None)
    monkeypatch.setattr(os, "access", lambda path, _mode: "pixels" not in str(path))
    with pytest.raises(StorageError, match="Expected permission to read and write here, but it was refused"):
        evaluation.run(collection.store("pixels"), surely_kept=True)


@pytest.mark.parametrize("kind", KINDS)
def test_another_recipe_or_other_labels_void_what_was_kept(collection, kind, monkeypatch) -> None:
    store, evaluation = collection.store("pixels"), chosen(kind)
    before = evaluation.folder(store)
    monkeypatch.setattr(type(evaluation), "recipe", evaluation.recipe + 1)
    assert evaluation.folder(store) != before
    monkeypatch.undo()
    monkeypatch.setattr(type(store), "evaluated", property(lambda self: f"{self.encoder_id} with other labels"))
    assert evaluation.folder(store) != before


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_stopped_and_keeps_nothing_then(collection, kind) -> None:
    evaluation, store = chosen(kind), collection.store("pixels")

    def stop(step: str, done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluation.run(store, progress=stop)
    assert evaluation.kept(store) is None
    assert not store.evaluation_folder.exists() or not list(store.evaluation_folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_on_disk_is_computed_again(collection, kind) -> None:
    evaluation, store = chosen(kind), collection.store("pixels")
    first = evaluation.run(store)
    for damaged in ("result.json", f"{next(iter(evaluation.table_words))}.parquet"):
        (evaluation.folder(store) / damaged).write_bytes(b"damaged")
        assert evaluation.kept(store) is None
        pd.testing.assert_frame_equal(evaluation.run(store).table, first.table)


@pytest.mark.parametrize("kind", KINDS)
def test_it_refuses_with_what_is_missing(collection, kind, monkeypatch) -> None:
    evaluation, store = chosen(kind), collection.store("pixels")
    assert evaluation.needs
    if "neighbors" in evaluation.needs:
        ids = store.layout.files(NEIGHBORS)[0]
        ids.rename(store.folder / "hidden.npy")
        with pytest.raises(StaleError, match="Expected a neighbor graph of the embeddings that are there now"):
            evaluation.run(collection.store("pixels"))
        (store.folder / "hidden.npy").rename(ids)
    if "near-duplicates" in evaluation.needs:
        groups = store.layout.files(NEAR_DUPLICATES)[0]
        groups.rename(store.folder / "hidden.npy")
        with pytest.raises(StaleError, match="Expected the near-duplicates of the images that small has now"):
            evaluation.run(collection.store("pixels"))
        (store.folder / "hidden.npy").rename(groups)
    if "split" in evaluation.needs:
        with monkeypatch.context() as patch:
            split = collection.manifest.codes("split")
            without = type(split)(values=(), codes=split.codes * 0 - 1)
            patch.setitem(store.collection.manifest._codes, "split", without)
            with pytest.raises(
                EvaluationError, match=r"images of split train and of split test, but small has no split"
            ):
                evaluation.run(store)
    if "labels" in evaluation.needs:
        with monkeypatch.context() as patch:
            without_labels(patch)
            with pytest.raises(EvaluationError, match=r"Expected .*(label|modality|pathology).*, but small has"):
                evaluation.run(store)
    outdate(store)
    with pytest.raises(StaleError, match=r"Expected (embeddings of the images|a neighbor graph|the near-dup)"):
        evaluation.run(collection.store("pixels"))


def without_labels(patch: pytest.MonkeyPatch) -> None:
    """No image has a label at any level."""
    labels, codes = Manifest.labels, Manifest.codes

    def none(found):
        return type(found)(values=found.values, codes=found.codes * 0 - 1)

    patch.setattr(Manifest, "labels", lambda self, level: none(labels(self, level)))
    patch.setattr(
        Manifest, "codes", lambda self, name: none(codes(self, name)) if name == "anatomy" else codes(self, name)
    )


BESIDE_SEEN = {"neighborhoods", "near-duplicates"}
"""Nobody asks in these: they say what two graphs share, and which files show one picture."""
WITHOUT_A_FIGURE = {*BESIDE_SEEN, "approximation", "calibration", "scale"}
"""The first of these says how far two searches part; whether a query was seen has no part in that. What the others
begin with is no mean over queries."""


def micro(name: str, k: str = "k", **at) -> Callable[[Result], float]:
    """Takes the micro mean at the largest k, or the line that ``at`` names, from the first table."""

    def taken(result: Result) -> float:
        table = result.table
        for column, value in {**({"averaging": "micro"} if "averaging" in table else {}), **at}.items():
            table = table[table[column] == value]
        return float(table[table[k] == 10][name].iloc[-1] if k else table[name].iloc[-1])

    return taken


HEADLINES = {
    "precision": micro("precision", level="label"),
    "paper": micro("precision"),
    "factors": micro("share", factor="pathology", modality=""),
    "leakage": micro("precision", step="patient"),
    "subgroups": micro("precision", value=""),
    "ranking": micro("value", metric="nDCG"),
    "probes": micro("accuracy", k="", method="linear"),
    "index-size": micro("mean", fraction=1.0),
    "space": None,
    "confusion": None,
    "failures": micro("share", k="", kind="confident"),
    "hubness": micro("cosine"),
    "slices": lambda result: result.facts["precision"],
    "robustness": micro("precision", perturbation="unchanged"),
    "comparison": micro("difference", level="label"),
    "series": micro("precision", ranking="mean-best"),
}
"""Of each kind the figure that it begins with, as its own table has it; None where no table has it."""


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_seen_is_counted_and_the_figure_by_the_other_rule_stands_beside(copied, kind, monkeypatch) -> None:
    if kind in BESIDE_SEEN:
        return
    plant_training(monkeypatch, copied.collection, range(0, 61, 3))
    fast = {"robustness": {"perturbations": ("flip",)}, "index-size": {"fractions": (0.5, 1.0)}}.get(kind, {})
    result = chosen(kind, **fast).compute(copied)
    assert result.table["n_seen"].max() > 0, "a table says how many queries were seen"
    assert [name for name in result.summary() if name.startswith("seen in training")], "and so does the summary"
    if kind in WITHOUT_A_FIGURE:
        assert result.by_seen is None
        return
    both = result.by_seen
    assert 0 < both.skip.n_queries < both.count.n_queries
    assert kind == "precision" or both.rule != "skip" or result.notes[0] == both.said
    assert json.loads(json.dumps(both.facts())) == both.facts(), "it can be kept"
    fixed = kind in {"paper", "space"}  # which have no such choice
    other = None if fixed else chosen(kind, seen="count", **fast).compute(copied)
    for one, figure in ((result, both.count if both.rule == "count" else both.skip), (other, both.count)):
        if one is not None and HEADLINES[kind] is not None:
            assert figure.value == pytest.approx(HEADLINES[kind](one)), "it is what the other rule would give"
    if other is not None:
        assert (other.by_seen.skip, other.by_seen.count) == (both.skip, both.count), "whichever was asked for"
        assert (result.otherwise, other.otherwise) == (both.count, both.skip)


def test_nothing_is_said_of_it_where_nothing_was_seen(copied) -> None:
    for kind in HEADLINES:
        if kind not in {"robustness", "slices", "index-size", "probes"}:
            assert chosen(kind).compute(copied).otherwise is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_choice_is_refused(kind) -> None:
    with pytest.raises(EvaluationError, match=f"Expected choices of the evaluation {kind}, but color = 'red'"):
        EVALUATIONS[kind].of(color="red")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"Expected an evaluation of precision, .*but kind = 'beauty'"):
        evaluation_of("beauty")


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_shows_itself_in_a_notebook(collection, kind) -> None:
    result = chosen(kind).run(collection.store("pixels"))
    shown = result._repr_html_()
    assert "<table" in shown
    assert "small" in result.title
    summary = result.summary()
    assert len(summary) > 0
    assert all(f"<th>{column}</th>" in shown for column in summary.columns)


@pytest.mark.parametrize("kind", ["precision", "ranking", "index-size", "comparison"])
@pytest.mark.parametrize(("empty", "said"), [("skip", "left out"), ("zero", "counted as 0")])
def test_titles_say_the_rule_and_for_how_many_queries(collection, kind, empty, said) -> None:
    result = chosen(kind, empty=empty).run(collection.store("pixels"))
    assert re.search(rf"queries without a relevant image {said}: \d+ of \d+", result.title)


def test_an_evaluation_of_a_collection_by_name_of_its_kind(collection) -> None:
    found = evaluate(collection, "pixels", "precision", protocol="split", exclude=["patient"], ks=[1])
    assert found.evaluation.protocol == Protocol.of("split", exclude=("patient",), ks=(1,))
    store = collection.store("pixels")
    assert evaluate(collection, "pixels").table.equals(evaluation_on(store, "precision").run(store).table)


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_a_command_with_its_tables(collection, tmp_path, capsys, kind) -> None:
    store = collection.store("pixels")
    evaluation = chosen(kind).suited(store)
    result = evaluation.run(store)
    files = {name: tmp_path / f"{name}.csv" for name in evaluation.table_words}
    flags = ["--output", *(f"--{name}" for name in list(files)[1:])]
    options = [word for flag, path in zip(flags, files.values(), strict=True) for word in (flag, str(path))]
    versus = ["--versus", "second"] if kind == "neighborhoods" else []
    name = "evaluate" if kind == "precision" else f"evaluate-{kind}"
    assert main([name, "small", "--encoder", "pixels", *versus, *options]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert result.title in printed
    assert all(" ".join(note.split()) in printed for note in result.notes)
    for table, path in files.items():
        written = pd.read_csv(path)
        assert len(written) == len(result.tables[table])
        assert "row" not in written, "images go by their image_id"
