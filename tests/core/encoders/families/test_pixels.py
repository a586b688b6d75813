"""The pixels recipe against the recipe written down on its own, and its edges."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.families.pixels import PixelsEncoder
from radcbir_core.errors import EncoderError

ENCODER = PixelsEncoder()
REPOSITORY = Path(__file__).resolve().parents[4]


def reference(image: Image.Image) -> np.ndarray:
    values = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32).ravel()
    values -= values.mean()
    return values / (np.linalg.norm(values) + 1e-12)


def test_agrees_with_the_recipe(images: list[np.ndarray]) -> None:
    expected = np.stack([reference(Image.fromarray(image)) for image in images])
    found = ENCODER.encode_images(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)


def test_agrees_with_the_recipe_on_real_images(real_images: Path) -> None:
    with (real_images / "brain_tumor_mri" / "manifest.csv").open(encoding="utf-8") as handle:
        paths = [real_images / "brain_tumor_mri" / row["path"] for row in csv.DictReader(handle)][:25]
    opened = [Image.open(path) for path in paths]
    pixels = [np.asarray(image.convert("RGB") if image.mode not in {"L", "RGB"} else image) for image in opened]
    expected = np.stack([reference(image) for image in opened])
    np.testing.assert_allclose(ENCODER.encode_images(pixels), expected, rtol=0, atol=2e-7)


@settings(deadline=None)
@given(
    st_numpy.arrays(
        np.uint8,
        st.one_of(
            st.tuples(st.integers(1, 50), st.integers(1, 50)),
            st.tuples(st.integers(1, 50), st.integers(1, 50), st.just(3)),
        ),
    )
)
def test_embeddings_are_unit_or_zero(pixels: np.ndarray) -> None:
    embedding = ENCODER.encode_images([pixels])[0]
    norm = float(np.linalg.norm(embedding.astype(np.float64)))
    assert norm == 0 or abs(norm - 1) < 1e-6
    assert abs(float(embedding.sum())) < 1e-3
    if len(np.unique(pixels)) == 1:
        assert norm == 0


@pytest.mark.parametrize("level", [0, 1, 127, 255])
@pytest.mark.parametrize("shape", [(1, 1), (50, 30), (7, 7, 3)])
def test_a_uniform_image_has_no_embedding(level: int, shape: tuple[int, ...]) -> None:
    assert not ENCODER.encode_images([np.full(shape, level, dtype=np.uint8)]).any()


def test_a_read_only_image_is_accepted_and_left_alone() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels.flags.writeable = False
    before = pixels.copy()
    ENCODER.encode_images([pixels])
    np.testing.assert_array_equal(pixels, before)


def test_batches_do_not_change_the_numbers(images: list[np.ndarray]) -> None:
    small = PixelsEncoder()
    small.batch_size = 2
    np.testing.assert_array_equal(small.encode_images(images), ENCODER.encode_images(images))
    assert small.encode_images([]).shape == (0, 1024)


def test_fitted_images_give_the_same_numbers(images: list[np.ndarray]) -> None:
    fitted = [ENCODER.preprocessing.fitting(image) for image in images]
    assert {one.shape for one in fitted} == {(32, 32)}
    np.testing.assert_array_equal(ENCODER.encode_fitted(fitted), ENCODER.encode_images(images))


def test_what_is_recorded() -> None:
    encoder = load_encoder("pixels")
    assert isinstance(encoder, Encoder)
    assert (encoder.spec, encoder.encoder_id, encoder.dimension) == ("pixels", "pixels", 1024)
    assert (encoder.device, encoder.weights_digest, encoder.supports_text) == ("cpu", "", False)
    assert encoder.preprocessing.as_dict() == {
        "size": [32, 32], "fit": "squash", "interpolation": "bilinear", "color": "L", "mean": [], "std": [], "fill": 0,
    }  # fmt: skip
    # Stored collections compare against this: it may change only together with the recipe's version.
    assert encoder.fingerprint == PixelsEncoder().fingerprint
    assert encoder.fingerprint == FINGERPRINT


FINGERPRINT = "f6216e42eba2ede474eff62a749dd64e91accc3a095f07b621f37336d429d7f7"


def test_texts_are_refused() -> None:
    for ask in (ENCODER.encode_texts, ENCODER.truncated):
        with pytest.raises(EncoderError, match=r"Expected an encoder with a text tower.*encoder = pixels. Choose one"):
            ask(["chest radiograph"])


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_what_is_no_image_is_a_mistake_of_the_caller(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Expected \(H, W\) or \(H, W, 3\) uint8 pixels"):
        ENCODER.prepare(pixels)


def test_what_is_no_batch_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"Expected a \(B, 1024\) batch, but batch.shape = \(4, 5\)"):
        ENCODER.encode_prepared(np.zeros((4, 5), dtype=np.float32))


def test_needs_no_heavy_library() -> None:
    code = (
        "import sys, numpy as np\n"
        "from radcbir_core.encoders import encoder_id_of, known_encoders, load_encoder\n"
        "load_encoder('pixels').encode_images([np.eye(9, dtype=np.uint8)])\n"
        "[encoder_id_of(entry.spec) for entry in known_encoders()]\n"
        "encoder_id_of('open_clip:ViT-B-32:laion2b_s34b_b79k')\n"
        "heavy = {'torch', 'open_clip', 'transformers', 'scipy', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
