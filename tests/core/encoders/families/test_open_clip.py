"""open_clip models made in the test, loaded by RadCBIR and by open_clip itself, give the same embeddings."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.families.open_clip import OpenClipEncoder, published_preprocessing
from radcbir_core.errors import EncoderError
from tests.core.encoders.tiny_models import TINY_MODEL, TINY_PREPROCESS, TINY_TEXT

TEXTS = ["chest radiograph with pleural effusion", "CT of the head", "a"]


def by_open_clip(
    open_clip: Any, folder: Path, images: list[np.ndarray], texts: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings through open_clip's own loading, transform, tokenizer and normalization."""
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.no_grad():
        pixels = torch.stack([transform(Image.fromarray(image)) for image in images])
        made = model.encode_image(pixels, normalize=True).numpy()
        said = model.encode_text(tokenizer(texts), normalize=True).numpy() if texts else np.zeros((0, made.shape[1]))
    return made, said


def assert_same(open_clip: Any, folder: Path, images: list[np.ndarray], texts: list[str] = TEXTS) -> Encoder:
    encoder = load_encoder(f"local-dir:{folder}", device="cpu")
    made, said = by_open_clip(open_clip, folder, images, texts)
    found = encoder.encode_images(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, made, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    if texts:
        np.testing.assert_allclose(encoder.encode_texts(texts), said, rtol=0, atol=1e-5)
    # Not the same for every image, or the comparison would say nothing.
    assert np.abs(found[0] - found[1]).max() > 1e-3
    return encoder


def test_a_vision_transformer(open_clip: Any, tiny: Path, images: list[np.ndarray]) -> None:
    encoder = assert_same(open_clip, tiny, images)
    assert isinstance(encoder, Encoder)
    assert (encoder.encoder_id, encoder.title, encoder.dimension) == ("tiny-clip", "tiny-clip", 24)
    assert encoder.supports_text
    assert encoder.device == "cpu"
    assert encoder.preprocessing.as_dict() == {
        "size": [32, 32], "fit": "crop", "interpolation": "bicubic", "color": "RGB",
        "mean": [0.4, 0.45, 0.5], "std": [0.2, 0.25, 0.3], "fill": 0,
    }  # fmt: skip


def test_patches_are_the_last_block_s(open_clip: Any, tiny: Path, images: list[np.ndarray]) -> None:
    encoder = load_encoder(str(tiny), device="cpu")
    inputs = np.stack([encoder.prepare(image) for image in images[:2]])
    patches = encoder.encode_patches(inputs)
    assert patches.shape == (2, 4, 4, 32)
    model = open_clip.CLIP(**TINY_MODEL).eval()
    model.load_state_dict(load_file(tiny / "open_clip_model.safetensors"))
    kept: list[torch.Tensor] = []
    model.visual.transformer.resblocks[-1].register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.no_grad():
        model.encode_image(torch.from_numpy(inputs))
        tokens = torch.nn.functional.normalize(model.visual.ln_post(kept[0]), dim=-1).numpy()
    np.testing.assert_allclose(patches[:, 2, 3], tokens[:, 1 + 4 * 2 + 3], rtol=0, atol=3e-6)
    with pytest.raises(ValueError, match="Expected a batch of"):
        encoder.encode_patches(inputs[:, :, :16])


def test_quick_gelu_is_obeyed(open_clip: Any, tmp_path: Path, images: list[np.ndarray], write_checkpoint: Any) -> None:
    plain = write_checkpoint(tmp_path / "plain")
    quick = write_checkpoint(tmp_path / "quick", {**TINY_MODEL, "quick_gelu": True})
    first, second = (assert_same(open_clip, folder, images) for folder in (plain, quick))
    assert first.weights_digest == second.weights_digest
    assert first.fingerprint != second.fingerprint
    assert np.abs(first.encode_images(images) - second.encode_images(images)).max() > 1e-4


def test_a_timm_tower(open_clip: Any, tmp_path: Path, images: list[np.ndarray], write_checkpoint: Any) -> None:
    model_cfg = {
        "embed_dim": 20,
        "vision_cfg": {
            "timm_model_name": "mobilenetv4_conv_small",
            "timm_model_pretrained": True,  # as published checkpoints say; must not fetch anything
            "timm_pool": "avg",
            "timm_proj": "",
            "image_size": 64,
        },
        "text_cfg": TINY_TEXT,
    }

    def build(**cfg: Any) -> Any:
        offline = copy.deepcopy(cfg)
        offline["vision_cfg"]["timm_model_pretrained"] = False
        return open_clip.CustomTextCLIP(**offline)

    preprocess = {"resize_mode": "squash", "interpolation": "bilinear", "mean": 0.5, "std": 0.5}
    folder = write_checkpoint(tmp_path / "timm", {**model_cfg, "custom_text": True}, preprocess, build=build)
    encoder = assert_same(open_clip, folder, images)
    assert encoder.preprocessing.size == (64, 64)
    assert encoder.preprocessing.fit == "squash"
    patches = encoder.encode_patches(np.stack([encoder.prepare(image) for image in images[:2]]))
    assert patches.shape[:3] == (2, 2, 2)
    np.testing.assert_allclose(np.linalg.norm(patches, axis=-1), 1, atol=1e-5)


def test_coca(open_clip: Any, tmp_path: Path, images: list[np.ndarray], write_checkpoint: Any) -> None:
    model_cfg = {
        "embed_dim": 24,
        "vision_cfg": {
            **TINY_MODEL["vision_cfg"],
            "attentional_pool": True,
            "attn_pooler_heads": 2,
            "output_tokens": True,
        },
        "text_cfg": {**TINY_TEXT, "embed_cls": True, "output_tokens": True, "width": 32},
        "multimodal_cfg": {"context_length": 12, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 1},
    }
    folder = write_checkpoint(tmp_path / "coca", {**model_cfg, "custom_text": True}, build=open_clip.CoCa)
    assert_same(open_clip, folder, images)


class TestTransformersTextTower:
    """BiomedCLIP's kind: a BERT text tower, whose configuration and tokenizer open_clip asks the hub for."""

    MODEL: ClassVar[dict[str, Any]] = {
        "embed_dim": 24,
        "vision_cfg": TINY_MODEL["vision_cfg"],
        "text_cfg": {
            "hf_model_name": "example/tiny-bert",
            "hf_tokenizer_name": "example/tiny-bert",
            "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "context_length": 16,
        },
    }

    def checkpoint(self, folder: Path, tiny_bert: Path, write_checkpoint: Any, open_clip: Any) -> Path:
        def build(**cfg: Any) -> Any:
            local = copy.deepcopy(cfg)
            local["text_cfg"] |= {"hf_model_name": str(tiny_bert), "hf_model_pretrained": False}
            return open_clip.CustomTextCLIP(**local)

        return write_checkpoint(folder, self.MODEL, build=build)

    @pytest.fixture
    def folder(self, tmp_path: Path, tiny_bert: Path, write_checkpoint: Any, open_clip: Any) -> Path:
        return self.checkpoint(tmp_path / "biomed", tiny_bert, write_checkpoint, open_clip)

    def expected(self, open_clip: Any, folder: Path, tiny_bert: Path, tmp_path: Path, images: Any) -> Any:
        """open_clip's own, told where the BERT is."""
        told = tmp_path / "told"
        told.mkdir()
        for source in (folder / "open_clip_model.safetensors", *tiny_bert.iterdir()):
            (told / source.name).symlink_to(source)
        model_cfg = copy.deepcopy(self.MODEL)
        model_cfg["text_cfg"]["hf_model_name"] = str(tiny_bert)
        (told / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": model_cfg, "preprocess_cfg": TINY_PREPROCESS})
        )
        return by_open_clip(open_clip, told, images, TEXTS)

    @pytest.mark.parametrize("place", [".", "text"])
    def test_all_in_the_folder(
        self, folder: Path, place: str, tiny_bert: Path, tmp_path: Path, open_clip: Any, images: Any, no_network: Any,
        hub_cache: Any,
    ) -> None:  # fmt: skip
        made, said = self.expected(open_clip, folder, tiny_bert, tmp_path, images)
        (folder / place).mkdir(exist_ok=True)
        for source in tiny_bert.iterdir():
            target = folder / place / source.name if source.name == "config.json" else folder / source.name
            target.write_bytes(source.read_bytes())
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")
        np.testing.assert_allclose(encoder.encode_images(images), made, atol=1e-5)
        np.testing.assert_allclose(encoder.encode_texts(TEXTS), said, atol=1e-5)
        # [CLS] and [SEP] count too: 14 words fill the context of 16.
        assert encoder.truncated(["chest " * 14, "chest " * 15]) == [False, True]

    def test_the_rest_from_the_cache(
        self,
        folder: Path,
        tiny_bert: Path,
        tmp_path: Path,
        open_clip: Any,
        images: Any,
        no_network: Any,
        hub_cache: Any,
    ) -> None:
        made, said = self.expected(open_clip, folder, tiny_bert, tmp_path, images)
        hub_cache("example/tiny-bert", {path.name: path for path in tiny_bert.iterdir()})
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")
        np.testing.assert_allclose(encoder.encode_images(images), made, atol=1e-5)
        np.testing.assert_allclose(encoder.encode_texts(TEXTS), said, atol=1e-5)

    def test_from_the_hub_and_from_a_folder_are_one_encoder(
        self, folder: Path, tiny_bert: Path, images: Any, no_network: Any, hub_cache: Any
    ) -> None:
        hub_cache("example/tiny-bert", {path.name: path for path in tiny_bert.iterdir()})
        hub_cache("example/biomed", {path.name: path for path in folder.iterdir()})
        local = load_encoder(f"local-dir:{folder}", device="cpu")
        remote = load_encoder("hf-hub:example/biomed", device="cpu")
        assert (local.encoder_id, remote.encoder_id) == ("biomed", "example--biomed")
        assert local.fingerprint == remote.fingerprint
        np.testing.assert_array_equal(local.encode_texts(TEXTS), remote.encode_texts(TEXTS))

    def test_old_position_ids_are_no_stranger(
        self, folder: Path, tiny_bert: Path, no_network: Any, hub_cache: Any
    ) -> None:
        hub_cache("example/tiny-bert", {path.name: path for path in tiny_bert.iterdir()})
        before = load_encoder(f"local-dir:{folder}", device="cpu").weights_digest
        path = folder / "open_clip_model.safetensors"
        name = "text.transformer.embeddings.position_ids"
        state = load_file(path)
        save_file({**state, name: torch.arange(16)[None]}, path)
        assert load_encoder(f"local-dir:{folder}", device="cpu").weights_digest == before
        save_file({**state, name: torch.arange(16)[None] + 1}, path)
        with pytest.raises(EncoderError, match=rf"has 1 unexpected \({name}\)"):
            load_encoder(f"local-dir:{folder}", device="cpu")

    def test_what_is_missing_is_named(self, folder: Path, tiny_bert: Path, hub_cache: Any, no_network: Any) -> None:
        def refused() -> str:
            with pytest.raises(EncoderError) as caught:
                load_encoder(f"local-dir:{folder}", device="cpu")
            return str(caught.value)

        no_text = "Expected the config.json of the text tower example/tiny-bert in"
        assert refused().startswith(no_text)
        (folder / "config.json").write_text('{"model_type": "clip"}')  # some other model's
        assert refused().startswith(no_text)
        (folder / "config.json").write_text("{")
        assert "is not valid JSON" in refused()
        (folder / "config.json").write_bytes((tiny_bert / "config.json").read_bytes())
        assert refused().startswith("Expected the tokenizer of example/tiny-bert in")
        (folder / "tokenizer.json").write_text("{")
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")  # images need no tokenizer
        with pytest.raises(EncoderError, match=r"Expected a tokenizer that transformers can load, but"):
            encoder.encode_texts(["a"])

    def test_another_models_tokenizer_is_refused(
        self, folder: Path, tiny_bert: Path, hub_cache: Any, no_network: Any
    ) -> None:
        for source in tiny_bert.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["chest"] = 500
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")
        with pytest.raises(
            EncoderError, match=r"Expected tokens below 19, the size of biomed's vocabulary, but .* 500"
        ):
            encoder.encode_texts(["chest"])

    def test_code_of_the_tokenizers_own_is_refused(
        self, folder: Path, tiny_bert: Path, hub_cache: Any, no_network: Any
    ) -> None:
        for source in tiny_bert.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        path = folder / "open_clip_config.json"
        config = json.loads(path.read_text())
        config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
        path.write_text(json.dumps(config))
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")
        with pytest.raises(EncoderError, match=r"Expected a tokenizer that runs no code of its own"):
            encoder.encode_texts(["chest"])

    def test_threads_may_share_a_tokenizer(self, folder: Path, tiny_bert: Path, hub_cache: Any) -> None:
        hub_cache("example/tiny-bert", {path.name: path for path in tiny_bert.iterdir()})
        encoder = load_encoder(f"local-dir:{folder}", device="cpu")
        expected = encoder.encode_texts(["chest x ray"])
        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(
                lambda _: (encoder.truncated(["a"]), encoder.encode_texts(["chest x ray"])), range(60)
            ):
                np.testing.assert_array_equal(found[1], expected)


def test_fit_overrides_the_published_one(tiny: Path) -> None:
    wide = np.zeros((32, 96), dtype=np.uint8)
    wide[:, :20] = 255  # what a center crop cuts off
    crop = load_encoder(f"local-dir:{tiny}", device="cpu")
    pad = load_encoder(f"local-dir:{tiny}?fit=pad", device="cpu")
    same = load_encoder(f"local-dir:{tiny}?fit=crop", device="cpu")
    assert (pad.encoder_id, pad.title, pad.preprocessing.fit) == ("tiny-clip-pad", "tiny-clip, pad", "pad")
    assert pad.spec == f"local-dir:{tiny}?fit=pad"
    assert load_encoder(pad.spec, device="cpu").fingerprint == pad.fingerprint
    assert pad.fingerprint != crop.fingerprint
    assert same.fingerprint == crop.fingerprint
    assert pad.weights_digest == crop.weights_digest
    blank = np.zeros_like(wide)
    np.testing.assert_array_equal(crop.encode_images([wide]), crop.encode_images([blank]))
    assert np.abs(pad.encode_images([wide]) - pad.encode_images([blank])).max() > 1e-3


def test_the_same_every_time(tiny: Path, images: list[np.ndarray]) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = load_encoder(f"local-dir:{tiny}", device="cpu")
    assert torch.equal(torch.random.get_rng_state(), before)  # loading leaves the caller's random numbers alone
    second = load_encoder(f"local-dir:{tiny}", device="cpu")
    assert (first.fingerprint, first.weights_digest) == (second.fingerprint, second.weights_digest)
    np.testing.assert_array_equal(first.encode_images(images), first.encode_images(images))
    np.testing.assert_array_equal(first.encode_images(images), second.encode_images(images))


def test_another_checkpoint_is_another_encoder(tiny: Path, tmp_path: Path, write_checkpoint: Any) -> None:
    first = load_encoder(f"local-dir:{tiny}", device="cpu")
    other = load_encoder(f"local-dir:{write_checkpoint(tmp_path / 'tiny-clip', seed=1)}", device="cpu")
    assert first.encoder_id == other.encoder_id
    assert first.weights_digest != other.weights_digest
    assert first.fingerprint != other.fingerprint


def test_the_model_is_frozen(tiny: Path) -> None:
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    assert isinstance(encoder, OpenClipEncoder)
    model = encoder._model
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_truncation_is_told(tiny: Path) -> None:
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    # The context of 12 holds a start and an end token and so ten short words.
    texts = ["a " * 10, "a " * 11, "a"]
    assert encoder.truncated(texts) == [False, True, False]
    longer = encoder.encode_texts(["a " * 11 + "b", "a " * 11 + "c"])
    np.testing.assert_array_equal(longer[0], longer[1])


def test_other_scripts_and_very_long_texts(tiny: Path) -> None:
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    texts = ["胸部X線写真", "Röntgenthorax", "صورة الصدر", "🩻", "word " * 10_000, "a\x00b"]
    embeddings = encoder.encode_texts(texts)
    assert np.isfinite(embeddings).all()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert encoder.truncated(texts)[4]


def _set(path: Path, keys: str, value: Any) -> None:
    config = json.loads(path.read_text())
    part = config
    *first, last = keys.split(".")
    for key in first:
        part = part[key]
    part[last] = value
    path.write_text(json.dumps(config))


def test_what_a_checkpoint_does_not_say_of_its_preprocessing_is_named() -> None:
    whole = published_preprocessing(TINY_PREPROCESS, size=32)
    assert whole.assumed == ()
    bare = published_preprocessing({}, size=32)
    assert bare.assumed == ("fit", "interpolation", "mean", "std")
    assert "assumed" not in bare.as_dict()
    assert published_preprocessing({"mean": 0.5, "std": 0.5}, size=32, fit="pad").assumed == ("interpolation",)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("model_cfg", None, "Expected model_cfg with embed_dim, vision_cfg and text_cfg, but .*config.json lacks one"),
        ("model_cfg.embed_dim", "24", "Expected model_cfg with embed_dim"),
        ("model_cfg.text_cfg", [], "Expected model_cfg with embed_dim"),
        ("preprocess_cfg", [1], "Expected model_cfg with embed_dim"),
        ("preprocess_cfg.resize_mode", "stretch", "Expected shortest or longest or squash"),
        ("preprocess_cfg.mean", [123.675, 116.28, 103.53], "but mean = 123.675, 116.28, 103.53 and"),
        ("preprocess_cfg.std", [58.4, 57.1, 57.4], r"std above 0 and up to 1, .*Divide both by 255"),
        ("preprocess_cfg.mean", [-0.1, 0, 0], "a mean from 0 to 1"),
        (
            "model_cfg.vision_cfg.color",
            "red",
            "Expected a configuration that open_clip can build, but it gave TypeError",
        ),
        ("model_cfg.surprise", 1, "Expected a configuration that open_clip can build, but it gave TypeError"),
        ("model_cfg.vision_cfg.width", 0, "Expected a configuration that open_clip can build"),
        (
            "model_cfg.vision_cfg.timm_model_name",
            "no_such_network",
            "Expected a configuration that open_clip can build",
        ),
        ("model_cfg.vision_cfg.timm_model_name", "hf-hub:a/b", "Expected the name of an architecture built into timm"),
        (
            "model_cfg.embed_dim",
            25,
            r"Expected weights of this architecture's shapes, but .*_projection \(16, 24\) instead",
        ),
        ("model_cfg.vision_cfg.layers", 1, "has 12 unexpected"),
        ("model_cfg.text_cfg.layers", 2, r"has 12 missing \(transformer.resblocks.1"),
    ],
)
def test_a_wrong_configuration_is_refused(
    copy_of_tiny: Path, keys: str, value: Any, message: str, no_network: Any
) -> None:
    _set(copy_of_tiny / "open_clip_config.json", keys, value)
    with pytest.raises(EncoderError, match=message) as caught:
        load_encoder(f"local-dir:{copy_of_tiny}", device="cpu")
    assert "\n" not in str(caught.value)


def test_a_dimension_that_is_not_the_networks(
    open_clip: Any, tmp_path: Path, images: list[np.ndarray], write_checkpoint: Callable[..., Path]
) -> None:
    vision = {"timm_model_name": "mobilenetv4_conv_small", "timm_pool": "avg", "timm_proj": "none", "image_size": 32}
    cfg = {"embed_dim": 20, "vision_cfg": vision, "text_cfg": TINY_TEXT}
    encoder = load_encoder(f"local-dir:{write_checkpoint(tmp_path / 'odd', cfg)}", device="cpu")
    with pytest.raises(EncoderError, match=r"Expected embeddings of 20 numbers, but odd gave shape \(9, 1280\)"):
        encoder.encode_images(images)


def test_a_network_that_does_not_fit_together(
    open_clip: Any, tmp_path: Path, images: list[np.ndarray], write_checkpoint: Callable[..., Path]
) -> None:
    # This network's last layer widens 960 channels to 1280, which open_clip's own projection does not know of.
    vision = {"timm_model_name": "mobilenetv4_conv_small", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32}
    cfg = {"embed_dim": 20, "vision_cfg": vision, "text_cfg": TINY_TEXT}
    encoder = load_encoder(f"local-dir:{write_checkpoint(tmp_path / 'odd', cfg)}", device="cpu")
    with pytest.raises(
        EncoderError, match=r"Expected a network that computes, but odd gave mat1 and mat2 shapes"
    ) as caught:
        encoder.encode_images(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            "Expected open_clip_config.json, or the config.json of transformers or timm, in .* but it holds open_",
        ),
        ("{", "is not valid JSON"),
        ("[]", "Expected a JSON object, but"),
    ],
)
def test_a_configuration_that_is_none(copy_of_tiny: Path, content: str | None, message: str) -> None:
    path = copy_of_tiny / "open_clip_config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(EncoderError, match=message):
        load_encoder(f"local-dir:{copy_of_tiny}", device="cpu")
