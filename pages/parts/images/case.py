"""One case in large on a page: an image, or a query beside its hit, with all that is known of it and was said of it.

Owns how it looks. Which case, and what can be done to come to the next, is each page's.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.frame.text import markup
from pages.parts.images import gallery, review_panel, why_panel
from pages.parts.images.viewer import image_viewer
from radcbir_core.collections.collection import Collection


def draw(
    collection: Collection,
    rows: Sequence[int],
    *,
    names: Sequence[str],
    encoder_id: str | None,
    ahead: Sequence[int] = (),
) -> None:
    """Draw the images side by side, and the panel in which they are reviewed; of a pair, also why they are alike.

    Args:
        collection: Where the images are.
        rows: Of one image, or of a query and its hit.
        names: What each is called.
        encoder_id: Of the encoder that takes them for alike; None where there is none.
        ahead: Rows of the images that are likely to be next.
    """
    shown = None
    if len(rows) > 1:
        pair = [why_panel.of_row(collection, row, name=name) for row, name in zip(rows, names, strict=True)]
        shown = why_panel.ask(collection, encoder_id, pair)
    ids = collection.manifest.rows(rows, ["image_id"])["image_id"].tolist()
    what = "Review of this pair" if len(ids) > 1 else "Review of this image"
    wide, panel = st.container(key="radcbir-large-pair").columns([8, 3], gap="medium")
    with wide:
        if shown is None:
            query = int(rows[0]) if len(rows) > 1 else None
            image_viewer.show(
                collection,
                rows[-1:],
                0,
                key="radcbir:viewer:case",
                names=(names[0], names[-1]),
                query=query,
                is_inline=True,
                ahead=ahead,
            )
        else:
            _explained(collection, rows, names, shown)
    with panel:
        st.html(f'<p class="radcbir-query"><b>{what}</b></p>')
        subject = (ids[0], ids[1] if len(ids) > 1 else "")
        review_panel.draw(collection, subject, place="page", has_keys=not gallery.dialog_opens())


def _explained(collection: Collection, rows: Sequence[int], names: Sequence[str], shown: why_panel.Shown) -> None:
    """Both images with the maps over them."""
    for at, (half, row, name) in enumerate(zip(st.columns(2, gap="medium"), rows, names, strict=True)):
        with half:
            said = " · ".join(filter(None, gallery.said_of(gallery.labels_of(collection, row)))) or "not labeled"
            st.html(f'<p class="radcbir-query"><b>{markup(name)}</b> &ensp;{markup(said)}</p>')
            description = why_panel.described(shown.explanation.sides[at], f"{name}: {said}")
            if gallery.picture(shown.picture(at), description, key=f"large-pair-{name[:3]}"):
                gallery.open_large(collection, rows, at, query_row=rows[0])
            why_panel.say_side(shown, at)
