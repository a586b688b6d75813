"""The hits of a query in an order that holds hubs back: by CSLS or by mutual proximity, instead of by cosine.

Owns the choice among the orders, what they can be asked for, and what they read of the neighbor graph. The measures are
csls.py's and mutual_proximity.py's. What is ordered are candidates, the first by cosine: an image that is not among
them comes in by no measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import NEIGHBORS as GRAPH
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import QueryError, StaleError
from radcbir_core.search.backend import Hits
from radcbir_core.search.hubness.csls import NEAREST, by_csls, usual_similarity
from radcbir_core.search.hubness.mutual_proximity import Nearest, by_mutual_proximity
from radcbir_core.search.neighbors.graph import NEIGHBORS, known_hits
from radcbir_core.search.queries.composed import ComposedQuery
from radcbir_core.search.queries.query import Query

Order = Literal["cosine", "csls", "mutual-proximity"]
ORDERS: Final[Mapping[Order, str]] = {"cosine": "cosine", "csls": "CSLS", "mutual-proximity": "mutual proximity"}
"""What hits can be ordered by, and its name in words."""

_MOST_CANDIDATES: Final = 1000


def candidates(k: int) -> int:
    """How many hits by cosine are put in order for the first k: ten times as many, from 100 to 1000, and never fewer.

    Example:
        >>> [candidates(k) for k in (1, 10, 50, 200, 5000)]
        [100, 100, 500, 1000, 5000]
    """
    return max(k, min(max(10 * k, NEIGHBORS), _MOST_CANDIDATES)) if k > 0 else k


def why_cosine(query: Query) -> str:
    """Why the hits of a query can be ordered by cosine alone, as a clause and a half sentence; "" where they need not.

    The sum of several images is among images, and can be ordered as one.
    """
    if query.measure == "text_similarity":
        what = "the query is a text"
    elif isinstance(query, ComposedQuery) and query.reads_text:
        what = "there is a text in the query"
    else:
        return ""
    return f"{what}. What is usual around an image is known of other images, and texts are not on their scale"


def checked_order(order: str, query: Query, store: EncoderStore) -> Order:
    """The order of this name, if the hits of a query can be ordered so.

    Raises:
        QueryError: There is no such order; or the query is a sentence, or has one in it.
        StaleError: The order is not by cosine, and the neighbor graph is missing or of other embeddings.
    """
    named = next((one for one in ORDERS if one == order), None)
    if named is None:
        raise QueryError(f"Expected an order of {', '.join(ORDERS)}, but order = {order!r}. Choose one of these.")
    if named == "cosine":
        return named
    if reason := why_cosine(query):
        raise QueryError(f"Expected an image to order its hits by {ORDERS[named]}, but {reason}: order by cosine.")
    if not store.is_current(GRAPH):
        raise StaleError(
            f"Expected a neighbor graph of the embeddings that are there now, but that of {store.encoder_id} is "
            f"missing or older. Build {store.collection.name} with {store.encoder_id} again, or order by cosine.",
            remedy=store.rebuild,
        )
    return named


def hub_order(
    hits: Hits, order: Order, store: EncoderStore, *, own: Hits, exclude: Sequence[str]
) -> npt.NDArray[np.intp]:
    """The order of candidates by a measure.

    Args:
        hits: The candidates of each query, by cosine.
        order: By what.
        store: What an encoder made of a collection, with its neighbor graph.
        own: What is nearest to each query without any filter, by cosine; where there is no filter, the candidates.
        exclude: What is left out around each candidate, as it is of the hits of the query.

    Returns:
        ``(Q, K)`` positions in each line of hits.
    """
    rows = np.unique(hits.rows[hits.rows >= 0]).astype(np.intp)
    if order == "cosine" or not len(rows):
        return np.broadcast_to(np.arange(hits.rows.shape[1]), hits.rows.shape)
    around = known_hits(store, rows, k=NEIGHBORS, gallery=store.valid, exclude=exclude).similarities
    # Each candidate is called by its place among them, so that nothing has to be known of all other images.
    placed = replace(hits, rows=np.where(hits.rows >= 0, np.searchsorted(rows, hits.rows), -1).astype(np.int32))
    if order == "csls":
        return by_csls(placed, usual_similarity(around[:, :NEAREST]))
    among = int(store.valid.sum())
    return by_mutual_proximity(placed, Nearest(own.similarities, among=among), Nearest(around, among=among))
