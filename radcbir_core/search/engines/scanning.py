"""The threads in which one query's vectors are read.

Owns the one pool that all searches of a process share, so that many people who search at once do not start more threads
than there are cores. What is given to it must not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What some work gives for each item, in their order; done side by side where there is more than one core.

    Args:
        work: Releases Python's lock for most of its time.
        items: Few enough to be handed out at once.

    Example:
        >>> list(side_by_side(len, ["a", "bc"]))
        [1, 2]
    """
    items = list(items)
    if len(items) < 2 or (os.cpu_count() or 1) < 2:
        return map(work, items)
    return _pool().map(work, items)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="search")
