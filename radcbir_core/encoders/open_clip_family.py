"""The ``open_clip`` family: CLIP-like models with an image and a text tower.

Owns the building of the model from a :class:`~radcbir_core.encoders.open_clip_sources.Source`, the reading of its
published preprocessing, and the encoder itself. Network and files are ``open_clip_sources``' and ``hub``'s business.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.base import (
    Fit,
    Float32Array,
    Preprocessing,
    checked_texts,
    encode_in_batches,
    fingerprint_of,
    shown,
    unit_rows,
)
from radcbir_core.encoders.checkpoints import load_strictly, read_weights, weights_digest
from radcbir_core.encoders.open_clip_sources import Source
from radcbir_core.encoders.torch_support import encode_shrinking, first_line, import_open_clip, quiet
from radcbir_core.encoders.transform import Transform
from radcbir_core.errors import EncoderError

if TYPE_CHECKING:
    import torch

RECIPE = "open_clip/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""

_FITS: dict[str, Fit] = {"shortest": "crop", "longest": "pad", "squash": "squash"}
_BATCH_ON_CPU = 32
_BATCH_ON_DEVICE = 128
# Whatever a configuration that does not fit open_clip's classes may run into there.
_BUILD_ERRORS = (
    TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, RuntimeError, OSError,
)  # fmt: skip


class OpenClipEncoder:
    """One open_clip model, frozen, in float32; see :class:`~radcbir_core.encoders.base.Encoder` for its attributes.

    Args:
        source: Where the model's files are.
        spec: What the user wrote.
        encoder_id: Its folder-safe name.
        title: A name for people.
        device: As :func:`~radcbir_core.encoders.torch_support.resolve_device` gives it.
        fit: Overrides the published fit.

    Raises:
        EncoderError: The model cannot be built, or its weights are not exactly its own.
    """

    def __init__(
        self, source: Source, *, spec: str, encoder_id: str, title: str, device: str, fit: Fit | None = None
    ) -> None:
        model = build_model(source)
        self.spec = spec
        self.encoder_id = encoder_id
        self.title = title
        self.dimension = int(source.model_cfg["embed_dim"])
        self.supports_text = True
        self.preprocessing = published_preprocessing(source.preprocess_cfg, size=model.visual.image_size, fit=fit)
        self.weights_digest = weights_digest(model)
        # The tokenizer is left out: it decides no image's embedding. So are the file's place and format.
        self.fingerprint = fingerprint_of(
            {
                "recipe": RECIPE,
                "model": source.model_cfg,
                "weights": self.weights_digest,
                "preprocessing": self.preprocessing.as_dict(),
            }
        )
        self.device = device
        self.batch_size = _BATCH_ON_CPU if device == "cpu" else _BATCH_ON_DEVICE
        self._transform = Transform(self.preprocessing)
        self._text_cfg: dict[str, Any] = source.model_cfg["text_cfg"]
        self._tokenizer_folder = source.tokenizer
        self._tokenizer: Any = None
        self._tokenizer_lock = threading.Lock()
        self._model = _to_device(model, device)

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One image, (H, W) or (H, W, 3) uint8, as the network's input, (3, height, width) float32.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        return self._transform(pixels)

    def encode_prepared(self, batch: Float32Array) -> Float32Array:
        """Inputs, (B, 3, height, width) float32, as embeddings, (B, D) float32 of norm 1.

        Batches of the same inputs and size give the same numbers every time on the same device; batches of another
        size may differ in the last bits.

        Raises:
            EncoderError: The device has no room for one image, or the network gives what is no embedding.
            ValueError: ``batch`` has another shape.
        """
        import torch

        shape = (3, *self.preprocessing.size)
        if batch.ndim != 4 or batch.shape[1:] != shape:
            raise ValueError(f"Expected a batch of {shape} inputs, but batch.shape = {batch.shape}. Use prepare().")
        inputs = torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
        return self._encoded(self._model.encode_image, inputs.contiguous(memory_format=torch.channels_last))

    def encode_images(self, images: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Decoded images as embeddings, (B, D) float32 of norm 1."""
        return encode_in_batches(self, images)

    def encode_texts(self, texts: Sequence[str]) -> Float32Array:
        """Texts as embeddings, (T, D) float32 of norm 1; what :meth:`truncated` reports is cut off.

        Raises:
            EncoderError: A text is blank, the tokenizer cannot be loaded, or it is not this model's.
        """
        wanted = checked_texts(texts)
        tokens = self._tokens(wanted) if wanted else None
        return (
            np.zeros((0, self.dimension), dtype=np.float32)
            if tokens is None
            else self._encoded(self._model.encode_text, tokens)
        )

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """For each text whether its end is beyond the model's context and so has no influence.

        Raises:
            EncoderError: A text is blank, or the tokenizer cannot be loaded.
        """
        wanted = checked_texts(texts)
        with self._tokenizer_lock:
            tokenizer = self._loaded_tokenizer()
            return [_token_count(tokenizer, text) > tokenizer.context_length for text in wanted]

    def _encoded(self, encode: Any, inputs: torch.Tensor) -> Float32Array:
        if not len(inputs):
            return np.zeros((0, self.dimension), dtype=np.float32)
        try:
            features, fitted = encode_shrinking(encode, inputs, batch_size=self.batch_size, device=self.device)
        except RuntimeError as error:
            raise EncoderError(
                f"Expected a network that computes, but {self.encoder_id} gave {first_line(error)} on {self.device}. "
                "Check its open_clip_config.json, or try --device cpu."
            ) from error
        # What did not fit once will not fit the next time either.
        if len(inputs) > fitted:
            self.batch_size = min(self.batch_size, fitted)
        if features.shape != (len(inputs), self.dimension):
            raise EncoderError(
                f"Expected embeddings of {self.dimension} numbers, but {self.encoder_id} gave shape {features.shape}. "
                "Correct embed_dim in its open_clip_config.json."
            )
        return unit_rows(features, encoder_id=self.encoder_id)

    def _tokens(self, texts: list[str]) -> torch.Tensor:
        # A tokenizer of transformers changes its own state while it works, so one thread at a time.
        with self._tokenizer_lock, quiet():
            tokenizer = self._loaded_tokenizer()
            try:
                tokens = cast("torch.Tensor", tokenizer(texts))
            except _BUILD_ERRORS as error:
                raise EncoderError(
                    f"Expected texts that the tokenizer can read, but {self.encoder_id}'s gave {first_line(error)}. "
                    "Check the tokenizer files of this model."
                ) from error
        words = getattr(getattr(self._model, "text", self._model), "vocab_size", 0)
        if words and int(tokens.max()) >= words:
            raise EncoderError(
                f"Expected tokens below {words}, the size of {self.encoder_id}'s vocabulary, but its tokenizer gave "
                f"{int(tokens.max())}. Use the tokenizer files that belong to this model."
            )
        return tokens

    def _loaded_tokenizer(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = build_tokenizer(self._text_cfg, self._tokenizer_folder)
        return self._tokenizer


def build_model(source: Source) -> Any:
    """The model of ``source`` with its weights, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: open_clip cannot build it, or the weights are not exactly its own.
    """
    open_clip = import_open_clip()
    import torch
    from open_clip.convert import convert_state_dict

    state = read_weights(source.weights)
    model_cfg = _offline_configuration(source)
    own_text = not (model_cfg.pop("custom_text", False) or source.text_configuration)
    kind = open_clip.CLIP if own_text else open_clip.CoCa if "multimodal_cfg" in model_cfg else open_clip.CustomTextCLIP
    try:
        # The random weights that a new module starts with must not disturb the caller's random numbers.
        with quiet(), torch.random.fork_rng(devices=[]):
            model = kind(**model_cfg).float().eval()
            state = _named_as_in(model, convert_state_dict(model, state))
    except _BUILD_ERRORS as error:
        raise EncoderError(
            f"Expected a configuration that open_clip can build, but it gave {type(error).__name__}: "
            f"{first_line(error)} for the model beside {source.weights}. Check its open_clip_config.json."
        ) from error
    load_strictly(model, state, path=source.weights)
    return model.requires_grad_(requires_grad=False)


def _offline_configuration(source: Source) -> dict[str, Any]:
    """A copy of the model's configuration from which building touches neither the network nor other weights."""
    model_cfg = copy.deepcopy(source.model_cfg)
    tower = str(model_cfg["vision_cfg"].get("timm_model_name") or "")
    if ":" in tower:
        raise EncoderError(
            f"Expected the name of an architecture built into timm, but timm_model_name = '{shown(tower)}'. "
            "Write the architecture's own name into open_clip_config.json."
        )
    if tower:
        model_cfg["vision_cfg"]["timm_model_pretrained"] = False
    if source.text_configuration is not None:
        model_cfg["text_cfg"]["hf_model_pretrained"] = False
        model_cfg["text_cfg"]["hf_model_name"] = str(source.text_configuration)
    return model_cfg


def _named_as_in(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``state`` with three old habits of saving undone, none of which changes a number."""
    import torch
    from open_clip.model import convert_to_custom_text_state_dict

    own = model.state_dict()
    named = dict(state)
    if "positional_embedding" in named and "positional_embedding" not in own:
        named = convert_to_custom_text_state_dict(named)
    for scalar in ("logit_scale", "logit_bias"):
        if scalar in named and scalar in own and named[scalar].numel() == own[scalar].numel() == 1:
            named[scalar] = named[scalar].reshape(own[scalar].shape)
    # transformers before 4.31 saved the numbers 0, 1, 2, … beside a text tower's weights.
    positions = "text.transformer.embeddings.position_ids"
    if positions in named and positions not in own:
        counted = named[positions].flatten()
        if torch.equal(counted, torch.arange(len(counted))):
            del named[positions]
    return named


def _to_device(model: Any, device: str) -> Any:
    import torch

    try:
        # Convolutions are more than twice as fast on a CPU with the channels last; transformers do not mind.
        model.visual.to(memory_format=torch.channels_last)
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise EncoderError(
            f"Expected room for the model on the device, but device = {device} is out of memory. "
            "Free some of its memory, or use --device cpu."
        ) from error


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
            f"Expected a grey level of 0 to 255, but fill_color = {fill!r} in preprocess_cfg. "
            "Correct it in open_clip_config.json."
        )
    return Preprocessing(
        size=(int(height), int(width)),
        fit=chosen,
        interpolation="bilinear" if bilinear else "bicubic",
        color="RGB",
        mean=_three(preprocess_cfg.get("mean"), default=clip_mean, name="mean"),
        std=_three(preprocess_cfg.get("std"), default=clip_std, name="std"),
        fill=fill,
    )


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
    except (*_BUILD_ERRORS, ImportError) as error:
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
