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

import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

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
_LINE = re.compile(rb"[0-9a-f]{16,64}")
_BLOCK: Final = 2**22  # bytes that are looked at together
_NO_DIGESTS: Final[npt.NDArray[np.bytes_]] = np.empty(0, dtype="S1")


@dataclass(frozen=True, eq=False)
class Training:
    """What is known of the images that an encoder was trained on.

    Attributes:
        state: ``listed``, trained on ``nothing``, or ``unknown``.
        digests: ``(M,)`` of the files, where they are listed; ascending, hex, equally long.
        fault: Why a list that is there cannot be used; mostly "". Another list with the same weights may stand for it.
    """

    state: State
    digests: npt.NDArray[np.bytes_] = field(default_factory=lambda: _NO_DIGESTS, repr=False)
    fault: str = ""

    @classmethod
    def listing(cls, sha256: Iterable[str], *, fault: str = "") -> Training:
        """That of an encoder that was trained on these files, in whatever order.

        Args:
            sha256: Of each file, or its beginning; hex, equally long.
            fault: Why another list, which this stands for, cannot be used.

        Example:
            >>> Training.listing(["ff" * 8, "00" * 8]).digits
            16
        """
        return cls("listed", np.array(sorted(set(sha256)), dtype=np.bytes_), fault)

    @property
    def digits(self) -> int:
        """How many hex digits of each SHA-256 are listed; 0 without a list."""
        return self.digests.dtype.itemsize if len(self.digests) else 0

    @cached_property
    def identity(self) -> str:
        """Identifies the list; "" where there is none."""
        return digest_of(str(self.digits), self.digests.tobytes()) if self.state == "listed" else ""

    def lists(self, sha256: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        """Which files are listed.

        Args:
            sha256: ``(N,)`` of each file, hex, whole; "" where nobody has read it.

        Returns:
            ``(N,)``.

        Example:
            >>> Training.listing(["00" * 8]).lists(np.array([b"00" * 32, b"11" * 32, b""])).tolist()
            [True, False, False]
        """
        if not len(self.digests):
            return np.zeros(len(sha256), dtype=bool)
        begun = sha256.astype(self.digests.dtype)
        places = np.searchsorted(self.digests, begun)
        listed: npt.NDArray[np.bool_] = self.digests[np.minimum(places, len(self.digests) - 1)] == begun
        return listed

    def __eq__(self, other: object) -> bool:
        """Whether the very same is known."""
        return isinstance(other, Training) and self._known == other._known

    def __hash__(self) -> int:
        """Of what is known."""
        return hash(self._known)

    @property
    def _known(self) -> tuple[str, str, str]:
        return self.state, self.identity, self.fault


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
        parts = _read_digests(path, restore=restore)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        raise EncoderError(f"Expected a readable list of training images, but {path} {reason}. {restore}") from error
    if not parts:
        raise EncoderError(
            f"Expected the digests of training images, but {path} has none. {restore} Where an encoder was trained on "
            f"nothing, its kit says {NOTHING}."
        )
    return Training("listed", np.concatenate(parts))


def _read_digests(path: Path, *, restore: str) -> list[npt.NDArray[np.bytes_]]:
    """The digests of a list, a block of lines at a time: all lines of a long one would take gigabytes."""
    parts: list[npt.NDArray[np.bytes_]] = []
    before, number = b"", 0
    with path.open("rb") as file:
        while block := file.readlines(_BLOCK):
            b"".join(block).decode("utf-8")  # which refuses what is no text
            lines = [line.rstrip(b"\r\n") for line in block]
            listed = [line for line in lines if not _says(line)]
            if not _go_on(before, listed):
                at, line = _first_fault(before, lines)
                raise EncoderError(
                    "Expected digests of 16 to 64 hex digits, equally long and ascending, but line "
                    f"{number + at} of {path} = '{shown(line.decode(), longest=80)}'. {restore}"
                )
            if listed:
                parts.append(np.array(listed))
                before = listed[-1]
            number += len(block)
    return parts


def _says(line: bytes) -> bool:
    """Whether a line is for people."""
    return line.startswith(b"#") or not line.strip()


def _go_on(before: bytes, lines: list[bytes]) -> bool:
    """Whether lines are digests that go on where those before end; ``before`` is empty where these are the first."""
    alike = {len(before), *map(len, lines)} if before else {*map(len, lines)}
    return len(alike) <= 1 and all(map(_LINE.fullmatch, lines)) and all(map(operator.lt, chain([before], lines), lines))


def _first_fault(before: bytes, lines: list[bytes]) -> tuple[int, bytes]:
    """The first of some lines, counted from 1, that does not go on from those before."""
    for at, line in enumerate(lines, 1):
        if not _says(line):
            if not _go_on(before, [line]):
                return at, line
            before = line
    raise AssertionError("one of them does not go on")  # pragma: no cover - who asks has found one


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
