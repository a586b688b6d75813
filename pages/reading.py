"""Reading: one case of a reader study after the other, with nothing around that would give an answer away."""

from __future__ import annotations

from pages.parts.frame import shell
from pages.parts.reading import reading_room


def page() -> None:
    """Draw the page; it stands alone, and other pages have no link to it but the one that a reader is given."""
    shell.begin_alone("Reading")
    reading_room.show()


page()
