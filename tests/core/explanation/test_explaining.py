"""Why these two: the methods, which is taken, and what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, ImageError, QueryError, StaleError
from radcbir_core.explanation.explaining import METHODS, STEP, checked_method, explain_pair, explain_rows
from tests.core.explanation.made_encoders import PATCH, PLACES, Bright, Constant, Patches, sharing_one_place


def test_occlusion_points_at_what_is_shared_on_both_images_and_passes() -> None:
    told = []
    images = sharing_one_place()
    made = explain_pair(load_encoder("pixels"), *images, progress=lambda *given: told.append(given))
    assert (made.method, made.encoder_id, made.explains) == ("occlusion", "pixels", True)
    centered = [image.astype(float).ravel() - image.mean() for image in images]
    cosine = centered[0] @ centered[1] / np.linalg.norm(centered[0]) / np.linalg.norm(centered[1])
    assert made.similarity == pytest.approx(cosine, abs=1e-6)
    assert told[0][:2] == (STEP, 0)
    assert told[-1][1] == told[-1][2] == 2 * 15 * 15 + 400
    y, x = PLACES[0]
    for side in made.sides:
        assert {check.fill for check in side.checks} == {"mean", "blur"}
        assert side.checks[0].fill == made.fill
        assert side.area[y + 1 : y + PATCH - 1, x + 1 : x + PATCH - 1].all()
        assert side.box == (0, 0, 32, 32)
    again = explain_pair(load_encoder("pixels"), *images)
    assert all(np.array_equal(one.values, two.values) for one, two in zip(made.sides, again.sides, strict=True))
    assert [c.beaten for s in again.sides for c in s.checks] == [c.beaten for s in made.sides for c in s.checks]


def test_an_encoder_that_sees_nothing_has_an_empty_map_and_cannot_tell() -> None:
    made = explain_pair(Constant(), *sharing_one_place())
    assert made.similarity == 1
    for side in made.sides:
        assert not side.values.any()
        assert not side.area.any()
        assert side.verdict == "cannot tell"
    assert not made.explains


def test_patches_are_taken_where_they_explain_and_passed_over_where_not() -> None:
    images = sharing_one_place()
    found = explain_pair(Patches(), *images)
    assert (found.method, found.grid, found.squares, found.explains) == ("patches", (8, 8), None, True)
    forced = explain_pair(Patches(), *images, method="patches")
    assert forced.method == "patches"
    assert all(-1 <= side.values.min() <= side.values.max() <= 1 for side in forced.sides)
    instead = explain_pair(Bright(), *images)
    assert instead.method == "occlusion"
    assert instead.passed_over is not None
    assert (instead.passed_over.method, instead.passed_over.explains) == ("patches", False)
    assert explain_pair(Bright(), *images, method="occlusion").passed_over is None


def test_too_few_patches_are_taken_only_when_asked_for() -> None:
    encoder = Patches()
    encoder.a_side = 4
    images = sharing_one_place()
    made = explain_pair(encoder, *images)
    assert (made.method, made.passed_over) == ("occlusion", None)
    assert explain_pair(encoder, *images, method="patches").grid == (4, 4)


def test_a_vision_transformer_gives_both(mini) -> None:
    encoder = load_encoder("radcbir-mini", device="cpu")
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((40, 30), (30, 50, 3))]
    by_patches = explain_pair(encoder, *images, method="patches")
    assert by_patches.grid == (4, 4)
    tall, wide = by_patches.sides
    assert np.isnan(tall.values[:, 0]).all()
    assert not np.isnan(tall.values[:, 16]).any()
    assert np.isnan(wide.values[0]).all()
    made = explain_pair(encoder, *images, method="occlusion")
    for side in made.sides:
        assert np.isfinite(side.values[16, 16])
        assert not (side.area & np.isnan(side.values)).any()


def test_what_is_refused() -> None:
    encoder, (one, other) = load_encoder("pixels"), sharing_one_place()
    with pytest.raises(QueryError, match="Expected a method of auto, occlusion, patches, but method = 'magic'"):
        explain_pair(encoder, one, other, method="magic")
    with pytest.raises(EncoderError, match="Expected an encoder that says what it makes of each patch, but pixels"):
        explain_pair(encoder, one, other, method="patches")
    with pytest.raises(QueryError, match="that pixels can make something of, but the hit is uniform"):
        explain_pair(encoder, one, np.full_like(other, 7))
    with pytest.raises(QueryError, match="Expected a fill"):
        explain_pair(encoder, one, other, fill="black")
    assert [checked_method(name) for name in METHODS] == list(METHODS)


def test_rows_of_a_collection_are_read_from_their_files(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    shutil.copytree(small_data.with_name("small-data-source"), tmp_path / "images")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    collection = open_collection("small")
    store = collection.store("pixels")
    made = explain_rows(store, 3, 4, method="occlusion")
    pixels = [collection.read_image(row).pixels for row in (3, 4)]
    direct = explain_pair(load_encoder("pixels"), *pixels)
    assert made.similarity == pytest.approx(direct.similarity)
    assert np.array_equal(made.sides[1].values, direct.sides[1].values)
    monkeypatch.setattr(type(collection), "image_path", lambda self, row: self.image_root / f"gone-{row}.png")
    with pytest.raises(ImageError, match="gone-3"):
        explain_rows(store, 3, 4)
    other = load_encoder("pixels")
    other.fingerprint = "another"
    with pytest.raises(StaleError, match="Expected embeddings made by this version of pixels"):
        explain_rows(store, 3, 4, encoder=other)
    monkeypatch.setattr(type(store), "imported", property(lambda self: True))
    with pytest.raises(EncoderError, match="Expected an encoder that can be given parts of images, but"):
        explain_rows(store, 3, 4)
