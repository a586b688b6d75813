"""A folder on this disk that holds an encoder: which family's it is.

Owns the recognition of a folder by its content, and the reading of what a self-contained folder's ``kit.json`` says
about the encoder in it. The files' integrity is :mod:`~radcbir_core.encoders.kits.kit_json`'s business.
"""

from __future__ import annotations

from pathlib import Path

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.families import open_clip_sources, timm, transformers_sources
from radcbir_core.encoders.files.checkpoint import Checkpoint, json_object
from radcbir_core.encoders.kits.kit_json import RESTORE, Kit, check_kit, read_kit
from radcbir_core.errors import EncoderError


def find_in_folder(folder: Path, *, restore: str = RESTORE) -> Checkpoint:
    """The checkpoint in a folder: what its ``kit.json`` says, else what its configuration files are.

    Args:
        folder: Any folder of a checkpoint; the network is never asked.
        restore: How the folder is made whole again where its files are not those of its ``kit.json``.

    Raises:
        EncoderError: It is no folder, its files are not whole, or they are no checkpoint's.
    """
    if not folder.is_dir():
        raise EncoderError(f"Expected a folder, but local-dir = {shown(str(folder))} is none. Check the path.")
    kit = check_kit(folder, restore=restore)
    return kit.checkpoint if kit is not None and kit.whole else _recognized(folder)


def _recognized(folder: Path) -> Checkpoint:
    if (folder / open_clip_sources.CONFIGURATION).is_file():
        return open_clip_sources.from_folder(folder)
    path = folder / transformers_sources.CONFIGURATION
    if path.is_file():
        written = json_object(path)
        if "architecture" in written and "pretrained_cfg" in written:
            return timm.from_folder(folder)
        if "model_type" in written:
            return transformers_sources.from_folder(folder)
        raise EncoderError(
            f"Expected model_type, or architecture and pretrained_cfg, but {path} has neither. "
            "Use the config.json that was published with the weights."
        )
    names = sorted(path.name for path in folder.iterdir())
    raise EncoderError(
        f"Expected {open_clip_sources.CONFIGURATION}, or the config.json of transformers or timm, in "
        f"{shown(str(folder))}, but it holds {shown(', '.join(names)) or 'nothing'}. "
        "Name the folder of a checkpoint, or put its configuration there."
    )


def named_by_kit(folder: Path) -> tuple[str, str] | None:
    """The encoder_id and title that a self-contained folder's ``kit.json`` gives, or None where there is no such."""
    try:
        kit = read_kit(folder)
    except EncoderError:
        return None  # said when the folder is loaded
    return (kit.encoder_id, kit.title) if kit is not None and kit.whole else None


def probed_kit(folder: Path) -> Kit | None:
    """What the ``kit.json`` of a folder says if it has a probe, else None.

    Raises:
        EncoderError: It cannot be read.
    """
    kit = read_kit(folder)
    return kit if kit is not None and kit.probe is not None else None
