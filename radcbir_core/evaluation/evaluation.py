"""What an evaluation is: choices, what they need, and results as named tables with notes.

Owns the one life that all evaluations lead: they are made from words, say what is missing, are computed with progress
and can be stopped, are kept on disk and read back. The command line, the pages, a notebook and the documents go by this
interface; each evaluation is one module of reports/, and adds its numbers alone.

An evaluation is a frozen dataclass whose fields are its choices. Two with the same choices are equal, and what was kept
of one is what the other reads.
"""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import pandas as pd

from radcbir_core.collections.artifacts import EMBEDDINGS, NEIGHBORS
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE
from radcbir_core.errors import EvaluationError, StaleError, StorageError
from radcbir_core.evaluation.by_seen import BySeen, Figure
from radcbir_core.evaluation.keeping import Kept, check_permission, read_result, write_result
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.evaluation.view import asked_view, split_sides
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_of

Need = Literal["neighbors", "near-duplicates", "embeddings", "labels", "split"]


def choice(default: Any, about: str) -> Any:
    """A choice of an evaluation, as a field of its dataclass.

    Args:
        default: What it is if nobody chooses.
        about: What it does, for the help of a command; a sentence.
    """
    return field(default=default, metadata={"about": about})


def lines_of(table: pd.DataFrame) -> Iterator[Any]:
    """The lines of a table, with the columns as attributes."""
    yield from table.itertuples(index=False)


@dataclass(frozen=True)
class Result:
    """What an evaluation says of one encoder on one collection.

    Attributes:
        evaluation: With its choices.
        of: The collection and the encoder, in words.
        tables: By their names; the first is what was asked for.
        notes: What one has to know to read the numbers, one sentence each.
        facts: Single numbers and words beside the tables.
    """

    evaluation: Evaluation
    of: str
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """The first table."""
        return next(iter(self.tables.values()))

    @property
    def title(self) -> str:
        """What it is of, and by which rules it was made."""
        return f"{self.of}{self.evaluation.title(self)}"

    @property
    def by_seen(self) -> BySeen | None:
        """The figure that it begins with, without and with what was seen in training; None where nothing was."""
        return self.evaluation.by_seen(self)

    @property
    def otherwise(self) -> Figure | None:
        """The figure that it begins with, by the other rule for what was seen in training; None likewise."""
        both = self.by_seen
        return None if both is None else both.otherwise

    def summary(self) -> pd.DataFrame:
        """The few lines that most people want, as text."""
        return self.evaluation.summary(self)

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*self.evaluation.remarks(self), *self.notes))
        return (
            f"<p><b>{html.escape(self.title)}</b></p>{self.summary().to_html(index=False, border=0)}"
            f"{f'<ul>{notes}</ul>' if notes else ''}"
        )


class Evaluation(ABC):
    """One kind of evaluation, with its choices. Subclasses are frozen dataclasses.

    Attributes:
        kind: Names it, in commands, addresses and folders.
        recipe: To be raised when its numbers change, so that what was kept is computed again.
        name: What people call it.
        about: What it tells, for the help of a command and the table in the documents; a sentence or two.
        uses: What has to be there; :attr:`needs` adds what the choices make necessary.
        table_words: What each of its tables holds, by their names, in their order.
        kept_as: The kind whose results are also its own, where it is a special case of another; empty otherwise.
        subject: What a result is of, as the beginning of its title.
        protocol_choices: What of a protocol can be chosen beside its name.
        also: Choices of other evaluations that can be asked for as its own: choice → the kind that is meant then.
        callbacks: What :meth:`run` can be told beside progress.
    """

    kind: ClassVar[str]
    recipe: ClassVar[int]
    name: ClassVar[str]
    about: ClassVar[str]
    uses: ClassVar[tuple[Need, ...]]
    table_words: ClassVar[Mapping[str, str]]
    kept_as: ClassVar[str] = ""
    subject: ClassVar[str] = "{collection} with {encoder}"
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "divisor", "empty", "seen", "ks")
    also: ClassVar[Mapping[str, str]] = {}
    callbacks: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, **choices: Any) -> Self:
        """An evaluation from words; None stands for the default.

        Args:
            **choices: Its own, and, where it goes by a protocol, ``protocol`` (its name) and those of
                :meth:`~radcbir_core.evaluation.protocol.Protocol.of`.

        Raises:
            EvaluationError: A choice that there is not, or one that cannot be.
            QueryError: An unknown level or exclusion.
        """
        given = {name: value for name, value in choices.items() if value is not None}
        own = {item.name for item in fields(cls) if item.init}  # type: ignore[arg-type]  # subclasses are dataclasses
        if "protocol" in own:
            words = {name: given.pop(name) for name in cls.protocol_choices if name in given}
            asked = given.get("protocol", Protocol().name)
            given["protocol"] = asked if isinstance(asked, Protocol) else Protocol.of(asked, **words)
            own |= set(cls.protocol_choices)
        unknown = sorted(set(given) - own)
        if unknown:
            has = f"It has {', '.join(sorted(own))}." if own else "It has none."
            raise EvaluationError(
                f"Expected choices of the evaluation {cls.kind}, but {unknown[0]} = {given[unknown[0]]!r}. {has}"
            )
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})

    def suited(self, store: EncoderStore) -> Self:
        """This evaluation with the exclusions that a collection asks for where nobody chose.

        Args:
            store: What an encoder made of the collection.
        """
        protocol: Protocol | None = getattr(self, "protocol", None)
        if protocol is None or protocol.fixed or "exclude" not in self.protocol_choices:
            return self
        return replace(self, protocol=protocol.suited(store))  # type: ignore[type-var]  # subclasses are dataclasses

    @property
    def excludes(self) -> tuple[str, ...]:
        """What it leaves out of a query's hits, or which pairs, by these choices."""
        protocol: Protocol | None = getattr(self, "protocol", None)
        return () if protocol is None else protocol.exclude

    @property
    def needs(self) -> tuple[Need, ...]:
        """What has to be there for these choices."""
        protocol: Protocol = getattr(self, "protocol", Protocol())
        needs: list[Need] = ["embeddings" if need == "neighbors" and protocol.exact else need for need in self.uses]
        if NEAR_DUPLICATE in self.excludes:
            needs.append("near-duplicates")
        return (*needs, "split") if protocol.split and "split" not in needs else tuple(needs)

    def check(self, store: EncoderStore) -> None:
        """Do nothing if it can be computed.

        Args:
            store: What an encoder made of a collection.

        Raises:
            EvaluationError: The collection lacks what the choices need.
            StaleError: The neighbor graph, or the embeddings, are missing or were made of something else.
        """
        self.check_current(store)
        if "split" in self.needs:
            split_sides(store)
        if "labels" in self.needs:
            self.labeled(store)

    def check_current(self, store: EncoderStore) -> None:
        """Do nothing if what was built is that of the embeddings and images that are there now.

        Raises:
            StaleError: The neighbor graph, or the embeddings, are missing or were made of something else.
        """
        self.check_built(store)
        if "near-duplicates" in self.needs:
            store.near_duplicate_groups  # noqa: B018 - which refuses what is missing, stale or damaged

    def check_built(self, store: EncoderStore) -> None:
        """As :meth:`check_current`, but for the groups of images: of two encoders, those of the first hold.

        Raises:
            StaleError: The neighbor graph, or the embeddings, are missing or were made of something else.
        """
        if "neighbors" in self.needs and not store.is_current(NEIGHBORS):
            raise StaleError(
                f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
                f"missing or older. Build {store.collection.name} with {store.encoder_id} again.",
                remedy=store.rebuild,
            )
        if not store.is_current(EMBEDDINGS):
            raise StaleError(
                f"Expected embeddings of the images that {store.collection.name} has now, but those of "
                f"{store.encoder_id} are missing or older. Build or import them again."
            )

    def labeled(self, store: EncoderStore) -> Any:
        """What :meth:`compute` begins with where labels are needed: mostly who asks, and what may be returned.

        Raises:
            EvaluationError: There are no such labels.
        """
        return asked_view(store, getattr(self, "protocol", Protocol()), getattr(self, "level", "label"))

    @abstractmethod
    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Compute it anew, and keep nothing.

        Args:
            store: What an encoder made of a collection; what was built of it is current.
            progress: Told how far it is; may stop it by raising.

        Raises:
            EvaluationError: The collection lacks what the choices need.
        """

    @abstractmethod
    def summary(self, result: Result) -> pd.DataFrame:
        """The few lines of a result that most people want, as text."""

    def title(self, result: Result) -> str:  # noqa: ARG002 - others say numbers of it
        """By which rules the numbers were made, behind what they are of."""
        protocol: Protocol | None = getattr(self, "protocol", None)
        return "" if protocol is None else f": {protocol.describe()}"

    def by_seen(self, result: Result) -> BySeen | None:
        """The figure that a result begins with, without and with what was seen in training; its notes say it."""
        return BySeen.of_facts(result.facts)

    def remarks(self, result: Result) -> Sequence[str]:  # noqa: ARG002
        """What there is to say of a result in sentences, beside its notes."""
        return ()

    def run(
        self, store: EncoderStore, *, progress: Progress = silent, surely_kept: bool = False, **told: Any
    ) -> Result:
        """Compute it and keep the result, or read what is kept.

        Args:
            store: What an encoder made of a collection.
            progress: Told how far it is; may stop it by raising. Nothing is kept then.
            surely_kept: Whether a result that cannot be kept is of no use, as where another process is to read it. By
                default it is given all the same, with a note that says so.
            **told: Of :attr:`callbacks`; with one it is computed in any case.

        Raises:
            EvaluationError: It cannot be computed of this collection.
            StaleError: What it needs is missing or was made of something else.
            StorageError: The result cannot be written, and is to be kept surely; where there is no permission, this is
                found before it is computed.
        """
        kept = self.kept(store)
        if kept is not None and not told:
            return kept
        folder = self.folder(store)
        if surely_kept:
            check_permission(folder)
        result = self.compute(store, progress=progress, **told)
        try:
            write_result(
                folder,
                Kept(dict(result.tables), result.notes, dict(result.facts)),
                kind=self.kind,
                recipe=self.recipe,
                choices=asdict(self),  # type: ignore[call-overload]  # subclasses are dataclasses
                made_of=self.made_of(store),
            )
        except StorageError as error:
            if surely_kept:
                raise
            reason = str(error).rpartition(": ")[0] or str(error)  # without the path, which is not for every reader
            said = (
                f"These figures could not be kept in {store.collection.name}, and are computed anew when they are "
                f"asked for again. {reason.removesuffix('.')}."
            )
            return replace(result, notes=(*result.notes, said))
        return result

    def kept(self, store: EncoderStore) -> Result | None:
        """What is kept of it, or None.

        Raises:
            StaleError: What it needs is missing or was made of something else.
        """
        self.check_current(store)
        kept = read_result(self.folder(store))
        if kept is None:
            return None
        result = self.result(store, *kept)
        try:
            result._repr_html_()  # which reads all of it that is shown everywhere
            _ = result.by_seen
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, StopIteration):
            return None  # tables of another form, of whoever made the archive that they came in
        return result

    def result(
        self,
        store: EncoderStore,
        tables: Mapping[str, pd.DataFrame],
        notes: Sequence[str] = (),
        facts: Mapping[str, Any] | None = None,
        *,
        by_seen: BySeen | None = None,
    ) -> Result:
        """The result that these tables are.

        Args:
            store: What an encoder made of a collection.
            tables: By their names.
            notes: What one has to know to read the numbers.
            facts: Single numbers and words beside the tables.
            by_seen: The figure that it begins with, by both rules for what was seen in training, where anything was; it
                becomes the first note and a fact.
        """
        of = self.subject.format(collection=store.collection.name, encoder=store.encoder_id)
        if by_seen is not None:
            notes, facts = (by_seen.said, *notes), {**(facts or {}), **by_seen.facts()}
        return Result(self, of, tables, tuple(notes), facts or {})

    def folder(self, store: EncoderStore) -> Path:
        """Where the result of these choices, of these very embeddings and labels, is kept."""
        choices: dict[str, Any] = asdict(self)  # type: ignore[call-overload]  # subclasses are dataclasses
        made = {"recipe": self.recipe, "choices": choices, "made_of": self.made_of(store)}
        digest = digest_of(json.dumps(made, sort_keys=True))
        return store.evaluation_folder / f"{self.kept_as or self.kind}-{digest[:32]}"

    def made_of(self, store: EncoderStore) -> list[str]:
        """The digests of all that the numbers depend on beside the choices."""
        groups = [store.near_duplicates_digest] if "near-duplicates" in self.needs else []
        return [store.evaluated, *seen_of(store).identity, *groups]
