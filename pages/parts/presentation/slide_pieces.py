"""What slides are made of: headings, large pictures with what they show, and notes.

Owns the markup; the stylesheet has its looks. Everything from a collection is set as text, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, palette, state
from pages.parts.frame.palette import Agreement
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.images import gallery
from pages.parts.images.gallery import Labels
from pages.parts.presentation import shown_pictures

_FITS: Final = 22
"""So many letters stand below a small picture in one line."""


@dataclass(frozen=True)
class Said:
    """What stands below a picture.

    Attributes:
        words: What it shows.
        kind: How it agrees; None where that is not said.
        verdict: How it agrees, in words; or, without a kind, what it is beside others.
    """

    words: str = ""
    kind: Agreement | None = None
    verdict: str = ""


@dataclass(frozen=True)
class More:
    """A button with which a slide shows another one of what it is about.

    Attributes:
        label: What it says.
        parameters: What the URL says then.
    """

    label: str
    parameters: Mapping[str, str | int | None]


def another(label: str, *, name: str, at: int, number: int) -> More | None:
    """The button for the next of several, and after the last for the first again; None of a single one.

    Args:
        label: What it says.
        name: The URL parameter that says which is shown, from 1; absent of the first.
        at: Which is shown, from 0.
        number: How many there are.
    """
    following = (at + 1) % number
    return More(label, {name: following + 1 if following else None}) if number > 1 else None


def shown_of(name: str, number: int) -> int:
    """Which of several the URL asks for, from 0; what is none of them is the first.

    Args:
        name: The URL parameter.
        number: How many there are.
    """
    asked = state.get(name) or ""
    return int(asked) - 1 if re.fullmatch(r"[1-9][0-9]{0,8}", asked) and int(asked) <= number else 0


def heading(title: str, said: str = "") -> None:
    """The title of a slide, and a sentence or two below it."""
    st.html(f'<div class="radcbir-slide-heading"><h1>{markup(title)}</h1><p>{markup(said)}</p></div>')


def note(*sentences: str) -> None:
    """What has to be known of a slide, below everything; nothing where there is nothing."""
    if said := " ".join(filter(None, sentences)):
        st.html(f'<p class="radcbir-slide-note">{markup(said)}</p>')


def warning(text: str) -> None:
    """What must not be overlooked."""
    st.html(f'<p class="radcbir-slide-warning"><b>!</b> {markup(text)}</p>')


def message(text: str) -> None:
    """What stands in the place of a slide's pictures."""
    st.html(f'<p class="radcbir-slide-message">{markup(text)}</p>')


def labels_of(opened: Opened, rows: Sequence[int]) -> list[Labels]:
    """The labels of some images."""
    return [gallery.labels_of(opened.collection, row) for row in rows]


def picture(opened: Opened, row: int, name: str, said: Said, *, hides: bool = False) -> str:
    """An image with what is said of it, as HTML.

    Args:
        opened: Where it is.
        row: Of the image.
        name: What it is, for those who cannot see it.
        said: What stands below it.
        hides: Whether what it shows must not be seen yet, not even on what stands for a picture.
    """
    labels = gallery.labels_of(opened.collection, row)
    lines = gallery.said_of(labels)[: 2 if hides else 3]
    seen = loaders.seen(opened.collection, opened.encoder_id).rows[row]
    kind = f" {said.kind}" if said.kind else ""
    sign = f"{palette.SIGNS[said.kind]} " if said.kind else ""
    verdict = f"<b>{sign}{markup(said.verdict)}</b>" if said.verdict else ""
    size = ' class="long"' if len(said.words) > _FITS else ""
    known = '<i title="The computer has learned from this image">◉</i>' if seen else ""
    source = shown_pictures.address(opened.collection, row, lines)
    return (
        f'<figure class="radcbir-slide-picture{kind}"><div><img src="{source}" alt="{markup(name)}">{known}</div>'
        f"<figcaption>{verdict}<span{size}>{markup(said.words)}</span></figcaption></figure>"
    )


def beside(case: str, hits: Sequence[str], *, of: str) -> None:
    """Draw a case beside its hits.

    Args:
        case: The case, as :func:`picture` gives it.
        hits: The hits, likewise.
        of: What the hits are, for those who cannot see them.
    """
    st.html(f'<div class="radcbir-slide-pair">{case}{_listed(hits, of)}</div>')


def grid(hits: Sequence[str], *, of: str) -> None:
    """Draw hits without a case.

    Args:
        hits: As :func:`picture` gives them.
        of: What they are, for those who cannot see them.
    """
    st.html(f'<div class="radcbir-slide-grid">{_listed(hits, of)}</div>')


def _listed(hits: Sequence[str], of: str) -> str:
    items = "".join(f"<li>{hit}</li>" for hit in hits)
    return f'<ol aria-label="{markup(of)}">{items}</ol>'


def learned_from(opened: Opened, rows: Sequence[int]) -> str:
    """What there is to say of images and the encoder's training; "" where it has seen none of them."""
    seen = loaders.seen(opened.collection, opened.encoder_id)
    if seen.state == "unknown":
        return "What the computer has learned from is not known: it may know these very images."
    number = int(seen.rows[list(rows)].sum())
    if not number:
        return ""
    which = "this image" if len(rows) == 1 else f"{number} of these {len(rows)} images"
    return f"◉ The computer has learned from {which}: it may remember more than it would find elsewhere."
