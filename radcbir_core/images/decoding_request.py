"""What one decoding was asked for, and how it says no.

Owns the wording of every error of an image and the checks that all formats share. It reads no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images.decoded_image import Limits, Window

COPY_AGAIN = "Copy it again from its source."
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Request:
    """One call of ``decode_image``: which file, which frame, which window, which limits.

    Attributes:
        name: what messages call the file.
        frame: the frame asked for, counted from 0, or None for the middle one.
        window: (center, width) asked for, or None for the file's own.
        limits: what the file may cost.
    """

    name: str
    frame: int | None
    window: tuple[float, float] | None
    limits: Limits

    def error(self, rule: str, actual: str, *, remedy: str, kind: type[ImageError] = ImageError) -> ImageError:
        """An error in one line that names the file; the caller raises it.

        Example:
            >>> str(Request("a.png", None, None, Limits()).error("an image", "empty (0 bytes)", remedy=COPY_AGAIN))
            'Expected an image, but a.png = empty (0 bytes). Copy it again from its source.'
        """
        return kind(f"Expected {rule}, but {shown(self.name)} = {actual}. {remedy}")

    def damaged(self, image_format: str) -> ImageError:
        """The error for a file whose content breaks off or makes no sense."""
        return self.error(
            f"a whole, readable {image_format} file",
            "damaged, cut off, or of a kind that cannot be read",
            remedy="Copy it again from its source, or convert it.",
        )

    def check_bytes(self, size: int) -> None:
        """Raise ImageTooLargeError if `size` bytes are over the limit."""
        if size > self.limits.max_bytes:
            raise self.error(
                f"at most {self.limits.max_bytes:,} bytes",
                f"{size:,} bytes",
                remedy="Make the image smaller.",
                kind=ImageTooLargeError,
            )

    def check_pixels(self, width: int, height: int) -> None:
        """Raise ImageTooLargeError if `width` x `height` pixels are over the limit."""
        if width * height > self.limits.max_pixels:
            raise self.error(
                f"at most {self.limits.max_pixels:,} pixels",
                f"{width:,} x {height:,} = {width * height:,} pixels",
                remedy="Make the image smaller.",
                kind=ImageTooLargeError,
            )

    def choose_frame(self, frames: int) -> int:
        """The frame to decode out of `frames`, counted from 0: the one asked for, or the middle one.

        Raises:
            ImageError: the file has no such frame.

        Example:
            >>> [Request("a.dcm", None, None, Limits()).choose_frame(n) for n in (1, 2, 3, 10)]
            [0, 1, 1, 5]
        """
        if self.frame is None:
            return frames // 2
        if not 0 <= self.frame < frames:
            last = frames - 1
            rule = "frame 0, the only one" if last == 0 else f"a frame from 0 to {last}"
            raise self.error(rule, f"asked for frame {self.frame}", remedy="Ask for another frame.")
        return self.frame

    def given_window(self) -> Window | None:
        """The window asked for, or None.

        Raises:
            ImageError: center or width is not a finite number, or the width is under 1 (DICOM PS3.3 C.11.2.1.2.1).
        """
        if self.window is None:
            return None
        center, width = self.window
        if not (math.isfinite(center) and math.isfinite(width) and width >= 1):
            raise self.error(
                "a window with a finite center and a width of at least 1",
                f"asked for center {center}, width {width}",
                remedy="Give another window.",
            )
        return Window(float(center), float(width), "given")

    def refuse_window(self) -> None:
        """Raise ImageError if a window was asked for: the image is in color."""
        if self.window is not None:
            raise self.error("a gray image to apply a window to", "in color", remedy="Leave the window out.")


def shown(name: str) -> str:
    r"""`name` as one short printable line: an upload's name is whatever its sender wrote.

    Example:
        >>> shown("scan\n.png"), len(shown("x" * 500))
        ('scan?.png', 120)
    """
    line = "".join(character if character.isprintable() else "?" for character in name)
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"
