"""The committed encoder and the list of its files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.encoders import encoder_id_of, known_encoders, load_encoder
from radcbir_core.encoders.kits.kit_json import check_kit
from radcbir_core.encoders.registry import ROOT
from radcbir_core.errors import EncoderError

WEIGHTS = "open_clip_model.safetensors"
GIT = "git checkout -- data/encoders/radcbir-mini"


@pytest.fixture
def moved(mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the encoder's folder that the test may damage, in a repository that lies elsewhere."""
    shutil.copytree(mini.parents[2], tmp_path / "elsewhere")
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "elsewhere")
    return tmp_path / "elsewhere" / "data" / "encoders" / "radcbir-mini"


def test_its_spec_is_its_name_wherever_the_repository_is(mini: Path, moved: Path) -> None:
    encoder = load_encoder("radcbir-mini", device="cpu")
    assert (encoder.spec, encoder.encoder_id, encoder.dimension, encoder.supports_text) == (
        "radcbir-mini",
        "radcbir-mini",
        256,
        True,
    )
    assert load_encoder(f"local-dir:{moved}", device="cpu").spec == "radcbir-mini"
    copy = load_encoder(f"local-dir:{mini}", device="cpu")
    assert copy.spec == f"local-dir:{mini}"
    assert copy.fingerprint == encoder.fingerprint
    assert encoder_id_of("radcbir-mini?fit=crop") == "radcbir-mini-crop"
    cropped = load_encoder("radcbir-mini?fit=crop", device="cpu")
    assert (cropped.spec, cropped.preprocessing.fit) == ("radcbir-mini?fit=crop", "crop")


def test_the_data_folder_does_not_move_it(mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert load_encoder("radcbir-mini", device="cpu").dimension == 256


def test_it_is_named_a_demonstration() -> None:
    entry = next(entry for entry in known_encoders() if entry.demonstration)
    assert entry.encoder_id == "radcbir-mini"
    assert "BiomedCLIP" in entry.note
    assert [entry.encoder_id for entry in known_encoders() if entry.demonstration] == ["radcbir-mini"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), rf"{WEIGHTS} is missing\."),
        (lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:1000]), r"\(1,000 bytes\) is "),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), r"\(0 bytes\) is truncated or altered"),
        (lambda folder: (folder / "open_clip_config.json").write_text("{}"), "open_clip_config.json .* altered"),
        (lambda folder: (folder / "open_clip_config.json").unlink(), "open_clip_config.json is missing"),
        (lambda folder: (folder / "kit.json").unlink(), "kit.json is missing"),
        (lambda folder: (folder / "kit.json").write_text("{"), "kit.json is not valid JSON"),
        (lambda folder: (folder / "kit.json").write_text("[" * 99_999), "kit.json is not valid JSON"),
        (lambda folder: (folder / "kit.json").write_text("[]"), "kit.json lists none"),
        (shutil.rmtree, "open_clip_config.json is missing"),
    ],
)
def test_a_damaged_one_is_named_with_the_way_to_restore_it(moved: Path, damage, message: str) -> None:
    damage(moved)
    with pytest.raises(EncoderError, match=message) as caught:
        load_encoder("radcbir-mini", device="cpu")
    assert GIT in str(caught.value)
    assert str(caught.value).isprintable()


def test_one_altered_bit_is_noticed(moved: Path) -> None:
    data = bytearray((moved / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (moved / WEIGHTS).write_bytes(data)
    with pytest.raises(EncoderError, match=r"truncated or altered: its SHA-256 begins with [0-9a-f]{8}, not"):
        load_encoder("radcbir-mini", device="cpu")


def test_any_folder_may_have_a_kit(mini: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    shutil.copytree(mini, folder)
    (folder / WEIGHTS).write_bytes(b"short")
    with pytest.raises(EncoderError, match=re.escape(f"{folder / WEIGHTS} (5 bytes) is truncated")) as caught:
        load_encoder(f"local-dir:{folder}", device="cpu")
    assert "Fetch or copy the folder again" in str(caught.value)
    assert "git" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"../secret": "0" * 64}, "Expected names of files in the folder, but .* lists '../secret'"),
        ({"/etc/passwd": "0" * 64}, "lists '/etc/passwd'"),
        ({"a": "0" * 63}, "Expected a SHA-256 of 64 hex digits"),
        ({"a": 1}, "Expected a SHA-256 of 64 hex digits"),
        ({"a": "0" * 64}, "a is missing"),
        ({}, "lists none"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, files, message: str) -> None:
    (tmp_path / "kit.json").write_text(json.dumps({"files": files}))
    with pytest.raises(EncoderError, match=message):
        check_kit(tmp_path)


def test_the_committed_encoder_loads_and_is_what_the_table_says() -> None:
    entry = next(entry for entry in known_encoders() if entry.encoder_id == "radcbir-mini")
    if not (ROOT / entry.source / WEIGHTS).is_file():
        pytest.skip(f"{entry.source}/{WEIGHTS} is not in this tree")
    encoder = load_encoder("radcbir-mini", device="cpu")
    assert encoder.dimension == entry.dimension
    assert encoder.title == entry.title
    vectors = encoder.encode_texts(["CT of the head with hemorrhage", "chest radiograph with pleural effusion"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
