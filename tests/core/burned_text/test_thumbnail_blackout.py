"""Thumbnails without text: all at once, also those made later, and the images stay what they are."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

from radcbir_core.burned_text import thumbnail_blackout
from radcbir_core.burned_text.text_finding import find_text
from radcbir_core.burned_text.thumbnail_blackout import (
    black_out_thumbnails,
    find_and_black_out,
    show_thumbnails_whole,
)
from radcbir_core.collections.archive import open_archive, write_archive
from radcbir_core.collections.collection import open_collection
from radcbir_core.embed import mend_thumbnails
from radcbir_core.encoders import load_encoder
from radcbir_core.images.thumbnailing import gray_of
from radcbir_core.pipeline import build_collection
from radcbir_core.storage import atomic_bytes
from tests.core.burned_text.collections import TEXTS, with_texts
from tests.core.burned_text.stand_in import StandIn


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A collection with thumbnails in shards of two, in which text was found."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    for module in ("embed", "collections.thumbnails", "burned_text.thumbnail_blackout"):
        monkeypatch.setattr(f"radcbir_core.{module}.SHARD_ROWS", 2)
    collection = with_texts(tmp_path / "pictures")
    build_collection(collection, load_encoder("pixels"))
    find_text(collection, StandIn())
    return open_collection("c")


def shows_text(collection, row: int) -> bool:
    """Whether the line is to be seen in a thumbnail; 192 of 200 pixels wide."""
    gray = np.asarray(gray_of(collection.thumbnail(row)))
    height, width = gray.shape
    line = gray[round(height * 0.89) : round(height * 0.92), round(width * 0.1) : round(width * 0.4)]
    assert line.mean() > 200 or line.max() < 40 or row not in TEXTS
    return bool(line.mean() > 200)


def digests(folder) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_text_is_black_and_all_else_stays_byte_for_byte(built, tmp_path) -> None:
    before = [built.thumbnail(row) for row in range(6)]
    pictures = digests(tmp_path / "pictures")
    assert [shows_text(built, row) for row in range(6)] == [row in TEXTS for row in range(6)]
    assert black_out_thumbnails("c") == 2
    collection = open_collection("c")
    assert collection.blacks_out
    assert not any(shows_text(collection, row) for row in range(6))
    for row in range(6):
        assert (collection.thumbnail(row) == before[row]) == (row not in TEXTS)
    assert digests(tmp_path / "pictures") == pictures
    # What was computed is current: pixels were not touched.
    assert set(collection.store("pixels").states().values()) == {"current"}
    assert show_thumbnails_whole("c") == 0
    collection = open_collection("c")
    assert not collection.blacks_out
    assert [collection.thumbnail(row) for row in range(6)] == before


def test_whoever_is_stopped_midway_has_changed_nothing(built, monkeypatch) -> None:
    before = [built.thumbnail(row) for row in range(6)]
    written = []

    def full(path, content):
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt
        atomic_bytes(path, content)

    monkeypatch.setattr("radcbir_core.collections.thumbnails.atomic_bytes", full)
    with pytest.raises(KeyboardInterrupt):
        black_out_thumbnails("c")
    collection = open_collection("c")
    assert not collection.blacks_out
    assert [collection.thumbnail(row) for row in range(6)] == before


def test_thumbnails_that_are_made_anew_are_black_too(built) -> None:
    black_out_thumbnails("c")
    collection = open_collection("c")
    path = collection.thumbnails.folder / "000000.bin"
    path.write_bytes(bytes(len(path.read_bytes())))
    assert mend_thumbnails(collection) == 2
    collection = open_collection("c")
    assert not any(shows_text(collection, row) for row in range(6))
    collection.thumbnails.remove(2)
    shutil.rmtree(collection.encoder_folder("pixels"))
    build_collection(open_collection("c"), load_encoder("pixels"))
    assert not any(shows_text(open_collection("c"), row) for row in range(6))


def test_an_archive_has_them_black_and_knows_where(built, tmp_path) -> None:
    said = "Text seems to be burned into 2 images, and the {} in the archive show it."
    assert said.format("thumbnails") in write_archive(built, tmp_path / "c.zip").notes
    assert said.format("thumbnails and images") in write_archive(built, tmp_path / "c.zip", images=True).notes
    black_out_thumbnails("c")
    assert said.format("images") in write_archive(open_collection("c"), tmp_path / "c.zip", images=True).notes
    notes = write_archive(open_collection("c"), tmp_path / "c.zip").notes
    assert not [note for note in notes if note.startswith("Text")]
    opened = open_archive(tmp_path / "c.zip", "d")
    assert opened.blacks_out
    assert not any(shows_text(opened, row) for row in range(6))
    assert opened.burned_text().hidden(1).tolist() == [[50, 875, 450, 938]]
    # Without its images, what is black stays black.
    assert show_thumbnails_whole("d") == 2
    assert not any(shows_text(open_collection("d"), row) for row in range(6))


def test_thumbnails_follow_where_text_is_looked_for_again(built) -> None:
    before = [built.thumbnail(row) for row in range(6)]
    black_out_thumbnails("c")
    # To this one they are marks, which are not hidden.
    told = []
    find_and_black_out(
        open_collection("c"), StandIn(symbols=1, name="other"), progress=lambda step, *_: told.append(step)
    )
    assert list(dict.fromkeys(told)) == ["text-boxes", thumbnail_blackout.BLACK]
    collection = open_collection("c")
    assert collection.blacks_out
    assert [collection.thumbnail(row) for row in range(6)] == before
    find_and_black_out(collection, StandIn(name="third"))
    assert not any(shows_text(open_collection("c"), row) for row in range(6))
    # Nobody has looked at anything: all stays as it is.
    find_and_black_out(open_collection("c"), StandIn(name="third"), progress=lambda step, *_: told.append(step))
    assert told[-1] == "text-boxes"
    told.clear()
    assert show_thumbnails_whole("c", progress=lambda step, *_: told.append(step)) == 0
    assert set(told) == {thumbnail_blackout.WHOLE}
    assert [open_collection("c").thumbnail(row) for row in range(6)] == before


def test_text_that_is_found_while_one_waits_is_black_too(built, monkeypatch) -> None:
    find_text(built, StandIn(symbols=0, name="blind"))
    revised = thumbnail_blackout.revised_collection

    def late(name, *, digest):
        find_text(open_collection("c"), StandIn(name="sees"))
        return revised(name, digest=digest)

    monkeypatch.setattr(thumbnail_blackout, "revised_collection", late)
    assert black_out_thumbnails("c") == 2
    assert not any(shows_text(open_collection("c"), row) for row in range(6))


def test_before_a_build_only_the_wish_is_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    collection = with_texts(tmp_path / "pictures")
    find_text(collection, StandIn())
    told = []
    assert black_out_thumbnails("c", progress=lambda *said: told.append(said)) == 0
    assert told == [(thumbnail_blackout.BLACK, 0, 6), (thumbnail_blackout.BLACK, 6, 6)]
    build_collection(open_collection("c"), load_encoder("pixels"))
    assert not any(shows_text(open_collection("c"), row) for row in range(6))
