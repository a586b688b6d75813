"""Choosing what an encoder is compared with: another encoder, the pixels baseline, or chance.

Owns the choice of B (URL parameter ``versus``), the two colors and letters that tell A from B on every part of the
page, and the making of the pixels baseline where a collection has none.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.compare.paired import Pair
from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal, markup
from pages.parts.jobs import controls, stages, waiting
from radcbir_core.collections.collection import Collection
from radcbir_core.evaluation.baseline import BASELINE
from radcbir_core.evaluation.statistics.chance import CHANCE
from radcbir_core.jobs import Job, job_at
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.wording import counted

COLORS: Final = {"A": "#56B4E9", "B": "#E69F00", "open": "#98A3B3", "none": "#7A8594"}
SIGNS: Final = {"A": "◀", "B": "▶", "open": "=", "none": "–"}
WORDS: Final = {"A": "A is better", "B": "B is better", "open": "not clear", "none": "no interval"}


def choose(opened: Opened) -> Pair | None:
    """Draw the choice of B beside A; None where B is not there yet, after saying what makes it."""
    built = [name for name in opened.collection.encoder_ids() if name != opened.encoder_id]
    options = [*built, CHANCE]
    missing = BASELINE not in built and opened.encoder_id != BASELINE
    if missing:
        options.append(BASELINE)
    default = BASELINE if BASELINE in built else built[0] if built else CHANCE
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-versus")
    bar.html(
        f'<p class="radcbir-side" title="The encoder of the sidebar">{badge("A")} '
        f"<b>{markup(opened.encoder_id)}</b></p>",
        width="content",
    )
    bar.html(f'<p class="radcbir-side">versus &ensp;{badge("B")}</p>', width="content")
    chosen = state.choice(
        bar.selectbox,
        "Versus",
        options,
        name="versus",
        default=default,
        clears=["label"],
        format_func=lambda name: _named(name, missing=missing),
        label_visibility="collapsed",
        width=300,
        help="What the encoder is compared with",
    )
    if chosen in built:
        bar.button(
            "Swap A and B",
            icon=":material/swap_horiz:",
            type="tertiary",
            on_click=state.update,
            kwargs={"encoder": chosen, "versus": opened.encoder_id},
        )
    if chosen == CHANCE:
        return Pair(opened.collection, opened.encoder_id, CHANCE)
    with shell.errors_shown():
        if chosen == BASELINE and not _is_there(opened.collection):
            offer_baseline(opened)
            return None
        states = loaders.artifact_states(opened.collection, chosen)
        for step in ("embeddings", "neighbors"):
            if states[step] != "current":
                shell.say_not_built(Opened(opened.collection, chosen), step)
                return None
        return Pair(opened.collection, opened.encoder_id, chosen)
    return None


def badge(letter: str) -> str:
    """The letter A or B in its color, as HTML."""
    return f'<i class="radcbir-ab" style="--ab:{COLORS[letter]}">{letter}</i>'


def said(verdict: str) -> str:
    """What an interval says, with its sign and color, as HTML."""
    return f'<span style="color:{COLORS[verdict]}">{SIGNS[verdict]} {WORDS[verdict]}</span>'


def offer_baseline(opened: Opened) -> None:
    """Offer to build the pixels baseline here and now, or show how far that is."""
    collection = opened.collection
    request = ImportAndBuild(collection.name, encoders=(BASELINE,))
    controls.say_error()
    job = job_at(request.place)
    status = None if job is None else job.status()
    if job is not None and status is not None and not status.ended:
        if job.request == request:
            st.markdown(f"**The baseline `{BASELINE}` is being built for {literal(collection.name)}.**")
            _running(job, collection)
        else:
            waiting.wait_for(collection.name, lambda: _is_there(collection))
        return
    ended = status if job is not None and status is not None and job.request == request else None
    if ended is not None and ended.state == "failed":
        shell.show_error(ended.error)
    st.info(
        f"**{literal(collection.name)}** has no embeddings of the baseline `{BASELINE}` yet. It compares shrunken "
        f"images as they are, so any encoder should beat it. It needs no weights, and is made of "
        f"{counted(len(collection), 'image')} in seconds to minutes.",
        icon=":material/grid_on:",
    )
    if not controls.may_begin(request.kind):
        st.caption("Owners of this server can build it here.")
        return
    goes_on = ended is not None and ended.state in {"stopped", "interrupted"}
    controls.button(
        "Go on" if goes_on else f"Build {BASELINE} now",
        partial(controls.begin, request, action=f"build {BASELINE}"),
        icon=":material/play_arrow:",
        type="primary",
        key="radcbir:baseline",
    )
    st.caption("Or in a terminal, and reload this page:")
    st.code(f"{shell.COMMAND} build {shlex.quote(collection.name)} --encoder {BASELINE}", language="bash")


def _is_there(collection: Collection) -> bool:
    """Whether the baseline can be compared with; what a build makes after the neighbors need not be waited for."""
    if BASELINE not in collection.encoder_ids():
        return False
    states = loaders.artifact_states(collection, BASELINE)
    return states["embeddings"] == states["neighbors"] == "current"


@st.fragment(run_every=waiting.POLL_SECONDS)
def _running(job: Job, collection: Collection) -> None:
    status = job.status()
    if status.ended or _is_there(collection):
        st.rerun()
    stages.show_bar(status)
    controls.stop(job, status)


def _named(name: str, *, missing: bool) -> str:
    if name == CHANCE:
        return "chance (images at random)"
    return f"{name} (not built yet)" if missing and name == BASELINE else name
