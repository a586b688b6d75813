"""The pictures of a case report: small ones, with the text that is burned into them painted black.

Owns which picture goes into a report and what is hidden in it. A report is sent to others and promises to name no
patient, so that text is hidden unless somebody wants to see it; where it is known that there is text and not where, the
picture is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Group
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.text_boxes import TEXT, UNSEEN, BurnedText
from radcbir_core.errors import CollectionError
from radcbir_core.images.blackout import Boxes, blacked_out, blacked_out_thumbnail, no_boxes
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.wording import counted

Pixels = npt.NDArray[np.uint8]
Look = Callable[[Pixels], tuple[int, Boxes]]
"""Says whether text seems burned into a picture, and where (``burned_text.text_rule.judged`` of what was found)."""


@dataclass(slots=True)
class ReportPictures:
    """Gives the pictures of one report, and counts what was hidden.

    Attributes:
        collection: Where the images are.
        hides: Whether text is painted black.
        look: Looks at a picture that is not the collection's; None where nothing is installed that could.
        told: SHA-256 of files from outside whose header says that text is burned in.
    """

    collection: Collection
    hides: bool = True
    look: Look | None = None
    told: Group[str] = ()
    _burned: BurnedText | None = field(default=None, init=False)
    _painted: int = field(default=0, init=False)
    _left_out: int = field(default=0, init=False)
    _shown: int = field(default=0, init=False)
    _unseen: int = field(default=0, init=False)

    def of_row(self, row: int) -> bytes | None:
        """That of an image of the collection; None where there is none, or it is left out."""
        try:
            thumbnail = self.collection.thumbnail(row)
        except CollectionError:
            return None  # damaged on disk: an image without a picture
        if thumbnail is None:
            return None
        burned = self._known()
        boxes = burned.hidden(row)
        self._unseen += bool(burned.found.states[row] == UNSEEN and not burned.told[row])
        # Where the collection's thumbnails are without text, nobody can choose to see it.
        is_black = self.collection.blacks_out and len(boxes) > 0
        if not self._is_hidden(flagged=burned.is_flagged(row), boxes=boxes, hides=self.hides or is_black):
            return thumbnail
        return blacked_out_thumbnail(thumbnail, boxes) if len(boxes) else None

    def of_pixels(self, pixels: Pixels, *, sha256: str = "", row: int | None = None) -> bytes | None:
        """That of a picture that is not the collection's, or no more as it is there; None where it is left out.

        Args:
            pixels: ``(H, W)`` or ``(H, W, 3)`` uint8.
            sha256: Of the file that it is of, where there is one.
            row: Of the image that was changed into it, where it is one of the collection.
        """
        flagged = sha256 in self.told or (row is not None and self._known().is_flagged(row))
        boxes = no_boxes()
        if self.look is None:
            self._unseen += not flagged
        else:
            state, boxes = self.look(pixels)
            flagged = flagged or state == TEXT
            boxes = boxes if state == TEXT else no_boxes()
        if not self._is_hidden(flagged=flagged, boxes=boxes, hides=self.hides):
            return thumbnail_of(pixels)
        return thumbnail_of(blacked_out(pixels, boxes)) if len(boxes) else None

    def notes(self) -> list[str]:
        """What to know of the pictures, a sentence each, once all are made."""
        said = []
        if self._painted:
            said.append(f"Text that was found in {counted(self._painted, 'picture')} is painted black.")
        if self._left_out:
            said.append(
                f"Left out: {counted(self._left_out, 'picture')} with text in the pixels at places that are not known."
            )
        if self._shown:
            said.append(
                f"Text seems to be burned into {counted(self._shown, 'picture')}, and is shown, as whoever made this "
                "report chose."
            )
        if self._unseen:
            said.append(f"Not looked at for text in the pixels: {counted(self._unseen, 'picture')}.")
        return said

    def _is_hidden(self, *, flagged: bool, boxes: Boxes, hides: bool) -> bool:
        """Whether something is to be hidden in a picture, which is counted."""
        if not flagged:
            return False
        if not hides:
            self._shown += 1
        elif len(boxes):
            self._painted += 1
        else:
            self._left_out += 1
        return hides

    def _known(self) -> BurnedText:
        if self._burned is None:
            self._burned = self.collection.burned_text()
        return self._burned
