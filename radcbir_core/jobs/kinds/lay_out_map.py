"""Jobs that lay out a map of what an encoder made of a collection, and keep it by a name.

Owns their record. How a map is made is ``radcbir_core.projection``'s business; a stopped one begins anew, and until the
new one is there, the one of before stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import check_map_name
from radcbir_core.errors import CollectionError
from radcbir_core.jobs.kinds import Telling
from radcbir_core.projection.map_making import check_neighbors, laying_out, make_map
from radcbir_core.projection.map_options import MapOptions


@dataclass(frozen=True, slots=True)
class LayOutMap:
    """A map, as a person asks for it.

    Attributes:
        name: The collection.
        encoder_id: Whose neighbor graph it is laid out of.
        map_name: What it is called; one of that name is replaced.
        options: How it is laid out.

    Example:
        >>> request = LayOutMap("mine", "pixels", "wide", MapOptions(n_neighbors=50))
        >>> LayOutMap.from_json(request.to_json()) == request
        True
    """

    kind: ClassVar[str] = "map"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str
    encoder_id: str
    map_name: str
    options: MapOptions = field(default_factory=MapOptions)

    @property
    def place(self) -> str:
        """The maps of this encoder: one is made at a time."""
        return map_place(self.name, self.encoder_id)

    def check(self) -> None:
        """Refuse what cannot be a map's name, and an encoder without current neighbors.

        Raises:
            CollectionError: The name cannot be one, or there is no such collection or encoder.
            StaleError: The neighbors are missing, or of other images than there are now.
        """
        check_map_name(self.map_name)
        check_neighbors(open_collection(self.name).store(self.encoder_id))

    def carry_out(self, telling: Telling) -> None:
        """Lay it out and keep it; nothing where it is there as it is wanted, and current.

        Raises:
            StaleError: The neighbors are not current any more.
            CollectionError: Somebody else builds with this encoder, or the neighbor graph is damaged.
            StorageError: No space left, or no permission.
        """
        collection = open_collection(self.name)
        with collection.building(self.encoder_id, doing=laying_out(self.map_name)):
            store = collection.store(self.encoder_id)
            is_there = self.map_name in store.maps() and not store.map_fault(self.map_name)
            if is_there and MapOptions.from_json(store.map_facts(self.map_name)) == self.options:
                return
            make_map(store, self.map_name, options=self.options, progress=telling)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "name": self.name,
            "encoder_id": self.encoder_id,
            "map": self.map_name,
            "options": self.options.to_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: Its options cannot be.
        """
        try:
            options = MapOptions(**record["options"])
        except ValueError as error:
            raise CollectionError(str(error)) from error
        return cls(str(record["name"]), str(record["encoder_id"]), str(record["map"]), options)


def map_place(name: str, encoder_id: str) -> str:
    """What jobs write that lay out a map."""
    return f"map/{name}/{encoder_id}"
