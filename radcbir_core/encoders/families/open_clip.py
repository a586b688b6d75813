"""The ``open_clip`` family: CLIP-like models with an image and a text tower.

Owns the building of the model from a :class:`~radcbir_core.encoders.files.checkpoint.Checkpoint`, the reading of its
published preprocessing, and the encoder itself. Network and files are ``open_clip_sources``' and ``hub``'s business.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from radcbir_core.encoders.base import Preprocessing, shown, with_credible_normalization
from radcbir_core.encoders.families.open_clip_sources import (
    CONFIGURATION,
    TEXT_CONFIGURATION,
    read_configuration,
    tokenizer_files,
)
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.weights import load_strictly, read_weights
from radcbir_core.encoders.torch.support import first_line, import_open_clip, quiet
from radcbir_core.encoders.torch.text_torch_encoder import TextTorchEncoder
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, Named, in_a_grid
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    import torch

RECIPE = "open_clip/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""

_FITS: dict[str, Fit] = {"shortest": "crop", "longest": "pad", "squash": "squash"}


class OpenClipEncoder(TextTorchEncoder):
    """One open_clip model, frozen, in float32.

    Args:
        checkpoint: The model's files, of the family ``open_clip``.
        fit: Overrides the published fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The model cannot be built, or its weights are not exactly its own.
    """

    supports_patches = True

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        model_cfg, preprocess_cfg = read_configuration(checkpoint.files[CONFIGURATION])
        model = build_model(checkpoint)
        self._text_cfg: dict[str, Any] = model_cfg["text_cfg"]
        self._checkpoint = checkpoint
        super().__init__(
            model,
            dimension=int(model_cfg["embed_dim"]),
            preprocessing=published_preprocessing(preprocess_cfg, size=model.visual.image_size, fit=fit),
            record={"recipe": RECIPE, "model": model_cfg},
            configuration=CONFIGURATION,
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._model.encode_image(batch))

    def _patch_features(self, batch: torch.Tensor) -> torch.Tensor:
        made = self._model.visual.forward_intermediates(
            batch, indices=1, normalize_intermediates=True, intermediates_only=True
        )
        return in_a_grid(made["image_intermediates"][0], self.preprocessing.size)

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._model.encode_text(tokens))

    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        return cast("torch.Tensor", self._tokenizer(texts))

    def _count_tokens(self, text: str) -> int:
        return _token_count(self._tokenizer, text)

    def _context_length(self) -> int:
        return int(self._tokenizer.context_length)

    def _vocabulary_size(self) -> int:
        return int(getattr(getattr(self._model, "text", self._model), "vocab_size", 0))

    def _load_tokenizer(self) -> Any:
        names = tokenizer_files(self._checkpoint.files)
        if not names or not self._text_cfg.get("hf_tokenizer_name"):
            return build_tokenizer(self._text_cfg, None)
        with self._checkpoint.laid_out({name: name for name in names}) as folder:
            return build_tokenizer(self._text_cfg, folder)


def build_model(checkpoint: Checkpoint) -> Any:
    """The model of ``checkpoint`` with its weights, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: open_clip cannot build it, or the weights are not exactly its own.
    """
    open_clip = import_open_clip()
    import torch
    from open_clip.convert import convert_state_dict

    weights = checkpoint.weights_path
    state = read_weights(weights)
    with _offline_configuration(checkpoint) as model_cfg:
        own_text = not (model_cfg.pop("custom_text", False) or model_cfg["text_cfg"].get("hf_model_name"))
        several = open_clip.CoCa if "multimodal_cfg" in model_cfg else open_clip.CustomTextCLIP
        kind = open_clip.CLIP if own_text else several
        try:
            # The random weights that a new module starts with must not disturb the caller's random numbers.
            with quiet(), torch.random.fork_rng(devices=[]):
                model = kind(**model_cfg).float().eval()
                state = _named_as_in(model, convert_state_dict(model, state))
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected a configuration that open_clip can build, but it gave {type(error).__name__}: "
                f"{first_line(error)} for the model beside {weights}. Check its {CONFIGURATION}."
            ) from error
    load_strictly(model, state, path=weights)
    return model.requires_grad_(requires_grad=False)


@contextmanager
def _offline_configuration(checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """A copy of the model's configuration from which building touches neither the network nor other weights."""
    model_cfg, _ = read_configuration(checkpoint.files[CONFIGURATION])
    model_cfg = copy.deepcopy(model_cfg)
    tower = str(model_cfg["vision_cfg"].get("timm_model_name") or "")
    if ":" in tower:
        raise EncoderError(
            f"Expected the name of an architecture built into timm, but timm_model_name = '{shown(tower)}'. "
            "Write the architecture's own name into open_clip_config.json."
        )
    if tower:
        model_cfg["vision_cfg"]["timm_model_pretrained"] = False
    if not model_cfg["text_cfg"].get("hf_model_name"):
        yield model_cfg
        return
    model_cfg["text_cfg"]["hf_model_pretrained"] = False
    with checkpoint.laid_out({"config.json": TEXT_CONFIGURATION}) as folder:
        model_cfg["text_cfg"]["hf_model_name"] = str(folder)
        yield model_cfg


def _named_as_in(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``state`` with four old habits of saving undone, none of which changes a number."""
    import torch
    from open_clip.model import convert_to_custom_text_state_dict

    own = model.state_dict()
    named = dict(state)
    if "positional_embedding" in named and "positional_embedding" not in own:
        named = convert_to_custom_text_state_dict(named)
    for scalar in ("logit_scale", "logit_bias"):
        if scalar in named and scalar in own and named[scalar].numel() == own[scalar].numel() == 1:
            named[scalar] = named[scalar].reshape(own[scalar].shape)
    # UniMed-CLIP's copy of open_clip calls the same text tower text_encoder.
    if not any(name.startswith("text_encoder.") for name in own):
        named = {re.sub(r"^text_encoder\.", "text.", name): tensor for name, tensor in named.items()}
    # transformers before 4.31 saved the numbers 0, 1, 2, … beside a text tower's weights.
    positions = "text.transformer.embeddings.position_ids"
    if positions in named and positions not in own:
        counted = named[positions].flatten()
        if torch.equal(counted, torch.arange(len(counted))):
            del named[positions]
    return named


def published_preprocessing(
    preprocess_cfg: Mapping[str, Any], *, size: int | Sequence[int], fit: Fit | None = None
) -> Preprocessing:
    """A model's own preprocessing as a record, with what is not published as open_clip assumes it.

    Args:
        preprocess_cfg: As published; may lack any key.
        size: Side, or height and width, of the image tower's input.
        fit: Overrides the published fit.

    Raises:
        EncoderError: A value is one that open_clip does not know either.

    Example:
        >>> published_preprocessing({"resize_mode": "squash", "mean": 0.5, "std": 0.5}, size=224).fit
        'squash'
    """
    clip_mean, clip_std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    mode = preprocess_cfg.get("resize_mode") or "shortest"
    interpolation = preprocess_cfg.get("interpolation") or "bicubic"
    color = preprocess_cfg.get("mode") or "RGB"
    for name, value, known in (
        ("resize_mode", mode, tuple(_FITS)),
        ("interpolation", interpolation, ("bicubic", "bilinear", "random")),
        ("mode", color, ("RGB",)),
    ):
        if value not in known:
            raise EncoderError(
                f"Expected {' or '.join(known)}, but {name} = {value!r} in preprocess_cfg. "
                "Correct it in open_clip_config.json."
            )
    chosen = fit or _FITS[mode]
    # "random" is a training augmentation; and a crop to an oblong is always bicubic in open_clip.
    bilinear = interpolation == "bilinear" and not (chosen == "crop" and height != width)
    fill = preprocess_cfg.get("fill_color") or 0
    if not isinstance(fill, int) or not 0 <= fill <= 255:
        raise EncoderError(
            f"Expected a gray level of 0 to 255, but fill_color = {fill!r} in preprocess_cfg. "
            "Correct it in open_clip_config.json."
        )
    preprocessing = Preprocessing(
        size=(int(height), int(width)),
        fit=chosen,
        interpolation="bilinear" if bilinear else "bicubic",
        color="RGB",
        mean=_three(preprocess_cfg.get("mean"), default=clip_mean, name="mean"),
        std=_three(preprocess_cfg.get("std"), default=clip_std, name="std"),
        fill=fill,
        assumed=tuple(
            name
            for name, key in (("fit", "resize_mode"), *((key, key) for key in ("interpolation", "mean", "std")))
            if preprocess_cfg.get(key) is None and not (name == "fit" and fit)
        ),
    )
    return with_credible_normalization(preprocessing, place=f"preprocess_cfg of {CONFIGURATION}")


def _three(value: Any, *, default: tuple[float, ...], name: str) -> tuple[float, ...]:
    numbers = default if value is None else value if isinstance(value, (list, tuple)) else (value,) * 3
    valid = len(numbers) == 3 and all(isinstance(number, (int, float)) and np.isfinite(number) for number in numbers)
    if not valid or (name == "std" and min(numbers) <= 0):
        rule = "three positive numbers" if name == "std" else "three numbers"
        raise EncoderError(
            f"Expected {rule}, but {name} = {value!r} in preprocess_cfg. Correct it in open_clip_config.json."
        )
    return tuple(float(number) for number in numbers)


def build_tokenizer(text_cfg: Mapping[str, Any], folder: Path | None) -> Any:
    """The model's tokenizer: open_clip's own, or transformers' from ``folder``, with no network.

    Raises:
        EncoderError: The files are damaged, or ask for code of their own to be run.
    """
    open_clip = import_open_clip()
    options = dict(text_cfg.get("tokenizer_kwargs") or {})
    context_length = int(text_cfg.get("context_length") or 77)
    if options.pop("trust_remote_code", False):
        raise EncoderError(
            "Expected a tokenizer that runs no code of its own, but tokenizer_kwargs has trust_remote_code = true. "
            "Remove it from open_clip_config.json if the tokenizer works without."
        )
    try:
        with quiet():
            if folder is None:
                return open_clip.SimpleTokenizer(context_length=context_length, **options)
            from open_clip.tokenizer import HFTokenizer

            mode = text_cfg.get("tokenizer_mode")
            return HFTokenizer(
                str(folder),
                context_length=context_length,
                tokenizer_mode=mode,
                trust_remote_code=False,
                local_files_only=True,
                **options,
            )
    except BUILD_ERRORS as error:
        raise EncoderError(
            f"Expected a tokenizer that transformers can load, but {folder or 'open_clip'} gave {first_line(error)}. "
            "Put tokenizer.json and tokenizer_config.json of the model there again."
        ) from error


def _token_count(tokenizer: Any, text: str) -> int:
    """How many tokens ``text`` has with all that the tokenizer adds, before anything is cut off."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return len(tokenizer.encode(text)) + 2
    clean = tokenizer.clean_fn(text)
    if tokenizer.tokenizer_mode == "clips":
        return len(inner(clean, add_special_tokens=False, verbose=False)["input_ids"]) + 3
    return len(inner(clean, truncation=False, padding=False, verbose=False)["input_ids"])
