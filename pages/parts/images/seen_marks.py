"""Which images are marked as seen in training, wherever they appear: by the encoder that is open, or the second one.

Owns the marks and their words. What an encoder has seen is the core's (evaluation/seen.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from pages.parts.frame import loaders, state
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.seen import Seen


def seen_here(collection: Collection) -> Mapping[str, Seen]:
    """What each encoder that this page shows has seen of a collection; empty where none of them is built for it.

    Args:
        collection: Where the images are.
    """
    built, shown = collection.encoder_ids(), {}
    for name in dict.fromkeys((state.get("encoder"), state.get("versus"))):
        if name in built:
            try:
                shown[str(name)] = loaders.seen(collection, str(name))
            except RadcbirError:
                continue  # its record is damaged, which the page says where it opens it
    return shown


def said_of(seen: Mapping[str, Seen], row: int) -> str:
    """Who has seen an image in training; "" where it is not known that anybody has.

    Args:
        seen: As :func:`seen_here` gives it.
        row: Of the image.
    """
    said = []
    for of_whom, what in (("files", "this image"), ("near", "a near-duplicate of this image")):
        names = [name for name, mine in seen.items() if getattr(mine, of_whom)[row]]
        if names:
            said.append(f"{' and '.join(names)} {'have' if len(names) > 1 else 'has'} seen {what} in training")
    return "; ".join(said)


def sign_of(seen: Mapping[str, Seen], row: int) -> str:
    """The few words of :func:`said_of` that fit onto a thumbnail; "" likewise.

    Args:
        seen: As :func:`seen_here` gives it.
        row: Of the image.
    """
    if any(mine.files[row] for mine in seen.values()):
        return "◉ seen"
    return "◎ near-duplicate seen" if any(mine.near[row] for mine in seen.values()) else ""


def facts_of(seen: Mapping[str, Seen], row: int) -> list[tuple[str, str]]:
    """What is known of an image and each encoder's training, as names and values for a table of facts.

    Args:
        seen: As :func:`seen_here` gives it.
        row: Of the image.
    """
    words = {"nothing": "", "unknown": "not known of {}"}
    said = [words.get(mine.state, _listed(mine, row)).format(name) for name, mine in seen.items()]
    return [("in training", ", ".join(text for text in said if text))]


def _listed(mine: Seen, row: int) -> str:
    """What a list says of an image, with a place for the encoder's name."""
    if mine.near[row]:
        return "a near-duplicate seen by {}"
    return "seen by {}" if mine.rows[row] else "not seen by {}"
