"""The views of the Pathology page against the evaluations that they show, and the way to these."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pages.parts.evaluation import runs
from pages.parts.jobs import stages
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import manifest_facts, write_record
from radcbir_core.evaluation import PAPER, Protocol
from radcbir_core.evaluation.reports.factors import Factors
from radcbir_core.evaluation.reports.index_size import IndexSize
from radcbir_core.evaluation.reports.leakage import Leakage, known_exclusions, step_name
from radcbir_core.evaluation.reports.paper import PUBLISHED, Paper
from radcbir_core.evaluation.reports.probes import Probes, label_scores
from radcbir_core.evaluation.reports.ranking import Ranking
from radcbir_core.evaluation.reports.space import Space, label_silhouettes
from radcbir_core.jobs import Status
from tests.pages.conftest import wait
from tests.pages.reading import cards, complaints, html, words


@pytest.fixture
def store(copied_data):
    return open_collection("small").store("pixels")


@pytest.fixture
def slow(in_threads, monkeypatch):
    """Every evaluation waits for a click; jobs of one test do not outlive it."""
    monkeypatch.setattr(runs, "QUICK_IMAGES", 1)
    yield
    wait()


def tiles(at):
    """Title → value, and the lines below it."""
    pattern = r"<div><span>(.*?)</span><b>(.*?)</b><small>(.*?)</small></div>"
    return {title: (value, lines) for title, value, lines in re.findall(pattern, html(at))}


def notes(at):
    return re.findall(r"<li>(.*?)</li>", html(at))


def figures(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def table_with(at, *columns):
    return next(frame.value for frame in at.dataframe if set(columns) <= set(frame.value.columns))


def choose(at, label, value):
    return next(box for box in at.segmented_control if box.label == label).set_value(value).run()


def downloads(at):
    return [element.proto.label for element in at.get("download_button")]


# --- the paper's protocol ---------------------------------------------------------------------------------------------


def test_the_paper_s_protocol_shows_its_figures_beside_the_published(app, store) -> None:
    at = app("pathology", protocol="paper", k="5")
    assert not complaints(at)
    found = Paper().run(store).table
    means = found[(found["k"] == 5)].set_index("averaging")
    shown = tiles(at)
    for averaging in ("micro", "macro"):
        row = means.loc[averaging]
        value, lines = shown[f"{averaging.capitalize()} P@5"]
        assert value == f"{row['precision']:.3f}"
        assert f"± {row['std']:.3f}, standard deviation" in lines
        assert f"95 % interval {row['low']:.3f} to {row['high']:.3f}" in lines
    by_n = table_with(at, "micro_std", "published")
    assert by_n["n"].tolist() == list(PAPER.ks)
    for averaging in ("micro", "macro"):
        expected = found[found["averaging"] == averaging].sort_values("k")
        np.testing.assert_array_equal(by_n[averaging], expected["precision"])
        np.testing.assert_array_equal(by_n[f"{averaging}_std"], expected["std"])
    published = by_n.dropna(subset="published").set_index("n")["published"].to_dict()
    assert published == PUBLISHED == {1: 0.594, 3: 0.590, 5: 0.588, 10: 0.583}
    curve = figures(at)[0]["data"]
    assert [line["name"] for line in curve][2] == "published: BiomedCLIP, other data"
    assert "on their 1.6 million images" in words(at)
    assert any("whether their patients are both in train and in test cannot be known" in note for note in notes(at))
    assert "CSV of P@N" in downloads(at)
    labels = table_with(at, "label", "precision", "std")
    rows = found[(found["averaging"] == "label") & (found["k"] == 5)].set_index("label")
    assert labels.set_index("label")["std"].to_dict() == pytest.approx(rows["std"].to_dict(), nan_ok=True)
    # It has no other choices.
    assert {box.label for box in at.segmented_control} == {"View", "k", "Protocol"}
    assert not at.pills


def test_at_a_large_n_there_is_an_interval_and_a_label_opens(app, store) -> None:
    label = "XR/chest/normal"
    at = app("pathology", protocol="paper", k="50", label=label)
    assert not complaints(at)
    assert "95 % interval" in tiles(at)["Micro P@50"][1]
    split = store.collection.manifest.column("split")
    shown = cards(at)
    queries = [card["row"] for card in shown if "rank" not in card]
    hits = [card["row"] for card in shown if "rank" in card]
    assert queries
    assert all(split[row] == "test" for row in queries)
    assert all(split[row] == "train" for row in hits)
    assert max(card.get("rank", 0) for card in shown) <= 20
    choose(at, "Protocol", "split")
    assert not complaints(at)
    assert "k" not in at.query_params
    assert "Micro P@10" in tiles(at)


def test_compare_has_the_paper_s_protocol_too(app, copied_data) -> None:
    at = app("compare", protocol="paper", versus="chance")
    assert not complaints(at)
    assert "the paper&#x27;s: train against test" in html(at).replace("The", "the")
    means = table_with(at, "says")
    assert means["k"].tolist() == [1, 1, 3, 3, 5, 5, 10, 10]
    assert set(means["level"]) == {"Full label"}


def without_split(folder):
    from tests.pages.test_pathology import change_manifest, without

    change_manifest(folder, lambda table: without(table, "split"))


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ({"protocol": "paper"}, "The paper's protocol"),
        ({"view": "probes"}, "This view"),
        ({"view": "ranking", "protocol": "split"}, "The split protocol"),
        ({"view": "index-size", "protocol": "split"}, "The split protocol"),
    ],
)
def test_without_a_split_it_says_what_is_missing(app, copied_data, query, who) -> None:
    without_split(copied_data)
    at = app("pathology", **query)
    assert not complaints(at)
    needs = f"{who} needs images of split train and of split test, but this collection has no split at all."
    assert needs in words(at)
    assert any("relabel " in code.value for code in at.code)
    assert not at.dataframe


# --- ranking metrics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "k", "rule", "shown"),
    [
        ("nDCG", 10, "jaccard", "nDCG@10"),
        ("recall", 3, "all-shared", "Recall@3"),
        ("R-precision", 5, "any-shared", "R-precision"),
    ],
)
def test_ranking_metrics_are_those_of_the_core(app, store, metric, k, rule, shown) -> None:
    at = app("pathology", view="ranking", metric=metric, k=str(k), rule=rule)
    assert not complaints(at)
    found = Ranking(rule=rule, r_precision=metric == "R-precision").suited(store).run(store)
    rows = found.table[found.table["metric"] == metric]
    rows = rows if metric == "R-precision" else rows[rows["k"] == k]
    for averaging in ("micro", "macro"):
        row = rows[rows["averaging"] == averaging].iloc[0]
        value, lines = tiles(at)[f"{averaging.capitalize()} {shown}"]
        assert value == f"{row['value']:.3f}"
        assert f"95 % interval {row['low']:.3f} to {row['high']:.3f}" in lines
        if averaging == "micro":
            assert f"mean over {row['n_queries']} queries" in lines
    labels = table_with(at, "label", "value").set_index("label")
    expected = rows[rows["averaging"] == "label"].set_index("label").loc[labels.index]
    pd.testing.assert_frame_equal(labels, expected[["value", "low", "high", "n_queries"]], check_dtype=False)
    assert labels["value"].is_monotonic_increasing
    assert all(note in notes(at) for note in found.notes)
    every = table_with(at, "metric", "@10")
    assert every["metric"].tolist()[:4] == ["P", "P", "Recall", "Recall"]
    assert every["averaging"].tolist()[:2] == ["micro", "macro"]
    row = found.table.query("metric == 'mAP' and averaging == 'macro' and k == 3").iloc[0]
    assert every.query("metric == 'mAP' and averaging == 'macro'")["@3"].item() == row["value"]


def test_a_label_opens_its_queries_worst_first(app, store) -> None:
    label = "XR/chest/pneumonia"
    at = app("pathology", view="ranking", label=label, k="5", metric="P")
    assert not complaints(at)
    found = Ranking().suited(store).run(store)
    manifest = store.collection.manifest
    pathologies = manifest.frame["pathologies"]
    mine = [row for row in found.tables["queries"]["row"] if "pneumonia" in pathologies[row]]
    values = found.tables["queries"].set_index("row")["P@5"]
    order = sorted(mine, key=lambda row: (values[row], row))
    queries = [card["row"] for card in cards(at) if "rank" not in card]
    assert queries == order[: len(queries)]
    assert len(queries) == min(5, len(mine))
    said = re.findall(r"Query &ensp;<b>P@5 (\d\.\d\d)</b>", html(at))
    assert said == [f"{values[row]:.2f}" for row in queries]
    signs = re.findall(r'<p class="radcbir-query">\d+ hits &ensp;(.*?)</p>', html(at))
    shares = [line.count("✓") / (line.count("✓") + line.count("✗")) for line in signs]
    assert [f"{share:.2f}" for share in shares] == said


def test_what_average_precision_is_divided_by_can_be_chosen(app, store) -> None:
    at = app("pathology", view="ranking", metric="mAP", ap="found")
    assert not complaints(at)
    found = Ranking(ap_divisor="found").suited(store).run(store).table
    row = found.query("metric == 'mAP' and averaging == 'micro' and k == 10").iloc[0]
    assert tiles(at)["Micro mAP@10"][0] == f"{row['value']:.3f}"
    assert "mAP is divided by those found." in notes(at)[0]
    broken = app("pathology", view="ranking", ap="planet", rule="dice")
    assert "ap = planet. available is used instead" in complaints(broken)
    assert "rule = dice. any-shared is used instead" in complaints(broken)


# --- kNN and linear probe ---------------------------------------------------------------------------------------------


def test_probes_are_those_of_the_core(app, store) -> None:
    at = app("pathology", view="probes", level="anatomy", method="kNN, k = 5")
    assert not complaints(at)
    found = Probes("anatomy").run(store)
    row = found.table.iloc[2]
    value, lines = tiles(at)["Accuracy (micro)"]
    assert value == f"{row['accuracy']:.3f}"
    assert f"of {found.facts['n_test']} test images" in lines
    value, lines = tiles(at)["Balanced accuracy (macro)"]
    assert value == f"{row['balanced_accuracy']:.3f}"
    assert f"mean over {found.facts['n_labels']} labels" in lines
    assert all(note in notes(at) for note in found.notes)
    assert f"learned from {found.facts['n_train']} train images" in notes(at)[0]
    methods = table_with(at, "macro_auroc")
    assert methods["name"].tolist() == [
        "always the commonest",
        "kNN, k = 1",
        "kNN, k = 5",
        "kNN, k = 20",
        "linear probe",
    ]
    np.testing.assert_array_equal(methods["macro_auroc"], found.table["macro_auroc"])
    expected = label_scores(found.tables["predictions"], "kNN, k = 5")
    pd.testing.assert_frame_equal(
        table_with(at, "taken_for"),
        expected[["label", "right", "precision", "n_images", "taken_for", "share"]],
        check_dtype=False,
    )
    sent = figures(at)[-1]["data"][0]["z"]
    order = sorted(expected["label"])
    square = np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"]).reshape(len(order), len(order))
    right = expected.set_index("label")["right"]
    np.testing.assert_allclose(np.diag(square), [right[label] for label in order])
    answers = found.tables["predictions"].groupby(["label", "kNN, k = 5"], observed=True).size()
    for (label, answer), number in answers.items():
        here = square[order.index(label), order.index(answer)]
        assert here == pytest.approx(number / (found.tables["predictions"]["label"] == label).sum())
    assert "CSV of methods" in downloads(at)


def test_a_label_opens_what_was_taken_for_another(app, store) -> None:
    found = Probes("label").run(store)
    table = label_scores(found.tables["predictions"], "linear")
    label = table["label"].iloc[0]
    at = app("pathology", view="probes", label=label)
    assert not complaints(at)
    mine = found.tables["predictions"][found.tables["predictions"]["label"] == label]
    wrong = mine[mine["linear"] != label]
    assert {card["row"] for card in cards(at)} == set(wrong["row"])
    assert f"{len(wrong)} of {len(mine)} test image" in words(at)
    for other in set(wrong["linear"]):
        assert f"taken for {other}" in html(at)
    everything = label_scores(Probes("modality").run(store).tables["predictions"], "linear")
    assert everything["right"].iloc[-1] == 1
    at = app("pathology", view="probes", level="modality", label=everything["label"].iloc[-1])
    assert "All test images of this label are right." in words(at)


# --- anatomy and pathology --------------------------------------------------------------------------------------------


def test_the_factors_of_every_encoder_are_shown(app, store) -> None:
    result = Factors(Protocol.of()).run(store)
    at = app("pathology", view="factors", k="3")
    assert not complaints(at)
    rows = result.table[result.table["k"] == 3]
    whole = rows[rows["modality"] == ""].set_index("factor")
    assert tiles(at)["Pathology, given the anatomy"][0] == f"{whole.loc['pathology', 'share']:.3f}"
    shown = table_with(at, "share")
    np.testing.assert_allclose(shown["share"].astype(float), rows["share"].astype(float))
    bars = figures(at)[0]["layout"]["yaxis"]["ticktext"]
    assert len(bars) == 5 * len(store.collection.encoder_ids())
    assert any(store.encoder_id in text for text in bars)


# --- leakage ----------------------------------------------------------------------------------------------------------


def test_leakage_shows_every_step_and_the_hits_that_vanished(app, copied_data) -> None:
    collection = Collection(copied_data)
    table = collection.manifest.table
    datasets = pa.array([f"hospital {patient % 2}" for patient in collection.manifest.groups("patient")])
    table = table.set_column(table.column_names.index("dataset"), "dataset", datasets)
    Manifest(table, digest="").write(collection.manifest_path)
    write_record(copied_data, collection.record | manifest_facts(collection.manifest_path, table))
    store = open_collection("small").store("pixels")
    result = Leakage().run(store)
    table = result.table[result.table["k"] == 10]
    at = app("pathology", view="leakage")
    assert not complaints(at)
    micro = table[table["averaging"] == "micro"].set_index("step")["precision"]
    shown = tiles(at)
    assert shown["Micro P@10"][0] == f"{micro['nothing']:.3f}"
    for step in known_exclusions(store):
        assert shown[step_name(step)][0] == f"{micro[step]:.3f}"
    at = app("pathology", view="leakage", step="dataset", k="3")
    assert not complaints(at)
    rows = result.table[(result.table["k"] == 3) & (result.table["step"] == "dataset")]
    rows = rows[(rows["averaging"] == "label") & rows["difference"].notna()].set_index("label")
    labels = table_with(at, "difference").set_index("label")
    assert set(labels.index) == set(rows.index)
    np.testing.assert_allclose(labels["difference"], rows.loc[labels.index, "difference"])
    assert labels["difference"].is_monotonic_increasing
    label = labels.index[0]
    at = app("pathology", view="leakage", step="dataset", k="3", label=label)
    assert not complaints(at)
    dataset = store.collection.manifest.column("dataset")
    queries = [card["row"] for card in cards(at) if "rank" not in card]
    hits = [card["row"] for card in cards(at) if "rank" in card]
    assert queries
    assert hits
    assert {dataset[row] for row in hits} <= {dataset[row] for row in queries}
    assert "vanished when the data set was left out" in words(at)


# --- index size -------------------------------------------------------------------------------------------------------


def test_index_sizes_are_those_of_the_core(app, store) -> None:
    at = app("pathology", view="index-size", level="anatomy", k="3", divisor="available")
    assert not complaints(at)
    found = IndexSize(Protocol.of(divisor="available"), "anatomy").run(store).table
    here = found[found["k"] == 3]
    for averaging in ("micro", "macro"):
        row = here[(here["averaging"] == averaging) & (here["fraction"] == 1)].iloc[0]
        value, lines = tiles(at)[f"{averaging.capitalize()} P@3, whole gallery"]
        assert value == f"{row['mean']:.3f}"
        assert f"over {row['n_queries']:.0f} queries" in lines
    shown = table_with(at, "share", "draws")
    assert shown["averaging"].tolist() == ["micro"] * 5 + ["macro"] * 5
    assert shown["share"].tolist()[:5] == ["5 %", "10 %", "25 %", "50 %", "100 %"]
    expected = here.sort_values(["averaging", "gallery"], ascending=[False, True])
    for column in ("mean", "std", "low", "high"):
        np.testing.assert_array_equal(shown[column], expected[column])
    assert any("Queries without any relevant image in a gallery are left out there" in note for note in notes(at))
    assert any("could not be excluded, and figures may be too high" in note for note in notes(at))
    lines = {line["name"]: line for line in figures(at)[0]["data"] if "name" in line}
    assert set(lines) == {"micro P@3, mean of draws", "macro P@3, mean of draws"}
    looks = [(line["line"]["color"], line["line"]["dash"], line["marker"]["symbol"]) for line in lines.values()]
    assert all(len({look[part] for look in looks}) == 2 for part in range(3))  # told apart by more than color
    plain = app("pathology", view="index-size", level="anatomy")
    assert any("which alone lowers P@k" in note for note in notes(plain))


# --- embedding space --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pairs", "exclude"), [("left-out", "patient"), ("count", "")])
def test_the_space_is_that_of_the_core(app, store, pairs, exclude) -> None:
    at = app("pathology", view="space", level="anatomy", pairs=pairs)
    assert not complaints(at)
    found = Space(exclude or "none", "anatomy").run(store)
    known = found.tables["silhouettes"].dropna(subset="silhouette")
    value, lines = tiles(at)["Micro silhouette"]
    assert value == f"{known['silhouette'].mean():.3f}"
    assert f"mean over {len(known)} images" in lines
    labels = label_silhouettes(found.tables["silhouettes"])
    assert tiles(at)["Macro silhouette"][0] == f"{labels['silhouette'].mean():.3f}"
    shown = table_with(at, "label", "silhouette", "nearest")
    assert shown["label"].tolist() == labels["label"].tolist()
    np.testing.assert_allclose(shown["silhouette"], labels["silhouette"])
    for row in shown.to_dict("records"):
        nearest = known[known["label"] == row["label"]]["nearest"].value_counts()
        assert nearest[row["nearest"]] == nearest.max()
    assert ("Pairs of one patient are left out." in notes(at)[0]) == bool(exclude)
    assert {"CSV", "CSV of pairs"} <= set(downloads(at))


def test_a_label_opens_its_images_nearest_to_another_first(app, store) -> None:
    at = app("pathology", view="space", level="anatomy", label="chest")
    assert not complaints(at)
    mine = Space(level="anatomy").run(store).tables["silhouettes"].query("label == 'chest'").dropna(subset="silhouette")
    mine = mine.sort_values(["silhouette", "row"])
    assert [card["row"] for card in cards(at)] == mine["row"].tolist()[:16]
    assert f"{(mine['silhouette'] < 0).sum()} of {len(mine)} images lie nearer to another label" in words(at)
    broken = app("pathology", view="space", level="anatomy", label="planet")
    assert "label = planet. No label is opened" in complaints(broken)


# --- the way to them --------------------------------------------------------------------------------------------------


def test_only_the_view_that_is_shown_is_computed_and_a_second_visit_reads_it(app, store, monkeypatch) -> None:
    folder = store.evaluation_folder

    def kinds():
        return {path.name.split("-")[0] for path in folder.iterdir()}

    before = kinds()
    at = app("pathology", view="space")
    assert kinds() - before == {"space"}
    choose(at, "View", "index-size")
    assert not complaints(at)
    assert kinds() - before == {"space", "index"}
    monkeypatch.setattr(Space, "compute", None)  # it must not be called again
    choose(at, "View", "space")
    assert not complaints(at)
    assert at.query_params["view"] in ("space", ["space"])


@pytest.mark.parametrize("view", ["precision", "ranking", "index-size"])
def test_patients_that_are_not_left_out_are_told(app, copied_data, view) -> None:
    said = "Images of the query&#x27;s own patient are not left out"
    assert not any(said in note for note in notes(app("pathology", view=view)))
    at = app("pathology", view=view, exclude="none")
    assert not complaints(at)
    assert any(said in note for note in notes(at))


def test_changing_the_view_drops_what_it_does_not_know(app, copied_data) -> None:
    at = app("pathology", protocol="paper", k="100", label="XR/chest/normal")
    choose(at, "View", "ranking")
    assert not complaints(at)
    assert not {"protocol", "k", "label"} & set(at.query_params)
    assert "Micro nDCG@10" in tiles(at)


def test_what_takes_long_is_computed_on_a_click_and_kept(app, store, slow) -> None:
    at = app("pathology", view="index-size")
    assert not complaints(at)
    assert "has not been computed yet for these choices" in words(at)
    assert not at.dataframe
    next(button for button in at.button if button.label == "Compute").click().run()
    wait()
    at.run()
    assert not complaints(at)
    assert "Micro P@10, whole gallery" in tiles(at)
    again = app("pathology", view="index-size")
    assert "Micro P@10, whole gallery" in tiles(again)
    assert "Compute" not in [button.label for button in again.button]


def test_it_can_be_stopped_and_a_failure_is_told(app, store, slow, monkeypatch) -> None:
    going, go_on = threading.Event(), threading.Event()

    def endless(*_, progress, **__):
        for done in range(10_000):
            progress("galleries", done, 10_000)
            going.set()
            go_on.wait(0.01)

    monkeypatch.setattr(IndexSize, "compute", endless)
    at = app("pathology", view="index-size")
    next(button for button in at.button if button.label == "Compute").click().run()
    assert going.wait(20)
    at.run()
    assert "This evaluation is being computed." in words(at)
    (bar,) = at.get("progress")
    assert "Draw smaller galleries and search them" in bar.proto.text
    next(button for button in at.button if button.label == "Stop").click().run()
    wait()
    at.run()
    assert "was stopped" in words(at)
    shutil.rmtree(store.evaluation_folder)
    store.evaluation_folder.write_text("a file where the folder should be")
    monkeypatch.undo()
    monkeypatch.setenv("RADCBIR_DATA", str(store.folder.parents[3]))
    monkeypatch.setattr(runs, "QUICK_IMAGES", 1)
    next(button for button in at.button if button.label == "Compute again").click().run()
    wait()
    at.run()
    assert "Expected a folder, but a part of its path is a file" in complaints(at)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status(), "Begin"),
        (Status(stage="evaluation", done=1, total=2), "Evaluate · 1 of 2 levels"),
        (Status(stage="search", done=1, total=1), "Search exactly · 1 of 1 query"),
        (Status(stage="steps", done=7, total=1000), "Fit the linear probe · 7 of at most 1,000 steps"),
    ],
)
def test_progress_is_told_in_words(status, said) -> None:
    assert stages.line(status).startswith(said)


def test_the_time_left_is_told() -> None:
    status = Status(stage="galleries", done=5, total=20, rate=0.5)
    assert stages.line(status).endswith("5 of 20 galleries · 30 seconds left")
