"""Jobs that look for text in the images of a collection, and paint it black in the thumbnails or show it again.

Owns their record. How text is found, and what is painted, is ``radcbir_core.burned_text``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self, get_args

from radcbir_core.burned_text.text_detector import is_installed, load_detector, what_is_missing
from radcbir_core.burned_text.thumbnail_blackout import (
    black_out_thumbnails,
    find_and_black_out,
    show_thumbnails_whole,
)
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError, TextDetectionError
from radcbir_core.jobs.kinds import Telling, collection_place

Wish = Literal["find", "black-out", "show"]

WISHES: Final[tuple[Wish, ...]] = get_args(Wish)


@dataclass(frozen=True, slots=True)
class FindBurnedText:
    """Text in the pixels of a collection's images, as a person asks for it.

    Attributes:
        name: The collection.
        wish: ``find`` looks for it where nobody has looked; ``black-out`` paints what was found black in the
            thumbnails; ``show`` makes these thumbnails again.

    Example:
        >>> request = FindBurnedText("mine", "black-out")
        >>> FindBurnedText.from_json(request.to_json()) == request
        True
    """

    kind: ClassVar[str] = "burned-text"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str
    wish: Wish = "find"

    @property
    def place(self) -> str:
        """The collection: its thumbnails cannot be changed while it is built."""
        return collection_place(self.name)

    def check(self) -> None:
        """Refuse to look where nothing is installed that could.

        Raises:
            CollectionError: There is no such collection, or no such wish.
            TextDetectionError: What finds text is not installed.
        """
        open_collection(self.name)
        if self.wish not in WISHES:
            raise CollectionError(
                f"Expected one of {', '.join(WISHES)}, but wish = {str(self.wish)[:40]!r}. Choose one."
            )
        if self.wish == "find" and not is_installed():
            raise TextDetectionError(what_is_missing())

    def carry_out(self, telling: Telling) -> None:
        """Do it; looking goes on where it was stopped.

        Raises:
            TextDetectionError: What finds text does not work here.
            CollectionError: Somebody else is at the collection, or what was found is damaged.
            StorageError: No space left, or no permission.
        """
        if self.wish == "show":
            show_thumbnails_whole(self.name, progress=telling)
            return
        if self.wish == "find":
            find_and_black_out(open_collection(self.name), load_detector(), progress=telling)
            return
        black_out_thumbnails(self.name, progress=telling)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"name": self.name, "wish": self.wish}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: It has no such wish.
        """
        request = cls(str(record["name"]), record["wish"])
        if request.wish not in WISHES:
            raise CollectionError(f"Expected one of {', '.join(WISHES)}, but wish = {str(request.wish)[:40]!r}.")
        return request
