"""Large pictures part by part: the same values as at once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from radcbir_core.images import parts
from radcbir_core.images.parts import boxes, by_parts


@pytest.mark.parametrize("size", [(7, 5), (5, 7), (1, 40), (40, 1), (12, 1), (3, 4)])
def test_boxes_cover_each_pixel_once(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_PIXELS", 12)
    times = np.zeros(size[::-1], int)
    for left, top, right, bottom in boxes(*size):
        assert 0 < (right - left) * (bottom - top) <= 12
        times[top:bottom, left:right] += 1
    assert (times == 1).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_parts_are_what_the_whole_is(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 256, (9, 7, 4)).astype(np.uint8)
    image = Image.fromarray(values) if mode != "I;16" else Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    image = image if mode == "I;16" else image.convert("L").convert(mode) if mode in "IF" else image.convert(mode)
    asked = []

    def values_of(part: Image.Image) -> np.ndarray:
        asked.append(part.size)
        return np.asarray(part.convert("RGB") if mode in {"P", "CMYK"} else part)

    whole = by_parts(image, values_of)
    monkeypatch.setattr(parts, "PART_PIXELS", 10)
    by_part = by_parts(image, values_of)
    assert by_part.dtype == whole.dtype
    assert np.array_equal(by_part, whole)
    assert len(asked) > 5
