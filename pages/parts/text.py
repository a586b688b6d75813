"""Text from users, collections and the core, made safe to show word for word.

Owns the two escapes the pages need. Labels and file names are shown literally, whatever they hold: markup of any kind
in them is somebody's data, never ours to interpret.
"""

from __future__ import annotations

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def literal(text: str) -> str:
    r"""Escape text for anything Streamlit reads as Markdown (labels, captions, messages).

    Line breaks become spaces; directives such as ``:red[…]`` and formulas between dollars lose their meaning.

    >>> literal("a_b :red[x] $1$")
    'a\\_b \\:red\\[x\\] \\$1\\$'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def markup(text: object) -> str:
    """Escape text for HTML, inside elements and inside quoted attributes.

    >>> markup('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(str(text), quote=True)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "image"), counted(2778, "image"), counted(2, "query", "queries")
    ('1 image', '2,778 images', '2 queries')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
