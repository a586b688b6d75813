"""Places of a map of three dimensions, turned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pages.parts.images.map_selection import MapName, of_map, on_map
from pages.parts.images.turning import turn_of, turned
from pages.parts.map.layout import layout_of


@pytest.mark.parametrize("turn", [(0, 0), (30, -20), (-180, 90), (90, 45)])
def test_places_are_turned_about_the_axis_up_and_then_about_the_axis_right(turn):
    places = np.random.default_rng(0).normal(size=(50, 3))
    places[7] = np.nan
    expected = Rotation.from_euler("yx", turn, degrees=True).apply(places)
    right, up = turned(*places.T, turn)
    np.testing.assert_allclose(right, expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(up, expected[:, 1], atol=1e-5)
    assert right.dtype == up.dtype == np.float32


def test_a_view_is_two_whole_degrees():
    assert turn_of("180", "-90") == (180, -90)
    for wrong in (("181", "0"), ("0", "-91"), ("1.5", "0"), ("", "0")):
        assert turn_of(*wrong) is None


def test_an_outline_says_from_which_side_it_was_drawn():
    on, plain = of_map("-/deep/30/-20@box:0,0,1,1")
    assert (on, plain) == (MapName("", "deep", (30, -20)), "-box:0,0,1,1")
    assert on_map(on, plain) == "-/deep/30/-20@box:0,0,1,1"
    assert str(MapName("pixels", "standard", (1, 0))) == "pixels/standard/1/0"
    assert MapName.of("pixels/standard/1/0") == MapName("pixels", "standard", (1, 0))
    for wrong in ("/deep/30", "/deep/30/-20/1", "/deep/300/0"):
        assert MapName.of(wrong).encoder_id == wrong


def test_steps_hold_the_points_from_any_side():
    places = np.random.default_rng(1).normal(size=(300, 3)) * [1, 5, 2]
    places[3] = np.nan
    found = layout_of(*places.T)
    assert found.steps.shape == (3, 299)
    back = found.steps.T * found.step + np.array(found.origin)
    np.testing.assert_allclose(back, places[found.rows], atol=found.step)
    reach = np.linalg.norm(found.steps.astype(float), axis=0)
    assert 32_766 <= reach.max() <= 32_768
    assert found.all == pytest.approx((-32_767, -32_767, 32_767, 32_767), abs=1)
    assert len(found.sent) == 6 * 299
    assert not len(layout_of(*np.full((3, 4), np.nan)).rows)
