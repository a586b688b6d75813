"""Why these two: maps over a query and its hit, beside each the check that says whether to believe it.

Owns the URL parameter ``why`` (the method that is asked for), the controls, and what of an explanation is kept in the
session. How maps are made and checked, and their words, is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.text import markup, message
from pages.parts.images import pictures
from radcbir_core.collections.collection import Collection
from radcbir_core.encoders import Encoder
from radcbir_core.errors import RadcbirError
from radcbir_core.explanation import drawing
from radcbir_core.explanation import explanation_words as words
from radcbir_core.explanation.explaining import (
    METHODS,
    Asked,
    Explanation,
    Side,
    check_explainable,
    checked_method,
    explain_pair,
)
from radcbir_core.explanation.hiding_check import Verdict
from radcbir_core.explanation.patch_similarity import patches_of
from radcbir_core.search.retriever import check_encoder

Pixels = np.ndarray

_KEPT: Final = "radcbir:why"
_OUTSIDE: Final = "radcbir:why-outside"
_OPACITY: Final = "radcbir:why-color"
_MOST_KEPT: Final = 8
_SIGNS: Final[dict[Verdict, str]] = {
    "explains": "✓",
    "explains in part": "≈",
    "does not explain": "✗",
    "cannot tell": "?",
}
_METHODS: Final[dict[Asked, str]] = {"auto": "Whichever explains", "occlusion": "Occlusion", "patches": "Patches"}


@dataclass(frozen=True)
class Subject:
    """One of the two images.

    Attributes:
        name: What it is called.
        identity: By which it is told from others: an image_id, or a digest.
        read: Gives its pixels.
        inside: Whether it is an image of the collection. What is kept of others goes with :func:`forget_outside`.
    """

    name: str
    identity: str
    read: Callable[[], Pixels]
    inside: bool = True


@dataclass(frozen=True, eq=False)
class Shown:
    """An explanation, and what is drawn of it.

    Attributes:
        explanation: Of the two.
        pixels: Of both, no larger than they are drawn.
        opacity: Of the strongest color, 0 to 1.
    """

    explanation: Explanation
    pixels: tuple[Pixels, Pixels]
    opacity: float

    def picture(self, at: int) -> bytes:
        """Image 0 or 1 with its map, as PNG."""
        return drawing.as_png(drawing.overlay(self.pixels[at], self.explanation, at, opacity=self.opacity))


def of_row(collection: Collection, row: int, *, name: str) -> Subject:
    """An image of the collection."""
    image_id = collection.manifest.image_id(row)
    return Subject(name, image_id, lambda: collection.read_image(row).pixels)


def forget_outside() -> None:
    """Keep nothing any more of images that are in no collection, such as an upload that was removed."""
    st.session_state.pop(_OUTSIDE, None)


def why_not(collection: Collection, encoder_id: str) -> str:
    """Why nothing can be explained here; "" where it can."""
    try:
        check_explainable(loaders.store(collection, encoder_id))
    except RadcbirError as error:
        return str(error)
    return "The images of this collection are not at hand." if collection.without_images else ""


def ask(collection: Collection, encoder_id: str | None, pair: Sequence[Subject]) -> Shown | None:
    """Draw the button, and once it was pressed the controls; the explanation, computed where it is not kept.

    Args:
        collection: Which has an encoder's embeddings.
        encoder_id: Of the encoder; None where there is none, and nothing is drawn.
        pair: The query and the hit.
    """
    if encoder_id is None:
        return None
    wanted = state.get("why")
    if wanted is None:
        reason = why_not(collection, encoder_id)
        st.button(
            "Why these two?",
            icon=":material/network_intelligence:",
            key="radcbir:why-ask",
            disabled=bool(reason),
            help=message(reason) or "Where in both images the similarity comes from, and whether that can be believed",
            on_click=state.update,
            kwargs={"why": "auto"},
        )
        return None
    try:
        check_explainable(loaders.store(collection, encoder_id))
        loaded = loaders.encoder(collection, encoder_id)
        check_encoder(loaders.store(collection, encoder_id), loaded)
    except RadcbirError as error:
        shell.show_error(error)
        _close()
        return None
    method, opacity = _controls(loaded)
    try:
        made, pixels = _explained(collection, encoder_id, loaded, pair, method=method)
    except RadcbirError as error:
        shell.show_error(error)
        return None
    shown = Shown(made, pixels, opacity)
    _say(shown)
    return shown


def say_side(shown: Shown, at: int) -> None:
    """Draw what the checks of one of the two images found."""
    side = shown.explanation.sides[at]
    lines = "".join(f"<li>{markup(words.check_said(check))}</li>" for check in side.checks)
    st.html(
        f'<p class="radcbir-why"><b>{_SIGNS[side.verdict]} {markup(words.verdict_said(side, words.NAMES[at]))}</b></p>'
        f'<ul class="radcbir-why">{lines}</ul>'
    )


def described(side: Side, name: str) -> str:
    """What stands for the picture of a map where it cannot be seen."""
    return f"{name} with its map: {words.place_said(side)}"


def draw_pair(collection: Collection, encoder_id: str, pair: Sequence[Subject]) -> None:
    """Draw both images side by side, as :func:`ask` explains them."""
    shown = ask(collection, encoder_id, pair)
    if shown is None:
        return
    for at, (half, subject) in enumerate(zip(st.columns(2, gap="medium"), pair, strict=True)):
        with half:
            which = subject.identity if subject.inside else "as it was searched with"
            st.html(f'<p class="radcbir-query"><b>{markup(subject.name)}</b> &ensp;{markup(which)}</p>')
            description = markup(described(shown.explanation.sides[at], subject.name))
            address = pictures.inline(shown.picture(at), "image/png")
            st.html(f'<img class="radcbir-why-picture" src="{address}" alt="{description}">')
            say_side(shown, at)


def _controls(encoder: Encoder) -> tuple[Asked, float]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = state.choice(
            st.segmented_control,
            "Maps by",
            [name for name in METHODS if name != "patches" or patches_of(encoder) is not None],
            name="why",
            format_func=lambda name: _METHODS[checked_method(name)],
            help="Occlusion hides small squares, one at a time. Patches compares what the network makes of each place. "
            "The first choice takes patches where there are enough and both maps pass their checks, else occlusion.",
        )
        percent = st.slider("Color, %", 0, 100, 60, step=10, key=_OPACITY, width=180)
        _close()
    return checked_method(chosen), percent / 100


def _close() -> None:
    st.button(
        "Close the explanation",
        icon=":material/close:",
        type="tertiary",
        on_click=state.update,
        kwargs={"why": None},
    )


def _explained(
    collection: Collection, encoder_id: str, encoder: Encoder, pair: Sequence[Subject], *, method: Asked
) -> tuple[Explanation, tuple[Pixels, Pixels]]:
    """What is kept of this session, or computed now with a bar that says how far it is."""
    inside = all(subject.inside for subject in pair)
    kept: dict[Any, tuple[Explanation, tuple[Pixels, Pixels]]] = st.session_state.setdefault(
        _KEPT if inside else _OUTSIDE, {}
    )
    key = (
        *(subject.identity for subject in pair),
        method,
        encoder.fingerprint,
        loaders.collection_key(collection),
        encoder_id,
    )
    if key not in kept:
        place = st.empty()

        def told(step: str, done: int, total: int) -> None:  # noqa: ARG001 - there is one
            place.progress(done / total, f"Hiding parts of both images: {done:,} of {total:,}")

        one, other = (subject.read() for subject in pair)
        made = explain_pair(encoder, one, other, method=method, progress=told)
        place.empty()
        kept[key] = made, (drawing.for_drawing(one), drawing.for_drawing(other))
        for oldest in list(kept)[: -_MOST_KEPT if inside else -1]:
            del kept[oldest]
    return kept[key]


def _say(shown: Shown) -> None:
    """What the maps show, whether to believe them, and what the colors are."""
    made = shown.explanation
    verdicts = {side.verdict for side in made.sides}
    if verdicts <= {"does not explain", "cannot tell"}:
        st.warning(
            "These maps do not explain this similarity: hiding what they highlight does no more to it than hiding as "
            f"much elsewhere.{' Maps by occlusion may.' if made.method == 'patches' else ''}",
            icon=":material/visibility_off:",
        )
    elif verdicts != {"explains"}:
        st.warning(
            "Not both maps explain this similarity in whatever way parts are hidden: see below each.",
            icon=":material/rule:",
        )
    said = f"Similarity {made.similarity:.3f}. {words.method_said(made)}"
    st.html(f'<p class="radcbir-why">{markup(said)}</p>{legend(made)}')


def legend(made: Explanation) -> str:
    """What the colors of both maps mean, as HTML."""
    none, full = drawing.scale_of(made)
    outline = '<span class="radcbir-why-outline"></span> where the map is highest'
    if made.method == "patches":
        return (
            f'<p class="radcbir-why"><small>{none:.2f} <span class="radcbir-why-scale above"></span> {full:.2f} cosine '
            f"with the patch of the other image that is most like it &emsp; {outline}</small></p>"
        )
    return (
        f'<p class="radcbir-why"><small>hiding it raises the similarity: −{full:.3f} '
        '<span class="radcbir-why-scale below"></span><span class="radcbir-why-scale above"></span> '
        f"{full:.3f}: lowers it &emsp; {outline}</small></p>"
    )
