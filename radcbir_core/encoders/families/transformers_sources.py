"""Where a transformers model comes from: a hub repository, or a folder.

Owns the finding of configuration, preprocessing, weights and tokenizer, as a
:class:`~radcbir_core.encoders.files.checkpoint.Checkpoint` with the names they were published under. It builds no
model; :mod:`radcbir_core.encoders.families.transformers` does. Code in a repository is never run.
"""

from __future__ import annotations

from pathlib import Path

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.families.open_clip_sources import TOKENIZER_MARKERS, TOKENIZER_PATTERNS
from radcbir_core.encoders.families.transformers_preprocessing import NAMES
from radcbir_core.encoders.files.checkpoint import Checkpoint, folder_files, json_object
from radcbir_core.encoders.files.hub import fetch_file, fetch_folder
from radcbir_core.encoders.files.weights import weights_in
from radcbir_core.errors import EncoderError

FAMILY = "transformers"
CONFIGURATION = "config.json"
WITH_TEXT = ("clip", "siglip")
"""Model types with a text tower whose embeddings are comparable with the images'."""
_HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_TOKENIZER = tuple(pattern for pattern in TOKENIZER_PATTERNS if pattern != CONFIGURATION)


def from_hub(repository: str) -> Checkpoint:
    """A hub repository with a transformers ``config.json``, such as ``facebook/dinov2-base``.

    Raises:
        EncoderError: Its configuration needs code of its own.
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    configuration = fetch_file(repository, (CONFIGURATION,))
    model_type = model_type_in(configuration)
    preprocessing = fetch_file(repository, NAMES)
    tokenizer: dict[str, Path | bytes] = {}
    if model_type in WITH_TEXT:
        tokenizer = folder_files(fetch_folder(repository, patterns=_TOKENIZER, markers=TOKENIZER_MARKERS), _TOKENIZER)
    weights = fetch_file(repository, _HUB_WEIGHTS)
    return _checkpoint(configuration, preprocessing, weights, tokenizer)


def from_folder(folder: Path) -> Checkpoint:
    """A folder as transformers saves one: ``config.json``, ``preprocessor_config.json``, weights, tokenizer files.

    Raises:
        EncoderError: One of the first three is missing or not readable; says what to put where.
    """
    model_type = model_type_in(folder / CONFIGURATION)
    preprocessing = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if preprocessing is None:
        raise EncoderError(
            f"Expected {NAMES[0]} in {shown(str(folder))}, but there is none. Put it there, from the model's source."
        )
    tokenizer = folder_files(folder, _TOKENIZER) if model_type in WITH_TEXT else {}
    return _checkpoint(folder / CONFIGURATION, preprocessing, weights_in(folder, first=_HUB_WEIGHTS), tokenizer)


def model_type_in(configuration: Path) -> str:
    """``model_type`` of a transformers ``config.json``.

    Raises:
        EncoderError: It has none, or asks for code of its own to be run.
    """
    written = json_object(configuration)
    model_type = written.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise EncoderError(
            f"Expected model_type, but {configuration} has none. Use the config.json published with the weights."
        )
    if "auto_map" in written:
        raise EncoderError(
            f"Expected a model of transformers' own, but {configuration} asks for code of its own (auto_map). "
            "Use a checkpoint that works without trust_remote_code."
        )
    return model_type


def _checkpoint(
    configuration: Path, preprocessing: Path, weights: Path, tokenizer: dict[str, Path | bytes]
) -> Checkpoint:
    name = f"model{weights.suffix}"
    files = {**tokenizer, CONFIGURATION: configuration, preprocessing.name: preprocessing, name: weights}
    return Checkpoint(family=FAMILY, files=files, weights=name)
