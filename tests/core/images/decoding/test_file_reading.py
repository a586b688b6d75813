"""Reading a file in this very process; what a user sees of it, test_decode.py tests."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images.decoding.file_reading import read_file

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def png() -> bytes:
    file = BytesIO()
    Image.fromarray(GRAY).save(file, "PNG")
    return file.getvalue()


def test_a_file_and_its_bytes_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    for image in (read_file(png(), name="a.png"), read_file(tmp_path / "a.png")):
        assert (image.name, image.format, image.stored.flags.writeable) == ("a.png", "PNG", False)
        assert np.array_equal(image.stored, GRAY)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "locked.png"
    file.write_bytes(png())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError) as caught:
        read_file(file)
    assert str(caught.value) == (
        "Expected an image file, but locked.png = unreadable (Permission denied). Check the disk and its permissions."
    )


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("radcbir_core.images.decoding.file_reading.read_raster", exhausted)
    with pytest.raises(ImageTooLargeError) as caught:
        read_file(png(), name="x")
    assert str(caught.value) == (
        "Expected an image that fits into memory, but x = too large for this machine. Make it smaller."
    )
