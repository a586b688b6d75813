"""The address in a report: the same ranking again, without the names that images have in their collection.

Owns how an image is named there. Its id is often made of its patient's, so that it is named by the SHA-256 of its file,
which says nothing to who has not the file, and by which of its copies it is; and how such an address is read back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from radcbir_core.collections.collection import Collection
from radcbir_core.errors import ImageNotFoundError, QueryError
from radcbir_core.search.queries.composition import Step

DIGEST: Final = "sha256:"
"""How the name of an image begins that is the digest of its file."""
_COPY: Final = "~"
"""Between the digest and which of several images of this file is meant, in the collection's order, from 2."""
KEPT: Final = frozenset(
    {"collection", "encoder", "source", "image", "text", "read", "phrasings", "perturb", "region", "whole", "add"}
    | {"rocchio", "among", "k", "exclude", "where", "select", "within", "hubness", "one", "least"}
)
"""What an address holds of a ranking. Whatever else stands in it (what was searched for, another page's) may name
somebody, and goes."""

Parameters = Mapping[str, Sequence[str]]


def without_names(parameters: Parameters, collection: Collection) -> dict[str, list[str]] | None:
    """The parameters of an address with digests for the ids of images; None where one has none, and names its patient.

    Args:
        parameters: Of the page Retrieval.
        collection: Whose images they name.
    """

    def digest(image_id: str) -> str:
        row = collection.manifest.row_of(image_id)
        sha256, patient = (
            str(value or "") for value in collection.manifest.record(row, ["sha256", "patient_id"]).values()
        )
        if sha256:
            copy = int(np.searchsorted(collection.manifest.rows_with("sha256", sha256), row)) + 1
            return f"{DIGEST}{sha256}{f'{_COPY}{copy}' if copy > 1 else ''}"
        if patient and patient.casefold() in image_id.casefold():
            raise _NamesPatient
        return image_id

    kept = {name: values for name, values in parameters.items() if name in KEPT}
    try:
        return _renamed(kept, digest)
    except _NamesPatient:
        return None


def with_ids(parameters: Parameters, collection: Collection) -> dict[str, list[str]]:
    """The inverse of :func:`without_names`; of several copies of a file the one that is meant.

    Raises:
        ImageNotFoundError: No image of the collection has such a file, or fewer have it than there were copies.
    """

    def image_id(name: str) -> str:
        if not name.startswith(DIGEST):
            return name
        digest, _, copy = name.removeprefix(DIGEST).partition(_COPY)
        rows = collection.manifest.rows_with("sha256", digest)
        at = int(copy) - 1 if re.fullmatch("[1-9][0-9]{0,8}", copy) else 0
        if at >= len(rows):
            found = f"{len(rows)} of its images, and number {at + 1} is meant" if len(rows) else "none of its images"
            raise ImageNotFoundError(
                f"Expected the digest of a file that {collection.name} has, but {name[:20]}… is of {found}. "
                "Open the collection that the report names."
            )
        return str(collection.manifest.record(int(rows[at]), ["image_id"])["image_id"])

    return _renamed(parameters, image_id)


def has_digests(parameters: Parameters) -> bool:
    """Whether an image is named by a digest there."""
    return any(DIGEST in value for name in ("image", "add", "select") for value in parameters.get(name, ()))


class _NamesPatient(Exception):  # noqa: N818 - not an error
    """An image can only be named by its patient."""


def _renamed(parameters: Parameters, name_of: Callable[[str], str]) -> dict[str, list[str]]:
    renamed = {name: list(values) for name, values in parameters.items()}
    renamed |= {"image": [name_of(value) for value in parameters.get("image", ())]}
    renamed |= {"add": [_of_step(word, name_of) for word in parameters.get("add", ())]}
    renamed |= {"select": [_of_selection(word, name_of) for word in parameters.get("select", ())]}
    return {name: values for name, values in renamed.items() if values}


def _of_step(word: str, name_of: Callable[[str], str]) -> str:
    try:
        step = Step.of(word)
    except QueryError:
        return word  # which the page reports
    return word if step.kind == "text" else replace(step, value=name_of(step.value)).word


def _of_selection(word: str, name_of: Callable[[str], str]) -> str:
    """A part of the map, which may be one image: ``image:ID``, with a minus before it where it is taken away."""
    sign = "-" if word.startswith("-") else ""
    kind, _, image_id = word.removeprefix("-").partition("image:")
    return word if kind or not image_id else f"{sign}image:{name_of(image_id)}"
