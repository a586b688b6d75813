"""What one reading was asked for, and how decoding says no.

Owns the wording of every error of an image, the border that errors pass, and the checks that all formats share. It
reads no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images.decoded_image import MEBIBYTE, Limits
from radcbir_core.images.decoding.quiet import quiet

COPY_AGAIN = "Copy it again from its source."
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Request:
    """One file that is to be read: which frame of it, under which limits.

    Attributes:
        name: what messages call the file.
        frame: the frame asked for, counted from 0, or None for the middle one.
        limits: what the file may cost.
        measured_only: whether values are not wanted, but only that the picture can be decoded, and its size. Readers
            then leave out what is done to plain values after they are decoded, and give zeros instead.
    """

    name: str
    frame: int | None
    limits: Limits
    measured_only: bool = False

    def error(self, rule: str, actual: str, *, remedy: str, kind: type[ImageError] = ImageError) -> ImageError:
        """An error in one line that names the file; the caller raises it.

        Example:
            >>> str(Request("a.png", None, Limits()).error("an image", "empty (0 bytes)", remedy=COPY_AGAIN))
            'Expected an image, but a.png = empty (0 bytes). Copy it again from its source.'
        """
        return image_error(self.name, rule, actual, remedy=remedy, kind=kind)

    def damaged(self, image_format: str) -> ImageError:
        """The error for a file whose content breaks off or makes no sense."""
        return _damaged(self.name, image_format)

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

    def check_scans(self, scans: int) -> None:
        """Raise ImageTooLargeError if a JPEG has more scans than the limit."""
        if scans > self.limits.max_scans:
            raise self.error(
                f"at most {self.limits.max_scans:,} scans",
                f"a JPEG of {scans:,}",
                remedy="Save it again, as a plain JPEG.",
                kind=ImageTooLargeError,
            )

    def choose_frame(self, frames: int) -> int:
        """The frame to decode out of `frames`, counted from 0: the one asked for, or the middle one.

        Raises:
            ImageError: the file has no such frame.

        Example:
            >>> [Request("a.dcm", None, Limits()).choose_frame(n) for n in (1, 2, 3, 10)]
            [0, 1, 1, 5]
        """
        if self.frame is None:
            return frames // 2
        if not 0 <= self.frame < frames:
            last = frames - 1
            rule = "frame 0, the only one" if last == 0 else f"a frame from 0 to {last}"
            raise self.error(rule, f"asked for frame {self.frame}", remedy="Ask for another frame.")
        return self.frame


def image_error(name: str, rule: str, actual: str, *, remedy: str, kind: type[ImageError] = ImageError) -> ImageError:
    """An error in one line that names the file; the caller raises it."""
    return kind(f"Expected {rule}, but {shown(name)} = {actual}. {remedy}")


def too_much_memory(name: str, limits: Limits, *, certain: bool = True) -> ImageError:
    """The error for a file whose decoding was refused memory beyond the limit, or may have been.

    Example:
        >>> str(too_much_memory("a.webp", Limits()))
        'Expected an image that decodes within 1,024 MiB of memory, but a.webp = needs more. Make it smaller.'
    """
    rule = f"an image that decodes within {limits.max_memory // MEBIBYTE:,} MiB of memory"
    actual = "needs more" if certain else "needs more, or is damaged"
    return image_error(name, rule, actual, remedy="Make it smaller.", kind=ImageTooLargeError)


@contextmanager
def only_image_errors(name: str, image_format: str) -> Iterator[None]:
    """The border behind which nothing but an ImageError leaves, and no library says a word.

    Args:
        name: what messages call the file.
        image_format: of the file.

    Raises:
        ImageError: whatever was raised in the block.
        ImageTooLargeError: there was not enough memory.
    """
    try:
        with quiet():
            yield
    except ImageError:
        raise
    except MemoryError as error:
        raise image_error(
            name,
            "an image that fits into memory",
            "too large for this machine",
            remedy="Make it smaller.",
            kind=ImageTooLargeError,
        ) from error
    except Exception as error:
        # Pillow, pydicom and the decoders under them raise whatever comes up on damaged data: OSError, SyntaxError,
        # struct.error, zlib.error, AttributeError, NotImplementedError, … It is one thing to the caller. Their texts
        # may quote the file's header, so they stay in the cause.
        raise _damaged(name, image_format) from error


def _damaged(name: str, image_format: str) -> ImageError:
    return image_error(
        name,
        f"a whole, readable {image_format} file",
        "damaged, cut off, or of a kind that cannot be read",
        remedy="Copy it again from its source, or convert it.",
    )


def shown(name: str) -> str:
    r"""`name` as one short printable line: an upload's name is whatever its sender wrote.

    Example:
        >>> shown("scan\n.png"), len(shown("x" * 500))
        ('scan?.png', 120)
    """
    line = "".join(character if character.isprintable() else "?" for character in name)
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"
