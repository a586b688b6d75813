"""One picture from outside: its header, and what looks at it."""

from __future__ import annotations

import io

import numpy as np

from radcbir_core.burned_text import picture_look
from radcbir_core.burned_text.picture_look import header_tells, look_if_installed
from radcbir_core.collections.text_boxes import NOTHING, TEXT
from tests.core.burned_text.stand_in import StandIn, written
from tests.core.images.dicom_files import dicom_bytes


def test_a_header_tells_or_says_nothing(tmp_path) -> None:
    pixels = np.zeros((8, 8), np.uint16)
    told = dicom_bytes(pixels, BurnedInAnnotation="YES")
    (tmp_path / "a.dcm").write_bytes(told)
    assert header_tells(told)
    assert header_tells(tmp_path / "a.dcm")
    assert not header_tells(dicom_bytes(pixels, BurnedInAnnotation="NO"))
    assert not header_tells(dicom_bytes(pixels))
    assert not header_tells(told[:200])
    png = io.BytesIO()
    written().save(png, "PNG")
    assert not header_tells(png.getvalue())
    assert not header_tells(tmp_path / "gone.dcm")


def test_a_detector_is_loaded_with_the_first_picture_alone(monkeypatch) -> None:
    monkeypatch.setattr(picture_look, "is_installed", lambda: False)
    assert look_if_installed() is None
    loaded = []
    monkeypatch.setattr(picture_look, "is_installed", lambda: True)
    monkeypatch.setattr(picture_look, "_detector", lambda: loaded.append(1) or StandIn())
    look = look_if_installed()
    assert not loaded
    assert look(np.asarray(written()))[0] == TEXT
    assert look(np.asarray(written(text=False)))[0] == NOTHING
    assert loaded
