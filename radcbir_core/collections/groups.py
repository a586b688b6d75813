"""Which images belong together: groups that a query's own image is kept from, and clusters that are one piece of
evidence.

Owns the reading of groups by name, in one place for search and evaluation. It takes what an encoder made of a
collection, and not the manifest alone: whether two images show the same thing may depend on the encoder that tells.
"""  # noqa: D205 - the sentence is one

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.arrays import dense_codes
from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Grouping
from radcbir_core.errors import QueryError

Exclusion = Literal["duplicate", "near-duplicate", "series", "study", "patient", "dataset"]
EXCLUSIONS: tuple[Exclusion, ...] = get_args(Exclusion)

NEAR_DUPLICATE: Final = "near-duplicate"
"""The exclusion of other files of the query's picture, exact copies among them; it has to be built."""

Groups = npt.NDArray[np.int32]
_CLUSTERS: tuple[Grouping, ...] = ("patient", "series", "duplicate")


def check_exclusions(exclude: Sequence[str]) -> list[Exclusion]:
    """The names in ``exclude``, each once, in the order of :data:`EXCLUSIONS`.

    Raises:
        QueryError: One is unknown.

    Example:
        >>> check_exclusions(["patient", "patient", "duplicate"])
        ['duplicate', 'patient']
    """
    for name in exclude:
        if name not in EXCLUSIONS:
            raise QueryError(
                f"Expected exclusions of {', '.join(EXCLUSIONS)}, but exclude = {name!r}. "
                "Choose among these; an image never returns itself in any case."
            )
    return [name for name in EXCLUSIONS if name in exclude]


def groups_of(store: EncoderStore, exclude: Sequence[str]) -> list[Groups]:
    """The groups that a query may not return its fellows of.

    Args:
        store: What an encoder made of a collection.
        exclude: Of :data:`EXCLUSIONS`.

    Returns:
        ``(N,)`` codes for each, -1 where the image belongs to none that is known.

    Raises:
        QueryError: An unknown exclusion.
        StaleError: Near-duplicates are asked for, and were not looked for.
    """
    return [
        store.near_duplicate_groups if name == NEAR_DUPLICATE else store.collection.manifest.groups(name)
        for name in check_exclusions(exclude)
    ]


def default_exclusions(store: EncoderStore) -> tuple[Exclusion, ...]:
    """What a query may not return where every image is asked against all others, and nobody has chosen.

    The patient; where any image has none, near-duplicates too, which may be of one patient, and the series, if such an
    image has one: slices of a volume are of one patient, whoever that is. Where no patient is known at all, these
    without the patient. Where near-duplicates were not looked for, they are left out of it.

    Args:
        store: What an encoder made of a collection.
    """
    manifest = store.collection.manifest
    known = manifest.known("patient")
    if known == len(store.collection):
        return ("patient",)
    names: list[str] = [NEAR_DUPLICATE] if store.is_current(NEAR_DUPLICATES) else []
    if manifest.known("series") and bool(((manifest.groups("patient") < 0) & (manifest.groups("series") >= 0)).any()):
        names.append("series")
    # Where nobody knows anything, the patient is what would have been left out.
    return tuple(check_exclusions([*names, "patient"] if known or not names else names))


def clusters_of(store: EncoderStore) -> npt.NDArray[np.int64]:
    """The cluster of each image: what counts as one, because its images are not independent evidence.

    It is the patient where that is known, else the series, else the group of exact copies, else the image by itself.
    Two images share a cluster only by the same kind of group: where one of two copies has a known patient and the other
    has not, they stay apart.

    Args:
        store: What an encoder made of a collection.

    Returns:
        ``(N,)`` codes from 0 without gaps.
    """
    number = len(store.collection)
    codes = np.full(number, -1, dtype=np.int64)
    offset = 0
    by_image: list[npt.NDArray[np.integer[Any]]] = [np.arange(number)]
    for group in [*(store.collection.manifest.groups(name) for name in _CLUSTERS), *by_image]:
        use = (codes < 0) & (group >= 0)
        codes[use] = group[use].astype(np.int64) + offset
        offset += int(group.max(initial=-1)) + 1
    return dense_codes(codes)[1]
