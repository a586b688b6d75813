"""Where an open_clip model comes from: a built-in name with a tag, a hub repository, or a folder.

Owns the finding of configuration, weights and tokenizer in each of the three forms. It downloads and reads, but builds
no model; :mod:`radcbir_core.encoders.open_clip_family` does.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.checkpoints import weights_in
from radcbir_core.encoders.hub import cached_file, fetch_file, fetch_folder
from radcbir_core.encoders.kit import RESTORE, check_kit
from radcbir_core.encoders.torch_support import import_open_clip
from radcbir_core.errors import EncoderError

CONFIGURATION = "open_clip_config.json"
_HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TOKENIZER_PATTERNS = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
    "config.json",
)
_TOKENIZER_MARKERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """All that a model is made from, on this machine's disk.

    Attributes:
        model_cfg: open_clip's model configuration, as published.
        preprocess_cfg: What is published about the preprocessing; may lack any key.
        weights: The weights file.
        text_configuration: Folder with the ``config.json`` of a transformers text tower; None for open_clip's own.
        tokenizer: Folder with a transformers tokenizer; None for open_clip's own.
    """

    model_cfg: dict[str, Any]
    weights: Path
    preprocess_cfg: dict[str, Any] = field(default_factory=dict)
    text_configuration: Path | None = None
    tokenizer: Path | None = None


def from_tag(architecture: str, tag: str) -> Source:
    """A built-in architecture with one of its pretrained tags, such as ``ViT-L-14`` and ``openai``.

    Raises:
        EncoderError: No such architecture, or no such tag of it; names near misses.
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    open_clip = import_open_clip()
    model_cfg = open_clip.get_model_config(architecture)
    if model_cfg is None:
        raise unknown_architecture(architecture, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag not in tags:
        near = difflib.get_close_matches(tag, tags, n=3, cutoff=0.3) or tags[:3]
        advice = f"Did you mean {' or '.join(near)}?" if near else "It has none: choose another architecture."
        raise EncoderError(f"Expected a pretrained tag of {architecture}, but tag = '{shown(tag)}'. {advice}")
    published = open_clip.get_pretrained_cfg(architecture, tag)
    # open_clip only warns where a tag was trained with QuickGELU and the architecture's file does not say so, and
    # then computes something else. What the weights were trained with is what counts.
    if published.get("quick_gelu"):
        model_cfg["quick_gelu"] = True
    repository, _, filename = published["hf_hub"].rpartition("/")
    names = (f"{Path(filename).stem}.safetensors", filename) if filename else _HUB_WEIGHTS
    text_configuration, tokenizer = _text_files_from_hub(model_cfg)
    return Source(
        model_cfg=model_cfg,
        preprocess_cfg=dict(published),
        weights=fetch_file(repository, names),
        text_configuration=text_configuration,
        tokenizer=tokenizer,
    )


def unknown_architecture(architecture: str, known: Iterable[str]) -> EncoderError:
    """The error for a built-in architecture that open_clip does not have, with near misses among ``known``."""
    names = {name.lower(): name for name in known}
    near = [names[name] for name in difflib.get_close_matches(architecture.lower(), names, n=3, cutoff=0.5)]
    advice = f"Did you mean {' or '.join(near)}?" if near else "open_clip.list_models() names them all."
    return EncoderError(
        f"Expected an architecture built into open_clip, but architecture = '{shown(architecture)}'. {advice}"
    )


def from_hub(repository: str) -> Source:
    """A hub repository with ``open_clip_config.json``, such as BiomedCLIP's.

    Raises:
        EncoderError: The configuration is not one of open_clip's.
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    model_cfg, preprocess_cfg = _read_configuration(fetch_file(repository, (CONFIGURATION,)))
    # The weights last: what is small fails first.
    text_configuration, tokenizer = _text_files_from_hub(model_cfg)
    return Source(
        model_cfg=model_cfg,
        preprocess_cfg=preprocess_cfg,
        weights=fetch_file(repository, _HUB_WEIGHTS),
        text_configuration=text_configuration,
        tokenizer=tokenizer,
    )


def _text_files_from_hub(model_cfg: Mapping[str, Any]) -> tuple[Path | None, Path | None]:
    text_cfg = model_cfg["text_cfg"]
    tower, tokenizer = text_cfg.get("hf_model_name"), text_cfg.get("hf_tokenizer_name")
    return (
        fetch_file(tower, ("config.json",)).parent if tower else None,
        fetch_folder(tokenizer, patterns=_TOKENIZER_PATTERNS, markers=_TOKENIZER_MARKERS) if tokenizer else None,
    )


def from_folder(folder: Path, *, restore: str = RESTORE) -> Source:
    """A folder with ``open_clip_config.json``, weights and, where the text tower is one of transformers', its files.

    Such a text tower's ``config.json`` is looked for in the folder's ``text`` subfolder, in the folder itself, and in
    the local hub cache; its tokenizer in the folder and in the cache. The network is never asked. Files that the
    folder's ``kit.json`` lists are verified.

    Args:
        folder: Of a checkpoint.
        restore: How the folder is made whole again where its files are not those of its ``kit.json``.

    Raises:
        EncoderError: The folder or one of these is missing or not readable; says what to put where.
    """
    if not folder.is_dir():
        raise EncoderError(f"Expected a folder, but local-dir = {shown(str(folder))} is none. Check the path.")
    check_kit(folder, restore=restore)
    if not (folder / CONFIGURATION).is_file():
        raise EncoderError(
            f"Expected {CONFIGURATION} in {shown(str(folder))}, but there is none. "
            "Name the folder of an open_clip checkpoint, or put its configuration there."
        )
    model_cfg, preprocess_cfg = _read_configuration(folder / CONFIGURATION)
    text_cfg = model_cfg["text_cfg"]
    tower, tokenizer = text_cfg.get("hf_model_name"), text_cfg.get("hf_tokenizer_name")
    return Source(
        model_cfg=model_cfg,
        preprocess_cfg=preprocess_cfg,
        weights=weights_in(folder),
        text_configuration=_local_text_configuration(folder, tower) if tower else None,
        tokenizer=_local_tokenizer(folder, tokenizer) if tokenizer else None,
    )


def _local_text_configuration(folder: Path, tower: str) -> Path:
    from open_clip.hf_configs import arch_dict

    cached = cached_file(tower, "config.json")
    for place in (folder / "text", folder, *([cached.parent] if cached else [])):
        path = place / "config.json"
        if path.is_file() and _read_object(path).get("model_type") in arch_dict:
            return place
    raise EncoderError(
        f"Expected the config.json of the text tower {tower} in {folder}, but there is none. "
        f"Put it there, from https://huggingface.co/{tower}."
    )


def _local_tokenizer(folder: Path, tokenizer: str) -> Path:
    if any((folder / marker).is_file() for marker in _TOKENIZER_MARKERS):
        return folder
    for marker in _TOKENIZER_MARKERS:
        cached = cached_file(tokenizer, marker)
        if cached is not None:
            return cached.parent
    raise EncoderError(
        f"Expected the tokenizer of {tokenizer} in {folder}, but there is none. "
        f"Put its tokenizer.json and tokenizer_config.json there, from https://huggingface.co/{tokenizer}."
    )


def _read_configuration(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model and preprocessing parts of an ``open_clip_config.json``."""
    configuration = _read_object(path)
    model_cfg = configuration.get("model_cfg")
    preprocess_cfg = configuration.get("preprocess_cfg") or {}
    whole = (
        isinstance(model_cfg, dict)
        and all(isinstance(part, dict) for part in (model_cfg.get("vision_cfg"), model_cfg.get("text_cfg")))
        and isinstance(model_cfg.get("embed_dim"), int)
    )
    if not isinstance(model_cfg, dict) or not isinstance(preprocess_cfg, dict) or not whole:
        raise EncoderError(
            f"Expected model_cfg with embed_dim, vision_cfg and text_cfg, but {path} lacks one of them. "
            "Use the open_clip_config.json that was published with the weights."
        )
    return model_cfg, preprocess_cfg


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not valid JSON"
        raise EncoderError(f"Expected a readable JSON file, but {path} {reason}. Fetch or copy it again.") from error
    if not isinstance(value, dict):
        raise EncoderError(f"Expected a JSON object, but {path} holds a {type(value).__name__}. Fetch it again.")
    return value
