"""``find-text`` and ``black-out``: what they print, and what they say where the optional part is missing."""

from __future__ import annotations

import pytest

from radcbir_core.burned_text import text_detector
from radcbir_core.cli import main
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.pipeline import build_collection
from tests.core.burned_text.collections import with_texts
from tests.core.burned_text.stand_in import StandIn


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    build_collection(with_texts(tmp_path / "pictures"), load_encoder("pixels"))


def test_text_is_found_and_painted_black(built, monkeypatch, capsys) -> None:
    monkeypatch.setattr(text_detector, "is_installed", lambda: True)
    monkeypatch.setattr(text_detector, "load_detector", StandIn)
    assert main(["find-text", "c"]) == 0
    said = capsys.readouterr().out
    assert "Looked at 6 images of 6 with stand-in 1." in said
    assert "Text seems burned into 2 images of c; of 0 the header says so. They are in its list of problems" in said
    assert "Nobody has looked" not in said
    assert "black-out c" in said
    assert main(["find-text", "c"]) == 0
    assert "Looked at 0 images of 6" in capsys.readouterr().out
    assert main(["find-text", "c", "--anew"]) == 0
    assert "Looked at 6 images of 6" in capsys.readouterr().out
    assert main(["black-out", "c"]) == 0
    assert "Painted text black in 2 thumbnails of c." in capsys.readouterr().out
    assert open_collection("c").blacks_out
    assert main(["black-out", "c", "--undo"]) == 0
    assert "The thumbnails of c show all of their images." in capsys.readouterr().out
    assert not open_collection("c").blacks_out


def test_without_the_optional_part_the_headers_are_told_and_what_to_install(built, monkeypatch, capsys) -> None:
    monkeypatch.setattr(text_detector, "is_installed", lambda: False)
    assert main(["find-text", "c"]) == 1
    said = capsys.readouterr().out
    assert "of 0 the header says so" in said
    assert "Nobody has looked at the pixels of 6 images: there may be text in them." in said
    assert "list of problems" not in said
    assert "requirements-ocr.txt" in said
    assert not open_collection("c").layout.text_boxes.exists()
    assert main(["black-out", "c"]) == 0
    assert "Not looked at: 6 images." in capsys.readouterr().out
