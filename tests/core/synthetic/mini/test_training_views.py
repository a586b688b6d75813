"""Views: of what is trained on alone, beside their image, from the cache the second time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.synthetic.mini import training_views as module
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.procedural import procedural_picture
from radcbir_core.synthetic.mini.training_views import SEED, STRENGTHS_OF_DRAWN, STRENGTHS_OF_REAL, make_views
from tests.core.synthetic.mini.examples import made_up


@pytest.fixture
def examples():
    """24 images, of which every fourth is validated on and half are phantoms."""
    made = made_up(4)
    return replace(made, sources=["mini-phantoms/phantoms" if row % 2 else "made/up" for row in range(len(made))])


def test_each_image_that_is_trained_on_has_its_views_beside_each_other(examples, tmp_path) -> None:
    found = make_views(examples, pictures=3, cache=tmp_path)
    of = [
        0 if examples.validation[row] else len(STRENGTHS_OF_DRAWN if row % 2 else STRENGTHS_OF_REAL)
        for row in range(len(examples))
    ]
    assert found.count.tolist() == of
    expected = [row for row in range(len(examples)) for _ in range(of[row])]
    assert found.rows.tolist() == [*expected, -1, -1, -1]
    assert found.pixels.shape == (len(expected) + 3, SIDE, SIDE)
    for row in range(len(examples)):
        assert found.first[row] == (-1 if examples.validation[row] else expected.index(row))
        if of[row]:
            first = found.pixels[found.first[row]]
            assert np.array_equal(first, examples.prepared[row]), "the first is the image as the encoder prepares it"
            assert not np.array_equal(first, found.pixels[found.first[row] + 1])
    assert np.array_equal(found.pixels[found.pictures[1]], procedural_picture(SEED, 1))


def test_views_are_made_once_and_again_when_an_image_changes(examples, tmp_path, monkeypatch) -> None:
    first = make_views(examples, pictures=0, cache=tmp_path)
    with monkeypatch.context() as context:
        context.setattr(module, "augment", lambda *_, **__: pytest.fail("they are in the cache"))
        again = make_views(examples, pictures=0, cache=tmp_path)
    assert np.array_equal(again.pixels, first.pixels)
    assert again.digest == first.digest
    pixels = examples.pixels.copy()
    pixels[0, 0, 0] ^= 255
    assert make_views(replace(examples, pixels=pixels), pictures=0, cache=tmp_path).digest != first.digest


def test_one_view_of_each_is_one_of_its_own(examples, tmp_path) -> None:
    found = make_views(examples, pictures=2, cache=tmp_path)
    rows = np.flatnonzero(~examples.validation).repeat(40)
    chosen = found.one_of_each(rows, np.random.default_rng(0))
    assert np.array_equal(found.rows[chosen], rows)
    assert {int(view) for view in chosen} == set(range(len(found) - 2)), "every view comes in time"
