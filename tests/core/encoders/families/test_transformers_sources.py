"""Where transformers' models come from: folders and repositories, and which of their files are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from radcbir_core.encoders.families.transformers_sources import from_folder, from_hub, model_type_in
from radcbir_core.errors import EncoderError, EncoderUnavailableError
from tests.core.encoders.published import write_json_files


def repository(folder: Path, *, model_type: str = "vit", weights: str = "model.safetensors", more=()) -> Path:
    write_json_files(folder, {"config.json": {"model_type": model_type}, "preprocessor_config.json": {}})
    for name in (weights, *more):
        (folder / name).write_bytes(b"x")
    return folder


TEXTS = ("tokenizer.json", "vocab.txt", "merges.txt")


@pytest.mark.parametrize(("model_type", "texts"), [("vit", set()), ("clip", set(TEXTS)), ("siglip", set(TEXTS))])
def test_a_folder_with_a_tokenizer_where_there_is_a_text_tower(tmp_path, model_type, texts) -> None:
    checkpoint = from_folder(repository(tmp_path, model_type=model_type, more=(*TEXTS, "README.md")))
    assert set(checkpoint.files) == {"config.json", "preprocessor_config.json", "model.safetensors"} | texts
    assert checkpoint.family == "transformers"


def test_the_weights_keep_their_kind_and_lose_their_name(tmp_path) -> None:
    checkpoint = from_folder(repository(tmp_path, weights="pytorch_model.bin"))
    assert (checkpoint.weights, checkpoint.weights_path.name) == ("model.bin", "pytorch_model.bin")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    assert from_folder(tmp_path).weights == "model.safetensors"


def test_what_is_missing_is_named(tmp_path) -> None:
    repository(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(
        EncoderError, match=r"Expected preprocessor_config\.json in .*, but there is none\. Put it there"
    ):
        from_folder(tmp_path)
    repository(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="Expected a weights file in"):
        from_folder(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "Expected model_type, but .*config.json has none"),
        ({"model_type": 3}, "Expected model_type, but .*config.json has none"),
        ({"model_type": "vit", "auto_map": {}}, "asks for code of its own .auto_map.. Use a checkpoint that works"),
    ],
)
def test_configurations_that_are_refused(tmp_path, config, message) -> None:
    write_json_files(tmp_path, {"config.json": config})
    with pytest.raises(EncoderError, match=message):
        model_type_in(tmp_path / "config.json")


def test_a_repository_in_the_cache(tmp_path, hub_cache, no_network, monkeypatch) -> None:
    folder = repository(tmp_path / "r", model_type="clip", more=TEXTS)
    hub_cache("org/clip", {path.name: path for path in folder.iterdir()})
    checkpoint = from_hub("org/clip")
    assert set(checkpoint.files) == {"config.json", "preprocessor_config.json", "model.safetensors", *TEXTS}
    hub_cache("org/vit", {path.name: path for path in repository(tmp_path / "v").iterdir()})
    assert set(from_hub("org/vit").files) == {"config.json", "preprocessor_config.json", "model.safetensors"}


def test_a_repository_that_is_not_in_the_cache(hub_cache, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderUnavailableError, match="org/gone"):
        from_hub("org/gone")
