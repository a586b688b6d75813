"""What may be chosen of a map, and what is refused."""

from __future__ import annotations

import re

import pytest

from radcbir_core.projection.map_options import MapOptions


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"n_neighbors": 1}, "Expected a number from 2 to 100, but n_neighbors = 1. Use 15."),
        ({"n_neighbors": 101}, "Expected a number from 2 to 100, but n_neighbors = 101. Use 15."),
        ({"min_dist": 1.5}, "Expected a distance from 0 to 1, but min_dist = 1.5. Use 0.1."),
        ({"dimensions": 1}, "Expected 2 or 3, but dimensions = 1. Use 2."),
        ({"seed": -1}, "Expected a seed from 0 to 2**32 - 1, but seed = -1. Use 0."),
        ({"most_drawn": 99}, "Expected at least 100 images, but most_drawn = 99. Use 200000."),
    ],
)
def test_what_is_out_of_range_is_refused(named, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MapOptions(**named)


def test_options_come_back_as_they_were_recorded():
    options = MapOptions(n_neighbors=50, min_dist=0.0, dimensions=3, seed=7, most_drawn=1000, parallel=True)
    assert MapOptions.from_json(options.to_json()) == options


def test_what_a_record_does_not_say_or_says_wrongly_is_as_by_default():
    assert MapOptions.from_json({}) == MapOptions()
    assert MapOptions.from_json({"seed": 5, "umap": "0.5.12", "start": "random"}) == MapOptions(seed=5)
    assert MapOptions.from_json({"min_dist": 1, "seed": 3}) == MapOptions(min_dist=1, seed=3)
    assert MapOptions.from_json({"n_neighbors": "15", "dimensions": True, "seed": 2}) == MapOptions(seed=2)
    assert MapOptions.from_json({"n_neighbors": 5000, "seed": 2}) == MapOptions()
