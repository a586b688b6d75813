"""Checkpoints as their authors publish them, made with random weights: the layout, and the names, of the real files.

The networks are transformers' and timm's own classes. Their weights are written under the names that the files on the
hub have, which is not always what the classes call them today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from radcbir_core.encoders import Checkpoint, Encoder, load_checkpoint

# What transformers' classes call a weight → what the files on the hub call it.
VIT_NAMES = (
    (r"(^|\.)layers\.(\d+)\.attention\.([qkv])_proj", r"\1encoder.layer.\2.attention.attention.\3_proj"),
    (r"(^|\.)layers\.(\d+)\.attention\.o_proj", r"\1encoder.layer.\2.attention.output.dense"),
    (r"(^|\.)layers\.(\d+)\.mlp\.fc1", r"\1encoder.layer.\2.intermediate.dense"),
    (r"(^|\.)layers\.(\d+)\.mlp\.fc2", r"\1encoder.layer.\2.output.dense"),
    (r"(^|\.)layers\.(\d+)\.layernorm", r"\1encoder.layer.\2.layernorm"),
    (r"attention\.q_proj", "attention.query"),
    (r"attention\.k_proj", "attention.key"),
    (r"attention\.v_proj", "attention.value"),
)
MAE_NAMES = (
    (r"decoder_layers\.(\d+)\.attention\.q_proj", r"decoder_layers.\1.attention.attention.query"),
    (r"decoder_layers\.(\d+)\.attention\.k_proj", r"decoder_layers.\1.attention.attention.key"),
    (r"decoder_layers\.(\d+)\.attention\.v_proj", r"decoder_layers.\1.attention.attention.value"),
    (r"decoder_layers\.(\d+)\.attention\.o_proj", r"decoder_layers.\1.attention.output.dense"),
    (r"decoder_layers\.(\d+)\.mlp\.fc1", r"decoder_layers.\1.intermediate.dense"),
    (r"decoder_layers\.(\d+)\.mlp\.fc2", r"decoder_layers.\1.output.dense"),
    *VIT_NAMES,
)
DINOV2_NAMES = (
    (r"attention\.q_proj", "attention.attention.query"),
    (r"attention\.k_proj", "attention.attention.key"),
    (r"attention\.v_proj", "attention.attention.value"),
    (r"attention\.o_proj", "attention.output.dense"),
)
DINOV3_NAMES = ((r"^model\.layer\.", "layer."),)
SWIN_NAMES = (
    (r"attention\.q_proj", "attention.self.query"),
    (r"attention\.k_proj", "attention.self.key"),
    (r"attention\.v_proj", "attention.self.value"),
    (r"attention\.relative_position_bias\.", "attention.self."),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)
# What transformers calls SAM's image encoder → what segment_anything, and so MedSAM's file, does.
SEGMENT_ANYTHING_NAMES = (
    (r"^vision_encoder\.", "image_encoder."),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    (r"\.layers\.(\d+)\.layer_norm1\.", r".blocks.\1.norm1."),
    (r"\.layers\.(\d+)\.layer_norm2\.", r".blocks.\1.norm2."),
    (r"\.layers\.", ".blocks."),
    (r"\.neck\.conv1\.", ".neck.0."),
    (r"\.neck\.layer_norm1\.", ".neck.1."),
    (r"\.neck\.conv2\.", ".neck.2."),
    (r"\.neck\.layer_norm2\.", ".neck.3."),
)


def renamed(state: Mapping[str, torch.Tensor], names: Sequence[tuple[str, str]]) -> dict[str, torch.Tensor]:
    """The tensors of ``state``, copied, under other names."""
    out = {}
    for own, tensor in state.items():
        name = own
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        out[name] = tensor.clone().contiguous()
    assert len(out) == len(state)
    return out


def lively(build: Callable[[], torch.nn.Module], *, seed: int = 0, spread: float = 0.08) -> Any:
    """A network with random weights that tell inputs apart, which fresh ones are too tame for; in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=spread)
            else:
                parameter.data.add_(0.1 * torch.randn(parameter.shape))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                buffer.normal_(std=0.1)
    return model.eval()


def write_folder(
    folder: Path,
    model: Any,
    preprocessor: Mapping[str, Any],
    *,
    names: Sequence[tuple[str, str]] = (),
    weights: str = "model.safetensors",
    extra: Mapping[str, torch.Tensor] | None = None,
) -> Path:
    """A folder as a transformers repository on the hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**model.config.to_diff_dict(), "architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    state = {**renamed(model.state_dict(), names), **(extra or {})}
    if weights.endswith(".safetensors"):
        save_file(state, folder / weights)
    else:
        torch.save(state, folder / weights)
    return folder


def loaded(checkpoint: Checkpoint, **recipe: Any) -> Encoder:
    """The encoder of a checkpoint, of other sizes than the published ones."""
    smaller = replace(checkpoint, recipe={**checkpoint.recipe, **recipe})
    return load_checkpoint(smaller, spec="made", encoder_id="made", title="Made", device="cpu")


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.double(), dim=1).float().numpy()


def write_json_files(folder: Path, files: Mapping[str, Any]) -> Path:
    """A folder with JSON files by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder
