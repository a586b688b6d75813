"""One case in large on a page: an image, or a query beside its hit, with all that is known of it and was said of it.

Owns how it looks. Which case, and what can be done to come to the next, is each page's.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.text import markup
from pages.parts.images import gallery, pictures, review_panel, seen_marks, why_panel
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError


def draw(collection: Collection, rows: Sequence[int], *, names: Sequence[str], encoder_id: str | None) -> None:
    """Draw the images side by side, and the panel in which they are reviewed; of a pair, also why they are alike.

    Args:
        collection: Where the images are.
        rows: Of one image, or of a query and its hit.
        names: What each is called.
        encoder_id: Of the encoder that takes them for alike; None where there is none.
    """
    shown = None
    if len(rows) > 1:
        pair = [why_panel.of_row(collection, row, name=name) for row, name in zip(rows, names, strict=True)]
        shown = why_panel.ask(collection, encoder_id, pair)
    ids = collection.manifest.rows(rows, ["image_id"])["image_id"].tolist()
    widths = [4, 5] if len(rows) == 1 else [4, 4, 3]
    *halves, panel = st.container(key="radcbir-large-pair").columns(widths, gap="medium")
    for at, (half, row, name) in enumerate(zip(halves, rows, names, strict=True)):
        with half:
            labels = gallery.labels_of(collection, row)
            said = " · ".join(filter(None, gallery.said_of(labels))) or "not labeled"
            st.html(f'<p class="radcbir-query"><b>{markup(name)}</b> &ensp;{markup(said)}</p>')
            source: str | bytes
            try:
                source = shown.picture(at) if shown else pictures.large(collection, row, gallery.said_of(labels))
            except RadcbirError as error:
                shell.show_error(error)
            else:
                description = f"{name}: {said}"
                if shown is not None:
                    description = why_panel.described(shown.explanation.sides[at], description)
                if gallery.picture(source, description, key=f"large-pair-{name[:3]}"):
                    gallery.open_large(collection, rows, at, query_row=rows[0])
            if shown is not None:
                why_panel.say_side(shown, at)
            with st.expander("All that is known of it"):
                in_training = seen_marks.facts_of(seen_marks.seen_here(collection), row)
                gallery.facts_table([*gallery.image_facts(collection, row), *in_training])
    with panel:
        what = "Review of this pair" if len(ids) > 1 else "Review of this image"
        st.html(f'<p class="radcbir-query"><b>{what}</b></p>')
        review_panel.draw(collection, (ids[0], ids[1] if len(ids) > 1 else ""), place="page")
