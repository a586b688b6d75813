"""timm checkpoints in their hub layout, loaded by RadCBIR, give what timm itself gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.base import PatchEncoder
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import EncoderError
from tests.core.encoders.published import lively

prepare_torchvision()
import timm  # noqa: E402
from timm.data import create_transform, resolve_model_data_config  # noqa: E402

PUBLISHED = {
    "input_size": [3, 32, 32], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
    "mean": [0.5, 0.45, 0.4], "std": [0.25, 0.2, 0.3], "first_conv": "", "classifier": "head", "hf_hub_id": "timm/x",
}  # fmt: skip
VIT_ARGS = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}


def write(
    folder: Path, architecture: str, *, args: dict[str, Any] | None = None, classes: int = 0, **published: Any
) -> tuple[Path, Any]:
    """A folder as timm's ``push_to_hf_hub`` makes one, and the model."""
    folder.mkdir(parents=True)
    cfg = {**PUBLISHED, **published, "num_classes": classes}
    own = {key: tuple(value) if isinstance(value, list) else value for key, value in cfg.items()}
    own.pop("hf_hub_id")
    model = lively(
        lambda: timm.create_model(
            architecture, pretrained=False, num_classes=classes, pretrained_cfg=own, **(args or {})
        ),
        spread=0.08 if args else 0.3,
    )
    config = {"architecture": architecture, "num_classes": classes, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps({**config, **({"model_args": args} if args else {})}))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    return folder, model


def by_timm(model: Any, images: list[np.ndarray]) -> torch.Tensor:
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    return torch.stack([transform(Image.fromarray(image).convert("RGB")) for image in images])


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.double(), dim=1).float().numpy()


@pytest.mark.parametrize(
    ("architecture", "args", "published", "output"),
    [
        ("vit_tiny_patch16_224", VIT_ARGS, {}, "pooled"),
        ("vit_tiny_patch16_224", VIT_ARGS, {"crop_pct": 1.0, "interpolation": "bilinear"}, "cls"),
        ("vit_tiny_patch16_224", VIT_ARGS, {"crop_mode": "squash"}, "mean"),
        ("vit_tiny_patch16_224", VIT_ARGS, {"crop_mode": "squash", "crop_pct": 1.0}, "logits"),
        ("vit_tiny_patch16_224", {**VIT_ARGS, "reg_tokens": 3}, {}, "mean"),
        ("mobilenetv4_conv_small", None, {}, "pooled"),
        ("mobilenetv4_conv_small", None, {}, "mean"),
    ],
)
def test_a_folder_gives_what_timm_gives(
    architecture: str, args: Any, published: Any, output: str, tmp_path: Path, images: list[np.ndarray], no_network: Any
) -> None:
    folder, model = write(tmp_path / "made", architecture, args=args, classes=7, **published)
    encoder = load_encoder(str(folder) + ("" if output == "pooled" else f"?output={output}"), device="cpu")
    assert isinstance(encoder, Encoder)
    inputs = by_timm(model, images)
    prepared = np.stack([encoder.prepare(image) for image in images])
    np.testing.assert_allclose(prepared, inputs.numpy(), rtol=0, atol=2e-6)
    with torch.no_grad():
        hidden = model.forward_features(inputs)
        expected = unit(
            {
                "pooled": lambda: model.forward_head(hidden, pre_logits=True),
                "logits": lambda: model(inputs),
                "cls": lambda: hidden[:, 0],
                "mean": lambda: (
                    hidden.mean(dim=(2, 3)) if hidden.ndim == 4 else hidden[:, model.num_prefix_tokens :].mean(dim=1)
                ),
            }[output]()
        )
    found = encoder.encode_images(images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6)
    assert encoder.dimension == expected.shape[1]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("architecture", "args"), [("vit_tiny_patch16_224", VIT_ARGS), ("mobilenetv4_conv_small", None)]
)
def test_patches_are_timm_s_own(architecture: str, args: Any, tmp_path: Path, images: list[np.ndarray]) -> None:
    more = {"reg_tokens": 3} if args else {}
    folder, model = write(tmp_path / "made", architecture, args={**args, **more} if args else None)
    encoder = load_encoder(str(folder), device="cpu")
    assert isinstance(encoder, PatchEncoder)
    assert encoder.supports_patches
    with torch.no_grad():
        hidden = model.forward_features(by_timm(model, images[:2]))
    patches = encoder.encode_patches(np.stack([encoder.prepare(image) for image in images[:2]]))
    if args:
        assert patches.shape == (2, 4, 4, 48)
        tokens = unit(hidden.transpose(1, 2)).transpose(0, 2, 1)
        for row, column in ((0, 0), (1, 3), (3, 2)):
            np.testing.assert_allclose(patches[:, row, column], tokens[:, 4 + 4 * row + column], rtol=0, atol=3e-6)
    else:
        np.testing.assert_allclose(patches, unit(hidden).transpose(0, 2, 3, 1), rtol=0, atol=3e-6)


def test_from_the_hub_s_cache(tmp_path: Path, hub_cache: Any, images: list[np.ndarray], no_network: Any) -> None:
    folder, _ = write(tmp_path / "made", "vit_tiny_patch16_224", args=VIT_ARGS)
    hub_cache("timm/vit_mine.v1", {path.name: path for path in folder.iterdir()})
    encoder = load_encoder("timm:vit_mine.v1", device="cpu")
    assert (encoder.encoder_id, encoder.title) == ("timm-vit_mine.v1", "vit_mine.v1 (timm)")
    local = load_encoder(str(folder), device="cpu")
    assert local.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(local.encode_images(images), encoder.encode_images(images))
    hub_cache("example/vit", {path.name: path for path in folder.iterdir()})
    assert load_encoder("timm:example/vit?output=cls", device="cpu").encoder_id == "timm-example--vit-cls"
    with pytest.raises(EncoderError, match=r"text tower for 1 text, but encoder = timm-vit_mine.v1: it was trained on"):
        encoder.encode_texts(["chest"])


def test_outputs_and_fits_are_different_encoders(tmp_path: Path) -> None:
    folder, _ = write(tmp_path / "made", "vit_tiny_patch16_224", args=VIT_ARGS)
    options = ["", "?output=cls", "?output=mean", "?fit=pad"]
    assert len({load_encoder(f"{folder}{option}", device="cpu").fingerprint for option in options}) == 4
    with pytest.raises(EncoderError, match=r"Expected .output=pooled or .output=mean or .output=cls for the model"):
        load_encoder(f"{folder}?output=logits", device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": 3}, "Expected architecture and pretrained_cfg, but"),
        ({"architecture": "hf-hub:someone/else"}, "Expected the name of an architecture built into timm, but"),
        ({"architecture": "no_such_network"}, "Expected a configuration that timm can build, but"),
        ({"model_args": {"surprise": 1}}, "Expected a configuration that timm can build, but"),
        (
            {"model_args": {**VIT_ARGS, "depth": 1}},
            "Expected the weights of exactly this architecture, but .* unexpected",
        ),
        ({"model_args": {**VIT_ARGS, "depth": 3}}, "Expected the weights of exactly this architecture, but .* missing"),
        ({"num_classes": 5}, "has 2 missing .head"),
        ({"pretrained_cfg": {**PUBLISHED, "crop_mode": "border"}}, "Expected crop_mode center or squash"),
        (
            {"pretrained_cfg": {**PUBLISHED, "interpolation": "lanczos"}},
            "Expected crop_mode center or squash, bilinear",
        ),
    ],
)
def test_a_wrong_configuration_is_refused(change: Any, message: str, tmp_path: Path, no_network: Any) -> None:
    folder, _ = write(tmp_path / "made", "vit_tiny_patch16_224", args=VIT_ARGS)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(EncoderError, match=message) as caught:
        load_encoder(str(folder), device="cpu")
    assert str(caught.value).isprintable()
