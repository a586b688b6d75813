"""What is done with a selection on the map: its figures, and the pages that look at its images alone."""

from __future__ import annotations

import re
import shutil
from html import unescape
from urllib.parse import parse_qs

import numpy as np
import pytest

from pages.parts.images import outlines
from pages.parts.map import selection_panel
from pages.parts.map.coloring import OTHERS
from pages.parts.map.opened_map import OpenedMap
from pages.parts.map.point_colors import CategoryColors, Entry
from radcbir_core.collections.artifacts import EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import clusters_of
from radcbir_core.evaluation.reports.mined_failures import KINDS, MinedFailures, failures_of, is_of_kind, rate_within
from radcbir_core.evaluation.reports.precision import Precision, of_level
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, chart, complaints, html, pairs, words
from tests.stale import forget


@pytest.fixture
def store(app):
    return open_collection("small").store("pixels")


def box_of(store, rows):
    places = store.projection()
    x, y = (places[name].to_numpy()[rows] for name in ("x", "y"))
    return f"box:{x.min() - 0.001:.3f},{y.min() - 0.001:.3f},{x.max() + 0.001:.3f},{y.max() + 0.001:.3f}"


def rows_in(store, *texts):
    """By every point and outline, one after the other."""
    places = store.projection()
    chosen = set()
    for text in texts:
        outline = outlines.from_text(text)
        found = outlines.inside(outline, places["x"].to_numpy(), places["y"].to_numpy())
        rows = set(np.flatnonzero(found).tolist())
        chosen = chosen - rows if outline.takes_away else chosen | rows
    return sorted(chosen)


def brain(store):
    return box_of(store, np.flatnonzero(store.collection.manifest.mask({"anatomy": ["brain"]})))


def button(at, label):
    return next(one for one in at.button if one.label.startswith(label))


def links(at):
    """Label → page and query of the links."""
    return {link.proto.label: (link.proto.page, link.proto.query_string) for link in at.get("page_link")}


def test_precision_inside_stands_beside_that_of_all(app, store) -> None:
    result = Precision().suited(store).run(store)
    queries, means = of_level(result.tables["queries"], "label"), result.tables["means"]
    rows = rows_in(store, brain(store))
    mine = queries[queries["row"].isin(rows) & queries["p@3"].notna()]
    bounds = mean_intervals(
        mine[["p@3"]].to_numpy(), np.zeros(len(mine), int), clusters=clusters_of(store)[mine["row"]], n_labels=1
    )
    everyone = means[(means["level"] == "label") & (means["k"] == 3) & (means["averaging"] == "micro")].iloc[0]
    at = app("map", select=brain(store), color="p@k", k="3")
    assert not complaints(at)
    said = html(at)
    assert f"<span>P@3 inside</span><b>{mine['p@3'].mean():.3f}</b>" in said
    assert f"95 % interval {bounds.micro[0, 0]:.3f} to {bounds.micro[0, 1]:.3f}" in said
    assert f"<span>P@3 of all</span><b>{everyone['precision']:.3f}</b>" in said


def test_precision_that_is_not_kept_is_a_click_away(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    forget(store, EVALUATION)
    shutil.rmtree(store.evaluation_folder)
    at = app("map", select=brain(store))
    assert not complaints(at)
    assert "P@10 inside</span>" not in html(at)
    button(at, "P@10 inside: not computed yet").click().run()
    assert not complaints(at)
    assert "<span>P@10 inside</span>" in html(at)


def test_the_panel_leads_to_the_pages_that_look_at_these_images_alone(app, store) -> None:
    at = app("map", select=brain(store), where="split=test", image=store.collection.manifest.record(3)["image_id"])
    assert not complaints(at)
    page, query = links(at)["Search within"]
    assert page == "retrieval"
    assert "select=box%3A" in query
    assert "where=split%3Dtest" in query
    assert "chest_03" in query
    page, query = links(at)["Open on Failures"]
    assert page == "failures"
    assert "view=mined" in query
    assert "select=box%3A" in query


def test_categories_shown_alone_go_along_where_a_filter_says_the_same(app, store) -> None:
    everything = box_of(store, np.arange(61))
    at = app("map", select=everything, color="modality", only="CT")
    assert not complaints(at)
    assert "where=modality%3DCT" in links(at)["Search within"][1]
    manifest = store.collection.manifest
    assert selection_panel.as_filter(manifest, "split", []) == []
    assert selection_panel.as_filter(manifest, "split", ["train", "no split"]) == ["split=train", "split="]
    # The filter takes in all values of one column, so that what holds with the categories stands for both.
    before, both = ["split=train", "modality=CT", "split=test"], ["train", "no split"]
    assert selection_panel.as_filter(manifest, "split", [], before=before) == before
    assert selection_panel.as_filter(manifest, "split", both, before=before) == ["modality=CT", "split=train"]
    assert selection_panel.as_filter(manifest, "split", both[:1], before=before[1:2]) == ["modality=CT", "split=train"]
    at = app("map", select=everything, color="modality", only="CT", where=["modality=CT", "modality=MR"])
    assert not complaints(at)
    (number,) = re.findall("<b>([0-9]+)</b> of [0-9]+ selected", html(at))
    for label in ("Search within", "Open on Failures"):
        asked = parse_qs(links(at)[label][1])
        assert asked["where"] == ["modality=CT"]
        mask = store.collection.manifest.mask({"modality": ["CT"]})
        assert int(number) == np.count_nonzero(mask[rows_in(store, asked["select"][0])])
    # Images that have this pathology alone are no filter: it takes in those that have others as well.
    assert selection_panel.as_filter(manifest, "pathologies", ["normal"]) is None
    assert selection_panel.as_filter(manifest, "", ["seen in training"]) is None
    at = app("map", select=everything, color="pathologies", only="normal")
    assert not complaints(at)
    assert "Search within" not in links(at)


def test_a_filter_for_images_without_a_value_is_understood_on_other_pages(app, store) -> None:
    at = app("retrieval", image=store.collection.manifest.record(0)["image_id"], where="split=", k="60", exclude="none")
    assert not complaints(at)
    assert not cards(at)  # every image has a split
    assert "No image is left to be a hit" in html(at)


def test_the_table_of_a_selection_has_what_is_known_of_each_image(app, store) -> None:
    Precision().suited(store).run(store)
    rows = np.array([5, 2, 60])
    table = selection_panel.selection_table(OpenedMap(store.collection, "pixels"), rows)
    records = [store.collection.manifest.record(int(row)) for row in rows]
    for column in selection_panel.CSV_COLUMNS:
        assert table[column].tolist() == [record[column] for record in records]
    assert table["x"].tolist() == store.projection()["x"].iloc[rows].tolist()
    precision = of_level(Precision().suited(store).run(store).tables["queries"], "label").set_index("row")["p@10"]
    for value, row in zip(table["p@10"], rows.tolist(), strict=True):
        assert value == pytest.approx(precision.get(row, np.nan), nan_ok=True)


# --- Retrieval --------------------------------------------------------------------------------------------------------


def test_hits_are_of_the_selection_alone_until_it_is_let_go(app, store) -> None:
    image_id = store.collection.manifest.record(0)["image_id"]
    everything = box_of(store, np.arange(61))
    texts = [everything, "-" + brain(store)]
    rows = rows_in(store, *texts)
    assert 10 < len(rows) < 61
    at = app("retrieval", image=image_id, select=texts, k="60", exclude="none")
    assert not complaints(at)
    shown = [card["row"] for card in cards(at)]
    assert set(shown) == set(rows) - {0}
    among = np.zeros(61, dtype=bool)
    among[rows] = True
    assert shown == Retriever(store.collection, "pixels").search(0, k=60, among=among).rows().tolist()
    assert f"Only the {len(rows)} images selected on the map." in words(at) + html(at)
    assert links(at)["Show on the map"][0] == "map"
    button(at, f"On the map ({len(rows)})").click().run()
    assert not complaints(at)
    assert "select" not in at.query_params
    assert len(cards(at)) == 60


def test_the_images_to_choose_a_query_from_are_those_of_the_selection(app, store) -> None:
    at = app("retrieval", select=brain(store))
    assert not complaints(at)
    assert {card["row"] for card in cards(at)} == set(rows_in(store, brain(store)))


@pytest.mark.parametrize(
    ("select", "said"),
    [("circle:1,2", "but select = circle:1,2. It is left out"), ("image:nope", "image_id = 'nope' is not in it")],
)
def test_a_broken_selection_is_said_and_all_is_searched(app, store, select, said) -> None:
    at = app("retrieval", image=store.collection.manifest.record(0)["image_id"], select=select)
    assert said in complaints(at)
    assert cards(at)


def test_without_a_map_there_is_no_selection(app, copied_data) -> None:
    store = open_collection("small").store("pixels")
    text = brain(store)
    (copied_data / "encoders" / "pixels" / "projection.parquet").unlink()
    at = app("retrieval", image=store.collection.manifest.record(0)["image_id"], select=text)
    assert "Expected a map of small by pixels" in complaints(at)
    assert cards(at)


# --- Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_mined_failures_of_a_selection_are_those_of_its_images(app, store, kind) -> None:
    result = MinedFailures().suited(store).run(store)
    rows = rows_in(store, brain(store))
    chosen = np.zeros(61, dtype=bool)
    chosen[rows] = True
    failures = [row for row in failures_of(result, kind)["row"].tolist() if chosen[row]]
    at = app("failures", view="mined", kind=kind, select=brain(store))
    assert not complaints(at)
    shown = [card["row"] for card in cards(at)] if "hub" in kind else [query["row"] for query, _ in pairs(at)]
    assert shown == failures[: 24 if "hub" in kind else 12]
    if not failures:
        assert "No image that was selected on the map is a failure of this kind" in words(at)
    rate = rate_within(result, kind, chosen, clusters=clusters_of(store))
    assert f"Of the {len(rows)} images selected on the map alone: {rate.n} of {rate.n_images} " in words(at)
    images = result.tables["images"]
    numbers = {
        name: int((is_of_kind(images, name, hub=result.facts["hub"]) & chosen[images["row"]]).sum()) for name in KINDS
    }
    control = next(one for one in at.segmented_control if one.label == "Kind of failure")
    assert control.options == [f"{KINDS[name].name} ({number})" for name, number in numbers.items()]


def test_a_bar_has_the_color_that_its_value_has_on_the_map(app) -> None:
    """Values whose color a more frequent one has are drawn as others, and so are their bars."""
    for column in ("anatomy", "modality", "pathologies", "split"):
        at = app("map", color=column)
        assert not complaints(at)
        told = chart(at)
        drawn = {e["name"]: told["theme"]["others"] if e["folded"] else e["color"] for e in told["colors"]["legend"]}
        row = re.compile('<td title="([^"]+)">[^<]*</td><td class="number">[^<]*</td>.*?background:(#[0-9A-Fa-f]{6})"')
        bars = {unescape(value): color for value, color in row.findall(html(at))}
        assert bars
        assert bars == {value: drawn[value] for value in bars}


def test_what_is_folded_has_the_color_of_the_others() -> None:
    chest, heart = Entry("chest", "#111111", 9), Entry("heart", "#111111", 2, folded=True)
    legend = (chest, heart, Entry("none", "#222222", 1, known=False))
    drawn = CategoryColors("Anatomy", np.repeat([0, 1, 2], [9, 2, 1]).astype(np.uint8), legend, "")
    colors = selection_panel.as_drawn(drawn, ["chest", "heart", "rare", "none"])
    assert colors == {"chest": "#111111", "heart": OTHERS, "rare": OTHERS, "none": OTHERS}
