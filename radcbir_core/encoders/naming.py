"""What follows the prefix of an encoder spec: its folder-safe name and its name for people.

Owns the reading of each prefix's own names. It loads and fetches nothing.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from radcbir_core.encoders.base import folder_safe, shown
from radcbir_core.encoders.families import open_clip_sources
from radcbir_core.encoders.files.hub import is_repository
from radcbir_core.errors import EncoderError


def identify_repository(name: str) -> tuple[str, str]:
    """An open_clip repository on the hub: its encoder_id and title.

    Raises:
        EncoderError: It cannot be a repository's name.
    """
    if "/" not in name or not is_repository(name):
        raise EncoderError(
            f"Expected hf-hub:organization/name, but encoder = hf-hub:{shown(name)}. Copy the name from the hub."
        )
    # No organization and no repository may contain two hyphens, so that two repositories cannot share an id.
    return folder_safe(name.replace("/", "--")), name


def identify_model(name: str) -> tuple[str, str]:
    """A repository of transformers on the hub: its encoder_id and title.

    Raises:
        EncoderError: It cannot be a repository's name.
    """
    if "/" not in name or not is_repository(name):
        raise EncoderError(
            f"Expected hf:organization/name, but encoder = hf:{shown(name)}. Copy the name from the hub."
        )
    # Another id than hf-hub: gives the same repository, which may hold a model of open_clip's as well.
    return folder_safe(f"hf--{name.replace('/', '--')}"), name


def identify_timm(name: str) -> tuple[str, str]:
    """A repository of timm's on the hub: its encoder_id and title.

    Raises:
        EncoderError: It cannot be a repository's name.
    """
    if not is_repository(name):
        raise EncoderError(
            f"Expected timm:name or timm:organization/name, but encoder = timm:{shown(name)}. "
            "Write, for example, timm:vit_base_patch16_224.augreg_in21k."
        )
    return folder_safe(f"timm-{name.replace('/', '--')}"), f"{name} (timm)"


def timm_repository(name: str) -> str:
    """The repository of what follows ``timm:``; one without an organization is timm's own.

    Example:
        >>> timm_repository("vit_base_patch16_224.augreg_in21k")
        'timm/vit_base_patch16_224.augreg_in21k'
    """
    return name if "/" in name else f"timm/{name}"


def identify_builtin(name: str) -> tuple[str, str]:
    """An architecture built into open_clip with its tag: its encoder_id and title.

    Raises:
        EncoderError: There is no such architecture, or no tag.
    """
    architecture, tag = architecture_and_tag(name)
    if not re.fullmatch(r"[\w.-]+", tag, flags=re.ASCII):
        raise EncoderError(
            f"Expected open_clip:architecture:tag, but encoder = open_clip:{shown(name)}. "
            "Add a pretrained tag, such as open_clip:ViT-B-32:laion2b_s34b_b79k."
        )
    known = builtin_architectures()
    if architecture not in known:
        raise open_clip_sources.unknown_architecture(architecture, known)
    return folder_safe(f"{architecture}-{tag}"), f"{architecture} ({tag})"


def architecture_and_tag(name: str) -> tuple[str, str]:
    """What follows ``open_clip:`` taken apart.

    Example:
        >>> architecture_and_tag("ViT-L/14:openai")
        ('ViT-L-14', 'openai')
    """
    architecture, _, tag = name.partition(":")
    # As open_clip reads it: OpenAI wrote ViT-L/14 for what is ViT-L-14.
    return architecture.replace("/", "-"), tag


def builtin_architectures() -> list[str]:
    """The names of open_clip's architectures: its files', as importing it takes seconds, or its own once imported."""
    loaded: Any = sys.modules.get("open_clip")
    if loaded is not None:
        return list(loaded.list_models())
    specification = importlib.util.find_spec("open_clip")
    if specification is None or not specification.submodule_search_locations:
        raise EncoderError("Expected open_clip to be installed, but it is not. Run pip install -r requirements.txt.")
    folder = Path(specification.submodule_search_locations[0]) / "model_configs"
    return sorted(path.stem for path in folder.glob("*.json"))
