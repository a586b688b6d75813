"""Results of evaluations that were read from disk, in memory: those asked for last, as many as there is room for.

Owns that room. Of a few thousand images a result is nothing; of 1.6 million the tables with a line a query take
hundreds of megabytes each, and two dozen of them more than a server has.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from radcbir_core.evaluation import Result
from radcbir_core.evaluation.keeping import KeptTables

ROOM: Final = 1_000_000_000
"""Bytes of all tables together; the one asked for last is there in any case."""


def _memory(result: Result) -> int:
    """Bytes of a result's tables; those on disk are not read for it."""
    if isinstance(result.tables, KeptTables):
        return result.tables.memory
    return sum(int(table.memory_usage(index=True, deep=True).sum()) for table in result.tables.values())


class Shelf:
    """Results by what identifies them. Safe to share between threads.

    Args:
        room: Bytes of all tables together.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._results: OrderedDict[Hashable, tuple[Result, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Result | None:
        """The result of a key; None where it is not here."""
        with self._lock:
            if key not in self._results:
                return None
            self._results.move_to_end(key)
            return self._results[key][0]

    def put(self, key: Hashable, result: Result) -> None:
        """Keep a result; those that nobody has asked for the longest make room for it."""
        size = _memory(result)
        with self._lock:
            self._results[key] = result, size
            self._results.move_to_end(key)
            total = sum(number for _, number in self._results.values())
            while total > self._room and len(self._results) > 1:
                total -= self._results.popitem(last=False)[1][1]
