"""A folder on this disk that holds an encoder: which family's it is.

Owns the recognition of a folder by its content, and the reading of what a self-contained folder's ``kit.json`` says
about the encoder in it. The files' integrity is :mod:`~radcbir_core.encoders.kit`'s business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radcbir_core.encoders import open_clip_sources
from radcbir_core.encoders.base import folder_safe, shown
from radcbir_core.encoders.checkpoint import Checkpoint, json_object
from radcbir_core.encoders.checkpoints import weights_in
from radcbir_core.encoders.kit import KIT, RESTORE, check_kit
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
    check_kit(folder, restore=restore)
    kit = _kit_of(folder)
    if kit is not None:
        return _from_kit(folder, kit, restore=restore)
    return open_clip_sources.from_folder(folder)


def named_by_kit(folder: Path) -> tuple[str, str] | None:
    """The encoder_id and title that a self-contained folder's ``kit.json`` gives, or None where there is no such."""
    try:
        kit = _kit_of(folder)
    except EncoderError:
        return None  # said when the folder is loaded
    encoder_id = kit.get("encoder_id") if kit else None
    if not isinstance(encoder_id, str) or not encoder_id:
        return None
    title = kit.get("title") if kit else None
    return folder_safe(encoder_id), shown(title) if isinstance(title, str) and title else shown(encoder_id)


def _kit_of(folder: Path) -> dict[str, Any] | None:
    """``kit.json`` of a folder if it is one that says how the files are used."""
    if not (folder / KIT).is_file():
        return None
    kit = json_object(folder / KIT)
    return kit if "family" in kit and "recipe" in kit else None


def _from_kit(folder: Path, kit: dict[str, Any], *, restore: str) -> Checkpoint:
    family, recipe = kit["family"], kit["recipe"]
    if not isinstance(family, str) or not isinstance(recipe, dict):
        raise EncoderError(
            f"Expected family and recipe, but {folder / KIT} has others than a name and a table. {restore}"
        )
    # check_kit has made sure that all of these are there and lie in the folder.
    files: dict[str, Path | bytes] = {name: folder / name for name in kit["files"]}
    weights = kit.get("weights")
    if not isinstance(weights, str) or weights not in files:
        weights = weights_in(folder).name
    return Checkpoint(family=family, files=files, weights=weights, recipe=recipe)
