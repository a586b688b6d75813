"""Encoders that have seen some images in training, as a test wants it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from radcbir_core.collections.collection import Collection
from radcbir_core.encoders.kits.training_list import DIGITS, ON_NOTHING, Training


def plant_training(
    monkeypatch: pytest.MonkeyPatch, collection: Collection, rows: Iterable[int], *, spec: str = "pixels"
) -> None:
    """Let the encoder of one spec have been trained on some images, and every other on nothing.

    Args:
        monkeypatch: Which undoes it.
        collection: Of the images.
        rows: Which of them.
        spec: As the encoder's record has it.
    """
    digests = collection.manifest.column("sha256")
    listed = Training.listing(str(digests[row])[:DIGITS] for row in rows)
    monkeypatch.setattr(
        "radcbir_core.evaluation.seen.training_of", lambda asked, _digest: listed if asked == spec else ON_NOTHING
    )
