"""What may be chosen of a map.

Owns the choices, their defaults and their ranges. What they do is the business of the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

MOST_NEIGHBORS: Final = 100
"""As many as the neighbor graph has."""


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How a map is laid out.

    Attributes:
        n_neighbors: How many images make a neighborhood, from 2 to 100: UMAP's parameter of that name, which counts the
            image itself, and the one of the preservation, which does not. Few show fine structure, many the whole.
        min_dist: How close images that are alike may lie, from 0 to 1. Little makes dense groups.
        dimensions: 2 or 3.
        seed: Of everything random, from 0 to 2**32 - 1.
        most_drawn: Of at most so many images, at least 100, the layout is computed at first; the others then join in.
        parallel: Whether the layout is computed on all cores. It takes less time then, and its bytes are others each
            time, since umap-learn moves images in whatever order comes about.

    Raises:
        ValueError: One is out of its range.

    Example:
        >>> MapOptions(n_neighbors=50).min_dist
        0.1
        >>> MapOptions(dimensions=4)
        Traceback (most recent call last):
            ...
        ValueError: Expected 2 or 3, but dimensions = 4. Use 2.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    dimensions: int = 2
    seed: int = 0
    most_drawn: int = 200_000
    parallel: bool = False

    def __post_init__(self) -> None:
        rules = (
            (
                "n_neighbors",
                2 <= self.n_neighbors <= MOST_NEIGHBORS,
                f"a number from 2 to {MOST_NEIGHBORS}",
                15,
            ),
            ("min_dist", 0 <= self.min_dist <= 1, "a distance from 0 to 1", 0.1),
            ("dimensions", self.dimensions in (2, 3), "2 or 3", 2),
            ("seed", 0 <= self.seed < 2**32, "a seed from 0 to 2**32 - 1", 0),
            ("most_drawn", self.most_drawn >= 100, "at least 100 images", 200_000),
        )
        for name, holds, expected, use in rules:
            if not holds:
                raise ValueError(f"Expected {expected}, but {name} = {getattr(self, name)}. Use {use}.")

    def to_json(self) -> dict[str, Any]:
        """As it is recorded."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> MapOptions:
        """Those that are recorded; what an older record does not say, or says in another way, is as by default."""
        known: dict[str, Any] = {}
        for field in fields(cls):
            value = record.get(field.name)
            if type(value) is type(field.default) or (field.name == "min_dist" and type(value) is int):
                known[field.name] = value
        try:
            return cls(**known)
        except ValueError:
            return cls()
