from __future__ import annotations

import json
import re
import shutil
import threading
import time

import numpy as np
import pandas as pd
import pytest

from pages.parts.compare.difference_figures import difference_rows, difference_text, signed
from pages.parts.evaluation import runs
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import StorageError
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.reports.comparison import Comparison, label_note, labels_of, verdict
from radcbir_core.evaluation.reports.disagreements import disagreements, ranked_pair
from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods, agreement_by_label
from radcbir_core.evaluation.reports.precision import of_level
from radcbir_core.jobs import list_jobs
from tests.pages.conftest import wait
from tests.pages.reading import cards, complaints, components, html, words
from tests.quick_jobs import wait_for
from tests.second_encoder import add_encoder
from tests.small_images import HTML_LABEL

HTML_FULL = f"CT/abdomen/{HTML_LABEL}"


@pytest.fixture
def two(copied_data, app):
    """The app on a collection with two encoders, and what they made of it."""
    add_encoder(open_collection("small"), noise=4.5)
    collection = open_collection("small")
    return (
        lambda **query: app("compare", **{"encoder": "pixels", **query}),
        collection.store("pixels"),
        collection.store("second"),
    )


def button(at, label):
    return next(button for button in at.button if button.label == label)


def choose(at, label, value):
    return next(box for box in at.segmented_control if box.label == label).set_value(value).run()


def drawn_pair(at):
    """What the rankings component shows."""
    return next(shown for shown in components(at) if "links" in shown)


def parameter(at, name):
    found = at.query_params.get(name)
    return found[0] if isinstance(found, list) else found


def test_without_a_collection_it_says_which_command_is_next(empty_app):
    at = empty_app("compare")
    assert not complaints(at)
    assert any("import" in code.value for code in at.code)


def test_with_one_encoder_it_compares_with_chance(app, copied_data):
    at = app("compare")
    assert not complaints(at)
    box = next(box for box in at.selectbox if box.label == "Versus")
    assert box.value == "chance"
    store = open_collection("small").store("pixels")
    found = Comparison("chance").run(store).table
    row = found[(found["level"] == "label") & (found["k"] == 10) & (found["averaging"] == "micro")].iloc[0]
    assert f"<b>{row['a']:.3f}</b>" in html(at)
    assert f"<b>{row['b']:.3f}</b>" in html(at)
    assert "it is computed, not drawn" in html(at)


@pytest.mark.parametrize(("level", "k"), [("label", 1), ("anatomy", 10)])
def test_the_figures_are_those_of_the_comparison(two, level, k):
    page, a, b = two
    at = page(level=level, k=str(k))
    assert not complaints(at)
    found = Comparison(b.encoder_id).suited(a).run(a)
    means = found.table[found.table["averaging"] != "label"]
    for row in means[(means["level"] == level) & (means["k"] == k)].to_dict("records"):
        said = difference_text(row["difference"], row["low"], row["high"])
        assert f"B − A {said}" in html(at)
    shown = at.dataframe[0].value
    assert len(shown) == 24
    assert sorted(shown["difference"]) == pytest.approx(sorted(means["difference"]))
    assert shown["k"].tolist()[:4] == [1, 1, 3, 3]
    words_of = {"A": "◀ A is better", "B": "▶ B is better", "open": "= not clear", "none": "– no interval"}
    assert len(set(shown["says"])) > 1
    assert shown["says"].tolist() == [words_of[verdict(r.low, r.high)] for r in shown.itertuples()]
    assert all(note in html(at) for note in found.notes)


def test_labels_come_with_the_largest_gain_first_and_word_for_word(two):
    page, a, b = two
    at = page(section="pathologies", k="5")
    assert not complaints(at)
    labels = labels_of(Comparison(b.encoder_id).run(a), "label", 5)
    shown = at.dataframe[0].value
    assert shown["label"].tolist() == labels["label"].tolist()
    assert shown["difference"].is_monotonic_decreasing
    assert shown["p_holm"].tolist() == pytest.approx(labels["p_holm"].tolist())
    assert label_note(labels) in words(at)
    assert choose(at, "Order", "A").dataframe[0].value["difference"].is_monotonic_increasing
    sent = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert len(sent["layout"]["yaxis"]["ticktext"]) == len(labels)
    assert not any("<b onclick" in text for text in sent["data"][0]["hovertext"])
    at = page(section="pathologies", label=HTML_FULL)
    assert not complaints(at)
    assert "<b onclick" not in html(at)
    assert "CT/abdomen/&lt;b onclick" in html(at)


def test_a_label_opens_its_queries_and_closes(two):
    page, a, b = two
    at = page(section="pathologies", label="XR/chest/normal", k="1")
    found = disagreements(a, Comparison(b.encoder_id), level="label", k=1, label="XR/chest/normal")
    assert [card["row"] for card in cards(at)] == [*found.only_a.tolist(), *found.only_b.tolist()]
    assert f"of {found.n_queries} queries" in html(at)
    button(at, "Close").click().run()
    assert not complaints(at)
    assert "label" not in at.query_params
    assert not cards(at)


def test_filtering_labels_leaves_what_is_said_of_all(two):
    page, *_ = two
    at = page(section="pathologies")
    at.text_input[0].set_value("CHEST").run()
    assert not complaints(at)
    assert set(at.dataframe[0].value["label"]) == {"XR/chest/normal", "XR/chest/pneumonia"}
    assert "2 labels of 8" in words(at)
    assert "Of 8 intervals" in words(at)
    at.text_input[0].set_value("[nothing").run()
    assert "No label contains [nothing" in words(at)


@pytest.mark.parametrize("k", [1, 3])
def test_disagreements_show_who_is_right(two, k):
    page, a, b = two
    at = page(section="disagreements", k=str(k))
    assert not complaints(at)
    found = disagreements(a, Comparison(b.encoder_id), level="label", k=k)
    numbers = [int(number) for number in re.findall(r'<td class="(?:same|a|b)"><b>(\d+)</b>', html(at))]
    assert numbers == [len(rows) for rows in (found.both, found.only_a, found.only_b, found.neither)]
    assert difference_text(found.difference, found.low, found.high) in html(at)
    assert [card["row"] for card in cards(at)] == [*found.only_a[:16].tolist(), *found.only_b[:16].tolist()]


def test_a_query_is_shown_with_both_rankings_aligned(two):
    page, a, b = two
    manifest = a.collection.manifest
    image_id = manifest.record(30)["image_id"]
    at = page(section="rankings", image=image_id)
    assert not complaints(at)
    found = ranked_pair(a, Comparison(b.encoder_id), 30, k=10, level="label")
    shown = drawn_pair(at)
    assert [cell["row"] for cell in shown["a"]] == found.a.rows[0].tolist()
    assert [cell["row"] for cell in shown["b"]] == found.b.rows[0].tolist()
    assert [cell["word"] == "relevant" for cell in shown["a"]] == found.relevant_a.tolist()
    assert [cell["word"] == "relevant" for cell in shown["b"]] == found.relevant_b.tolist()
    assert len(shown["links"]) == found.shared > 0
    for here, there, number in shown["links"]:
        first, second = shown["a"][here], shown["b"][there]
        assert first["row"] == second["row"]
        assert first["number"] == second["number"] == number
        assert (first["other"], second["other"]) == (there + 1, here + 1)
    alone = [cell for cell in shown["a"] + shown["b"] if "number" not in cell]
    assert len(alone) == 20 - 2 * found.shared
    assert f"<b>{found.shared} of 10</b> hits shared" in html(at)
    assert f"overlap <b>{found.overlap:.2f}</b>" in html(at)
    assert "section=rankings" in shown["a"][0]["link"]
    assert "they cannot be compared" in words(at)


def test_the_next_disagreement_is_one_click_away(two):
    page, a, b = two
    found = disagreements(a, Comparison(b.encoder_id), level="label", k=1)
    manifest = a.collection.manifest
    rows = found.only_b if len(found.only_b) > 1 else found.only_a
    at = page(section="rankings", image=manifest.record(int(rows[0]))["image_id"], k="1")
    button(at, "Only B" if rows is found.only_b else "Only A").click().run()
    assert not complaints(at)
    assert parameter(at, "image") == manifest.record(int(rows[1]))["image_id"]


def test_without_a_query_it_offers_images(two):
    page, *_ = two
    at = page(section="rankings")
    assert not complaints(at)
    assert len(cards(at)) == 40
    button(at, "Random").click().run()
    assert not complaints(at)
    assert parameter(at, "image")
    assert drawn_pair(at)["a"]


def test_a_query_without_a_label_says_so(two):
    page, a, _ = two
    row = int(np.flatnonzero(a.collection.manifest.labels("label").codes < 0)[0])
    at = page(section="rankings", image=a.collection.manifest.record(row)["image_id"])
    assert not complaints(at)
    assert "the query has no full label" in html(at)
    assert all("word" not in cell for cell in drawn_pair(at)["a"])


def test_chance_has_a_ranking_and_no_similarities(two):
    page, a, _ = two
    image_id = a.collection.manifest.record(30)["image_id"]
    at = page(section="rankings", image=image_id, versus="chance")
    assert not complaints(at)
    shown = drawn_pair(at)
    assert [cell["similarity"] for cell in shown["b"]] == [None] * 10
    assert [cell["row"] for cell in shown["b"]] == [
        cell["row"] for cell in drawn_pair(page(section="rankings", image=image_id, versus="chance"))["b"]
    ]
    at = page(section="disagreements", versus="chance")
    assert "on average it would be right for" in html(at)
    at = page(section="neighborhoods", versus="chance")
    assert not complaints(at)
    assert "Choose a second encoder above" in words(at)


def test_neighborhoods_agree_with_the_core(two):
    page, a, b = two
    at = page(section="neighborhoods", near="5", level="anatomy")
    assert not complaints(at)
    found = Neighborhoods(b.encoder_id).run(a)
    for row in found.table.itertuples():
        assert f"{row.k} nearest</td>" in html(at)
        assert f"<td>{100 * row.agreement:.1f} %</td>" in html(at)
    for row in agreement_by_label(found, a.collection.manifest.labels("anatomy"), 5).itertuples():
        assert f'title="{row.label}"' in html(at)
    worst = found.tables["images"].sort_values(["shared@5", "shared@50", "row"])["row"].tolist()[:16]
    assert [card["row"] for card in cards(at)] == worst
    assert [box.label for box in at.segmented_control] == ["Section", "Level", "Nearest images"]


def test_swapping_keeps_everything_else(two):
    page, *_ = two
    at = page(section="pathologies", k="5", versus="second")
    before = at.dataframe[0].value.set_index("label")["difference"]
    button(at, "Swap A and B").click().run()
    assert not complaints(at)
    assert (parameter(at, "encoder"), parameter(at, "versus")) == ("second", "pixels")
    after = at.dataframe[0].value.set_index("label")["difference"]
    assert after[before.index].tolist() == pytest.approx((-before).tolist())


def test_the_baseline_is_built_on_the_page(two, in_threads):
    page, a, _ = two
    shutil.rmtree(a.folder)
    at = page(encoder="second", versus="pixels")
    assert not complaints(at)
    assert "has no embeddings of the baseline pixels yet" in words(at).replace("`", "")
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]
    button(at, "Build pixels now").click().run()
    assert not complaints(at)
    (job,) = list_jobs()
    assert (job.kind, job.place, job.wait(60).state) == ("collection", "collection/small", "done")
    at = at.run()
    assert not complaints(at)
    assert open_collection("small").store("pixels").states()["projection"] == "current"
    assert len(at.dataframe[0].value) == 24


def test_a_build_is_stopped_and_goes_on(two, in_threads, monkeypatch):
    page, a, _ = two
    shutil.rmtree(a.folder)
    go_on = threading.Event()

    def slow(collection, encoder, *, progress):
        progress("embeddings", 10, 61)
        go_on.wait(30)
        time.sleep(0.3)
        progress("embeddings", 20, 61)

    monkeypatch.setattr("radcbir_core.jobs.kinds.import_and_build.build_collection", slow)
    at = page(encoder="second", versus="pixels")
    button(at, "Build pixels now").click().run()
    wait_for(lambda: list_jobs()[0].status().stage == "embeddings")
    assert "is being built for small" in words(at)
    button(at, "Stop").click().run()
    assert button(at, "Stopping…").disabled
    go_on.set()
    wait()
    at = at.run()
    assert not complaints(at)
    assert button(at, "Go on")


def test_a_build_that_fails_says_why(two, in_threads, monkeypatch):
    page, a, _ = two
    shutil.rmtree(a.folder)

    def full(collection, encoder, *, progress):
        raise StorageError("Expected room on the disk, but it is full. Free some.")

    monkeypatch.setattr("radcbir_core.jobs.kinds.import_and_build.build_collection", full)
    at = page(encoder="second", versus="pixels")
    button(at, "Build pixels now").click().run()
    wait()
    at = at.run()
    assert "Expected room on the disk, but it is full. Free some." in complaints(at)
    assert button(at, "Build pixels now")


def test_a_second_encoder_without_its_graph_says_which_command_makes_it(two):
    page, _, b = two
    (b.folder / "neighbor_ids.npy").unlink()
    at = page(versus="second")
    assert not complaints(at)
    assert "The step neighbors of the encoder second has not been made yet" in words(at).replace("*", "")
    assert "python -m radcbir_core build small --encoder second" in [code.value for code in at.code]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"versus": "planet"}, "versus = planet. second is used instead"),
        ({"section": "planet"}, "section = planet. figures is used instead"),
        ({"level": "planet"}, "level = planet. label is used instead"),
        ({"section": "rankings", "hits": "7", "image": "ID"}, "hits = 7. 10 is used instead"),
        ({"section": "rankings", "image": "nothing"}, "image_id = 'nothing' is not in it"),
        ({"section": "pathologies", "label": "<x>"}, "label = <x>. No label is opened"),
        ({"section": "neighborhoods", "near": "7"}, "near = 7. 10 is used instead"),
    ],
)
def test_a_broken_link_says_what_there_is(two, query, said):
    page, a, _ = two
    image_id = a.collection.manifest.record(0)["image_id"]
    at = page(**{name: image_id if value == "ID" else value for name, value in query.items()})
    assert said in complaints(at)
    assert any(box.label == "Section" for box in at.segmented_control)


def test_the_split_protocol_has_its_own_queries(two):
    page, a, b = two
    at = page(protocol="split", level="anatomy")
    assert not complaints(at)
    found = Comparison(b.encoder_id, Protocol.of("split")).run(a)
    assert f"mean over {len(of_level(found.tables['queries'], 'anatomy'))} queries" in html(at)


def test_a_long_comparison_waits_for_a_click_and_can_be_stopped(two, in_threads, monkeypatch):
    page, a, b = two
    monkeypatch.setattr(runs, "QUICK_IMAGES", 1)
    begun, go_on = threading.Event(), threading.Event()

    compute = Comparison.compute

    def slowly(self, store, *, progress):
        progress("comparison", 0, 3)
        begun.set()
        assert go_on.wait(20)
        progress("evaluation", 0, 1)  # a new step, at which a stop is looked for at once
        return compute(self, store, progress=progress)

    monkeypatch.setattr(Comparison, "compute", slowly)
    try:
        at = page(level="anatomy")
        assert "This comparison has not been computed yet" in words(at)
        assert not at.get("plotly_chart")
        button(at, "Compute").click().run()
        assert begun.wait(20)
        at.run()
        assert "This comparison is being computed" in words(at)
        assert "Compare query by query" in at.get("progress")[0].proto.text
        button(at, "Stop").click().run()
        go_on.set()
        wait()
        at.run()
        assert "was stopped" in words(at)
        assert Comparison(b.encoder_id).suited(a).kept(a) is None
        button(at, "Compute again").click().run()
        wait()
        at.run()
    finally:
        go_on.set()
        wait()
    assert not complaints(at)
    found = Comparison(b.encoder_id).suited(a).kept(a)
    assert f"mean over {len(of_level(found.tables['queries'], 'anatomy'))} queries" in html(at)


def test_numbers_are_written_with_their_sign():
    assert [signed(value) for value in (0.5, -0.5, -0.0001)] == ["+0.500", "−0.500", "0.000"]
    assert difference_text(-0.1, -0.2, 0.0) == "−0.100 (−0.200 to 0.000)"


def test_each_verdict_has_a_sign_of_its_own():
    table = pd.DataFrame(
        {
            "label": list("abcd"),
            **{"a": 0.5, "b": 0.5, "n_queries": 4, "n_patients": 2, "p_holm": np.nan},
            "difference": [0.2, 0.05, -0.2, 0.0],
            "low": [0.1, -0.1, -0.3, np.nan],
            "high": [0.3, 0.2, -0.1, np.nan],
        }
    )
    figure = difference_rows(table, k=1)
    signs = {trace.name: (trace.marker.symbol, list(trace.x)) for trace in figure.data[1:]}
    assert signs == {
        "no interval": ("x-thin-open", [0.0]),
        "not clear": ("circle-open", [0.05]),
        "A is better": ("triangle-left", [-0.2]),
        "B is better": ("triangle-right", [0.2]),
    }
    low, high = figure.layout.xaxis.range
    assert low == -high
    assert [trace.customdata for trace in figure.data[1:]] == [([3],), ([1],), ([2],), ([0],)]
