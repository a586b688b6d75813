"""MedCLIP with its vision transformer, from the file its authors publish.

Owns the names in MedCLIP's ``pytorch_model.bin``, the two projections and the way its text tower averages hidden
states (RyanWangZf/MedCLIP, ``modeling_medclip.py``), and the encoder. The towers themselves are transformers'
``SwinModel`` and ``BertModel``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.families.open_clip_sources import TOKENIZER_MARKERS, TOKENIZER_PATTERNS, tokenizer_files
from radcbir_core.encoders.families.transformers import load_model
from radcbir_core.encoders.files.checkpoint import Checkpoint, folder_files
from radcbir_core.encoders.files.hub import cached_file
from radcbir_core.encoders.files.own_files import given_weights
from radcbir_core.encoders.files.weights import check_floating, misfit, read_weights, state_digest
from radcbir_core.encoders.torch.support import first_line, prepare_torchvision, quiet
from radcbir_core.encoders.torch.text_torch_encoder import TextTorchEncoder
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, Named
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    import torch

FAMILY = "medclip"
FILE = "pytorch_model.bin"
ORIGIN = "https://storage.googleapis.com/pytrial/medclip-vit-pretrained.zip, which holds it"
TOKENIZER = "emilyalsentzer/Bio_ClinicalBERT"
RECIPE = "medclip/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""

VISION: Final[dict[str, Any]] = {
    "image_size": 224,
    "patch_size": 4,
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
}
"""``microsoft/swin-tiny-patch4-window7-224``, as transformers' ``SwinConfig`` names its sizes."""
TEXT: Final[dict[str, Any]] = {
    "vocab_size": 28996,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
"""``emilyalsentzer/Bio_ClinicalBERT``, as transformers' ``BertConfig`` names its sizes."""
_CONTEXT = 77
_TOWERS = ("vision_model.model.", "text_model.model.")
_OTHERS = ("vision_model.projection_head.weight", "text_model.projection_head.weight", "logit_scale")
_COUNTERS = ("position_ids", "relative_position_index")
_NO_WORD = -1


def find(path: Path | None) -> Checkpoint:
    """The authors' file, given by its path or that of its folder, and the text tower's tokenizer where it is.

    The tokenizer is looked for beside the weights and in the local hub cache. Without it there is no text.

    Raises:
        EncoderUnavailableError: No path is given: says where the file comes from and what to do with it.
        EncoderError: There is no such file.
    """
    weights = given_weights(path, encoder_id="medclip", filename=FILE, origin=ORIGIN)
    name = f"pytorch_model{weights.suffix}"
    files = {**_tokenizer_beside(weights.parent), name: weights}
    return Checkpoint(
        family=FAMILY, files=files, weights=name, recipe={"vision_config": VISION, "text_config": TEXT, "size": 512}
    )


def _tokenizer_beside(folder: Path) -> dict[str, Path | bytes]:
    patterns = tuple(pattern for pattern in TOKENIZER_PATTERNS if pattern != "config.json")
    for marker in TOKENIZER_MARKERS:
        if (folder / marker).is_file():
            return folder_files(folder, patterns)
    for marker in TOKENIZER_MARKERS:
        cached = cached_file(TOKENIZER, marker)
        if cached is not None:
            return folder_files(cached.parent, patterns)
    return {}


class MedClipEncoder(TextTorchEncoder):
    """MedCLIP's image and text tower, frozen, in float32: 512 numbers.

    Images are prepared as Denner et al. did: the shorter side resized to 224, bicubic, the middle cut out, MedCLIP's
    mean and standard deviation. MedCLIP's own way pads the image to a square instead: ``?fit=pad``.

    A text is the mean over its tokens of three hidden states (the first two layers' and the last's), projected. Each is
    computed by itself: MedCLIP's mean counts the padding that makes texts equally long, and so depends on what else is
    asked; here it does not.

    Args:
        checkpoint: The authors' file, with the sizes of the towers in its recipe.
        fit: Overrides the paper's fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The weights are not exactly those of these networks.
    """

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        recipe = {"vision_config": VISION, "text_config": TEXT, "size": 512, **checkpoint.recipe}
        side = int(recipe["vision_config"]["image_size"])
        preprocessing = Preprocessing(
            size=(side, side),
            fit="crop",
            interpolation="bicubic",
            color="RGB",
            mean=(0.5862785803043838,) * 3,
            std=(0.27950088968644304,) * 3,
            rounding="transformers",
        )
        path = checkpoint.weights_path
        state = read_weights(path)
        self._checkpoint = checkpoint
        self._words = int(recipe["text_config"]["vocab_size"])
        super().__init__(
            build_model(state, recipe, path=path),
            dimension=int(recipe["size"]),
            preprocessing=preprocessing.with_fit(fit),
            record={"recipe": RECIPE, "model": recipe},
            configuration="weights",
            no_text="" if tokenizer_files(checkpoint.files) else f"vocab.txt of {TOKENIZER} is not beside its weights",
            digest=state_digest(state),
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        pooled = self._model["vision"](batch).pooler_output
        return cast("torch.Tensor", self._model["vision_projection"](pooled))

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        rows = []
        for row in tokens:
            words = row[row != _NO_WORD][None]
            hidden = self._model["text"](input_ids=words, output_hidden_states=True).hidden_states
            rows.append(torch.stack([hidden[1], hidden[2], hidden[-1]]).mean(dim=2).mean(dim=0)[0])
        return cast("torch.Tensor", self._model["text_projection"](torch.stack(rows)))

    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        import torch

        rows = [self._tokenizer(text, truncation=True, max_length=_CONTEXT)["input_ids"] for text in texts]
        longest = max(len(row) for row in rows)
        return torch.tensor([row + [_NO_WORD] * (longest - len(row)) for row in rows])

    def _count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def _context_length(self) -> int:
        return _CONTEXT

    def _vocabulary_size(self) -> int:
        return self._words

    def _load_tokenizer(self) -> Any:
        names = {name: name for name in tokenizer_files(self._checkpoint.files) if name != "config.json"}
        prepare_torchvision()
        with quiet(), self._checkpoint.laid_out(names) as folder:
            try:
                from transformers import BertTokenizerFast

                return BertTokenizerFast.from_pretrained(folder, local_files_only=True)
            except BUILD_ERRORS as error:
                raise EncoderError(
                    f"Expected a tokenizer that transformers can load, but {folder} gave {first_line(error)}. "
                    f"Put vocab.txt of {TOKENIZER} there again."
                ) from error


def build_model(state: Mapping[str, torch.Tensor], recipe: Mapping[str, Any], *, path: Path) -> Any:
    """Both towers and their projections with the file's weights, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: The weights are not exactly those of these networks.
    """
    unexpected = [name for name in state if not name.startswith(_TOWERS) and name not in _OTHERS]
    missing = [name for name in _OTHERS if name not in state]
    if unexpected or missing:
        raise misfit(path, missing=missing, unexpected=unexpected)
    check_floating(state, path=path, but=_COUNTERS)
    with quiet():
        prepare_torchvision()
        import torch

        try:
            from transformers import BertConfig, BertModel, SwinConfig, SwinModel

            configs = SwinConfig(**recipe["vision_config"]), BertConfig(**recipe["text_config"])
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected the sizes of MedCLIP's towers, but the recipe beside {path} gave {first_line(error)}. "
                "Make the folder again."
            ) from error
    towers = {
        name: load_model(
            kind, config, {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)},
            path=path,
        )
        for name, kind, config, prefix in zip(
            ("vision", "text"), (SwinModel, BertModel), configs, _TOWERS, strict=True
        )
    }  # fmt: skip
    projections = {
        "vision_projection": _projection(state, _OTHERS[0], towers["vision"].num_features, recipe["size"], path=path),
        "text_projection": _projection(state, _OTHERS[1], configs[1].hidden_size, recipe["size"], path=path),
    }
    return torch.nn.ModuleDict({**towers, **projections}).eval().requires_grad_(requires_grad=False)


def _projection(state: Mapping[str, torch.Tensor], name: str, width: int, size: int, *, path: Path) -> torch.nn.Linear:
    import torch

    weight = state[name]
    if tuple(weight.shape) != (size, width):
        raise EncoderError(
            f"Expected weights of this architecture's shapes, but {path} has {name} {tuple(weight.shape)} instead of "
            f"({size}, {width}). Use MedCLIP's vision transformer, not its ResNet."
        )
    projection = torch.nn.Linear(width, size, bias=False, device="meta")
    projection.weight = torch.nn.Parameter(weight.float(), requires_grad=False)
    return projection
