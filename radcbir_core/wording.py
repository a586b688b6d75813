"""How counts are put into words, in messages, notes, commands and pages alike.

Owns the one place where a noun gets its plural.
"""

from __future__ import annotations


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
