"""What the words dataset, patient, study, series, near-duplicate and duplicate leave out, on one collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE, check_exclusions, groups_of
from radcbir_core.search.backend import Exclusion, Rows


def exclusions_of(store: EncoderStore, rows: Rows, exclude: Sequence[str]) -> list[Exclusion]:
    """What images of the collection may not return when they are queries: themselves, and what ``exclude`` names.

    Args:
        store: What an encoder made of the collection.
        rows: ``(Q,)``; the queries.
        exclude: Of :data:`~radcbir_core.collections.groups.EXCLUSIONS`.

    Raises:
        QueryError: An unknown exclusion.
    """
    itself = Exclusion.of_itself(rows, among=len(store.collection.manifest))
    return [itself, *(Exclusion(groups, groups[rows]) for groups in groups_of(store, exclude))]


def exclusions_of_file(store: EncoderStore, sha256: str, exclude: Sequence[str], *, queries: int) -> list[Exclusion]:
    """What an image from outside may not return: known only where its very file is in the collection.

    Near-duplicates too are those of that file; whether an image from outside is one itself is not looked at.

    Args:
        store: What an encoder made of the collection.
        sha256: Of the file; "" where there is none.
        exclude: As in :func:`exclusions_of`. "duplicate" are the files with the same bytes; patient, study, series
            and data set are those of such a file.
        queries: How many there are.

    Raises:
        QueryError: An unknown exclusion.
    """
    manifest, names = store.collection.manifest, check_exclusions(exclude)
    copies = manifest.rows_with("sha256", sha256) if sha256 and names else np.empty(0, dtype=np.intp)
    everything = []
    for name, of_name in zip(names, groups_of(store, names), strict=True):
        groups = of_name
        if name == "duplicate":
            same_bytes = np.full(len(manifest), -1, dtype=np.int32)
            same_bytes[copies] = 0
            everything.append(Exclusion(same_bytes, np.zeros(queries, dtype=np.int32)))
            continue
        known = groups[copies][groups[copies] >= 0]
        mine = int(known[0]) if len(known) else -1
        if name == NEAR_DUPLICATE and mine < 0 and len(copies):
            # The file is there once and has no near-duplicates: it alone is left out.
            groups, mine = np.full(len(manifest), -1, dtype=np.int32), 0
            groups[copies] = 0
        everything.append(Exclusion(groups, np.full(queries, mine, dtype=np.int32)))
    return everything
