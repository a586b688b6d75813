"""Where open_clip's models come from: tags, repositories, folders, and UniMed-CLIP's file."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import find_checkpoint, load_encoder
from radcbir_core.encoders.families import open_clip_sources as sources
from radcbir_core.errors import EncoderError, EncoderUnavailableError
from tests.core.encoders.published import lively, loaded, write_json_files
from tests.core.encoders.tiny_models import TINY_MODEL, TINY_PREPROCESS, TINY_VISION


class TestUniMedClip:
    """The layout of its authors' training checkpoint: ``module.``, ``text_encoder.``, and NumPy's numbers beside."""

    CFG: ClassVar[dict[str, Any]] = {
        "model_cfg": {
            "embed_dim": 24, "quick_gelu": True, "vision_cfg": TINY_VISION,
            "text_cfg": {**sources.UNIMED["model_cfg"]["text_cfg"], "context_length": 16},
        },
        "preprocess_cfg": sources.UNIMED["preprocess_cfg"],
    }  # fmt: skip

    def test_it_is_what_open_clip_computes(
        self, tmp_path: Path, tiny_bert: Path, open_clip: Any, images: Any, no_network: Any, hub_cache: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(sources, "UNIMED", self.CFG)
        cfg = copy.deepcopy(self.CFG["model_cfg"])
        cfg["text_cfg"] |= {"hf_model_name": str(tiny_bert), "hf_model_pretrained": False}
        model = lively(lambda: open_clip.CustomTextCLIP(**cfg), spread=0.15)
        state = {
            f"module.{re.sub('^text[.]', 'text_encoder.', name)}": value for name, value in model.state_dict().items()
        }
        state["module.text_encoder.transformer.embeddings.position_ids"] = torch.arange(16)[None]
        path = tmp_path / "unimed-clip-vit-b16.pt"
        checkpoint = {"epoch": 10, "state_dict": state, "best": np.float64(0.5), "steps": np.int64(3)}
        torch.save(checkpoint, path)
        bert = sources.UNIMED["model_cfg"]["text_cfg"]["hf_model_name"]
        hub_cache(bert, {file.name: file for file in tiny_bert.iterdir()})
        hub_cache("UzairK/unimed-clip-vit-b16", {path.name: path})
        encoder = load_encoder("unimed-clip-vit-b-16", device="cpu")
        assert (encoder.spec, encoder.supports_text) == ("unimed-clip-vit-b-16", True)
        transform = open_clip.image_transform(32, is_train=False)
        with torch.no_grad():
            pixels = torch.stack([transform(Image.fromarray(image)) for image in images])
            expected = model.encode_image(pixels, normalize=True).numpy()
        np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=1e-5)
        given = loaded(find_checkpoint("unimed-clip-vit-b-16", path=path))
        assert given.fingerprint == encoder.fingerprint
        np.testing.assert_array_equal(given.encode_texts(["chest"]), encoder.encode_texts(["chest"]))

    def test_the_published_sizes(self) -> None:
        cfg = sources.UNIMED["model_cfg"]
        assert (cfg["embed_dim"], cfg["quick_gelu"], cfg["text_cfg"]["context_length"]) == (512, True, 256)


CONFIGURATION = {"model_cfg": TINY_MODEL, "preprocess_cfg": TINY_PREPROCESS}
BERT = {"model_type": "bert"}
TEXT = {"hf_model_name": "org/bert", "hf_tokenizer_name": "org/words"}


def made(folder: Path, configuration: Any = CONFIGURATION, *names: str) -> Path:
    write_json_files(folder, {"open_clip_config.json": configuration})
    for name in ("open_clip_model.safetensors", *names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(BERT) if name.endswith("config.json") else "x")
    return folder


def with_text_tower() -> dict[str, Any]:
    return {"model_cfg": {**TINY_MODEL, "text_cfg": TEXT}}


def test_a_folder_without_a_text_tower_of_its_own(tmp_path: Path) -> None:
    checkpoint = sources.from_folder(made(tmp_path / "a", CONFIGURATION, "vocab.txt"))
    assert set(checkpoint.files) == {"open_clip_config.json", "open_clip_model.safetensors"}


@pytest.mark.parametrize("place", ["text/config.json", "config.json"])
def test_a_text_towers_files_beside_it(tmp_path: Path, hub_cache: Any, place: str) -> None:
    folder = made(tmp_path / "a", with_text_tower(), place, "vocab.txt", "tokenizer_config.json", "notes.md")
    checkpoint = sources.from_folder(folder)
    assert checkpoint.files["text/config.json"] == folder / place
    assert {"vocab.txt", "tokenizer_config.json"} <= set(sources.tokenizer_files(checkpoint.files))
    assert "notes.md" not in checkpoint.files


def test_a_text_towers_files_in_the_cache(tmp_path: Path, hub_cache: Any, no_network: Any) -> None:
    folder = made(tmp_path / "a", with_text_tower())
    with pytest.raises(EncoderError, match=r"Expected the config\.json of the text tower org/bert in .*huggingface.co"):
        sources.from_folder(folder)
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    hub_cache("org/bert", {"config.json": tmp_path / "config.json"})
    with pytest.raises(EncoderError, match=r"Expected the tokenizer of org/words in .*, but there is none"):
        sources.from_folder(folder)
    (tmp_path / "vocab.txt").write_text("x")
    hub_cache("org/words", {"vocab.txt": tmp_path / "vocab.txt"})
    assert set(sources.from_folder(folder).files) == {
        "open_clip_config.json", "open_clip_model.safetensors", "text/config.json", "vocab.txt",
    }  # fmt: skip


def test_what_is_no_folder_of_open_clips(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"Expected a folder, but .*gone is none\. Check the path"):
        sources.from_folder(tmp_path / "gone")
    with pytest.raises(EncoderError, match=r"Expected open_clip_config\.json in .*, but there is none"):
        sources.from_folder(tmp_path)


def test_configurations() -> None:
    content = json.dumps(CONFIGURATION).encode()
    assert sources.read_configuration(content) == (TINY_MODEL, TINY_PREPROCESS)
    assert sources.read_configuration(json.dumps({"model_cfg": TINY_MODEL}).encode()) == (TINY_MODEL, {})
    for broken in ({}, {"model_cfg": {**TINY_MODEL, "embed_dim": "8"}}, {"model_cfg": {**TINY_MODEL, "text_cfg": 1}}):
        with pytest.raises(EncoderError, match=r"but open_clip_config\.json lacks one of them"):
            sources.read_configuration(json.dumps(broken).encode())


def test_a_tag_says_how_its_weights_were_trained(tmp_path: Path, open_clip: Any, no_network: Any) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    quick = sources.from_tag("ViT-B-32", "openai", path=tmp_path / "weights.safetensors")
    model_cfg, preprocess_cfg = sources.read_configuration(quick.files["open_clip_config.json"])
    assert model_cfg["quick_gelu"] is True, "the architecture's own file does not say so"
    assert list(preprocess_cfg["mean"]) == [0.48145466, 0.4578275, 0.40821073]
    assert quick.weights_path == tmp_path / "weights.safetensors"
    plain = sources.from_tag("ViT-B-32", "laion2b_s34b_b79k", path=tmp_path)
    assert "quick_gelu" not in sources.read_configuration(plain.files["open_clip_config.json"])[0]


def test_tags_and_architectures_that_there_are_not(open_clip: Any) -> None:
    with pytest.raises(
        EncoderError, match=r"Expected a pretrained tag of ViT-B-32, but tag = 'opnai'\. Did you mean op"
    ):
        sources.from_tag("ViT-B-32", "opnai")
    with pytest.raises(EncoderError, match=r"architecture = 'ViT-B-23'\. Did you mean ViT-B-"):
        sources.from_tag("ViT-B-23", "openai")


def test_a_repository_fetches_what_is_small_first(tmp_path: Path, hub_cache: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = made(tmp_path / "a")
    hub_cache("org/clip", {"open_clip_config.json": folder / "open_clip_config.json"})
    with pytest.raises(EncoderUnavailableError, match=r"open_clip_model\.safetensors"):
        sources.from_hub("org/clip")
    hub_cache("org/clip", {"open_clip_model.safetensors": folder / "open_clip_model.safetensors"})
    assert sources.from_hub("org/clip").weights == "open_clip_model.safetensors"
