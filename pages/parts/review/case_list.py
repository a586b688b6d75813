"""What was said, case by case: images, pairs and corrections, filtered and paged; one case in large above.

Owns the page's URL parameters ``kind``, ``tag``, ``by``, ``standing`` (of corrections), ``where``, and ``image`` and
``beside``, the case that is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.frame import loaders, paging, shell, state
from pages.parts.frame.text import literal
from pages.parts.images import case, filters, gallery, review_marks, review_panel
from pages.parts.review import exchange
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reviews.review_state import Review, Reviews, Subject
from radcbir_core.collections.reviews.reviewing import (
    PRESENT,
    Proposed,
    images_in,
    known_images,
    presence_of,
    proposals,
)
from radcbir_core.errors import RadcbirError
from radcbir_core.wording import counted

IMAGES_A_PAGE: Final = 24
PAIRS_A_PAGE: Final = 12
EVERY: Final = "all"
_STANDINGS: Final = {
    "open": "Not applied",
    "applied": "Applied",
    "superseded": "Superseded",
    EVERY: "All",
}
_CLEARS: Final = ["page", "image", "beside", "why"]


def show(collection: Collection, encoder_id: str | None) -> None:
    """Draw the page.

    Args:
        collection: Of whose images something was said.
        encoder_id: Of the open encoder, if there is one.
    """
    with shell.errors_shown():
        reviews = loaders.reviews(collection)
        exchange.say_imported()
        _say_damaged(reviews)
        above = st.container()
        shown = _show_list(collection, reviews)
        with above:
            _show_open_case(collection, encoder_id, reviews, [review.subject for review in shown])


def _say_damaged(reviews: Reviews) -> None:
    if reviews.damaged:
        line, reason = reviews.damaged[0]
        st.warning(
            f"Expected entries only in the log of reviews, but {counted(len(reviews.damaged), 'line')} of it cannot be "
            f"read, first {line}: {literal(reason)}. The others hold."
        )


def _show_open_case(collection: Collection, encoder_id: str | None, reviews: Reviews, shown: Sequence[Subject]) -> None:
    """The image or pair that the URL names, whether anything was said of it or not."""
    image_id, hit_id = state.get("image"), state.get("beside")
    if image_id is None:
        review_panel.use_new_fields()
        return
    try:
        rows = [collection.manifest.row_of(one) for one in (image_id, hit_id) if one]
    except RadcbirError as error:
        shell.show_error(error)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<h4 class="radcbir-label">The case</h4>', width="content")
        people = reviews.of(image_id, hit_id or "").people()
        st.caption(literal(f"{', '.join(people)}" if people else "Nothing was said of it yet."), width="stretch")
        subject = (image_id, hit_id or "")
        at = shown.index(subject) if subject in shown else -1
        for name, icon, to, key in (
            ("Previous case", "chevron_left", at - 1, "Shift+Left"),
            ("Next case", "chevron_right", at + 1, "Shift+Right"),
        ):
            st.button(
                name,
                icon=f":material/{icon}:",
                disabled=at < 0 or not 0 <= to < len(shown),
                on_click=_open_case,
                args=(shown, to),
                shortcut=key,
            )
        if st.button("Use as query", icon=":material/image_search:", key="radcbir:case-query"):
            gallery.open_as_query(collection, rows[0])
        st.button(
            "Close the case",
            icon=":material/close:",
            type="tertiary",
            on_click=state.update,
            kwargs={"image": None, "beside": None, "why": None},
        )
    case.draw(collection, rows, names=("Query", "Hit") if hit_id else ("Image",), encoder_id=encoder_id)


def _open_case(shown: Sequence[Subject], at: int) -> None:
    state.update(image=shown[at][0], beside=shown[at][1] or None)


def _show_list(collection: Collection, reviews: Reviews) -> list[Review]:
    """What the filters leave, page by page; all of it is returned."""
    known = known_images(collection, images_in(reviews.entries))
    there = [one for one in reviews.reviews.values() if presence_of(known, one.last) == PRESENT]
    gone = [one for one in reviews.reviews.values() if presence_of(known, one.last) != PRESENT]
    corrections = proposals(collection, reviews)
    parted = {
        "images": [one for one in there if not one.subject[1]],
        "pairs": [one for one in there if one.subject[1]],
        "corrections": [one for one in there if one.corrections],
        "gone": gone,
    }
    names = {"images": "Images", "pairs": "Pairs", "corrections": "Corrected labels", "gone": "No longer here"}
    options = [name for name in names if name != "gone" or gone]
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    kind = state.choice(
        bar.segmented_control,
        "Show",
        options,
        name="kind",
        default="images" if parted["images"] or not parted["pairs"] else "pairs",
        clears=_CLEARS,
        format_func=lambda name: f"{names[name]} ({len(parted[name]):,})",
    )
    shown = _filtered(bar, collection, reviews, parted[kind])
    if kind == "corrections":
        shown = _of_standing(bar, shown, corrections)
    exchange.draw(bar, collection, [entry for review in shown for entry in review.entries], reviews)
    if not reviews.reviews:
        st.info(
            "Nobody has said anything of an image yet. Open one large in any gallery: tags have keys there, and below "
            "them are a field for a note and the label to correct. For a hit, choose the image or the pair.",
            icon=":material/rate_review:",
        )
    elif not shown:
        st.info("Nothing here passes these filters. Clear them.", icon=":material/info:")
    elif kind == "pairs":
        _show_pairs(collection, shown)
    elif kind == "gone":
        _show_gone(shown)
    else:
        _show_images(collection, shown, corrections if kind == "corrections" else [])
    return shown if kind != "gone" else []


def _filtered(
    bar: st.delta_generator.DeltaGenerator, collection: Collection, reviews: Reviews, shown: Sequence[Review]
) -> list[Review]:
    """Those that have the tag, are by the person, and whose image passes the filters that are chosen."""
    tags, people = sorted(reviews.tags, key=lambda tag: -reviews.tags[tag]), list(reviews.people)
    tag = state.choice(
        bar.selectbox,
        "Tag",
        [EVERY, *tags],
        name="tag",
        clears=_CLEARS,
        format_func=lambda name: "Any or none" if name == EVERY else f"{name} ({reviews.tags[name]:,})",
        width=150,
    )
    person = state.choice(
        bar.selectbox,
        "Said by",
        [EVERY, *people],
        name="by",
        clears=_CLEARS,
        format_func=lambda name: "Anybody" if name == EVERY else f"{name} ({reviews.people[name]:,})",
        width=150,
    )
    where = filters.choose(bar, collection, what="Images and queries")
    kept = [
        review
        for review in shown
        if (tag == EVERY or review.tagged(tag)) and (person == EVERY or person in review.people())
    ]
    if where:
        rows = collection.manifest.rows_of([review.subject[0] for review in kept])
        mask = collection.manifest.mask(where)
        kept = [review for review, row in zip(kept, rows.tolist(), strict=True) if row >= 0 and mask[row]]
    return kept


def _of_standing(
    bar: st.delta_generator.DeltaGenerator, shown: Sequence[Review], corrections: Sequence[Proposed]
) -> list[Review]:
    """Those with a correction that stands as is chosen."""
    standing = state.choice(
        bar.segmented_control,
        "Corrections",
        list(_STANDINGS),
        name="standing",
        clears=_CLEARS,
        format_func=_STANDINGS.get,
    )
    wanted = {one.entry.image_id for one in corrections if standing in (EVERY, one.standing)}
    return [review for review in shown if review.subject[0] in wanted]


def _show_images(collection: Collection, shown: Sequence[Review], corrections: Sequence[Proposed]) -> None:
    said: dict[str, list[str]] = {}
    for one in corrections:
        before, after = map(review_marks.label_said, (one.entry.before, one.entry.text))
        words = f"{one.entry.column}: {before} → {after}"
        said.setdefault(one.entry.image_id, []).append(f"{words} ({one.entry.by}, {_STANDINGS[one.standing].lower()})")
    at = paging.shown(len(shown), IMAGES_A_PAGE, what="images", title="Last reviewed first")
    part = [shown[position] for position in at.tolist()]
    gallery.show(
        collection,
        collection.manifest.rows_of([review.subject[0] for review in part]),
        key="reviewed",
        columns=8,
        per_page=IMAGES_A_PAGE,
        notes=["; ".join(said.get(review.subject[0], [])) or review_marks.line_of(review) for review in part],
    )


def _show_pairs(collection: Collection, shown: Sequence[Review]) -> None:
    at = paging.shown(len(shown), PAIRS_A_PAGE, what="pairs", title="Last reviewed first")
    part = [shown[position] for position in at.tolist()]
    queries, hits = (collection.manifest.rows_of([review.subject[side] for review in part]) for side in (0, 1))
    gallery.show_pairs(
        collection,
        queries,
        hits,
        key="reviewed-pairs",
        notes=[review_marks.line_of(review) for review in part],
        on_open=lambda query, hit: state.update(image=query, beside=hit),
    )


def _show_gone(shown: Sequence[Review]) -> None:
    entries = [entry for review in shown for entry in review.entries]
    at = paging.shown(len(entries), 50, what="entries", title="Of images that are not here, or whose file is another")
    rows = [entries[position] for position in at.tolist()]
    st.dataframe(
        pd.DataFrame(
            [[one.kind, one.text, one.image_id, one.hit_id, one.by, one.when[:19]] for one in rows],
            columns=["kind", "text", "image", "hit", "by", "when (UTC)"],
        ),
        hide_index=True,
        width="stretch",
    )
