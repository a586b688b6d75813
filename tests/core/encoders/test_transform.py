"""Preprocessing: the same numbers as open_clip's own transforms, for every fit, and safe where those are not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.families.open_clip import published_preprocessing
from radcbir_core.encoders.torch.support import import_open_clip
from radcbir_core.encoders.transform import Transform, seen_box
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import FITS

MODES = {"crop": "shortest", "pad": "longest", "squash": "squash"}
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def by_open_clip(pixels: np.ndarray, cfg: dict[str, Any]) -> np.ndarray:
    import_open_clip()
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**cfg), is_train=False)(Image.fromarray(pixels)).numpy()


@settings(deadline=None, max_examples=150)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    color=st.booleans(),
    size=st.one_of(st.integers(16, 64), st.tuples(st.integers(16, 64), st.integers(16, 64))),
    fit=st.sampled_from(FITS),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    fill=st.integers(0, 255),
    seed=st.integers(0, 9),
)
def test_the_same_numbers_as_open_clip(
    height: int, width: int, color: bool, size: Any, fit: str, interpolation: str, fill: int, seed: int
) -> None:
    # Beyond this ratio open_clip fails (a side of 0 pixels), or resizes gigabytes; see the tests below.
    sides = (size, size) if isinstance(size, int) else size
    ratio = (height / width) / (sides[0] / sides[1])
    if max(ratio, 1 / ratio) > 14:
        height = width = 20
        sides = size = (16, 16)
    shape = (height, width, 3) if color else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    cfg = {
        "size": size, "mean": MEAN, "std": STD, "interpolation": interpolation, "resize_mode": MODES[fit],
        "fill_color": fill,
    }  # fmt: skip
    found = Transform(published_preprocessing(cfg, size=size))(pixels)
    expected = by_open_clip(pixels, cfg)
    assert found.dtype == np.float32
    assert found.shape == (3, *sides)
    np.testing.assert_array_equal(found, expected)


def test_what_each_fit_keeps() -> None:
    wide = np.zeros((10, 30), dtype=np.uint8)
    wide[:, :10] = 255
    kept = {}
    for fit in FITS:
        preprocessing = published_preprocessing(
            {"mean": 0.0, "std": 1.0, "interpolation": "bilinear"}, size=30, fit=fit
        )
        kept[fit] = Transform(preprocessing)(wide)[0]
    assert kept["crop"].mean() < 0.02  # the white third is cut off
    np.testing.assert_allclose(kept["squash"].mean(), 1 / 3, atol=0.01)
    np.testing.assert_allclose(kept["pad"][10:20].mean(), 1 / 3, atol=0.01)
    assert not kept["pad"][:10].any()
    assert not kept["pad"][20:].any()


@pytest.mark.parametrize("shape", [(3, 40_000), (40_000, 3), (1, 30_000, 3)])
@pytest.mark.parametrize("fit", FITS)
def test_a_thin_strip_costs_no_memory(shape: tuple[int, ...], fit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    resize, sizes = Image.Image.resize, []

    def spy(self: Image.Image, size: tuple[int, int], *args: Any, **kwargs: Any) -> Image.Image:
        sizes.append(size)
        return resize(self, size, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "resize", spy)
    made = Transform(published_preprocessing({}, size=224, fit=fit))(pixels)
    assert made.shape == (3, 224, 224)
    assert np.isfinite(made).all()
    assert len(sizes) == 1
    assert sizes[0][0] * sizes[0][1] <= 16 * 224 * 224


def test_cropping_while_resizing_differs_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = np.mgrid[0:60, 0:900]
    smooth = (127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 11)).astype(np.uint8)
    transform = Transform(published_preprocessing({"mean": 0.0, "std": 1.0}, size=32))
    whole = transform(smooth)
    monkeypatch.setattr("radcbir_core.images.fitting._LARGEST_OVERHANG", 1)
    np.testing.assert_allclose(transform(smooth), whole, atol=3 / 255)


def test_threads_may_share_one(images: list[np.ndarray]) -> None:
    transform = Transform(published_preprocessing({}, size=64, fit="pad"))
    expected = [transform(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(transform, images * 20), expected * 20, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_read_only_and_strided_images() -> None:
    base = np.random.default_rng(0).integers(0, 256, (60, 40), dtype=np.uint8)
    transform = Transform(published_preprocessing({}, size=16))
    expected = transform(base.T.copy())
    strided = base.T
    strided.flags.writeable = False
    np.testing.assert_array_equal(transform(strided), expected)


def test_defaults_are_open_clips() -> None:
    import_open_clip()
    from open_clip.transform import PreprocessCfg

    theirs = PreprocessCfg()
    ours = published_preprocessing({}, size=theirs.size)
    assert (ours.mean, ours.std, ours.interpolation) == (theirs.mean, theirs.std, theirs.interpolation)
    assert (ours.fit, ours.fill, ours.size) == ("crop", theirs.fill_color, (224, 224))


def test_the_interpolation_recorded_is_the_one_used() -> None:
    # open_clip crops to an oblong with bicubic, whatever is published.
    assert published_preprocessing({"interpolation": "bilinear"}, size=(32, 48)).interpolation == "bicubic"
    assert published_preprocessing({"interpolation": "bilinear"}, size=(32, 48), fit="pad").interpolation == "bilinear"
    assert published_preprocessing({"interpolation": "random"}, size=32).interpolation == "bicubic"


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"resize_mode": "stretch"}, "Expected shortest or longest or squash, but resize_mode = 'stretch'"),
        ({"interpolation": "nearest"}, "Expected bicubic or bilinear or random, but interpolation = 'nearest'"),
        ({"mode": "L"}, "Expected RGB, but mode = 'L' in preprocess_cfg. Correct it"),
        ({"mean": [0.5]}, r"Expected three numbers, but mean = \[0.5\]"),
        ({"mean": "dark"}, "Expected three numbers, but mean = 'dark'"),
        ({"mean": float("nan")}, "Expected three numbers, but mean = nan"),
        ({"std": [0.5, 0.0, 0.5]}, "Expected three positive numbers, but std = "),
        ({"fill_color": 300}, "Expected a gray level of 0 to 255, but fill_color = 300"),
    ],
)
def test_what_open_clip_does_not_know_is_refused(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        published_preprocessing(cfg, size=32)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(60, 200),
    width=st.integers(60, 200),
    size=st.tuples(st.integers(24, 60), st.integers(24, 60)),
    fit=st.sampled_from(FITS),
    resize=st.booleans(),
    anchor=st.sampled_from(["center", "corner"]),
)
def test_what_is_seen_is_where_it_is_said_to_be(
    height: int, width: int, size: tuple[int, int], fit: Any, resize: bool, anchor: Any
) -> None:
    """Of two ramps, down and across, each cell of the input shows how far its middle is in the image."""
    preprocessing = Preprocessing(
        size=size, fit=fit, interpolation="bilinear", color="RGB", mean=(0,) * 3, std=(1,) * 3, anchor=anchor,
        resize=max(size) + 4 if resize and fit != "pad" else None,
    )  # fmt: skip
    ramps = np.zeros((height, width, 3), dtype=np.uint8)
    ramps[:, :, 0] = np.linspace(0, 255, height).round()[:, None]
    ramps[:, :, 1] = np.linspace(0, 255, width).round()
    ramps[:, :, 2] = 255
    seen = Transform(preprocessing)(ramps)
    inside = seen[2] > 0.99
    top, left, bottom, right = seen_box(preprocessing, height=height, width=width)
    for channel, low, high, length, axis in ((0, top, bottom, height, 0), (1, left, right, width, 1)):
        middles = low + (np.arange(size[axis]) + 0.5) * (high - low) / size[axis]
        expected = np.broadcast_to(middles[:, None] if axis == 0 else middles, size)
        found = seen[channel] * (length - 1) + 0.5
        # At the edges the filter is cut off, and resized sides are whole pixels.
        middle = inside & (expected > 0.1 * length) & (expected < 0.9 * length)
        assert middle.any()
        np.testing.assert_allclose(found[middle], expected[middle], atol=0.03 * length)
        assert (expected[inside] > -0.03 * length).all()
        assert (expected[inside] < 1.03 * length).all()
