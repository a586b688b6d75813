"""Which images are marked as having text in their pixels, wherever they appear.

Owns the mark and its words. In which images text is, is the core's (collections/text_boxes.py).
"""

from __future__ import annotations

from pages.parts.frame import loaders
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.text_boxes import UNSEEN, WORDS, BurnedText, TextBoxes
from radcbir_core.errors import RadcbirError


def burned_here(collection: Collection) -> BurnedText:
    """What is known of text in a collection's images; nothing where that cannot be read, which Collections says."""
    try:
        return loaders.burned_text(collection)
    except RadcbirError:
        nothing = TextBoxes.none(len(collection))
        return BurnedText(nothing, nothing.states > UNSEEN)


def on_card(burned: BurnedText, row: int) -> list[dict[str, str]]:
    """The mark of an image's card, as review_marks.py has them; none where no text is known."""
    if not burned.is_flagged(row):
        return []
    return [{"kind": "text", "text": "▤ text", "title": f"Text seems burned in: {burned.said_of(row)}"}]


def said_of(burned: BurnedText, row: int) -> str:
    """The same as a sentence without its end; "" likewise."""
    return f"▤ Text seems burned in: {burned.said_of(row)}" if burned.is_flagged(row) else ""


def facts_of(burned: BurnedText, row: int) -> list[tuple[str, str]]:
    """What is known, as a name and a value for a table of facts; nothing of an image that nobody has looked at."""
    state = int(burned.found.states[row])
    if burned.is_flagged(row):
        return [("text in pixels", f"seems burned in: {burned.said_of(row)}")]
    if state == UNSEEN:
        return []
    return [("text in pixels", WORDS[state])]
