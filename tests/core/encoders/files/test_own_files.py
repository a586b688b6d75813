"""MedSAM, MedCLIP, RadImageNet and UniMed-CLIP: their authors' files, made with random weights, and what they give."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import Checkpoint, Encoder, find_checkpoint, load_checkpoint, load_encoder
from radcbir_core.encoders.families import open_clip_sources as sources
from radcbir_core.encoders.families.medsam import VIT_B, image_encoder_weights
from radcbir_core.encoders.files.weights import read_weights
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, Remedy
from tests.core.encoders.published import SEGMENT_ANYTHING_NAMES, SWIN_NAMES, lively, renamed
from tests.core.encoders.tiny_models import TINY_VISION, WORDS

prepare_torchvision()
import torchvision  # noqa: E402
import transformers  # noqa: E402

SMALL_SAM = {
    **VIT_B, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64, "image_size": 64,
    "window_size": 2, "global_attn_indexes": [1], "output_channels": 24,
}  # fmt: skip
SMALL_SWIN = {
    "image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4,
}  # fmt: skip
SMALL_BERT = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 96,
}  # fmt: skip
MEDCLIP = {"vision_config": SMALL_SWIN, "text_config": SMALL_BERT, "size": 20}


def loaded(checkpoint: Checkpoint, **recipe: Any) -> Encoder:
    """The encoder of a checkpoint, of other sizes than the published ones."""
    smaller = replace(checkpoint, recipe={**checkpoint.recipe, **recipe})
    return load_checkpoint(smaller, spec="made", encoder_id="made", title="Made", device="cpu")


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.double(), dim=1).float().numpy()


def left_out() -> dict[str, torch.Tensor]:
    """What segment_anything calls the weights of SAM's other parts; the shapes are no matter."""
    attention = [f"{layer}.{part}" for layer in ("layers.0", "layers.1") for part in
                 ("self_attn", "cross_attn_token_to_image", "cross_attn_image_to_token")]  # fmt: skip
    linear = [
        *(f"mask_decoder.transformer.{place}.{part}_proj" for place in (*attention, "final_attn_token_to_image")
          for part in "qkv"),
        *(f"mask_decoder.transformer.{place}.out_proj" for place in (*attention, "final_attn_token_to_image")),
        *(f"mask_decoder.transformer.layers.{layer}.norm{norm}" for layer in (0, 1) for norm in (1, 2, 3, 4)),
        *(f"mask_decoder.transformer.layers.{layer}.mlp.lin{part}" for layer in (0, 1) for part in (1, 2)),
        "mask_decoder.transformer.norm_final_attn",
        *(f"mask_decoder.output_upscaling.{place}" for place in (0, 1, 3)),
        *(f"mask_decoder.output_hypernetworks_mlps.{head}.layers.{layer}" for head in range(4) for layer in range(3)),
        *(f"mask_decoder.iou_prediction_head.layers.{layer}" for layer in range(3)),
        *(f"prompt_encoder.mask_downscaling.{place}" for place in (0, 1, 3, 4, 6)),
    ]  # fmt: skip
    names = [f"{name}.{kind}" for name in linear for kind in ("weight", "bias")]
    names += ["mask_decoder.iou_token.weight", "mask_decoder.mask_tokens.weight"]
    names += [f"prompt_encoder.point_embeddings.{place}.weight" for place in range(4)]
    names += ["prompt_encoder.not_a_point_embed.weight", "prompt_encoder.no_mask_embed.weight"]
    names += ["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    return {name: torch.ones(1) for name in names}


class TestMedSam:
    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Any]:
        model = lively(lambda: transformers.SamVisionModel(transformers.SamVisionConfig(**SMALL_SAM)))
        path = tmp_path / "medsam_vit_b.pth"
        torch.save({**renamed(model.state_dict(), SEGMENT_ANYTHING_NAMES), **left_out()}, path)
        return path, model

    def test_it_gives_the_mean_of_sam_s_map(self, made: tuple[Path, Any], images: Any, no_network: Any) -> None:
        path, model = made
        for given in (path, path.parent):
            encoder = loaded(find_checkpoint("medsam-vit-b", path=given), vision_config=SMALL_SAM)
            assert isinstance(encoder, Encoder)
            processor = transformers.SamImageProcessorPil(
                size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}
            )
            rgb = [Image.fromarray(image).convert("RGB") for image in images]
            inputs = torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in rgb])
            prepared = np.stack([encoder.prepare(image) for image in images])
            np.testing.assert_allclose(prepared, inputs.numpy(), rtol=0, atol=2e-6)
            with torch.no_grad():
                expected = unit(model(inputs).last_hidden_state.mean(dim=(2, 3)))
            np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=2e-6)
            assert np.abs(expected[0] - expected[1]).max() > 1e-3
            assert not encoder.supports_text

    def test_a_stranger_s_weight_is_an_error(self, made: tuple[Path, Any]) -> None:
        path, _ = made
        state = torch.load(path)
        for name in (
            "mask_decoder.surprise",
            "image_encoder.blocks.7.norm1.weight",
            "prompt_encoder.point_embeddings.4.weight",
        ):
            torch.save({**state, name: torch.ones(2)}, path)
            with pytest.raises(EncoderError, match=r"has 1 unexpected"):
                loaded(find_checkpoint("medsam-vit-b", path=path), vision_config=SMALL_SAM)
        del state["image_encoder.neck.2.weight"]
        torch.save(state, path)
        with pytest.raises(EncoderError, match=r"has 1 missing"):
            loaded(find_checkpoint("medsam-vit-b", path=path), vision_config=SMALL_SAM)

    def test_names_and_shapes_at_true_size(self) -> None:
        """What find_checkpoint says fits SAM's ViT-B exactly; nothing is computed."""
        with torch.device("meta"):
            model = transformers.SamVisionModel(transformers.SamVisionConfig(**VIT_B))
        state = {name: tensor.to("meta") for name, tensor in model.state_dict().items()}
        published = {}
        for name, tensor in state.items():
            theirs = name
            for pattern, replacement in SEGMENT_ANYTHING_NAMES:
                theirs = re.sub(pattern, replacement, theirs)
            published[theirs] = tensor
        assert published["image_encoder.patch_embed.proj.weight"].shape == (768, 3, 16, 16)
        assert published["image_encoder.pos_embed"].shape == (1, 64, 64, 768)
        assert published["image_encoder.blocks.0.attn.rel_pos_h"].shape == (27, 64)
        assert published["image_encoder.blocks.11.attn.rel_pos_h"].shape == (127, 64)
        assert published["image_encoder.neck.2.weight"].shape == (256, 256, 3, 3)
        assert len(published) == 177
        back = image_encoder_weights({**published, **left_out()}, path=Path("medsam_vit_b.pth"))
        assert {name: tensor.shape for name, tensor in back.items()} == {n: t.shape for n, t in state.items()}
        assert sum(tensor.numel() for tensor in back.values()) == 89_670_912


class TestRadImageNet:
    @staticmethod
    def write(path: Path) -> Any:
        model = lively(lambda: torchvision.models.resnet50(weights=None), spread=0.05)
        # As RadImageNet's authors build it.
        backbone = torch.nn.Sequential(*list(model.children())[:9])
        torch.save({f"backbone.{name}": value for name, value in backbone.state_dict().items()}, path)
        return backbone

    def test_it_gives_the_pooled_features(self, tmp_path: Path, images: list[np.ndarray], no_network: Any) -> None:
        """At its true size, 24 million parameters."""
        backbone = self.write(tmp_path / "ResNet50.pt")
        encoder = loaded(find_checkpoint("radimagenet-resnet50", path=tmp_path))
        assert isinstance(encoder, Encoder)
        few = images[:3]
        squashed = [
            Image.fromarray(image).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR) for image in few
        ]
        inputs = torch.tensor(np.stack([(np.asarray(image) - 127.5) * 2 / 255 for image in squashed])).permute(
            0, 3, 1, 2
        )
        np.testing.assert_allclose(
            np.stack([encoder.prepare(image) for image in few]), inputs.float().numpy(), rtol=0, atol=1e-6
        )
        with torch.no_grad():
            expected = unit(backbone(inputs.float()).flatten(1))
        found = encoder.encode_images(few)
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
        assert found.shape == (3, 2048)
        assert np.abs(expected[0] - expected[1]).max() > 1e-4

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda state: state.update({"backbone.9.weight": torch.ones(2)}), "has 1 unexpected .backbone.9.weight"),
            (lambda state: state.update({"fc.weight": torch.ones(2)}), "has 1 unexpected .fc.weight"),
            (lambda state: state.pop("backbone.4.0.conv1.weight"), "has 1 missing .layer1.0.conv1.weight"),
            (lambda state: state.update({"backbone.0.weight": torch.ones(64, 3, 3, 3)}), "instead of .64, 3, 7, 7"),
        ],
    )
    def test_other_weights_are_refused(
        self, change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
    ) -> None:
        with torch.device("meta"):
            model = torch.nn.Sequential(*list(torchvision.models.resnet50(weights=None).children())[:9])
        state = {f"backbone.{name}": torch.zeros(value.shape) for name, value in model.state_dict().items()}
        change(state)
        torch.save(state, tmp_path / "ResNet50.pt")
        with pytest.raises(EncoderError, match=message):
            loaded(find_checkpoint("radimagenet-resnet50", path=tmp_path / "ResNet50.pt"))


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


@pytest.mark.parametrize(
    ("encoder_id", "filename"),
    [
        ("medsam-vit-b", "medsam_vit_b.pth"),
        ("medclip", "pytorch_model.bin"),
        ("radimagenet-resnet50", "ResNet50.pt"),
    ],
)
def test_who_has_no_file_is_told_where_it_comes_from(
    encoder_id: str, filename: str, tmp_path: Path, no_network: Any
) -> None:
    for ask in (load_encoder, find_checkpoint):
        with pytest.raises(EncoderUnavailableError, match=re.escape(f"Expected {filename} from you, but")) as caught:
            ask(encoder_id)
        assert str(caught.value).endswith("and name the kit's folder as the encoder.")
        assert caught.value.remedy == Remedy("fetch_encoder", encoder_id, {"from": filename, "to": FOLDER})
    with pytest.raises(EncoderError, match=f"Expected {filename} in .*, but there is none. Name the file itself"):
        find_checkpoint(encoder_id, path=tmp_path)
    with pytest.raises(EncoderError, match=r"Expected a file or folder, but .* does not exist. Check the path."):
        find_checkpoint(encoder_id, path=tmp_path / "nowhere")
    torch.save({"a": torch.ones(1000)}, tmp_path / filename)
    (tmp_path / filename).write_bytes((tmp_path / filename).read_bytes()[:2000])
    with pytest.raises(EncoderError, match=r"is truncated or damaged"):
        loaded(find_checkpoint(encoder_id, path=tmp_path))


def test_numbers_of_numpy_are_read_and_nothing_else(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "best": np.float32(1.5)}, tmp_path / "a.pt")
    assert list(read_weights(tmp_path / "a.pt")) == ["a"]
    torch.save(
        {"state_dict": {"a": torch.ones(2)}, "best": np.array([json], dtype=object).shape, "p": Path}, tmp_path / "b.pt"
    )
    with pytest.raises(EncoderError, match=r"needs code to be run"):
        read_weights(tmp_path / "b.pt")
