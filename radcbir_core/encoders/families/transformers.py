"""The ``transformers`` family: any vision model of that library, and its CLIP-like ones with their text tower.

Owns the building of the model from a :class:`~radcbir_core.encoders.files.checkpoint.Checkpoint`, which of its outputs
is the embedding, and the encoder itself. Weights are read by :mod:`~radcbir_core.encoders.files.weights` and given to
the library's own loading, which knows the names that files of all ages use; what it leaves over is an error here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Unpack, cast

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.families import siglip_tokenizer
from radcbir_core.encoders.families.open_clip_sources import tokenizer_files
from radcbir_core.encoders.families.transformers_preprocessing import NAMES, read_preprocessing
from radcbir_core.encoders.families.transformers_sources import CONFIGURATION, WITH_TEXT
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.weights import check_floating, misfit, read_weights, state_digest
from radcbir_core.encoders.torch.support import first_line, prepare_torchvision, quiet
from radcbir_core.encoders.torch.text_torch_encoder import TextTorchEncoder
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, Named, in_a_grid
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    from pathlib import Path

    import torch

RECIPE = "transformers/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""

_CLS, _CONVOLUTIONAL, _DUAL = ("cls", "mean", "pooled"), ("pooled", "mean"), ("pooled",)
_OUTPUTS: dict[str, tuple[str, ...]] = {
    "clip": _DUAL,
    "convnext": _CONVOLUTIONAL,
    "convnextv2": _CONVOLUTIONAL,
    "dinov2": ("cls", "mean"),
    "dinov2_with_registers": ("cls", "mean"),
    "dinov3_convnext": _CONVOLUTIONAL,
    "dinov3_vit": ("cls", "mean"),
    "resnet": _CONVOLUTIONAL,
    "sam": ("mean",),
    "siglip": _DUAL,
    "siglip_vision_model": ("pooled", "mean"),
    "swin": _CONVOLUTIONAL,
    "vit": _CLS,
    "vit_mae": ("cls", "mean"),
}
"""Which outputs a model type has, the one that is taken unless another is asked for first; a network with classes has
``logits`` too."""

# What decides no number: where a configuration was saved, by which version, and for whom.
_BESIDE_THE_POINT = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "_commit_hash"}
_COUNTERS = ("num_batches_tracked", "position_ids", "relative_position_index")


class TransformersEncoder(TextTorchEncoder):
    """One model of transformers, frozen, in float32.

    The embedding is, by the recipe's ``output``: ``cls``, the class token of the last hidden state; ``mean``, the mean
    over the patches of the last hidden state, or over the space of a map; ``pooled``, what the network itself makes of
    the whole image (for CLIP and SigLIP the projected features); ``logits``, the scores of its classes.

    Args:
        checkpoint: The model's files, of the family ``transformers``.
        fit: Overrides the published fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The model cannot be built, has no such output, or its weights are not exactly its own.
    """

    supports_patches = True

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        written = checkpoint.read_json(CONFIGURATION)
        model_type = str(written.get("model_type"))
        self._output = chosen_output(checkpoint, written)
        preprocessing_name = next((name for name in NAMES if name in checkpoint.files), NAMES[0])
        preprocessing = read_preprocessing(
            checkpoint.read_json(preprocessing_name),
            model_type=model_type,
            place=checkpoint.place_of(preprocessing_name),
            fit=fit,
        )
        state = read_weights(checkpoint.weights_path)
        model = build_model(checkpoint, state)
        self._checkpoint = checkpoint
        self._model_type = model_type
        self._masked = model_type == "vit_mae"
        super().__init__(
            model,
            dimension=_dimension(model.config, self._output, place=checkpoint.place_of(CONFIGURATION)),
            preprocessing=preprocessing,
            record={
                "recipe": RECIPE,
                "model": {key: value for key, value in written.items() if key not in _BESIDE_THE_POINT},
                "output": self._output,
            },
            configuration=CONFIGURATION,
            no_text=_why_no_text(model_type, checkpoint),
            digest=state_digest(state),
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        if self._output == "logits":
            return cast("torch.Tensor", self._model(batch).logits)
        if self._model_type in WITH_TEXT:
            return cast("torch.Tensor", self._model.get_image_features(pixel_values=batch).pooler_output)
        if self._model_type == "sam":
            return cast("torch.Tensor", self._model.vision_encoder(batch).last_hidden_state.mean(dim=(2, 3)))
        return self._of_the_base(batch)

    def _patch_features(self, batch: torch.Tensor) -> torch.Tensor:
        if self._model_type in WITH_TEXT:
            hidden = self._model.vision_model(pixel_values=batch).last_hidden_state
        elif self._model_type == "sam":
            hidden = self._model.vision_encoder(batch).last_hidden_state
        else:
            hidden = self._outputs_of_the_base(batch).last_hidden_state
        if hidden.ndim == 3:
            hidden = hidden[:, hidden.shape[1] - self._patches(batch, hidden.shape[1]) :]
        return in_a_grid(hidden, self.preprocessing.size)

    def _outputs_of_the_base(self, batch: torch.Tensor) -> Any:
        # A model that is none "for" anything is the base itself, whatever its own parts are called.
        bare = type(self._model).__name__.endswith("Model")
        return (self._model if bare else self._model.base_model)(batch, **self._unmasked(batch))

    def _of_the_base(self, batch: torch.Tensor) -> torch.Tensor:
        outputs = self._outputs_of_the_base(batch)
        hidden = outputs.last_hidden_state
        if self._output == "pooled":
            features = outputs.pooler_output.flatten(1)
        elif self._output == "cls":
            features = hidden[:, 0]
        elif hidden.ndim == 4:
            features = hidden.mean(dim=(2, 3))
        else:
            features = hidden[:, hidden.shape[1] - self._patches(batch, hidden.shape[1]) :].mean(dim=1)
        return cast("torch.Tensor", features)

    def _unmasked(self, batch: torch.Tensor) -> dict[str, Any]:
        """For a masked autoencoder: nothing is masked, and the patches stay in order.

        The mask ratio is 0 (see :func:`build_model`). Noise in ascending order keeps the patches in place, which random
        noise, the library's default, would shuffle; the class token would differ in its last bits each time.
        """
        if not self._masked:
            return {}
        import torch

        patches = (batch.shape[2] // self._model.config.patch_size) * (batch.shape[3] // self._model.config.patch_size)
        return {"noise": torch.arange(patches, device=batch.device, dtype=torch.float32).expand(len(batch), -1)}

    def _patches(self, batch: torch.Tensor, tokens: int) -> int:
        """How many of the tokens are patches; class and register tokens come before them."""
        config = getattr(self._model.config, "vision_config", self._model.config)
        side = getattr(config, "patch_size", None)
        if not side:
            return tokens
        height, width = (side, side) if isinstance(side, int) else side
        return min(tokens, (batch.shape[2] // height) * (batch.shape[3] // width))

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._model.get_text_features(input_ids=tokens).pooler_output)

    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        # Both kinds were trained on texts filled up to the context's end; no mask is given, as in training.
        made = self._tokenizer(
            texts, padding="max_length", truncation=True, max_length=self._context_length(), return_tensors="pt"
        )
        return cast("torch.Tensor", made["input_ids"])

    def _count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, truncation=False, padding=False, verbose=False)["input_ids"])

    def _context_length(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings)

    def _vocabulary_size(self) -> int:
        return int(self._model.config.text_config.vocab_size)

    def _load_tokenizer(self) -> Any:
        return load_tokenizer(self._checkpoint)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer among a checkpoint's files, transformers' or SigLIP's; no network, no code of its own.

    Raises:
        EncoderError: The files are damaged, or ask for code to be run.
    """
    prepare_torchvision()
    if siglip_tokenizer.FILE in checkpoint.files and "tokenizer_config.json" in checkpoint.files:
        written = checkpoint.read_json("tokenizer_config.json")
        if siglip_tokenizer.is_siglips(written, model_type=str(checkpoint.read_json(CONFIGURATION).get("model_type"))):
            with checkpoint.laid_out({siglip_tokenizer.FILE: siglip_tokenizer.FILE}) as folder:
                return siglip_tokenizer.read_siglip_tokenizer(folder / siglip_tokenizer.FILE)
    names = {name: name for name in [*tokenizer_files(checkpoint.files), CONFIGURATION] if name in checkpoint.files}
    with quiet(), checkpoint.laid_out(names) as folder:
        try:
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected a tokenizer that transformers can load, but {checkpoint.place_of(CONFIGURATION)} and the "
                f"files beside it gave {first_line(error)}. Put tokenizer.json and tokenizer_config.json there again."
            ) from error


def chosen_output(checkpoint: Checkpoint, written: Mapping[str, Any]) -> str:
    """The output that a checkpoint's recipe asks for, or its model type's usual one.

    Raises:
        EncoderError: The model type has no such output, or is not known and nothing was asked for.
    """
    model_type = str(written.get("model_type"))
    known = _OUTPUTS.get(model_type)
    asked = checkpoint.recipe.get("output")
    if known is None:
        if asked:
            return str(asked)
        raise EncoderError(
            f"Expected one of the model types {', '.join(_OUTPUTS)}, but model_type = {shown(model_type)}. "
            "Say which output is the embedding: add ?output=cls, ?output=mean, ?output=pooled or ?output=logits."
        )
    with_classes = any(str(name).endswith("ForImageClassification") for name in written.get("architectures") or ())
    outputs = (*known, "logits") if with_classes else known
    if asked is not None and asked not in outputs:
        raise EncoderError(
            f"Expected ?output={' or ?output='.join(outputs)} for the model type {model_type}, "
            f"but output = {shown(str(asked))}. Choose one of these, or none."
        )
    return str(asked or outputs[0])


def build_model(checkpoint: Checkpoint, state: Mapping[str, torch.Tensor]) -> Any:
    """The model of ``checkpoint`` with the weights ``state``, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: transformers cannot build it, or the weights are not exactly its own.
    """
    with quiet(), checkpoint.laid_out({CONFIGURATION: CONFIGURATION}) as folder:
        config = read_configuration(folder, place=checkpoint.place_of(CONFIGURATION))
    return load_model(_class_of(config, checkpoint), config, state, path=checkpoint.weights_path)


def read_configuration(folder: Path, *, place: str) -> Any:
    """The library's configuration object of a folder's ``config.json``; a masked autoencoder's has nothing masked.

    Raises:
        EncoderError: transformers does not know the model type, or a value is none.
    """
    prepare_torchvision()
    try:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except BUILD_ERRORS as error:
        raise _unbuildable(place, error) from error
    if getattr(config, "quantization_config", None) is not None:
        raise EncoderError(
            f"Expected floating-point weights, but {place} has a quantization_config. "
            "Get the model's weights as they were before quantisation."
        )
    if hasattr(config, "mask_ratio"):
        config.mask_ratio = 0.0
    return config


def _class_of(config: Any, checkpoint: Checkpoint) -> Any:
    """The class the weights were saved from, so that every one of them has its place."""
    import transformers

    names = getattr(config, "architectures", None) or []
    place = checkpoint.place_of(CONFIGURATION)
    if len(names) != 1:
        raise EncoderError(
            f"Expected one name under architectures, but {place} has {len(names)}. "
            "Use the config.json published with the weights."
        )
    kind = getattr(transformers, str(names[0]), None)
    if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        raise EncoderError(
            f"Expected a model of transformers' own, but {place} has architectures = {shown(str(names[0]))}. "
            "Use a checkpoint that works without trust_remote_code, or a newer transformers."
        )
    return kind


def load_model(kind: Any, config: Any, state: Mapping[str, torch.Tensor], *, path: Path) -> Any:
    """A model of one of transformers' classes with weights from a file; every one must have its place.

    Args:
        kind: The class.
        config: Its configuration.
        state: The weights by name, in whatever way transformers has named them over the years.
        path: Their file, for messages.

    Raises:
        EncoderError: A name is missing or unexpected, a shape differs, or the numbers are integers.
    """
    import torch

    check_floating(state, path=path, but=_COUNTERS)
    # The random weights that a new module may start with must not disturb the caller's random numbers.
    with quiet(), _no_bars(), torch.random.fork_rng(devices=[]):
        try:
            model, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(state),
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below, by name
            )
        except BUILD_ERRORS as error:
            raise _unbuildable(f"the model of {path}", error) from error
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if missing or unexpected:
        raise misfit(path, missing=missing, unexpected=unexpected)
    if report["mismatched_keys"]:
        name, own, wanted = sorted(report["mismatched_keys"])[0]
        raise EncoderError(
            f"Expected weights of this architecture's shapes, but {path} has {shown(str(name))} {tuple(own)} instead "
            f"of {tuple(wanted)}. Use the configuration that belongs to these weights."
        )
    return model.float().eval().requires_grad_(requires_grad=False)


@contextmanager
def _no_bars() -> Iterator[None]:
    """No progress bar for what takes a moment; those of downloads come back afterwards."""
    from transformers.utils import logging

    shown_before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown_before:
            logging.enable_progress_bar()


def _unbuildable(place: str, error: Exception) -> EncoderError:
    return EncoderError(
        f"Expected a configuration that transformers can build, but {place} gave {type(error).__name__}: "
        f"{first_line(error)}. Use the config.json published with the weights, or a newer transformers."
    )


def _dimension(config: Any, output: str, *, place: str) -> int:
    """Length of an embedding, from the configuration."""
    if output == "logits":
        dimension: Any = config.num_labels
    elif config.model_type == "clip":
        dimension = config.projection_dim
    elif config.model_type == "sam":
        dimension = config.vision_config.output_channels
    elif config.model_type == "siglip":
        dimension = config.vision_config.hidden_size
    else:
        sizes = getattr(config, "hidden_sizes", None)
        dimension = sizes[-1] if sizes else getattr(config, "hidden_size", None)
    if not isinstance(dimension, int) or dimension < 1:
        raise EncoderError(
            f"Expected hidden_size or hidden_sizes, but {place} has neither. Use a vision model that says its width."
        )
    return dimension


def _why_no_text(model_type: str, checkpoint: Checkpoint) -> str:
    if model_type not in WITH_TEXT:
        return "it was trained on images alone"
    if not [name for name in tokenizer_files(checkpoint.files) if name != CONFIGURATION]:
        return "its folder holds no tokenizer"
    return ""
