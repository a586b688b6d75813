"""A guided tour over the pages: a card on top of each says what is seen, and its button leads on.

Owns the stops, their words, and the URL parameter ``tour`` (the name of a stop). It ends by itself when somebody goes
elsewhere by the sidebar: no page remembers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from pages.parts.frame import loaders, palette, state, stylesheet
from pages.parts.frame.text import markup
from radcbir_core.collections.collection import Collection
from radcbir_core.search.queries.text import text_encoders

PARAMETER: Final = "tour"

Need = Literal["an image", "text", "two encoders"]


@dataclass(frozen=True)
class Stop:
    """One thing to look at.

    Attributes:
        name: In the URL.
        page: The page's title in the sidebar.
        title: What it is about.
        text: Two or three sentences.
        look_at: A CSS selector of what is outlined; empty for the whole page.
        needs: What has to be there; it is left out otherwise. ``an image`` opens the page with a query.
    """

    name: str
    page: str
    title: str
    text: str
    look_at: str = ""
    needs: tuple[Need, ...] = ()


STOPS: Final = (
    Stop(
        "start",
        "Home",
        "What there is",
        "A collection is a set of images with labels. An encoder is a network that turns each image into numbers,"
        " so that images which look alike to it lie close together. Both are chosen on the left, and every page "
        "is about these two.",
        look_at=".radcbir-numbers",
    ),
    Stop(
        "hits",
        "Retrieval",
        "Ask with an image",
        "The image on the left is the query. Beside it are the images that the encoder takes for most alike. The "
        "signs say whether their labels agree with the query's. Press a picture to open it large; Query asks with"
        " it.",
        look_at=".st-key-radcbir-hits-and-facets",
        needs=("an image",),
    ),
    Stop(
        "fewer",
        "Retrieval",
        "Say what counts",
        "Here images of the same patient are left out, the search is narrowed to a modality or a finding, and the"
        " hits are saved as a table or as a report. The same is possible with an image of your own: Upload.",
        look_at=".st-key-radcbir-controls",
        needs=("an image",),
    ),
    Stop(
        "words",
        "Retrieval",
        "Ask in words",
        "This encoder reads, too: write what an image should show, or press one of the examples. Above the hits "
        "it is said when a sentence finds no more than nonsense does.",
        needs=("text",),
    ),
    Stop(
        "precision",
        "Pathology",
        "How often is it right?",
        "Each image asks once, and it is counted how many of its first ten hits have its label "
        f"({palette.SIGNS['same']}). Each label has a line: anatomy is mostly easy, findings are hard. Help, "
        "beside the title, says how to read it.",
    ),
    Stop(
        "failures",
        "Failures",
        "What is taken for what?",
        "Where it goes wrong, the table says which finding is taken for which, and a press on a cell shows the "
        "images. Not each failure is the encoder's: some labels are wrong.",
    ),
    Stop(
        "map",
        "Map",
        "All images at once",
        "Each point is an image; neighbors look alike to the encoder. Color it by pathology, then by data set: "
        "islands of a data set mean that it recognizes the hospital. Draw a lasso to see what a group is.",
    ),
    Stop(
        "compare",
        "Compare",
        "Which encoder is better?",
        "Two encoders are asked the same questions. It is said whether the difference is more than chance, and "
        "for which findings it is there.",
        needs=("two encoders",),
    ),
    Stop(
        "own",
        "Collections",
        "Bring your own images",
        "A folder, a table or an archive is looked at and imported step by step. Files stay where they are and "
        "are not changed. Corrections from Review are applied here, too.",
    ),
)

PATHS: Final = {"Home": "app.py"} | {
    page: f"pages/{page.lower()}.py" for page in ("Retrieval", "Pathology", "Failures", "Map", "Compare", "Collections")
}


def stops_of(collection: Collection, encoder_id: str | None) -> list[Stop]:
    """The stops that make sense here, in their order."""
    built = collection.encoder_ids()
    there = {
        "an image": bool(built),
        "text": encoder_id is not None and encoder_id in text_encoders(collection),
        "two encoders": len(built) > 1,
    }
    pages = {"Home", "Collections"} if encoder_id is None else set(PATHS)
    return [stop for stop in STOPS if stop.page in pages and all(there[need] for need in stop.needs)]


def offer(said: str) -> None:
    """A link to the first stop."""
    st.page_link(
        PATHS["Home"], label=said, icon=":material/tour:", query_params=state.parameters_for(**{PARAMETER: "start"})
    )


def show(page: str, collection: Collection | None, encoder_id: str | None) -> None:
    """Draw the card of the stop that the URL names, where it is one of this page.

    Args:
        page: Its title, as in the sidebar.
        collection: The open collection.
        encoder_id: The open encoder.
    """
    name = state.get(PARAMETER)
    if name is None or collection is None:
        return
    stops = stops_of(collection, encoder_id)
    names = [stop.name for stop in stops]
    if name not in names:
        state.report(PARAMETER, name, names, then="The tour is not shown")
        return
    at = names.index(name)
    if stops[at].page == page:
        _draw(stops, at, collection)


def _draw(stops: Sequence[Stop], at: int, collection: Collection) -> None:
    stop = stops[at]
    if stop.look_at:
        stylesheet.outline(stop.look_at)
    with st.container(key="radcbir-tour", border=True):
        st.html(
            f'<p class="radcbir-tour"><b>{markup(stop.title)}</b><small>Tour, {at + 1} of {len(stops)}</small>'
            f"<span>{markup(stop.text)}</span></p>"
        )
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if at + 1 < len(stops):
                _link(f"Next: {stops[at + 1].title}", "arrow_forward", stops[at + 1], collection)
            if at:
                _link("Back", "arrow_back", stops[at - 1], collection)
            st.button(
                "End the tour",
                icon=":material/close:",
                type="tertiary",
                key="radcbir:tour-end",
                on_click=lambda: state.update(**{PARAMETER: None}),
            )


def _link(said: str, icon: str, stop: Stop, collection: Collection) -> None:
    parameters: dict[str, str] = {PARAMETER: stop.name}
    if "an image" in stop.needs:
        parameters["image"] = collection.manifest.image_id(loaders.samples(collection, 1)[0])
    if "text" in stop.needs:
        parameters["source"] = "text"
    st.page_link(
        PATHS[stop.page],
        label=said,
        icon=f":material/{icon}:",
        query_params=state.parameters_for(**parameters),
    )
