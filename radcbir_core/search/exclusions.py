"""What the words patient, study, series and duplicate leave out, on one manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radcbir_core.collections.groups import check_exclusions
from radcbir_core.collections.manifest import Manifest
from radcbir_core.search.backend import Exclusion, Rows


def exclusions_of(manifest: Manifest, rows: Rows, exclude: Sequence[str]) -> list[Exclusion]:
    """What images of the collection may not return when they are queries: themselves, and what ``exclude`` names.

    Args:
        manifest: The collection's.
        rows: ``(Q,)``; the queries.
        exclude: Of :data:`~radcbir_core.collections.manifest.EXCLUSIONS`.

    Raises:
        QueryError: An unknown exclusion.
    """
    everything = [Exclusion(np.arange(len(manifest)), rows)]
    for name in check_exclusions(exclude):
        groups = manifest.groups(name)
        everything.append(Exclusion(groups, groups[rows]))
    return everything


def exclusions_of_file(manifest: Manifest, sha256: str, exclude: Sequence[str], *, queries: int) -> list[Exclusion]:
    """What an image from outside may not return: known only where its very file is in the collection.

    Args:
        manifest: The collection's.
        sha256: Of the file; "" where there is none.
        exclude: As in :func:`exclusions_of`. "duplicate" are the files with the same bytes; patient, study and series
            are those of such a file.
        queries: How many there are.

    Raises:
        QueryError: An unknown exclusion.
    """
    names = check_exclusions(exclude)
    copies = manifest.rows_with("sha256", sha256) if sha256 and names else np.empty(0, dtype=np.intp)
    everything = []
    for name in names:
        groups = manifest.groups(name)
        if name == "duplicate":
            groups = np.full(len(manifest), -1, dtype=np.int32)
            groups[copies] = 0
            mine = 0
        else:
            known = groups[copies][groups[copies] >= 0]
            mine = int(known[0]) if len(known) else -1
        everything.append(Exclusion(groups, np.full(queries, mine, dtype=np.int32)))
    return everything
