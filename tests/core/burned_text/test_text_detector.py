"""Text is found by the networks of the optional part; where it is missing, it is said what to install."""

from __future__ import annotations

import socket
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from radcbir_core.burned_text import text_detector
from radcbir_core.burned_text.text_detector import is_installed, load_detector, what_is_missing
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.collections.text_boxes import MARK, NOTHING, TEXT
from radcbir_core.errors import TextDetectionError

NEEDS_THE_PART = pytest.mark.skipif(not is_installed(), reason="the optional part that finds text is not installed")


def picture(text: str, *, at=(30, 200), size=18) -> np.ndarray:
    levels = np.random.default_rng(0).normal(60, 12, (256, 320)).clip(0, 160).astype(np.uint8)
    image = Image.fromarray(levels)
    ImageDraw.Draw(image).text(at, text, fill=235, font=ImageFont.load_default(size))
    return np.asarray(image)


@NEEDS_THE_PART
def test_text_is_found_where_it_stands_and_nowhere_else() -> None:
    detector = load_detector(threads=1)
    state, boxes = judged(detector(picture("DOE JANE 1970")))
    assert state == TEXT
    assert len(boxes) == 1
    left, top, right, bottom = (boxes[0] / 1000 * [320, 256, 320, 256]).tolist()
    assert left < 34 < 120 < right < 210
    assert 190 < top < 206 < 214 < bottom < 230
    assert judged(detector(np.ascontiguousarray(np.rot90(picture("DOE JANE 1970")))))[0] == TEXT
    assert judged(detector(np.ascontiguousarray(np.rot90(picture("DOE JANE 1970"), 3))))[0] == TEXT
    assert judged(detector(picture("L", size=24)))[0] in {MARK, NOTHING}
    assert judged(detector(picture("")))[0] == NOTHING
    color = np.repeat(picture("RT AXILLA")[..., None], 3, axis=2)
    assert judged(detector(color))[0] == TEXT
    assert judged(detector(np.zeros((3, 5), np.uint8)))[0] == NOTHING


@NEEDS_THE_PART
def test_nothing_is_fetched_and_none_of_the_packages_code_is_run(monkeypatch) -> None:
    def refused(*arguments, **options):
        raise AssertionError("a connection")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert judged(load_detector()(picture("DOE JANE 1970")))[0] == TEXT
    assert not {"cv2", "rapidocr_onnxruntime"} & set(sys.modules)


def test_where_it_is_missing_it_is_said_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(text_detector, "find_spec", lambda name: None)
    assert not is_installed()
    assert "requirements-ocr.txt" in what_is_missing()
    with pytest.raises(TextDetectionError, match=r"Expected the optional part .* requirements-ocr\.txt"):
        load_detector()
    monkeypatch.setattr(sys, "version_info", (3, 13, 0, "final", 0))
    assert "Python up to 3.12" in what_is_missing()


def test_what_cannot_be_loaded_is_one_error(monkeypatch, tmp_path) -> None:
    (tmp_path / "models").mkdir()
    for name in (text_detector._FINDS, text_detector._READS):
        (tmp_path / name).write_bytes(b"no network")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(text_detector, "find_spec", lambda name: Spec())
    assert is_installed()
    with pytest.raises(TextDetectionError, match="Expected rapidocr-onnxruntime to work here, but it cannot be loaded"):
        load_detector()


def test_a_line_is_hidden_beyond_its_ends_and_a_little_above_and_below() -> None:
    # 200 × 100: a line 10 pixels high, from 40 to 120 and 50 to 60.
    box = text_detector._with_edge((0.2, 0.5, 0.6, 0.6), 0.1, (200, 100))
    assert box == pytest.approx(((40 - 12.5) / 200, 0.475, (120 + 12.5) / 200, 0.625))
    upright = text_detector._with_edge((0.5, 0.2, 0.6, 0.6), 0.1, (100, 200))
    assert upright == pytest.approx((0.475, (40 - 12.5) / 200, 0.625, (120 + 12.5) / 200))
    assert text_detector._with_edge((0.0, 0.95, 1.0, 1.0), 0.05, (100, 100)) == (0.0, pytest.approx(0.9375), 1.0, 1.0)


def test_what_hangs_together_is_a_place_and_specks_are_none() -> None:
    probable = np.zeros((100, 200), np.float32)
    probable[40:50, 20:80] = 0.9
    probable[10:12, 150:152] = 0.9  # too small
    probable[70:90, 100:190] = 0.35  # too unsure
    ((box, tall, long),) = text_detector._places(probable)
    left, top, right, bottom = (value * side for value, side in zip(box, (200, 100) * 2, strict=True))
    # Liao et al.: a distance of area × 1.6 ÷ length around it.
    around = 61 * 11 * 1.6 / (2 * (61 + 11))
    assert (left, top, right, bottom) == pytest.approx((20 - around, 40 - around, 81 + around, 51 + around), abs=1.01)
    assert tall == pytest.approx((11 + 2 * around) / 100, abs=0.02)
    assert long == pytest.approx((61 + 2 * around) / (11 + 2 * around), abs=0.1)
    # Upright, it is as high and as long.
    ((_, upright, length),) = text_detector._places(np.ascontiguousarray(probable.T))
    assert (upright, length) == pytest.approx((tall, long), abs=0.01)
