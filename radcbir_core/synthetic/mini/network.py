"""The network of radcbir-mini, in open_clip's own terms, and its folder.

Owns the configuration and how trained weights become a folder that is loaded like any other checkpoint: safetensors,
half precision where that will do, ``open_clip_config.json``, and ``kit.json`` with the digests of both and a probe.
Weights that are not sound become no folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.kits import training_list
from radcbir_core.encoders.kits.fetching import add_probe
from radcbir_core.encoders.torch.soundness import check_astray, check_numbers, watched
from radcbir_core.encoders.torch.support import import_open_clip, quiet
from radcbir_core.storage import atomic_bytes, atomic_path, digest_file
from radcbir_core.synthetic.mini.augment import SIDE

if TYPE_CHECKING:
    import torch

SHARED: Final = 256
"""Dimensions in which images and sentences that fit are near."""

APPEARANCE: Final = 256
"""Further dimensions that tell how an image looks to networks for everyday pictures. In sentences they are 0."""

MODEL: Final[Mapping[str, Any]] = {
    "embed_dim": SHARED + APPEARANCE,
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

MOST_ASTRAY: Final = 0.001
"""Share of the images that may lead batch norms astray in weights that are exported."""

_STATISTICS: Final = ("running_mean", "running_var")
_EXPORTED: Final = "what was trained"
_AT_ONCE: Final = 64


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
    state: Mapping[str, torch.Tensor],
    folder: Path,
    *,
    documents: Mapping[str, bytes],
    trained_on: bytes = b"",
    look_at: npt.NDArray[np.uint8] | None = None,
) -> None:
    """Write the encoder's folder.

    Args:
        state: The network's weights, on any device; floating-point ones are written in half precision, but for the
            statistics of batch norms and what is out of its range.
        folder: Where to; files of the same names are replaced.
        documents: Further files of the folder: model card, training log.
        trained_on: The list of what it was trained on; empty for weights that were trained on nothing.
        look_at: Prepared images, (N, 144, 144) uint8, of which at most :data:`MOST_ASTRAY` may lead norms astray.

    Raises:
        EncoderError: The weights are not sound, and nothing is written; or the folder cannot be loaded.
        StorageError: No space left, or no permission.
    """
    from safetensors.torch import save

    written = {name: _as_written(name, tensor).cpu().contiguous() for name, tensor in state.items()}
    check_weights(written, look_at=look_at)
    with atomic_path(folder / WEIGHTS) as partial:
        partial.write_bytes(save(written, metadata={"format": "pt"}))
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


def check_weights(state: Mapping[str, torch.Tensor], *, look_at: npt.NDArray[np.uint8] | None = None) -> None:
    """Make sure that weights are sound.

    Args:
        state: Of the network.
        look_at: As for :func:`export`.

    Raises:
        EncoderError: They are not.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        model = new_model().eval()
    model.load_state_dict(dict(state))
    check_numbers(model, encoder_id=_EXPORTED)
    if look_at is None or not len(look_at):
        return
    mean, deviation = PREPROCESSING["mean"][0], PREPROCESSING["std"][0]
    with watched(model.visual) as astray, torch.inference_mode():
        for start in range(0, len(look_at), _AT_ONCE):
            levels = torch.from_numpy(look_at[start : start + _AT_ONCE]).float() / 255
            model.encode_image(((levels - mean) / deviation)[:, None].expand(-1, 3, -1, -1))
    check_astray(astray[0], encoder_id=_EXPORTED, share=MOST_ASTRAY)


def _as_written(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the weights as it is kept in a file."""
    import torch

    if not tensor.is_floating_point():
        return tensor.to(torch.int64)
    # A variance may be smaller than the smallest number of half precision, and a running mean larger than the largest.
    half = tensor.half()
    return tensor.float() if name.rpartition(".")[2] in _STATISTICS or half.isinf().any() else half
