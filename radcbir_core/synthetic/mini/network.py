"""The network of radcbir-mini, in open_clip's own terms, and its folder.

Owns the configuration and how trained weights become a folder that is loaded like any other checkpoint: half-precision
safetensors, ``open_clip_config.json``, and ``kit.json`` with the digests of both and a probe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from radcbir_core.encoders.kits import training_list
from radcbir_core.encoders.kits.fetching import add_probe
from radcbir_core.encoders.torch.support import import_open_clip, quiet
from radcbir_core.storage import atomic_bytes, atomic_path, digest_file
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.spectrum import RINGS

if TYPE_CHECKING:
    import torch

SHARED: Final = 256
"""Dimensions in which images and sentences that fit are near."""

GRAIN: Final = RINGS
"""Further dimensions that tell how sharp and how noisy an image is. In sentences they are 0."""

MODEL: Final[Mapping[str, Any]] = {
    "embed_dim": SHARED + GRAIN,
    "custom_text": True,
    "vision_cfg": {
        "timm_model_name": "mobilenetv4_conv_small",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": None,
        "image_size": SIDE,
    },
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3},
}
PREPROCESSING: Final[Mapping[str, Any]] = {
    "mean": [0.3, 0.3, 0.3],
    "std": [0.3, 0.3, 0.3],
    "interpolation": "bilinear",
    "resize_mode": "longest",
    "fill_color": 0,
}
WEIGHTS: Final = "open_clip_model.safetensors"


def new_model() -> Any:
    """The network with random weights, as torch's random numbers stand now."""
    open_clip = import_open_clip()
    parts = json.loads(json.dumps({name: part for name, part in MODEL.items() if name != "custom_text"}))
    with quiet():
        model = open_clip.CustomTextCLIP(**parts)
    # No loss reaches these: they stay 0.
    model.text.text_projection.data[:, SHARED:] = 0
    return model


def tokenizer() -> Any:
    """open_clip's own tokenizer at the network's context length; its vocabulary comes with open_clip."""
    open_clip = import_open_clip()
    return open_clip.SimpleTokenizer(context_length=MODEL["text_cfg"]["context_length"])


def export(
    state: Mapping[str, torch.Tensor], folder: Path, *, documents: Mapping[str, bytes], trained_on: bytes = b""
) -> None:
    """Write the encoder's folder.

    Args:
        state: The network's weights, on any device; floating-point ones are written in half precision.
        folder: Where to; files of the same names are replaced.
        documents: Further files of the folder: model card, training log.
        trained_on: The list of what it was trained on; empty for weights that were trained on nothing.

    Raises:
        EncoderError: The encoder cannot be loaded from the folder.
        StorageError: No space left, or no permission.
    """
    import torch
    from safetensors.torch import save

    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor.to(torch.int64)).cpu().contiguous()
        for name, tensor in state.items()
    }
    with atomic_path(folder / WEIGHTS) as partial:
        partial.write_bytes(save(halves, metadata={"format": "pt"}))
    configuration = {"model_cfg": dict(MODEL), "preprocess_cfg": dict(PREPROCESSING)}
    atomic_bytes(folder / "open_clip_config.json", (json.dumps(configuration, indent=2) + "\n").encode())
    for name, content in documents.items():
        atomic_bytes(folder / name, content)
    if trained_on:
        atomic_bytes(folder / training_list.LIST, trained_on)
    names = ("open_clip_config.json", WEIGHTS, *([training_list.LIST] if trained_on else []))
    kit = {
        training_list.KEY: training_list.LIST if trained_on else training_list.NOTHING,
        "files": {name: digest_file(folder / name) for name in names},
    }
    atomic_bytes(folder / "kit.json", (json.dumps(kit, indent=2) + "\n").encode())
    add_probe(folder)
