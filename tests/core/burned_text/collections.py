"""A small collection of pictures, some of which have a line of text."""

from __future__ import annotations

from pathlib import Path

from radcbir_core.collections.collection import Collection
from radcbir_core.importers.importing import import_collection
from tests.core.burned_text.stand_in import written

TEXTS = (1, 4)
"""The rows whose pictures have text."""


def with_texts(folder: Path, *, number: int = 6, name: str = "c") -> Collection:
    """Import as many pictures, of which :data:`TEXTS` have a line of text."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(number):
        written(text=row in TEXTS, seed=row).save(folder / f"{row}.png")
    return import_collection([folder], name=name).collection
