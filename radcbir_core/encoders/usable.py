"""Which encoders can be used on this machine as it is, with no network.

Owns the question and nothing of the answers: whether files are there is asked of the registry, with the hub left alone.
No weights are read; one whose files are damaged shows that when it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radcbir_core.encoders import registry
from radcbir_core.encoders.files.hub import asking_nobody
from radcbir_core.encoders.kits.kit_json import KIT, read_kit
from radcbir_core.errors import EncoderError


@dataclass(frozen=True, slots=True)
class Usable:
    """An encoder that can be used here.

    Attributes:
        spec: What loads it.
        title: A name for people.
        supports_text: Whether it has a text tower; False where that is not known before it is loaded.
        note: What to know when choosing it.
    """

    spec: str
    title: str
    supports_text: bool
    note: str = ""


def find_usable_encoders(places: Sequence[Path] = ()) -> list[Usable]:
    """The encoders whose files are on this machine, those with a name of their own first.

    Args:
        places: Folders whose sub-folders may be kits (:mod:`~radcbir_core.encoders.kits.kit_json`), besides
            ``data/encoders`` of the repository.

    Example:
        >>> [encoder.spec for encoder in find_usable_encoders()][0]
        'pixels'
    """
    usable = []
    named = set()
    for entry in registry.known_encoders():
        if entry.family == "pixels" or _is_here(entry.encoder_id):
            usable.append(Usable(entry.encoder_id, entry.title, entry.supports_text, entry.note))
        if entry.spec.startswith("local-dir:"):
            named.add(registry.ROOT / entry.spec.removeprefix("local-dir:"))
    for place in dict.fromkeys((registry.ROOT / "data" / "encoders", *places)):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder in named or not (folder / KIT).is_file():
                continue
            try:
                kit = read_kit(folder)
            except EncoderError:
                continue  # the doctor says what is wrong with it
            if kit is not None:
                texts = bool(kit.probe and kit.probe.get("texts"))
                title = kit.title if kit.whole else folder.name
                usable.append(Usable(f"local-dir:{folder}", title, texts, f"A kit in {place}."))
    return usable


def _is_here(encoder_id: str) -> bool:
    try:
        with asking_nobody():
            registry.find_checkpoint(encoder_id)
    except EncoderError:
        return False
    return True
