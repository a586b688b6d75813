"""What a sentence must be to be searched with, and how much of it an encoder reads.

Owns the cleaning of a text and what is said of it; making a vector of it is the encoder's.
"""

from __future__ import annotations

import unicodedata

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders import Encoder
from radcbir_core.errors import EncoderError, QueryError, Remedy

LONGEST_TEXT = 100_000
"""Characters of the longest text that is looked at; every encoder reads far less."""


def text_encoders(collection: Collection) -> list[str]:
    """The encoders that a collection was built with and that have a text tower, sorted."""
    return [name for name in collection.encoder_ids() if collection.store(name).record.get("supports_text") is True]


def check_text_tower(store: EncoderStore) -> None:
    """Make sure that the encoder of ``store`` can read text; loads nothing.

    Raises:
        EncoderError: It has no text tower; says which encoder to use instead.
    """
    if store.record.get("supports_text") is True:
        return
    able = text_encoders(store.collection)
    advice = (
        f"Choose {' or '.join(able)}."
        if able
        else f"Build {store.collection.name} with one that has, such as radcbir-mini."
    )
    raise EncoderError(
        f"Expected an encoder with a text tower, but encoder = {store.encoder_id} has none: it compares images only. "
        f"{advice}",
        remedy=None if able else Remedy("build", store.collection.name, {"encoder": "radcbir-mini"}),
    )


def cleaned_text(text: str) -> str:
    r"""``text`` with single spaces between its words.

    Raises:
        QueryError: It has no letter or digit, is longer than :data:`LONGEST_TEXT`, or is not Unicode.

    Example:
        >>> cleaned_text("  CT of\n the head ")
        'CT of the head'
    """
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise QueryError("Expected text in Unicode, but some of its bytes are not. Type it again.")
    sentence = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
    if len(sentence) > LONGEST_TEXT:
        raise QueryError(
            f"Expected a text of at most {LONGEST_TEXT:,} characters, but it has {len(sentence):,}. "
            "Write one sentence that says what the images should show."
        )
    if not any(character.isalnum() for character in sentence):
        raise QueryError(
            f"Expected a text with at least one word, but text = {sentence[:40]!r}. "
            "Write what the images should show, such as: CT of the head with hemorrhage"
        )
    return sentence


def part_read(encoder: Encoder, sentence: str) -> str:
    """The longest beginning of ``sentence`` that the encoder does not cut: whole words, else characters."""
    if not encoder.truncated([sentence])[0]:
        return sentence
    words = sentence.split()
    for parts, between in ((words, " "), (list(words[0]), "")):
        low, high = 0, 1  # low parts fit; doubled, so that a long text is not read as a whole again and again
        while high < len(parts) and not encoder.truncated([between.join(parts[:high])])[0]:
            low, high = high, 2 * high
        high = min(high, len(parts))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if encoder.truncated([between.join(parts[:middle])])[0] else (middle, high)
        if low:
            return between.join(parts[:low])
    return words[0][:1]


def notes_on(encoder: Encoder, sentence: str, read: str) -> tuple[str, ...]:
    """What to know about how a sentence is read, a sentence each; mostly nothing.

    Args:
        encoder: What reads it.
        sentence: As :func:`cleaned_text` gives it.
        read: As :func:`part_read` gives it.
    """
    notes = []
    if read != sentence:
        words, all_words = len(read.split()), len(sentence.split())
        notes.append(
            f"Only the beginning of the text counts, {words:,} of {all_words:,} words ({len(read):,} of "
            f"{len(sentence):,} characters), up to “…{read[-40:]}”: {encoder.encoder_id} reads no more."
        )
    letters = [character for character in read if character.isalpha()]
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    if 2 * latin < len(letters):
        notes.append(
            "Most of its letters are not Latin. Encoders that learned from English sentences, as most did, make "
            "nothing of other scripts: the hits may be arbitrary."
        )
    return tuple(notes)
