"""Retrieval: an image of the collection, an upload or a sentence → its hits, side by side with what they show."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.images import map_selection, picker
from pages.parts.retrieval import batch_panel, composing, hits_panel, query_panel, region_panel, report_button, text_box


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Retrieval", "embeddings")
    report_button.open_by_digest(opened)
    left, right = st.container(key="radcbir-query-and-hits").columns([2, 7], gap="medium")
    with left:
        source = query_panel.choose_source()
        asked = query_panel.show(opened, source, beside=right)
        region = None if asked is None else region_panel.show(opened, asked)
        composed = None if region is None else composing.show(opened, region)
    with right:
        if source == "collection" and (asked is None or state.get("view") == "browse"):
            if asked is not None:
                st.button(
                    "Back to the hits", icon=":material/arrow_back:", on_click=state.update, kwargs={"view": None}
                )
            selection = map_selection.choose(st.container(), opened, what="Images")
            among = None if selection is None else selection.rows
            picker.browse(opened.collection, on_query=query_panel.use_image, among=among)
        elif source == "batch":
            batch_panel.show(opened)
        elif composed is not None:
            hits_panel.show(opened, composed)
            if composed.afterwards is not None:
                composed.afterwards()
        elif asked is not None:
            st.info("The query cannot be asked as it is composed: why is said on the left.", icon=":material/info:")
        elif source == "text":
            text_box.explain(opened.collection, opened.encoder_id)
        elif source == "server":
            st.info("Give the identifier of a study, a series or an instance on the left.", icon=":material/dns:")
        else:
            st.info(
                "Upload an image on the left: PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI. It stays in the memory of "
                "this session: it is never written to disk, and no link can hold it.",
                icon=":material/upload:",
            )
    loaders.warm_encoder(opened.collection, opened.encoder_id)


page()
