"""How far a sentence tells images of a collection apart, beside what nonsense does.

Owns the nonsense (random letters, random syllables, random words of daily life, as many as a sentence has, the same
each time), the measure, and the verdict. The measure is how much nearer the first ten hits are than an image of the
collection is on average: a cosine by itself says nothing, because a text tower puts some nonsense near every image.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.search.backend import Float32, in_blocks, unit, unit_vectors
from radcbir_core.search.language.kept_figures import keep_figure, kept_figure
from radcbir_core.search.language.sentence_query import EmbeddedSentence
from radcbir_core.search.queries.query import Means

FIRST: Final = 10
"""How many hits are compared with the rest."""
EACH: Final = 20
"""Sentences of each kind of nonsense."""
LENGTHS: Final = ((1, 1), (2, 3), (4, 6), (7, 12))
"""Words of the nonsense that a sentence is compared with; longer sentences with the last."""
CHANCE: Final = 0.05
"""A sentence of unknown words has to stand out from all nonsense but this share."""
CHANCE_KNOWN: Final = 0.5
"""A sentence of known words has to do so only from all but this: that its words mean something is known already."""

_SAMPLE: Final = 20_000
_BLOCK: Final = 4_096
_CONSONANTS: Final = "bcdfghjklmnprstvwz"
_VOWELS: Final = "aeiou"
EVERYDAY: Final = tuple(
    re.findall(
        r"[a-z]+",
        """
        airport bakery bicycle blanket candle carpet castle chimney cinema coffee concert cushion dragon
        elephant football garden guitar hammer helicopter island kitchen lantern lemon library lottery mirror
        monkey mountain novel orchestra parade pencil penguin pepper pirate pizza poem rocket sailor sandal
        station summer television theater ticket tomato tractor umbrella violin waterfall
        """,
    )
)
"""Words of daily life that no report has."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far nonsense tells images of a collection apart.

    Attributes:
        lengths: Of how many to how many words.
        reached: How far each sentence of nonsense does, ascending.
    """

    lengths: tuple[int, int]
    reached: tuple[float, ...]

    def share_as_far(self, distinction: float) -> float:
        """The share of nonsense that tells images apart as far as a sentence does; the sentence counts among it.

        Example:
            >>> Reach((1, 1), (0.1, 0.2, 0.3)).share_as_far(0.25)
            0.5
        """
        below = int(np.searchsorted(self.reached, distinction, side="left"))
        return (len(self.reached) - below + 1) / (len(self.reached) + 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A sentence beside nonsense of its length.

    Attributes:
        distinction: How much nearer its first hits are than the average image, a difference of cosines.
        reach: What nonsense of its length does.
        share: The share of nonsense that does as much.
        known: The share of its words that are known.
    """

    distinction: float
    reach: Reach
    share: float
    known: float

    @property
    def is_no_better(self) -> bool:
        """Whether its hits are to be taken for those of nonsense."""
        return self.share > (CHANCE_KNOWN if self.known >= 0.5 else CHANCE)

    @property
    def said(self) -> str:
        """In a sentence, whatever the verdict.

        Example:
            >>> Standing(0.25, Reach((1, 1), (0.1, 0.2, 0.3)), 0.5, 1.0).said  # doctest: +ELLIPSIS
            'The first hits are 0.250 nearer to it than the average image; of 3 nonsense ... the middle one 0.200.'
        """
        number = len(self.reach.reached)
        as_far = round(self.share * (number + 1)) - 1
        return (
            f"The first hits are {self.distinction:.3f} nearer to it than the average image; of {number} nonsense "
            f"sentences of its length {as_far} {'reaches' if as_far == 1 else 'reach'} as much, the middle one "
            f"{self.reach.reached[number // 2]:.3f}."
        )


def nonsense(lengths: tuple[int, int], *, each: int = EACH, seed: int = 0) -> list[str]:
    """Sentences that mean nothing: ``each`` of random letters, of random syllables, and of random words of daily life.

    Example:
        >>> len(nonsense((2, 3))), nonsense((1, 1), each=1, seed=3) == nonsense((1, 1), each=1, seed=3)
        (60, True)
    """
    draw = random.Random(f"{seed} {lengths}")  # noqa: S311 - to be the same each time
    kinds: tuple[Callable[[random.Random], str], ...] = (_letters, _syllables, lambda drawn: drawn.choice(EVERYDAY))
    made: list[str] = []
    for kind in kinds:
        of_kind: dict[str, None] = {}
        while len(of_kind) < each:
            of_kind[" ".join(kind(draw) for _ in range(draw.randint(*lengths)))] = None
        made += of_kind
    return made


def standing_of(asked: EmbeddedSentence, means: Means) -> Standing:
    """A sentence beside nonsense of its length; what nonsense does is measured once, and kept.

    Args:
        asked: The sentence; its first phrasing is compared, which is what it asks for.
        means: Of the collection that is searched.

    Raises:
        EncoderError: The encoder cannot be loaded here.
    """
    sentence, reading = asked.phrasings[0], asked.reading
    reach = reach_of(means, words=len(sentence.split()))
    distinction = float(distinctions(means, [sentence])[0])
    # What a sentence that only denies is searched for was chosen here, in known words.
    known = (reading.known / reading.words if reading.words else 0.0) if reading.asked else 1.0
    return Standing(distinction, reach, reach.share_as_far(distinction), known)


def reach_of(means: Means, *, words: int) -> Reach:
    """What nonsense of so many words does in a collection: measured when it is first asked for, then kept."""
    lengths = next((pair for pair in LENGTHS if words <= pair[1]), LENGTHS[-1])
    name = f"nonsense of {lengths[0]} to {lengths[1]} words"
    kept = kept_figure(means.store, name)
    if not (isinstance(kept, list) and len(kept) == 3 * EACH and all(isinstance(one, float) for one in kept)):
        kept = sorted(float(one) for one in distinctions(means, nonsense(lengths)))
        keep_figure(means.store, name, kept)
    return Reach(lengths, tuple(kept))


def distinctions(means: Means, sentences: Sequence[str]) -> Float32:
    """``(S,)``; how much nearer the first :data:`FIRST` hits of each sentence are than the average image."""
    vectors = unit(means.encoder().encode_texts(list(sentences)), dimension=means.searcher.dimension)
    hits = means.searcher.search(vectors, k=min(FIRST, max(int(np.count_nonzero(means.store.valid)), 1)))
    first = np.nanmean(hits.similarities, axis=1)
    nearer: Float32 = (first - vectors @ _middle(means)).astype(np.float32)
    return nearer


def _middle(means: Means) -> Float32:
    """``(D,)``; the mean of the images' vectors, of large collections that of a sample."""
    rows = np.flatnonzero(means.store.valid)
    if len(rows) > _SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE, replace=False))
    total = np.zeros(means.searcher.dimension, dtype=np.float64)
    for part, _ in in_blocks(means.searcher.engine, rows, size=_BLOCK):
        total += unit_vectors(means.searcher.engine, part).sum(axis=0, dtype=np.float64)
    return (total / max(len(rows), 1)).astype(np.float32)


def _letters(draw: random.Random) -> str:
    return "".join(draw.choice(string.ascii_lowercase) for _ in range(draw.randint(3, 9)))


def _syllables(draw: random.Random) -> str:
    return "".join(
        draw.choice(_CONSONANTS) + draw.choice(_VOWELS) + (draw.choice("nrst") if draw.random() < 0.3 else "")
        for _ in range(draw.randint(1, 4))
    )
