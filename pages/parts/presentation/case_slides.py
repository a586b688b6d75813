"""The slides of one case: choosing it, its hits with their labels hidden, and with what they show.

Owns these three. The pictures of the second and third are at the same places, so that nothing but the findings appears.
"""

from __future__ import annotations

import math
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from pages.parts.presentation import plain_words, shown_cases, slide_pieces
from pages.parts.presentation.slide_pieces import More, Said

A_SLIDE: Final = 4
"""So many cases are offered at once."""
_PART: Final = "cases"


def choose(opened: Opened, row: int) -> More | None:
    """Draw the cases to choose from; a click goes on with one.

    Args:
        opened: The open collection.
        row: Of the case that is chosen now.
    """
    rows = shown_cases.offered(opened)
    rows = rows if row in rows else [row, *rows]
    parts = [rows[start : start + A_SLIDE] for start in range(0, len(rows), A_SLIDE)]
    at = slide_pieces.shown_of(_PART, len(parts))
    slide_pieces.heading("Choose a case", "The computer then looks for the images that are most like it.")
    with st.container(horizontal=True, horizontal_alignment="center", key="radcbir-slide-cases"):
        for number, offered in enumerate(parts[at]):
            labels = gallery.labels_of(opened.collection, offered)
            name = plain_words.kind_of(labels)
            with st.container(key=f"radcbir-slide-tile-{number}{'-chosen' if offered == row else ''}"):
                st.html(slide_pieces.picture(opened, offered, name, Said(), hides=True))
                st.button(
                    literal(name),
                    key=f"radcbir:case:{number}",
                    shortcut=str(number + 1),
                    icon=":material/check:" if offered == row else None,
                    on_click=state.update,
                    kwargs={"image": opened.collection.manifest.image_id(offered), "step": "similar", _PART: None},
                    width="stretch",
                )
    usual = shown_cases.ordinary(opened).usual
    number = len(opened.collection)
    slide_pieces.note(
        f"From {number:,} images.",
        f"Chosen to be ordinary, not to please: of the ten most similar images about {plain_words.tenths(usual)} show "
        "the same finding, as on average."
        if not math.isnan(usual)
        else "",
    )
    return slide_pieces.another("Other cases", name=_PART, at=at, number=len(parts))


def similar(opened: Opened, row: int) -> None:
    """Draw the case beside its hits, without what they show.

    Args:
        opened: The open collection.
        row: Of the case.
    """
    hits = shown_cases.hits_of(opened, row)
    others = len(opened.collection) - 1
    asks = "Which show the same as the case?" if len(hits) > 1 else ""
    slide_pieces.heading(
        "The most similar images",
        f"Found among {others:,} others, by the image alone: no report, no label. {asks}",
    )
    name = plain_words.kind_of(gallery.labels_of(opened.collection, row))
    case = slide_pieces.picture(opened, row, f"The case: {name}", Said(verdict="The case"), hides=True)
    shown = [
        slide_pieces.picture(opened, hit, f"Similar image {number}", Said(), hides=True)
        for number, hit in enumerate(hits, 1)
    ]
    slide_pieces.beside(case, shown, of="The most similar images, the most similar first")
    slide_pieces.note(_who_is_left_out(opened, row), slide_pieces.learned_from(opened, [row, *hits]))


def findings(opened: Opened, row: int) -> None:
    """Draw the same, with what every image shows and whether that is what the case shows.

    Args:
        opened: The open collection.
        row: Of the case.
    """
    by_finding = shown_cases.has_pathologies(opened)
    hits = shown_cases.hits_of(opened, row)
    labels = gallery.labels_of(opened.collection, row)
    said = []
    for theirs in slide_pieces.labels_of(opened, hits):
        kind, verdict = plain_words.agreeing(labels, theirs, by_finding=by_finding)
        tells_kind = plain_words.elsewhere(labels, theirs) or not by_finding
        said.append(Said((plain_words.kind_of if tells_kind else plain_words.finding_of)(theirs), kind, verdict))
    number = sum(one.kind == "same" for one in said)
    what = "finding" if by_finding else "body part"
    unknown = sum(one.kind == "unknown" for one in said)
    of_others = f"Of {unknown} it is not known. " if unknown else ""
    known = bool(labels.pathologies) if by_finding else bool(labels.anatomy)
    slide_pieces.heading(
        "What they show",
        f"{number} of {len(hits)} show the same {what}. {of_others}{_at_random(opened, row, by_finding=by_finding)}"
        if known
        else f"What the case shows is not labeled, so that nothing can be said of the same {what}.",
    )
    own = plain_words.finding_of(labels) if by_finding else plain_words.kind_of(labels)
    case = slide_pieces.picture(opened, row, f"The case: {own}", Said(own, verdict="The case"))
    shown = [
        slide_pieces.picture(opened, hit, f"{one.words}: {one.verdict}", one)
        for hit, one in zip(hits, said, strict=True)
    ]
    slide_pieces.beside(case, shown, of="The most similar images and what they show")
    slide_pieces.note(_who_is_left_out(opened, row), slide_pieces.learned_from(opened, [row, *hits]))


def _who_is_left_out(opened: Opened, row: int) -> str:
    knows = bool(opened.collection.manifest.groups("patient")[row] >= 0)
    one = "One image of each patient." if knows else ""
    return f"{plain_words.left_out(shown_cases.left_out_of_hits(opened), knows_patient=knows)} {one}"


def _at_random(opened: Opened, row: int, *, by_finding: bool) -> str:
    """How many images drawn at random would show the same; "" where that is not counted."""
    manifest = opened.collection.manifest
    codes = manifest.labels("label") if by_finding else manifest.codes("anatomy")
    own = int(codes.codes[row])
    if own < 0 or len(opened.collection) < 2:
        return ""
    counts = loaders.facts(opened.collection)
    same = (
        shown_cases.label_counts(opened)[codes.values[own]] if by_finding else counts.anatomies[codes.values[own]]
    ) - 1
    return f"Of images drawn at random {plain_words.of_hundred(same / (len(opened.collection) - 1))} would."
