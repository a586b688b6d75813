"""What a preprocessor_config.json says: the same numbers as transformers' own processors on Pillow, for every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.families.transformers_preprocessing import read_preprocessing
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.encoders.transform import Transform

prepare_torchvision()
import transformers  # noqa: E402

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@settings(deadline=None, max_examples=150)
@given(
    height=st.integers(2, 300),
    width=st.integers(2, 300),
    color=st.booleans(),
    kind=st.sampled_from(["ViT", "CLIP", "Bit", "Siglip", "ConvNext", "Sam"]),
    side=st.integers(16, 64),
    margin=st.integers(0, 20),
    resample=st.sampled_from([2, 3]),
    normalize=st.booleans(),
    seed=st.integers(0, 9),
)
def test_the_same_numbers_as_transformers(
    height: int, width: int, color: bool, kind: str, side: int, margin: int, resample: int, normalize: bool, seed: int
) -> None:
    if (
        max(height / width, width / height) > 14
    ):  # the library then fails, with a side of no pixels, or resizes for long
        height = width = 20
    pixels = np.random.default_rng(seed).integers(
        0, 256, (height, width, 3) if color else (height, width), dtype=np.uint8
    )
    square = {"height": side, "width": side}
    written: dict[str, Any] = {
        "resample": resample, "do_normalize": normalize, "image_mean": MEAN, "image_std": STD, "do_resize": True,
        **{
            "ViT": {"size": square}, "Siglip": {"size": square},
            "CLIP": {"size": side + margin, "crop_size": side, "do_center_crop": True},
            "Bit": {"size": {"shortest_edge": side + margin}, "crop_size": square, "do_center_crop": True},
            "ConvNext": {"size": {"shortest_edge": side}, "crop_pct": side / (side + margin)},
            "Sam": {"size": {"longest_edge": side}, "pad_size": square},
        }[kind],
    }  # fmt: skip
    named = {**written, "image_processor_type": f"{kind}ImageProcessor"}
    prepared = Transform(read_preprocessing(named, model_type="", place="preprocessor_config.json"))(pixels)
    processor = getattr(transformers, f"{kind}ImageProcessorPil")(**written)
    expected = processor(Image.fromarray(pixels).convert("RGB"), return_tensors="np")["pixel_values"][0]
    assert prepared.shape == expected.shape == (3, side, side)
    np.testing.assert_allclose(prepared, expected, rtol=0, atol=2e-6)


def test_squashed_and_then_cut() -> None:
    """DeiT's kind: both sides resized to 40, the middle 32 cut out."""
    made = Preprocessing(
        size=(32, 32), fit="squash", interpolation="bicubic", color="RGB", mean=(0, 0, 0), std=(1, 1, 1), resize=40
    )
    pixels = np.random.default_rng(0).integers(0, 256, (70, 50), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    np.testing.assert_allclose(Transform(made)(pixels)[0], whole[4:36, 4:36], rtol=0, atol=1e-6)


def test_sam_s_margin_is_zero_in_the_normalized_input() -> None:
    written = {
        "image_processor_type": "SamImageProcessor",
        "size": {"longest_edge": 32},
        "pad_size": {"height": 32, "width": 32},
    }
    made = read_preprocessing(written, model_type="sam", place="")
    assert made.as_dict() == {
        "size": [32, 32], "fit": "pad", "interpolation": "bilinear", "color": "RGB", "mean": MEAN, "std": STD,
        "fill": None, "anchor": "corner", "rounding": "transformers",
    }  # fmt: skip
    black = Transform(made)(np.zeros((16, 32), dtype=np.uint8))
    assert not black[:, 16:].any()
    assert (black[:, :16] < -1).all()
    # Another fit leaves SAM's margin behind.
    assert made.with_fit("pad") is made
    assert Transform(made.with_fit("crop"))(np.zeros((16, 32), dtype=np.uint8)).max() < -1


@pytest.mark.parametrize("shape", [(3, 40_000), (40_000, 3)])
@pytest.mark.parametrize(
    "made",
    [
        Preprocessing(
            size=(32, 32), fit="crop", interpolation="bicubic", color="RGB", mean=(0,) * 3, std=(1,) * 3, resize=40,
        ),
        Preprocessing(
            size=(32, 32), fit="pad", interpolation="bilinear", color="RGB", mean=(0,) * 3, std=(1,) * 3, fill=None,
            anchor="corner", rounding="transformers",
        ),
    ],
)  # fmt: skip
def test_a_thin_strip_is_prepared(made: Preprocessing, shape: tuple[int, int]) -> None:
    prepared = Transform(made)(np.full(shape, 255, dtype=np.uint8))
    assert prepared.shape == (3, 32, 32)
    assert np.isfinite(prepared).all()
    assert prepared.max() == pytest.approx(1)


def test_what_is_not_written_is_the_library_s_default() -> None:
    clip = read_preprocessing({"feature_extractor_type": "CLIPFeatureExtractor"}, model_type="clip", place="")
    assert (clip.size, clip.fit, clip.resize, clip.interpolation) == ((224, 224), "crop", None, "bicubic")
    assert clip.mean == (0.48145466, 0.4578275, 0.40821073)
    assert clip.assumed == ("size", "interpolation", "mean", "std")
    resnet = read_preprocessing({"size": 224, "crop_pct": 0.875}, model_type="resnet", place="")
    assert (resnet.size, resnet.fit, resnet.resize) == ((224, 224), "crop", 256)
    large = read_preprocessing({"size": {"shortest_edge": 384}}, model_type="convnext", place="")
    assert (large.size, large.fit, large.resize) == ((384, 384), "squash", None)
    nested = {"processor_class": "SiglipProcessor", "image_processor": {"image_processor_type": "SiglipImageProcessor"}}
    assert read_preprocessing(nested, model_type="siglip", place="").size == (224, 224)


def test_records_of_earlier_encoders_are_what_they_were() -> None:
    made = Preprocessing(size=(8, 8), fit="crop", interpolation="bicubic", color="RGB", mean=(0.5,), std=(0.5,))
    assert list(made.as_dict()) == ["size", "fit", "interpolation", "color", "mean", "std", "fill"]
