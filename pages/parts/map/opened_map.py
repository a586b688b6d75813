"""A map that is shown: of which collection, by which encoder, and which of the maps that are kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pages.parts.frame import loaders
from pages.parts.frame.loaders import MapKey
from pages.parts.frame.shell import Opened
from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.projection.map_options import MapOptions


@dataclass(frozen=True)
class OpenedMap(Opened):
    """An open collection and encoder, and one of their maps.

    Attributes:
        name: Of the map.
    """

    name: str = STANDARD_MAP

    @property
    def key(self) -> MapKey:
        """What is made of it is cached by.

        Raises:
            CollectionError: The collection has no such encoder.
        """
        return loaders.map_key(self.collection, self.encoder_id, self.name)

    @property
    def places(self) -> pd.DataFrame:
        """x, y and preservation of each image, z in three dimensions; NaN without a place. Read-only.

        Raises:
            StaleError: There is no such map.
        """
        return loaders.projection(self.collection, self.encoder_id, self.name)

    @property
    def facts(self) -> dict[str, Any]:
        """What was recorded of it when it was made; of an old one little, or nothing."""
        return loaders.store(self.collection, self.encoder_id).map_facts(self.name)

    @property
    def neighbors(self) -> int:
        """How many images make a neighborhood, as its preservation counts them."""
        return MapOptions.from_json(self.facts).n_neighbors
