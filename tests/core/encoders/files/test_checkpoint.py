"""A checkpoint's files: where they are, what they say, and how they are laid out for a library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radcbir_core.encoders import Checkpoint
from radcbir_core.encoders.files.checkpoint import folder_files, json_object
from radcbir_core.errors import EncoderError


def made(files: dict[str, Path | bytes]) -> Checkpoint:
    return Checkpoint(family="example", files=files, weights="model.safetensors")


def test_files_that_lie_together_are_used_where_they_are(tmp_path: Path) -> None:
    for name in ("vocab.txt", "tokenizer.json"):
        (tmp_path / name).write_text(name)
    checkpoint = made({"vocab.txt": tmp_path / "vocab.txt", "tokenizer.json": tmp_path / "tokenizer.json"})
    with checkpoint.laid_out({"vocab.txt": "vocab.txt", "tokenizer.json": "tokenizer.json"}) as folder:
        assert folder == tmp_path


def test_others_are_put_together_for_as_long_as_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text("there")
    checkpoint = made(
        {"text/config.json": tmp_path / "a" / "config.json", "made.json": b"here", "other": tmp_path / "x"}
    )
    with checkpoint.laid_out({"config.json": "text/config.json"}) as folder:
        assert folder == tmp_path / "a"  # it has the wanted name already
    with checkpoint.laid_out({"config.json": "text/config.json", "more.json": "made.json"}) as folder:
        assert {path.name: path.read_text() for path in folder.iterdir()} == {
            "config.json": "there",
            "more.json": "here",
        }
    assert not folder.exists()
    with checkpoint.laid_out({"renamed.json": "text/config.json"}) as folder:
        assert (folder / "renamed.json").read_text() == "there"
    assert not folder.exists()


def test_what_is_missing_or_unreadable_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"Expected a weights file, but model.safetensors is none of config.json"):
        _ = made({"config.json": b"{}"}).weights_path
    checkpoint = made(
        {
            "model.safetensors": tmp_path / "model.safetensors",
            "a.json": b"[1]",
            "b.json": b"\xff{",
            "c.json": b"[" * 99_999,
        }
    )
    with pytest.raises(
        EncoderError, match=re.escape(f"Expected config.json beside {tmp_path / 'model.safetensors'}, but")
    ):
        checkpoint.read_json("config.json")
    with pytest.raises(EncoderError, match=r"Expected a JSON object, but a.json holds a list"):
        checkpoint.read_json("a.json")
    with pytest.raises(EncoderError, match=r"Expected a readable JSON file, but c.json is not valid JSON"):
        checkpoint.read_json("c.json")
    with pytest.raises(EncoderError, match=r"Expected a readable JSON file, but b.json is not valid JSON"):
        checkpoint.read_json("b.json")
    with pytest.raises(EncoderError, match=re.escape(f"but {tmp_path / 'c.json'} No such file")):
        json_object(tmp_path / "c.json")
    assert checkpoint.place_of("a.json") == "a.json"
    assert checkpoint.place_of("model.safetensors") == str(tmp_path / "model.safetensors")


def test_only_matching_files_right_in_the_folder_are_taken(tmp_path: Path) -> None:
    for name in ("vocab.txt", "tokenizer_config.json", "README.md"):
        (tmp_path / name).write_text("")
    (tmp_path / "vocab.json").mkdir()
    assert list(folder_files(tmp_path, ("vocab*", "tokenizer*"))) == ["tokenizer_config.json", "vocab.txt"]
