"""What an evaluation sees of a collection: who asks, who may be returned, what is relevant, and what is available.

Owns this view, which is made in one place for all evaluations, and the hits that count in it. Knows no metrics.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import NEAR_DUPLICATES, NEIGHBORS
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE, clusters_of, groups_of
from radcbir_core.collections.manifests.manifest import Codes, Level
from radcbir_core.errors import EvaluationError, Remedy
from radcbir_core.evaluation.metrics.precision_at_k import precision_at_k
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.relevance import Available, Relevance, available_to, relevant_hits
from radcbir_core.evaluation.seen import seen_notes, seen_of
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits, Recall
from radcbir_core.search.engines.exact_ranking import rank_exactly
from radcbir_core.search.neighbors.graph import NEIGHBORS as NEIGHBORS_KEPT
from radcbir_core.search.neighbors.graph import known_hits, ranked_hits
from radcbir_core.search.opening import vectors_of

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class GalleryView:
    """A collection as one protocol and one relevance see it. Made by :func:`gallery_view`.

    Attributes:
        store: What an encoder made of the collection.
        protocol: Which.
        relevance: Of all images.
        queries: ``(Q,)`` rows, ascending.
        gallery: ``(N,)`` bool, which images may be returned.
        groups: ``(N,)`` codes of each group that a query may not return its fellows of, -1 = not known.
        clusters: ``(N,)`` what is one piece of evidence: the patient where it is known.
        seen: ``(S,)`` rows, ascending: of all that could ask, those that an encoder has seen in training. They are
            among the queries where the protocol lets them count.
    """

    store: EncoderStore
    protocol: Protocol
    relevance: Relevance
    queries: Rows
    gallery: npt.NDArray[np.bool_]
    groups: tuple[npt.NDArray[np.int32], ...]
    clusters: npt.NDArray[np.int64]
    seen: Rows

    @cached_property
    def with_seen(self) -> GalleryView:
        """The same, asked by those that were seen in training as well."""
        asks = self._mask(self.queries)
        if asks[self.seen].all():
            return self
        asks[self.seen] = True
        return self.asked_by(np.flatnonzero(asks))

    @cached_property
    def without_seen(self) -> GalleryView:
        """The same, asked by those alone that were not seen in training."""
        rows = self.queries[~self._mask(self.seen)[self.queries]]
        return self if len(rows) == len(self.queries) else self.asked_by(rows)

    def asked_also_by(self, other: GalleryView) -> npt.NDArray[np.bool_]:
        """``(Q,)``; which of the queries are those of another view of the collection too."""
        mine: npt.NDArray[np.bool_] = self._mask(other.queries)[self.queries]
        return mine

    def _mask(self, rows: Rows) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(self.gallery), dtype=np.bool_)
        mask[rows] = True
        return mask

    @cached_property
    def seen_lines(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        """As :attr:`lines`, of the images that were seen."""
        return self.relevance.label_lines(self.seen)

    @cached_property
    def lines(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        """A line a query and label that it counts under: the position of the query, and the code of the label."""
        return self.relevance.label_lines(self.queries)

    @cached_property
    def available(self) -> Available:
        """How many images of each grade every query could be given."""
        return available_to(self.queries, relevance=self.relevance, gallery=self.gallery, groups=self.groups)

    @cached_property
    def allowed(self) -> npt.NDArray[np.int64]:
        """``(Q,)``; how many images every query could be given at all, relevant or not."""
        alike = Relevance(("",), ((0,),), np.zeros(len(self.gallery), dtype=np.int32))
        return available_to(self.queries, relevance=alike, gallery=self.gallery, groups=self.groups).relevant

    @cached_property
    def places(self) -> Codes:
        """The modality and anatomy of every image, such as "XR/chest"; -1 where one of them is not known."""
        modality, anatomy = (self.store.collection.manifest.codes(name) for name in ("modality", "anatomy"))
        both = (modality.codes >= 0) & (anatomy.codes >= 0)
        codes = np.where(both, modality.codes * len(anatomy.values) + anatomy.codes, -1).astype(np.int32)
        return Codes(tuple("/".join(pair) for pair in itertools.product(modality.values, anatomy.values)), codes)

    @cached_property
    def allowed_alike(self) -> npt.NDArray[np.int64]:
        """``(Q,)``; how many of them are of the query's modality and anatomy; 0 where these are not known."""
        return self.allowed_with(self.places)

    def allowed_with(self, codes: Codes) -> npt.NDArray[np.int64]:
        """``(Q,)``; how many images with the query's own value every query could be given; 0 where it has none."""
        alike = Relevance.of_codes(codes)
        return available_to(self.queries, relevance=alike, gallery=self.gallery, groups=self.groups).relevant

    def asked_by(self, rows: Rows) -> GalleryView:
        """The same gallery with other queries, such as a part of them."""
        return replace(self, queries=np.asarray(rows, dtype=np.intp))

    def asks_the_same(self, other: GalleryView) -> bool:
        """Whether the hits of the two are the same: the same queries under the same protocol, and the same gallery."""
        return (
            self.store is other.store
            and self.protocol == other.protocol
            and np.array_equal(self.queries, other.queries)
            and np.array_equal(self.gallery, other.gallery)
            and (not self.protocol.exact or self._asked_afterwards == other._asked_afterwards)
        )

    def within(self, gallery: npt.NDArray[np.bool_]) -> GalleryView:
        """The same queries with another gallery, such as a part of it."""
        return replace(self, gallery=gallery)

    def hits(self, k: int | None = None, *, store: EncoderStore | None = None, progress: Progress = silent) -> Hits:
        """The first k hits of each query that count under the protocol.

        Args:
            k: How many; as many as the protocol's largest k by default.
            store: Whose hits, where several encoders share one view.
            progress: Told the number of queries that are searched, as step "search".
        """
        mine, number = store or self.store, k or max(self.protocol.ks)
        if not self.protocol.exact:
            return ranked_hits(
                mine,
                self.queries,
                k=number,
                gallery=self.gallery,
                exclude=self.protocol.exclude,
                groups_by=self.store,
            )
        return rank_exactly(
            vectors_of(mine),
            queries=self.queries,
            gallery=np.flatnonzero(self.gallery),
            k=number,
            followed_by=self._asked_afterwards,
            progress=progress,
        )

    def known_hits(self, k: int = NEIGHBORS_KEPT) -> Hits:
        """Of the first k hits of each query those that the neighbor graph has; nothing is searched."""
        return known_hits(self.store, self.queries, k=k, gallery=self.gallery, exclude=self.protocol.exclude)

    @property
    def _asked_afterwards(self) -> int:
        """The published script asks the validation images after the test images, and leaves them out of the figures."""
        split = self.store.collection.manifest.codes("split")
        validation = split.codes == (split.values.index("val") if "val" in split.values else -2)
        return int((validation & self.store.valid & (self.relevance.kinds >= 0)).sum())

    def relevant(self, hits: Hits) -> npt.NDArray[np.bool_]:
        """``(Q, K)``; which of the queries' hits are relevant."""
        return relevant_hits(hits.rows, query_rows=self.queries, relevance=self.relevance)

    def precision(self, hits: Hits) -> npt.NDArray[np.float64]:
        """``(Q, len(ks))``; P@k of every query at every k of the protocol, by its divisor and its rule."""
        return precision_at_k(
            self.relevant(hits),
            self.protocol.ks,
            available=self.available.relevant,
            divisor=self.protocol.divisor,
            empty=self.protocol.empty,
        )


def gallery_view(
    store: EncoderStore,
    protocol: Protocol,
    relevant: Level | Relevance,
    *,
    beside: Sequence[EncoderStore | None] = (),
) -> GalleryView:
    """A collection as a protocol sees it.

    Images that take no part in what is relevant are on neither side, nor are those without an embedding. What one of
    the encoders has seen in training asks nothing, unless the protocol lets it count; it may be returned.

    Args:
        store: What an encoder made of a collection.
        protocol: Which.
        relevant: What is relevant: the same label of a level, or more than that.
        beside: Other encoders that are to see the same: images count that all of them could embed. None is chance.

    Raises:
        EvaluationError: The protocol needs a split into train and test that the collection has not.
        QueryError: An unknown level.
    """
    manifest = store.collection.manifest
    relevance = relevant if isinstance(relevant, Relevance) else Relevance.of_codes(manifest.labels(relevant))
    usable = store.valid & (relevance.kinds >= 0)
    for other in beside:
        usable = usable if other is None else usable & other.valid
    queries = gallery = usable
    if protocol.split:
        train, test = split_sides(store)
        queries, gallery = usable & test, usable & train
    seen = np.logical_or.reduce([seen_of(one).rows for one in (store, *beside) if one is not None]) & queries
    return GalleryView(
        store=store,
        protocol=protocol,
        relevance=relevance,
        queries=np.flatnonzero(queries & ~seen if protocol.seen == "skip" else queries),
        gallery=gallery,
        groups=tuple(groups_of(store, protocol.exclude)),
        clusters=clusters_of(store),
        seen=np.flatnonzero(seen),
    )


def asked_view(
    store: EncoderStore, protocol: Protocol, relevant: Level | Relevance, *, labels: str = "a label at this level"
) -> GalleryView:
    """A collection as a protocol sees it, if anybody asks and anything may be returned.

    Args:
        store: What an encoder made of a collection.
        protocol: Which.
        relevant: As :func:`gallery_view` takes it.
        labels: What images need to take part, for the error.

    Raises:
        EvaluationError: There are no queries, or the gallery is empty.
        QueryError: An unknown level.
    """
    view = gallery_view(store, protocol, relevant)
    if not len(view.queries) and len(view.seen):
        raise EvaluationError(
            f"Expected queries that {store.encoder_id} has not seen in training, but it has seen all "
            f"{len(view.seen)} of {store.collection.name} that could ask. Let them count (seen = count), or choose "
            "another encoder."
        )
    if not len(view.queries) or not view.gallery.any():
        raise EvaluationError(
            f"Expected queries and a gallery of images with {labels}, but {store.collection.name} has "
            f"{len(view.queries)} such queries and {int(view.gallery.sum())} such images in the gallery. "
            "Fill these columns by a table of corrections, or choose another level.",
            remedy=Remedy("relabel", store.collection.name),
        )
    return view


def split_sides(store: EncoderStore) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which images are of split train, and which of split test.

    Raises:
        EvaluationError: There are none of one of them.
    """
    split = store.collection.manifest.codes("split")
    if not {"train", "test"} <= set(split.values):
        there = ", ".join(f"{n} {value}" for value, n in split.counts().items()) or "no split at all"
        raise EvaluationError(
            f"Expected images of split train and of split test, but {store.collection.name} has {there}. "
            "Choose the protocol leave-one-out, or fill its column split by a table of corrections.",
            remedy=Remedy("relabel", store.collection.name),
        )
    train, test = (split.codes == split.values.index(name) for name in ("train", "test"))
    return train, test


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
    if unknown:
        what = "other images" if NEAR_DUPLICATE in protocol.exclude else "images"
        high = f"; {what} of their patients could not be excluded, and figures may be too high"
        notes.append(
            f"{unknown:,} of {len(manifest):,} images have no patient_id: each counts as a patient of its own, and "
            f"intervals may be too narrow{high if 'patient' in protocol.exclude else ''}."
        )
        if NEAR_DUPLICATE in protocol.exclude:
            too = " too" if "patient" in protocol.exclude else ""
            notes.append(f"Near-duplicates are excluded{too}: where the patient is not known, they may be of the same.")
        elif "patient" in protocol.exclude and not store.is_current(NEAR_DUPLICATES):
            notes.append(
                "Near-duplicates are not known, and stay among the hits; of images without a patient_id they may be of "
                "the query's patient."
            )
    if protocol.split:
        if unknown:
            notes.append(
                f"{unknown:,} of {len(manifest):,} images have no patient_id: whether their patients are both in train "
                "and in test cannot be known."
            )
        train, test = (patients[side & (patients >= 0)] for side in split_sides(store))
        shared = len(np.intersect1d(train, test))
        if shared:
            notes.append(f"Patients that are both in train and in test: {shared}. The split is not patient-disjoint.")
    return notes


def view_notes(store: EncoderStore, protocol: Protocol) -> list[str]:
    """What one has to know of every figure made from the hits of a protocol; one sentence each.

    Args:
        store: What an encoder made of a collection.
        protocol: Under which the figures are made.
    """
    notes = [*seen_notes(store, protocol.seen), *patient_notes(store, protocol)]
    if "duplicate" in protocol.exclude and store.collection.record.get("checked") == "exists":
        notes.append(
            "The files were not read when they were imported: exact copies are unknown and could not be excluded."
        )
    failed = int((~store.valid).sum())
    if failed:
        notes.append(f"{failed} images could not be embedded and are left out; problems.csv says why.")
    graph = store.facts(NEIGHBORS)
    if not protocol.exact and graph.get("method") == "approximate":
        said = Recall.of_facts(graph).said()
        notes.append(f"The neighbor graph, whose hits these are, is approximate, {said}.")
    return notes
