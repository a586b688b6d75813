"""A stand-in for the committed encoder radcbir-mini: a random CLIP, small enough to make in a test."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

MODEL = {
    "embed_dim": 256,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear", "resize_mode": "longest"}


def write_tiny_encoder(root: Path) -> Path:
    """Write ``data/encoders/radcbir-mini`` under ``root``, with its kit.json; the folder written."""
    from radcbir_core.encoders.torch.support import import_open_clip

    open_clip = import_open_clip()
    import torch
    from safetensors.torch import save_file

    folder = root / "data" / "encoders" / "radcbir-mini"
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**MODEL)
        for parameter in model.parameters():
            if parameter.ndim > 1:  # fresh layers are too tame to tell two images apart
                torch.nn.init.normal_(parameter, std=0.15)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}))
    write_kit(folder)
    return folder


def write_kit(folder: Path) -> None:
    """Write kit.json anew: the digests of the files that are there."""
    names = ["open_clip_config.json", "open_clip_model.safetensors"]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "kit.json").write_text(json.dumps({"files": digests}))
