"""The query, perturbed: flipped, turned, cropped, written into; and how its hits differ from those of the unchanged.

Owns the controls, the URL parameter ``perturb`` (repeated, in the order of the changes) and the comparison of the two
rankings. What a perturbation does is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import streamlit as st
from PIL import Image

from pages.parts.frame import loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import message
from pages.parts.images import gallery
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import QueryError
from radcbir_core.evaluation.metrics.overlap import rank_biased_overlap
from radcbir_core.images.perturbations import PERTURBATIONS, Perturbation, Pixels, Step, perturbed
from radcbir_core.search.queries.query import ChangedQuery, EmbeddedQuery, ImageQuery, RowQuery
from radcbir_core.search.retriever import Answer

_KEPT: Final = "radcbir:changed-query"
_KEY: Final = "radcbir:perturb"
_SIDE: Final = 720
_GRADES: Final = {"gamma": 0.05}


@dataclass(frozen=True)
class Compared:
    """How the hits of a changed query differ from those it had unchanged.

    Attributes:
        said: In a sentence.
        notes: A line for each hit: which rank it had, or that it is new.
        gone: Rows of the hits that went, best first.
        gone_notes: A line for each: which rank it had.
    """

    said: str
    notes: list[str]
    gone: np.ndarray
    gone_notes: list[str]


def choose(store: EncoderStore) -> list[Step]:
    """Draw what the query can be changed by; what the URL asks for, in its order.

    Nothing is drawn for embeddings that were imported: there is no encoder that could be given a changed image.
    """
    if store.imported:
        return []
    steps = _asked()
    chosen = [step.kind.name for step in steps]
    st.session_state[_KEY] = chosen

    def keep() -> None:
        names = st.session_state[_KEY]
        kept = [step for step in steps if step.kind.name in names]
        _write([*kept, *(Step.of(name) for name in names if name not in chosen)])

    with st.expander("Perturb the query", expanded=bool(steps), icon=":material/tune:"):
        st.pills(
            "Changes, one upon the other",
            list(PERTURBATIONS),
            key=_KEY,
            on_change=keep,
            selection_mode="multi",
            format_func=lambda name: PERTURBATIONS[name].title,
            help="The image is changed as it is shown, and given to the encoder anew; the gallery stays as it is.",
        )
        for at, step in enumerate(steps):
            if step.kind.graded:
                _strength(steps, at)
            else:
                st.caption(f"{step.said}. {step.kind.about}")
        if steps:
            st.button("Unchanged again", icon=":material/undo:", on_click=state.update, kwargs={"perturb": None})
    return steps


def _asked() -> list[Step]:
    """What the URL asks for, each kind once; what does not exist is reported and left out."""
    steps: dict[str, Step] = {}
    for word in state.get_all("perturb"):
        try:
            step = Step.of(word)
        except QueryError as error:
            st.warning(f"{message(str(error))} It is left out.")
        else:
            steps[step.kind.name] = step
    return list(steps.values())


def _strength(steps: Sequence[Step], at: int) -> None:
    kind: Perturbation = steps[at].kind
    key = f"{_KEY}:{kind.name}"
    st.session_state[key] = float(steps[at].strength)

    def keep() -> None:
        _write([*steps[:at], Step(kind, st.session_state[key]), *steps[at + 1 :]])

    st.slider(
        f"{kind.title}, {kind.unit}",
        float(kind.low),
        float(kind.high),
        step=_GRADES.get(kind.name, 1.0),
        format="%g",
        key=key,
        on_change=keep,
        help=f"{kind.about} {kind.none:g} changes nothing.",
    )


def _write(steps: Sequence[Step]) -> None:
    state.update(perturb=[step.word for step in steps])


def show(
    opened: Opened, original: RowQuery | ImageQuery, steps: Sequence[Step], *, of: str, read: Callable[[], Pixels]
) -> EmbeddedQuery:
    """Draw the changed image; it as a query.

    Args:
        opened: The open collection.
        original: The query as it was.
        steps: What is done to it.
        of: Which image it is, for what is kept of the last run.
        read: Gives its pixels.

    Raises:
        ImageError: Its file is gone or cannot be decoded.
        EncoderError: The encoder cannot be loaded here.
        QueryError: Nothing is left of it that the encoder could read.
        StaleError: The encoder here is another version than the one that made the embeddings.
    """
    words = [step.word for step in steps]
    key = (of, words, opened.collection.name, loaders.encoder_key(opened.collection, opened.encoder_id))
    kept: tuple[Any, EmbeddedQuery] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != key:
        loaders.encoder(opened.collection, opened.encoder_id)  # here it is said that it is being loaded
        query = ChangedQuery(perturbed(read(), steps), original)
        kept = (key, loaders.retriever(opened.collection, opened.encoder_id).embed(query))
        st.session_state[_KEPT] = kept
    embedded = kept[1]
    if isinstance(embedded.query, ChangedQuery):
        said = ", then ".join(step.said for step in steps)
        gallery.picture(preview(embedded.query.pixels), f"Perturbed query: {said}", key="perturbed-query")
        st.caption(f"Searched with: {said}.")
    return embedded


def preview(pixels: Pixels) -> bytes:
    """A changed image at a size to look at, as PNG."""
    small = Image.fromarray(pixels)
    small.thumbnail((_SIDE, _SIDE))
    return gallery.png(np.asarray(small))


def compared(
    search: Callable[[EmbeddedQuery], Answer], unchanged: EmbeddedQuery | None, answer: Answer
) -> Compared | None:
    """How the hits differ from those of the unchanged query; None where nothing was changed.

    Args:
        search: As the answer was asked for.
        unchanged: The query as it was.
        answer: To the changed query.
    """
    if unchanged is None:
        return None
    similarity = float((unchanged.vectors[0] * answer.query.vectors[0]).sum())
    return difference(search(unchanged).rows(), answer.rows(), similarity=similarity)


def difference(before: np.ndarray, after: np.ndarray, *, similarity: float) -> Compared:
    """How two rankings of the same images differ.

    Args:
        before: Rows of the hits of the unchanged query, best first.
        after: Of the changed one.
        similarity: Of the two queries.

    Example:
        >>> made = difference(np.array([4, 7, 9]), np.array([7, 4, 8]), similarity=0.5)
        >>> made.notes, made.gone.tolist(), made.gone_notes
        (['was rank 2', 'was rank 1', 'new'], [9], ['was rank 3'])
        >>> made.said
        'Hits of the unchanged query that stay: 2 of 3; rank-biased overlap 0.63 (0: no \
image in common, 1: the same list; the first ranks weigh most); similarity to it 0.500.'
        >>> difference(np.empty(0, int), np.empty(0, int), similarity=0.5).said
        'Neither this query nor the unchanged one has hits; similarity to it 0.500.'
    """
    ranks = {int(row): rank for rank, row in enumerate(before, 1)}
    notes = []
    for rank, row in enumerate(after.tolist(), 1):
        was = ranks.get(row)
        notes.append("new" if was is None else "same rank" if was == rank else f"was rank {was}")
    gone = before[~np.isin(before, after)]
    length = max(len(before), len(after))
    said = "Neither this query nor the unchanged one has hits"
    if length:
        both = [np.pad(rows, (0, length - len(rows)), constant_values=-1)[None].astype(int) for rows in (before, after)]
        same = float(rank_biased_overlap(*both)[0])
        said = (
            f"Hits of the unchanged query that stay: {len(before) - len(gone)} of {len(before)}; rank-biased overlap "
            f"{same:.2f} (0: no image in common, 1: the same list; the first ranks weigh most)"
        )
    return Compared(
        f"{said}; similarity to it {similarity:.3f}.",
        notes,
        gone,
        [f"was rank {ranks[int(row)]}" for row in gone],
    )
