"""What people put together to one query, step by step: further images and sentences, and marks on hits.

Owns the list of steps, the word by which an address or a command names each, and Rocchio's weights, by which marks
become a query. What a sum of queries is, is composed.py's.

Relevance feedback is that of Rocchio (The SMART Retrieval System, 1971, chapter 14): α times the query, plus β times
the mean of what was marked as like what is sought, minus γ times the mean of what was marked as unlike it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from radcbir_core.collections.collection import Collection
from radcbir_core.errors import QueryError
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import Asked, Query, RowQuery, TextQuery, query_of
from radcbir_core.search.queries.text import cleaned_text

Kind = Literal["like", "unlike", "image", "text"]
KINDS: Final[dict[Kind, str]] = {
    "like": "a hit marked as like this",
    "unlike": "a hit marked as not like that",
    "image": "a further image with its own weight",
    "text": "a sentence with its own weight",
}
"""What a step adds."""

LARGEST_WEIGHT: Final = 3.0
"""The largest size of a weight: beyond it the others hardly count."""

MOST_STEPS: Final = 40
"""So many fit into an address."""


@dataclass(frozen=True, slots=True)
class Rocchio:
    """How much the query and the marks on its hits count.

    Attributes:
        query: α, of the query itself.
        like: β, of the mean of all that is marked as like this.
        unlike: γ, of the mean of all that is marked as not like that.

    Raises:
        QueryError: One is below 0 or above :data:`LARGEST_WEIGHT`.

    Example:
        >>> Rocchio().word, Rocchio.of("1,0.5,0")
        ('1,0.75,0.15', Rocchio(query=1.0, like=0.5, unlike=0.0))
    """

    query: float = 1.0
    like: float = 0.75
    unlike: float = 0.15

    def __post_init__(self) -> None:
        for name, weight in (("α", self.query), ("β", self.like), ("γ", self.unlike)):
            if not 0 <= weight <= LARGEST_WEIGHT:
                raise QueryError(
                    f"Expected weights from 0 to {LARGEST_WEIGHT:g}, but {name} = {weight:g}. The usual ones are 1, "
                    "0.75 and 0.15."
                )

    @classmethod
    def of(cls, word: str) -> Rocchio:
        """The weights that a word stands for.

        Raises:
            QueryError: It is not three numbers in the range of weights.
        """
        try:
            query, like, unlike = (float(number) for number in word.split(","))
        except ValueError as error:
            raise QueryError(
                f"Expected Rocchio's three weights α,β,γ, but it is {word[:40]!r}. The usual ones are 1,0.75,0.15."
            ) from error
        return cls(query, like, unlike)

    @property
    def word(self) -> str:
        """As :meth:`of` reads it."""
        return ",".join(f"{weight:g}" for weight in (self.query, self.like, self.unlike))


CLASSIC: Final = Rocchio()
"""Those of the textbooks (Manning, Raghavan and Schütze, Introduction to Information Retrieval, section 9.1.1)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was added to a query.

    Attributes:
        kind: Of :data:`KINDS`.
        value: The image_id, or the sentence.
        weight: Of a further image or a sentence, below 0 for what is not wanted; 0 of a mark, which shares β or γ.

    Example:
        >>> Step.of("like:a.png").word, Step.of("text:-0.5:a tube").weight
        ('like:a.png', -0.5)
    """

    kind: Kind
    value: str
    weight: float = 0.0

    @classmethod
    def of(cls, word: str) -> Step:
        """The step that a word stands for: ``like:ID``, ``unlike:ID``, ``image:WEIGHT:ID`` or ``text:WEIGHT:SENTENCE``.

        Raises:
            QueryError: It stands for none, the weight is no number or too large, or the sentence has no word.
        """
        name, _, rest = word.partition(":")
        kind = next((one for one in KINDS if one == name), None)
        if kind is None or not rest:
            raise QueryError(
                "Expected a step as like:ID, unlike:ID, image:WEIGHT:ID or text:WEIGHT:SENTENCE, but it is "
                f"{word[:60]!r}. Write, for example, text:0.5:pleural effusion"
            )
        if kind in ("like", "unlike"):
            return cls(kind, rest)
        number, _, value = rest.partition(":")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not value or not abs(weight) <= LARGEST_WEIGHT:
            raise QueryError(
                f"Expected {kind}:WEIGHT:… with a weight from {-LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}, but it is "
                f"{word[:60]!r}. Write, for example, {kind}:0.5:{value[:20] or '…'}"
            )
        return cls(kind, cleaned_text(value) if kind == "text" else value, weight)

    @property
    def word(self) -> str:
        """As :meth:`of` reads it."""
        return f"{self.kind}:{self.value}" if self.is_mark else f"{self.kind}:{self.weight:g}:{self.value}"

    @property
    def is_mark(self) -> bool:
        """Whether it is a mark on a hit, whose weight is Rocchio's."""
        return self.kind in ("like", "unlike")


@dataclass(frozen=True, slots=True)
class Composition:
    """What was added to a query, in its order, and how much marks count.

    Attributes:
        steps: Each image and each sentence once.
        weights: Rocchio's.

    Raises:
        QueryError: There are more steps than :data:`MOST_STEPS`, or two of the same.
    """

    steps: tuple[Step, ...] = ()
    weights: Rocchio = CLASSIC

    def __post_init__(self) -> None:
        if len(self.steps) > MOST_STEPS:
            raise QueryError(
                f"Expected at most {MOST_STEPS} steps, but there are {len(self.steps)}. Take some out, or start from a "
                "hit that is nearer to what is sought."
            )
        seen: set[tuple[bool, str]] = set()
        for step in self.steps:
            key = (step.kind == "text", step.value)
            if key in seen:
                raise QueryError(
                    f"Expected each image and each sentence once, but {step.value[:60]!r} is there twice. Take one out."
                )
            seen.add(key)

    @classmethod
    def of(cls, words: Sequence[str], weights: str | None = None) -> Composition:
        """What words stand for, as :meth:`Step.of` and :meth:`Rocchio.of` read them.

        Raises:
            QueryError: As these, and as the class.
        """
        return cls(tuple(Step.of(word) for word in words), Rocchio.of(weights) if weights else CLASSIC)

    @property
    def words(self) -> list[str]:
        """Of the steps."""
        return [step.word for step in self.steps]

    def with_step(self, step: Step) -> Composition:
        """It with one more step; what was said of the same image or sentence before goes, but keeps its place.

        Raises:
            QueryError: There are too many then.

        Example:
            >>> one = Composition().with_step(Step.of("like:a")).with_step(Step.of("like:b"))
            >>> one.with_step(Step.of("unlike:a")).words
            ['unlike:a', 'like:b']
        """
        same = [(one.kind == "text") == (step.kind == "text") and one.value == step.value for one in self.steps]
        if not any(same):
            return replace(self, steps=(*self.steps, step))
        return replace(
            self, steps=tuple(step if is_same else one for one, is_same in zip(self.steps, same, strict=True))
        )

    def without(self, step: Step) -> Composition:
        """It without that step."""
        return replace(self, steps=tuple(one for one in self.steps if one != step))

    def marks(self) -> dict[str, Kind]:
        """Which images are marked, and as what."""
        return {step.value: step.kind for step in self.steps if step.is_mark}

    def weight_of(self, step: Step) -> float:
        """How much a step counts: its own weight; of a mark its share of β, or of γ, which counts against.

        Example:
            >>> of = Composition.of(["like:a", "like:b", "unlike:c", "text:2:cyst"])
            >>> [of.weight_of(step) for step in of.steps]
            [0.375, 0.375, -0.15, 2.0]
        """
        if not step.is_mark:
            return step.weight
        number = sum(one.kind == step.kind for one in self.steps)
        return self.weights.like / number if step.kind == "like" else -self.weights.unlike / number

    def query(
        self, own: Query, collection: Collection, *, sentence: Callable[[str], Query] = TextQuery
    ) -> ComposedQuery:
        """The composed query.

        Args:
            own: The query that things are added to.
            collection: Which has the images.
            sentence: Gives the query of a sentence.

        Raises:
            ImageNotFoundError: It has no image of that image_id.
        """
        parts = [Part(own, self.weights.query)]
        for step in self.steps:
            is_text = step.kind == "text"
            query = sentence(step.value) if is_text else RowQuery((collection.manifest.row_of(step.value),))
            parts.append(Part(query, self.weight_of(step)))
        return ComposedQuery(tuple(parts))


def compose(
    collection: Collection,
    asked: Asked,
    *,
    like: Sequence[Asked] = (),
    unlike: Sequence[Asked] = (),
    further: Sequence[tuple[Asked, float]] = (),
    weights: Rocchio = CLASSIC,
) -> ComposedQuery:
    """A query, and what is added to it, as one query.

    Args:
        collection: Which has the images.
        asked: The query: whatever the retriever takes; a sentence is a ``TextQuery``.
        like: What was marked as like what is sought; together they weigh β.
        unlike: What was marked as unlike it; together they weigh −γ.
        further: Further queries, each with its own weight; below 0 for what is not wanted.
        weights: Rocchio's α, β and γ.

    Raises:
        QueryError: Something stands for no query.
        ImageNotFoundError: The collection has no image of that image_id.

    ```python
    query = compose(collection, "some-image-id", like=["a-hit"], further=[(TextQuery("pleural effusion"), 0.5)])
    Retriever(collection, "radcbir-mini").search(query, exclude=["patient"])
    ```
    """
    parts = [Part(query_of(asked, collection), weights.query)]
    parts += [Part(query_of(one, collection), weights.like / len(like)) for one in like]
    parts += [Part(query_of(one, collection), -weights.unlike / len(unlike)) for one in unlike]
    parts += [Part(query_of(one, collection), weight) for one, weight in further]
    return ComposedQuery(tuple(parts))
