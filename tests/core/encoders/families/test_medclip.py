"""MedCLIP: its authors' file, made with random weights, and what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import Encoder, find_checkpoint
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import EncoderError
from tests.core.encoders.published import SWIN_NAMES, lively, loaded, renamed, unit
from tests.core.encoders.tiny_models import WORDS

prepare_torchvision()
import transformers  # noqa: E402

SMALL_SWIN = {
    "image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4,
}  # fmt: skip


SMALL_BERT = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 96,
}  # fmt: skip


MEDCLIP = {"vision_config": SMALL_SWIN, "text_config": SMALL_BERT, "size": 20}


class TestMedClip:
    @pytest.fixture
    def towers(self) -> dict[str, Any]:
        return {
            "vision": lively(lambda: transformers.SwinModel(transformers.SwinConfig(**SMALL_SWIN))),
            "text": lively(lambda: transformers.BertModel(transformers.BertConfig(**SMALL_BERT)), seed=1),
            "vision_head": torch.randn(20, 32, generator=torch.Generator().manual_seed(2)),
            "text_head": torch.randn(20, 32, generator=torch.Generator().manual_seed(3)),
        }

    @pytest.fixture
    def folder(self, tmp_path: Path, towers: dict[str, Any]) -> Path:
        """MedCLIP's file: with the counters that transformers once saved, and the tokenizer's words beside it."""
        folder = tmp_path / "medclip-vit"
        folder.mkdir()
        vision = renamed(towers["vision"].state_dict(), SWIN_NAMES)
        state = {f"vision_model.model.{name}": value for name, value in vision.items()}
        state |= {f"text_model.model.{name}": value for name, value in towers["text"].state_dict().items()}
        state["vision_model.projection_head.weight"] = towers["vision_head"]
        state["text_model.projection_head.weight"] = towers["text_head"]
        state["logit_scale"] = torch.tensor(2.66)
        state["text_model.model.embeddings.position_ids"] = torch.arange(96)[None]
        blocks = "vision_model.model.encoder.layers.0.blocks.0.attention.self.relative_position_index"
        state[blocks] = torch.zeros(16, 16, dtype=torch.int64)
        assert "vision_model.model.encoder.layers.0.blocks.0.attention.self.query.weight" in state
        torch.save(state, folder / "pytorch_model.bin")
        (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
        return folder

    def test_images(
        self, folder: Path, towers: dict[str, Any], images: list[np.ndarray], no_network: Any, hub_cache: Any
    ) -> None:
        encoder = loaded(find_checkpoint("medclip", path=folder), **MEDCLIP)
        assert isinstance(encoder, Encoder)
        # As the paper's code prepares them.
        processor = transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, resample=3,
            image_mean=[0.5862785803043838] * 3, image_std=[0.27950088968644304] * 3,
        )  # fmt: skip
        rgb = [Image.fromarray(image).convert("RGB") for image in images]
        inputs = torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in rgb])
        prepared = np.stack([encoder.prepare(image) for image in images])
        np.testing.assert_allclose(prepared, inputs.numpy(), rtol=0, atol=2e-6)
        with torch.no_grad():
            expected = unit(towers["vision"](inputs).pooler_output @ towers["vision_head"].T)
        np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=2e-6)
        assert np.abs(expected[0] - expected[1]).max() > 1e-3

    def test_texts(self, folder: Path, towers: dict[str, Any], no_network: Any, hub_cache: Any) -> None:
        encoder = loaded(find_checkpoint("medclip", path=folder / "pytorch_model.bin"), **MEDCLIP)
        assert encoder.supports_text
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        texts = ["Chest X - ray with a mass", "ct of the head"]
        expected = []
        for text in texts:
            ids = torch.tensor([[2, *(words.index(word) for word in text.lower().split()), 3]])
            with torch.no_grad():
                hidden = towers["text"](input_ids=ids, output_hidden_states=True).hidden_states
            layers = [hidden[place][0].mean(dim=0) for place in (1, 2, 4)]
            expected.append(((layers[0] + layers[1] + layers[2]) / 3) @ towers["text_head"].T)
        found = encoder.encode_texts(texts)
        np.testing.assert_allclose(found, unit(torch.stack(expected)), rtol=0, atol=2e-6)
        # A text's numbers do not depend on what else is asked.
        np.testing.assert_allclose(encoder.encode_texts(texts[1:]), found[1:], rtol=0, atol=2e-6)
        assert encoder.truncated(["a " * 75, "a " * 76]) == [False, True]

    def test_without_words_there_is_no_text(self, folder: Path, no_network: Any, hub_cache: Any) -> None:
        (folder / "vocab.txt").rename(folder / "away.md")
        encoder = loaded(find_checkpoint("medclip", path=folder), **MEDCLIP)
        assert not encoder.supports_text
        with pytest.raises(
            EncoderError, match=r"made: vocab.txt of emilyalsentzer/Bio_ClinicalBERT is not beside its w"
        ):
            encoder.encode_texts(["chest"])
        hub_cache("emilyalsentzer/Bio_ClinicalBERT", {"vocab.txt": folder / "away.md"})
        assert loaded(find_checkpoint("medclip", path=folder), **MEDCLIP).supports_text

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("surprise", torch.ones(2), "has 1 unexpected .surprise"),
            ("vision_model.model.surprise", torch.ones(2), "has 1 unexpected .surprise"),
            ("logit_scale", None, "has 1 missing .logit_scale"),
            ("text_model.model.pooler.dense.bias", None, "has 1 missing"),
            (
                "vision_model.projection_head.weight",
                torch.ones(20, 64),
                "instead of .20, 32.. Use MedCLIP's vision tran",
            ),
            ("vision_model.model.layernorm.weight", torch.ones(32, dtype=torch.int8), "has integers for vision_model"),
        ],
    )
    def test_other_weights_are_refused(self, name: str, value: Any, message: str, folder: Path, hub_cache: Any) -> None:
        state = torch.load(folder / "pytorch_model.bin")
        state.pop(name, None)
        if value is not None:
            state[name] = value
        torch.save(state, folder / "pytorch_model.bin")
        with pytest.raises(EncoderError, match=message):
            loaded(find_checkpoint("medclip", path=folder), **MEDCLIP)

    def test_the_archive_is_to_be_unpacked(self, folder: Path) -> None:
        archive = folder / "medclip-vit-pretrained.zip"
        archive.write_bytes(b"PK")
        with pytest.raises(EncoderError, match=r"Expected pytorch_model.bin, but .* is an archive. Unpack it and name"):
            find_checkpoint("medclip", path=archive)

    def test_the_published_sizes_are_swin_tiny_and_bert_base(self) -> None:
        from radcbir_core.encoders.families.medclip import TEXT, VISION

        with torch.device("meta"):
            vision = transformers.SwinModel(transformers.SwinConfig(**VISION))
            text = transformers.BertModel(transformers.BertConfig(**TEXT))
        assert sum(parameter.numel() for parameter in vision.parameters()) == 27_519_354
        assert sum(parameter.numel() for parameter in text.parameters()) == 108_310_272
