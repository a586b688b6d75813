"""A query → ranked hits, on one collection and one encoder.

Owns the answer to a query: the filter, the exclusions, the hits, and the table of them. What a query is, is query.py's;
searching is searcher.py's; making an embedding of an image or a sentence is the encoder's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import EMBEDDINGS, TILES
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.errors import CollectionError, QueryError, StaleError
from radcbir_core.notebook_html import Card, gallery
from radcbir_core.search.backend import Hits, Mask
from radcbir_core.search.engines.best_tiles import best_tiles
from radcbir_core.search.hubness.hub_orders import ORDERS, Order, candidates, checked_order, hub_order
from radcbir_core.search.opening import index_note, searcher_of, tiles_of
from radcbir_core.search.queries.anatomy import anatomy_of, showing
from radcbir_core.search.queries.composed import middle_of_sentences
from radcbir_core.search.queries.query import (
    MEASURES,
    Asked,
    EmbeddedQuery,
    Means,
    Measure,
    of_region_and_rest,
    query_of,
)
from radcbir_core.search.queries.region import Box
from radcbir_core.search.queries.tile_grid import boxes_in, found_said
from radcbir_core.wording import counted

HIT_COLUMNS = (
    "rank",
    "image_id",
    "path",
    "similarity",
    "modality",
    "anatomy",
    "pathologies",
    "patient_id",
    "dataset",
)

Where = Mapping[str, Sequence[str]]

_SHOWN_QUERIES = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a query, and what is needed to show them.

    Attributes:
        collection: What was searched.
        encoder_id: With which encoder.
        query: What was asked.
        hits: What was found, and by which engine; one line a query.
        search_notes: What to know about how it was searched, a sentence each.
        within: The modality and anatomy that alone were searched; None where all were.
        order: By what the hits are ordered.
        ranks: ``(Q, k)`` the ranks that they have by cosine, from 1; None where that is their order.
        candidates: How many hits by cosine were put in that order.
        boxes: The regions of each image among which was searched; empty where whole images were.
        regions: ``(Q, k)`` which of them of each hit was found, -1 where there is no hit; None where whole images were.
    """

    collection: Collection
    encoder_id: str
    query: EmbeddedQuery
    hits: Hits
    search_notes: tuple[str, ...] = ()
    within: tuple[str, str] | None = None
    order: Order = "cosine"
    ranks: npt.NDArray[np.int32] | None = None
    candidates: int = 0
    boxes: tuple[Box, ...] = ()
    regions: npt.NDArray[np.int16] | None = None

    @property
    def ordered_by(self) -> str:
        """By what other measure than the numbers beside them the hits are ordered, in a sentence.

        It is "" where they are ordered by these, and where there are no two that could change places.
        """
        if self.ranks is None or self.candidates < 2:
            return ""
        return (
            f"Ordered by {ORDERS[self.order]}, which holds hubs back: the first {self.candidates:,} by cosine were put "
            "in this order. The numbers are still cosines."
        )

    @property
    def measure(self) -> Measure:
        """What the numbers beside the hits are."""
        return self.query.query.measure

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about how the query was read and searched, a sentence each."""
        return (*self.query.notes, *self.search_notes)

    def __len__(self) -> int:
        """How many hits the first query has."""
        return int(self.hits.counts[0])

    def rows(self, query: int = 0) -> npt.NDArray[np.int32]:
        """The rows of the hits of one query, best first."""
        return self.hits.rows[query, : self.hits.counts[query]]

    def similarities(self, query: int = 0) -> npt.NDArray[np.float32]:
        """As many similarities."""
        return self.hits.similarities[query, : self.hits.counts[query]]

    def found_boxes(self, query: int = 0) -> list[Box]:
        """Where in each hit of one query it was found, best hit first; empty where whole images were searched."""
        if self.regions is None:
            return []
        return [self.boxes[at] for at in self.regions[query, : self.hits.counts[query]].tolist()]

    def table(self, query: int = 0) -> pd.DataFrame:
        """The hits of one query with what is known of them: :data:`HIT_COLUMNS`, best first.

        The column of the number is called by :attr:`measure`. Where hits are ordered by another measure than cosine,
        ``cosine_rank`` comes after ``rank``; where regions were searched, ``region`` comes last: left, top, right and
        bottom in thousandths.
        """
        rows = self.rows(query)
        columns = [name for name in HIT_COLUMNS if name not in ("rank", "similarity")]
        table = self.collection.manifest.rows(rows, columns)
        table["rank"] = np.arange(1, len(rows) + 1)
        table[self.measure] = self.similarities(query)
        names = [self.measure if name == "similarity" else name for name in HIT_COLUMNS]
        if self.ranks is not None:
            table["cosine_rank"] = self.ranks[query, : len(rows)]
            names.insert(1, "cosine_rank")
        if self.regions is not None:
            table["region"] = [box.word for box in self.found_boxes(query)]
            names.append("region")
        return table[names]

    def _repr_html_(self) -> str:
        """The hits of every query as a gallery, as a notebook shows it; at most ten queries."""
        shown = range(min(len(self.hits.counts), _SHOWN_QUERIES))
        return "".join(self._gallery(query) for query in shown)

    def _gallery(self, query: int) -> str:
        cards = []
        places = [found_said(box) for box in self.found_boxes(query)] or [""] * len(self.rows(query))
        for row, line, place in zip(
            self.rows(query).tolist(), self.table(query).to_dict("records"), places, strict=True
        ):
            words = [f"{line['rank']} · {line[self.measure]:.3f}", line["modality"], line["anatomy"]]
            words += [", ".join(line["pathologies"]), place]
            about = str(line["image_id"])
            cards.append(Card(self._thumbnail(row), [str(word) for word in words if word], about))
        measure = MEASURES[self.measure]
        title = f"{counted(len(cards), 'hit')} in {self.collection.title} by {self.encoder_id}: rank · {measure}"
        return gallery(
            cards, title=title, notes=(*self.notes, f"{self.hits.found_by().capitalize()}. {self.ordered_by}".strip())
        )

    def _thumbnail(self, row: int) -> bytes | None:
        try:
            return self.collection.thumbnail(row)
        except CollectionError:
            return None  # damaged on disk: one card without a picture


class Retriever:
    """Everything that answers queries on one collection with one encoder. Safe to share between threads.

    Args:
        collection: The gallery.
        encoder_id: What its embeddings were made with.
        encoder: Gives that encoder, for queries from outside the collection; by default it is loaded when it is first
            needed, and kept.

    Raises:
        CollectionError: The collection was not built with that encoder.
        StaleError: The embeddings were made of other images than the collection has now.
    """

    def __init__(
        self, collection: Collection, encoder_id: str, *, encoder: Callable[[], Encoder] | None = None
    ) -> None:
        self.collection = collection
        self.store = collection.store(encoder_id)
        if not self.store.is_current(EMBEDDINGS):
            raise StaleError(
                f"Expected embeddings of the images that {collection.name} has now, but those of {encoder_id} are "
                f"missing or of others. Build {collection.name} with {encoder_id} again.",
                remedy=self.store.rebuild,
            )
        self._searcher = searcher_of(self.store)
        self._notes = tuple(filter(None, [index_note(self.store)]))
        self._tiles = cache(partial(tiles_of, self.store))
        self._middle = cache(lambda: middle_of_sentences(self.store, self._encoder()))
        self._load = cache(partial(load_encoder, self.store.spec)) if encoder is None else encoder

    def search(
        self,
        asked: Asked | EmbeddedQuery,
        *,
        k: int = 10,
        where: Where | None = None,
        among: Mask | None = None,
        exclude: Sequence[str] = (),
        within_anatomy: bool = False,
        order: str = "cosine",
        regions: bool = False,
    ) -> Answer:
        """The hits of a query.

        Args:
            asked: A query; or a row, an image_id, a path, bytes or pixels, which stand for one; or an embedded query.
            k: How many hits; of more than there are images, so many as these.
            where: Which images may be returned: column → accepted values.
            among: ``(N,)`` bool; the images that alone may be returned, beside what ``where`` lets through, such as
                those of a part of the map.
            exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`. An image never returns itself; of an
                image from outside they are known where its very file is in the collection; a sentence has none.
            within_anatomy: Whether only images of the query's own modality and anatomy may be returned, beside what
                ``where`` lets through.
            order: Of :data:`~radcbir_core.search.hubness.hub_orders.ORDERS`: by cosine, or by what holds hubs back,
                which puts the first :func:`~radcbir_core.search.hubness.hub_orders.candidates` by cosine in another
                order; filters and exclusions hold for these.
            regions: Whether the query is compared with the regions of each image that were embedded by themselves, the
                whole among them, instead of with whole images; an image is then as similar as its best region, which
                the answer tells. Of a query of a region and more, the region alone is compared with regions. Always
                exact, and in the order of cosine.

        Raises:
            QueryError: An unknown column, value, exclusion or order; k below 1; a query that cannot be searched with,
                whose anatomy is to be kept to and is not known, or whose hits cannot be ordered so.
            ImageNotFoundError: The collection has no image of that image_id.
            ImageError: An image file cannot be decoded.
            EncoderError: The encoder cannot read such a query, or cannot be loaded here.
            StaleError: The encoder here is not the one that the embeddings were made with; or the neighbor graph,
                which another order than by cosine needs, or the regions are missing or older.
        """
        query = asked if isinstance(asked, EmbeddedQuery) else query_of(asked, self.collection)
        plain = query.query if isinstance(query, EmbeddedQuery) else query
        # What a query cannot be asked for is said before an encoder is loaded for it.
        within = anatomy_of(plain, self.collection) if within_anatomy else None
        allowed = self.allowed(where)
        if among is not None:
            allowed = among if allowed is None else allowed & among
        if within is not None:
            same = showing(within, self.collection)
            allowed = same if allowed is None else allowed & same
        by = checked_order(order, plain, self.store)
        if regions and by != "cosine":
            raise QueryError(
                f"Expected regions in the order of cosine, but order = {order!r}: how near an image is to all others "
                "is known of whole images alone. Search whole images, or order by cosine."
            )
        tiles = self._tiles() if regions else None  # said before an encoder is loaded
        # Room is made for all hits that are asked for, whether they are there or not.
        k = min(k, max(len(self.collection), 1))
        embedded = query if isinstance(query, EmbeddedQuery) else self.embed(query)
        exclusions = embedded.query.exclusions(self.store, exclude)
        search = partial(self._searcher.search, embedded.vectors, exclusions=exclusions)
        answer = Answer(self.collection, self.store.encoder_id, embedded, Hits.empty(0, 0), self._notes, within)
        if tiles is not None:
            source, per = tiles
            valid = self.store.valid if allowed is None else self.store.valid & allowed
            boxes = boxes_in(self.store.facts(TILES), tiles=per)
            part, rest = of_region_and_rest(embedded)
            found_in = best_tiles(source, part, per=per, k=k, allowed=valid, exclusions=exclusions, wholes=rest)
            return replace(answer, hits=found_in.hits, boxes=boxes, regions=found_in.tiles, search_notes=())
        if by == "cosine":
            return replace(answer, hits=search(k=k, allowed=allowed))
        number = candidates(k)
        found = search(k=number, allowed=allowed)
        # As far as the candidates reach, so that a filter that lets everything through changes nothing.
        own = found if allowed is None else search(k=number)
        places = hub_order(found, by, self.store, own=own, exclude=exclude)[:, :k]
        hits = replace(found.in_order(places), counts=np.minimum(found.counts, k))
        ranks = (places + 1).astype(np.int32)
        return replace(answer, hits=hits, order=by, ranks=ranks, candidates=int(found.counts.max(initial=0)))

    def embed(self, asked: Asked, *, made: Sequence[EmbeddedQuery] = ()) -> EmbeddedQuery:
        """A query with its vectors, which can be searched with any number of times.

        Args:
            asked: As in :meth:`search`.
            made: What this retriever has made of parts of it before; these are not embedded again.

        Raises:
            QueryError: As :meth:`search`, and all its further errors.
        """
        return query_of(asked, self.collection).embed(replace(self.means, made=made))

    @property
    def means(self) -> Means:
        """What queries are turned into vectors with here."""
        return Means(self.store, self._searcher, self._encoder, self._middle)

    def allowed(self, where: Where | None) -> Mask | None:
        """Which images a filter lets through; ``None`` without a filter."""
        return self.collection.manifest.mask(where) if where else None

    def _encoder(self) -> Encoder:
        encoder = self._load()
        check_encoder(self.store, encoder)
        return encoder


def check_encoder(store: EncoderStore, encoder: Encoder) -> None:
    """Make sure that ``encoder`` is the one the embeddings were made with, to the last digit.

    Raises:
        StaleError: It is another version, has other weights, or other preprocessing.
    """
    if store.record.get("fingerprint") != encoder.fingerprint:
        name = store.collection.name
        raise StaleError(
            f"Expected embeddings made by this version of {encoder.encoder_id}, but those of {name} were made by "
            "another version, other weights or other preprocessing. "
            f"Build {name} with {store.encoder_id} again.",
            remedy=store.rebuild,
        )
