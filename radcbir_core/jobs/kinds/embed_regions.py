"""Jobs that embed regions of each image of a collection, so that they can be found by themselves.

Owns their record. How regions are embedded is ``radcbir_core.tiling``'s business; what is finished of a stopped one
stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.jobs.kinds import Telling
from radcbir_core.pipeline import BuildReport, build_tiles
from radcbir_core.tiling import check_tiles


@dataclass(frozen=True, slots=True)
class EmbedRegions:
    """The regions of a collection with an encoder, as a person asks for them.

    Attributes:
        name: The collection.
        encoder_id: One that it was built with.

    Example:
        >>> request = EmbedRegions("mine", "radcbir-mini")
        >>> EmbedRegions.from_json(request.to_json()) == request
        True
    """

    kind: ClassVar[str] = "regions"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str
    encoder_id: str

    @property
    def place(self) -> str:
        """The regions of this encoder."""
        return regions_place(self.name, self.encoder_id)

    def check(self) -> None:
        """Refuse what cannot be made.

        Raises:
            CollectionError: There is no such collection or encoder; its embeddings were imported; or there are too
                many images.
            StaleError: Its embeddings are missing, or of other images than there are now.
        """
        check_tiles(open_collection(self.name).store(self.encoder_id))

    def carry_out(self, telling: Telling) -> BuildReport:
        """Embed them; nothing where they are there and current.

        Raises:
            CollectionError: Somebody else builds with this encoder, or not one image can be read.
            StaleError: The embeddings are not current any more, or the encoder here is another version.
            EncoderError: The encoder cannot be loaded here.
            StorageError: No space left, or no permission.
        """
        collection = open_collection(self.name)
        telling("load", 0, 1)
        encoder = load_encoder(collection.store(self.encoder_id).spec)
        telling("load", 1, 1)
        return build_tiles(collection, encoder, progress=telling)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(**record)


def regions_place(name: str, encoder_id: str) -> str:
    """What jobs write that embed regions."""
    return f"regions/{name}/{encoder_id}"
