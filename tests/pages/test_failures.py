"""The Failures page: its figures are those of the evaluations, and every state has a link."""

from __future__ import annotations

import json
import shutil
from itertools import product

import numpy as np
import pandas as pd
import pytest

from pages.parts.failures import confusion_figure
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import StorageError
from radcbir_core.evaluation.ahead import evaluated_ahead
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.mined_failures import KINDS, MinedFailures, failures_of
from radcbir_core.evaluation.reports.retrieval_confusion import RetrievalConfusion, standout_cell
from tests.pages.reading import cards, complaints, html, pairs, viewers, words

LABEL, HIT = "XR/chest/normal", "XR/chest/pneumonia"


@pytest.fixture
def store(copied_data):
    return open_collection("small").store("pixels")


def figures(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def button(at, label):
    return next(one for one in at.button if one.label.startswith(label))


def cell_of(store, label=LABEL, hit=HIT, **choices):
    cells = RetrievalConfusion(**choices).run(store).table
    return cells[(cells["label"] == label) & (cells["hit_label"] == hit)].iloc[0]


def test_the_square_and_the_table_are_the_evaluation(app, store) -> None:
    at = app("failures")
    assert not complaints(at)
    cells = RetrievalConfusion().run(store).table
    heat, points = figures(at)[0]["data"]
    assert len(points["hovertext"]) == len(cells)
    assert (heat["type"], points["type"]) == ("heatmap", "scatter"), "neither needs WebGL"
    shown = at.dataframe[0].value
    confused = cells[cells["label"] != cells["hit_label"]].head(len(shown))
    assert shown["label"].tolist() == confused["label"].tolist()
    assert shown["hit_label"].tolist() == confused["hit_label"].tolist()
    assert (shown["share"] / 100).tolist() == pytest.approx(confused["share"].tolist())
    assert (shown["chance"] / 100).tolist() == pytest.approx(confused["chance"].tolist())
    assert shown["n_patients"].tolist() == confused["n_patients"].tolist()
    assert "those without a relevant image left out" in words(at)
    row = standout_cell(cells)
    button(at, "What stands out").click().run()
    assert not complaints(at)
    assert at.query_params["label"] == row["label"]
    assert at.query_params["hit"] == row["hit_label"]
    assert pairs(at)


@pytest.mark.parametrize("level", ["modality", "anatomy"])
@pytest.mark.parametrize("figure", ["share", "lift", "n_hits"])
def test_it_can_be_collapsed_and_show_other_figures(app, store, level, figure) -> None:
    at = app("failures", level=level, figure=figure, weight="equal", k="3")
    assert not complaints(at)
    cells = RetrievalConfusion(level=level, k=3, weight="equal").run(store).table
    assert len(figures(at)[0]["data"][1]["hovertext"]) == len(cells)


def test_of_very_many_cells_those_of_most_hits_can_be_clicked() -> None:
    labels = [f"label {number:03d}" for number in range(70)]
    cells = pd.DataFrame(list(product(labels, labels)), columns=["label", "hit_label"])
    cells["n_hits"] = np.random.default_rng(0).permutation(len(cells)) + 1
    cells = cells.assign(share=0.5, chance=0.1, lift=5.0, n_queries=3)
    heat, points = confusion_figure.matrix(cells, labels, figure="n_hits").data
    clicked = points.customdata[:, 0]
    assert sorted(cells["n_hits"].iloc[clicked]) == list(
        range(len(cells) - confusion_figure.CLICKED + 1, len(cells) + 1)
    )
    line = int(clicked[17])
    x, y = int(points.x[17]), int(points.y[17])
    assert (labels[y], labels[x]) == (cells["label"][line], cells["hit_label"][line])
    assert np.all(heat.hovertext != ""), "each cell says what it is, whether it can be clicked or not"
    assert points.hovertext[17] == heat.hovertext[y, x]


def test_a_cell_opens_its_pairs_and_a_pair_opens_large(app, store) -> None:
    at = app("failures", label=LABEL, hit=HIT, order="rank")
    assert not complaints(at)
    shown = pairs(at)
    cell = cell_of(store)
    assert f"{LABEL} → {HIT}" in html(at)
    assert f"1 to {len(shown)} of {cell['n_hits']}" in words(at)
    manifest = store.collection.manifest
    labels = manifest.labels("label").text(range(len(manifest)))
    for query, hit in shown:
        assert (labels[query["row"]], labels[hit["row"]]) == (LABEL, HIT)
    ranks = [hit["rank"] for _, hit in shown]
    assert ranks == sorted(ranks)
    query, hit = shown[1]
    at = app("failures", label=LABEL, hit=HIT, order="rank", image=query["image_id"], beside=hit["image_id"])
    assert not complaints(at)
    assert f"Pair 2 of {cell['n_hits']}: rank {hit['rank']}, similarity {hit['similarity']}" in words(at)
    (shown_large,) = viewers(at)
    assert (shown_large["query"]["row"], shown_large["items"][0]["row"]) == (query["row"], hit["row"])
    button(at, "Next pair").click().run()
    assert at.query_params["image"] == shown[2][0]["image_id"]
    assert at.query_params["beside"] == shown[2][1]["image_id"]
    button(at, "Close the pair").click().run()
    assert "beside" not in at.query_params
    assert not viewers(at)
    button(at, "Close").click().run()
    assert "hit" not in at.query_params
    assert not pairs(at)


def test_pages_of_pairs_and_their_orders(app, store, monkeypatch) -> None:
    monkeypatch.setattr("pages.parts.failures.pair_rows.PAIRS_A_PAGE", 2)
    at = app("failures", label=LABEL, hit=HIT)
    similarities = [float(hit["similarity"]) for _, hit in pairs(at)]
    assert len(similarities) == 2
    at.button("radcbir:next-pairs").click().run()
    assert at.query_params["page"] == "2"
    similarities += [float(hit["similarity"]) for _, hit in pairs(at)]
    assert similarities == sorted(similarities, reverse=True)
    assert f"3 to 4 of {cell_of(store)['n_hits']}" in words(at)
    at = app("failures", label=LABEL, hit=HIT, order="query")
    assert not complaints(at)
    assert pairs(at)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"label": "none such", "hit": HIT}, "Expected label to be one of those there are, but label = none such"),
        ({"label": LABEL, "hit": "none such"}, "Expected hit to be one of those there are, but hit = none such"),
        ({"label": LABEL, "hit": HIT, "image": "no/such", "beside": "x"}, "no/such"),
        ({"weight": "heavy"}, "Expected weight to be one of those there are, but weight = heavy"),
        ({"view": "none"}, "Expected view to be one of those there are"),
    ],
)
def test_links_to_what_is_not_there_say_so(app, copied_data, query, said) -> None:
    assert said in complaints(app("failures", **query))


def test_a_pair_that_is_not_of_the_cell_says_so(app, store) -> None:
    ids = store.collection.manifest.rows([0, 30], ["image_id"])["image_id"].tolist()
    at = app("failures", label=LABEL, hit=HIT, image=ids[0], beside=ids[1])
    assert "Expected a pair of those below" in complaints(at)


def test_labels_of_which_no_hit_is_are_no_error(app, store) -> None:
    at = app("failures", label="CT/abdomen/cyst, simple", hit="MR/brain/腫瘍")
    assert not complaints(at)
    assert "under these choices" in words(at) or pairs(at)


def test_a_filter_that_nothing_passes_says_so(app, copied_data) -> None:
    at = app("failures", find="nothing has this")
    assert not complaints(at)
    assert "No pair of two labels has this text" in words(at)


# --- mined failures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_shows_its_images_in_their_order(app, store, kind) -> None:
    at = app("failures", view="mined", kind=kind)
    assert not complaints(at)
    result = MinedFailures().run(store)
    failures = failures_of(result, kind)
    figure = result.table.set_index("kind").loc[kind]
    assert f"{int(figure['n']):,} of {int(figure['n_images']):,} " in words(at)
    if not len(failures):
        assert "No image is a failure of this kind" in words(at)
        return
    if kind in {"hub", "anti-hub"}:
        shown = [card["row"] for card in cards(at)]
        assert shown == failures["row"].tolist()[:24]
        assert all("list" in card["note"] for card in cards(at))
    else:
        shown = [query["row"] for query, _ in pairs(at)]
        assert shown == failures["row"].tolist()[:12]
        assert all(query["note"] for query, _ in pairs(at))


def test_each_pair_shows_what_went_wrong(app, store) -> None:
    manifest = store.collection.manifest
    labels = manifest.labels("label").text(range(len(manifest)))
    suspects = failures_of(MinedFailures().run(store), "suspect").set_index("row")
    for query, hit in pairs(app("failures", view="mined", kind="suspect")):
        assert labels[hit["row"]] == suspects.loc[query["row"], "suggested"]
        assert suspects.loc[query["row"], "suggested"] in query["note"]
    for query, hit in pairs(app("failures", view="mined", kind="pathology")):
        assert hit["rank"] == 1
        assert labels[hit["row"]] != labels[query["row"]]
        assert labels[hit["row"]].split("/")[:2] == labels[query["row"]].split("/")[:2]


def test_mined_failures_are_filtered_sorted_and_paged(app, store) -> None:
    failures = failures_of(MinedFailures().run(store), "confident")
    label = failures["label"].value_counts().index[0]
    mine = failures[failures["label"] == label]["row"].tolist()
    at = app("failures", view="mined", label=label)
    assert not complaints(at)
    assert [query["row"] for query, _ in pairs(at)] == mine[:12]
    at = app("failures", view="mined", sort="least", where="modality=CT")
    modality = store.collection.manifest.column("modality")
    expected = [row for row in failures["row"].tolist()[::-1] if modality[row] == "CT"]
    assert [query["row"] for query, _ in pairs(at)] == expected[:12]
    at = app("failures", view="mined", page="2")
    assert [query["row"] for query, _ in pairs(at)] == failures["row"].tolist()[12:24]
    at.button("radcbir:first-pairs").click().run()
    assert [query["row"] for query, _ in pairs(at)] == failures["row"].tolist()[:12]
    at = app("failures", view="mined", where=["modality=CT", "anatomy=chest"])
    assert "No image passes these filters" in words(at)


def test_a_mined_pair_opens_large_by_its_link(app, store) -> None:
    query, hit = pairs(app("failures", view="mined"))[0]
    at = app("failures", view="mined", image=query["image_id"], beside=hit["image_id"])
    assert not complaints(at)
    assert "Pair 1 of" in words(at)
    assert viewers(at)[0]["names"] == ["Query", f"Hit, rank {hit['rank']}"]


def test_another_kind_begins_at_its_first_page(app, copied_data) -> None:
    at = app("failures", view="mined", page="2")
    next(box for box in at.segmented_control if box.label == "Kind of failure").set_value("suspect").run()
    assert "page" not in at.query_params
    assert not complaints(at)


# --- hubness ----------------------------------------------------------------------------------------------------------


def test_hubness_shows_its_figures_and_hubs(app, store) -> None:
    at = app("failures", view="hubness", k="5")
    assert not complaints(at)
    result = Hubness().run(store)
    facts, table = result.facts, result.table
    assert f"<b>{facts['cosine']['skewness']:.3f}</b>".replace("-", "−") in html(at)
    assert f"CSLS {facts['csls']['anti_hubs']}, mutual proximity {facts['mutual_proximity']['anti_hubs']}" in html(at)
    micro = table[(table["averaging"] == "micro") & (table["k"] == 5)].iloc[0]
    for column, name in (("csls", "CSLS"), ("mutual_proximity", "mutual proximity")):
        told = f"cosine {micro['cosine']:.3f}, {name} {micro[column]:.3f}, chance {micro['chance']:.3f}"
        assert told in html(at)
    bars = figures(at)[0]["data"]
    assert [one["name"] for one in bars] == ["by cosine", "by CSLS", "by mutual proximity", "by chance"]
    images = result.tables["images"].sort_values(["cosine", "row"], ascending=[False, True])
    shown = cards(at)
    assert [card["row"] for card in shown] == images["row"].tolist()[:24]
    first = images.iloc[0]
    told = f"in {first['cosine']} lists, {first['bad']} as not relevant; CSLS {first['csls']}, "
    assert shown[0]["note"] == f"{told}MP {first['mutual_proximity']}"
    labels = table[(table["averaging"] == "label") & (table["k"] == 5)]
    both = ["csls_difference", "mutual_proximity_difference"]
    assert at.dataframe[0].value[both].abs().iloc[0].max() == pytest.approx(labels[both].abs().max(axis=None))


def test_figures_that_cannot_be_kept_are_shown_all_the_same(app, store, monkeypatch) -> None:
    def refused(*_kept, **_described):
        raise StorageError("Expected permission to read and write here, but it was refused. Change it: /srv/x")

    evaluation = Hubness().suited(store)
    shutil.rmtree(evaluation.folder(store), ignore_errors=True)  # another test may have kept it before it was copied
    expected = evaluation.compute(store)
    monkeypatch.setattr("radcbir_core.evaluation.evaluation.write_result", refused)
    at = app("failures", view="hubness")
    assert not complaints(at)
    assert f"<b>{expected.facts['cosine']['skewness']:.3f}</b>".replace("-", "−") in html(at)
    assert "These figures could not be kept in small" in html(at)
    assert "/srv/x" not in html(at)


def test_hubs_are_sorted_and_paged_by_their_link(app, store) -> None:
    images = Hubness().run(store).tables["images"]
    images = images[images["bad"] > 0].sort_values(["bad", "cosine", "row"], ascending=[False, False, True])
    at = app("failures", view="hubness", sort="bad", page="2")
    assert not complaints(at)
    assert [card["row"] for card in cards(at)] == images["row"].tolist()[24:48]


@pytest.mark.parametrize("view", ["confusion", "mined", "hubness"])
def test_without_labels_each_view_says_what_is_missing(app, copied_data, view) -> None:
    from tests.pages.test_pathology import change_manifest, without

    change_manifest(copied_data, lambda table: without(table, "pathologies"))
    at = app("failures", view=view)
    assert not complaints(at)
    assert "has a known full label" in words(at)


@pytest.mark.parametrize("view", ["confusion", "mined", "hubness"])
def test_without_a_split_each_view_says_what_is_missing(app, copied_data, view) -> None:
    from tests.pages.test_pathology import change_manifest, without

    change_manifest(copied_data, lambda table: without(table, "split"))
    at = app("failures", view=view, protocol="split")
    assert not complaints(at)
    assert "The split protocol needs images of split train" in words(at)


@pytest.mark.parametrize(
    ("page", "view", "kind"),
    [
        *(("failures", view, view) for view in ("confusion", "slices", "hubness")),
        ("failures", "mined", "failures"),
        *(("pathology", view, view) for view in ("leakage", "subgroups")),
    ],
)
def test_what_a_build_evaluates_ahead_is_what_the_view_asks_for(app, copied_data, monkeypatch, page, view, kind):
    """As it is opened first: nothing is computed then, and nothing is offered to be."""
    monkeypatch.setattr("radcbir_core.evaluation.ahead.AHEAD_FROM", 60)
    store = open_collection("small").store("pixels")
    evaluation = next(one for one in evaluated_ahead(store) if one.kind == kind)
    evaluation.run(store)
    monkeypatch.setattr(type(evaluation), "compute", None)  # it must not be called again
    at = app(page, view=view)
    assert not complaints(at)
    assert not any(button.label == "Compute" for button in at.button)


def test_of_a_label_with_very_many_queries_a_part_is_looked_up_and_it_says_so(app, store, monkeypatch) -> None:
    monkeypatch.setattr("pages.parts.failures.looked_up.MOST_QUERIES", 3)
    at = app("failures", label=LABEL, hit=HIT)
    assert not complaints(at)
    n_queries = int((store.collection.manifest.labels("label").codes == labels_of(store).index(LABEL)).sum())
    assert f"3 of the {n_queries} queries of this label were looked up" in words(at)
    assert len({query["row"] for query, _ in pairs(at)}) <= 3


def labels_of(store):
    return list(store.collection.manifest.labels("label").values)


def test_hits_are_looked_up_for_those_that_are_shown_alone(app, store, monkeypatch) -> None:
    from radcbir_core.evaluation.view import GalleryView

    MinedFailures().suited(store).run(store)
    asked = []
    hits = GalleryView.hits
    monkeypatch.setattr(
        GalleryView, "hits", lambda view, *args, **more: (asked.append(len(view.queries)), hits(view, *args, **more))[1]
    )
    at = app("failures", view="mined")
    assert not complaints(at)
    assert asked == [len(pairs(at))]
