"""Maps over their images: at the right place, in colors that mean something, and no image where there is no map."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.drawing import (
    ABOVE,
    BELOW,
    OUTLINE,
    SIDE,
    as_png,
    edge_of,
    for_drawing,
    on_image,
    overlay,
    scale_of,
    side_by_side,
)
from radcbir_core.explanation.explaining import Explanation, Side, explain_pair
from radcbir_core.explanation.hiding_check import Check
from tests.core.explanation.made_encoders import PLACES, sharing_one_place


def explanation(values: np.ndarray, box=(0, 0, 4, 4), method="occlusion", image=(4, 4)) -> Explanation:
    side = Side(values, box, image, np.zeros(values.shape, dtype=bool), (Check(0.1, np.zeros(3), 0.1, "mean"),))
    return Explanation("made", method, 0.5, (side, side))


def test_colors_say_the_sign_and_strength_the_size() -> None:
    values = np.array([[0.2, -0.2], [0.0, 0.1]])
    made = overlay(np.zeros((4, 4), dtype=np.uint8), explanation(values), 0, opacity=1)
    assert made.shape == (4, 4, 3)
    assert made[0, 0].tolist() == list(ABOVE)
    assert made[0, 3].tolist() == list(BELOW)
    assert made[3, 0].tolist() == [0, 0, 0]
    assert made[3, 3].tolist() == [round(part / 2) for part in ABOVE]
    plain = overlay(np.full((4, 4), 90, dtype=np.uint8), explanation(values), 0, opacity=0)
    assert (plain == 90).all()


def test_what_the_encoder_does_not_see_is_darker() -> None:
    made = overlay(np.full((4, 8), 100, dtype=np.uint8), explanation(np.zeros((2, 2)), (0, 2, 4, 6), image=(4, 8)), 1)
    assert made[0, :, 0].tolist() == [40, 40, 100, 100, 100, 100, 40, 40]


def test_patches_have_the_scale_of_their_cosines() -> None:
    values = np.array([[0.4, 0.9]])
    assert scale_of(explanation(values, method="patches")) == (0.4, 0.9)
    assert scale_of(explanation(-values)) == (0, 0.9)
    made = overlay(np.zeros((4, 4), dtype=np.uint8), explanation(values, method="patches"), 0, opacity=1)
    assert made[0, [0, 3]].tolist() == [[0, 0, 0], list(ABOVE)]
    assert not overlay(np.zeros((4, 4), dtype=np.uint8), explanation(np.zeros((2, 2))), 0).any()


def test_a_map_lies_where_the_input_lay() -> None:
    assert on_image(np.eye(2), (-2, 0, 6, 4), height=4, width=4).tolist() == [[1, 1, 0, 0]] * 2 + [[0, 0, 1, 1]] * 2
    found = on_image(np.arange(6.0).reshape(2, 3), (1, 1, 3, 4), height=4, width=5)
    assert found[1:3, 1:4].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.isnan(found).sum() == 20 - 6


def test_the_highlighted_area_has_an_outline() -> None:
    made = explanation(np.zeros((8, 8)), (0, 0, 8, 8), image=(8, 8))
    area = np.zeros((8, 8), dtype=bool)
    area[2:6, 2:6] = True
    made = replace(made, sides=(replace(made.sides[0], area=area), made.sides[1]))
    drawn = overlay(np.zeros((8, 8), dtype=np.uint8), made, 0)
    assert np.array_equal((drawn == OUTLINE).all(axis=2), edge_of(area))
    assert edge_of(area).sum() == 12


def test_a_smaller_picture_of_the_image_has_the_map_at_the_same_place() -> None:
    made = explanation(np.eye(2), (0, 0, 8, 8), image=(8, 8))
    small = overlay(np.zeros((4, 4), dtype=np.uint8), made, 0, opacity=1)
    assert [small[1, 1].tolist(), small[1, 2].tolist(), small[2, 2].tolist()] == [list(ABOVE), [0] * 3, list(ABOVE)]


@pytest.mark.parametrize("large", [False, True])
def test_both_images_in_one_picture(large) -> None:
    one, other = sharing_one_place()
    made = explain_pair(load_encoder("pixels"), one, other)
    wide = np.repeat(np.repeat(other, 40, axis=0), 60, axis=1) if large else other
    if large:
        made = explain_pair(load_encoder("pixels"), one, wide)
    picture = side_by_side(one, wide, made, opacity=0.8)
    assert picture.shape == ((480, 32 + 16 + SIDE, 3) if large else (32, 80, 3))
    y, x = PLACES[0]
    assert picture[y + 3, x + 3, 0] > picture[y + 3, x + 3, 2], "orange"
    with Image.open(io.BytesIO(as_png(picture))) as read:
        assert np.array_equal(np.asarray(read), picture)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1440, 720), (720, 360)), ((30, 60, 3), (180, 360, 3)), ((500, 400), (500, 400))]
)
def test_the_size_at_which_it_is_drawn(shape, expected) -> None:
    assert for_drawing(np.zeros(shape, dtype=np.uint8)).shape == expected
    assert for_drawing(np.zeros((4000, 1), dtype=np.uint8)).shape == (720, 1)
