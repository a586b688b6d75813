"""How an encoder is asked: who the queries are, what may be returned, and what P@k means then.

Owns the protocols and how they are told in words, the rules for queries that have nothing to find, and for those that
the encoder has seen in training, included. Who the
queries of a collection are under a protocol is view.py's.

Source: Denner et al., *Leveraging Foundation Models for Content-Based Image Retrieval in Radiology* (arXiv 2403.06567),
section 2.3: P@k per query, averaged over queries (micro) and over labels (macro), on images with a single label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import check_exclusions, default_exclusions
from radcbir_core.collections.manifests.manifest import LEVELS, Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.metrics.precision_at_k import DIVISORS, EMPTY_RULES, Divisor, Empty

ProtocolName = Literal["leave-one-out", "split"]
PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)
"""The protocols that can be varied: what is excluded, what is divided by, which k's."""

SeenRule = Literal["skip", "count"]
SEEN_RULES: tuple[SeenRule, ...] = get_args(SeenRule)
"""What becomes of queries that the encoder has seen in training: they are left out, or they count as any other."""

KS = (1, 3, 5, 10)
_MOST_TOLD = 10
"""Of so many k's a summary tells of each; of more only those of :data:`KS`."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How an encoder is evaluated on a collection. Made by :meth:`of`, which checks it.

    Attributes:
        name: "leave-one-out": every image is a query against all others. "split": the queries are the images of split
            "test", the gallery those of split "train". Or the name of one that is fixed, such as "paper".
        exclude: What a query may not return besides itself.
        divisor: "k", or "available": min(k, relevant images in the gallery).
        empty: What a query counts that has no relevant image: "skip" leaves it out, "zero" counts 0.
        seen: What becomes of a query that the encoder has seen in training: "skip" leaves it out, "count" lets it
            count. It stays in the gallery in any case.
        ks: The k's of P@k.
        levels: Those that are evaluated.
        split: Whether the queries are one part of the collection and the gallery another.
        exact: Whether the hits come from an exact search of their own, and not from the neighbor graph.
        fixed: Whether there is nothing to choose.
        title: What a fixed protocol is called in a sentence; empty for one with choices.
    """

    name: str = "leave-one-out"
    exclude: tuple[str, ...] = ("patient",)
    divisor: Divisor = "k"
    empty: Empty = "skip"
    seen: SeenRule = "skip"
    ks: tuple[int, ...] = KS
    levels: tuple[Level, ...] = LEVELS
    split: bool = False
    exact: bool = False
    fixed: bool = False
    title: str = ""

    @classmethod
    def of(
        cls,
        name: str = "leave-one-out",
        *,
        exclude: Sequence[str] | None = None,
        divisor: str | None = None,
        empty: str | None = None,
        seen: str | None = None,
        ks: Sequence[int] | None = None,
    ) -> Protocol:
        """A protocol from words.

        Args:
            name: Of :data:`PROTOCOLS`, or that of a fixed one, of :data:`FIXED`.
            exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`; by default the patient for leave-one-out,
                and nothing for split, whose two sides are to be patient-disjoint by themselves. What a collection asks
                for where nobody chose is :meth:`suited`.
            divisor: "k" or "available"; "k" by default.
            empty: "skip" or "zero"; "skip" by default.
            seen: "skip" or "count"; "skip" by default.
            ks: The k's, from 1 to 100; :data:`KS` by default.

        Raises:
            EvaluationError: An unknown name, divisor or rule, a k out of range, or a fixed protocol with another choice
                than its own.
            QueryError: An unknown exclusion.

        Example:
            >>> Protocol.of("split").exclude
            ()
        """
        if name in FIXED:
            return FIXED[name]._with_nothing_else(exclude=exclude, divisor=divisor, empty=empty, seen=seen, ks=ks)
        if name not in PROTOCOLS:
            known = ", ".join((*PROTOCOLS, *FIXED))
            raise EvaluationError(f"Expected a protocol of {known}, but protocol = {name!r}. Use one.")
        ks = KS if ks is None else ks
        chosen = next((known for known in DIVISORS if known == (divisor or "k")), None)
        if chosen is None:
            raise EvaluationError(f'Expected "k" or "available", but divisor = {divisor!r}. Use one of the two.')
        rule = next((known for known in EMPTY_RULES if known == (empty or "skip")), None)
        if rule is None:
            raise EvaluationError(
                f'Expected "skip" (queries without a relevant image are left out) or "zero" (they count 0), but '
                f"empty = {empty!r}. Use one of the two."
            )
        of_seen = next((known for known in SEEN_RULES if known == (seen or "skip")), None)
        if of_seen is None:
            raise EvaluationError(
                f'Expected "skip" (queries that the encoder has seen in training are left out) or "count" (they '
                f"count), but seen = {seen!r}. Use one of the two."
            )
        if not ks or not all(1 <= k <= 100 for k in ks):
            raise EvaluationError(f"Expected k's from 1 to 100, but ks = {tuple(ks)}. Choose such.")
        default = ("patient",) if name == "leave-one-out" else ()
        left_out = tuple(check_exclusions(default if exclude is None else exclude))
        return cls(name, left_out, chosen, rule, of_seen, tuple(sorted(set(ks))), split=name == "split")

    def suited(self, store: EncoderStore) -> Protocol:
        """This protocol with the exclusions that a collection asks for where nobody chose.

        Args:
            store: What an encoder made of the collection.
        """
        if self.fixed or self.split:
            return self
        return replace(self, exclude=default_exclusions(store))

    def _with_nothing_else(
        self,
        *,
        exclude: Sequence[str] | None,
        divisor: str | None,
        empty: str | None,
        seen: str | None,
        ks: Sequence[int] | None,
    ) -> Protocol:
        """This protocol, which is fixed, if nothing else than its own choices is asked for."""
        own = {name: getattr(self, name) for name in ("exclude", "divisor", "empty", "seen", "ks")}
        asked = {"exclude": exclude, "divisor": divisor, "empty": empty, "seen": seen, "ks": ks}
        other = [
            f"{word} = {value}"
            for word, value in asked.items()
            if value is not None and (value if isinstance(value, str) else tuple(value)) != own[word]
        ]
        if other:
            raise EvaluationError(
                f"Expected {self.title.split(':')[0]} protocol as it is (no exclusions, divisor {self.divisor}, k from "
                f"{min(self.ks)} to {max(self.ks)}), but {', '.join(other)}. Leave that out, or use the protocol "
                "split, which has these choices."
            )
        return self

    @property
    def summary_ks(self) -> tuple[int, ...]:
        """The k's that a summary tells of, and at which the differences of two encoders are tested.

        Example:
            >>> Protocol.of(ks=(1, 2)).summary_ks, Protocol.of("paper").summary_ks
            ((1, 2), (1, 3, 5, 10))
        """
        return self.ks if len(self.ks) <= _MOST_TOLD else tuple(k for k in self.ks if k in KS)

    @property
    def excluded(self) -> str:
        """What a query may not return, in words."""
        return f"{' and '.join(self.exclude)} excluded" if self.exclude else "nothing but the query excluded"

    def describe(self) -> str:
        """The protocol in a few words.

        Example:
            >>> Protocol().describe()
            'leave-one-out, patient excluded, divided by k, queries without a relevant image left out'
        """
        divided = "k" if self.divisor == "k" else "min(k, relevant images available)"
        said = [self.title or f"{self.name}, {self.excluded}", *(["exact search"] if self.exact else [])]
        return ", ".join([*said, f"divided by {divided}", f"queries without a relevant image {EMPTY_SAID[self.empty]}"])


EMPTY_SAID = {"skip": "left out", "zero": "counted as 0"}
"""The rule for queries that have nothing to find, in words."""
SEEN_SAID = {"skip": "left out", "count": "counted"}
"""That for queries that the encoder has seen in training."""
OTHERWISE = {"skip": ("with_seen", "of all"), "count": ("without_seen", "of images not seen")}
"""The column of the figures by the other choice, and what these are of."""

PAPER = Protocol(
    name="paper",
    exclude=(),
    divisor="available",
    seen="count",
    ks=tuple(range(1, 101)),
    levels=("label",),
    split=True,
    exact=True,
    fixed=True,
    title="the paper's: train against test",
)
"""The protocol of the published evaluation, to the last digit: ``src/retrieval.py`` and
``src/evaluation/evaluate_retrieval.py`` of its code. A query without a relevant image is 0 ÷ 0 there, which pandas
skips."""

FIXED = {PAPER.name: PAPER}
"""The protocols that have no choices."""
