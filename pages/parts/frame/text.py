"""Text from users, collections and the core, made safe to show word for word.

Owns the two escapes the pages need. Labels and file names are shown literally, whatever they hold: markup of any kind
in them is somebody's data, never ours to interpret.
"""

from __future__ import annotations

import html
import re
from typing import Final

from pages.parts.frame import server_paths

EXCLUSION_NAMES: Final = {
    "duplicate": "exact copies",
    "near-duplicate": "near-duplicates",
    "series": "series",
    "study": "study",
    "patient": "patient",
    "dataset": "data set",
}
"""What a query may not return, as the button says it."""

_TYPED: Final = re.compile(
    r"((?:python -m radcbir_core|git checkout|pip install) [^`]+?(?=$|, or | \(|\. )|(?<!\S)--[a-z-]+)"
)
# What the browser looks for in text after Markdown has been read, so that no escape of Markdown's helps: Streamlit's
# signs, its arrows and dashes (<->, ->, <-, --, >=, <=, ~= as words of their own become one character each), and what
# GitHub's dialect takes for addresses. A character without width parts them (WORD JOINER, U+2060).
_SIGN: Final = re.compile(r":(?=material/|streamlit:)")
_TYPOGRAPHY: Final = re.compile(
    r"(?<![^\s\ufeff])(?:<(?=(?:->|-|=)(?![^\s\ufeff]))|-(?=[->](?![^\s\ufeff]))|[>~](?==(?![^\s\ufeff])))"
)
_ADDRESS: Final = re.compile(r"https?:(?=//)|\bwww(?=\.)|(?<=[\w.+-])(?=@[\w-]+\.)", re.IGNORECASE)
_JOINER: Final = "\N{WORD JOINER}"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def literal(text: str) -> str:
    r"""Escape text for anything Streamlit reads as Markdown (labels, captions, messages).

    Line breaks become spaces; directives such as ``:red[…]`` and formulas between dollars lose their meaning, and
    addresses are no links: a label of strangers leads nowhere. ``->`` stays two signs and is no arrow.

    >>> literal("a_b :red[x] $1$")
    'a\\_b \\:red\\[x\\] \\$1\\$'
    >>> literal("http://x").replace("\N{WORD JOINER}", "|")
    'http\\:|//x'
    """
    return _escaped(_ADDRESS.sub(rf"\g<0>{_JOINER}", " ".join(text.split())))


def message(text: str) -> str:
    r"""A message of the core as Markdown: word for word but for paths of the server, and what is to be typed as code.

    Not only for its looks: outside code, Markdown makes one dash of ``--``, and the command would not run.

    >>> message("Expected a_b. Run: git checkout -- data/x")
    'Expected a\\_b\\. Run\\: `git checkout -- data/x`'
    """
    parts = _TYPED.split(server_paths.shown(" ".join(text.split())))
    return "".join(f"`{part}`" if position % 2 else _escaped(part) for position, part in enumerate(parts))


def markup(text: object) -> str:
    """Escape text for HTML, inside elements and inside quoted attributes.

    >>> markup('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(str(text), quote=True)


def percent(share: float) -> str:
    """A share in percent, everywhere with one digit; what is more than nothing never looks like it.

    >>> percent(0.6941), percent(1), percent(0), percent(0.0002)
    ('69.4 %', '100.0 %', '0.0 %', '<0.1 %')
    """
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _escaped(text: str) -> str:
    parted = _TYPOGRAPHY.sub(rf"\g<0>{_JOINER}", _SIGN.sub(rf":{_JOINER}", text))
    return _MARKDOWN.sub(r"\\\1", parted)
