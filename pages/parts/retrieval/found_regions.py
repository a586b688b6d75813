"""Regions of the gallery on Retrieval: whether they are searched, what making them costs, and the job that makes them.

Owns the URL parameter ``among`` (``regions``; whole images where it is absent). Which regions there are, and how they
are searched, is the core's; who may not begin such a job is told of it alone.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.frame import state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, message
from pages.parts.jobs import controls, stages, waiting
from pages.parts.jobs.job_words import words_of
from radcbir_core.collections.artifacts import TILES
from radcbir_core.errors import RadcbirError
from radcbir_core.jobs import Job, job_at
from radcbir_core.search.queries.tile_grid import TILES as BOXES

_IMAGES: Final = "images"
_REGIONS: Final = "regions"
_WORDS: Final = {_IMAGES: "Images", _REGIONS: "Regions"}


def are_there(opened: Opened) -> bool:
    """Whether the regions of the images are embedded, as they are now."""
    standing = opened.collection.store(opened.encoder_id).standings().get(TILES.name)
    return standing is not None and standing.state == "current"


def choose() -> bool:
    """Draw the choice, where the regions are there; whether they are searched."""
    chosen = state.choice(
        st.segmented_control,
        "Search in",
        [_IMAGES, _REGIONS],
        name="among",
        format_func=_WORDS.get,
        width="stretch",
        help=f"{len(BOXES)} regions of each image are compared with the query, the whole among them. A hit is as "
        "similar as the best of its regions, which is drawn on it.",
    )
    return chosen == _REGIONS


def offer(opened: Opened) -> None:
    """Where the regions are not there: what makes them, and why whole images are searched instead."""
    standing = opened.collection.store(opened.encoder_id).standings().get(TILES.name)
    if state.get("among") == _REGIONS:
        why = "were never embedded" if standing is None else f"are {standing.state}: {standing.reason}"
        st.info(f"Regions of these images {literal(why)}. Whole images are searched instead.", icon=":material/info:")
    _begin(opened)


def _begin(opened: Opened) -> None:
    """What making them costs, and the button that does it; how far it is where somebody has pressed that."""
    from radcbir_core.jobs.kinds.embed_regions import EmbedRegions, regions_place
    from radcbir_core.tiling import bytes_of, check_tiles

    collection = opened.collection
    store = collection.store(opened.encoder_id)
    controls.say_error()
    job = job_at(regions_place(collection.name, opened.encoder_id))
    status = None if job is None else job.status()
    if job is not None and status is not None and not status.ended:
        _running(job)
        return
    if job is not None and status is not None and status.state != "done" and controls.may_control(job):
        words = words_of(job.request)
        if status.state == "failed":
            controls.say_failure(status, of=f"{literal(words.what)}: ")
        else:
            st.caption(f"{literal(words.what)}: this was {status.state}. {words.kept}")
        with st.container(horizontal=True, gap="small"):
            controls.resume(job, status)
            controls.dismiss(job)
        return
    try:
        check_tiles(store)
    except RadcbirError as error:
        st.caption(f"Regions of the images cannot be found here. {message(str(error))}")
        return
    size = bytes_of(len(collection), int(store.record["dimension"])) / 1e6
    st.caption(
        f"To find regions of the images, {len(BOXES)} of each have to be embedded first: "
        f"{len(BOXES)} times the work of the encoder on this collection, and {size:,.0f} MB."
    )
    if not controls.may_begin(EmbedRegions.kind):
        return
    is_built = waiting.is_being_made(collection.name)
    controls.button(
        "Embed regions",
        lambda: controls.begin(EmbedRegions(collection.name, opened.encoder_id), action="embed regions"),
        key="radcbir:embed-regions",
        icon=":material/play_arrow:",
        disabled=is_built,
        help="It goes on while you look at other pages, and can be stopped.",
    )
    if is_built:
        st.caption("The collection is being built; then this can.")


@st.fragment(run_every=waiting.POLL_SECONDS)
def _running(job: Job) -> None:
    status = job.status()
    if status.ended:
        st.rerun()
    words = words_of(job.request)
    stages.show_bar(status, words.what)
    controls.stop(job, status, says=words.once_stopped)
