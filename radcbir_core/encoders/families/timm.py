"""The ``timm`` family: image models of that library, from its own hub repositories or a folder.

Owns the finding of their two files, the reading of their preprocessing, which output is the embedding, and the encoder
itself. The weights must be exactly those of the architecture that ``config.json`` names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from radcbir_core.encoders.base import Preprocessing, shown, with_credible_normalization
from radcbir_core.encoders.files.checkpoint import Checkpoint, json_object
from radcbir_core.encoders.files.hub import fetch_file
from radcbir_core.encoders.files.weights import load_strictly, read_weights, weights_in
from radcbir_core.encoders.torch.support import first_line, prepare_torchvision, quiet
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, Named, TorchEncoder, in_a_grid
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    import torch

FAMILY = "timm"
CONFIGURATION = "config.json"
RECIPE = "timm/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""
_HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_PUBLISHED = {"size": "input_size", "fit": "crop_mode", "interpolation": "interpolation", "resize": "crop_pct",
              "mean": "mean", "std": "std"}  # fmt: skip
_FITS: dict[str, Fit] = {"center": "crop", "squash": "squash"}


def from_hub(repository: str) -> Checkpoint:
    """A hub repository with a timm ``config.json``, such as ``timm/vit_base_patch16_224.augreg_in21k``.

    Raises:
        EncoderError: The configuration is not one of timm's.
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    configuration = fetch_file(repository, (CONFIGURATION,))
    _architecture(json_object(configuration), place=str(configuration))
    return _checkpoint(configuration, fetch_file(repository, _HUB_WEIGHTS))


def from_folder(folder: Path) -> Checkpoint:
    """A folder as timm saves one: ``config.json`` and the weights.

    Raises:
        EncoderError: One of them is missing or not readable; says what to put where.
    """
    _architecture(json_object(folder / CONFIGURATION), place=str(folder / CONFIGURATION))
    return _checkpoint(folder / CONFIGURATION, weights_in(folder, first=_HUB_WEIGHTS))


def _checkpoint(configuration: Path, weights: Path) -> Checkpoint:
    name = f"model{weights.suffix}"
    return Checkpoint(family=FAMILY, files={CONFIGURATION: configuration, name: weights}, weights=name)


def _architecture(written: Mapping[str, Any], *, place: str) -> str:
    name = written.get("architecture")
    if not isinstance(name, str) or not isinstance(written.get("pretrained_cfg"), dict):
        raise EncoderError(
            f"Expected architecture and pretrained_cfg, but {place} lacks one of them. "
            "Use the config.json that timm published with the weights."
        )
    if ":" in name or "/" in name:
        raise EncoderError(
            f"Expected the name of an architecture built into timm, but architecture = '{shown(name)}' in {place}. "
            "Write the architecture's own name."
        )
    return name


class TimmEncoder(TorchEncoder):
    """One model of timm, frozen, in float32.

    The embedding is, by the recipe's ``output``: ``pooled`` (unless another is asked for), what the classifier would
    get, ``forward_head(pre_logits=True)``; ``cls``, the first token of ``forward_features``; ``mean``, the mean over
    its patches or over space; ``logits``, the scores of the classes.

    Args:
        checkpoint: The model's files, of the family ``timm``.
        fit: Overrides the published fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The model cannot be built, has no such output, or its weights are not exactly its own.
    """

    supports_patches = True

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        written = checkpoint.read_json(CONFIGURATION)
        place = checkpoint.place_of(CONFIGURATION)
        model = build_model(checkpoint, written)
        self._output = _chosen_output(checkpoint, model, place=place)
        super().__init__(
            model,
            dimension=int(_width(model, self._output)),
            preprocessing=read_preprocessing(model, written["pretrained_cfg"], place=place).with_fit(fit),
            record={
                "recipe": RECIPE,
                "architecture": written["architecture"],
                "model_args": written.get("model_args") or {},
                "global_pool": written.get("global_pool"),
                "output": self._output,
            },
            configuration=CONFIGURATION,
            no_text="it was trained on images alone",
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        hidden = self._model.forward_features(batch)
        if self._output in {"pooled", "logits"}:
            return cast("torch.Tensor", self._model.forward_head(hidden, pre_logits=self._output == "pooled"))
        if self._output == "cls":
            return cast("torch.Tensor", hidden[:, 0])
        if hidden.ndim == 4:
            channels_last = hidden.shape[-1] == self.dimension and hidden.shape[1] != self.dimension
            return cast("torch.Tensor", hidden.mean(dim=(1, 2) if channels_last else (2, 3)))
        return cast("torch.Tensor", hidden[:, getattr(self._model, "num_prefix_tokens", 0) :].mean(dim=1))

    def _patch_features(self, batch: torch.Tensor) -> torch.Tensor:
        hidden = self._model.forward_features(batch)
        width = self._model.num_features
        if hidden.ndim == 4:
            channels_last = hidden.shape[-1] == width and hidden.shape[1] != width
            return cast("torch.Tensor", hidden) if channels_last else in_a_grid(hidden, self.preprocessing.size)
        return in_a_grid(hidden[:, getattr(self._model, "num_prefix_tokens", 0) :], self.preprocessing.size)


def build_model(checkpoint: Checkpoint, written: Mapping[str, Any]) -> Any:
    """The model of ``checkpoint`` with its weights, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: timm cannot build it, or the weights are not exactly its own.
    """
    place = checkpoint.place_of(CONFIGURATION)
    architecture = _architecture(written, place=place)
    state = read_weights(checkpoint.weights_path)
    options = dict(written.get("model_args") or {})
    for name in ("num_classes", "global_pool"):
        if written.get(name) is not None:
            options[name] = written[name]
    # Where the repository and its weights come from decides no number, and must not be asked for anything.
    published = {
        key: value for key, value in written["pretrained_cfg"].items() if key not in {"url", "hf_hub_id", "file"}
    }
    import torch

    with quiet():
        prepare_torchvision()
        try:
            import timm

            # The random weights that a new module starts with must not disturb the caller's random numbers.
            with torch.random.fork_rng(devices=[]):
                model = timm.create_model(architecture, pretrained=False, pretrained_cfg=published, **options)
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected a configuration that timm can build, but {place} gave {type(error).__name__}: "
                f"{first_line(error)}. Use the config.json that timm published with the weights."
            ) from error
    model = model.float().eval()
    load_strictly(model, state, path=checkpoint.weights_path)
    return model.requires_grad_(requires_grad=False)


def read_preprocessing(model: Any, written: Mapping[str, Any], *, place: str) -> Preprocessing:
    """A timm model's published preprocessing.

    Args:
        model: The model, which completes what is published.
        written: The ``pretrained_cfg`` of its configuration.
        place: Where that stands, for messages.

    Raises:
        EncoderError: It is a kind that is not known here.
    """
    from timm.data import resolve_model_data_config

    published = resolve_model_data_config(model)
    _, height, width = published["input_size"]
    fit = _FITS.get(published["crop_mode"])
    interpolation = published["interpolation"]
    resize = math.floor(height / published["crop_pct"])
    if fit is None or interpolation not in {"bilinear", "bicubic"} or height not in {width, resize}:
        raise EncoderError(
            "Expected crop_mode center or squash, bilinear or bicubic, and a square input where it is cropped, but "
            f"{place} has {published['crop_mode']}, {interpolation}, {height} x {width}. Choose another model."
        )
    preprocessing = Preprocessing(
        size=(int(height), int(width)),
        fit=fit,
        interpolation=interpolation,
        color="RGB",
        mean=tuple(float(value) for value in published["mean"]),
        std=tuple(float(value) for value in published["std"]),
        resize=resize if resize != height else None,
        assumed=tuple(name for name, key in _PUBLISHED.items() if written.get(key) is None),
    )
    return with_credible_normalization(preprocessing, place=place)


def _chosen_output(checkpoint: Checkpoint, model: Any, *, place: str) -> str:
    outputs = ["pooled", "mean"]
    if getattr(model, "num_prefix_tokens", 0) and getattr(model, "cls_token", None) is not None:
        outputs.append("cls")
    if model.num_classes:
        outputs.append("logits")
    asked = checkpoint.recipe.get("output", "pooled")
    if asked not in outputs:
        raise EncoderError(
            f"Expected ?output={' or ?output='.join(outputs)} for the model of {place}, "
            f"but output = {shown(str(asked))}. Choose one of these, or none."
        )
    return str(asked)


def _width(model: Any, output: str) -> Any:
    if output == "logits":
        return model.num_classes
    return model.head_hidden_size if output == "pooled" else model.num_features
