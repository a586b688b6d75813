"""The options by which a sentence is asked in the terminal, and what is said of it there.

Owns these words and nothing of the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from rich.text import Text

from radcbir_core.cli.application import complaints
from radcbir_core.errors import QueryError

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection
    from radcbir_core.search.language.sentence_query import SentenceQuery
    from radcbir_core.search.language.sentence_reading import SentenceReading
    from radcbir_core.search.queries.query import EmbeddedQuery, Means


def check_options(text: str | None, *, read: Sequence[str], several: bool) -> None:
    """Make sure that options of a sentence stand beside one.

    Raises:
        QueryError: They do not.
    """
    if text is None and (read or several):
        name = "--read" if read else "--several-phrasings"
        raise QueryError(f"Expected --text with {name}, but there is no sentence. Give --text, or leave {name} out.")


def sentence_query(text: str, collection: Collection, *, read: Sequence[str], several: bool) -> SentenceQuery:
    """The query that a sentence is; how it was read is told as notes.

    Args:
        text: The sentence.
        collection: Where it is asked.
        read: What is read as what, ``WRITTEN=AS`` each.
        several: Whether it is asked in several phrasings.

    Raises:
        QueryError: It is no sentence, or ``read`` cannot be understood.
    """
    from radcbir_core.search.language.lexicon import Lexicon
    from radcbir_core.search.language.sentence_query import SentenceQuery
    from radcbir_core.search.language.sentence_reading import read_sentence
    from radcbir_core.search.queries.text import cleaned_text

    choices = dict(_choice(one) for one in read)
    reading = read_sentence(cleaned_text(text), Lexicon.of(collection), choices=choices)
    for line in _said_of(reading):
        complaints.print(Text(f"Note: {line}"))
    return SentenceQuery(reading, several)


def notes_on_answer(asked: EmbeddedQuery, means: Means) -> Iterator[str]:
    """What to know of the hits of a sentence, beside what their answer says itself; nothing of other queries."""
    from radcbir_core.search.language.nonsense import standing_of
    from radcbir_core.search.language.phrasing_spread import phrasing_spread
    from radcbir_core.search.language.sentence_query import EmbeddedSentence

    if not isinstance(asked, EmbeddedSentence):
        return
    if note := asked.denial_note(means)[0]:
        yield note
    if spread := phrasing_spread(asked, means):
        yield spread.said
    standing = standing_of(asked, means)
    if standing.is_no_better:
        yield f"No better than nonsense. {standing.said}"


def _choice(written: str) -> tuple[str, str]:
    """What is written, and what it is to be read as."""
    name, sign, means = written.partition("=")
    if not sign or not name.strip():
        raise QueryError(
            f"Expected --read as WRITTEN=AS, but --read = {written[:80]!r}. Write PE='pleural effusion', or PE= for "
            "word for word."
        )
    return name.strip(), means.strip()


def _said_of(reading: SentenceReading) -> Iterator[str]:
    """How a sentence was read, and what was not understood, a line each."""
    from radcbir_core.search.language.sentence_reading import WHY

    if reading.read_as:
        yield f"Read as: {reading.read_as}"
    for change in reading.changes:
        if change.why != "chosen":
            option = f"--read {quote(f'{change.written}=')}"
            yield f"{change.written} is {change.means} ({WHY[change.why]}); {option} leaves it."
    for doubt in reading.doubts:
        meant = " or ".join(doubt.suggestions)
        if doubt.several:
            yield f"{doubt.written} may mean {meant}: it was not replaced. Choose by --read '{doubt.written}=…'."
        elif meant:
            yield f"{doubt.written} is not known. Was {meant} meant?"
        else:
            yield f"{doubt.written} is not known."
