"""Small pictures: their size and looks, and that those of versions before open."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from radcbir_core.images.thumbnailing import gray_of, media_type_of, thumbnail_of

WAVES = (128 + 100 * np.sin(np.add.outer(np.arange(150) / 9, np.arange(180) / 7))).astype(np.uint8)


def earlier(pixels: np.ndarray) -> bytes:
    """As versions before made it."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80, method=2)
    return file.getvalue()


def test_thumbnails_keep_proportions_and_never_grow() -> None:
    for shape, expected in (((400, 800), (192, 96)), ((28, 28), (28, 28)), ((800, 400, 3), (96, 192))):
        with Image.open(BytesIO(thumbnail_of(np.zeros(shape, dtype=np.uint8)))) as image:
            assert image.size == expected
            assert image.mode == ("L" if len(shape) == 2 else "RGB")


@pytest.mark.parametrize("pixels", [WAVES, np.dstack([WAVES, WAVES[::-1], WAVES])])
def test_they_look_like_the_picture_and_more_so_than_those_before(pixels) -> None:
    original = np.asarray(Image.fromarray(pixels).convert("L"), float)
    made = [np.asarray(gray_of(picture)) for picture in (thumbnail_of(pixels), earlier(pixels))]
    now, before = (np.abs(gray - original).mean() for gray in made)
    assert now < 2
    assert now < before + 0.5


def test_each_says_of_which_format_it_is() -> None:
    assert media_type_of(thumbnail_of(WAVES)) == "image/jpeg"
    assert media_type_of(earlier(WAVES)) == "image/webp"
    assert media_type_of(b"something else") == "application/octet-stream"
    assert gray_of(earlier(WAVES)).size == gray_of(thumbnail_of(WAVES)).size == (180, 150)


@pytest.mark.parametrize("damaged", [b"", b"no picture", thumbnail_of(WAVES)[:200]])
def test_a_damaged_one_is_an_error(damaged) -> None:
    with pytest.raises((OSError, ValueError, SyntaxError)):
        gray_of(damaged)
