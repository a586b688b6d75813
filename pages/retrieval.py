"""Retrieval: an image of the collection, an upload or a sentence → its hits, side by side with what they show."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import counted, csv_bytes, literal, markup
from pages.parts.images import filters, gallery, picker, pictures
from pages.parts.images.gallery import Labels
from pages.parts.retrieval import text_box, upload
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifest import EXCLUSIONS
from radcbir_core.search.index import Hits
from radcbir_core.search.retriever import Measure, Retriever, TextQuery, hits_table

MOST_HITS = 100


@dataclass(frozen=True)
class Query:
    """What is searched with.

    Attributes:
        name: image_id, the file name of an upload, or the sentence.
        labels: What is known of it; None for an upload or a sentence.
        row: Its row in the manifest; None for an upload or a sentence.
        embedding: (1, D) float32 of an upload; empty otherwise.
        sha256: Digest of an upload's bytes; empty otherwise.
        text: A sentence; None for an image.
    """

    name: str
    labels: Labels | None
    row: int | None = None
    embedding: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    sha256: str = ""
    text: TextQuery | None = None

    @property
    def measure(self) -> Measure:
        """What the numbers beside its hits are."""
        return "similarity" if self.text is None else "text_similarity"


def page() -> None:
    """Draw the page."""
    opened = shell.begin("Retrieval", "embeddings")
    left, right = st.columns([2, 7], gap="medium")
    with left:
        source = choose_source()
        query = query_panel(opened, source, beside=right)
    with right:
        if source == "collection" and (query is None or state.get("view") == "browse"):
            if query is not None:
                st.button(
                    "Back to the hits", icon=":material/arrow_back:", on_click=state.update, kwargs={"view": None}
                )
            picker.browse(opened.collection, on_query=use_image)
        elif query is not None:
            results(opened, query)
        elif source == "text":
            text_box.explain(opened.collection, opened.encoder_id)
        else:
            st.info(
                "Upload an image on the left: PNG, JPEG, TIFF, WebP, BMP or DICOM. It stays in the memory of this "
                "session: it is never written to disk, and no link can hold it.",
                icon=":material/upload:",
            )
    loaders.warm_encoder(opened.collection, opened.encoder_id)


def use_image(image_id: str) -> None:
    """Make an image of the collection the query; a callback, so that the run after it shows its hits."""
    state.update(image=image_id, source=None, text=None, view=None)


def choose_source() -> str:
    """Where the query comes from; a link with a sentence in it opens that sentence."""
    return state.choice(
        st.segmented_control,
        "Query from",
        ["collection", "upload", "text"],
        name="source",
        default="text" if state.get("text") else "collection",
        format_func={"collection": "Collection", "upload": "Upload", "text": "Text"}.get,
        label_visibility="collapsed",
        width="stretch",
    )


def query_panel(opened: Opened, source: str, *, beside: st.delta_generator.DeltaGenerator) -> Query | None:
    """The left column: the query, and what is known of it; ``beside`` is where its hits will be."""
    with shell.errors_shown():
        if source == "text":
            return _from_text(opened, beside)
        return _from_upload(opened) if source == "upload" else _from_collection(opened.collection)
    return None


def _from_text(opened: Opened, beside: st.delta_generator.DeltaGenerator) -> Query | None:
    state.set_query(opened.collection.name, None)  # a sentence has no place on the map
    text = text_box.ask(opened.collection, opened.encoder_id)
    if text is None:
        return None
    with beside:  # where it can be seen that an encoder is being loaded
        embedded = loaders.text_query(opened.collection, opened.encoder_id, text)
    return Query(embedded.text, None, text=embedded)


def _from_collection(collection: Collection) -> Query | None:
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Browse", icon=":material/grid_view:", on_click=state.update, kwargs={"view": "browse"}, width="stretch"
        )
        st.button(
            "Random",
            icon=":material/casino:",
            on_click=lambda: use_image(picker.random_image(collection)),
            width="stretch",
        )
    image_id = state.get("image")
    if image_id is None:
        st.caption("No query yet: choose an image on the right, take a random one, upload your own, or describe one.")
        return None
    row = collection.manifest.row_of(image_id)
    state.set_query(collection.name, image_id)
    with shell.errors_shown():
        address = pictures.large(collection, row, gallery.said_of(gallery.labels_of(collection, row)))
        if gallery.picture(address, f"Query: {image_id}", key="query-image"):
            gallery.open_large(collection, [row], 0, on_query=use_image)
    facts = gallery.image_facts(collection, row)
    shown = {"image id", "modality", "anatomy", "pathologies", "view", "dataset", "split", "patient id", "caption"}
    gallery.facts_table([(name, value) for name, value in facts if name in shown])
    return Query(image_id, gallery.labels_of(collection, row), row=row)


def _from_upload(opened: Opened) -> Query | None:
    state.set_query(opened.collection.name, None)  # an upload has no place on the map
    file = upload.ask()
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
    ]
    if clicked:
        gallery.open_decoded(image, facts)
    gallery.facts_table(facts)
    st.caption("Kept in this session's memory only; not part of the link.")
    if known := upload.same_file(file, opened.collection):
        st.caption("The very same file is in the collection, with its labels:")
        st.button("Use the one of the collection", on_click=use_image, args=(known,), width="stretch")
    embedding = upload.embed(file, image, opened.collection, opened.encoder_id)
    return Query(file.name, None, embedding=embedding, sha256=file.sha256)


def results(opened: Opened, query: Query) -> None:
    """The right column: how to search, the hits, and what they add up to."""
    collection = opened.collection
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="radcbir-controls")
    k = state.number(controls.number_input, "Hits", 1, MOST_HITS, name="k", default=10, width=110)
    exclude = choose_exclusions(controls, collection, query) if query.text is None else []
    where = filters.choose(controls, collection)
    for note in query.text.notes if query.text is not None else ():
        st.info(literal(note), icon=":material/info:")
    with shell.errors_shown():
        retriever = loaders.retriever(collection, opened.encoder_id)
        start = time.perf_counter()
        hits = search(retriever, query, k=k, where=where, exclude=exclude)
        milliseconds = (time.perf_counter() - start) * 1000
        rows, similarities = hits.rows[0][: hits.counts[0]], hits.similarities[0][: hits.counts[0]]
        controls.download_button(
            "CSV",
            csv_bytes(hits_table(collection.manifest, hits, measure=query.measure)),
            file_name=f"hits-{collection.name}-{opened.encoder_id}.csv",
            mime="text/csv",
            icon=":material/download:",
            help="The hits as a table",
            on_click="ignore",
        )
        found = [gallery.labels_of(collection, int(row)) for row in rows]
        st.html(
            f'<p class="radcbir-summary">{summary(query.labels, found, of_text=query.text is not None)}<br><small>'
            f"{markup(how_found(collection, hits, k=k, where=where, milliseconds=milliseconds))}"
            f"{_SCALE if query.text is not None else ''}</small></p>"
        )
        if len(rows):
            gallery.show(
                collection,
                rows,
                key="hits",
                similarities=similarities,
                measure=query.measure,
                query=query.labels,
                per_page=MOST_HITS,
                on_query=use_image,
            )


def search(
    retriever: Retriever, query: Query, *, k: int, where: Mapping[str, Sequence[str]], exclude: Sequence[str]
) -> Hits:
    """The hits of a query, best first; of one query, so row 0 of each array."""
    if query.text is not None:
        return retriever.search_text(query.text, k=k, where=where, exclude=exclude)
    if query.row is not None:
        return retriever.search_rows([query.row], k=k, where=where, exclude=exclude)
    return retriever.search(query.embedding, k=k, where=where, exclude=exclude, sha256=query.sha256)


def choose_exclusions(box: st.delta_generator.DeltaGenerator, collection: Collection, query: Query) -> list[str]:
    """Which images besides the query itself may not be hits: those that share its file, patient, study or series."""
    offered = [name for name in EXCLUSIONS if name == "duplicate" or name in loaders.facts(collection).known_groups]
    unknown = "" if query.row is not None else " Of an upload they are known where its very file is in the collection."
    return state.choices(
        box.pills,
        "Leave out the query's",
        offered,
        name="exclude",
        default=["duplicate", "patient"],
        selection_mode="multi",
        format_func={"duplicate": "exact copies", "patient": "patient", "study": "study", "series": "series"}.get,
        help="The query image itself is always left out." + unknown,
    )


def summary(query: Labels | None, hits: Sequence[Labels], *, of_text: bool = False) -> str:
    """What the hits add up to, as HTML: how many agree with the query, else how often each label occurs.

    Args:
        query: Labels of the query; None where there are none.
        hits: Labels of its hits.
        of_text: Whether the query is a sentence; its hits may be of any modality, so these are counted too.
    """
    if not hits:
        return "No image is left to be a hit."
    parts = []
    for title, mine, theirs in (
        *([("modality", (), [(hit.modality,) for hit in hits])] if of_text else []),
        ("anatomy", (query.anatomy,) if query else (), [(hit.anatomy,) for hit in hits]),
        ("pathology", query.pathologies if query else (), [hit.pathologies for hit in hits]),
    ):
        if not any(mine):
            labels = Counter(name or "not labelled" for found in theirs for name in found or ("",))
            parts.append(
                f"{title.capitalize()}: "
                + ", ".join(f"<b>{count}</b> {markup(name)}" for name, count in labels.most_common(6))
            )
            continue
        counts = Counter(gallery.agreement(mine, found) for found in theirs)
        text = f"<b>{counts['same']} of {len(hits)}</b> same {title}"
        if counts["shared"]:
            text += f", {counts['shared']} in part"
        if counts["unknown"]:
            text += f", {counts['unknown']} not labelled"
        parts.append(text)
    return " &emsp; ".join(parts)


def how_found(
    collection: Collection, hits: Hits, *, k: int, where: Mapping[str, Sequence[str]], milliseconds: float
) -> str:
    """How the hits were found, in one line."""
    line = f"{hits.method.capitalize()} search over {counted(len(collection), 'image')}, {milliseconds:.0f} ms."
    if where:
        line += " Only " + "; ".join(f"{column} = {' or '.join(values)}" for column, values in where.items()) + "."
    if hits.counts[0] < k:
        line += f" Only {hits.counts[0]} of {k}: no more images are left after filters and exclusions."
    return line


_SCALE = " The numbers are text-image cosines, on another scale than the similarity of two images."

page()
