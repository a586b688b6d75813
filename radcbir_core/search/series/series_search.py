"""A whole series as the query, whole series as the hits.

Owns who asks (the slices of a series of the collection, or of a volume from outside), which series may be returned, and
the answer with the slice that fits best. The rules are votes.py's. Slices are searched one by one for candidates; these
are then compared in full, so that a rule sees every slice of each.

An image without a series is one of its own. The query's own series is never a hit, and what ``exclude`` names is left
out for all of its slices at once: what one of them may not return, none may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import QueryError
from radcbir_core.images import Limits, decode_image, is_volume_name, read_volume
from radcbir_core.notebook_html import Card, gallery
from radcbir_core.search.backend import Exclusion, Mask, Rows, unit
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.queries.query import EmbeddedQuery, Known, Means, Measure, RowQuery, VectorQuery
from radcbir_core.search.retriever import Retriever, Where
from radcbir_core.search.series.votes import (
    DEPTH,
    WORDS,
    Rule,
    best_of_series,
    check_rule,
    combsum_of_series,
    scores,
)
from radcbir_core.storage import digest_of
from radcbir_core.wording import counted

DEFAULT_RULE: Final[Rule] = "mean-best"
"""The rule where nobody chose; why, is in docs/series.md."""

MOST_SLICES: Final = 64
"""Of a series with more slices as many ask, evenly spread, unless ``every`` says otherwise."""

COLUMNS: Final = (
    *("rank", "series_id", "score", "slices", "image_id", "similarity", "query_slice"),
    *("modality", "anatomy", "pathologies", "patient_id", "dataset"),
)

_CANDIDATES_A_HIT = 10
_FEWEST_CANDIDATES = 100
_DEEPEST = 6400  # hits of a slice, among which few series are taken for all that matter


@dataclass(frozen=True, slots=True, eq=False)
class VolumeQuery:
    """Slices of a volume from outside, which ask together.

    Attributes:
        pixels: Of each slice, as an image is decoded.
        numbers: Which slices they are, counted from 0.
        sha256: Of the file; "" where there is none.
    """

    pixels: tuple[npt.NDArray[np.uint8], ...]
    numbers: tuple[int, ...]
    sha256: str = ""
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="if in the collection", init=False)

    @classmethod
    def of_file(cls, path: Path, *, every: int | None = None, limits: Limits | None = None) -> VolumeQuery:
        """A volume in a file: NIfTI, a multi-frame DICOM object, or a TIFF of several pages.

        Args:
            path: The file.
            every: Every so many of its slices ask; as many as makes :data:`MOST_SLICES` at most by default.
            limits: What the file may cost.

        Raises:
            QueryError: It is not there.
            ImageError: It cannot be decoded.
        """
        if not path.is_file():
            raise QueryError(f"Expected a file of a volume, but {path} does not exist. Check the path.")
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        read = partial(decode_image, path, limits=limits or Limits())
        volume = is_volume_name(path.name)
        number = read_volume(path, limits=limits or Limits()).slices if volume else read().frames
        chosen = thinned(number, every)
        if number == 1:
            return cls((read().pixels,), (0,), sha256)
        return cls(tuple(read(frame=frame).pixels for frame in chosen), tuple(chosen), sha256)

    def embed(self, means: Means) -> EmbeddedQuery:
        """What the encoder makes of each slice."""
        embeddings = means.encoder().encode_images(list(self.pixels))
        return EmbeddedQuery(self, unit(embeddings, dimension=means.searcher.dimension))

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """What the volume's own slices may not return, where the collection has it; else nothing."""
        rows = self.rows_in(store.collection)
        return _for_all(exclusions_of(store, rows, exclude), queries=len(self.pixels)) if len(rows) else []

    def rows_in(self, collection: Collection) -> Rows:
        """The rows of its very file in a collection."""
        if not self.sha256:
            return np.empty(0, dtype=np.intp)
        digests = [self.sha256, *(digest_of(self.sha256, str(number)) for number in self.numbers)]
        found = [collection.manifest.rows_with("sha256", digest) for digest in digests]
        return np.concatenate(found).astype(np.intp)


@dataclass(frozen=True, slots=True)
class SeriesHit:
    """One series of an answer.

    Attributes:
        series_id: Its name; "" for an image without a series.
        score: By the rule.
        row: Its slice that fits best.
        slices: How many it has in the collection.
        similarity: Of the two slices that fit best.
        query_slice: Which of the query's slices that is, as a position among those that asked.
    """

    series_id: str
    score: float
    row: int
    slices: int
    similarity: float
    query_slice: int


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """The series that are most like a query's, best first.

    Attributes:
        collection: What was searched.
        encoder_id: With which encoder.
        asked: Who asked: the rows of the query's slices, or the numbers of the slices of a volume from outside.
        from_collection: Which of the two.
        rule: By which the votes were counted.
        hits: The series.
        notes: What to know about how it was searched, a sentence each.
    """

    collection: Collection
    encoder_id: str
    asked: tuple[int, ...]
    from_collection: bool
    rule: Rule
    hits: tuple[SeriesHit, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.hits)

    def rows(self) -> npt.NDArray[np.int32]:
        """The row of the slice that fits best, of each series."""
        return np.array([hit.row for hit in self.hits], dtype=np.int32)

    def table(self) -> pd.DataFrame:
        """The hits with what is known of their best slice: :data:`COLUMNS`, best first.

        ``query_slice`` is the slice of the query that it fits: its image_id, or its number in a volume from outside.
        """
        names = ["image_id", "modality", "anatomy", "pathologies", "patient_id", "dataset"]
        table = self.collection.manifest.rows(self.rows(), names)
        table["rank"] = np.arange(1, len(self.hits) + 1)
        for name in ("series_id", "score", "slices", "similarity"):
            table[name] = [getattr(hit, name) for hit in self.hits]
        asked = [self.asked[hit.query_slice] for hit in self.hits]
        manifest = self.collection.manifest
        table["query_slice"] = [manifest.image_id(one) if self.from_collection else str(one) for one in asked]
        return table[list(COLUMNS)]

    @property
    def said(self) -> str:
        """By what the series were ordered, in a sentence."""
        return (
            f"{counted(len(self.asked), 'slice')} asked, and series are ordered by {WORDS[self.rule]}; shown of each "
            "is the slice that is most like one of them."
        )

    def _repr_html_(self) -> str:
        cards = []
        for rank, (hit, line) in enumerate(zip(self.hits, self.table().to_dict("records"), strict=True), start=1):
            words = [f"{rank} · {hit.score:.3f}", line["modality"], line["anatomy"], ", ".join(line["pathologies"])]
            cards.append(
                Card(self.collection.thumbnail(hit.row), [str(word) for word in words if word], str(line["series_id"]))
            )
        title = (
            f"{counted(len(cards), 'series', 'series')} in {self.collection.title} by {self.encoder_id}: rank · score"
        )
        return gallery(cards, title=title, notes=(self.said, *self.notes))


def thinned(number: int, every: int | None) -> list[int]:
    """Which of so many slices ask: every so many from the middle of the first stretch on.

    Args:
        number: How many there are.
        every: Takes one of so many; by default as many as makes :data:`MOST_SLICES` at most.

    Raises:
        QueryError: ``every`` is below 1.

    Example:
        >>> thinned(10, 4), thinned(3, None), len(thinned(1000, None))
        ([2, 6], [0, 1, 2], 62)
    """
    if every is not None and every < 1:
        raise QueryError(f"Expected every so many slices, at least 1, but every = {every}. Choose a number.")
    step = every or -(-number // MOST_SLICES)
    return list(range(min(step // 2, number // 2), number, step))


def series_codes(collection: Collection) -> npt.NDArray[np.int32]:
    """``(N,)`` the series of each image, from 0 on; an image without one has a code of its own.

    Args:
        collection: Any.
    """
    groups = collection.manifest.groups("series")
    alone = groups < 0
    codes = groups.copy()
    codes[alone] = int(groups.max(initial=-1)) + 1 + np.arange(np.count_nonzero(alone), dtype=np.int32)
    return codes


def rows_of_series(collection: Collection, row: int) -> Rows:
    """The rows of the series that an image belongs to, in the order of their slices; of one without a series, itself.

    Args:
        collection: Which has it.
        row: Of the image.
    """
    groups = collection.manifest.groups("series")
    mine = int(groups[row])
    return np.array([row], dtype=np.intp) if mine < 0 else np.flatnonzero(groups == mine)


def search_series(
    retriever: Retriever,
    asked: int | str | VolumeQuery,
    *,
    k: int = 10,
    rule: str = DEFAULT_RULE,
    every: int | None = None,
    where: Where | None = None,
    among: Mask | None = None,
    exclude: Sequence[str] = (),
) -> SeriesAnswer:
    """The series that are most like the query's.

    Args:
        retriever: Of a collection and an encoder.
        asked: A row or an image_id of the collection, whose whole series asks; or a volume from outside.
        k: How many series.
        rule: Of :data:`~radcbir_core.search.series.votes.RULES`.
        every: Every so many slices of the query's series ask; :data:`MOST_SLICES` at most by default.
        where: Which images may be returned: column → accepted values.
        among: ``(N,)`` bool; the images that alone may be returned, beside ``where``.
        exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`; the own series is left out in any case.

    Raises:
        QueryError: An unknown rule, column, value or exclusion; no slice of the query's series has an embedding.
        ImageNotFoundError: The collection has no image of that image_id.
        EncoderError: The encoder cannot be loaded here.
        StaleError: The encoder here is not the one that the embeddings were made with.
    """
    chosen, collection, store = check_rule(rule), retriever.collection, retriever.store
    if k < 1:
        raise QueryError(f"Expected at least one series, but k = {k}. Ask for 1 or more.")
    if isinstance(asked, VolumeQuery):
        embedded = retriever.embed(asked)
        own = asked.rows_in(collection)
        left_out = asked.exclusions(store, [*exclude, "series"])
        names: tuple[int, ...] = asked.numbers
    else:
        row = collection.manifest.row_of(asked) if isinstance(asked, str) else asked
        own, rows = _asking(store, row, every)
        embedded = retriever.embed(RowQuery(tuple(rows.tolist())))
        left_out = exclusions_of(store, rows, exclude)
        names = tuple(rows.tolist())
    allowed = store.valid.copy()
    allowed[own] = False
    for exclusion in left_out:
        for query in range(len(exclusion.query_groups)):
            allowed[exclusion.rows(query)] = False
    filtered = retriever.allowed(where)
    for mask in (filtered, among):
        if mask is not None:
            allowed &= mask
    codes = series_codes(collection)
    plain = EmbeddedQuery(VectorQuery(embedded.vectors), embedded.vectors)  # what may be returned is decided already
    candidates, sums = _candidates(retriever, plain, codes, allowed=allowed, k=k)
    outside = isinstance(asked, VolumeQuery)
    answer = SeriesAnswer(collection, store.encoder_id, names, not outside, chosen, ())
    if not len(candidates):
        return answer
    members = np.flatnonzero(allowed & np.isin(codes, candidates))
    members = members[np.argsort(codes[members], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[members], prepend=-1))
    similarities = embedded.vectors @ retriever.embed(RowQuery(tuple(members.tolist()))).vectors.T
    best = best_of_series(similarities, starts)
    found = scores(best, chosen, combsum=sums)
    order = np.argsort(-found, kind="stable")[:k]
    hits = []
    ends = np.append(starts[1:], len(members))
    ids = _names_of(collection, members[starts[order]])
    for place, series_id in zip(order.tolist(), ids, strict=True):
        part = similarities[:, starts[place] : ends[place]]
        query, member = divmod(int(part.argmax()), part.shape[1])
        hits.append(
            SeriesHit(
                series_id,
                float(found[place]),
                int(members[starts[place] + member]),
                int(np.count_nonzero(codes == codes[members[starts[place]]])),
                float(min(part[query, member], 1.0)),
                query,
            )
        )
    return replace(answer, hits=tuple(hits))


def _asking(store: EncoderStore, row: int, every: int | None) -> tuple[Rows, Rows]:
    """The rows of the series of an image, and those of them that ask."""
    total = len(store.collection)
    if not 0 <= row < total:
        raise QueryError(f"Expected rows from 0 to {total - 1}, but row = {row}. Choose another image.")
    own = rows_of_series(store.collection, row)
    usable = own[store.valid[own]]
    if not len(usable):
        raise QueryError(
            f"Expected a series with an embedding, but no image of that of row {row} could be embedded. "
            "See problems.csv for the reason, and choose another."
        )
    return own, usable[thinned(len(usable), every)]


def _for_all(exclusions: Sequence[Exclusion], *, queries: int) -> list[Exclusion]:
    """What some rows may not return, as what each of so many queries may not."""
    return [
        Exclusion(exclusion.groups, np.full(queries, group, dtype=np.int32))
        for exclusion in exclusions
        for group in np.unique(exclusion.query_groups)
        if group >= 0
    ]


def _candidates(
    retriever: Retriever, query: EmbeddedQuery, codes: npt.NDArray[np.int32], *, allowed: Mask, k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """The series that have hits, ascending, so many that k can be chosen among them; and what CombSUM says of each."""
    wanted = max(_CANDIDATES_A_HIT * k, _FEWEST_CANDIDATES)
    there, depth = int(np.count_nonzero(allowed)), DEPTH
    if not there:
        return np.empty(0, dtype=np.int32), np.empty(0)
    first = None
    while True:
        hits = retriever.search(query, k=min(depth, there), among=allowed).hits
        first = first if first is not None else hits
        found = np.unique(codes[hits.rows[hits.rows >= 0]])
        if len(found) >= wanted or depth >= there or (depth >= _DEEPEST and len(found) >= k):
            break
        depth *= 4
    numbered = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
    numbered[found] = np.arange(len(found))
    sums = combsum_of_series(first.rows, first.similarities, numbered[codes], number=len(found))
    return found.astype(np.int32), sums


def _names_of(collection: Collection, rows: Rows) -> list[str]:
    if "series_id" not in collection.manifest.column_names:
        return [""] * len(rows)
    return [str(name or "") for name in collection.manifest.rows(rows, ["series_id"])["series_id"]]
