"""Which images an encoder was trained on, as a kit says it: a text file of digests, one a line.

Owns the form of that list, its checks and its writing. A kit may say what its encoder was trained on, by the key
``trained_on`` of ``kit.json``: the name of such a file among its ``files``, or the word ``nothing``. Nobody has to: a
kit without the key says nothing of it, which is not the same.

```text
# What these images are, in as many lines as it takes.
00123a77c9be04d1
0047f0e2b6315c9a
```

A line is the beginning of the SHA-256 of a file that was trained on: 16 to 64 hex digits, lower case, equally many in
each, ascending, each once. Sixteen are enough: with ten thousand images in a list, one of 1.6 million others has the
same digits by chance once in a thousand million lists. What is recognized is the file, byte for byte; another file of
the same picture is another's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from radcbir_core.encoders.base import shown
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_of

KEY: Final = "trained_on"
NOTHING: Final = "nothing"
LIST: Final = "trained_on.txt"
"""What our own kits call the file."""
DIGITS: Final = 16
MOST_BYTES: Final = 256 * 2**20
"""Of a list: four million whole digests."""

State = Literal["listed", "nothing", "unknown"]
_LINE = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class Training:
    """What is known of the images that an encoder was trained on.

    Attributes:
        state: ``listed``, trained on ``nothing``, or ``unknown``.
        digests: Of the files, where they are listed; ascending, hex, equally long.
        fault: Why a list that is there cannot be used; mostly "".
    """

    state: State
    digests: tuple[str, ...] = field(default=(), repr=False)
    fault: str = ""

    @property
    def digits(self) -> int:
        """How many hex digits of each SHA-256 are listed; 0 without a list."""
        return len(self.digests[0]) if self.digests else 0

    @property
    def identity(self) -> str:
        """Identifies the list; "" where there is none."""
        return digest_of(*self.digests) if self.state == "listed" else ""


UNKNOWN: Final = Training("unknown")
ON_NOTHING: Final = Training("nothing")


def list_name(record: Mapping[str, Any], *, path: Path, restore: str) -> str | None:
    """The file that ``kit.json`` names as the list, ``nothing``, or None where it says nothing of the training.

    Args:
        record: What ``kit.json`` says; its ``files`` are checked.
        path: Of ``kit.json``, for the message.
        restore: How the kit is made whole again.

    Raises:
        EncoderError: It names something that is none of the kit's files.

    Example:
        >>> record = {"files": {"trained_on.txt": "…"}, "trained_on": "trained_on.txt"}
        >>> list_name(record, path=Path("kit.json"), restore="")
        'trained_on.txt'
    """
    said = record.get(KEY)
    if said is None or said == NOTHING or (isinstance(said, str) and said in record["files"]):
        return said
    raise EncoderError(
        f"Expected one of the kit's files, or {NOTHING}, but {path} has {KEY} = '{shown(str(said))}'. {restore}"
    )


def read_list(path: Path, *, restore: str) -> Training:
    """What a list says.

    Args:
        path: Of the text file.
        restore: How the kit is made whole again.

    Raises:
        EncoderError: It cannot be read, is too long, or holds something else than ascending digests of one length.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise EncoderError(
                f"Expected a list of training images of at most {MOST_BYTES:,} bytes, but {path} has {size:,}. "
                f"{restore}"
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        raise EncoderError(f"Expected a readable list of training images, but {path} {reason}. {restore}") from error
    digests: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if not _LINE.fullmatch(line) or (digests and (len(line) != len(digests[0]) or line <= digests[-1])):
            raise EncoderError(
                "Expected digests of 16 to 64 hex digits, equally long and ascending, but line "
                f"{number} of {path} = '{shown(line, longest=80)}'. {restore}"
            )
        digests.append(line)
    if not digests:
        raise EncoderError(
            f"Expected the digests of training images, but {path} has none. {restore} Where an encoder was trained on "
            f"nothing, its kit says {NOTHING}."
        )
    return Training("listed", tuple(digests))


def list_bytes(sha256: Iterable[str], *, about: str, digits: int = DIGITS) -> bytes:
    """The content of a list: the same for the same images, in whatever order and however often they are given.

    Args:
        sha256: Of each file, hex.
        about: What the images are; becomes the lines at its beginning.
        digits: How many of each are kept.

    Example:
        >>> print(list_bytes(["ff" * 32, "00" * 32], about="Two files.").decode(), end="")
        # Two files.
        0000000000000000
        ffffffffffffffff
    """
    said = [f"# {line}".rstrip() for line in about.splitlines()]
    return "\n".join([*said, *sorted({digest[:digits] for digest in sha256}), ""]).encode()
