"""One case in large on a page: an image, or a query beside its hit, with all that is known of it and was said of it.

Owns how it looks. Which case, and what can be done to come to the next, is each page's.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.frame import shell
from pages.parts.frame.text import markup
from pages.parts.images import gallery, pictures, review_panel, seen_marks
from radcbir_core.collections.collection import Collection
from radcbir_core.errors import RadcbirError


def draw(collection: Collection, rows: Sequence[int], *, names: Sequence[str]) -> None:
    """Draw the images side by side, and the panel in which they are reviewed.

    Args:
        collection: Where the images are.
        rows: Of one image, or of a query and its hit.
        names: What each is called.
    """
    ids = collection.manifest.rows(rows, ["image_id"])["image_id"].tolist()
    widths = [4, 5] if len(rows) == 1 else [4, 4, 3]
    *halves, panel = st.container(key="radcbir-large-pair").columns(widths, gap="medium")
    for half, row, name in zip(halves, rows, names, strict=True):
        with half:
            labels = gallery.labels_of(collection, row)
            said = " · ".join(filter(None, gallery.said_of(labels))) or "not labeled"
            st.html(f'<p class="radcbir-query"><b>{markup(name)}</b> &ensp;{markup(said)}</p>')
            try:
                source = pictures.large(collection, row, gallery.said_of(labels))
            except RadcbirError as error:
                shell.show_error(error)
            else:
                if gallery.picture(source, f"{name}: {said}", key=f"large-pair-{name[:3]}"):
                    gallery.open_large(collection, rows, list(rows).index(row), query_row=rows[0])
            with st.expander("All that is known of it"):
                in_training = seen_marks.facts_of(seen_marks.seen_here(collection), row)
                gallery.facts_table([*gallery.image_facts(collection, row), *in_training])
    with panel:
        what = "Review of this pair" if len(ids) > 1 else "Review of this image"
        st.html(f'<p class="radcbir-query"><b>{what}</b></p>')
        review_panel.draw(collection, (ids[0], ids[1] if len(ids) > 1 else ""), place="page")
