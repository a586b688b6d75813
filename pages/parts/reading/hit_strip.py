"""The hits of a case as a reader sees them: small pictures with their labels, each opens beside the case.

Owns the small pictures of a study, and what is said of a hit: its rank, its similarity if the study says so, and its
label as it was when the study was made. No id, no path, and no way to other pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from pages.parts.images import pictures
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.study_definition import Case, FrozenHit, Study
from radcbir_core.errors import StudyError
from radcbir_core.reader_study.reading_course import row_of_case

_HERE: Final = Path(__file__).parent
GONE: Final = "This image is not in the collection any more."


def draw(collection: Collection, study: Study, hits: Sequence[FrozenHit], *, key: str) -> int | None:
    """Draw the hits.

    Args:
        collection: Where the images are.
        study: Says what is shown of them.
        hits: Best first.
        key: Unique on the page.

    Returns:
        Which of them was clicked, in the run after it was; else None.
    """
    cards = [_card(collection, study, rank, hit) for rank, hit in enumerate(hits, 1)]
    result = _strip(key=key, data={"cards": cards}, on_open_change=_nothing)
    at = result.get("open") if isinstance(result, Mapping) else None
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(hits):
        return None
    return at if cards[at]["source"] else None


def said_of_hit(study: Study, rank: int, hit: FrozenHit) -> str:
    """Its rank, and its similarity if readers are to know it."""
    return f"Hit {rank}, similarity {hit.similarity:.3f}" if study.shows_similarity else f"Hit {rank}"


def label_of_hit(hit: FrozenHit) -> str:
    """Its label."""
    return ", ".join(hit.labels) or "not labeled"


def small(collection: Collection, subject: Case | FrozenHit) -> str:
    """The address of the small picture of a case or a hit; "" where the collection does not hold it any more."""
    try:
        row = row_of_case(collection, subject.image_id, subject.sha256)
        return pictures.small(collection, row, list(subject.labels)) or ""
    except StudyError:
        return ""


def _card(collection: Collection, study: Study, rank: int, hit: FrozenHit) -> dict[str, Any]:
    source = small(collection, hit)
    return {
        "source": source,
        "label": label_of_hit(hit),
        "said": said_of_hit(study, rank, hit) if source else GONE,
    }


def _nothing() -> None:
    """For an event that is read when the run has begun."""


_strip = st.components.v2.component(
    "radcbir.hit_strip",
    html='<ol class="hits"></ol>',
    css=(_HERE / "hit_strip.css").read_text(encoding="utf-8"),
    js=(_HERE / "hit_strip.js").read_text(encoding="utf-8"),
)
