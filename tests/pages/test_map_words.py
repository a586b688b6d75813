"""What is said of how a map was made."""

from __future__ import annotations

from pages.parts.map.map_words import made_with
from radcbir_core.projection.map_options import MapOptions

FACTS = {**MapOptions().to_json(), "umap": "0.5.7", "start": "spectral", "drawn": 61}


def test_all_that_is_recorded_is_said():
    assert made_with("standard", FACTS, images=61) == (
        "Map: 15 images in a neighborhood, least distance 0.1, seed 0, umap-learn 0.5.7. It started from the slowest "
        "diffusion coordinates of the neighbor graph."
    )
    deep = FACTS | {"dimensions": 3, "parallel": True, "start": "landmarks", "drawn": 200_000}
    assert made_with("deep", deep, images=1_600_000) == (
        "Map deep: 15 images in a neighborhood, least distance 0.1, seed 0, three dimensions, on all cores, umap-learn "
        "0.5.7. It started from steps to landmarks in the neighbor graph, since its diffusion coordinates took more "
        "work than is allowed. 200,000 of 1,600,000 images, drawn by label, were laid out first; the others then "
        "joined in."
    )


def test_of_what_is_not_recorded_nothing_is_said():
    assert made_with("standard", {}, images=61) == ""
    assert made_with("standard", {"umap": "0.5.7"}, images=61) == "Map: umap-learn 0.5.7."


def test_an_image_without_a_place_is_not_said_to_have_joined_in():
    assert "joined" not in made_with("standard", FACTS, images=61)
    assert "61 of 62 images, drawn by label, were laid out first" in made_with("standard", FACTS, images=62)
