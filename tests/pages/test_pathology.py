from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import manifest_facts, write_record
from radcbir_core.encoders import load_encoder
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.statistics.by_measure import precision_by_measure
from radcbir_core.pipeline import build_collection
from radcbir_core.search.neighbors.graph import ranked_hits
from tests.pages.reading import cards, complaints, html, words
from tests.small_images import CYRILLIC_LABEL, HTML_LABEL

HTML_FULL = f"CT/abdomen/{HTML_LABEL}"


@pytest.fixture
def evaluation(app):
    """The evaluation that the page shows by default, and the store it is of."""
    store = open_collection("small").store("pixels")
    return store, Precision().suited(store).run(store)


def table(at):
    return at.dataframe[0].value


def figure(at):
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def headline(at):
    return re.search(r'<div class="radcbir-headline">(.*?)</ul>', html(at)).group(1)


def means(evaluation, level, k):
    rows = evaluation.table[(evaluation.table["level"] == level) & (evaluation.table["k"] == k)]
    return {name: rows[rows["averaging"] == name].iloc[0] for name in ("micro", "macro")}


def button(at, label):
    return next(button for button in at.button if button.label == label)


def choose(at, label, value):
    return next(box for box in at.segmented_control if box.label == label).set_value(value).run()


def test_without_a_collection_it_says_which_command_is_next(empty_app):
    at = empty_app("pathology")
    assert not complaints(at)
    assert "There is no collection yet" in words(at)
    assert any("import" in code.value for code in at.code)


def test_without_a_neighbor_graph_it_says_which_command_makes_it(app, copied_data):
    (copied_data / "encoders" / "pixels" / "neighbor_ids.npy").unlink()
    at = app("pathology")
    assert not complaints(at)
    assert "The step neighbors of the encoder pixels has not been made yet" in words(at).replace("*", "")
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]


def test_it_shows_both_means_with_interval_and_numbers(app, evaluation):
    at = app("pathology")
    assert not complaints(at)
    expected = means(evaluation[1], "label", 10)
    shown = headline(at)
    labels = len(table(at))
    for name, over in (("micro", f"{expected['micro']['n_queries']} queries"), ("macro", f"{labels} labels")):
        row = expected[name]
        assert f"<span>{name.capitalize()} P@10</span><b>{row['precision']:.3f}</b>" in shown
        assert f"{row['low']:.3f} to {row['high']:.3f}<br>mean over {over}" in shown


def test_what_one_must_know_of_the_protocol_is_said(app, evaluation):
    shown = headline(app("pathology"))
    assert "Leave-one-out, near-duplicate and patient excluded, divided by k" in shown
    assert "queries without a relevant image left out: 0 of 51." in shown
    assert "Near-duplicates are excluded too: where the patient is not known, they may be of the same." in shown
    assert "10 of 61 images have no patient_id" in shown
    assert all(f"<li>{note}</li>" in shown for note in evaluation[1].notes)


@pytest.mark.parametrize(("level", "k"), [("modality", 1), ("anatomy", 5), ("label", 3)])
def test_table_and_chart_agree_with_the_evaluation_worst_first(app, evaluation, level, k):
    at = app("pathology", level=level, k=str(k))
    assert not complaints(at)
    rows = evaluation[1].table
    rows = rows[(rows["level"] == level) & (rows["k"] == k) & (rows["averaging"] == "label")].set_index("label")
    shown = table(at).set_index("label")
    rows = rows[rows["precision"].notna()]
    assert set(shown.index) == set(rows.index)
    baselines = ["chance", "same_anatomy"] if level == "label" else ["chance"]
    columns = ["precision", "interval", *baselines, "lift", "n_queries", "n_patients"]
    intervals = [
        "–" if np.isnan(low) else f"{low:.2f} – {high:.2f}".replace("0.", ".")
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    expected = rows.assign(lift=rows["precision"] / rows["chance"], interval=intervals).loc[shown.index, columns]
    pd.testing.assert_frame_equal(shown, expected, check_names=False)
    assert shown["precision"].is_monotonic_increasing
    sent = figure(at)
    assert len(sent["layout"]["yaxis"]["ticktext"]) == len(shown)
    assert sent["data"][1]["hovertext"][0].endswith(f"{shown['n_queries'].iloc[0]} queries")
    assert f"<span>Micro P@{k}</span>" in headline(at)


def test_labels_are_shown_word_for_word(app):
    at = app("pathology")
    sent = figure(at)
    ticks = [text.replace("<br>", "") for text in sent["layout"]["yaxis"]["ticktext"]]
    wanted = 'CT/abdomen/&lt;b onclick="x()"&gt;bold&lt;/b&gt; &amp; "quoted"'
    assert wanted.replace(" ", "") in [text.replace(" ", "") for text in ticks]
    assert not any("<b onclick" in text for text in sent["data"][0]["hovertext"])
    assert HTML_FULL in table(at)["label"].tolist()
    at = app("pathology", label=HTML_FULL)
    assert not complaints(at)
    assert "<b onclick" not in html(at)
    assert "CT/abdomen/&lt;b onclick=&quot;x()&quot;&gt;bold" in html(at)


def test_a_deep_link_opens_exactly_that(app, evaluation):
    store, found = evaluation
    label = f"MR/brain/{CYRILLIC_LABEL}"
    at = app("pathology", collection="small", encoder="pixels", level="label", k="5", label=label)
    assert not complaints(at)
    manifest = store.collection.manifest
    queries = of_level(found.tables["queries"], "label")
    queries = queries[queries["label"] == label].sort_values(["p@5", "p@10", "row"])["row"].tolist()
    usable = store.valid & (manifest.labels("label").codes >= 0)
    expected = []
    for row in queries:
        hits = ranked_hits(store, np.array([row]), k=5, gallery=usable, exclude=("patient",))
        expected += [row, *hits.rows[0].tolist()]
    assert len(queries) == 5
    assert [card["row"] for card in cards(at)] == expected
    assert f'<h3 class="radcbir-label">{label}</h3>' in html(at)
    assert "1 to 5 of 5" in words(at)


def test_each_query_says_which_of_its_hits_are_relevant(app, evaluation):
    store, _ = evaluation
    at = app("pathology", level="anatomy", label="chest", k="10")
    codes = store.collection.manifest.labels("anatomy").codes
    lines = re.findall(r'<p class="radcbir-query">(\d+) hits &ensp;(.*?)</p>', html(at))
    precision = re.findall(r"Query &ensp;<b>P@10 (\d\.\d\d)</b>", html(at))
    assert len(lines) == len(precision) == 5
    shown = cards(at)
    for (count, signs), value in zip(lines, precision, strict=True):
        query, hits = shown[0], shown[1 : 1 + int(count)]
        shown = shown[1 + int(count) :]
        relevant = [codes[hit["row"]] == codes[query["row"]] for hit in hits]
        assert re.findall("[✓✗]", signs) == ["✓" if same else "✗" for same in relevant]
        assert float(value) == pytest.approx(np.mean(relevant))
        assert [hit["rank"] for hit in hits] == list(range(1, 11))
    assert not shown


def test_queries_come_worst_first_and_each_once(app, evaluation):
    at = app("pathology", level="modality", label="XR", k="10")
    seen, values = [], []
    while True:
        values += [float(value) for value in re.findall(r"Query &ensp;<b>P@10 (\d\.\d\d)</b>", html(at))]
        seen += [card["row"] for card in cards(at) if "rank" not in card]
        if button(at, "Next queries").disabled:
            break
        button(at, "Next queries").click().run()
        assert not complaints(at)
    assert values == sorted(values)
    wanted = of_level(evaluation[1].tables["queries"], "modality")
    assert sorted(seen) == sorted(wanted.loc[wanted["label"] == "XR", "row"])
    assert at.query_params["page"] in ("5", ["5"])
    button(at, "Previous queries").click().run()
    assert "16 to 20 of 21" in words(at)


def test_it_shows_what_a_label_is_taken_for(app, evaluation):
    store, found = evaluation
    label = "XR/chest/normal"
    at = app("pathology", label=label, k="5")
    manifest = store.collection.manifest
    labels = manifest.labels("label")
    queries = of_level(found.tables["queries"], "label")
    rows = queries.loc[queries["label"] == label, "row"].to_numpy()
    hits = ranked_hits(store, rows, k=5, gallery=store.valid & (labels.codes >= 0), exclude=("patient",)).rows
    names = pd.Series(labels.text(hits.ravel())).value_counts(normalize=True)
    shown = dict(re.findall(r'<tr title="(.*?)">.*?<td class="share">([\d.]+) %</td>', html(at)))
    assert shown["itself"] == f"{100 * names[label]:.1f}"
    others = names.drop(label)
    assert {name: value for name, value in shown.items() if name != "itself"} == {
        name: f"{100 * share:.1f}" for name, share in others.items()
    }
    assert sum(map(float, shown.values())) == pytest.approx(100, abs=0.5)


def test_the_open_label_is_marked_in_the_table_and_closing_it_leaves_the_url(app):
    label = "XR/chest/normal"
    at = app("pathology", label=label)
    (cell,) = at.session_state["radcbir:precision-table"]["selection"]["cells"]
    assert table(at)["label"].iloc[cell[0]] == label
    button(at, "Close").click().run()
    assert not complaints(at)
    assert "label" not in at.query_params
    assert not cards(at)
    assert "Click a label in the chart or in the table" in words(at)


def test_filtering_by_text_leaves_the_means_alone(app):
    at = app("pathology")
    before = headline(at)
    at.text_input[0].set_value("CHEST").run()
    assert not complaints(at)
    assert set(table(at)["label"]) == {"XR/chest/normal", "XR/chest/pneumonia"}
    assert "P@10 of 2 labels of 8" in words(at)
    assert headline(at) == before
    assert at.query_params["find"] in ("CHEST", ["CHEST"])
    at.text_input[0].set_value("[nothing").run()
    assert "No label contains [nothing" in words(at)
    assert not at.dataframe


def test_changing_the_level_closes_the_label_and_the_k_keeps_it(app):
    at = app("pathology", label="XR/chest/normal", page="1")
    choose(at, "k", "1")
    assert at.query_params["label"] in ("XR/chest/normal", ["XR/chest/normal"])
    assert "page" not in at.query_params
    choose(at, "Level", "anatomy")
    assert not complaints(at)
    assert "label" not in at.query_params
    assert set(table(at)["label"]) == {"abdomen", "brain", "chest"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"label": "<script>"}, "label = <script>. No label is opened. There are: "),
        ({"level": "planet"}, "level = planet. label is used instead"),
        ({"k": "7"}, "k = 7. 10 is used instead"),
        ({"protocol": "x"}, "protocol = x. leave-one-out is used instead"),
        ({"divisor": "0"}, "divisor = 0. k is used instead"),
        ({"exclude": "planet"}, "exclude = planet. It is left out"),
        ({"label": "XR/chest/normal", "page": "99"}, "Expected page from 1 to 1, but page = 99."),
        ({"label": "XR/chest/normal", "page": "-1"}, "Expected page from 1 to 1, but page = -1."),
    ],
)
def test_a_broken_link_says_what_there_is_and_the_rest_works(app, query, said):
    at = app("pathology", **query)
    assert said in complaints(at)
    assert len(table(at)) > 3


def test_another_protocol_is_computed_and_kept(app, copied_data):
    folder = copied_data / "encoders" / "pixels" / "evaluation"
    before = len(list(folder.iterdir()))
    at = app("pathology", protocol="split", divisor="available", level="anatomy", k="3")
    assert not complaints(at)
    assert "Split, nothing but the query excluded, divided by min(k, relevant images available), queries" in headline(
        at
    )
    store = open_collection("small").store("pixels")
    assert len(list(folder.iterdir())) == before + 1
    expected = Precision(Protocol.of("split", divisor="available")).run(store)
    assert f"<b>{means(expected, 'anatomy', 3)['micro']['precision']:.3f}</b>" in headline(at)
    assert table(at)["n_queries"].sum() == 18
    assert not next(box for box in at.pills if box.label.startswith("Leave out")).value


def test_the_exclusions_are_those_of_the_protocol_unless_chosen(app, copied_data):
    at = app("pathology")
    pills = next(box for box in at.pills if box.label.startswith("Leave out"))
    assert pills.value == ["near-duplicate", "patient"]  # some of whose images have no known patient
    pills.set_value([]).run()
    assert not complaints(at)
    assert "Leave-one-out, nothing but the query excluded" in headline(at)
    assert at.query_params["exclude"] in ("none", ["none"])


def change_manifest(folder, change):
    """Rewrite the labels in the collection's manifest."""
    collection = Collection(folder)
    table = change(collection.manifest.table)
    Manifest(table, digest="").write(collection.manifest_path)
    write_record(folder, collection.record | manifest_facts(collection.manifest_path, table))


def without(table, *names):
    import pyarrow as pa

    for name in names:
        empty = (
            pa.array([""] * table.num_rows)
            if name != "pathologies"
            else pa.array([[]] * table.num_rows, table[name].type)
        )
        table = table.set_column(table.column_names.index(name), name, empty)
    return table


def test_a_collection_without_a_split_says_so_and_leave_one_out_works(app, copied_data):
    change_manifest(copied_data, lambda table: without(table, "split"))
    at = app("pathology", protocol="split")
    assert not complaints(at)
    assert "needs images of split train and of split test, but this collection has no split at all" in words(at)
    assert any("relabel " in code.value for code in at.code)
    choose(at, "Protocol", "leave-one-out")
    assert not complaints(at)
    assert len(table(at)) > 3


def test_a_level_without_labels_says_so_and_the_others_work(app, copied_data):
    change_manifest(copied_data, lambda table: without(table, "pathologies", "anatomy"))
    at = app("pathology")
    assert not complaints(at)
    assert "has a known full label, so there is no P@k at this level" in words(at)
    choose(at, "Level", "anatomy")
    assert "has a known anatomy" in words(at)
    choose(at, "Level", "modality")
    assert not complaints(at)
    assert set(table(at)["label"]) == {"XR", "CT", "MR"}


def test_a_label_without_a_query_in_this_protocol_says_so(app, copied_data):
    def keep_training(table):
        import pyarrow as pa

        pathologies = table["pathologies"].to_pylist()
        split = [
            "train" if pathologies[row] == ["normal"] else value for row, value in enumerate(table["split"].to_pylist())
        ]
        return table.set_column(table.column_names.index("split"), "split", pa.array(split))

    change_manifest(copied_data, keep_training)
    at = app("pathology", protocol="split", label="XR/chest/normal")
    assert not complaints(at)
    assert "No query of this protocol has the label XR/chest/normal." in words(at)


def test_the_csv_holds_every_label_at_every_k(app, evaluation):
    from pages.parts.frame.csv_text import csv_bytes

    rows = evaluation[1].table
    written = pd.read_csv(io.BytesIO(csv_bytes(rows[rows["level"] == "label"])))
    assert {"level", "label", "k", "precision", "n_queries", "averaging", "low", "high"} <= set(written.columns)
    assert len(written) == (written["averaging"] == "label").sum() + 8
    assert any(element.proto.label == "CSV" for element in app("pathology").get("download_button"))


def test_using_a_hit_as_query_keeps_the_collection(app):
    at = app("pathology", label="XR/chest/normal")
    assert all(card["link"].startswith("retrieval?collection=small&encoder=pixels&image=") for card in cards(at))


def with_ages(folder, ages):
    """The collection with a further column, as if its source had had it."""
    change_manifest(folder, lambda table: table.append_column("age", pa.array(ages, pa.string())))
    build_collection(open_collection("small"), load_encoder("pixels"))


def test_precision_is_shown_against_what_was_measured(app, copied_data):
    assert "against" not in html(app("pathology", level="anatomy", label="chest"))
    with_ages(copied_data, ["" if row % 7 == 0 else str(20 + row) for row in range(61)])
    at = app("pathology", level="anatomy", label="chest", k="1")
    assert not complaints(at)
    box = next(box for box in at.selectbox if "against" in box.label)
    assert box.options == ["age"]
    store = open_collection("small").store("pixels")
    queries = Precision().run(store).tables["queries"]
    queries = queries[(queries["level"] == "anatomy") & (queries["label"] == "chest")]
    ages = store.collection.manifest.numbers("age", queries["row"].to_numpy())
    bins = precision_by_measure(ages, queries["p@1"].to_numpy(dtype=float))
    shown = re.findall(r"<td>(\d+) to (\d+)<div.*?>(\d\.\d\d)</td>", html(at))
    assert shown == [(f"{part.low:.0f}", f"{part.high:.0f}", f"{part.precision:.2f}") for part in bins]
    broken = app("pathology", level="anatomy", label="chest", against="nothing")
    assert "Expected against to be one of those there are, but against = nothing" in complaints(broken)


def test_labels_that_cannot_be_scored_stand_apart_and_open(app, copied_data):
    def one_of_its_kind(table):
        pathologies = table["pathologies"].to_pylist()
        row = pathologies.index(["normal"])
        pathologies[row] = ["seen once"]
        return table.set_column(
            table.column_names.index("pathologies"), "pathologies", pa.array(pathologies, pa.list_(pa.string()))
        )

    change_manifest(copied_data, one_of_its_kind)
    at = app("pathology")
    at = at if at.dataframe else button(at, "Compute").click().run()
    assert not any(label.endswith("seen once") for label in table(at)["label"])
    assert "Not scored, as none of their queries has anything to find: 1 label" in words(at)
    shown = next(box for box in at.button if str(box.key).startswith("radcbir:unscored:"))
    shown.click().run()
    assert not complaints(at)
    assert str(at.query_params["label"]).endswith("seen once")
    assert "nothing to find: 1" in words(at)


def test_more_labels_than_a_window_holds_are_shown_when_asked_for(app, monkeypatch):
    monkeypatch.setattr("pages.parts.evaluation.label_chart.FIRST", 2)
    at = app("pathology")
    worst = table(at)["label"].tolist()
    assert len(worst) == 2
    everything = next(box for box in at.button if str(box.key) == "radcbir:all-labels")
    number = int(re.search("[0-9]+", everything.label).group())
    everything.click().run()
    assert len(table(at)) == number > 2
    assert table(at)["label"].tolist()[:2] == worst
    button(at, "The worst 2 only").click().run()
    assert len(table(at)) == 2
    rows = Precision().run(open_collection("small").store("pixels")).table
    rows = rows[(rows["level"] == "label") & (rows["k"] == 10) & (rows["averaging"] == "label")]
    best = rows.loc[rows["precision"].idxmax(), "label"]
    at = app("pathology", label=best)
    assert not complaints(at)
    assert table(at)["label"].tolist() == [*worst, best], "the open one is there too"


def test_what_stands_out_is_said_and_opens(app, monkeypatch):
    import pages.parts.pathology.precision_view as view

    rows = Precision().run(open_collection("small").store("pixels")).table
    rows = rows[(rows["level"] == "label") & (rows["k"] == 10) & (rows["averaging"] == "label")]
    worst = rows.loc[rows["precision"].idxmin()]
    monkeypatch.setattr(view, "standout", lambda table: table[table["label"] == worst["label"]].iloc[0])
    at = app("pathology")
    said = next(box for box in at.button if str(box.key) == "radcbir:standout")
    assert f"{int(worst['n_queries'])} quer" in said.label
    said.click().run()
    assert at.query_params["label"] == worst["label"]
    assert not complaints(at)
