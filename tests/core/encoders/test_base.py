"""What all encoders share: recorded preprocessing, arrays, texts, names."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.base import (
    Encoder,
    Precision,
    Preprocessing,
    checked_texts,
    encode_in_batches,
    fingerprint_of,
    folder_safe,
    shown,
    unit_rows,
)
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import FITS

PUBLISHED = Preprocessing(
    size=(224, 192),
    fit="crop",
    interpolation="bicubic",
    color="RGB",
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.2, 0.2),
    fill=7,
    resize=256,
    anchor="corner",
    rounding="transformers",
)


def test_what_is_recorded_of_a_preprocessing() -> None:
    assert PUBLISHED.as_dict() == {
        "size": [224, 192],
        "fit": "crop",
        "interpolation": "bicubic",
        "color": "RGB",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.2, 0.2],
        "fill": 7,
        "resize": 256,
        "anchor": "corner",
        "rounding": "transformers",
    }
    plain = Preprocessing(size=(32, 32), fit="pad", interpolation="bilinear", color="L")
    assert set(plain.as_dict()) == {"size", "fit", "interpolation", "color", "mean", "std", "fill"}, (
        "encoders recorded before the later keys keep their fingerprints"
    )


def test_a_recorded_preprocessing_is_read_back() -> None:
    plain = Preprocessing(size=(32, 32), fit="pad", interpolation="bilinear", color="L", fill=None)
    for made in (PUBLISHED, plain):
        assert Preprocessing.from_dict(made.as_dict()) == made


@pytest.mark.parametrize(
    "change",
    [{"size": [32]}, {"size": [0, 9]}, {"size": "32"}, {"fit": "zoom"}, {"interpolation": "box"}, {"unknown": 1}],
)
def test_a_record_of_no_preprocessing_is_refused(change) -> None:
    with pytest.raises(EncoderError, match="Expected the record of a preprocessing"):
        Preprocessing.from_dict({**PUBLISHED.as_dict(), **change})


def test_another_fit_has_nothing_of_the_published_one() -> None:
    assert PUBLISHED.with_fit(None) is PUBLISHED
    for fit in set(FITS) - {"crop"}:
        other = PUBLISHED.with_fit(fit)
        assert (other.fit, other.fill, other.resize, other.anchor) == (fit, 0, None, "center")
        assert (other.size, other.mean, other.rounding) == (PUBLISHED.size, PUBLISHED.mean, "transformers")


def test_fingerprints_change_with_every_field() -> None:
    base = {"size": (32, 32), "fit": "crop", "interpolation": "bicubic", "color": "RGB", "mean": (0.5,), "std": (0.5,)}
    changes = [
        {}, {"size": (32, 33)}, {"fit": "pad"}, {"interpolation": "bilinear"}, {"color": "L"}, {"mean": (0.6,)},
        {"std": (0.6,)}, {"fill": 1},
    ]  # fmt: skip
    prints = {fingerprint_of(Preprocessing(**{**base, **change}).as_dict()) for change in changes}
    assert len(prints) == len(changes)


def test_a_fingerprint_is_of_values_and_not_of_their_order() -> None:
    assert fingerprint_of({"a": 1, "b": {"c": [1, 2]}}) == fingerprint_of({"b": {"c": [1, 2]}, "a": 1})
    assert fingerprint_of({"a": [1, 2]}) != fingerprint_of({"a": [2, 1]})
    assert re.fullmatch("[0-9a-f]{64}", fingerprint_of({}))


def test_half_precision_is_told_by_its_name() -> None:
    assert [Precision(name).half for name in ("float32", "float16")] == [False, True]


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), max_size=6), st.sampled_from([1e-20, 1, 1e37]))
def test_rows_have_norm_1_or_0(rows, scale) -> None:
    vectors = (np.array(rows).reshape(-1, 3) * scale).astype(np.float32)
    unit = unit_rows(vectors, encoder_id="e")
    assert unit.dtype == np.float32
    norms = np.linalg.norm(unit.astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, vectors.any(axis=1), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite(value) -> None:
    with pytest.raises(EncoderError, match="Expected finite embeddings, but encoder e gave some that are not"):
        unit_rows(np.array([[1, 2], [value, 0]], dtype=np.float32), encoder_id="e")


def test_texts() -> None:
    assert checked_texts(("a", " b ")) == ["a", " b "]
    assert checked_texts([]) == []
    with pytest.raises(EncoderError, match=r"Expected a text with at least one word, but texts\[1\] = '\\n\\t'"):
        checked_texts(["a", "\n\t"])
    with pytest.raises(TypeError, match="Expected a sequence of texts, but texts = one str"):
        checked_texts("chest")


def test_at_most_a_batch_is_prepared_at_a_time() -> None:
    encoder = load_encoder("pixels")
    assert isinstance(encoder, Encoder)
    images = [np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8) for seed in range(5)]
    whole = encoder.encode_prepared(np.stack([encoder.prepare(image) for image in images]))
    held: list[int] = []

    class Watched:
        batch_size, dimension = 2, encoder.dimension
        prepare = staticmethod(encoder.prepare)

        @staticmethod
        def encode_prepared(batch):
            held.append(len(batch))
            return encoder.encode_prepared(batch)

    np.testing.assert_array_equal(encode_in_batches(Watched, images), whole)
    assert held == [2, 2, 1]
    assert encode_in_batches(Watched, []).shape == (0, encoder.dimension)


@given(st.text(max_size=200))
def test_any_name_becomes_a_folders(name) -> None:
    safe = folder_safe(name)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?", safe)
    assert folder_safe(safe) == safe


@given(st.lists(st.text("aAbé模0", min_size=1, max_size=90), min_size=2, max_size=2, unique_by=str.lower))
def test_names_that_lose_letters_stay_apart(names) -> None:
    assert folder_safe(names[0]) != folder_safe(names[1])


@given(st.text(max_size=300), st.integers(30, 120))
def test_what_is_shown_is_one_short_line(text, longest) -> None:
    line = shown(text, longest=longest)
    assert line.isprintable()
    assert len(line) <= longest
    assert not text.isprintable() or len(text) > longest or line == text
