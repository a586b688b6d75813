"""Which images are queries, which may be returned, and the tables that come of it.

Owns the protocols, leave-one-out, split and paper, and the cache of their results. The arithmetic is precision.py's and
spread.py's, the intervals are intervals.py's; the hits come from the neighbor graph, those of the paper's protocol from
an exact search of their own (ranking.py).

Source: Denner et al., *Leveraging Foundation Models for Content-Based Image Retrieval in Radiology* (arXiv 2403.06567),
section 2.3: P@k per query, averaged over queries (micro) and over labels (macro), on images with a single label. The
paper's protocol follows the published code to the last digit: ``src/retrieval.py`` and
``src/evaluation/evaluate_retrieval.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import EMBEDDINGS, NEIGHBORS
from radcbir_core.collections.manifest import LEVELS, Codes, Level, Manifest
from radcbir_core.collections.store import EncoderStore
from radcbir_core.errors import EvaluationError, StaleError
from radcbir_core.evaluation.metrics.precision import (
    available_relevant,
    check_divisor,
    precision_at_k,
    relevant_hits,
    summarize,
)
from radcbir_core.evaluation.results import Results, read_results, write_results
from radcbir_core.evaluation.statistics.deviation import spread_of
from radcbir_core.evaluation.statistics.intervals import Intervals, cluster_codes, precision_intervals
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.exact_ranking import rank_exactly
from radcbir_core.search.exclusions import check_exclusions
from radcbir_core.search.graph import ranked_hits
from radcbir_core.search.opening import vectors_of
from radcbir_core.storage import digest_of

ProtocolName = Literal["leave-one-out", "split"]
PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)
"""The protocols that can be varied: what is excluded, what is divided by, which k's."""
PAPER = "paper"
"""The protocol of the published evaluation, which has no choices."""

KS = (1, 3, 5, 10)
PAPER_KS = tuple(range(1, 101))
TABLE_COLUMNS = ("level", "label", "k", "precision", "n_queries", "averaging", "low", "high")
PAPER_COLUMNS = (*TABLE_COLUMNS, "std")

_RECIPE = 2
"""Part of every protocol's digest: to be raised when the numbers change, so that cached tables are not used again."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How an encoder is evaluated on a collection. Made by :meth:`of`, which checks it.

    Attributes:
        name: "leave-one-out": every image is a query against all others. "split": the queries are the images of split
            "test", the gallery those of split "train", as in the paper. "paper": the same, evaluated in every detail
            as the published code does it: the full label alone, exact search, k from 1 to 100, divisor "available",
            and standard deviations.
        exclude: What a query may not return besides itself.
        divisor: "k", or "available": min(k, relevant images in the gallery), as in the paper.
        ks: The k's of P@k.
    """

    name: str = "leave-one-out"
    exclude: tuple[str, ...] = ("patient",)
    divisor: str = "k"
    ks: tuple[int, ...] = KS

    @classmethod
    def of(
        cls,
        name: str = "leave-one-out",
        *,
        exclude: Sequence[str] | None = None,
        divisor: str | None = None,
        ks: Sequence[int] | None = None,
    ) -> Protocol:
        """A protocol from words.

        Args:
            name: Of :data:`PROTOCOLS`, or :data:`PAPER`.
            exclude: Of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`; by default the patient for leave-one-out,
                and nothing for split, whose two sides are to be patient-disjoint by themselves.
            divisor: "k" or "available"; "k" by default, "available" for the paper's.
            ks: The k's, from 1 to 100; :data:`KS` by default, all of them for the paper's.

        Raises:
            EvaluationError: An unknown name or divisor, a k out of range, or the paper's protocol with another choice
                than the paper's.
            QueryError: An unknown exclusion.

        Example:
            >>> Protocol.of("split").exclude
            ()
        """
        if name == PAPER:
            return cls._paper(exclude=exclude, divisor=divisor, ks=ks)
        if name not in PROTOCOLS:
            known = ", ".join((*PROTOCOLS, PAPER))
            raise EvaluationError(f"Expected a protocol of {known}, but protocol = {name!r}. Use one.")
        divisor, ks = divisor or "k", KS if ks is None else ks
        check_divisor(divisor)
        if not ks or not all(1 <= k <= 100 for k in ks):
            raise EvaluationError(f"Expected k's from 1 to 100, but ks = {tuple(ks)}. Choose such.")
        default = ("patient",) if name == "leave-one-out" else ()
        chosen = tuple(check_exclusions(default if exclude is None else exclude))
        return cls(name=name, exclude=chosen, divisor=divisor, ks=tuple(sorted(set(ks))))

    @classmethod
    def _paper(cls, *, exclude: Sequence[str] | None, divisor: str | None, ks: Sequence[int] | None) -> Protocol:
        """The paper's protocol, if nothing else than its own choices is asked for."""
        if exclude or divisor not in {None, "available"} or (ks is not None and tuple(ks) != PAPER_KS):
            asked = (("exclude", exclude), ("divisor", divisor), ("ks", ks))
            given = ", ".join(f"{word} = {value}" for word, value in asked if value)
            raise EvaluationError(
                "Expected the paper's protocol as it is (no exclusions, divisor available, k from 1 to 100), but "
                f"{given}. Leave that out, or use the protocol split, which has these choices."
            )
        return cls(name=PAPER, exclude=(), divisor="available", ks=PAPER_KS)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that are evaluated."""
        return ("label",) if self.name == PAPER else LEVELS

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table."""
        return PAPER_COLUMNS if self.name == PAPER else TABLE_COLUMNS

    @property
    def digest(self) -> str:
        """Identifies the protocol and the recipe of its numbers."""
        return digest_of(json.dumps({"recipe": _RECIPE, **asdict(self)}, sort_keys=True))[:16]

    def describe(self) -> str:
        """The protocol in a few words.

        Example:
            >>> Protocol().describe()
            'leave-one-out, patient excluded, divided by k'
        """
        if self.name == PAPER:
            return "the paper's: train against test, exact search, divided by min(k, relevant images available)"
        excluded = f"{' and '.join(self.exclude)} excluded" if self.exclude else "nothing but the query excluded"
        divided = "k" if self.divisor == "k" else "min(k, relevant images available)"
        return f"{self.name}, {excluded}, divided by {divided}"


@dataclass(frozen=True, slots=True)
class Sides:
    """What a protocol makes of a collection at one level.

    Attributes:
        labels: Of every image at that level.
        queries: ``(Q,)`` rows.
        gallery: ``(N,)`` bool.
    """

    labels: Codes
    queries: npt.NDArray[np.intp]
    gallery: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of one protocol.

    Attributes:
        protocol: Which.
        table: The protocol's columns; ``averaging`` is "micro" or "macro" (``label`` empty) or "label" for one label's
            row; ``low`` and ``high`` bound the 95 % interval, NaN where it is undefined (of the paper's protocol they
            are computed for the k's of :data:`KS`); ``std`` is the standard deviation over queries (micro, label), or
            the mean over labels of it (macro).
        queries: One row a level and query: ``level``, ``row``, ``label``, and ``p@k`` for each k (NaN: no relevant
            image was available).
        notes: What one has to know to read the numbers, one sentence each.
    """

    protocol: Protocol
    table: pd.DataFrame
    queries: pd.DataFrame
    notes: tuple[str, ...]

    def of_level(self, level: Level) -> pd.DataFrame:
        """The queries of one level."""
        return self.queries[self.queries["level"] == level].drop(columns="level").reset_index(drop=True)


def sides_of(store: EncoderStore, protocol: Protocol, level: Level) -> Sides:
    """The queries and the gallery of a protocol at one level.

    Images without a label at that level are on neither side, and neither are those without an embedding.

    Raises:
        EvaluationError: The split or the paper's protocol, and the collection has no train or no test images.
    """
    manifest = store.collection.manifest
    labels = manifest.labels(level)
    usable = store.valid & (labels.codes >= 0)
    if protocol.name == "leave-one-out":
        return Sides(labels=labels, queries=np.flatnonzero(usable), gallery=usable)
    split = manifest.codes("split")
    masks = {}
    for name in ("train", "test"):
        if name not in split.values:
            found = ", ".join(f"{n} {value}" for value, n in split.counts().items()) or "no split at all"
            raise EvaluationError(
                f"Expected images of split train and of split test, but {store.collection.name} has {found}. "
                "Use the protocol leave-one-out, or import a manifest with a column 'split'."
            )
        masks[name] = split.codes == split.values.index(name)
    return Sides(labels=labels, queries=np.flatnonzero(usable & masks["test"]), gallery=usable & masks["train"])


def evaluate(
    store: EncoderStore,
    protocol: Protocol,
    *,
    progress: Progress = silent,
    take_hits: Callable[[Level, Sides, Hits], None] | None = None,
) -> Evaluation:
    """Run a protocol at every level, or read its results where they have been computed from these embeddings.

    Args:
        store: What an encoder made of a collection, with its neighbor graph; the paper's protocol needs none.
        protocol: Which.
        progress: Told the number of levels, as step "evaluation", and queries that are searched, as step "search".
        take_hits: Given what the figures are made of, level by level; they are then computed in any case.

    Raises:
        EvaluationError: The protocol cannot be run on this collection.
        StaleError: The neighbor graph is missing or was made from other embeddings.
        StorageError: The results cannot be written.
    """
    check_current(store, protocol)
    folder = store.evaluation_folder / f"{protocol.digest}-{store.evaluated[:16]}"
    cached = read_results(folder)
    if cached is not None and take_hits is None:
        return Evaluation(protocol, *cached)
    tables, queries, hopeless = [], [], []
    progress("evaluation", 0, len(protocol.levels))
    for done, level in enumerate(protocol.levels, 1):
        sides = sides_of(store, protocol, level)
        available = _available(store, protocol, sides)
        hits = protocol_hits(store, protocol, sides, progress=progress)
        if take_hits is not None:
            take_hits(level, sides, hits)
        precision = _precision(protocol, sides, hits, available)
        codes = sides.labels.codes[sides.queries]
        hopeless.append((level, int((available == 0).sum()), len(set(codes[available == 0]))))
        tables.append(_table(store.collection.manifest, protocol, sides, precision).assign(level=level))
        per_query = pd.DataFrame({f"p@{k}": precision[:, i] for i, k in enumerate(protocol.ks)})
        per_query.insert(0, "label", np.asarray(sides.labels.values, dtype=object)[codes])
        per_query.insert(0, "row", sides.queries.astype(np.int32))
        per_query.insert(0, "level", level)
        queries.append(per_query)
        progress("evaluation", done, len(protocol.levels))
    result = Evaluation(
        protocol=protocol,
        table=pd.concat(tables, ignore_index=True)[list(protocol.columns)],
        queries=pd.concat(queries, ignore_index=True),
        notes=_notes(store, protocol, hopeless),
    )
    write_results(folder, Results(result.table, result.queries, result.notes))
    return result


def kept_evaluation(store: EncoderStore, protocol: Protocol) -> Evaluation | None:
    """What :func:`evaluate` has kept of a protocol, or None.

    Raises:
        StaleError: The neighbor graph, or, for the paper's protocol, the embeddings, are missing or older.
    """
    check_current(store, protocol)
    kept = read_results(store.evaluation_folder / f"{protocol.digest}-{store.evaluated[:16]}")
    return None if kept is None else Evaluation(protocol, *kept)


def _available(store: EncoderStore, protocol: Protocol, sides: Sides) -> npt.NDArray[np.int64]:
    """``(Q,)``; how many relevant images each query may be given."""
    manifest = store.collection.manifest
    return available_relevant(
        sides.labels.codes[sides.queries],
        sides.labels.codes,
        query_rows=sides.queries,
        gallery=sides.gallery,
        groups=[manifest.groups(name) for name in check_exclusions(protocol.exclude)],
    )


def check_current(store: EncoderStore, protocol: Protocol) -> None:
    """Do nothing if there is what a protocol needs: a neighbor graph, or, for the paper's, embeddings alone.

    Raises:
        StaleError: It is missing or was made from something else.
    """
    if protocol.name != PAPER and not store.is_current(NEIGHBORS):
        raise StaleError(
            f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
            f"missing or older. Build {store.collection.name} with {store.encoder_id} again.",
            remedy=store.rebuild,
        )
    if not store.is_current(EMBEDDINGS):
        raise StaleError(
            f"Expected embeddings of the images that {store.collection.name} has now, but those of {store.encoder_id} "
            "are missing or older. Build or import them again."
        )


def protocol_hits(store: EncoderStore, protocol: Protocol, sides: Sides, *, progress: Progress = silent) -> Hits:
    """The hits that count under a protocol, as many as its largest k.

    Args:
        store: What an encoder made of a collection; all queries have an embedding.
        protocol: Which: those of the paper's come from an exact search, all others from the neighbor graph.
        sides: Who asks and what may be returned: all that :func:`sides_of` gives, or a part of it.
        progress: Told the number of queries that are searched, as step "search".
    """
    k = max(protocol.ks)
    if protocol.name != PAPER:
        return ranked_hits(store, sides.queries, k=k, gallery=sides.gallery, exclude=protocol.exclude)
    split = store.collection.manifest.codes("split")
    # The published script asks the validation images after the test images, and leaves them out of the figures.
    validation = split.codes == (split.values.index("val") if "val" in split.values else -2)
    return rank_exactly(
        vectors_of(store),
        queries=sides.queries,
        gallery=np.flatnonzero(sides.gallery),
        k=k,
        followed_by=int((validation & store.valid & (sides.labels.codes >= 0)).sum()),
        progress=progress,
    )


def _precision(
    protocol: Protocol, sides: Sides, hits: Hits, available: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """``(Q, len(ks))``."""
    relevant = relevant_hits(hits.rows, sides.labels.codes[sides.queries], gallery_labels=sides.labels.codes)
    return precision_at_k(
        relevant,
        protocol.ks,
        divisor=protocol.divisor,
        available=available if protocol.divisor == "available" else None,
    )


def _table(manifest: Manifest, protocol: Protocol, sides: Sides, precision: npt.NDArray[np.float64]) -> pd.DataFrame:
    codes = sides.labels.codes[sides.queries]
    clusters = cluster_codes([manifest.groups("patient"), manifest.groups("duplicate")], n_rows=len(manifest))
    n_labels = len(sides.labels.values)
    intervals = _intervals(precision, codes, ks=protocol.ks, clusters=clusters[sides.queries], n_labels=n_labels)
    table = summarize(precision, codes, ks=protocol.ks, labels=sides.labels.values, intervals=intervals)
    if protocol.name == PAPER:
        spread = spread_of(precision, codes, n_labels=n_labels)
        present = np.unique(codes)
        table["std"] = np.vstack([spread.micro, spread.macro, spread.label[present]]).ravel()
    return table


def _intervals(
    precision: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int32],
    *,
    ks: Sequence[int],
    clusters: npt.NDArray[np.int64],
    n_labels: int,
) -> Intervals:
    """Intervals of all columns; of a hundred k's only for those of :data:`KS`, as each takes a thousand draws."""
    chosen = positions_with_intervals(ks)
    found = precision_intervals(precision[:, chosen], codes, clusters=clusters, n_labels=n_labels)
    if len(chosen) == len(ks):
        return found
    micro, macro = np.full((2, len(ks), 2), np.nan)
    label = np.full((n_labels, len(ks), 2), np.nan)
    micro[chosen], macro[chosen], label[:, chosen] = found.micro, found.macro, found.label
    return replace(found, micro=micro, macro=macro, label=label)


def patient_notes(store: EncoderStore, protocol: Protocol) -> list[str]:
    """What is not known of patients, and what it does to figures under a protocol; one sentence each.

    Args:
        store: What an encoder made of a collection.
        protocol: Under which the figures are made.
    """
    manifest = store.collection.manifest
    patients = manifest.groups("patient")
    unknown = int((patients < 0).sum())
    notes = []
    if "patient" in protocol.exclude and unknown:
        notes.append(
            f"{unknown} of {len(manifest)} images have no patient_id: from these, images of the same patient could not "
            "be excluded, and their figures may be too high."
        )
    if protocol.name in {"split", PAPER}:
        if unknown:
            notes.append(
                f"{unknown} of {len(manifest)} images have no patient_id: whether their patients are both in train and "
                "in test cannot be known."
            )
        split = manifest.codes("split")
        sides = [set(patients[(split.codes == split.values.index(s)) & (patients >= 0)]) for s in ("train", "test")]
        shared = len(sides[0] & sides[1])
        if shared:
            notes.append(f"Patients that are both in train and in test: {shared}. The split is not patient-disjoint.")
    return notes


def positions_with_intervals(ks: Sequence[int]) -> list[int]:
    """Of which k's intervals are computed: of all, but of the paper's hundred only of :data:`KS`.

    Example:
        >>> positions_with_intervals((1, 2)), positions_with_intervals(PAPER_KS)
        ([0, 1], [0, 2, 4, 9])
    """
    return [i for i, k in enumerate(ks) if k in KS or len(ks) < len(PAPER_KS)]


def _notes(store: EncoderStore, protocol: Protocol, hopeless: Sequence[tuple[Level, int, int]]) -> tuple[str, ...]:
    notes = patient_notes(store, protocol)
    if "duplicate" in protocol.exclude and store.collection.record.get("checked") == "exists":
        notes.append(
            "The files were not read when they were imported: exact copies are unknown and could not be excluded."
        )
    for level, queries, labels in hopeless:
        if queries:
            effect = "they count 0" if protocol.divisor == "k" else "they are left out"
            notes.append(
                f"At the level {level}, queries without any relevant image that they may be given, whatever the "
                f"encoder: {queries}, of labels: {labels}; {effect}."
            )
    failed = int((~store.valid).sum())
    if failed:
        notes.append(f"{failed} images could not be embedded and are left out; problems.csv says why.")
    if protocol.name != PAPER and store.facts(NEIGHBORS).get("method") == "approximate":
        notes.append("The hits are those of the approximate index; its recall is recorded in encoder.json.")
    return tuple(notes)
