"""The slides of all queries: body part against finding, and a failure with how often it happens.

Owns these two.
"""

from __future__ import annotations

import math
from typing import Final

import streamlit as st

from pages.parts.frame.shell import Opened
from pages.parts.frame.text import markup
from pages.parts.presentation import plain_words, shown_cases, slide_pieces
from pages.parts.presentation.slide_pieces import More, Said
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.evaluation.presented_cases import Agreement

_WHAT: Final[dict[Level, str]] = {"anatomy": "Same body part", "label": "Same finding"}
_FAILURE: Final = "failure"


def comparison(opened: Opened, row: int) -> None:  # noqa: ARG001 - every slide is drawn of a case
    """Draw how often the first hit, and the first ten, agree in body part and in finding."""
    figures = shown_cases.figures(opened)
    if figures is None:
        return
    anatomy, label = figures.get(("anatomy", 1)), figures.get(("label", 1))
    title = "Body part and finding" if label is not None else "Body part"
    if anatomy is not None and label is not None and anatomy.low > label.high:
        title = "The body part is found. The finding is harder."
    excluded = plain_words.left_out(shown_cases.left_out_of_hits(opened), knows_patient=True)
    slide_pieces.heading(title, f"Each image asked once for the images most like it. {excluded}")
    parts = [
        _panel(_WHAT[level], figures[level, 1], figures[level, 10])
        for level in _WHAT
        if (level, 1) in figures and (level, 10) in figures
    ]
    if not parts:
        slide_pieces.message("No image has another one with the same label to find, so that nothing can be counted.")
        return
    st.html(f'<div class="radcbir-slide-panels">{"".join(parts)}</div>')
    slide_pieces.note(
        "The upright line: images drawn at random. A finding is the same only in the same body part and kind of image.",
        _training(opened),
    )


def _panel(what: str, first: Agreement, ten: Agreement) -> str:
    """One question and its two answers, as HTML."""
    bounds = f"left:{100 * first.low:.1f}%;width:{100 * (first.high - first.low):.1f}%"
    interval = "" if math.isnan(first.low + first.high) else f'<s style="{bounds}"></s>'
    icons = "".join(
        f'<li style="--filled:{100 * min(max(10 * ten.share - place, 0), 1):.0f}%"></li>' for place in range(10)
    )
    return (
        f"<section><h2>{markup(what)}</h2>"
        f'<p class="radcbir-slide-number"><b>{plain_words.hundredths(first.share)}</b> of 100 times<br>'
        f"the most similar image agrees</p>"
        f'<div class="radcbir-slide-bar" role="img" aria-label="{plain_words.of_hundred(first.share)}, by chance '
        f'{plain_words.of_hundred(first.chance)}"><i style="width:{100 * first.share:.1f}%"></i>{interval}'
        f'<u style="left:{100 * first.chance:.1f}%"></u></div>'
        f"<p>{markup(plain_words.confidence(first.low, first.high))} · by chance "
        f"{plain_words.hundredths(first.chance)}</p>"
        f'<ol class="radcbir-slide-ten" aria-label="Of the ten most similar images">{icons}</ol>'
        f"<p>{plain_words.tenths(ten.share)} of the ten most similar images agree<br>"
        f"<small>{first.n_queries:,} images of {first.n_patients:,} patients asked</small></p></section>"
    )


def _training(opened: Opened) -> str:
    """What there is to say of the figures and the encoder's training."""
    seen = shown_cases.seen_by(opened)
    if seen.state == "unknown":
        return "What the computer has learned from is not known: these figures may be too favorable."
    if not seen.number:
        return ""
    if shown_cases.counts_seen(opened):
        return "The computer has learned from all of these images: these figures are too favorable."
    return f"{seen.number:,} images that the computer has learned from did not ask."


def failure(opened: Opened, row: int) -> More | None:  # noqa: ARG001 - as above
    """Draw a query beside a first hit with another finding, and how often such happens."""
    found = shown_cases.mixed_up(opened)
    if found is None:
        return None
    rate = found.rate
    place = "the same body part, but another finding" if found.kind == "pathology" else "another finding or body part"
    often = f"In {plain_words.of_hundred(rate.share)} searches the most similar image shows {place}"
    if not found.examples:
        slide_pieces.heading("A failure", "")
        slide_pieces.message(
            f"In none of {rate.n_images:,} searches the most similar image shows another finding."
            if rate.n_images
            else "No image has another one with the same finding to look for, so that nothing can fail."
        )
        return None
    at = slide_pieces.shown_of(_FAILURE, len(found.examples))
    example = found.examples[at]
    slide_pieces.heading(
        "Very similar, and yet another finding"
        if found.kind == "pathology"
        else "Very similar, and yet something else",
        f"{often} ({plain_words.confidence(rate.low, rate.high)}).",
    )
    shown = [example.query, example.hit]
    mine, theirs = slide_pieces.labels_of(opened, shown)
    verdict = plain_words.agreeing(mine, theirs, by_finding=True)
    kind = plain_words.kind_of(mine)
    shows = plain_words.finding_of(mine)
    query = slide_pieces.picture(
        opened, example.query, f"The case: {shows}", Said(f"{kind}: {shows}", verdict="The case")
    )
    hit = slide_pieces.picture(
        opened,
        example.hit,
        f"The most similar image: {plain_words.finding_of(theirs)}",
        Said(f"{plain_words.kind_of(theirs)}: {plain_words.finding_of(theirs)}", *verdict),
    )
    st.html(f'<div class="radcbir-slide-failure">{query}{hit}</div>')
    most = " more often than any other" if at == 0 else ""
    pair = " and ".join(plain_words.finding_of(one, most=30) for one in (mine, theirs))
    slide_pieces.note(
        f"{pair[:1].upper()}{pair[1:]} are mixed up{most}: {example.number:,} of "
        f"{rate.n:,} such failures in {rate.n_images:,} searches.",
        _training(opened),
        "" if shown_cases.seen_by(opened).state == "unknown" else slide_pieces.learned_from(opened, shown),
    )
    return slide_pieces.another("Another failure", name=_FAILURE, at=at, number=len(found.examples))
