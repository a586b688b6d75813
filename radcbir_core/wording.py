"""How counts are put into words, in messages, notes, commands and pages alike.

Owns the one place where a noun gets its plural, and the reading of a condition, ``column=value``, as people write it.
"""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun.

    Args:
        number: How many.
        singular: The noun for one.
        plural: The noun for any other number; with an s at the end by default.

    Example:
        >>> counted(1, "image"), counted(2778, "image"), counted(2, "query", "queries")
        ('1 image', '2,778 images', '2 queries')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def parted_condition(condition: str, columns: Iterable[str]) -> tuple[str, str, str]:
    """Column, ``=`` and value of a condition ``column=value``; two empty texts behind it where it has no ``=``.

    A name of a column may hold ``=`` itself: the longest of ``columns`` that fits is the one, else what stands before
    the first ``=``.

    Example:
        >>> parted_condition("b=1000=yes", ["b", "b=1000"]), parted_condition("view=a=b", ["view"])
        (('b=1000', '=', 'yes'), ('view', '=', 'a=b'))
        >>> parted_condition("view", ["view"])
        ('view', '', '')
    """
    known = {column.strip() for column in columns}
    for at in range(len(condition) - 1, -1, -1):
        if condition[at] == "=" and condition[:at].strip() in known:
            return condition[:at], "=", condition[at + 1 :]
    return condition.partition("=")
