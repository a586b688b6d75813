"""The left column of Retrieval: where the query comes from, the query, and what is known of it.

Owns the choice among the collection, an upload and a sentence; what each kind of query means is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.images import burned_marks, gallery, picker, pictures, seen_marks
from pages.parts.images.asked_last import IN_SESSION
from pages.parts.images.embedded_texts import LINK_CHARACTERS
from pages.parts.images.gallery import Labels
from pages.parts.images.viewer.session_files import SessionFile
from pages.parts.retrieval import (
    batch_uploads,
    changed_query,
    sentence_panel,
    server_image,
    text_box,
    upload,
    upload_text,
)
from pages.parts.retrieval.upload import Upload
from radcbir_core.images.perturbations import Pixels, Step
from radcbir_core.search.queries.query import ChangedQuery, EmbeddedQuery, ImageQuery, Query, RowQuery

_OF_SESSION: Final = {"query": IN_SESSION}


@dataclass(frozen=True)
class Picture:
    """The picture of a query that is an image, as it is searched with.

    Attributes:
        source: An address that holds it.
        of: Which it is, for what is kept of the last run.
        read: Gives its pixels.
        room: Where a region of it is chosen.
    """

    source: str
    of: str
    read: Callable[[], Pixels]
    room: st.delta_generator.DeltaGenerator


@dataclass(frozen=True)
class Asked:
    """A query, and what is known of it.

    Attributes:
        query: What is searched with.
        name: What people call it.
        link: How the URL of another page names it: ``image``, ``text`` or ``query``.
        embedded: The same with its vectors, where the encoder has been asked for them.
        labels: Of an image of the collection; None of any other query.
        row: Of that image.
        unchanged: The query before it was perturbed, or before anything was added; None where it was not.
        afterwards: Draws what takes longer than the hits and is said above them; None where there is nothing.
        room: Where what can be added to it is drawn.
        alone: The query to which something was added; None where nothing was.
        file: Of an upload, to be shown beside its hits.
        picture: Its picture; None of a sentence, and of an image that cannot be shown.
        regions: Whether regions of the images are searched, and not only whole images.
    """

    query: Query
    name: str
    link: Mapping[str, str]
    embedded: EmbeddedQuery | None = None
    labels: Labels | None = None
    row: int | None = None
    unchanged: EmbeddedQuery | None = None
    afterwards: Callable[[], None] | None = None
    room: st.delta_generator.DeltaGenerator | None = None
    alone: Query | None = None
    file: SessionFile | None = None
    picture: Picture | None = None
    regions: bool = False


def use_image(image_id: str) -> None:
    """Make an image of the collection the query; a callback, so that the run after it shows its hits.

    What was added to the query before, or chosen of it, goes with it.
    """
    gone = ("source", "text", "view", "beside", "why", "add", "rocchio", "region", "whole", "among")
    state.update(**{**dict.fromkeys(gone), "image": image_id})


def choose_source() -> str:
    """Where the query comes from; a link with a sentence in it opens that sentence."""
    source = state.choice(
        st.segmented_control,
        "Query from",
        ["collection", "upload", "text"],
        name="source",
        default="text" if state.get("text") else "collection",
        format_func={"collection": "Collection", "upload": "Upload", "text": "Text"}.get,
        label_visibility="collapsed",
        width="stretch",
    )
    return source if source != "upload" else _choose_upload()


def _choose_upload() -> str:
    """What is uploaded: ``upload`` for one image, ``batch`` for several, ``server`` for one of the DICOM server."""
    offered = ["one", "several", "server"] if server_image.is_offered() else ["one", "several"]
    number = state.choice(
        st.segmented_control,
        "Upload of",
        offered,
        name="upload",
        format_func={"one": "One", "several": "Several", "server": "Server"}.get,
        label_visibility="collapsed",
        width="stretch",
    )
    return {"one": "upload", "several": "batch"}.get(number, "server")


def show(opened: Opened, source: str, *, beside: st.delta_generator.DeltaGenerator) -> Asked | None:
    """Draw the query and what is known of it; ``beside`` is where its hits will be. None while there is none."""
    with shell.errors_shown():
        if source == "text":
            return _from_text(opened, beside)
        if source == "batch":
            state.set_query(opened.collection.name)
            batch_uploads.ask()
            return None
        if source in {"upload", "server"}:
            return _from_outside(opened, upload.ask() if source == "upload" else server_image.ask())
        return _from_collection(opened)
    return None


def _from_text(opened: Opened, beside: st.delta_generator.DeltaGenerator) -> Asked | None:
    text = text_box.ask(opened.collection, opened.encoder_id)
    link = {} if text is None else {"text": text[:LINK_CHARACTERS]}
    state.set_query(opened.collection.name, **link)
    if text is None:
        return None
    room = st.container()
    with beside:  # where it can be seen that an encoder is being loaded
        place = text_box.ask_back(opened, text)
        embedded = text_box.embedded(opened, text)
    judge = partial(sentence_panel.judge, opened, embedded, place)
    return Asked(embedded.query, text, link, embedded, afterwards=judge, room=room)


def _from_collection(opened: Opened) -> Asked | None:
    collection = opened.collection
    picker.buttons(collection, on_query=use_image)
    image_id = state.get("image")
    if image_id is None:
        st.caption("No query yet: choose an image on the right, take a random one, upload your own, or describe one.")
        return None
    row = collection.manifest.row_of(image_id)
    address = ""
    with shell.errors_shown():
        address = pictures.large(collection, row, gallery.said_of(gallery.labels_of(collection, row)))
        if gallery.picture(address, f"Query: {image_id}", key="query-image"):
            gallery.open_large(collection, [row], 0, on_query=use_image)
    labels, query = gallery.labels_of(collection, row), RowQuery((row,))
    place = st.container()
    steps = changed_query.choose(collection.store(opened.encoder_id))
    of_region, room = st.container(), st.container()
    link = _OF_SESSION if steps else {"image": image_id}
    state.set_query(collection.name, **link)
    changed = None
    if steps:
        with place:
            changed = changed_query.show(
                opened, query, steps, of=image_id, read=lambda: collection.read_image(row).pixels
            )
    facts = gallery.image_facts(collection, row)
    shown = {"image id", "modality", "anatomy", "pathologies", "view", "dataset", "split", "patient id", "caption"}
    in_training = seen_marks.facts_of(seen_marks.seen_here(collection), row)
    in_pixels = burned_marks.facts_of(burned_marks.burned_here(collection), row)
    gallery.facts_table([*((name, value) for name, value in facts if name in shown), *in_training, *in_pixels])
    if changed is None:
        picture = Picture(address, image_id, lambda: collection.read_image(row).pixels, of_region) if address else None
        return Asked(query, image_id, link, labels=labels, row=row, room=room, picture=picture)
    unchanged = loaders.retriever(collection, opened.encoder_id).embed(query)
    picture = _changed_picture(changed, of=image_id, steps=steps, room=of_region)
    return Asked(
        changed.query, f"{image_id}, changed", link, changed, labels, row, unchanged, room=room, picture=picture
    )


def _from_outside(opened: Opened, file: Upload | None) -> Asked | None:
    state.set_query(opened.collection.name, **({} if file is None else _OF_SESSION))
    if file is None:
        return None
    image = upload.decode(file)
    clicked = gallery.picture(upload.preview(image), f"Query: {file.name}", key="query-upload")
    facts = [
        ("file", file.name),
        ("format", image.format),
        ("size", f"{image.pixels.shape[1]} × {image.pixels.shape[0]} px"),
        ("frame", gallery.frame_text(image)),
        ("window", gallery.window_text(image)),
        ("remarked", " ".join(image.remarks)),
    ]
    shown = SessionFile(file.name, file.data, image.frame)
    facts += upload_text.facts_of(file, image)
    if clicked:
        gallery.open_file(shown, facts)
    gallery.facts_table(facts)
    upload_text.warn(file, image)
    st.caption("Kept in this session's memory only; not part of the link.")
    if known := upload.same_file(file, image, opened.collection):
        st.caption("The very same file is in the collection, with its labels:")
        st.button("Use the one of the collection", on_click=use_image, args=(known,), width="stretch")
    embedded = upload.embed(file, image, opened.collection, opened.encoder_id)
    place = st.container()
    steps = changed_query.choose(opened.collection.store(opened.encoder_id))
    of_region, room = st.container(), st.container()
    name = f"{file.sha256} {image.frame}"
    if not steps or not isinstance(embedded.query, ImageQuery):
        picture = Picture(pictures.inline(upload.preview(image), "image/png"), name, lambda: image.pixels, of_region)
        return Asked(embedded.query, file.name, _OF_SESSION, embedded, room=room, file=shown, picture=picture)
    with place:
        changed = changed_query.show(opened, embedded.query, steps, of=name, read=lambda: image.pixels)
    return Asked(
        changed.query,
        f"{file.name}, changed",
        _OF_SESSION,
        changed,
        unchanged=embedded,
        room=room,
        file=shown,
        picture=_changed_picture(changed, of=name, steps=steps, room=of_region),
    )


def _changed_picture(
    changed: EmbeddedQuery, *, of: str, steps: Sequence[Step], room: st.delta_generator.DeltaGenerator
) -> Picture | None:
    if not isinstance(changed.query, ChangedQuery):
        return None
    pixels = changed.query.pixels
    source = pictures.inline(changed_query.preview(pixels), "image/png")
    return Picture(source, f"{of} {' '.join(step.word for step in steps)}", lambda: pixels, room)
