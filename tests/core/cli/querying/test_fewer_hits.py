"""The options that print fewer hits: what is refused, and facets as rows."""

from __future__ import annotations

import pytest

from radcbir_core.cli.querying.fewer_hits import check_fewer, facet_rows, print_facets
from radcbir_core.errors import QueryError
from radcbir_core.search.hit_facets import Facet

FACETS = [Facet("modality", {"CT": 7, "MR": 1}, 0, 8), Facet("view", {"axial": 5}, 3, 8)]


def test_facets_are_rows_with_those_without_a_value_last() -> None:
    assert [tuple(row.values()) for row in facet_rows(FACETS)] == [
        ("modality", "CT", 7),
        ("modality", "MR", 1),
        ("view", "axial", 5),
        ("view", "", 3),
    ]


def test_facets_are_printed_with_what_they_count(capsys) -> None:
    print_facets([])
    assert capsys.readouterr().out == ""
    print_facets(FACETS)
    out = capsys.readouterr().out
    assert "axial" in out
    assert "Counted over the first 8 hits" in out


def test_what_cannot_be_is_refused() -> None:
    check_fewer(None, None, facets=False, several=True)
    check_fewer("series", 0.5, facets=True, several=False)
    with pytest.raises(QueryError, match="Expected --one-per patient, study, series, but --one-per = 'hospital'"):
        check_fewer("hospital", None, facets=False, several=False)
    for one_per, least, facets in (("patient", None, False), (None, 0.5, False), (None, None, True)):
        with pytest.raises(QueryError, match="Expected one query with --one-per, --least and --facets"):
            check_fewer(one_per, least, facets=facets, several=True)
