"""transformers checkpoints in their hub layout, loaded by RadCBIR, give what the library itself gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import Encoder, known_encoders, load_encoder
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import EncoderError
from tests.core.encoders.published import (
    DINOV2_NAMES,
    DINOV3_NAMES,
    MAE_NAMES,
    SWIN_NAMES,
    VIT_NAMES,
    lively,
    write_folder,
)

prepare_torchvision()
import transformers  # noqa: E402

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
# As published, with smaller sides.
VIT_PROCESSOR = {"do_normalize": True, "do_resize": True, **HALF, "size": 32}  # google/vit-base-patch16-224-in21k
MAE_PROCESSOR = {"feature_extractor_type": "ViTFeatureExtractor", "do_resize": True, **IMAGENET, "size": 32}
DINOV2_PROCESSOR = {
    "image_processor_type": "BitImageProcessor", "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "resample": 3, "rescale_factor": 0.00392156862745098, **IMAGENET,
    "crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 37},
}  # fmt: skip
RESNET_PROCESSOR = {
    "feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875, "do_normalize": True, "do_resize": True,
    "resample": 3, "size": 32, **IMAGENET,
}  # fmt: skip
SAM_PROCESSOR = {
    "image_processor_type": "SamImageProcessor", "do_convert_rgb": True, "do_normalize": True, "do_pad": True,
    "do_rescale": True, "do_resize": True, "pad_size": {"height": 64, "width": 64}, "resample": 2,
    "rescale_factor": 0.00392156862745098, "size": {"longest_edge": 64}, **IMAGENET,
}  # fmt: skip
SIGLIP_PROCESSOR = {
    "image_processor_type": "SiglipImageProcessor", "do_normalize": True, "do_rescale": True, "do_resize": True,
    "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 32, "width": 32}, **HALF,
}  # fmt: skip
CLIP_PROCESSOR = {
    "feature_extractor_type": "CLIPFeatureExtractor", "crop_size": 32, "do_center_crop": True, "do_normalize": True,
    "do_resize": True, "resample": 3, "size": 32, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip
TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def vit(**more: Any) -> Any:
    return lively(lambda: transformers.ViTModel(transformers.ViTConfig(**SMALL, **more)))


def dinov2(image_size: int = 48) -> Any:
    # Position embeddings for another size than the input's, as the published ones are (518 and 224).
    sizes = {key: value for key, value in SMALL.items() if key != "intermediate_size"} | {"image_size": image_size}
    return lively(lambda: transformers.Dinov2Model(transformers.Dinov2Config(**sizes, mlp_ratio=2)))


def dinov3() -> Any:
    config = transformers.DINOv3ViTConfig(**SMALL, num_register_tokens=3)
    return lively(lambda: transformers.DINOv3ViTModel(config))


def mae() -> Any:
    config = transformers.ViTMAEConfig(
        **SMALL, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=16, mask_ratio=0.75,
    )  # fmt: skip
    return lively(lambda: transformers.ViTMAEForPreTraining(config))


def sam() -> Any:
    vision = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64, "image_size": 64,
        "patch_size": 16, "window_size": 2, "global_attn_indexes": [1], "output_channels": 24,
    }  # fmt: skip
    config = transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 24, "image_size": 64, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 24, "num_attention_heads": 2, "mlp_dim": 16, "iou_head_hidden_dim": 8,
        },
    )  # fmt: skip
    return lively(lambda: transformers.SamModel(config))


def resnet() -> Any:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], layer_type="bottleneck", num_labels=10
    )
    return lively(lambda: transformers.ResNetForImageClassification(config), spread=0.3)


def swin() -> Any:
    config = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    return lively(lambda: transformers.SwinModel(config))


def siglip(words: int = 40) -> Any:
    config = transformers.SiglipConfig(
        text_config={**TOWER, "vocab_size": words, "max_position_embeddings": 12, "projection_size": 32},
        vision_config={**TOWER, "image_size": 32, "patch_size": 8},
    )
    return lively(lambda: transformers.SiglipModel(config))


def clip(words: int = 40) -> Any:
    config = transformers.CLIPConfig(
        text_config={**TOWER, "vocab_size": words, "max_position_embeddings": 12, "eos_token_id": words - 1},
        vision_config={**TOWER, "image_size": 32, "patch_size": 8},
        projection_dim=20,
    )
    return lively(lambda: transformers.CLIPModel(config))


def library_inputs(kind: str, preprocessor: dict[str, Any], images: list[np.ndarray]) -> torch.Tensor:
    """Inputs through the library's own processor on Pillow."""
    own = {key: value for key, value in preprocessor.items() if not key.endswith("_type")}
    processor = getattr(transformers, kind)(**own)
    rgb = [Image.fromarray(image).convert("RGB") for image in images]
    return torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in rgb])


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.double(), dim=1).float().numpy()


Row = tuple[Callable[[], Any], str, dict[str, Any], Any, str, Callable[[Any, torch.Tensor], torch.Tensor]]
ROWS: dict[str, Row] = {
    "vit cls": (vit, "ViTImageProcessorPil", VIT_PROCESSOR, VIT_NAMES, "", lambda m, x: m(x).last_hidden_state[:, 0]),
    "vit mean": (
        vit, "ViTImageProcessorPil", VIT_PROCESSOR, VIT_NAMES, "mean",
        lambda m, x: m(x).last_hidden_state[:, 1:].mean(1),
    ),
    "vit pooled": (vit, "ViTImageProcessorPil", VIT_PROCESSOR, VIT_NAMES, "pooled", lambda m, x: m(x).pooler_output),
    "dinov2 cls": (
        dinov2, "BitImageProcessorPil", DINOV2_PROCESSOR, DINOV2_NAMES, "", lambda m, x: m(x).last_hidden_state[:, 0],
    ),
    "dinov2 mean": (
        dinov2, "BitImageProcessorPil", DINOV2_PROCESSOR, DINOV2_NAMES, "mean",
        lambda m, x: m(x).last_hidden_state[:, 1:].mean(1),
    ),
    "dinov3 cls": (
        dinov3, "ViTImageProcessorPil", {**MAE_PROCESSOR, "image_processor_type": "DINOv3ViTImageProcessorFast"},
        DINOV3_NAMES, "", lambda m, x: m(x).last_hidden_state[:, 0],
    ),
    "dinov3 mean": (
        dinov3, "ViTImageProcessorPil", {**MAE_PROCESSOR, "image_processor_type": "DINOv3ViTImageProcessorFast"},
        DINOV3_NAMES, "mean", lambda m, x: m(x).last_hidden_state[:, 4:].mean(1),
    ),
    "sam": (
        sam, "SamImageProcessorPil", SAM_PROCESSOR, (), "", lambda m, x: m.get_image_embeddings(x).mean(dim=(2, 3)),
    ),
    "resnet pooled": (
        resnet, "ConvNextImageProcessorPil", RESNET_PROCESSOR, (), "",
        lambda m, x: m.resnet(x).last_hidden_state.mean(dim=(2, 3)),
    ),
    "resnet logits": (resnet, "ConvNextImageProcessorPil", RESNET_PROCESSOR, (), "logits", lambda m, x: m(x).logits),
    "swin pooled": (swin, "ViTImageProcessorPil", VIT_PROCESSOR, SWIN_NAMES, "", lambda m, x: m(x).pooler_output),
    "siglip": (
        siglip, "SiglipImageProcessorPil", SIGLIP_PROCESSOR, (), "",
        lambda m, x: m.vision_model(pixel_values=x).pooler_output,
    ),
    "clip": (
        clip, "CLIPImageProcessorPil", CLIP_PROCESSOR, (), "",
        lambda m, x: m.visual_projection(m.vision_model(pixel_values=x).pooler_output),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ("vit mean", lambda m, x: m(x).last_hidden_state[:, 1:]),
        ("clip", lambda m, x: m.vision_model(pixel_values=x).last_hidden_state[:, 1:]),
        ("siglip", lambda m, x: m.vision_model(pixel_values=x).last_hidden_state),
        ("sam", lambda m, x: m.vision_encoder(x).last_hidden_state.flatten(2).transpose(1, 2)),
    ],
)
def test_patches_are_the_library_s_own(row: str, tokens: Any, tmp_path: Path, images: list[np.ndarray]) -> None:
    build, _, preprocessor, names, output, _ = ROWS[row]
    model = build()
    folder = write_folder(tmp_path / "published", model, preprocessor, names=names)
    encoder = load_encoder(f"local-dir:{folder}" + (f"?output={output}" if output else ""), device="cpu")
    inputs = np.stack([encoder.prepare(image) for image in images[:2]])
    with torch.no_grad():
        expected = torch.nn.functional.normalize(tokens(model, torch.from_numpy(inputs)), dim=-1).numpy()
    patches = encoder.encode_patches(inputs)
    assert patches.shape[:3] == (2, 4, 4)
    np.testing.assert_allclose(patches.reshape(expected.shape), expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("row", ROWS)
def test_a_folder_gives_what_the_library_gives(
    row: str, tmp_path: Path, images: list[np.ndarray], no_network: Any
) -> None:
    build, processor, preprocessor, names, output, forward = ROWS[row]
    model = build()
    folder = write_folder(tmp_path / "published", model, preprocessor, names=names)
    encoder = load_encoder(f"local-dir:{folder}" + (f"?output={output}" if output else ""), device="cpu")
    assert isinstance(encoder, Encoder)
    inputs = library_inputs(processor, preprocessor, images)
    prepared = np.stack([encoder.prepare(image) for image in images])
    np.testing.assert_allclose(prepared, inputs.numpy(), rtol=0, atol=2e-6)
    with torch.no_grad():
        expected = unit(forward(model, inputs))
    embeddings = encoder.encode_images(images)
    np.testing.assert_allclose(embeddings, expected, rtol=0, atol=2e-6)
    assert encoder.dimension == expected.shape[1]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    assert encoder.encoder_id == ("published" + (f"-{output}" if output else ""))


@pytest.mark.parametrize(
    ("encoder_id", "build", "names", "preprocessor"),
    [
        ("vit-b-16", vit, VIT_NAMES, VIT_PROCESSOR),
        ("dinov2-vit-b-14", dinov2, DINOV2_NAMES, DINOV2_PROCESSOR),
        ("mae-vit-b-16", mae, MAE_NAMES, MAE_PROCESSOR),
        ("sam-vit-b", sam, (), SAM_PROCESSOR),
        ("resnet50", resnet, (), RESNET_PROCESSOR),
        ("resnet50-pooled", resnet, (), RESNET_PROCESSOR),
        ("rad-dino", dinov2, DINOV2_NAMES, DINOV2_PROCESSOR),
        ("dinov3-vit-b-16", dinov3, DINOV3_NAMES, MAE_PROCESSOR),
    ],
)
def test_each_name_of_the_table_loads_from_the_hub_s_cache(
    encoder_id: str, build: Any, names: Any, preprocessor: Any, tmp_path: Path, hub_cache: Any, images: Any,
    no_network: Any,
) -> None:  # fmt: skip
    folder = write_folder(tmp_path / "made", build(), preprocessor, names=names, weights="pytorch_model.bin")
    entry = next(entry for entry in known_encoders() if entry.encoder_id == encoder_id)
    repository = entry.spec.removeprefix("hf:").partition("?")[0]
    hub_cache(repository, {path.name: path for path in folder.iterdir()})
    encoder = load_encoder(encoder_id, device="cpu")
    assert (encoder.encoder_id, encoder.spec, encoder.title) == (encoder_id, encoder_id, entry.title)
    assert not encoder.supports_text
    # What the table calls its output is what it computes, and no other output is.
    explicit = load_encoder(f"local-dir:{folder}?output={entry.output_option}", device="cpu")
    assert explicit.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(explicit.encode_images(images[:2]), encoder.encode_images(images[:2]))


@pytest.mark.parametrize(
    ("build", "processor"),
    [
        (vit, lambda: transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})),
        (
            dinov2,
            lambda: transformers.BitImageProcessorPil(
                size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}
            ),
        ),
        (mae, lambda: transformers.ViTImageProcessor(size={"height": 32, "width": 32})),
        (resnet, lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 32})),
        (swin, lambda: transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})),
        (
            clip,
            lambda: transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        ),
    ],
)
def test_what_the_library_itself_saves(build: Any, processor: Any, tmp_path: Path, images: list[np.ndarray]) -> None:
    model = build()
    model.save_pretrained(tmp_path / "saved")
    processor().save_pretrained(tmp_path / "saved")
    encoder = load_encoder(str(tmp_path / "saved"), device="cpu")
    again = type(model).from_pretrained(tmp_path / "saved").eval()
    inputs = torch.from_numpy(np.stack([encoder.prepare(image) for image in images]))
    base = again if type(again).__name__.endswith("Model") else again.base_model
    with torch.no_grad():
        if build is clip:
            expected = unit(again.get_image_features(inputs).pooler_output)
        elif build is mae:
            base.config.mask_ratio = 0.0
            noise = torch.arange(16.0).expand(len(inputs), -1)
            expected = unit(base(inputs, noise=noise).last_hidden_state[:, 0])
        elif build in {resnet, swin}:
            expected = unit(base(inputs).pooler_output.flatten(1))
        else:
            expected = unit(base(inputs).last_hidden_state[:, 0])
    np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=2e-6)


def test_dinov3_s_own_processor_differs_by_rounding(images: list[np.ndarray]) -> None:
    """The library resizes DINOv3's images after scaling them; here, as everywhere, before: pixels are rounded once."""
    from radcbir_core.encoders.families.transformers_preprocessing import read_preprocessing
    from radcbir_core.encoders.transform import Transform

    written = {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 32, "width": 32}, **IMAGENET}
    ours = Transform(read_preprocessing(written, model_type="dinov3_vit", place=""))
    theirs = transformers.DINOv3ViTImageProcessor(size={"height": 32, "width": 32}, **IMAGENET)
    for image in images:
        rgb = Image.fromarray(image).convert("RGB")
        difference = np.abs(ours(image) - theirs(rgb, return_tensors="pt")["pixel_values"][0].numpy())
        assert difference.max() < 2 / 255 / 0.224


def test_large_inputs_are_encoded_few_at_a_time(tmp_path: Path) -> None:
    from radcbir_core.encoders.torch.torch_encoder import _first_batch_size

    sizes = [(32, 32), (224, 224), (448, 448), (518, 518), (1024, 1024), (2048, 2048)]
    assert [_first_batch_size(size, device="cpu") for size in sizes] == [32, 32, 8, 5, 1, 1]
    assert [_first_batch_size(size, device="cuda") for size in sizes] == [128, 128, 32, 23, 6, 1]


class TestMaskedAutoencoder:
    def test_nothing_is_masked_nor_shuffled(self, tmp_path: Path, images: list[np.ndarray]) -> None:
        model = mae()
        folder = write_folder(tmp_path / "mae", model, MAE_PROCESSOR, names=MAE_NAMES)
        encoder = load_encoder(str(folder), device="cpu")
        first = encoder.encode_images(images)
        np.testing.assert_array_equal(first, encoder.encode_images(images))
        inputs = library_inputs("ViTImageProcessorPil", MAE_PROCESSOR, images)
        with torch.no_grad():
            # An independent way round masking: the patches put through the same layers by hand.
            embeddings = model.vit.embeddings
            tokens = embeddings.patch_embeddings(inputs) + embeddings.position_embeddings[:, 1:]
            token = (embeddings.cls_token + embeddings.position_embeddings[:, :1]).expand(len(inputs), -1, -1)
            hidden = torch.cat([token, tokens], dim=1)
            for layer in model.vit.layers:
                hidden = layer(hidden)
                hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            expected = unit(model.vit.layernorm(hidden)[:, 0])
            masked = unit(model.vit(inputs).last_hidden_state[:, 0])
        np.testing.assert_allclose(first, expected, rtol=0, atol=2e-6)
        # The library's default, which the paper used, sees a random quarter: another vector.
        assert np.abs(masked - expected).max() > 1e-3

    def test_the_caller_s_random_numbers_are_left_alone(self, tmp_path: Path, images: list[np.ndarray]) -> None:
        folder = write_folder(tmp_path / "mae", mae(), MAE_PROCESSOR, names=MAE_NAMES)
        torch.manual_seed(3)
        before = torch.random.get_rng_state()
        load_encoder(str(folder), device="cpu").encode_images(images[:1])
        assert torch.equal(torch.random.get_rng_state(), before)


def test_at_true_size(tmp_path: Path, images: list[np.ndarray]) -> None:
    """google/vit-base-patch16-224-in21k's 86 million parameters, under the names of its file."""
    model = lively(lambda: transformers.ViTModel(transformers.ViTConfig()), spread=0.02)
    preprocessor = {
        **VIT_PROCESSOR,
        "size": {"height": 224, "width": 224},
        "image_processor_type": "ViTFeatureExtractor",
    }
    folder = write_folder(tmp_path / "vit", model, preprocessor, names=VIT_NAMES)
    encoder = load_encoder(str(folder), device="cpu")
    (folder / "model.safetensors").unlink()  # pytest keeps the folders of three runs
    assert (encoder.dimension, encoder.preprocessing.size) == (768, (224, 224))
    with torch.no_grad():
        expected = unit(model(library_inputs("ViTImageProcessorPil", preprocessor, images[:2])).last_hidden_state[:, 0])
    np.testing.assert_allclose(encoder.encode_images(images[:2]), expected, rtol=0, atol=5e-6)


class TestText:
    """SigLIP's and CLIP's text tower, with a tokenizer made in the test."""

    @pytest.fixture(params=["siglip", "clip"])
    def made(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any, Any]:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        words = ["<pad>", "<unk>", "chest", "x", "ray", "ct", "of", "the", "head", "mass", "<start>", "<end>"]
        inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "<unk>"))
        inner.pre_tokenizer = pre_tokenizers.Whitespace()
        inner.post_processor = processors.TemplateProcessing(
            single="<start> $A <end>", special_tokens=[("<start>", 10), ("<end>", 11)]
        )
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner,
            **{"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<start>", "eos_token": "<end>"},
        )
        model, preprocessor = (
            (siglip(len(words)), SIGLIP_PROCESSOR) if request.param == "siglip" else (clip(len(words)), CLIP_PROCESSOR)
        )
        folder = write_folder(tmp_path / request.param, model, preprocessor)
        tokenizer.save_pretrained(folder)
        return folder, model, tokenizer

    def test_texts(self, made: tuple[Path, Any, Any], no_network: Any) -> None:
        folder, model, tokenizer = made
        encoder = load_encoder(str(folder), device="cpu")
        assert encoder.supports_text
        texts = ["chest x ray", "ct of the head", "mass"]
        tokens = tokenizer(texts, padding="max_length", max_length=12, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            pooled = model.text_model(input_ids=tokens).pooler_output
            expected = unit(model.text_projection(pooled) if folder.name == "clip" else pooled)
        embeddings = encoder.encode_texts(texts)
        np.testing.assert_allclose(embeddings, expected, rtol=0, atol=2e-6)
        assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3
        assert embeddings.shape[1] == encoder.dimension
        # A start, an end and ten words fill the context of 12.
        assert encoder.truncated(["ct " * 10, "ct " * 11]) == [False, True]

    def test_from_the_hub_s_cache(self, made: tuple[Path, Any, Any], hub_cache: Any, no_network: Any) -> None:
        folder = made[0]
        hub_cache("google/medsiglip-448", {path.name: path for path in folder.iterdir()})
        encoder = load_encoder("medsiglip", device="cpu")
        local = load_encoder(str(folder), device="cpu")
        assert encoder.fingerprint == local.fingerprint
        np.testing.assert_array_equal(encoder.encode_texts(["ct"]), local.encode_texts(["ct"]))

    def test_another_model_s_tokenizer_is_refused(self, made: tuple[Path, Any, Any]) -> None:
        folder = made[0]
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["chest"] = 500
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        encoder = load_encoder(str(folder), device="cpu")
        with pytest.raises(EncoderError, match=r"Expected tokens below 12, the size of .* vocabulary, but .* gave 500"):
            encoder.encode_texts(["chest"])

    def test_without_tokenizer_there_is_no_text(self, made: tuple[Path, Any, Any]) -> None:
        folder = made[0]
        for path in folder.glob("tokenizer*"):
            path.unlink()
        encoder = load_encoder(str(folder), device="cpu")
        assert not encoder.supports_text
        for ask in (encoder.encode_texts, encoder.truncated):
            with pytest.raises(EncoderError, match=r"text tower for 1 text, but encoder = .*: its folder holds no tok"):
                ask(["chest"])

    def test_a_damaged_tokenizer_is_named(self, made: tuple[Path, Any, Any]) -> None:
        folder = made[0]
        (folder / "tokenizer.json").write_text("{")
        encoder = load_encoder(str(folder), device="cpu")
        with pytest.raises(EncoderError, match=r"Expected a tokenizer that transformers can load, but"):
            encoder.encode_texts(["chest"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "vit", vit(), VIT_PROCESSOR, names=VIT_NAMES)


def refused(folder: Path, option: str = "") -> str:
    with pytest.raises(EncoderError) as caught:
        load_encoder(f"local-dir:{folder}{option}", device="cpu")
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert message.isprintable()
    return message


def set_in(path: Path, **values: Any) -> None:
    written = json.loads(path.read_text())
    written.update(values)
    path.write_text(json.dumps({key: value for key, value in written.items() if value is not None}))


class TestStrictness:
    def test_a_missing_and_an_unexpected_weight(self, folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        state["encoder.layer.9.surprise"] = torch.ones(2)
        del state["layernorm.bias"]
        save_file(state, folder / "model.safetensors")
        assert "has 1 missing (layernorm.bias) and 1 unexpected (" in refused(folder)

    def test_a_weight_of_another_shape(self, folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        state["layernorm.bias"] = torch.ones(3)
        save_file(state, folder / "model.safetensors")
        assert "has layernorm.bias (3,) instead of (32,)" in refused(folder)

    def test_integers(self, folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        state["layernorm.bias"] = state["layernorm.bias"].to(torch.int8)
        save_file(state, folder / "model.safetensors")
        assert "has integers for layernorm.bias" in refused(folder)

    def test_half_precision_is_computed_in_single(self, folder: Path, images: list[np.ndarray]) -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        save_file({name: value.half() for name, value in state.items()}, folder / "model.safetensors")
        halved = load_encoder(str(folder), device="cpu").encode_images(images)
        save_file({name: value.half().float() for name, value in state.items()}, folder / "model.safetensors")
        np.testing.assert_array_equal(halved, load_encoder(str(folder), device="cpu").encode_images(images))

    def test_old_counters_are_no_strangers(self, tmp_path: Path, images: list[np.ndarray]) -> None:
        model = clip()
        old = {"text_model.embeddings.position_ids": torch.arange(12)[None]}
        with_old = write_folder(tmp_path / "old", model, CLIP_PROCESSOR, extra=old)
        without = write_folder(tmp_path / "new", model, CLIP_PROCESSOR)
        np.testing.assert_array_equal(
            *(load_encoder(str(folder), device="cpu").encode_images(images) for folder in (with_old, without))
        )

    def test_the_digest_is_that_of_the_file_s_names(self, folder: Path) -> None:
        from safetensors.torch import load_file

        from radcbir_core.encoders.files.weights import state_digest

        encoder = load_encoder(str(folder), device="cpu")
        state = load_file(folder / "model.safetensors")
        assert "encoder.layer.0.attention.attention.query.weight" in state
        assert encoder.weights_digest == state_digest(state)
        (folder / "model.safetensors").unlink()
        torch.save(state, folder / "pytorch_model.bin")
        assert load_encoder(str(folder), device="cpu").fingerprint == encoder.fingerprint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": None}, "Expected model_type, or architecture and pretrained_cfg, but"),
        ({"model_type": "no_such_kind"}, "Expected one of the model types clip, convnext"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "asks for code of its own .auto_map."),
        ({"architectures": []}, "Expected one name under architectures, but .* has 0"),
        ({"architectures": ["ViTOfMine"]}, "Expected a model of transformers' own, but .* architectures = ViTOfMine"),
        ({"architectures": ["ViTConfig"]}, "Expected a model of transformers' own, but"),
        ({"num_attention_heads": 0}, "Expected a configuration that transformers can build, but"),
        ({"num_hidden_layers": 1}, "unexpected"),
        ({"num_hidden_layers": 3}, "missing"),
        ({"hidden_size": 64}, "Expected weights of this architecture's shapes, but"),
        ({"quantization_config": {"quant_method": "gptq"}}, "has a quantization_config"),
    ],
)
def test_a_wrong_configuration_is_refused(folder: Path, values: Any, message: str, no_network: Any) -> None:
    import re

    set_in(folder / "config.json", **values)
    assert re.search(message, refused(folder))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_processor_type": "PerceiverImageProcessor"}, "image_processor_type = PerceiverImageProcessor"),
        ({"rescale_factor": 0.5}, "Expected resizing, and scaling by 1/255, but"),
        ({"do_resize": False}, "Expected resizing, and scaling by 1/255, but"),
        ({"resample": 0}, "Expected resample = 2 or 3, but .* has resample = 0"),
        ({"size": {"shortest_edge": 32}}, "Expected a height and a width, or a center crop"),
        (
            {"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
            "Expected a square crop within what is resized",
        ),
        ({"image_mean": [0.5]}, "Expected three numbers, but .* has image_mean"),
    ],
)
def test_a_preprocessing_that_is_not_ours_is_refused(folder: Path, values: Any, message: str) -> None:
    import re

    set_in(folder / "preprocessor_config.json", **values)
    assert re.search(message, refused(folder))


def test_an_input_that_is_not_the_network_s(folder: Path, images: list[np.ndarray]) -> None:
    set_in(folder / "preprocessor_config.json", size=40)
    encoder = load_encoder(str(folder), device="cpu")
    with pytest.raises(EncoderError, match=r"Expected a network that computes, but vit gave .* Check its config.json"):
        encoder.encode_images(images[:1])


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "preprocessor_config.json").rename(folder / "away")
    assert refused(folder).startswith("Expected preprocessor_config.json in")
    (folder / "away").rename(folder / "preprocessor_config.json")
    (folder / "model.safetensors").unlink()
    assert refused(folder).startswith("Expected a weights file in")
    (folder / "config.json").unlink()
    assert refused(folder).startswith("Expected open_clip_config.json, or the config.json of transformers or timm, in")


@pytest.mark.parametrize(
    ("build", "names", "preprocessor", "option", "message"),
    [
        (
            vit,
            VIT_NAMES,
            VIT_PROCESSOR,
            "logits",
            "Expected ?output=cls or ?output=mean or ?output=pooled for the model",
        ),
        (sam, (), SAM_PROCESSOR, "cls", "Expected ?output=mean for the model type sam, but output = cls."),
        (
            resnet,
            (),
            RESNET_PROCESSOR,
            "cls",
            "Expected ?output=pooled or ?output=mean or ?output=logits for the model",
        ),
        (clip, (), CLIP_PROCESSOR, "mean", "Expected ?output=pooled for the model type clip, but output = mean"),
    ],
)
def test_an_output_that_there_is_not(
    build: Any, names: Any, preprocessor: Any, option: str, message: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "some", build(), preprocessor, names=names)
    assert refused(folder, f"?output={option}").startswith(message)


def test_fit_overrides_the_published_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "dino", dinov2(), DINOV2_PROCESSOR, names=DINOV2_NAMES)
    wide = np.zeros((32, 96), dtype=np.uint8)
    wide[:, :20] = 255  # what the crop cuts off
    cropped = load_encoder(str(folder), device="cpu")
    padded = load_encoder(f"{folder}?fit=pad", device="cpu")
    assert (cropped.preprocessing.resize, padded.preprocessing.resize) == (37, None)
    blank = np.zeros_like(wide)
    np.testing.assert_array_equal(cropped.encode_images([wide]), cropped.encode_images([blank]))
    assert np.abs(padded.encode_images([wide]) - padded.encode_images([blank])).max() > 1e-3
    both = load_encoder(f"{folder}?output=mean&fit=pad", device="cpu")
    assert both.encoder_id == "dino-mean-pad"
    assert load_encoder(both.spec, device="cpu").fingerprint == both.fingerprint
    assert len({cropped.fingerprint, padded.fingerprint, both.fingerprint}) == 3
