"""Choosing what an encoder is compared with: another encoder, the pixels baseline, or chance.

Owns the choice of B (URL parameter ``versus``), the two colors and letters that tell A from B on every part of the
page, and the making of the pixels baseline where a collection has none.
"""

from __future__ import annotations

import time
from typing import Final

import streamlit as st

from pages.parts import loaders, shell, state
from pages.parts.paired import Pair
from pages.parts.shell import Opened
from pages.parts.text import counted, literal, markup
from radcbir_core.evaluation.chance import CHANCE

BASELINE: Final = "pixels"
COLORS: Final = {"A": "#56B4E9", "B": "#E69F00", "open": "#98A3B3", "none": "#7A8594"}
SIGNS: Final = {"A": "◀", "B": "▶", "open": "=", "none": "–"}
WORDS: Final = {"A": "A is better", "B": "B is better", "open": "not clear", "none": "no interval"}

_STEP_WORDS: Final = {
    "embed": "Computing embeddings",
    "index": "Indexing",
    "neighbors": "Finding neighbors",
    "evaluation": "Evaluating",
    "projection": "Laying out the map",
}


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
        f"<b>{markup(opened.encoder_id)}</b></p>{_STYLE}",
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
    if chosen not in built:
        offer_baseline(opened)
        return None
    with shell.errors_shown():
        states = loaders.encoder_steps(opened.collection, chosen)
        for step in ("embed", "neighbors"):
            if states[step] != "current":
                shell.say_not_built(Opened(opened.collection, chosen), step, states[step])
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
    """Offer to build the pixels baseline here and now."""
    collection = opened.collection
    st.info(
        f"**{literal(collection.name)}** has no embeddings of the baseline `{BASELINE}` yet. It compares shrunken "
        f"images as they are, so any encoder should beat it. It needs no weights, and is made of "
        f"{counted(len(collection), 'image')} in seconds to minutes.",
        icon=":material/grid_on:",
    )
    with st.container(horizontal=True, gap="small"):
        begun = st.button(f"Build {BASELINE} now", icon=":material/play_arrow:", type="primary", key="radcbir:baseline")
        stopped = st.empty()
    st.caption("Or in a terminal, and reload this page:")
    st.code(f"{shell.COMMAND} build {collection.name} --encoder {BASELINE}", language="bash")
    if begun:
        # Any click ends a run of the page at its next message to the browser, and with it the work; what is finished
        # stays, and the next run of it goes on there.
        stopped.button("Stop", icon=":material/stop:", key="radcbir:baseline-stop")
        with shell.errors_shown():
            _build_baseline(opened)
            st.rerun()


def _build_baseline(opened: Opened) -> None:
    from radcbir_core.build import build
    from radcbir_core.encoders import load_encoder

    bar = st.progress(0.0, text="Beginning…")
    began = {"step": "", "at": 0.0, "done": 0.0}

    def told(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != began["step"]:
            began.update(step=step, at=now, done=float(done))
        seconds = now - float(began["at"])
        rate = (done - float(began["done"])) / seconds if seconds > 0.5 else 0.0
        parts = [_STEP_WORDS.get(step, step), f"{done:,} of {total:,}"]
        if rate > 0 and done < total:
            parts += [f"{rate:,.0f}/s", f"{counted(round((total - done) / rate), 'second')} left"]
        bar.progress(min(done / total, 1.0) if total else 1.0, text=" · ".join(parts))

    build(opened.collection, load_encoder(BASELINE), progress=told)


def _named(name: str, *, missing: bool) -> str:
    if name == CHANCE:
        return "chance (images at random)"
    return f"{name} (not built yet)" if missing and name == BASELINE else name


_STYLE: Final = """<style>
.radcbir-side { margin: 0; font-size: .95rem; line-height: 2.5rem; white-space: nowrap; }
.radcbir-ab { display: inline-block; font-style: normal; font-weight: 700; font-size: .85em; line-height: 1.45em;
  min-width: 1.45em; text-align: center; border-radius: 4px; color: #0E1116; background: var(--ab); }
</style>"""
