"""Whose checkpoint a folder holds, told from its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radcbir_core.encoders.files.folders import find_in_folder, named_by_kit, probed_kit
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_file
from tests.core.encoders.published import write_json_files

OPEN_CLIP = {"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}}
VIT = {"model_type": "vit"}
TIMM = {"architecture": "resnet18", "pretrained_cfg": {}}


def folder_with(folder: Path, **files: object) -> Path:
    """Files by their stems; all of them JSON, and weights that are never opened."""
    write_json_files(folder, {f"{name}.json": content for name, content in files.items()})
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def write_kit(folder: Path, **facts: object) -> None:
    names = [path.name for path in folder.iterdir() if path.name != "kit.json"]
    kit = {"files": {name: digest_file(folder / name) for name in names}, **facts}
    (folder / "kit.json").write_text(json.dumps(kit))


@pytest.mark.parametrize(
    ("files", "family"),
    [
        ({"open_clip_config": OPEN_CLIP}, "open_clip"),
        ({"config": VIT, "preprocessor_config": {}}, "transformers"),
        ({"config": TIMM}, "timm"),
        ({"open_clip_config": OPEN_CLIP, "config": TIMM}, "open_clip"),
        ({"config": TIMM | VIT}, "timm"),
    ],
)
def test_a_folder_is_told_by_its_configuration(tmp_path, files, family) -> None:
    checkpoint = find_in_folder(folder_with(tmp_path, **files))
    assert checkpoint.family == family
    assert checkpoint.weights_path == tmp_path / "model.safetensors"


def test_a_whole_kit_says_what_it_is_whatever_else_lies_there(tmp_path) -> None:
    folder_with(tmp_path, config=VIT, preprocessor_config={})
    said = {"family": "medsam", "recipe": {"size": 3}, "weights": "model.safetensors"}
    write_kit(tmp_path, encoder_id="mine", title="Mine", probe={"images": 1}, **said)
    checkpoint = find_in_folder(tmp_path)
    assert (checkpoint.family, checkpoint.recipe) == ("medsam", {"size": 3})
    assert named_by_kit(tmp_path) == ("mine", "Mine")
    assert probed_kit(tmp_path).probe == {"images": 1}


def test_a_kit_that_only_lists_files_names_nothing_but_is_checked(tmp_path) -> None:
    folder_with(tmp_path, config=TIMM)
    write_kit(tmp_path)
    assert find_in_folder(tmp_path).family == "timm"
    assert named_by_kit(tmp_path) is None
    assert probed_kit(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"weight$")
    with pytest.raises(EncoderError, match=r"is truncated or altered: .*\. Make it whole"):
        find_in_folder(tmp_path, restore="Make it whole.")


def test_a_kit_that_cannot_be_read_is_said_when_the_folder_is_loaded(tmp_path) -> None:
    (tmp_path / "kit.json").write_text("{")
    assert named_by_kit(tmp_path) is None
    for ask in (find_in_folder, probed_kit):
        with pytest.raises(EncoderError, match=r"kit\.json is not valid JSON"):
            ask(tmp_path)


def test_folders_that_hold_no_encoder(tmp_path) -> None:
    with pytest.raises(EncoderError, match=r"Expected a folder, but local-dir = .*gone is none\. Check the path"):
        find_in_folder(tmp_path / "gone")
    with pytest.raises(EncoderError, match=r"but it holds nothing\. Name the folder of a checkpoint"):
        find_in_folder(tmp_path)
    folder_with(tmp_path, notes={})
    with pytest.raises(EncoderError, match=r"but it holds model\.safetensors, notes\.json\. Name the folder"):
        find_in_folder(tmp_path)
    folder_with(tmp_path, config={"hidden_size": 3})
    with pytest.raises(EncoderError, match="Expected model_type, or architecture and pretrained_cfg, but"):
        find_in_folder(tmp_path)
