"""The maps that are kept of an encoder: which one is shown, making another, deleting one.

Owns the URL parameter ``map`` and the panel of maps. A map is laid out by a job, which goes on while a person looks at
other pages; how it is laid out is the core's. Who may not begin such jobs is shown the choice alone.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from pages.parts.frame import rights, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.jobs import controls, stages, waiting
from pages.parts.jobs.job_words import words_of
from pages.parts.map.opened_map import OpenedMap
from radcbir_core.collections.artifacts import Standing
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.layout import STANDARD_MAP, check_map_name
from radcbir_core.errors import CollectionError
from radcbir_core.jobs import Job, Status, job_at
from radcbir_core.jobs.kinds.lay_out_map import LayOutMap, map_place
from radcbir_core.projection.map_making import delete_map
from radcbir_core.projection.map_options import MOST_NEIGHBORS, MapOptions

_FORM: Final = "radcbir:new-map"
_AWAITED: Final = "radcbir:awaited-map"
_DEFAULTS: Final = MapOptions()


def choose(box: st.delta_generator.DeltaGenerator, opened: Opened) -> OpenedMap:
    """The map that is shown, with the choice of it where more than one is kept.

    Args:
        box: Where to draw the choice, in a row of controls.
        opened: The open collection and encoder.
    """
    names = current(opened)
    asked = state.get("map")
    name = STANDARD_MAP
    if len(names) > 1:
        # What is beside it may be the very map that is now chosen.
        clears = ("beside",) if (state.get("beside") or "").startswith("map:") else ()
        name = state.choice(box.selectbox, "Map", names, name="map", clears=clears, width=150)
    elif asked not in (None, STANDARD_MAP):
        state.report("map", str(asked), names, then=f"{STANDARD_MAP} is used instead")
    return OpenedMap(opened.collection, opened.encoder_id, name)


def current(opened: Opened) -> list[str]:
    """The maps that can be shown: the one that a build makes first, then those of the neighbors that there are now."""
    standings = opened.collection.store(opened.encoder_id).maps()
    return [name for name in standings if name == STANDARD_MAP or standings[name].state == "current"]


def draw_panel(box: st.delta_generator.DeltaGenerator, opened: Opened) -> None:
    """The panel in which maps are made and deleted; nothing for whoever may not.

    Args:
        box: Where to draw its button, in a row of controls.
        opened: The open collection and encoder.
    """
    if not controls.may_begin(LayOutMap.kind):
        return
    store = opened.collection.store(opened.encoder_id)
    with box.popover("New map", icon=":material/add:", key="radcbir:maps"):
        controls.say_error()
        _form(opened)
        standings = store.maps()
        own = {name: standing for name, standing in standings.items() if name != STANDARD_MAP}
        if own:
            _list(opened, store, own)


def draw_job(opened: Opened) -> None:
    """How far the map is that is being laid out, or how that ended; nothing where nobody asked for one."""
    job = job_at(map_place(opened.collection.name, opened.encoder_id))
    status = None if job is None else job.status()
    if job is None or status is None:
        return
    if not status.ended:
        _running(job)
    elif status.state == "done":
        _done(opened)
    elif controls.may_control(job):
        _ended(job, status)


@st.fragment(run_every=waiting.POLL_SECONDS)
def _running(job: Job) -> None:
    status = job.status()
    if status.ended:
        st.rerun()
    words = words_of(job.request)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="radcbir-map-job"):
        with st.container():
            stages.show_bar(status, words.what)
        controls.stop(job, status, says=words.once_stopped)


def _done(opened: Opened) -> None:
    """The way to a map that this person has asked for, as long as it is not the one that is shown."""
    awaited = st.session_state.get(_AWAITED)
    if awaited is None or awaited[:2] != (opened.collection.name, opened.encoder_id):
        return
    name = awaited[2]
    if name == state.get("map") or name not in current(opened):
        del st.session_state[_AWAITED]
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/check: The map **{literal(name)}** is laid out.", width="content")
        st.button("Show it", key="radcbir:show-map", type="primary", on_click=state.update, kwargs={"map": name})


def _ended(job: Job, status: Status) -> None:
    words = words_of(job.request)
    if status.state == "failed":
        controls.say_failure(status, of=f"{literal(words.what)}: ")
    else:
        st.info(f"{literal(words.what)}: this was {status.state}. {words.kept}", icon=":material/stop:")
    with st.container(horizontal=True, vertical_alignment="center"):
        controls.resume(job, status)
        controls.dismiss(job)
        controls.log(job, status)


def _form(opened: Opened) -> None:
    """What can be chosen of a new map."""
    st.markdown(
        f"**Another map** of {literal(opened.collection.name)} by {literal(opened.encoder_id)}, kept by a name. It is "
        "laid out while you look at other pages, and can be stopped."
    )
    st.text_input("Name", key=f"{_FORM}:name", placeholder="such as: wide", max_chars=40)
    left, right = st.columns(2)
    left.number_input(
        "Images in a neighborhood",
        2,
        MOST_NEIGHBORS,
        _DEFAULTS.n_neighbors,
        key=f"{_FORM}:n_neighbors",
        help="UMAP's n_neighbors: few show fine structure, many the whole.",
    )
    right.number_input(
        "Least distance",
        0.0,
        1.0,
        _DEFAULTS.min_dist,
        step=0.05,
        key=f"{_FORM}:min_dist",
        help="UMAP's min_dist: how close images that are alike may lie. Little makes dense groups.",
    )
    left.number_input(
        "Seed", 0, 2**32 - 1, _DEFAULTS.seed, key=f"{_FORM}:seed", help="Another one gives another map, as faithful."
    )
    with right:
        st.segmented_control(
            "Dimensions", [2, 3], default=_DEFAULTS.dimensions, key=f"{_FORM}:dimensions", required=True
        )
    job = job_at(map_place(opened.collection.name, opened.encoder_id))
    at_work = job is not None and not job.status().ended
    is_built = waiting.is_being_made(opened.collection.name)
    controls.button(
        "Lay it out",
        partial(_begin_new, opened),
        key=f"{_FORM}:begin",
        icon=":material/play_arrow:",
        type="primary",
        disabled=at_work or is_built,
    )
    if at_work or is_built:
        st.caption(
            "One at a time: a map is being laid out." if at_work else "The collection is being built; then this can."
        )


def _begin_new(opened: Opened) -> None:
    asked = {name: st.session_state[f"{_FORM}:{name}"] for name in ("n_neighbors", "min_dist", "seed", "dimensions")}
    name = check_map_name(str(st.session_state[f"{_FORM}:name"]).strip())
    if name in opened.collection.store(opened.encoder_id).maps():
        raise CollectionError(f"Expected a new name, but there is a map called {name!r}. Choose another, or delete it.")
    _begin(opened, name, MapOptions(**asked))
    st.session_state[f"{_FORM}:name"] = ""


def _begin(opened: Opened, name: str, options: MapOptions) -> None:
    request = LayOutMap(opened.collection.name, opened.encoder_id, name, options)
    controls.begin(request, action=f"lay out map {name}")
    st.session_state[_AWAITED] = (opened.collection.name, opened.encoder_id, name)


def _list(opened: Opened, store: EncoderStore, own: dict[str, Standing]) -> None:
    """The maps that were made on request: what is wrong with one, and deleting it."""
    st.html('<h4 class="radcbir-part">Kept maps</h4>')
    for name, standing in own.items():
        if standing.state != "current":
            st.caption(f"**{literal(name)}** cannot be shown: {literal(standing.reason)}.")
            options = MapOptions.from_json(store.map_facts(name))
            controls.button(
                f"Lay {literal(name)} out again",
                partial(_begin, opened, name, options),
                key=f"radcbir:again-map:{name}",
                icon=":material/refresh:",
            )
    chosen = st.selectbox("Delete", list(own), index=None, key="radcbir:delete-map", placeholder="Choose a map")
    if chosen is None:
        return
    typed = st.text_input(
        f"To delete it, type its name: {literal(chosen)}",
        key=f"radcbir:delete-map-name:{chosen}",
        help="Its places are gone then. Laid out again with the same choices on this machine, it is the same.",
    )
    controls.button(
        "Delete for good",
        partial(_delete, opened, chosen),
        key="radcbir:delete-map-now",
        icon=":material/delete_forever:",
        disabled=typed.strip() != chosen,
    )


def _delete(opened: Opened, name: str) -> None:
    rights.do(
        "owner",
        f"delete map {name}",
        opened.collection.name,
        partial(delete_map, opened.collection, opened.encoder_id, name),
    )
    if state.get("map") == name:
        state.update(map=None)
