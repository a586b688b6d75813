"""Where an open_clip model comes from: a built-in name with a tag, a hub repository, or a folder.

Owns the finding of configuration, weights and tokenizer in each of the three forms, as a
:class:`~radcbir_core.encoders.files.checkpoint.Checkpoint` with these names: ``open_clip_config.json``, the weights,
``text/config.json`` where the text tower is one of transformers', and the tokenizer's files. It downloads and reads,
but builds no model; :mod:`radcbir_core.encoders.families.open_clip` does.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.files.checkpoint import Checkpoint, folder_files, json_object
from radcbir_core.encoders.files.hub import cached_file, fetch_file, fetch_folder
from radcbir_core.encoders.files.weights import weights_in
from radcbir_core.encoders.torch.support import import_open_clip
from radcbir_core.errors import EncoderError

FAMILY = "open_clip"
CONFIGURATION = "open_clip_config.json"
TEXT_CONFIGURATION = "text/config.json"
_PREPROCESS_KEYS = ("size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color")
_HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TOKENIZER_PATTERNS = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
    "config.json",
)
_BIOMEDBERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
_UNIMED_REPOSITORY = "UzairK/unimed-clip-vit-b16"
UNIMED: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 16},
        "text_cfg": {
            "hf_model_name": _BIOMEDBERT,
            "hf_tokenizer_name": _BIOMEDBERT,
            "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "context_length": 256,
        },
    },
    "preprocess_cfg": {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}
"""UniMed-CLIP's ViT-B/16 as an ``open_clip_config.json``."""
TOKENIZER_MARKERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)


def from_tag(architecture: str, tag: str, *, path: Path | None = None) -> Checkpoint:
    """A built-in architecture with one of its pretrained tags, such as ``ViT-L-14`` and ``openai``.

    Args:
        architecture: As open_clip names it.
        tag: One of the architecture's.
        path: The weights file, or a folder with it, instead of the cache and the hub.

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
    preprocess_cfg = {key: published[key] for key in _PREPROCESS_KEYS if key in published}
    configuration = json.dumps({"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}, indent=2).encode()
    texts = _text_files_from_hub(model_cfg) if path is None else _text_files_in(_folder_of(path), model_cfg)
    weights = fetch_file(repository, names) if path is None else path if path.is_file() else weights_in(path)
    return _checkpoint(configuration, weights, texts)


def unknown_architecture(architecture: str, known: Iterable[str]) -> EncoderError:
    """The error for a built-in architecture that open_clip does not have, with near misses among ``known``."""
    names = {name.lower(): name for name in known}
    near = [names[name] for name in difflib.get_close_matches(architecture.lower(), names, n=3, cutoff=0.5)]
    advice = f"Did you mean {' or '.join(near)}?" if near else "open_clip.list_models() names them all."
    return EncoderError(
        f"Expected an architecture built into open_clip, but architecture = '{shown(architecture)}'. {advice}"
    )


def from_hub(repository: str) -> Checkpoint:
    """A hub repository with ``open_clip_config.json``, such as BiomedCLIP's.

    Raises:
        EncoderError: The configuration is not one of open_clip's.
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    configuration = fetch_file(repository, (CONFIGURATION,))
    model_cfg, _ = read_configuration(configuration)
    # The weights last: what is small fails first.
    texts = _text_files_from_hub(model_cfg)
    return _checkpoint(configuration, fetch_file(repository, _HUB_WEIGHTS), texts)


def _checkpoint(configuration: Path | bytes, weights: Path, texts: Mapping[str, Path | bytes]) -> Checkpoint:
    name = f"open_clip_model{weights.suffix}"
    return Checkpoint(family=FAMILY, files={**texts, CONFIGURATION: configuration, name: weights}, weights=name)


def _text_files_from_hub(model_cfg: Mapping[str, Any]) -> dict[str, Path | bytes]:
    text_cfg = model_cfg["text_cfg"]
    tower, tokenizer = text_cfg.get("hf_model_name"), text_cfg.get("hf_tokenizer_name")
    files: dict[str, Path | bytes] = {TEXT_CONFIGURATION: fetch_file(tower, ("config.json",))} if tower else {}
    if tokenizer:
        folder = fetch_folder(tokenizer, patterns=TOKENIZER_PATTERNS, markers=TOKENIZER_MARKERS)
        files |= folder_files(folder, TOKENIZER_PATTERNS)
    return files


def _text_files_in(folder: Path, model_cfg: Mapping[str, Any]) -> dict[str, Path | bytes]:
    text_cfg = model_cfg["text_cfg"]
    tower, tokenizer = text_cfg.get("hf_model_name"), text_cfg.get("hf_tokenizer_name")
    files: dict[str, Path | bytes] = {}
    if tower:
        files[TEXT_CONFIGURATION] = _local_text_configuration(folder, tower) / "config.json"
    if tokenizer:
        files |= folder_files(_local_tokenizer(folder, tokenizer), TOKENIZER_PATTERNS)
    return files


def tokenizer_files(files: Mapping[str, Path | bytes]) -> list[str]:
    """Which of a checkpoint's files a tokenizer of transformers consists of."""
    return [name for name in files if "/" not in name and any(fnmatch(name, pattern) for pattern in TOKENIZER_PATTERNS)]


def _folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def from_unimed(path: Path | None) -> Checkpoint:
    """UniMed-CLIP's ViT-B/16, which open_clip can load, though it was published without a configuration of open_clip's.

    Its authors' code (mbzuai-oryx/UniMed-CLIP, ``src/open_clip``) builds OpenAI's ViT-B/16 with QuickGELU and
    BiomedCLIP's kind of text tower.

    Args:
        path: The weights file, or a folder with it, instead of the cache and the hub.

    Raises:
        EncoderUnavailableError: A file is neither in the cache nor to be had from the hub.
    """
    model_cfg = UNIMED["model_cfg"]
    texts = _text_files_from_hub(model_cfg) if path is None else _text_files_in(_folder_of(path), model_cfg)
    if path is None:
        weights = fetch_file(_UNIMED_REPOSITORY, ("unimed-clip-vit-b16.pt",))
    else:
        weights = path if path.is_file() else weights_in(path)
    return _checkpoint(json.dumps(UNIMED, indent=2).encode(), weights, texts)


def from_folder(folder: Path) -> Checkpoint:
    """A folder with ``open_clip_config.json``, weights and, where the text tower is one of transformers', its files.

    Such a text tower's ``config.json`` is looked for in the folder's ``text`` subfolder, in the folder itself, and in
    the local hub cache; its tokenizer in the folder and in the cache. The network is never asked.

    Raises:
        EncoderError: The folder or one of these is missing or not readable; says what to put where.
    """
    if not folder.is_dir():
        raise EncoderError(f"Expected a folder, but {shown(str(folder))} is none. Check the path.")
    if not (folder / CONFIGURATION).is_file():
        raise EncoderError(
            f"Expected {CONFIGURATION} in {shown(str(folder))}, but there is none. "
            "Name the folder of an open_clip checkpoint, or put its configuration there."
        )
    model_cfg, _ = read_configuration(folder / CONFIGURATION)
    weights = weights_in(folder)
    return _checkpoint(folder / CONFIGURATION, weights, _text_files_in(folder, model_cfg))


def _local_text_configuration(folder: Path, tower: str) -> Path:
    import_open_clip()  # which makes torchvision importable first
    from open_clip.hf_configs import arch_dict

    cached = cached_file(tower, "config.json")
    for place in (folder / "text", folder, *([cached.parent] if cached else [])):
        path = place / "config.json"
        if path.is_file() and json_object(path).get("model_type") in arch_dict:
            return place
    raise EncoderError(
        f"Expected the config.json of the text tower {tower} in {folder}, but there is none. "
        f"Put it there, from https://huggingface.co/{tower}."
    )


def _local_tokenizer(folder: Path, tokenizer: str) -> Path:
    if any((folder / marker).is_file() for marker in TOKENIZER_MARKERS):
        return folder
    for marker in TOKENIZER_MARKERS:
        cached = cached_file(tokenizer, marker)
        if cached is not None:
            return cached.parent
    raise EncoderError(
        f"Expected the tokenizer of {tokenizer} in {folder}, but there is none. "
        f"Put its tokenizer.json and tokenizer_config.json there, from https://huggingface.co/{tokenizer}."
    )


def read_configuration(content: Path | bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model and preprocessing parts of an ``open_clip_config.json``, given by its path or content.

    Raises:
        EncoderError: It is not readable, or lacks a part.
    """
    configuration = json_object(content, name=CONFIGURATION)
    model_cfg = configuration.get("model_cfg")
    preprocess_cfg = configuration.get("preprocess_cfg") or {}
    whole = (
        isinstance(model_cfg, dict)
        and all(isinstance(part, dict) for part in (model_cfg.get("vision_cfg"), model_cfg.get("text_cfg")))
        and isinstance(model_cfg.get("embed_dim"), int)
    )
    if not isinstance(model_cfg, dict) or not isinstance(preprocess_cfg, dict) or not whole:
        raise EncoderError(
            f"Expected model_cfg with embed_dim, vision_cfg and text_cfg, but "
            f"{content if isinstance(content, Path) else CONFIGURATION} lacks one of them. "
            "Use the open_clip_config.json that was published with the weights."
        )
    return model_cfg, preprocess_cfg
