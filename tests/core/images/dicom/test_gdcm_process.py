"""GDCM in a process of its own: what it decodes, and what becomes of a helper that dies, hangs or is forked."""

from __future__ import annotations

import io
import os
import queue
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from radcbir_core.images.dicom import gdcm_helper, gdcm_process
from radcbir_core.messages import receive, send
from tests.core.images.dicom_files import HTJ2K_FRAME, HTJ2K_VALUES, dicom_bytes, encapsulated_bytes, lossless_jpeg

DEEP = (np.add.outer(np.arange(40) * 90, np.arange(48) * 60) % 4096).astype(np.uint16)


def crashing_frame() -> bytes:
    """A lossless JPEG frame that ends the process in which GDCM decodes it: no marker after the frame header."""
    frame = bytearray(lossless_jpeg(DEEP, 12))
    frame[frame.find(b"\xff\xc4")] = 188
    return bytes(frame)


def test_a_frame_that_kills_the_decoder_is_one_error_and_the_next_frame_is_decoded() -> None:
    good = encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 12)], uid.JPEGLosslessSV1, BitsStored=12)
    bad = encapsulated_bytes(DEEP, [crashing_frame()], uid.JPEGLosslessSV1, BitsStored=12)
    expected = decode_image(dicom_bytes(DEEP, BitsStored=12)).pixels
    assert np.array_equal(decode_image(good).pixels, expected)
    with pytest.raises(ImageError, match="damaged") as caught:
        decode_image(bad)
    assert "died" in str(caught.value.__cause__)
    assert np.array_equal(decode_image(good).pixels, expected)


def test_a_helper_that_died_meanwhile_costs_no_frame() -> None:
    good = encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 12)], uid.JPEGLosslessSV1, BitsStored=12)
    expected = decode_image(good).pixels
    helper = gdcm_process._idle.get(timeout=1)
    helper.kill()
    helper.wait()
    gdcm_process._idle.put(helper)
    assert np.array_equal(decode_image(good).pixels, expected)


def test_a_decoder_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(gdcm_process, "_HELPER", sleeper)
    monkeypatch.setattr(gdcm_process, "_idle", queue.SimpleQueue())
    monkeypatch.setattr(gdcm_process, "TIMEOUT_SECONDS", 0.2)
    bad = encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 12)], uid.JPEGLosslessSV1, BitsStored=12)
    with pytest.raises(ImageError, match="damaged") as caught:
        decode_image(bad)
    assert "stuck" in str(caught.value.__cause__)
    assert gdcm_process._idle.empty()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_its_own_helper() -> None:
    good = encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 12)], uid.JPEGLosslessSV1, BitsStored=12)
    expected = decode_image(good).pixels
    child = os.fork()
    if child == 0:
        os._exit(0 if gdcm_process._idle.empty() and np.array_equal(decode_image(good).pixels, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(decode_image(good).pixels, expected)


def served(*requests: tuple[dict, bytes], complaints: Path) -> list[tuple[dict, bytes]]:
    asked, answers = io.BytesIO(), io.BytesIO()
    for options, frame in requests:
        send(asked, options, data=frame)
    asked.seek(0)
    with complaints.open("wb+", buffering=0) as file:
        gdcm_helper.serve(asked, answers, complaints=file)
    answers.seek(0)
    return [receive(answers) for _ in requests]


def test_a_helper_answers_each_request_and_goes_on_after_a_bad_one(tmp_path: Path, monkeypatch) -> None:
    def decode(options: dict, frame: bytes) -> bytes:
        if options.get("complains"):
            (tmp_path / "stderr").write_bytes(b"Corrupt JPEG data: premature end")
        if options.get("fails"):
            raise RuntimeError("with the header's text in it")
        return frame[::-1]

    monkeypatch.setattr(gdcm_helper, "decode", decode)
    asked = [({}, b"abc"), ({"fails": True}, b""), ({"complains": True}, b"abc"), ({}, b"xy")]
    assert served(*asked, complaints=tmp_path / "stderr") == [
        ({}, b"cba"),
        ({"error": "RuntimeError"}, b""),
        ({"error": "corrupt JPEG data"}, b""),
        ({}, b"yx"),
    ], "an old complaint is not held against the next frame"


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGExtended12Bit])
def test_the_stream_says_which_member_of_its_family_it_is(syntax: str) -> None:
    options = {
        "syntax": syntax,
        "bits_allocated": 16,
        "bits_stored": 12,
        "rows": DEEP.shape[0],
        "columns": DEEP.shape[1],
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 0,
    }
    decoded = gdcm_helper.decode(options, lossless_jpeg(DEEP, 12))
    assert np.array_equal(np.frombuffer(decoded, "<u2").reshape(DEEP.shape), DEEP)


def test_htj2k_is_decoded_as_jpeg_2000() -> None:
    rows, columns = HTJ2K_VALUES.shape
    options = {
        "syntax": uid.HTJ2KLossless,
        "bits_allocated": 16,
        "bits_stored": 16,
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 0,
    }
    decoded = gdcm_helper.decode(options, HTJ2K_FRAME)
    assert np.array_equal(np.frombuffer(decoded, "<u2").reshape(rows, columns), HTJ2K_VALUES)
