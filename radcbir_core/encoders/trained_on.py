"""What an encoder was trained on, as far as anybody says: its kit, or, for the baseline, its nature.

Owns the way from what a collection records of an encoder to the list that the encoder's kit carries
(:mod:`radcbir_core.encoders.kits.training_list`). Loads no encoder and asks no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from radcbir_core.encoders.entries import MINI
from radcbir_core.encoders.kits.kit_json import KIT, read_kit
from radcbir_core.encoders.kits.training_list import ON_NOTHING, UNKNOWN, Training
from radcbir_core.encoders.registry import ROOT, local_folder_of
from radcbir_core.errors import EncoderError
from radcbir_core.storage import identity_of


def training_of(spec: str, weights_digest: str) -> Training:
    """What the encoder of some embeddings was trained on.

    The kit in the folder that the spec names says it, or the committed encoder's, if the weights are the same: a list
    is of weights, and whoever puts others in their place has not been trained on what it lists.

    Args:
        spec: What loads the encoder, as ``encoder.json`` records it; ``imported:…`` for embeddings of elsewhere.
        weights_digest: Likewise, SHA-256 over the loaded weights; empty where there are none.

    Returns:
        What is known. Where the encoder's own list cannot be used, ``fault`` says why; what is known is then what the
        committed encoder's list says, if the weights are the same, and nothing otherwise.

    Example:
        >>> training_of("pixels", "").state, training_of("imported:mine", "").state
        ('nothing', 'unknown')
    """
    if spec == "pixels":
        return ON_NOTHING
    fault = ""
    for folder in _folders(spec) if weights_digest else ():
        try:
            kit = read_kit(folder)
            if kit is None or kit.record.get("weights_digest") != weights_digest or kit.training_list is None:
                continue
            listed = kit.folder / kit.training_list
            there = [identity_of(path) for path in (folder / KIT, listed) if path.is_file()]
            return _read(folder, tuple(there), fault)
        except (EncoderError, OSError) as error:
            fault = fault or str(error)
    return replace(UNKNOWN, fault=fault)


def _folders(spec: str) -> Iterator[Path]:
    named = local_folder_of(spec)
    if named is not None:
        yield named
    yield ROOT / MINI


@lru_cache(maxsize=8)
def _read(folder: Path, identity: tuple[object, ...], fault: str) -> Training:  # noqa: ARG001 - a changed file is another
    kit = read_kit(folder)
    return replace(UNKNOWN if kit is None else kit.training(), fault=fault)
