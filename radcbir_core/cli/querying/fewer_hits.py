"""The options by which ``query`` prints fewer hits, and what they have in common.

Owns these words: ``--one-per``, ``--least`` and ``--facets``. What is left of an answer, and over what is counted, is
the search's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from radcbir_core.cli.printing import print_table
from radcbir_core.errors import QueryError

if TYPE_CHECKING:
    from radcbir_core.collections.manifests.manifest import Grouping
    from radcbir_core.search.hit_facets import Facet
    from radcbir_core.search.retriever import Answer, Retriever

GROUPS: tuple[Grouping, ...] = ("patient", "study", "series")


def check_fewer(one_per: str | None, least: float | None, *, facets: bool, several: bool) -> None:
    """Make sure that these options can be.

    Args:
        one_per: Of :data:`GROUPS`.
        least: A similarity.
        facets: Whether facets are asked for.
        several: Whether there are several queries.

    Raises:
        QueryError: There is no such group; or there are several queries, of which none can be asked so.
    """
    if several and (one_per is not None or least is not None or facets):
        raise QueryError(
            "Expected one query with --one-per, --least and --facets, but --images is given. Leave them out, or ask "
            "with --image or --id."
        )
    if one_per is not None and one_per not in GROUPS:
        raise QueryError(f"Expected --one-per {', '.join(GROUPS)}, but --one-per = {one_per!r}. Choose one of these.")


def fewer_hits(
    search: Callable[..., Answer], retriever: Retriever, *, k: int, one_per: str | None, least: float | None
) -> tuple[Answer, list[str]]:
    """An answer with fewer hits, and what was left out, a sentence each.

    Args:
        search: Gives the answer with ``k`` hits.
        retriever: Which searches.
        k: How many hits.
        one_per: Of :data:`GROUPS`; None for all.
        least: Similarity; None for any.

    Raises:
        QueryError: ``least`` is no similarity, or the search refuses.
    """
    from radcbir_core.search.narrowing import at_least, one_each

    said = []
    group = next((name for name in GROUPS if name == one_per), None)
    if group is None:
        answer = search(k=k)
    else:
        groups = retriever.collection.manifest.groups(group)
        found = one_each(lambda number: search(k=number), groups, k=k)
        answer = found.answer
        said.append(f"One hit a {group}, of the first {found.depth:,}.")
    if least is not None:
        before = len(answer)
        answer = at_least(answer, least)
        said.append(f"{before - len(answer)} of {before} are less similar than {least:g}, and left out.")
    return answer, said


def facet_rows(facets: Sequence[Facet]) -> list[dict[str, Any]]:
    """Facets as rows: ``column``, ``value`` and ``hits``; of hits without a value, it is ""."""
    rows = []
    for facet in facets:
        rows += [{"column": facet.column, "value": value, "hits": number} for value, number in facet.counts.items()]
        rows += [{"column": facet.column, "value": "", "hits": facet.without}] if facet.without else []
    return rows


def print_facets(facets: Sequence[Facet]) -> None:
    """Print facets as a table, and over what they count; nothing where there are none."""
    if not facets:
        return
    from radcbir_core.search.hit_facets import facets_said

    print_table(["column", "value", "hits"], [list(row.values()) for row in facet_rows(facets)])
    print(facets_said(facets))
