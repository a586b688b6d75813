"""What the hits of a query have, counted: of each column how many show each value.

Owns over what is counted: the first :data:`DEPTH` hits under all filters but the column's own, so that the counts of a
column say what another choice in it would find near, and not what has been chosen already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.search.retriever import Answer, Where

DEPTH: Final = 100
COLUMNS: Final = ("modality", "anatomy", "pathologies", "dataset", "split", "view")
"""The columns that are counted, where a collection has several values of them."""

Find = Callable[[Where], Answer]
"""Gives the first :data:`DEPTH` hits under some filters."""


@dataclass(frozen=True)
class Facet:
    """A column of the hits.

    Attributes:
        column: Its name.
        counts: Value → how many of the hits have it, most frequent first, then by the value; of pathologies, a hit
            counts for each that it shows.
        without: Hits that have no value.
        hits: Over how many hits it is counted.
    """

    column: str
    counts: Mapping[str, int]
    without: int
    hits: int


def count_facets(
    find: Find, manifest: Manifest, where: Where | None = None, *, columns: Sequence[str] = COLUMNS
) -> list[Facet]:
    """Count what the hits of a query have.

    Args:
        find: Gives the first hits under some filters.
        manifest: Of the collection that is searched.
        where: The filters: column → accepted values.
        columns: Which; those that a collection cannot be filtered by are left out.
    """
    filters = dict(where or {})
    offered = set(manifest.filterable())
    wanted = [column for column in columns if column in offered]
    under_all = find(filters).rows() if any(column not in filters for column in wanted) else None
    facets = []
    for column in wanted:
        if column in filters or under_all is None:
            rows = find({name: values for name, values in filters.items() if name != column}).rows()
        else:
            rows = under_all
        values = manifest.rows(rows, [column])[column].tolist()
        shown = [sorted(set(value)) if column == "pathologies" else ([str(value)] if value else []) for value in values]
        counted = Counter(name for names in shown for name in names)
        in_order = dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
        facets.append(Facet(column, in_order, sum(not names for names in shown), len(rows)))
    return facets


def facets_said(facets: Sequence[Facet]) -> str:
    """Over what facets count, in a sentence.

    Example:
        >>> facets_said([Facet("modality", {"CT": 7}, 3, 10)])
        'Counted over the first 10 hits, those of a filtered column without its own filter.'
        >>> facets_said([])
        ''
    """
    if not facets:
        return ""
    return (
        f"Counted over the first {max(facet.hits for facet in facets)} hits, those of a filtered column without its "
        "own filter."
    )
