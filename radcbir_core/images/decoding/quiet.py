"""Keeps what the decoders' libraries say off the terminal while this thread decodes.

pydicom, Pillow and nibabel warn, on the terminal and in the log, about every oddity of a file, and may quote its
header, which can identify a patient. What matters to a user comes back as an error of ours instead.
``warnings.catch_warnings`` cannot be used for this: it swaps one list that all threads share, and images are decoded in
several threads.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

# The loggers through which these report on a file; a filter on a parent would not see their records.
_LOGGERS = (
    *("pydicom", "pydicom.pixels.decoders.base", "PIL.TiffImagePlugin", "PIL.PngImagePlugin", "PIL.ImageFile"),
    "nibabel.global",
)


class _Gate(logging.Filter):
    """Closed, for warnings and for log records, in the threads that are inside `quiet`."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    @property
    def depth(self) -> int:
        return cast(int, getattr(self._of_thread, "depth", 0))

    @depth.setter
    def depth(self, value: int) -> None:
        self._of_thread.depth = value

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the base class sets the signature
        """Let a log record pass unless this thread is decoding."""
        return self.depth == 0

    def match(self, module: str) -> bool:  # noqa: ARG002 - called by `warnings` like a compiled pattern
        """Match every module's warnings, to be ignored, while this thread is decoding."""
        return self.depth > 0


_gate = _Gate()
# `warnings` calls .match() on the fourth entry, which is a compiled pattern as a rule; ours asks the thread instead.
_ignore_while_decoding = cast(Any, ("ignore", None, Warning, _gate, 0))
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_gate)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings, and the libraries' log records, of this thread for the length of the block.

    Example:
        >>> with quiet():
        ...     warnings.warn("seen by nobody")
    """
    filters = cast("list[Any]", warnings.filters)
    # Somebody's catch_warnings may have taken the filter away, or put another before it, since the last time.
    if not filters or filters[0] is not _ignore_while_decoding:
        filters.insert(0, _ignore_while_decoding)
        for place in range(len(filters) - 1, 0, -1):
            if filters[place] is _ignore_while_decoding:
                del filters[place]
    _gate.depth += 1
    try:
        yield
    finally:
        _gate.depth -= 1
