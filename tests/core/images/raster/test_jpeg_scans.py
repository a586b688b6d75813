"""How many scans a JPEG has: counted as they are decoded, and too many are refused before anything is."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from radcbir_core.errors import ImageTooLargeError
from radcbir_core.images import Limits, decode_image
from radcbir_core.images.raster.jpeg_scans import count_scans
from tests.core.images.dicom_files import encapsulated_bytes

GRAY = (np.add.outer(np.arange(40) * 3, np.arange(48) * 2) % 256).astype(np.uint8)


def jpeg(pixels: np.ndarray = GRAY, *, repeated: int = 0, **options: object) -> bytes:
    """A JPEG whose last scan comes some times more."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * repeated + data[-2:]


def test_scans_are_counted() -> None:
    color = np.stack([GRAY, GRAY[::-1], 255 - GRAY], -1)
    assert count_scans(jpeg()) == 1
    assert count_scans(jpeg(color)) == 1
    assert count_scans(jpeg(progressive=True)) == 6
    assert count_scans(jpeg(color, progressive=True)) == 10
    assert count_scans(jpeg(progressive=True, repeated=94)) == 100
    assert count_scans(jpeg(restart_marker_blocks=1)) == 1


def test_what_is_no_scan_of_the_picture_is_not_counted() -> None:
    data = jpeg()
    segment = b"\xff\xe1" + (2 + 4 * 500).to_bytes(2, "big") + b"\xff\xda\x00\x02" * 500
    assert count_scans(data[:2] + segment + data[2:]) == 1
    assert count_scans(data + data) == 1
    assert count_scans(data[:2] + segment[:100]) == 0
    assert count_scans(b"") == 0
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (200, 200), dtype=np.uint8)
    assert count_scans(jpeg(noise, quality=100)) == 1


@pytest.mark.parametrize("options", [{"progressive": True, "repeated": 95}, {"repeated": 100}])
def test_too_many_scans_are_refused(options: dict) -> None:
    data = jpeg(**options)
    with pytest.raises(ImageTooLargeError) as caught:
        decode_image(data, name="x.jpg")
    assert str(caught.value) == (
        "Expected at most 100 scans, but x.jpg = a JPEG of 101. Save it again, as a plain JPEG."
    )
    with pytest.raises(ImageTooLargeError, match="at most 100 scans"):
        decode_image(encapsulated_bytes(GRAY, [data + b"\0" * (len(data) % 2)], uid.JPEGBaseline8Bit))
    if "progressive" in options:  # libjpeg refuses the other itself
        assert decode_image(data, limits=Limits(max_scans=101)).pixels.shape == GRAY.shape
