"""A kit of each family: made from its authors' files, loaded from the kit alone, the same encoder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from radcbir_core.encoders import find_checkpoint, load_checkpoint, load_encoder
from radcbir_core.encoders.families import medclip, medsam
from radcbir_core.encoders.kits.fetching import fetch_kit
from radcbir_core.errors import EncoderError
from tests.core.encoders.families import test_medclip, test_medsam, test_radimagenet_resnet, test_timm
from tests.core.encoders.families import test_transformers as hub
from tests.core.encoders.published import (
    DINOV2_NAMES,
    SEGMENT_ANYTHING_NAMES,
    SWIN_NAMES,
    VIT_NAMES,
    lively,
    renamed,
    write_folder,
)
from tests.core.encoders.tiny_models import WORDS


def _dinov2(folder: Path, _: Any) -> Path:
    return write_folder(folder, hub.dinov2(), hub.DINOV2_PROCESSOR, names=DINOV2_NAMES, weights="pytorch_model.bin")


def _vit(folder: Path, _: Any) -> Path:
    return write_folder(folder, hub.vit(), hub.VIT_PROCESSOR, names=VIT_NAMES)


def _resnet(folder: Path, _: Any) -> Path:
    return write_folder(folder, hub.resnet(), hub.RESNET_PROCESSOR, weights="pytorch_model.bin")


def _sam(folder: Path, _: Any) -> Path:
    return write_folder(folder, hub.sam(), hub.SAM_PROCESSOR)


def _siglip(folder: Path, _: Any) -> Path:
    return write_folder(folder, hub.siglip(), hub.SIGLIP_PROCESSOR)


def _timm(folder: Path, _: Any) -> Path:
    return test_timm.write(folder, "vit_tiny_patch16_224", args=test_timm.VIT_ARGS)[0]


def _medsam(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setattr(medsam, "VIT_B", test_medsam.SMALL_SAM)
    model = lively(lambda: transformers.SamVisionModel(transformers.SamVisionConfig(**test_medsam.SMALL_SAM)))
    folder.mkdir()
    state = {**renamed(model.state_dict(), SEGMENT_ANYTHING_NAMES), **test_medsam.left_out()}
    torch.save(state, folder / "medsam_vit_b.pth")
    return folder / "medsam_vit_b.pth"


def _medclip(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setattr(medclip, "VISION", test_medclip.SMALL_SWIN)
    patch.setattr(medclip, "TEXT", test_medclip.SMALL_BERT)
    vision = lively(lambda: transformers.SwinModel(transformers.SwinConfig(**test_medclip.SMALL_SWIN)))
    text = lively(lambda: transformers.BertModel(transformers.BertConfig(**test_medclip.SMALL_BERT)))
    folder.mkdir()
    state = {f"vision_model.model.{name}": value for name, value in renamed(vision.state_dict(), SWIN_NAMES).items()}
    state |= {f"text_model.model.{name}": value for name, value in text.state_dict().items()}
    heads = torch.randn(2, 512, 32, generator=torch.Generator().manual_seed(0))
    state |= {"vision_model.projection_head.weight": heads[0], "text_model.projection_head.weight": heads[1]}
    torch.save({**state, "logit_scale": torch.tensor(2.66)}, folder / "pytorch_model.bin")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    return folder


def _radimagenet(folder: Path, _: Any) -> Path:
    folder.mkdir()
    test_radimagenet_resnet.TestRadImageNet.write(folder / "ResNet50.pt")
    return folder


@pytest.mark.parametrize(
    ("spec", "make", "dimension", "text"),
    [
        ("dinov2-vit-b-14", _dinov2, 32, False),
        ("vit-b-16?output=mean", _vit, 32, False),
        ("resnet50", _resnet, 10, False),
        ("resnet50-pooled", _resnet, 24, False),
        ("sam-vit-b", _sam, 24, False),
        ("medsiglip", _siglip, 32, False),  # the folder made here has no tokenizer
        ("timm:vit_tiny_mine.v1?output=cls", _timm, 48, False),
        ("medsam-vit-b", _medsam, 24, False),
        ("medclip", _medclip, 512, True),
        ("radimagenet-resnet50", _radimagenet, 2048, False),
    ],
)
def test_a_kit_is_the_encoder(
    spec: str, make: Callable[[Path, Any], Path], dimension: int, text: bool, tmp_path: Path, hub_cache: Any,
    images: list[np.ndarray], no_network: Any, monkeypatch: pytest.MonkeyPatch, one_thread: None,
) -> None:  # fmt: skip
    given = make(tmp_path / "published", monkeypatch)
    checkpoint = find_checkpoint(spec, path=given)
    published = load_checkpoint(checkpoint, spec=spec, encoder_id="published", title="Published", device="cpu")
    said = published.encode_texts(["chest ct"]) if text else None
    kit = fetch_kit(spec, tmp_path / "kit", source=given)
    (given if given.is_dir() else given.parent).rename(tmp_path / "gone")
    monkeypatch.undo()  # the sizes of the smaller networks are in the kit now
    encoder = load_encoder(str(tmp_path / "kit"), device="cpu")
    assert encoder.encoder_id == kit.encoder_id == re.sub(r"\?output=", "-", spec.replace("timm:", "timm-"))
    assert encoder.fingerprint == published.fingerprint
    assert (encoder.dimension, encoder.supports_text) == (dimension, text)
    np.testing.assert_array_equal(encoder.encode_images(images[:2]), published.encode_images(images[:2]))
    if text:
        np.testing.assert_array_equal(encoder.encode_texts(["chest ct"]), said)


def test_a_kit_with_another_output_is_noticed(tmp_path: Path, no_network: Any, hub_cache: Any) -> None:
    given = _vit(tmp_path / "published", None)
    fetch_kit("vit-b-16", tmp_path / "kit", source=given)
    record = tmp_path / "kit" / "kit.json"
    assert '"recipe": {}' in record.read_text()
    record.write_text(record.read_text().replace('"recipe": {}', '"recipe": {"output": "mean"}'))
    with pytest.raises(EncoderError, match=r"cosine"):
        load_encoder(str(tmp_path / "kit"), device="cpu")
