"""What the Map can be colored by: any column of the manifest, and figures of every image."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from pages.parts.evaluation import runs
from pages.parts.map.point_colors import NO_NUMBER
from radcbir_core.collections.artifacts import EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.hubness import Hubness
from tests.pages.conftest import wait
from tests.pages.reading import chart, complaints, html, words
from tests.pages.test_map import choose, colors, names
from tests.pages.test_pathology import change_manifest
from tests.stale import forget


@pytest.fixture
def richer(app, copied_data):
    """The collection with further columns: numbers as text, a few words, lists, and one of the name of a figure."""

    def change(table):
        number = len(table)
        columns = {
            "age": [str(20 + row) if row % 7 else "" for row in range(number)],
            "sex": ["F" if row % 2 else "M" for row in range(number)],
            "findings": pa.array([["a", "b"][: row % 3] for row in range(number)], pa.list_(pa.string())),
            "seen": ["yes" if row < 5 else "no" for row in range(number)],
            "nothing": [""] * number,
        }
        for name, values in columns.items():
            table = table.append_column(name, pa.chunked_array([values]) if isinstance(values, pa.Array) else [values])
        return table

    change_manifest(copied_data, change)
    return open_collection("small")


def options(at):
    return next(box for box in at.selectbox if box.label == "Color by").options


def test_every_column_that_says_something_is_offered(app, richer) -> None:
    offered = options(app("map"))
    assert offered[:3] == ["Anatomy", "Pathology", "Modality"]
    assert {"P@k", "k-occurrence", "Neighborhood preservation"} <= set(offered)
    assert offered[-4:] == ["Age", "Sex", "Findings", "Seen"]
    assert "Nothing" not in offered
    assert not {"Image id", "Path", "Sha256", "Caption"} & set(offered)


def test_words_are_categories_that_can_be_counted_in_a_selection(app, richer) -> None:
    at = app("map", color="sex", select="box:-9999,-9999,9999,9999")
    assert not complaints(at)
    assert names(at) == {"F": 30, "M": 31}
    counted = next(box for box in at.segmented_control if box.label == "Labels of the selection")
    assert counted.value == "sex"
    assert "<span>F</span>" in html(at)


def test_lists_are_as_pathologies(app, richer) -> None:
    at = app("map", color="findings")
    assert not complaints(at)
    assert names(at) == {"a": 20, "several at once": 20, "no findings": 21}


def test_numbers_are_a_scale(app, richer) -> None:
    at = app("map", color="age", select="box:-9999,-9999,9999,9999")
    assert not complaints(at)
    shown = chart(at)["colors"]
    assert (shown["kind"], shown["title"], shown["low"], shown["high"]) == ("values", "Age", 21, 80)
    expected = [round((row - 1) / 59 * 254) if row % 7 else NO_NUMBER for row in range(61)]
    assert colors(at).tolist() == expected
    counted = next(box for box in at.segmented_control if box.label == "Labels of the selection")
    assert "Age" not in counted.options


def test_a_column_of_the_name_of_a_figure_is_told_from_it(app, richer) -> None:
    at = app("map", color="column:seen")
    assert not complaints(at)
    assert names(at) == {"yes": 5, "no": 56}


def test_neighborhood_preservation_is_that_of_the_map(app) -> None:
    at = app("map", color="preservation")
    assert not complaints(at)
    expected = open_collection("small").store("pixels").projection()["preservation"].to_numpy()
    assert chart(at)["colors"]["title"] == "Neighborhood preservation"
    np.testing.assert_allclose(colors(at) / 254, expected, atol=0.5 / 254 + 1e-6)


def test_k_occurrence_is_that_of_hubness_and_computed_by_a_job(app, copied_data, in_threads, monkeypatch) -> None:
    store = open_collection("small").store("pixels")
    forget(store, EVALUATION)
    shutil.rmtree(store.evaluation_folder)
    monkeypatch.setattr(runs, "QUICK_IMAGES", 1)
    at = app("map", color="k-occurrence")
    assert not complaints(at)
    assert "The k-occurrence of every image has not been computed yet" in words(at)
    assert chart(at)["colors"]["title"] == "Anatomy"
    next(one for one in at.button if one.label == "Compute").click().run()
    wait()
    at.run()
    assert not complaints(at)
    result = Hubness().suited(store).kept(store)
    hub, images = result.facts["cosine"]["hub"], result.tables["images"]
    assert (chart(at)["colors"]["low"], chart(at)["colors"]["high"]) == (0, hub)
    expected = np.full(61, NO_NUMBER)
    expected[images["row"]] = np.rint(np.clip(images["cosine"] / hub, 0, 1) * 254)
    assert colors(at).tolist() == expected.tolist()
    assert f"Hubs, in {hub} list" in words(at)
    choose(at, "Color by", "split")
    assert not complaints(at)
