"""Presentation: the open collection and encoder as a story in six slides, for a room and a projector."""

from __future__ import annotations

from pages.parts.frame import shell
from pages.parts.presentation import story


def page() -> None:
    """Draw the page."""
    story.show(shell.begin("Presentation", "embeddings", "neighbors"))


page()
