"""Frames that GDCM decodes; the values of each kind are test_frames.py's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom import uid

from radcbir_core.images.dicom import gdcm_frames
from tests.core.images.dicom_files import HTJ2K_FRAME, HTJ2K_VALUES, lossless_jpeg

DEEP = (np.add.outer(np.arange(40) * 90, np.arange(48) * 60) % 4096).astype(np.uint16)


@pytest.fixture(autouse=True, scope="module")
def complaints() -> Iterator[None]:
    """The file of this process's own is closed."""
    yield
    gdcm_frames._file_of_complaints().close()
    gdcm_frames._file_of_complaints.cache_clear()


def runner(syntax: str, values: np.ndarray, *, bits_stored: int) -> Any:
    options = {
        "bits_allocated": 16,
        "bits_stored": bits_stored,
        "rows": values.shape[0],
        "columns": values.shape[1],
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 0,
    }
    return SimpleNamespace(transfer_syntax=syntax, get_option=options.get)


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGExtended12Bit])
def test_the_stream_says_which_member_of_its_family_it_is(syntax: str) -> None:
    decoded = gdcm_frames.decode(lossless_jpeg(DEEP, 12), runner(syntax, DEEP, bits_stored=12))
    assert np.array_equal(np.frombuffer(decoded, "<u2").reshape(DEEP.shape), DEEP)


def test_htj2k_is_decoded_as_jpeg_2000() -> None:
    decoded = gdcm_frames.decode(HTJ2K_FRAME, runner(uid.HTJ2KLossless, HTJ2K_VALUES, bits_stored=16))
    assert np.array_equal(np.frombuffer(decoded, "<u2").reshape(HTJ2K_VALUES.shape), HTJ2K_VALUES)


class TalkingDecoder:
    """Writes to standard error past Python, as GDCM does."""

    def __init__(self, complaint: bytes) -> None:
        self._complaint = complaint

    def as_buffer(self, *_: Any, **__: Any) -> tuple[bytes, dict]:
        os.write(2, self._complaint)
        return b"pixels", {}


def test_what_is_said_to_be_corrupt_is_an_error_and_nobody_hears_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = runner(uid.JPEGLosslessSV1, DEEP, bits_stored=12)
    for complaint in (b"Corrupt JPEG data: premature end", b""):
        monkeypatch.setattr(gdcm_frames, "get_decoder", lambda _, said=complaint: TalkingDecoder(said))
        if complaint:
            with pytest.raises(ValueError, match="corrupt JPEG data"):
                gdcm_frames.decode(b"frame", asked)
        else:  # an old complaint is not held against the next frame
            assert gdcm_frames.decode(b"frame", asked) == b"pixels"
    assert capfd.readouterr() == ("", "")
