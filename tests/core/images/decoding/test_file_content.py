"""The content of a file: the same from memory and from the file itself."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.images.decoding import file_content
from radcbir_core.images.decoding.file_content import Content
from radcbir_core.images.decoding.file_reading import read_file

COLOR = np.random.default_rng(2).integers(0, 256, (9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("kept_whole", [0, 1000])
def test_streams_begin_at_the_start_and_do_not_know_each_other(
    kept_whole: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_content, "KEPT_WHOLE", kept_whole)
    (tmp_path / "a").write_bytes(b"0123456789")
    with (tmp_path / "a").open("rb") as file:
        inside = Content(file, size=10)
    with inside.view() as data, inside.open() as one, inside.open() as other:
        assert (one.read(4), other.read(2), one.read(), other.read(1)) == (b"0123", b"01", b"456789", b"2")
        assert (data[3:5], len(data)) == (b"34", 10)
    with Content(BytesIO(b"abc"), size=3).open() as stream:
        assert stream.read() == b"abc"


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("deep", [False, True])
def test_large_files_are_read_as_small_ones_are(
    image_format: str, deep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(COLOR[..., 0].astype(np.uint16) * 100) if deep else Image.fromarray(COLOR)
    if deep and image_format not in {"PNG", "TIFF"}:
        image = Image.fromarray(COLOR).convert("L")
    options = {"save_all": True, "append_images": [image.rotate(180)]} if image_format == "TIFF" else {}
    image.save(tmp_path / "a", image_format, **options)
    small = read_file(tmp_path / "a").stored
    monkeypatch.setattr(file_content, "KEPT_WHOLE", 0)
    large = read_file(tmp_path / "a").stored
    assert large.dtype == small.dtype
    assert np.array_equal(large, small)
