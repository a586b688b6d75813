"""Jobs that make the demonstration.

Owns their record. What is made is ``radcbir_core.synthetic.demonstration``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from radcbir_core.jobs.kinds import Telling, collection_place
from radcbir_core.synthetic.demonstration import NAME, DemoReport, make_demo


@dataclass(frozen=True, slots=True)
class MakeDemonstration:
    """The demonstration, as it is asked for.

    Attributes:
        name: The collection's.
        images: How many phantoms; the default's, or those there are, where None.
    """

    kind: ClassVar[str] = "demonstration"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str = NAME
    images: int | None = None

    @property
    def place(self) -> str:
        """The collection."""
        return collection_place(self.name)

    def check(self) -> None:
        """Refuse nothing: what is wrong is said by the making."""

    def carry_out(self, telling: Telling) -> DemoReport:
        """Draw and build what is missing of it. Raises what :func:`make_demo` does."""
        return make_demo(name=self.name, images=self.images, progress=telling)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(**record)
